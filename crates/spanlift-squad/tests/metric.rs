//! The metric against pairs that the official script was run on, and against cases worked out by hand from its
//! definition.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use serde::Deserialize;
use serde_json::json;
use spanlift_squad::{
    Best, ById, Evaluation, MetricError, Part, Question, QuestionKind, Score, SquadError, evaluate,
    normalise, score,
};

#[derive(Deserialize)]
struct Pair {
    prediction: String,
    answers: Vec<String>,
    exact: f64,
    f1: f64,
}

#[test]
fn pairs_score_as_the_official_script_scores_them() {
    let pairs: Vec<Pair> = serde_json::from_str(include_str!("files/metric.json")).unwrap();
    assert_eq!(pairs.len(), 40);
    for pair in pairs {
        let got = score(&pair.prediction, pair.answers.iter().map(String::as_str));
        let expected = Score {
            exact: pair.exact,
            f1: pair.f1,
        };
        assert_eq!(got, expected, "{:?} {:?}", pair.prediction, pair.answers);
    }
}

#[test]
fn words_are_normalised_in_the_scripts_order() {
    for (text, words) in [
        // Punctuation goes before articles: `a-b` is the word `ab`, and `a.` is an article.
        ("A-b, a. the_cat", "ab thecat"),
        ("The theatre, an ant", "theatre ant"),
        // Letters with marks and digits hold an article fast; a combining mark does not.
        ("thé the1 1the", "thé the1 1the"),
        ("a\u{301}", "\u{301}"),
        // No letter in Python, though Unicode calls it alphabetic.
        ("\u{24b6} a\u{24d1}", "\u{24d0} \u{24d1}"),
        ("x\u{1f}y\u{a0}z\u{2003}", "x y z"),
        ("«the»", "« »"),
        ("", ""),
    ] {
        assert_eq!(normalise(text), words, "{text:?}");
    }
}

#[test]
fn exact_and_f1_each_take_their_best_gold_answer() {
    // Against `b c d`: 1 common, P 1, R 1/3, F1 1/2. Against `c`: none. Against `b x`: P 1, R 1/2, F1 2/3.
    let got = score("b", ["b c d", "c", "b x"]);
    assert_eq!((got.exact, got.f1), (0.0, 2.0 / 3.0));
    // Common words count as often as both have them: 2 of 3 and 2 of 4.
    let got = score("x x y", ["x x z z"]);
    assert!((got.f1 - 4.0 / 7.0).abs() < 1e-15, "{got:?}");
    // Gold answers of articles alone are passed over.
    assert_eq!(score("", ["the", "b"]).exact, 0.0);
    assert_eq!(score("", ["the", "a"]).exact, 1.0);
}

fn question(id: &str, text: &str, gold: &[&str]) -> Question {
    let answers = gold
        .iter()
        .map(|text| json!({"text": text, "answer_start": 0}))
        .collect::<Vec<_>>();
    let file = json!({"data": [{"paragraphs": [{"context": gold.first().unwrap_or(&"x"), "qas": [
        {"id": id, "question": text, "answers": answers}]}]}]});
    let dataset = spanlift_squad::parse(file.to_string().as_bytes()).unwrap();
    dataset.questions.into_iter().next().unwrap()
}

/// Two questions with an answer, two without.
fn questions() -> Vec<Question> {
    vec![
        question("a", "Who?", &["red fox"]),
        question("b", "How many?", &["two"]),
        question("c", "Who?", &[]),
        question("d", "Then?", &[]),
    ]
}

fn by_id<T: Clone>(entries: &[(&str, T)]) -> ById<T> {
    entries
        .iter()
        .map(|(id, value)| ((*id).to_owned(), value.clone()))
        .collect()
}

fn predictions() -> ById<String> {
    by_id(&[
        ("a", "fox".to_owned()),
        ("b", "Two.".to_owned()),
        ("c", "x".to_owned()),
        ("d", String::new()),
    ])
}

fn part(exact: f64, f1: f64, total: usize) -> Part {
    Part { exact, f1, total }
}

#[test]
fn parts_are_means_in_per_cent() {
    // a: F1 2·1·½/1½ = 2/3; b: 1, 1; c: answered, 0; d: right.
    let got = evaluate(&questions(), &predictions(), None, 1.0).unwrap();
    let third = 2.0 / 3.0;
    assert_eq!(
        got,
        Evaluation {
            all: part(50.0, 100.0 * (third + 1.0 + 0.0 + 1.0) / 4.0, 4),
            has_answer: Some(part(50.0, 100.0 * (third + 1.0) / 2.0, 2)),
            no_answer: Some(part(50.0, 50.0, 2)),
            best: None,
            kinds: vec![
                (QuestionKind::Who, part(0.0, 100.0 * third / 2.0, 2)),
                (QuestionKind::HowMany, part(100.0, 100.0, 1)),
                (QuestionKind::Other, part(100.0, 100.0, 1)),
            ],
        }
    );
    // Only answerable ones, as in version 1.1.
    let got = evaluate(&questions()[..2], &predictions(), None, 1.0).unwrap();
    assert_eq!((got.no_answer, got.all.total), (None, 2));
}

#[test]
fn odds_above_the_threshold_are_no_answer() {
    let odds = by_id(&[("a", 2.0), ("b", 1.0), ("c", 1.5), ("d", -3.0)]);
    let got = evaluate(&questions(), &predictions(), Some(&odds), 1.0).unwrap();
    // a becomes wrong, b (no larger than 1) stays, c becomes right, d is empty and right.
    assert_eq!(
        (got.all, got.has_answer),
        (part(75.0, 75.0, 4), Some(part(50.0, 50.0, 2)))
    );
    let all = evaluate(&questions(), &predictions(), Some(&odds), f64::INFINITY).unwrap();
    assert_eq!(all.all.exact, 50.0);
    // The sweep does not depend on the threshold.
    assert_eq!(all.best, got.best);
}

#[test]
fn best_thresholds_are_those_of_the_sweep() {
    // Nothing answered: c and d are right, 2. By odds: b +1 → 3; a +0 (exact) or +2/3 (F1); c −1; d, empty, 0.
    let odds = by_id(&[
        ("d", 9.0),
        ("c", 4.0),
        ("a", 0.5),
        ("b", -2.0),
        ("stranger", -5.0),
    ]);
    let best = evaluate(&questions(), &predictions(), Some(&odds), 1.0)
        .unwrap()
        .best
        .unwrap();
    let f1 = 100.0 * (2.0 + 1.0 + 2.0 / 3.0) / 4.0;
    assert_eq!(
        best,
        Best {
            exact: 75.0,
            exact_thresh: -2.0,
            f1,
            f1_thresh: 0.5
        }
    );

    // Equal odds, in the order of the file: after b alone the score is best, though a threshold cannot part them.
    let tie = |ids: [&str; 2]| {
        let odds = by_id(&[(ids[0], 1.0), (ids[1], 1.0), ("a", 7.0), ("d", 7.0)]);
        evaluate(&questions(), &predictions(), Some(&odds), 1.0)
            .unwrap()
            .best
            .unwrap()
    };
    assert_eq!(
        (tie(["b", "c"]).exact, tie(["b", "c"]).exact_thresh),
        (75.0, 1.0)
    );
    assert_eq!(
        (tie(["c", "b"]).exact, tie(["c", "b"]).exact_thresh),
        (50.0, 0.0)
    );
}

#[test]
fn the_official_json_has_the_scripts_names_in_its_order() {
    let odds = by_id(&[("a", 0.5), ("b", -2.0), ("c", 4.0), ("d", 9.0)]);
    let names = |evaluation: &Evaluation| -> Vec<String> {
        let text = evaluation.official_json();
        let lines = text.lines().filter_map(|line| line.split('"').nth(1));
        lines.map(str::to_owned).collect()
    };
    let whole = evaluate(&questions(), &predictions(), Some(&odds), 1.0).unwrap();
    assert_eq!(
        names(&whole),
        [
            "exact",
            "f1",
            "total",
            "HasAns_exact",
            "HasAns_f1",
            "HasAns_total",
            "NoAns_exact",
            "NoAns_f1",
            "NoAns_total",
            "best_exact",
            "best_exact_thresh",
            "best_f1",
            "best_f1_thresh"
        ]
    );
    let few = evaluate(&questions()[..2], &predictions(), None, 1.0).unwrap();
    assert_eq!(
        names(&few),
        [
            "exact",
            "f1",
            "total",
            "HasAns_exact",
            "HasAns_f1",
            "HasAns_total"
        ]
    );
    assert!(few.official_json().contains("\"total\": 2,"));
}

#[test]
fn a_question_without_a_prediction_is_an_error() {
    let few = by_id(&[("b", String::new()), ("d", String::new())]);
    let error = evaluate(&questions(), &few, None, 1.0).unwrap_err();
    assert!(
        matches!(
            error,
            MetricError::Missing {
                count: 2,
                total: 4,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "expected prediction for each of 4 questions, got none for 2; the first is `a`"
    );
    let error = evaluate(
        &questions(),
        &predictions(),
        Some(&by_id(&[("a", 1.0)])),
        1.0,
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            MetricError::Missing {
                what: "null odds",
                count: 3,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn nothing_to_score_is_an_error() {
    let error = evaluate(&[], &predictions(), None, 1.0).unwrap_err();
    assert!(matches!(error, MetricError::NoQuestions), "{error:?}");
}

#[test]
fn official_files_are_read_as_they_are_written() {
    let odds = by_id(&[("z", 0.1), ("a", -1e-7), ("é", 3.0)]);
    let text = odds.to_json().unwrap();
    assert_eq!(ById::<f64>::read(text.as_bytes()).unwrap(), odds);
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    assert_eq!(ById::<f64>::read(&packed[..]).unwrap(), odds);
    // As in Python: the later value at the earlier place.
    let twice = ById::<f64>::read(&b"{\"a\": 1, \"b\": 2, \"a\": 3}"[..]).unwrap();
    assert_eq!(twice.iter().collect::<Vec<_>>(), [("a", &3.0), ("b", &2.0)]);
    assert_eq!((twice.len(), twice.is_empty()), (2, false));
}

#[test]
fn other_files_are_no_predictions() {
    let refused = |text: &str| ById::<String>::read(text.as_bytes()).unwrap_err();
    for (text, start) in [
        (
            "[]",
            "expected a JSON object from question ids to values: invalid type: sequence",
        ),
        (
            "{\"a\": \"x\", \"b\": 5}",
            "question `b`: expected a JSON object from question ids to values: invalid type: integer `5`",
        ),
        (
            "{\"a\": \"x\"} 5",
            "expected a JSON object from question ids to values: trailing characters",
        ),
        ("{\"a\": \"x\"", "expected a JSON object"),
    ] {
        let error = refused(text);
        assert!(matches!(error, MetricError::NotById { .. }), "{error:?}");
        assert!(error.to_string().starts_with(start), "{error}");
    }
    let error = ById::<String>::read(&b"\xff"[..]).unwrap_err();
    assert!(
        matches!(error, MetricError::File(SquadError::NotUtf8 { offset: 0 })),
        "{error:?}"
    );
}
