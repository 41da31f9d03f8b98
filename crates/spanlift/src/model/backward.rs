//! The walk back: multipliers from the logits to the words, a rule an operation. The same list as `forward.rs`,
//! read up, with the scores taken at each cut on the way; METHOD sections 2, 3 and 6.

use super::trace::{BottleneckTrace, FeedForwardTrace, LayerTrace, Layout, Trace};
use super::{Bottleneck, Encoder, FeedForward, Layer, Projections};
use crate::attribute::rules::{
    ActivationRule, LayerNormRule, LinearRule, ProductRule, Rules, SoftmaxRule, SumRule,
};
use crate::ops::attention::{Edges, Pairs, Pass};
use crate::ops::contribution::{Contribution, by_head, by_row};
use crate::ops::{Matrix, Real, activation, attention, embedding, feed_forward, linear, norm, sum};

/// What one walk found, for the N packed tokens.
#[derive(Clone, Debug)]
pub struct Walk<U> {
    /// At the word embeddings; (N).
    pub words: Vec<Contribution>,
    /// Layer by layer, from the first.
    pub layers: Vec<WalkLayer<U>>,
    /// At the final hidden states; (N).
    pub output: Vec<Contribution>,
}

/// What one walk found in one layer.
#[derive(Clone, Debug)]
pub struct WalkLayer<U> {
    /// At the layer's input; (N).
    pub cut: Vec<Contribution>,
    /// Through the heads' context vectors; (N, A) row by row.
    pub heads: Vec<f64>,
    /// Past the attention, through its residual connection and MobileBERT's around the layer; (N).
    pub residual: Vec<Contribution>,
    /// Through the feed-forward block (the last, where a layer has several); (N).
    pub mlp: Vec<Contribution>,
    /// Past that block, through its residual connection and MobileBERT's around the layer; (N).
    pub mlp_residual: Vec<Contribution>,
    /// What was made of each head's edges, the heads of the first sequence first.
    pub edges: Vec<U>,
}

/// Where a head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The layer, from 0.
    pub layer: usize,
    /// The sequence, from 0.
    pub sequence: usize,
    /// The head, from 0.
    pub head: usize,
}

/// Walks back from the logits' multipliers `m_logits` (N, 2), u in column 0 and v in column 1. `edges` may ask for the
/// edge scores of each head; what it returns is kept.
pub fn backward<T: Real, U: Send>(
    encoder: &Encoder<T>,
    layout: &Layout,
    input: &Trace<T>,
    reference: &Trace<T>,
    rules: Rules,
    m_logits: &Matrix<T>,
    edges: impl Fn(Place, &dyn Fn() -> Edges<T>) -> U + Sync,
) -> Walk<U> {
    let LinearRule::Linear = rules.linear;
    let SumRule::Identity = rules.sum;
    let mut m = linear::multiplier(&encoder.qa_outputs, m_logits);
    let output = by_row(&m, &input.output, &reference.output);

    let mut layers = Vec::with_capacity(encoder.layers.len());
    for (l, layer) in encoder.layers.iter().enumerate().rev() {
        let (x, x0) = (&input.layers[l], &reference.layers[l]);
        let edges = |sequence, head, scores: &dyn Fn() -> Edges<T>| {
            edges(
                Place {
                    layer: l,
                    sequence,
                    head,
                },
                scores,
            )
        };
        layers.push(backward_layer(
            encoder,
            layer,
            layout,
            [x, x0],
            rules,
            &mut m,
            edges,
        ));
    }
    layers.reverse();

    let embeddings = &encoder.embeddings;
    if let Some(projection) = &embeddings.embeddings_project {
        m = linear::multiplier(projection, &m);
    }
    let ends = ends(
        rules.layer_norm,
        [&input.embedding_norm, &reference.embedding_norm],
    );
    norm::multiplier(&embeddings.norm, ends, &mut m);
    if let Some(projection) = &embeddings.embed_proj {
        m = linear::multiplier(projection, &m);
    }
    if let Some(dense) = &embeddings.embedding_transformation {
        m = embedding::trigrams_multiplier(&linear::multiplier(dense, &m), &layout.starts);
    }
    let words = by_row(&m, &input.words, &reference.words);
    Walk {
        words,
        layers,
        output,
    }
}

/// `m`: of the layer's output, and on return of its input; (N, H).
fn backward_layer<T: Real, U: Send>(
    encoder: &Encoder<T>,
    layer: &Layer<T>,
    layout: &Layout,
    [x, x0]: [&LayerTrace<T>; 2],
    rules: Rules,
    m: &mut Matrix<T>,
    edges: impl Fn(usize, usize, &dyn Fn() -> Edges<T>) -> U + Sync,
) -> WalkLayer<U> {
    // MobileBERT's connection around the whole layer, and what goes past everything in it.
    let mut around = None;
    let mut past = Vec::new();
    if let (Projections::Bottleneck(bottleneck), Some(kept)) = (&layer.projections, kept([x, x0])) {
        let ends = ends(rules.layer_norm, kept.map(|kept| &kept.output_norm));
        norm::multiplier(&bottleneck.output_norm, ends, m);
        past = by_row(m, &x.resid_pre, &x0.resid_pre);
        let narrow = linear::multiplier(&bottleneck.output, m);
        around = Some((bottleneck, kept, std::mem::replace(m, narrow)));
    }

    let mut mlps = Vec::with_capacity(layer.feed_forwards.len());
    let traces = x.feed_forwards.iter().zip(&x0.feed_forwards);
    for (feed_forward, (x, x0)) in layer.feed_forwards.iter().zip(traces).rev() {
        mlps.push(backward_mlp(encoder, feed_forward, [x, x0], rules, m));
    }
    let (mlp, mlp_residual) = mlps.swap_remove(0);

    let ends = ends(rules.layer_norm, [&x.attention_norm, &x0.attention_norm]);
    norm::multiplier(&layer.attention_norm, ends, m);
    let residual = by_row(m, x.inner(), x0.inner());
    let m_ctx = linear::multiplier(&layer.attention_output, m);
    let heads = by_head(&m_ctx, &x.ctx, &x0.ctx, encoder.config.heads);
    let [x_pass, x0_pass] = [x, x0].map(|x| Pass {
        qkv: &x.qkv,
        heads: &x.heads,
    });
    let pairs = Pairs {
        change: [x_pass, x0_pass],
        product: match rules.product {
            ProductRule::Shapley => [x_pass, x0_pass],
            ProductRule::Gradient => [x_pass, x_pass],
        },
        softmax: match rules.softmax {
            SoftmaxRule::LogMean => [x_pass, x0_pass],
            SoftmaxRule::Gradient => [x_pass, x_pass],
        },
    };
    let (m_qkv, edges) = attention::multiplier(
        &pairs,
        &layout.starts,
        encoder.config.heads,
        layer.relative.as_ref(),
        &m_ctx,
        edges,
    );
    if let Projections::Joint(qkv) = &layer.projections {
        linear::multiplier_onto(qkv, &m_qkv, m);
    }
    if let Some((bottleneck, kept, m_around)) = around {
        let m_inner = std::mem::replace(m, m_around);
        backward_bottleneck(bottleneck, kept, rules, &m_qkv, m_inner, m);
    }
    let cut = by_row(m, &x.resid_pre, &x0.resid_pre);
    WalkLayer {
        cut,
        heads,
        residual: both(residual, &past),
        mlp,
        mlp_residual: both(mlp_residual, &past),
        edges,
    }
}

/// `m`: of the block's output, and on return of its input; (N, I). Gives what went through the block and past it.
fn backward_mlp<T: Real>(
    encoder: &Encoder<T>,
    layer: &FeedForward<T>,
    [x, x0]: [&FeedForwardTrace<T>; 2],
    rules: Rules,
    m: &mut Matrix<T>,
) -> (Vec<Contribution>, Vec<Contribution>) {
    let ends = ends(rules.layer_norm, [&x.mlp_norm, &x0.mlp_norm]);
    norm::multiplier(&layer.norm, ends, m);
    let mlp = by_row(m, &x.mlp_out, &x0.mlp_out);
    let mlp_residual = by_row(m, &x.resid_mid, &x0.resid_mid);
    let mut m_act = linear::multiplier(&layer.output, m);
    let f = encoder.config.activation;
    match rules.activation {
        ActivationRule::Rescale => {
            activation::multiplier(
                f,
                (&x.mlp_pre, &x.mlp_act),
                (&x0.mlp_pre, &x0.mlp_act),
                &mut m_act,
            );
            linear::multiplier_onto(&layer.intermediate, &m_act, m);
        }
        ActivationRule::Gradient => {
            activation::multiplier(
                f,
                (&x.mlp_pre, &x.mlp_act),
                (&x.mlp_pre, &x.mlp_act),
                &mut m_act,
            );
            linear::multiplier_onto(&layer.intermediate, &m_act, m);
        }
        ActivationRule::RevealCancel => {
            let (to, from) = ((&x.resid_mid, &x.mlp_pre), (&x0.resid_mid, &x0.mlp_pre));
            let through = feed_forward::multiplier(f, &layer.intermediate, to, from, m_act);
            sum::forward(m, &through);
        }
    }
    (mlp, mlp_residual)
}

/// Adds to `m`, of the layer's input (N, H), what comes through the bottleneck: `m_inner` (N, I) of what the attention
/// was added to, and m_qkv (N, 3I).
fn backward_bottleneck<T: Real>(
    bottleneck: &Bottleneck<T>,
    kept: [&BottleneckTrace<T>; 2],
    rules: Rules,
    m_qkv: &Matrix<T>,
    mut m_inner: Matrix<T>,
    m: &mut Matrix<T>,
) {
    let mut m_shared = Matrix::zeros(m_inner.rows(), m_inner.cols());
    linear::multiplier_from(&bottleneck.query, m_qkv, 0, &mut m_shared);
    linear::multiplier_from(&bottleneck.key, m_qkv, 1, &mut m_shared);
    linear::multiplier_from(&bottleneck.value, m_qkv, 2, m);
    let shared = ends(rules.layer_norm, kept.map(|kept| &kept.shared_norm));
    norm::multiplier(&bottleneck.attention_norm, shared, &mut m_shared);
    linear::multiplier_onto(&bottleneck.attention, &m_shared, m);
    let inner = ends(rules.layer_norm, kept.map(|kept| &kept.inner_norm));
    norm::multiplier(&bottleneck.input_norm, inner, &mut m_inner);
    linear::multiplier_onto(&bottleneck.input, &m_inner, m);
}

/// What the bottleneck kept in both passes.
fn kept<T>(traces: [&LayerTrace<T>; 2]) -> Option<[&BottleneckTrace<T>; 2]> {
    let [x, x0] = traces.map(|trace| trace.bottleneck.as_ref());
    Some([x?, x0?])
}

/// The contributions of two ways of each token; `more` may be of none.
fn both(mut contributions: Vec<Contribution>, more: &[Contribution]) -> Vec<Contribution> {
    for (c, more) in contributions.iter_mut().zip(more) {
        c.positive += more.positive;
        c.negative += more.negative;
    }
    contributions
}

/// The two ends that the rule takes a norm at.
fn ends<T>(rule: LayerNormRule, [x, x0]: [&norm::Kept<T>; 2]) -> [&norm::Kept<T>; 2] {
    match rule {
        LayerNormRule::MeanSigma => [x, x0],
        LayerNormRule::Gradient => [x, x],
    }
}
