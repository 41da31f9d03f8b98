//! What can be wrong with an explanation: the field, expected and got.

use thiserror::Error;

use crate::Part;

/// What is wrong with an explanation.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Invalid {
    /// A list is longer or shorter than the tokens, layers or heads it is about.
    #[error("{field}: expected {expected} entries, got {got}")]
    Length {
        /// The list.
        field: String,
        /// What its length should be.
        expected: usize,
        /// What it is.
        got: usize,
    },
    /// A number is NaN or infinite.
    #[error("{field}: expected a finite number, got {got}")]
    Number {
        /// The number's place.
        field: String,
        /// The number.
        got: f64,
    },
    /// An index points past its list.
    #[error("{field}: expected {first}..{end}, got {got}")]
    Index {
        /// The index's place.
        field: String,
        /// The smallest that is allowed.
        first: usize,
        /// One past the largest that is allowed.
        end: usize,
        /// The index.
        got: usize,
    },
    /// Offsets do not slice their text, or only one of the two is there.
    #[error("{field}: expected start <= end <= {length}, got {} and {}", or_null(*start), or_null(*end))]
    Offsets {
        /// Whose offsets.
        field: String,
        /// Characters in the question or the passage.
        length: usize,
        /// First character.
        start: Option<usize>,
        /// One past the last.
        end: Option<usize>,
    },
    /// A text is another than it has to be: a name, or a slice of the passage.
    #[error("{field}: expected {expected:?}, got {got:?}")]
    Text {
        /// The text's place.
        field: String,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The tokens are not in the order special, question, special, passage, special.
    #[error("tokens[{token}].part: expected {expected}, got {}", part_name(*got))]
    Order {
        /// The first token out of order; the number of tokens where the closing special token is missing.
        token: usize,
        /// What may stand there.
        expected: &'static str,
        /// What stands there; none at the end.
        got: Option<Part>,
    },
    /// A number is not what the scores beside it add up to.
    #[error("{field}: expected {expected}, got {got}")]
    Sum {
        /// The number's place.
        field: String,
        /// What it should be, and of what.
        expected: String,
        /// What it is.
        got: f64,
    },
    /// `has_answer` and the answer's offsets contradict each other.
    #[error("answer: has_answer is {has_answer}, got offsets {} and {}", or_null(*start), or_null(*end))]
    Answer {
        /// Whether there is an answer.
        has_answer: bool,
        /// Its first character.
        start: Option<usize>,
        /// One past its last character.
        end: Option<usize>,
    },
}

fn or_null(offset: Option<usize>) -> String {
    offset.map_or_else(|| "null".to_owned(), |offset| offset.to_string())
}

fn part_name(part: Option<Part>) -> &'static str {
    match part {
        None => "the end",
        Some(Part::Special) => "special",
        Some(Part::Question) => "question",
        Some(Part::Passage) => "passage",
    }
}
