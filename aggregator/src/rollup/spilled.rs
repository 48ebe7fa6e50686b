//! Sums of a period that do not fit into memory: sorted runs, one after the other in a file that has no name.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::error::{RollupError, file_error};
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, RowBytes, SortedSums};
use super::scratch::scratch;
use crate::schema::RolledService;
use crate::store::Store;
use crate::varint;

/// Bytes of rows that are written at once, and that are read of each run, but for the last row.
const BLOCK_BYTES: usize = 64 << 10;
/// Bytes of a row, at most: its registers have 4,096.
const ROW_BYTES_MAX: usize = 1 << 13;

/// Runs that are being written.
pub(super) struct SpilledRuns {
    file: File,
    length: u64,
    runs: Vec<Range<u64>>,
    block: Vec<u8>,
}

impl SpilledRuns {
    /// None yet.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn new(store: &Store) -> io::Result<Self> {
        Ok(SpilledRuns {
            file: scratch(store, "sums")?,
            length: 0,
            runs: Vec::new(),
            block: Vec::new(),
        })
    }

    /// Number of runs.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes the rows of `held` as a run, sorted.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn push(&mut self, held: &mut HeldSums, texts: &mut KindTexts) -> io::Result<()> {
        let (start, mut before) = (self.length, 0);
        held.take_bytes(texts, |key, row| {
            // Few bits: most rows are of the service of the row before.
            let service = key.service.bits();
            varint::write((service - before).into(), &mut self.block);
            varint::write(key.kind.into(), &mut self.block);
            before = service;
            self.block.extend_from_slice(row.bytes());
            match self.block.len() < BLOCK_BYTES {
                true => Ok(()),
                false => self.write_block(),
            }
        })?;
        self.write_block()?;
        self.runs.push(start..self.length);
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        let length = self.block.len() as u32;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&self.block)?;
        self.length += u64::from(length) + LENGTH_BYTES;
        self.block.clear();
        Ok(())
    }

    /// The runs, to be read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn into_runs(self) -> io::Result<Vec<SpilledRun>> {
        let file = Arc::new(self.file);
        let opened = self.runs.into_iter().map(|bytes| {
            let mut run = SpilledRun {
                file: Arc::clone(&file),
                bytes,
                block: Vec::new(),
                read: 0,
                service: 0,
                next: None,
            };
            run.advance()?;
            Ok(run)
        });
        opened.collect()
    }
}

/// Bytes of a block's length before it.
const LENGTH_BYTES: u64 = size_of::<u32>() as u64;

/// A run that is being read.
pub(super) struct SpilledRun {
    file: Arc<File>,
    /// What has not been read of the file.
    bytes: Range<u64>,
    block: Vec<u8>,
    /// Bytes of the block that have been taken, with the key that is next.
    read: usize,
    /// The bits of the last service.
    service: u32,
    next: Option<NumberedKey>,
}

impl SpilledRun {
    /// Finds the key of the row that is next.
    fn advance(&mut self) -> io::Result<()> {
        while self.read == self.block.len() {
            if self.bytes.is_empty() {
                self.next = None;
                return Ok(());
            }
            self.read_block()?;
        }
        let rest = &mut &self.block[self.read..];
        let numbers = varint::read(rest).zip(varint::read(rest));
        let (step, kind) = numbers.ok_or_else(torn)?;
        self.read = self.block.len() - rest.len();
        self.service += step as u32;
        self.next = Some(NumberedKey {
            service: RolledService::from_bits(self.service),
            kind: kind as u32,
        });
        Ok(())
    }

    fn read_block(&mut self) -> io::Result<()> {
        let mut length = [0; LENGTH_BYTES as usize];
        self.file.read_exact_at(&mut length, self.bytes.start)?;
        let length = u32::from_le_bytes(length) as usize;
        let end = self.bytes.start + LENGTH_BYTES + length as u64;
        if length > BLOCK_BYTES + ROW_BYTES_MAX || end > self.bytes.end {
            return Err(torn());
        }
        self.block.resize(length, 0);
        let start = self.bytes.start + LENGTH_BYTES;
        self.file.read_exact_at(&mut self.block, start)?;
        self.bytes.start = end;
        self.read = 0;
        Ok(())
    }
}

impl SortedSums for SpilledRun {
    fn next_service(&mut self, _: &mut KindTexts) -> Result<Option<RolledService>, RollupError> {
        Ok(self.next.map(|key| key.service))
    }

    fn take_service(
        &mut self,
        service: RolledService,
        texts: &mut KindTexts,
        into: &mut HeldSums,
    ) -> Result<(), RollupError> {
        let mut take = || {
            while let Some(key) = self.next.filter(|key| key.service == service) {
                let rest = &mut &self.block[self.read..];
                into.add_bytes(key, RowBytes::take(rest).ok_or_else(torn)?);
                self.read = self.block.len() - rest.len();
                self.advance()?;
                into.make_room(texts);
            }
            Ok(())
        };
        take().map_err(file_error(Path::new("spilled sums")))
    }
}

fn torn() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "sums that were spilled to disk came back otherwise",
    )
}
