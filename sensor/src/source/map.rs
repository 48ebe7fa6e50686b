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
    // every program that maps; captures that are truncated in place have to be read buffered (`ReadingMode::Buffered`).
    let bytes = unsafe { Mmap::map(file)? };
    // The kernel then reads ahead further. Filling the page tables in advance (MADV_POPULATE_READ) costs as much as the faults it
    // saves; what matters is that the page cache has the file in large pieces, as after reading from a disk or writing in megabytes. If the
    // kernel ignores the advice, only speed is lost.
    let _ = bytes.advise(Advice::Sequential);
    Ok(Arc::new(bytes))
}

/// Pages are given back in steps of this size, one step behind the one being read: blocks that are still being worked on are at
/// most some megabytes behind.
const RELEASE_BYTES: usize = 32 << 20;

/// Releases the pages of a map well before `to`, after reading has advanced from `from` to there: they stay in the page cache and no longer
/// count as this process's memory. A later read loads them again.
pub(super) fn release_behind(map: &Mmap, from: usize, to: usize) {
    let step = to / RELEASE_BYTES;
    if step < 2 || step == from / RELEASE_BYTES {
        return;
    }
    let start = (step - 2) * RELEASE_BYTES;
    // SAFETY: the map is a file's and read-only, so dropped pages come back with the file's contents. If the kernel ignores the advice,
    // only memory is lost.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, RELEASE_BYTES) };
}
