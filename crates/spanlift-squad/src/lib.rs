//! SQuAD question-answering files, read whole and checked record by record, and the official metric.
//!
//! ```text
//!                                  ┌─ json.rs ────┐
//! path, reader ── file.rs ─ bytes ─┼─ flat.rs ────┼─ records ── check.rs ──> Dataset ──────┐
//!                 limit, gzip,     └─ parquet.rs ─┘             ids, texts,                ├─ metric.rs ──> Evaluation
//!                 zstd, UTF-8         the layout                offsets       predictions ─┘
//! ```
//!
//! Three layouts, told apart by content: SQuAD's own JSON, 1.1 (Rajpurkar et al. 2016, arXiv 1606.05250) and
//! 2.0 (Rajpurkar et al. 2018, arXiv 1806.03822); and the flat records of the Hugging Face `datasets` library (`id`,
//! `title`, `context`, `question`, `answers` with the lists `text` and `answer_start`), as JSON lines or as Parquet.
//! Fields that a layout does not name are passed over, and so are the `plausible_answers` of 2.0, which no metric uses. What a [`Dataset`] holds has passed every check:
//! each id occurs once, no text is blank, and each answer stands in its passage at the character it names.
//!
//! ```
//! # fn main() -> Result<(), spanlift_squad::SquadError> {
//! let file = r#"{"version": "v2.0", "data": [{"title": "Mills", "paragraphs": [{
//!     "context": "Zoë's mill was built in 1820.",
//!     "qas": [
//!         {"id": "a", "question": "When was the mill built?", "is_impossible": false,
//!          "answers": [{"text": "1820", "answer_start": 24}]},
//!         {"id": "b", "question": "Who burnt the mill down?", "is_impossible": true, "answers": []}
//!     ]}]}]}"#;
//! let dataset = spanlift_squad::parse(file.as_bytes())?;
//!
//! let ids: Vec<&str> = dataset.questions.iter().map(|question| question.id.as_str()).collect();
//! assert_eq!(ids, ["a", "b"]);
//! let mill = dataset.find("a").map(|question| question.answers[0].text.as_str());
//! assert_eq!(mill, Some("1820"));
//!
//! // Offsets count characters; counted in bytes, the ë would make this 25.
//! let bytes = file.replace("24}", "25}");
//! let error = spanlift_squad::parse(bytes.as_bytes()).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "question `a`: data[0].paragraphs[0].qas[0].answers[0]: expected \"1820\" at character 25 \
//!      of the passage, got \"820.\" (it is at character 24)",
//! );
//! # Ok(())
//! # }
//! ```

mod by_id;
mod check;
mod error;
mod file;
mod flat;
pub mod guard;
mod json;
mod kind;
mod loose;
mod metric;
mod pages;
mod parquet;

pub use by_id::ById;
pub use error::{MetricError, SquadError};
pub use kind::QuestionKind;
pub use metric::{Best, Evaluation, Part, Score, evaluate, normalise, score};

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use check::Collector;

/// The most bytes that are read, before and after decompression: 1 GiB, 25 times the text of SQuAD 2.0's
/// training set. Larger input, a gzip bomb for one, is refused as [`SquadError::TooLarge`]. Reading
/// takes about three times the text in memory for SQuAD itself, and about eight times at worst (questions
/// of one letter).
pub const MAX_BYTES: u64 = 1 << 30;

/// The questions of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// What the file calls its version, where it does.
    pub version: Option<String>,
    /// All questions, in the order of the file.
    pub questions: Vec<Question>,
}

/// One question about one passage, with the answers people gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Unique in its file; predictions are keyed by it.
    pub id: String,
    /// The article's title, shared by its questions; empty where the file has none.
    pub title: Arc<str>,
    /// The question as it is written in the file, with any blanks around it.
    pub question: String,
    /// The passage, shared by its questions.
    pub context: Arc<str>,
    /// In file order, repeats included. Empty where the passage has no answer, and where the file gives
    /// none (`is_impossible` then tells which).
    pub answers: Vec<GoldAnswer>,
    /// The passage does not answer the question. Always false in SQuAD 1.1's own layout; in the flat one, where the file
    /// does not say, true without answers.
    pub is_impossible: bool,
}

/// An answer that somebody marked in the passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldAnswer {
    /// Word for word as in the passage.
    pub text: String,
    /// The Unicode character (not the byte) of the passage at which the text starts.
    pub start: usize,
}

impl Dataset {
    /// The question with this id.
    pub fn find(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.id == id)
    }
}

/// The records of a file that were passed over.
#[derive(Debug, Default)]
pub struct Skipped {
    /// How many. A passage, an article or a line is one record, whatever it holds.
    pub count: usize,
    /// What is wrong with the first of them, [`LISTED`](Self::LISTED) at most.
    pub first: Vec<SquadError>,
}

impl Skipped {
    /// So many faults are kept, so that a file of nothing else takes no more memory than a good one.
    pub const LISTED: usize = 1000;
}

/// Reads a file of questions. What it is, its content tells, not its name: SQuAD JSON, JSON lines or Parquet; plain,
/// gzip or zstd.
///
/// # Errors
///
/// Where the bytes cannot be had, are none of these, or a record is bad.
pub fn read(path: &Path) -> Result<Dataset, SquadError> {
    parse(open(path)?)
}

/// The same for bytes from anywhere.
///
/// # Errors
///
/// As [`read`].
pub fn parse(reader: impl Read) -> Result<Dataset, SquadError> {
    Ok(collect(reader, Collector::default())?.0)
}

/// [`read`], but a bad record is noted and passed over. What is wrong with the file as a whole (not UTF-8, not JSON, a
/// column or a list of records missing) stays an error.
///
/// # Errors
///
/// Where the bytes cannot be had or are none of the layouts.
pub fn read_skipping(path: &Path) -> Result<(Dataset, Skipped), SquadError> {
    parse_skipping(open(path)?)
}

/// The same for bytes from anywhere.
///
/// # Errors
///
/// As [`read_skipping`].
pub fn parse_skipping(reader: impl Read) -> Result<(Dataset, Skipped), SquadError> {
    collect(reader, Collector::skipping())
}

fn open(path: &Path) -> Result<File, SquadError> {
    File::open(path).map_err(|source| SquadError::Read { source })
}

fn collect(reader: impl Read, mut collector: Collector) -> Result<(Dataset, Skipped), SquadError> {
    let bytes = file::unpacked(reader, MAX_BYTES)?;
    if parquet::is_parquet(&bytes) {
        parquet::read(bytes, &mut collector)?;
        return Ok(collector.finish(None));
    }
    let text = file::text(bytes)?;
    let version = if flat::is_flat(&text) {
        flat::read(&text, &mut collector)?;
        None
    } else {
        json::read(&text, &mut collector)?
    };
    Ok(collector.finish(version))
}
