//! Sums of a period that do not fit into memory: sorted runs, one after the other in a file that has no name.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::error::{RollupError, file_error};
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, RolledService, SortedSums, Sum};
use super::scratch::scratch;
use crate::store::Store;
use crate::varint;

/// Bytes that are written at once, and that are read of each run.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes of a row, at most: its sketch has 4,136.
const ROW_BYTES_MAX: usize = 1 << 14;

/// Runs that are being written.
pub(super) struct SpilledRuns {
    file: BufWriter<File>,
    length: u64,
    runs: Vec<Range<u64>>,
    row: Vec<u8>,
}

impl SpilledRuns {
    /// None yet.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn new(store: &Store) -> io::Result<Self> {
        let file = scratch(store, "sums")?;
        Ok(SpilledRuns {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            length: 0,
            runs: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Number of runs.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes a run of rows that are sorted by their services.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn push(
        &mut self,
        rows: impl Iterator<Item = (NumberedKey, Sum)>,
    ) -> io::Result<()> {
        let start = self.length;
        for (key, sum) in rows {
            self.row.clear();
            write_row(key, sum, &mut self.row);
            self.file
                .write_all(&(self.row.len() as u32).to_le_bytes())?;
            self.file.write_all(&self.row)?;
            self.length += self.row.len() as u64 + 4;
        }
        self.runs.push(start..self.length);
        Ok(())
    }

    /// The runs, to be read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn into_runs(self) -> io::Result<Vec<SpilledRun>> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let file = Arc::new(file);
        let opened = self.runs.into_iter().map(|bytes| {
            let bytes = FileRange {
                file: Arc::clone(&file),
                bytes,
            };
            let mut run = SpilledRun {
                file: BufReader::with_capacity(BUFFER_BYTES, bytes),
                row: Vec::new(),
                next: None,
            };
            run.advance()?;
            Ok(run)
        });
        opened.collect()
    }
}

fn write_row(key: NumberedKey, sum: Sum, bytes: &mut Vec<u8>) {
    let RolledService {
        ip_version,
        protocol,
        port,
    } = key.service;
    // Numbers of a damaged file may be negative.
    let port = port.map_or(0, |port| u64::from(port as u32) + 1);
    for number in [
        u64::from(ip_version as u32),
        u64::from(protocol as u32),
        port,
    ] {
        varint::write(number, bytes);
    }
    key.texts
        .iter()
        .for_each(|text| varint::write((*text).into(), bytes));
    varint::write(sum.packets as u64, bytes);
    varint::write(sum.bytes as u64, bytes);
    let (_, sketch) = sum.sources.finish();
    bytes.extend_from_slice(&sketch);
}

fn read_key(bytes: &mut &[u8]) -> Option<NumberedKey> {
    let mut number = || varint::read(bytes);
    let (ip_version, protocol) = (number()? as i32, number()? as i32);
    let port = number()?.checked_sub(1).map(|port| port as i32);
    let mut texts = [0; 5];
    for text in &mut texts {
        *text = number()? as u32;
    }
    let service = RolledService {
        ip_version,
        protocol,
        port,
    };
    Some(NumberedKey { service, texts })
}

/// A run that is being read.
pub(super) struct SpilledRun {
    file: BufReader<FileRange>,
    /// What of the row that is next follows its key.
    row: Vec<u8>,
    next: Option<NumberedKey>,
}

impl SpilledRun {
    fn advance(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        if self.file.read(&mut length[..1])? == 0 {
            self.next = None;
            return Ok(());
        }
        self.file.read_exact(&mut length[1..])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > ROW_BYTES_MAX {
            return Err(torn());
        }
        self.row.resize(length, 0);
        self.file.read_exact(&mut self.row)?;
        let rest = &mut &self.row[..];
        self.next = Some(read_key(rest).ok_or_else(torn)?);
        let start = length - rest.len();
        self.row.drain(..start);
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
        _: &mut KindTexts,
        into: &mut HeldSums,
    ) -> Result<(), RollupError> {
        let mut take = || {
            while let Some(key) = self.next.filter(|key| key.service == service) {
                let rest = &mut &self.row[..];
                let counts = varint::read(rest).zip(varint::read(rest));
                let (packets, bytes) = counts.ok_or_else(torn)?;
                into.add(key, [packets as i64, bytes as i64], rest)
                    .map_err(|_| torn())?;
                self.advance()?;
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

/// Bytes of a file that several read at once.
struct FileRange {
    file: Arc<File>,
    bytes: Range<u64>,
}

impl Read for FileRange {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.end - self.bytes.start;
        let wanted = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut into[..wanted], self.bytes.start)?;
        self.bytes.start += count as u64;
        Ok(count)
    }
}
