//! The forward pass: words to logits, an operation a line. `backward.rs` is the same list, read up.

use super::trace::{LayerTrace, Layout, Trace};
use super::{Encoder, Layer};
use crate::ops::{Matrix, Real, activation, attention, embedding, layer_norm, linear, sum};

/// Runs the encoder and the span head on word embeddings (N, H).
pub fn forward<T: Real>(encoder: &Encoder<T>, layout: &Layout, words: Matrix<T>) -> Trace<T> {
    let embedded = embedding::forward(
        &encoder.embeddings,
        &words,
        &layout.positions,
        &layout.segments,
    );
    let (mut resid, embedding_norm) = layer_norm::forward(&encoder.embeddings.layer_norm, embedded);
    let mut layers = Vec::with_capacity(encoder.layers.len());
    for layer in &encoder.layers {
        let (next, trace) = forward_layer(encoder, layer, layout, resid);
        layers.push(trace);
        resid = next;
    }
    let logits = linear::forward(&encoder.qa_outputs, &resid);
    Trace {
        words,
        embedding_norm,
        layers,
        output: resid,
        logits,
    }
}

fn forward_layer<T: Real>(
    encoder: &Encoder<T>,
    layer: &Layer<T>,
    layout: &Layout,
    resid_pre: Matrix<T>,
) -> (Matrix<T>, LayerTrace<T>) {
    let qkv = linear::forward(&layer.qkv, &resid_pre);
    let (ctx, heads) = attention::forward(&qkv, &layout.starts, encoder.config.heads);
    let mut attn_out = linear::forward(&layer.attention_output, &ctx);
    sum::forward(&mut attn_out, &resid_pre);
    let (resid_mid, attention_norm) = layer_norm::forward(&layer.attention_layer_norm, attn_out);

    let mlp_pre = linear::forward(&layer.intermediate, &resid_mid);
    let mlp_act = activation::forward(encoder.config.activation, &mlp_pre);
    let mlp_out = linear::forward(&layer.output, &mlp_act);
    let mut mlp_sum = mlp_out.clone();
    sum::forward(&mut mlp_sum, &resid_mid);
    let (resid_post, mlp_norm) = layer_norm::forward(&layer.output_layer_norm, mlp_sum);

    let trace = LayerTrace {
        resid_pre,
        qkv,
        heads,
        ctx,
        attention_norm,
        resid_mid,
        mlp_pre,
        mlp_act,
        mlp_out,
        mlp_norm,
    };
    (resid_post, trace)
}
