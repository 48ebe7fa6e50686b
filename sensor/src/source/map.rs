//! Maps a file into memory: the only place where reading captures needs unsafe code.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::{Advice, Mmap, UncheckedAdvice};

/// Maps a whole regular file. An empty file cannot be mapped.
pub(super) fn map(file: &File) -> io::Result<Arc<Mmap>> {
    // SAFETY: the mapping is read-only and stays within this process, and all access is bounds-checked against its length. What the
    // type system cannot rule out is another process writing into the file meanwhile: the bytes are hostile data anyway, and every
    // length is checked on the value that is then used. A file that shrinks raises SIGBUS and ends the process, as it does with
    // every program that maps; captures that are cut in place are to be read buffered (`Reading::Buffered`).
    let bytes = unsafe { Mmap::map(file)? };
    // The kernel then reads ahead further. Filling the page tables in advance (MADV_POPULATE_READ) costs as much as the faults it
    // saves; what counts is that the file lies in the page cache in large pieces, as it does when read from a disk or written in
    // megabytes. Advice that is not taken costs speed only.
    let _ = bytes.advise(Advice::Sequential);
    Ok(Arc::new(bytes))
}

/// Pages are given back in steps of this size, one step behind the one being read: blocks that are still being worked on are at
/// most some megabytes behind.
const RELEASE_BYTES: usize = 32 << 20;

/// Gives back the pages of a map that lie well behind `to`, when reading has come from `from` to there: they stay in the page cache and
/// count no longer as this process's memory. A later read loads them again.
pub(super) fn release_behind(map: &Mmap, from: usize, to: usize) {
    let step = to / RELEASE_BYTES;
    if step < 2 || step == from / RELEASE_BYTES {
        return;
    }
    let start = (step - 2) * RELEASE_BYTES;
    // SAFETY: the map is a file's and read-only, so dropped pages come back with the file's contents. Advice that is not taken
    // costs memory only.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, RELEASE_BYTES) };
}
