//! The JSON form: what is written reads back to the bit, and what is no explanation is named.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{cafe, piece, special, zeros};
use proptest::prelude::*;
use spanlift_explanation::{
    Explanation, FORMAT, Invalid, Part, ReadError, VERSION, WriteError, words,
};

#[test]
fn one_line_a_field_and_an_entry() {
    let json = cafe().to_json().unwrap();
    let lines: Vec<&str> = json.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "{",
            r#""format":"spanlift.explanation","#,
            r#""version":1,"#
        ]
    );
    assert!(lines.contains(&r#""word_score":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"#));
    assert!(
        lines.contains(&r#"  {"text":"[CLS]","id":101,"part":"special","start":null,"end":null},"#)
    );
    assert!(lines.contains(
        &r#""method":{"name":"deeplift","rule":"rescale","reference":"mask","references":1,"rules":{"gelu":"rescale"},"complete":true,"scope":"all"},"#
    ));
    // 21 fields and two braces; one candidate, seven tokens, three layers, one edge.
    assert_eq!(lines.len(), 21 + 2 + 1 + 7 + 3 + 1);
    assert!(json.ends_with("\n}\n"));
}

#[test]
fn a_field_of_a_later_writer_is_passed_over() {
    let json = cafe()
        .to_json()
        .unwrap()
        .replacen("{\n", "{\n\"colour\":[1],", 1);
    assert_eq!(Explanation::from_json(&json).unwrap(), cafe());
}

#[test]
fn another_format_is_named_before_its_fields() {
    // A SQuAD file, given by mistake.
    let error = Explanation::from_json(r#"{"version":"v2.0","data":[]}"#).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Format {
                got: None,
                expected: FORMAT
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        r#"format: expected "spanlift.explanation", got none"#
    );
    let error = Explanation::from_json(r#"{"format":"squad"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"format: expected "spanlift.explanation", got "squad""#
    );
}

#[test]
fn another_version_is_named_before_its_fields() {
    let error =
        Explanation::from_json(r#"{"version":2,"format":"spanlift.explanation"}"#).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Version {
                got: 2,
                expected: VERSION
            }
        ),
        "{error}"
    );
    assert_eq!(error.to_string(), "version: expected 1, got 2");
}

#[test]
fn malformed_json_is_named_with_its_place() {
    let error = Explanation::from_json(r#"{"format":"spanlift.explanation"}"#).unwrap_err();
    assert!(matches!(error, ReadError::Json { .. }));
    let message = error.to_string();
    assert!(
        message.starts_with("malformed explanation: missing field `version`"),
        "{message}"
    );
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let json = cafe()
        .to_json()
        .unwrap()
        .replace("\"heads\":3", "\"heads\":4");
    let error = Explanation::from_json(&json).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Invalid {
                source: Invalid::Length { .. }
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "heads.score[0]: expected 4 entries, got 3"
    );
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let mut explanation = cafe();
    explanation.layers[1].score[4] = f32::NAN;
    let mut written = Vec::new();
    let error = explanation.write_json(&mut written).unwrap_err();
    assert!(
        matches!(
            error,
            WriteError::Invalid {
                source: Invalid::Number { .. }
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "layers[1].score[4]: expected a finite number, got NaN"
    );
    assert!(written.is_empty());
}

#[test]
fn a_full_disk_is_reported() {
    let mut short = [0_u8; 10];
    let error = cafe().write_json(&mut short[..]).unwrap_err();
    assert!(matches!(error, WriteError::Io { .. }), "{error}");
}

/// Every leaf of the JSON form in turn becomes something else: read or refused, never a panic.
#[test]
fn no_field_can_make_the_reader_panic() {
    let good: serde_json::Value = serde_json::from_str(&cafe().to_json().unwrap()).unwrap();
    let mut leaves = Vec::new();
    collect(&good, String::new(), &mut leaves);
    assert!(leaves.len() > 200, "{}", leaves.len());
    let odd = [
        "18446744073709551615",
        "0",
        "3",
        "-1",
        "1e308",
        "null",
        "\"\"",
        "\"é\"",
        "[]",
        "{}",
    ];
    let mut read = 0;
    for leaf in &leaves {
        for odd in odd {
            let mut json = good.clone();
            *json.pointer_mut(leaf).unwrap() = serde_json::from_str(odd).unwrap();
            if let Ok(explanation) = Explanation::from_json(&json.to_string()) {
                read += 1;
                explanation.to_json().unwrap();
                assert_eq!(
                    words(&explanation).last().unwrap().tokens.end,
                    explanation.tokens.len()
                );
            }
        }
    }
    assert!(read > 0);
}

fn collect(value: &serde_json::Value, path: String, leaves: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(entries) => {
            entries
                .iter()
                .enumerate()
                .for_each(|(i, entry)| collect(entry, format!("{path}/{i}"), leaves));
        }
        serde_json::Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, field)| collect(field, format!("{path}/{name}"), leaves));
        }
        _ => {}
    }
    leaves.push(path);
}

/// Finite f32 of every class: normal, subnormal, both zeros.
fn number() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        prop::sample::select(vec![
            -0.0,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            1e-45,
            0.1,
            16_777_216.0
        ]),
    ]
}

prop_compose! {
    /// One token a character, every number arbitrary.
    fn explanation()(
        question in ".{0,8}", passage in ".{0,12}", layers in 0_usize..3, heads in 0_usize..3,
        numbers in prop::collection::vec(number(), 1..50),
        doubles in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO
            | prop::num::f64::POSITIVE | prop::num::f64::NEGATIVE, 1..50),
    ) -> Explanation {
        let mut tokens = vec![special("[CLS]")];
        let texts = [(&question, Part::Question), (&passage, Part::Passage)];
        for (text, part) in texts {
            tokens.extend(text.chars().enumerate().map(|(i, c)| piece(&format!("##{c}"), part, i, i + 1)));
            tokens.push(special("[SEP]"));
        }
        let mut e = zeros(&question, &passage, tokens, layers, heads);
        let (mut next, mut next_double) = (numbers.iter().cycle().copied(), doubles.iter().cycle().copied());
        let mut fill = |list: &mut Vec<f32>| list.iter_mut().for_each(|x| *x = next.next().unwrap());
        e.layers.iter_mut().for_each(|l| {
            fill(&mut l.score);
            fill(&mut l.positive);
            fill(&mut l.negative);
        });
        fill(&mut e.word_score);
        e.heads.score.iter_mut().for_each(&mut fill);
        e.heads.by_token.iter_mut().flatten().for_each(&mut fill);
        for x in [&mut e.word_sum, &mut e.word_error, &mut e.target.value, &mut e.answer.score, &mut e.completeness.worst] {
            *x = next_double.next().unwrap();
        }
        for list in [&mut e.heads.residual, &mut e.heads.error, &mut e.mlp, &mut e.mlp_residual, &mut e.mlp_error] {
            list.iter_mut().for_each(|x| *x = next_double.next().unwrap());
        }
        e
    }
}

/// Every f32 and f64 that [`explanation`] fills, as bits: equality does not tell -0.0 from 0.0.
fn bits(e: &Explanation) -> (Vec<u32>, Vec<u64>) {
    let layers = e
        .layers
        .iter()
        .flat_map(|l| [&l.score, &l.positive, &l.negative]);
    let lists = layers
        .chain(&e.heads.score)
        .chain(e.heads.by_token.iter().flatten())
        .chain([&e.word_score]);
    let doubles = [
        &e.heads.residual,
        &e.heads.error,
        &e.mlp,
        &e.mlp_residual,
        &e.mlp_error,
    ];
    let single = [
        e.word_sum,
        e.word_error,
        e.target.value,
        e.answer.score,
        e.completeness.worst,
    ];
    let doubles = doubles.into_iter().flatten().copied().chain(single);
    (
        lists.flatten().map(|x| x.to_bits()).collect(),
        doubles.map(f64::to_bits).collect(),
    )
}

proptest! {
    #[test]
    fn reads_back_to_the_bit(written in explanation()) {
        let read = Explanation::from_json(&written.to_json().unwrap()).unwrap();
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(bits(&read), bits(&written));
    }

    #[test]
    fn words_cover_all_tokens(e in explanation()) {
        let mut end = 0;
        for word in words(&e) {
            prop_assert_eq!(word.tokens.start, end);
            prop_assert!(word.tokens.end > end);
            end = word.tokens.end;
        }
        prop_assert_eq!(end, e.tokens.len());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", cut in 0_usize..4000) {
        prop_assert!(Explanation::from_json(&text).is_err());
        let json = cafe().to_json().unwrap();
        let cut = json.floor_char_boundary(cut.min(json.len() - 2));
        prop_assert!(Explanation::from_json(&json[..cut]).is_err());
    }
}
