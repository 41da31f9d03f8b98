//! The weights of an encoder with a question-answering head, as the checkpoint's own tree. A part that only some
//! families have is an `Option`.
//!
//! Shapes: V vocabulary, P positions, G segments, E embedding units, H hidden units, I units of the attention and the
//! feed-forward blocks (H, but in MobileBERT's bottlenecks), F feed-forward units, L layers, A heads. E = H but for
//! ELECTRA, MobileBERT and some DeBERTa.

use super::{Family, PositionMaps, RelativeTable};
use crate::ops::Matrix;
use crate::ops::product::Weights;
use crate::ops::relative::Relative;

/// The function between the two linear maps of the feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x), with the exact normal distribution function (`gelu`).
    Gelu,
    /// The tanh approximation of GELU (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// max(x, 0) (`relu`).
    Relu,
}

/// The sizes of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The checkpoint's name.
    pub name: String,
    /// Which parts it has.
    pub family: Family,
    /// L.
    pub layers: usize,
    /// A.
    pub heads: usize,
    /// H.
    pub hidden: usize,
    /// F.
    pub feed_forward: usize,
    /// V.
    pub vocabulary: usize,
    /// P, the longest input in tokens.
    pub positions: usize,
    /// Rows of the checkpoint's table of positions that stand for none, in front of the others: RoBERTa's.
    pub first_position: usize,
    /// G; 0 where the encoder knows no segments.
    pub segments: usize,
    /// Between the linear maps of the feed-forward block.
    pub activation: Activation,
    /// ε of every LayerNorm.
    pub layer_norm_eps: f64,
}

/// y = xWᵀ + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear<T> {
    /// W; (out, in).
    pub weight: Weights<T>,
    /// b; (out).
    pub bias: Vec<T>,
}

/// y = γ·(x − mean)/σ + β.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm<T> {
    /// γ; (H).
    pub weight: Vec<T>,
    /// β; (H).
    pub bias: Vec<T>,
    /// ε.
    pub eps: T,
}

/// What stands in the place of a normalisation.
#[derive(Clone, Debug, PartialEq)]
pub enum Norm<T> {
    /// LayerNorm.
    LayerNorm(LayerNorm<T>),
    /// MobileBERT's NoNorm, y = γ·x + β.
    NoNorm {
        /// γ; (H).
        weight: Vec<T>,
        /// β; (H).
        bias: Vec<T>,
    },
}

/// `embeddings`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings<T> {
    /// (V, E).
    pub word_embeddings: Matrix<T>,
    /// MobileBERT's `embedding_transformation`, of each word between its neighbours; (H, 3E).
    pub embedding_transformation: Option<Linear<T>>,
    /// Row i belongs to position i: rows that stand for no position (RoBERTa's first two) are left out; (P, E). None in a
    /// DeBERTa whose attention alone knows positions.
    pub position_embeddings: Option<Matrix<T>>,
    /// (G, E). None where the encoder knows no segments.
    pub token_type_embeddings: Option<Matrix<T>>,
    /// DeBERTa's `embed_proj`, of the sum; (H, E).
    pub embed_proj: Option<Linear<T>>,
    /// Over the sum.
    pub norm: Norm<T>,
    /// ELECTRA's `embeddings_project`, behind the norm; (H, E).
    pub embeddings_project: Option<Linear<T>>,
}

/// What makes a layer's queries, keys and values.
#[derive(Clone, Debug, PartialEq)]
pub enum Projections<T> {
    /// `attention.self.{query,key,value}` of the layer's input, one under the other: one product makes all three;
    /// (3H, H).
    Joint(Linear<T>),
    /// MobileBERT's, from behind its bottleneck.
    Bottleneck(Box<Bottleneck<T>>),
}

/// MobileBERT's `bottleneck` and `output.bottleneck`: a layer works on I units, made of H and made H again.
#[derive(Clone, Debug, PartialEq)]
pub struct Bottleneck<T> {
    /// `bottleneck.input.dense`: what the attention is added to; (I, H).
    pub input: Linear<T>,
    /// `bottleneck.input.LayerNorm`.
    pub input_norm: Norm<T>,
    /// `bottleneck.attention.dense`: what queries and keys are made of; (I, H).
    pub attention: Linear<T>,
    /// `bottleneck.attention.LayerNorm`.
    pub attention_norm: Norm<T>,
    /// `attention.self.query`; (I, I).
    pub query: Linear<T>,
    /// `attention.self.key`; (I, I).
    pub key: Linear<T>,
    /// `attention.self.value`, of the layer's input; (I, H).
    pub value: Linear<T>,
    /// `output.bottleneck.dense`; (H, I).
    pub output: Linear<T>,
    /// `output.bottleneck.LayerNorm`, over that and the layer's input.
    pub output_norm: Norm<T>,
}

/// A feed-forward block with its residual connection.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedForward<T> {
    /// `intermediate.dense`; (F, I).
    pub intermediate: Linear<T>,
    /// `output.dense`; (I, F).
    pub output: Linear<T>,
    /// `output.LayerNorm`.
    pub norm: Norm<T>,
}

/// `encoder.layer.N`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<T> {
    /// Queries, keys and values.
    pub projections: Projections<T>,
    /// DeBERTa's attention to relative positions.
    pub relative: Option<Relative<T>>,
    /// What its tables are projected by, where not by queries and keys.
    pub position_maps: Option<PositionMaps<T>>,
    /// `attention.output.dense`; (I, I).
    pub attention_output: Linear<T>,
    /// `attention.output.LayerNorm`.
    pub attention_norm: Norm<T>,
    /// One, but in MobileBERT, where `ffn.N` stand before the last.
    pub feed_forwards: Vec<FeedForward<T>>,
}

/// `BertForQuestionAnswering` and its like.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder<T> {
    /// Sizes.
    pub config: Config,
    /// `embeddings`.
    pub embeddings: Embeddings<T>,
    /// DeBERTa's table of relative positions.
    pub relative_table: Option<RelativeTable<T>>,
    /// `encoder.layer`.
    pub layers: Vec<Layer<T>>,
    /// `qa_outputs`: row 0 gives the start logits, row 1 the end logits; (2, H).
    pub qa_outputs: Linear<T>,
}

impl<T> Encoder<T> {
    /// Whether the last layer can be computed behind its keys and values for some tokens alone: not behind MobileBERT's bottleneck,
    /// where what goes around the layer needs all.
    pub(crate) fn prunes(&self) -> bool {
        let last = self.layers.last();
        last.is_some_and(|layer| matches!(layer.projections, Projections::Joint(_)))
    }
}
