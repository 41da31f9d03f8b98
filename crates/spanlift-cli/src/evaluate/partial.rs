//! What an interrupted `evaluate` has done: a file of JSON lines in the output folder, appended to as the work goes on.
//!
//! Its first line ties it to data, model, options and program; each further one is a question, in the order of the data
//! set. A last line that a killed process left unfinished is cut off. Another run's file is refused, not overwritten.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use spanlift_squad::Question;

use crate::args::AnsweringArgs;

const NAME: &str = "evaluate.partial.jsonl";

/// The first line.
#[derive(PartialEq, Serialize, Deserialize)]
struct Head {
    format: String,
    key: String,
}

/// What came of one question.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) null_odds: f64,
    /// Why there is no answer.
    pub(super) error: Option<String>,
}

/// The open file.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
}

/// What the answers depend on, in one word: ids and texts of all questions, the model's files, the options, the program.
/// Not the number of threads, and not `--limit`.
pub(super) fn key(answering: &AnsweringArgs, model: &str, questions: &[Question]) -> String {
    let mut hash = Sha256::new();
    let options = answering.options();
    let randomise = &answering.randomise;
    hash.update(format!(
        "{} {model} {randomise:?} {options:?}\n",
        env!("CARGO_PKG_VERSION")
    ));
    for question in questions {
        for text in [&question.id, &question.question, &*question.context] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Partial {
    /// Opens the folder's file, or makes one; gives what is done of these questions.
    pub(super) fn open(
        folder: &Path,
        key: &str,
        questions: &[Question],
    ) -> anyhow::Result<(Self, Vec<Line>)> {
        let path = folder.join(NAME);
        let name = path.display().to_string();
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path)?;
            // Two runs in one folder would write into each other; the system lets go when a process dies.
            file.try_lock()?;
            anyhow::Ok(file)
        };
        let file = open().with_context(|| {
            format!("--output: `{name}` cannot be opened (does another run write to it?)")
        })?;
        let head = Head {
            format: "spanlift.evaluate.partial".to_owned(),
            key: key.to_owned(),
        };
        let mut partial = Self { file, path };
        let mut reader = BufReader::new(&partial.file);
        let mut text = Vec::new();
        let mut end = 0;
        let mut done: Vec<Line> = Vec::new();
        let mut read = |text: &mut Vec<u8>| -> anyhow::Result<bool> {
            text.clear();
            reader
                .read_until(b'\n', text)
                .with_context(|| format!("--output: `{name}`"))?;
            Ok(text.ends_with(b"\n"))
        };
        if read(&mut text)? {
            ensure!(
                serde_json::from_slice::<Head>(&text).is_ok_and(|found| found == head),
                "--output: `{name}` is of a run with other data, another model or other options: remove it to begin anew"
            );
            end += text.len() as u64;
            while done.len() < questions.len() && read(&mut text)? {
                let line: Option<Line> = serde_json::from_slice(&text).ok();
                let Some(line) = line.filter(|line| line.id == questions[done.len()].id) else {
                    break;
                };
                end += text.len() as u64;
                done.push(line);
            }
        }
        partial
            .cut(end)
            .with_context(|| format!("--output: `{name}` cannot be written"))?;
        if end == 0 {
            partial.write(&[serde_json::to_string(&head)?])?;
        }
        Ok((partial, done))
    }

    fn cut(&mut self, end: u64) -> std::io::Result<()> {
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end)).map(drop)
    }

    pub(super) fn append(&mut self, done: &[Line]) -> anyhow::Result<()> {
        let lines = done.iter().map(serde_json::to_string);
        self.write(&lines.collect::<Result<Vec<_>, _>>()?)
    }

    fn write(&mut self, lines: &[String]) -> anyhow::Result<()> {
        let text = lines.join("\n") + "\n";
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| format!("--output: `{}` cannot be written", self.path.display()))
    }

    /// The run is done.
    pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(NAME);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error)
                .with_context(|| format!("--output: `{}` cannot be removed", path.display())),
            _ => Ok(()),
        }
    }
}
