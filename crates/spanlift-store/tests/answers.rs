//! Which answers a run explains: random spans whoever makes the run, and those of another run, to the very place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{explainer, parts, questions};
use spanlift::attribute::Reference;
use spanlift::checkpoint::{Parts, Randomise, Source};
use spanlift::{AnswerChoice, Explainer, Options};
use spanlift_squad::{Question, score};
use spanlift_store::{
    Asked, Data, Found, GivenAnswers, Job, Keep, NotGiven, Plan, QuestionError, Record, Run,
    Selection, StoreError,
};
use tempfile::TempDir;

/// With a threshold at which every question has an answer, or (below zero) none.
fn options(null_threshold: f64) -> Options {
    let mut options = Options::default();
    options.answering.null_threshold = null_threshold;
    options
}

fn asked<'a>(options: &'a Options, given: Option<&'a GivenAnswers>) -> Asked<'a> {
    let keep = Keep::default();
    Asked {
        options,
        given,
        keep,
    }
}

fn plan(explainer: &Explainer<f32>, questions: &[Question], asked: Asked<'_>, size: usize) -> Plan {
    let data = Data::new("made-up.jsonl", questions, questions.len(), 0);
    let hash = "0".repeat(64);
    Plan::new(data, Selection::default(), explainer, hash, asked, size)
}

/// A run of these questions; those that cannot be explained are passed over.
fn run(
    explainer: &Explainer<f32>,
    questions: &[Question],
    asked: Asked<'_>,
    (size, threads): (usize, usize),
) -> (TempDir, Run) {
    let folder = TempDir::new().unwrap();
    let plan = plan(explainer, questions, asked, size);
    let run = Run::plan(&folder.path().join("run"), plan).unwrap();
    let job = Job::new(explainer, asked, true, threads).unwrap();
    for chunk in run.missing() {
        run.chunk(chunk, questions, &job, &|| ()).unwrap();
    }
    (folder, run)
}

fn records(run: &Run) -> Vec<Record> {
    run.records().unwrap().map(Result::unwrap).collect()
}

#[test]
fn random_spans_depend_neither_on_threads_nor_on_chunks() {
    let (explainer, questions) = (explainer(), questions());
    let with = |seed, shape| {
        let mut options = options(1e9);
        options.answer = AnswerChoice::Random(seed);
        run(&explainer, &questions, asked(&options, None), shape)
    };
    let (_a, one) = with(3, (4, 1));
    let (_b, many) = with(3, (4, 3));
    assert!(parts(&one) == parts(&many));
    let rows = records(&one);
    let (_c, chunks) = with(3, (2, 2));
    assert_eq!(records(&chunks), rows);
    let (_d, other) = with(4, (4, 1));
    assert_ne!(records(&other), rows);
    let plain = options(1e9);
    let (_e, own) = run(&explainer, &questions, asked(&plain, None), (4, 1));
    let spans = |rows: &[Record]| -> Vec<_> {
        let answer = |row: &Record| row.explanation.answer.start_token;
        rows.iter().map(answer).collect()
    };
    assert_ne!(spans(&rows), spans(&records(&own)));
    for (row, own) in rows.iter().zip(records(&own)) {
        let (answer, own) = (&row.explanation.answer, &own.explanation.answer);
        // Read back as it was made; the metric is that of the text that was explained.
        assert!(answer.given && answer.has_answer && !own.given);
        assert_eq!(
            answer.end_token - answer.start_token,
            own.end_token - own.start_token
        );
        let gold = row.gold.iter().map(|gold| gold.text.as_str());
        let score = score(&answer.text, gold);
        assert_eq!((row.exact, row.f1), (score.exact, score.f1));
        row.explanation.check_sums().unwrap();
    }
}

/// Every span and every null answer is the other run's, whatever the model would answer, and so is its window.
#[test]
fn the_answers_of_another_run_are_explained_under_other_weights_and_references() {
    let (explainer, questions) = (explainer(), questions());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    let whole = Randomise {
        parts: Parts::All,
        seed: 1,
    };
    let random = Explainer::<f32>::randomised(Source::Folder(&folder), &whole).unwrap();
    let mut zero = options(-1.0);
    zero.reference = Reference::Zero;
    for null_threshold in [1e9, -1e9] {
        let options = options(null_threshold);
        let (_folder, own) = run(&explainer, &questions, asked(&options, None), (4, 2));
        let given = own.answers(&questions).unwrap();
        assert_eq!(given.first_without(&questions), None);
        let rows = records(&own);
        // The same again: nothing but who chose the answer is another.
        let (_a, again) = run(
            &explainer,
            &questions,
            asked(&options, Some(&given)),
            (3, 2),
        );
        for (row, own) in records(&again).into_iter().zip(&rows) {
            let mut explanation = row.explanation;
            assert!(explanation.answer.given);
            explanation.answer.given = false;
            assert_eq!(explanation, own.explanation);
        }
        let (_b, weights) = run(&random, &questions, asked(&options, Some(&given)), (4, 2));
        let (_c, reference) = run(&explainer, &questions, asked(&zero, Some(&given)), (4, 2));
        for other in [records(&weights), records(&reference)] {
            assert_eq!(other.len(), rows.len());
            for (other, own) in other.iter().zip(&rows) {
                let (other, own) = (&other.explanation, &own.explanation);
                assert_ne!(other.target.delta, own.target.delta);
                assert_eq!((&other.window, &other.tokens), (&own.window, &own.tokens));
                assert!(other.answer.given && other.completeness.holds);
                assert_eq!(other.answer.has_answer, null_threshold > 0.0);
                let span = |e: &spanlift_explanation::Explanation| {
                    let answer = &e.answer;
                    let tokens = (answer.start_token, answer.end_token);
                    (answer.text.clone(), answer.start, answer.end, tokens)
                };
                assert_eq!(span(other), span(own));
                other.check_sums().unwrap();
            }
        }
        let name = &weights.plan_of().model.info.name;
        assert_eq!(name, "two-layers, weights re-initialised (all, seed 1)");
    }
}

#[test]
fn answers_and_weights_make_another_run() {
    let (explainer, questions, options) = (explainer(), questions(), options(1e9));
    let (_folder, own) = run(&explainer, &questions, asked(&options, None), (11, 1));
    let given = own.answers(&questions).unwrap();
    assert_eq!(own.plan_of().method.answers, "own");
    let mut random = options.clone();
    random.answer = AnswerChoice::Random(5);
    let refused = |plan: Plan, words: &str| {
        let folder = own.part(0);
        let folder = folder.ancestors().nth(2).unwrap();
        let error = Run::plan(folder, plan).unwrap_err();
        assert!(matches!(error, StoreError::OtherRun { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{words} {error}");
    };
    refused(
        plan(&explainer, &questions, asked(&random, None), 11),
        "is of another run: --answers: it has own, asked for random:5; take",
    );
    // Told by the plan that decided them: another reference there is another run's answers.
    let by = plan(&explainer, &questions, asked(&options, Some(&given)), 11);
    let mut pad = options.clone();
    pad.reference = Reference::Pad;
    let (_other, other) = run(&explainer, &questions, asked(&pad, None), (11, 1));
    let other = other.answers(&questions).unwrap();
    let by_other = plan(&explainer, &questions, asked(&options, Some(&other)), 11);
    assert!(by.method.answers.starts_with("run:") && by.method.answers.len() == 4 + 64);
    assert_ne!(by.method.answers, by_other.method.answers);
    refused(by, "--answers: it has own, asked for run:");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    let whole = Randomise {
        parts: Parts::All,
        seed: 1,
    };
    let drawn = Explainer::<f32>::randomised(Source::Folder(&folder), &whole).unwrap();
    refused(
        plan(&drawn, &questions, asked(&options, None), 11),
        "is of another run: --randomise: it has none, asked for all, seed 1; take",
    );
}

#[test]
fn a_question_without_an_answer_stops_the_run_or_is_listed() {
    let (explainer, options) = (explainer(), options(1e9));
    // Of eleven questions the other run has ten, of which it skipped one; one part of it is gone; two texts are others.
    let mut there = questions();
    there.remove(10);
    there[1].question = "who ".repeat(90);
    let (_folder, other) = run(&explainer, &there, asked(&options, None), (4, 1));
    let mut here = questions();
    here[2].question = "who moved the tower ?".to_owned();
    here[3].context = "the mayor moved the bridge .".into();
    let missing = other.part(1);
    let kept = fs::read(&missing).unwrap();
    fs::remove_file(&missing).unwrap();
    let given = other.answers(&here).unwrap();
    let problem = |at: usize| given.first_without(&here[at..=at]).map(|(_, why)| why);
    assert_eq!(problem(0), None);
    let Some(NotGiven::Skipped { reason }) = problem(1) else {
        panic!("{:?}", problem(1));
    };
    assert!(reason.contains("question"), "{reason}");
    assert_eq!(problem(2), Some(NotGiven::Differs { field: "question" }));
    assert_eq!(problem(3), Some(NotGiven::Differs { field: "passage" }));
    for at in [4, 7, 10] {
        assert_eq!(problem(at), Some(NotGiven::Unknown { missing: 1 }), "{at}");
    }
    assert_eq!(
        given.first_without(&here).unwrap().0,
        here[1].id,
        "in the order of the data set"
    );
    // Strict: the first of a chunk, with its id. Lenient: listed.
    let strict = Job::new(&explainer, asked(&options, Some(&given)), false, 1).unwrap();
    let folder = TempDir::new().unwrap();
    let plan = plan(&explainer, &here, asked(&options, Some(&given)), 11);
    let strict_run = Run::plan(folder.path(), plan).unwrap();
    let error = strict_run.chunk(0, &here, &strict, &|| ()).unwrap_err();
    let StoreError::Question { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(matches!(source, QuestionError::Answer(_)), "{source:?}");
    assert!(!strict_run.part(0).exists());
    let (_mine, mut mine) = run(&explainer, &here, asked(&options, Some(&given)), (11, 2));
    let finished = mine.finish().unwrap().clone();
    assert_eq!((finished.questions, finished.skipped.len()), (3, 8));
    let Found::Skipped(skipped) = mine.find(&here[10].id).unwrap() else {
        panic!("expected it skipped");
    };
    assert_eq!(
        skipped.reason,
        "answers: the run that has the answers lacks this question; 1 of its chunks are still to be done"
    );
    // What was missing is there again.
    fs::write(&missing, kept).unwrap();
    let given = other.answers(&here).unwrap();
    assert_eq!(given.first_without(&here[4..10]), None);
    let lacks = given.first_without(&here[10..]).unwrap().1;
    assert_eq!(lacks, NotGiven::Unknown { missing: 0 });
    assert_eq!(
        lacks.to_string(),
        "the run that has the answers lacks this question"
    );
}

/// Windows of another length are others: a place in them is none here.
#[test]
fn answers_of_other_windows_are_refused() {
    let (explainer, questions, mut options) = (explainer(), questions(), options(1e9));
    let (_folder, own) = run(&explainer, &questions, asked(&options, None), (11, 1));
    let given = own.answers(&questions).unwrap();
    options.answering.stride = 7;
    let (_other, mut other) = run(
        &explainer,
        &questions,
        asked(&options, Some(&given)),
        (11, 1),
    );
    let finished = other.finish().unwrap().clone();
    let several = records(&own).into_iter();
    let several: Vec<String> = several
        .filter(|row| row.explanation.window.count > 1)
        .map(|row| row.id)
        .collect();
    assert!(!several.is_empty());
    let skipped: Vec<String> = finished.skipped.iter().map(|s| s.id.clone()).collect();
    assert_eq!(skipped, several);
    assert!(
        finished.skipped[0]
            .reason
            .starts_with("answer: expected a place in one of the passage's "),
        "{:?}",
        finished.skipped
    );
}
