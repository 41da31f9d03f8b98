//! Answers to explain that are not the model's own: a text, a place, a random span.

use std::ops::Range;

use rand::RngExt;
use spanlift_explanation::Window;

use super::choice::span_of;
use super::{ExplainError, Item, Options};
use crate::answer::{Decision, Reading, Scored, characters, document_token};
use crate::attribute::Span;
use crate::lot;

/// Which answer is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AnswerChoice {
    /// The model's own.
    #[default]
    Own,
    /// A text of the passage, where the model scores it highest; empty for no answer.
    Text(String),
    /// This place and no other, whatever the model says of it.
    Place(Place),
    /// A control: of the window that the model's own answer would be explained in, a span of as many tokens as the model's
    /// best one, which it does not touch (where there is no room for such, any). All such places are equally likely; the draw
    /// belongs to this number, question and passage.
    Random(u64),
}

/// A place of a passage, in one of its windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The window, as an explanation of it says.
    pub window: Window,
    /// First and one past the last character of the passage, whole tokens; `None` for no answer.
    pub characters: Option<(usize, usize)>,
}

impl Options {
    /// The texts of the passage that the caller named, with the field that holds them.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let answer = match &self.answer {
            AnswerChoice::Text(text) => Some(text),
            AnswerChoice::Own | AnswerChoice::Place(_) | AnswerChoice::Random(_) => None,
        };
        let texts = [("answer", answer), ("versus", self.versus.as_ref())];
        let texts = texts.into_iter();
        texts.filter_map(|(field, text)| Some((field, text?.as_str())))
    }
}

impl Place {
    /// Its tokens; `reading` is of all windows.
    pub(super) fn find(&self, reading: Reading<'_>) -> Result<Scored, ExplainError> {
        let (windows, window) = (reading.windows, self.window.index);
        let count = windows.count();
        if window >= count || windows.window(window) != self.window {
            let got = self.window.clone();
            return Err(ExplainError::NoSuchWindow { count, got });
        }
        let Some((start, end)) = self.characters else {
            return Ok(reading.scored(window, Span::NULL));
        };
        let tokens = span_of(windows, window, (start, end));
        let tokens = tokens.map(|span| reading.scored(window, span));
        let whole = tokens.filter(|found| characters(windows, found) == (start, end));
        whole.ok_or(ExplainError::NotTokens { window, start, end })
    }
}

/// A random span; see [`AnswerChoice::Random`].
pub(super) fn random(
    seed: u64,
    item: Item<'_>,
    reading: Reading<'_>,
    decision: &Decision,
) -> Scored {
    let (windows, best) = (reading.windows, decision.best[0]);
    let (window, _) = decision.explained();
    let tokens = windows.passage_start()..windows.tokens(window) - 1;
    // The best span may be one of another window, longer than this one.
    let length = (best.span.end + 1 - best.span.start).min(tokens.len());
    let document = |window, start| document_token(windows, window, start);
    let taken = document(best.window, best.span.start);
    let taken = taken..taken + (best.span.end + 1 - best.span.start);
    let starts = starts(tokens.len(), length, &taken, document(window, tokens.start));
    let texts = [item.question, "\0", item.passage];
    let mut lot = lot::generator(seed, texts.into_iter().flat_map(str::bytes));
    let start = tokens.start + starts[lot.random_range(0..starts.len())];
    let end = start + length - 1;
    reading.scored(window, Span { start, end })
}

/// Where, among `tokens` from the passage's token `first` on, a span of this length can begin without touching what is taken of the
/// passage's tokens; anywhere, where it cannot.
fn starts(tokens: usize, length: usize, taken: &Range<usize>, first: usize) -> Vec<usize> {
    let all = 0..=tokens - length;
    let apart = |&start: &usize| {
        let start = first + start;
        start + length <= taken.start || taken.end <= start
    };
    let free: Vec<usize> = all.clone().filter(apart).collect();
    if free.is_empty() { all.collect() } else { free }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_span_keeps_off_the_best_one_where_there_is_room() {
        // Ten tokens, of which 4 and 5 are taken: begins at 0 to 2 and 6 to 8.
        assert_eq!(starts(10, 2, &(4..6), 0), [0, 1, 2, 6, 7, 8]);
        // The same in a window that begins with the passage's token 3: its tokens 1 and 2.
        assert_eq!(starts(7, 2, &(4..6), 3), [3, 4, 5]);
        // What is taken lies before it, or behind.
        assert_eq!(starts(3, 2, &(4..6), 6), [0, 1]);
        assert_eq!(starts(3, 2, &(4..6), 1), [0, 1]);
        // No room: anywhere.
        assert_eq!(starts(3, 2, &(1..3), 0), [0, 1]);
        assert_eq!(starts(2, 2, &(0..5), 0), [0]);
    }
}
