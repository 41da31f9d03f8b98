//! The official metric of SQuAD 2.0: exact match and F1, best thresholds, and both by type of question.
//!
//! An answer's words are those of its text in small letters without ASCII punctuation and the articles *a*, *an*, *the*.
//! Exact match is 1 where prediction and gold answer have the same words in the same order, F1 the harmonic mean of
//! precision and recall over words, each counted as often as it occurs:
//!
//! ```text
//! P = common / predicted    R = common / gold    F1 = 2·P·R / (P + R)
//! ```
//!
//! With several gold answers the best counts, for each number by itself. A question without gold answers has the
//! empty one. The definition is that of the evaluation script that comes with the data (Rajpurkar et al. 2018, arXiv
//! 1806.03822, `evaluate-v2.0.py`), number for number; its oddities are kept where they decide a number:
//!
//! - gold answers of articles and punctuation alone are passed over; a question with no other has the empty answer, but
//!   counts as one that has an answer;
//! - the sweep for the best threshold goes through the questions by their null odds, smallest first, equal ones in the
//!   order of the file, and stops after each one, between equal odds too. It starts where nothing is answered, which the
//!   script calls threshold 0.

use std::collections::HashMap;

use serde::Serialize;
use unicode_normalization::char::is_combining_mark;

use crate::{ById, MetricError, Question, QuestionKind};

/// Exact match and F1 of one prediction, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// 1 where the words are the same, otherwise 0.
    pub exact: f64,
    /// The overlap of the words.
    pub f1: f64,
}

/// Means over some questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Exact match in per cent.
    pub exact: f64,
    /// F1 in per cent.
    pub f1: f64,
    /// How many questions.
    pub total: usize,
}

/// What could be had with another threshold for *no answer*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The largest exact match in per cent.
    pub exact: f64,
    /// The null odds up to which it takes answers.
    pub exact_thresh: f64,
    /// The largest F1 in per cent.
    pub f1: f64,
    /// The null odds up to which it takes answers.
    pub f1_thresh: f64,
}

/// How well a data set was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// All questions.
    pub all: Part,
    /// Those with a gold answer, where there are any.
    pub has_answer: Option<Part>,
    /// Those without, where there are any.
    pub no_answer: Option<Part>,
    /// Where there are null odds.
    pub best: Option<Best>,
    /// The types of question that occur, in the order of [`QuestionKind::ALL`].
    pub kinds: Vec<(QuestionKind, Part)>,
}

/// The words that count, with one blank between them.
#[must_use]
pub fn normalise(text: &str) -> String {
    let kept = text.to_lowercase();
    let kept = kept.chars().filter(|c| !c.is_ascii_punctuation());
    let mut words = String::new();
    let mut run = String::new();
    // An article is a whole run of letters and digits: `a-b` is one word once its hyphen is gone.
    let end = |run: &mut String, words: &mut String| {
        if matches!(run.as_str(), "a" | "an" | "the") {
            words.push(' ');
        } else {
            words.push_str(run);
        }
        run.clear();
    };
    for c in kept {
        if is_word(c) {
            run.push(c);
        } else {
            end(&mut run, &mut words);
            words.push(c);
        }
    }
    end(&mut run, &mut words);
    let words: Vec<&str> = words.split(is_space).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

/// Python's `\w` without the underscore: the categories L and N. Rust's letters are more: some marks, and the letters in
/// circles and squares.
fn is_word(c: char) -> bool {
    let enclosed = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !enclosed
}

/// Python's `str.isspace`: Rust's blanks and the four information separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The best of a prediction against each gold answer; without any, against the empty one.
pub fn score<'a>(prediction: &str, gold: impl IntoIterator<Item = &'a str>) -> Score {
    let prediction = normalise(prediction);
    let gold = gold.into_iter().map(normalise);
    let mut gold: Vec<String> = gold.filter(|gold| !gold.is_empty()).collect();
    if gold.is_empty() {
        gold.push(String::new());
    }
    let scores = gold.iter().map(|gold| Score {
        exact: f64::from(u8::from(prediction == *gold)),
        f1: f1(&prediction, gold),
    });
    let none = Score {
        exact: 0.0,
        f1: 0.0,
    };
    scores.fold(none, |best, score| Score {
        exact: best.exact.max(score.exact),
        f1: best.f1.max(score.f1),
    })
}

/// Of normalised texts.
fn f1(prediction: &str, gold: &str) -> f64 {
    if prediction.is_empty() || gold.is_empty() {
        return f64::from(u8::from(prediction == gold));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    gold.split(' ')
        .for_each(|word| *left.entry(word).or_default() += 1);
    let mut common = 0_usize;
    for word in prediction.split(' ') {
        if let Some(left) = left.get_mut(word).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let share = |text: &str| common as f64 / text.split(' ').count() as f64;
    let (precision, recall) = (share(prediction), share(gold));
    (2.0 * precision * recall) / (precision + recall)
}

/// Scores the predictions of all questions, which must each have one. Where there are null odds, a prediction whose
/// odds are larger than `threshold` counts as no answer (the script's `--na-prob-thresh`), and the best thresholds are
/// sought among the predictions as they are: what is empty already cannot come back, so the sweep is one over all
/// thresholds only where every question has its best text.
///
/// # Errors
///
/// Where there is no question, or one lacks its prediction or its null odds.
pub fn evaluate(
    questions: &[Question],
    predictions: &ById<String>,
    null_odds: Option<&ById<f64>>,
    threshold: f64,
) -> Result<Evaluation, MetricError> {
    if questions.is_empty() {
        return Err(MetricError::NoQuestions);
    }
    let texts = of_each(questions, predictions, "prediction")?;
    let odds = null_odds.map(|odds| of_each(questions, odds, "null odds"));
    let odds = odds.transpose()?;
    let raw: Vec<Score> = questions
        .iter()
        .zip(&texts)
        .map(|(q, text)| score(text, q.answers.iter().map(|gold| gold.text.as_str())))
        .collect();
    let has_answer: Vec<bool> = questions.iter().map(|q| !q.answers.is_empty()).collect();

    let mut scores = raw.clone();
    for (at, score) in scores.iter_mut().enumerate() {
        if odds.as_ref().is_some_and(|odds| *odds[at] > threshold) {
            let right = f64::from(u8::from(!has_answer[at]));
            *score = Score {
                exact: right,
                f1: right,
            };
        }
    }
    let part = |keep: &dyn Fn(usize) -> bool| {
        let kept = (0..questions.len()).filter(|&at| keep(at));
        mean(kept.map(|at| scores[at]))
    };
    let kinds: Vec<QuestionKind> = questions
        .iter()
        .map(|q| QuestionKind::of(&q.question))
        .collect();
    let by_kind = QuestionKind::ALL.into_iter();
    Ok(Evaluation {
        all: mean(scores.iter().copied()).ok_or(MetricError::NoQuestions)?,
        has_answer: part(&|at| has_answer[at]),
        no_answer: part(&|at| !has_answer[at]),
        best: null_odds.map(|odds| {
            let sweep = Sweep::new(questions, &texts, odds);
            let (exact, exact_thresh) = sweep.best(&raw, &has_answer, |score| score.exact);
            let (f1, f1_thresh) = sweep.best(&raw, &has_answer, |score| score.f1);
            Best {
                exact,
                exact_thresh,
                f1,
                f1_thresh,
            }
        }),
        kinds: by_kind
            .filter_map(|kind| Some((kind, part(&|at| kinds[at] == kind)?)))
            .collect(),
    })
}

/// The value of each question, or how many have none.
fn of_each<'a, T>(
    questions: &[Question],
    values: &'a ById<T>,
    what: &'static str,
) -> Result<Vec<&'a T>, MetricError> {
    let found: Vec<&T> = questions.iter().filter_map(|q| values.get(&q.id)).collect();
    let first = questions.iter().find(|q| values.get(&q.id).is_none());
    match first {
        None => Ok(found),
        Some(first) => Err(MetricError::Missing {
            what,
            count: questions.len() - found.len(),
            total: questions.len(),
            first: first.id.clone(),
        }),
    }
}

fn mean(scores: impl Iterator<Item = Score>) -> Option<Part> {
    let (mut exact, mut f1, mut total) = (0.0, 0.0, 0);
    for score in scores {
        exact += score.exact;
        f1 += score.f1;
        total += 1;
    }
    (total > 0).then(|| Part {
        exact: 100.0 * exact / total as f64,
        f1: 100.0 * f1 / total as f64,
        total,
    })
}

/// The questions in the order in which a rising threshold lets them be answered.
struct Sweep {
    /// Question, its null odds, and whether it is answered at all.
    order: Vec<(usize, f64, bool)>,
}

impl Sweep {
    fn new(questions: &[Question], texts: &[&String], odds: &ById<f64>) -> Self {
        let places: HashMap<&str, usize> = questions
            .iter()
            .enumerate()
            .map(|(at, q)| (q.id.as_str(), at))
            .collect();
        let known = odds.iter().filter_map(|(id, odds)| {
            let at = *places.get(id)?;
            Some((at, *odds, !texts[at].is_empty()))
        });
        let mut order: Vec<_> = known.collect();
        // Stable: equal odds keep the order of their file. (`total_cmp` would put −0 before 0.)
        order.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal));
        Self { order }
    }

    /// The best mean in per cent and its threshold.
    fn best(
        &self,
        raw: &[Score],
        has_answer: &[bool],
        number: impl Fn(&Score) -> f64,
    ) -> (f64, f64) {
        let mut current = has_answer.iter().filter(|has| !**has).count() as f64;
        let (mut best, mut threshold) = (current, 0.0);
        for &(at, odds, answered) in &self.order {
            current += match (has_answer[at], answered) {
                (true, _) => number(&raw[at]),
                (false, true) => -1.0,
                (false, false) => 0.0,
            };
            if current > best {
                (best, threshold) = (current, odds);
            }
        }
        (100.0 * best / raw.len() as f64, threshold)
    }
}

/// The script's own names, in its order.
#[derive(Serialize)]
struct Official {
    exact: f64,
    f1: f64,
    total: usize,
    #[serde(rename = "HasAns_exact", skip_serializing_if = "Option::is_none")]
    has_ans_exact: Option<f64>,
    #[serde(rename = "HasAns_f1", skip_serializing_if = "Option::is_none")]
    has_ans_f1: Option<f64>,
    #[serde(rename = "HasAns_total", skip_serializing_if = "Option::is_none")]
    has_ans_total: Option<usize>,
    #[serde(rename = "NoAns_exact", skip_serializing_if = "Option::is_none")]
    no_ans_exact: Option<f64>,
    #[serde(rename = "NoAns_f1", skip_serializing_if = "Option::is_none")]
    no_ans_f1: Option<f64>,
    #[serde(rename = "NoAns_total", skip_serializing_if = "Option::is_none")]
    no_ans_total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_exact: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_exact_thresh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_f1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_f1_thresh: Option<f64>,
}

impl Evaluation {
    /// JSON with the names of the official script, in its order; the types of question are no part of it.
    #[must_use]
    pub fn official_json(&self) -> String {
        let (has, no, best) = (self.has_answer, self.no_answer, self.best);
        let official = Official {
            exact: self.all.exact,
            f1: self.all.f1,
            total: self.all.total,
            has_ans_exact: has.map(|part| part.exact),
            has_ans_f1: has.map(|part| part.f1),
            has_ans_total: has.map(|part| part.total),
            no_ans_exact: no.map(|part| part.exact),
            no_ans_f1: no.map(|part| part.f1),
            no_ans_total: no.map(|part| part.total),
            best_exact: best.map(|best| best.exact),
            best_exact_thresh: best.map(|best| best.exact_thresh),
            best_f1: best.map(|best| best.f1),
            best_f1_thresh: best.map(|best| best.f1_thresh),
        };
        // Numbers under fixed names: there is nothing that could fail.
        serde_json::to_string_pretty(&official).unwrap_or_default() + "\n"
    }
}
