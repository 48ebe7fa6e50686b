//! The format of a row in a file: fields with default values are left out, as a mark before the row says. A flood has rows of one packet
//! each, and the kernel copies spilled rows twice, so short rows save time.

use std::fs::File;
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom};

use super::row::SourceRow;
use crate::destinations::{DestinationSet, REGISTERS, View};
use teiten_observation::{Address, Kind};

/// One packet: its time is the first and the last, and it has the pair value.
const LONE: u8 = 1;
/// The source is that of the row before.
const SAME_SOURCE: u8 = 1 << 1;
/// Bytes fit into 16 bits.
const SMALL: u8 = 1 << 2;
/// No stack signature.
const NO_STACK: u8 = 1 << 3;
/// Pair value 0.
const NO_PAIR: u8 = 1 << 4;
/// The number of packets that show the tool is given: the row was judged.
const JUDGED: u8 = 1 << 5;

/// Longest row without its destinations: mark, source, kind, times, flags, counts, stack, pair and its packets, packets of the tool,
/// number of destinations.
const ROW_BYTES_MAX: usize = 1 + 16 + 4 + 8 + 4 + 16 + 8 + 12 + 8 + 1;
/// Longest row: as many destinations as one byte can say. An estimate is shorter.
const EXACT_BYTES_MAX: usize = ROW_BYTES_MAX + u8::MAX as usize * 16;
/// Small: many runs are read at once, by several threads. Large enough for an estimate.
const BUFFER_BYTES: usize = 64 << 10;
/// Of several readers together, and of one of very many.
const BUFFERS_BYTES: usize = 4 << 20;
const BUFFER_BYTES_MIN: usize = 8 << 10;
const _: () =
    assert!(EXACT_BYTES_MAX < BUFFER_BYTES_MIN && ROW_BYTES_MAX + REGISTERS < EXACT_BYTES_MAX);

/// Appends a row and its destinations; `before` is the source of the row before where the reader knows it.
pub(super) fn write_row<A: Address>(
    row: &SourceRow<A>,
    destinations: View<'_, A>,
    before: Option<A>,
    bytes: &mut Vec<u8>,
) {
    let is_lone = row.packets == 1 && row.last_us == row.first_us && row.pair_packets == 1;
    let mut mark = 0;
    for (holds, bit) in [
        (is_lone, LONE),
        (before == Some(row.source), SAME_SOURCE),
        (row.bytes <= u64::from(u16::MAX), SMALL),
        (row.stack == 0, NO_STACK),
        (row.pair == 0, NO_PAIR),
        (row.tool_packets != 0, JUDGED),
    ] {
        mark |= if holds { bit } else { 0 };
    }
    // Reserves the whole row at once, so that the writes below need no checks.
    bytes.reserve(ROW_BYTES_MAX);
    bytes.push(mark);
    if mark & SAME_SOURCE == 0 {
        bytes.extend_from_slice(&row.source.number().to_le_bytes()[..size_of::<A>()]);
    }
    bytes.extend_from_slice(&row.kind.bits().to_le_bytes());
    bytes.extend_from_slice(&row.first_us.to_le_bytes());
    bytes.extend_from_slice(&row.flags.to_le_bytes());
    if mark & SMALL == 0 {
        bytes.extend_from_slice(&row.bytes.to_le_bytes());
    } else {
        bytes.extend_from_slice(&(row.bytes as u16).to_le_bytes());
    }
    if mark & NO_STACK == 0 {
        bytes.extend_from_slice(&row.stack.to_le_bytes());
    }
    if mark & NO_PAIR == 0 {
        bytes.extend_from_slice(&row.pair.to_le_bytes());
    }
    if mark & LONE == 0 {
        bytes.extend_from_slice(&row.last_us.to_le_bytes());
        bytes.extend_from_slice(&row.packets.to_le_bytes());
        bytes.extend_from_slice(&row.pair_packets.to_le_bytes());
    }
    if mark & JUDGED != 0 {
        bytes.extend_from_slice(&row.tool_packets.to_le_bytes());
    }
    destinations.write_to(bytes);
}

/// Destinations that lie in no run in memory.
#[derive(Debug)]
pub(super) enum Own<A> {
    /// One, as in nearly all rows of a flood: no allocation.
    One([A; 1]),
    /// None, more, or an estimate.
    Set(DestinationSet<A>),
}

impl<A: Address> Own<A> {
    pub(super) fn view(&self) -> View<'_, A> {
        match self {
            Own::One(member) => View::Few(member),
            Own::Set(set) => set.view(),
        }
    }
}

/// A row, its destinations not counted, and the set of them.
pub(super) type PackedRow<A> = (SourceRow<A>, Own<A>);

/// Rows of a file, one after the other.
pub(super) struct RowReader<A> {
    file: File,
    /// The bytes read ahead; those after `end` are padding, so that a row of a truncated file ends within the buffer.
    buffer: Box<[u8]>,
    place: usize,
    end: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    left: usize,
    before: Option<A>,
}

impl<A: Address> RowReader<A> {
    /// Reads `rows` rows from `offset` on, where a row begins that names its source.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub(super) fn new(file: File, offset: u64, rows: usize) -> Result<Self> {
        RowReader::among(1, file, offset, rows)
    }

    /// The same as one of `readers` that read at once: of many each has a smaller buffer.
    pub(super) fn among(readers: usize, mut file: File, offset: u64, rows: usize) -> Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        let bytes = (BUFFERS_BYTES / readers.max(1)).clamp(BUFFER_BYTES_MIN, BUFFER_BYTES);
        Ok(RowReader {
            file,
            buffer: vec![0; bytes + EXACT_BYTES_MAX].into_boxed_slice(),
            place: 0,
            end: 0,
            offset,
            left: rows,
            before: None,
        })
    }

    /// Where the next row begins in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.place as u64
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<PackedRow<A>>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.end - self.place < EXACT_BYTES_MAX {
            self.fill()?;
        }
        let mut bytes = Bytes {
            rest: &self.buffer[self.place..],
        };
        let row = read_row(&mut bytes, self.before).ok_or(ErrorKind::InvalidData)?;
        self.before = Some(row.source);
        let set = if bytes.rest[0] == 1 {
            bytes.take(1);
            Own::One([A::from_number(bytes.take(size_of::<A>()))])
        } else {
            Own::Set(DestinationSet::read_from(&mut bytes.rest)?)
        };
        self.place = self.buffer.len() - bytes.rest.len();
        if self.place > self.end {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((row, set)))
    }

    /// Moves what is left to the front and reads until the buffer is full or the file ends.
    #[cold]
    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.place..self.end, 0);
        self.offset += self.place as u64;
        self.end -= self.place;
        self.place = 0;
        let full = self.buffer.len() - EXACT_BYTES_MAX;
        while self.end < full {
            match self.file.read(&mut self.buffer[self.end..full]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Bytes that are taken from the front. There are always enough: the buffer holds more than a row.
struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    /// The next `width` bytes as a number, 16 at most.
    #[inline(always)]
    fn take(&mut self, width: usize) -> u128 {
        let mut number = [0; 16];
        let (taken, rest) = self.rest.split_at(width);
        number[..width].copy_from_slice(taken);
        self.rest = rest;
        u128::from_le_bytes(number)
    }
}

/// A row; `None` if its kind is invalid.
#[inline(always)]
fn read_row<A: Address>(bytes: &mut Bytes<'_>, before: Option<A>) -> Option<SourceRow<A>> {
    let mark = bytes.take(1) as u8;
    let source = match before {
        Some(before) if mark & SAME_SOURCE != 0 => before,
        _ => A::from_number(bytes.take(size_of::<A>())),
    };
    let kind = bytes.take(4) as u32;
    let first_us = bytes.take(4) as u32;
    let mut row = SourceRow {
        source,
        kind: Kind::from_bits(kind)?,
        first_us,
        last_us: first_us,
        destinations: 0,
        flags: bytes.take(4) as u32,
        bytes: bytes.take(if mark & SMALL == 0 { 8 } else { 2 }) as u64,
        stack: 0,
        pair: 0,
        packets: 1,
        pair_packets: 1,
        tool_packets: 0,
    };
    if mark & NO_STACK == 0 {
        row.stack = bytes.take(8) as u64;
    }
    if mark & NO_PAIR == 0 {
        row.pair = bytes.take(4) as u32;
    }
    if mark & LONE == 0 {
        row.last_us = bytes.take(4) as u32;
        row.packets = bytes.take(8) as u64;
        row.pair_packets = bytes.take(8) as u64;
    }
    if mark & JUDGED != 0 {
        row.tool_packets = bytes.take(8) as u64;
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use teiten_observation::{Class, Tool, TrafficType};

    fn row<A: Address>(source: A, packets: u64) -> SourceRow<A> {
        SourceRow {
            source,
            kind: Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(443)),
            first_us: 3_599_999_999,
            last_us: 3_599_999_999,
            destinations: 0,
            flags: 0x0fff_ffff,
            packets,
            bytes: 60 * packets,
            stack: 0,
            pair: 0,
            pair_packets: packets,
            tool_packets: 0,
        }
    }

    /// Rows that differ from the first in one field each, so that each mark is set alone and left out alone.
    fn varied<A: Address>(source: A, next: A) -> Vec<SourceRow<A>> {
        let lone = row(source, 1);
        vec![
            lone,
            SourceRow {
                stack: u64::MAX,
                ..lone
            },
            SourceRow {
                pair: u32::MAX,
                ..lone
            },
            SourceRow {
                pair_packets: 0,
                ..lone
            },
            SourceRow {
                first_us: 0,
                ..lone
            },
            SourceRow {
                tool_packets: u64::MAX,
                ..lone
            },
            SourceRow {
                bytes: u64::MAX,
                ..lone
            },
            row(next, u64::MAX / 60),
            row(next, 1),
        ]
    }

    fn check<A: Address>(source: A, next: A) {
        let rows = varied(source, next);
        let sets: Vec<DestinationSet<A>> = [0, 1, 2, 127, 128, 129, 3, 1, 0]
            .into_iter()
            .map(|members| {
                let mut set = DestinationSet::new();
                (0..members).for_each(|number| set.insert(A::from_number(number * 7)));
                set
            })
            .collect();
        let (mut bytes, mut before) = (b"before".to_vec(), None);
        for (row, set) in rows.iter().zip(&sets) {
            write_row(row, set.view(), before, &mut bytes);
            before = Some(row.source);
        }
        let reader = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().expect("a temporary file");
            file.write_all(bytes).expect("room");
            RowReader::<A>::new(file, 6, rows.len()).expect("readable")
        };
        let mut whole = reader(&bytes);
        for (row, set) in rows.iter().zip(&sets) {
            let (read, own) = whole.next().expect("readable").expect("a row");
            assert_eq!(read, *row);
            assert_eq!(DestinationSet::from(own.view()), *set);
        }
        assert!(whole.next().expect("readable").is_none());
        assert_eq!(whole.offset(), bytes.len() as u64);
        // Cut off anywhere, it is an error and not another row at the end.
        for length in (6..bytes.len()).step_by(11) {
            let mut cut = reader(&bytes[..length]);
            let read = rows.iter().map_while(|_| cut.next().ok().flatten());
            assert!(read.count() < rows.len());
        }
    }

    #[test]
    fn rows_of_both_families_come_back_as_they_were() {
        check(0x0a00_0001_u32, u32::MAX);
        check(1_u128, u128::MAX);
    }

    #[test]
    fn more_rows_than_a_buffer_holds_come_back_in_order() {
        let mut bytes = Vec::new();
        for source in 0..20_000_u32 {
            let row = row(source / 2, u64::from(source % 3 + 1));
            let before = (source % 4096 != 0).then(|| (source - 1) / 2);
            write_row(&row, View::Few(&[source]), before, &mut bytes);
        }
        assert!(bytes.len() > 2 * BUFFER_BYTES);
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(&bytes).expect("room");
        let small = file.try_clone().expect("a second handle");
        let mut reader = RowReader::<u32>::new(file, 0, 20_000).expect("readable");
        let of_one: Vec<_> = std::iter::from_fn(|| reader.next().expect("readable")).collect();
        let mut reader = RowReader::<u32>::among(1_000, small, 0, 20_000).expect("readable");
        assert!(reader.buffer.len() < BUFFER_BYTES / 4);
        for source in 0..20_000_u32 {
            let (read, own) = reader.next().expect("readable").expect("a row");
            let (same, its_own) = &of_one[source as usize];
            assert_eq!(read, *same);
            assert_eq!(
                DestinationSet::from(own.view()),
                DestinationSet::from(its_own.view())
            );
            assert_eq!(read, row(source / 2, u64::from(source % 3 + 1)));
            assert_eq!(
                DestinationSet::from(own.view()),
                DestinationSet::single(source)
            );
        }
    }
}
