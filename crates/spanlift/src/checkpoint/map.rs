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
