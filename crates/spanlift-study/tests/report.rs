//! The page: one file, nothing in it that acts, tables and maps whole inside it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::record;
use serde_json::Value;
use spanlift_explanation::Part;
use spanlift_store::Record;
use spanlift_study::report::{Controls, Facts, QuestionMap, ReportData, json, page};
use spanlift_study::{Column, StudyError, Table};

const PASSAGE: &str = "The mill at Orwin was built by Ada Vell. It burnt in 1877.";
const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=\"alert(2)\"><!-- \u{2028}\u{202e} \"'`${alert(3)} </spanlift-study>";

fn facts() -> Facts {
    Facts {
        run: "mill-run".to_owned(),
        model: "invented".to_owned(),
        family: "bert".to_owned(),
        layers: 2,
        heads: 2,
        method: "deeplift, rescale".to_owned(),
        reference: "mask".to_owned(),
        data: "mill.json".to_owned(),
        questions: 2,
        version: "0.1.0".to_owned(),
        options: vec![("seed".to_owned(), "1".to_owned())],
        controls: Controls::default(),
    }
}

/// Score i of cut l is a number that a test can work out by itself.
fn score(l: usize, i: usize) -> f32 {
    ((i * 37 + l * 11) % 23) as f32 - 11.25
}

fn scored(mut record: Record) -> Record {
    for (l, layer) in record.explanation.layers.iter_mut().enumerate() {
        for (i, s) in layer.score.iter_mut().enumerate() {
            *s = score(l, i);
        }
    }
    record
}

fn records() -> Vec<Record> {
    let mut built = scored(record(
        "q1",
        "Who built the mill?",
        PASSAGE,
        "Ada Vell",
        2,
        2,
    ));
    built.gold = vec!["Ada Vell", "Ada Vell", "Vell"]
        .into_iter()
        .map(|text| spanlift_squad::GoldAnswer {
            text: text.to_owned(),
            start: 31,
        })
        .collect();
    vec![
        built,
        scored(record("q2", "Who sold it?", PASSAGE, "", 2, 2)),
    ]
}

fn tables() -> Vec<Table> {
    vec![Table {
        name: "questions",
        about: "A question.",
        columns: vec![
            Column::text("id", ["q1", "q2"]),
            Column::truth("exact", [true, false]),
            Column::number("probability", [2.0 / 3.0, f64::NAN]),
        ],
    }]
}

fn maps(records: &[Record]) -> Vec<QuestionMap> {
    records
        .iter()
        .map(|record| QuestionMap::of(record).unwrap())
        .collect()
}

fn data<'a>(tables: &'a [Table], maps: &'a [QuestionMap]) -> ReportData<'a> {
    ReportData {
        facts: facts(),
        tables,
        missing: &[],
        maps,
    }
}

/// The data inside a page, and the page without it.
fn inside(page: &str) -> (Value, String) {
    let (head, rest) = page
        .split_once("<script type=\"application/json\">")
        .unwrap();
    let (json, rest) = rest.split_once("</script>").unwrap();
    assert!(!json.contains(['<', '\u{2028}', '\u{2029}']));
    (serde_json::from_str(json).unwrap(), format!("{head}{rest}"))
}

/// Token texts of `pairs` over `text`: gaps and doubled lengths, as the page reads them.
fn spelt(pairs: &Value, text: &str) -> Vec<(String, bool)> {
    let characters: Vec<char> = text.chars().collect();
    let pairs: Vec<i64> = pairs
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_i64().unwrap())
        .collect();
    let mut end = 0;
    let token = |pair: &[i64]| {
        let start = end + pair[0];
        end = start + (pair[1] >> 1);
        let text = characters[start as usize..end as usize].iter().collect();
        (text, pair[1] & 1 == 1)
    };
    pairs.chunks(2).map(token).collect()
}

#[test]
fn a_map_reads_back() {
    let records = records();
    let maps = maps(&records);
    let (json, _) = inside(&page(&data(&tables(), &maps)).unwrap());
    assert_eq!(json["passages"].as_array().unwrap().len(), 1);
    assert_eq!(
        json["specials"],
        serde_json::json!([[["[CLS]"], ["[SEP]"], ["[SEP]"]]])
    );
    assert_eq!(
        json["maps"][0]["gold"],
        serde_json::json!(["Ada Vell", "Vell"])
    );
    for (record, map) in records.iter().zip(json["maps"].as_array().unwrap()) {
        let explanation = &record.explanation;
        let s = explanation.tokens.len();
        let passage = &json["passages"][map["passage"].as_u64().unwrap() as usize];
        let mut texts = spelt(&map["tokens"], map["question"].as_str().unwrap());
        texts.extend(spelt(&passage["tokens"], passage["text"].as_str().unwrap()));
        let expected = explanation
            .tokens
            .iter()
            .filter(|token| token.part != Part::Special)
            .map(|token| (token.text.clone(), false));
        assert_eq!(texts, expected.collect::<Vec<_>>());
        assert_eq!(map["roles"].as_str().unwrap().len(), s);
        let bytes = STANDARD.decode(map["scores"].as_str().unwrap()).unwrap();
        assert_eq!(bytes.len(), 3 * s);
        for l in 0..3 {
            let scale = map["scales"][l].as_f64().unwrap();
            let most = (0..s).map(|i| score(l, i).abs()).fold(0.0, f32::max);
            assert_eq!(scale, f64::from(most));
            for i in 0..s {
                let back = f64::from(bytes[l * s + i].cast_signed()) * scale / 127.0;
                assert!((back - f64::from(score(l, i))).abs() <= scale / 254.0 + 1e-9);
            }
        }
    }
    let answer = &json["maps"][0]["answer"];
    let token = |i: usize| {
        records[0].explanation.tokens[answer[i].as_u64().unwrap() as usize]
            .text
            .clone()
    };
    assert_eq!([token(0), token(1)], ["Ada", "Vell"]);
    assert_eq!(json["maps"][1]["has_answer"], false);
}

#[test]
fn roles_are_letters_of_the_list() {
    let maps = maps(&records());
    let (json, _) = inside(&page(&data(&tables(), &maps)).unwrap());
    let names: Vec<&str> = json["maps"][0]["roles"]
        .as_str()
        .unwrap()
        .bytes()
        .map(|letter| json["roles"][usize::from(letter - b'a')].as_str().unwrap())
        .collect();
    // [CLS] Who built the mill ? [SEP] The mill at Orwin …
    assert_eq!(
        names[..9],
        [
            "cls",
            "question-word",
            "question-keyword",
            "question-other",
            "question-keyword",
            "punctuation",
            "question-sep",
            "sentence",
            "match"
        ]
    );
    assert_eq!(names.last(), Some(&"final-sep"));
}

#[test]
fn a_window_is_shown_by_itself() {
    let mut record = records().remove(0);
    // The second sentence alone, as a later window of the passage.
    let start = PASSAGE.find("It burnt").unwrap();
    let e = &mut record.explanation;
    e.window.start = start;
    e.window.index = 1;
    e.window.count = 2;
    let keep: Vec<bool> = e
        .tokens
        .iter()
        .map(|t| t.part != Part::Passage || t.start.unwrap() >= start)
        .collect();
    let mut kept = keep.iter();
    e.tokens.retain(|_| *kept.next().unwrap());
    for layer in &mut e.layers {
        layer.score.truncate(e.tokens.len());
    }
    (e.answer.start_token, e.answer.end_token) = (0, 0);
    e.answer.has_answer = false;
    let maps = [QuestionMap::of(&record).unwrap()];
    let (json, _) = inside(&page(&data(&tables(), &maps)).unwrap());
    let passage = &json["passages"][0];
    assert_eq!(passage["text"], "It burnt in 1877.");
    let texts = spelt(&passage["tokens"], "It burnt in 1877.");
    let texts: Vec<&str> = texts.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["It", "burnt", "in", "1877", "."]);
}

#[test]
fn pieces_of_a_word_say_so() {
    let mut record = records().remove(0);
    // `Or` and `##win`.
    let e = &mut record.explanation;
    let at = e.tokens.iter().position(|t| t.text == "Orwin").unwrap();
    let start = e.tokens[at].start.unwrap();
    e.tokens[at].end = Some(start + 2);
    let mut second = e.tokens[at].clone();
    (second.text, second.start, second.end) =
        ("##win".to_owned(), Some(start + 2), Some(start + 5));
    e.tokens.insert(at + 1, second);
    for layer in &mut e.layers {
        layer.score.push(0.0);
    }
    let maps = [QuestionMap::of(&record).unwrap()];
    let (json, _) = inside(&page(&data(&tables(), &maps)).unwrap());
    let texts = spelt(&json["passages"][0]["tokens"], PASSAGE);
    assert_eq!(
        texts[3..5],
        [("Or".to_owned(), false), ("win".to_owned(), true)]
    );
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let mut record = records().remove(0);
    record.explanation.layers[1].score[3] = f32::NAN;
    let error = QuestionMap::of(&record).unwrap_err();
    assert!(matches!(&error, StudyError::Map { id, .. } if id == "q1"));
    assert_eq!(
        error.to_string(),
        "question `q1` has no map for the report: cut 2: a score is not finite"
    );
    let mut record = records().remove(0);
    record.explanation.layers[0].score.pop();
    let error = QuestionMap::of(&record).unwrap_err().to_string();
    assert!(
        error.contains("cut 1: expected 23 scores, got 22"),
        "{error}"
    );
    let mut record = records().remove(0);
    record.explanation.tokens.swap(1, 9);
    let error = QuestionMap::of(&record).unwrap_err().to_string();
    assert!(
        error.contains("expected the question, then the passage"),
        "{error}"
    );
}

#[test]
fn nothing_foreign_acts() {
    let mut record = record("q1", HOSTILE, HOSTILE, "", 2, 2);
    record.title = HOSTILE.to_owned();
    record.id = HOSTILE.to_owned();
    let maps = [QuestionMap::of(&record).unwrap()];
    let tables = [Table {
        name: "verdicts",
        about: "",
        columns: ["claim", "statement", "verdict", "why"]
            .map(|name| Column::text(name, [HOSTILE]))
            .to_vec(),
    }];
    let data = ReportData {
        facts: Facts {
            run: HOSTILE.to_owned(),
            model: HOSTILE.to_owned(),
            data: HOSTILE.to_owned(),
            reference: HOSTILE.to_owned(),
            ..facts()
        },
        ..data(&tables, &maps)
    };
    let page = page(&data).unwrap();
    let (json, rest) = inside(&page);
    assert_eq!(json["maps"][0]["question"], HOSTILE);
    assert_eq!(json["passages"][0]["text"], HOSTILE);
    assert_eq!(json["titles"][0], HOSTILE);
    assert_eq!(json["facts"]["run"], HOSTILE);
    // What is left is the page's own: one element, one script, nothing else that could act.
    let (own, script) = rest.split_once("</spanlift-study>").unwrap();
    assert!(own.contains("alert(1)"));
    assert!(!own.contains("<script") && !own.contains("<img") && !own.contains("<!--"));
    assert!(!own.contains(['\u{2028}', '\u{202e}']));
    assert_eq!(script.to_lowercase().matches("<script>").count(), 1);
    assert_eq!(script.to_lowercase().matches("</script").count(), 1);
    assert!(!script.contains("<!--") && !script.contains("alert("));
}

#[test]
fn the_page_reaches_nothing() {
    let page = page(&data(&tables(), &[])).unwrap();
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .unwrap();
    let (policy, _) = policy.split_once('"').unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"));
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("'self'"));
}

#[test]
fn a_table_that_is_missing_says_what_makes_it() {
    let how = |tables: &[Table], missing: &[(&str, &str)]| -> Vec<(String, String)> {
        let data = ReportData {
            missing,
            ..data(tables, &[])
        };
        let json: Value = serde_json::from_str(&json(&data).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = json["missing"].as_array().unwrap().iter();
        list.map(|m| (text(&m["table"]), text(&m["how"]))).collect()
    };
    let claims = Table {
        name: "claims",
        about: "",
        columns: vec![Column::text("claim", ["a"])],
    };
    let usual = how(&[], &[]);
    assert!(
        usual
            .iter()
            .any(|(table, how)| table == "claims" && how.contains("spanlift study claims"))
    );
    let own = how(&[], &[("claims", "Three layers are too few.")]);
    assert_eq!(own.iter().filter(|(table, _)| table == "claims").count(), 1);
    assert_eq!(own[0].1, "Three layers are too few.");
    assert!(
        how(&[claims], &[("claims", "x")])
            .iter()
            .all(|(table, _)| table != "claims")
    );
}

/// 2,000 questions of 166 tokens at 7 cuts, ten to a passage: 1,550 bytes of scores, 166 of roles, and what is left.
#[test]
fn two_thousand_questions_stay_small() {
    let passages: Vec<String> = (0..200)
        .map(|p| format!("Mill {p} stood. ") + &"the old mill beside the weir ".repeat(25))
        .collect();
    let maps: Vec<QuestionMap> = (0..2000)
        .map(|q| {
            let question = format!("Who built the mill beside weir number {q}?");
            QuestionMap::of(&scored(record(
                &format!("id-{q:020}"),
                &question,
                &passages[q / 10],
                "",
                6,
                12,
            )))
            .unwrap()
        })
        .collect();
    let alone = json(&data(&tables(), &[])).unwrap().len();
    let all = json(&data(&tables(), &maps)).unwrap().len() - alone;
    assert!(all < 2000 * 2250, "{all} bytes");
}

/// `web/tests/unit` reads this file: what is written here is what the page understands.
#[test]
fn the_data_is_what_the_page_reads() {
    let maps = maps(&records());
    let written = json(&data(&tables(), &maps)).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/study.json");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == known,
        "tests/data/study.json is not what the report writes:\n{written}"
    );
}
