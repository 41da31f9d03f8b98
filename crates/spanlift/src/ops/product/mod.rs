//! Y ← β·Y + α·A·B, the product that nearly all the time goes into, over views of matrices.
//!
//! A view is a rectangle with strides, so that a head's columns, a sequence's rows and a transpose cost nothing.
//! [`multiply`] takes any two, on the thread that calls it; [`Weights`] are those of a linear map, packed once, and
//! spread over the pool (rayon's, whichever is current).
#![allow(unsafe_code)]

mod kernel;
mod turn;
mod weights;

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::{Matrix, Real};
pub use kernel::Kernel;
use kernel::{Job, JobOf, Onto, RowsOf};
use turn::Rows;
pub use weights::Weights;

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
// other view can reach (see `ViewMut::blocks` and `split`); both may cross threads where those may.
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
        ViewMut::of(self.data_mut(), rows, cols)
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
    /// The row-major matrix in `data`, to be written.
    ///
    /// # Panics
    ///
    /// Where `data` has not rows · cols elements.
    #[must_use]
    pub fn of(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} × {cols} matrix");
        Self {
            start: data.as_mut_ptr(),
            rows,
            cols,
            row_stride: cols,
            life: PhantomData,
        }
    }

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

    /// Row `i`, to be written.
    ///
    /// # Panics
    ///
    /// Where there is no such row.
    #[must_use]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // SAFETY: the row lies inside the matrix, its elements are neighbours, and this view is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.row_stride), self.cols) }
    }

    /// These rows of it, lent.
    ///
    /// # Panics
    ///
    /// Where it has no such rows.
    #[must_use]
    pub fn part(&mut self, rows: Range<usize>) -> ViewMut<'_, T> {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "rows {rows:?} of {}",
            self.rows
        );
        ViewMut {
            start: self.start.wrapping_add(rows.start * self.row_stride),
            rows: rows.len(),
            ..*self
        }
    }

    /// The first columns, so many, and the others.
    ///
    /// # Panics
    ///
    /// Where it has not so many.
    #[must_use]
    pub fn split(self, columns: usize) -> [Self; 2] {
        assert!(columns <= self.cols, "{columns} of {} columns", self.cols);
        // The two are disjoint, and `self` is gone.
        let others = ViewMut {
            start: self.start.wrapping_add(columns),
            cols: self.cols - columns,
            ..self
        };
        [
            ViewMut {
                cols: columns,
                ..self
            },
            others,
        ]
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
) {
    let panels = Panels::of(b);
    panels.multiply(y, accumulate, alpha, a);
    panels.recycle();
}

/// A right factor (k, n), packed for several products.
#[derive(Debug)]
pub struct Panels<T> {
    rows: usize,
    cols: usize,
    panels: Matrix<T>,
}

impl<T: Real> Panels<T> {
    /// Of B (k, n).
    #[must_use]
    pub fn of(b: View<'_, T>) -> Self {
        Self {
            rows: b.rows,
            cols: b.cols,
            panels: pack(b),
        }
    }

    /// Leaves the memory to the next.
    pub fn recycle(self) {
        self.panels.recycle();
    }

    /// Y ← α·A·B, or with `accumulate` Y ← Y + α·A·B; A (m, k), Y (m, n). On the calling thread.
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit.
    pub fn multiply(&self, y: ViewMut<'_, T>, accumulate: bool, alpha: T, a: View<'_, T>) {
        assert!(
            y.rows == a.rows && y.cols == self.cols && a.cols == self.rows,
            "a product of {}×{} and {}×{} into {}×{}",
            a.rows,
            a.cols,
            self.rows,
            self.cols,
            y.rows,
            y.cols
        );
        // SAFETY: the views lie inside their matrices (made by `of`, `view`, `block`, `blocks`, `split`, which check), no other view
        // reaches what `y` writes, and the shapes fit.
        unsafe {
            T::run(&JobOf(Job {
                rows: y.rows,
                cols: y.cols,
                inner: a.cols,
                a: a.start,
                a_stride: a.row_stride.max(a.col_stride),
                a_turned: a.col_stride != 1,
                b: self.panels.data().as_ptr(),
                b_stride: self.rows * T::PANEL,
                y: y.start,
                y_stride: y.row_stride,
                alpha,
                onto: if accumulate { Onto::Y } else { Onto::Zero },
                later: None,
            }));
        }
    }
}

/// Tokens, and rows of the result, that are taken at a time.
const INNER: usize = 256;
const OUTER: usize = 96;

/// Y ← Y + Aᵀ·B, over the pool; A (n, m), B (n, k), Y (m, k): n tokens' part in the gradient of a map. The same bits for any
/// number of threads.
///
/// # Panics
///
/// Where the shapes do not fit.
pub fn add_outer<T: Real>(y: ViewMut<'_, T>, a: View<'_, T>, b: View<'_, T>) {
    assert!(
        y.rows == a.cols && y.cols == b.cols && a.rows == b.rows,
        "the transpose of {}×{} times {}×{} onto {}×{}",
        a.rows,
        a.cols,
        b.rows,
        b.cols,
        y.rows,
        y.cols
    );
    let parts = |n: usize, size: usize| -> Vec<Range<usize>> {
        let firsts = (0..n).step_by(size);
        firsts.map(|first| first..n.min(first + size)).collect()
    };
    let tokens = parts(a.rows, INNER);
    let panels: Vec<Panels<T>> = tokens
        .par_iter()
        .map(|tokens| Panels::of(b.block(tokens.clone(), 0..b.cols)))
        .collect();
    let rows = parts(y.rows, OUTER);
    let mut cuts: Vec<usize> = rows.iter().map(|rows| rows.start).collect();
    cuts.push(y.rows);
    let blocks = y.blocks(&cuts, 1);
    let tasks = blocks.into_par_iter().zip(&rows).with_max_len(1);
    tasks.for_each(|(mut y, rows)| {
        for (tokens, panels) in tokens.iter().zip(&panels) {
            // Near one another: as columns of A they would share their places in the cache.
            let mut own = Matrix::reused(tokens.len(), rows.len());
            for (i, token) in tokens.clone().enumerate() {
                own.row_mut(i).copy_from_slice(&a.row(token)[rows.clone()]);
            }
            panels.multiply(y.again(), true, T::ONE, own.view().t());
            own.recycle();
        }
    });
    panels.into_iter().for_each(Panels::recycle);
}

/// B (k, n) in panels of its columns, the last filled up with zeros.
fn pack<T: Real>(b: View<'_, T>) -> Matrix<T> {
    let mut panels = Matrix::reused(panels_size(b), 1);
    let size = (b.rows * T::PANEL).max(1);
    // Where B's rows lie in one piece, its whole panels are filled a row of B at a time.
    let whole = if b.col_stride == 1 {
        b.cols / T::PANEL
    } else {
        0
    };
    if whole > 0 {
        let to = panels.data_mut();
        for k in 0..b.rows {
            for (panel, from) in b.row(k).chunks_exact(T::PANEL).enumerate() {
                to[panel * size + k * T::PANEL..][..T::PANEL].copy_from_slice(from);
            }
        }
    }
    let others = panels.data_mut().chunks_mut(size).enumerate().skip(whole);
    others.for_each(|(panel, to)| pack_panel(b, panel, to));
    panels
}

/// The same over the pool, into memory of that size whose numbers may be any.
fn pack_over_pool<T: Real>(b: View<'_, T>, panels: &mut [T]) {
    let size = (b.rows * T::PANEL).max(1);
    let chunks = panels.par_chunks_mut(size).enumerate();
    chunks.for_each(|(panel, to)| pack_panel(b, panel, to));
}

fn panels_size<T: Real>(b: View<'_, T>) -> usize {
    b.cols.div_ceil(T::PANEL) * b.rows * T::PANEL
}

fn pack_panel<T: Real>(b: View<'_, T>, panel: usize, to: &mut [T]) {
    let first = panel * T::PANEL;
    let b = b.block(0..b.rows, first..b.cols.min(first + T::PANEL));
    if b.cols < T::PANEL {
        to.fill(T::ZERO);
    }
    if b.col_stride == 1 {
        for (k, to) in to.chunks_exact_mut(T::PANEL).enumerate() {
            to[..b.cols].copy_from_slice(b.row(k));
        }
        return;
    }
    let from = Rows {
        start: b.start,
        stride: b.col_stride,
    };
    let to = Rows {
        start: to.as_mut_ptr(),
        stride: T::PANEL,
    };
    // SAFETY: B's columns lie in memory as rows; the panel has as many rows as B.
    unsafe { T::turn(RowsOf(from), RowsOf(to), [b.cols, b.rows]) };
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
    fn outer_products_add_up_over_the_tokens() {
        for (n, m, k) in [(1, 1, 1), (5, 3, 4), (300, 100, 33), (513, 97, 17)] {
            let (a, b) = (counted(n, m, 1.0), counted(n, k, 2.0));
            let mut y = Matrix::from_vec(m, k, vec![0.5; m * k]);
            add_outer(y.view_mut(), a.view(), b.view());
            for i in 0..m {
                for j in 0..k {
                    let sum: f64 = (0..n).map(|t| a.row(t)[i] * b.row(t)[j]).sum();
                    let want = 0.5 + sum;
                    let got = y.row(i)[j];
                    assert!((got - want).abs() < 1e-11, "{n} {m} {k}: {got} {want}");
                }
            }
        }
    }

    #[test]
    fn the_columns_of_a_split_are_written_apart() {
        let (a, b) = (counted(7, 10, 1.0), counted(10, 3, 2.0));
        let mut y = Matrix::<f64>::zeros(7, 5);
        let [first, others] = y.view_mut().split(3);
        assert_eq!((first.cols, others.cols), (3, 2));
        multiply(first, false, 1.0, a.view(), b.view());
        let right: Vec<Vec<f64>> = (0..10).map(|k| b.row(k).to_vec()).collect();
        let want = plain(a.view(), &right, 1.0);
        for i in 0..7 {
            for j in 0..3 {
                assert!((y.row(i)[j] - want[i][j]).abs() < 1e-14);
            }
            assert_eq!(y.row(i)[3..], [0.0; 2]);
        }
        let [_, others] = y.view_mut().split(3);
        multiply(others, false, 1.0, a.view(), b.view().block(0..10, 0..2));
        for i in 0..7 {
            for j in 0..5 {
                assert!((y.row(i)[j] - want[i][j % 3]).abs() < 1e-14);
            }
        }
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
            );
        }
        for i in 0..7 {
            for j in 0..6 {
                assert!((y6.row(i)[j] - 2.0 * want[i][j]).abs() < 1e-14);
            }
        }
    }

    /// Every tile, and every way in which a block, a panel or a tile can end early.
    #[test]
    fn all_sizes_multiply_like_three_loops() {
        fn check<T: Real>(m: usize, k: usize, n: usize, epsilon: f64) {
            let bound = epsilon * 16.0 * (k + 10) as f64;
            let of = |rows, cols, from: f64| {
                let wave = (0..rows * cols).map(|i| T::of((from + 1.7 * i as f64).sin()));
                Matrix::from_vec(rows, cols, wave.collect())
            };
            let (x, w, bias) = (of(m, k, 1.0), of(n, k, 2.0), of(1, n, 3.0));
            let weights = Weights::of(&w);
            assert_eq!(weights.matrix(), w);
            let mut y = Matrix::zeros(m, n);
            let mut doubled = Matrix::zeros(m, n);
            let double = |y: &[T], z: &mut [T]| z.iter_mut().zip(y).for_each(|(z, &y)| *z = y + y);
            weights.down_and(
                x.view(),
                bias.data(),
                y.view_mut(),
                doubled.view_mut(),
                double,
            );
            assert!(
                y.data()
                    .iter()
                    .zip(doubled.data())
                    .all(|(&y, &z)| z == y + y)
            );
            let mut m_x = of(m, k, 4.0);
            let before = m_x.clone();
            weights.back(y.view(), true, T::of(0.5), m_x.view_mut());
            let mut plain = Matrix::zeros(m, n);
            multiply(plain.view_mut(), false, T::ONE, x.view(), w.view().t());
            for i in 0..m {
                for j in 0..n {
                    let sum = (0..k)
                        .map(|l| x.row(i)[l].f64() * w.row(j)[l].f64())
                        .sum::<f64>();
                    let got = [
                        plain.row(i)[j].f64(),
                        y.row(i)[j].f64() - bias.row(0)[j].f64(),
                    ];
                    assert!(
                        got.iter().all(|got| (got - sum).abs() < bound),
                        "{m} {k} {n}: {got:?} {sum}"
                    );
                }
                for l in 0..k {
                    let sum = (0..n)
                        .map(|j| y.row(i)[j].f64() * w.row(j)[l].f64())
                        .sum::<f64>();
                    let want = before.row(i)[l].f64() + 0.5 * sum;
                    let got = m_x.row(i)[l].f64();
                    assert!(
                        (got - want).abs() < bound * (n + k) as f64,
                        "back {m} {k} {n}: {got} {want}"
                    );
                }
            }
        }
        for (m, k, n) in [
            (1, 1, 1),
            (2, 3, 2),
            (5, 40, 33),
            (12, 32, 32),
            (13, 31, 65),
            (31, 65, 17),
            (193, 7, 130),
            (3, 769, 5),
            (9, 1600, 40),
            (40, 12, 900),
            (100, 113, 770),
            (4, 3, 0),
            (4, 0, 3),
        ] {
            check::<f32>(m, k, n, f64::from(f32::EPSILON));
            check::<f64>(m, k, n, f64::EPSILON);
        }
    }

    /// A row's numbers do not depend on the rows beside it, nor on the number of threads: to the bit.
    #[test]
    fn neighbours_and_threads_change_no_bit() {
        let of = |rows: usize, cols: usize, from: f32| {
            let wave = (0..rows * cols).map(|i| (from + 1.7 * i as f32).sin());
            Matrix::from_vec(rows, cols, wave.collect())
        };
        let (x, weights, bias) = (
            of(205, 800, 1.0),
            Weights::of(&of(300, 800, 2.0)),
            of(1, 300, 3.0),
        );
        let both = |rows: Range<usize>, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let mut y = Matrix::zeros(rows.len(), 300);
            let mut m_x = Matrix::zeros(rows.len(), 800);
            pool.install(|| {
                weights.down(x.view().block(rows, 0..800), bias.data(), y.view_mut());
                weights.back(y.view(), false, 1.0, m_x.view_mut());
            });
            (y, m_x)
        };
        let (y, m_x) = both(0..205, 1);
        assert_eq!(both(0..205, 3), (y.clone(), m_x.clone()));
        for rows in [4..4, 0..1, 7..20, 190..205, 33..100] {
            let (part, back) = both(rows.clone(), 2);
            for (at, i) in rows.enumerate() {
                assert_eq!((part.row(at), back.row(at)), (y.row(i), m_x.row(i)), "{i}");
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
        );
    }
}
