//! One part: the rows of a chunk as a Parquet file, with a note of the chunk in its footer.

mod cell;
mod columns;
mod read;
mod write;

pub(crate) use columns::columns;
pub(crate) use read::{info, rows, some};
pub(crate) use write::encode;

use serde::{Deserialize, Serialize};

/// The footer's key under which the note stands.
pub(crate) const NOTE: &str = "spanlift.chunk";

/// What a part says of its chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkInfo {
    /// The run's plan, in one word.
    pub key: String,
    /// The chunk's number, from 0.
    pub chunk: usize,
    /// Questions that were explained: rows.
    pub rows: usize,
    /// Questions that could not be.
    pub skipped: Vec<SkippedQuestion>,
    /// Explanations whose sums do not hold.
    pub broken: usize,
    /// The worst sum of all rows, where there is a row.
    pub worst: Option<WorstSum>,
    /// Sum of the rows' exact matches.
    pub exact: f64,
    /// Sum of the rows' F1.
    pub f1: f64,
}

/// A question that could not be explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedQuestion {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The largest |error| / max(1, Σ|score|).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstSum {
    /// How large.
    pub relative: f64,
    /// The question.
    pub id: String,
    /// The cut.
    pub cut: String,
}
