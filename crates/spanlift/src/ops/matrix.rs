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

/// Memory of matrices that are done with. What finds nothing of its size first frees as much as it takes, and no more comes
/// back than was taken, so that matrices in use and spare ones together stay within what the largest pass so far needed.
#[derive(Debug)]
pub struct Spare<T>(Mutex<Stock<T>>);

#[derive(Debug)]
struct Stock<T> {
    /// The smallest first.
    spare: Vec<Vec<T>>,
    /// Numbers that were taken and have not come back.
    taken: usize,
}

/// Matrices of fewer numbers are left to the allocator.
const SMALL: usize = 1 << 11;

impl<T> Spare<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Stock {
            spare: Vec::new(),
            taken: 0,
        }))
    }

    /// Memory for so many numbers, and not much more.
    fn take(&self, capacity: usize) -> Option<Vec<T>> {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Stock { spare, taken } = &mut *stock;
        let at = spare.partition_point(|data| data.capacity() < capacity);
        let fits = |data: &Vec<T>| data.capacity() <= capacity + capacity / 4;
        if spare.get(at).is_some_and(fits) {
            let data = spare.remove(at);
            *taken += data.capacity();
            return Some(data);
        }
        *taken += capacity;
        let mut freed = 0;
        while freed < capacity {
            freed += spare.pop()?.capacity();
        }
        None
    }

    fn give(&self, data: Vec<T>) {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A matrix that was made otherwise goes: one more with every pass would pile up.
        let Some(left) = stock.taken.checked_sub(data.capacity()) else {
            return;
        };
        stock.taken = left;
        let larger = |other: &Vec<T>| other.capacity() < data.capacity();
        let at = stock.spare.partition_point(larger);
        stock.spare.insert(at, data);
    }
}

impl<T: Real> Matrix<T> {
    /// A matrix whose numbers are whatever stood in its memory before: all of them must be written.
    #[must_use]
    pub fn reused(rows: usize, cols: usize) -> Self {
        let size = rows * cols;
        if size < SMALL {
            return Self::zeros(rows, cols).unwritten();
        }
        // Eight sizes between a power of two and the next, so that sequences of about the same length share theirs.
        let step = size.next_power_of_two() / 16;
        let capacity = size.div_ceil(step) * step;
        let found = T::spare().take(capacity);
        let mut data = found.unwrap_or_else(|| Vec::with_capacity(capacity));
        data.resize(size, T::ZERO);
        Self { rows, cols, data }.unwritten()
    }

    /// In this crate's tests all NaN, so that what is read before it is written shows.
    fn unwritten(mut self) -> Self {
        if cfg!(test) {
            self.data.fill(T::of(f64::NAN));
        }
        self
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

    fn sizes(spare: &Spare<f32>) -> Vec<usize> {
        let stock = spare.0.lock().unwrap();
        stock.spare.iter().map(Vec::capacity).collect()
    }

    fn taken(spare: &Spare<f32>, capacity: usize) -> Vec<f32> {
        let found = spare.take(capacity);
        found.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    #[test]
    fn spare_memory_fits_or_goes() {
        let spare = Spare::new();
        let all = [400, 100, 200, 800].map(|capacity| taken(&spare, capacity));
        all.into_iter().for_each(|data| spare.give(data));
        assert_eq!(sizes(&spare), [100, 200, 400, 800]);
        // The smallest that is large enough, and at most a quarter more.
        assert_eq!(spare.take(160).map(|data| data.capacity()), Some(200));
        assert_eq!(sizes(&spare), [100, 400, 800]);
        // Nothing of about 500: the largest goes, and no more than must.
        assert!(spare.take(500).is_none());
        assert_eq!(sizes(&spare), [100, 400]);
        assert!(spare.take(450).is_none());
        assert!(sizes(&spare).is_empty());
    }

    /// A pass gives back what it took, and its words, which it did not take.
    #[test]
    fn pass_after_pass_keeps_no_more_than_one_took() {
        let spare = Spare::new();
        for _ in 0..10 {
            let own = [taken(&spare, 1000), taken(&spare, 1000)];
            spare.give(Vec::with_capacity(1000));
            own.into_iter().for_each(|data| spare.give(data));
            assert_eq!(sizes(&spare), [1000, 1000]);
        }
    }
}
