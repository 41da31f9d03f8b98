//! Why a run cannot be planned, continued or read.

use std::io;
use std::path::PathBuf;

use spanlift::ExplainError;

use crate::NotGiven;

/// Why a run cannot be planned, continued or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("`{}` cannot be {action}", path.display())]
    Io {
        /// `made`, `read`, `written`, `locked`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no `run.json`, or it is none.
    #[error("`{}`: expected the plan of a run, {reason}", path.display())]
    NotARun {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The folder holds a run that is another one.
    #[error(
        "`{}` is of another run: {}; take another folder, or remove this one to begin anew",
        path.display(),
        differences.join("; ")
    )]
    OtherRun {
        /// The run's `run.json`.
        path: PathBuf,
        /// What differs: field, what the run has, what was asked for.
        differences: Vec<String>,
    },
    /// The folder holds work of another kind.
    #[error("`{}`: the folder holds {holds}; take another", path.display())]
    OtherKind {
        /// The file that says so.
        path: PathBuf,
        /// What it holds.
        holds: &'static str,
    },
    /// A part is not what its run wrote.
    #[error("`{}` is damaged: {reason}; remove it, and the run's command makes it anew", path.display())]
    Damaged {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such chunk.
    #[error("expected chunks of 0..{chunks}, got {start}..{end}")]
    NoChunk {
        /// How many there are.
        chunks: usize,
        /// The first that was asked for.
        start: usize,
        /// One past the last.
        end: usize,
    },
    /// Parts are missing.
    #[error("expected all {chunks} parts, got {got}; the first that is missing is {first}")]
    Unfinished {
        /// How many there should be.
        chunks: usize,
        /// How many there are.
        got: usize,
        /// The number of the first that is missing.
        first: usize,
    },
    /// A question cannot be explained.
    #[error("question `{id}`")]
    Question {
        /// Its id.
        id: String,
        /// Why.
        source: QuestionError,
    },
    /// A worker could not be started.
    #[error("the threads cannot be started")]
    Threads {
        /// What the library said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A part could not be put together.
    #[error("a part cannot be put together")]
    Encode {
        /// What the library said.
        source: parquet::errors::ParquetError,
    },
}

/// Why a question cannot be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// The engine cannot.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// It is to be explained for an answer that there is not.
    #[error("answers: {0}")]
    Answer(#[from] NotGiven),
}
