//! A tiny model, a data set of our own, and a folder to run in.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

use spanlift::checkpoint::Source;
use spanlift::{Explainer, Options};
use spanlift_squad::{Question, parse};
use spanlift_store::{Asked, Data, Job, Keep, Plan, Run, Selection};
use tempfile::TempDir;

/// Two layers, two heads, 16 hidden units, 64 positions.
pub(crate) fn explainer() -> Explainer<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle/two-layers");
    Explainer::load(Source::Folder(&folder)).unwrap()
}

/// Eleven questions about two passages: with letters of two and four bytes, with and without gold answers, one too long for
/// one window, and one id with a quote.
pub(crate) fn questions() -> Vec<Question> {
    let long = "the mayor moved the old bridge to the harbour . ".repeat(9);
    let flat = [
        (
            "Bridge",
            "the mayor moved the old bridge — 🗼 — to the harbour .",
            "bridge",
            8,
        ),
        ("", long.as_str(), "harbour", 3),
    ];
    let mut lines = String::new();
    for (title, context, gold, count) in flat {
        for n in 0..count {
            let byte = context.find(gold).unwrap();
            let start = context[..byte].chars().count();
            let answers = match n % 3 {
                0 => serde_json::json!({ "text": [gold, gold], "answer_start": [start, start] }),
                1 => serde_json::json!({ "text": [], "answer_start": [] }),
                _ => serde_json::json!({ "text": [gold], "answer_start": [start] }),
            };
            let line = serde_json::json!({
                "id": format!("{title}'{n}"), "title": title, "context": context, "answers": answers,
                "question": format!("{}who moved the bridge ?", "when ".repeat(n)),
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
    }
    parse(lines.as_bytes()).unwrap().questions
}

pub(crate) fn plan(
    explainer: &Explainer<f32>,
    questions: &[Question],
    options: &Options,
    keep: Keep,
    chunk_size: usize,
) -> Plan {
    let data = Data::new("made-up.jsonl", questions, questions.len(), 0);
    let hash = "0".repeat(64);
    Plan::new(
        data,
        Selection::default(),
        explainer,
        hash,
        asked(options, keep),
        chunk_size,
    )
}

/// The model's own answers.
pub(crate) fn asked(options: &Options, keep: Keep) -> Asked<'_> {
    let given = None;
    Asked {
        options,
        given,
        keep,
    }
}

/// A run of all questions, and the folder that it is in.
pub(crate) fn run(keep: Keep, chunk_size: usize, threads: usize) -> (TempDir, Run) {
    let (explainer, questions, options) = (explainer(), questions(), Options::default());
    let folder = TempDir::new().unwrap();
    let plan = plan(&explainer, &questions, &options, keep, chunk_size);
    let run = Run::plan(&folder.path().join("run"), plan).unwrap();
    let job = Job::new(&explainer, asked(&options, keep), false, threads).unwrap();
    for chunk in run.missing() {
        run.chunk(chunk, &questions, &job, &|| ()).unwrap();
    }
    (folder, run)
}

/// The bytes of each part.
pub(crate) fn parts(run: &Run) -> Vec<Vec<u8>> {
    let chunks = 0..run.plan_of().chunks;
    chunks
        .map(|chunk| std::fs::read(run.part(chunk)).unwrap())
        .collect()
}

pub(crate) fn store_doc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/STORE.md")
}
