//! Mapping a file into memory: the one place of this crate with unsafe code for reading captures.

use std::fs::File;
use std::io;
use std::sync::Arc;

use memmap2::{Advice, Mmap};

/// Bytes that are asked for ahead of the reader at a time.
const AHEAD_BYTES: usize = 4 << 20;

/// A mapped capture and how far the kernel was asked to fetch it.
#[derive(Debug)]
pub(super) struct MappedFile {
    bytes: Arc<Mmap>,
    advised_bytes: usize,
}

impl MappedFile {
    /// Maps a whole regular file. An empty file cannot be mapped.
    pub(super) fn open(file: &File) -> io::Result<MappedFile> {
        // SAFETY: the mapping is read-only and private to this reader, and all access is bounds-checked against its length. What the
        // type system cannot rule out is another process writing into the file meanwhile: the bytes are hostile data anyway and
        // every length is checked on the value that is then used. A file that shrinks raises SIGBUS, which ends the process, as it
        // would any reader that maps; whoever rotates captures in place reads them as streams instead.
        let bytes = unsafe { Mmap::map(file)? };
        // Advice that the kernel does not take costs speed only.
        let _ = bytes.advise(Advice::Sequential);
        Ok(MappedFile {
            bytes: Arc::new(bytes),
            advised_bytes: 0,
        })
    }

    /// The map, to be kept by whoever points into it.
    pub(super) fn bytes(&self) -> &Arc<Mmap> {
        &self.bytes
    }

    /// Has the pages from `at` on made ready, a few megabytes ahead.
    pub(super) fn prepare(&mut self, at: usize) {
        while self.advised_bytes < self.bytes.len() && self.advised_bytes < at + AHEAD_BYTES {
            let length = AHEAD_BYTES.min(self.bytes.len() - self.advised_bytes);
            let _ = self
                .bytes
                .advise_range(Advice::PopulateRead, self.advised_bytes, length);
            self.advised_bytes += length;
        }
    }
}
