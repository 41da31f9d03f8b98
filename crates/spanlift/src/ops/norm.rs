//! What stands in the place of a normalisation: [`layer_norm`], or MobileBERT's NoNorm, y = γ·x + β.
//!
//! Multiplier of NoNorm: m_x = γ·m_y, a linear map with a diagonal weight; METHOD rule 1.
//!
//! Shapes: x, y (S, H), γ, β (H).

use super::product::View;
use super::rows::{each_row, picked};
use super::{Matrix, Real, layer_norm, sum};
use crate::model::Norm;

/// What the multiplier needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept<T> {
    /// Of a LayerNorm.
    LayerNorm(layer_norm::Kept<T>),
    /// Nothing.
    NoNorm,
}

impl<T: Real> Kept<T> {
    /// Of these rows, counted from the first on.
    pub(crate) fn picked(&self, first: usize, rows: &[usize]) -> Self {
        match self {
            Self::LayerNorm(kept) => {
                let rows: Vec<usize> = rows.iter().map(|row| first + row).collect();
                Self::LayerNorm(layer_norm::Kept {
                    n: picked(kept.n.view(), &rows),
                    r: rows.iter().map(|&row| kept.r[row]).collect(),
                })
            }
            Self::NoNorm => Self::NoNorm,
        }
    }

    /// Leaves the memory to the next pass.
    pub(crate) fn recycle(self) {
        if let Self::LayerNorm(kept) = self {
            kept.n.recycle();
        }
    }
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

/// The same for x = x1 + x2.
pub fn forward_of_sum<T: Real>(
    norm: &Norm<T>,
    x1: &Matrix<T>,
    x2: View<'_, T>,
) -> (Matrix<T>, Kept<T>) {
    match norm {
        Norm::LayerNorm(norm) => {
            let (y, kept) = layer_norm::forward_of_sum(norm, x1, x2);
            (y, Kept::LayerNorm(kept))
        }
        Norm::NoNorm { .. } => {
            let mut x = Matrix::reused(x1.rows(), x1.cols());
            each_row(&mut x, |i, x| sum::of_rows(x1.row(i), x2.row(i), x));
            forward(norm, x)
        }
    }
}

/// y (S, H) once more, from what was kept; of a norm that kept nothing, nothing.
pub fn again<T: Real>(norm: &Norm<T>, kept: &Kept<T>) -> Matrix<T> {
    match (norm, kept) {
        (Norm::LayerNorm(norm), Kept::LayerNorm(kept)) => layer_norm::again(norm, kept),
        _ => Matrix::zeros(0, 0),
    }
}

/// What a pass kept, and the first of its rows that are meant.
pub type From<'a, T> = (&'a Kept<T>, usize);

/// Where a rule takes σ and n from.
#[derive(Clone, Copy, Debug)]
pub enum Ends<'a, T> {
    /// The mean of two.
    Mean([From<'a, T>; 2]),
    /// σ of one, and nothing through it.
    Fixed(From<'a, T>),
}

/// m_y (S, H) becomes m_x in place.
///
/// # Panics
///
/// Where what was kept is not of this kind of norm.
pub fn multiplier<T: Real>(norm: &Norm<T>, ends: Ends<'_, T>, m: &mut Matrix<T>) {
    match (norm, ends) {
        (
            Norm::LayerNorm(norm),
            Ends::Mean([(Kept::LayerNorm(a), first), (Kept::LayerNorm(a0), first0)]),
        ) => layer_norm::multiplier(norm, [(a, first), (a0, first0)], m),
        (Norm::LayerNorm(norm), Ends::Fixed((Kept::LayerNorm(a), first))) => {
            layer_norm::multiplier_fixed(norm, (a, first), m)
        }
        (
            Norm::NoNorm { weight, .. },
            Ends::Mean([(Kept::NoNorm, _), (Kept::NoNorm, _)]) | Ends::Fixed((Kept::NoNorm, _)),
        ) => {
            each_row(m, |_, m| {
                for (m, &w) in m.iter_mut().zip(weight) {
                    *m *= w;
                }
            });
        }
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
        multiplier(&norm, Ends::Mean([(&kept, 0), (&kept, 0)]), &mut m);
        assert_eq!(m.data(), [6.0, -5.0, -2.0, -0.5]);
    }
}
