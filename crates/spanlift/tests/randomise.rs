//! Weights drawn anew: which ones, how, and that nothing else moves; every family's tiny checkpoint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spanlift::attribute::Reference;
use spanlift::checkpoint::{
    CheckpointError, ModelPart, Parts, Problem, Randomise, Source, load, load_randomised,
};
use spanlift::model::{
    Bottleneck, Embeddings, Encoder, FeedForward, Layer, LayerNorm, Linear, Norm, PositionMaps,
    Projections, RelativeTable,
};
use spanlift::ops::relative::Relative;
use spanlift::ops::{Matrix, Real};
use spanlift::{Explainer, Options};
use tempfile::TempDir;
use tiny::Tiny;

const CASES: [&str; 13] = [
    "bert-gelu-new",
    "bert-relu",
    "bert-tanh",
    "stray",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "electra",
    "electra-same",
    "mobilebert",
    "deberta-v2",
    "deberta-v2-plain",
    "deberta-v2-embed",
];

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(case)
}

fn all(seed: u64) -> Randomise {
    Randomise {
        parts: Parts::All,
        seed,
    }
}

fn some(parts: &[ModelPart], seed: u64) -> Randomise {
    Randomise {
        parts: Parts::Some(parts.iter().copied().collect()),
        seed,
    }
}

fn encoder<T: Real>(case: &str, randomise: Option<&Randomise>) -> Encoder<T> {
    let folder = folder(case);
    let source = Source::Folder(&folder);
    let loaded = match randomise {
        Some(randomise) => load_randomised(source, randomise),
        None => load(source),
    };
    loaded.unwrap().encoder
}

/// What a tensor is to begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fresh {
    Normal,
    Zero,
    One,
    /// Made of others.
    Derived,
}

#[derive(Debug, PartialEq)]
struct Tensor {
    part: ModelPart,
    fresh: Fresh,
    name: String,
    sides: (usize, usize),
    numbers: Vec<f64>,
}

/// Every tensor of a model. Structures are taken apart to the last field, so that a new one is not passed over.
struct Listing {
    part: ModelPart,
    tensors: Vec<Tensor>,
}

impl Listing {
    fn of<T: Real>(encoder: &Encoder<T>) -> Vec<Tensor> {
        let Encoder {
            config: _,
            embeddings,
            relative_table,
            layers,
            qa_outputs,
        } = encoder;
        let mut listing = Self {
            part: ModelPart::Embeddings,
            tensors: Vec::new(),
        };
        listing.embeddings(embeddings);
        if let Some(RelativeTable { weight, norm }) = relative_table {
            listing.matrix("relative_table", Fresh::Normal, weight);
            norm.iter()
                .for_each(|norm| listing.norm("relative_norm", norm));
        }
        for (at, layer) in layers.iter().enumerate() {
            listing.part = ModelPart::Layer(at + 1);
            listing.layer(layer);
        }
        listing.part = ModelPart::Head;
        listing.linear("qa_outputs", qa_outputs);
        listing.tensors
    }

    fn matrix<T: Real>(&mut self, name: &str, fresh: Fresh, matrix: &Matrix<T>) {
        self.tensors.push(Tensor {
            part: self.part,
            fresh,
            name: name.to_owned(),
            sides: (matrix.rows(), matrix.cols()),
            numbers: matrix.data().iter().map(|x| x.f64()).collect(),
        });
    }

    fn vector<T: Real>(&mut self, name: &str, fresh: Fresh, vector: &[T]) {
        let matrix = Matrix::from_vec(1, vector.len(), vector.to_vec());
        self.matrix(name, fresh, &matrix);
    }

    fn linear<T: Real>(&mut self, name: &str, linear: &Linear<T>) {
        let Linear { weight, bias } = linear;
        self.matrix(name, Fresh::Normal, &weight.matrix());
        self.vector(&format!("{name}.bias"), Fresh::Zero, bias);
    }

    fn norm<T: Real>(&mut self, name: &str, norm: &Norm<T>) {
        let (Norm::LayerNorm(LayerNorm { weight, bias, .. }) | Norm::NoNorm { weight, bias }) =
            norm;
        self.vector(name, Fresh::One, weight);
        self.vector(&format!("{name}.bias"), Fresh::Zero, bias);
    }

    fn embeddings<T: Real>(&mut self, embeddings: &Embeddings<T>) {
        let Embeddings {
            word_embeddings,
            embedding_transformation,
            position_embeddings,
            token_type_embeddings,
            embed_proj,
            norm,
            embeddings_project,
        } = embeddings;
        self.matrix("words", Fresh::Normal, word_embeddings);
        for table in position_embeddings.iter().chain(token_type_embeddings) {
            self.matrix("table", Fresh::Normal, table);
        }
        for linear in embedding_transformation.iter().chain(embeddings_project) {
            self.linear("projection", linear);
        }
        if let Some(Linear { weight, bias }) = embed_proj {
            // Its bias is in no file.
            assert!(bias.iter().all(|x| x.f64() == 0.0));
            self.matrix("embed_proj", Fresh::Normal, &weight.matrix());
        }
        self.norm("norm", norm);
    }

    fn layer<T: Real>(&mut self, layer: &Layer<T>) {
        let Layer {
            projections,
            relative,
            position_maps,
            attention_output,
            attention_norm,
            feed_forwards,
        } = layer;
        match projections {
            Projections::Joint(qkv) => self.linear("qkv", qkv),
            Projections::Bottleneck(bottleneck) => self.bottleneck(bottleneck),
        }
        if let Some(Relative { key, query, .. }) = relative {
            for table in key.iter().chain(query) {
                self.matrix("relative", Fresh::Derived, table);
            }
        }
        if let Some(PositionMaps { key, query }) = position_maps {
            for map in key.iter().chain(query) {
                self.linear("position_map", map);
            }
        }
        self.linear("attention_output", attention_output);
        self.norm("attention_norm", attention_norm);
        for block in feed_forwards {
            let FeedForward {
                intermediate,
                output,
                norm,
            } = block;
            self.linear("intermediate", intermediate);
            self.linear("output", output);
            self.norm("output_norm", norm);
        }
    }

    fn bottleneck<T: Real>(&mut self, bottleneck: &Bottleneck<T>) {
        let Bottleneck {
            input,
            input_norm,
            attention,
            attention_norm,
            query,
            key,
            value,
            output,
            output_norm,
        } = bottleneck;
        for (name, linear) in [
            ("input", input),
            ("attention", attention),
            ("query", query),
            ("key", key),
            ("value", value),
            ("bottleneck_output", output),
        ] {
            self.linear(name, linear);
        }
        for norm in [input_norm, attention_norm, output_norm] {
            self.norm("bottleneck_norm", norm);
        }
    }
}

fn tensors(case: &str, randomise: Option<&Randomise>) -> Vec<Tensor> {
    Listing::of(&encoder::<f32>(case, randomise))
}

#[test]
fn every_tensor_is_drawn_anew_by_its_kind_and_keeps_its_shape() {
    for case in CASES {
        let (before, after) = (tensors(case, None), tensors(case, Some(&all(1))));
        let shape = |t: &Tensor| (t.part, t.name.clone(), t.sides);
        let shapes = |tensors: &[Tensor]| tensors.iter().map(shape).collect::<Vec<_>>();
        assert_eq!(shapes(&before), shapes(&after), "{case}");
        let mut normal: Vec<f64> = Vec::new();
        for (before, after) in before.iter().zip(&after) {
            assert_ne!(before.numbers, after.numbers, "{case}: {after:?}");
            match after.fresh {
                Fresh::Zero => assert!(after.numbers.iter().all(|&x| x == 0.0), "{case} {after:?}"),
                Fresh::One => assert!(after.numbers.iter().all(|&x| x == 1.0), "{case} {after:?}"),
                Fresh::Normal => normal.extend(&after.numbers),
                Fresh::Derived => {}
            }
        }
        // σ of the tiny configs, of some thousand draws: within five standard errors.
        let text = std::fs::read_to_string(folder(case).join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let wanted = config["initializer_range"].as_f64().unwrap_or(0.02);
        let n = normal.len() as f64;
        let deviation = (normal.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        let off = (deviation / wanted - 1.0).abs();
        assert!(off < 5.0 / (2.0 * n).sqrt(), "{case}: {deviation}");
        // No number twice: no two tensors share their draws. (f32 has few enough numbers for a rare chance.)
        let different: BTreeSet<u64> = normal.iter().map(|x| x.to_bits()).collect();
        assert!(different.len() as f64 > 0.999 * n, "{case}");
    }
}

#[test]
fn a_seed_decides_and_both_precisions_have_the_same_weights() {
    for case in CASES {
        let one = tensors(case, Some(&all(1)));
        assert_eq!(one, tensors(case, Some(&all(1))), "{case}");
        let wide = Listing::of(&encoder::<f64>(case, Some(&all(1))));
        for ((one, two), wide) in one.iter().zip(tensors(case, Some(&all(2)))).zip(wide) {
            let drawn = matches!(one.fresh, Fresh::Normal | Fresh::Derived);
            assert_eq!(one.numbers != two.numbers, drawn, "{case}: {one:?}");
            if one.fresh != Fresh::Derived {
                assert_eq!(*one, wide, "{case}");
            }
        }
    }
}

/// Some parts drawn anew are what they are with all drawn anew, and the others what they were: bit for bit. But for DeBERTa's
/// tables as a layer sees them, which are made of the layer and of what is shared before it.
#[test]
fn parts_are_drawn_alone() {
    use ModelPart::{Embeddings, Head, Layer};
    for case in CASES {
        let (before, anew) = (tensors(case, None), tensors(case, Some(&all(1))));
        let layers = encoder::<f32>(case, None).layers.len();
        let mut sets: Vec<Vec<ModelPart>> = (1..=layers).map(|l| vec![Layer(l)]).collect();
        sets.extend([vec![Embeddings], vec![Head], vec![Layer(layers), Head]]);
        for set in sets {
            let got = tensors(case, Some(&some(&set, 1)));
            for (got, (before, anew)) in got.iter().zip(before.iter().zip(&anew)) {
                let moved = set.contains(&got.part);
                if got.fresh == Fresh::Derived {
                    let moved = moved || set.contains(&Embeddings);
                    assert_eq!(got != before, moved, "{case} {set:?}");
                } else {
                    assert_eq!(got, if moved { anew } else { before }, "{case} {set:?}");
                }
            }
        }
        // All parts one by one are all.
        let mut parts: Vec<ModelPart> = (1..=layers).map(Layer).collect();
        parts.extend([Embeddings, Head]);
        assert_eq!(tensors(case, Some(&some(&parts, 1))), anew, "{case}");
    }
}

fn explains<T: Real>(case: &str, randomise: &Randomise, name: &str) {
    let folder = folder(case);
    let explainer = Explainer::<T>::randomised(Source::Folder(&folder), randomise).unwrap();
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let pairs: Vec<Value> = serde_json::from_str(&text).unwrap();
    for pair in pairs {
        for reference in [Reference::Mask, Reference::Zero] {
            let options = Options {
                reference,
                ..Options::default()
            };
            let (question, passage) = (&pair["question"], &pair["passage"]);
            let explained = explainer.explain(
                question.as_str().unwrap(),
                passage.as_str().unwrap(),
                &options,
            );
            let explanation = explained.unwrap().explanation;
            explanation.check_sums().unwrap();
            let found = &explanation.completeness;
            assert!(found.holds, "{case} {} {found:?}", T::NAME);
            assert_eq!(explanation.model.name, format!("{case}{name}"));
        }
    }
}

#[test]
fn sums_hold_under_random_weights() {
    use ModelPart::{Embeddings, Head, Layer};
    for case in CASES {
        explains::<f32>(case, &all(1), ", weights re-initialised (all, seed 1)");
        explains::<f64>(case, &all(2), ", weights re-initialised (all, seed 2)");
        let top = some(&[Layer(2), Head], 7);
        explains::<f32>(
            case,
            &top,
            ", weights re-initialised (layer 2, head, seed 7)",
        );
        let below = some(&[Layer(1), Embeddings], 7);
        explains::<f64>(
            case,
            &below,
            ", weights re-initialised (embeddings, layer 1, seed 7)",
        );
    }
}

#[test]
fn a_name_that_is_given_keeps_what_was_drawn() {
    let folder = folder("two-layers");
    let explainer = Explainer::<f32>::randomised(Source::Folder(&folder), &all(3)).unwrap();
    assert_eq!(explainer.checkpoint().randomised, Some(all(3)));
    let named = explainer.named("org/model");
    let want = "org/model, weights re-initialised (all, seed 3)";
    assert_eq!(named.model_info().name, want);
    let own = Explainer::<f32>::load(Source::Folder(&folder)).unwrap();
    assert_eq!(own.checkpoint().randomised, None);
    assert_eq!(own.named("org/model").model_info().name, "org/model");
}

fn drawn(tiny: &Tiny, randomise: &Randomise) -> Result<Vec<Tensor>, CheckpointError> {
    let folder = TempDir::new().unwrap();
    tiny.write(folder.path());
    let loaded = load_randomised::<f32>(Source::Folder(folder.path()), randomise);
    loaded.map(|checkpoint| Listing::of(&checkpoint.encoder))
}

#[test]
fn draws_belong_to_a_tensor_s_name_without_the_prefix_and_grow_with_the_config_s_range() {
    let tiny = Tiny::new();
    let want = drawn(&tiny, &all(1)).unwrap();
    let bare = |name: &str| name.strip_prefix("bert.").unwrap_or(name).to_owned();
    assert_eq!(drawn(&tiny.clone().renamed(bare), &all(1)).unwrap(), want);
    let old = |name: &str| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        name.replace("LayerNorm.bias", "LayerNorm.beta")
    };
    assert_eq!(drawn(&tiny.clone().renamed(old), &all(1)).unwrap(), want);
    // Sixteen times the default: to the bit but for one rounding.
    let wide = drawn(&tiny.config("initializer_range", json!(0.32)), &all(1)).unwrap();
    for (wide, want) in wide.iter().zip(&want) {
        let scale = if want.fresh == Fresh::Normal {
            16.0
        } else {
            1.0
        };
        for (wide, want) in wide.numbers.iter().zip(&want.numbers) {
            assert!((wide - scale * want).abs() <= 1e-6 * wide.abs());
        }
    }
}

/// What a file has in the place of drawn weights is not looked at: that it fits the config is.
#[test]
fn files_are_held_against_their_config_as_ever() {
    let name = "bert.encoder.layer.1.output.dense.weight";
    let broken = Tiny::new().set(name, 0, f32::NAN);
    assert!(matches!(broken.problem(&[name]), Problem::NonFinite { .. }));
    drawn(&broken, &some(&[ModelPart::Layer(2)], 1)).unwrap();
    let error = drawn(&broken, &some(&[ModelPart::Layer(1)], 1)).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
    let error = drawn(&Tiny::new().without_tensor(name), &all(1)).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    for (layer, words) in [(0, "got 0"), (3, "got 3")] {
        let error = drawn(&Tiny::new(), &some(&[ModelPart::Layer(layer)], 1)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("layers whose weights are drawn anew: expected 1 to 2, "));
        assert!(text.ends_with(words), "{text}");
    }
    for range in [json!("wide"), json!(0.0), json!(-0.02), json!(11)] {
        let tiny = Tiny::new().config("initializer_range", range.clone());
        // Nobody asks for it where nothing is drawn.
        tiny.loaded();
        let text = drawn(&tiny, &all(1)).unwrap_err().to_string();
        let words = "`initializer_range`: expected a number from 1e-6 to 10, got ";
        assert!(text.contains(words), "{range}: {text}");
    }
}
