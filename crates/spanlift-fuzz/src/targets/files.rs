//! Small valid files that inputs are made from, and that stand beside an input.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use spanlift::checkpoint::{Checkpoint, CheckpointError, Source, load};
use tempfile::TempDir;

/// The engine's test checkpoints; see the README there.
pub(super) fn oracle(folder: &str, file: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle");
    fs::read(root.join(folder).join(file)).unwrap_or_default()
}

/// Rows of [`weights`]' embedding table.
pub(super) const ROWS: usize = 512;
const HIDDEN: usize = 2;

/// `config.json` of the least model: one layer, one head.
pub(super) fn config(family: &str) -> String {
    format!(
        r#"{{"model_type":"{family}","vocab_size":{ROWS},"hidden_size":2,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":2,"max_position_embeddings":66,"pad_token_id":1,"type_vocab_size":2}}"#
    )
}

/// Its `model.safetensors`, of `rows` words.
pub(super) fn weights(family: &str, rows: usize) -> Vec<u8> {
    let mut shapes = vec![
        (String::from("qa_outputs.weight"), vec![2, HIDDEN]),
        (String::from("qa_outputs.bias"), vec![2]),
    ];
    let mut add = |name: &str, shape: &[usize]| {
        shapes.push((format!("{family}.{name}"), shape.to_vec()));
    };
    add("embeddings.word_embeddings.weight", &[rows, HIDDEN]);
    add("embeddings.position_embeddings.weight", &[66, HIDDEN]);
    add("embeddings.token_type_embeddings.weight", &[2, HIDDEN]);
    for part in ["weight", "bias"] {
        add(&format!("embeddings.LayerNorm.{part}"), &[HIDDEN]);
        for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(&format!("encoder.layer.0.{norm}.{part}"), &[HIDDEN]);
        }
        for map in [
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        ] {
            let shape = [HIDDEN, HIDDEN];
            let shape = &shape[..if part == "weight" { 2 } else { 1 }];
            add(&format!("encoder.layer.0.{map}.{part}"), shape);
        }
    }
    let most = rows.max(66) * HIDDEN;
    let numbers: Vec<u8> = (0..most)
        .flat_map(|i| ((i * 37 % 101) as f32 / 101.0 - 0.5).to_le_bytes())
        .collect();
    let views = shapes.iter().filter_map(|(name, shape)| {
        let bytes = 4 * shape.iter().product::<usize>();
        let view = TensorView::new(Dtype::F32, shape.clone(), numbers.get(..bytes)?);
        Some((name, view.ok()?))
    });
    safetensors::serialize(views, None).unwrap_or_default()
}

/// The least `tokenizer.json`.
pub(super) const TOKENIZER: &str = r#"{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"\u0023#","max_input_chars_per_word":100,"vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"[MASK]":4,"the":5,"mayor":6,"moved":7,"bridge":8,"who":9,"?":10,".":11}}}"#;

/// Special tokens as in [`TOKENIZER`].
pub(super) const BRACKETS: &str = r#"{"cls_token":"[CLS]","sep_token":"[SEP]","pad_token":"[PAD]","unk_token":"[UNK]","mask_token":"[MASK]"}"#;
/// Special tokens as RoBERTa writes them.
pub(super) const ANGLES: &str = r#"{"cls_token":"<s>","sep_token":"</s>","pad_token":"<pad>","unk_token":"<unk>","mask_token":"<mask>"}"#;

/// A folder of which one file is the input.
pub(super) struct Folder {
    fixed: Vec<(&'static str, Vec<u8>)>,
    varied: &'static str,
    /// Folders that no thread uses at the moment.
    free: Mutex<Vec<TempDir>>,
}

impl Folder {
    pub(super) fn new(varied: &'static str, fixed: Vec<(&'static str, Vec<u8>)>) -> Self {
        Self {
            fixed,
            varied,
            free: Mutex::default(),
        }
    }

    /// Writes the input into a folder and gives the folder to `f`.
    pub(super) fn with<R>(&self, input: &[u8], f: impl FnOnce(&Path) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let old = free().pop();
        let folder = old.unwrap_or_else(|| self.made());
        let path: PathBuf = folder.path().join(self.varied);
        fs::write(&path, input).unwrap_or_else(|error| broken(&path, &error));
        let result = f(folder.path());
        let entries = fs::read_dir(folder.path()).map(Iterator::count);
        let count = entries.unwrap_or_else(|error| broken(folder.path(), &error));
        assert_eq!(count, self.fixed.len() + 1, "loading wrote into its folder");
        free().push(folder);
        result
    }

    fn made(&self) -> TempDir {
        // In memory where that is to be had.
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
        let folder = folder.unwrap_or_else(|error| broken(Path::new("tmp"), &error));
        let varied = [self.varied].into_iter();
        for name in varied.chain(self.fixed.iter().map(|(name, _)| *name)) {
            let path = folder.path().join(name);
            let parent = path.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).unwrap_or_else(|error| broken(parent, &error));
        }
        for (name, bytes) in &self.fixed {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap_or_else(|error| broken(&path, &error));
        }
        folder
    }
}

#[allow(clippy::panic, reason = "no disk, no test")]
fn broken<T>(path: &Path, error: &std::io::Error) -> T {
    panic!("{}: {error}", path.display())
}

/// A checkpoint in memory.
pub(super) fn embedded(
    config: &[u8],
    weights: &[u8],
    tokenizer: &[u8],
    tokenizer_config: Option<&[u8]>,
) -> Result<Checkpoint<f32>, CheckpointError> {
    load(Source::Embedded {
        name: "fuzz",
        config,
        weights,
        tokenizer,
        tokenizer_config,
    })
}
