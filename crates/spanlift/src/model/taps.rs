//! What the walk back leaves on its way beside its multipliers: scores at the cuts, or gradients of the parameters.

use super::{LayerSite, Site};
use crate::ops::dropout::Probs;
use crate::ops::product::View;
use crate::ops::{Matrix, Real, norm};

/// Takes what comes to the maps' outputs. Under the rule *Gradient* the multipliers are gradients, and a map y = xWᵀ + b has
/// dW = m_yᵀ·x and db = Σ m_y over the tokens.
pub trait Taps<T: Real> {
    /// Whether the scores at the cuts are wanted; where not, the walk's lists are empty.
    const SCORES: bool;

    /// Whether anything of this layer (from 0), or below it, is wanted.
    fn reach(&self, layer: usize) -> bool {
        let _ = layer;
        true
    }

    /// Whether this map's input is wanted, where it has to be made again.
    fn wants(&self, site: Site) -> bool {
        let _ = site;
        false
    }

    /// A linear map's input x (N, in), and m_y (N, out).
    fn linear(&mut self, site: Site, x: View<'_, T>, m_y: View<'_, T>) {
        let _ = (site, x, m_y);
    }

    /// What a LayerNorm kept, and m_y (N, H).
    fn norm(&mut self, site: Site, kept: &norm::Kept<T>, m_y: &Matrix<T>) {
        let _ = (site, kept, m_y);
    }

    /// A NoNorm's input x (N, H), and m_y.
    fn no_norm(&mut self, site: Site, x: View<'_, T>, m_y: &Matrix<T>) {
        let _ = (site, x, m_y);
    }

    /// m of the rows of these tables, one a token; (N, E).
    fn embeddings(&mut self, tables: &[Site], m: &Matrix<T>) {
        let _ = (tables, m);
    }

    /// What was dropped of this layer's attention probabilities.
    fn dropped_probs(&self, layer: usize) -> Option<Probs> {
        let _ = layer;
        None
    }

    /// m of what went into the dropout behind this map, from that of what came out; none where there was none.
    fn before_dropout(&self, site: Site, m: &Matrix<T>) -> Option<Matrix<T>> {
        let _ = (site, m);
        None
    }
}

/// Scores, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Scores;

impl<T: Real> Taps<T> for Scores {
    const SCORES: bool = true;
}

/// Where the numbers of MobileBERT's and DeBERTa's own begin.
const APART: u64 = 1 << 32;

/// The number of what is drawn for layer `l`'s attention probabilities.
pub(crate) fn of_probs(l: usize) -> u64 {
    APART + 40 + 1000 * l as u64
}

impl Site {
    /// A number of its own, for what is drawn there.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Words => 0,
            Self::Positions => 1,
            Self::Segments => 2,
            Self::EmbeddingNorm => 3,
            Self::EmbeddingsProject => 4,
            Self::Head => 5,
            Self::EmbeddingTransformation => APART,
            Self::EmbedProj => APART + 1,
            Self::RelativePositions => APART + 2,
            Self::RelativeNorm => APART + 3,
            Self::Layer(l, site) => {
                let place = match site {
                    LayerSite::Qkv => 0,
                    LayerSite::AttentionOutput => 1,
                    LayerSite::AttentionNorm => 2,
                    LayerSite::Intermediate => 3,
                    LayerSite::Output => 4,
                    LayerSite::OutputNorm => 5,
                    LayerSite::Bottleneck(site) => {
                        return APART + 10 + 1000 * l as u64 + site as u64;
                    }
                    LayerSite::PositionKey => return APART + 30 + 1000 * l as u64,
                    LayerSite::PositionQuery => return APART + 31 + 1000 * l as u64,
                    LayerSite::FfnIntermediate(b) => {
                        return APART + 101 + (1000 * l + 3 * b) as u64;
                    }
                    LayerSite::FfnOutput(b) => return APART + 102 + (1000 * l + 3 * b) as u64,
                    LayerSite::FfnOutputNorm(b) => return APART + 103 + (1000 * l + 3 * b) as u64,
                };
                6 + (l * 6 + place) as u64
            }
        }
    }
}
