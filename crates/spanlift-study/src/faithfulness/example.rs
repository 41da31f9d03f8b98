//! A few questions of a comparison under every method, word by word: what its page shows side by side.

use std::fs;
use std::io::ErrorKind;

use serde::{Deserialize, Serialize};
use spanlift::ops::Real;
use spanlift::{Explained, Explainer, Item, Options, Scored};
use spanlift_explanation::{Part, words};
use spanlift_squad::Question;
use spanlift_store::write_whole;

use super::rows::Row;
use super::run::Comparison;
use crate::StudyError;

const FILE: &str = "examples.json";

/// How many of each kind: the model answers or not, and is right or not.
const KINDS: [(bool, bool, usize); 4] = [
    (true, true, 2),
    (true, false, 2),
    (false, true, 1),
    (false, false, 1),
];

/// A question under every method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The question's id.
    pub id: String,
    /// The article's title.
    pub title: String,
    /// The answer that is explained; empty for no answer.
    pub answer: String,
    /// Whether there is one.
    pub has_answer: bool,
    /// The data set's answers.
    pub gold: Vec<String>,
    /// Exact match.
    pub exact: bool,
    /// The words of the explained window.
    pub words: Vec<ExampleWord>,
    /// In the comparison's order.
    pub methods: Vec<ExampleScores>,
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleWord {
    /// Where it comes from.
    pub part: Part,
    /// The text between the word before and this one.
    pub before: String,
    /// Its text.
    pub text: String,
    /// Whether it belongs to the answer.
    pub answer: bool,
}

/// What a method makes of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExampleScores {
    /// The method's name in the tables.
    pub name: String,
    /// Of each word.
    pub scores: Vec<f32>,
    /// What the scores of the words should add up to.
    pub delta: f64,
    /// Their sum less that.
    pub error: f64,
    /// Whether the method promises that sum.
    pub complete: bool,
}

/// The ids of the questions that are shown: the first of each kind.
#[must_use]
pub fn chosen(rows: &[Row]) -> Vec<String> {
    let mut left = KINDS;
    let mut ids: Vec<String> = Vec::new();
    for row in rows {
        let kind = left
            .iter_mut()
            .find(|kind| (kind.0, kind.1) == (row.answered, row.exact) && kind.2 > 0);
        if let Some(kind) = kind.filter(|_| !ids.contains(&row.id)) {
            kind.2 -= 1;
            ids.push(row.id.clone());
        }
    }
    // By kind, so that the page begins with what went well.
    let of = |id: &String| {
        let row = rows.iter().find(|row| row.id == *id);
        KINDS
            .iter()
            .position(|kind| row.is_some_and(|row| (kind.0, kind.1) == (row.answered, row.exact)))
    };
    ids.sort_by_key(of);
    ids
}

impl Comparison {
    /// These questions under every method; made once and kept in the folder. `done` is told of each that is made.
    ///
    /// # Errors
    ///
    /// Where a question cannot be explained, or the file not be written.
    pub fn examples<T: Real>(
        &self,
        ids: &[String],
        questions: &[Question],
        explainer: &Explainer<T>,
        methods: &[Scored],
        options: &Options,
        mut done: impl FnMut(),
    ) -> Result<Vec<Example>, StudyError> {
        let path = self.folder().join(FILE);
        let there = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Vec<Example>>(&bytes).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => {
                let action = "read";
                return Err(StudyError::Io {
                    action,
                    path,
                    source,
                });
            }
        };
        // Of another version, or damaged: made again.
        if let Some(there) = there.filter(|there| there.iter().map(|e| &e.id).eq(ids)) {
            return Ok(there);
        }
        let names = self.plan_of().names();
        let of = |id: &String| {
            let question = questions.iter().find(|question| question.id == *id);
            question.map(|question| {
                let item = Item {
                    question: &question.question,
                    passage: &question.context,
                };
                let found = explainer.compare(item, methods, options, &mut |_, _| ());
                done();
                let found = found.map_err(|source| StudyError::Explain {
                    id: id.clone(),
                    source,
                })?;
                let found: Vec<_> = found.into_iter().map(|(explained, _)| explained).collect();
                Ok(example(question, &names, &found))
            })
        };
        let made: Result<Vec<Example>, StudyError> = ids.iter().filter_map(of).collect();
        let made = made?;
        let json = serde_json::to_vec(&made).map_err(|error| StudyError::NotAComparison {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        write_whole(&path, &json)?;
        Ok(made)
    }
}

fn example<T>(question: &Question, names: &[String], found: &[Explained<T>]) -> Example {
    let first = &found[0].explanation;
    let texts =
        [&question.question, &*question.context].map(|text| text.chars().collect::<Vec<_>>());
    let answer = first.answer.start_token..=first.answer.end_token;
    // Where the text goes on, of the question and of the passage's window.
    let mut at = [0, first.window.start];
    let word = |word: &spanlift_explanation::Word| {
        let side = usize::from(word.part == Part::Passage);
        let mut before = String::new();
        if let (Part::Question | Part::Passage, Some(start), Some(end)) =
            (word.part, word.start, word.end)
        {
            before = texts[side]
                .get(at[side]..start)
                .unwrap_or_default()
                .iter()
                .collect();
            at[side] = end;
        }
        ExampleWord {
            part: word.part,
            before,
            text: word.text.clone(),
            answer: first.answer.has_answer
                && word.tokens.start <= *answer.end()
                && *answer.start() < word.tokens.end,
        }
    };
    let all = words(first);
    let methods = found.iter().zip(names).map(|(explained, name)| {
        let explanation = &explained.explanation;
        ExampleScores {
            name: name.clone(),
            scores: all
                .iter()
                .map(|word| word.score(&explanation.word_score))
                .collect(),
            delta: explanation.target.delta,
            error: explanation.word_error,
            complete: explanation.method.complete,
        }
    });
    Example {
        id: question.id.clone(),
        title: question.title.to_string(),
        answer: first.answer.text.clone(),
        has_answer: first.answer.has_answer,
        gold: question
            .answers
            .iter()
            .map(|gold| gold.text.clone())
            .collect(),
        exact: spanlift_squad::score(
            &first.answer.text,
            question.answers.iter().map(|gold| gold.text.as_str()),
        )
        .exact
            == 1.0,
        methods: methods.collect(),
        words: all.iter().map(word).collect(),
    }
}
