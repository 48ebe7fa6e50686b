//! Sorted replies of an hour, in memory or in a file, and their merge: rows with one key become one row.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::reply_table::{ReplyCounts, ReplyKey, ReplyRow, ReplyTable};
use teiten_observation::{Family, TrafficType};

/// Bytes of a key in a file.
const KEY_BYTES: usize = 1 + 16 + 1 + 3 + 1 + 1;
/// Bytes read at a time, and of all runs together: there are as many buffers as runs.
const BUFFER_BYTES: RangeInclusive<usize> = 4 << 10..=32 << 10;
const BUFFERS_BYTES: usize = 4 << 20;

/// Rows in order.
#[derive(Debug)]
pub enum ReplyRun {
    /// In memory.
    Memory(Vec<ReplyRow>),
    /// In a file.
    Disk(ReplyFile),
}

/// Rows in a file, from a byte on.
#[derive(Debug)]
pub struct ReplyFile {
    path: PathBuf,
    offset: u64,
    rows: u64,
    /// Whether the file belongs to another owner and stays when this is dropped.
    stays: bool,
    /// How many times its rows were merged from files.
    level: u8,
}

impl Drop for ReplyFile {
    fn drop(&mut self) {
        if !self.stays {
            // A file that cannot be removed now is removed when the dataset is next opened.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl ReplyFile {
    /// The rows of the file at `path` from byte `offset` on; it stays when this is dropped.
    #[must_use]
    pub fn found(path: &Path, offset: u64, rows: u64) -> Self {
        ReplyFile {
            path: path.to_owned(),
            offset,
            rows,
            stays: true,
            level: 0,
        }
    }

    /// The same rows once more: only for a file that stays.
    #[must_use]
    pub fn again(&self) -> Self {
        ReplyFile::found(&self.path, self.offset, self.rows)
    }

    /// Number of rows.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

impl ReplyRun {
    /// The rows of a table.
    pub fn all_of(table: ReplyTable) -> impl Iterator<Item = Self> {
        table.into_runs().into_iter().map(ReplyRun::Memory)
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            ReplyRun::Memory(rows) => rows.len() as u64,
            ReplyRun::Disk(file) => file.rows,
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the rows are in memory.
    #[must_use]
    pub const fn is_in_memory(&self) -> bool {
        matches!(self, ReplyRun::Memory(_))
    }

    /// How many times the rows of a file were merged from files; none of rows in memory.
    #[must_use]
    pub const fn level(&self) -> Option<u8> {
        match self {
            ReplyRun::Memory(_) => None,
            ReplyRun::Disk(file) => Some(file.level),
        }
    }

    /// Writes the rows of these runs, merged, to a new file at `path`, which is removed when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be made or written; then it is gone.
    pub fn spill(runs: &[ReplyRun], path: &Path) -> io::Result<ReplyRun> {
        let mut file = ReplyFile::found(path, 0, 0);
        file.stays = false;
        let levels = runs.iter().filter_map(ReplyRun::level);
        file.level = levels.max().map_or(0, |level| level + 1);
        let mut out = BufWriter::new(File::create_new(path)?);
        (file.rows, _) = write_merged(runs, &mut out)?;
        out.flush()?;
        Ok(ReplyRun::Disk(file))
    }
}

/// Writes the rows of all runs, merged; gives the number of rows and of bytes.
///
/// # Errors
/// When a run cannot be read or `out` not be written.
pub fn write_merged(runs: &[ReplyRun], out: &mut impl Write) -> io::Result<(u64, u64)> {
    let (mut rows, mut length) = (0, 0);
    let mut bytes = Vec::new();
    merge_replies(runs.iter().map(ReplyRun::lent), |row| {
        bytes.clear();
        write_key(&row.key, &mut bytes);
        row.counts.write_to(&mut bytes);
        rows += 1;
        length += bytes.len() as u64;
        out.write_all(&bytes)
    })?;
    Ok((rows, length))
}

/// Rows of a run that are yet to be read.
pub enum RowsLeft<'r> {
    /// Of a run that stays.
    Lent(std::slice::Iter<'r, ReplyRow>),
    /// Of a run that goes.
    Owned(std::vec::IntoIter<ReplyRow>),
    /// In a file.
    Disk(&'r ReplyFile),
}

impl ReplyRun {
    /// Its rows, which stay.
    #[must_use]
    pub fn lent(&self) -> RowsLeft<'_> {
        match self {
            ReplyRun::Memory(rows) => RowsLeft::Lent(rows.iter()),
            ReplyRun::Disk(file) => RowsLeft::Disk(file),
        }
    }

    /// Its rows, of which none is left in memory.
    pub fn taken(&mut self) -> RowsLeft<'_> {
        match self {
            ReplyRun::Memory(rows) => RowsLeft::Owned(std::mem::take(rows).into_iter()),
            ReplyRun::Disk(file) => RowsLeft::Disk(file),
        }
    }
}

/// Gives the rows of all runs in order, each key once.
///
/// # Errors
/// When a run cannot be read, and what `take` returns.
pub fn merge_replies<'r, E: From<io::Error>>(
    runs: impl Iterator<Item = RowsLeft<'r>>,
    mut take: impl FnMut(Cow<'r, ReplyRow>) -> Result<(), E>,
) -> Result<(), E> {
    let runs: Vec<_> = runs.collect();
    let mut readers = Vec::with_capacity(runs.len());
    let mut heap = BinaryHeap::new();
    let buffer_bytes =
        (BUFFERS_BYTES / runs.len().max(1)).clamp(*BUFFER_BYTES.start(), *BUFFER_BYTES.end());
    for rows in runs {
        let mut reader = ReplyReader::of(rows, buffer_bytes)?;
        if let Some(key) = reader.advance()? {
            heap.push(Reverse((key, readers.len())));
        }
        readers.push(reader);
    }
    let mut united: Option<ReplyRow> = None;
    loop {
        let Some(mut top) = heap.peek_mut() else {
            return Ok(());
        };
        let Reverse((key, index)) = *top;
        let reader = &mut readers[index];
        let head = reader.head.take();
        match reader.advance()? {
            Some(next) => {
                *top = Reverse((next, index));
                drop(top);
            }
            None => drop(PeekMut::pop(top)),
        }
        let Some(head) = head else { continue };
        let is_last = heap.peek().is_none_or(|Reverse((next, _))| *next != key);
        match (united.take(), is_last) {
            (None, true) => take(head)?,
            (None, false) => united = Some(head.into_owned()),
            (Some(mut row), is_last) => {
                row.counts.add(&head.counts);
                if is_last {
                    take(Cow::Owned(row))?;
                } else {
                    united = Some(row);
                }
            }
        }
    }
}

/// A run that is being read.
struct ReplyReader<'r> {
    rows: Source<'r>,
    head: Option<Cow<'r, ReplyRow>>,
}

/// Where the rows of a reader come from.
enum Source<'r> {
    Memory(RowsLeft<'r>),
    File(BufReader<File>, u64),
}

impl<'r> ReplyReader<'r> {
    fn of(rows: RowsLeft<'r>, buffer_bytes: usize) -> io::Result<Self> {
        let rows = match rows {
            RowsLeft::Disk(file) => {
                let mut opened = File::open(&file.path)?;
                opened.seek(SeekFrom::Start(file.offset))?;
                Source::File(BufReader::with_capacity(buffer_bytes, opened), file.rows)
            }
            rows => Source::Memory(rows),
        };
        Ok(ReplyReader { rows, head: None })
    }

    /// Goes to the next row; gives its key, none at the end.
    fn advance(&mut self) -> io::Result<Option<ReplyKey>> {
        self.head = match &mut self.rows {
            Source::Memory(RowsLeft::Lent(rows)) => rows.next().map(Cow::Borrowed),
            Source::Memory(RowsLeft::Owned(rows)) => rows.next().map(Cow::Owned),
            Source::Memory(RowsLeft::Disk(_)) | Source::File(_, 0) => None,
            Source::File(file, left) => {
                *left -= 1;
                Some(Cow::Owned(ReplyRow {
                    key: read_key(file)?,
                    counts: ReplyCounts::read_from(file)?,
                }))
            }
        };
        Ok(self.head.as_ref().map(|row| row.key))
    }
}

fn write_key(key: &ReplyKey, bytes: &mut Vec<u8>) {
    bytes.push(key.family as u8);
    bytes.extend_from_slice(&key.victim.to_le_bytes());
    bytes.push(key.protocol);
    bytes.push(key.port.is_some().into());
    bytes.extend_from_slice(&key.port.unwrap_or(0).to_le_bytes());
    bytes.push(key.traffic_type as u8);
    bytes.push(key.minute);
}

fn read_key(input: &mut impl Read) -> io::Result<ReplyKey> {
    let mut bytes = [0; KEY_BYTES];
    input.read_exact(&mut bytes)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a row of replies is damaged");
    let [
        family,
        victim @ ..,
        protocol,
        has_port,
        low,
        high,
        traffic_type,
        minute,
    ] = bytes;
    let family = match family {
        4 => Family::Ipv4,
        6 => Family::Ipv6,
        _ => return Err(damaged()),
    };
    let port = u16::from_le_bytes([low, high]);
    Ok(ReplyKey {
        family,
        victim: u128::from_le_bytes(victim),
        protocol,
        port: (has_port != 0).then_some(port),
        traffic_type: TrafficType::from_code(traffic_type).ok_or_else(damaged)?,
        minute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_table::ReplyPacket;
    use crate::table::HOUR_US;

    fn table(numbers: impl Iterator<Item = u32>) -> ReplyTable {
        let mut table = ReplyTable::default();
        for number in numbers {
            table.observe(&ReplyPacket {
                time_us: i64::from(number) * 1_700_000 % HOUR_US,
                victim: number % 13,
                destination: number,
                protocol: [6, 17, 1][number as usize % 3],
                port: (number % 3 < 2).then_some(number as u16 % 5),
                traffic_type: TrafficType::ALL[number as usize % 3],
                wire_length_bytes: 60,
            });
        }
        table
    }

    fn runs_of(table: ReplyTable) -> Vec<ReplyRun> {
        ReplyRun::all_of(table).collect()
    }

    fn merged(runs: &[ReplyRun]) -> Vec<ReplyRow> {
        let mut rows = Vec::new();
        merge_replies::<io::Error>(runs.iter().map(ReplyRun::lent), |row| {
            rows.push(row.into_owned());
            Ok(())
        })
        .expect("readable");
        rows
    }

    #[test]
    fn any_spread_over_runs_in_memory_and_files_merges_to_the_same_rows() {
        let whole = merged(&runs_of(table(0..2_000)));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for parts in [1, 2, 7] {
            let mut runs = Vec::new();
            for part in 0..parts {
                let own = runs_of(table((0..2_000).filter(|number| number % parts == part)));
                if part % 2 == 0 {
                    let path = folder.path().join(format!("{parts}-{part}"));
                    runs.push(ReplyRun::spill(&own, &path).expect("writable"));
                } else {
                    runs.extend(own);
                }
            }
            assert_eq!(merged(&runs), whole);
            let mut taken = Vec::new();
            let left = runs.iter_mut().map(ReplyRun::taken);
            merge_replies::<io::Error>(left, |row| {
                taken.push(row.into_owned());
                Ok(())
            })
            .expect("readable");
            assert_eq!(taken, whole);
        }
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 0, "files go with their runs");
    }

    #[test]
    fn a_file_that_ends_early_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows");
        let mut file = File::create(&path).expect("writable");
        let (rows, bytes) = write_merged(&runs_of(table(0..50)), &mut file).expect("writable");
        let run = [ReplyRun::Disk(ReplyFile::found(&path, 0, rows))];
        assert_eq!(merged(&run).len() as u64, rows);
        file.set_len(bytes - 1).expect("cut");
        let lent = run.iter().map(ReplyRun::lent);
        assert!(merge_replies::<io::Error>(lent, |_| Ok(())).is_err());
    }
}
