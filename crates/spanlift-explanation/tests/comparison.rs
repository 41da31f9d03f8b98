//! The JSON form of a comparison: what was written reads back, and what does not belong together is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod common;

use common::{cafe, special, zeros};
use spanlift_explanation::{Compared, Comparison, ReadError};

fn two() -> Comparison {
    let of = |name: &str, seconds| {
        let mut explanation = cafe();
        explanation.method.name = name.to_owned();
        Compared {
            label: String::new(),
            seconds,
            forward: 2,
            backward: 1,
            explanation,
        }
    };
    Comparison::new(vec![of("deeplift", 0.25), of("gradient-x-input", 0.5)])
}

#[test]
fn what_is_written_reads_back() {
    let comparison = two();
    let json = comparison.to_json().unwrap();
    assert_eq!(Comparison::from_json(&json).unwrap(), comparison);
    assert_eq!(
        comparison.words().len(),
        spanlift_explanation::words(&cafe()).len()
    );
    let newer = json.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        Comparison::from_json(&newer),
        Err(ReadError::Version { got: 2, .. })
    ));
    let alone = cafe().to_json().unwrap();
    assert!(matches!(
        Comparison::from_json(&alone),
        Err(ReadError::Format { .. })
    ));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    type Spoil = fn(&mut Comparison);
    let cases: [(&str, Spoil); 6] = [
        ("methods: ", |c| c.methods.clear()),
        ("methods[1].explanation: ", |c| {
            let other = &mut c.methods[1].explanation;
            *other = zeros("", "", vec![special("[CLS]"), special("[SEP]")], 2, 3);
        }),
        ("methods[1].explanation.target: ", |c| {
            c.methods[1].explanation.target.end_token += 1;
        }),
        ("methods[0].seconds: ", |c| c.methods[0].seconds = f64::NAN),
        ("methods[1].explanation.tokens: ", |c| {
            c.methods[1].explanation.tokens[1].id += 1;
        }),
        ("word_score: ", |c| {
            c.methods[1].explanation.word_score.clear();
        }),
    ];
    for (field, spoil) in cases {
        let mut comparison = two();
        spoil(&mut comparison);
        let error = comparison.to_json().unwrap_err().to_string();
        assert!(error.starts_with(field), "{field}: {error}");
    }
}
