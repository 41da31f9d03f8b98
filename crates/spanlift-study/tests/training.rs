//! A training's tables and page, from maps made by hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

mod common;

use std::fs;

use common::record;
use spanlift_explanation::ModelInfo;
use spanlift_store::Data;
use spanlift_study::bootstrap::Bootstrap;
use spanlift_study::profile::Profile;
use spanlift_study::report::QuestionMap;
use spanlift_study::roles::{Role, roles};
use spanlift_study::training::{PageData, Probed, Training, json, page};
use spanlift_study::{StudyError, Table};
use spanlift_train::plan::{Settings, TrainPlan};
use spanlift_train::probe::ProbePlan;
use spanlift_train::run::Event;

const LAYERS: usize = 3;
const STEPS: [u64; 3] = [0, 20, 40];

/// Twelve questions, each of a passage of its own. With each step marked the answer's tokens have more of the last layer's score.
fn probed(step: u64) -> Probed {
    let weight = [1.0, 4.0, 20.0][(step / 20) as usize];
    let mut probed = Probed {
        step,
        profiles: Vec::new(),
        maps: Vec::new(),
    };
    for i in 0..12 {
        let passage = format!("The mill of stone was sold in May 19{i:02}. Nobody came.");
        let year = format!("May 19{i:02}");
        // Before the first step every other question has no answer.
        let answer = if step == 0 && i % 2 == 1 {
            ""
        } else {
            year.as_str()
        };
        let mut record = record(
            &format!("q{i}"),
            "When was the mill sold?",
            &passage,
            answer,
            LAYERS,
            2,
        );
        record.exact = f64::from(step == 40);
        let roles = roles(&record.explanation);
        for (cut, layer) in record.explanation.layers.iter_mut().enumerate() {
            let score = |role: &Role| match role {
                Role::Answer if cut + 1 >= LAYERS => weight,
                Role::Punctuation => -0.5,
                Role::Match => 2.0,
                _ => 1.0,
            };
            layer.score = roles.iter().map(score).collect();
        }
        probed.profiles.push(Profile::of(&record, i));
        if i < 3 {
            probed.maps.push(QuestionMap::of(&record).unwrap());
        }
    }
    probed
}

fn training() -> Training {
    let mut events = vec![Event::Probe { step: 0 }];
    for step in 1..=40 {
        events.push(Event::Step {
            step,
            epoch: step as f64 / 10.0,
            loss: 4.0 / step as f64,
            rate: 1e-4,
            norm: 1.0,
            windows: 8,
            tokens: 400,
            seconds: step as f64,
        });
        if step % 20 == 0 {
            events.push(Event::Dev {
                step,
                exact: 30.0 + step as f64,
                f1: 35.0 + step as f64,
                questions: 100,
                best: true,
            });
            events.push(Event::Probe { step });
        }
    }
    let data = |name: &str, questions| Data {
        questions,
        of: questions,
        ..Data::new(name, &[], questions, 0)
    };
    Training {
        plan: TrainPlan {
            format: TrainPlan::FORMAT.to_owned(),
            version: TrainPlan::VERSION,
            spanlift: "0.1.0".to_owned(),
            base: ModelInfo {
                name: "invented".to_owned(),
                family: "bert".to_owned(),
                layers: LAYERS,
                heads: 2,
                hidden: 8,
            },
            base_sha256: "0".to_owned(),
            data: data("train.json", 300),
            dev: Some(data("dev.json", 100)),
            probe: Some(ProbePlan {
                data: data("probe.json", 12),
                reference: "mask".to_owned(),
                every: 20,
            }),
            settings: Settings {
                steps: 40,
                ..Settings::default()
            },
        },
        events,
        steps: STEPS.map(probed).into(),
        unfinished: 0,
    }
}

fn at(tables: &[Table], name: &str, wanted: &[(&str, &str)], column: &str) -> f64 {
    let table = tables.iter().find(|table| table.name == name).unwrap();
    let rows = table.find(wanted);
    assert_eq!(rows.len(), 1, "{name} {wanted:?}");
    table.number(column, rows[0])
}

fn tables() -> Vec<Table> {
    training().tables(Bootstrap {
        resamples: 100,
        seed: 0,
    })
}

#[test]
fn tables_have_each_step_and_what_was_planted() {
    let tables = tables();
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    assert_eq!(
        names,
        [
            "steps",
            "shares",
            "spread",
            "lead",
            "loss",
            "dev",
            "questions"
        ]
    );
    // [CLS] When was the mill sold ? [SEP] The mill of stone was sold in May 19xx . Nobody came . [SEP]: with an answer at step 40 the last layer has
    // two tokens of 20, matches of 2 (mill, sold) and 15 others of 1 that are no punctuation.
    let share = |step: &str, cut: &str| {
        let wanted = [
            ("step", step),
            ("group", "all"),
            ("source", "deeplift"),
            ("measure", "positive"),
            ("cut", cut),
            ("role", "answer"),
        ];
        at(&tables, "shares", &wanted, "mean")
    };
    let positive = 2.0 * 20.0 + 2.0 * 2.0 + 15.0;
    assert!(
        (share("40", "3") - 40.0 / positive).abs() < 1e-6,
        "{}",
        share("40", "3")
    );
    assert!(share("0", "3") < share("20", "3") && share("20", "3") < share("40", "3"));
    assert!((share("40", "1") - share("20", "1")).abs() < 1e-12);
    // Of the six answers of the first step none leads, at last every one does.
    let lead = |step: &str, column: &str| {
        let wanted = [("step", step), ("source", "deeplift"), ("cut", "3")];
        at(&tables, "lead", &wanted, column)
    };
    assert_eq!(
        [lead("0", "mean"), lead("20", "mean"), lead("40", "mean")],
        [0.0, 1.0, 1.0]
    );
    assert_eq!(
        [lead("0", "questions"), lead("40", "questions")],
        [6.0, 12.0]
    );
    let spread = |step: &str| {
        let wanted = [
            ("step", step),
            ("group", "answer"),
            ("source", "deeplift"),
            ("cut", "3"),
        ];
        at(&tables, "spread", &wanted, "mean")
    };
    assert!(spread("40") < spread("20"));
    let steps = |step: &str, column: &str| at(&tables, "steps", &[("step", step)], column);
    assert_eq!(
        [steps("0", "answered"), steps("40", "answered")],
        [0.5, 1.0]
    );
    assert_eq!([steps("0", "exact"), steps("40", "exact")], [0.0, 1.0]);
    let harmonic: f64 = (21..=40).map(|step| 4.0 / f64::from(step)).sum();
    assert!(steps("0", "loss").is_nan() && (steps("40", "loss") - harmonic / 20.0).abs() < 1e-12);
    // Those with an answer have a larger share of it than all.
    let groups = ["all", "answer", "no answer"].map(|group| {
        let wanted = [
            ("step", "0"),
            ("group", group),
            ("source", "deeplift"),
            ("measure", "positive"),
            ("cut", "3"),
            ("role", "answer"),
        ];
        at(&tables, "shares", &wanted, "mean")
    });
    assert!(
        (groups[0] - groups[1] / 2.0).abs() < 1e-7 && groups[2] == 0.0,
        "{groups:?}"
    );
    assert_eq!(at(&tables, "dev", &[("step", "40")], "f1"), 75.0);
    let questions = tables
        .iter()
        .find(|table| table.name == "questions")
        .unwrap();
    assert_eq!(questions.rows(), 36);
    assert_eq!(
        questions.text("answer", questions.find(&[("step", "20"), ("id", "q3")])[0]),
        "May 1903"
    );
}

/// `web/tests` reads this file: what is written here is what the page understands.
#[test]
fn the_data_is_what_the_page_reads() {
    let (training, tables) = (training(), tables());
    let data = PageData {
        name: "harbour-run",
        training: &training,
        tables: &tables,
    };
    let written = json(&data).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/training.json");
    let known = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == known,
        "tests/data/training.json is not what the page is written of:\n{written}"
    );
    assert!(page(&data).unwrap().contains("Training of invented"));
}

#[test]
fn what_is_no_training_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = Training::read(folder.path(), 3).unwrap_err();
    assert!(matches!(error, StudyError::NotATraining { .. }), "{error}");
    let plan = serde_json::to_vec(&training().plan).unwrap();
    fs::write(folder.path().join("train.json"), plan).unwrap();
    let error = Training::read(folder.path(), 3).unwrap_err();
    assert!(matches!(error, StudyError::NoProbe { .. }), "{error}");
    fs::write(folder.path().join("metrics.jsonl"), "{}\n").unwrap();
    let error = Training::read(folder.path(), 3).unwrap_err().to_string();
    assert!(
        error.contains("metrics.jsonl") && error.contains("line 1"),
        "{error}"
    );
}
