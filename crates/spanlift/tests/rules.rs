//! Every walk under DeepLIFT's other rules, against a replica that runs the other way; and which of them add up.
//!
//! Each rule is a linear map of the changes Δ, taken between input and reference. The walk carries multipliers back through these
//! maps; the replica carries one word's Δx forward through them, in plain f64 loops. What reaches the target is the word's score.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use spanlift::attribute::rules::{
    ActivationRule, LayerNormRule, PRESETS, Preset, REVEAL_CANCEL, SIGMA_FIXED, SOFTMAX_FIXED,
    SOFTMAX_GRADIENT, SOFTMAX_PATH, SoftmaxRule,
};
use spanlift::attribute::{Attribution, KeepEdges, Reference, Span, Target, attribute};
use spanlift::checkpoint::Source;
use spanlift::encode::Encoding;
use spanlift::model::{
    Activation, Encoder, Layer, LayerTrace, Layout, Linear, Norm, Projections, Trace, forward,
};
use spanlift::ops::{Matrix, embedding};
use spanlift::{Explainer, Options};
use spanlift_explanation::WITHOUT_PROMISE;

const MODELS: [&str; 3] = ["two-layers", "four-layers", "sharp"];

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model)
}

/// Question and passage of each case, once.
fn texts(model: &str) -> Vec<[String; 2]> {
    let text = std::fs::read_to_string(folder(model).join("expected.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let part = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let both = |case| [part(case, "question"), part(case, "passage")];
    let mut texts: Vec<_> = cases.iter().map(both).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn deeplift() -> impl Iterator<Item = Preset> {
    let all = PRESETS.into_iter();
    all.filter(|preset| preset.method == "deeplift")
}

type Rows = Vec<Vec<f64>>;

fn rows(x: &Matrix<f64>) -> Rows {
    (0..x.rows()).map(|i| x.row(i).to_vec()).collect()
}

fn each(a: &Rows, b: &Rows, f: impl Fn(f64, f64) -> f64) -> Rows {
    let row = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect();
    a.iter().zip(b).map(row).collect()
}

fn plus(a: &Rows, b: &Rows) -> Rows {
    each(a, b, |a, b| a + b)
}

fn mean(a: &Rows, b: &Rows) -> Rows {
    each(a, b, |a, b| 0.5 * (a + b))
}

/// W·d of each row, and the bias where it is asked for.
fn linear(linear: &Linear<f64>, d: &Rows, bias: f64) -> Rows {
    let weight = linear.weight.matrix();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let out = |row: &Vec<f64>, k: usize| dot(weight.row(k), row) + bias * linear.bias[k];
    let row = |row| (0..linear.bias.len()).map(|k| out(row, k)).collect();
    d.iter().map(row).collect()
}

/// a·bᵀ.
fn product(a: &Rows, b: &Rows) -> Rows {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    a.iter()
        .map(|a| b.iter().map(|b| dot(a, b)).collect())
        .collect()
}

fn transposed(x: &Rows) -> Rows {
    (0..x[0].len())
        .map(|j| x.iter().map(|row| row[j]).collect())
        .collect()
}

fn columns(x: &Rows, from: usize, width: usize) -> Rows {
    x.iter()
        .map(|row| row[from..from + width].to_vec())
        .collect()
}

fn average(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

/// Δn of one row of a LayerNorm whose input goes from x0 to x, for a part d of its change.
fn norm_row(rule: LayerNormRule, eps: f64, x: &[f64], x0: &[f64], d: &[f64]) -> Vec<f64> {
    let parts = |x: &[f64]| {
        let c: Vec<f64> = x.iter().map(|v| v - average(x)).collect();
        let squares: Vec<f64> = c.iter().map(|c| c * c).collect();
        (c, (average(&squares) + eps).sqrt())
    };
    let ((c, sigma), (c0, sigma0)) = (parts(x), parts(x0));
    let d: Vec<f64> = d.iter().map(|v| v - average(d)).collect();
    match rule {
        LayerNormRule::FixedSigma => d.iter().map(|d| d / sigma).collect(),
        // Δσ = mean(c̄·Δc)/σ̄ and Δn = (Δc − n̄·Δσ)/σ̄.
        LayerNormRule::MeanSigma => {
            let sigma_mean = 0.5 * (sigma + sigma0);
            let along = (0..d.len()).map(|k| 0.5 * (c[k] + c0[k]) * d[k]);
            let change = average(&along.collect::<Vec<_>>()) / sigma_mean;
            let n = |k: usize| 0.5 * (c[k] / sigma + c0[k] / sigma0);
            (0..d.len())
                .map(|k| (d[k] - n(k) * change) / sigma_mean)
                .collect()
        }
        LayerNormRule::Gradient => panic!("no preset of DeepLIFT"),
    }
}

fn norm(rule: LayerNormRule, norm: &Norm<f64>, x: &Rows, x0: &Rows, d: &Rows) -> Rows {
    let Norm::LayerNorm(norm) = norm else {
        panic!("a LayerNorm")
    };
    let row = |i: usize| {
        let n = norm_row(rule, norm.eps, &x[i], &x0[i], &d[i]);
        n.iter().zip(&norm.weight).map(|(n, w)| n * w).collect()
    };
    (0..x.len()).map(row).collect()
}

fn softmax(s: &[f64]) -> Vec<f64> {
    let max = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = s.iter().map(|s| (s - max).exp()).collect();
    let z: f64 = e.iter().sum();
    e.iter().map(|e| e / z).collect()
}

/// diag(l) − l·lᵀ/Σl, applied to d.
fn centred(l: &[f64], d: &[f64]) -> Vec<f64> {
    let centre = l.iter().zip(d).map(|(l, d)| l * d).sum::<f64>() / l.iter().sum::<f64>();
    l.iter().zip(d).map(|(l, d)| l * (d - centre)).collect()
}

/// Δp of one row whose scores go from s0 to s, for a part d of their change.
fn softmax_row(rule: SoftmaxRule, s: &[f64], s0: &[f64], d: &[f64]) -> Vec<f64> {
    let (p, p0) = (softmax(s), softmax(s0));
    match rule {
        SoftmaxRule::LogMean => {
            let of = |(&p, &p0): (&f64, &f64)| {
                let change = p.ln() - p0.ln();
                if change.abs() < 1e-5 {
                    (p * p0).sqrt()
                } else {
                    (p - p0) / change
                }
            };
            let l: Vec<f64> = p.iter().zip(&p0).map(of).collect();
            centred(&l, d)
        }
        SoftmaxRule::Path => {
            let mut mean = vec![0.0; d.len()];
            for k in 0..64 {
                let alpha = (f64::from(k) + 0.5) / 64.0;
                let at: Vec<f64> = (0..d.len())
                    .map(|j| s0[j] + alpha * (s[j] - s0[j]))
                    .collect();
                let own = centred(&softmax(&at), d);
                mean.iter_mut()
                    .zip(own)
                    .for_each(|(mean, own)| *mean += own / 64.0);
            }
            mean
        }
        SoftmaxRule::Gradient => centred(&p, d),
        SoftmaxRule::Fixed => vec![0.0; d.len()],
    }
}

/// One question in the passes that a walk goes through.
struct Passes<'a> {
    encoder: &'a Encoder<f64>,
    encoding: Encoding,
    layout: Layout,
    traces: [Trace<f64>; 2],
    target: Target,
}

impl<'a> Passes<'a> {
    fn new(explainer: &'a Explainer<f64>, [question, passage]: &[String; 2]) -> Self {
        let checkpoint = explainer.checkpoint();
        let (encoder, vocabulary) = (&checkpoint.encoder, &checkpoint.vocabulary);
        let windows = vocabulary.encode(question, passage).unwrap();
        let encoding = windows.windows(vocabulary, 64, 128).unwrap().encoding(0);
        let layout = Layout::new([&encoding.segments[..]]);
        let words = embedding::words(&encoder.embeddings, &encoding.ids);
        let masked = Reference::Mask.words(0, encoder, vocabulary, &encoding);
        let traces = [words, masked.unwrap()].map(|words| forward(encoder, &layout, words));
        let s = encoding.ids.len();
        let target = Target::Span(Span {
            start: s / 2,
            end: s - 2,
        });
        Self {
            encoder,
            encoding,
            layout,
            traces,
            target,
        }
    }

    fn walk(&self, preset: Preset) -> Attribution<f64> {
        let [x, x0] = &self.traces;
        let (targets, keep) = ([self.target], KeepEdges::All);
        attribute(
            self.encoder,
            &self.layout,
            x,
            x0,
            &targets,
            preset.rules,
            keep,
        )
        .remove(0)
    }

    /// What position and segment add.
    fn embedded(&self, trace: &Trace<f64>) -> Rows {
        let table = &self.encoder.embeddings;
        let positions = table.position_embeddings.as_ref().unwrap();
        let kinds = table.token_type_embeddings.as_ref().unwrap();
        let segments = &self.encoding.segments;
        let mut x = rows(&trace.words);
        for (i, row) in x.iter_mut().enumerate() {
            let added = positions.row(i).iter().zip(kinds.row(segments[i] as usize));
            row.iter_mut()
                .zip(added)
                .for_each(|(x, (p, s))| *x += p + s);
        }
        x
    }

    /// The attention's change of ctx, for a part d of qkv's.
    fn attention(&self, preset: Preset, [qkv, qkv0]: [&Rows; 2], d: &Rows) -> Rows {
        let (hidden, heads) = (self.encoder.config.hidden, self.encoder.config.heads);
        let width = hidden / heads;
        let scale = 1.0 / (width as f64).sqrt();
        let mut ctx: Rows = vec![Vec::new(); d.len()];
        for a in 0..heads {
            let part = |x: &Rows, part: usize| columns(x, part * hidden + a * width, width);
            let of = |x| [0, 1, 2].map(|at| part(x, at));
            let ([q, k, v], [q0, k0, v0], [dq, dk, dv]) = (of(qkv), of(qkv0), of(d));
            let scores = |q, k| each(&product(q, k), &product(q, k), |s, _| scale * s);
            let (s, s0) = (scores(&q, &k), scores(&q0, &k0));
            let ds = plus(&scores(&dq, &mean(&k, &k0)), &scores(&mean(&q, &q0), &dk));
            let row = |i: usize| softmax_row(preset.rules.softmax, &s[i], &s0[i], &ds[i]);
            let dp: Rows = (0..d.len()).map(row).collect();
            let probs = |s: &Rows| -> Rows { s.iter().map(|s| softmax(s)).collect() };
            let held = match preset.rules.softmax {
                SoftmaxRule::Fixed => probs(&s),
                SoftmaxRule::LogMean | SoftmaxRule::Path | SoftmaxRule::Gradient => {
                    mean(&probs(&s), &probs(&s0))
                }
            };
            let looks = product(&dp, &transposed(&mean(&v, &v0)));
            let carries = product(&held, &transposed(&dv));
            let both = plus(&looks, &carries);
            ctx.iter_mut()
                .zip(both)
                .for_each(|(ctx, row)| ctx.extend(row));
        }
        ctx
    }

    fn layer(
        &self,
        preset: Preset,
        layer: &Layer<f64>,
        [x, x0]: [&LayerTrace<f64>; 2],
        d: &Rows,
    ) -> Rows {
        assert_eq!(preset.rules.activation, ActivationRule::Rescale);
        let Projections::Joint(projections) = &layer.projections else {
            panic!("BERT")
        };
        let qkv = [x, x0].map(|x| rows(&x.qkv));
        let ctx = self.attention(preset, [&qkv[0], &qkv[1]], &linear(projections, d, 0.0));
        let d = plus(&linear(&layer.attention_output, &ctx, 0.0), d);
        let rule = preset.rules.layer_norm;
        let [sum, sum0] = [x, x0].map(|x| {
            let out = linear(&layer.attention_output, &rows(&x.ctx), 1.0);
            plus(&out, &rows(&x.resid_pre))
        });
        let d = norm(rule, &layer.attention_norm, &sum, &sum0, &d);
        let (block, at, at0) = (
            &layer.feed_forwards[0],
            &x.feed_forwards[0],
            &x0.feed_forwards[0],
        );
        let slope = each(&rows(&at.mlp_pre), &rows(&at0.mlp_pre), |u, u0| {
            let cdf = |u: f64| 0.5 * libm::erfc(-u / std::f64::consts::SQRT_2);
            let density = |u: f64| (-0.5 * u * u).exp() / (2.0 * std::f64::consts::PI).sqrt();
            if (u - u0).abs() < 1e-5 {
                let middle = 0.5 * (u + u0);
                cdf(middle) + middle * density(middle)
            } else {
                (u * cdf(u) - u0 * cdf(u0)) / (u - u0)
            }
        });
        let g = each(&linear(&block.intermediate, &d, 0.0), &slope, |d, s| d * s);
        let d = plus(&linear(&block.output, &g, 0.0), &d);
        let [sum, sum0] = [at, at0].map(|at| plus(&rows(&at.mlp_out), &rows(&at.resid_mid)));
        norm(rule, &block.norm, &sum, &sum0, &d)
    }

    /// What the target has of word i's change.
    fn score(&self, preset: Preset, i: usize) -> f64 {
        let [x, x0] = &self.traces;
        let change = each(&rows(&x.words), &rows(&x0.words), |x, x0| x - x0);
        let mut d: Rows = change.iter().map(|row| vec![0.0; row.len()]).collect();
        d[i].clone_from(&change[i]);
        let (sum, sum0) = (self.embedded(x), self.embedded(x0));
        let table = &self.encoder.embeddings;
        d = norm(preset.rules.layer_norm, &table.norm, &sum, &sum0, &d);
        for (l, layer) in self.encoder.layers.iter().enumerate() {
            d = self.layer(preset, layer, [&x.layers[l], &x0.layers[l]], &d);
        }
        let logits = linear(&self.encoder.qa_outputs, &d, 0.0);
        let Target::Span(span) = self.target else {
            panic!("a span")
        };
        logits[span.start][0] + logits[span.end][1]
    }
}

/// Every word's score, of every rule but RevealCancel, which is no map of Δ alone (`ops/feed_forward.rs` has its replica).
#[test]
fn each_rule_equals_its_replica() {
    let mut walks = 0;
    for model in MODELS {
        let explainer = Explainer::<f64>::load(Source::Folder(&folder(model))).unwrap();
        assert_eq!(
            explainer.checkpoint().encoder.config.activation,
            Activation::Gelu
        );
        for texts in texts(model).iter().take(2) {
            let passes = Passes::new(&explainer, texts);
            for preset in deeplift().filter(|&preset| preset != REVEAL_CANCEL) {
                let found = passes.walk(preset);
                let top = found
                    .words
                    .iter()
                    .fold(1.0_f64, |top, c| top.max(c.score().abs()));
                for (i, word) in found.words.iter().enumerate() {
                    let (got, want) = (word.score(), passes.score(preset, i));
                    let off = (got - want).abs() / top;
                    assert!(
                        off < 1e-9,
                        "{model}, {}, word {i}: {got} {want}",
                        preset.name
                    );
                }
                walks += 1;
            }
        }
    }
    assert_eq!(walks, 3 * 2 * 5);
}

/// Which rules add up, and which promise to; where edges do, they are the heads' scores under every rule that lets the whole
/// change of attention through.
#[test]
fn the_complete_rules_add_up_and_the_others_do_not() {
    for model in MODELS {
        let explainer = Explainer::<f64>::load(Source::Folder(&folder(model))).unwrap();
        for texts in texts(model).iter().take(4) {
            let passes = Passes::new(&explainer, texts);
            let worst = |preset: Preset| {
                let sums = passes.walk(preset).sums();
                sums.iter().map(|cut| cut.relative).fold(0.0, f64::max)
            };
            for preset in deeplift() {
                let found = worst(preset);
                println!("{model}, {}: {found:.1e}", preset.name);
                assert_eq!(
                    found < 1e-11,
                    preset.complete,
                    "{model}, {}: {found}",
                    preset.name
                );
            }
            let path = worst(SOFTMAX_PATH);
            for rough in [SOFTMAX_GRADIENT, SOFTMAX_FIXED, SIGMA_FIXED] {
                assert!(
                    worst(rough) > 100.0 * path,
                    "{model}, {}: {path}",
                    rough.name
                );
            }
        }
    }
}

/// What an Explanation says of itself, and that its file may say so.
#[test]
fn an_explanation_promises_what_its_rule_does() {
    let without: Vec<&str> = deeplift()
        .filter(|preset| !preset.complete)
        .map(|preset| preset.name)
        .collect();
    assert_eq!(without, WITHOUT_PROMISE);
    let explainer = Explainer::<f32>::load(Source::Folder(&folder("four-layers"))).unwrap();
    let [question, passage] = &texts("four-layers")[0];
    for preset in deeplift() {
        let options = Options {
            preset,
            ..Options::default()
        };
        let found = explainer.explain(question, passage, &options).unwrap();
        let e = found.explanation;
        assert_eq!(
            (&e.method.name[..], &e.method.rule[..]),
            ("deeplift", preset.name)
        );
        assert_eq!(e.method.complete, preset.complete);
        assert!(e.completeness.holds || !preset.complete);
        for (operation, rule) in preset.rules.names() {
            assert_eq!(e.method.rules[operation], rule);
        }
        e.check_sums().unwrap();
    }
}
