//! The model that was asked for, loaded.

use anyhow::Context;

use spanlift::Explainer;
use spanlift::checkpoint::Source;
use spanlift::ops::Real;

use crate::args::CommonArgs;

/// Loads the folder, the hub's model, or without either the embedded one; says on standard error what was passed over.
pub(crate) fn load<T: Real>(args: &CommonArgs) -> anyhow::Result<Explainer<T>> {
    let explainer = match &args.model {
        // What is there, of whatever kind, is no name on the hub.
        Some(path) if path.try_exists().unwrap_or(true) => {
            Explainer::load(Source::Folder(path)).context("--model")?
        }
        #[cfg(feature = "hub")]
        Some(name) => crate::hub::load(name, args.offline)?,
        #[cfg(not(feature = "hub"))]
        Some(name) => no_hub(name)?,
        None => default_model()?,
    };
    for note in &explainer.checkpoint().notes {
        crate::output::note(note);
    }
    Ok(explainer)
}

#[cfg(not(feature = "hub"))]
fn no_hub<T: Real>(name: &std::path::Path) -> anyhow::Result<Explainer<T>> {
    anyhow::bail!(
        "--model: there is no folder `{}`, and this program was built without the feature `hub`, which fetches models",
        name.display()
    )
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
        "--model: expected one: this program was built without the feature `default-model`"
    )
}
