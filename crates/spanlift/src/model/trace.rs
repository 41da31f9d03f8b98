//! What a forward pass keeps for the walk back: every activation a named field with its shape.
//!
//! Shapes: N tokens of all sequences, packed one behind the other; S those of one sequence; H hidden units, F
//! feed-forward units, A heads. Input and reference are two traces. Memory is linear in the layers.

use crate::ops::attention::Head;
use crate::ops::{Matrix, layer_norm};

/// How sequences are packed one behind the other, and where each token stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// First token of each sequence, then N.
    pub starts: Vec<usize>,
    /// Position of each token in its sequence; (N).
    pub positions: Vec<usize>,
    /// Segment of each token; (N).
    pub segments: Vec<u32>,
}

impl Layout {
    /// The layout of sequences with these segments.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut layout = Self {
            starts: vec![0],
            positions: Vec::new(),
            segments: Vec::new(),
        };
        for segments in sequences {
            layout.positions.extend(0..segments.len());
            layout.segments.extend_from_slice(segments);
            layout.starts.push(layout.segments.len());
        }
        layout
    }

    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.starts.len() - 1
    }

    /// The tokens of sequence `b`.
    #[must_use]
    pub fn tokens(&self, b: usize) -> std::ops::Range<usize> {
        self.starts[b]..self.starts[b + 1]
    }
}

/// One forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace<T> {
    /// Word embeddings; (N, H).
    pub words: Matrix<T>,
    /// LayerNorm over words + positions + segments; (N, H).
    pub embedding_norm: layer_norm::Kept<T>,
    /// L of them.
    pub layers: Vec<LayerTrace<T>>,
    /// The final hidden states; (N, H).
    pub output: Matrix<T>,
    /// Start logits in column 0, end logits in column 1; (N, 2).
    pub logits: Matrix<T>,
}

/// One encoder layer of a forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTrace<T> {
    /// The layer's input; (N, H).
    pub resid_pre: Matrix<T>,
    /// Queries, keys and values; (N, 3H).
    pub qkv: Matrix<T>,
    /// Attention probabilities and their logarithms; A for each sequence, (S, S) each.
    pub heads: Vec<Head<T>>,
    /// The heads' context vectors; (N, H).
    pub ctx: Matrix<T>,
    /// LayerNorm over `resid_pre` + attention output; (N, H).
    pub attention_norm: layer_norm::Kept<T>,
    /// Between the two blocks; (N, H).
    pub resid_mid: Matrix<T>,
    /// Before the activation; (N, F).
    pub mlp_pre: Matrix<T>,
    /// After the activation; (N, F).
    pub mlp_act: Matrix<T>,
    /// The feed-forward block's output; (N, H).
    pub mlp_out: Matrix<T>,
    /// LayerNorm over `resid_mid` + `mlp_out`; (N, H).
    pub mlp_norm: layer_norm::Kept<T>,
}
