//! The flat layout as JSON lines and Parquet, packed files, and what is passed over where bad records are skipped.
//!
//! `files/` was written with datasets 5.2, pandas 3.1 (pyarrow 26) and polars 2.1 from the records of [`FLAT`].

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use spanlift_squad::{Dataset, Skipped, SquadError, parse, parse_skipping, read};

const FLAT: &str = r#"{"id": "mill-1", "title": "Mills", "context": "Zoë’s 🜂 mill ground rye from 1820 until 1911.", "question": " When did the mill start? ", "answers": {"text": ["1820", "from 1820"], "answer_start": [29, 24]}}
{"id": "mill-2", "title": "Mills", "context": "Zoë’s 🜂 mill ground rye from 1820 until 1911.", "question": "Who burnt the mill down?", "answers": {"text": [], "answer_start": []}}

{"answers": {"answer_start": [18], "text": ["goats"]}, "extra": [1], "id": "ferry-1", "title": "Ferries", "context": "The ferry carries goats.", "question": "What does the ferry carry?"}
"#;

/// The same three records in SQuAD's own layout.
fn nested() -> Value {
    json!({"version": "v2.0", "data": [
        {"title": "Mills", "paragraphs": [{"context": "Zoë’s 🜂 mill ground rye from 1820 until 1911.", "qas": [
            {"id": "mill-1", "question": " When did the mill start? ",
             "answers": [{"text": "1820", "answer_start": 29}, {"text": "from 1820", "answer_start": 24}]},
            {"id": "mill-2", "question": "Who burnt the mill down?", "answers": [], "is_impossible": true}]}]},
        {"title": "Ferries", "paragraphs": [{"context": "The ferry carries goats.", "qas": [
            {"id": "ferry-1", "question": "What does the ferry carry?",
             "answers": [{"text": "goats", "answer_start": 18}]}]}]}]})
}

fn expected() -> Dataset {
    let mut dataset = parse(nested().to_string().as_bytes()).unwrap();
    dataset.version = None;
    dataset
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn message(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn json_lines_hold_the_same_records() {
    for text in [
        FLAT.to_owned(),
        FLAT.replace('\n', "\r\n"),
        format!("\u{feff}\n{FLAT}"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap(), expected());
    }
}

#[test]
fn files_of_other_libraries_hold_the_same_records() {
    for name in [
        "datasets.jsonl",
        "pandas.jsonl",
        "datasets.parquet",
        "pandas.parquet",
        "pandas-zstd-v2.parquet",
        "polars.parquet",
    ] {
        let bytes = file(name);
        assert_eq!(parse(&bytes[..]).unwrap(), expected(), "{name}");
        assert_eq!(parse(&zstd(&bytes)[..]).unwrap(), expected(), "{name}");
    }
}

#[test]
fn a_file_is_what_its_content_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("squad.json.gz");
    for bytes in [
        FLAT.as_bytes().to_vec(),
        zstd(FLAT.as_bytes()),
        file("polars.parquet"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap(), expected());
    }
}

#[test]
fn flat_records_share_passages_wherever_they_stand() {
    let mut lines: Vec<&str> = FLAT.lines().filter(|line| !line.is_empty()).collect();
    lines.swap(1, 2);
    let dataset = parse(lines.join("\n").as_bytes()).unwrap();
    let [first, _, third] = &dataset.questions[..] else {
        panic!("three questions");
    };
    assert!(Arc::ptr_eq(&first.context, &third.context));
}

#[test]
fn a_flat_question_without_answers_is_impossible_unless_the_file_says_otherwise() {
    let line = FLAT.lines().nth(1).unwrap();
    let impossible = |line: &str| parse(line.as_bytes()).unwrap().questions[0].is_impossible;
    assert!(impossible(line));
    assert!(!impossible(
        &line.replace("{\"id\"", "{\"is_impossible\": false, \"id\"")
    ));
}

#[test]
fn a_bad_line_is_named_with_its_id_and_field() {
    for (from, to, expected) in [
        (
            "\"question\": \"Who burnt the mill down?\"",
            "\"question\": 5",
            "question `mill-2`: line 2: question: not SQuAD: invalid type: integer `5`, expected a string",
        ),
        (
            "\"question\": \"Who burnt the mill down?\", ",
            "",
            "question `mill-2`: line 2: question: not SQuAD: missing field `question`",
        ),
        (
            "[29, 24]",
            "[29, -4]",
            "question `mill-1`: line 1: answers.answer_start[1]: not SQuAD: invalid value: integer `-4`, expected a whole number from 0",
        ),
        (
            "[29, 24]",
            "[29]",
            "question `mill-1`: line 1: answers.answer_start: not SQuAD: expected one for each of 2 texts, got 1",
        ),
        (
            "[29, 24]",
            "[29, 25]",
            "question `mill-1`: line 1: answers[1]: expected \"from 1820\" at character 25 of the passage, got \"rom 1820 \" \
          (it is at character 24)",
        ),
        (
            "\"ferry-1\"",
            "\"mill-1\"",
            "question `mill-1`: line 4: id: expected an id of its own, got that of an earlier question",
        ),
        (
            "\"The ferry carries goats.\"",
            "\" \"",
            "question `ferry-1`: line 4: context: expected a text, got only blanks or nothing",
        ),
        (
            "\"What does the ferry carry?\"}",
            "\"What",
            "not JSON at line 4, column",
        ),
    ] {
        let text = FLAT.replace(from, to);
        assert_ne!(text, FLAT);
        let message = message(text.as_bytes());
        assert!(message.starts_with(expected), "{message}");
    }
}

/// What is read, and what is said of the rest.
fn skipping(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let (dataset, Skipped { count, first }) = parse_skipping(bytes).unwrap();
    assert_eq!(count, first.len());
    (
        dataset.questions.into_iter().map(|q| q.id).collect(),
        first.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn bad_lines_are_passed_over_and_listed() {
    let text = FLAT
        .replace("[29, 24]", "[29, 25]")
        .replace("Who burnt the mill down?\"", "\"");
    let (ids, faults) = skipping(text.as_bytes());
    assert_eq!(ids, ["ferry-1"]);
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0].starts_with("question `mill-1`: line 1: answers[1]: "),
        "{faults:?}"
    );
    assert!(
        faults[1].starts_with("question `mill-2`: line 2: question: "),
        "{faults:?}"
    );
    // A good file has none, and is the same either way.
    let (dataset, skipped) = parse_skipping(FLAT.as_bytes()).unwrap();
    assert_eq!((dataset, skipped.count), (expected(), 0));
}

#[test]
fn bad_records_of_squad_json_are_passed_over_at_their_own_level() {
    let change = |pointer: &str, value: Value| {
        let mut file = nested();
        *file.pointer_mut(pointer).unwrap() = value;
        skipping(file.to_string().as_bytes())
    };
    for (pointer, value, ids, fault) in [
        // What only the checks find.
        (
            "/data/0/paragraphs/0/qas/0/answers/0/answer_start",
            json!(3),
            &["mill-2", "ferry-1"][..],
            "question `mill-1`: data[0].paragraphs[0].qas[0].answers[0]: expected \"1820\" at character 3",
        ),
        (
            "/data/0/paragraphs/0/context",
            json!(" "),
            &["ferry-1"],
            "data[0].paragraphs[0].context: expected a text",
        ),
        // What is of another layout.
        (
            "/data/0/paragraphs/0/qas/0/question",
            json!(5),
            &["mill-2", "ferry-1"],
            "question `mill-1`: data[0].paragraphs[0].qas[0].question: not SQuAD: invalid type: integer `5`",
        ),
        (
            "/data/0/paragraphs/0/qas/0/answers/1",
            json!({"text": "rye"}),
            &["mill-2", "ferry-1"],
            "question `mill-1`: data[0].paragraphs[0].qas[0].answers[1].answer_start: not SQuAD: missing field",
        ),
        (
            "/data/0/paragraphs/0",
            json!([]),
            &["ferry-1"],
            "data[0].paragraphs[0]: not SQuAD: ",
        ),
        (
            "/data/1",
            json!({"title": "x"}),
            &["mill-1", "mill-2"],
            "data[1].paragraphs: not SQuAD: missing field",
        ),
    ] {
        let (got, faults) = change(pointer, value);
        assert_eq!(
            (&got[..], faults.len()),
            (
                &ids.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                1
            ),
            "{pointer}"
        );
        assert!(faults[0].starts_with(fault), "{faults:?}");
    }
}

#[test]
fn what_is_wrong_with_the_whole_file_is_an_error_all_the_same() {
    for bytes in [
        &b"{\"data\": [,]}"[..],
        b"{\"data\": 5}",
        b"{}",
        b"{\"version\": [], \"data\": []}",
        b"\xff",
        b"\x28\xb5\x2f\xfd",
    ] {
        assert!(parse_skipping(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn faults_beyond_the_first_thousand_are_counted() {
    let text = "5\n".repeat(1500);
    let text = format!("{FLAT}{text}");
    let (dataset, skipped) = parse_skipping(text.as_bytes()).unwrap();
    assert_eq!(
        (dataset.questions.len(), skipped.count, skipped.first.len()),
        (3, 1500, Skipped::LISTED)
    );
}

#[test]
fn broken_zstd_is_said_to_be_broken() {
    let whole = zstd(FLAT.as_bytes());
    let trailing = [&whole[..], b"more"].concat();
    for bytes in [&whole[..whole.len() - 5], &trailing, &whole[..4]] {
        let error = parse(bytes).unwrap_err();
        assert!(matches!(error, SquadError::Zstd { .. }), "{error:?}");
    }
}

#[test]
fn a_packing_that_is_not_read_is_named() {
    let message = message(&file("pandas-gzip.parquet"));
    assert!(
        message.starts_with("not readable as Parquet: "),
        "{message}"
    );
    assert!(message.to_lowercase().contains("gzip"), "{message}");
}

#[test]
fn a_broken_parquet_file_is_said_to_be_broken() {
    let whole = file("datasets.parquet");
    let mut other = whole.clone();
    let end = other.len() - 1;
    other[end] = b'X';
    for bytes in [
        &other[..],
        b"PAR1",
        b"PAR1PAR1",
        b"PAR1\x08\x00\x00\x00PAR1",
    ] {
        let error = parse(bytes).unwrap_err();
        assert!(
            matches!(
                error,
                SquadError::Parquet { .. } | SquadError::ParquetClaim { .. }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn what_a_parquet_file_claims_is_not_believed() {
    // The footer's length: the four bytes before the last four.
    let mut long = file("datasets.parquet");
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = parse(&long[..]).unwrap_err();
    assert!(
        matches!(
            &error,
            SquadError::ParquetClaim {
                got: 0xffff_ffff,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn other_columns_are_named() {
    // Of the same length, so that the footer stays whole.
    let bytes = file("datasets.parquet");
    let renamed = |from: &[u8], to: &[u8]| {
        let mut bytes = bytes.clone();
        for at in 0..bytes.len() - from.len() {
            if &bytes[at..at + from.len()] == from {
                bytes[at..at + to.len()].copy_from_slice(to);
            }
        }
        message(&bytes)
    };
    assert_eq!(
        renamed(b"context", b"kontext"),
        "context: not SQuAD: expected a column of this name, got none"
    );
    let other = renamed(b"answer_start", b"answer_begin");
    let expected = "answers: not SQuAD: expected a structure of the lists text and answer_start, \
                    got a structure of ";
    assert!(
        other.starts_with(expected) && other.contains("answer_begin"),
        "{other}"
    );
}

proptest! {
    #[test]
    fn no_damaged_file_panics(
        name in prop::sample::select(vec!["datasets.parquet", "pandas-zstd-v2.parquet", "polars.parquet", "datasets.jsonl"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = file(name);
        for (place, byte) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())], &zstd(&bytes)] {
            let _ = parse(bytes).map_err(|error| error.to_string());
            let _ = parse_skipping(bytes).map_err(|error| error.to_string());
        }
    }
}
