//! Two runs compared: what was made to differ, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

mod common;

use common::record;
use spanlift_store::Record;
use spanlift_study::StudyError;
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::diff::Diff;
use spanlift_study::profile::Profile;
use spanlift_study::{Table, Values};

/// `[CLS] Who ? [SEP] Ada did . [SEP]`, three layers, the whole score on one token.
fn on(token: usize, id: &str) -> Record {
    let mut record = record(id, "Who?", "Ada did.", "Ada", 3, 2);
    for layer in &mut record.explanation.layers {
        layer.score[token] = 1.0;
    }
    record
}

fn profiles(records: &[Record]) -> Vec<Profile> {
    records
        .iter()
        .enumerate()
        .map(|(i, record)| Profile::of(record, i))
        .collect()
}

fn numbers(table: &Table, column: &str) -> Vec<Option<f64>> {
    match table.column(column) {
        Some(Values::Number(values)) => values.clone(),
        other => panic!("{other:?}"),
    }
}

fn texts(table: &Table, column: &str) -> Vec<String> {
    match table.column(column) {
        Some(Values::Text(values)) => values.iter().flatten().cloned().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_differs_is_told_with_its_sign() {
    let a = profiles(&[on(4, "ada"), on(4, "same"), on(4, "wrong")]);
    let mut other = on(4, "wrong");
    other.explanation.answer.text = String::new();
    other.explanation.answer.has_answer = false;
    (other.exact, other.f1) = (0.0, 0.0);
    // The answer's token in the first run, the question word in the second.
    let b = profiles(&[on(4, "same"), on(1, "ada"), other, on(4, "new")]);
    let diff = Diff::new(&a, &b).unwrap();
    assert_eq!((diff.questions(), diff.only_a, diff.only_b), (3, 0, 1));
    let answers = diff.answers();
    let expected = [
        ("same answer", 2),
        ("answered in one alone", 1),
        ("right in both", 2),
        ("right in a alone", 1),
        ("right in b alone", 0),
        ("right in neither", 0),
    ];
    assert_eq!(answers, expected);
    let bootstrap = Bootstrap::default();
    let (name, exact) = diff.scores(bootstrap)[0];
    assert_eq!(name, "exact");
    assert_eq!((exact.a, exact.b), (1.0, 2.0 / 3.0));
    assert!((exact.difference.mean + 1.0 / 3.0).abs() < 1e-12);
    assert!(!exact.difference.is_sure(), "three passages");

    let shares = diff.shares(bootstrap);
    let (group, at) = (texts(&shares, "group"), texts(&shares, "at"));
    let (measure, role) = (texts(&shares, "measure"), texts(&shares, "role"));
    let (of_a, of_b, difference) = (
        numbers(&shares, "a"),
        numbers(&shares, "b"),
        numbers(&shares, "difference"),
    );
    let row = |wanted: [&str; 4]| {
        (0..shares.rows())
            .find(|&i| [&*group[i], &*at[i], &*measure[i], &*role[i]] == wanted)
            .unwrap()
    };
    // Of three answers one went to the question word, and one answer's tokens have no role of an answer any more.
    for place in ["early", "late", "1", "output"] {
        let answer = row(["all", place, "positive", "answer"]);
        assert_eq!(of_a[answer], Some(1.0), "{place}");
        assert!((of_b[answer].unwrap() - 1.0 / 3.0).abs() < 1e-12);
        let word = row(["all", place, "positive", "question-word"]);
        assert!((difference[word].unwrap() - 1.0 / 3.0).abs() < 1e-12);
    }
    // Nothing is negative anywhere: there is no share to compare.
    assert_eq!(
        difference[row(["all", "early", "negative", "answer"])],
        None
    );

    let questions = diff.questions_table();
    assert_eq!(texts(&questions, "id"), ["ada", "wrong", "same"]);
    let distance = numbers(&questions, "distance");
    assert!((distance[0].unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(distance[2], Some(0.0));
    assert_eq!(
        diff.spread(bootstrap).rows() % 7,
        0,
        "3 thirds and 4 cuts for each group"
    );
}

#[test]
fn a_difference_in_enough_passages_has_an_interval() {
    let answered: Vec<Record> = (0..20).map(|i| on(4, &i.to_string())).collect();
    let mut missed = answered.clone();
    for record in &mut missed[..15] {
        record.exact = 0.0;
    }
    let (a, b) = (profiles(&answered), profiles(&missed));
    let (name, exact) = Diff::new(&a, &b).unwrap().scores(Bootstrap::default())[0];
    let difference = exact.difference;
    assert_eq!((name, difference.passages), ("exact", 20));
    assert!((difference.mean + 0.75).abs() < 1e-12);
    assert!(-1.0 <= difference.low && difference.low < difference.mean);
    assert!(difference.mean < difference.high && difference.high < -0.4);
}

#[test]
fn models_of_different_depth_are_compared_by_thirds() {
    let a = profiles(&[on(4, "q")]);
    let mut deep = record("q", "Who?", "Ada did.", "Ada", 6, 2);
    for layer in &mut deep.explanation.layers {
        layer.score[1] = 2.0;
    }
    let b = profiles(&[deep]);
    let diff = Diff::new(&a, &b).unwrap();
    let at = texts(&diff.spread(Bootstrap::default()), "at");
    assert!(
        at.chunks(3).all(|at| at == ["early", "middle", "late"]),
        "{at:?}"
    );
    assert_eq!(numbers(&diff.questions_table(), "distance"), [Some(1.0)]);
}

#[test]
fn runs_without_a_common_question_are_refused() {
    let (a, b) = (profiles(&[on(4, "a")]), profiles(&[on(4, "b"), on(4, "c")]));
    let error = Diff::new(&a, &b).unwrap_err();
    assert!(
        matches!(error, StudyError::NothingInCommon { a: 1, b: 2 }),
        "{error}"
    );
}
