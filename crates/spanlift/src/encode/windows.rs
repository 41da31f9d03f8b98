//! Windows over a passage that is longer than the model's input: `[CLS] question [SEP] passage window [SEP]`.
//!
//! With Q question tokens and N passage tokens, a window of at most M tokens holds C = M − Q − 3 passage tokens (M − Q − 4 with
//! two separators). Window w begins at passage token w·T, where T = min(stride, C), so that no token falls between two windows; the last is
//! the first one that reaches the end: 1 + ⌈(N − C)/T⌉ windows where N > C, otherwise one.

use spanlift_explanation::{Part, Token, Window};

use super::{EncodeError, Encoded, EncodedToken, Template, Vocabulary};

/// `[CLS]`, and the last `[SEP]`.
const ENDS: usize = 2;

/// One window, as the model takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Rows of the word embedding table; (S).
    pub ids: Vec<u32>,
    /// Rows of the token type table: 0 for `[CLS] question [SEP]`, the template's for `passage window [SEP]`; (S).
    pub segments: Vec<u32>,
    /// What the positions stand for; (S).
    pub tokens: Vec<Token>,
    /// Which window this is, and its characters of the passage.
    pub window: Window,
    /// Position of the window's first passage token. The last one is at S − 2.
    pub passage_start: usize,
    /// Index of that token among the passage's tokens.
    pub passage_first: usize,
}

/// A tokenised passage and where it is cut: what grows with the passage is its tokens alone, since a window is made
/// when it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    encoded: Encoded,
    cls: Token,
    sep: Token,
    template: Template,
    /// C, passage tokens of a full window.
    capacity: usize,
    /// T, passage tokens from the start of one window to the start of the next.
    step: usize,
}

impl Encoded {
    /// Cuts the passage into windows of at most `max_tokens` tokens, or the model's own limit where that is smaller.
    ///
    /// Each window starts `stride` passage tokens after the last one, but never more than a window holds, so that
    /// every passage token is in at least one. The characters of the first window begin with the passage and those of
    /// the last one end with it; inside, a window's characters are those from its first to its last token.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] where the question leaves no room for a passage token, [`EncodeError::ZeroStride`].
    pub fn windows(
        self,
        vocabulary: &Vocabulary,
        max_tokens: usize,
        stride: usize,
    ) -> Result<Windows, EncodeError> {
        let max_tokens = max_tokens.min(vocabulary.positions);
        let question_tokens = self.question.len();
        let special_tokens = ENDS + vocabulary.template.separators;
        let taken = question_tokens.saturating_add(special_tokens);
        let capacity = max_tokens.saturating_sub(taken);
        if capacity == 0 {
            return Err(EncodeError::NoRoom {
                question_tokens,
                special_tokens,
                max_tokens,
            });
        }
        if stride == 0 {
            return Err(EncodeError::ZeroStride);
        }
        let special = |id| Token {
            text: vocabulary.text(id).unwrap_or_default(),
            id,
            part: Part::Special,
            start: None,
            end: None,
        };
        Ok(Windows {
            encoded: self,
            cls: special(vocabulary.cls),
            sep: special(vocabulary.sep),
            template: vocabulary.template,
            capacity,
            step: stride.min(capacity),
        })
    }
}

impl Windows {
    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        let behind = self.encoded.passage.len().saturating_sub(self.capacity);
        1 + behind.div_ceil(self.step)
    }

    /// The longest answer, in tokens, that is whole in some window wherever it stands.
    #[must_use]
    pub fn longest_whole(&self) -> usize {
        if self.count() == 1 {
            self.encoded.passage.len()
        } else {
            self.capacity - self.step + 1
        }
    }

    /// Position of every window's first passage token.
    pub(crate) fn passage_start(&self) -> usize {
        1 + self.encoded.question.len() + self.template.separators
    }

    /// How many tokens a window has, special ones included.
    pub(crate) fn tokens(&self, index: usize) -> usize {
        self.passage_start() + self.slice(index).len() + 1
    }

    /// Index of a window's first passage token among the passage's tokens.
    pub(crate) fn passage_first(&self, index: usize) -> usize {
        index * self.step
    }

    fn slice(&self, index: usize) -> &[EncodedToken] {
        let passage = &self.encoded.passage;
        let first = self.passage_first(index).min(passage.len());
        &passage[first..passage.len().min(first + self.capacity)]
    }

    /// First character and one past the last of the passage token at a window's position; `None` for any other token.
    pub(crate) fn characters(&self, index: usize, position: usize) -> Option<(usize, usize)> {
        let at = position.checked_sub(self.passage_start())?;
        let token = self.slice(index).get(at)?;
        Some((token.start, token.end))
    }

    /// Which window this is, and its characters of the passage.
    #[must_use]
    pub fn window(&self, index: usize) -> Window {
        let (count, slice) = (self.count(), self.slice(index));
        let start = slice.iter().map(|token| token.start).min();
        let end = slice.iter().map(|token| token.end).max();
        Window {
            index,
            count,
            start: start.filter(|_| index > 0).unwrap_or(0),
            end: end
                .filter(|_| index + 1 < count)
                .unwrap_or(self.encoded.passage_characters),
        }
    }

    /// As [`find_span`], in the window of this index.
    pub(crate) fn find_span(
        &self,
        index: usize,
        characters: (usize, usize),
    ) -> Option<(usize, usize)> {
        let tokens = self.slice(index).iter();
        let tokens = tokens.map(|token| (token.start, token.end));
        find(
            &self.window(index),
            self.passage_start(),
            tokens,
            characters,
        )
    }

    /// The ids and segments of a window.
    pub(crate) fn input(&self, index: usize) -> (Vec<u32>, Vec<u32>) {
        let question = self.encoded.question.iter().map(|token| token.id);
        let passage = self.slice(index).iter().map(|token| token.id);
        let separators = std::iter::repeat_n(self.sep.id, self.template.separators);
        let ids = std::iter::once(self.cls.id)
            .chain(question)
            .chain(separators);
        let ids: Vec<u32> = ids.chain(passage).chain([self.sep.id]).collect();
        let mut segments = vec![0; self.passage_start()];
        segments.resize(ids.len(), self.template.passage_segment);
        (ids, segments)
    }

    /// A window, as the model takes it.
    ///
    /// # Panics
    ///
    /// Where `index` is not below [`count`](Self::count).
    #[must_use]
    pub fn encoding(&self, index: usize) -> Encoding {
        assert!(index < self.count(), "window {index} of {}", self.count());
        let of = |part, token: &EncodedToken| Token {
            text: token.text.clone(),
            id: token.id,
            part,
            start: Some(token.start),
            end: Some(token.end),
        };
        let question = &self.encoded.question;
        let mut tokens = vec![self.cls.clone()];
        tokens.extend(question.iter().map(|token| of(Part::Question, token)));
        tokens.extend((0..self.template.separators).map(|_| self.sep.clone()));
        let slice = self.slice(index).iter();
        tokens.extend(slice.map(|token| of(Part::Passage, token)));
        tokens.push(self.sep.clone());
        let (ids, segments) = self.input(index);
        Encoding {
            ids,
            segments,
            tokens,
            window: self.window(index),
            passage_start: self.passage_start(),
            passage_first: self.passage_first(index),
        }
    }

    /// Every window in turn, each made when its turn comes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Encoding> + '_ {
        (0..self.count()).map(|index| self.encoding(index))
    }
}

/// The first and the last position (inclusive) of the window's passage tokens that overlap the characters from
/// `start_char` to before `end_char` of the passage.
///
/// `None` where part of that range lies outside the window, or it is empty, or no token stands there.
#[must_use]
pub fn find_span(
    encoding: &Encoding,
    start_char: usize,
    end_char: usize,
) -> Option<(usize, usize)> {
    let passage = encoding.tokens.iter().skip(encoding.passage_start);
    let passage = passage.map_while(|token| match token.part {
        Part::Passage => token.start.zip(token.end),
        Part::Special | Part::Question => None,
    });
    find(
        &encoding.window,
        encoding.passage_start,
        passage,
        (start_char, end_char),
    )
}

/// The same over the characters of a window's passage tokens, which begin at `first`.
fn find(
    window: &Window,
    first: usize,
    passage: impl Iterator<Item = (usize, usize)>,
    (start_char, end_char): (usize, usize),
) -> Option<(usize, usize)> {
    let inside = window.start <= start_char && end_char <= window.end;
    if start_char >= end_char || !inside {
        return None;
    }
    let mut overlapping = passage
        .enumerate()
        .filter(|&(_, (start, end))| start < end_char && end > start_char);
    let (from, _) = overlapping.next()?;
    let to = overlapping.last().map_or(from, |(to, _)| to);
    Some((first + from, first + to))
}

#[cfg(test)]
impl Windows {
    /// `[CLS] q [SEP]`, then `capacity` of `n` passage tokens of one character each, `[SEP]`; the next begins `step` later.
    pub(crate) fn made(n: usize, capacity: usize, step: usize) -> Self {
        let token = |at| EncodedToken {
            id: 5,
            text: "x".to_owned(),
            start: at,
            end: at + 1,
        };
        let special = Token {
            text: "[SEP]".to_owned(),
            id: 5,
            part: Part::Special,
            start: None,
            end: None,
        };
        Self {
            encoded: Encoded {
                question: vec![token(0)],
                passage: (0..n).map(token).collect(),
                passage_characters: n,
            },
            cls: special.clone(),
            sep: special,
            template: Template {
                separators: 1,
                passage_segment: 1,
                pad_moves_positions: false,
            },
            capacity,
            step,
        }
    }
}
