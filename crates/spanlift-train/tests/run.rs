//! Runs of training on a tiny model: it learns, and goes on to the same bits.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spanlift::Explainer;
use spanlift::Options;
use spanlift::answer::AnswerOptions;
use spanlift::checkpoint::{self, Checkpoint, Source};
use spanlift::model::Site;
use spanlift_explanation::ModelInfo;
use spanlift_squad::{GoldAnswer, Question, score};
use spanlift_store::{Data, Record, Run as StoreRun};
use spanlift_train::TrainError;
use spanlift_train::plan::{Settings, TrainPlan};
use spanlift_train::probe::{Probe, ProbePlan, probes};
use spanlift_train::run::{Begin, Event, Run};

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers")
}

fn loaded() -> Checkpoint<f32> {
    checkpoint::load(Source::Folder(&base())).unwrap()
}

fn files() -> Vec<(String, Vec<u8>)> {
    ["config.json", "vocab.txt", "tokenizer_config.json"]
        .map(|name| (name.to_owned(), fs::read(base().join(name)).unwrap()))
        .to_vec()
}

/// Eight passages of two sentences, four questions each: who, who, when, and one without an answer.
fn questions() -> Vec<Question> {
    let (who, verbs) = (["mayor", "keeper"], ["opened", "built", "painted", "moved"]);
    let what = ["bridge", "station", "tower", "school", "boat", "river"];
    let years = ["1893", "1901", "1877"];
    let mut questions = Vec::new();
    for p in 0..8 {
        let sentence = |k: usize| {
            let verb = verbs[(p + 3 * k) % 4];
            let (one, two) = (who[(p / 2 + k) % 2], what[(p + 2 * k) % 6]);
            let year = years[(p + k) % 3];
            let text = format!("the {one} {verb} the {two} in {year} .");
            (text, verb, one, two, year)
        };
        let (first, second) = (sentence(0), sentence(1));
        let context: Arc<str> = format!("{} {}", first.0, second.0).into();
        let asked = [
            (format!("who {} the {} ?", first.1, first.3), Some(first.2)),
            (
                format!("who {} the {} ?", second.1, second.3),
                Some(second.2),
            ),
            (
                format!("when was the {} {} ?", first.3, first.1),
                Some(first.4),
            ),
            (format!("who was the light {} for ?", first.1), None),
        ];
        for (q, (question, gold)) in asked.into_iter().enumerate() {
            let answers = gold.map(|text| GoldAnswer {
                text: text.to_owned(),
                start: context.find(text).unwrap(),
            });
            questions.push(Question {
                id: format!("{p}-{q}"),
                title: "town".into(),
                question,
                context: context.clone(),
                is_impossible: answers.is_none(),
                answers: answers.into_iter().collect(),
            });
        }
    }
    questions
}

fn settings(steps: u64) -> Settings {
    Settings {
        batch: 8,
        pack_tokens: 100,
        steps,
        rate: 5e-3,
        dropout: 0.0,
        attention_dropout: 0.0,
        weight_decay: 0.0,
        save_every: 5,
        evaluate_every: 1000,
        ..Settings::default()
    }
}

fn begin<'a>(
    settings: Settings,
    questions: &'a [Question],
    dev: &'a [Question],
    files: &'a [(String, Vec<u8>)],
) -> Begin<'a> {
    let checkpoint = loaded();
    let config = &checkpoint.encoder.config;
    let data = |name: &str, of: &[Question]| Data::new(name, of, of.len(), 0);
    Begin {
        plan: TrainPlan {
            format: TrainPlan::FORMAT.to_owned(),
            version: TrainPlan::VERSION,
            spanlift: "0".to_owned(),
            base: ModelInfo {
                name: config.name.clone(),
                family: config.family.name().to_owned(),
                layers: config.layers,
                heads: config.heads,
                hidden: config.hidden,
            },
            base_sha256: "base".to_owned(),
            data: data("train.json", questions),
            dev: (!dev.is_empty()).then(|| data("dev.json", dev)),
            settings,
            probe: None,
        },
        checkpoint,
        files,
        questions,
        dev,
        answering: AnswerOptions::default(),
        probe: None,
    }
}

fn bits(values: &[Vec<f32>]) -> Vec<u32> {
    values.iter().flatten().map(|x| x.to_bits()).collect()
}

/// 32 questions by heart, read back from the folder that was written.
#[test]
fn a_tiny_model_learns_its_questions() {
    let (questions, files) = (questions(), files());
    let folder = tempfile::tempdir().unwrap();
    let begin = begin(settings(400), &questions, &questions, &files);
    let mut run = Run::open(folder.path(), begin).unwrap();
    assert_eq!((run.windows(), run.epoch(), run.done()), (32, 4, 0));
    let mut losses = Vec::new();
    run.go(u64::MAX, &mut |event| {
        if let Event::Step { loss, .. } = event {
            losses.push(*loss);
        }
    })
    .unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert_eq!(losses.len(), 400);
    let (first, last) = (mean(&losses[..4]), mean(&losses[396..]));
    assert!(first > 2.0 && last < 0.05, "{first} {last}");
    let Some(Event::Dev { exact, best, .. }) = run.events().last() else {
        panic!("the dev questions are answered at the end");
    };
    assert_eq!((*exact, *best), (100.0, true));
    for name in ["best", "last"] {
        let folder = folder.path().join(name);
        let explainer: Explainer<f32> = Explainer::load(Source::Folder(&folder)).unwrap();
        for question in &questions {
            let options = AnswerOptions::default();
            let found = explainer.answer(&question.question, &question.context, &options);
            let gold = question.answers.iter().map(|gold| gold.text.as_str());
            let exact = score(&found.unwrap().answer.text, gold).exact;
            assert_eq!(exact, 1.0, "{name} {}", question.id);
        }
    }
}

#[test]
fn a_run_that_was_stopped_ends_like_one_that_was_not() {
    let (questions, files) = (questions(), files());
    let settings = Settings {
        dropout: 0.2,
        attention_dropout: 0.2,
        weight_decay: 0.1,
        evaluate_every: 6,
        ..settings(17)
    };
    let probed = &questions[2..5];
    let options = Options::default();
    let open = |folder: &Path| {
        let mut begin = begin(settings.clone(), &questions, &questions[..4], &files);
        begin.plan.probe = Some(ProbePlan {
            data: Data::new("probe.json", probed, 3, 0),
            reference: "mask".to_owned(),
            every: 5,
        });
        begin.probe = Some(Probe {
            questions: probed,
            options: &options,
        });
        Run::open(folder, begin).unwrap()
    };
    let timeless = |run: &Run<'_>| -> Vec<Event> {
        let mut events = run.events().to_vec();
        for event in &mut events {
            if let Event::Step { seconds, .. } = event {
                *seconds = 0.0;
            }
        }
        events
    };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut whole = open(folders[0].path());
    whole.go(17, &mut |_| ()).unwrap();

    for stop in [3, 7, 8, 13] {
        let mut run = open(folders[1].path());
        run.go(stop, &mut |_| ()).unwrap();
        drop(run);
        // Two steps more whose state nobody wrote: as killed.
        let mut lost = open(folders[1].path());
        assert_eq!(lost.done(), stop);
        let state = folders[1].path().join("state.safetensors");
        let written = fs::read(&state).unwrap();
        lost.go(stop + 2, &mut |_| ()).unwrap();
        drop(lost);
        fs::write(&state, written).unwrap();
    }
    // As if the steps that nobody wrote had been made on another kind of CPU, to other bits: what is behind them is of others.
    let of = |step: usize| folders[1].path().join(format!("probes/step-{step:07}"));
    fs::remove_dir_all(of(15)).unwrap();
    fs::rename(of(0), of(15)).unwrap();
    fs::create_dir(of(0)).unwrap();
    for name in ["run.json", "parts/chunk-00000.parquet"] {
        fs::create_dir_all(of(0).join("parts")).unwrap();
        fs::copy(of(15).join(name), of(0).join(name)).unwrap();
    }
    let mut rest = open(folders[1].path());
    assert_eq!(rest.done(), 13);
    rest.go(u64::MAX, &mut |_| ()).unwrap();
    let (a, b) = (rest.trainer().state(), whole.trainer().state());
    assert_eq!(bits(&a.values), bits(&b.values));
    assert_eq!(bits(&a.second), bits(&b.second));
    assert_eq!(a.mark.best, b.mark.best);
    assert_eq!(timeless(&rest), timeless(&whole));
    for name in ["last/model.safetensors", "best/model.safetensors"] {
        let [a, b] = [0, 1].map(|i: usize| fs::read(folders[i].path().join(name)).unwrap());
        assert_eq!(a, b, "{name}");
    }
    // The probe questions were explained before the first step, every five, and behind the last; in both the same.
    let records = |folder: &Path| -> Vec<(u64, Vec<Record>)> {
        let of = |(step, path): (u64, PathBuf)| {
            let run = StoreRun::open(&path).unwrap();
            assert!(run.finished().is_some());
            (step, run.records().unwrap().map(Result::unwrap).collect())
        };
        probes(folder).unwrap().into_iter().map(of).collect()
    };
    let [a, b] = folders.each_ref().map(|folder| records(folder.path()));
    assert_eq!(a, b);
    assert_eq!(
        a.iter().map(|probe| probe.0).collect::<Vec<_>>(),
        [0, 5, 10, 15, 17]
    );
    for (step, records) in &a {
        assert_eq!(records.len(), 3, "{step}");
        assert!(
            records
                .iter()
                .all(|record| record.explanation.completeness.holds)
        );
    }
    assert_ne!(a[0].1[0].explanation.layers, a[4].1[0].explanation.layers);
    let picture = fs::read_to_string(folders[1].path().join("loss.svg")).unwrap();
    assert!(
        picture.contains("F1 ") && picture.contains("</svg>"),
        "{picture}"
    );
    // There is nothing left to do but what somebody removed.
    drop(whole);
    let last = folders[0].path().join("last/model.safetensors");
    let written = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();
    let mut again = open(folders[0].path());
    again.go(u64::MAX, &mut |_| panic!("a step more")).unwrap();
    assert_eq!(fs::read(&last).unwrap(), written);
}

#[test]
fn threads_and_packs_do_not_matter_but_for_rounding() {
    let (questions, files) = (questions(), files());
    let run = |threads: usize, pack_tokens: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let settings = Settings {
            pack_tokens,
            ..settings(6)
        };
        let folder = tempfile::tempdir().unwrap();
        pool.install(|| {
            let mut run =
                Run::open(folder.path(), begin(settings, &questions, &[], &files)).unwrap();
            let mut losses = Vec::new();
            run.go(6, &mut |event| {
                if let Event::Step { loss, .. } = event {
                    losses.push(*loss);
                }
            })
            .unwrap();
            (run.trainer().state().values.clone(), losses)
        })
    };
    let (one, losses) = run(1, 100);
    assert_eq!(bits(&run(3, 100).0), bits(&one));
    // Where a gradient is next to nothing Adam makes a step of its rounding: weights may part, what they do may not.
    for (a, b) in run(2, 10_000).1.iter().zip(&losses) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    assert!(losses[0] - losses[5] > 0.1, "{losses:?}");
}

#[test]
fn what_is_frozen_stays() {
    let (questions, files) = (questions(), files());
    let settings = Settings {
        freeze_embeddings: true,
        freeze_layers: 1,
        ..settings(3)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::open(folder.path(), begin(settings, &questions, &[], &files)).unwrap();
    run.go(3, &mut |_| ()).unwrap();
    let before = loaded().encoder.values();
    let after = &run.trainer().state().values;
    for ((parameter, before), after) in run.trainer().parameters().iter().zip(before).zip(after) {
        let trained = matches!(parameter.site, Site::Layer(1, _) | Site::Head);
        let (site, side) = (parameter.site, parameter.side);
        assert_eq!(before != *after, trained, "{site:?} {side:?}");
    }
}

#[test]
fn a_folder_is_one_process_s_and_what_a_killed_one_left_is_removed() {
    let (questions, files) = (questions(), files());
    let folder = tempfile::tempdir().unwrap();
    let open = || Run::open(folder.path(), begin(settings(3), &questions, &[], &files));
    let mut run = open().unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, TrainError::Busy { .. }), "{error}");
    run.go(2, &mut |_| ()).unwrap();
    drop(run);
    let half = [
        ".state.safetensors.x1.tmp",
        "last/.model.safetensors.x2.tmp",
    ];
    for name in half {
        fs::write(folder.path().join(name), "half").unwrap();
    }
    let run = open().unwrap();
    assert_eq!(run.done(), 2);
    for name in half {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

/// Not behind the first steps, where another set of them would be another run.
#[test]
fn a_dev_or_probe_question_that_has_no_window_is_refused_at_once() {
    let (questions, files) = (questions(), files());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut begin = begin(settings(3), &questions, &questions[5..7], &files);
    begin.answering.max_tokens = 6;
    let error = Run::open(&path, begin).unwrap_err();
    assert!(
        matches!(&error, TrainError::Encode { what: "dev question", id, .. } if id == "1-1"),
        "{error}"
    );
    let mut options = Options::default();
    options.answering.max_tokens = 6;
    let mut begin = self::begin(settings(3), &questions, &questions, &files);
    begin.probe = Some(Probe {
        questions: &questions[9..],
        options: &options,
    });
    let error = Run::open(&path, begin).unwrap_err();
    assert!(
        matches!(&error, TrainError::Encode { what: "probe question", id, .. } if id == "2-1"),
        "{error}"
    );
    assert!(!path.exists());
}

#[test]
fn another_run_and_bad_numbers_are_refused() {
    let (questions, files) = (questions(), files());
    let folder = tempfile::tempdir().unwrap();
    Run::open(folder.path(), begin(settings(3), &questions, &[], &files)).unwrap();
    let other = begin(settings(4), &questions, &[], &files);
    let error = Run::open(folder.path(), other).unwrap_err();
    let TrainError::OtherRun { differences, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*differences, ["settings.steps: it has 3, asked for 4"]);
    let half = Settings {
        f16: true,
        ..settings(3)
    };
    let error = Run::open(folder.path(), begin(half, &questions, &[], &files)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("settings.f16: it has false, asked for true"),
        "{error}"
    );
    let none = Run::open(folder.path(), begin(settings(3), &[], &[], &files)).unwrap_err();
    assert!(matches!(none, TrainError::NoQuestion), "{none}");

    let wild = Settings {
        rate: 1e30,
        ..settings(50)
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::open(folder.path(), begin(wild, &questions, &[], &files)).unwrap();
    let error = run.go(50, &mut |_| ()).unwrap_err();
    let TrainError::NotFinite { step, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(run.done() + 1, step);
    let state = run.trainer().state();
    assert!(state.first.iter().flatten().all(|m| m.is_finite()));
}
