//! Words: the wordpieces of an explanation joined, with the text as it was given.
//!
//! A token continues the word of the token before it where
//!
//! 1. both are of the question, or both of the passage,
//! 2. its vocabulary text begins with `##`, WordPiece's mark of a continuation, and
//! 3. its offsets follow those of the token before, with nothing between that splits words.
//!
//! Rule 3 is "no gap" but for characters that the tokenizer drops without splitting, a combining accent or a
//! control character; white space in the gap always splits. It is there so that a vocabulary text that happens
//! to begin with `##` in a family without that mark joins nothing over a blank, and it is where such a family
//! will put its own mark in place of rule 2: adjacent offsets alone would glue `1877` to the comma behind it.
//! A special token is a word of its own, and so is a token without offsets.

use std::ops::Range;

use crate::{Explanation, Part, Token};

/// WordPiece's mark of a token that continues a word.
const CONTINUATION: &str = "##";

/// One word of the explained window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text in the question or the passage; the vocabulary's text where it has none (`[CLS]`).
    pub text: String,
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Where it comes from.
    pub part: Part,
    /// First character in the question or the passage; none where it has no text.
    pub start: Option<usize>,
    /// One past the last character.
    pub end: Option<usize>,
}

impl Word {
    /// The sum over its tokens of `scores` (S), accumulated in f64; a position past the end counts as zero.
    #[must_use]
    pub fn score(&self, scores: &[f32]) -> f32 {
        let scores = scores
            .iter()
            .skip(self.tokens.start)
            .take(self.tokens.len());
        scores.map(|&score| f64::from(score)).sum::<f64>() as f32
    }
}

/// The words of the explained window, in order; their token ranges follow each other and cover all tokens.
#[must_use]
pub fn words(explanation: &Explanation) -> Vec<Word> {
    let question = Characters::new(&explanation.question);
    let passage = Characters::new(&explanation.passage);
    let mut words: Vec<Word> = Vec::new();
    for (i, token) in explanation.tokens.iter().enumerate() {
        let characters = if token.part == Part::Passage {
            &passage
        } else {
            &question
        };
        if let Some(word) = words.last_mut()
            && continues(word, token, characters)
        {
            word.tokens.end = i + 1;
            word.end = token.end.max(word.end);
        } else {
            let (start, end, tokens) = (token.start, token.end, i..i + 1);
            words.push(Word {
                text: token.text.clone(),
                tokens,
                part: token.part,
                start,
                end,
            });
        }
    }
    for word in &mut words {
        let characters = if word.part == Part::Passage {
            &passage
        } else {
            &question
        };
        if word.part != Part::Special
            && let (Some(start), Some(end)) = (word.start, word.end)
            && let Some(text) = characters.slice(start, end)
        {
            word.text = text.to_owned();
        }
    }
    words
}

fn continues(word: &Word, token: &Token, characters: &Characters<'_>) -> bool {
    let (Some(end), Some(start)) = (word.end, token.start) else {
        return false;
    };
    let gap = characters.slice(end.min(start), start);
    word.part == token.part
        && token.part != Part::Special
        && token.text.starts_with(CONTINUATION)
        && gap.is_some_and(|gap| !gap.contains(char::is_whitespace))
}

/// A text that is sliced by characters, as the offsets of an explanation count, in constant time.
#[derive(Clone, Debug)]
pub struct Characters<'a> {
    text: &'a str,
    /// Where each character begins, and the end; empty for ASCII, where it would say i at i.
    bytes: Vec<usize>,
}

impl<'a> Characters<'a> {
    /// Counts the characters of `text`.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        if text.is_ascii() {
            return Self {
                text,
                bytes: Vec::new(),
            };
        }
        let ends = std::iter::once(text.len());
        Self {
            text,
            bytes: text
                .char_indices()
                .map(|(byte, _)| byte)
                .chain(ends)
                .collect(),
        }
    }

    /// Unicode characters in the text.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes.len().checked_sub(1).unwrap_or(self.text.len())
    }

    /// Characters `start` to `end`, `end` not included; none where `start <= end <= count` does not hold.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> Option<&'a str> {
        if self.bytes.is_empty() {
            return self.text.get(start..end);
        }
        self.text
            .get(*self.bytes.get(start)?..*self.bytes.get(end)?)
    }
}
