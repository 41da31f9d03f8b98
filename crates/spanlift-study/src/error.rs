//! Why a run cannot be studied.

use std::io;
use std::path::PathBuf;

use spanlift::ExplainError;
use spanlift_store::StoreError;
use spanlift_train::TrainError;

/// Why a run cannot be studied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A training cannot be read.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// There is no training.
    #[error("`{}` is no training: expected a train.json in it, got none", path.display())]
    NotATraining {
        /// The folder.
        path: PathBuf,
    },
    /// What lies with the probes of a training is not of it.
    #[error("`{}` is no probe of this training: {field}: expected {expected}, got {got}", path.display())]
    OtherProbe {
        /// The run's folder.
        path: PathBuf,
        /// In what it differs.
        field: &'static str,
        /// What the training explains.
        expected: String,
        /// What this one does.
        got: String,
    },
    /// A training in which no question was explained.
    #[error("`{}` has no probe questions that are explained: `spanlift train --probe FILE` has some", path.display())]
    NoProbe {
        /// The folder.
        path: PathBuf,
    },
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
    /// The map of a question cannot be shown.
    #[error("question `{id}` has no map for the report: {reason}")]
    Map {
        /// The question's id.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A table could not be written down.
    #[error("table `{table}` cannot be written as {format}: {reason}")]
    Write {
        /// The table's name.
        table: &'static str,
        /// `csv`, `json`, `parquet`, `html`.
        format: &'static str,
        /// What the writer said.
        reason: String,
    },
    /// A number of a matrix is not finite.
    #[error("row {row}, column `{column}`: expected a finite number, got {got}")]
    NotFinite {
        /// From 0.
        row: usize,
        /// The column's name.
        column: String,
        /// What is there.
        got: f64,
    },
    /// A row of a matrix has another number of columns.
    #[error("row {row}: expected {expected} numbers, got {got}")]
    Width {
        /// From 0.
        row: usize,
        /// As many as there are names.
        expected: usize,
        /// Its own.
        got: usize,
    },
    /// No column of a matrix varies.
    #[error("none of {columns} columns varies: nothing to cluster")]
    Constant {
        /// How many there are.
        columns: usize,
    },
    /// Too few rows.
    #[error("{what}: expected at least {expected} rows, got {got}")]
    Rows {
        /// What they are for.
        what: &'static str,
        /// The least.
        expected: usize,
        /// What there is.
        got: usize,
    },
    /// A number of clusters that these rows do not allow.
    #[error("k, the number of clusters: expected 2 to {most} for {rows} rows, got {got}")]
    Clusters {
        /// The most.
        most: usize,
        /// How many rows there are.
        rows: usize,
        /// What was asked for.
        got: usize,
    },
    /// A setting out of its range.
    #[error("{setting}: expected {expected}, got {got}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// An algorithm found nothing for these numbers.
    #[error("{what} failed: {reason}")]
    Failed {
        /// Which.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// Maps or tokens that do not fit each other.
    #[error("{what}: expected {expected}, got {got}")]
    Maps {
        /// Which.
        what: String,
        /// What was expected.
        expected: String,
        /// What came.
        got: String,
    },
}
