//! Why a run cannot be studied.

use spanlift_store::StoreError;

/// Why a run cannot be studied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run has no rows.
    #[error("the run has no explained question")]
    Empty,
    /// The claims speak of early, middle and late layers.
    #[error("the claims need a model of at least 3 layers, got {layers}")]
    FewLayers {
        /// L.
        layers: usize,
    },
    /// A control is not of the same questions and layers.
    #[error("the run with {name} does not match: {reason}")]
    Control {
        /// `random spans`, `re-initialised weights`.
        name: &'static str,
        /// How not.
        reason: String,
    },
    /// Two runs are of different questions.
    #[error("the runs have no question in common: {a} in the first, {b} in the second")]
    NothingInCommon {
        /// Questions of the first.
        a: usize,
        /// Questions of the second.
        b: usize,
    },
    /// A table could not be written down.
    #[error("table `{table}` cannot be written as {format}: {reason}")]
    Write {
        /// The table's name.
        table: &'static str,
        /// `csv`, `json`, `parquet`.
        format: &'static str,
        /// What the writer said.
        reason: String,
    },
}
