//! `study`: a run looked at as a whole.

use std::fs;

use serde_json::{Value, json};

use crate::desk::{Desk, PASSAGE};

/// A run of the default model, which has six layers.
fn attribute(desk: &Desk, out: &str, more: &[&str]) {
    let args = ["attribute", "--data", "squad.json", "--out", out];
    desk.run(&[&args[..], more].concat()).succeeded();
}

/// Twelve passages, which are enough for intervals, with a question each.
fn write_passages(desk: &Desk) {
    let paragraph = |n: usize| {
        let context = format!(
            "The old tower, of red stone, was sold in May {}. Nobody came.",
            1890 + n
        );
        let start = context.find("May").unwrap();
        let gold = json!({ "text": format!("May {}", 1890 + n), "answer_start": start });
        let question = json!({ "id": format!("id-{n}"), "question": "When was the tower sold?", "answers": [gold] });
        json!({ "context": context, "qas": [question] })
    };
    let paragraphs: Vec<Value> = (0..12).map(paragraph).collect();
    let data =
        json!({ "version": "v2.0", "data": [{ "title": "Towers", "paragraphs": paragraphs }] });
    desk.write("squad.json", data.to_string());
}

fn names(desk: &Desk, folder: &str) -> Vec<String> {
    let files = fs::read_dir(desk.path(folder)).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_profile_is_printed_and_its_tables_are_written() {
    let desk = Desk::new();
    write_passages(&desk);
    attribute(&desk, "run", &[]);
    let ran = desk
        .run(&[
            "study", "profile", "run", "--format", "json", "-o", "tables",
        ])
        .succeeded();
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.starts_with(
        "12 questions of squad.json; minilm-l6-squad2; deeplift rescale, reference mask\n"
    ));
    for words in [
        "question-keyword",
        "effective tokens",
        "shift to the next",
        "answer leads first",
        "the widest interval of 95 %: ±",
        "share of raw attention received",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words:?} is not in {}",
            ran.stdout
        );
    }
    let expected = [
        "heads.json",
        "leads.json",
        "questions.json",
        "shares.json",
        "shift.json",
        "spread.json",
    ];
    assert_eq!(names(&desk, "tables"), expected);
    // The shares that are printed are those of the table: of the first cut's positive score, all questions.
    let shares: Value = serde_json::from_slice(&desk.read("tables/shares.json")).unwrap();
    let rows = shares["rows"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| {
            row["cut"] == "1" && row["role"] == "question-word" && row["measure"] == "positive"
        })
        .unwrap();
    let mean = format!("{:.1}", 100.0 * row["mean"].as_f64().unwrap());
    let line = ran
        .stdout
        .lines()
        .find(|line| line.trim().starts_with("question-word"))
        .unwrap();
    assert_eq!(
        line.split_whitespace().nth(2),
        Some(mean.as_str()),
        "{line}"
    );
    let (low, high) = (row["low"].as_f64().unwrap(), row["high"].as_f64().unwrap());
    let mean = row["mean"].as_f64().unwrap();
    assert!(low <= mean && mean <= high);

    let desk = Desk::new();
    attribute(&desk, "run", &[]);
    let by = desk
        .run(&[
            "study",
            "profile",
            "run",
            "--by",
            "answerable",
            "--measure",
            "negative",
        ])
        .succeeded();
    assert!(
        by.stdout.contains("answerable: yes, 8 questions\n"),
        "{}",
        by.stdout
    );
    assert!(
        by.stdout.contains("answerable: no, 1 question\n"),
        "{}",
        by.stdout
    );
    assert!(
        by.stdout.contains("share of negative score"),
        "{}",
        by.stdout
    );
    // All nine are about one passage.
    assert!(
        by.stderr.contains("1 passage: fewer than 10"),
        "{}",
        by.stderr
    );
    assert!(!by.stdout.contains("interval"), "{}", by.stdout);
}

#[test]
fn claims_are_tested_against_controls_that_are_ones() {
    let desk = Desk::new();
    write_passages(&desk);
    attribute(&desk, "run", &["--reference", "zero"]);
    attribute(
        &desk,
        "spans",
        &["--reference", "zero", "--answers", "random:1"],
    );
    attribute(
        &desk,
        "weights",
        &[
            "--reference",
            "zero",
            "--answers",
            "run",
            "--randomise",
            "all:1",
        ],
    );
    let args = [
        "study",
        "claims",
        "run",
        "--random-spans",
        "spans",
        "--random-weights",
        "weights",
        "--format",
        "csv",
        "-o",
        "tables",
    ];
    let ran = desk.run(&args).succeeded();
    assert_eq!(ran.stderr, "");
    for words in [
        "(a) ",
        "(b) ",
        "(c) ",
        "(d) ",
        "less random spans",
        "less random weights",
    ] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    assert_eq!(names(&desk, "tables"), ["claims.csv", "verdicts.csv"]);
    let claims = String::from_utf8(desk.read("tables/claims.csv")).unwrap();
    assert_eq!(claims.lines().count(), 23);
    let verdicts = String::from_utf8(desk.read("tables/verdicts.csv")).unwrap();
    assert_eq!(verdicts.lines().count(), 5);
    assert!(
        !verdicts.contains("not testable") && !verdicts.contains("not controlled"),
        "{verdicts}"
    );

    attribute(&desk, "masked", &["--answers", "random:1"]);
    for (control, run, words) in [
        (
            "--random-spans",
            "run",
            "expected a run of `attribute --answers random`, got one of `--answers own`",
        ),
        (
            "--random-weights",
            "run",
            "expected a run of `attribute --randomise all`, got one with no weights re-initialised",
        ),
        (
            "--random-spans",
            "masked",
            "reference: expected zero as in the run, got mask",
        ),
    ] {
        let expected = format!("{control}: `{run}`: {words}");
        desk.run(&["study", "claims", "run", control, run])
            .refused(&[&expected]);
    }
}

#[test]
fn claims_of_one_passage_are_not_testable() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--limit", "3"]);
    let ran = desk.run(&["study", "claims", "run"]).succeeded();
    assert_eq!(
        ran.stdout.matches(": NOT TESTABLE\n").count(),
        4,
        "{}",
        ran.stdout
    );
    for words in ["1 passage: fewer than 10", "is 0 by construction"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn two_runs_are_compared() {
    let desk = Desk::new();
    attribute(&desk, "a", &[]);
    attribute(&desk, "b", &["--reference", "zero", "--limit", "4"]);
    let ran = desk
        .run(&[
            "study", "diff", "a", "b", "--format", "parquet", "-o", "tables",
        ])
        .succeeded();
    assert!(
        ran.stdout.starts_with("a `a`: 9 questions of squad.json; ")
            && ran.stdout.contains("\nb `b`: 4 questions of squad.json; "),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("4 questions in common"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("5 questions of the first run and 0 of the second"),
        "{}",
        ran.stderr
    );
    let expected = [
        "diff_answers.parquet",
        "diff_questions.parquet",
        "diff_scores.parquet",
        "diff_shares.parquet",
        "diff_spread.parquet",
    ];
    assert_eq!(names(&desk, "tables"), expected);
    let same = desk.run(&["study", "diff", "a", "a"]).succeeded();
    assert!(
        same.stdout
            .contains("shares of positive score that differ most, over all questions\nnone\n"),
        "{}",
        same.stdout
    );
}

#[test]
fn what_cannot_be_studied_is_said() {
    let desk = Desk::new();
    attribute(&desk, "run", &["--limit", "2", "--model", "model"]);
    desk.write("file", "");
    for (args, words) in [
        (&["study", "profile", "nowhere"][..], "`nowhere` is no run"),
        (
            &["study", "profile", "run", "--by", "mood"],
            "--by: expected one of all, ",
        ),
        (
            &["study", "cluster", "run", "--k", "1"],
            "--k <K>': expected a whole number of at least 2",
        ),
        (
            &["study", "profile", "run", "--by", "article"],
            "--by: no article has 20 questions; take one of all, ",
        ),
        (
            &["study", "report", "run", "-o", "report.txt"],
            "--output: `report.txt`: expected a name in .html",
        ),
        (&["study", "claims", "run"], "at least 3 layers, got 2"),
        (
            &["study", "claims", "run", "--random-weights", "nowhere"],
            "--random-weights: `nowhere` is no run",
        ),
        (
            &["study", "profile", "run", "--format", "csv", "-o", "file"],
            "expected a folder, got a file",
        ),
        (
            &["study", "profile", "run", "--format", "csv"],
            "--output <DIR>",
        ),
        (
            &["study", "profile", "run", "--resamples", "0"],
            "expected a whole number from 100 to 100000",
        ),
    ] {
        desk.run(args).refused(&[words]);
    }
}

#[test]
fn a_report_is_one_page_with_the_first_maps() {
    let desk = Desk::new();
    attribute(&desk, "run", &[]);
    let ran = desk
        .run(&["study", "report", "run", "--maps", "3", "-o", "report.html"])
        .succeeded();
    assert_eq!(ran.stdout, "");
    let page = String::from_utf8(desk.read("report.html")).unwrap();
    let (_, rest) = page
        .split_once("<script type=\"application/json\">")
        .unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(json).unwrap();
    assert_eq!(data["format"], "spanlift.study");
    assert_eq!(data["facts"]["run"], "run");
    assert_eq!(data["facts"]["questions"], 9);
    assert_eq!(data["maps"].as_array().unwrap().len(), 3);
    let tables = data["tables"].as_array().unwrap();
    let names: Vec<&str> = tables.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "questions",
            "shares",
            "spread",
            "shift",
            "leads",
            "heads",
            "claims",
            "verdicts"
        ]
    );

    desk.run(&["study", "report", "run", "-o", "nowhere/report.html"])
        .refused(&["there is no folder"]);
}

/// Twenty questions are enough for profiles, and too few for what is learned from maps.
#[test]
fn a_report_has_the_clusters_that_its_questions_are_enough_for() {
    let desk = Desk::new();
    let questions = (0..20).map(|n| {
        let question = format!("{}What was painted?", "in 1901, ".repeat(n % 5));
        json!({ "id": format!("id-{n}"), "question": question, "answers": [], "is_impossible": true })
    });
    let paragraph = json!({ "context": PASSAGE, "qas": questions.collect::<Vec<_>>() });
    let data =
        json!({ "version": "v2.0", "data": [{ "title": "Tower", "paragraphs": [paragraph] }] });
    desk.write("squad.json", data.to_string());
    attribute(&desk, "run", &[]);
    let args = [
        "study",
        "report",
        "run",
        "-o",
        "report.html",
        "--format",
        "json",
        "--tables",
        "tables",
    ];
    desk.run(&args).succeeded();
    let table: Value = serde_json::from_slice(&desk.read("tables/clusterings.json")).unwrap();
    let rows = table["rows"].as_array().unwrap();
    let of: Vec<&str> = rows
        .iter()
        .map(|row| row["representation"].as_str().unwrap())
        .collect();
    assert_eq!(of, ["profile", "heads"]);
    let alone = desk.run(&["study", "cluster", "run", "--representation", "maps"]);
    alone.refused(&["--representation maps", "at least 40"]);
    // What is too few for one does not cost the others; and k is for those that take one.
    let all = [
        "study",
        "cluster",
        "run",
        "--k",
        "2",
        "--algorithm",
        "k-means,hdbscan",
    ];
    let ran = desk.run(&all).succeeded();
    assert!(
        ran.stderr.contains("--representation maps: "),
        "{}",
        ran.stderr
    );
    for words in ["profile, k-means\n", "profile, hdbscan\n"] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    let hdbscan = desk.run(&[
        "study",
        "cluster",
        "run",
        "--k",
        "2",
        "--algorithm",
        "hdbscan",
    ]);
    hdbscan.refused(&["k: expected none, as hdbscan finds its own"]);
}
