//! A file as bytes, without reading it: the one place of the loader that is `unsafe`.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a regular file into memory, read-only.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes are read as plain numbers, of which every bit pattern is one, and only while `load` runs: the
    // map is dropped before it returns. What is left is that another process shortens the file meanwhile, which ends
    // this one with a bus error, as it does for every program that maps a file.
    unsafe { Mmap::map(file) }
}
