//! A sorted run in a temporary file: what an open hour sets aside when memory is short.
//!
//! The file has no name that a reader of the dataset would take for a part, is written once, read a few times in ranges, and is
//! removed when the run is dropped.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Result, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::{MemoryRun, Run, SourceRow, merge_range};
use crate::destinations::DestinationSet;
use crate::observation::{Address, Kind};

/// Rows between two marks of the in-memory index.
const MARK_ROWS: usize = 4096;
/// Bytes of the fixed part of an IPv6 row, the longest.
const ROW_BYTES_MAX: usize = 68;
/// Small: many runs are read at once, by several threads.
const BUFFER_BYTES: usize = 64 << 10;

/// A sorted run on disk.
#[derive(Debug)]
pub struct DiskRun<A> {
    path: PathBuf,
    rows: usize,
    marks: Vec<Mark<A>>,
    /// Whether the file is another's business and stays when the run is dropped.
    stays: bool,
}

/// Every 4096th row of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark<A> {
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
        let mut disk = DiskRun {
            path: path.to_owned(),
            rows: run.len(),
            marks: Vec::new(),
            stays: false,
        };
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        let mut offset = 0;
        let mut bytes = Vec::new();
        for (index, place) in run.order.iter().enumerate() {
            if index % MARK_ROWS == 0 {
                disk.marks.push(Mark {
                    source: place.source,
                    kind: place.kind,
                    offset,
                });
            }
            let row = run.rows.row(place.row);
            bytes.clear();
            write_row(&SourceRow::of(row), &mut bytes);
            row.destinations(&run.sets).write_to(&mut bytes);
            file.write_all(&bytes)?;
            offset += bytes.len() as u64;
        }
        file.flush()?;
        Ok(disk)
    }

    /// Appends what `runs` hold together to `file`, which has `offset` bytes already and will be found at `path`. The file stays
    /// when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be written, or a run cannot be read.
    pub(crate) fn append_merged(
        file: &mut impl Write,
        path: &Path,
        mut offset: u64,
        runs: &[Run<A>],
    ) -> Result<(Self, u64)> {
        let mut disk = DiskRun::staying(path);
        let mut bytes = Vec::new();
        let mut outcome = Ok(());
        merge_range(runs, None, None, |merged| {
            if outcome.is_err() {
                return;
            }
            let row = merged.row();
            disk.mark(&row, offset);
            bytes.clear();
            write_row(&row, &mut bytes);
            merged.destinations().view().write_to(&mut bytes);
            outcome = file.write_all(&bytes);
            offset += bytes.len() as u64;
            disk.rows += 1;
        })?;
        outcome.map(|()| (disk, offset))
    }

    /// The run of `rows` rows that lies in the file at `path` from `offset` on; the file stays when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    pub(crate) fn found(path: &Path, offset: u64, rows: usize) -> Result<Self> {
        let mut disk = DiskRun::staying(path);
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = DiskReader {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            left: rows,
            family: PhantomData,
        };
        while disk.rows < rows {
            let is_mark = disk.rows.is_multiple_of(MARK_ROWS);
            let offset = if is_mark {
                reader.file.stream_position()?
            } else {
                0
            };
            let Some((row, _)) = reader.next()? else {
                break;
            };
            disk.mark(&row, offset);
            disk.rows += 1;
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

    fn staying(path: &Path) -> Self {
        DiskRun {
            path: path.to_owned(),
            rows: 0,
            marks: Vec::new(),
            stays: true,
        }
    }

    /// Remembers where the next row begins, where it is one of every 4096th.
    fn mark(&mut self, row: &SourceRow<A>, offset: u64) {
        if self.rows.is_multiple_of(MARK_ROWS) {
            self.marks.push(Mark {
                source: row.source,
                kind: row.kind,
                offset,
            });
        }
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

    /// Rows at even distances, for splitting the work.
    pub(super) fn marks(&self) -> &[Mark<A>] {
        &self.marks
    }

    /// Reads rows in order, from a row at or before the first one of `source`.
    pub(super) fn reader(&self, source: Option<A>) -> Result<DiskReader<A>> {
        // The mark before the first that reaches the source: rows of the source may begin between the two.
        let mark = source.map_or(0, |source| {
            self.marks.partition_point(|mark| mark.source < source)
        });
        let mark = mark.saturating_sub(1);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(
            self.marks.get(mark).map_or(0, |mark| mark.offset),
        ))?;
        Ok(DiskReader {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            left: self.rows - (mark * MARK_ROWS).min(self.rows),
            family: PhantomData,
        })
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

/// A row, its destinations not counted, and the set of them.
pub(super) type DiskRow<A> = (SourceRow<A>, DestinationSet<A>);

/// Rows of a run, one after the other.
pub(super) struct DiskReader<A> {
    file: BufReader<File>,
    left: usize,
    family: PhantomData<A>,
}

impl<A: Address> DiskReader<A> {
    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<DiskRow<A>>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut bytes = [0; ROW_BYTES_MAX];
        self.file.read_exact(&mut bytes[..row_bytes::<A>()])?;
        let set = DestinationSet::read_from(&mut self.file)?;
        Ok(Some((read_row(&bytes), set)))
    }
}

const fn row_bytes<A>() -> usize {
    size_of::<A>() + 4 + 4 + 4 + 4 + 8 + 8 + 8 + 4 + 8
}

const _: () = assert!(row_bytes::<u128>() <= ROW_BYTES_MAX);

fn write_row<A: Address>(row: &SourceRow<A>, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&row.source.number().to_le_bytes()[..size_of::<A>()]);
    bytes.extend_from_slice(&row.kind.bits().to_le_bytes());
    bytes.extend_from_slice(&row.first_us.to_le_bytes());
    bytes.extend_from_slice(&row.last_us.to_le_bytes());
    bytes.extend_from_slice(&row.flags.to_le_bytes());
    bytes.extend_from_slice(&row.packets.to_le_bytes());
    bytes.extend_from_slice(&row.bytes.to_le_bytes());
    bytes.extend_from_slice(&row.stack.to_le_bytes());
    bytes.extend_from_slice(&row.pair.to_le_bytes());
    bytes.extend_from_slice(&row.pair_packets.to_le_bytes());
}

fn read_row<A: Address>(bytes: &[u8; ROW_BYTES_MAX]) -> SourceRow<A> {
    let mut place = 0;
    let mut take = |width: usize| {
        let mut number = [0; 16];
        number[..width].copy_from_slice(&bytes[place..place + width]);
        place += width;
        u128::from_le_bytes(number)
    };
    let source = A::from_number(take(size_of::<A>()));
    let kind = Kind::from_bits(take(4) as u32).expect("a run holds the kinds it was written with");
    SourceRow {
        source,
        kind,
        first_us: take(4) as u32,
        last_us: take(4) as u32,
        flags: take(4) as u32,
        packets: take(8) as u64,
        bytes: take(8) as u64,
        stack: take(8) as u64,
        pair: take(4) as u32,
        pair_packets: take(8) as u64,
        tool_packets: 0,
        destinations: 0,
    }
}
