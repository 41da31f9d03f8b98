//! What stands in the place of a normalisation: [`layer_norm`], or MobileBERT's NoNorm, y = γ·x + β.
//!
//! Multiplier of NoNorm: m_x = γ·m_y, a linear map with a diagonal weight; METHOD rule 1.
//!
//! Shapes: x, y (S, H), γ, β (H).

use super::rows::each_row;
use super::{Matrix, Real, layer_norm};
use crate::model::Norm;

/// What the multiplier needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept<T> {
    /// Of a LayerNorm.
    LayerNorm(layer_norm::Kept<T>),
    /// Nothing.
    NoNorm,
}

/// y (S, H), and what is kept.
pub fn forward<T: Real>(norm: &Norm<T>, mut x: Matrix<T>) -> (Matrix<T>, Kept<T>) {
    match norm {
        Norm::LayerNorm(norm) => {
            let (y, kept) = layer_norm::forward(norm, x);
            (y, Kept::LayerNorm(kept))
        }
        Norm::NoNorm { weight, bias } => {
            each_row(&mut x, |_, x| {
                for (k, x) in x.iter_mut().enumerate() {
                    *x = weight[k] * *x + bias[k];
                }
            });
            (x, Kept::NoNorm)
        }
    }
}

/// m_y (S, H) becomes m_x in place.
///
/// # Panics
///
/// Where what was kept is not of this kind of norm.
pub fn multiplier<T: Real>(norm: &Norm<T>, [a, a0]: [&Kept<T>; 2], m: &mut Matrix<T>) {
    match (norm, a, a0) {
        (Norm::LayerNorm(norm), Kept::LayerNorm(a), Kept::LayerNorm(a0)) => {
            layer_norm::multiplier(norm, a, a0, m);
        }
        (Norm::NoNorm { weight, .. }, Kept::NoNorm, Kept::NoNorm) => each_row(m, |_, m| {
            for (m, &w) in m.iter_mut().zip(weight) {
                *m *= w;
            }
        }),
        _ => unreachable!("a trace of another encoder"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_norm_scales_and_shifts_each_unit() {
        let norm = Norm::NoNorm {
            weight: vec![2.0, -1.0],
            bias: vec![0.5, 1.0],
        };
        let (y, kept) = forward(&norm, Matrix::from_vec(2, 2, vec![1.0, 2.0, 3.0, -4.0]));
        // 2·1 + ½, −2 + 1; 2·3 + ½, 4 + 1.
        assert_eq!(y.data(), [2.5, -1.0, 6.5, 5.0]);
        let mut m = Matrix::from_vec(2, 2, vec![3.0, 5.0, -1.0, 0.5]);
        multiplier(&norm, [&kept, &kept], &mut m);
        assert_eq!(m.data(), [6.0, -5.0, -2.0, -0.5]);
    }
}
