//! Why a run cannot be studied.

/// Why a run cannot be studied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
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
