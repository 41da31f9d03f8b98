//! What can be wrong with a SQuAD file.

use std::io;

/// Why a SQuAD file was refused. Messages name the record and the field but not the file: the caller does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SquadError {
    /// The bytes could not be had.
    #[error("cannot be read")]
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// More bytes than [`MAX_BYTES`](crate::MAX_BYTES).
    #[error("too large: expected at most {limit} bytes (after decompression)")]
    TooLarge {
        /// The most bytes that are taken.
        limit: u64,
    },
    /// It starts as gzip does and then breaks.
    #[error("broken gzip")]
    Gzip {
        /// What the decoder said.
        source: io::Error,
    },
    /// It starts as zstd does and then breaks.
    #[error("broken zstd")]
    Zstd {
        /// What the decoder said.
        source: io::Error,
    },
    /// It starts as Parquet does and then breaks, or is packed in a way that is not read.
    #[error("not readable as Parquet: {reason}")]
    Parquet {
        /// What the decoder said.
        reason: String,
    },
    /// A Parquet file says of itself that it holds more than can be there, or than is taken.
    #[error("not readable as Parquet: {what}: expected at most {limit}, got {got}")]
    ParquetClaim {
        /// As `the footer's bytes`.
        what: String,
        /// The most that is believed.
        limit: u64,
        /// What it claims.
        got: u64,
    },
    /// The text is not UTF-8.
    #[error("not UTF-8: the (decompressed) byte {offset} starts no character")]
    NotUtf8 {
        /// The first byte that belongs to no character.
        offset: usize,
    },
    /// The text is not JSON.
    #[error("not JSON at line {line}, column {column}: {reason}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1; 0 where the line is empty.
        column: usize,
        /// What the parser said.
        reason: String,
    },
    /// JSON of another layout: a field is missing or holds something else.
    #[error("{}{field}: not SQuAD: {reason}", of(id))]
    NotSquad {
        /// The question, where the field belongs to one and its id can be read.
        id: Option<String>,
        /// As `data[3].paragraphs[0].qas[2].question`, `line 7: question` or `row 7: question`, from 1.
        field: String,
        /// Expected and got, as the parser said it.
        reason: String,
    },
    /// An id, a passage, a question or an answer's text is empty or blank.
    #[error("{}{field}: expected a text, got only blanks or nothing", of(id))]
    Empty {
        /// The question, where the field belongs to one that has an id.
        id: Option<String>,
        /// As `data[3].paragraphs[0].qas[2].question`.
        field: String,
    },
    /// An earlier question has the same id.
    #[error("question `{id}`: {field}: expected an id of its own, got that of an earlier question")]
    DuplicateId {
        /// The id.
        id: String,
        /// The second place, as `data[3].paragraphs[0].qas[2].id`.
        field: String,
    },
    /// `is_impossible` is true and yet there are answers.
    #[error("question `{id}`: {field}: expected none as `is_impossible` is true, got {got}")]
    ImpossibleWithAnswers {
        /// The question.
        id: String,
        /// As `data[3].paragraphs[0].qas[2].answers`.
        field: String,
        /// How many answers there are.
        got: usize,
    },
    /// An answer does not stand in the passage where it says.
    #[error(
        "question `{id}`: {field}: expected {expected:?} at character {start} of the passage, got {got:?} ({})",
        whereabouts(*found)
    )]
    AnswerOffset {
        /// The question.
        id: String,
        /// As `data[3].paragraphs[0].qas[2].answers[0]`.
        field: String,
        /// The character that the answer names.
        start: usize,
        /// The answer's text, cut short where it is long.
        expected: String,
        /// As many characters of the passage from there; empty past its end.
        got: String,
        /// The character at which the text does occur first.
        found: Option<usize>,
    },
}

/// Why predictions were not taken or not scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The bytes could not be had, or are no text.
    #[error(transparent)]
    File(#[from] SquadError),
    /// Not a JSON object with a value of the right type for each id.
    #[error(
        "{}expected a JSON object from question ids to values: {reason}",
        of(id)
    )]
    NotById {
        /// The id whose value is wrong, where it is one.
        id: Option<String>,
        /// Expected and got, as the parser said it.
        reason: String,
    },
    /// There is nothing to score.
    #[error("expected at least one question, got none")]
    NoQuestions,
    /// Questions without a prediction or without null odds.
    #[error(
        "expected {what} for each of {total} questions, got none for {count}; the first is `{first}`"
    )]
    Missing {
        /// `prediction` or `null odds`.
        what: &'static str,
        /// How many have none.
        count: usize,
        /// How many there are.
        total: usize,
        /// The first id without.
        first: String,
    },
}

fn of(id: &Option<String>) -> String {
    id.as_ref()
        .map_or_else(String::new, |id| format!("question `{id}`: "))
}

fn whereabouts(found: Option<usize>) -> String {
    match found {
        Some(start) => format!("it is at character {start}"),
        None => "it is nowhere in the passage".to_owned(),
    }
}

/// What the parser says, without the names of Rust's types.
pub(crate) fn plain(message: &str) -> String {
    message.replace("expected usize", "expected a whole number from 0")
}
