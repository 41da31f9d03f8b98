//! Layer-wise relevance propagation (Bach et al. 2015), with AttnLRP's handling of products, softmax and LayerNorm (Achtibat et
//! al. 2024): a score is the relevance R = m·x that the target leaves at an activation.
//!
//! In multipliers its rules are those of the walk with every Δ taken from zero
//! ([`LRP`](crate::attribute::rules::LRP)):
//!
//! | operation | relevance | multiplier |
//! | --- | --- | --- |
//! | linear map, ε-rule as ε → 0 | R_j = Σ_k x_j·W_kj·R_k/y_k | m_x = m_y·W; a bias keeps its share |
//! | activation, identity | R_u = R_g | m_u = m_g·g/u, *Rescale* with u0 = 0 |
//! | product, uniform | half to each factor | m_a = m_y·b/2, the Shapley value with b0 = 0 |
//! | softmax, first-order (AttnLRP proposition 3.1) | R_s = s·(R_p − p·Σ R_p) | the Jacobian at the input |
//! | LayerNorm | σ held fixed | m_x = (g − mean(g))/σ; β keeps its share |
//!
//! Relevance is conserved by all of these but for biases and the softmax, so that cuts do not add up to the target. A reference
//! has no part in it. Edges are not given: the pattern's relevance is lost in the softmax.
//!
//! The authors of LRP hold a patent on it: whoever uses it commercially should ask them.

use crate::model::{BottleneckTrace, FeedForwardTrace, LayerTrace, Trace};
use crate::ops::attention::Head;
use crate::ops::{Matrix, Real, layer_norm, norm};

/// A pass in which every activation is zero.
pub(crate) fn zeros<T: Real>(trace: &Trace<T>) -> Trace<T> {
    assert!(trace.pruned.is_none(), "a whole pass");
    Trace {
        layout: trace.layout.clone(),
        resid_pre: Vec::new(),
        words: matrix(&trace.words),
        embedding_norm: kept(&trace.embedding_norm),
        layers: trace.layers.iter().map(layer).collect(),
        output: matrix(&trace.output),
        logits: matrix(&trace.logits),
        pruned: None,
    }
}

fn layer<T: Real>(trace: &LayerTrace<T>) -> LayerTrace<T> {
    let bottleneck = trace.bottleneck.as_ref().map(|trace| BottleneckTrace {
        inner: matrix(&trace.inner),
        inner_norm: kept(&trace.inner_norm),
        shared_norm: kept(&trace.shared_norm),
        output_norm: kept(&trace.output_norm),
    });
    let feed_forwards = trace.feed_forwards.iter().map(|trace| FeedForwardTrace {
        resid_mid: matrix(&trace.resid_mid),
        mlp_pre: matrix(&trace.mlp_pre),
        mlp_out: matrix(&trace.mlp_out),
        mlp_norm: kept(&trace.mlp_norm),
    });
    LayerTrace {
        resid_pre: matrix(&trace.resid_pre),
        bottleneck,
        qkv: matrix(&trace.qkv),
        heads: trace.heads.iter().map(head).collect(),
        ctx: matrix(&trace.ctx),
        attention_norm: kept(&trace.attention_norm),
        feed_forwards: feed_forwards.collect(),
    }
}

fn matrix<T: Real>(like: &Matrix<T>) -> Matrix<T> {
    Matrix::zeros(like.rows(), like.cols())
}

/// P = exp(0)/∞ = 0.
fn head<T: Real>(like: &Head<T>) -> Head<T> {
    Head {
        shifted: matrix(&like.shifted),
        z: vec![T::of(f64::INFINITY); like.z.len()],
    }
}

/// Not read where σ is held fixed at the input's.
fn kept<T: Real>(like: &norm::Kept<T>) -> norm::Kept<T> {
    match like {
        norm::Kept::NoNorm => norm::Kept::NoNorm,
        norm::Kept::LayerNorm(like) => norm::Kept::LayerNorm(layer_norm::Kept {
            n: matrix(&like.n),
            r: vec![T::ZERO; like.r.len()],
        }),
    }
}
