//! SQuAD 1.1 and 2.0 question-answering files, read whole and checked record by record.
//!
//! ```text
//! path, reader ── file.rs ──> text ── json.rs ──> records ── check.rs ──> Dataset
//!                 limit, gzip, UTF-8  the layout             ids, texts, offsets
//! ```
//!
//! The layout is that of the data sets' own files: SQuAD 1.1 (Rajpurkar et al. 2016, arXiv 1606.05250) and
//! 2.0 (Rajpurkar et al. 2018, arXiv 1806.03822). Fields that it does not name are passed over, and so are
//! the `plausible_answers` of 2.0, which no metric uses. What a [`Dataset`] holds has passed every check:
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

mod check;
mod error;
mod file;
mod json;

pub use error::SquadError;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

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
    /// The passage does not answer the question. Always false in SQuAD 1.1.
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

/// Reads a SQuAD file, plain or gzip: its first bytes tell, not its name.
pub fn read(path: &Path) -> Result<Dataset, SquadError> {
    parse(File::open(path).map_err(|source| SquadError::Read { source })?)
}

/// Reads the bytes of a SQuAD file, plain or gzip, from anywhere.
pub fn parse(reader: impl Read) -> Result<Dataset, SquadError> {
    json::dataset(&file::text(reader, MAX_BYTES)?)
}
