//! Checkpoints made here, whole and broken: what is loaded, and what is said about the rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests panic to fail"
)]

mod tiny;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use safetensors::Dtype;
use serde_json::{Value, json};
use spanlift::checkpoint::{CheckpointError, Problem, Source, load};
use spanlift::model::{Activation, Encoder, Layer, LayerNorm, Linear, Norm, Projections};
use spanlift::ops::Real;
use tempfile::TempDir;
use tiny::{HIDDEN, Tiny, WORDS, numbers, tokenizer_json};

const QUERY: &str = "bert.encoder.layer.1.attention.self.query.weight";

// What is loaded.

fn positions<T: Real>(encoder: &Encoder<T>) -> &[T] {
    encoder
        .embeddings
        .position_embeddings
        .as_ref()
        .unwrap()
        .data()
}

fn layer_norm<T>(norm: &Norm<T>) -> &LayerNorm<T> {
    match norm {
        Norm::LayerNorm(norm) => norm,
        Norm::NoNorm { .. } => panic!("a LayerNorm"),
    }
}

fn qkv<T>(layer: &Layer<T>) -> &Linear<T> {
    match &layer.projections {
        Projections::Joint(qkv) => qkv,
        Projections::Bottleneck(_) => panic!("one map"),
    }
}

#[test]
fn every_tensor_gets_to_its_place() {
    let checkpoint = Tiny::new().loaded();
    let encoder = &checkpoint.encoder;
    let is = |got: &[f32], name: &str| assert_eq!(got, numbers(name, got.len()), "{name}");
    is(
        encoder.embeddings.word_embeddings.data(),
        "bert.embeddings.word_embeddings.weight",
    );
    is(
        positions(encoder),
        "bert.embeddings.position_embeddings.weight",
    );
    is(
        encoder
            .embeddings
            .token_type_embeddings
            .as_ref()
            .unwrap()
            .data(),
        "bert.embeddings.token_type_embeddings.weight",
    );
    is(
        &layer_norm(&encoder.embeddings.norm).weight,
        "bert.embeddings.LayerNorm.weight",
    );
    is(
        &layer_norm(&encoder.embeddings.norm).bias,
        "bert.embeddings.LayerNorm.bias",
    );
    assert_eq!(encoder.layers.len(), 2);
    for (index, layer) in encoder.layers.iter().enumerate() {
        let name = |part: &str| format!("bert.encoder.layer.{index}.{part}");
        let [block] = &layer.feed_forwards[..] else {
            panic!("one block");
        };
        let qkv = qkv(layer);
        assert_eq!(
            (qkv.weight.outputs(), qkv.weight.inputs()),
            (3 * HIDDEN, HIDDEN)
        );
        let stacked = qkv.weight.matrix();
        for (place, part) in ["query", "key", "value"].iter().enumerate() {
            let rows = &stacked.data()[place * HIDDEN * HIDDEN..(place + 1) * HIDDEN * HIDDEN];
            is(rows, &name(&format!("attention.self.{part}.weight")));
            let bias = &qkv.bias[place * HIDDEN..(place + 1) * HIDDEN];
            is(bias, &name(&format!("attention.self.{part}.bias")));
        }
        for (linear, part) in [
            (&layer.attention_output, "attention.output.dense"),
            (&block.intermediate, "intermediate.dense"),
            (&block.output, "output.dense"),
        ] {
            is(
                linear.weight.matrix().data(),
                &name(&format!("{part}.weight")),
            );
            is(&linear.bias, &name(&format!("{part}.bias")));
        }
        assert_eq!(
            (
                block.intermediate.weight.outputs(),
                block.intermediate.weight.inputs()
            ),
            (6, 4)
        );
        assert_eq!(
            (block.output.weight.outputs(), block.output.weight.inputs()),
            (4, 6)
        );
        for (norm, part) in [
            (&layer.attention_norm, "attention.output.LayerNorm"),
            (&block.norm, "output.LayerNorm"),
        ] {
            let norm = layer_norm(norm);
            is(&norm.weight, &name(&format!("{part}.weight")));
            is(&norm.bias, &name(&format!("{part}.bias")));
        }
    }
    is(
        encoder.qa_outputs.weight.matrix().data(),
        "qa_outputs.weight",
    );
    is(&encoder.qa_outputs.bias, "qa_outputs.bias");
    assert_eq!(checkpoint.notes, [""; 0]);
}

#[test]
fn the_config_is_read_with_its_defaults() {
    let config = Tiny::new().loaded().encoder.config;
    assert_eq!((config.layers, config.heads, config.hidden), (2, 2, 4));
    assert_eq!((config.feed_forward, config.vocabulary), (6, 20));
    assert_eq!((config.positions, config.segments), (512, 2));
    assert_eq!(config.activation, Activation::Gelu);
    assert_eq!(config.layer_norm_eps, 1e-12);
    for (name, activation) in [
        ("gelu", Activation::Gelu),
        ("gelu_new", Activation::GeluTanh),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("relu", Activation::Relu),
    ] {
        let tiny = Tiny::new()
            .config("hidden_act", json!(name))
            .config("layer_norm_eps", json!(1e-5));
        let encoder = tiny.loaded().encoder;
        assert_eq!(encoder.config.activation, activation);
        assert_eq!(encoder.config.layer_norm_eps, 1e-5);
        assert_eq!(layer_norm(&encoder.embeddings.norm).eps, 1e-5);
        assert_eq!(
            layer_norm(&encoder.layers[1].feed_forwards[0].norm).eps,
            1e-5
        );
    }
}

#[test]
fn half_precision_is_widened() {
    // Half a unit in the last place: 11 and 8 significant bits.
    for (dtype, relative) in [(Dtype::F16, 2f64.powi(-11)), (Dtype::BF16, 2f64.powi(-8))] {
        let (wide, half) = (
            Tiny::new().loaded().encoder,
            Tiny::of(dtype, WORDS.len()).loaded().encoder,
        );
        let [of_wide, of_half] = [&wide, &half].map(|it| qkv(&it.layers[1]).weight.matrix());
        let pairs = [
            (positions(&wide), positions(&half)),
            (of_wide.data(), of_half.data()),
            (&wide.qa_outputs.bias, &half.qa_outputs.bias),
        ];
        let mut rounded = 0;
        for (x, y) in pairs.into_iter().flat_map(|(x, y)| x.iter().zip(y)) {
            let error = (f64::from(*x) - f64::from(*y)).abs();
            // Below 2⁻¹⁴ the numbers of F16 are 2⁻²⁴ apart.
            assert!(
                error <= relative * f64::from(x.abs()) + 2f64.powi(-25),
                "{dtype}: {x} became {y}"
            );
            rounded += usize::from(error > 0.0);
        }
        assert!(
            rounded > 1000,
            "{dtype}: only {rounded} numbers were rounded: is it half precision?"
        );
    }
}

/// The numbers of F16 have few enough patterns to try them all, and to decode them by their definition.
#[test]
fn every_finite_f16_is_decoded() {
    let decoded = |bits: u16| {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        let size = match exponent {
            0 => fraction * 2f64.powi(-24),
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if bits >> 15 == 1 { -size } else { size }
    };
    let bits: Vec<u16> = (0..=u16::MAX)
        .filter(|bits| bits >> 10 & 31 != 31)
        .collect();
    let rows = bits.len() / HIDDEN;
    let mut tiny = Tiny::new().config("max_position_embeddings", json!(rows));
    let bytes = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let tensor = tiny::Tensor(Dtype::F16, vec![rows, HIDDEN], bytes);
    tiny.tensors.insert(
        "bert.embeddings.position_embeddings.weight".to_owned(),
        tensor,
    );
    let encoder = tiny.loaded().encoder;
    let got = positions(&encoder);
    assert_eq!(got.len(), 63_488);
    for (&bits, &got) in bits.iter().zip(got) {
        assert_eq!(f64::from(got), decoded(bits), "{bits:#06x}");
    }
}

#[test]
fn f64_holds_the_same_numbers() {
    let folder = TempDir::new().unwrap();
    Tiny::of(Dtype::F16, WORDS.len()).write(folder.path());
    let single = load::<f32>(Source::Folder(folder.path())).unwrap().encoder;
    let double = load::<f64>(Source::Folder(folder.path())).unwrap().encoder;
    let (single, double) = (
        qkv(&single.layers[0]).weight.matrix(),
        qkv(&double.layers[0]).weight.matrix(),
    );
    let (single, double) = (single.data(), double.data());
    assert!(single.iter().zip(double).all(|(x, y)| x.f64() == *y));
    assert_eq!(single.len(), double.len());
}

#[test]
fn an_encoder_without_prefix_and_early_layer_norms() {
    let expected = Tiny::new().loaded().encoder;
    let bare = Tiny::new().renamed(|name| name.trim_start_matches("bert.").to_owned());
    assert_eq!(
        strip_name(bare.loaded().encoder),
        strip_name(expected.clone())
    );
    let early = Tiny::new().renamed(|name| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    });
    assert_eq!(strip_name(early.loaded().encoder), strip_name(expected));
}

fn strip_name(mut encoder: Encoder<f32>) -> Encoder<f32> {
    encoder.config.name.clear();
    encoder
}

#[test]
fn harmless_tensors_are_passed_over_with_a_note() {
    for prefix in ["bert.", ""] {
        let tiny = Tiny::new()
            .renamed(|name| name.replace("bert.", prefix))
            .tensor(&format!("{prefix}pooler.dense.weight"), Dtype::F64, &[4, 4])
            .tensor(
                &format!("{prefix}embeddings.position_ids"),
                Dtype::F64,
                &[1, 512],
            )
            .tensor("cls.predictions.bias", Dtype::F32, &[20]);
        let notes = tiny.loaded().notes;
        assert_eq!(notes.len(), 1, "{notes:?}");
        for name in [
            "pooler.dense.weight",
            "embeddings.position_ids",
            "cls.predictions.bias",
        ] {
            assert!(notes[0].contains(name), "{notes:?}");
        }
    }
}

/// What pretraining, other tasks and older versions leave in a file, each alone.
#[test]
fn every_leftover_is_named() {
    for (name, shape) in [
        ("bert.embeddings.position_ids", &[1, 512][..]),
        ("bert.pooler.dense.weight", &[4, 4]),
        ("bert.pooler.dense.bias", &[4]),
        ("cls.predictions.bias", &[20]),
        ("cls.predictions.decoder.weight", &[20, 4]),
        ("cls.predictions.transform.LayerNorm.gamma", &[4]),
        ("cls.seq_relationship.weight", &[2, 4]),
        ("classifier.weight", &[3, 4]),
        ("classifier.bias", &[3]),
        ("loss_fct.weight", &[]),
    ] {
        // Its numbers do not matter.
        let tiny = Tiny::new().tensor(name, Dtype::F32, shape);
        let tiny = if shape.is_empty() {
            tiny
        } else {
            tiny.set(name, 0, f32::NAN)
        };
        let notes = tiny.loaded().notes;
        let note = format!(
            "model.safetensors: 1 tensors have no part in the answer and were passed over: {name}"
        );
        assert_eq!(notes, [note]);
    }
}

#[test]
fn a_folder_names_the_model() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("my-model");
    fs::create_dir(&folder).unwrap();
    Tiny::new().write(&folder);
    let indirect = folder.join("..").join("my-model").join(".");
    let checkpoint = load::<f32>(Source::Folder(&indirect)).unwrap();
    assert_eq!(checkpoint.encoder.config.name, "my-model");
}

#[test]
fn embedded_files_need_no_alignment() {
    let tiny = Tiny::of(Dtype::F16, WORDS.len());
    let tokenizer = tokenizer_json(&WORDS, true, Value::Null, true).to_string();
    let config = tiny.config.to_string();
    let mut weights = tiny.weights();
    let expected = strip_name(tiny.loaded().encoder);
    for shift in 0..4 {
        if shift > 0 {
            weights.insert(0, 0);
        }
        let checkpoint = load::<f32>(Source::Embedded {
            name: "inside",
            config: config.as_bytes(),
            weights: &weights[shift..],
            tokenizer: tokenizer.as_bytes(),
            tokenizer_config: None,
        });
        let checkpoint = checkpoint.unwrap();
        assert_eq!(checkpoint.encoder.config.name, "inside");
        assert_eq!(strip_name(checkpoint.encoder), expected);
    }
}

/// The numbers of `models/minilm-l6-squad2/config.json`, and the vocabulary of all uncased BERTs.
#[test]
fn the_default_model_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/minilm-l6-squad2");
    let checkpoint = load::<f32>(Source::Folder(&folder)).unwrap();
    let config = &checkpoint.encoder.config;
    assert_eq!(
        (
            config.layers,
            config.heads,
            config.hidden,
            config.feed_forward
        ),
        (6, 12, 384, 1536)
    );
    assert_eq!(config.name, "minilm-l6-squad2");
    let vocabulary = &checkpoint.vocabulary;
    assert_eq!((vocabulary.cls, vocabulary.sep), (101, 102));
    assert_eq!(
        (vocabulary.pad, vocabulary.unk, vocabulary.mask),
        (Some(0), Some(100), Some(103))
    );
    assert_eq!(checkpoint.notes, [""; 0]);
}

// What is refused.

#[test]
fn no_folder() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("no-such-model");
    let error = load::<f32>(Source::Folder(&missing)).unwrap_err();
    assert!(matches!(&error, CheckpointError::Read { path, .. } if *path == missing));
    assert!(error.to_string().contains("no-such-model"), "{error}");

    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = load::<f32>(Source::Folder(&file)).unwrap_err();
    assert!(matches!(&error, CheckpointError::NotAFolder { path } if *path == file));
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "vocab.txt",
    ] {
        let folder = TempDir::new().unwrap();
        Tiny::new().without(name).write(folder.path());
        fs::create_dir(folder.path().join(name)).unwrap();
        let error = load::<f32>(Source::Folder(folder.path())).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Read { path, .. } if path.ends_with(name)),
            "{error}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// All names of a folder, with what each file holds, where it leads and when it was last changed.
#[cfg(unix)]
fn listing(
    folder: &Path,
) -> Vec<(
    std::ffi::OsString,
    Option<std::path::PathBuf>,
    String,
    Vec<u8>,
)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let link = fs::read_link(&path).ok();
        let changed = format!(
            "{:?}",
            fs::symlink_metadata(&path).unwrap().modified().unwrap()
        );
        let name = path.file_name().unwrap().to_owned();
        (name, link, changed, fs::read(&path).unwrap())
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries
}

/// The hub's cache is made of links out of the folder: they are followed. Nothing is written, neither into the folder nor to
/// where the links lead, whether the checkpoint is read or refused.
#[cfg(unix)]
#[test]
fn links_are_followed_and_nothing_is_written() {
    let root = TempDir::new().unwrap();
    let (folder, blobs) = (root.path().join("snapshot"), root.path().join("blobs"));
    for path in [&folder, &blobs] {
        fs::create_dir(path).unwrap();
    }
    Tiny::new().write(&blobs);
    for entry in fs::read_dir(&blobs).unwrap() {
        let name = entry.unwrap().file_name();
        std::os::unix::fs::symlink(Path::new("../blobs").join(&name), folder.join(&name)).unwrap();
    }
    let link = root.path().join("link");
    std::os::unix::fs::symlink(&folder, &link).unwrap();
    let everything = || [&folder, &blobs].map(|path| listing(path));
    let top = || fs::read_dir(root.path()).unwrap().count();
    let before = everything();
    assert_eq!(before[0].len(), 4);
    for path in [&folder, &link] {
        let loaded = load::<f32>(Source::Folder(path)).unwrap();
        assert_eq!(loaded.encoder.layers.len(), tiny::LAYERS);
    }
    assert_eq!(everything(), before);

    fs::write(blobs.join("vocab.txt"), "[CLS]\n").unwrap();
    let before = everything();
    assert!(load::<f32>(Source::Folder(&folder)).is_err());
    assert_eq!((everything(), top()), (before, 3));
}

/// A device has no end, and a pipe may never begin: only regular files are opened.
#[cfg(unix)]
#[test]
fn devices_are_not_read() {
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let folder = TempDir::new().unwrap();
        Tiny::new().without(name).write(folder.path());
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(name)).unwrap();
        let error = load::<f32>(Source::Folder(folder.path())).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Read { path, source } if path.ends_with(name)
                && source.to_string().contains("regular file")),
            "{error:?}"
        );
    }
}

#[test]
fn missing_files() {
    let problem = Tiny::new()
        .without("config.json")
        .problem(&["config.json: missing"]);
    assert_eq!(
        problem,
        Problem::MissingFile {
            file: "config.json"
        }
    );
    let problem = Tiny::new()
        .without("model.safetensors")
        .problem(&["model.safetensors: missing"]);
    assert_eq!(
        problem,
        Problem::MissingFile {
            file: "model.safetensors"
        }
    );
    for (vocab, config) in [(false, false), (true, false), (false, true)] {
        let mut tiny = Tiny::new();
        tiny.left_out.extend((!vocab).then_some("vocab.txt"));
        tiny.left_out
            .extend((!config).then_some("tokenizer_config.json"));
        let problem = tiny.problem(&["tokenizer.json: missing"]);
        let substitute = ["vocab.txt", "tokenizer_config.json"];
        let found = [vocab, config];
        assert_eq!(problem, Problem::MissingTokenizer { substitute, found });
    }
    // An empty folder: one error for all of them.
    let empty = [
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    ];
    let tiny = empty.into_iter().fold(Tiny::new(), Tiny::without);
    assert_eq!(tiny.problems().0.len(), 3);
}

#[test]
fn other_formats_are_named_with_the_way_out() {
    let pytorch = (!cfg!(feature = "pickle")).then_some("pytorch_model.bin");
    for found in ["tf_model.h5", "flax_model.msgpack"]
        .into_iter()
        .chain(pytorch)
    {
        let tiny = Tiny::new().without("model.safetensors").file(found, "x");
        let problem = tiny.problem(&[found, "save_pretrained"]);
        assert_eq!(problem, Problem::OtherFormat { found });
    }
    // Beside the file that is read they say nothing.
    Tiny::new().file("pytorch_model.bin", "x").loaded();
}

#[test]
fn huge_text_files_are_not_read() {
    for (name, limit) in [("config.json", 1 << 24), ("tokenizer.json", 1 << 28)] {
        let folder = TempDir::new().unwrap();
        Tiny::new().without(name).write(folder.path());
        // Sparse: it takes no room on the disk.
        File::create(folder.path().join(name))
            .unwrap()
            .set_len(limit + 1)
            .unwrap();
        match load::<f32>(Source::Folder(folder.path())) {
            Err(CheckpointError::Invalid { problems, .. }) => {
                let file = name;
                assert_eq!(problems, [Problem::TooLarge { file, limit }]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn files_that_are_no_text_or_no_json() {
    for file in ["config.json", "tokenizer_config.json"] {
        let problem = Tiny::new()
            .file(file, b"{\"a\": \"\xff\"}")
            .problem(&[file, "UTF-8", "byte 7"]);
        assert_eq!(problem, Problem::NotUtf8 { file, offset: 7 });
        let problem = Tiny::new()
            .file(file, "{\n  \"a\": }")
            .problem(&[file, "line 2, column 8"]);
        assert!(
            matches!(
                problem,
                Problem::NotJson {
                    line: 2,
                    column: 8,
                    ..
                }
            ),
            "{problem}"
        );
        let problem = Tiny::new().file(file, "").problem(&[file]);
        assert!(matches!(problem, Problem::NotJson { .. }), "{problem}");
        let problem = Tiny::new()
            .file(file, "[1, 2]")
            .problem(&[file, "a list of 2"]);
        assert!(matches!(problem, Problem::NotAnObject { .. }), "{problem}");
        let nested = "[".repeat(100_000);
        let problem = Tiny::new().file(file, nested).problem(&[file]);
        assert!(matches!(problem, Problem::NotJson { .. }), "{problem}");
    }
    let problem = Tiny::new()
        .file("vocab.txt", b"[CLS]\n\xff\n")
        .problem(&["vocab.txt", "byte 6"]);
    assert!(
        matches!(problem, Problem::NotUtf8 { offset: 6, .. }),
        "{problem}"
    );
}

#[test]
fn tokenizers_that_are_none() {
    let file = "tokenizer.json";
    let problem = Tiny::new().file(file, b"\xff").problem(&[file, "UTF-8"]);
    assert_eq!(problem, Problem::NotUtf8 { file, offset: 0 });
    for bytes in ["{", "", "{} x"] {
        let problem = Tiny::new().file(file, bytes).problem(&[file, "line 1"]);
        assert!(matches!(problem, Problem::NotJson { .. }), "{problem}");
    }
    let problem = Tiny::new().file(file, "null").problem(&[file, "null"]);
    assert!(matches!(problem, Problem::NotAnObject { .. }), "{problem}");
    for json in [
        json!({}),
        json!({ "model": null }),
        json!({ "model": { "type": "WordPiece" } }),
    ] {
        let problem = Tiny::new().file(file, json.to_string()).problem(&[file]);
        assert!(matches!(problem, Problem::Tokenizer { .. }), "{problem}");
    }
    let precompiled = json!({ "type": "Precompiled", "precompiled_charsmap": "AAA" });
    for normalizer in [
        precompiled.clone(),
        json!({ "type": "Sequence", "normalizers": [precompiled] }),
    ] {
        let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
        json["normalizer"] = normalizer;
        let problem = Tiny::new().file(file, json.to_string()).problem(&[
            file,
            "precompiled_charsmap",
            "a text in base64",
        ]);
        assert!(matches!(problem, Problem::Charsmap { .. }), "{problem}");
    }
}

/// An added token that its normalizer takes away would be found inside `İ`, where the library panics.
#[test]
fn added_tokens_that_vanish() {
    let file = "tokenizer.json";
    let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
    json["normalizer"] = json!({ "type": "Strip", "strip_left": true, "strip_right": true });
    let token = |normalized| {
        json!({ "id": 5, "content": " ", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": normalized, "special": false })
    };
    json["added_tokens"] = json!([token(true)]);
    let problem = Tiny::new().file(file, json.to_string());
    let problem = problem.problem(&[
        file,
        "`added_tokens`: expected tokens of which the normalizer leaves something, got ` `",
    ]);
    assert!(matches!(problem, Problem::Part { .. }), "{problem}");
    // As it is, it is found between words.
    json["added_tokens"] = json!([token(false)]);
    json["model"]["vocab"][" "] = json!(5);
    json["model"]["vocab"]["the"] = json!(19);
    let loaded = Tiny::new().file(file, json.to_string()).loaded();
    assert!(loaded.vocabulary.encode("the the", "İ the").is_ok());
}

#[test]
fn each_size_must_be_there_and_a_sensible_number() {
    let sizes = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    ];
    for field in sizes {
        let mut tiny = Tiny::new();
        tiny.config.as_object_mut().unwrap().remove(field);
        let problem = tiny.problem(&["config.json", field, "a whole number", "no such field"]);
        assert!(
            matches!(problem, Problem::MissingField { field: named, .. } if named == field),
            "{problem}"
        );
        let wrong = [
            (json!(0), "got 0"),
            (json!(-1), "got -1"),
            (json!(4.0), "got 4.0"),
            (json!("4"), "got `4`"),
            (json!(null), "got null"),
            (json!([4]), "got a list of 1"),
            (json!(u64::MAX), "got 18446744073709551615"),
            (json!(1u64 << 40), "got 1099511627776"),
        ];
        for (value, got) in wrong {
            let tiny = Tiny::new().config(field, value);
            let problem = tiny.problem(&["config.json", field, "a whole number", got]);
            assert!(
                matches!(problem, Problem::Field { field: named, .. } if named == field),
                "{problem}"
            );
        }
    }
}

#[test]
fn configs_of_another_function() {
    for (field, value) in [
        ("model_type", json!("bart")),
        ("model_type", json!(1)),
        ("position_embedding_type", json!("relative_key")),
        ("hidden_act", json!("silu")),
        ("hidden_act", json!({})),
        ("is_decoder", json!(true)),
        ("is_decoder", json!("no")),
        ("add_cross_attention", json!(true)),
        ("pruned_heads", json!({ "0": [1] })),
        ("num_attention_heads", json!(3)),
        ("layer_norm_eps", json!(0)),
        ("layer_norm_eps", json!(-1e-12)),
        ("layer_norm_eps", json!("1e-12")),
        ("type_vocab_size", json!(1)),
        ("type_vocab_size", json!(null)),
    ] {
        let got = match &value {
            Value::String(text) => format!("got `{text}`"),
            Value::Object(_) => "got an object".to_owned(),
            other => format!("got {other}"),
        };
        let problem =
            Tiny::new()
                .config(field, value)
                .problem(&["config.json", field, "expected", &got]);
        assert!(
            matches!(problem, Problem::Field { field: named, .. } if named == field),
            "{problem}"
        );
    }
    let mut tiny = Tiny::new()
        .config("is_decoder", json!(false))
        .config("pruned_heads", json!({}));
    tiny.loaded();
    tiny.config.as_object_mut().unwrap().remove("model_type");
    let problem = tiny.problem(&["model_type", "`bert`"]);
    assert!(
        matches!(
            problem,
            Problem::MissingField {
                field: "model_type",
                ..
            }
        ),
        "{problem}"
    );
}

#[test]
fn truncated_weights() {
    let whole = Tiny::new().weights();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in [
        0,
        1,
        7,
        8,
        9,
        header / 2,
        header - 1,
        header,
        header + 1,
        whole.len() - 1,
    ] {
        let tiny = Tiny::new().file("model.safetensors", &whole[..length]);
        let problem = tiny.problem(&["model.safetensors", &format!("({length} bytes)")]);
        assert!(
            matches!(problem, Problem::Header { bytes, .. } if bytes == length),
            "{problem}"
        );
    }
    let mut longer = whole;
    longer.push(0);
    let problem = Tiny::new()
        .file("model.safetensors", longer)
        .problem(&["model.safetensors"]);
    assert!(matches!(problem, Problem::Header { .. }), "{problem}");
}

#[test]
fn headers_that_lie() {
    let with_header = |header: &str, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    };
    let tensor = |shape: &str, end: u64| {
        format!(
            r#"{{"bert.embeddings.a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#
        )
    };
    let mut huge = Tiny::new().weights();
    huge[..8].copy_from_slice(&(1u64 << 63).to_le_bytes());
    let files = [
        ("2^63", huge),
        ("no JSON", with_header("{\"a\": ", 0)),
        (
            "no UTF-8",
            [&8u64.to_le_bytes()[..], b"\xff\xff\xff\xff\xff\xff\xff\xff"].concat(),
        ),
        (
            "more than there is",
            with_header(&tensor("[1000000000]", 4_000_000_000), 8),
        ),
        (
            "overflow",
            with_header(&tensor("[4294967296, 4294967296, 4294967296]", 8), 8),
        ),
        ("another size", with_header(&tensor("[3]", 8), 8)),
        (
            "unknown type",
            with_header(&tensor("[2]", 8).replace("F32", "Q4_K"), 8),
        ),
        (
            "backwards",
            with_header(&tensor("[2]", 8).replace("[0,8]", "[8,0]"), 8),
        ),
    ];
    for (what, bytes) in files {
        let problem = Tiny::new()
            .file("model.safetensors", bytes)
            .problem(&["model.safetensors"]);
        assert!(
            matches!(problem, Problem::Header { .. }),
            "{what}: {problem}"
        );
    }
}

#[test]
fn a_config_that_lies_allocates_nothing() {
    // The largest sizes that are believed: a word embedding table of 4 TB.
    let tiny = Tiny::new()
        .config("vocab_size", json!(1 << 24))
        .config("hidden_size", json!(1 << 16))
        .config("num_hidden_layers", json!(1 << 10))
        .config("intermediate_size", json!(1 << 20))
        .config("max_position_embeddings", json!(1 << 20));
    let begun = Instant::now();
    let (problems, message) = tiny.problems();
    assert!(begun.elapsed() < Duration::from_secs(5));
    // 5 tensors in front, 16 in each of the 2 layers that are there, but for the one shape without such a size: the
    // segments' (2, H) has one. 2 behind, the bias of which has none. And the number of layers.
    let shapes = problems
        .iter()
        .filter(|problem| matches!(problem, Problem::Shape { .. }));
    assert_eq!(shapes.count(), 5 + 2 * 16 + 1, "{message}");
    assert!(
        message.contains("expected 1024 layers, as config.json says, got 2, from 0 to 1"),
        "{message}"
    );
    assert_eq!(problems.len(), 5 + 2 * 16 + 2);
}

#[test]
fn missing_misshapen_and_foreign_tensors() {
    let problem = Tiny::new()
        .without_tensor(QUERY)
        .problem(&[QUERY, "[4, 4]"]);
    assert!(matches!(problem, Problem::MissingTensor { tensor, .. } if tensor == QUERY));
    for shape in [&[4, 5][..], &[16], &[4, 4, 1], &[]] {
        let got = format!("{shape:?}");
        let problem = Tiny::new()
            .tensor(QUERY, Dtype::F32, shape)
            .problem(&[QUERY, "[4, 4]", &got]);
        assert!(matches!(problem, Problem::Shape { tensor, .. } if tensor == QUERY));
    }
    let problem = Tiny::new()
        .tensor("qa_outputs.weight", Dtype::F32, &[3, 4])
        .problem(&["[2, 4]", "[3, 4]"]);
    assert!(matches!(problem, Problem::Shape { .. }));
    let problem = Tiny::new()
        .without_tensor("qa_outputs.bias")
        .problem(&["qa_outputs.bias", "[2]"]);
    assert!(matches!(problem, Problem::MissingTensor { .. }));
    let problem =
        Tiny::new()
            .tensor(QUERY, Dtype::F64, &[4, 4])
            .problem(&[QUERY, "F32, F16 or BF16", "F64"]);
    assert!(matches!(problem, Problem::Dtype { tensor, .. } if tensor == QUERY));
    for name in [
        "bert.encoder.layer.0.attention.self.query.lora_A.weight",
        "bert.encoder.layer.00.output.dense.weight",
        "bert.encoder.layer.02.output.dense.weight",
        "bert.embeddings.LayerNorm.gamma",
        "bert.embeddings.distance_embedding.weight",
        "bert.adapter.weight",
        "qa_outputs.lora_A.weight",
    ] {
        let problem = Tiny::new().tensor(name, Dtype::F32, &[4]).problem(&[name]);
        assert!(
            matches!(problem, Problem::UnexpectedTensor { family: "bert", tensor, .. } if tensor == name)
        );
    }
}

#[test]
fn layers_too_few_and_too_many() {
    for (expected, got) in [(1, "got 2, from 0 to 1"), (3, "got 2, from 0 to 1")] {
        let tiny = Tiny::new().config("num_hidden_layers", json!(expected));
        let problem = tiny.problem(&[&format!("expected {expected} layers"), got]);
        assert!(matches!(problem, Problem::Layers { .. }), "{problem}");
    }
    let gap = Tiny::new().renamed(|name| name.replace("layer.1.", "layer.2."));
    let problem = gap.problem(&["expected 2 layers", "got 2, from 0 to 2"]);
    assert!(
        matches!(problem, Problem::Layers { expected: 2, .. }),
        "{problem}"
    );
}

#[test]
fn numbers_that_are_none() {
    let tiny = Tiny::new()
        .set("bert.embeddings.position_embeddings.weight", 2047, f32::NAN)
        .set(
            "bert.embeddings.position_embeddings.weight",
            3,
            f32::NEG_INFINITY,
        );
    let problem = tiny.problem(&["position_embeddings", "2 of 2048", "index 3"]);
    let tensor = "bert.embeddings.position_embeddings.weight".to_owned();
    let expected = Problem::NonFinite {
        file: "model.safetensors".to_owned(),
        tensor,
        count: 2,
        of: 2048,
        first: 3,
    };
    assert_eq!(problem, expected);
    // The last of many, which is in another chunk; 0x7C00 is infinity in F16, 0x7F80 in BF16.
    for (dtype, infinity) in [(Dtype::F16, 0x7C00u16), (Dtype::BF16, 0x7F80)] {
        let mut tiny = Tiny::of(dtype, 1000);
        let bytes = &mut tiny
            .tensors
            .get_mut("bert.embeddings.word_embeddings.weight")
            .unwrap()
            .2;
        bytes[2 * 3999..].copy_from_slice(&infinity.to_le_bytes());
        let problem = tiny.problem(&["word_embeddings", "1 of 4000", "index 3999"]);
        assert!(matches!(
            problem,
            Problem::NonFinite {
                count: 1,
                of: 4000,
                first: 3999,
                ..
            }
        ));
    }
    // The largest numbers are numbers.
    Tiny::new()
        .set(QUERY, 0, f32::MAX)
        .set(QUERY, 1, f32::MIN_POSITIVE / 2.0)
        .loaded();
}

#[test]
fn an_encoder_without_a_head() {
    for prefix in ["bert.", ""] {
        let tiny = Tiny::new()
            .without_tensor("qa_outputs.weight")
            .without_tensor("qa_outputs.bias")
            .renamed(|name| name.replace("bert.", prefix));
        let problem = tiny.problem(&["qa_outputs.weight", "fine-tune", "BertForQuestionAnswering"]);
        let file = "model.safetensors".to_owned();
        assert_eq!(problem, Problem::NoHead { file });
    }
}

#[test]
fn no_encoder_at_all() {
    let tiny = Tiny::new().renamed(|name| name.replace("bert.", "roberta."));
    let problem = tiny.problem(&["39 tensors", "`qa_outputs.bias`"]);
    assert!(
        matches!(problem, Problem::NoEncoder { count: 39, .. }),
        "{problem}"
    );
    let mut none = Tiny::new();
    none.tensors.clear();
    assert!(matches!(
        none.problem(&["0 tensors"]),
        Problem::NoEncoder { count: 0, .. }
    ));
}

#[test]
fn everything_is_reported_at_once() {
    let tiny = Tiny::new()
        .config("hidden_act", json!("swish"))
        .config("vocab_size", json!("20"))
        .without_tensor("bert.embeddings.LayerNorm.bias")
        .tensor(QUERY, Dtype::F32, &[5, 4])
        .tensor(
            "bert.encoder.layer.0.output.dense.weight",
            Dtype::F64,
            &[4, 6],
        )
        .tensor("bert.encoder.layer.0.extra", Dtype::F32, &[1])
        .set("bert.embeddings.token_type_embeddings.weight", 1, f32::NAN)
        .without_tensor("qa_outputs.weight")
        .without_tensor("qa_outputs.bias")
        .file("vocab.txt", "[PAD]\n[CLS]\n");
    let (problems, message) = tiny.problems();
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].contains("9 problems"), "{message}");
    let expected = [
        ("config.json", "vocab_size"),
        ("config.json", "hidden_act"),
        ("model.safetensors", "token_type_embeddings"),
        ("model.safetensors", "embeddings.LayerNorm.bias"),
        ("model.safetensors", "output.dense.weight"),
        ("model.safetensors", QUERY),
        ("model.safetensors", "this is an encoder without"),
        ("model.safetensors", "layer.0.extra"),
        ("vocab.txt", "sep_token"),
    ];
    assert_eq!(problems.len(), expected.len(), "{message}");
    for (line, (file, part)) in lines[1..].iter().zip(expected) {
        assert!(
            line.trim_start().starts_with(file) && line.contains(part),
            "{part} in {line}"
        );
    }
}

/// Though both are read at the same time.
#[test]
fn the_weights_are_told_before_the_text() {
    let (problems, message) = Tiny::new()
        .set(QUERY, 5, f32::NAN)
        .file("tokenizer_config.json", r#"{"do_lower_case": 1}"#)
        .problems();
    assert_eq!(problems.len(), 2, "{message}");
    assert!(
        matches!(&problems[0], Problem::NonFinite { tensor, .. } if tensor == QUERY)
            && matches!(&problems[1], Problem::Field { field, .. } if *field == "do_lower_case"),
        "{message}"
    );

    let words = WORDS.join("\n") + "\nold\n";
    let notes = Tiny::of(Dtype::F32, 22)
        .tensor("classifier.bias", Dtype::F32, &[3])
        .file("vocab.txt", words)
        .loaded()
        .notes;
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (note, part) in notes
        .iter()
        .zip(["classifier.bias", "1 lines repeat", "for 22 rows"])
    {
        assert!(note.contains(part), "{part} in {note}");
    }
}

#[test]
fn tensors_are_checked_without_a_config() {
    let tiny = Tiny::new()
        .without("config.json")
        .set(QUERY, 5, f32::NAN)
        .tensor(
            "bert.encoder.layer.0.attention.self.key.weight",
            Dtype::F32,
            &[2, 8],
        );
    // Without a config no shape is wrong, and nothing is put together from shapes that do not fit.
    let (problems, message) = tiny.problems();
    assert_eq!(problems.len(), 2, "{message}");
    assert_eq!(
        problems[0],
        Problem::MissingFile {
            file: "config.json"
        }
    );
    assert!(matches!(&problems[1], Problem::NonFinite { tensor, .. } if tensor == QUERY));
}

#[test]
fn a_vocabulary_must_fit_the_table() {
    let tiny = Tiny::of(Dtype::F32, WORDS.len() - 1);
    let problem = tiny.problem(&["vocab.txt", "ids below 19", "got 19"]);
    let token = "\u{301}".to_owned();
    let file = "vocab.txt";
    assert_eq!(
        problem,
        Problem::VocabularyTooLarge {
            file,
            id: 19,
            token,
            rows: 19
        }
    );
    // One id beyond the others, as a gap in `tokenizer.json` makes it.
    let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
    json["model"]["vocab"]["far"] = json!(4_000_000_000u32);
    let problem = Tiny::new()
        .file("tokenizer.json", json.to_string())
        .problem(&["4000000000", "far"]);
    assert!(matches!(problem, Problem::VocabularyTooLarge { .. }));

    let notes = Tiny::of(Dtype::F32, 24).loaded().notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("20 tokens for 24 rows"), "{notes:?}");
}

#[test]
fn special_tokens() {
    let words = |change: fn(&str) -> &str| WORDS.map(change).join("\n");
    let renamed = words(|word| match word {
        "[CLS]" => "<s>",
        "[SEP]" => "</s>",
        "[PAD]" => "<pad>",
        "[UNK]" => "<unk>",
        "[MASK]" => "<mask>",
        other => other,
    });
    let tiny = Tiny::new().file("vocab.txt", renamed);
    let (problems, message) = tiny.problems();
    assert_eq!(problems.len(), 2, "{message}");
    for (problem, role) in problems.iter().zip(["cls_token", "sep_token"]) {
        assert!(matches!(problem, Problem::SpecialToken { role: named, .. } if *named == role));
    }
    let names = json!({ "cls_token": "<s>", "sep_token": { "content": "</s>", "lstrip": false }, "mask_token": "<mask>",
                        "pad_token": null, "unk_token": "<unk>" });
    let vocabulary = tiny
        .file("tokenizer_config.json", names.to_string())
        .loaded()
        .vocabulary;
    assert_eq!((vocabulary.cls, vocabulary.sep), (2, 3));
    assert_eq!(
        (vocabulary.pad, vocabulary.unk, vocabulary.mask),
        (None, Some(1), Some(4))
    );
    for wrong in [json!(5), json!(""), json!({ "text": "[CLS]" })] {
        let config = json!({ "cls_token": wrong }).to_string();
        let problem = Tiny::new()
            .file("tokenizer_config.json", config)
            .problem(&["cls_token"]);
        assert!(
            matches!(
                problem,
                Problem::Field {
                    field: "cls_token",
                    ..
                }
            ),
            "{problem}"
        );
    }
}

#[test]
fn tokenizers_that_split_in_another_way() {
    for (field, value) in [
        ("tokenizer_class", json!("BertJapaneseTokenizer")),
        ("do_basic_tokenize", json!(false)),
        ("do_lower_case", json!("yes")),
    ] {
        let config = json!({ field: value }).to_string();
        let problem = Tiny::new()
            .file("tokenizer_config.json", config)
            .problem(&["tokenizer_config.json", field]);
        assert!(
            matches!(problem, Problem::Field { field: named, .. } if named == field),
            "{problem}"
        );
    }
    // Beside a `tokenizer.json`, which says how it splits, the class does not matter.
    let json = tokenizer_json(&WORDS, true, Value::Null, true).to_string();
    let config = json!({ "tokenizer_class": "BertJapaneseTokenizer" }).to_string();
    Tiny::new()
        .file("tokenizer.json", json)
        .file("tokenizer_config.json", config)
        .loaded();
}

#[test]
fn repeated_words_are_noted() {
    let words = WORDS.join("\r\n") + "\r\nold\r\n";
    let checkpoint = Tiny::of(Dtype::F32, 21).file("vocab.txt", words).loaded();
    assert!(
        checkpoint.notes[0].contains("1 lines repeat"),
        "{:?}",
        checkpoint.notes
    );
    assert_eq!(checkpoint.vocabulary.id("old"), Some(20));
    assert_eq!(checkpoint.vocabulary.id("tower"), Some(9));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever a byte of the weights becomes: an answer, never a panic.
    #[test]
    fn damaged_weights_never_panic(at in 0.0f64..1.0, byte in any::<u8>(), in_header in any::<bool>()) {
        let mut weights = Tiny::new().weights();
        let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        let length = if in_header { header } else { weights.len() };
        weights[(at * length as f64) as usize] = byte;
        let _ = Tiny::new().file("model.safetensors", weights).load();
    }

    /// Whatever a field of the config becomes: an answer, never a panic.
    #[test]
    fn damaged_configs_never_panic(field in 0usize..11, value in any_value()) {
        let fields = [
            "model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "pruned_heads",
        ];
        let _ = Tiny::new().config(fields[field], value).load();
    }

    /// Whatever a byte of the tokenizer becomes: an answer, never a panic.
    #[test]
    fn damaged_tokenizers_never_panic(at in 0.0f64..1.0, byte in any::<u8>()) {
        let mut json = tokenizer_json(&WORDS, true, Value::Null, true);
        json["decoder"] = json!({ "type": "WordPiece", "prefix": "##", "cleanup": true });
        let mut json = json.to_string().into_bytes();
        let at = (at * json.len() as f64) as usize;
        json[at] = byte;
        if let Ok(checkpoint) = Tiny::new().file("tokenizer.json", json).load() {
            let _ = checkpoint.vocabulary.encode("where is the CAFÉ?", "The old towers of 東京.");
        }
    }
}
