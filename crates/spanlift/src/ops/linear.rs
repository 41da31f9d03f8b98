//! y = xWᵀ + b; METHOD rule 1 (rule 7 for the span head).
//!
//! Multiplier: m_x = m_y·W. The bias cancels.
//!
//! Shapes: x (S, in), W (out, in), b (out), y (S, out).

use super::product::{Threads, multiply};
use super::rows::each_row;
use super::{Matrix, Real};
use crate::model::Linear;

/// y (S, out).
pub fn forward<T: Real>(linear: &Linear<T>, x: &Matrix<T>) -> Matrix<T> {
    let mut y = Matrix::zeros(x.rows(), linear.weight.rows());
    each_row(&mut y, |_, y| y.copy_from_slice(&linear.bias));
    multiply(
        y.view_mut(),
        true,
        T::ONE,
        x.view(),
        linear.weight.view().t(),
        Threads::All,
    );
    y
}

/// m_x (S, in).
pub fn multiplier<T: Real>(linear: &Linear<T>, m_y: &Matrix<T>) -> Matrix<T> {
    let mut m_x = Matrix::zeros(m_y.rows(), linear.weight.cols());
    multiply(
        m_x.view_mut(),
        false,
        T::ONE,
        m_y.view(),
        linear.weight.view(),
        Threads::All,
    );
    m_x
}

/// m_x ← m_x + m_y·W: a branch that joins others at x.
pub fn multiplier_onto<T: Real>(linear: &Linear<T>, m_y: &Matrix<T>, m_x: &mut Matrix<T>) {
    multiply(
        m_x.view_mut(),
        true,
        T::ONE,
        m_y.view(),
        linear.weight.view(),
        Threads::All,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_case_by_hand() {
        let linear = Linear {
            weight: Matrix::from_vec(2, 3, vec![1.0, 2.0, 0.0, -1.0, 0.0, 3.0]),
            bias: vec![0.5, -0.5],
        };
        let x = Matrix::from_vec(1, 3, vec![2.0, -1.0, 1.0]);
        // 1·2 + 2·(−1) + 0·1 + ½ and −1·2 + 0 + 3·1 − ½.
        assert_eq!(forward(&linear, &x).data(), [0.5, 0.5]);
        let m_y = Matrix::from_vec(1, 2, vec![2.0, 1.0]);
        // 2·(1, 2, 0) + 1·(−1, 0, 3).
        assert_eq!(multiplier(&linear, &m_y).data(), [1.0, 4.0, 3.0]);
        let mut m_x = Matrix::from_vec(1, 3, vec![10.0, 10.0, 10.0]);
        multiplier_onto(&linear, &m_y, &mut m_x);
        assert_eq!(m_x.data(), [11.0, 14.0, 13.0]);
    }
}
