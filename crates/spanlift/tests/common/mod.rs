//! Random models: weights of a size that gives attention with a shape, in any precision.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spanlift::model::{
    Activation, Bottleneck, Config, Embeddings, Encoder, Family, FeedForward, Layer, LayerNorm,
    Linear, Norm, Projections,
};
use spanlift::ops::product::Weights;
use spanlift::ops::relative::{Buckets, Relative};
use spanlift::ops::{Matrix, Real};

/// Sizes of a random model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) family: Family,
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

impl Sizes {
    /// Large enough that every product is split over rows and over columns, and every head over its queries.
    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) fn for_threads(family: Family, spread: f64) -> Self {
        Self {
            family,
            layers: 2,
            heads: 3,
            hidden: 96,
            feed_forward: 290,
            vocabulary: 30,
            positions: 160,
            activation: Activation::Gelu,
            spread,
        }
    }
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
        weight: Weights::of(&matrix(rng, out, input, scale)),
        bias: uniform(rng, out, 0.3),
    }
}

fn norm<T: Real>(rng: &mut impl Rng, family: Family, units: usize) -> Norm<T> {
    let weight = uniform::<T>(rng, units, 0.4)
        .into_iter()
        .map(|w| T::ONE + w)
        .collect();
    let bias = uniform(rng, units, 0.3);
    match family {
        Family::MobileBert => Norm::NoNorm { weight, bias },
        _ => Norm::LayerNorm(LayerNorm {
            weight,
            bias,
            eps: T::of(1e-12),
        }),
    }
}

fn feed_forward<T: Real>(rng: &mut impl Rng, sizes: Sizes, units: usize) -> FeedForward<T> {
    // Without a norm what is added must stay small.
    let size = if sizes.family == Family::MobileBert {
        0.7
    } else {
        1.7
    };
    FeedForward {
        intermediate: linear(rng, sizes.feed_forward, units, size),
        output: linear(rng, units, sizes.feed_forward, size),
        norm: norm(rng, sizes.family, units),
    }
}

/// Distances up to 3 have a row each, those up to 11 share two.
const BUCKETS: Buckets = Buckets {
    span: 6,
    logarithmic: Some(12),
};

fn layer<T: Real>(rng: &mut impl Rng, sizes: Sizes) -> Layer<T> {
    let (family, h, spread) = (sizes.family, sizes.hidden, sizes.spread);
    let narrow = family == Family::MobileBert;
    let i = if narrow { h / 2 } else { h };
    let projections = if narrow {
        Projections::Bottleneck(Box::new(Bottleneck {
            input: linear(rng, i, h, 1.0),
            input_norm: norm(rng, family, i),
            attention: linear(rng, i, h, 1.0),
            attention_norm: norm(rng, family, i),
            query: linear(rng, i, i, spread.sqrt()),
            key: linear(rng, i, i, spread.sqrt()),
            value: linear(rng, i, h, 1.0),
            output: linear(rng, h, i, 0.7),
            output_norm: norm(rng, family, h),
        }))
    } else {
        Projections::Joint(linear(rng, 3 * h, h, spread))
    };
    let relative = (family == Family::DebertaV2).then(|| Relative {
        key: Some(matrix(rng, 2 * BUCKETS.span, h, 1.0)),
        query: Some(matrix(rng, 2 * BUCKETS.span, h, 1.0)),
        buckets: BUCKETS,
    });
    let blocks = if narrow { 3 } else { 1 };
    Layer {
        projections,
        relative,
        position_maps: None,
        attention_output: linear(rng, i, i, 1.7),
        attention_norm: norm(rng, family, i),
        feed_forwards: (0..blocks).map(|_| feed_forward(rng, sizes, i)).collect(),
    }
}

fn embeddings<T: Real>(rng: &mut impl Rng, sizes: Sizes) -> Embeddings<T> {
    let (family, h) = (sizes.family, sizes.hidden);
    let e = match family {
        Family::Electra | Family::MobileBert | Family::DebertaV2 => h / 2 + 1,
        _ => h,
    };
    let added = if family == Family::MobileBert { h } else { e };
    Embeddings {
        word_embeddings: matrix(rng, sizes.vocabulary, e, 1.0),
        position_embeddings: (family != Family::DebertaV2)
            .then(|| matrix(rng, sizes.positions, added, 0.5)),
        token_type_embeddings: (!matches!(family, Family::DebertaV2 | Family::DistilBert))
            .then(|| matrix(rng, 2, added, 0.5)),
        norm: norm(rng, family, if family == Family::Electra { e } else { h }),
        embedding_transformation: (family == Family::MobileBert)
            .then(|| linear(rng, h, 3 * e, 1.0)),
        embed_proj: (family == Family::DebertaV2).then(|| linear(rng, h, e, 1.0)),
        embeddings_project: (family == Family::Electra).then(|| linear(rng, h, e, 1.0)),
    }
}

/// The same seed gives the same numbers, rounded to `T`.
pub(crate) fn random_encoder<T: Real>(seed: u64, sizes: Sizes) -> Encoder<T> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    Encoder {
        config: Config {
            name: "random".to_owned(),
            family: sizes.family,
            layers: sizes.layers,
            heads: sizes.heads,
            hidden: sizes.hidden,
            feed_forward: sizes.feed_forward,
            vocabulary: sizes.vocabulary,
            positions: sizes.positions,
            first_position: 0,
            segments: 2,
            activation: sizes.activation,
            layer_norm_eps: 1e-12,
        },
        embeddings: embeddings(rng, sizes),
        relative_table: None,
        layers: (0..sizes.layers).map(|_| layer(rng, sizes)).collect(),
        qa_outputs: linear(rng, 2, sizes.hidden, 1.7),
    }
}
