//! A file whose bytes are hashed on their way into it: what follows from them need not read them again.

use std::hash::Hasher;
use std::io::{self, Write};

use twox_hash::XxHash64;

/// A file that is being written.
pub(crate) struct HashedFile<W> {
    file: W,
    hash: XxHash64,
}

impl<W: Write> HashedFile<W> {
    /// Nothing is written yet.
    pub(crate) fn new(file: W) -> Self {
        HashedFile {
            file,
            hash: XxHash64::with_seed(0),
        }
    }

    /// The file, and the XXH64 (seed 0) of all that was written.
    pub(crate) fn finish(self) -> (W, u64) {
        (self.file, self.hash.finish())
    }
}

impl<W: Write> Write for HashedFile<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        Hasher::write(&mut self.hash, &bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
