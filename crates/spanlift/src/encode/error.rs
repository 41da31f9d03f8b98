//! What can be wrong with a question and a passage.

use spanlift_explanation::Part;

/// Why a question and a passage cannot be put to the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The question has no token.
    #[error("the question: expected at least one token, got none in {characters} characters")]
    EmptyQuestion {
        /// The question's characters: blanks and control characters, if any.
        characters: usize,
    },
    /// The passage has no token.
    #[error("the passage: expected at least one token, got none in {characters} characters")]
    EmptyPassage {
        /// The passage's characters: blanks and control characters, if any.
        characters: usize,
    },
    /// The tokenizer gave up.
    #[error("the {}: the tokenizer failed: {reason}", name(*part))]
    Tokenizer {
        /// On which text.
        part: Part,
        /// What the tokenizers library said.
        reason: String,
    },
    /// A text that spells the padding token, in a family whose positions begin anew at each.
    #[error(
        "the {}: holds the padding token {token}, which moves the positions behind it in this family: take it out", name(*part)
    )]
    Padding {
        /// Of which text.
        part: Part,
        /// The token's text.
        token: String,
    },
    /// The question leaves no room for the passage.
    #[error(
        "the question has {question_tokens} tokens: with {special_tokens} special tokens and one of the passage expected a \
         window of at least {} tokens, got {max_tokens}", question_tokens + special_tokens + 1
    )]
    NoRoom {
        /// Tokens of the question.
        question_tokens: usize,
        /// Special tokens around question and passage.
        special_tokens: usize,
        /// Tokens of a window: what was asked for, or the model's own limit where that is smaller.
        max_tokens: usize,
    },
    /// Windows that never move on.
    #[error("the stride: expected at least 1 token, got 0")]
    ZeroStride,
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Special => "special token",
        Part::Question => "question",
        Part::Passage => "passage",
    }
}
