//! Words: the tokens of an explanation joined, with the text as it was given.
//!
//! A token continues the word of the token before it where both are of the question or both of the passage,
//! no white space stands between them ([`is_blank`]; characters that a tokenizer drops without splitting, a combining accent
//! among them, do not split), and its vocabulary text says so. How it says so depends on the model's family:
//!
//! | family | mark | a token continues |
//! | --- | --- | --- |
//! | `bert`, `distilbert`, `electra`, `mobilebert` (and any other) | `##` continues a word (WordPiece) | with the mark |
//! | `roberta` | `Ġ` begins a word (byte-level BPE) | without the mark, where the text joins it |
//! | `xlm-roberta`, `deberta-v2` | `▁` begins a word (SentencePiece) | the same |
//!
//! A missing start mark alone says only that no blank came before: `bridge` and the comma behind it are two tokens, and so
//! are the two sides of a hyphen. The text joins two tokens where the characters that meet are both letters,
//! digits or marks, and neither is of a script that writes its words without blanks (a Chinese sentence is not one word);
//! where the later one begins with what only extends a character (an accent, a joiner, a skin tone), or the earlier one ends
//! with a joiner; where both are bytes of one character, so that their offsets overlap; and where the earlier one is the mark
//! alone. WordPiece splits punctuation and Chinese signs off by itself, so that the three families show nearly the same words.
//!
//! A special token is a word of its own, and so is a token without offsets. `web/src/units.ts` holds the same
//! rules; `tests/data/words.json` is the table that both are tested with.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use crate::{Explanation, Part, Token};

/// Stands for a token that is white space alone, or the mark of a beginning alone: `␣`.
pub const NO_TEXT: &str = "\u{2423}";

/// How a vocabulary says where words begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    /// With the mark a token continues a word.
    Continuation(&'static str),
    /// With the mark a token begins a word.
    Start(char),
}

impl Marks {
    fn of(family: &str) -> Self {
        match family {
            "roberta" => Self::Start('Ġ'),
            "xlm-roberta" | "deberta-v2" => Self::Start('▁'),
            _ => Self::Continuation("##"),
        }
    }

    /// Whether a token is nothing but the mark of a beginning: it has no text of its own, whatever its offsets say.
    fn is_bare(self, token: &Token) -> bool {
        matches!(self, Self::Start(mark) if token.text.chars().eq([mark]))
    }
}

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
    words_of(&Texts::new(explanation), &explanation.tokens)
}

/// The words that these tokens of the texts make.
#[must_use]
pub fn words_of(texts: &Texts<'_>, tokens: &[Token]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let (start, end) = texts.span(token).unzip();
        if let Some(word) = words.last_mut()
            && let Some(before) = tokens.get(word.tokens.end - 1)
            && texts.continues(word, before, token)
        {
            word.tokens.end = i + 1;
            word.end = end.max(word.end);
        } else {
            words.push(Word {
                text: token.text.clone(),
                tokens: i..i + 1,
                part: token.part,
                start,
                end,
            });
        }
    }
    for word in &mut words {
        if let (Some(start), Some(end)) = (word.start, word.end)
            && let Some(text) = texts.of(word.part).slice(start, end)
        {
            word.text = if text.is_empty() { NO_TEXT } else { text }.to_owned();
        }
    }
    words
}

/// Question and passage of an explanation, and how its vocabulary marks words.
#[derive(Clone, Debug)]
pub struct Texts<'a> {
    question: Characters<'a>,
    passage: Characters<'a>,
    marks: Marks,
}

impl<'a> Texts<'a> {
    /// Counts the characters of both.
    #[must_use]
    pub fn new(explanation: &'a Explanation) -> Self {
        Self::of_parts(
            &explanation.question,
            &explanation.passage,
            &explanation.model.family,
        )
    }

    /// The same of texts that have no explanation yet; `family` as in [`ModelInfo`](crate::ModelInfo).
    #[must_use]
    pub fn of_parts(question: &'a str, passage: &'a str, family: &str) -> Self {
        Self {
            question: Characters::new(question),
            passage: Characters::new(passage),
            marks: Marks::of(family),
        }
    }

    /// The text that the offsets of a part's tokens slice.
    #[must_use]
    pub fn of(&self, part: Part) -> &Characters<'a> {
        match part {
            Part::Passage => &self.passage,
            Part::Special | Part::Question => &self.question,
        }
    }

    /// First character of a token and one past its last, without blanks at either end (some tokenizers count the blank before
    /// a word to it) and empty for a token that is white space or a mark alone; none for a special token and one
    /// without offsets.
    #[must_use]
    pub fn span(&self, token: &Token) -> Option<(usize, usize)> {
        let (start, end) = token.start.zip(token.end)?;
        if token.part == Part::Special {
            return None;
        }
        let text = self.of(token.part).slice(start, end)?;
        let trimmed = text.trim_start_matches(is_blank);
        let first = end - trimmed.chars().count();
        if self.marks.is_bare(token) {
            // The tokenizer counts the first character of the word to it, or the blank before.
            return Some((first, first));
        }
        if trimmed.is_empty() {
            return Some((start, start));
        }
        let last = first + trimmed.trim_end_matches(is_blank).chars().count();
        Some((first, last))
    }

    /// Whether a vocabulary's text says that the token continues a word, as `##` does.
    #[must_use]
    pub fn continuation(&self, token: &Token) -> Option<&'static str> {
        match self.marks {
            Marks::Continuation(mark) => token.text.starts_with(mark).then_some(mark),
            Marks::Start(_) => None,
        }
    }

    /// Whether `token` continues a word whose last token is `before`.
    fn continues(&self, word: &Word, before: &Token, token: &Token) -> bool {
        let (Some(end), Some((start, token_end))) = (word.end, self.span(token)) else {
            return false;
        };
        let characters = self.of(token.part);
        let gap = characters.slice(end.min(start), start).unwrap_or_default();
        if word.part != token.part || gap.contains(is_blank) {
            return false;
        }
        let mark = match self.marks {
            Marks::Continuation(mark) => return token.text.starts_with(mark),
            Marks::Start(mark) => mark,
        };
        if token.text.starts_with(mark) || start == token_end {
            return false;
        }
        let at = |i: usize| characters.slice(i, i + 1).and_then(|c| c.chars().next());
        let last = start.checked_sub(1).and_then(at);
        let (Some(last), Some(first)) = (last, at(start)) else {
            return self.marks.is_bare(before);
        };
        start < end || self.marks.is_bare(before) || joined(last, first)
    }
}

/// Whether two characters that meet are of one word; see the module.
fn joined(last: char, first: char) -> bool {
    if is_blank(last) {
        return false;
    }
    let letter = |c: char| (c.is_alphanumeric() || extends(c)) && !is_unspaced(c);
    extends(first) || is_joiner(last) || (letter(last) && letter(first))
}

/// What only extends the character before it: a combining mark, a joiner, a skin tone.
fn extends(c: char) -> bool {
    is_combining_mark(c) || is_joiner(c) || matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Letters of scripts that write words without blanks: Thai, Lao, Myanmar, Khmer, kana, bopomofo and Han.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character is white space that parts words: Unicode's, but for the controls that a tokenizer drops without
/// splitting (U+000B, U+000C, U+0085), which every view shows.
#[must_use]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{b}' | '\u{c}' | '\u{85}')
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
