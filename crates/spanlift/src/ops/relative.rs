//! s_ij ← s_ij + (Q_i·K^r_b + K_j·Q^r_b)/√(D·(1 + t)): attention to relative position, with b the bucket of the distance
//! i − j and t the number of these terms; He et al. 2021, DeBERTa, equation 4. The first term is content to position
//! (`c2p`), the second position to content (`p2c`).
//!
//! K^r and Q^r are projections of a table, the same at input and reference, so each term is a linear map of Q or of K;
//! METHOD rule 1. Multipliers: m_Q,i += Σ_j m_s,ij·K^r_b, m_K,j += Σ_i m_s,ij·Q^r_b, both over √(D·(1 + t)).
//!
//! Shapes: Q, K (S, D), K^r, Q^r (2B, H), D columns of it a head; s (S, S).

use std::ops::Range;

use super::product::{View, ViewMut, multiply};
use super::{Matrix, Real};

/// The projected tables of one layer. At least one of the two is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative<T> {
    /// K^r, for `c2p`; (2B, H).
    pub key: Option<Matrix<T>>,
    /// Q^r, for `p2c`; (2B, H).
    pub query: Option<Matrix<T>>,
    /// Which row a distance has.
    pub buckets: Buckets,
}

impl<T> Relative<T> {
    /// t, the number of terms beside QKᵀ.
    #[must_use]
    pub fn terms(&self) -> usize {
        usize::from(self.key.is_some()) + usize::from(self.query.is_some())
    }
}

/// The row of a distance: its own for near ones, for far ones (where `logarithmic`) one of a bucket that widens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// B: rows for distances of one sign.
    pub span: usize,
    /// The distance that falls into the last bucket, plus 1; `None` where each distance has its own row.
    pub logarithmic: Option<usize>,
}

impl Buckets {
    /// The row of distance i − j, as in
    /// [`make_log_bucket_position`](https://github.com/huggingface/transformers/blob/d60525f3595f8214576d6b8f1c54ac7cd0b5c42c/src/transformers/models/deberta_v2/modeling_deberta_v2.py):
    /// in `f32`, as there, whatever the engine computes in.
    #[must_use]
    pub fn row(self, distance: isize) -> usize {
        let middle = self.span / 2;
        let size = distance.unsigned_abs();
        let bucket = match self.logarithmic {
            Some(most) if size > middle => {
                let (size, middle, most) = (size as f32, middle as f32, most as f32);
                let part = (size / middle).ln() / ((most - 1.0) / middle).ln();
                let bucket = (part * (middle - 1.0)).ceil() + middle;
                bucket as isize * distance.signum()
            }
            _ => distance,
        };
        let span = self.span as isize;
        bucket.saturating_add(span).clamp(0, 2 * span - 1) as usize
    }

    /// Rows of the distances from −(S − 1) to S − 1.
    fn rows(self, s: usize) -> Vec<usize> {
        let last = s as isize - 1;
        (-last..=last).map(|distance| self.row(distance)).collect()
    }
}

/// Adds a head's terms to its scores; `columns` are the head's of the tables.
pub(super) fn forward<T: Real>(
    relative: &Relative<T>,
    columns: Range<usize>,
    [q, k]: [View<'_, T>; 2],
    scale: T,
    scores: &mut Matrix<T>,
) {
    let s = scores.rows();
    let rows = relative.buckets.rows(s);
    let of = |table: &Matrix<T>, x: View<'_, T>| {
        let mut terms = Matrix::zeros(s, table.rows());
        let table = table.view().block(0..table.rows(), columns.clone());
        multiply(terms.view_mut(), false, scale, x, table.t());
        terms
    };
    if let Some(key) = &relative.key {
        let terms = of(key, q);
        for i in 0..s {
            let term = terms.row(i);
            for (j, score) in scores.row_mut(i).iter_mut().enumerate() {
                *score += term[rows[i + s - 1 - j]];
            }
        }
    }
    if let Some(query) = &relative.query {
        let terms = of(query, k);
        for i in 0..s {
            for (j, score) in scores.row_mut(i).iter_mut().enumerate() {
                *score += terms.row(j)[rows[i + s - 1 - j]];
            }
        }
    }
}

/// Adds the terms' share of m_s (S, S) to m_Q and m_K (S, D).
pub(super) fn multiplier<T: Real>(
    relative: &Relative<T>,
    columns: Range<usize>,
    m_s: &Matrix<T>,
    scale: T,
    [m_q, m_k]: [ViewMut<'_, T>; 2],
) {
    let s = m_s.rows();
    let rows = relative.buckets.rows(s);
    let onto = |m: ViewMut<'_, T>, table: &Matrix<T>, at: &dyn Fn(usize, usize) -> usize| {
        // Σ m_s over the pairs that share a row of the table; (S, 2B).
        let mut sums = Matrix::zeros(s, table.rows());
        for i in 0..s {
            for (j, &m) in m_s.row(i).iter().enumerate() {
                sums.row_mut(at(i, j))[rows[i + s - 1 - j]] += m;
            }
        }
        let table = table.view().block(0..table.rows(), columns.clone());
        multiply(m, true, scale, sums.view(), table);
    };
    if let Some(key) = &relative.key {
        onto(m_q, key, &|i, _| i);
    }
    if let Some(query) = &relative.query {
        onto(m_k, query, &|_, j| j);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_distances_have_a_row_each_and_far_ones_share() {
        let all = Buckets {
            span: 4,
            logarithmic: None,
        };
        let rows: Vec<usize> = (-6..=6).map(|d| all.row(d)).collect();
        assert_eq!(rows, [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7]);
        // 8 buckets of each sign, the middle 4, the last distance 31: up to 4 each its own, then
        // ⌈3·ln(d/4)/ln(31/4)⌉ + 4: 1 up to d = 4·(31/4)^⅓ = 7.9, 2 up to 15.7, 3 up to 31.
        let log = Buckets {
            span: 8,
            logarithmic: Some(32),
        };
        let rows: Vec<usize> = [0, 1, 4, 5, 7, 8, 15, 16, 31, 200]
            .map(|d| log.row(d))
            .to_vec();
        assert_eq!(rows, [8, 9, 12, 13, 13, 14, 14, 15, 15, 15]);
        let rows: Vec<usize> = [-4, -7, -15, -31, -200].map(|d| log.row(d)).to_vec();
        assert_eq!(rows, [4, 3, 2, 1, 0]);
    }

    /// Two tokens, one head of one column, B = 1: distances −1, 0, 1 have the rows 0, 1, 1.
    #[test]
    fn a_small_case_by_hand() {
        let relative = Relative {
            key: Some(Matrix::from_vec(2, 1, vec![10.0, 20.0])),
            query: Some(Matrix::from_vec(2, 1, vec![1.0, 2.0])),
            buckets: Buckets {
                span: 1,
                logarithmic: None,
            },
        };
        assert_eq!(relative.terms(), 2);
        let q = Matrix::from_vec(2, 1, vec![3.0, 5.0]);
        let k = Matrix::from_vec(2, 1, vec![7.0, 11.0]);
        let mut scores = Matrix::from_vec(2, 2, vec![100.0; 4]);
        forward(&relative, 0..1, [q.view(), k.view()], 0.5, &mut scores);
        // ½(Q_i·K^r + K_j·Q^r): (0,0): 3·20 + 7·2, (0,1): 3·10 + 11·1, (1,0): 5·20 + 7·2, (1,1): 5·20 + 11·2.
        assert_eq!(scores.data(), [137.0, 120.5, 157.0, 161.0]);

        let m_s = Matrix::from_vec(2, 2, vec![1.0, 2.0, -1.0, 3.0]);
        let (mut m_q, mut m_k) = (Matrix::zeros(2, 1), Matrix::zeros(2, 1));
        multiplier(&relative, 0..1, &m_s, 0.5, [m_q.view_mut(), m_k.view_mut()]);
        // ½(1·20 + 2·10), ½(−1·20 + 3·20); ½(1·2 − 1·2), ½(2·1 + 3·2).
        assert_eq!(m_q.data(), [20.0, 20.0]);
        assert_eq!(m_k.data(), [0.0, 4.0]);
    }
}
