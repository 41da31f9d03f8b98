//! The bytes of a checkpoint's files, from a folder or from memory.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use super::weights::{self, WEIGHTS};
use super::{CheckpointError, Problem, Source, map};

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const VOCAB: &str = "vocab.txt";
pub(super) const VOCAB_JSON: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";

/// Forms of the weights that are not read (those of PyTorch without the feature `pickle`), and what tells that they are
/// there.
const OTHER_FORMATS: [&str; 4] = [
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "flax_model.msgpack",
];

const MIB: u64 = 1 << 20;
/// A config has some kilobytes, a tokenizer_config with a thousand added tokens some hundred.
const CONFIG_LIMIT: u64 = 16 * MIB;
/// The largest published tokenizers have some 30 MB.
const VOCABULARY_LIMIT: u64 = 256 * MIB;
/// An index has some hundred bytes a tensor.
pub(super) const INDEX_LIMIT: u64 = 16 * MIB;

/// What was found; `None` where a file is not there.
pub(super) struct Files<'a> {
    /// The model's name.
    pub(super) name: String,
    /// What an error calls the whole.
    pub(super) source_name: String,
    pub(super) config: Option<Cow<'a, [u8]>>,
    pub(super) weights: Option<weights::Found<'a>>,
    pub(super) tokenizer: Option<Cow<'a, [u8]>>,
    pub(super) tokenizer_config: Option<Cow<'a, [u8]>>,
    pub(super) vocab: Option<Cow<'a, [u8]>>,
    pub(super) vocab_json: Option<Cow<'a, [u8]>>,
    pub(super) merges: Option<Cow<'a, [u8]>>,
}

/// Bytes in memory or in a mapped file.
pub(super) enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Mapped(Mmap),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// Opens what is there; what is missing and must not be goes to `problems`.
pub(super) fn open<'a>(
    source: Source<'a>,
    problems: &mut Vec<Problem>,
) -> Result<Files<'a>, CheckpointError> {
    match source {
        Source::Folder(path) => folder(path, problems),
        Source::Embedded {
            name,
            config,
            weights,
            tokenizer,
            tokenizer_config,
        } => Ok(Files {
            name: name.to_owned(),
            source_name: name.to_owned(),
            config: Some(Cow::Borrowed(config)),
            weights: Some(weights::Found::embedded(weights)),
            tokenizer: Some(Cow::Borrowed(tokenizer)),
            tokenizer_config: tokenizer_config.map(Cow::Borrowed),
            vocab: None,
            vocab_json: None,
            merges: None,
        }),
    }
}

fn folder(path: &Path, problems: &mut Vec<Problem>) -> Result<Files<'static>, CheckpointError> {
    let fail = |source| CheckpointError::Read {
        path: path.to_owned(),
        source,
    };
    let canonical = fs::canonicalize(path).map_err(fail)?;
    if !canonical.is_dir() {
        return Err(CheckpointError::NotAFolder {
            path: path.to_owned(),
        });
    }
    let name = canonical.file_name().unwrap_or(canonical.as_os_str());
    let name = name.to_string_lossy().into_owned();

    let config = small(path, CONFIG, CONFIG_LIMIT, problems)?;
    if config.is_none() && !told(problems, CONFIG) {
        problems.push(Problem::MissingFile { file: CONFIG });
    }
    let weights = weights::find(path)?;
    if weights.is_none() {
        let found = OTHER_FORMATS.iter().find(|name| path.join(name).exists());
        problems.push(match found {
            Some(found) => Problem::OtherFormat { found },
            None => Problem::MissingFile { file: WEIGHTS },
        });
    }
    Ok(Files {
        name,
        source_name: path.display().to_string(),
        config,
        weights,
        tokenizer: small(path, TOKENIZER, VOCABULARY_LIMIT, problems)?,
        tokenizer_config: small(path, TOKENIZER_CONFIG, CONFIG_LIMIT, problems)?,
        vocab: small(path, VOCAB, VOCABULARY_LIMIT, problems)?,
        vocab_json: small(path, VOCAB_JSON, VOCABULARY_LIMIT, problems)?,
        merges: small(path, MERGES, VOCABULARY_LIMIT, problems)?,
    })
}

/// Whether something was said about that file already.
pub(super) fn told(problems: &[Problem], name: &str) -> bool {
    problems
        .iter()
        .any(|problem| matches!(problem, Problem::TooLarge { file, .. } if *file == name))
}

/// The file's bytes, not read yet; `None` where there is none.
pub(super) fn mapped(folder: &Path, file: &str) -> Result<Option<Bytes<'static>>, CheckpointError> {
    let path = folder.join(file);
    let map = find(&path)?.map(|file| map::map(&file)).transpose();
    match map {
        Ok(map) => Ok(map.map(Bytes::Mapped)),
        Err(source) => Err(CheckpointError::Read { path, source }),
    }
}

/// The bytes of a file of text; `None` where there is none, or a problem says that it is too large.
pub(super) fn small(
    folder: &Path,
    file: &'static str,
    limit: u64,
    problems: &mut Vec<Problem>,
) -> Result<Option<Cow<'static, [u8]>>, CheckpointError> {
    let path = folder.join(file);
    let Some(opened) = find(&path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    if let Err(source) = opened.take(limit + 1).read_to_end(&mut bytes) {
        return Err(CheckpointError::Read { path, source });
    }
    if bytes.len() as u64 > limit {
        problems.push(Problem::TooLarge { file, limit });
        return Ok(None);
    }
    Ok(Some(Cow::Owned(bytes)))
}

/// The file, opened; `None` where there is none.
fn find(path: &Path) -> Result<Option<File>, CheckpointError> {
    let open = || {
        // Asked before it is opened: opening a pipe would wait for its other end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("expected a regular file"));
        }
        File::open(path)
    };
    match open() {
        Ok(file) => Ok(Some(file)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CheckpointError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}
