//! Attention itself, as many people look at it: where the target's tokens look, raw or rolled out.
//!
//! With Ā_l the mean of layer l's attention over its heads and q the target's tokens by weight (|u| + |v| of each, made to sum to 1):
//! *raw* (Clark et al. 2019) is q·Ā_l at the input of layer l, and the mean over layers at the words; *rollout* (Abnar & Zuidema 2020,
//! section 3) is r_l = r_{l+1}·(Ā_l + I)/2 from r = q at the output down to layer 1, and the same at the words. The half
//! of I stands for the residual connection.
//!
//! No score is below 0 and those of a cut sum to 1: they are no shares of Δt, and say nothing of what raises or lowers the target.

use super::{Found, Passes, Sequence, signed};
use crate::attribute::Attribution;
use crate::ops::attention::Head;
use crate::ops::contribution::Contribution;
use crate::ops::{Matrix, Real};

/// How the layers' attention becomes scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Each layer's own.
    Raw,
    /// Multiplied from the output down.
    Rollout,
}

/// Scores of the words and of every cut; `layers` has the heads of each layer.
pub(crate) fn scores<T: Real>(
    sequence: &Sequence<'_, T>,
    flow: Flow,
    layers: &[&[Head<T>]],
) -> Found<T> {
    let s = sequence.ids.len();
    let mut looks = vec![0.0; s];
    let terms = sequence.target.terms();
    let all: f64 = terms.iter().map(|(_, u, v)| u.abs() + v.abs()).sum();
    for (token, u, v) in terms {
        looks[token] += (u.abs() + v.abs()) / all;
    }
    let mut cuts = vec![looks.clone()];
    for heads in layers.iter().rev() {
        let from = match (flow, cuts.last()) {
            (Flow::Rollout, Some(above)) => above,
            _ => &looks,
        };
        let mut seen = through(heads, from);
        if flow == Flow::Rollout {
            let halves = seen.iter_mut().zip(from);
            halves.for_each(|(seen, own)| *seen = 0.5 * (*seen + own));
        }
        cuts.push(seen);
    }
    cuts.reverse();
    let words = match flow {
        Flow::Rollout => cuts[0].clone(),
        Flow::Raw => {
            let of_layers = &cuts[..layers.len()];
            let mean = |j: usize| of_layers.iter().map(|cut| cut[j]).sum::<f64>();
            (0..s).map(|j| mean(j) / layers.len() as f64).collect()
        }
    };
    let contributions =
        |cut: Vec<f64>| -> Vec<Contribution> { cut.into_iter().map(signed).collect() };
    let attribution = Attribution {
        cuts: cuts.into_iter().map(contributions).collect(),
        ..sequence.of_words(words, 0.0)
    };
    Found {
        attribution,
        passes: Passes {
            forward: 1,
            backward: 0,
        },
        chosen: [].into(),
    }
}

/// from·Ā, with Ā the mean over the heads.
fn through<T: Real>(heads: &[Head<T>], from: &[f64]) -> Vec<f64> {
    let mut seen = vec![0.0; from.len()];
    for head in heads {
        let probs: Matrix<T> = head.probs();
        for (i, &weight) in from.iter().enumerate() {
            if weight != 0.0 {
                let row = seen.iter_mut().zip(probs.row(i));
                row.for_each(|(seen, p)| *seen += weight * p.f64());
            }
        }
    }
    seen.iter_mut().for_each(|seen| *seen /= heads.len() as f64);
    seen
}
