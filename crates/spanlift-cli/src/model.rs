//! The model that was asked for: found, then loaded or told from others by its bytes.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use spanlift::Explainer;
use spanlift::checkpoint::{CheckpointError, Randomise, Source};
use spanlift::ops::Real;

use crate::args::AnsweringArgs;

/// A model, and what is drawn anew in it.
pub(crate) struct Model {
    option: &'static str,
    place: Place,
    randomise: Option<Randomise>,
}

/// Where the model is.
enum Place {
    /// In the program.
    Embedded,
    /// In a folder.
    Folder(PathBuf),
    /// In the cache of the hub, under its name.
    #[cfg(feature = "hub")]
    Cached(PathBuf, String),
}

impl Model {
    /// The folder, the hub's model (fetched where it is not there yet), or without either the embedded one.
    pub(crate) fn find(args: &AnsweringArgs) -> anyhow::Result<Self> {
        Self::find_as("--model", args)
    }

    /// The same, of another option.
    pub(crate) fn find_as(option: &'static str, args: &AnsweringArgs) -> anyhow::Result<Self> {
        if let Some(path) = &args.model {
            // The likeliest mistake behind `train`.
            let checkpoint = |name: &str| path.join(name).join("config.json").is_file();
            anyhow::ensure!(
                path.join("config.json").exists() || !checkpoint("last"),
                "{option}: `{0}`: expected the folder of a checkpoint, got that of a training; its checkpoints are `{0}/last`{1}",
                path.display(),
                if checkpoint("best") {
                    format!(" and `{}/best`", path.display())
                } else {
                    String::new()
                }
            );
        }
        let place = Place::find(option, args)?;
        let randomise = args.randomise.clone();
        Ok(Self {
            option,
            place,
            randomise,
        })
    }

    /// Loads it; says on standard error what was passed over.
    pub(crate) fn load<T: Real>(&self) -> anyhow::Result<Explainer<T>> {
        let explainer = self.load_with(self.randomise.as_ref())?;
        for note in &explainer.checkpoint().notes {
            crate::output::note(note);
        }
        Ok(explainer)
    }

    /// Loads it with these weights drawn anew.
    pub(crate) fn load_with<T: Real>(
        &self,
        randomise: Option<&Randomise>,
    ) -> anyhow::Result<Explainer<T>> {
        let read = |source, what: &str| read(source, randomise, what);
        Ok(match &self.place {
            Place::Embedded => read(embedded()?, "the embedded model")?,
            Place::Folder(folder) => read(Source::Folder(folder), self.option)?,
            #[cfg(feature = "hub")]
            Place::Cached(folder, name) => {
                let what = format!("{}: `{name}`", self.option);
                read(Source::Folder(folder), &what)?.named(name)
            }
        })
    }

    /// Its config and tokenizer, by their names.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let folder = match &self.place {
            Place::Embedded => {
                let mut files = Vec::new();
                if let Source::Embedded {
                    config,
                    tokenizer,
                    tokenizer_config,
                    ..
                } = embedded()?
                {
                    files.push(("config.json".to_owned(), config.to_vec()));
                    files.push(("tokenizer.json".to_owned(), tokenizer.to_vec()));
                    let settings = tokenizer_config.map(<[u8]>::to_vec);
                    files.extend(settings.map(|bytes| ("tokenizer_config.json".to_owned(), bytes)));
                }
                return Ok(files);
            }
            Place::Folder(folder) => folder,
            #[cfg(feature = "hub")]
            Place::Cached(folder, _) => folder,
        };
        let mut files = Vec::new();
        for name in TEXTS {
            let path = folder.join(name);
            if path.is_file() {
                let bytes = fs::read(&path);
                let bytes =
                    bytes.with_context(|| format!("`{}` cannot be read", path.display()))?;
                files.push((name.to_owned(), bytes));
            }
        }
        Ok(files)
    }

    /// SHA-256 of the files that it may be read from, in hexadecimal.
    pub(crate) fn hash(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        match &self.place {
            Place::Embedded => {
                if let Source::Embedded {
                    config,
                    weights,
                    tokenizer,
                    ..
                } = embedded()?
                {
                    for bytes in [config, weights, tokenizer] {
                        hash.update(format!("{}\n", bytes.len()));
                        hash.update(bytes);
                    }
                }
            }
            Place::Folder(folder) => hash_folder(self.option, folder, &mut hash)?,
            #[cfg(feature = "hub")]
            Place::Cached(folder, _) => hash_folder(self.option, folder, &mut hash)?,
        }
        let hash = hash.finalize();
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Place {
    fn find(option: &'static str, args: &AnsweringArgs) -> anyhow::Result<Self> {
        match &args.model {
            // What is there, of whatever kind, is no name on the hub.
            Some(path) if path.try_exists().unwrap_or(true) => Ok(Self::Folder(path.clone())),
            #[cfg(feature = "hub")]
            Some(name) => {
                let (folder, name) = crate::hub::fetch(option, name, args.offline)?;
                Ok(Self::Cached(folder, name))
            }
            #[cfg(not(feature = "hub"))]
            Some(name) => anyhow::bail!(
                "{option}: there is no folder `{}`, and this program was built without the feature `hub`, which fetches models",
                name.display()
            ),
            None => Ok(Self::Embedded),
        }
    }
}

/// `what` it is that could not be read.
fn read<T: Real>(
    source: Source<'_>,
    randomise: Option<&Randomise>,
    what: &str,
) -> anyhow::Result<Explainer<T>> {
    let read = match randomise {
        Some(randomise) => Explainer::randomised(source, randomise),
        None => Explainer::load(source),
    };
    read.map_err(|error| {
        let what = match error {
            CheckpointError::NoSuchLayer { .. } => "--randomise",
            _ => what,
        };
        anyhow::Error::from(error).context(what.to_owned())
    })
}

/// Files of a checkpoint that are not its weights.
const TEXTS: [&str; 9] = [
    "added_tokens.json",
    "config.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
];

/// What configs, tokenizers and weights end in.
const ENDINGS: [&str; 4] = ["bin", "json", "safetensors", "txt"];

fn hash_folder(option: &str, folder: &Path, hash: &mut Sha256) -> anyhow::Result<()> {
    let fail = |path: &Path| format!("{option}: `{}` cannot be read", path.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| fail(folder))? {
        let path = entry.with_context(|| fail(folder))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut buffer = vec![0; 1 << 16];
    for path in paths {
        let mut file = File::open(&path).with_context(|| fail(&path))?;
        let length = file.metadata().with_context(|| fail(&path))?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hash.update(format!("{name} {length}\n"));
        loop {
            match file.read(&mut buffer).with_context(|| fail(&path))? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
    }
    Ok(())
}

#[cfg(feature = "default-model")]
fn embedded() -> anyhow::Result<Source<'static>> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../../models/minilm-l6-squad2/", $name))
        };
    }
    Ok(Source::Embedded {
        name: "minilm-l6-squad2",
        config: file!("config.json"),
        weights: file!("model.safetensors"),
        tokenizer: file!("tokenizer.json"),
        tokenizer_config: Some(file!("tokenizer_config.json")),
    })
}

#[cfg(not(feature = "default-model"))]
fn embedded() -> anyhow::Result<Source<'static>> {
    anyhow::bail!(
        "--model: expected one: this program was built without the feature `default-model`"
    )
}
