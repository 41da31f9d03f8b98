//! From a Hugging Face checkpoint to an [`Encoder`] and its [`Vocabulary`]: the one border that weights cross.
//!
//! | file | what is read |
//! | --- | --- |
//! | `config.json` | family, sizes and choices; anything that would be another function is refused |
//! | `model.safetensors` | F32, F16 or BF16, widened to `T`; names with the family's prefix or without |
//! | `pytorch_model.bin` | the same, where there is no `model.safetensors`; with the feature `pickle` |
//! | `*.index.json` of either | the files that it names, where there is no such file; all of the checkpoint's own folder |
//! | `tokenizer.json` | as it is, but for its truncation and padding, which are switched off |
//! | `vocab.txt` + `tokenizer_config.json` | WordPiece, where there is no `tokenizer.json` |
//! | `vocab.json` + `merges.txt` | RoBERTa's byte-level BPE, where there is no `tokenizer.json` |
//!
//! Everything that is wrong with a checkpoint is reported in one error ([`CheckpointError::Invalid`]); after [`load`]
//! the sizes agree, every weight is finite and every token has its row, and nothing behind it checks again.

mod config;
mod error;
mod family;
mod files;
mod json;
mod map;
mod parts;
mod precompiled;
mod randomise;
mod save;
mod tensors;
mod tree;
mod vocabulary;
mod weights;

pub use error::{CheckpointError, Problem};
pub use randomise::{ModelPart, Parts, Randomise};
pub use save::{Precision, safetensors};

use std::path::Path;

use crate::encode::Vocabulary;
use crate::model::Encoder;
use crate::ops::Real;
use randomise::Drawing;

/// Where a checkpoint comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A folder as Hugging Face's `save_pretrained` writes it. The model is named after it.
    Folder(&'a Path),
    /// The files themselves, as a program carries them.
    Embedded {
        /// The model's name.
        name: &'a str,
        /// `config.json`.
        config: &'a [u8],
        /// `model.safetensors`.
        weights: &'a [u8],
        /// `tokenizer.json`.
        tokenizer: &'a [u8],
        /// `tokenizer_config.json`.
        tokenizer_config: Option<&'a [u8]>,
    },
}

/// A model that is ready to be asked.
#[derive(Clone, Debug)]
pub struct Checkpoint<T> {
    /// The weights.
    pub encoder: Encoder<T>,
    /// The tokenizer and its special tokens.
    pub vocabulary: Vocabulary,
    /// What was passed over or overruled, a line each: nothing that changes the model's function.
    pub notes: Vec<String>,
    /// Which weights are not the files', but drawn anew.
    pub randomised: Option<Randomise>,
}

impl<T> Checkpoint<T> {
    /// Gives the model another name. Weights that were drawn anew are part of every name.
    pub(crate) fn rename(&mut self, name: &str) {
        self.encoder.config.name = match &self.randomised {
            Some(randomised) => format!("{name}, weights re-initialised ({randomised})"),
            None => name.to_owned(),
        };
    }
}

/// Reads and checks a checkpoint.
///
/// # Errors
///
/// [`CheckpointError::Read`] and [`CheckpointError::NotAFolder`] where the files cannot be had, otherwise
/// [`CheckpointError::Invalid`] with everything that is wrong with them.
pub fn load<T: Real>(source: Source<'_>) -> Result<Checkpoint<T>, CheckpointError> {
    read(source, None)
}

/// The same, with some of its weights drawn anew. The files are held against their config as ever, but what they have in the
/// place of those weights is not looked at.
///
/// # Errors
///
/// As for [`load`], and [`CheckpointError::NoSuchLayer`].
pub fn load_randomised<T: Real>(
    source: Source<'_>,
    randomise: &Randomise,
) -> Result<Checkpoint<T>, CheckpointError> {
    read(source, Some(randomise))
}

fn read<T: Real>(
    source: Source<'_>,
    randomise: Option<&Randomise>,
) -> Result<Checkpoint<T>, CheckpointError> {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let files = files::open(source, &mut problems)?;

    let mut sizes = config::Sizes::default();
    let mut config = None;
    if let Some(bytes) = &files.config {
        let drawn = randomise.is_some();
        (sizes, config) = config::read(bytes, &files.name, drawn, &mut problems);
        if !sizes.known {
            // Held against another family's names, everything else would be wrong as well.
            return Err(CheckpointError::Invalid {
                source_name: files.source_name,
                problems,
            });
        }
    }
    let mut drawing = None;
    if let (Some(randomise), Some(layers)) = (randomise, sizes.layers) {
        let resolved = randomise.of(layers);
        drawing = Some(Drawing {
            randomise: resolved.map_err(|got| CheckpointError::NoSuchLayer { layers, got })?,
            deviation: sizes.initializer_range.unwrap_or_default(),
        });
    }
    let randomised = drawing.as_ref().map(|drawing| drawing.randomise.clone());
    // Side by side: the weights take all threads there are, the text one.
    let before = (problems.len(), notes.len());
    let mut found = (Vec::new(), Vec::new());
    let (weights, text) = rayon::join(
        || {
            let (problems, notes) = (&mut found.0, &mut found.1);
            let (weights, config) = (files.weights.as_ref()?, config.as_ref());
            tree::read::<T>(weights, &sizes, config, drawing, problems, notes)
        },
        || vocabulary::read(&files, &sizes, &mut problems, &mut notes),
    );
    // As if the weights had been first.
    problems.splice(before.0..before.0, found.0);
    notes.splice(before.1..before.1, found.1);
    let rows = weights
        .as_ref()
        .map(|weights| weights.embeddings.word_embeddings.rows())
        .filter(|&rows| rows > 0)
        .or(sizes.vocabulary);
    let vocabulary = text.and_then(|text| text.vocabulary(rows, &sizes, &mut problems, &mut notes));

    match (config, weights, vocabulary) {
        (Some(config), Some(weights), Some(vocabulary)) if problems.is_empty() => {
            let mut checkpoint = Checkpoint {
                encoder: weights.with(config),
                vocabulary,
                notes,
                randomised,
            };
            checkpoint.rename(&files.name);
            Ok(checkpoint)
        }
        _ => Err(CheckpointError::Invalid {
            source_name: files.source_name,
            problems,
        }),
    }
}
