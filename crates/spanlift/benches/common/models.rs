//! The default model, and random weights of BERT-base's and BERT-large's.

use std::path::PathBuf;

use spanlift::checkpoint::{Source, load};
use spanlift::model::{Activation, Encoder, Family};

#[path = "../../tests/common/mod.rs"]
mod random;

/// The default model's folder.
pub(crate) fn default_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/minilm-l6-squad2")
}

/// L = 6, H = 384.
pub(crate) fn default_model() -> Encoder<f32> {
    load(Source::Folder(&default_folder()))
        .unwrap_or_else(|error| panic!("{error}"))
        .encoder
}

/// H = 768; BERT-base where L = 12.
pub(crate) fn base(layers: usize) -> Encoder<f32> {
    encoder(layers, 12, 768, 3072)
}

/// L = 24, H = 1024: BERT-large.
pub(crate) fn large() -> Encoder<f32> {
    encoder(24, 16, 1024, 4096)
}

/// A BERT of these sizes.
pub(crate) fn encoder(
    layers: usize,
    heads: usize,
    hidden: usize,
    feed_forward: usize,
) -> Encoder<f32> {
    let sizes = random::Sizes {
        family: Family::Bert,
        layers,
        heads,
        hidden,
        feed_forward,
        vocabulary: 30522,
        positions: 512,
        activation: Activation::Gelu,
        spread: 3.0,
    };
    random::random_encoder(1, sizes)
}
