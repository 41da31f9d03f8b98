//! Files of questions: JSON, JSON lines, Parquet, plain and packed; and of predictions.

use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use spanlift_squad::{ById, evaluate};

use crate::mutate::Shape;
use crate::run::{Bound, Outcome, Probe, Target};

/// "About eight times at worst", says the reader's `MAX_BYTES`, of questions of one letter; with the file itself, which
/// is read into a buffer that doubles, and a list that moves as it grows.
const READ: Bound = Bound {
    factor: 24,
    constant: 1 << 20,
};

/// A line's lists of texts and places of two bytes each are read as texts of 24, in lists that double, before they become
/// answers of 32.
const LINES: Bound = Bound {
    factor: 64,
    constant: 1 << 20,
};

/// To pass over a bad record the whole file becomes JSON values first: an object of seven bytes (`{"":0},`) has room for
/// eleven pairs, 640 bytes, and some of it is copied. 370 times was seen.
const SKIPPING: Bound = Bound {
    factor: 512,
    constant: 1 << 20,
};

/// A page may unfold to far more than it has, up to the reader's budget of 1 GiB; these are far below it.
const TABLE: Bound = Bound {
    factor: 1 << 10,
    constant: 64 << 20,
};

/// What a zstd frame may unfold to here.
const LONGEST: u64 = 1 << 30;

const SEED: &str = r#"{"version":"v2.0","data":[{"title":"Mills","paragraphs":[{"context":"Zoë's mill was built in 1820.","qas":[{"id":"a","question":"When was the mill built?","is_impossible":false,"answers":[{"text":"1820","answer_start":24}]},{"id":"b","question":"Who burnt it down?","is_impossible":true,"answers":[],"plausible_answers":[{"text":"Zoë","answer_start":0}]}]}]}]}"#;

const WORDS: &[&str] = &[
    "\"version\"",
    "\"data\"",
    "\"paragraphs\"",
    "\"context\"",
    "\"qas\"",
    "\"answers\"",
    "\"answer_start\"",
    "\"text\"",
    "\"id\"",
    "\"is_impossible\"",
    "\"title\"",
    r#"{"text":"a","answer_start":0}"#,
    r#"{"id":"c","question":"q","answers":[]}"#,
    r#"{"context":"a","qas":[]}"#,
    r#"{"paragraphs":[]}"#,
    "\"Zo\\u00eb\"",
];

pub(super) fn targets() -> Vec<Target> {
    let small = r#"{"data":[{"paragraphs":[{"context":"a b","qas":[{"id":"1","question":"q","answers":[{"text":"b","answer_start":2}]}]}]}]}"#;
    let line = r#"{"id":"a","title":"Mills","context":"Zoë's mill.","question":"Whose mill?","answers":{"text":["Zoë"],"answer_start":[0]}}"#;
    let jsons = || vec![SEED.into(), small.into()];
    let mut many = vec![
        line.into(),
        format!("{line}\n{}\n", line.replace("\"a\"", "\"b\"")).into(),
    ];
    many.extend(["datasets.jsonl", "pandas.jsonl"].map(file));
    let tables = [
        "datasets.parquet",
        "pandas.parquet",
        "polars.parquet",
        "pandas-gzip.parquet",
    ];
    let target = |name, inputs, shape, seeds, run| Target {
        name,
        inputs,
        shape,
        seeds,
        words: WORDS,
        run,
    };
    vec![
        target(
            "squad.json",
            1_500_000,
            Shape::Json,
            jsons(),
            Box::new(plain),
        ),
        target("squad.jsonl", 500_000, Shape::Json, many, Box::new(lines)),
        target(
            "squad.json.gz",
            200_000,
            Shape::Gzip,
            jsons(),
            Box::new(packed),
        ),
        target(
            "squad.json.zst",
            200_000,
            Shape::Zstd,
            jsons(),
            Box::new(packed),
        ),
        target(
            "squad.parquet",
            300_000,
            Shape::Binary,
            tables.map(file).to_vec(),
            Box::new(|input, probe| read(input, input, TABLE, probe)),
        ),
        Target {
            words: &[
                "\"a\"",
                "\"b\"",
                "\"\"",
                "\"the 1820.\"",
                "0.5",
                "{\"a\":\"x\"}",
            ],
            ..target(
                "predictions.json",
                300_000,
                Shape::Json,
                vec![br#"{"a":"1820","b":""}"#.to_vec()],
                Box::new(predictions),
            )
        },
    ]
}

/// A file of the reader's own tests.
fn file(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift-squad/tests/files");
    std::fs::read(root.join(name)).unwrap_or_default()
}

fn plain(input: &[u8], probe: &mut Probe) -> Outcome {
    read(input, input, READ, probe)
}

fn lines(input: &[u8], probe: &mut Probe) -> Outcome {
    read(input, input, LINES, probe)
}

/// The bound counts what it unfolds to: at most 1032 times its size in gzip, which is deflate's limit; in zstd the
/// reader's own limit, 1 GiB.
fn packed(input: &[u8], probe: &mut Probe) -> Outcome {
    let mut plain = Vec::new();
    // As far as it goes.
    let _ = if input.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(input).read_to_end(&mut plain)
    } else {
        zstd::Decoder::with_buffer(input)
            .and_then(|decoder| decoder.take(LONGEST).read_to_end(&mut plain))
    };
    read(input, &plain, READ, probe)
}

/// Every answer stands where it says; and where no record is bad, none is skipped. `content` is what the input unfolds to.
fn read(input: &[u8], content: &[u8], bound: Bound, probe: &mut Probe) -> Outcome {
    let length = input.len().max(content.len());
    let read = probe.step("parse", length, bound, || spanlift_squad::parse(input));
    let skipping = Bound {
        factor: bound.factor.max(SKIPPING.factor),
        ..bound
    };
    let skipped = probe.step("skipping", length, skipping, || {
        spanlift_squad::parse_skipping(input)
    });
    match (read, skipped) {
        (Ok(dataset), Ok((same, skipped))) if dataset == same && skipped.count == 0 => {
            held(&dataset)
        }
        (Err(error), Err(_)) => {
            drop(error.to_string());
            Outcome::Refused
        }
        (Err(_), Ok((dataset, skipped))) if skipped.count > 0 || is_written_twice(content) => {
            match held(&dataset) {
                Outcome::Read => Outcome::Refused,
                other => other,
            }
        }
        (read, skipped) => Outcome::Wrong(format!(
            "with and without skipping: {:.300}",
            format!("{read:?} {skipped:?}")
        )),
    }
}

/// Whether a field comes twice in JSON: refused by the one reader, and for the skipping one the last counts.
fn is_written_twice(content: &[u8]) -> bool {
    let once = |json: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(json).map(|value| value.to_string())
    };
    let lines = content.split(|&byte| byte == b'\n');
    let lines = lines.map(|line| once(line).unwrap_or_default() + "\n");
    let once = once(content).unwrap_or_else(|_| lines.collect());
    spanlift_squad::parse(once.as_bytes()).is_ok()
}

/// The official file of answers, scored where it reads.
fn predictions(input: &[u8], probe: &mut Probe) -> Outcome {
    let dataset = spanlift_squad::parse(SEED.as_bytes());
    let answers = probe.step("read", input.len(), READ, || ById::<String>::read(input));
    match (dataset, answers) {
        (Ok(dataset), Ok(answers)) => {
            let scored = probe.step("evaluate", input.len(), READ, || {
                evaluate(&dataset.questions, &answers, None, 1.0)
            });
            if let Ok(evaluation) = scored
                && serde_json::from_str::<serde_json::Value>(&evaluation.official_json()).is_err()
            {
                return Outcome::Wrong(String::from("metrics that are not JSON"));
            }
            Outcome::Read
        }
        _ => Outcome::Refused,
    }
}

/// Every answer stands where it says.
fn held(dataset: &spanlift_squad::Dataset) -> Outcome {
    for question in &dataset.questions {
        for answer in &question.answers {
            let there = question.context.char_indices().nth(answer.start);
            let there = there.map_or("", |(byte, _)| &question.context[byte..]);
            if answer.text.is_empty() || !there.starts_with(&answer.text) {
                return Outcome::Wrong(format!("question {}: {answer:?}", question.id));
            }
        }
    }
    Outcome::Read
}
