//! `attribute` and `show`: runs that survive, in one process or many, and what they show again.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spanlift_explanation::Explanation;

use crate::desk::{Desk, PASSAGE, Ran};

const ATTRIBUTE: [&str; 7] = [
    "attribute",
    "--data",
    "squad.json",
    "--model",
    "model",
    "--chunk-size",
    "2",
];

fn args<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&ATTRIBUTE[..], &["--out", out], more].concat()
}

fn attribute(desk: &Desk, out: &str, more: &[&str]) -> Ran {
    desk.run(&args(out, more))
}

/// The names and bytes of a run's parts.
fn parts(desk: &Desk, out: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(desk.path(out).join("parts")).unwrap();
    let files = files.map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().into(), fs::read(file.path()).unwrap()))
        .collect()
}

fn run_json(desk: &Desk, out: &str) -> Value {
    serde_json::from_slice(&desk.read(&format!("{out}/run.json"))).unwrap()
}

/// A data set of so many questions.
fn many(desk: &Desk, count: usize) {
    let questions = (0..count).map(|n| {
        json!({ "id": format!("id-{n:03}"), "question": format!("{}What was painted?", "in 1901, ".repeat(n % 4)),
                "answers": [], "is_impossible": true })
    });
    let paragraph = json!({ "context": PASSAGE, "qas": questions.collect::<Vec<_>>() });
    let data =
        json!({ "version": "v2.0", "data": [{ "title": "Tower", "paragraphs": [paragraph] }] });
    desk.write("squad.json", data.to_string());
}

#[test]
fn a_run_is_written_counted_and_told_of() {
    let desk = Desk::new();
    let ran = attribute(&desk, "run", &[]).succeeded();
    assert_eq!(ran.stderr, "");
    let first = "9 questions of squad.json explained in run, exact ";
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);
    for words in [
        " bytes in 5 parts, ",
        " bytes a question",
        "questions a second",
        "sums hold",
        "data sha-256",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words:?} is not in {}",
            ran.stdout
        );
    }
    assert_eq!(parts(&desk, "run").len(), 5);
    let run = run_json(&desk, "run");
    let finished = &run["finished"];
    assert_eq!(finished["questions"], 9);
    assert_eq!(finished["skipped"], json!([]));
    assert_eq!(run["plan"]["chunk_size"], 2);
    assert_eq!(run["plan"]["data"]["name"], "squad.json");
    // The figures of `evaluate`.
    let evaluate = [
        "evaluate",
        "--data",
        "squad.json",
        "--model",
        "model",
        "-o",
        "scored",
    ];
    desk.run(&evaluate).succeeded();
    let metrics: Value = serde_json::from_slice(&desk.read("scored/metrics.json")).unwrap();
    for number in ["exact", "f1"] {
        let (own, other) = (&finished[number], &metrics[number]);
        assert!(
            (own.as_f64().unwrap() - other.as_f64().unwrap()).abs() < 1e-9,
            "{own} {other}"
        );
    }
    // Again: nothing is to be done, and nothing changes.
    let before = parts(&desk, "run");
    let again = attribute(&desk, "run", &[]).succeeded();
    assert!(
        again.stderr.contains("5 of 5 chunks there already"),
        "{}",
        again.stderr
    );
    assert_eq!(run_json(&desk, "run")["finished"], *finished);
    assert!(parts(&desk, "run") == before);
}

#[test]
fn show_gives_what_explain_gives() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--target", "margin"]).succeeded();
    // Without model and data.
    fs::rename(desk.path("model"), desk.path("elsewhere")).unwrap();
    let files = [
        "-o",
        "shown.json",
        "-o",
        "shown.svg",
        "-o",
        "shown.html",
        "-o",
        "shown.png",
    ];
    let show = [
        &["show", "run", "opened"],
        &files[..],
        &["--figures", "figures"],
    ]
    .concat();
    let shown = desk.run(&show).succeeded();
    fs::rename(desk.path("elsewhere"), desk.path("model")).unwrap();
    let explain = [
        "explain",
        "--data",
        "squad.json",
        "--id",
        "opened",
        "--model",
        "model",
        "--target",
        "margin",
        "-o",
        "explained.json",
    ];
    let explained = desk.run(&explain).succeeded();
    assert_eq!(shown.stdout, explained.stdout);
    assert!(
        shown
            .stdout
            .ends_with("\ngold        \"1893\", \"spring 1893\"\n"),
        "{}",
        shown.stdout
    );
    assert!(desk.read("shown.json") == desk.read("explained.json"));
    desk.read_explanation("shown.json").check_sums().unwrap();
    // Drawn from the store and from the file is the same.
    desk.run(&["render", "shown.json", "-o", "drawn.svg", "-o", "drawn.png"])
        .succeeded();
    assert!(desk.read("shown.svg") == desk.read("drawn.svg"));
    assert!(desk.read("shown.png") == desk.read("drawn.png"));
    assert!(desk.read("shown.html").starts_with(b"<!doctype html>"));
    assert_eq!(fs::read_dir(desk.path("figures")).unwrap().count(), 6);
}

#[test]
fn show_names_what_it_does_not_find() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--chunks", "1..4"]).succeeded();
    desk.refuses(
        &["show", "run", "painted-33"],
        &[
            "9 questions of `run`",
            "near it: `painted-3`",
            "2 of its 5 chunks are still to be done",
        ],
    );
    desk.refuses(
        &["show", "run", "opened"],
        &["got `opened`", "2 of its 5 chunks"],
    );
    desk.run(&["show", "run", "painted-3"]).succeeded();
    desk.refuses(
        &["show", "model", "opened"],
        &["`model` is no run", "run.json` cannot be read"],
    );
    desk.refuses(
        &["show", "run", "painted-3", "-o", "x.gif"],
        &["--output: `x.gif`"],
    );
    attribute(&desk, "lean", &["--no-head-tokens"]).succeeded();
    desk.refuses(
        &["show", "lean", "opened"],
        &["`lean` was made with --no-head-tokens"],
    );
    // A part that was edited.
    let part = "run/parts/chunk-00002.parquet";
    let mut bytes = desk.read(part);
    let end = bytes.len() / 2;
    bytes.truncate(end);
    desk.write(part, bytes);
    desk.refuses(
        &["show", "run", "painted-5"],
        &["chunk-00002.parquet` is damaged", "remove it"],
    );
    let ran = attribute(&desk, "run", &[]);
    ran.refused(&["--out: ", "chunk-00002.parquet` is damaged", "remove it"]);
    fs::remove_file(desk.path(part)).unwrap();
    attribute(&desk, "run", &[]).succeeded();
    desk.run(&["show", "run", "painted-5"]).succeeded();
}

#[test]
fn four_processes_make_what_one_makes() {
    let desk = Desk::new();
    many(&desk, 37);
    attribute(&desk, "one", &["--threads", "1"]).succeeded();
    let whole = parts(&desk, "one");
    assert_eq!(whole.len(), 19);
    let together = |out: &str, ranges: [&[&str]; 4]| {
        let start = |more: &&[&str]| {
            let mut command = desk.std_command(&args(out, more));
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        // Collected first: all of them run at the same time.
        let children: Vec<_> = ranges.iter().map(start).collect();
        let ran = children
            .into_iter()
            .map(|child| Ran::of(child.wait_with_output().unwrap()));
        let ran: Vec<Ran> = ran.map(Ran::succeeded).collect();
        assert!(parts(&desk, out) == whole, "{out}");
        let data = |out: &str| run_json(&desk, out)["finished"]["sha256"].clone();
        assert_eq!(data(out), data("one"));
        ran
    };
    // A range each; whoever is last finishes.
    let ran = together(
        "ranges",
        [
            &["--chunks", "0..5"],
            &["--chunks", "5..10"],
            &["--chunks", "10..15"],
            &["--chunks", "15..19"],
        ],
    );
    assert!(
        ran.iter()
            .any(|ran| ran.stdout.contains("37 questions of squad.json explained")),
        "{ran:?}"
    );
    // All of them everything, with other numbers of threads.
    let ran = together(
        "everything",
        [&[], &["--threads", "2"], &["--threads", "3"], &[]],
    );
    assert!(
        ran.iter()
            .all(|ran| ran.stdout.contains("37 questions of squad.json explained")),
        "{ran:?}"
    );
    // One range alone says what is left.
    let ran = attribute(&desk, "part", &["--chunks", "3..5"]).succeeded();
    assert_eq!(ran.stdout, "2 of 19 chunks are done in part\n");
    assert_eq!(run_json(&desk, "part")["finished"], Value::Null);
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let desk = Desk::new();
    many(&desk, 160);
    attribute(&desk, "whole", &[]).succeeded();
    let whole = parts(&desk, "whole");
    assert_eq!(whole.len(), 80);
    let there = || fs::read_dir(desk.path("run/parts")).map_or(0, Iterator::count);
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut interrupted = 0;
    for killed in 1..=4 {
        let mut command = desk.std_command(&args("run", &[]));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while there() < 15 * killed
            && child.try_wait().unwrap().is_none()
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        // `kill` is SIGKILL: nothing of the process runs after it.
        child.kill().unwrap();
        child.wait().unwrap();
        interrupted += usize::from(there() < 80);
    }
    assert!(interrupted >= 3, "{interrupted}");
    // What a process leaves that is killed while it writes.
    desk.write("run/parts/.chunk-00079.parquet.x.tmp", "half");
    let ran = attribute(&desk, "run", &[]).succeeded();
    assert!(
        ran.stderr.contains("of 80 chunks there already"),
        "{}",
        ran.stderr
    );
    assert!(parts(&desk, "run") == whole);
}

#[test]
fn another_run_in_the_same_folder_is_refused() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--chunks", "0..1"]).succeeded();
    let refuses = |more: &[&str], words: &[&str]| {
        let words = [
            &[
                "--out: `run/run.json` is of another run",
                "take another folder",
            ],
            words,
        ]
        .concat();
        desk.refuses(&args("run", more), &words);
    };
    refuses(
        &["--reference", "pad"],
        &["--reference: it has mask, asked for pad"],
    );
    refuses(
        &["--target", "start"],
        &["--target: it has span, asked for start"],
    );
    refuses(&["--rule", "reveal-cancel"], &["--rule: it has rescale"]);
    refuses(
        &["--precision", "f64"],
        &["--precision: it has f32, asked for f64"],
    );
    refuses(
        &["--max-tokens", "40"],
        &["--max-tokens: it has 384, asked for 40"],
    );
    refuses(&["--stride", "5"], &["--stride"]);
    refuses(
        &["--null-threshold", "-1"],
        &["--null-threshold: it has 0, asked for -1"],
    );
    refuses(
        &["--keep", "edges:2"],
        &["--keep edges: it has none, asked for 2"],
    );
    refuses(
        &["--limit", "4"],
        &[
            "--limit: it has none, asked for 4",
            "data: it has 9 questions",
        ],
    );
    refuses(
        &["--sample", "4", "--seed", "3"],
        &[
            "--sample: it has none, asked for 4",
            "--seed: it has none, asked for 3",
        ],
    );
    let model = desk.read("model/model.safetensors");
    desk.edit_tensors(|tensors| {
        let bias = tensors.get_mut("qa_outputs.bias").unwrap();
        bias.map(|x| x + 1.0);
    });
    refuses(&[], &["model: it has `model` (SHA-256 "]);
    desk.write("model/model.safetensors", model);
    let data = String::from_utf8(desk.read("squad.json")).unwrap();
    desk.write("squad.json", data.replace("Who moved", "Who broke"));
    refuses(&[], &["data: it has 9 questions of `squad.json` (SHA-256 "]);
    // The same questions in another layout are the same data.
    desk.write("squad.json", &data);
    desk.write_gzip("other.json.gz", data.as_bytes());
    let mut other = args("run", &[]);
    other[2] = "other.json.gz";
    desk.run(&other).succeeded();
}

#[test]
fn a_seed_that_nothing_is_drawn_by_is_refused() {
    let desk = Desk::new();
    desk.refuses(&args("run", &["--seed", "4"]), &["--sample <N>"]);
    let limited = ["--seed", "4", "--limit", "2"];
    desk.refuses(
        &args("run", &limited),
        &["--seed <N>", "cannot be used with", "--limit <N>"],
    );
}

#[test]
fn the_first_questions_of_a_longer_file_are_the_same_questions() {
    let desk = Desk::new();
    many(&desk, 4);
    attribute(&desk, "run", &["--limit", "3"]).succeeded();
    let whole = run_json(&desk, "run")["finished"]["sha256"].clone();
    many(&desk, 5);
    attribute(&desk, "run", &["--limit", "3"]).succeeded();
    attribute(&desk, "again", &["--limit", "3"]).succeeded();
    assert_eq!(run_json(&desk, "again")["finished"]["sha256"], whole);
    let more = ["--limit: it has 3, asked for 4", "data: it has 3 questions"];
    desk.refuses(&args("run", &["--limit", "4"]), &more);
}

#[test]
fn what_cannot_be_explained_stops_the_run_and_keeps_what_is_done() {
    let desk = Desk::new();
    let mut data: Value = serde_json::from_slice(&desk.read("squad.json")).unwrap();
    let questions = &mut data["data"][0]["paragraphs"][0]["qas"];
    questions[5]["question"] = "who ".repeat(90).into();
    desk.write("squad.json", data.to_string());
    let ran = attribute(&desk, "run", &[]);
    ran.refused(&[
        "`squad.json`: chunk 2 of 0..5 (--skip-bad",
        "question `painted-5`",
    ]);
    let kept = parts(&desk, "run");
    assert_eq!(kept.len(), 2);
    desk.refuses(
        &["show", "run", "painted-5"],
        &["3 of its 5 chunks are still to be done"],
    );
    let ran = attribute(&desk, "run", &["--skip-bad"]).succeeded();
    assert!(
        ran.stderr
            .contains("WARNING: skipped: question `painted-5`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stdout.contains("8 questions of squad.json explained"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("\n1 question skipped\n"),
        "{}",
        ran.stdout
    );
    assert!(
        kept.iter()
            .all(|(name, bytes)| parts(&desk, "run")[name] == *bytes)
    );
    desk.refuses(&["show", "run", "painted-5"], &["was skipped: "]);
    // A bad record of the file.
    desk.write(
        "squad.json",
        data.to_string()
            .replacen("\"answer_start\":", "\"answer_start\":9", 1),
    );
    let bad = attribute(&desk, "bad", &[]);
    bad.refused(&["--data: `squad.json`", "question `opened`", "answers[0]"]);
    assert!(!desk.path("bad").exists());
    attribute(&desk, "bad", &["--skip-bad"]).succeeded();
    assert_eq!(run_json(&desk, "bad")["plan"]["data"]["bad_records"], 1);
}

/// A file that may not grow, as on a full disk: the system refuses to write past the limit.
#[cfg(unix)]
#[test]
fn a_part_that_cannot_be_written_is_named_and_the_others_stay() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--chunks", "0..2"]).succeeded();
    let kept = parts(&desk, "run");
    let program = assert_cmd::cargo::cargo_bin!("spanlift");
    // 8 blocks: room for run.json, not for a part. Ignored, the signal becomes an error of the write.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .arg(program)
        .args(args("run", &[]));
    command.current_dir(desk.path("."));
    let ran = Ran::of(command.output().unwrap());
    ran.refused(&[
        "--out: chunk 2 of 0..5 (what is done is kept",
        "run/parts/chunk-00002.parquet` cannot be written",
        "too large",
    ]);
    assert!(parts(&desk, "run") == kept);
    attribute(&desk, "run", &[]).succeeded();
    attribute(&desk, "whole", &[]).succeeded();
    assert!(parts(&desk, "run") == parts(&desk, "whole"));
}

#[test]
fn folders_that_cannot_be_written_are_named() {
    let desk = Desk::new();
    desk.refuses(
        &args("squad.json", &[]),
        &["--out: `squad.json`", "expected a folder, got a file"],
    );
    desk.refuses(
        &args("squad.json/run", &[]),
        &["--out: `squad.json/run` cannot be made"],
    );
    desk.write("broken", "");
    fs::create_dir(desk.path("run")).unwrap();
    desk.write("run/run.json", "{}");
    let ran = attribute(&desk, "run", &[]);
    ran.refused(&["--out: `run/run.json`: expected the plan of a run"]);
    assert_eq!(desk.read("run/run.json"), b"{}");
}

#[test]
fn what_is_typed_wrong_is_refused() {
    let desk = Desk::new();
    let refuses = |more: &[&str], words: &[&str]| {
        let ran = attribute(&desk, "run", more);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        for word in words {
            assert!(
                ran.stderr.contains(word),
                "{word:?} is not in {}",
                ran.stderr
            );
        }
        assert!(!desk.path("run").exists());
    };
    for range in ["3..2", "2..2", "4", "..", "a..b"] {
        refuses(
            &["--chunks", range],
            &["--chunks", "expected two whole numbers, as 2..5"],
        );
    }
    refuses(
        &["--chunks", "3..9"],
        &["--chunks: the run has 5 chunks, got 3..9"],
    );
    refuses(&["--keep", "heads"], &["expected edges:K"]);
    refuses(&["--keep", "edges:0"], &["expected edges:K"]);
    refuses(&["--sample", "2", "--limit", "2"], &["cannot be used with"]);
    refuses(&["--seed", "2"], &["--sample"]);
    refuses(
        &["--reference", "tokens:ids.json"],
        &["--reference: tokens:FILE is for the tokens of one question"],
    );
    refuses(&["--reference", "nothing"], &["--reference: expected mask"]);
    let mut size = ATTRIBUTE.to_vec();
    size[6] = "2000";
    let ran = desk.run(&[&size[..], &["--out", "run"]].concat());
    assert!(
        ran.stderr
            .contains("expected a whole number from 1 to 1024"),
        "{ran:?}"
    );
}

#[test]
fn samples_and_edges_are_kept_as_asked() {
    let desk = Desk::new();
    let more = [
        "--sample",
        "4",
        "--seed",
        "1",
        "--keep",
        "edges:2",
        "--reference",
        "pad",
        "--precision",
        "f64",
    ];
    let ran = attribute(&desk, "run", &more).succeeded();
    assert!(
        ran.stdout.starts_with("4 questions of squad.json"),
        "{}",
        ran.stdout
    );
    let plan = &run_json(&desk, "run")["plan"];
    assert_eq!(
        plan["selection"],
        json!({ "limit": null, "sample": 4, "seed": 1 })
    );
    assert_eq!(plan["keep"], json!({ "edges": 2, "head_tokens": true }));
    let ids = [
        "opened",
        "moved",
        "painted-2",
        "painted-3",
        "painted-4",
        "painted-5",
        "painted-6",
        "painted-7",
        "painted-8",
    ];
    let found = ids
        .iter()
        .filter(|id| desk.run(&["show", "run", id, "-o", "x.json"]).code == Some(0));
    assert_eq!(found.count(), 4);
    let explanation: Explanation = desk.read_explanation("x.json");
    assert_eq!(explanation.method.reference, "pad");
}
