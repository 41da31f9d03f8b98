//! Gradients of every parameter against the slopes of the loss, in every family that has them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are not seen as tests"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Sizes, random_encoder};
use safetensors::SafeTensors;
use spanlift::checkpoint::{self, ModelPart, Parts, Precision, Randomise, Source};
use spanlift::model::{BottleneckSite, Encoder, Family, LayerSite, Layout, Parameter, Side, Site};
use spanlift::ops::{Matrix, Real};
use spanlift::train::{Dropout, Gradients, Rates, forward};

/// A checkpoint of each family.
const MODELS: [&str; 11] = [
    "two-layers",
    "bert-gelu-new",
    "bert-relu",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "electra",
    "mobilebert",
    "deberta-v2",
    "deberta-v2-plain",
    "deberta-v2-embed",
];

fn encoder<T: Real>(model: &str) -> Encoder<T> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(model);
    checkpoint::load(Source::Folder(&folder)).unwrap().encoder
}

/// Two sequences of invented ids, the first longer; ids repeat.
fn case<T: Real>(encoder: &Encoder<T>) -> (Layout, Vec<u32>) {
    let two = encoder.config.segments > 1;
    let segments: Vec<Vec<u32>> = [9, 6]
        .into_iter()
        .map(|s| (0..s).map(|i| u32::from(two && i > s / 2)).collect())
        .collect();
    let layout = Layout::new(segments.iter().map(Vec::as_slice));
    let rows = encoder.config.vocabulary as u32;
    let ids = (0..15).map(|i| (i * i * 5 + 3) % rows.min(40)).collect();
    (layout, ids)
}

/// Σ c·z + ½z² over the logits z, c some wave: every token's logits matter.
fn loss<T: Real>(logits: &Matrix<T>) -> (f64, Matrix<T>) {
    let wave = |k: usize| (1.0 + 1.7 * k as f64).sin();
    let of = |(k, z): (usize, &T)| wave(k) * z.f64() + 0.5 * z.f64() * z.f64();
    let sum = logits.data().iter().enumerate().map(of).sum();
    let gradient = logits
        .data()
        .iter()
        .enumerate()
        .map(|(k, z)| T::of(wave(k) + z.f64()));
    (sum, Matrix::from_vec(logits.rows(), 2, gradient.collect()))
}

const TENTH: Rates = Rates {
    hidden: 0.1,
    attention: 0.1,
};

fn gradients<T: Real>(
    encoder: &Encoder<T>,
    dropout: Option<&Dropout>,
    wanted: impl Fn(&Parameter) -> bool,
) -> Gradients<T> {
    let (layout, ids) = case(encoder);
    let trace = forward(encoder, &layout, &ids, dropout);
    let (_, m) = loss(&trace.logits);
    let mut gradients = Gradients::of(encoder, wanted);
    gradients.add(encoder, &trace, &ids, &m, dropout);
    gradients
}

fn value(encoder: &Encoder<f64>, dropout: Option<&Dropout>) -> f64 {
    let (layout, ids) = case(encoder);
    loss(&forward(encoder, &layout, &ids, dropout).logits).0
}

/// The slope of the loss as tensor `at` moves along `way`, by four points `h` apart.
fn slope(
    encoder: &mut Encoder<f64>,
    dropout: Option<&Dropout>,
    at: usize,
    way: &[f64],
    h: f64,
) -> f64 {
    let values = encoder.values();
    let mut moved = |by: f64| {
        let mut values = values.clone();
        values[at]
            .iter_mut()
            .zip(way)
            .for_each(|(x, d)| *x += by * d);
        encoder.set_values(&values);
        value(encoder, dropout)
    };
    let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h))) / (12.0 * h);
    encoder.set_values(&values);
    slope
}

fn name(parameter: &Parameter) -> String {
    format!("{:?} {:?}", parameter.site, parameter.side)
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for model in MODELS {
        let some = Dropout::new(
            Rates {
                hidden: 0.3,
                attention: 0.2,
            },
            5,
            8,
        );
        for dropout in [None, Some(some)] {
            let mut encoder = encoder::<f64>(model);
            let gradients = gradients(&encoder, dropout.as_ref(), |_| true);
            let mut sizes = Vec::new();
            for (at, parameter) in gradients.parameters().iter().enumerate() {
                let gradient = &gradients.values()[at];
                assert_eq!(gradient.len(), parameter.len());
                // All of it at once along a wave, then some by themselves.
                let wave = (0..gradient.len())
                    .map(|k| (0.3 + 2.9 * k as f64).cos())
                    .collect();
                let mut ways: Vec<Vec<f64>> = vec![wave];
                for k in [0, gradient.len() / 2, gradient.len() - 1] {
                    let mut way = vec![0.0; gradient.len()];
                    way[k] = 1.0;
                    ways.push(way);
                }
                for way in &ways {
                    let got: f64 = gradient.iter().zip(way).map(|(g, d)| g * d).sum();
                    // ReLU has corners, which a wide step goes across.
                    let (h, bound) = if ["bert-relu", "mobilebert"].contains(&model) {
                        (1e-7, 1e-5)
                    } else {
                        (1e-4, 1e-7)
                    };
                    let want = slope(&mut encoder, dropout.as_ref(), at, way, h);
                    let off = (got - want).abs() / want.abs().max(1.0);
                    assert!(off < bound, "{model} {}: {got} {want}", name(parameter));
                }
                sizes.push(gradient.iter().map(|g| g.abs()).fold(0.0, f64::max));
            }
            // A key's bias adds the same to all scores of a query, which the softmax does not see.
            let keys = |p: &Parameter| {
                let key = LayerSite::Bottleneck(BottleneckSite::Key);
                let of_key = [key, LayerSite::PositionKey]
                    .map(|key| matches!(p.site, Site::Layer(_, site) if site == key));
                of_key.contains(&true) && p.side == Side::Bias
            };
            let none = gradients.parameters().iter().zip(&sizes);
            let none = none.filter(|(p, size)| **size <= 1e-6 && !keys(p));
            assert!(none.count() <= 1, "{model}: {sizes:?}");
        }
    }
}

#[test]
fn sequences_and_passes_add_up() {
    let encoder = encoder::<f64>("two-layers");
    let (layout, ids) = case(&encoder);
    let whole = gradients(&encoder, None, |_| true);
    let mut parts = Gradients::of(&encoder, |_| true);
    let trace = forward(&encoder, &layout, &ids, None);
    let (_, m) = loss(&trace.logits);
    for b in 0..2 {
        let rows = layout.tokens(b);
        let alone = Layout::new([&layout.segments[rows.clone()]]);
        let ids = &ids[rows.clone()];
        let trace = forward(&encoder, &alone, ids, None);
        let m = Matrix::from_vec(
            rows.len(),
            2,
            m.data()[2 * rows.start..2 * rows.end].to_vec(),
        );
        parts.add(&encoder, &trace, ids, &m, None);
    }
    for ((a, b), parameter) in whole
        .values()
        .iter()
        .zip(parts.values())
        .zip(whole.parameters())
    {
        for (a, b) in a.iter().zip(b) {
            assert!(
                (a - b).abs() < 1e-12 * a.abs().max(1.0),
                "{}",
                name(parameter)
            );
        }
    }
    parts.clear();
    assert!(parts.values().iter().flatten().all(|g| *g == 0.0));
}

/// Large enough that every gradient is made in several tasks: of a map's rows, of its tokens, of a sum's columns.
#[test]
fn threads_do_not_matter_where_there_is_work_for_them() {
    let encoder: Encoder<f32> = random_encoder(3, Sizes::for_threads(Family::Bert, 1.0));
    let segments: Vec<Vec<u32>> = [150, 90, 60]
        .into_iter()
        .map(|s| (0..s).map(|i| u32::from(i > s / 3)).collect())
        .collect();
    let layout = Layout::new(segments.iter().map(Vec::as_slice));
    let ids: Vec<u32> = (0..300).map(|i| (i * i * 5 + 3) % 30).collect();
    let dropout = Dropout::new(TENTH, 1, 2);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let trace = forward(&encoder, &layout, &ids, Some(&dropout));
            let (_, m) = loss(&trace.logits);
            let mut gradients = Gradients::of(&encoder, |_| true);
            gradients.add(&encoder, &trace, &ids, &m, Some(&dropout));
            gradients
        })
    };
    let one = run(1);
    assert!(one.values().iter().flatten().all(|g| g.is_finite()));
    for threads in [2, 3, 7] {
        let more = run(threads);
        for ((a, b), parameter) in one.values().iter().zip(more.values()).zip(one.parameters()) {
            assert!(a == b, "{threads}: {}", name(parameter));
        }
    }
}

#[test]
fn f32_is_near_f64_and_threads_do_not_matter() {
    let dropout = Dropout::new(TENTH, 1, 2);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| gradients(&encoder::<f32>("two-layers"), Some(&dropout), |_| true))
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads).values(), one.values(), "{threads}");
    }
    let exact = gradients(&encoder::<f64>("two-layers"), Some(&dropout), |_| true);
    for ((a, b), parameter) in one
        .values()
        .iter()
        .zip(exact.values())
        .zip(exact.parameters())
    {
        let largest = b.iter().map(|g| g.abs()).fold(1e-3, f64::max);
        for (a, b) in a.iter().zip(b) {
            assert!(
                (f64::from(*a) - b).abs() < 1e-5 * largest,
                "{}",
                name(parameter)
            );
        }
    }
}

#[test]
fn what_is_frozen_has_none_and_moves_no_other() {
    let encoder = encoder::<f64>("electra");
    let all = gradients(&encoder, None, |_| true);
    let layer = |parameter: &Parameter| match parameter.site {
        Site::Layer(l, _) => Some(l),
        _ => None,
    };
    let kinds: [&dyn Fn(&Parameter) -> bool; 5] = [
        &|p| p.site == Site::Head,
        &|p| layer(p) == Some(1),
        &|p| p.site == Site::Layer(0, LayerSite::Output) && p.side == Side::Bias,
        &|p| p.site == Site::Positions,
        &|_| false,
    ];
    for (kind, wanted) in kinds.iter().enumerate() {
        let some = gradients(&encoder, None, wanted);
        for (at, parameter) in some.parameters().iter().enumerate() {
            let want = if wanted(parameter) {
                &all.values()[at][..]
            } else {
                &[]
            };
            assert_eq!(some.values()[at], want, "{kind} {}", name(parameter));
        }
    }
}

#[test]
fn values_are_the_encoder_s_and_can_be_put_back() {
    for model in MODELS {
        let mut encoder = encoder::<f32>(model);
        let before = encoder.clone();
        let values = encoder.values();
        let sizes: Vec<usize> = encoder.parameters().iter().map(Parameter::len).collect();
        assert_eq!(values.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        let zeros: Vec<Vec<f32>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
        encoder.set_values(&zeros);
        assert_eq!(encoder.values(), zeros);
        encoder.set_values(&values);
        assert_eq!(encoder, before, "{model}");
    }
}

fn copy_all_but_weights(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap();
        if name != "model.safetensors" && path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// What is written is read again: to the bit in F32, to its eleven bits in F16.
#[test]
fn a_saved_checkpoint_is_the_one_that_was_saved() {
    for model in MODELS {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/oracle")
            .join(model);
        let loaded = checkpoint::load::<f32>(Source::Folder(&from)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy_all_but_weights(&from, folder.path());
        for precision in [Precision::F32, Precision::F16] {
            let bytes = checkpoint::safetensors(&loaded, precision);
            fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
            let mut again = checkpoint::load::<f32>(Source::Folder(folder.path())).unwrap();
            assert_eq!(again.notes, [""; 0], "{model}");
            match precision {
                Precision::F32 => {
                    again
                        .encoder
                        .config
                        .name
                        .clone_from(&loaded.encoder.config.name);
                    assert_eq!(again.encoder, loaded.encoder, "{model}");
                }
                Precision::F16 => {
                    let (a, b) = (again.encoder.values(), loaded.encoder.values());
                    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= b.abs() / 2048.0 + 1e-7;
                    assert!(
                        a.iter().flatten().zip(b.iter().flatten()).all(near),
                        "{model}"
                    );
                    assert_ne!(a, b, "{model}");
                }
            }
        }
        // The names and shapes of the file that it came from.
        let bytes = checkpoint::safetensors(&loaded, Precision::F32);
        let before = fs::read(from.join("model.safetensors")).unwrap();
        let named = |bytes: &[u8]| -> BTreeMap<String, Vec<usize>> {
            let file = SafeTensors::deserialize(bytes).unwrap();
            let tensors = file.tensors().into_iter();
            tensors
                .map(|(name, view)| (name, view.shape().to_vec()))
                .collect()
        };
        let mut before = named(&before);
        before.retain(|name, _| !name.contains("pooler") && !name.ends_with("position_ids"));
        assert_eq!(named(&bytes), before, "{model}");
    }
}

/// An encoder alone, as it comes from pre-training, has none: it is drawn, and nothing else.
#[test]
fn a_head_is_drawn_where_there_is_none() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/two-layers");
    let loaded = checkpoint::load::<f32>(Source::Folder(&from)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy_all_but_weights(&from, folder.path());
    let whole = checkpoint::safetensors(&loaded, Precision::F32);
    let file = SafeTensors::deserialize(&whole).unwrap();
    let bare = file
        .tensors()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("qa_outputs"));
    let bare = bare.map(|(name, view)| (name.trim_start_matches("bert.").to_owned(), view));
    let bytes = safetensors::serialize(bare, None).unwrap();
    fs::write(folder.path().join("model.safetensors"), bytes).unwrap();

    let source = Source::Folder(folder.path());
    assert!(checkpoint::load::<f32>(source).is_err());
    let drawn = |seed| {
        let parts = Parts::Some([ModelPart::Head].into());
        checkpoint::load_randomised::<f32>(source, &Randomise { parts, seed })
            .unwrap()
            .encoder
    };
    let (one, other) = (drawn(1), drawn(2));
    assert_eq!(one.layers, loaded.encoder.layers);
    assert_eq!(one.embeddings, loaded.encoder.embeddings);
    assert_eq!(one.qa_outputs, drawn(1).qa_outputs);
    assert_ne!(one.qa_outputs.weight, other.qa_outputs.weight);
    assert_eq!(one.qa_outputs.bias, [0.0; 2]);
}
