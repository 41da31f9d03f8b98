//! Contributions m·Δx, summed over groups of hidden units; METHOD section 1.
//!
//! Shapes: m, x, x0 (S, H) give (S) or, by head, (S, A) sums. Products and sums run in f64, whatever T is.

use super::product::View;
use super::rows::{fold, lanes, map_rows, vectorised};
use super::{Matrix, Real};

/// A token's contributions at one cut.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contribution {
    /// Sum of the positive ones.
    pub positive: f64,
    /// Sum of the negative ones.
    pub negative: f64,
}

impl Contribution {
    /// Sum of all.
    #[must_use]
    pub fn score(self) -> f64 {
        self.positive + self.negative
    }
}

/// Σ m·(x − x0) over the hidden axis, for each row; (S).
pub fn by_row<T: Real>(m: &Matrix<T>, x: View<'_, T>, x0: View<'_, T>) -> Vec<Contribution> {
    map_rows(m.rows(), |i| contribution(m.row(i), x.row(i), x0.row(i)))
}

/// Σ m·(x − x0) over each of `heads` groups of neighbouring columns, for each row; (S, A) row by row.
pub fn by_head<T: Real>(m: &Matrix<T>, x: View<'_, T>, x0: View<'_, T>, heads: usize) -> Vec<f64> {
    let width = m.cols() / heads;
    map_rows(m.rows() * heads, |at| {
        let (i, columns) = (at / heads, at % heads * width..(at % heads + 1) * width);
        contribution(
            &m.row(i)[columns.clone()],
            &x.row(i)[columns.clone()],
            &x0.row(i)[columns],
        )
        .score()
    })
}

vectorised! {
    fn contribution<'a, T: Real>(m: &'a [T], x: &'a [T], x0: &'a [T]) -> Contribution {
        let n = m.len();
        let (x, x0) = (&x[..n], &x0[..n]);
        let [positive, negative] = lanes([m, x, x0], [0.0, 0.0], |[positive, negative], [m, x, x0]| {
            let c = m.f64() * (x.f64() - x0.f64());
            if c > 0.0 {
                [positive + c, negative + 0.0]
            } else {
                [positive + 0.0, negative + c]
            }
        });
        Contribution { positive: fold(positive), negative: fold(negative) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_kept_apart_and_nan_is_not_lost() {
        let n = 20;
        let m = Matrix::from_vec(1, n, (0..n).map(|k| k as f32).collect());
        let x = Matrix::from_vec(
            1,
            n,
            (0..n)
                .map(|k| if k % 2 == 0 { 3.0 } else { -1.0 })
                .collect(),
        );
        let x0 = Matrix::from_vec(1, n, vec![1.0; n]);
        let [got] = by_row(&m, x.view(), x0.view())[..] else {
            panic!()
        };
        // Even k: k·2, together 2·90; odd k: k·(−2), together −2·100.
        assert_eq!(
            (got.positive, got.negative, got.score()),
            (180.0, -200.0, -20.0)
        );
        // Four heads of five columns: the first has 2·(0 + 2 + 4) and −2·(1 + 3).
        let heads = by_head(&m, x.view(), x0.view(), 4);
        assert_eq!(heads, [4.0, -14.0, 24.0, -34.0]);
        let broken = Matrix::from_vec(1, n, vec![f32::NAN; n]);
        assert!(by_row(&broken, x.view(), x0.view())[0].score().is_nan());
    }
}
