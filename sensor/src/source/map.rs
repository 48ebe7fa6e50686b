//! Mapping a file into memory: the one place where reading captures needs unsafe code.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::{Advice, Mmap};

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
