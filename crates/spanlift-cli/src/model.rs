//! The model that was asked for, loaded.

use std::path::Path;

use anyhow::Context;

use spanlift::Explainer;
use spanlift::checkpoint::Source;
use spanlift::ops::Real;

/// Loads the folder, or without one the embedded model; says on standard error what was passed over.
pub(crate) fn load<T: Real>(folder: Option<&Path>) -> anyhow::Result<Explainer<T>> {
    let explainer = match folder {
        Some(folder) => Explainer::load(Source::Folder(folder)).context("--model")?,
        None => default_model()?,
    };
    for note in &explainer.checkpoint().notes {
        crate::output::note(note);
    }
    Ok(explainer)
}

#[cfg(feature = "default-model")]
fn default_model<T: Real>() -> anyhow::Result<Explainer<T>> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../../models/minilm-l6-squad2/", $name))
        };
    }
    let source = Source::Embedded {
        name: "minilm-l6-squad2",
        config: file!("config.json"),
        weights: file!("model.safetensors"),
        tokenizer: file!("tokenizer.json"),
        tokenizer_config: Some(file!("tokenizer_config.json")),
    };
    Explainer::load(source).context("the embedded model")
}

#[cfg(not(feature = "default-model"))]
fn default_model<T: Real>() -> anyhow::Result<Explainer<T>> {
    anyhow::bail!(
        "--model: expected a checkpoint folder: this program was built without the feature `default-model`"
    )
}
