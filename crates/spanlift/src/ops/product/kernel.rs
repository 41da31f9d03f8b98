//! The loops of a product, for one thread: Y ← [Y +] α·A·B in tiles that stay in registers.
//!
//! B comes in panels of [`Kernel::PANEL`] columns, a panel's row behind the other, so that the inner loop reads on and on
//! in one panel, or in two; of A one number at a time is spread over a vector. A tile of 12 × 2 vectors (6 × 2 where
//! the machine has 16 vector registers) takes all of them but a few. The inner dimension is cut into blocks that
//! the caches hold.
//!
//! Each number of Y is summed in the order of k, block by block, whatever tile it falls into: it depends on nothing but
//! its row of A and its column of B, so not on the batch, the threads or the width of the machine's vectors. (Where the
//! machine has no fused multiply-add each product is rounded before it is added: a call for each would take twenty times as
//! long.)
#![allow(unsafe_code)]

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use super::turn::{self, Rows};

/// Bytes of a panel's row: one AVX-512 vector, two of AVX2. As many as a line of the cache has, so that a tile uses all of
/// what it has fetched.
const PANEL_BYTES: usize = 64;
/// Bytes of one column of A, or one panel column of B, in a block of the inner dimension.
const BLOCK_BYTES: usize = 3072;
/// Numbers of the inner dimension that the loop takes at a time.
const STEPS: usize = 4;
/// Vectors of a tile's row: as many as [`tile`] has sums of.
const VECTORS: usize = 2;

/// A product of one thread. Shapes: A (rows, inner), B (inner, cols), Y (rows, cols).
#[derive(Clone, Copy)]
pub(super) struct Job<T> {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) inner: usize,
    pub(super) a: *const T,
    /// Elements from a row of A to the next; within a row they are neighbours. Where A is the transpose of such a
    /// matrix, elements from a column to the next.
    pub(super) a_stride: usize,
    pub(super) a_turned: bool,
    /// Panels of B, each of at least `inner` rows of [`Kernel::PANEL`]; the last filled up, with anything.
    pub(super) b: *const T,
    /// Elements from a panel of B to the next.
    pub(super) b_stride: usize,
    pub(super) y: *mut T,
    /// Elements from a row of Y to the next.
    pub(super) y_stride: usize,
    pub(super) alpha: T,
    pub(super) onto: Onto<T>,
    /// What the cache fetches meanwhile; B's next columns where it is nothing.
    pub(super) later: Option<Later<T>>,
}

/// What is read after a job: runs of neighbours. It may lie anywhere.
#[derive(Clone, Copy)]
pub(super) struct Later<T> {
    pub(super) start: *const T,
    /// Elements from a run to the next.
    pub(super) stride: usize,
    /// Elements of a run.
    pub(super) length: usize,
    /// Number of runs. A tile fetches one, or two where it reads two panels. Where there are few tiles some runs are left; where there are
    /// more than it takes, the others fetch the run behind the last.
    pub(super) runs: usize,
}

/// What α·A·B is added to.
#[derive(Clone, Copy)]
pub(super) enum Onto<T> {
    /// Nothing.
    Zero,
    /// What Y holds.
    Y,
    /// The same row for all; (cols).
    Bias(*const T),
}

/// A number type with such loops.
pub trait Kernel: Sized {
    /// Columns of a panel.
    const PANEL: usize = PANEL_BYTES / size_of::<Self>();
    /// Rows of a block of the inner dimension.
    const BLOCK: usize = BLOCK_BYTES / size_of::<Self>();

    /// Runs the job.
    ///
    /// # Safety
    ///
    /// What the job's pointers reach under its shapes and strides is theirs: A and B can be read, Y can be written and
    /// nobody else touches it.
    #[doc(hidden)]
    unsafe fn run(job: &JobOf<Self>);

    /// to[c][r] ← from[r][c], for r below the first and c below the second of `size`.
    ///
    /// # Safety
    ///
    /// The rectangles are there, `to` is nobody else's, and they do not overlap.
    #[doc(hidden)]
    unsafe fn turn(from: RowsOf<*const Self>, to: RowsOf<*mut Self>, size: [usize; 2]);
}

/// A [`Job`], as the trait names it.
#[doc(hidden)]
pub struct JobOf<T>(pub(super) Job<T>);

/// A [`Rows`], as the trait names it.
#[doc(hidden)]
pub struct RowsOf<P>(pub(super) Rows<P>);

/// Vectors of `Self` under the instruction set `S`.
trait Lanes<S: Simd>: Copy {
    type Vector: Copy;
    const ZERO: Self;
    fn splat(simd: S, x: Self) -> Self::Vector;
    fn mul_add(simd: S, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    fn mul(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn add(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn scaled(y: Option<Self>, alpha: Self, sum: Self) -> Self;
}

macro_rules! kernel {
    ($t:ident, $turn:expr, $vector:ident, $splat:ident, $mul_add:ident, $mul:ident, $add:ident) => {
        impl<S: Simd> Lanes<S> for $t {
            type Vector = S::$vector;
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn splat(simd: S, x: Self) -> Self::Vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn mul_add(simd: S, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn mul(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn add(simd: S, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn scaled(y: Option<Self>, alpha: Self, sum: Self) -> Self {
                match y {
                    Some(y) => y + alpha * sum,
                    None => alpha * sum,
                }
            }
        }

        impl WithSimd for &JobOf<$t> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                // SAFETY: `Kernel::run`'s caller vouches for the job.
                unsafe {
                    // 32 vector registers with AVX-512 and NEON, 16 with AVX2.
                    match (size_of::<S::$vector>(), self.0.a_turned) {
                        (32, false) => blocks::<S, $t, 6, true>(simd, &self.0),
                        (32, true) => blocks::<S, $t, 6, false>(simd, &self.0),
                        (_, false) => blocks::<S, $t, 12, true>(simd, &self.0),
                        (_, true) => blocks::<S, $t, 12, false>(simd, &self.0),
                    }
                }
            }
        }

        impl Kernel for $t {
            unsafe fn run(job: &JobOf<Self>) {
                pulp::Arch::new().dispatch(job);
            }

            unsafe fn turn(from: RowsOf<*const Self>, to: RowsOf<*mut Self>, size: [usize; 2]) {
                // SAFETY: the caller's.
                unsafe { $turn(from.0, to.0, size) }
            }
        }
    };
}
kernel!(
    f32,
    turn::turn_f32,
    f32s,
    splat_f32s,
    mul_add_e_f32s,
    mul_f32s,
    add_f32s
);
kernel!(
    f64,
    |from, to, size| turn::turn(from, to, size, [0, 0]),
    f64s,
    splat_f64s,
    mul_add_e_f64s,
    mul_f64s,
    add_f64s
);

/// # Safety
///
/// As for [`Kernel::run`].
#[inline(always)]
unsafe fn blocks<S: Simd, T: Lanes<S> + Kernel, const ROWS: usize, const ALONG: bool>(
    simd: S,
    job: &Job<T>,
) {
    let width = VECTORS * size_of::<T::Vector>() / size_of::<T>();
    let lanes = width / VECTORS;
    let tiles = job.rows.div_ceil(ROWS);
    // Panels that a tile reads, and runs that it fetches.
    let panels = width.div_ceil(T::PANEL);
    let mut run = 0;
    // Where a column of B begins.
    let column = |col: usize| col / T::PANEL * job.b_stride + col % T::PANEL;
    let mut from = 0;
    // An empty inner dimension still writes zeros.
    while from < job.inner || from == 0 {
        let inner = T::BLOCK.min(job.inner - from);
        let onto = if from > 0 { Onto::Y } else { job.onto };
        let mut col = 0;
        while col < job.cols {
            // Behind the last column there is no vector: the first once more, for nobody.
            let apart = if col + lanes < job.cols {
                column(col + lanes) - column(col)
            } else {
                0
            };
            // What the next tiles of columns read of B; behind the last ones, what the next block or job begins with.
            let ahead = if col + width < job.cols {
                column(col + width) + from * T::PANEL
            } else {
                (from + inner) % job.inner.max(1) * T::PANEL
            };
            let mut row = 0;
            while row < job.rows {
                let left = job.rows - row;
                let [row_step, step] = if ALONG {
                    [job.a_stride, 1]
                } else {
                    [1, job.a_stride]
                };
                let (ahead, beside, pace) = match job.later {
                    None => {
                        let fetched = ahead + row / ROWS * (inner * T::PANEL / tiles);
                        let pace = STEPS * T::PANEL / tiles;
                        (job.b.wrapping_add(fetched), job.b_stride, pace)
                    }
                    Some(later) => {
                        let at = later.start.wrapping_add(run.min(later.runs) * later.stride);
                        run += panels;
                        (at, later.stride, STEPS * later.length / inner.max(STEPS))
                    }
                };
                // Inside A, B and Y, by the job's shapes; where the inner dimension is empty nobody reads there.
                let part = Part {
                    inner,
                    onto: match onto {
                        // SAFETY: the bias has all columns.
                        Onto::Bias(bias) => Onto::Bias(unsafe { bias.add(col) }),
                        Onto::Zero | Onto::Y => onto,
                    },
                    cols: width.min(job.cols - col),
                    a: job.a.wrapping_add(row * row_step + from * step),
                    b: job.b.wrapping_add(column(col) + from * T::PANEL),
                    apart,
                    ahead,
                    beside,
                    pace,
                    y: job.y.wrapping_add(row * job.y_stride + col),
                };
                // SAFETY: the tile's rows and columns are the job's.
                row += unsafe {
                    if left >= ROWS {
                        tile::<S, T, ROWS, ALONG>(simd, job, part)
                    } else if left >= 6 {
                        tile::<S, T, 6, ALONG>(simd, job, part)
                    } else if left >= 2 {
                        tile::<S, T, 2, ALONG>(simd, job, part)
                    } else {
                        tile::<S, T, 1, ALONG>(simd, job, part)
                    }
                };
            }
            col += width;
        }
        from += inner.max(1);
    }
}

/// Has the cache fetch what lies there, which may be anywhere.
#[inline(always)]
fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Where a tile of a job begins, and how far it goes.
struct Part<T> {
    inner: usize,
    onto: Onto<T>,
    cols: usize,
    a: *const T,
    b: *const T,
    /// Elements from a tile's first vector of B to its second.
    apart: usize,
    /// Where to fetch ahead, elements from there to the second such place, and elements to go on by with every [`STEPS`]: the tiles
    /// share it out.
    ahead: *const T,
    beside: usize,
    pace: usize,
    y: *mut T,
}

/// Gives `ROWS`.
///
/// # Safety
///
/// As for [`Kernel::run`], for `ROWS` rows.
#[inline(always)]
unsafe fn tile<S: Simd, T: Lanes<S> + Kernel, const ROWS: usize, const ALONG: bool>(
    simd: S,
    job: &Job<T>,
    part: Part<T>,
) -> usize {
    let lanes = size_of::<T::Vector>() / size_of::<T>();
    let mut b = part.b;
    // Of the first vectors and of the second: one array of both would be cleared by a call, in memory.
    let zero = T::splat(simd, T::ZERO);
    let (mut sums, mut more) = ([zero; ROWS], [zero; ROWS]);
    // A pointer for every other row, and the distance to its neighbour: derived from one another in each round, the
    // addresses would take as long as the multiply-adds.
    let rows: [*const T; 6] =
        std::array::from_fn(|pair| black_box(part.a.wrapping_add(2 * pair * job.a_stride)));
    let next = black_box(job.a_stride);
    // So that the sums find their rows of Y at hand.
    for r in 0..ROWS {
        for v in 0..VECTORS {
            prefetch(part.y.wrapping_add(r * job.y_stride + v * lanes));
        }
    }
    macro_rules! step {
        ($k:expr, $b:expr) => {
            // SAFETY: these vectors lie in rows of panels, which have `PANEL` elements; A has `ROWS` rows here.
            unsafe {
                let (k, b) = ($k, $b);
                let right = [b, b.add(part.apart)].map(|b| b.cast::<T::Vector>().read_unaligned());
                for r in 0..ROWS {
                    let a = if ALONG {
                        rows[r / 2].add(if r % 2 == 0 { k } else { next + k })
                    } else {
                        part.a.add(k * job.a_stride).add(r)
                    };
                    let left = T::splat(simd, *a);
                    sums[r] = T::mul_add(simd, left, right[0], sums[r]);
                    more[r] = T::mul_add(simd, left, right[1], more[r]);
                }
            }
        };
    }
    let (mut ahead, mut k) = (part.ahead, 0);
    while k + STEPS <= part.inner {
        for at in 0..STEPS {
            step!(k + at, b.add(at * T::PANEL));
        }
        prefetch(ahead);
        if lanes == T::PANEL {
            prefetch(ahead.wrapping_add(part.beside));
        }
        ahead = ahead.wrapping_add(part.pace);
        b = b.wrapping_add(STEPS * T::PANEL);
        k += STEPS;
    }
    while k < part.inner {
        step!(k, b);
        b = b.wrapping_add(T::PANEL);
        k += 1;
    }
    let width = VECTORS * lanes;
    if part.cols == width {
        let alpha = T::splat(simd, job.alpha);
        // What becomes of a sum at a place of Y. A loop for each case: with the cases inside it, it is too long to be
        // unrolled early, and the sums would begin in memory.
        macro_rules! store {
            ($f:expr) => {
                for r in 0..ROWS {
                    // SAFETY: `width` columns of a row of Y.
                    unsafe {
                        let y = part.y.add(r * job.y_stride).cast::<T::Vector>();
                        y.write_unaligned($f(0, y, T::mul(simd, alpha, sums[r])));
                        let y = y.add(1);
                        y.write_unaligned($f(1, y, T::mul(simd, alpha, more[r])));
                    }
                }
            };
        }
        match part.onto {
            Onto::Zero => store!(|_, _, sum| sum),
            // SAFETY: as above.
            Onto::Y => store!(|_, y: *mut T::Vector, sum| T::add(simd, y.read_unaligned(), sum)),
            Onto::Bias(bias) => {
                let bias = bias.cast::<T::Vector>();
                // SAFETY: the bias has these `width` columns.
                let bias = unsafe { [bias.read_unaligned(), bias.add(1).read_unaligned()] };
                store!(|v: usize, _, sum| T::add(simd, bias[v], sum));
            }
        }
        return ROWS;
    }
    // A narrow tile, number by number: from memory, so that the sums above can stay in registers.
    let mut stored = [[T::splat(simd, T::ZERO); VECTORS]; ROWS];
    for r in 0..ROWS {
        stored[r] = [sums[r], more[r]];
    }
    for c in 0..part.cols {
        for (r, stored) in stored.iter().enumerate() {
            // SAFETY: the sums are `width` numbers a row; Y has this row and this column.
            unsafe {
                let sum = *stored.as_ptr().cast::<T>().add(c);
                let y = part.y.add(r * job.y_stride + c);
                let before = match part.onto {
                    Onto::Zero => None,
                    Onto::Y => Some(*y),
                    Onto::Bias(bias) => Some(*bias.add(c)),
                };
                *y = T::scaled(before, job.alpha, sum);
            }
        }
    }
    ROWS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::product::{View, pack};
    use crate::ops::{Matrix, Real};

    /// How a set of instructions multiplies and adds, by which it is told what it must give.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Rounding {
        Once,
        Twice,
    }

    type Run<T> = Box<dyn Fn(&JobOf<T>)>;

    fn set<T, S: Simd>(simd: S) -> Run<T>
    where
        for<'a> &'a JobOf<T>: WithSimd<Output = ()>,
    {
        Box::new(move |job| simd.vectorize(job))
    }

    /// Every set of instructions that there are loops for and that this machine has.
    fn sets<T>() -> Vec<(&'static str, Rounding, Run<T>)>
    where
        for<'a> &'a JobOf<T>: WithSimd<Output = ()>,
    {
        let mut sets = vec![
            ("none", Rounding::Twice, set(pulp::Scalar::new())),
            // As wide as AVX-512, on machines that have none.
            (
                "512 bits, one by one",
                Rounding::Once,
                set(pulp::Scalar512b),
            ),
        ];
        #[cfg(target_arch = "x86_64")]
        {
            use pulp::x86::{V3, V4};
            sets.extend(V3::try_new().map(|simd| ("AVX2", Rounding::Once, set(simd))));
            sets.extend(V4::try_new().map(|simd| ("AVX-512", Rounding::Once, set(simd))));
        }
        #[cfg(target_arch = "aarch64")]
        {
            let neon = pulp::aarch64::Neon::try_new();
            sets.extend(neon.map(|simd| ("NEON", Rounding::Once, set(simd))));
        }
        sets
    }

    /// What lies outside Y.
    const OUTSIDE: f64 = 77.0;

    struct Case<T> {
        /// (rows, inner), or turned (inner, rows); as many columns more, not numbers, lie between the rows.
        a: Matrix<T>,
        turned: bool,
        b: Matrix<T>,
        /// With columns outside.
        y: Matrix<T>,
        size: [usize; 3],
        onto: At,
        bias: Vec<T>,
    }

    /// What α·A·B is added to.
    #[derive(Clone, Copy, Debug)]
    enum At {
        Zero,
        Y,
        Bias,
    }

    const ALPHA: f64 = 0.3;
    const BETWEEN: usize = 3;

    impl<T: Real> Case<T> {
        fn of([rows, inner, cols]: [usize; 3], turned: bool, onto: At) -> Self {
            let wave =
                |from: f64, i: usize, k: usize| T::of((from + 1.7 * (i * 97 + k) as f64).sin());
            let fill = |rows: usize, cols: usize, outside: f64, from: f64| {
                let one = |at: usize| match (at / (cols + BETWEEN), at % (cols + BETWEEN)) {
                    (i, k) if k < cols => wave(from, i, k),
                    _ => T::of(outside),
                };
                let data = (0..rows * (cols + BETWEEN)).map(one).collect();
                Matrix::from_vec(rows, cols + BETWEEN, data)
            };
            let [a_rows, a_cols] = if turned { [inner, rows] } else { [rows, inner] };
            Self {
                a: fill(a_rows, a_cols, f64::NAN, 1.0),
                turned,
                b: fill(inner, cols, f64::NAN, 2.0),
                y: fill(rows, cols, OUTSIDE, 3.0),
                size: [rows, inner, cols],
                onto,
                bias: (0..cols).map(|k| wave(4.0, 0, k)).collect(),
            }
        }

        /// Y, as these loops leave it.
        fn run(&self, run: &Run<T>) -> Matrix<T> {
            let [rows, inner, cols] = self.size;
            let b: View<'_, T> = self.b.view().block(0..inner, 0..cols);
            let panels = pack(b);
            let mut y = self.y.clone();
            run(&JobOf(Job {
                rows,
                cols,
                inner,
                a: self.a.data().as_ptr(),
                a_stride: self.a.cols(),
                a_turned: self.turned,
                b: panels.data().as_ptr(),
                b_stride: inner * T::PANEL,
                y_stride: y.cols(),
                y: y.data_mut().as_mut_ptr(),
                alpha: T::of(ALPHA),
                onto: match self.onto {
                    At::Zero => Onto::Zero,
                    At::Y => Onto::Y,
                    At::Bias => Onto::Bias(self.bias.as_ptr()),
                },
                // A hint, whatever lies there.
                later: matches!(self.onto, At::Y).then_some(Later {
                    start: std::ptr::null(),
                    stride: 1000,
                    length: 77,
                    runs: 3,
                }),
            }));
            y
        }

        /// Y, number by number: the sum over a block in the order of k, and the blocks one after the other.
        fn plain(&self, mul_add: impl Fn(T, T, T) -> T) -> Matrix<T> {
            let [rows, inner, cols] = self.size;
            let mut y = self.y.clone();
            for i in 0..rows {
                for j in 0..cols {
                    let mut blocks: Vec<T> = Vec::new();
                    for k in 0..inner {
                        let a = if self.turned {
                            self.a.row(k)[i]
                        } else {
                            self.a.row(i)[k]
                        };
                        if k % (3072 / size_of::<T>()) == 0 {
                            blocks.push(T::ZERO);
                        }
                        let sum = blocks.last_mut().unwrap();
                        *sum = mul_add(a, self.b.row(k)[j], *sum);
                    }
                    let before = match self.onto {
                        At::Zero => None,
                        At::Y => Some(self.y.row(i)[j]),
                        At::Bias => Some(self.bias[j]),
                    };
                    let sums = blocks.into_iter().map(|sum| T::of(ALPHA) * sum);
                    let all = before.into_iter().chain(sums);
                    y.row_mut(i)[j] = all.reduce(|y, sum| y + sum).unwrap_or(T::ZERO);
                }
            }
            y
        }
    }

    /// All loops of the machine give, to the bit, what loops over single numbers give, and touch nothing else.
    fn agree<T: Real>(fused: impl Fn(T, T, T) -> T + Copy)
    where
        for<'a> &'a JobOf<T>: WithSimd<Output = ()>,
    {
        let sets = sets();
        for size in [
            [1, 1, 1],
            [12, 5, 32],
            [13, 40, 33],
            [29, 7, 16],
            [14, 9, 48],
            [24, 0, 40],
            [7, 770, 3],
            [19, 1540, 70],
        ] {
            for (turned, onto) in [false, true]
                .into_iter()
                .flat_map(|turned| [At::Zero, At::Y, At::Bias].map(|onto| (turned, onto)))
            {
                let case = Case::<T>::of(size, turned, onto);
                for (name, rounding, run) in &sets {
                    let want = match rounding {
                        Rounding::Once => case.plain(fused),
                        Rounding::Twice => case.plain(|a, b, sum| a * b + sum),
                    };
                    assert_eq!(case.run(run), want, "{name}: {size:?} {turned} {onto:?}");
                }
            }
        }
    }

    #[test]
    fn every_set_of_instructions_sums_in_one_order() {
        agree::<f32>(f32::mul_add);
        agree::<f64>(f64::mul_add);
    }
}
