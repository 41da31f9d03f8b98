//! Bᵀ ← B of small blocks, which is what a product's factors wait for: in registers where the machine is x86 with AVX.
#![allow(unsafe_code)]

/// A rectangle in memory: where it begins, and elements from a row to the next.
#[derive(Clone, Copy)]
pub(super) struct Rows<P> {
    pub(super) start: P,
    pub(super) stride: usize,
}

/// to[c][r] ← from[r][c], for r below `rows` and c below `cols`.
///
/// # Safety
///
/// `from` has `rows` rows of `cols` elements that can be read, `to` `cols` rows of `rows` that can be written, and the two
/// do not overlap.
pub(super) unsafe fn turn_f32(
    from: Rows<*const f32>,
    to: Rows<*mut f32>,
    [rows, cols]: [usize; 2],
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the machine has AVX; the rest is the caller's.
        unsafe { avx::turn(from, to, [rows, cols]) };
        return;
    }
    // SAFETY: the caller's.
    unsafe { turn(from, to, [rows, cols], [0, 0]) };
}

/// The same for any type, for the rows and columns from `first` on.
///
/// # Safety
///
/// As for [`turn_f32`].
pub(super) unsafe fn turn<T: Copy>(
    from: Rows<*const T>,
    to: Rows<*mut T>,
    [rows, cols]: [usize; 2],
    first: [usize; 2],
) {
    for r in first[0]..rows {
        for c in first[1]..cols {
            // SAFETY: inside both rectangles.
            unsafe { *to.start.add(c * to.stride + r) = *from.start.add(r * from.stride + c) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    use super::Rows;

    const SIDE: usize = 8;

    /// # Safety
    ///
    /// As for [`super::turn_f32`], on a machine with AVX.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn turn(
        from: Rows<*const f32>,
        to: Rows<*mut f32>,
        [rows, cols]: [usize; 2],
    ) {
        let whole = [rows - rows % SIDE, cols - cols % SIDE];
        for r in (0..whole[0]).step_by(SIDE) {
            for c in (0..whole[1]).step_by(SIDE) {
                // SAFETY: a whole block inside both rectangles.
                unsafe {
                    block(
                        from.start.add(r * from.stride + c),
                        from.stride,
                        to.start.add(c * to.stride + r),
                        to.stride,
                    );
                }
            }
        }
        // SAFETY: what is left at the right and below.
        unsafe {
            super::turn(from, to, [whole[0], cols], [0, whole[1]]);
            super::turn(from, to, [rows, cols], [whole[0], 0]);
        }
    }

    /// 8 × 8: pairs of rows, then pairs of pairs, then the halves.
    ///
    /// # Safety
    ///
    /// Eight rows of eight numbers at both places, on a machine with AVX.
    #[target_feature(enable = "avx")]
    #[inline]
    unsafe fn block(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller's.
        let row: [_; SIDE] =
            std::array::from_fn(|r| unsafe { _mm256_loadu_ps(from.add(r * from_stride)) });
        let pairs: [_; SIDE] = std::array::from_fn(|i| {
            let (a, b) = (row[i / 2 * 2], row[i / 2 * 2 + 1]);
            if i % 2 == 0 {
                _mm256_unpacklo_ps(a, b)
            } else {
                _mm256_unpackhi_ps(a, b)
            }
        });
        // Columns 0 to 3 (and, in the upper halves, 4 to 7) of the first four rows, then of the last four.
        let fours: [_; SIDE] = std::array::from_fn(|i| {
            let (half, column) = (i / 4 * 4, i % 4);
            let (a, b) = (pairs[half + column / 2], pairs[half + 2 + column / 2]);
            if column % 2 == 0 {
                _mm256_shuffle_ps::<0x44>(a, b)
            } else {
                _mm256_shuffle_ps::<0xee>(a, b)
            }
        });
        for column in 0..SIDE {
            let (a, b) = (fours[column % 4], fours[4 + column % 4]);
            let turned = if column < 4 {
                _mm256_permute2f128_ps::<0x20>(a, b)
            } else {
                _mm256_permute2f128_ps::<0x31>(a, b)
            };
            // SAFETY: the caller's.
            unsafe { _mm256_storeu_ps(to.add(column * to_stride), turned) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_and_nothing_beyond() {
        for rows in 0..20 {
            for cols in 0..20 {
                let from: Vec<f32> = (0..rows * 25).map(|i| i as f32).collect();
                let mut to = vec![-1.0_f32; cols * 23];
                // SAFETY: rows of 25 and of 23 numbers.
                unsafe {
                    turn_f32(
                        Rows {
                            start: from.as_ptr(),
                            stride: 25,
                        },
                        Rows {
                            start: to.as_mut_ptr(),
                            stride: 23,
                        },
                        [rows, cols],
                    );
                }
                for c in 0..cols {
                    for r in 0..23 {
                        let want = if r < rows { (r * 25 + c) as f32 } else { -1.0 };
                        assert_eq!(to[c * 23 + r], want, "{rows} {cols}");
                    }
                }
            }
        }
    }
}
