//! How many operations of products an explanation needs: METHOD section 6, a multiply-add counted as two.
//!
//! One sequence of S tokens, a layer of which R rows matter behind its keys and values. Multiply-adds of a forward pass:
//!
//! | product | multiply-adds |
//! | --- | --- |
//! | keys and values; queries | 2SH²; RH² |
//! | QKᵀ and PV, all heads together | 2RSH |
//! | attention output | RH² |
//! | feed-forward block, in and out | 2RHF |
//!
//! and of the walk:
//!
//! | product | multiply-adds |
//! | --- | --- |
//! | feed-forward block, out and in | 2RHF |
//! | attention output | RH² |
//! | m_P = m_ctx·V̄ᵀ, and m_ctx·ΔVᵀ of the edges' content | 2RSH |
//! | m_V = P̄ᵀ·m_ctx, m_Q = m_S·K̄, m_K = m_Sᵀ·Q̄ | 3RSH |
//! | back through keys and values; queries | 2SH²; RH² |
//!
//! Two forward passes and the walk: 6SH² + 6RH² + 9RSH + 6RHF. R = S but in the last layer, where only the target's tokens
//! matter: two for a span. (Where the answer has to be found first, the input's last layer needs all its rows, and
//! 4·(S−R)·(H² + SH + HF) operations more: not counted.) The span head and what is linear in S and H is left out.

use spanlift::attribute::Span;
use spanlift::model::Config;

/// What an explanation of a span target needs.
pub(crate) fn needed(config: &Config, s: usize, span: Span) -> f64 {
    let rows = if span.start == span.end { 1 } else { 2 };
    (config.layers - 1) as f64 * layer(config, s, s) + layer(config, s, rows)
}

/// The same where all rows of the last layer are computed.
pub(crate) fn unpruned(config: &Config, s: usize) -> f64 {
    config.layers as f64 * layer(config, s, s)
}

fn layer(config: &Config, s: usize, r: usize) -> f64 {
    let [s, r, h, f] = [s, r, config.hidden, config.feed_forward].map(|size| size as f64);
    2.0 * (6.0 * s * h * h + 6.0 * r * h * h + 9.0 * r * s * h + 6.0 * r * h * f)
}
