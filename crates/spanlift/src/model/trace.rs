//! What a forward pass keeps for the walk back: every activation a named field with its shape.
//!
//! Shapes: N tokens of all sequences, packed one behind the other; S those of one sequence; E embedding units, H hidden
//! units, I units of a layer's blocks (H, but behind a bottleneck), F feed-forward units, A heads.
//! Input and reference are two parts of one trace, or of two. Memory is linear in the layers.

use std::borrow::Cow;
use std::ops::Range;

use crate::ops::attention::Head;
use crate::ops::product::View;
use crate::ops::rows::picked;
use crate::ops::{Matrix, Real, norm};

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

    /// The same sequences once more behind themselves: of input and reference in one pass.
    #[must_use]
    pub fn twice(&self) -> Self {
        let tokens = self.segments.len();
        let again = self.starts.iter().skip(1).map(|start| tokens + start);
        Self {
            starts: self.starts.iter().copied().chain(again).collect(),
            positions: self.positions.repeat(2),
            segments: self.segments.repeat(2),
        }
    }

    /// Where these tokens of each sequence from `from` on stand among those of all sequences from there on.
    pub(super) fn rows(&self, from: usize, tokens: &[Vec<usize>]) -> Vec<usize> {
        let starts = &self.starts[from..];
        let of = tokens.iter().zip(starts);
        of.flat_map(|(tokens, start)| tokens.iter().map(move |token| start - starts[0] + token))
            .collect()
    }

    /// Number of sequences.
    #[must_use]
    pub fn sequences(&self) -> usize {
        self.starts.len() - 1
    }

    /// The tokens of sequence `b`.
    #[must_use]
    pub fn tokens(&self, b: usize) -> Range<usize> {
        self.starts[b]..self.starts[b + 1]
    }
}

/// One forward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace<T> {
    /// Where its sequences stand.
    pub layout: Layout,
    /// Word embeddings; (N, E).
    pub words: Matrix<T>,
    /// The norm over words + positions + segments; (N, H), or (N, E) before ELECTRA's projection.
    pub embedding_norm: norm::Kept<T>,
    /// L of them, or none where [`resid_pre`](Self::resid_pre) is kept in their place.
    pub layers: Vec<LayerTrace<T>>,
    /// The layers' inputs, from which the walk makes each layer again; (L, N, H), or empty.
    pub resid_pre: Vec<Matrix<T>>,
    /// The final hidden states; (N, H), or of the sequences before the pruned ones alone.
    pub output: Matrix<T>,
    /// Start logits in column 0, end logits in column 1; (N, 2). NaN where they were not computed.
    pub logits: Matrix<T>,
    /// The last sequences of the pass, where their last layer was computed for some tokens alone.
    pub pruned: Option<Pruned<T>>,
}

/// The last layer behind its keys and values, and the final hidden states, for R tokens of some sequences alone: METHOD section 6.
/// What the trace's last layer holds there is of the sequences before these; a walk's inputs, and its references, lie on one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned<T> {
    /// The first of these sequences; the others follow it to the last.
    pub from: usize,
    /// The tokens of each sequence that were computed; they rise.
    pub tokens: Vec<Vec<usize>>,
    /// The layer without its input, queries, keys and values; (R, …).
    pub layer: LayerTrace<T>,
    /// The final hidden states; (R, H).
    pub output: Matrix<T>,
}

/// Neighbouring sequences of a forward pass: a walk's inputs, or its references.
#[derive(Debug)]
pub struct Part<'a, T> {
    trace: &'a Trace<T>,
    /// The first sequence.
    sequence: usize,
    /// The tokens.
    rows: Range<usize>,
}

impl<T> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            ..*self
        }
    }
}

/// All sequences.
impl<'a, T: Real> From<&'a Trace<T>> for Part<'a, T> {
    fn from(trace: &'a Trace<T>) -> Self {
        Self {
            trace,
            sequence: 0,
            rows: 0..trace.logits.rows(),
        }
    }
}

impl<'a, T: Real> Part<'a, T> {
    /// The pass.
    pub(crate) fn trace(&self) -> &'a Trace<T> {
        self.trace
    }

    /// The first token.
    pub(crate) fn first(&self) -> usize {
        self.rows.start
    }

    /// Of a matrix of the pass, the rows of the part.
    pub(super) fn of<'b>(&self, matrix: &'b Matrix<T>) -> View<'b, T> {
        matrix.view().block(self.rows.clone(), 0..matrix.cols())
    }

    /// Where the last layer was computed for some tokens of these sequences alone, which must be the wanted ones: that, and the first
    /// of its rows that are of these sequences.
    ///
    /// # Panics
    ///
    /// Where it was computed for others.
    fn pruned(&self, wanted: &[Vec<usize>]) -> Option<(&'a Pruned<T>, usize)> {
        let pruned = self.trace.pruned.as_ref()?;
        let at = self.sequence.checked_sub(pruned.from)?;
        let computed = &pruned.tokens[at..at + wanted.len()];
        assert_eq!(
            computed, wanted,
            "the last layer for the tokens of the target"
        );
        Some((pruned, pruned.tokens[..at].iter().map(Vec::len).sum()))
    }

    /// The final hidden states of these tokens of each sequence, `rows` of the part; (R, H).
    pub(super) fn output(&self, wanted: &[Vec<usize>], rows: &[usize]) -> Matrix<T> {
        match self.pruned(wanted) {
            Some((pruned, first)) => {
                let rows: Vec<usize> = (first..first + rows.len()).collect();
                picked(pruned.output.view(), &rows)
            }
            None => picked(self.of(&self.trace.output), rows),
        }
    }

    /// What stands behind the keys and values of a layer, for these tokens of each sequence alone.
    pub(super) fn pruned_to(
        &self,
        layer: &'a LayerTrace<T>,
        wanted: &[Vec<usize>],
        rows: &[usize],
        each: usize,
    ) -> (Cow<'a, LayerTrace<T>>, Self) {
        if let Some((pruned, first)) = self.pruned(wanted) {
            let part = Self {
                trace: self.trace,
                sequence: self.sequence - pruned.from,
                rows: first..first + rows.len(),
            };
            return (Cow::Borrowed(&pruned.layer), part);
        }
        let of = |matrix: &Matrix<T>| picked(self.of(matrix), rows);
        let norm = |kept: &norm::Kept<T>| kept.picked(self.first(), rows);
        let heads = self.heads(&layer.heads, each, wanted.len());
        let heads = heads.iter().enumerate().map(|(at, head)| Head {
            shifted: picked(head.shifted.view(), &wanted[at / each]),
            z: wanted[at / each].iter().map(|&i| head.z[i]).collect(),
        });
        let blocks = layer.feed_forwards.iter().map(|block| FeedForwardTrace {
            resid_mid: of(&block.resid_mid),
            mlp_pre: of(&block.mlp_pre),
            mlp_out: of(&block.mlp_out),
            mlp_norm: norm(&block.mlp_norm),
        });
        let pruned = LayerTrace {
            resid_pre: Matrix::zeros(0, 0),
            bottleneck: None,
            qkv: Matrix::zeros(0, 0),
            heads: heads.collect(),
            ctx: of(&layer.ctx),
            attention_norm: norm(&layer.attention_norm),
            feed_forwards: blocks.collect(),
        };
        let part = Self {
            trace: self.trace,
            sequence: 0,
            rows: 0..rows.len(),
        };
        (Cow::Owned(pruned), part)
    }

    /// The heads of `sequences` sequences, of those of a layer.
    pub(super) fn heads(
        &self,
        heads: &'a [Head<T>],
        each: usize,
        sequences: usize,
    ) -> &'a [Head<T>] {
        &heads[self.sequence * each..(self.sequence + sequences) * each]
    }
}

impl<T: Real> Trace<T> {
    /// These sequences of the pass.
    #[must_use]
    pub fn part(&self, sequences: Range<usize>) -> Part<'_, T> {
        let starts = &self.layout.starts;
        Part {
            trace: self,
            sequence: sequences.start,
            rows: starts[sequences.start]..starts[sequences.end],
        }
    }

    /// Leaves the memory to the next pass.
    pub fn recycle(self) {
        self.words.recycle();
        self.embedding_norm.recycle();
        self.output.recycle();
        self.layers.into_iter().for_each(LayerTrace::recycle);
        self.resid_pre.into_iter().for_each(Matrix::recycle);
        self.logits.recycle();
        if let Some(pruned) = self.pruned {
            pruned.layer.recycle();
            pruned.output.recycle();
        }
    }
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
    /// Attention; A for each sequence, (S, S) each.
    pub heads: Vec<Head<T>>,
    /// The heads' context vectors; (N, I).
    pub ctx: Matrix<T>,
    /// The norm over what goes into the blocks + attention output; (N, I).
    pub attention_norm: norm::Kept<T>,
    /// One, but in MobileBERT.
    pub feed_forwards: Vec<FeedForwardTrace<T>>,
}

impl<T: Real> LayerTrace<T> {
    /// Leaves the memory to the next layer or pass.
    pub(super) fn recycle(self) {
        self.resid_pre.recycle();
        self.qkv.recycle();
        self.ctx.recycle();
        self.attention_norm.recycle();
        self.heads
            .into_iter()
            .for_each(|head| head.shifted.recycle());
        if let Some(bottleneck) = self.bottleneck {
            bottleneck.inner.recycle();
        }
        for block in self.feed_forwards {
            block.resid_mid.recycle();
            block.mlp_pre.recycle();
            block.mlp_out.recycle();
            block.mlp_norm.recycle();
        }
    }

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
    /// Its output; (N, I).
    pub mlp_out: Matrix<T>,
    /// The norm over `resid_mid` + `mlp_out`; (N, I).
    pub mlp_norm: norm::Kept<T>,
}
