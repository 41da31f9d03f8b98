//! s_ij ← s_ij + (Q_i·K^r_b + K_j·Q^r_b)/√(D·(1 + t)): attention to relative position, with b the bucket of the distance
//! i − j and t the number of these terms; He et al. 2021, DeBERTa, equation 4. The first term is content to position
//! (`c2p`), the second position to content (`p2c`).
//!
//! K^r and Q^r are projections of a table, the same at input and reference, so each term is a linear map of Q or of K;
//! METHOD rule 1. Multipliers: m_Q,i += Σ_j m_s,ij·K^r_b, m_K,j += Σ_i m_s,ij·Q^r_b, both over √(D·(1 + t)).
//!
//! Shapes: Q, K (S, D), K^r, Q^r (2B, H), D columns of it a head; s (S, S).

use std::ops::Range;

use super::product::{Panels, View, ViewMut, multiply};
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

/// What a head's terms need, made once for all its rows.
pub(super) struct Terms<'a, T> {
    relative: &'a Relative<T>,
    /// The head's columns of the tables.
    columns: Range<usize>,
    scale: T,
    /// Rows of the distances from −(S − 1) to S − 1.
    rows: Vec<usize>,
}

impl<'a, T: Real> Terms<'a, T> {
    pub(super) fn new(
        relative: &'a Relative<T>,
        columns: Range<usize>,
        scale: T,
        s: usize,
    ) -> Self {
        let rows = relative.buckets.rows(s);
        Self {
            relative,
            columns,
            scale,
            rows,
        }
    }

    fn table<'b>(&self, table: &'b Matrix<T>) -> View<'b, T> {
        table.view().block(0..table.rows(), self.columns.clone())
    }

    /// The factors of the scores: K^r for any query, and K·Q^r of the keys K (S, D).
    pub(super) fn scores(&self, k: View<'_, T>) -> Scores<'_, T> {
        let key = self.relative.key.as_ref();
        let of_keys = self.relative.query.as_ref().map(|query| {
            let mut terms = Matrix::zeros(k.rows(), query.rows());
            let table = self.table(query).t();
            multiply(terms.view_mut(), false, self.scale, k, table);
            terms
        });
        Scores {
            terms: self,
            key: key.map(|key| Panels::of(self.table(key).t())),
            of_keys,
        }
    }

    /// Nothing yet of what goes back.
    pub(super) fn sums(&self) -> Sums<'_, T> {
        let s = self.rows.len().div_ceil(2);
        let key = self.relative.key.as_ref();
        let of_keys = self.relative.query.as_ref();
        Sums {
            terms: self,
            key: key.map(|key| (Panels::of(self.table(key)), key.rows())),
            of_keys: of_keys.map(|query| Matrix::zeros(s, query.rows())),
        }
    }
}

/// Adds the terms to scores.
pub(super) struct Scores<'a, T> {
    terms: &'a Terms<'a, T>,
    key: Option<Panels<T>>,
    of_keys: Option<Matrix<T>>,
}

impl<T: Real> Scores<'_, T> {
    /// To those of the queries Q (n, D) at these places; `scores` (n, S).
    pub(super) fn add(&self, queries: &[usize], q: View<'_, T>, scores: &mut [T]) {
        let (rows, s) = (&self.terms.rows, self.terms.rows.len().div_ceil(2));
        if let (Some(panels), Some(key)) = (&self.key, &self.terms.relative.key) {
            let mut terms = Matrix::zeros(q.rows(), key.rows());
            panels.multiply(terms.view_mut(), false, self.terms.scale, q);
            for (i, scores) in scores.chunks_exact_mut(s).enumerate() {
                let term = terms.row(i);
                for (j, score) in scores.iter_mut().enumerate() {
                    *score += term[rows[queries[i] + s - 1 - j]];
                }
            }
        }
        if let Some(terms) = &self.of_keys {
            for (i, scores) in scores.chunks_exact_mut(s).enumerate() {
                for (j, score) in scores.iter_mut().enumerate() {
                    *score += terms.row(j)[rows[queries[i] + s - 1 - j]];
                }
            }
        }
    }
}

/// Adds the terms' share of m_s to m_Q and m_K.
pub(super) struct Sums<'a, T> {
    terms: &'a Terms<'a, T>,
    key: Option<(Panels<T>, usize)>,
    /// Σ m_s over the pairs of a key that share a row of the table; (S, 2B).
    of_keys: Option<Matrix<T>>,
}

impl<T: Real> Sums<'_, T> {
    /// Of the queries at these places: m_s (n, S), m_Q (n, D).
    pub(super) fn add(&mut self, queries: &[usize], m_s: &[T], m_q: ViewMut<'_, T>) {
        let (rows, s) = (&self.terms.rows, self.terms.rows.len().div_ceil(2));
        if let Some((panels, buckets)) = &self.key {
            let mut sums = Matrix::zeros(m_q.rows(), *buckets);
            for (i, m_s) in m_s.chunks_exact(s).enumerate() {
                for (j, &m) in m_s.iter().enumerate() {
                    sums.row_mut(i)[rows[queries[i] + s - 1 - j]] += m;
                }
            }
            panels.multiply(m_q, true, self.terms.scale, sums.view());
        }
        if let Some(sums) = &mut self.of_keys {
            for (i, m_s) in m_s.chunks_exact(s).enumerate() {
                for (j, &m) in m_s.iter().enumerate() {
                    sums.row_mut(j)[rows[queries[i] + s - 1 - j]] += m;
                }
            }
        }
    }

    /// When all queries are there: m_K (S, D).
    pub(super) fn finish(self, m_k: ViewMut<'_, T>) {
        if let (Some(sums), Some(query)) = (&self.of_keys, &self.terms.relative.query) {
            let table = self.terms.table(query);
            multiply(m_k, true, self.terms.scale, sums.view(), table);
        }
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
        let terms = Terms::new(&relative, 0..1, 0.5, 2);
        let both = terms.scores(k.view());
        for i in 0..2 {
            both.add(&[i], q.view().block(i..i + 1, 0..1), scores.row_mut(i));
        }
        // ½(Q_i·K^r + K_j·Q^r): (0,0): 3·20 + 7·2, (0,1): 3·10 + 11·1, (1,0): 5·20 + 7·2, (1,1): 5·20 + 11·2.
        assert_eq!(scores.data(), [137.0, 120.5, 157.0, 161.0]);

        let m_s = Matrix::from_vec(2, 2, vec![1.0, 2.0, -1.0, 3.0]);
        let (mut m_q, mut m_k) = (Matrix::zeros(2, 1), Matrix::zeros(2, 1));
        let mut sums = terms.sums();
        for i in 0..2 {
            sums.add(&[i], m_s.row(i), m_q.view_mut().part(i..i + 1));
        }
        sums.finish(m_k.view_mut());
        // ½(1·20 + 2·10), ½(−1·20 + 3·20); ½(1·2 − 1·2), ½(2·1 + 3·2).
        assert_eq!(m_q.data(), [20.0, 20.0]);
        assert_eq!(m_k.data(), [0.0, 4.0]);
    }
}
