//! The walk back: multipliers from the logits to the words, a rule an operation. The same list as `forward.rs`,
//! read up, with the scores taken at each cut on the way; METHOD sections 2, 3 and 6.

use super::trace::{LayerTrace, Layout, Trace};
use super::{Encoder, Layer};
use crate::attribute::rules::{
    ActivationRule, LayerNormRule, LinearRule, ProductRule, Rules, SoftmaxRule, SumRule,
};
use crate::ops::attention::{Edges, Pairs, Pass};
use crate::ops::contribution::{Contribution, by_head, by_row};
use crate::ops::{Matrix, Real, activation, attention, feed_forward, layer_norm, linear};

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
    /// Past the attention, through its residual connection; (N).
    pub residual: Vec<Contribution>,
    /// Through the feed-forward block; (N).
    pub mlp: Vec<Contribution>,
    /// Past the feed-forward block, through its residual connection; (N).
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

    let [a, b] = ends(
        rules.layer_norm,
        [&input.embedding_norm, &reference.embedding_norm],
    );
    layer_norm::multiplier(&encoder.embeddings.layer_norm, a, b, &mut m);
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
    let [a, b] = ends(rules.layer_norm, [&x.mlp_norm, &x0.mlp_norm]);
    layer_norm::multiplier(&layer.output_layer_norm, a, b, m);
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
            crate::ops::sum::forward(m, &through);
        }
    }

    let [a, b] = ends(rules.layer_norm, [&x.attention_norm, &x0.attention_norm]);
    layer_norm::multiplier(&layer.attention_layer_norm, a, b, m);
    let residual = by_row(m, &x.resid_pre, &x0.resid_pre);
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
    let (m_qkv, edges) =
        attention::multiplier(&pairs, &layout.starts, encoder.config.heads, &m_ctx, edges);
    linear::multiplier_onto(&layer.qkv, &m_qkv, m);
    let cut = by_row(m, &x.resid_pre, &x0.resid_pre);
    WalkLayer {
        cut,
        heads,
        residual,
        mlp,
        mlp_residual,
        edges,
    }
}

/// The two ends that the rule takes LayerNorm at.
fn ends<T>(rule: LayerNormRule, [x, x0]: [&layer_norm::Kept<T>; 2]) -> [&layer_norm::Kept<T>; 2] {
    match rule {
        LayerNormRule::MeanSigma => [x, x0],
        LayerNormRule::Gradient => [x, x],
    }
}
