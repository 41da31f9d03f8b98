//! From question and passage to the ids that the model takes: tokens with their characters, then windows.
//!
//! ```text
//! question, passage --[Vocabulary::encode]--> Encoded --[Encoded::windows]--> Windows --[Windows::encoding]--> Encoding:
//!                                                                    [CLS] question [SEP] passage window [SEP]
//! ```
//!
//! (RoBERTa: `<s> question </s></s> passage window </s>`, by its [`Template`].)
//!
//! Offsets count Unicode characters of the text as it was given, and every token of a question or a passage has at
//! least one: `start < end ≤ characters`. A text that spells a special token (`[SEP]`, `[MASK]`) gets that token, as it
//! does in Hugging Face's tokenizers; it belongs to the question or the passage all the same, so that what is special is
//! told by [`Part`](spanlift_explanation::Part) and not by the id.

mod error;
mod offsets;
mod vocabulary;
mod windows;

pub use error::EncodeError;
pub use vocabulary::{Encoded, EncodedToken, Template, Vocabulary};
pub use windows::{Encoding, Windows, find_span};

pub(crate) use vocabulary::SpecialTokens;
