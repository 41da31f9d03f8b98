//! Reading files: what is taken, how each fault is named, and that no input panics.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::{self, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use spanlift_squad::{Dataset, GoldAnswer, Question, SquadError, parse, read};

/// Two articles in the layout of version 2.0. In the first passage characters and bytes part at the third
/// character; the 🜂 is four bytes and one character (and two UTF-16 units).
fn two_articles() -> Value {
    json!({
        "version": "v2.0",
        "data": [
            {"title": "Mills", "paragraphs": [
                {"context": "Zoë’s 🜂 mill ground rye from 1820 until 1911.", "qas": [
                    {"id": "mill-1", "question": " When did the mill start? ", "is_impossible": false,
                     "answers": [{"text": "1820", "answer_start": 29},
                                 {"text": "from 1820", "answer_start": 24}]},
                    {"id": "mill-2", "question": "Who burnt the mill down?", "is_impossible": true,
                     "answers": [], "plausible_answers": [{"text": "Zoë", "answer_start": 0}]}
                ]},
                {"context": "It stands empty now.", "qas": []}
            ]},
            {"title": "Ferries", "paragraphs": [
                {"context": "The ferry carries goats.", "qas": [
                    {"id": "ferry-1", "question": "What does the ferry carry?",
                     "answers": [{"text": "goats", "answer_start": 18, "n_occurrences": 1}]}
                ]}
            ]}
        ]
    })
}

fn answer(text: &str, start: usize) -> GoldAnswer {
    GoldAnswer {
        text: text.to_owned(),
        start,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error and its message after one change to [`two_articles`].
fn after(change: impl FnOnce(&mut Value)) -> (SquadError, String) {
    let mut file = two_articles();
    change(&mut file);
    refusal(file.to_string().as_bytes())
}

fn refusal(bytes: &[u8]) -> (SquadError, String) {
    let error = parse(bytes).unwrap_err();
    let message = error.to_string();
    (error, message)
}

const FIRST: &str = "/data/0/paragraphs/0/qas/0";

fn at<'a>(file: &'a mut Value, pointer: &str) -> &'a mut Value {
    file.pointer_mut(pointer).unwrap()
}

#[test]
fn all_questions_are_read_in_file_order() {
    let dataset = parse(two_articles().to_string().as_bytes()).unwrap();
    assert_eq!(dataset.version.as_deref(), Some("v2.0"));
    let ids: Vec<_> = dataset.questions.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(ids, ["mill-1", "mill-2", "ferry-1"]);

    let first = &dataset.questions[0];
    assert_eq!(&*first.title, "Mills");
    assert_eq!(first.question, " When did the mill start? ");
    assert_eq!(first.answers, [answer("1820", 29), answer("from 1820", 24)]);
    assert!(!first.is_impossible);

    let second = &dataset.questions[1];
    assert!(second.is_impossible && second.answers.is_empty());
    assert_eq!(dataset.questions[2].answers, [answer("goats", 18)]);
    assert!(
        !dataset.questions[2].is_impossible,
        "version 1.1 has no such field"
    );
}

#[test]
fn questions_share_their_passage_and_title() {
    let dataset = parse(two_articles().to_string().as_bytes()).unwrap();
    let [first, second, third] = &dataset.questions[..] else {
        panic!("three questions");
    };
    assert!(Arc::ptr_eq(&first.context, &second.context));
    assert!(Arc::ptr_eq(&first.title, &second.title));
    assert!(!Arc::ptr_eq(&first.context, &third.context));
}

#[test]
fn a_question_is_found_by_its_id() {
    let dataset = parse(two_articles().to_string().as_bytes()).unwrap();
    assert_eq!(dataset.find("ferry-1"), Some(&dataset.questions[2]));
    assert_eq!(dataset.find("ferry"), None);
}

#[test]
fn gzip_is_known_by_its_bytes_and_not_by_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = two_articles().to_string();
    let (plain, packed) = (
        folder.path().join("a.json.gz"),
        folder.path().join("b.json"),
    );
    std::fs::write(&plain, &text).unwrap();
    std::fs::write(&packed, gzip(text.as_bytes())).unwrap();
    let expected = parse(text.as_bytes()).unwrap();
    assert_eq!(read(&plain).unwrap(), expected);
    assert_eq!(read(&packed).unwrap(), expected);
}

#[test]
fn escapes_in_the_json_are_characters_of_the_text() {
    let file = r#"{"data": [{"paragraphs": [{"context": "A \"tin\" \ud83d\ude02 \u00eb cup",
        "qas": [{"id": "1", "question": "What?",
                 "answers": [{"text": "\u00eb cup", "answer_start": 10}]}]}]}]}"#;
    let dataset = parse(file.as_bytes()).unwrap();
    assert_eq!(&*dataset.questions[0].context, "A \"tin\" \u{1f602} ë cup");
    assert_eq!(dataset.questions[0].answers, [answer("ë cup", 10)]);
    assert_eq!((&*dataset.questions[0].title, dataset.version), ("", None));
}

#[test]
fn a_version_may_be_a_number() {
    let mut file = two_articles();
    file["version"] = json!(1.1);
    let dataset = parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(dataset.version.as_deref(), Some("1.1"));
    let (error, message) = after(|file| file["version"] = json!([2]));
    assert!(matches!(error, SquadError::NotSquad { .. }), "{error:?}");
    let expected = "version: not SQuAD: invalid type: sequence, expected a string or a number";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_missing_file_is_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.json"), folder.path().to_owned()] {
        let error = read(&path).unwrap_err();
        assert!(matches!(error, SquadError::Read { .. }), "{error:?}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn a_reader_that_fails_half_way_is_unreadable() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let error = parse((&b"{\"data\": ["[..]).chain(Fails)).unwrap_err();
    assert!(matches!(error, SquadError::Read { .. }), "{error:?}");
}

#[test]
fn broken_gzip_is_said_to_be_broken() {
    let whole = gzip(two_articles().to_string().as_bytes());
    let cut = &whole[..whole.len() - 20];
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    let trailing = [&whole[..], b"more"].concat();
    for bytes in [cut, &flipped, &trailing, &whole[..2]] {
        let (error, message) = refusal(bytes);
        assert!(matches!(error, SquadError::Gzip { .. }), "{error:?}");
        assert_eq!(message, "broken gzip");
    }
}

#[test]
fn text_in_another_encoding_is_named_with_its_byte() {
    let (error, message) = refusal(b"{\"version\": \"Zo\xeb\"}");
    assert!(
        matches!(error, SquadError::NotUtf8 { offset: 15 }),
        "{error:?}"
    );
    assert_eq!(
        message,
        "not UTF-8: the (decompressed) byte 15 starts no character"
    );
}

#[test]
fn broken_json_is_named_with_line_and_column() {
    let (error, message) = refusal(b"{\n  \"data\": [,]\n}");
    assert!(
        matches!(
            error,
            SquadError::Json {
                line: 2,
                column: 12,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(message, "not JSON at line 2, column 12: expected value");
    for bytes in [
        &b""[..],
        b"{\"data\": [",
        b"{\"data\": []} {}",
        br#"{"version": "\ud800"}"#,
    ] {
        let (error, _) = refusal(bytes);
        assert!(matches!(error, SquadError::Json { .. }), "{error:?}");
    }
    let deep = "[".repeat(100_000);
    let (error, _) = refusal(format!("{{\"more\": {deep}").as_bytes());
    assert!(matches!(error, SquadError::Json { .. }), "{error:?}");
}

#[test]
fn missing_fields_are_named() {
    let question = format!("{FIRST}/answers/1");
    for (parent, field, name, id) in [
        ("", "data", "data", None),
        ("/data/1", "paragraphs", "data[1].paragraphs", None),
        (
            "/data/0/paragraphs/1",
            "context",
            "data[0].paragraphs[1].context",
            None,
        ),
        (
            "/data/0/paragraphs/1",
            "qas",
            "data[0].paragraphs[1].qas",
            None,
        ),
        (FIRST, "id", "data[0].paragraphs[0].qas[0].id", None),
        (
            FIRST,
            "question",
            "data[0].paragraphs[0].qas[0].question",
            Some("mill-1"),
        ),
        (
            FIRST,
            "answers",
            "data[0].paragraphs[0].qas[0].answers",
            Some("mill-1"),
        ),
        (
            &question,
            "text",
            "data[0].paragraphs[0].qas[0].answers[1].text",
            Some("mill-1"),
        ),
        (
            &question,
            "answer_start",
            "data[0].paragraphs[0].qas[0].answers[1].answer_start",
            Some("mill-1"),
        ),
    ] {
        let (error, message) = after(|file| {
            at(file, parent)
                .as_object_mut()
                .unwrap()
                .remove(field)
                .unwrap();
        });
        let SquadError::NotSquad {
            id: got_id,
            field: got,
            ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((got.as_str(), got_id.as_deref()), (name, id));
        let prefix = id.map_or(String::new(), |id| format!("question `{id}`: "));
        let expected = format!("{prefix}{name}: not SQuAD: missing field `{field}` at line 1");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn fields_of_another_type_are_named_with_expected_and_got() {
    let number = "integer `5`";
    for (pointer, name, id, got, expected) in [
        ("/data", "data", None, number, "a sequence"),
        ("/data/1", "data[1]", None, number, "an object"),
        ("/data/1/title", "data[1].title", None, number, "a string"),
        (
            "/data/0/paragraphs/1/context",
            "data[0].paragraphs[1].context",
            None,
            number,
            "a string",
        ),
        (
            "/data/0/paragraphs/0/qas/1/question",
            "data[0].paragraphs[0].qas[1].question",
            Some("mill-2"),
            number,
            "a string",
        ),
        (
            "/data/0/paragraphs/0/qas/1/is_impossible",
            "data[0].paragraphs[0].qas[1].is_impossible",
            Some("mill-2"),
            number,
            "a boolean",
        ),
        (
            "/data/0/paragraphs/0/qas/0/answers/1",
            "data[0].paragraphs[0].qas[0].answers[1]",
            Some("mill-1"),
            number,
            "an object",
        ),
        // An id that is a number cannot be told as an id.
        (
            "/data/0/paragraphs/0/qas/1/id",
            "data[0].paragraphs[0].qas[1].id",
            None,
            number,
            "a string",
        ),
    ] {
        let (error, message) = after(|file| *at(file, pointer) = json!(5));
        let SquadError::NotSquad {
            id: got_id,
            field,
            reason,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((field.as_str(), got_id.as_deref()), (name, id));
        let start = format!("invalid type: {got}, expected {expected} at line 1 column ");
        assert!(reason.starts_with(&start), "{reason}");
        assert!(
            message.contains(name) && message.contains(&start),
            "{message}"
        );
    }
    let (error, message) =
        after(|file| *at(file, "/data/1/paragraphs/0/qas/0/answers/0/answer_start") = json!(-1));
    assert!(
        matches!(error, SquadError::NotSquad { id: Some(_), .. }),
        "{error:?}"
    );
    assert!(
        message.starts_with(
            "question `ferry-1`: data[1].paragraphs[0].qas[0].answers[0].answer_start: \
             not SQuAD: invalid value: integer `-1`, expected a whole number from 0"
        ),
        "{message}"
    );
}

#[test]
fn json_that_is_something_else_altogether_is_not_squad() {
    let (error, message) = refusal(b"\"data\"");
    assert!(
        matches!(error, SquadError::NotSquad { id: None, .. }),
        "{error:?}"
    );
    assert_eq!(
        message,
        "the file: not SQuAD: invalid type: string \"data\", expected an object \
         at line 1 column 6"
    );
}

/// What a derived structure alone would take.
#[test]
fn an_array_of_fields_is_no_object() {
    let (error, message) = after(|file| *at(file, "/data/1") = json!(["Ferries", []]));
    assert!(matches!(error, SquadError::NotSquad { .. }), "{error:?}");
    let expected = "data[1]: not SQuAD: invalid type: sequence, expected an object";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let text = two_articles().to_string();
    let twice = text.replacen("\"context\":", "\"context\":\"other\",\"context\":", 1);
    let (error, message) = refusal(twice.as_bytes());
    assert!(matches!(error, SquadError::NotSquad { .. }), "{error:?}");
    assert!(message.contains("duplicate field `context`"), "{message}");
}

/// The id is looked for in a text that is known to be faulty: a second fault may hide it.
#[test]
fn a_second_fault_costs_the_id_but_not_the_field() {
    let (error, _) = after(|file| {
        at(file, FIRST)["question"] = json!(5);
        *at(file, "/data/1/paragraphs/0/qas/0/id") = json!(5);
    });
    let SquadError::NotSquad {
        id: None, field, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(field, "data[0].paragraphs[0].qas[0].question");
}

#[test]
fn an_id_that_was_there_before_is_refused() {
    let (error, message) =
        after(|file| *at(file, "/data/1/paragraphs/0/qas/0/id") = json!("mill-2"));
    assert!(
        matches!(&error, SquadError::DuplicateId { id, .. } if id == "mill-2"),
        "{error:?}"
    );
    assert_eq!(
        message,
        "question `mill-2`: data[1].paragraphs[0].qas[0].id: expected an id of its own, \
         got that of an earlier question"
    );
}

#[test]
fn blank_texts_are_refused() {
    for (pointer, name, id) in [
        (
            "/data/0/paragraphs/1/context",
            "data[0].paragraphs[1].context",
            None,
        ),
        (
            "/data/0/paragraphs/0/qas/1/id",
            "data[0].paragraphs[0].qas[1].id",
            None,
        ),
        (
            "/data/0/paragraphs/0/qas/1/question",
            "data[0].paragraphs[0].qas[1].question",
            Some("mill-2"),
        ),
        (
            "/data/0/paragraphs/0/qas/0/answers/1/text",
            "data[0].paragraphs[0].qas[0].answers[1].text",
            Some("mill-1"),
        ),
    ] {
        for blank in ["", " \u{2003}\n"] {
            let (error, message) = after(|file| *at(file, pointer) = json!(blank));
            assert!(matches!(error, SquadError::Empty { .. }), "{error:?}");
            let prefix = id.map_or(String::new(), |id| format!("question `{id}`: "));
            assert_eq!(
                message,
                format!("{prefix}{name}: expected a text, got only blanks or nothing")
            );
        }
    }
}

#[test]
fn answers_to_an_impossible_question_are_refused() {
    let (error, message) = after(|file| at(file, FIRST)["is_impossible"] = json!(true));
    assert!(
        matches!(error, SquadError::ImpossibleWithAnswers { got: 2, .. }),
        "{error:?}"
    );
    assert_eq!(
        message,
        "question `mill-1`: data[0].paragraphs[0].qas[0].answers: expected none as \
         `is_impossible` is true, got 2"
    );
}

#[test]
fn a_question_may_have_no_gold_answer_and_no_verdict() {
    let mut file = two_articles();
    at(&mut file, FIRST)["answers"] = json!([]);
    let dataset = parse(file.to_string().as_bytes()).unwrap();
    assert!(dataset.questions[0].answers.is_empty() && !dataset.questions[0].is_impossible);
}

#[test]
fn offsets_in_bytes_or_utf16_units_are_refused_and_set_right() {
    let text = two_articles();
    let context = text
        .pointer("/data/0/paragraphs/0/context")
        .unwrap()
        .as_str()
        .unwrap();
    let byte = context.find("1820").unwrap();
    let unit = context[..byte].encode_utf16().count();
    assert_eq!((byte, unit), (35, 30));
    for (start, got) in [
        (byte, "ntil"),
        (unit, "820 "),
        (28, " 182"),
        (44, "."),
        (45, ""),
        (9999, ""),
    ] {
        let (error, message) =
            after(|file| at(file, FIRST)["answers"][0]["answer_start"] = json!(start));
        assert!(
            matches!(
                error,
                SquadError::AnswerOffset {
                    found: Some(29),
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(
            message,
            format!(
                "question `mill-1`: data[0].paragraphs[0].qas[0].answers[0]: expected \"1820\" at \
                 character {start} of the passage, got {got:?} (it is at character 29)"
            )
        );
    }
    // No offset is too large to be looked up.
    let (error, _) = after(|file| {
        *at(file, "/data/1/paragraphs/0/qas/0/answers/0/answer_start") = json!(u64::MAX)
    });
    assert!(
        matches!(
            error,
            SquadError::AnswerOffset {
                found: Some(18),
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn an_answer_that_is_nowhere_is_refused_and_quoted_in_short() {
    let long = "é".repeat(61);
    let (error, message) = after(|file| at(file, FIRST)["answers"][1]["text"] = json!(long));
    assert!(
        matches!(error, SquadError::AnswerOffset { found: None, .. }),
        "{error:?}"
    );
    let quoted = "é".repeat(60);
    assert!(
        message.contains(&format!("expected \"{quoted}…\" at character 24")),
        "{message}"
    );
    assert!(
        message.ends_with("got \"from 1820 until 1911.\" (it is nowhere in the passage)"),
        "{message}"
    );
}

#[derive(Clone, Debug)]
struct Paragraph {
    context: String,
    questions: Vec<About>,
}

/// Question, spans (start, length) of its answers, impossible.
type About = (String, Vec<(usize, usize)>, bool);

fn paragraph() -> impl Strategy<Value = Paragraph> {
    let question = (
        "[ -~ßé火🜂]{0,12}x",
        prop::collection::vec((0..200_usize, 1..9_usize), 0..3),
        any::<bool>(),
    );
    (
        "[a-zé火🜂\"\\\\\n ]{0,200}x",
        prop::collection::vec(question, 0..4),
    )
        .prop_map(|(context, questions)| Paragraph { context, questions })
}

/// What the paragraphs hold, as the reader should give it back and as a file.
fn dataset_and_file(paragraphs: &[Paragraph]) -> (Dataset, String) {
    let mut questions = Vec::new();
    let mut written = Vec::new();
    for Paragraph {
        context,
        questions: about,
    } in paragraphs
    {
        let characters: Vec<char> = context.chars().collect();
        let mut qas = Vec::new();
        for (question, spans, impossible) in about {
            let answers: Vec<GoldAnswer> = spans
                .iter()
                .filter(|_| !impossible)
                .map(|&(start, length)| {
                    let start = start.min(characters.len() - 1);
                    let text = characters[start..].iter().take(length).collect();
                    GoldAnswer { text, start }
                })
                .filter(|answer| !answer.text.trim().is_empty())
                .collect();
            let gold: Vec<Value> = answers
                .iter()
                .map(|answer| json!({"text": answer.text, "answer_start": answer.start}))
                .collect();
            let id = format!("é{}", questions.len());
            qas.push(json!({"answers": gold, "id": id, "question": question, "is_impossible": impossible}));
            questions.push(Question {
                id,
                title: "Títle".into(),
                question: question.clone(),
                context: context.as_str().into(),
                answers,
                is_impossible: *impossible,
            });
        }
        written.push(json!({"qas": qas, "context": context}));
    }
    let file = json!({"data": [{"paragraphs": written, "title": "Títle"}], "version": "x"});
    (
        Dataset {
            version: Some("x".to_owned()),
            questions,
        },
        file.to_string(),
    )
}

proptest! {
    #[test]
    fn what_was_written_is_read(paragraphs in prop::collection::vec(paragraph(), 0..4)) {
        let (dataset, file) = dataset_and_file(&paragraphs);
        prop_assert_eq!(&parse(file.as_bytes()).unwrap(), &dataset);
        prop_assert_eq!(&parse(&gzip(file.as_bytes())[..]).unwrap(), &dataset);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes[..]);
        let _ = parse(&[&[0x1f, 0x8b, 8, 0][..], &bytes].concat()[..]);
        let _ = parse(&gzip(&bytes)[..]);
    }

    #[test]
    fn no_damaged_file_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = two_articles().to_string().into_bytes();
        for mut bytes in [text.clone(), gzip(&text)] {
            for (place, byte) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            let _ = parse(&bytes[..]).map_err(|error| error.to_string());
            let _ = parse(&bytes[..cut.index(bytes.len())]).map_err(|error| error.to_string());
        }
    }

    /// Damage to the values rather than the bytes, so that the JSON stays whole and every check is reached.
    #[test]
    fn no_wrong_value_panics(
        pointer in prop::sample::select(vec![
            "/version", "/data", "/data/0", "/data/0/title", "/data/0/paragraphs", "/data/0/paragraphs/0",
            "/data/0/paragraphs/0/context", "/data/0/paragraphs/0/qas", "/data/0/paragraphs/0/qas/0",
            "/data/0/paragraphs/0/qas/0/id", "/data/0/paragraphs/0/qas/0/question",
            "/data/0/paragraphs/0/qas/0/is_impossible", "/data/0/paragraphs/0/qas/0/answers",
            "/data/0/paragraphs/0/qas/0/answers/0", "/data/0/paragraphs/0/qas/0/answers/0/text",
            "/data/0/paragraphs/0/qas/0/answers/0/answer_start",
        ]),
        value in prop_oneof![
            Just(Value::Null), Just(json!([])), Just(json!({})), Just(json!([[]])), any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from), any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from), "\\PC{0,8}".prop_map(Value::from),
        ],
    ) {
        let mut file = two_articles();
        *at(&mut file, pointer) = value;
        let _ = parse(file.to_string().as_bytes()).map_err(|error| error.to_string());
    }
}
