//! A plain row-major matrix: what every operation takes and gives.
//!
//! Fresh memory costs more than most operations do: the system clears it page by page. So the large matrices of a pass
//! come from the memory of those that are done with ([`Matrix::reused`], [`Matrix::recycle`]).

use std::sync::{Mutex, PoisonError};

use super::Real;

/// A row-major matrix of `rows` × `cols` numbers.
///
/// ```
/// use spanlift::ops::Matrix;
///
/// let m = Matrix::from_vec(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(m.row(1), [4.0, 5.0, 6.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    rows: usize,
    cols: usize,
    data: Vec<T>,
}

impl<T: Copy + Default> Matrix<T> {
    /// All zeros.
    #[must_use]
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self {
            rows,
            cols,
            data: vec![T::default(); rows * cols],
        }
    }

    /// The matrix whose rows stand one behind the other in `data`.
    ///
    /// # Panics
    ///
    /// Where `data` has not rows · cols elements.
    #[must_use]
    pub fn from_vec(rows: usize, cols: usize, data: Vec<T>) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} × {cols} matrix");
        Self { rows, cols, data }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Row `i`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[T] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Row `i`, to be written.
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// All elements, row by row.
    #[must_use]
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All elements, row by row, to be written.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

/// Memory of matrices that are done with. What finds nothing of its size first frees as much as it takes, so that matrices
/// in use and spare ones together stay within what the largest pass so far needed.
#[derive(Debug)]
pub struct Spare<T>(Mutex<Vec<Vec<T>>>);

/// Matrices of fewer numbers are left to the allocator.
const SMALL: usize = 1 << 11;

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Memory for so many numbers, and not much more.
    fn take(&self, capacity: usize) -> Option<Vec<T>> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest stand first.
        let at = spare.partition_point(|data| data.capacity() < capacity);
        let fits = |data: &Vec<T>| data.capacity() <= capacity + capacity / 4;
        if spare.get(at).is_some_and(fits) {
            return Some(spare.remove(at));
        }
        let mut freed = 0;
        while freed < capacity {
            freed += spare.pop()?.capacity();
        }
        None
    }

    fn give(&self, data: Vec<T>) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = spare.partition_point(|other| other.capacity() < data.capacity());
        spare.insert(at, data);
    }
}

impl<T: Real> Matrix<T> {
    /// A matrix whose numbers are whatever stood in its memory before: all of them must be written.
    #[must_use]
    pub fn reused(rows: usize, cols: usize) -> Self {
        let size = rows * cols;
        if size < SMALL {
            return Self::zeros(rows, cols);
        }
        // Eight sizes between a power of two and the next, so that sequences of about the same length share theirs.
        let step = size.next_power_of_two() / 16;
        let capacity = size.div_ceil(step) * step;
        let found = T::spare().take(capacity);
        let mut data = found.unwrap_or_else(|| Vec::with_capacity(capacity));
        data.resize(size, T::ZERO);
        Self { rows, cols, data }
    }

    /// Leaves the memory to a matrix that comes.
    pub fn recycle(self) {
        if self.data.capacity() < SMALL {
            return;
        }
        T::spare().give(self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_from_one_matrix_to_the_next() {
        // Sizes that no other test asks for.
        let first = Matrix::<f64>::reused(1_000, 3_001);
        let place = first.data().as_ptr();
        first.recycle();
        let second = Matrix::<f64>::reused(3_001, 999);
        assert_eq!(second.data().as_ptr(), place);
        assert_eq!((second.rows(), second.cols()), (3_001, 999));
        assert_eq!(second.data().len(), 3_001 * 999);
    }
}
