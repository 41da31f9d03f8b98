//! y = xWᵀ + b; METHOD rule 1 (rule 7 for the span head).
//!
//! Multiplier: m_x = m_y·W. The bias cancels.
//!
//! Shapes: x (S, in), W (out, in), b (out), y (S, out).

use super::product::View;
use super::{Matrix, Real};
use crate::model::Linear;

/// y (S, out).
pub fn forward<T: Real>(linear: &Linear<T>, x: &Matrix<T>) -> Matrix<T> {
    forward_of(linear, x.view())
}

/// The same of a view.
pub(super) fn forward_of<T: Real>(linear: &Linear<T>, x: View<'_, T>) -> Matrix<T> {
    let mut y = Matrix::reused(x.rows(), linear.weight.outputs());
    linear.weight.down(x, &linear.bias, y.view_mut());
    y
}

/// m_x (S, in).
pub fn multiplier<T: Real>(linear: &Linear<T>, m_y: &Matrix<T>) -> Matrix<T> {
    let mut m_x = Matrix::reused(m_y.rows(), linear.weight.inputs());
    linear
        .weight
        .back(m_y.view(), false, T::ONE, m_x.view_mut());
    m_x
}

/// m_x ← m_x + m_y·W: a branch that joins others at x.
pub fn multiplier_onto<T: Real>(linear: &Linear<T>, m_y: View<'_, T>, m_x: &mut Matrix<T>) {
    linear.weight.back(m_y, true, T::ONE, m_x.view_mut());
}

/// (y₁ … yₙ): maps of equally many outputs, each of its own input; (S, n·out).
///
/// # Panics
///
/// Where the maps have not equally many outputs, or the inputs not equally many rows.
pub fn side_by_side<T: Real, const N: usize>(maps: [(&Linear<T>, &Matrix<T>); N]) -> Matrix<T> {
    let rows = maps.first().map_or(0, |(_, x)| x.rows());
    let outputs = maps.first().map_or(0, |(map, _)| map.weight.outputs());
    let mut y = Matrix::reused(rows, N * outputs);
    let blocks = y.view_mut().blocks(&[0, rows], N);
    for ((map, x), block) in maps.into_iter().zip(blocks) {
        map.weight.down(x.view(), &map.bias, block);
    }
    y
}

/// m_x ← m_x + m_yᵢ·W, with m_yᵢ the `part`-th group of columns of m_y, as [`side_by_side`] has them.
pub fn multiplier_from<T: Real>(
    linear: &Linear<T>,
    m_y: &Matrix<T>,
    part: usize,
    m_x: &mut Matrix<T>,
) {
    let width = linear.weight.outputs();
    let part = m_y
        .view()
        .block(0..m_y.rows(), part * width..(part + 1) * width);
    linear.weight.back(part, true, T::ONE, m_x.view_mut());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::product::Weights;

    #[test]
    fn a_small_case_by_hand() {
        let linear = Linear {
            weight: Weights::of(&Matrix::from_vec(2, 3, vec![1.0, 2.0, 0.0, -1.0, 0.0, 3.0])),
            bias: vec![0.5, -0.5],
        };
        let x = Matrix::from_vec(1, 3, vec![2.0, -1.0, 1.0]);
        // 1·2 + 2·(−1) + 0·1 + ½ and −1·2 + 0 + 3·1 − ½.
        assert_eq!(forward(&linear, &x).data(), [0.5, 0.5]);
        let m_y = Matrix::from_vec(1, 2, vec![2.0, 1.0]);
        // 2·(1, 2, 0) + 1·(−1, 0, 3).
        assert_eq!(multiplier(&linear, &m_y).data(), [1.0, 4.0, 3.0]);
        let mut m_x = Matrix::from_vec(1, 3, vec![10.0, 10.0, 10.0]);
        multiplier_onto(&linear, m_y.view(), &mut m_x);
        assert_eq!(m_x.data(), [11.0, 14.0, 13.0]);
    }

    #[test]
    fn maps_side_by_side_go_back_each_to_its_own() {
        let one = Linear {
            weight: Weights::of(&Matrix::from_vec(1, 2, vec![2.0, -1.0])),
            bias: vec![0.5],
        };
        let other = Linear {
            weight: Weights::of(&Matrix::from_vec(1, 1, vec![3.0])),
            bias: vec![-1.0],
        };
        let x = Matrix::from_vec(2, 2, vec![1.0, 2.0, 3.0, 4.0]);
        let z = Matrix::from_vec(2, 1, vec![5.0, 6.0]);
        let y = side_by_side([(&one, &x), (&other, &z)]);
        // 2·1 − 2 + ½, 3·5 − 1; 2·3 − 4 + ½, 3·6 − 1.
        assert_eq!(y.data(), [0.5, 14.0, 2.5, 17.0]);
        let m_y = Matrix::from_vec(2, 2, vec![1.0, 2.0, 3.0, 4.0]);
        let (mut m_x, mut m_z) = (Matrix::zeros(2, 2), Matrix::zeros(2, 1));
        multiplier_from(&one, &m_y, 0, &mut m_x);
        multiplier_from(&other, &m_y, 1, &mut m_z);
        assert_eq!(m_x.data(), [2.0, -1.0, 6.0, -3.0]);
        assert_eq!(m_z.data(), [6.0, 12.0]);
    }
}
