//! What can be wrong with the windows of a passage: the place, expected and got.

use thiserror::Error;

use crate::Invalid;

/// Why explanations are not the windows of one passage, or a document is not what they give.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidWindows {
    /// The format or the version at the head is another.
    #[error("{field}: expected {expected:?}, got {got:?}")]
    Head {
        /// `format` or `version`.
        field: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// No window.
    #[error("windows: expected at least one, got none")]
    None,
    /// Fewer or more windows than they say.
    #[error("windows: expected {expected}, got {got}")]
    Missing {
        /// How many the first one says there are.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A window's explanation is at fault.
    #[error("windows[{window}].{source}")]
    Window {
        /// Which.
        window: usize,
        /// Its fault.
        source: Invalid,
    },
    /// A window that is not the next one.
    #[error(
        "windows[{window}].window: expected index {window} of {expected}, got {got} of {count}"
    )]
    Order {
        /// Which.
        window: usize,
        /// How many the first one says there are.
        expected: usize,
        /// The index it carries.
        got: usize,
        /// The count it carries.
        count: usize,
    },
    /// A window of another question, passage, model or method than the first.
    #[error("windows[{window}].{field}: expected the same as in the first window, got another")]
    Differs {
        /// Which.
        window: usize,
        /// What differs.
        field: &'static str,
    },
    /// A window's passage tokens are not those of the passage from there on.
    #[error(
        "document.places[{window}].first: expected where the window's tokens stand behind the start of the window before, \
         got {first}"
    )]
    Place {
        /// Which.
        window: usize,
        /// What it says.
        first: usize,
    },
    /// The answer's window is none of the windows.
    #[error("document.answer_window: expected 0..{count}, got {got}")]
    AnswerWindow {
        /// How many windows there are.
        count: usize,
        /// What it says.
        got: usize,
    },
    /// The view is not what the windows give.
    #[error(
        "document.{field}: expected what the windows give, each token from where it lies deepest inside, got something else"
    )]
    Document {
        /// What differs.
        field: &'static str,
    },
}
