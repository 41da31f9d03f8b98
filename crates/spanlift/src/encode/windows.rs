//! Windows over a passage that is longer than the model's input: `[CLS] question [SEP] passage window [SEP]`.
//!
//! With Q question tokens and N passage tokens, a window of at most M tokens holds C = M − Q − 3 passage tokens (− 4 with two
//! separators). Window
//! w begins at passage token w·T, where T = min(stride, C), so that no token falls between two windows; the last is
//! the first one that reaches the end: 1 + ⌈(N − C)/T⌉ windows where N > C, otherwise one.

use spanlift_explanation::{Part, Token, Window};

use super::{EncodeError, Encoded, EncodedToken, Vocabulary};

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
        &self,
        vocabulary: &Vocabulary,
        max_tokens: usize,
        stride: usize,
    ) -> Result<Vec<Encoding>, EncodeError> {
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
        let step = stride.min(capacity);
        let count = 1 + self.passage.len().saturating_sub(capacity).div_ceil(step);
        let windows = (0..count).map(|index| {
            let first = index * step;
            let last = (first + capacity).min(self.passage.len());
            let slice = &self.passage[first..last];
            let start = slice.iter().map(|token| token.start).min();
            let end = slice.iter().map(|token| token.end).max();
            let window = Window {
                index,
                count,
                start: start.filter(|_| index > 0).unwrap_or(0),
                end: end
                    .filter(|_| index + 1 < count)
                    .unwrap_or(self.passage_characters),
            };
            self.window(vocabulary, slice, window, first)
        });
        Ok(windows.collect())
    }

    fn window(
        &self,
        vocabulary: &Vocabulary,
        slice: &[EncodedToken],
        window: Window,
        passage_first: usize,
    ) -> Encoding {
        let special = |id| Token {
            text: vocabulary.text(id).unwrap_or_default(),
            id,
            part: Part::Special,
            start: None,
            end: None,
        };
        let of = |part, token: &EncodedToken| Token {
            text: token.text.clone(),
            id: token.id,
            part,
            start: Some(token.start),
            end: Some(token.end),
        };
        let mut tokens = vec![special(vocabulary.cls)];
        tokens.extend(self.question.iter().map(|token| of(Part::Question, token)));
        tokens.extend((0..vocabulary.template.separators).map(|_| special(vocabulary.sep)));
        let passage_start = tokens.len();
        tokens.extend(slice.iter().map(|token| of(Part::Passage, token)));
        tokens.push(special(vocabulary.sep));
        Encoding {
            ids: tokens.iter().map(|token| token.id).collect(),
            segments: (0..tokens.len())
                .map(|position| match position < passage_start {
                    true => 0,
                    false => vocabulary.template.passage_segment,
                })
                .collect(),
            tokens,
            window,
            passage_start,
            passage_first,
        }
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
    let inside = encoding.window.start <= start_char && end_char <= encoding.window.end;
    if start_char >= end_char || !inside {
        return None;
    }
    let mut overlapping = encoding.tokens.iter().enumerate().filter(|(_, token)| {
        token.part == Part::Passage
            && token.start.is_some_and(|start| start < end_char)
            && token.end.is_some_and(|end| end > start_char)
    });
    let (first, _) = overlapping.next()?;
    let last = overlapping.next_back().map_or(first, |(last, _)| last);
    Some((first, last))
}
