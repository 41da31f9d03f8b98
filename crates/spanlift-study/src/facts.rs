//! What is known of a question and its paragraph: what questions are grouped by.

use std::collections::HashSet;

use spanlift_explanation::{Part, words};
use spanlift_squad::QuestionKind;
use spanlift_store::Record;
use unicode_segmentation::UnicodeSegmentation;

use crate::roles::keywords;

/// What is known of a question and its paragraph.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The question's id in its data set.
    pub id: String,
    /// The article's title; empty where the data set has none.
    pub article: String,
    /// The question.
    pub question: String,
    /// What the question asks for.
    pub question_type: QuestionKind,
    /// The explained answer; empty for no answer.
    pub answer: String,
    /// The model gives an answer.
    pub answered: bool,
    /// The data set has an answer.
    pub answerable: bool,
    /// The official metric's exact match.
    pub right: bool,
    /// The official metric's F1, from 0 to 1.
    pub f1: f64,
    /// Of the answer, among candidates and no answer.
    pub probability: f64,
    /// Passage tokens of the explained window.
    pub passage_tokens: usize,
    /// The share of the passage's words that have a digit.
    pub digits: f64,
    /// The share of the passage's words that begin with a capital and no sentence.
    pub names: f64,
    /// The share of the question's keywords that the passage's explained window has; none where it has no keyword.
    pub overlap: Option<f64>,
    /// Where the explained answer begins: its first character as a share of the passage's; none for no answer.
    pub place: Option<f64>,
}

impl Facts {
    /// Of one row of a run.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let explanation = &record.explanation;
        let passage = &explanation.passage;
        let passage_words: Vec<&str> = passage.unicode_words().collect();
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let digits = passage_words
            .iter()
            .filter(|w| w.contains(char::is_numeric))
            .count();
        let first: usize = passage
            .split_sentence_bounds()
            .filter(|s| s.unicode_words().next().is_some_and(capital))
            .count();
        let capitals = passage_words.iter().filter(|w| capital(w)).count();
        // By the tokeniser's words, as the role `match`: "Luther's" has the word "Luther".
        let tokenised = words(explanation);
        let of_passage = tokenised.iter().filter(|word| word.part == Part::Passage);
        let spelt: HashSet<String> = of_passage.map(|word| word.text.to_lowercase()).collect();
        let keywords = keywords(&tokenised);
        let known = keywords.iter().filter(|word| spelt.contains(*word)).count();
        let answer = &explanation.answer;
        let in_passage = |t: &&spanlift_explanation::Token| t.part == Part::Passage;
        Self {
            id: record.id.clone(),
            article: record.title.clone(),
            question: explanation.question.clone(),
            question_type: record.kind(),
            answer: answer.text.clone(),
            answered: answer.has_answer,
            answerable: !record.is_impossible,
            right: record.exact == 1.0,
            f1: record.f1,
            probability: answer.probability,
            passage_tokens: explanation.tokens.iter().filter(in_passage).count(),
            digits: share(digits, passage_words.len()),
            names: share(capitals.saturating_sub(first), passage_words.len()),
            overlap: (!keywords.is_empty()).then(|| share(known, keywords.len())),
            place: answer
                .start
                .filter(|_| answer.has_answer)
                .map(|start| share(start, passage.chars().count())),
        }
    }
}

fn capital(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
}
