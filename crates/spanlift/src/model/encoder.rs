//! The weights of a BERT encoder with a question-answering head, as the checkpoint's own tree.
//!
//! Shapes: V vocabulary, P positions, G segments, H hidden, F feed-forward, L layers, A heads.

use crate::ops::Matrix;

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
    /// G.
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
    pub weight: Matrix<T>,
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

/// `embeddings`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings<T> {
    /// (V, H).
    pub word_embeddings: Matrix<T>,
    /// (P, H).
    pub position_embeddings: Matrix<T>,
    /// (G, H).
    pub token_type_embeddings: Matrix<T>,
    /// Over their sum.
    pub layer_norm: LayerNorm<T>,
}

/// `encoder.layer.N`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer<T> {
    /// `attention.self.{query,key,value}`, one under the other: one product makes all three; (3H, H).
    pub qkv: Linear<T>,
    /// `attention.output.dense`; (H, H).
    pub attention_output: Linear<T>,
    /// `attention.output.LayerNorm`.
    pub attention_layer_norm: LayerNorm<T>,
    /// `intermediate.dense`; (F, H).
    pub intermediate: Linear<T>,
    /// `output.dense`; (H, F).
    pub output: Linear<T>,
    /// `output.LayerNorm`.
    pub output_layer_norm: LayerNorm<T>,
}

/// `BertForQuestionAnswering`.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder<T> {
    /// Sizes.
    pub config: Config,
    /// `bert.embeddings`.
    pub embeddings: Embeddings<T>,
    /// `bert.encoder.layer`.
    pub layers: Vec<Layer<T>>,
    /// `qa_outputs`: row 0 gives the start logits, row 1 the end logits; (2, H).
    pub qa_outputs: Linear<T>,
}
