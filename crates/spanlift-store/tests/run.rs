//! Runs: what is written is read, the same bytes whoever writes them, and what does not belong together is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod common;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{asked, explainer, parts, plan, questions, run, store_doc};
use spanlift::Options;
use spanlift::attribute::rules::REVEAL_CANCEL;
use spanlift::attribute::{KeepEdges, Reference};
use spanlift_explanation::TargetKind;
use spanlift_squad::score;
use spanlift_store::{Data, Found, Job, Keep, Plan, Record, Run, Selection, StoreError, columns};
use tempfile::TempDir;

const EDGES: Keep = Keep {
    edges: Some(3),
    head_tokens: true,
};

/// The engine's own words for each question are what the parts hold: to the bit.
#[test]
fn rows_are_what_the_engine_explains() {
    let (_folder, run) = run(EDGES, 4, 2);
    let (explainer, questions) = (explainer(), questions());
    let options = Options {
        edges: KeepEdges::All,
        attention: true,
        ..Options::default()
    };
    let records: Vec<Record> = run.records().unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len(), questions.len());
    for (row, question) in records.iter().zip(&questions) {
        let explained = explainer.explain(&question.question, &question.context, &options);
        let explained = explained.unwrap();
        assert_eq!(row.explanation, explained.explanation);
        row.explanation.check_sums().unwrap();
        assert_eq!((&row.id, &*row.title), (&question.id, &*question.title));
        assert_eq!(
            (&row.gold, row.is_impossible),
            (&question.answers, question.is_impossible)
        );
        let gold = question.answers.iter().map(|gold| gold.text.as_str());
        let score = score(&row.explanation.answer.text, gold);
        assert_eq!((row.exact, row.f1), (score.exact, score.f1));
        // Attention: shares that add up to 1, the mean of columns.
        let tokens = row.explanation.tokens.len();
        assert_eq!(row.attention.len(), 2);
        for (received, heads) in row.attention.iter().zip(&explained.attention) {
            let sum: f32 = received.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            for (j, &got) in received.iter().enumerate() {
                let column = |head: &spanlift::ops::Matrix<f32>| -> f64 {
                    (0..tokens).map(|i| f64::from(head.row(i)[j])).sum()
                };
                let mean = heads.iter().map(column).sum::<f64>() / (2 * tokens) as f64;
                assert!((f64::from(got) - mean).abs() < 1e-6, "{got} {mean}");
            }
        }
        // The strongest edge of all is the strongest of its head.
        let (edges, top) = (
            row.head_edges.as_ref().unwrap(),
            &row.explanation.top_edges[0],
        );
        let (l, a) = (top.layer - 1, top.head - 1);
        assert_eq!(
            (
                edges.query[l][a].len(),
                edges.query.len(),
                edges.query[0].len()
            ),
            (3, 2, 2)
        );
        assert_eq!(
            (edges.query[l][a][0], edges.key[l][a][0]),
            (top.query, top.key)
        );
        assert_eq!(edges.pattern[l][a][0], top.pattern);
        assert_eq!(edges.content[l][a][0], top.content);
    }
    let several = records
        .iter()
        .filter(|row| row.explanation.window.count > 1);
    assert_eq!(several.count(), 3);
}

#[test]
fn bytes_depend_neither_on_threads_nor_on_order_nor_on_how_often_a_chunk_is_done() {
    let (_a, one) = run(Keep::default(), 4, 1);
    let (_b, three) = run(Keep::default(), 4, 3);
    let whole = parts(&one);
    assert_eq!(whole.len(), 3);
    assert!(whole == parts(&three));
    // Backwards, and again over what is there.
    let (explainer, questions, options) = (explainer(), questions(), Options::default());
    let folder = TempDir::new().unwrap();
    let plan = plan(&explainer, &questions, &options, Keep::default(), 4);
    let backwards = Run::plan(folder.path(), plan.clone()).unwrap();
    let job = Job::new(&explainer, asked(&options, Keep::default()), false, 2).unwrap();
    let done = AtomicUsize::new(0);
    let watch = || {
        done.fetch_add(1, Ordering::Relaxed);
    };
    for chunk in [2, 1, 0, 1] {
        backwards.chunk(chunk, &questions, &job, &watch).unwrap();
    }
    assert!(whole == parts(&backwards));
    assert_eq!(done.into_inner(), 3 + 4 + 4 + 4);
    // One byte of another text makes other parts.
    let (_c, edges) = run(EDGES, 4, 1);
    assert!(whole != parts(&edges));
}

#[test]
fn finishing_counts_hashes_and_tidies() {
    let (folder, mut run) = run(Keep::default(), 4, 2);
    let path = folder.path().join("run");
    fs::write(path.join("parts/.chunk-00001.parquet.x.tmp"), "half").unwrap();
    let finished = run.finish().unwrap().clone();
    assert_eq!(
        (finished.questions, finished.parts.len(), finished.broken),
        (11, 3, 0)
    );
    let records: Vec<Record> = run.records().unwrap().map(Result::unwrap).collect();
    let worst = records
        .iter()
        .map(|r| r.explanation.completeness.worst)
        .fold(0.0, f64::max);
    let found = finished.worst.clone().unwrap();
    assert_eq!(found.relative, worst);
    let row = records.iter().find(|r| r.id == found.id).unwrap();
    assert_eq!(
        (
            row.explanation.completeness.worst,
            &row.explanation.completeness.cut
        ),
        (worst, &found.cut)
    );
    let mean = |number: fn(&Record) -> f64| 100.0 * records.iter().map(number).sum::<f64>() / 11.0;
    assert!((finished.exact - mean(|r| r.exact)).abs() < 1e-9);
    assert!((finished.f1 - mean(|r| r.f1)).abs() < 1e-9);
    assert_eq!(
        finished.bytes,
        parts(&run)
            .iter()
            .map(|part| part.len() as u64)
            .sum::<u64>()
    );
    assert!(finished.rate.unwrap().questions_per_second > 0.0);
    let names: Vec<_> = fs::read_dir(path.join("parts"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    // What is read is what was written; finished again it is the same.
    let mut again = Run::open(&path).unwrap();
    assert_eq!(again.finished(), Some(&finished));
    assert_eq!(again.finish().unwrap(), &finished);
    // A missing part is named.
    fs::remove_file(run.part(1)).unwrap();
    let error = run.finish().unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Unfinished {
                chunks: 3,
                got: 2,
                first: 1
            }
        ),
        "{error:?}"
    );
}

#[test]
fn another_run_in_the_same_folder_is_refused_with_what_differs() {
    let (explainer, questions, options) = (explainer(), questions(), Options::default());
    let folder = TempDir::new().unwrap();
    let own = plan(&explainer, &questions, &options, Keep::default(), 4);
    Run::plan(folder.path(), own.clone()).unwrap();
    let before = fs::read(folder.path().join("run.json")).unwrap();
    let with = |change: fn(&mut Options)| {
        let mut options = options.clone();
        change(&mut options);
        plan(&explainer, &questions, &options, Keep::default(), 4)
    };
    let changed = |change: fn(&mut Plan)| {
        let mut plan = own.clone();
        change(&mut plan);
        plan
    };
    let cases = [
        (
            plan(&explainer, &questions[1..], &options, Keep::default(), 4),
            "data: it has 11 questions",
        ),
        (
            plan(&explainer, &questions, &options, EDGES, 4),
            "--keep edges: it has none, asked for 3",
        ),
        (
            plan(&explainer, &questions, &options, Keep::default(), 5),
            "--chunk-size: it has 4, asked for 5",
        ),
        (
            with(|o| o.reference = Reference::Pad),
            "--reference: it has mask, asked for pad",
        ),
        (
            with(|o| o.target = TargetKind::Margin),
            "--target: it has span, asked for margin",
        ),
        (with(|o| o.preset = REVEAL_CANCEL), "--rule: it has rescale"),
        (
            with(|o| o.answering.null_threshold = 1.5),
            "--null-threshold: it has 0, asked for 1.5",
        ),
        (
            with(|o| o.answering.max_tokens = 32),
            "--max-tokens: it has 384, asked for 32",
        ),
        (
            with(|o| o.answering.stride = 9),
            "--stride: it has 128, asked for 9",
        ),
        (
            with(|o| o.answering.n_best = 2),
            "n best: it has 20, asked for 2",
        ),
        (
            changed(|p| p.keep.head_tokens = false),
            "--no-head-tokens: it has false, asked for true",
        ),
        (
            changed(|p| p.model.sha256 = "1".repeat(64)),
            "model: it has `two-layers` (SHA-256 000000000000…)",
        ),
        (
            changed(|p| p.spanlift = "9.9".to_owned()),
            "program version: it has 0.1.0, asked for 9.9",
        ),
        (
            changed(|p| p.method.precision = "f64".to_owned()),
            "--precision: it has f32, asked for f64",
        ),
        (
            changed(|p| p.selection.limit = Some(11)),
            "--limit: it has none, asked for 11",
        ),
        (
            changed(|p| p.selection.sample = Some(11)),
            "--sample: it has none, asked for 11",
        ),
    ];
    for (other, words) in cases {
        let error = Run::plan(folder.path(), other).unwrap_err();
        assert!(matches!(error, StoreError::OtherRun { .. }), "{error:?}");
        assert!(
            error.to_string().contains(words),
            "{words:?} is not in {error}"
        );
    }
    // What a run is called, and where, makes no other of it.
    let same = changed(|p| {
        p.data.name = "else".to_owned();
        p.model.info.name = "else".to_owned();
        p.cpu.model = "else".to_owned();
    });
    assert_eq!(Run::plan(folder.path(), same).unwrap().plan_of(), &own);
    assert_eq!(fs::read(folder.path().join("run.json")).unwrap(), before);
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.json");
    let error = Run::open(folder.path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Io { action: "read", .. }),
        "{error:?}"
    );
    let (_other, run) = run(Keep::default(), 11, 1);
    let good: serde_json::Value = serde_json::from_slice(
        &fs::read(run.part(0).ancestors().nth(2).unwrap().join("run.json")).unwrap(),
    )
    .unwrap();
    let with = |place: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        changed.to_string()
    };
    for (text, words) in [
        ("{".to_owned(), "EOF"),
        ("{}".to_owned(), "format: expected `spanlift.run`, got none"),
        (with("/format", "x".into()), "got `x`"),
        (with("/version", 2.into()), "version: expected 1, got 2"),
        (
            with("/plan/chunk_size", 0.into()),
            "chunk_size: expected 1 to 1024, got 0",
        ),
        (
            with("/plan/chunk_size", 5000.into()),
            "chunk_size: expected 1 to 1024, got 5000",
        ),
        (with("/plan/chunks", 9.into()), "chunks: expected 1, got 9"),
        (with("/plan/data", 9.into()), "invalid type"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Run::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotARun { .. }), "{error:?}");
        assert!(
            error.to_string().contains(words),
            "{words:?} is not in {error}"
        );
    }
}

#[test]
fn a_question_that_cannot_be_explained_stops_the_run_or_is_listed() {
    let (explainer, mut questions, options) = (explainer(), questions(), Options::default());
    questions[5].question = "who ".repeat(90);
    let folder = TempDir::new().unwrap();
    let plan = plan(&explainer, &questions, &options, Keep::default(), 4);
    let mut run = Run::plan(folder.path(), plan).unwrap();
    let strict = Job::new(&explainer, asked(&options, Keep::default()), false, 2).unwrap();
    run.chunk(0, &questions, &strict, &|| ()).unwrap();
    let before = parts_there(&run);
    let error = run.chunk(1, &questions, &strict, &|| ()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Question { id, .. } if *id == questions[5].id),
        "{error:?}"
    );
    assert_eq!(parts_there(&run), before);
    // The same run goes on with what can be explained.
    let lenient = Job::new(&explainer, asked(&options, Keep::default()), true, 2).unwrap();
    for chunk in run.missing() {
        run.chunk(chunk, &questions, &lenient, &|| ()).unwrap();
    }
    let finished = run.finish().unwrap().clone();
    assert_eq!((finished.questions, finished.skipped.len()), (10, 1));
    assert_eq!(run.records().unwrap().count(), 10);
    let Found::Skipped(skipped) = run.find(&questions[5].id).unwrap() else {
        panic!("expected it skipped");
    };
    assert_eq!(skipped, finished.skipped[0]);
    assert!(skipped.reason.contains("question"), "{skipped:?}");
    // A chunk of nothing else is a part without rows.
    for question in &mut questions {
        question.question = "who ".repeat(90);
    }
    let folder = TempDir::new().unwrap();
    let plan = common::plan(&explainer, &questions, &options, Keep::default(), 11);
    let mut run = Run::plan(folder.path(), plan).unwrap();
    run.chunk(0, &questions, &lenient, &|| ()).unwrap();
    assert_eq!(run.finish().unwrap().skipped.len(), 11);
    assert_eq!(run.records().unwrap().count(), 0);
}

fn parts_there(run: &Run) -> Vec<bool> {
    (0..run.plan_of().chunks)
        .map(|chunk| run.part(chunk).exists())
        .collect()
}

#[test]
fn ids_are_found_and_unknown_ones_get_their_neighbours() {
    let (_folder, run) = run(Keep::default(), 4, 1);
    for question in questions() {
        let Found::Record(found) = run.find(&question.id).unwrap() else {
            panic!("{} is not found", question.id);
        };
        assert_eq!(
            (found.record.id, found.record.explanation.question),
            (question.id, question.question)
        );
    }
    let near = |id: &str| match run.find(id).unwrap() {
        Found::Unknown { near, missing } => (near, missing),
        other => panic!("{id}: {other:?}"),
    };
    // One letter away: seven ids, of which the first three; with a swap too.
    assert_eq!(
        near("Bridge'"),
        (
            vec!["Bridge'0", "Bridge'1", "Bridge'2"]
                .into_iter()
                .map(String::from)
                .collect(),
            0
        )
    );
    assert_eq!(near("Birdge'5").0[0], "Bridge'5");
    assert_eq!(near("nothing like it"), (Vec::new(), 0));
    fs::remove_file(run.part(0)).unwrap();
    assert_eq!(near("nothing like it").1, 1);
}

/// Whatever byte of a part changes, it is no longer what was counted and hashed.
#[test]
fn a_finished_run_is_held_to_its_hashes() {
    let (folder, mut run) = run(Keep::default(), 4, 1);
    let home = folder.path().join("run");
    run.finish().unwrap();
    let told = fs::read(home.join("run.json")).unwrap();
    let path = run.part(1);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut run = Run::open(&home).unwrap();
        let read = run.records().unwrap().find_map(Result::err).unwrap();
        let finished = run.finish().unwrap_err();
        for error in [read, finished] {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
            assert!(
                error
                    .to_string()
                    .contains("chunk-00001.parquet` is damaged: expected SHA-256 "),
                "{error}"
            );
        }
        assert_eq!(fs::read(home.join("run.json")).unwrap(), told);
    }
    // A part that is cut, and a list of parts that is.
    fs::write(&path, &good[1..]).unwrap();
    let error = Run::open(&home).unwrap().find("nobody").unwrap_err();
    assert!(error.to_string().contains("expected bytes "), "{error}");
    fs::write(&path, &good).unwrap();
    let mut text: serde_json::Value = serde_json::from_slice(&told).unwrap();
    text["finished"]["parts"].as_array_mut().unwrap().pop();
    fs::write(home.join("run.json"), text.to_string()).unwrap();
    let error = Run::open(&home).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("finished.parts: expected 3, got 2"),
        "{error}"
    );
    fs::write(home.join("run.json"), &told).unwrap();
    let mut run = Run::open(&home).unwrap();
    assert!(run.records().unwrap().all(|record| record.is_ok()));
    run.finish().unwrap();
    assert_eq!(fs::read(home.join("run.json")).unwrap(), told);
}

/// As another kind of CPU makes it: with other bits.
#[test]
fn a_part_that_was_removed_is_made_anew_and_the_run_finished_again() {
    let (folder, mut run) = run(Keep::default(), 4, 1);
    let home = folder.path().join("run");
    run.finish().unwrap();
    let path = run.part(1);
    let good = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let again = |plan: Plan| Run::plan(&home, plan).unwrap();
    let mut run = again(run.plan_of().clone());
    assert!(run.finished().is_none() && run.missing() == [1]);
    // The name of the program that wrote the file is of the bits that no reader looks at.
    let name = b"spanlift version";
    let mut bytes = good.clone();
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap();
    bytes[at] = b'S';
    fs::write(&path, &bytes).unwrap();
    run.finish().unwrap();
    assert!(run.records().unwrap().all(|record| record.is_ok()));
    // What else is damaged is told before anything is forgotten.
    fs::remove_file(run.part(0)).unwrap();
    bytes[at] = b'q';
    fs::write(&path, &bytes).unwrap();
    let told = fs::read(home.join("run.json")).unwrap();
    let error = Run::plan(&home, run.plan_of().clone()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert_eq!(fs::read(home.join("run.json")).unwrap(), told);
}

/// Whatever is changed in a part, it is refused or its rows are there: nothing panics.
#[test]
fn damaged_parts_are_refused() {
    let (_folder, run) = run(Keep::default(), 4, 1);
    let path = run.part(2);
    let good = fs::read(&path).unwrap();
    let first = fs::read(run.part(1)).unwrap();
    (0..2).for_each(|chunk| fs::remove_file(run.part(chunk)).unwrap());
    let is_refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = run.records().unwrap().find_map(Result::err);
        if let Some(error) = &error {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
            assert!(error.to_string().contains("chunk-00002.parquet"), "{error}");
        }
        error.is_some()
    };
    for end in (0..good.len()).step_by(good.len() / 60) {
        assert!(is_refused(&good[..end]), "{end}");
    }
    let places: Vec<usize> = (0..good.len()).step_by(47).collect();
    let refused = places.iter().filter(|&&at| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        is_refused(&bytes)
    });
    let refused = refused.count();
    assert!(refused > places.len() / 4, "{refused} of {}", places.len());
    // A page of scores that claims to be of a dictionary, which its column has not: the reader of Parquet panics.
    let mut bytes = good.clone();
    // In Thrift's compact protocol: the encodings of values (9, split by significance) and of levels (3), as zigzag.
    let page = [0x15, 0x12, 0x15, 0x06];
    let at = bytes.windows(4).position(|window| window == page).unwrap();
    bytes[at + 1] = 0x10;
    fs::write(&path, bytes).unwrap();
    let panicked = run.records().unwrap().find_map(Result::err).unwrap();
    assert!(
        panicked.to_string().contains("a page is damaged"),
        "{panicked}"
    );
    // A part of another chunk in its place, of another run, and a Parquet file of somebody else.
    fs::write(&path, first).unwrap();
    let other = |run: &Run| {
        run.records()
            .unwrap()
            .find_map(Result::err)
            .unwrap()
            .to_string()
    };
    assert!(other(&run).contains("another part"), "{}", other(&run));
    let (_edges, edges) = common::run(EDGES, 4, 1);
    fs::copy(edges.part(2), &path).unwrap();
    assert!(other(&run).contains("another run"), "{}", other(&run));
    let foreign = "../spanlift-squad/tests/files";
    let foreign = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(foreign);
    let foreign = fs::read_dir(foreign).unwrap().map(|e| e.unwrap().path());
    let foreign = foreign
        .into_iter()
        .find(|p| p.extension().is_some_and(|e| e == "parquet"))
        .unwrap();
    fs::copy(foreign, &path).unwrap();
    assert!(other(&run).contains("expected a note"), "{}", other(&run));
}

#[test]
fn chunks_that_there_are_not_are_refused() {
    let (_folder, run) = run(Keep::default(), 4, 1);
    let (explainer, questions, options) = (explainer(), questions(), Options::default());
    let job = Job::new(&explainer, asked(&options, Keep::default()), false, 1).unwrap();
    for (chunk, questions) in [(3, &questions[..]), (2, &questions[..9])] {
        let error = run.chunk(chunk, questions, &job, &|| ()).unwrap_err();
        assert!(
            matches!(error, StoreError::NoChunk { chunks: 3, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn head_scores_by_token_can_be_left_out() {
    let keep = Keep {
        edges: None,
        head_tokens: false,
    };
    let (_a, lean) = run(keep, 11, 1);
    let (_b, full) = run(Keep::default(), 11, 1);
    assert!(parts(&lean)[0].len() < parts(&full)[0].len());
    for (lean, full) in lean.records().unwrap().zip(full.records().unwrap()) {
        let (lean, mut full) = (lean.unwrap(), full.unwrap());
        full.explanation.heads.by_token = Vec::new();
        assert_eq!(lean, full);
    }
}

/// docs/STORE.md has the table of columns: names, order and types.
#[test]
fn the_documentation_lists_every_column() {
    let text = fs::read_to_string(store_doc()).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name.to_owned(), cells.next()?.to_owned()))
    });
    let all = columns(EDGES);
    let own: Vec<_> = all
        .iter()
        .map(|(name, sql)| ((*name).to_owned(), sql.clone()))
        .collect();
    assert_eq!(rows.collect::<Vec<_>>(), own);
}

#[test]
fn a_selection_is_part_of_the_plan() {
    let questions = questions();
    let selection = Selection {
        limit: Some(3),
        ..Selection::default()
    };
    let chosen = selection.of(questions.clone());
    assert_eq!(chosen, questions[..3]);
    assert_ne!(
        Data::new("x", &chosen, 11, 0).sha256,
        Data::new("x", &questions, 11, 0).sha256
    );
}
