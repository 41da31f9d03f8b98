//! The role of each token: what it is to the question, by the text alone.
//!
//! Every token has one role. Where several would do, the first of these lines decides:
//!
//! | part | role | tokens |
//! | --- | --- | --- |
//! | special | `cls`, `final-sep`, `question-sep` | the first special token, the last, those between |
//! | question | `punctuation` | of words without a letter or digit |
//! | | `question-word` | of *who*, *whom*, *whose*, *what*, *which*, *when*, *where*, *why*, *how* |
//! | | `question-keyword` | of words that are no stop words |
//! | | `question-other` | of all others |
//! | passage | `answer` | of the explained answer, its punctuation too |
//! | | `punctuation` | of words without a letter or digit |
//! | | `match` | of words that are spelt as a keyword of the question is, in small letters or capitals |
//! | | `sentence` | of the sentences that the answer lies in |
//! | | `passage` | of all others |
//!
//! Words are those that [`spanlift_explanation::words`] joins, stop words those of the Natural Language Toolkit's English list,
//! sentences those of Unicode (UAX 29, so that an abbreviation's full stop may end one). No answer has neither `answer` nor
//! `sentence`.

use std::collections::HashSet;
use std::sync::LazyLock;

use spanlift_explanation::{Explanation, Part, Word, words};
use stop_words::Language;
use unicode_segmentation::UnicodeSegmentation;

/// What a token is to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `[CLS]`.
    Cls,
    /// The `[SEP]` behind the question.
    QuestionSep,
    /// The `[SEP]` behind the passage.
    FinalSep,
    /// *Who*, *when*, …
    QuestionWord,
    /// A word of the question that carries its meaning.
    QuestionKeyword,
    /// Any other word of the question.
    QuestionOther,
    /// Punctuation of question or passage.
    Punctuation,
    /// A word of the passage that is a keyword of the question.
    Match,
    /// The explained answer.
    Answer,
    /// The rest of the answer's sentence.
    Sentence,
    /// The rest of the passage.
    Passage,
}

/// One number for each [`Role`], in the order of [`Role::ALL`].
pub type ByRole<T> = [T; Role::ALL.len()];

impl Role {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::Cls,
        Self::QuestionSep,
        Self::FinalSep,
        Self::QuestionWord,
        Self::QuestionKeyword,
        Self::QuestionOther,
        Self::Punctuation,
        Self::Match,
        Self::Answer,
        Self::Sentence,
        Self::Passage,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::QuestionSep => "question-sep",
            Self::FinalSep => "final-sep",
            Self::QuestionWord => "question-word",
            Self::QuestionKeyword => "question-keyword",
            Self::QuestionOther => "question-other",
            Self::Punctuation => "punctuation",
            Self::Match => "match",
            Self::Answer => "answer",
            Self::Sentence => "sentence",
            Self::Passage => "passage",
        }
    }

    /// Its place in [`Role::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

const QUESTION_WORDS: [&str; 9] = [
    "who", "whom", "whose", "what", "which", "when", "where", "why", "how",
];

static STOP_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| stop_words::get(Language::English).iter().copied().collect());

/// The role of each token of the explained window; (S).
#[must_use]
pub fn roles(explanation: &Explanation) -> Vec<Role> {
    let words = words(explanation);
    let keywords = keywords(&words);
    let sentence = answer_sentence(explanation);
    let mut roles = Vec::with_capacity(explanation.tokens.len());
    for word in &words {
        let role = match word.part {
            Part::Special => Role::QuestionSep,
            Part::Question => question_role(&word.text),
            Part::Passage if is_punctuation(&word.text) => Role::Punctuation,
            Part::Passage if keywords.contains(&word.text.to_lowercase()) => Role::Match,
            Part::Passage if within(word, sentence) => Role::Sentence,
            Part::Passage => Role::Passage,
        };
        roles.extend(word.tokens.clone().map(|_| role));
    }
    let special = |token: &spanlift_explanation::Token| token.part == Part::Special;
    // First the last, so that a window of one special token has a [CLS].
    for (end, role) in [
        (explanation.tokens.iter().rposition(special), Role::FinalSep),
        (explanation.tokens.iter().position(special), Role::Cls),
    ] {
        if let Some(role_of_end) = end.and_then(|end| roles.get_mut(end)) {
            *role_of_end = role;
        }
    }
    let answer = &explanation.answer;
    if answer.has_answer {
        for i in answer.start_token..=answer.end_token {
            if let Some(role) = roles.get_mut(i) {
                *role = Role::Answer;
            }
        }
    }
    roles
}

/// The question's keywords, in small letters, each once, in order.
pub(crate) fn keywords(words: &[Word]) -> Vec<String> {
    let mut keywords = Vec::new();
    for word in words.iter().filter(|word| word.part == Part::Question) {
        let text = word.text.to_lowercase();
        if question_role(&word.text) == Role::QuestionKeyword && !keywords.contains(&text) {
            keywords.push(text);
        }
    }
    keywords
}

pub(crate) fn is_punctuation(word: &str) -> bool {
    !word.chars().any(char::is_alphanumeric)
}

fn question_role(word: &str) -> Role {
    let lower = word.to_lowercase();
    // Some tokenisers leave an apostrophe at what follows it: "'s".
    let lower = lower.trim_matches(|c: char| !c.is_alphanumeric());
    if is_punctuation(word) {
        Role::Punctuation
    } else if QUESTION_WORDS.contains(&lower) {
        Role::QuestionWord
    } else if STOP_WORDS.contains(lower) {
        Role::QuestionOther
    } else {
        Role::QuestionKeyword
    }
}

/// The characters of the passage from the beginning of the sentence where the answer begins to the end of the one where it
/// ends.
fn answer_sentence(explanation: &Explanation) -> Option<(usize, usize)> {
    let answer = &explanation.answer;
    let (start, end) = answer.start.zip(answer.end)?;
    if !answer.has_answer {
        return None;
    }
    let mut at = 0;
    let mut bounds: Option<(usize, usize)> = None;
    for sentence in explanation.passage.split_sentence_bounds() {
        let next = at + sentence.chars().count();
        if at < end && start < next {
            bounds = Some((bounds.map_or(at, |b| b.0), next));
        }
        at = next;
    }
    bounds
}

fn within(word: &Word, bounds: Option<(usize, usize)>) -> bool {
    let word = word.start.zip(word.end);
    word.zip(bounds)
        .is_some_and(|(word, bounds)| word.0 < bounds.1 && bounds.0 < word.1)
}
