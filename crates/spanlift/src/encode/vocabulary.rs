//! The tokenizer with its special tokens, and what it makes of a question and a passage.

use spanlift_explanation::Part;
use tokenizers::Tokenizer;

use super::EncodeError;
use super::offsets::Characters;

/// The names of the special tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpecialTokens {
    pub(crate) cls: String,
    pub(crate) sep: String,
    pub(crate) pad: String,
    pub(crate) unk: String,
    pub(crate) mask: String,
}

/// What stands around question and passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// How many `[SEP]` stand between question and passage: 1, or 2 as RoBERTa has it.
    pub separators: usize,
    /// The segment of passage and final `[SEP]`: 1, or 0 where the family knows no segments.
    pub passage_segment: u32,
    /// A `[PAD]` in a text would stand at another position, and move those behind it.
    pub pad_moves_positions: bool,
}

/// A checkpoint's tokenizer, its special tokens and the longest input its model takes.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    /// `[CLS]`, in front of the question.
    pub cls: u32,
    /// `[SEP]`, behind the question and behind the passage.
    pub sep: u32,
    /// `[PAD]`, where the vocabulary has one.
    pub pad: Option<u32>,
    /// `[UNK]`, where the vocabulary has one.
    pub unk: Option<u32>,
    /// `[MASK]`, where the vocabulary has one.
    pub mask: Option<u32>,
    /// What stands around question and passage.
    pub template: Template,
    /// P, the longest input in tokens.
    pub positions: usize,
}

/// A token of the question or the passage, with the characters it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedToken {
    /// Row of the embedding table.
    pub id: u32,
    /// The vocabulary's text of the token, `##` for the continuation of a word included.
    pub text: String,
    /// First character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
}

/// A question and a whole passage, tokenised once; neither is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The question's tokens.
    pub question: Vec<EncodedToken>,
    /// The passage's tokens: all of them, however long it is.
    pub passage: Vec<EncodedToken>,
    /// How many characters the passage has.
    pub passage_characters: usize,
}

impl Vocabulary {
    /// Finds the special tokens; roles and names of those that must be there and are not.
    pub(crate) fn new(
        tokenizer: Tokenizer,
        names: &SpecialTokens,
        template: Template,
        positions: usize,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let id = |name: &str| tokenizer.token_to_id(name);
        let (pad, unk, mask) = (id(&names.pad), id(&names.unk), id(&names.mask));
        match (id(&names.cls), id(&names.sep)) {
            (Some(cls), Some(sep)) => Ok(Self {
                tokenizer,
                cls,
                sep,
                pad,
                unk,
                mask,
                template,
                positions,
            }),
            (cls, sep) => {
                let both = [
                    (cls, "cls_token", &names.cls),
                    (sep, "sep_token", &names.sep),
                ];
                let missing = both.into_iter().filter(|(id, ..)| id.is_none());
                Err(missing
                    .map(|(_, role, name)| (role, name.clone()))
                    .collect())
            }
        }
    }

    /// The text of a token; `None` for an id that no token has.
    #[must_use]
    pub fn text(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// The id of a token, by its text.
    #[must_use]
    pub fn id(&self, text: &str) -> Option<u32> {
        self.tokenizer.token_to_id(text)
    }

    /// Splits question and passage into tokens, each for itself and without special tokens around it.
    ///
    /// # Errors
    ///
    /// Where one of the two has no token (it is empty, or only blanks and control characters), or the tokenizer fails:
    /// it has no token for an unknown word.
    pub fn encode(&self, question: &str, passage: &str) -> Result<Encoded, EncodeError> {
        let (question, characters) = self.tokens(question, Part::Question)?;
        if question.is_empty() {
            return Err(EncodeError::EmptyQuestion { characters });
        }
        let (passage, characters) = self.tokens(passage, Part::Passage)?;
        if passage.is_empty() {
            return Err(EncodeError::EmptyPassage { characters });
        }
        for (part, tokens) in [(Part::Question, &question), (Part::Passage, &passage)] {
            let padding = |token: &&EncodedToken| Some(token.id) == self.pad;
            if let (true, Some(token)) = (
                self.template.pad_moves_positions,
                tokens.iter().find(padding),
            ) {
                let token = token.text.clone();
                return Err(EncodeError::Padding { part, token });
            }
        }
        Ok(Encoded {
            question,
            passage,
            passage_characters: characters,
        })
    }

    /// The tokens of a text, and how many characters it has.
    fn tokens(&self, text: &str, part: Part) -> Result<(Vec<EncodedToken>, usize), EncodeError> {
        let encoding =
            self.tokenizer
                .encode(text, false)
                .map_err(|error| EncodeError::Tokenizer {
                    part,
                    reason: error.to_string(),
                })?;
        let characters = Characters::of(text);
        let text_of = text;
        let parts = encoding.get_ids().iter().zip(encoding.get_tokens());
        let mut tokens: Vec<EncodedToken> = parts
            .zip(encoding.get_offsets())
            .filter_map(|((&id, text), &(start, end))| {
                let (start, end) = characters.range(start, end)?;
                let (start, end) = characters.trimmed(text_of, start, end);
                Some(EncodedToken {
                    id,
                    text: text.clone(),
                    start,
                    end,
                })
            })
            .collect();
        characters.keep_marks(text, &mut tokens);
        Ok((tokens, characters.count()))
    }
}
