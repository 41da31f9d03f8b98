//! A file as bytes, without reading it: the one place of the loader that is `unsafe`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a regular file into memory, read-only.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read only while `load` runs and dropped before it returns. What cannot be ruled out here, as in
    // every program that maps a file, is another process that writes to the file meanwhile: one that shortens it ends
    // this program with a bus error, one that changes the header after its check could make it read wrong numbers.
    unsafe { Mmap::map(file) }
}

/// Takes the pages under `part` out of this process's memory: they stay in the system's cache of the file, and would
/// come from there again.
#[cfg(unix)]
pub(super) fn give_back(map: &Mmap, part: &[u8]) {
    use memmap2::UncheckedAdvice::DontNeed;

    let start = (part.as_ptr() as usize).wrapping_sub(map.as_ptr() as usize);
    if start
        .checked_add(part.len())
        .is_none_or(|end| end > map.len())
    {
        return;
    }
    // Advice: where the system does not take it, the pages stay, and nothing else changes.
    // SAFETY: the map is of a file and only ever read, so that a page that is dropped holds nothing but the file's own
    // bytes, and the next read brings the same ones, as `map` above has it. The range lies in the map.
    let _ = unsafe { map.unchecked_advise_range(DontNeed, start, part.len()) };
}

/// Elsewhere the pages stay until the file is closed.
#[cfg(not(unix))]
pub(super) fn give_back(_map: &Mmap, _part: &[u8]) {}
