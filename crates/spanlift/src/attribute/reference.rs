//! References: what the input is compared with; METHOD section 5.

use std::borrow::Cow;

use thiserror::Error;

use spanlift_explanation::Part;

use crate::encode::{Encoding, Vocabulary};
use crate::model::Encoder;
use crate::ops::{Matrix, Real, embedding};

/// The same positions and segments as the input, with some word embeddings replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// Every word but `[CLS]` and `[SEP]` by `[MASK]`.
    #[default]
    Mask,
    /// The same, by `[PAD]`.
    Pad,
    /// The same, by `[UNK]`.
    Unk,
    /// Every word embedding, `[CLS]` and `[SEP]` included, by the zero vector.
    Zero,
    /// Every word but `[CLS]` and `[SEP]` by the mean of all rows of the word embedding table.
    Mean,
    /// The passage's words alone, by `[MASK]`.
    Passage,
    /// The question's words alone, by `[MASK]`.
    Question,
    /// Ids given by the caller, one list a reference, each as long as the input; several are averaged (DeepSHAP).
    Tokens(Vec<Vec<u32>>),
    /// Each of these: scores and Δt are their means (DeepSHAP).
    Several(Vec<Self>),
}

/// Why a reference does not fit the model or the input.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// The vocabulary lacks the token that stands in.
    #[error(
        "reference `{reference}` needs the token {token}, which the vocabulary does not have; take another reference"
    )]
    NoToken {
        /// The reference's name.
        reference: String,
        /// The token that is missing.
        token: &'static str,
    },
    /// A list of ids of another length than the input.
    #[error(
        "reference `tokens`, list {list}: expected {expected} ids, one for each token of the input, got {got}"
    )]
    Length {
        /// Which list, from 0.
        list: usize,
        /// Tokens of the input.
        expected: usize,
        /// Ids in the list.
        got: usize,
    },
    /// An id that is no row of the embedding table.
    #[error(
        "reference `tokens`, list {list}: id {id} at position {at} is no row of the embedding table of {rows}"
    )]
    Id {
        /// Which list, from 0.
        list: usize,
        /// Position in the list.
        at: usize,
        /// The id.
        id: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// No list of ids at all.
    #[error("reference `tokens`: expected at least one list of ids, got none")]
    NoList,
}

impl Reference {
    /// The references that need nothing else.
    pub const NAMED: [Self; 7] = [
        Self::Mask,
        Self::Pad,
        Self::Unk,
        Self::Zero,
        Self::Mean,
        Self::Passage,
        Self::Question,
    ];

    /// What DeepSHAP averages where nothing else is asked for: every reference that takes all words away.
    #[must_use]
    pub fn all_words() -> Self {
        Self::Several(vec![
            Self::Mask,
            Self::Pad,
            Self::Unk,
            Self::Zero,
            Self::Mean,
        ])
    }

    /// Its name, as in METHOD section 5; of several, `mask+pad`.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        let name = match self {
            Self::Mask => "mask",
            Self::Pad => "pad",
            Self::Unk => "unk",
            Self::Zero => "zero",
            Self::Mean => "mean",
            Self::Passage => "passage",
            Self::Question => "question",
            Self::Tokens(_) => "tokens",
            Self::Several(several) => {
                let names: Vec<_> = several.iter().map(Self::name).collect();
                return names.join("+").into();
            }
        };
        name.into()
    }

    /// The reference of this name; `tokens` has none, since it needs its ids. Of several, each may be named once.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let one = |name: &str| Self::NAMED.into_iter().find(|one| one.name() == name);
        if !name.contains('+') {
            return one(name);
        }
        let several: Vec<Self> = name.split('+').map(one).collect::<Option<_>>()?;
        let repeated = (1..several.len()).any(|i| several[..i].contains(&several[i]));
        (!repeated).then_some(Self::Several(several))
    }

    /// How many references it stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Tokens(lists) => lists.len(),
            Self::Several(several) => several.iter().map(Self::count).sum(),
            _ => 1,
        }
    }

    /// Word embeddings of reference `r` (below [`count`](Self::count)) for one input; (S, E).
    ///
    /// # Errors
    ///
    /// Where the vocabulary lacks the token that stands in, or given ids do not fit.
    pub fn words<T: Real>(
        &self,
        r: usize,
        encoder: &Encoder<T>,
        vocabulary: &Vocabulary,
        input: &Encoding,
    ) -> Result<Matrix<T>, ReferenceError> {
        let token = |id: Option<u32>, token| {
            id.ok_or(ReferenceError::NoToken {
                reference: self.name().into_owned(),
                token,
            })
        };
        let word = |part: Part| part != Part::Special;
        let replaced = |id: u32, by: &dyn Fn(Part) -> bool| {
            let ids: Vec<u32> = input
                .tokens
                .iter()
                .map(|t| if by(t.part) { id } else { t.id })
                .collect();
            embedding::words(&encoder.embeddings, &ids)
        };
        Ok(match self {
            Self::Mask => replaced(token(vocabulary.mask, "[MASK]")?, &word),
            Self::Pad => replaced(token(vocabulary.pad, "[PAD]")?, &word),
            Self::Unk => replaced(token(vocabulary.unk, "[UNK]")?, &word),
            Self::Passage => replaced(token(vocabulary.mask, "[MASK]")?, &|part| {
                part == Part::Passage
            }),
            Self::Question => replaced(token(vocabulary.mask, "[MASK]")?, &|part| {
                part == Part::Question
            }),
            Self::Zero => Matrix::zeros(input.ids.len(), encoder.embeddings.word_embeddings.cols()),
            Self::Mean => {
                let mean = mean_row(&encoder.embeddings.word_embeddings);
                let mut words = embedding::words(&encoder.embeddings, &input.ids);
                for (i, token) in input.tokens.iter().enumerate() {
                    if word(token.part) {
                        words.row_mut(i).copy_from_slice(&mean);
                    }
                }
                words
            }
            Self::Several(several) => {
                let mut r = r;
                for one in several {
                    if r < one.count() {
                        return one.words(r, encoder, vocabulary, input);
                    }
                    r -= one.count();
                }
                return Err(ReferenceError::NoList);
            }
            Self::Tokens(lists) => {
                let ids = lists.get(r).ok_or(ReferenceError::NoList)?;
                if ids.len() != input.ids.len() {
                    return Err(ReferenceError::Length {
                        list: r,
                        expected: input.ids.len(),
                        got: ids.len(),
                    });
                }
                let rows = encoder.embeddings.word_embeddings.rows();
                if let Some(at) = ids.iter().position(|&id| id as usize >= rows) {
                    return Err(ReferenceError::Id {
                        list: r,
                        at,
                        id: ids[at],
                        rows,
                    });
                }
                embedding::words(&encoder.embeddings, ids)
            }
        })
    }
}

/// The mean of all rows, summed in f64.
fn mean_row<T: Real>(table: &Matrix<T>) -> Vec<T> {
    let mut mean = vec![0.0_f64; table.cols()];
    for i in 0..table.rows() {
        for (m, x) in mean.iter_mut().zip(table.row(i)) {
            *m += x.f64();
        }
    }
    mean.into_iter()
        .map(|m| T::of(m / table.rows() as f64))
        .collect()
}
