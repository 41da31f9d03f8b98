//! The methods beside DeepLIFT, each held against its definition written out plainly, and all of them against a model whose
//! truth is known.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use spanlift::attribute::rules::{GRADIENT, LRP, RESCALE, REVEAL_CANCEL};
use spanlift::attribute::{KeepEdges, Reference, Target};
use spanlift::checkpoint::Source;
use spanlift::methods::attention::Flow;
use spanlift::methods::integrated::{self, Nodes, Path as Points, Steps};
use spanlift::methods::occlusion::Unit;
use spanlift::methods::{Method, Passes};
use spanlift::model::{Encoder, Layout, Linear, Norm, Projections, logits};
use spanlift::ops::{Matrix, embedding};
use spanlift::{Explained, Explainer, Item, Options, Scored};
use spanlift_explanation::{Explanation, Scope, TargetKind, words};

const QUESTION: &str = "who moved the bridge ?";
const PASSAGE: &str = "the mayor moved the old bridges to the harbour .";
const OTHER: &str = "the keeper painted the tower . the mayor opened the school in 1901 .";

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model)
}

fn explainer(model: &str) -> Explainer<f64> {
    Explainer::load(Source::Folder(&folder(model))).unwrap()
}

fn with(method: Method) -> Options {
    Options {
        method,
        ..Options::default()
    }
}

fn gradient() -> Options {
    Options {
        preset: GRADIENT,
        ..Options::default()
    }
}

fn lrp() -> Options {
    Options {
        preset: LRP,
        ..Options::default()
    }
}

fn integrated(steps: Steps) -> Options {
    with(Method::IntegratedGradients(Points {
        nodes: Nodes::GaussLegendre,
        steps,
    }))
}

/// Every method, DeepLIFT first.
fn all() -> Vec<Options> {
    vec![
        Options::default(),
        Options {
            preset: REVEAL_CANCEL,
            ..Options::default()
        },
        gradient(),
        lrp(),
        integrated(Steps::Fixed(8)),
        integrated(Steps::Auto {
            bound: integrated::BOUND,
        }),
        with(Method::Occlusion(Unit::Token)),
        with(Method::Occlusion(Unit::Word)),
        with(Method::Occlusion(Unit::Window(3))),
        with(Method::Attention(Flow::Raw)),
        with(Method::Attention(Flow::Rollout)),
        with(Method::Random(7)),
    ]
}

fn explained(explainer: &Explainer<f64>, options: &Options) -> Explained<f64> {
    let explained = explainer.explain(QUESTION, PASSAGE, options).unwrap();
    explained.explanation.check_sums().unwrap();
    explained
}

/// The word embeddings of an input and of its reference.
fn embedded(
    explainer: &Explainer<f64>,
    of: &Explained<f64>,
    reference: &Reference,
) -> [Matrix<f64>; 2] {
    let checkpoint = explainer.checkpoint();
    let encoder = &checkpoint.encoder;
    let words = reference.words(0, encoder, &checkpoint.vocabulary, &of.encoding);
    [
        embedding::words(&encoder.embeddings, &of.encoding.ids),
        words.unwrap(),
    ]
}

/// The target on word embeddings.
fn value(explainer: &Explainer<f64>, of: &Explained<f64>, words: Matrix<f64>) -> f64 {
    let layout = Layout::new([&of.encoding.segments[..]]);
    let logits = logits(&explainer.checkpoint().encoder, &layout, words);
    of.target.value(&logits, 0)
}

/// x + a·(y − z), each row i times `of(i)`.
fn moved(
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    z: &Matrix<f64>,
    of: impl Fn(usize) -> f64,
) -> Matrix<f64> {
    let mut moved = x.clone();
    for i in 0..x.rows() {
        for (k, m) in moved.row_mut(i).iter_mut().enumerate() {
            *m += of(i) * (y.row(i)[k] - z.row(i)[k]);
        }
    }
    moved
}

/// ⟨∂t/∂x_i at `at`, Δx_i⟩ of each token by central differences.
fn slopes(
    explainer: &Explainer<f64>,
    of: &Explained<f64>,
    at: &Matrix<f64>,
    [x, x0]: &[Matrix<f64>; 2],
) -> Vec<f64> {
    let step = 1e-5;
    let along = |i: usize, step: f64| {
        let words = moved(at, x, x0, |row| if row == i { step } else { 0.0 });
        value(explainer, of, words)
    };
    (0..x.rows())
        .map(|i| (along(i, step) - along(i, -step)) / (2.0 * step))
        .collect()
}

fn near(got: &[f32], want: &[f64], bound: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(1.0_f64, |top, x| top.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= bound * scale, "{what}, token {i}: {got} {want}");
    }
}

#[test]
fn gradient_x_input_is_the_slope_at_the_input() {
    let explainer = explainer("four-layers");
    let got = explained(&explainer, &gradient());
    let method = &got.explanation.method;
    assert_eq!(method.name, "gradient-x-input");
    assert_eq!((method.complete, method.scope), (false, Scope::All));
    assert_eq!(
        got.passes,
        Passes {
            forward: 2,
            backward: 1
        }
    );
    let ends = embedded(&explainer, &got, &Reference::Mask);
    let want = slopes(&explainer, &got, &ends[0], &ends);
    near(&got.explanation.word_score, &want, 1e-6, "words");
    // It promises no sum, and this model's is far off.
    assert!(!got.explanation.completeness.holds);
    assert!(got.explanation.word_error.abs() > 1e-2);
}

/// By the definition: the mean slope over the path, at 200 middles of equal parts.
#[test]
fn integrated_gradients_is_the_mean_slope_along_the_path() {
    let explainer = explainer("four-layers");
    let many = 200;
    for nodes in [Nodes::GaussLegendre, Nodes::Riemann] {
        let path = Points {
            nodes,
            steps: Steps::Fixed(many),
        };
        let got = explained(&explainer, &with(Method::IntegratedGradients(path)));
        let ends = embedded(&explainer, &got, &Reference::Mask);
        let mut want = vec![0.0; got.encoding.ids.len()];
        for k in 0..many {
            let alpha = (k as f64 + 0.5) / many as f64;
            let at = moved(&ends[1], &ends[0], &ends[1], |_| alpha);
            for (want, slope) in want.iter_mut().zip(slopes(&explainer, &got, &at, &ends)) {
                *want += slope / many as f64;
            }
        }
        let e = &got.explanation;
        let bound = if nodes == Nodes::Riemann { 1e-7 } else { 1e-4 };
        near(&e.word_score, &want, bound, nodes.name());
        // Position, segment and LayerNorm mix no tokens: at layer 1 each token keeps its share, by the path's own steps.
        let words: Vec<f64> = e.word_score.iter().map(|&x| f64::from(x)).collect();
        near(&e.layers[0].score, &words, 1e-3, "layer 1");
        assert_eq!(e.method.rule, nodes.name());
        assert_eq!(e.method.settings["points"], "200");
        assert!(e.top_edges.is_empty());
    }
}

#[test]
fn integrated_gradients_adds_up_as_the_points_grow_many() {
    for (model, bound) in [
        ("four-layers", 1e-6),
        ("two-layers", 1e-6),
        ("deberta-v2", 1e-6),
    ] {
        let explainer = explainer(model);
        let worst = |points: usize| {
            let got = explained(&explainer, &integrated(Steps::Fixed(points)));
            let e = got.explanation;
            let scale: f64 = e.word_score.iter().map(|s| f64::from(s.abs())).sum();
            (e.word_error.abs() / scale.max(1.0), e.completeness.worst)
        };
        let (words, cuts) = worst(300);
        assert!(words < bound, "{model}: {words}");
        assert!(cuts < 1e-4, "{model}: {cuts}");
        // Second order at the cuts: a quarter of the points has sixteen times the error.
        let (_, coarse) = worst(75);
        assert!(coarse > 6.0 * cuts, "{model}: {coarse} {cuts}");
    }
}

#[test]
fn auto_takes_as_many_points_as_the_bound_needs() {
    let explainer = explainer("four-layers");
    let points = |bound: f64| {
        let got = explained(&explainer, &integrated(Steps::Auto { bound }));
        let points: usize = got.explanation.method.settings["points"].parse().unwrap();
        (points, got.explanation.completeness.worst, got.passes)
    };
    let (few, worst, _) = points(1e-2);
    assert!(worst <= 1e-2, "{worst}");
    let (more, worst, passes) = points(1e-4);
    assert!(
        worst <= 1e-4 && few < more && more < integrated::LAST,
        "{few} {more}"
    );
    // The passes over input and reference, and every try: n + 2 forward, 2n back, for n from the first to the last.
    let tries = std::iter::successors(Some(integrated::FIRST), |n| Some(2 * n));
    let tries: Vec<usize> = tries.take_while(|&n| n <= more).collect();
    let want = Passes {
        forward: 2 + tries.iter().map(|n| n + 2).sum::<usize>(),
        backward: tries.iter().map(|n| 2 * n).sum(),
    };
    assert_eq!(passes, want);
    // One step fewer was not enough.
    let before = explained(&explainer, &integrated(Steps::Fixed(more / 2)));
    assert!(before.explanation.completeness.worst > 1e-4);
    // What cannot be reached ends at the last, and says what was reached.
    let (points, worst, _) = points(1e-12);
    assert_eq!(points, integrated::LAST);
    assert!(worst > 1e-12);
}

/// One forward pass an occluded group, nothing packed.
#[test]
fn occlusion_is_what_is_lost_without_the_token() {
    let explainer = explainer("four-layers");
    for reference in [Reference::Mask, Reference::Zero] {
        for unit in [Unit::Token, Unit::Word, Unit::Window(3)] {
            let options = Options {
                reference: reference.clone(),
                ..with(Method::Occlusion(unit))
            };
            let got = explained(&explainer, &options);
            let [x, x0] = embedded(&explainer, &got, &reference);
            let whole = value(&explainer, &got, x.clone());
            let n = x.rows();
            let effect = |group: &[usize]| {
                let hidden = |i: usize| if group.contains(&i) { -1.0 } else { 0.0 };
                whole - value(&explainer, &got, moved(&x, &x, &x0, hidden))
            };
            let groups: Vec<Vec<usize>> = match unit {
                Unit::Token => (0..n).map(|i| vec![i]).collect(),
                Unit::Word => words(&got.explanation)
                    .into_iter()
                    .map(|word| word.tokens.collect())
                    .collect(),
                Unit::Window(size) => (0..=n - size).map(|i| (i..i + size).collect()).collect(),
            };
            let mut want = vec![0.0; n];
            for (i, want) in want.iter_mut().enumerate() {
                let differs = |i: usize| x.row(i) != x0.row(i);
                if !differs(i) {
                    continue;
                }
                let own: Vec<&Vec<usize>> = groups.iter().filter(|g| g.contains(&i)).collect();
                let share = |group: &&Vec<usize>| {
                    effect(group) / group.iter().filter(|&&i| differs(i)).count() as f64
                };
                *want = own.iter().map(share).sum::<f64>() / own.len() as f64;
            }
            near(&got.explanation.word_score, &want, 1e-6, unit_name(unit));
            let e = &got.explanation;
            assert_eq!((e.method.scope, e.layers.len()), (Scope::Words, 0));
            let some = |group: &&Vec<usize>| group.iter().any(|&i| x.row(i) != x0.row(i));
            let occluded = groups.iter().filter(some).count();
            assert_eq!(got.passes.forward, occluded + 2);
            // A word of two tokens is hidden as a whole.
            let of_two = words(e).into_iter().filter(|word| word.tokens.len() == 2);
            assert_eq!(of_two.count(), 1);
        }
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Token => "token",
        Unit::Word => "word",
        Unit::Window(_) => "window",
    }
}

/// Matrix products written out, from the probabilities that an Explained keeps.
#[test]
fn attention_is_where_the_target_s_tokens_look() {
    let explainer = explainer("four-layers");
    for target in [TargetKind::Span, TargetKind::Start, TargetKind::Margin] {
        let options = |flow| Options {
            target,
            attention: true,
            ..with(Method::Attention(flow))
        };
        let raw = explained(&explainer, &options(Flow::Raw));
        let rollout = explained(&explainer, &options(Flow::Rollout));
        let n = raw.encoding.ids.len();
        let looks: Vec<usize> = match raw.target {
            Target::Span(span) => vec![span.start, span.end],
            Target::Start(span) => vec![span.start],
            Target::Margin(span) => vec![span.start, span.end, 0, 0],
            other => panic!("{other:?}"),
        };
        let mean: Vec<Vec<Vec<f64>>> = raw
            .attention
            .iter()
            .map(|heads| {
                let at = |i: usize, j: usize| {
                    heads.iter().map(|head| head.row(i)[j]).sum::<f64>() / heads.len() as f64
                };
                (0..n).map(|i| (0..n).map(|j| at(i, j)).collect()).collect()
            })
            .collect();
        let from = |product: &[Vec<f64>]| -> Vec<f64> {
            let at = |j: usize| looks.iter().map(|&i| product[i][j]).sum::<f64>();
            (0..n).map(|j| at(j) / looks.len() as f64).collect()
        };
        let mut product: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
            .collect();
        let layers = mean.len();
        near(
            &raw.explanation.layers[layers].score,
            &from(&product),
            1e-7,
            "output",
        );
        let mut of_words = vec![0.0; n];
        for l in (0..layers).rev() {
            let step = |k: usize, j: usize| 0.5 * (mean[l][k][j] + f64::from(u8::from(k == j)));
            product = (0..n)
                .map(|i| {
                    let at = |j: usize| (0..n).map(|k| product[i][k] * step(k, j)).sum();
                    (0..n).map(at).collect()
                })
                .collect();
            let own = from(&mean[l]);
            near(&raw.explanation.layers[l].score, &own, 1e-7, "raw");
            near(
                &rollout.explanation.layers[l].score,
                &from(&product),
                1e-7,
                "rollout",
            );
            for (sum, own) in of_words.iter_mut().zip(own) {
                *sum += own / layers as f64;
            }
        }
        near(&raw.explanation.word_score, &of_words, 1e-7, "raw words");
        near(
            &rollout.explanation.word_score,
            &from(&product),
            1e-7,
            "rolled words",
        );
        for e in [&raw.explanation, &rollout.explanation] {
            let sum: f64 = e.word_score.iter().map(|&x| f64::from(x)).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            assert_eq!(
                (e.method.reference.as_str(), e.method.references),
                ("none", 0)
            );
            assert_eq!(
                (e.target.reference_value, e.method.scope),
                (0.0, Scope::Cuts)
            );
        }
    }
}

/// Uniform over −1 to 1 and over the tokens; the same for the same question and seed, and for no other.
#[test]
fn random_is_random() {
    let explainer = explainer("two-layers");
    let scores = |question: &str, seed: u64| {
        let options = with(Method::Random(seed));
        let got = explainer.explain(question, PASSAGE, &options).unwrap();
        got.explanation.check_sums().unwrap();
        got.explanation.word_score
    };
    assert_eq!(scores(QUESTION, 3), scores(QUESTION, 3));
    let (a, b, c) = (
        scores(QUESTION, 3),
        scores(QUESTION, 4),
        scores("when was the bridge old ?", 3),
    );
    assert!(a.iter().zip(&b).all(|(a, b)| a != b));
    assert!(a.iter().zip(&c).all(|(a, c)| a != c));
    let draws: Vec<Vec<f32>> = (0..400).map(|seed| scores(QUESTION, seed)).collect();
    let n = draws[0].len();
    let all: Vec<f32> = draws.concat();
    // Tenths of the range, each a tenth of the draws within five standard deviations.
    for tenth in 0..10 {
        let (low, high) = (-1.0 + 0.2 * tenth as f32, -0.8 + 0.2 * tenth as f32);
        let count = all.iter().filter(|x| (low..high).contains(*x)).count() as f64;
        let (mean, spread) = (0.1 * all.len() as f64, (0.09 * all.len() as f64).sqrt());
        assert!(
            (count - mean).abs() < 5.0 * spread,
            "tenth {tenth}: {count}"
        );
    }
    // No token is favoured, and none follows its neighbour: both sums have variance 1/3 and 1/9 a draw.
    for i in 0..n {
        let sum: f64 = draws.iter().map(|draw| f64::from(draw[i])).sum();
        let both: f64 = draws
            .iter()
            .map(|draw| f64::from(draw[i] * draw[(i + 1) % n]))
            .sum();
        assert!(
            sum.abs() < 5.0 * (400.0_f64 / 3.0).sqrt(),
            "token {i}: {sum}"
        );
        assert!(
            both.abs() < 5.0 * (400.0_f64 / 9.0).sqrt(),
            "token {i}: {both}"
        );
    }
}

/// Whatever the method: what it found of a question does not depend on the others in its batch.
#[test]
fn a_batch_changes_nothing() {
    let explainer = explainer("four-layers");
    let items = [
        Item {
            question: QUESTION,
            passage: PASSAGE,
        },
        Item {
            question: "when was the school opened ?",
            passage: OTHER,
        },
    ];
    for options in all() {
        let together = explainer.explain_batch(&items, &options);
        for (item, got) in items.iter().zip(together) {
            let got = got.unwrap();
            let alone = explainer
                .explain(item.question, item.passage, &options)
                .unwrap();
            let name = &got.explanation.method.name;
            assert_eq!(got.passes, alone.passes, "{name}");
            let want: Vec<f64> = alone
                .explanation
                .word_score
                .iter()
                .map(|&x| x.into())
                .collect();
            near(&got.explanation.word_score, &want, 1e-6, name);
            for (got, want) in got.explanation.layers.iter().zip(&alone.explanation.layers) {
                let want: Vec<f64> = want.score.iter().map(|&x| x.into()).collect();
                near(&got.score, &want, 1e-6, name);
            }
        }
    }
}

/// Side by side each method finds what it finds alone, also where it needs no reference and another does.
#[test]
fn a_comparison_is_each_method_alone() {
    let explainer = explainer("two-layers");
    let shared = |o: &Options| Scored {
        method: o.method,
        preset: o.preset,
        reference: None,
    };
    let mut methods: Vec<_> = all().iter().map(shared).collect();
    // Last, so that one with references of its own must not be left to the next, and first, so that they are not taken for all.
    let own = Scored {
        method: Method::Walk,
        preset: RESCALE,
        reference: Some(Reference::all_words()),
    };
    methods.insert(0, own.clone());
    methods.push(own);
    let item = Item {
        question: QUESTION,
        passage: PASSAGE,
    };
    // One window, and several of which one is chosen.
    for max_tokens in [64, 14] {
        let mut options = Options::default();
        (options.answering.max_tokens, options.answering.stride) = (max_tokens, 3);
        let found = explainer
            .compare(item, &methods, &options, &mut |_, _| ())
            .unwrap();
        assert_eq!(found.len(), methods.len());
        for ((got, _), scored) in found.iter().zip(&methods) {
            let options = scored.options(&options);
            let alone = explainer.explain(QUESTION, PASSAGE, &options).unwrap();
            assert_eq!(got.explanation, alone.explanation);
            assert_eq!(got.passes, alone.passes);
            assert_eq!(got.explanation.window.count > 1, max_tokens == 14);
        }
    }
}

#[test]
fn several_references_are_averaged_by_every_method_that_has_one() {
    let explainer = explainer("two-layers");
    let ids = explained(&explainer, &Options::default()).encoding.ids;
    let filled = |id: u32| -> Vec<u32> {
        let special = |i: &u32| *i == 2 || *i == 3;
        ids.iter()
            .map(|i| if special(i) { *i } else { id })
            .collect()
    };
    for options in all() {
        let of = |lists: Vec<Vec<u32>>| {
            let reference = Reference::Tokens(lists);
            explained(
                &explainer,
                &Options {
                    reference,
                    ..options.clone()
                },
            )
            .explanation
        };
        if !options.method.compares(options.preset)
            || matches!(
                options.method,
                Method::IntegratedGradients(Points {
                    steps: Steps::Auto { .. },
                    ..
                })
            )
        {
            continue; // the mean of two needs other points than each
        }
        let (mask, unk, both) = (
            of(vec![filled(4)]),
            of(vec![filled(1)]),
            of(vec![filled(4), filled(1)]),
        );
        let mean = |a: &[f32], b: &[f32]| -> Vec<f64> {
            a.iter()
                .zip(b)
                .map(|(a, b)| 0.5 * (f64::from(*a) + f64::from(*b)))
                .collect()
        };
        let name = &both.method.name;
        near(
            &both.word_score,
            &mean(&mask.word_score, &unk.word_score),
            1e-6,
            name,
        );
        assert!(
            (both.target.delta - 0.5 * (mask.target.delta + unk.target.delta)).abs() < 1e-12,
            "{name}"
        );
        assert_eq!(both.method.references, 2);
    }
}

#[test]
fn what_a_method_does_not_score_is_empty_and_the_rest_adds_up() {
    let explainer = explainer("two-layers");
    for mut options in all() {
        (options.edges, options.attention) = (KeepEdges::All, true);
        let got = explained(&explainer, &options);
        let e = &got.explanation;
        let walked = options.method == Method::Walk && options.preset != LRP;
        assert_eq!(got.edges.is_some(), walked, "{}", e.method.name);
        assert_eq!(e.method.rules.is_empty(), e.method.scope != Scope::All);
        assert_eq!(e.method.complete, e.method.name == "deeplift");
        assert_eq!(Explanation::from_json(&e.to_json().unwrap()).unwrap(), *e);
        assert!(!got.attention.is_empty());
    }
}

type Rows = Vec<Vec<f64>>;

/// What the first run through a network meets, and every later one takes in its place.
#[derive(Default)]
struct Tape {
    kept: Vec<Rows>,
    at: Option<usize>,
}

impl Tape {
    fn hold(&mut self, rows: Rows) -> Rows {
        let Some(at) = &mut self.at else {
            self.kept.push(rows.clone());
            return rows;
        };
        *at += 1;
        self.kept[*at - 1].clone()
    }

    /// a·bᵀ, half of it through each factor.
    fn product(&mut self, a: &Rows, b: &Rows) -> Rows {
        let (held_a, held_b) = (self.hold(a.clone()), self.hold(b.clone()));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let at = |i: usize, j: usize| 0.5 * (dot(&a[i], &held_b[j]) + dot(&held_a[i], &b[j]));
        (0..a.len())
            .map(|i| (0..b.len()).map(|j| at(i, j)).collect())
            .collect()
    }

    fn norm(&mut self, norm: &Norm<f64>, x: Rows) -> Rows {
        let Norm::LayerNorm(norm) = norm else {
            panic!("a LayerNorm")
        };
        let mean = |row: &[f64]| row.iter().sum::<f64>() / row.len() as f64;
        let sigma = |row: &Vec<f64>| {
            let squares: Vec<f64> = row.iter().map(|v| (v - mean(row)).powi(2)).collect();
            vec![(mean(&squares) + norm.eps).sqrt()]
        };
        let sigmas = self.hold(x.iter().map(sigma).collect());
        let y = |(row, sigma): (&Vec<f64>, &Vec<f64>)| {
            let n = |k: usize| (row[k] - mean(row)) / sigma[0];
            (0..row.len())
                .map(|k| n(k) * norm.weight[k] + norm.bias[k])
                .collect()
        };
        x.iter().zip(&sigmas).map(y).collect()
    }
}

fn linear(linear: &Linear<f64>, x: &Rows) -> Rows {
    let weight = linear.weight.matrix();
    let out = |row: &Vec<f64>, k: usize| {
        let products = weight.row(k).iter().zip(row).map(|(w, x)| w * x);
        linear.bias[k] + products.sum::<f64>()
    };
    let outs = linear.bias.len();
    x.iter()
        .map(|row| (0..outs).map(|k| out(row, k)).collect())
        .collect()
}

fn plus(a: &Rows, b: &Rows) -> Rows {
    let row = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(row).collect()
}

fn columns(x: &Rows, from: usize, width: usize) -> Rows {
    x.iter()
        .map(|row| row[from..from + width].to_vec())
        .collect()
}

fn transposed(x: &Rows) -> Rows {
    (0..x[0].len())
        .map(|j| x.iter().map(|row| row[j]).collect())
        .collect()
}

/// A BERT whose gradient times its input is LRP: on each tape the later runs keep σ, the slope g/u and half of each product.
fn relevance_network(
    encoder: &Encoder<f64>,
    segments: &[u32],
    words: &Rows,
    tape: &mut Tape,
) -> Rows {
    let table = &encoder.embeddings;
    let (positions, kinds) = (
        table.position_embeddings.as_ref().unwrap(),
        table.token_type_embeddings.as_ref().unwrap(),
    );
    let constant = |i: usize| -> Vec<f64> {
        let both = positions.row(i).iter().zip(kinds.row(segments[i] as usize));
        both.map(|(p, s)| p + s).collect()
    };
    let constants = (0..words.len()).map(constant).collect();
    let mut h = tape.norm(&table.norm, plus(words, &constants));
    let width = encoder.config.hidden / encoder.config.heads;
    for layer in &encoder.layers {
        let Projections::Joint(qkv) = &layer.projections else {
            panic!("BERT")
        };
        let qkv = linear(qkv, &h);
        let mut ctx: Rows = vec![Vec::new(); h.len()];
        for a in 0..encoder.config.heads {
            let part = |part: usize| columns(&qkv, part * encoder.config.hidden + a * width, width);
            let mut probs = tape.product(&part(0), &part(1));
            for row in &mut probs {
                row.iter_mut()
                    .for_each(|s| *s = (*s / (width as f64).sqrt()).exp());
                let z: f64 = row.iter().sum();
                row.iter_mut().for_each(|p| *p /= z);
            }
            let through = tape.product(&probs, &transposed(&part(2)));
            ctx.iter_mut()
                .zip(through)
                .for_each(|(ctx, row)| ctx.extend(row));
        }
        let attended = plus(&linear(&layer.attention_output, &ctx), &h);
        let mid = tape.norm(&layer.attention_norm, attended);
        let block = &layer.feed_forwards[0];
        let u = linear(&block.intermediate, &mid);
        // Φ(u) = g/u of GELU.
        let cdf = |u: &f64| 0.5 * libm::erfc(-u / std::f64::consts::SQRT_2);
        let slope = tape.hold(u.iter().map(|row| row.iter().map(cdf).collect()).collect());
        let times = |(u, s): (&Vec<f64>, &Vec<f64>)| u.iter().zip(s).map(|(u, s)| u * s).collect();
        let g = u.iter().zip(&slope).map(times).collect();
        h = tape.norm(&block.norm, plus(&linear(&block.output, &g), &mid));
    }
    linear(&encoder.qa_outputs, &h)
}

/// End to end: R_i = ⟨x_i, ∂/∂x_i⟩ of a network in which the rules are written out.
#[test]
fn lrp_is_gradient_times_input_of_the_network_that_its_rules_make() {
    let explainer = explainer("four-layers");
    let got = explained(&explainer, &lrp());
    let encoder = &explainer.checkpoint().encoder;
    let words = embedding::words(&encoder.embeddings, &got.encoding.ids);
    let words: Rows = (0..words.rows()).map(|i| words.row(i).to_vec()).collect();
    let mut tape = Tape::default();
    let mut value = |words: &Rows, replay: bool| {
        tape.at = replay.then_some(0);
        let logits = relevance_network(encoder, &got.encoding.segments, words, &mut tape);
        let Target::Span(span) = got.target else {
            panic!("a span")
        };
        logits[span.start][0] + logits[span.end][1]
    };
    let plain = value(&words, false);
    let e = &got.explanation;
    assert!(
        (plain - e.target.value).abs() < 1e-10,
        "the plain network is the model: {plain}"
    );
    let mut along = |i: usize, step: f64| {
        let mut moved = words.clone();
        moved[i].iter_mut().for_each(|x| *x *= 1.0 + step);
        value(&moved, true)
    };
    let want: Vec<f64> = (0..words.len())
        .map(|i| (along(i, 1e-5) - along(i, -1e-5)) / 2e-5)
        .collect();
    near(&e.word_score, &want, 1e-6, "words");
    assert_eq!(
        (e.method.reference.as_str(), e.target.reference_value),
        ("none", 0.0)
    );
    assert_eq!(e.method.rule, "attn-lrp");
}

/// A checkpoint with other numbers in some tensors: those that `silent` names are zero.
fn silenced(model: &str, silent: impl Fn(&str) -> bool) -> (tempfile::TempDir, Explainer<f64>) {
    let (from, to) = (folder(model), tempfile::tempdir().unwrap());
    for file in fs::read_dir(&from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    let bytes = fs::read(from.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<(String, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let data = view.data();
            let data = if silent(name) {
                vec![0; data.len()]
            } else {
                data.to_vec()
            };
            (name.to_owned(), data)
        })
        .collect();
    let views = changed.iter().map(|(name, data)| {
        let view = tensors.tensor(name).unwrap();
        let view = TensorView::new(view.dtype(), view.shape().to_vec(), data).unwrap();
        (name, view)
    });
    let file = safetensors::serialize(views, None).unwrap();
    fs::write(to.path().join("model.safetensors"), file).unwrap();
    let explainer = Explainer::load(Source::Folder(to.path())).unwrap();
    (to, explainer)
}

/// Without biases every rule but the softmax's conserves: what the output has, each feed-forward block and its residual have, and
/// each layer's heads and theirs.
#[test]
fn lrp_conserves_relevance_where_its_rules_promise_it() {
    let off = |silent: fn(&str) -> bool| {
        let (_folder, explainer) = silenced("four-layers", silent);
        let e = explained(&explainer, &lrp()).explanation;
        let delta = e.target.delta;
        assert_eq!(delta, e.target.value);
        let mut off = (e.layers[4].sum - delta).abs();
        for l in 0..4 {
            let above = e.layers[l + 1].sum;
            let heads = e.heads.error[l] + delta;
            let mlp = e.mlp[l] + e.mlp_residual[l];
            off = off.max((heads - above).abs()).max((mlp - above).abs());
        }
        // The softmax takes its part between the heads and the layer's input.
        assert!((e.layers[0].sum - delta).abs() > 1e-3);
        off
    };
    let without = off(|name| name.ends_with(".bias"));
    assert!(without < 1e-10, "{without}");
    let with = off(|_| false);
    assert!(with > 1e-2, "{with}");
}

/// A MobileBERT whose layers pass their input on: t is linear in the words, and each word's share can be written down.
fn planted(without_constants: bool) -> (tempfile::TempDir, Explainer<f64>) {
    silenced("mobilebert", |name| {
        let constant = [
            ".bias",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
        ];
        name.ends_with("output.bottleneck.dense.weight")
            || (without_constants && constant.iter().any(|end| name.ends_with(end)))
    })
}

fn gamma(norm: &Norm<f64>) -> &[f64] {
    match norm {
        Norm::NoNorm { weight, .. } => weight,
        Norm::LayerNorm(_) => panic!("MobileBERT has none"),
    }
}

/// Of each word: through the trigrams that hold it, the γ of every norm and the span head.
fn truth(explainer: &Explainer<f64>, of: &Explained<f64>, [x, x0]: &[Matrix<f64>; 2]) -> Vec<f64> {
    let encoder = &explainer.checkpoint().encoder;
    let head = encoder.qa_outputs.weight.matrix();
    let dense = encoder
        .embeddings
        .embedding_transformation
        .as_ref()
        .unwrap();
    let dense = dense.weight.matrix();
    let mut scale = gamma(&encoder.embeddings.norm).to_vec();
    for layer in &encoder.layers {
        let Projections::Bottleneck(bottleneck) = &layer.projections else {
            panic!("MobileBERT has bottlenecks")
        };
        let around = scale.iter_mut().zip(gamma(&bottleneck.output_norm));
        around.for_each(|(scale, gamma)| *scale *= gamma);
    }
    let Target::Span(span) = of.target else {
        panic!("a span")
    };
    let (s, width) = (x.rows(), x.cols());
    let share = |i: usize| {
        let mut share = 0.0;
        for (row, token) in [(0, span.start), (1, span.end)] {
            // Word i is the next word of token i − 1, token i's own, and the one before of token i + 1.
            let part = match i as i64 - token as i64 {
                1 => 0,
                0 => 1,
                -1 => 2,
                _ => continue,
            };
            for (h, scale) in scale.iter().enumerate() {
                let change =
                    |j: usize| dense.row(h)[part * width + j] * (x.row(i)[j] - x0.row(i)[j]);
                share += head.row(row)[h] * scale * (0..width).map(change).sum::<f64>();
            }
        }
        share
    };
    (0..s).map(share).collect()
}

#[test]
fn on_a_planted_model_all_but_attention_and_random_are_exact() {
    let (_folder, explainer) = planted(false);
    for reference in [Reference::Mask, Reference::Zero, Reference::Mean] {
        let mut exact = 0;
        for options in all() {
            let options = Options {
                reference: reference.clone(),
                ..options
            };
            if options.preset == LRP {
                continue; // it has no reference: see below
            }
            let got = explainer
                .explain("Who mends nets?", "Ada mends nets.", &options)
                .unwrap();
            got.explanation.check_sums().unwrap();
            let ends = embedded(&explainer, &got, &reference);
            let want = truth(&explainer, &got, &ends);
            let score = &got.explanation.word_score;
            let name = &got.explanation.method.name;
            let total: f64 = want.iter().map(|x| x.abs()).sum();
            let off: f64 = score
                .iter()
                .zip(&want)
                .map(|(a, b)| (f64::from(*a) - b).abs())
                .sum();
            match options.method {
                Method::Attention(_) | Method::Random(_) => {
                    assert!(off > 0.1 * total, "{name}: {off} of {total}");
                    continue;
                }
                // A window's effect is shared among its tokens, whichever of them caused it.
                Method::Occlusion(Unit::Window(_)) => continue,
                // A word's among its own.
                Method::Occlusion(Unit::Word) => {
                    for word in words(&got.explanation) {
                        let whole = word.tokens.clone().map(|i| want[i]).sum::<f64>();
                        near(&[word.score(score)], &[whole], 1e-6, name);
                    }
                    assert!(got.explanation.completeness.worst < 1e-12, "{name}");
                    continue;
                }
                Method::Walk | Method::IntegratedGradients(_) | Method::Occlusion(Unit::Token) => {}
            }
            near(score, &want, 1e-6, name);
            assert!(got.explanation.completeness.worst < 1e-12, "{name}");
            exact += 1;
        }
        assert_eq!(exact, 6);
    }
    // LRP shares out the target itself, which is the words' alone where nothing else is added.
    let (_folder, explainer) = planted(true);
    let got = explainer
        .explain("Who mends nets?", "Ada mends nets.", &lrp())
        .unwrap();
    let ends = embedded(&explainer, &got, &Reference::Zero);
    near(
        &got.explanation.word_score,
        &truth(&explainer, &got, &ends),
        1e-6,
        "lrp",
    );
    assert!(got.explanation.completeness.worst < 1e-12);
    assert!(got.explanation.target.value.abs() > 1e-3);
}
