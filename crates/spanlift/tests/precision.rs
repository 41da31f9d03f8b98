//! What f32 moves: every map, by its largest score, against f64's plain arithmetic.
//!
//! f64 has `libm`'s exponential and error function where f32 has polynomials in vector registers, and every sum in it is as good
//! as exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use spanlift::attribute::rules::{Preset, RESCALE, REVEAL_CANCEL};
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
/// Of the tiny models' maps: one that is smaller has its rounding from logits of a hundred times its size.
const FLOOR: f64 = 1e-2;

/// Words, layers, output, and each head by token.
fn maps(x: &Explanation) -> impl Iterator<Item = &[f32]> {
    let layers = x.layers.iter().map(|layer| &layer.score);
    let heads = x.heads.by_token.iter().flatten();
    let maps = std::iter::once(&x.word_score).chain(layers).chain(heads);
    maps.map(Vec::as_slice)
}

/// How far a map is off, by its largest score, or by `floor` where that is more: then the second is true.
fn off(got: &[f32], want: &[f32], floor: f64) -> (f64, bool) {
    assert_eq!(got.len(), want.len());
    let top = want.iter().fold(0.0_f64, |top, &x| top.max(x.f64().abs()));
    let pairs = got.iter().zip(want);
    let off = pairs.map(|(got, want)| (got.f64() - want.f64()).abs());
    (off.fold(0.0, f64::max) / top.max(floor), top < floor)
}

/// An explainer in each precision.
struct Both(Explainer<f32>, Explainer<f64>);

impl Both {
    fn load(folder: &Path) -> Self {
        let source = Source::Folder(folder);
        Self(
            Explainer::load(source).unwrap(),
            Explainer::load(source).unwrap(),
        )
    }

    /// [`off`] of every map, `floor` told by Δt.
    fn off(
        &self,
        [question, passage]: [&str; 2],
        preset: Preset,
        floor: fn(f64) -> f64,
    ) -> Vec<(f64, bool)> {
        let options = Options {
            preset,
            ..Options::default()
        };
        let got = self.0.explain(question, passage, &options).unwrap();
        let want = self.1.explain(question, passage, &options).unwrap();
        assert_eq!(got.target, want.target, "{question}");
        let floor = floor(want.explanation.target.delta);
        let pairs = maps(&got.explanation).zip(maps(&want.explanation));
        pairs.map(|(got, want)| off(got, want, floor)).collect()
    }
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn f32_moves_no_score_by_more_than_a_hundred_thousandth() {
    let (mut count, mut small) = (0, 0);
    for model in MODELS {
        let folder = here("tests/oracle").join(model);
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
        let both = Both::load(&folder);
        for preset in [RESCALE, REVEAL_CANCEL] {
            for case in &cases {
                let texts = ["question", "passage"].map(|n| case[n].as_str().unwrap());
                for (at, (off, is_small)) in
                    both.off(texts, preset, |_| FLOOR).into_iter().enumerate()
                {
                    assert!(off <= BOUND, "{model}, {}, map {at}: {off:e}", preset.name);
                    count += 1;
                    small += usize::from(is_small);
                }
            }
        }
    }
    assert!(count > 1000, "{count} maps");
    assert!(50 * small < count, "{small} of {count} maps are small");
}

/// The default model, whose sums are longer: 159 tokens, 6 layers of 12 heads.
#[test]
fn nor_does_it_in_a_model_that_was_trained() {
    let both = Both::load(&here("../../models/minilm-l6-squad2"));
    let passage = std::fs::read_to_string(here("../../examples/harbour.txt")).unwrap();
    let question = "When did Ida Marrow start the Night of Open Doors?";
    for preset in [RESCALE, REVEAL_CANCEL] {
        // Its logits are ten times as large: the same share of Δt.
        let found = both.off([question, &passage], preset, |delta| FLOOR * delta.abs());
        assert_eq!(found.len(), 1 + 7 + 6 * 12);
        let small = found.iter().filter(|(_, is_small)| *is_small).count();
        assert!(2 * small < found.len(), "{small} maps are small");
        for (at, (off, _)) in found.into_iter().enumerate() {
            assert!(off <= BOUND, "{}, map {at}: {off:e}", preset.name);
        }
    }
}
