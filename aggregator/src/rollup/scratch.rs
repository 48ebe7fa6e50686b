//! Bytes that are written once, and read again before their day is done: in memory, and where they are many in a file that has no name.
//! A year has hundreds of small days: a file for each of them costs the file system more than the bytes in it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};

use crate::store::Store;

/// Memory of bytes that wait, at most: they are written to the file in pieces of this size.
const HELD_BYTES_MAX: usize = 1 << 20;

/// A file in the work folder that is gone with its last handle.
///
/// # Errors
/// When it cannot be made.
pub(super) fn scratch(store: &Store, ending: &str) -> io::Result<File> {
    let path = store.scratch_path(ending)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Bytes on their way in.
pub(super) struct ScratchWriter<'s> {
    store: &'s Store,
    ending: &'static str,
    held: Vec<u8>,
    held_max: usize,
    file: Option<File>,
}

impl<'s> ScratchWriter<'s> {
    /// No bytes yet; a file would have this ending.
    pub(super) fn new(store: &'s Store, ending: &'static str) -> Self {
        ScratchWriter {
            store,
            ending,
            held: Vec::new(),
            held_max: HELD_BYTES_MAX,
            file: None,
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        if self.held.len() < self.held_max {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(scratch(self.store, self.ending)?),
        };
        file.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// The bytes, from the first one on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn finish(self) -> io::Result<ScratchReader> {
        let mut reader = ScratchReader {
            file: self.file.map(BufReader::new),
            held: io::Cursor::new(self.held),
        };
        reader.rewind()?;
        Ok(reader)
    }
}

/// Bytes on their way out.
pub(super) struct ScratchReader {
    file: Option<BufReader<File>>,
    /// What follows the file.
    held: io::Cursor<Vec<u8>>,
}

impl ScratchReader {
    /// Goes back to the first byte.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.held.set_position(0);
        self.file.as_mut().map_or(Ok(()), Seek::rewind)
    }
}

impl Read for ScratchReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            let count = file.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
        }
        self.held.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_memory_and_file_as_often_as_they_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        for held_max in [1, 100, 1_000_000] {
            let mut writer = ScratchWriter::new(&store, "test");
            writer.held_max = held_max;
            let mut expected = Vec::new();
            for number in 0..5_000_u32 {
                let bytes = number.to_le_bytes();
                let bytes = &bytes[..number as usize % 5];
                writer.push(bytes).expect("writable");
                expected.extend_from_slice(bytes);
            }
            assert_eq!(writer.file.is_some(), held_max < 1_000_000);
            let mut reader = writer.finish().expect("readable");
            for _ in 0..2 {
                let mut found = Vec::new();
                reader.read_to_end(&mut found).expect("readable");
                assert!(found == expected, "{held_max}");
                reader.rewind().expect("readable");
            }
        }
    }
}
