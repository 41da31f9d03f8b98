//! Loops over rows: spread over the pool, and compiled for the widest vectors that the machine has.

use rayon::prelude::*;

use super::product::View;
use super::{Matrix, Real};

/// Rows that one task takes: enough to be worth a task.
const ROWS: usize = 8;

/// Runs `f(i, row i of y)` for each row, over the pool.
pub(crate) fn each_row<T, F>(y: &mut Matrix<T>, f: F)
where
    T: Copy + Default + Send + Sync,
    F: Fn(usize, &mut [T]) + Sync,
{
    let cols = y.cols();
    if cols == 0 {
        return;
    }
    y.data_mut()
        .par_chunks_mut(ROWS * cols)
        .enumerate()
        .for_each(|(chunk, rows)| {
            for (i, row) in rows.chunks_exact_mut(cols).enumerate() {
                f(chunk * ROWS + i, row);
            }
        });
}

/// Runs `f(i, row i of y, element i of v)` for each row, over the pool; `v` has one element a row.
pub(crate) fn each_row_with<T, U, F>(y: &mut Matrix<T>, v: &mut [U], f: F)
where
    T: Copy + Default + Send + Sync,
    U: Send,
    F: Fn(usize, &mut [T], &mut U) + Sync,
{
    let cols = y.cols();
    if cols == 0 {
        return;
    }
    y.data_mut()
        .par_chunks_mut(ROWS * cols)
        .zip(v.par_chunks_mut(ROWS))
        .enumerate()
        .for_each(|(chunk, (rows, v))| {
            for (i, (row, v)) in rows.chunks_exact_mut(cols).zip(v).enumerate() {
                f(chunk * ROWS + i, row, v);
            }
        });
}

/// `f(i)` for each row number, over the pool, in order.
pub(crate) fn map_rows<U, F>(rows: usize, f: F) -> Vec<U>
where
    U: Send,
    F: Fn(usize) -> U + Sync + Send,
{
    (0..rows)
        .into_par_iter()
        .with_min_len(ROWS)
        .map(f)
        .collect()
}

/// These rows of `x`.
pub(crate) fn picked<T: Real>(x: View<'_, T>, rows: &[usize]) -> Matrix<T> {
    let mut picked = Matrix::reused(rows.len(), x.cols());
    for (at, &i) in rows.iter().enumerate() {
        picked.row_mut(at).copy_from_slice(x.row(i));
    }
    picked
}

/// A matrix of `count` rows, of which those of `x` are these and all others 0.
pub(crate) fn spread<T: Real>(x: &Matrix<T>, rows: &[usize], count: usize) -> Matrix<T> {
    let mut spread = Matrix::zeros(count, x.cols());
    for (at, &i) in rows.iter().enumerate() {
        spread.row_mut(i).copy_from_slice(x.row(at));
    }
    spread
}

/// Partial sums that are kept apart so that a sum can run in vector registers; their number, not the
/// machine's vector width, fixes the order of additions.
pub(crate) const LANES: usize = 16;

/// [`LANES`] partial results of rows of one length, M of each: f takes what a lane has so far and the next K numbers. All but the rest
/// goes in chunks of that length: their places need no check, and without checks the loop becomes vector code.
///
/// # Panics
///
/// Where the rows have not one length.
#[inline(always)]
pub(crate) fn lanes<T: Copy, U: Copy, const K: usize, const M: usize>(
    rows: [&[T]; K],
    start: [U; M],
    f: impl Fn([U; M], [T; K]) -> [U; M],
) -> [[U; LANES]; M] {
    let n = rows.first().map_or(0, |row| row.len());
    assert!(rows.iter().all(|row| row.len() == n), "rows of one length");
    let mut lanes = start.map(|start| [start; LANES]);
    let mut step = |lane: usize, next: [T; K]| {
        let so_far = std::array::from_fn(|m| lanes[m][lane]);
        for (lanes, one) in lanes.iter_mut().zip(f(so_far, next)) {
            lanes[lane] = one;
        }
    };
    let chunks = rows.map(|row| row.as_chunks::<LANES>());
    for at in 0..n / LANES {
        let chunk: [&[T; LANES]; K] = std::array::from_fn(|k| &chunks[k].0[at]);
        for lane in 0..LANES {
            step(lane, chunk.map(|row| row[lane]));
        }
    }
    for lane in 0..n % LANES {
        step(lane, chunks.map(|(_, rest)| rest[lane]));
    }
    lanes
}

/// Sum of f over rows of one length, in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn lane_sum<T: Copy, U: Real, const K: usize>(
    rows: [&[T]; K],
    f: impl Fn([T; K]) -> U,
) -> U {
    let [sums] = lanes(rows, [U::ZERO], |[sum], next| [sum + f(next)]);
    fold(sums)
}

/// The largest of f over rows of one length, and of `least`.
#[inline(always)]
pub(crate) fn lane_max<T: Real, const K: usize>(
    rows: [&[T]; K],
    least: T,
    f: impl Fn([T; K]) -> T,
) -> T {
    let [tops] = lanes(rows, [least], |[top], next| [top.max(f(next))]);
    tree(tops, T::max)
}

/// Adds the partial sums up as a tree.
#[inline(always)]
pub(crate) fn fold<T: Real>(lanes: [T; LANES]) -> T {
    tree(lanes, |a, b| a + b)
}

/// Joins the lanes: the first half with the second, until one is left.
#[inline(always)]
fn tree<T: Copy>(mut lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Defines a function whose loops are compiled for AVX-512, AVX2 or NEON as well, and taken where the machine
/// has it. What the body calls must be `inline(always)` down to its arithmetic.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$life:lifetime, $t:ident: $bound:ident>(
        $($arg:ident: $ty:ty),* $(,)?
    ) -> $out:ty $body:block) => {
        $(#[$meta])*
        $vis fn $name<$life, $t: $bound>($($arg: $ty),*) -> $out {
            struct Call<$life, $t: $bound> { $($arg: $ty),* }
            impl<$life, $t: $bound> pulp::NullaryFnOnce for Call<$life, $t> {
                type Output = $out;
                #[inline(always)]
                fn call(self) -> $out {
                    let Self { $($arg),* } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Call { $($arg),* })
        }
    };
}
pub(crate) use vectorised;
