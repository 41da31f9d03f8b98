//! Random models: weights of a size that gives attention with a shape, in any precision.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spanlift::model::{Activation, Config, Embeddings, Encoder, Layer, LayerNorm, Linear};
use spanlift::ops::{Matrix, Real};

/// Sizes of a random model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) hidden: usize,
    pub(crate) feed_forward: usize,
    pub(crate) vocabulary: usize,
    pub(crate) positions: usize,
    pub(crate) activation: Activation,
    /// How sharp the attention is.
    pub(crate) spread: f64,
}

fn uniform<T: Real>(rng: &mut impl Rng, n: usize, size: f64) -> Vec<T> {
    (0..n)
        .map(|_| T::of(size * rng.random_range(-1.0..1.0)))
        .collect()
}

fn matrix<T: Real>(rng: &mut impl Rng, rows: usize, cols: usize, size: f64) -> Matrix<T> {
    Matrix::from_vec(rows, cols, uniform(rng, rows * cols, size))
}

fn linear<T: Real>(rng: &mut impl Rng, out: usize, input: usize, size: f64) -> Linear<T> {
    let scale = size / (input as f64).sqrt();
    Linear {
        weight: matrix(rng, out, input, scale),
        bias: uniform(rng, out, 0.3),
    }
}

fn layer_norm<T: Real>(rng: &mut impl Rng, hidden: usize) -> LayerNorm<T> {
    let weight = uniform::<T>(rng, hidden, 0.4)
        .into_iter()
        .map(|w| T::ONE + w)
        .collect();
    LayerNorm {
        weight,
        bias: uniform(rng, hidden, 0.3),
        eps: T::of(1e-12),
    }
}

/// The same seed gives the same numbers, rounded to `T`.
pub(crate) fn random_encoder<T: Real>(seed: u64, sizes: Sizes) -> Encoder<T> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (h, f) = (sizes.hidden, sizes.feed_forward);
    Encoder {
        config: Config {
            name: "random".to_owned(),
            layers: sizes.layers,
            heads: sizes.heads,
            hidden: h,
            feed_forward: f,
            vocabulary: sizes.vocabulary,
            positions: sizes.positions,
            segments: 2,
            activation: sizes.activation,
            layer_norm_eps: 1e-12,
        },
        embeddings: Embeddings {
            word_embeddings: matrix(rng, sizes.vocabulary, h, 1.0),
            position_embeddings: matrix(rng, sizes.positions, h, 0.5),
            token_type_embeddings: matrix(rng, 2, h, 0.5),
            layer_norm: layer_norm(rng, h),
        },
        layers: (0..sizes.layers)
            .map(|_| Layer {
                qkv: linear(rng, 3 * h, h, sizes.spread),
                attention_output: linear(rng, h, h, 1.7),
                attention_layer_norm: layer_norm(rng, h),
                intermediate: linear(rng, f, h, 1.7),
                output: linear(rng, h, f, 1.7),
                output_layer_norm: layer_norm(rng, h),
            })
            .collect(),
        qa_outputs: linear(rng, 2, h, 1.7),
    }
}
