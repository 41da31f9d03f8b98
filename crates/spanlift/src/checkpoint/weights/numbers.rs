//! A tensor's numbers, widened into a slice: every thread takes a run of them, and gives its pages back.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use super::{Strides, Tensor};
use crate::ops::Real;

/// Numbers that a thread takes at a time: their bytes stay in the second cache.
const RUN: usize = 1 << 16;
/// Numbers that are widened at a time: they stay in the first.
const CHUNK: usize = 2048;

/// The infinite numbers and NaNs of a tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct NotFinite {
    /// How many there are.
    pub(in crate::checkpoint) count: usize,
    /// The place of the first.
    pub(in crate::checkpoint) first: usize,
}

impl NotFinite {
    /// Of this run and the one that begins `at` numbers later.
    fn and(self, later: Self, at: usize) -> Self {
        Self {
            count: self.count + later.count,
            first: if self.count > 0 {
                self.first
            } else {
                at + later.first
            },
        }
    }
}

/// Whether numbers of this type are read.
pub(in crate::checkpoint) fn is_read(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

/// Writes the tensor row by row into `to`, which has as many elements, and says what was not finite. The type is one
/// that is read; the bytes need not be aligned.
pub(in crate::checkpoint) fn read<T: Real>(tensor: &Tensor<'_>, to: &mut [T]) -> NotFinite {
    let found = match &tensor.strides {
        None => dense(tensor, to),
        Some(strides) => strided(tensor, strides, to),
    };
    // Again, and whole: reading one page brings its neighbours as well, also those that were given back.
    tensor.part.give_back(tensor.bytes);
    found
}

fn dense<T: Real>(tensor: &Tensor<'_>, to: &mut [T]) -> NotFinite {
    let size = width(tensor.dtype);
    let run = |(to, from): (&mut [T], &[u8])| {
        let found = widen(tensor.dtype, from, to);
        tensor.part.give_back(from);
        found
    };
    if to.len() <= RUN {
        // Too little to wake another thread for.
        return widen(tensor.dtype, tensor.bytes, to);
    }
    let runs = to
        .par_chunks_mut(RUN)
        .zip(tensor.bytes.par_chunks(RUN * size));
    let found: Vec<_> = runs.map(run).collect();
    let places = (0..).step_by(RUN);
    found
        .into_iter()
        .zip(places)
        .fold(NotFinite::default(), |before, (run, at)| {
            before.and(run, at)
        })
}

/// Gathers the numbers from their places, then widens them.
fn strided<T: Real>(tensor: &Tensor<'_>, strides: &Strides, to: &mut [T]) -> NotFinite {
    let size = width(tensor.dtype);
    let mut index = vec![0; tensor.shape.len()];
    let mut place = 0;
    let mut gathered = Vec::with_capacity(CHUNK * size);
    let mut found = NotFinite::default();
    for (number, to) in to.chunks_mut(CHUNK).enumerate() {
        gathered.clear();
        for _ in 0..to.len() {
            gathered.extend_from_slice(&tensor.bytes[place * size..][..size]);
            // The next index, the last side first, and its place.
            for side in (0..index.len()).rev() {
                index[side] += 1;
                place += strides[side];
                if index[side] < tensor.shape[side] {
                    break;
                }
                place -= index[side] * strides[side];
                index[side] = 0;
            }
        }
        found = found.and(widen(tensor.dtype, &gathered, to), number * CHUNK);
    }
    found
}

fn width(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

fn widen<T: Real>(dtype: Dtype, from: &[u8], to: &mut [T]) -> NotFinite {
    match dtype {
        Dtype::F32 => by_chunks(from, to, |numbers: &[[u8; 4]], single| {
            for (to, from) in single.iter_mut().zip(numbers) {
                *to = f32::from_le_bytes(*from);
            }
        }),
        Dtype::F16 => by_chunks(from, to, |numbers: &[[u8; 2]], single| {
            let mut half = [f16::ZERO; CHUNK];
            let half = &mut half[..numbers.len()];
            for (to, from) in half.iter_mut().zip(numbers) {
                *to = f16::from_le_bytes(*from);
            }
            half.convert_to_f32_slice(single);
        }),
        _ => by_chunks(from, to, |numbers: &[[u8; 2]], single| {
            let mut half = [bf16::ZERO; CHUNK];
            let half = &mut half[..numbers.len()];
            for (to, from) in half.iter_mut().zip(numbers) {
                *to = bf16::from_le_bytes(*from);
            }
            half.convert_to_f32_slice(single);
        }),
    }
}

fn by_chunks<T: Real, const N: usize>(
    from: &[u8],
    to: &mut [T],
    single_of: impl Fn(&[[u8; N]], &mut [f32]),
) -> NotFinite {
    let mut single = [0.0; CHUNK];
    let mut found = NotFinite::default();
    let (from, _) = from.as_chunks();
    for (number, (to, from)) in to.chunks_mut(CHUNK).zip(from.chunks(CHUNK)).enumerate() {
        let single = &mut single[..from.len()];
        single_of(from, single);
        // Counted first, without a branch; where the first one is matters only where there is one.
        let count = single.iter().filter(|x| !x.is_finite()).count();
        if count > 0 {
            let first = single.iter().position(|x| !x.is_finite()).unwrap_or(0);
            found = found.and(NotFinite { count, first }, number * CHUNK);
        }
        for (to, &x) in to.iter_mut().zip(&*single) {
            *to = T::of_f32(x);
        }
    }
    found
}
