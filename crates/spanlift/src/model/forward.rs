//! The forward pass: words to logits, an operation a line. `backward.rs` is the same list, read up.

use super::trace::{BottleneckTrace, FeedForwardTrace, LayerTrace, Layout, Trace};
use super::{
    Bottleneck, BottleneckSite, Encoder, FeedForward, Layer, LayerSite, Projections, Site,
};
use crate::ops::dropout::Dropout;
use crate::ops::{Matrix, Real, attention, embedding, linear, norm};

/// Runs the encoder and the span head on word embeddings (N, E).
pub fn forward<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Trace<T> {
    let mut layers = Vec::with_capacity(encoder.layers.len());
    let trace = run(encoder, layout, words, None, |layer| layers.push(layer));
    Trace { layers, ..trace }
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
    let trace = run(encoder, layout, words, dropout, |layer| layers.push(layer));
    Trace { layers, ..trace }
}

/// The same, but of each layer its input alone is kept: the walk makes the rest again, layer by layer. Less memory for one
/// more forward pass; every number stays as it is.
pub fn forward_lean<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Trace<T> {
    let mut resid_pre = Vec::with_capacity(encoder.layers.len());
    let trace = run(encoder, layout, words, None, |mut layer| {
        resid_pre.push(std::mem::replace(&mut layer.resid_pre, Matrix::zeros(0, 0)));
        layer.recycle();
    });
    Trace { resid_pre, ..trace }
}

/// The same for the logits alone, (N, 2): each layer's activations go when the next layer has its input.
pub fn logits<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Matrix<T> {
    let trace = run(encoder, layout, words, None, LayerTrace::recycle);
    let logits = trace.logits.clone();
    trace.recycle();
    logits
}

/// The pass, which gives each layer away and keeps none.
fn run<T: Real>(
    encoder: &Encoder<T>,
    layout: &Layout,
    words: Matrix<T>,
    dropout: Option<&Dropout>,
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
    for (l, layer) in encoder.layers.iter().enumerate() {
        let dropout = dropout.map(|dropout| (dropout, l));
        let (next, trace) = forward_layer(encoder, layer, layout, resid, dropout);
        keep(trace);
        resid = next;
    }
    let logits = linear::forward(&encoder.qa_outputs, &resid);
    Trace {
        layout: layout.clone(),
        words,
        embedding_norm,
        layers: Vec::new(),
        resid_pre: Vec::new(),
        output: resid,
        logits,
    }
}

/// Which elements are dropped, in which layer.
type Dropped<'a> = Option<(&'a Dropout, usize)>;

/// One layer: its output, and what was kept.
pub(super) fn forward_layer<T: Real>(
    encoder: &Encoder<T>,
    layer: &Layer<T>,
    layout: &Layout,
    resid_pre: Matrix<T>,
    dropout: Dropped<'_>,
) -> (Matrix<T>, LayerTrace<T>) {
    let mut narrow = None;
    let qkv = match &layer.projections {
        Projections::Joint(qkv) => linear::forward(qkv, &resid_pre),
        Projections::Bottleneck(bottleneck) => {
            let (inner, shared) = forward_bottleneck(bottleneck, &resid_pre);
            let qkv = linear::side_by_side([
                (&bottleneck.query, &shared.0),
                (&bottleneck.key, &shared.0),
                (&bottleneck.value, &resid_pre),
            ]);
            narrow = Some((inner, shared.1));
            qkv
        }
    };
    let (ctx, heads) = attention::forward(
        qkv.view(),
        &layout.starts,
        encoder.config.heads,
        layer.relative.as_ref(),
        None,
    );
    let mut attn_out = linear::forward(&layer.attention_output, &ctx);
    // Within MobileBERT's bottleneck nothing is dropped, but what comes out of it.
    let (dropout, of_bottleneck) = match layer.projections {
        Projections::Joint(_) => (dropout, None),
        Projections::Bottleneck(_) => (None, dropout),
    };
    drop_from(&mut attn_out, dropout, LayerSite::AttentionOutput);
    let inner = narrow.as_ref().map_or(&resid_pre, |(inner, _)| &inner.0);
    let (mut resid, attention_norm) = norm::forward_of_sum(&layer.attention_norm, &attn_out, inner);
    attn_out.recycle();

    let mut feed_forwards = Vec::with_capacity(layer.feed_forwards.len());
    for feed_forward in &layer.feed_forwards {
        let (next, trace) = forward_mlp(encoder, feed_forward, resid, dropout);
        feed_forwards.push(trace);
        resid = next;
    }
    let mut bottleneck = None;
    if let (Projections::Bottleneck(weights), Some(((inner, inner_norm), shared_norm))) =
        (&layer.projections, narrow)
    {
        let mut wide = linear::forward(&weights.output, &resid);
        let site = LayerSite::Bottleneck(BottleneckSite::Output);
        drop_from(&mut wide, of_bottleneck, site);
        let (resid_post, output_norm) =
            norm::forward_of_sum(&weights.output_norm, &wide, &resid_pre);
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
    feed_forward: &FeedForward<T>,
    resid_mid: Matrix<T>,
    dropout: Dropped<'_>,
) -> (Matrix<T>, FeedForwardTrace<T>) {
    let f = encoder.config.activation;
    let (mlp_pre, mlp_act) = linear::forward_activated(&feed_forward.intermediate, f, &resid_mid);
    let mut mlp_out = linear::forward(&feed_forward.output, &mlp_act);
    drop_from(&mut mlp_out, dropout, LayerSite::Output);
    mlp_act.recycle();
    let (resid, mlp_norm) = norm::forward_of_sum(&feed_forward.norm, &mlp_out, &resid_mid);
    let trace = FeedForwardTrace {
        resid_mid,
        mlp_pre,
        mlp_out,
        mlp_norm,
    };
    (resid, trace)
}
