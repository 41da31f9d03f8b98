//! Y ← β·Y + α·A·B, the product that nearly all the time goes into, over views of matrices.
//!
//! The only file that knows the `gemm` crate. A view is a rectangle with strides, so that a head's columns, a
//! sequence's rows and a transpose cost nothing. Threads are rayon's: one pool, whichever is current.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Range;

use super::{Matrix, Real};

/// A rectangle of a matrix, read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    start: *const T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
    life: PhantomData<&'a T>,
}

/// A rectangle of a matrix, written.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    start: *mut T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    life: PhantomData<&'a mut T>,
}

// SAFETY: a `View` is a `&[T]` with strides and a `ViewMut` a `&mut [T]` with strides over elements that no
// other view can reach (see `ViewMut::blocks`); both may cross threads where those may.
unsafe impl<T: Sync> Send for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for View<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for ViewMut<'_, T> {}

impl<T> Matrix<T>
where
    T: Copy + Default,
{
    /// All of it.
    #[must_use]
    pub fn view(&self) -> View<'_, T> {
        View::of(self.data(), self.rows(), self.cols())
    }

    /// All of it, to be written.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        let (rows, cols) = (self.rows(), self.cols());
        ViewMut {
            start: self.data_mut().as_mut_ptr(),
            rows,
            cols,
            row_stride: cols,
            life: PhantomData,
        }
    }
}

impl<'a, T: Copy> View<'a, T> {
    /// The row-major matrix in `data`.
    ///
    /// # Panics
    ///
    /// Where `data` has not rows · cols elements.
    #[must_use]
    pub fn of(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} × {cols} matrix");
        Self {
            start: data.as_ptr(),
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
            life: PhantomData,
        }
    }

    /// The transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// The block of these rows and columns.
    ///
    /// # Panics
    ///
    /// Where it does not lie inside.
    #[must_use]
    pub fn block(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "rows {rows:?} of {}",
            self.rows
        );
        assert!(
            cols.start <= cols.end && cols.end <= self.cols,
            "columns {cols:?} of {}",
            self.cols
        );
        let offset = rows.start * self.row_stride + cols.start * self.col_stride;
        Self {
            start: self.start.wrapping_add(offset),
            rows: rows.len(),
            cols: cols.len(),
            ..self
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn cols(self) -> usize {
        self.cols
    }

    /// Row `i` of a view that is not transposed.
    ///
    /// # Panics
    ///
    /// Where there is no such row, or the columns are not neighbours in memory.
    #[must_use]
    pub fn row(self, i: usize) -> &'a [T] {
        assert!(
            i < self.rows && self.col_stride == 1,
            "row {i} of {}",
            self.rows
        );
        // SAFETY: the row lies inside the matrix that the view was made of, borrowed for 'a, and its elements
        // are neighbours.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.row_stride), self.cols) }
    }
}

impl<'a, T: Copy> ViewMut<'a, T> {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The same rectangle, lent for one more use.
    #[must_use]
    pub fn again(&mut self) -> ViewMut<'_, T> {
        ViewMut { ..*self }
    }

    /// Cuts the rectangle at rows `row_cuts` (which begin with 0 and end with the number of rows) and into
    /// `columns` equal groups of columns: the blocks of the first rows first.
    ///
    /// # Panics
    ///
    /// Where the cuts do not rise from 0 to the number of rows, or the columns do not divide evenly.
    #[must_use]
    pub fn blocks(self, row_cuts: &[usize], columns: usize) -> Vec<Self> {
        assert!(
            row_cuts.is_sorted()
                && row_cuts.first() == Some(&0)
                && row_cuts.last() == Some(&self.rows)
        );
        assert!(
            self.cols.is_multiple_of(columns),
            "{} columns in {columns} groups",
            self.cols
        );
        let width = self.cols / columns;
        let mut blocks = Vec::with_capacity((row_cuts.len() - 1) * columns);
        for rows in row_cuts.windows(2) {
            for column in 0..columns {
                // The blocks are disjoint, and `self` is gone: each is the only way to its elements.
                blocks.push(ViewMut {
                    start: self
                        .start
                        .wrapping_add(rows[0] * self.row_stride + column * width),
                    rows: rows[1] - rows[0],
                    cols: width,
                    ..self
                });
            }
        }
        blocks
    }
}

/// How much of the pool one product may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: for products that are themselves spread over the pool.
    One,
    /// The whole current pool.
    All,
}

/// Y ← α·A·B, or with `accumulate` Y ← Y + α·A·B. Shapes: A (m, k), B (k, n), Y (m, n).
///
/// # Panics
///
/// Where the shapes do not fit.
pub fn multiply<T: Real>(
    y: ViewMut<'_, T>,
    accumulate: bool,
    alpha: T,
    a: View<'_, T>,
    b: View<'_, T>,
    threads: Threads,
) {
    assert!(
        y.rows == a.rows && y.cols == b.cols && a.cols == b.rows,
        "a product of {}×{} and {}×{} into {}×{}",
        a.rows,
        a.cols,
        b.rows,
        b.cols,
        y.rows,
        y.cols
    );
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the views lie inside their matrices (made by `of`, `view`, `block`, `blocks`, which check), no
    // other view reaches what `y` writes, and the shapes fit.
    unsafe {
        gemm::gemm(
            y.rows,
            y.cols,
            a.cols,
            y.start,
            1,
            y.row_stride as isize,
            accumulate,
            a.start,
            a.col_stride as isize,
            a.row_stride as isize,
            b.start,
            b.col_stride as isize,
            b.row_stride as isize,
            T::ONE,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rows: usize, cols: usize, from: f64) -> Matrix<f64> {
        Matrix::from_vec(
            rows,
            cols,
            (0..rows * cols).map(|i| (from + i as f64).sin()).collect(),
        )
    }

    /// Three nested loops.
    fn plain(a: View<'_, f64>, b: &[Vec<f64>], alpha: f64) -> Vec<Vec<f64>> {
        (0..a.rows())
            .map(|i| {
                (0..b[0].len())
                    .map(|j| alpha * (0..a.cols()).map(|k| a.row(i)[k] * b[k][j]).sum::<f64>())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn blocks_and_transposes_multiply_like_three_loops() {
        let (a, b) = (counted(7, 10, 1.0), counted(9, 8, 2.0));
        let mut y = Matrix::<f64>::zeros(7, 12);
        let cuts = [0, 3, 7];
        for (at, block) in y.view_mut().blocks(&cuts, 2).into_iter().enumerate() {
            let rows = if at < 2 { 0..3 } else { 3..7 };
            multiply(
                block,
                false,
                0.5,
                a.view().block(rows, 2..8),
                b.view().block(1..7, 1..7),
                Threads::One,
            );
        }
        let right: Vec<Vec<f64>> = (1..7).map(|k| b.row(k)[1..7].to_vec()).collect();
        let want = plain(a.view().block(0..7, 2..8), &right, 0.5);
        for i in 0..7 {
            for j in 0..6 {
                assert!((y.row(i)[j] - want[i][j]).abs() < 1e-14);
                assert!((y.row(i)[j + 6] - want[i][j]).abs() < 1e-14);
            }
        }
        // Once more on top, from the transpose of a transposed copy.
        let mut turned = Matrix::<f64>::zeros(8, 9);
        for i in 0..9 {
            for j in 0..8 {
                turned.row_mut(j)[i] = b.row(i)[j];
            }
        }
        let mut y6 = Matrix::<f64>::zeros(7, 6);
        for _ in 0..2 {
            multiply(
                y6.view_mut(),
                true,
                0.5,
                a.view().block(0..7, 2..8),
                turned.view().t().block(1..7, 1..7),
                Threads::All,
            );
        }
        for i in 0..7 {
            for j in 0..6 {
                assert!((y6.row(i)[j] - 2.0 * want[i][j]).abs() < 1e-14);
            }
        }
    }

    #[test]
    #[should_panic(expected = "a product of 2×3 and 2×3 into 2×3")]
    fn shapes_that_do_not_fit_are_refused() {
        let a = counted(2, 3, 0.0);
        multiply(
            Matrix::zeros(2, 3).view_mut(),
            false,
            1.0,
            a.view(),
            a.view(),
            Threads::One,
        );
    }
}
