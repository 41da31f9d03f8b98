//! What an input costs in memory: an allocator that counts, for each thread, the live bytes and the largest request.
//!
//! The counts are those of the thread that measures. Bytes that another thread allocates are not seen: readers run in a pool of
//! that thread alone ([`alone`](crate::alone)).
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// More than this live at once ends the process: a request refused here aborts it, and what was being tried is known from
/// the progress file. It keeps the machine alive where a bound does not hold.
const MOST: isize = 3 << 30;

#[derive(Clone, Copy)]
struct Counts {
    measuring: bool,
    live: isize,
    peak: isize,
    largest: usize,
}

const NONE: Counts = Counts {
    measuring: false,
    live: 0,
    peak: 0,
    largest: 0,
};

thread_local! {
    // Without a destructor, so that the allocator may use it at any time.
    static COUNTS: Cell<Counts> = const { Cell::new(NONE) };
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most bytes that were live at once, above those at the start.
    pub peak: usize,
    /// The largest single request.
    pub largest: usize,
}

/// Runs `f` and tells what it took, also where it panics: `f`'s own panic goes on.
pub fn measure<R>(f: impl FnOnce() -> R) -> (R, Memory) {
    let start = Counts {
        measuring: true,
        ..NONE
    };
    COUNTS.set(start);
    let result = f();
    let counts = COUNTS.replace(NONE);
    let memory = Memory {
        peak: counts.peak.unsigned_abs(),
        largest: counts.largest,
    };
    (result, memory)
}

/// Whether the request may be made.
fn grow(bytes: usize, freed: usize) -> bool {
    let counted = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        if !counts.measuring {
            return true;
        }
        counts.live = counts
            .live
            .saturating_add(isize::try_from(bytes).unwrap_or(isize::MAX))
            .saturating_sub(isize::try_from(freed).unwrap_or(isize::MAX));
        counts.largest = counts.largest.max(bytes);
        if counts.live > MOST {
            return false;
        }
        counts.peak = counts.peak.max(counts.live);
        cell.set(counts);
        true
    });
    counted.unwrap_or(true)
}

struct Counting;

// SAFETY: every request goes to the system's allocator as it came, or is refused with null, which the trait allows; the
// counting itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size(), 0) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !grow(layout.size(), 0) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        grow(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !grow(size, layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_and_largest_request_are_counted() {
        let (sum, memory) = measure(|| {
            let first = vec![1_u8; 1000];
            drop(std::hint::black_box(first));
            let second = std::hint::black_box(vec![1_u8; 3000]);
            let third = std::hint::black_box(vec![1_u8; 500]);
            second.len() + third.len()
        });
        assert_eq!(sum, 3500);
        assert_eq!(memory.largest, 3000);
        assert_eq!(memory.peak, 3500);
    }

    #[test]
    fn a_request_beyond_all_bounds_is_refused() {
        let (refused, _) = measure(|| Vec::<u8>::new().try_reserve_exact(1 << 40).is_err());
        assert!(refused);
    }
}
