//! Why a run of training cannot begin or go on.

use std::io;
use std::path::PathBuf;

use spanlift::ExplainError;
use spanlift::encode::EncodeError;
use spanlift_store::StoreError;
use thiserror::Error;

/// Why a run of training cannot begin or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A question that no window holds.
    #[error("{what} `{id}`")]
    Encode {
        /// What it is: a question that is learned, a dev question or a probe question.
        what: &'static str,
        /// The question's id.
        id: String,
        /// What is wrong with it.
        source: EncodeError,
    },
    /// Numbers that overflow.
    #[error(
        "step {step}: expected a finite loss and finite gradients, got a loss of {loss} and a norm of {norm}; a smaller rate may help"
    )]
    NotFinite {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f64,
        /// The gradients' norm.
        norm: f64,
    },
    /// Nothing to learn from.
    #[error("the data has no question")]
    NoQuestion,
    /// Another run in the same folder.
    #[error("`{path}` is of another run: {}", differences.join("; "), path = path.display())]
    OtherRun {
        /// Its plan.
        path: PathBuf,
        /// Where the two differ.
        differences: Vec<String>,
    },
    /// Another process trains in the same folder.
    #[error("`{path}` is held: another process trains in this folder", path = path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// The state of a run that cannot be used.
    #[error("`{path}`: {reason}", path = path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("`{path}` cannot be {action}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A dev question that cannot be answered.
    #[error("dev question `{id}`")]
    Answer {
        /// The question's id.
        id: String,
        /// What is wrong with it.
        source: ExplainError,
    },
    /// A file that cannot be written whole.
    #[error(transparent)]
    Store(#[from] StoreError),
}
