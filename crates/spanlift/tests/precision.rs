//! What f32 moves: every map, by its largest score, against f64's plain arithmetic.
//!
//! f64 has `libm`'s exponential and error function where f32 has polynomials in vector registers, and every sum in it is as good
//! as exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use serde_json::Value;
use spanlift::attribute::rules::{RESCALE, REVEAL_CANCEL};
use spanlift::checkpoint::Source;
use spanlift::ops::Real;
use spanlift::{Explainer, Options};
use spanlift_explanation::Explanation;

/// Without `sharp`, whose attention scores are so large that f32 loses digits in the model itself.
const MODELS: [&str; 8] = [
    "two-layers",
    "four-layers",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "electra",
    "mobilebert",
    "deberta-v2",
];

/// Of a map's largest score.
const BOUND: f64 = 1e-5;
/// A map that is smaller has its rounding from logits of a hundred times its size.
const FLOOR: f64 = 1e-2;

/// Words, layers, output, and each head by token.
fn maps(x: &Explanation) -> impl Iterator<Item = &[f32]> {
    let layers = x.layers.iter().map(|layer| &layer.score);
    let heads = x.heads.by_token.iter().flatten();
    let maps = std::iter::once(&x.word_score).chain(layers).chain(heads);
    maps.map(Vec::as_slice)
}

fn off(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let top = want.iter().fold(0.0_f64, |top, &x| top.max(x.f64().abs()));
    let pairs = got.iter().zip(want);
    let off = pairs.map(|(got, want)| (got.f64() - want.f64()).abs());
    off.fold(0.0, f64::max) / top.max(FLOOR)
}

#[test]
fn f32_moves_no_score_by_more_than_a_hundred_thousandth() {
    let mut count = 0;
    for model in MODELS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/oracle")
            .join(model);
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
        let narrow = Explainer::<f32>::load(Source::Folder(&folder)).unwrap();
        let wide = Explainer::<f64>::load(Source::Folder(&folder)).unwrap();
        for preset in [RESCALE, REVEAL_CANCEL] {
            let options = Options {
                preset,
                ..Options::default()
            };
            for case in &cases {
                let [question, passage] =
                    ["question", "passage"].map(|n| case[n].as_str().unwrap());
                let got = narrow.explain(question, passage, &options).unwrap();
                let want = wide.explain(question, passage, &options).unwrap();
                assert_eq!(got.target, want.target, "{model}: {question}");
                let pairs = maps(&got.explanation).zip(maps(&want.explanation));
                for (at, (got, want)) in pairs.enumerate() {
                    let off = off(got, want);
                    assert!(off <= BOUND, "{model}, {}, map {at}: {off:e}", preset.name);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1000, "{count} maps");
}
