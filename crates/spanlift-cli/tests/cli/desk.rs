//! A folder to work in: a tiny model, a passage, a SQuAD file, and the program.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use flate2::Compression;
use flate2::write::GzEncoder;
use predicates::Predicate;
use predicates::str::contains;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use spanlift_explanation::Explanation;
use tempfile::TempDir;

pub(crate) const QUESTION: &str = "When was the tower opened?";
/// With line ends and letters of two and four bytes, so that characters, bytes and tokens all count differently.
pub(crate) const PASSAGE: &str = "The old tower — 🗼 — was built in 1877,\nand it opened in spring 1893.\n\
                                  The keeper painted it in 1901.\n";

/// One question more than a batch of the audit, with an answer each and without.
pub(crate) fn squad() -> Value {
    let start = |text: &str| PASSAGE[..PASSAGE.find(text).unwrap()].chars().count();
    let gold = |text: &str| json!({ "text": text, "answer_start": start(text) });
    let mut questions = vec![
        json!({ "id": "opened", "question": QUESTION, "answers": [gold("1893"), gold("spring 1893")] }),
        json!({ "id": "moved", "question": "Who moved the bridge?", "answers": [], "is_impossible": true }),
    ];
    for n in 2..9 {
        let question = format!("{}What was painted?", "in 1901, ".repeat(n));
        let id = format!("painted-{n}");
        questions.push(json!({ "id": id, "question": question, "answers": [gold("it")] }));
    }
    json!({ "version": "v2.0", "data": [{ "title": "Tower",
            "paragraphs": [{ "context": PASSAGE, "qas": questions }] }] })
}

/// The names of a folder's files, with their bytes; folders have none.
type Listing = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A folder of its own that goes when the test ends.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With `model/` (two layers, two heads, 16 hidden units, 64 positions), `tower.txt` and `squad.json`.
    pub(crate) fn new() -> Self {
        let desk = Self {
            folder: TempDir::new().unwrap(),
        };
        desk.add_model("model", "two-layers");
        desk.write("tower.txt", PASSAGE);
        desk.write("squad.json", squad().to_string());
        desk
    }

    /// A copy of one of the engine's oracle models.
    pub(crate) fn add_model(&self, name: &str, oracle: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spanlift/tests/oracle");
        fs::create_dir(self.path(name)).unwrap();
        for file in [
            "config.json",
            "model.safetensors",
            "tokenizer_config.json",
            "vocab.txt",
        ] {
            let bytes = fs::read(from.join(oracle).join(file)).unwrap();
            self.write(&format!("{name}/{file}"), bytes);
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write_gzip(&self, name: &str, bytes: &[u8]) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(bytes).unwrap();
        self.write(name, gzip.finish().unwrap());
    }

    /// Changes a JSON file of the model.
    pub(crate) fn edit_json(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&self.read(name)).unwrap();
        edit(&mut value);
        self.write(name, value.to_string());
    }

    /// Changes the tensors of `model/`.
    pub(crate) fn edit_tensors(&self, edit: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
        let mut tensors = tensors(&self.read("model/model.safetensors"));
        edit(&mut tensors);
        let views = tensors.iter().map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
            (name, view.unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        self.write("model/model.safetensors", file);
    }

    /// The program, in this folder, in an environment that says nothing about terminals.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        Command::from_std(self.std_command(args))
    }

    /// The same, for a test that holds the pipes itself.
    pub(crate) fn std_command<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: &[S],
    ) -> std::process::Command {
        let mut command = std::process::Command::new(cargo_bin!("spanlift"));
        for name in [
            "NO_COLOR",
            "FORCE_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "COLORTERM",
            "TERM",
        ] {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path()).args(args);
        command
    }

    /// Runs to the end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// `explain QUESTION --passage tower.txt --model model`, and what the test adds.
    pub(crate) fn explain(&self, more: &[&str]) -> Ran {
        self.explain_with("model", more)
    }

    /// The same with another model.
    pub(crate) fn explain_with(&self, model: &str, more: &[&str]) -> Ran {
        self.run(&ask(model, more))
    }

    /// The explanation of such a run that succeeds, as its JSON file holds it.
    pub(crate) fn explanation(&self, more: &[&str]) -> Explanation {
        self.explanation_of("model", more)
    }

    /// The same with another model.
    pub(crate) fn explanation_of(&self, model: &str, more: &[&str]) -> Explanation {
        let more = [more, &["-o", "explanation.json"]].concat();
        self.explain_with(model, &more).succeeded();
        self.read_explanation("explanation.json")
    }

    pub(crate) fn read_explanation(&self, name: &str) -> Explanation {
        let text = String::from_utf8(self.read(name)).unwrap();
        let explanation = Explanation::from_json(&text).unwrap();
        explanation.validate().unwrap();
        explanation
    }

    /// What every bad input must get: exit code 2, an error with these words in it, nothing on standard output, and a
    /// folder in which nothing was written, changed or removed.
    pub(crate) fn refuses<S: AsRef<std::ffi::OsStr>>(&self, args: &[S], words: &[&str]) {
        let before = self.listing();
        let ran = self.run(args);
        ran.refused(words);
        assert!(
            self.listing() == before,
            "{ran:?} left something in the folder"
        );
    }

    /// The same for `explain QUESTION --passage tower.txt --model model`, and what the test adds.
    pub(crate) fn refuses_to_explain(&self, more: &[&str], words: &[&str]) {
        self.refuses(&ask("model", more), words);
    }

    pub(crate) fn listing(&self) -> Listing {
        fn list(folder: &Path, listing: &mut Listing) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    list(&path, listing);
                    listing.insert(path, None);
                } else {
                    listing.insert(path.clone(), Some(fs::read(path).unwrap()));
                }
            }
        }
        let mut listing = Listing::new();
        list(self.folder.path(), &mut listing);
        listing
    }
}

fn ask<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let ask = [
        "explain",
        QUESTION,
        "--passage",
        "tower.txt",
        "--model",
        model,
    ];
    [&ask[..], more].concat()
}

/// A tensor of a safetensors file.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    /// The numbers of either precision.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let single = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
        let double = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
        match self.dtype {
            Dtype::F32 => self.bytes.chunks(4).map(single).collect(),
            Dtype::F64 => self.bytes.chunks(8).map(double).collect(),
            other => panic!("{other} is not written by the program"),
        }
    }

    /// Changes the numbers of an F32 tensor.
    pub(crate) fn map(&mut self, change: impl Fn(f32) -> f32) {
        let changed = self.numbers().into_iter().map(|x| change(x as f32));
        self.bytes = changed.flat_map(f32::to_le_bytes).collect();
    }
}

/// The tensors of a safetensors file, by name.
pub(crate) fn tensors(file: &[u8]) -> BTreeMap<String, Tensor> {
    let file = SafeTensors::deserialize(file).unwrap();
    let tensor = |view: TensorView<'_>| Tensor {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, view)| (name, tensor(view))).collect()
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let ran = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(ran.code.is_some(), "ended by a signal: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }

    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    pub(crate) fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        // Notes may come first.
        let error = |line: &str| line.starts_with("error: ");
        assert!(self.stderr.lines().any(error), "{self:?}");
        for word in words {
            assert!(
                contains(*word).eval(&self.stderr),
                "{word:?} is not in:\n{}",
                self.stderr
            );
        }
    }
}
