//! y = x1 + x2, the residual connection; METHOD rule 2.
//!
//! Multiplier: m_y to both, so there is nothing to compute.
//!
//! Shapes: x1, x2, y (S, H).

use super::rows::{each_row, vectorised};
use super::{Matrix, Real};

/// x1 becomes x1 + x2.
pub fn forward<T: Real>(x1: &mut Matrix<T>, x2: &Matrix<T>) {
    each_row(x1, |i, x1| add(x1, x2.row(i)));
}

vectorised! {
    /// y = x1 + x2 for one row.
    pub(super) fn of_rows<'a, T: Real>(x1: &'a [T], x2: &'a [T], y: &'a mut [T]) -> () {
        let n = y.len();
        let (x1, x2) = (&x1[..n], &x2[..n]);
        for k in 0..n {
            y[k] = x1[k] + x2[k];
        }
    }
}

vectorised! {
    /// The same for one row.
    pub(super) fn add<'a, T: Real>(x1: &'a mut [T], x2: &'a [T]) -> () {
        for (x1, &x2) in x1.iter_mut().zip(x2) {
            *x1 += x2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        let mut x1 = Matrix::from_vec(2, 2, vec![1.0, 2.0, 3.0, 4.0]);
        forward(
            &mut x1,
            &Matrix::from_vec(2, 2, vec![10.0, 20.0, 30.0, 40.0]),
        );
        assert_eq!(x1.data(), [11.0, 22.0, 33.0, 44.0]);
    }
}
