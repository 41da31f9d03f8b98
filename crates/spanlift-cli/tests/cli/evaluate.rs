//! `evaluate`: all questions answered and scored, files in the official shape, runs that go on where they stopped.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::desk::{Desk, PASSAGE, Ran};

const EVALUATE: [&str; 5] = ["evaluate", "--data", "squad.json", "--model", "model"];
const PARTIAL: &str = "out/evaluate.partial.jsonl";

fn evaluate(desk: &Desk, more: &[&str]) -> Ran {
    desk.run(&[&EVALUATE[..], more].concat())
}

fn json(desk: &Desk, name: &str) -> Value {
    serde_json::from_slice(&desk.read(name)).unwrap()
}

/// The numbers of a row of the table.
fn row(table: &str, name: &str) -> Vec<f64> {
    let line = table.lines().find(|line| line.starts_with(name)).unwrap();
    let numbers = line[name.len()..].split_whitespace();
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[test]
fn a_good_run_writes_the_official_files_and_prints_a_table() {
    let desk = Desk::new();
    let ran = evaluate(&desk, &["-o", "out"]).succeeded();
    assert_eq!(ran.stderr, "");
    let first = "9 questions of squad.json, model model, windows of 384 tokens every 128, null threshold 0\n";
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);

    let predictions = json(&desk, "out/predictions.json");
    let odds = json(&desk, "out/null_odds.json");
    let metrics = json(&desk, "out/metrics.json");
    assert_eq!(predictions.as_object().unwrap().len(), 9);
    for (id, text) in predictions.as_object().unwrap() {
        // No answer where its score leads by nothing or more.
        let odds = odds[id].as_f64().unwrap();
        assert_eq!(text == "", odds >= 0.0, "{id}: {text} {odds}");
        assert!(PASSAGE.contains(text.as_str().unwrap()));
    }
    let all = row(&ran.stdout, "all");
    let percent = |name: &str| (metrics[name].as_f64().unwrap() * 100.0).round() / 100.0;
    assert_eq!(all, [percent("exact"), percent("f1"), 9.0]);
    assert_eq!(row(&ran.stdout, "answerable")[2], 8.0);
    assert_eq!(row(&ran.stdout, "unanswerable")[2], 1.0);
    assert_eq!(row(&ran.stdout, "what")[2], 7.0);
    assert!(ran.stdout.contains("best exact "), "{}", ran.stdout);
    assert!(!desk.path(PARTIAL).exists());

    // What `explain` answers.
    let answer = desk.explanation(&[]).answer;
    assert_eq!(predictions["opened"], json!(answer.text));
    let difference = odds["opened"].as_f64().unwrap() - (answer.null_score - answer.score);
    assert!(difference.abs() < 1e-5, "{difference}");
}

#[test]
fn the_files_score_the_same_as_given_predictions() {
    let desk = Desk::new();
    let own = evaluate(&desk, &["-o", "out"]).succeeded().stdout;
    let given = [
        "evaluate",
        "--data",
        "squad.json",
        "--predictions",
        "out/predictions.json",
        "--null-odds",
        "out/null_odds.json",
        "-o",
        "again",
    ];
    let again = desk.run(&given).succeeded().stdout;
    let rows = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(rows(&own), rows(&again));
    assert_eq!(
        desk.read("out/metrics.json"),
        desk.read("again/metrics.json")
    );
    assert!(!desk.path("again/predictions.json").exists());
    // Without null odds there is nothing to sweep.
    let bare = desk.run(&given[..5]).succeeded().stdout;
    assert!(!bare.contains("best exact"), "{bare}");
}

#[test]
fn given_predictions_are_scored_as_they_are() {
    let desk = Desk::new();
    let mut predictions = json!({"opened": "Spring 1893!", "moved": "x"});
    for n in 2..9 {
        predictions[format!("painted-{n}")] = json!("");
    }
    desk.write("p.json", predictions.to_string());
    let args = [
        "evaluate",
        "--data",
        "squad.json",
        "--predictions",
        "p.json",
    ];
    let table = desk.run(&args).succeeded().stdout;
    assert_eq!(row(&table, "all"), [11.11, 11.11, 9.0]);
    assert_eq!(row(&table, "unanswerable"), [0.0, 0.0, 1.0]);
    // Null odds above the threshold take an answer back.
    let mut odds = predictions.clone();
    for (id, odds) in odds.as_object_mut().unwrap() {
        *odds = json!(if id == "moved" { 0.7 } else { 0.2 });
    }
    desk.write("odds.json", odds.to_string());
    let args = [
        &args[..],
        &["--null-odds", "odds.json", "--na-prob-thresh", "0.5"],
    ]
    .concat();
    let table = desk.run(&args).succeeded().stdout;
    assert_eq!(row(&table, "unanswerable"), [100.0, 100.0, 1.0]);
    let few = [&args[..], &["--limit", "1"]].concat();
    assert_eq!(
        row(&desk.run(&few).succeeded().stdout, "all"),
        [100.0, 100.0, 1.0]
    );
}

#[test]
fn the_threads_do_not_show() {
    let desk = Desk::new();
    for threads in ["1", "2", "5"] {
        evaluate(&desk, &["-o", threads, "--threads", threads]).succeeded();
        for name in ["predictions.json", "null_odds.json", "metrics.json"] {
            assert_eq!(
                desk.read(&format!("{threads}/{name}")),
                desk.read(&format!("1/{name}"))
            );
        }
    }
}

#[test]
fn options_of_the_answer_are_taken() {
    let desk = Desk::new();
    let all = |more: &[&str]| {
        evaluate(&desk, &[&["-o", "out"], more].concat()).succeeded();
        json(&desk, "out/predictions.json")
    };
    let never = all(&["--null-threshold", "-1000"]);
    let always = all(&["--null-threshold", "1000"]);
    assert!(never.as_object().unwrap().values().all(|text| text == ""));
    assert!(always.as_object().unwrap().values().all(|text| text != ""));
    let odds = json(&desk, "out/null_odds.json");
    all(&["--max-tokens", "40", "--stride", "5"]);
    assert_ne!(odds, json(&desk, "out/null_odds.json"));
}

/// More questions than are written down at once.
fn many(desk: &Desk) {
    desk.edit_json("squad.json", |squad| {
        let questions = &mut squad["data"][0]["paragraphs"][0]["qas"];
        let more = (0..3000).map(|n| {
            let question = format!("{}Who moved it?", "in 1901, ".repeat(n % 7));
            json!({ "id": format!("more-{n}"), "question": question, "answers": [] })
        });
        questions.as_array_mut().unwrap().extend(more);
    });
}

#[test]
fn a_killed_run_goes_on_and_ends_as_if_it_had_not_been_killed() {
    let desk = Desk::new();
    many(&desk);
    evaluate(&desk, &["-o", "whole"]).succeeded();
    let args = [&EVALUATE[..], &["-o", "out"]].concat();
    let mut child = desk
        .std_command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || {
        fs::read_to_string(desk.path(PARTIAL))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let began = Instant::now();
    while lines() < 100 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "nothing was written down"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !desk.path("out/predictions.json").exists(),
        "it was done before it was killed"
    );

    // As if killed in the middle of a line as well.
    let mut text = desk.read(PARTIAL);
    text.truncate(text.len() - 7);
    desk.write(PARTIAL, &text);
    let ran = desk.run(&args).succeeded();
    let note = ran
        .stderr
        .strip_prefix("note: `out`: going on after ")
        .unwrap();
    let done: usize = note.split(' ').next().unwrap().parse().unwrap();
    assert!((90..3000).contains(&done), "{done}");
    for name in ["predictions.json", "null_odds.json", "metrics.json"] {
        assert!(
            desk.read(&format!("out/{name}")) == desk.read(&format!("whole/{name}")),
            "{name}"
        );
    }
    assert!(!desk.path(PARTIAL).exists());
}

#[test]
fn another_runs_partial_file_is_refused_and_kept() {
    let desk = Desk::new();
    many(&desk);
    let args = [&EVALUATE[..], &["-o", "out"]].concat();
    let mut child = desk
        .std_command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while fs::read(desk.path(PARTIAL)).unwrap_or_default().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    // While it runs, nobody else writes there.
    desk.run(&args).refused(&["--output", "another run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    desk.add_model("other", "sharp");
    for more in [
        &["--null-threshold", "1"][..],
        &["--stride", "7"],
        &["--max-tokens", "40"],
    ] {
        desk.refuses(
            &[&args[..], more].concat(),
            &["--output", "of a run with other data", "remove it"],
        );
    }
    let other = [
        "evaluate",
        "--data",
        "squad.json",
        "--model",
        "other",
        "-o",
        "out",
    ];
    desk.refuses(&other, &["another model"]);
    desk.edit_json("squad.json", |squad| {
        squad["data"][0]["paragraphs"][0]["qas"][5]["question"] = json!("Who?");
    });
    desk.refuses(&args, &["of a run with other data"]);
}

#[test]
fn bad_records_and_questions_stop_or_are_passed_over() {
    let desk = Desk::new();
    desk.edit_json("squad.json", |squad| {
        let questions = squad["data"][0]["paragraphs"][0]["qas"]
            .as_array_mut()
            .unwrap();
        questions.insert(
            1,
            json!({ "id": "endless", "question": "who ".repeat(61), "answers": [] }),
        );
        questions.push(json!({ "id": "odd", "question": 5, "answers": [] }));
    });
    desk.refuses(
        &EVALUATE,
        &["--data: `squad.json`: question `odd`: data[0].paragraphs[0].qas[10].question"],
    );
    let ran = evaluate(&desk, &["--skip-bad", "-o", "out"]).succeeded();
    assert!(ran.stdout.starts_with("9 questions"), "{}", ran.stdout);
    for part in [
        "WARNING: skipped: question `odd`: data[0].paragraphs[0].qas[10].question: not SQuAD",
        "note: `squad.json`: 1 bad record skipped",
        "WARNING: skipped: question `endless`: the question has 61 tokens",
        "note: 1 question without an answer left out",
    ] {
        assert!(
            ran.stderr.contains(part),
            "{part:?} is not in {}",
            ran.stderr
        );
    }
    assert_eq!(
        json(&desk, "out/predictions.json")
            .as_object()
            .unwrap()
            .len(),
        9
    );
    // A question that the model cannot take, alone.
    desk.edit_json("squad.json", |squad| {
        squad["data"][0]["paragraphs"][0]["qas"]
            .as_array_mut()
            .unwrap()
            .pop();
    });
    desk.refuses(
        &EVALUATE,
        &["question `endless` of `squad.json`: the question has 61 tokens"],
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    let desk = Desk::new();
    desk.write("p.json", "{\"opened\": \"x\"}");
    desk.write("odds.json", "{\"opened\": \"x\"}");
    desk.write("empty.json", "{\"data\": []}");
    let given = [
        "evaluate",
        "--data",
        "squad.json",
        "--predictions",
        "p.json",
    ];
    desk.refuses(
        &given,
        &[
            "--predictions: `p.json`",
            "none for 8; the first is `moved`",
        ],
    );
    desk.refuses(
        &[&given[..], &["--limit", "1", "--null-odds", "odds.json"]].concat(),
        &[
            "--null-odds: `odds.json`: question `opened`",
            "expected f64",
        ],
    );
    desk.refuses(
        &[&given[..], &["--model", "model"]].concat(),
        &["cannot be used with"],
    );
    desk.refuses(
        &["evaluate", "--data", "squad.json", "--predictions", "none"],
        &["`none` cannot be read"],
    );
    desk.refuses(
        &["evaluate", "--data", "empty.json"],
        &["expected questions, got none"],
    );
    desk.refuses(
        &[&EVALUATE[..], &["-o", "p.json"]].concat(),
        &["--output: `p.json`: expected a folder"],
    );
    desk.refuses(
        &[&EVALUATE[..], &["--null-odds", "odds.json"]].concat(),
        &["--predictions"],
    );
}
