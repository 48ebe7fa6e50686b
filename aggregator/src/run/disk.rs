//! A sorted run in a temporary file: an open hour spills it when memory is short.
//!
//! The file has no name that a reader of the dataset would take for a part, is written once, read a few times in ranges, and is
//! removed when the run is dropped.

use std::fs::File;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

use super::memory::MemoryRun;
use super::packed::{RowReader, write_row};
use super::row::SourceRow;
use crate::destinations::View;
use teiten_observation::{Address, Kind};

/// Rows between two marks of the in-memory index: who reads a range begins at a mark, and what lies before the range is read in vain.
const MARK_ROWS: usize = 256;
/// Rows ahead of the reading whose cache lines are asked for.
pub(super) const ROW_AHEAD: usize = 16;
/// Bytes that are handed to the file at a time: they are made within the second-level cache.
const BUFFER_BYTES: usize = 256 << 10;

/// A sorted run on disk.
#[derive(Debug)]
pub struct DiskRun<A> {
    path: PathBuf,
    rows: usize,
    marks: Vec<RowMark<A>>,
    /// Whether the file belongs to another owner and stays when the run is dropped.
    pub(super) stays: bool,
    /// How many times its rows were merged from files.
    pub(super) level: u8,
}

/// A row of every [`MARK_ROWS`]th place of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowMark<A> {
    pub source: A,
    pub kind: Kind,
    /// Where it begins in the file.
    offset: u64,
}

impl<A: Address> DiskRun<A> {
    /// Writes a run to a new file at `path`.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub fn write(path: &Path, run: &MemoryRun<A>) -> Result<Self> {
        let mut disk = DiskRun::staying(path);
        disk.stays = false;
        let mut writer = RowWriter::new(File::create_new(path)?, &mut disk, 0);
        for (index, place) in run.order.iter().enumerate() {
            if let Some(ahead) = run.order.get(index + ROW_AHEAD) {
                run.rows.prefetch(ahead.row);
            }
            let row = run.rows.row(place.row);
            writer.push(&SourceRow::of(row), row.destinations(&run.sets))?;
        }
        writer.finish()?;
        Ok(disk)
    }

    /// Writes rows that are in order to a new file at `path`, which is removed when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub(crate) fn write_rows<'v>(
        path: &Path,
        rows: impl Iterator<Item = (&'v SourceRow<A>, View<'v, A>)>,
    ) -> Result<Self>
    where
        A: 'v,
    {
        let mut disk = DiskRun::staying(path);
        disk.stays = false;
        let mut writer = RowWriter::new(File::create(path)?, &mut disk, 0);
        for (row, destinations) in rows {
            writer.push(row, destinations)?;
        }
        writer.finish()?;
        Ok(disk)
    }

    /// The run of `rows` rows in the file at `path` from `offset` on; the file stays when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    pub(crate) fn found(path: &Path, offset: u64, rows: usize) -> Result<Self> {
        let mut disk = DiskRun::staying(path);
        let mut reader = RowReader::new(File::open(path)?, offset, rows)?;
        while disk.rows < rows {
            let offset = reader.offset();
            let Some((row, _)) = reader.next()? else {
                break;
            };
            disk.mark(&row, offset);
        }
        Ok(disk)
    }

    /// The same run once more: only for a file that stays.
    pub(crate) fn again(&self) -> Self {
        let mut again = DiskRun::staying(&self.path);
        again.rows = self.rows;
        again.marks.clone_from(&self.marks);
        again
    }

    pub(super) fn staying(path: &Path) -> Self {
        DiskRun {
            path: path.to_owned(),
            rows: 0,
            marks: Vec::new(),
            stays: true,
            level: 0,
        }
    }

    /// Counts a row that begins at `offset`, and records the first of each [`MARK_ROWS`].
    fn mark(&mut self, row: &SourceRow<A>, offset: u64) {
        if self.rows.is_multiple_of(MARK_ROWS) {
            self.marks.push(RowMark {
                source: row.source,
                kind: row.kind,
                offset,
            });
        }
        self.rows += 1;
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many times its rows were merged from files.
    #[must_use]
    pub(crate) const fn level(&self) -> u8 {
        self.level
    }

    /// Rows at even distances, for splitting the work.
    pub(super) fn marks(&self) -> &[RowMark<A>] {
        &self.marks
    }

    /// Reads rows in order, from a row at or before the first one of `source`, as one of `readers` that read at once.
    pub(super) fn reader(&self, source: Option<A>, readers: usize) -> Result<RowReader<A>> {
        // The mark before the first that reaches the source: rows of the source may begin between the two.
        let mark = source.map_or(0, |source| {
            self.marks.partition_point(|mark| mark.source < source)
        });
        let mark = mark.saturating_sub(1);
        let offset = self.marks.get(mark).map_or(0, |mark| mark.offset);
        let rows = self.rows - (mark * MARK_ROWS).min(self.rows);
        RowReader::among(readers, File::open(&self.path)?, offset, rows)
    }
}

/// Rows on their way to a file.
pub(super) struct RowWriter<'r, W, A> {
    file: W,
    run: &'r mut DiskRun<A>,
    bytes: Vec<u8>,
    /// Where `bytes` begin in the file.
    offset: u64,
    before: Option<A>,
}

impl<'r, W: Write, A: Address> RowWriter<'r, W, A> {
    pub(super) fn new(file: W, run: &'r mut DiskRun<A>, offset: u64) -> Self {
        RowWriter {
            file,
            run,
            bytes: Vec::with_capacity(BUFFER_BYTES),
            offset,
            before: None,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, row: &SourceRow<A>, destinations: View<'_, A>) -> Result<()> {
        // Readers begin at marks, where no row came before.
        let before = self
            .before
            .filter(|_| !self.run.rows.is_multiple_of(MARK_ROWS));
        self.run.mark(row, self.offset + self.bytes.len() as u64);
        write_row(row, destinations, before, &mut self.bytes);
        self.before = Some(row.source);
        if self.bytes.len() >= BUFFER_BYTES / 2 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.bytes)?;
        self.offset += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// Writes what is left; where the rows end in the file.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.offset)
    }
}

impl<A> Drop for DiskRun<A> {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        // A file that cannot be removed now is removed when the dataset is next opened.
        let _ = std::fs::remove_file(&self.path);
    }
}
