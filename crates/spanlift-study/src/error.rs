//! Why a run cannot be studied.

use std::io;
use std::path::PathBuf;

use spanlift::ExplainError;
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
    /// The system refused.
    #[error("`{}` cannot be {action}", path.display())]
    Io {
        /// `made`, `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no `compare.json`, or it is none.
    #[error("`{}`: expected the plan of a comparison, {reason}", path.display())]
    NotAComparison {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The folder holds a comparison that is another one.
    #[error("`{}` is of another comparison: {}; take another folder, or remove this one to begin anew", path.display(), differences.join("; "))]
    OtherComparison {
        /// Its `compare.json`.
        path: PathBuf,
        /// What differs: field, what it has, what was asked for.
        differences: Vec<String>,
    },
    /// A part is not what the comparison wrote.
    #[error("`{}` is damaged: {reason}; remove it, and the comparison's command makes it anew", path.display())]
    DamagedPart {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A question cannot be explained.
    #[error("question `{id}`")]
    Explain {
        /// Its id.
        id: String,
        /// Why.
        source: ExplainError,
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
