//! Faithfulness on a tiny model, against other ways to the same numbers; and comparisons that go on where they stopped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use spanlift::attribute::Reference;
use spanlift::attribute::rules::{GRADIENT, Preset, RESCALE};
use spanlift::checkpoint::Source;
use spanlift::methods::occlusion::Unit;
use spanlift::methods::{Method, integrated};
use spanlift::removal::Removal;
use spanlift::{AnswerChoice, Explainer, Item, Options, Scored};
use spanlift_explanation::{Part, words};
use spanlift_squad::Question;
use spanlift_store::{Asked, Data, Plan, Selection};
use spanlift_study::StudyError;
use spanlift_study::faithfulness::measure::{CURVE, ERASED, Measurement, measure};
use spanlift_study::faithfulness::{Comparison, ComparisonPlan, Row};

const QUESTION: &str = "who moved the bridge ?";
const PASSAGE: &str =
    "the mayor moved the old bridges to the harbour . the keeper painted the tower .";

const METHODS: [Scored; 4] = [
    scored(Method::Walk, RESCALE),
    scored(Method::Walk, GRADIENT),
    scored(Method::Occlusion(Unit::Word), RESCALE),
    scored(Method::Random(0), RESCALE),
];

const fn scored(method: Method, preset: Preset) -> Scored {
    Scored {
        method,
        preset,
        reference: None,
    }
}

fn explainer() -> Explainer<f64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    Explainer::load(Source::Folder(&folder)).unwrap()
}

fn value(
    all: &[Measurement],
    method: usize,
    metric: &str,
    removal: Option<Removal>,
    at: Option<usize>,
) -> f64 {
    let mut found = all.iter().filter(|m| {
        m.method == method
            && m.metric == metric
            && m.removal == removal
            && m.at == at
            && m.other.is_none()
    });
    let value = found
        .next()
        .unwrap_or_else(|| panic!("{metric} {removal:?} {at:?}"))
        .value;
    assert!(found.next().is_none());
    value
}

#[test]
fn masked_words_cost_what_a_reference_of_masks_says() {
    let explainer = explainer();
    let options = Options::default();
    let item = Item {
        question: QUESTION,
        passage: PASSAGE,
    };
    let (explained, all) = measure(&explainer, item, &METHODS, &options).unwrap();
    for (method, explained) in explained.iter().enumerate() {
        let explanation = &explained.explanation;
        let mut ranked = words(explanation);
        ranked.retain(|word| word.part != Part::Special);
        ranked.sort_by(|a, b| {
            b.score(&explanation.word_score)
                .total_cmp(&a.score(&explanation.word_score))
        });
        for share in ERASED {
            let count = (ranked.len() * share).div_ceil(100);
            let mut ids = explained.encoding.ids.clone();
            for word in &ranked[..count] {
                ids[word.tokens.clone()].fill(4);
            }
            // Δt against a reference of the words that are left.
            let reference = Reference::Tokens(vec![ids]);
            let against = explainer
                .explain(
                    QUESTION,
                    PASSAGE,
                    &Options {
                        reference,
                        ..Options::default()
                    },
                )
                .unwrap();
            let expected = against.explanation.target.delta;
            let got = value(
                &all,
                method,
                "comprehensiveness",
                Some(Removal::Mask),
                Some(share),
            );
            assert!(
                (got - expected).abs() < 1e-12,
                "{method} {share}: {got} {expected}"
            );
        }
    }
}

#[test]
fn metrics_fit_together() {
    let options = Options {
        answer: AnswerChoice::Text("old bridges".to_owned()),
        ..Options::default()
    };
    let item = Item {
        question: QUESTION,
        passage: PASSAGE,
    };
    let (explained, all) = measure(&explainer(), item, &METHODS, &options).unwrap();
    for method in 0..METHODS.len() {
        for removal in Removal::ALL {
            let at = |metric: &str, share: usize| {
                value(&all, method, metric, Some(removal), Some(share))
            };
            // Everything taken away is everything taken away; what is put back and what is still missing make the whole.
            let whole = at("deletion", 100);
            assert!((at("insertion", 100) - whole).abs() < 1e-12);
            for share in [10, 20, 50] {
                assert!((at("sufficiency", share) + at("insertion", share) - whole).abs() < 1e-12);
                assert_eq!(at("comprehensiveness", share), at("deletion", share));
            }
            let curve = CURVE.map(|share| at("deletion", share));
            let area = (curve.iter().sum::<f64>() - curve[9] / 2.0) / 10.0;
            assert!(
                (value(&all, method, "deletion-area", Some(removal), None) - area).abs() < 1e-12
            );
            for share in ERASED {
                let p = at("comprehensiveness-p", share);
                assert!((-1.0..=1.0).contains(&p), "{p}");
            }
        }
        let passes = value(&all, method, "forward", None, None);
        assert_eq!(passes, explained[method].passes.forward as f64);
    }
    assert!(value(&all, 0, "completeness", None, None) < 1e-12);
    assert!(value(&all, 1, "completeness", None, None) > 1e-3);
    let agreement = |metric: &str, method: usize, other: usize| {
        let found = all
            .iter()
            .find(|m| m.metric == metric && m.method == method && m.other == Some(other));
        found.unwrap().value
    };
    for metric in ["pearson", "spearman", "overlap"] {
        assert_eq!(agreement(metric, 0, 2), agreement(metric, 2, 0), "{metric}");
    }
    assert!(agreement("pearson", 0, 2) > 0.5);
}

fn questions() -> Vec<Question> {
    let of = |(n, question): (usize, &str)| Question {
        id: format!("q{n}"),
        title: Arc::from("Town"),
        question: question.to_owned(),
        context: Arc::from(if n < 5 {
            PASSAGE
        } else {
            "the mayor opened the school in 1901 ."
        }),
        answers: Vec::new(),
        is_impossible: true,
    };
    let questions = [
        QUESTION,
        "who painted the tower ?",
        "where is the bridge ?",
        "what was old ?",
        "who ?",
        "when ?",
    ];
    questions.into_iter().enumerate().map(of).collect()
}

fn plan(explainer: &Explainer<f64>, methods: &[Scored], options: &Options) -> ComparisonPlan {
    let questions = questions();
    let data = Data::new("town.json", &questions, questions.len(), 0);
    ComparisonPlan::new(options, methods, |keep, chunk_size| {
        Plan::new(
            data,
            Selection::default(),
            explainer,
            "model".to_owned(),
            Asked {
                options,
                given: None,
                keep,
            },
            chunk_size,
        )
    })
}

/// Time is nobody's to repeat.
fn timeless(mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(|row| row.metric != "seconds");
    rows
}

#[test]
fn chunks_are_done_in_any_order_to_the_same_rows() {
    let (explainer, options, questions) = (explainer(), Options::default(), questions());
    let plan = || plan(&explainer, &METHODS, &options);
    let all = |chunks: &[usize]| {
        let folder = tempfile::TempDir::new().unwrap();
        let comparison = Comparison::plan(folder.path(), plan()).unwrap();
        assert_eq!((comparison.chunks(), comparison.missing()), (2, vec![0, 1]));
        for &chunk in chunks {
            // As another process would.
            let comparison = Comparison::plan(folder.path(), plan()).unwrap();
            comparison
                .chunk(chunk, &questions, &explainer, &METHODS, &options, || ())
                .unwrap();
        }
        assert_eq!(comparison.missing(), Vec::<usize>::new());
        timeless(comparison.rows().unwrap())
    };
    let rows = all(&[0, 1]);
    assert_eq!(rows, all(&[1, 0, 1]));
    let ids: std::collections::BTreeSet<&str> = rows.iter().map(|row| &*row.id).collect();
    assert_eq!(ids.len(), 6);
    let passages: std::collections::BTreeSet<usize> = rows.iter().map(|row| row.passage).collect();
    assert_eq!(passages.len(), 2);
    let methods: std::collections::BTreeSet<&str> = rows.iter().map(|row| &*row.method).collect();
    assert_eq!(
        methods.into_iter().collect::<Vec<_>>(),
        ["deeplift", "gradient-x-input", "occlusion", "random"]
    );
}

#[test]
fn another_comparison_and_damaged_parts_are_refused() {
    let (explainer, options, questions) = (explainer(), Options::default(), questions());
    let folder = tempfile::TempDir::new().unwrap();
    let comparison = Comparison::plan(folder.path(), plan(&explainer, &METHODS, &options)).unwrap();
    comparison
        .chunk(0, &questions, &explainer, &METHODS, &options, || ())
        .unwrap();
    let other = Options {
        reference: Reference::Zero,
        ..Options::default()
    };
    let refused = |methods: &[Scored]| {
        let error = Comparison::plan(folder.path(), plan(&explainer, methods, &other)).unwrap_err();
        let StudyError::OtherComparison { differences, .. } = error else {
            panic!("{error}")
        };
        differences
    };
    let differences = refused(&METHODS);
    let expected = r#"run.method.info.reference: it has "mask", asked for "zero""#;
    assert!(
        differences.iter().any(|difference| difference == expected),
        "{differences:?}"
    );
    assert_eq!(
        refused(&METHODS[..2]),
        [
            "methods: it has deeplift, gradient-x-input, occlusion, random, asked for deeplift, gradient-x-input"
        ]
    );
    // What holds something else is left as it is.
    let elsewhere = tempfile::TempDir::new().unwrap();
    fs::write(elsewhere.path().join("run.json"), "").unwrap();
    let error =
        Comparison::plan(elsewhere.path(), plan(&explainer, &METHODS, &options)).unwrap_err();
    assert!(
        error.to_string().contains("holds a run of explanations"),
        "{error}"
    );
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);

    // What a method is told beside its rule makes another method of it.
    let with = |method: Method| [scored(Method::Walk, RESCALE), scored(method, RESCALE)];
    let path = |steps: usize| {
        Method::IntegratedGradients(integrated::Path {
            steps: integrated::Steps::Fixed(steps),
            ..integrated::Path::default()
        })
    };
    for (ours, theirs, field) in [
        (path(50), path(5), "points"),
        (
            Method::Occlusion(Unit::Window(3)),
            Method::Occlusion(Unit::Window(9)),
            "tokens",
        ),
        (Method::Random(0), Method::Random(1), "seed"),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        let planned = |method| plan(&explainer, &with(method), &options);
        Comparison::plan(folder.path(), planned(ours)).unwrap();
        Comparison::plan(folder.path(), planned(ours)).unwrap();
        let error = Comparison::plan(folder.path(), planned(theirs)).unwrap_err();
        let StudyError::OtherComparison { differences, .. } = &error else {
            panic!("{error}")
        };
        assert!(
            matches!(&differences[..], [one] if one.contains(field)),
            "{differences:?}"
        );
    }

    let part = folder.path().join("parts/chunk-00000.parquet");
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
    let error = comparison.rows().unwrap_err();
    assert!(matches!(error, StudyError::DamagedPart { .. }), "{error}");
    fs::write(
        folder.path().join("compare.json"),
        r#"{"format": "spanlift.run"}"#,
    )
    .unwrap();
    let error = Comparison::open(folder.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected the plan of a comparison"),
        "{error}"
    );
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(
        Comparison::open(&nowhere).unwrap_err(),
        StudyError::Io { .. }
    ));
}
