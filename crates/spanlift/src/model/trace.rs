//! What a forward pass keeps for the walk back: every activation a named field with its shape.
//!
//! Shapes: N tokens of all sequences, packed one behind the other; S those of one sequence; E embedding units, H hidden
//! units, I units of a layer's blocks (H, but behind a bottleneck), F feed-forward units, A heads.
//! Input and reference are two traces. Memory is linear in the layers.

use crate::ops::attention::Head;
use crate::ops::{Matrix, norm};

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
    /// Word embeddings; (N, E).
    pub words: Matrix<T>,
    /// The norm over words + positions + segments; (N, H), or (N, E) before ELECTRA's projection.
    pub embedding_norm: norm::Kept<T>,
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
    /// What MobileBERT's bottleneck makes of it.
    pub bottleneck: Option<BottleneckTrace<T>>,
    /// Queries, keys and values; (N, 3I).
    pub qkv: Matrix<T>,
    /// Attention probabilities and their logarithms; A for each sequence, (S, S) each.
    pub heads: Vec<Head<T>>,
    /// The heads' context vectors; (N, I).
    pub ctx: Matrix<T>,
    /// The norm over what goes into the blocks + attention output; (N, I).
    pub attention_norm: norm::Kept<T>,
    /// One, but in MobileBERT.
    pub feed_forwards: Vec<FeedForwardTrace<T>>,
}

impl<T> LayerTrace<T> {
    /// What goes into the blocks, and past the attention through its residual connection; (N, I).
    pub(super) fn inner(&self) -> &Matrix<T> {
        match &self.bottleneck {
            Some(bottleneck) => &bottleneck.inner,
            None => &self.resid_pre,
        }
    }
}

/// The bottleneck of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct BottleneckTrace<T> {
    /// What the attention is added to; (N, I).
    pub inner: Matrix<T>,
    /// The norm that it left; (N, I).
    pub inner_norm: norm::Kept<T>,
    /// The norm over what queries and keys are made of; (N, I).
    pub shared_norm: norm::Kept<T>,
    /// The norm over the layer's input and its output; (N, H).
    pub output_norm: norm::Kept<T>,
}

/// One feed-forward block.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedForwardTrace<T> {
    /// Its input; (N, I).
    pub resid_mid: Matrix<T>,
    /// Before the activation; (N, F).
    pub mlp_pre: Matrix<T>,
    /// After the activation; (N, F).
    pub mlp_act: Matrix<T>,
    /// Its output; (N, I).
    pub mlp_out: Matrix<T>,
    /// The norm over `resid_mid` + `mlp_out`; (N, I).
    pub mlp_norm: norm::Kept<T>,
}
