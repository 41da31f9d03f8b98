//! The forward pass: words to logits, an operation a line. `backward.rs` is the same list, read up.

use std::ops::Range;

use super::trace::{BottleneckTrace, FeedForwardTrace, LayerTrace, Layout, Pruned, Trace};
use super::{
    Bottleneck, BottleneckSite, Encoder, FeedForward, Layer, LayerSite, Projections, Site, of_probs,
};
use crate::ops::dropout::{Dropout, Probs};
use crate::ops::product::View;
use crate::ops::rows::picked;
use crate::ops::{Matrix, Real, attention, embedding, feed_forward, linear, norm};

/// Runs the encoder and the span head on word embeddings (N, E).
pub fn forward<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Trace<T> {
    kept(encoder, layout, words, Keep::All, whole())
}

/// The same, as a model is trained: behind the embeddings' norm, the attention and the feed-forward blocks a share of the
/// elements is dropped.
pub fn forward_dropped<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    words: Matrix<T>,
    dropout: Option<&Dropout>,
) -> Trace<T> {
    let mut layers = Vec::with_capacity(encoder.layers.len());
    let keep = |layer| layers.push(layer);
    let trace = run(encoder, layout, words, dropout, whole::<T>(), keep);
    Trace { layers, ..trace }
}

/// What a pass keeps of each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All that the walk needs.
    All,
    /// Its input alone: the walk makes the rest again, layer by layer. Less memory for one more forward pass; every number stays as it
    /// is.
    Inputs,
}

/// The same without dropout, but from the sequence `full` on the last layer is computed behind its keys and values for those tokens alone that
/// `choose` names: for each of these sequences a list of its tokens, in rising order. `choose` is given the logits of the sequences
/// before, (tokens, 2). Where the encoder has a bottleneck, all is computed, whatever is named.
///
/// # Panics
///
/// Where there are not `full` sequences, or not one list for each of the others, of its own tokens in rising order.
pub fn forward_pruned<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    words: Matrix<T>,
    keep: Keep,
    full: usize,
    choose: impl FnOnce(&Matrix<T>) -> Vec<Vec<usize>>,
) -> Trace<T> {
    if encoder.prunes() {
        return kept(encoder, layout, words, keep, Some((full, choose)));
    }
    let trace = kept(encoder, layout, words, keep, whole());
    let before = layout.starts[full];
    let logits = trace.logits.data()[..2 * before].to_vec();
    check_named(layout, full, &choose(&Matrix::from_vec(before, 2, logits)));
    trace
}

/// The same for the logits alone, (N, 2): each layer's activations go when the next layer has its input.
pub fn logits<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Matrix<T> {
    let trace = run(
        encoder,
        layout,
        words,
        None,
        whole::<T>(),
        LayerTrace::recycle,
    );
    let logits = trace.logits.clone();
    trace.recycle();
    logits
}

/// The sequences before the pruned ones, and what names the tokens of these.
type Choose<F> = Option<(usize, F)>;
type Unnamed<T> = fn(&Matrix<T>) -> Vec<Vec<usize>>;

fn kept<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    words: Matrix<T>,
    keep: Keep,
    prune: Choose<impl FnOnce(&Matrix<T>) -> Vec<Vec<usize>>>,
) -> Trace<T> {
    let (mut layers, mut resid_pre) = (Vec::new(), Vec::new());
    let trace = run(
        encoder,
        layout,
        words,
        None,
        prune,
        |mut layer| match keep {
            Keep::All => layers.push(layer),
            Keep::Inputs => {
                resid_pre.push(std::mem::replace(&mut layer.resid_pre, Matrix::zeros(0, 0)));
                layer.recycle();
            }
        },
    );
    Trace {
        layers,
        resid_pre,
        ..trace
    }
}

/// The pass, which gives each layer away and keeps none.
fn run<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    words: Matrix<T>,
    dropout: Option<&Dropout>,
    mut prune: Choose<impl FnOnce(&Matrix<T>) -> Vec<Vec<usize>>>,
    mut keep: impl FnMut(LayerTrace<T>),
) -> Trace<T> {
    let embeddings = &encoder.embeddings;
    let mut embedded = match &embeddings.embedding_transformation {
        Some(dense) => linear::forward(dense, &embedding::trigrams(&words, &layout.starts)),
        None => words.clone(),
    };
    embedding::forward(
        embeddings,
        &layout.positions,
        &layout.segments,
        &mut embedded,
    );
    if let Some(projection) = &embeddings.embed_proj {
        embedded = linear::forward(projection, &embedded);
    }
    let (mut resid, embedding_norm) = norm::forward(&embeddings.norm, embedded);
    if let Some(dropout) = dropout {
        dropout.apply(Site::EmbeddingNorm.number(), &mut resid);
    }
    if let Some(projection) = &embeddings.embeddings_project {
        resid = linear::forward(projection, &resid);
    }
    let (count, last) = (layout.sequences(), encoder.layers.len().wrapping_sub(1));
    let mut pruned = None;
    for (l, layer) in encoder.layers.iter().enumerate() {
        let dropout = dropout.map(|dropout| (dropout, l));
        let prune = if l == last { prune.take() } else { None };
        let sequences = prune.as_ref().map_or(count, |(full, _)| *full);
        let (next, trace) = forward_layer(encoder, layer, layout, resid, sequences, dropout);
        if let Some((full, choose)) = prune {
            let before = linear::forward(&encoder.qa_outputs, &next);
            let tokens = choose(&before);
            check_named(layout, full, &tokens);
            let of = pruned_layer(encoder, layer, layout, &trace, full, tokens);
            let logits = with_pruned(encoder, layout, before, &of);
            pruned = Some((of, logits));
        }
        keep(trace);
        resid = next;
    }
    let (pruned, logits) = match pruned {
        Some((pruned, logits)) => (Some(pruned), logits),
        None => (None, linear::forward(&encoder.qa_outputs, &resid)),
    };
    Trace {
        layout: layout.clone(),
        words,
        embedding_norm,
        layers: Vec::new(),
        resid_pre: Vec::new(),
        output: resid,
        logits,
        pruned,
    }
}

/// The last layer of the sequences from `from` on, for these tokens alone; `layer` has its input, and its queries, keys and values.
fn pruned_layer<T: Real>(
    encoder: &Encoder<T>,
    weights: &Layer<T>,
    layout: &Layout,
    layer: &LayerTrace<T>,
    from: usize,
    tokens: Vec<Vec<usize>>,
) -> Pruned<T> {
    let sequences = Sequences::of(layout, from..layout.sequences());
    let rows = layout.rows(from, &tokens);
    let inner = picked(sequences.of_matrix(&layer.resid_pre), &rows);
    let qkv = sequences.of_matrix(&layer.qkv);
    let (output, layer) = behind_keys(
        encoder,
        weights,
        &sequences,
        qkv,
        inner.view(),
        Some(&tokens),
        (None, None),
    );
    inner.recycle();
    Pruned {
        from,
        tokens,
        layer,
        output,
    }
}

/// # Panics
///
/// Where the tokens are not one list for each sequence from `from` on, of its own tokens in rising order.
fn check_named(layout: &Layout, from: usize, tokens: &[Vec<usize>]) {
    assert_eq!(
        tokens.len(),
        layout.sequences() - from,
        "the tokens of each sequence"
    );
    for (b, tokens) in tokens.iter().enumerate() {
        let count = layout.tokens(from + b).len();
        assert!(
            tokens.is_sorted_by(|a, b| a < b) && tokens.iter().all(|&token| token < count),
            "{tokens:?} of {count} tokens"
        );
    }
}

/// The logits of all, (N, 2), from those of the sequences before the pruned ones: NaN where they were not computed.
fn with_pruned<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    before: Matrix<T>,
    pruned: &Pruned<T>,
) -> Matrix<T> {
    let mut logits = Matrix::reused(layout.segments.len(), 2);
    let (first, others) = logits.data_mut().split_at_mut(before.data().len());
    first.copy_from_slice(before.data());
    others.fill(T::of(f64::NAN));
    let own = linear::forward(&encoder.qa_outputs, &pruned.output);
    for (at, row) in layout
        .rows(pruned.from, &pruned.tokens)
        .into_iter()
        .enumerate()
    {
        logits
            .row_mut(before.rows() + row)
            .copy_from_slice(own.row(at));
    }
    before.recycle();
    own.recycle();
    logits
}

/// Neighbouring sequences of a layout.
struct Sequences {
    /// Among all tokens.
    rows: Range<usize>,
    /// The first token of each among these, then their number.
    starts: Vec<usize>,
}

impl Sequences {
    fn of(layout: &Layout, sequences: Range<usize>) -> Self {
        let starts = &layout.starts[sequences.start..=sequences.end];
        let rows = starts[0]..starts[starts.len() - 1];
        let starts = starts.iter().map(|start| start - rows.start).collect();
        Self { rows, starts }
    }

    fn of_matrix<'a, T: Real>(&self, matrix: &'a Matrix<T>) -> View<'a, T> {
        matrix.view().block(self.rows.clone(), 0..matrix.cols())
    }
}

/// No sequence is pruned.
const fn whole<T>() -> Choose<Unnamed<T>> {
    None
}

/// Which elements are dropped, in which layer.
type Dropped<'a> = Option<(&'a Dropout, usize)>;

/// One layer: of the first `sequences` its output, and what was kept. Behind queries, keys and values, which are of all, the others
/// are left out; not where the layer has a bottleneck.
pub(super) fn forward_layer<T: Real>(
    encoder: &Encoder<T>,
    layer: &Layer<T>,
    layout: &Layout,
    resid_pre: Matrix<T>,
    sequences: usize,
    dropout: Dropped<'_>,
) -> (Matrix<T>, LayerTrace<T>) {
    let mut behind_bottleneck = None;
    let qkv = match &layer.projections {
        Projections::Joint(qkv) => linear::forward(qkv, &resid_pre),
        Projections::Bottleneck(bottleneck) => {
            let (inner, shared) = forward_bottleneck(bottleneck, &resid_pre);
            let qkv = linear::side_by_side([
                (&bottleneck.query, &shared.0),
                (&bottleneck.key, &shared.0),
                (&bottleneck.value, &resid_pre),
            ]);
            behind_bottleneck = Some((inner, shared.1));
            qkv
        }
    };
    let probs = dropout.and_then(|(dropout, l)| dropout.probs(of_probs(l)));
    // Within MobileBERT's bottleneck no hidden unit is dropped, but of what comes out of it.
    let (dropout, of_bottleneck) = match layer.projections {
        Projections::Joint(_) => (dropout, None),
        Projections::Bottleneck(_) => (None, dropout),
    };
    let of = Sequences::of(layout, 0..sequences);
    let inner = behind_bottleneck
        .as_ref()
        .map_or(&resid_pre, |(inner, _)| &inner.0);
    let (mut resid, behind) = behind_keys(
        encoder,
        layer,
        &of,
        of.of_matrix(&qkv),
        of.of_matrix(inner),
        None,
        (dropout, probs),
    );
    let mut bottleneck = None;
    if let (Projections::Bottleneck(weights), Some(((inner, inner_norm), shared_norm))) =
        (&layer.projections, behind_bottleneck)
    {
        let mut wide = linear::forward(&weights.output, &resid);
        let site = LayerSite::Bottleneck(BottleneckSite::Output);
        drop_from(&mut wide, of_bottleneck, site);
        let (resid_post, output_norm) =
            norm::forward_of_sum(&weights.output_norm, &wide, resid_pre.view());
        resid = resid_post;
        bottleneck = Some(BottleneckTrace {
            inner,
            inner_norm,
            shared_norm,
            output_norm,
        });
    }
    let trace = LayerTrace {
        resid_pre,
        bottleneck,
        qkv,
        ..behind
    };
    (resid, trace)
}

/// What stands behind the queries, keys and values (N, 3I) of some sequences, and beside the attention `inner` (N, I): the blocks' output,
/// and what was kept of all this. Of the wanted queries alone where not all are wanted, to which `inner` belongs then.
fn behind_keys<T: Real>(
    encoder: &Encoder<T>,
    layer: &Layer<T>,
    sequences: &Sequences,
    qkv: View<'_, T>,
    inner: View<'_, T>,
    wanted: attention::Wanted<'_>,
    (dropout, probs): (Dropped<'_>, Option<Probs>),
) -> (Matrix<T>, LayerTrace<T>) {
    let (ctx, heads) = attention::forward(
        qkv,
        &sequences.starts,
        encoder.config.heads,
        layer.relative.as_ref(),
        wanted,
        probs,
    );
    let mut attn_out = linear::forward(&layer.attention_output, &ctx);
    drop_from(&mut attn_out, dropout, LayerSite::AttentionOutput);
    let (mut resid, attention_norm) = norm::forward_of_sum(&layer.attention_norm, &attn_out, inner);
    attn_out.recycle();
    let mut feed_forwards = Vec::with_capacity(layer.feed_forwards.len());
    for feed_forward in &layer.feed_forwards {
        let (next, trace) = forward_mlp(encoder, feed_forward, resid, dropout);
        feed_forwards.push(trace);
        resid = next;
    }
    let trace = LayerTrace {
        resid_pre: Matrix::zeros(0, 0),
        bottleneck: None,
        qkv: Matrix::zeros(0, 0),
        heads,
        ctx,
        attention_norm,
        feed_forwards,
    };
    (resid, trace)
}

fn drop_from<T: Real>(x: &mut Matrix<T>, dropout: Dropped<'_>, site: LayerSite) {
    if let Some((dropout, l)) = dropout {
        dropout.apply(Site::Layer(l, site).number(), x);
    }
}

/// A matrix and what its norm kept.
type Normed<T> = (Matrix<T>, norm::Kept<T>);

/// What the attention is added to, and what queries and keys are made of.
fn forward_bottleneck<T: Real>(
    bottleneck: &Bottleneck<T>,
    resid_pre: &Matrix<T>,
) -> (Normed<T>, Normed<T>) {
    let inner = linear::forward(&bottleneck.input, resid_pre);
    let shared = linear::forward(&bottleneck.attention, resid_pre);
    (
        norm::forward(&bottleneck.input_norm, inner),
        norm::forward(&bottleneck.attention_norm, shared),
    )
}

fn forward_mlp<T: Real>(
    encoder: &Encoder<T>,
    weights: &FeedForward<T>,
    resid_mid: Matrix<T>,
    dropout: Dropped<'_>,
) -> (Matrix<T>, FeedForwardTrace<T>) {
    let f = encoder.config.activation;
    let maps = [&weights.intermediate, &weights.output];
    let (mlp_pre, mut mlp_out) = feed_forward::forward(f, maps, &resid_mid);
    drop_from(&mut mlp_out, dropout, LayerSite::Output);
    let (resid, mlp_norm) = norm::forward_of_sum(&weights.norm, &mlp_out, resid_mid.view());
    let trace = FeedForwardTrace {
        resid_mid,
        mlp_pre,
        mlp_out,
        mlp_norm,
    };
    (resid, trace)
}
