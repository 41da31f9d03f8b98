//! Checkpoints small enough to be made in a test, and to be broken in one place.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use spanlift::checkpoint::{Checkpoint, CheckpointError, Problem, Source, load};
use tempfile::TempDir;

/// The words of the tiny vocabulary; a word's id is its place.
pub(crate) const WORDS: [&str; 20] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cafe", "is", "old", "tower", "##s",
    "café", "The", "CAFÉ", ".", "?", "where", "東", "京", "\u{301}",
];

pub(crate) const HIDDEN: usize = 4;
pub(crate) const FEED_FORWARD: usize = 6;
pub(crate) const LAYERS: usize = 2;
pub(crate) const POSITIONS: usize = 512;

/// A tensor: type, shape, bytes.
#[derive(Clone)]
pub(crate) struct Tensor(pub(crate) Dtype, pub(crate) Vec<usize>, pub(crate) Vec<u8>);

/// A checkpoint folder before it is written.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub(crate) config: Value,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// All other files, and whatever replaces `config.json` or `model.safetensors`.
    pub(crate) files: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) left_out: Vec<&'static str>,
}

/// The numbers of a tensor: no two tensors begin alike, and few of the numbers are exact in 16 bits.
pub(crate) fn numbers(name: &str, count: usize) -> Vec<f32> {
    let seed: usize = name.bytes().map(usize::from).sum();
    let number = |i: usize| ((i * 37 + seed * 101) % 997) as f32 / 997.0 - 0.5;
    (0..count).map(number).collect()
}

pub(crate) fn encode(dtype: Dtype, numbers: &[f32]) -> Vec<u8> {
    let bytes = |x: &f32| match dtype {
        Dtype::F32 => x.to_le_bytes().to_vec(),
        Dtype::F64 => f64::from(*x).to_le_bytes().to_vec(),
        Dtype::F16 => f16::from_f32(*x).to_le_bytes().to_vec(),
        Dtype::BF16 => bf16::from_f32(*x).to_le_bytes().to_vec(),
        other => panic!("{other} is not made here"),
    };
    numbers.iter().flat_map(bytes).collect()
}

/// The encoder's tensors without prefix, as the BERT paper's figure lists them.
pub(crate) fn shapes(vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    const H: usize = HIDDEN;
    const F: usize = FEED_FORWARD;
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![vocabulary, H],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![POSITIONS, H],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, H],
        ),
        ("embeddings.LayerNorm.weight".to_owned(), vec![H]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![H]),
    ];
    for layer in 0..LAYERS {
        for (part, out, into) in [
            ("attention.self.query", H, H),
            ("attention.self.key", H, H),
            ("attention.self.value", H, H),
            ("attention.output.dense", H, H),
            ("intermediate.dense", F, H),
            ("output.dense", H, F),
        ] {
            let name = format!("encoder.layer.{layer}.{part}");
            shapes.push((format!("{name}.weight"), vec![out, into]));
            shapes.push((format!("{name}.bias"), vec![out]));
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            let name = format!("encoder.layer.{layer}.{part}");
            shapes.push((format!("{name}.weight"), vec![H]));
            shapes.push((format!("{name}.bias"), vec![H]));
        }
    }
    shapes
}

/// The same tokenizer as the one that `vocab.txt` stands for, written out.
pub(crate) fn tokenizer_json(
    words: &[&str],
    lowercase: bool,
    strip_accents: Value,
    chinese: bool,
) -> Value {
    let vocabulary: BTreeMap<_, _> = words.iter().zip(0..).collect();
    let special = |(id, content): (usize, &&str)| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": words.iter().enumerate().filter(|(_, w)| w.starts_with('[')).map(special).collect::<Vec<_>>(),
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": chinese,
                        "strip_accents": strip_accents, "lowercase": lowercase },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                   "max_input_chars_per_word": 100, "vocab": vocabulary }
    })
}

impl Tiny {
    /// F32, prefix `bert.`, `vocab.txt` with an empty `tokenizer_config.json`.
    pub(crate) fn new() -> Self {
        Self::of(Dtype::F32, WORDS.len())
    }

    pub(crate) fn of(dtype: Dtype, vocabulary: usize) -> Self {
        let mut all = shapes(vocabulary);
        for (name, _) in &mut all {
            name.insert_str(0, "bert.");
        }
        all.push(("qa_outputs.weight".to_owned(), vec![2, HIDDEN]));
        all.push(("qa_outputs.bias".to_owned(), vec![2]));
        let tensors = all.into_iter().map(|(name, shape)| {
            let count = shape.iter().product();
            let bytes = encode(dtype, &numbers(&name, count));
            (name, Tensor(dtype, shape, bytes))
        });
        Self {
            config: json!({
                "model_type": "bert", "vocab_size": vocabulary, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
                "num_attention_heads": 2, "intermediate_size": FEED_FORWARD, "max_position_embeddings": POSITIONS
            }),
            tensors: tensors.collect(),
            files: BTreeMap::from([
                ("vocab.txt", (WORDS.join("\n") + "\n").into_bytes()),
                ("tokenizer_config.json", b"{}".to_vec()),
            ]),
            left_out: Vec::new(),
        }
    }

    pub(crate) fn config(mut self, field: &str, value: Value) -> Self {
        self.config[field] = value;
        self
    }

    pub(crate) fn file(mut self, name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name, bytes.into());
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.left_out.push(name);
        self
    }

    pub(crate) fn tensor(mut self, name: &str, dtype: Dtype, shape: &[usize]) -> Self {
        let bytes = encode(dtype, &numbers(name, shape.iter().product()));
        self.tensors
            .insert(name.to_owned(), Tensor(dtype, shape.to_vec(), bytes));
        self
    }

    pub(crate) fn without_tensor(mut self, name: &str) -> Self {
        assert!(self.tensors.remove(name).is_some(), "no tensor {name}");
        self
    }

    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        self.tensors = self
            .tensors
            .iter()
            .map(|(name, tensor)| (rename(name), tensor.clone()))
            .collect();
        self
    }

    /// The numbers of a tensor of F32, to be changed.
    pub(crate) fn set(mut self, name: &str, index: usize, value: f32) -> Self {
        let bytes = &mut self.tensors.get_mut(name).expect("such a tensor").2;
        bytes[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    /// `model.safetensors`.
    pub(crate) fn weights(&self) -> Vec<u8> {
        let views = self
            .tensors
            .iter()
            .map(|(name, Tensor(dtype, shape, bytes))| {
                (
                    name,
                    TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"),
                )
            });
        safetensors::serialize(views, None).expect("a file")
    }

    pub(crate) fn write(&self, folder: &Path) {
        let mut files = self.files.clone();
        files
            .entry("config.json")
            .or_insert_with(|| self.config.to_string().into_bytes());
        files
            .entry("model.safetensors")
            .or_insert_with(|| self.weights());
        for (name, bytes) in files {
            if !self.left_out.contains(&name) {
                fs::write(folder.join(name), bytes).expect("a writable folder");
            }
        }
    }

    pub(crate) fn load(&self) -> Result<Checkpoint<f32>, CheckpointError> {
        let folder = TempDir::new().expect("a folder");
        self.write(folder.path());
        load(Source::Folder(folder.path()))
    }

    pub(crate) fn loaded(&self) -> Checkpoint<f32> {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What is wrong with it, and the message that says so.
    pub(crate) fn problems(&self) -> (Vec<Problem>, String) {
        match self.load() {
            Ok(_) => panic!("nothing is wrong with it"),
            Err(error) => {
                let message = error.to_string();
                match error {
                    CheckpointError::Invalid { problems, .. } => (problems, message),
                    other => panic!("{other}"),
                }
            }
        }
    }

    /// The only thing that is wrong with it; the message holds all of `parts`.
    #[track_caller]
    pub(crate) fn problem(&self, parts: &[&str]) -> Problem {
        let (mut problems, message) = self.problems();
        assert_eq!(problems.len(), 1, "{message}");
        for part in parts {
            assert!(message.contains(part), "expected `{part}` in: {message}");
        }
        problems.remove(0)
    }
}
