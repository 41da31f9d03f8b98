//! Why a question could not be explained.

use spanlift_explanation::Window;
use thiserror::Error;

use crate::attribute::ReferenceError;
use crate::encode::EncodeError;

/// Why a question could not be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// Question and passage could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The reference does not fit.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The text given as an answer, or to explain the answer against, is not in the passage.
    #[error(
        "{field}: expected a text of the passage (or nothing, for no answer), got {got:?}, which does not occur in it"
    )]
    NotInPassage {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
    },
    /// That text is longer than any window.
    #[error(
        "{field}: no window of {max_tokens} tokens holds all of {got:?}; allow longer windows, or a shorter text"
    )]
    NotInWindow {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
        /// The longest window.
        max_tokens: usize,
    },
    /// That text stands in the passage, where the tokenizer sees nothing.
    #[error(
        "{field}: expected a text with at least one token, got {got:?}, which the tokenizer passes over"
    )]
    NoToken {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
    },
    /// No window holds both spans.
    #[error(
        "versus: no window of {max_tokens} tokens holds both the answer {answer:?} and {versus:?}; allow longer windows, or another span"
    )]
    FarApart {
        /// The answer's text.
        answer: String,
        /// The other span's text.
        versus: String,
        /// The window's length.
        max_tokens: usize,
    },
    /// A text of the passage to explain in every window.
    #[error(
        "{field}: expected none where every window is explained, since not every window holds it, got {got:?}"
    )]
    OneText {
        /// `answer` or `versus`.
        field: &'static str,
        /// The text.
        got: String,
    },
    /// A place to explain in every window.
    #[error(
        "answer: expected no place where every window is explained, got one in window {}",
        window + 1
    )]
    OnePlace {
        /// The place's window, from 0.
        window: usize,
    },
    /// A place's window is none of the passage's.
    #[error(
        "answer: expected a place in one of the passage's {count} windows, got characters {} to {} as window {} of {}: \
         another length or stride of windows, another tokenizer or another passage makes others",
        got.start, got.end, got.index + 1, got.count
    )]
    NoSuchWindow {
        /// How many windows the passage has.
        count: usize,
        /// The place's window.
        got: Window,
    },
    /// A place is not what some tokens of its window are.
    #[error(
        "answer: expected characters that are whole tokens of window {}, got {start} to {end}",
        window + 1
    )]
    NotTokens {
        /// The window, from 0.
        window: usize,
        /// The first character.
        start: usize,
        /// One past the last.
        end: usize,
    },
    /// The target `versus` without the other span.
    #[error("target versus: expected the text of another span, got none")]
    NoVersus,
    /// Both spans are the same tokens.
    #[error("versus: expected a span other than the answer, got the answer itself, {got:?}")]
    SameSpan {
        /// Its text.
        got: String,
    },
    /// Finite weights, yet the numbers overflow.
    #[error(
        "the model's {what} are not finite in {precision}: its weights are too large for this precision"
    )]
    NotFinite {
        /// `logits` or `scores`.
        what: &'static str,
        /// `f32` or `f64`.
        precision: &'static str,
    },
}
