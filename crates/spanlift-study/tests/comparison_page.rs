//! The page of a comparison: its data as the web component reads it, and the questions that it shows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use spanlift::attribute::rules::{GRADIENT, Preset, RESCALE};
use spanlift::checkpoint::Source;
use spanlift::methods::Method;
use spanlift::{Explainer, Options, Scored};
use spanlift_explanation::Part;
use spanlift_squad::{GoldAnswer, Question};
use spanlift_store::{Asked, Data, Plan, Selection};
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::faithfulness::{
    Comparison, ComparisonPlan, Example, ExampleScores, ExampleWord, PageData, Row, Summary,
    chosen, json, page,
};

fn explainer() -> Explainer<f64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    Explainer::load(Source::Folder(&folder)).unwrap()
}

fn methods() -> [Scored; 3] {
    let scored = |method: Method, preset: Preset| Scored {
        method,
        preset,
        reference: None,
    };
    [
        scored(Method::Walk, RESCALE),
        scored(Method::Walk, GRADIENT),
        scored(Method::Random(0), RESCALE),
    ]
}

fn questions() -> Vec<Question> {
    let of = |id: &str, question: &str, gold: Option<(&str, usize)>| Question {
        id: id.to_owned(),
        title: Arc::from("The </script> town"),
        question: question.to_owned(),
        context: Arc::from(
            "The mayor  moved the old bridges\nto the harbour. The keeper painted the tower.",
        ),
        answers: gold
            .into_iter()
            .map(|(text, start)| GoldAnswer {
                text: text.to_owned(),
                start,
            })
            .collect(),
        is_impossible: gold.is_none(),
    };
    vec![
        of("a", " Who moved the bridge?", Some(("The mayor", 0))),
        of("b", "who painted the tower ?", None),
    ]
}

fn plan(explainer: &Explainer<f64>, name: &str, options: &Options) -> ComparisonPlan {
    let questions = questions();
    let data = Data::new(name, &questions, questions.len(), 0);
    ComparisonPlan::new(options, &methods(), |keep, chunk_size| {
        let asked = Asked {
            options,
            given: None,
            keep,
        };
        let hash = "model".to_owned();
        Plan::new(
            data,
            Selection::default(),
            explainer,
            hash,
            asked,
            chunk_size,
        )
    })
}

fn row(id: &str, passage: usize, flags: [bool; 2], method: &str, metric: &str, value: f64) -> Row {
    Row {
        id: id.to_owned(),
        passage,
        question_type: "who".to_owned(),
        answered: flags[0],
        answerable: true,
        exact: flags[1],
        method: method.to_owned(),
        metric: metric.to_owned(),
        other: None,
        removal: None,
        at: None,
        value: Some(value),
    }
}

/// Numbers that a reader of the file can add up: DeepLIFT's deletion area is 4 above that of random scores.
fn rows() -> Vec<Row> {
    let names = ["deeplift", "gradient-x-input", "random"];
    let mut rows = Vec::new();
    // Twelve questions, each of a passage of its own, so that their means have intervals.
    for (place, id) in ('a'..='l').enumerate() {
        let (q, id) = (place % 3, id.to_string());
        for (m, method) in names.into_iter().enumerate() {
            let of = |metric: &str, value| row(&id, place, [true, q != 1], method, metric, value);
            let (q, m) = (q as f64, m as f64);
            for removal in ["mask", "delete"] {
                rows.push(Row {
                    removal: Some(removal.to_owned()),
                    ..of("deletion-area", 9.0 + q - 2.0 * m)
                });
                for (at, share) in [(10, 0.5), (100, 1.0)] {
                    rows.push(Row {
                        removal: Some(removal.to_owned()),
                        at: Some(at),
                        ..of("deletion", share * (9.0 + q - 2.0 * m))
                    });
                }
            }
            rows.push(of("completeness", [3e-7, 0.5, 1.25][m as usize]));
            rows.push(of("seconds", 0.25 * (m + 1.0)));
            for (n, other) in names
                .into_iter()
                .enumerate()
                .filter(|(n, _)| *n as f64 != m)
            {
                rows.push(Row {
                    other: Some(other.to_owned()),
                    ..of("pearson", 0.25 * (m + n as f64))
                });
            }
            rows.push(Row {
                other: Some("head".to_owned()),
                at: Some(1),
                ..of("randomised", 0.5 - 0.25 * m)
            });
        }
    }
    rows
}

fn example() -> Example {
    let word = |part, before: &str, text: &str, answer| ExampleWord {
        part,
        before: before.to_owned(),
        text: text.to_owned(),
        answer,
    };
    let scores = |name: &str, scores: [f32; 4], error| ExampleScores {
        name: name.to_owned(),
        scores: scores.to_vec(),
        delta: 2.5,
        error,
        complete: name == "deeplift",
    };
    Example {
        id: "a".to_owned(),
        title: "Mills".to_owned(),
        answer: "Ada".to_owned(),
        has_answer: true,
        gold: vec!["Ada".to_owned()],
        exact: true,
        words: vec![
            word(Part::Special, "", "[CLS]", false),
            word(Part::Question, "", "Who", false),
            word(Part::Passage, "", "Ada", true),
            word(Part::Passage, "  ", "did", false),
        ],
        methods: vec![
            scores("deeplift", [0.0, 0.5, 2.5, -0.5], 0.0),
            scores("gradient-x-input", [0.25, -1.0, 0.5, 0.25], -2.5),
            scores("random", [1.0, -1.0, 0.5, -0.5], -2.5),
        ],
    }
}

fn written(data_name: &str) -> (String, String) {
    let (explainer, options) = (explainer(), Options::default());
    let plan = plan(&explainer, data_name, &options);
    let rows = rows();
    let summary = Summary::new(&rows, plan.names());
    let bootstrap = Bootstrap {
        resamples: 100,
        seed: 0,
    };
    let tables = [
        summary.faithfulness(bootstrap),
        summary.agreement(bootstrap),
        summary.sanity(bootstrap),
        summary.pairs(bootstrap),
    ];
    let tables: Vec<_> = tables.iter().collect();
    let data = PageData {
        plan: &plan,
        questions: summary.questions(),
        options: &[("resamples", "100".to_owned())],
        tables: &tables,
        examples: &[example()],
    };
    (json(&data).unwrap(), page(&data).unwrap())
}

/// `web/tests/unit` reads this file: what is written here is what the page understands.
#[test]
fn the_data_is_what_the_page_reads() {
    let written = written("town.json").0 + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/compared.json");
    let known = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == known,
        "tests/data/compared.json is not what the page is written of:\n{written}"
    );
}

#[test]
fn a_hostile_name_is_text() {
    let (_, html) = written("<script>alert(1)</script>.json");
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;.json</h1>"));
}

#[test]
fn the_first_questions_of_each_kind_are_shown() {
    let kinds = [
        ("1", [false, true]),
        ("2", [true, false]),
        ("3", [true, true]),
        ("4", [false, true]),
        ("5", [true, true]),
        ("6", [true, true]),
        ("7", [true, false]),
        ("8", [true, false]),
    ];
    let rows: Vec<Row> = kinds
        .iter()
        .flat_map(|(id, flags)| {
            ["x", "y"].map(|metric| row(id, 0, *flags, "deeplift", metric, 0.0))
        })
        .collect();
    assert_eq!(chosen(&rows), ["3", "5", "2", "7", "1"]);
}

#[test]
fn a_question_is_told_word_by_word_and_explained_once() {
    let (explainer, options, questions) = (explainer(), Options::default(), questions());
    let folder = tempfile::tempdir().unwrap();
    let comparison =
        Comparison::plan(folder.path(), plan(&explainer, "town.json", &options)).unwrap();
    let ids = ["b".to_owned(), "a".to_owned()];
    let mut made = 0;
    let mut examples = |ids: &[String]| {
        let done = || made += 1;
        let found = comparison.examples(ids, &questions, &explainer, &methods(), &options, done);
        (found.unwrap(), made)
    };
    let (found, count) = examples(&ids);
    assert_eq!(count, 2);
    assert_eq!(found.iter().map(|e| &*e.id).collect::<Vec<_>>(), ["b", "a"]);
    for (example, question) in found.iter().zip([&questions[1], &questions[0]]) {
        // All of both texts, as they are written.
        for (part, text) in [
            (Part::Question, question.question.as_str()),
            (Part::Passage, &*question.context),
        ] {
            let words = example.words.iter().filter(|word| word.part == part);
            let told: String = words.map(|w| format!("{}{}", w.before, w.text)).collect();
            assert_eq!(told, text);
        }
        assert!(example.words.iter().any(|word| word.answer) == example.has_answer);
        for (scored, method) in example.methods.iter().zip(methods()) {
            let options = method.options(&options);
            let alone = explainer
                .explain(&question.question, &question.context, &options)
                .unwrap()
                .explanation;
            let words = spanlift_explanation::words(&alone);
            let want: Vec<f32> = words.iter().map(|w| w.score(&alone.word_score)).collect();
            assert_eq!(scored.scores, want, "{}", scored.name);
            assert_eq!(scored.error, alone.word_error);
            assert_eq!(scored.complete, scored.name == "deeplift");
        }
    }
    // What is there is not made again; other questions are, and a damaged file.
    assert_eq!(examples(&ids), (found.clone(), 2));
    assert_eq!(examples(&ids[..1]).1, 3);
    fs::write(folder.path().join("examples.json"), "[").unwrap();
    let (again, count) = examples(&ids);
    assert_eq!((again == found, count), (true, 5));
}
