//! Sorted runs of rows: one worker's share of an hour in the order of its keys, in memory or on disk, and their merge.
//!
//! The same (source, kind) may stand in several runs; merging adds its counts and unites its destinations, so the merged rows do
//! not depend on how packets were spread over workers or over time.

mod disk;
mod merge;
mod packed;

pub use disk::DiskRun;
pub use merge::{Merged, merge_range, split_sources};

use crate::destinations::SetStore;
use crate::prefetch::advise_large_pages;
use crate::table::{Row, Rows};
use teiten_observation::{Address, BUCKETS, Family, Kind};

/// What one source did of one kind in one hour, all workers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRow<A> {
    /// Source address.
    pub source: A,
    /// Kind of the packets.
    pub kind: Kind,
    /// First packet, microseconds after the hour's start.
    pub first_us: u32,
    /// Last packet, microseconds after the hour's start.
    pub last_us: u32,
    /// Distinct destinations.
    pub destinations: u32,
    /// Compatibility flags of all packets together.
    pub flags: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Stack signature of the first packet; of those at the same time the smallest.
    pub stack: u64,
    /// The smallest pair value of all packets.
    pub pair: u32,
    /// Packets that have it.
    pub pair_packets: u64,
    /// Packets that show the row's tool; 0 until a source's rows are judged.
    pub tool_packets: u64,
}

impl<A: Address> SourceRow<A> {
    /// The counts of a worker's row, its destinations not counted.
    #[inline(always)]
    pub(crate) fn of(row: &Row<A>) -> Self {
        SourceRow {
            source: row.source,
            kind: row.kind,
            first_us: row.first_us,
            last_us: row.last_us,
            destinations: 0,
            flags: row.flags,
            packets: u64::from(row.packets),
            bytes: row.bytes,
            stack: row.stack,
            pair: row.pair,
            pair_packets: u64::from(row.pair_packets),
            tool_packets: 0,
        }
    }

    /// Adds the counts of `other`; source, kind and destinations are the caller's business.
    pub fn add(&mut self, other: &SourceRow<A>) {
        // What a capture claims of its packets' lengths has no bound.
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.tool_packets = self.tool_packets.saturating_add(other.tool_packets);
        self.flags |= other.flags;
        if (other.first_us, other.stack) < (self.first_us, self.stack) {
            self.stack = other.stack;
        }
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        if other.pair == self.pair {
            self.pair_packets = self.pair_packets.saturating_add(other.pair_packets);
        } else if other.pair < self.pair {
            self.pair = other.pair;
            self.pair_packets = other.pair_packets;
        }
    }
}

/// Rows of one worker in ascending order of (source, kind).
#[derive(Debug)]
pub struct MemoryRun<A> {
    rows: Rows<A>,
    order: Vec<Place<A>>,
    sets: SetStore<A>,
}

/// A row's key, and its number.
#[derive(Clone, Copy, Debug)]
struct Place<A> {
    source: A,
    kind: Kind,
    row: u32,
}

impl<A: Address> MemoryRun<A> {
    /// Sorts the rows of a table.
    #[must_use]
    pub fn sort(rows: Rows<A>, sets: SetStore<A>) -> Self {
        let order = sorted_places(&rows);
        MemoryRun { rows, order, sets }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// The rows' places in order. Rows lie by bucket; each bucket is sorted within the second-level cache.
fn sorted_places<A: Address>(rows: &Rows<A>) -> Vec<Place<A>> {
    let (numbers, starts) = rows.by_bucket();
    let mut order: Vec<Place<A>> = Vec::with_capacity(numbers.len());
    advise_large_pages(&order);
    let mut scratch = Vec::new();
    for bucket in 0..BUCKETS {
        let begin = order.len();
        let numbers = &numbers[starts[bucket]..starts[bucket + 1]];
        for (index, &number) in numbers.iter().enumerate() {
            if let Some(&ahead) = numbers.get(index + ROWS_AHEAD) {
                rows.prefetch(ahead);
            }
            let row = rows.row(number);
            order.push(Place {
                source: row.source,
                kind: row.kind,
                row: number,
            });
        }
        sort_bucket(&mut order[begin..], &mut scratch);
    }
    order
}

/// Rows ahead of the sort whose cache lines are asked for.
const ROWS_AHEAD: usize = 16;
/// Fewer places than this are sorted by comparing: counting octets would cost more.
const COUNTED_MIN: usize = 256;

/// Sorts the places of one bucket: of IPv4 by the three octets that differ, the last one first, then by kind within each source.
fn sort_bucket<A: Address>(places: &mut [Place<A>], scratch: &mut Vec<Place<A>>) {
    if places.len() < COUNTED_MIN || A::FAMILY == Family::Ipv6 {
        places.sort_unstable_by_key(|place| (place.source, place.kind));
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(places);
    by_octet(scratch, places, 0);
    by_octet(places, scratch, 8);
    by_octet(scratch, places, 16);
    for places in places.chunk_by_mut(|left, right| left.source == right.source) {
        if places.len() > 1 {
            places.sort_unstable_by_key(|place| place.kind);
        }
    }
}

/// Copies places in the order of the octet of their source at `shift`; equal ones keep theirs.
fn by_octet<A: Address>(from: &[Place<A>], to: &mut [Place<A>], shift: u32) {
    let octet = |place: &Place<A>| (place.source.number() as u32 >> shift) as u8 as usize;
    let mut next = [0usize; 256];
    for place in from {
        next[octet(place)] += 1;
    }
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    for place in from {
        let next = &mut next[octet(place)];
        to[*next] = *place;
        *next += 1;
    }
}

/// A run wherever it lies.
#[derive(Debug)]
pub enum Run<A> {
    /// In memory.
    Memory(Box<MemoryRun<A>>),
    /// On disk.
    Disk(DiskRun<A>),
}

impl<A: Address> Run<A> {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Run::Memory(run) => run.len(),
            Run::Disk(run) => run.len(),
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Source and kind of rows at even distances, about `count` of them where the run has so many.
    pub fn samples(&self, count: usize) -> impl Iterator<Item = (A, Kind)> + '_ {
        let (order, marks) = match self {
            Run::Memory(run) => (&run.order[..], &[][..]),
            Run::Disk(run) => (&[][..], run.marks()),
        };
        let step = |rows: usize| (rows / count.max(1)).max(1);
        let places = order.iter().step_by(step(order.len()));
        let marks = marks.iter().step_by(step(marks.len()));
        places
            .map(|place| (place.source, place.kind))
            .chain(marks.map(|mark| (mark.source, mark.kind)))
    }
}

/// Any bytes of a file as the rows of a run: for fuzzing, where nothing may crash and reading has to end.
#[doc(hidden)]
pub fn fuzz_rows(path: &std::path::Path) {
    fn read<A: Address>(path: &std::path::Path) -> std::io::Result<()> {
        let file = std::fs::File::open(path)?;
        // A row takes a byte at least: of more rows some must be missing.
        let rows = file.metadata()?.len() as usize + 1;
        let mut reader = packed::RowReader::<A>::new(file, 0, rows)?;
        while let Some(row) = reader.next()? {
            std::hint::black_box(row.1.view());
        }
        Ok(())
    }
    let _ = read::<u32>(path);
    let _ = read::<u128>(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{RowTable, Seed};
    use teiten_observation::{Class, Observation, Tool, TrafficType};

    fn check<A: Address>(count: u32, source: impl Fn(u32) -> A) {
        let observation = |index: u32| Observation {
            time_us: 0,
            source: source(index / 2),
            destination: A::from_number(1),
            kind: Kind::new(
                TrafficType::Udp,
                Class::Scan,
                Tool::None,
                17,
                Some((index % 2) as u16 ^ 1),
            ),
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        };
        let observations: Vec<_> = (0..count).map(observation).collect();
        let mut table = RowTable::new(Seed::random());
        table.observe(0, &observations);
        let places = sorted_places(&table.take().0);
        assert_eq!(places.len(), count as usize);
        assert!(
            places
                .windows(2)
                .all(|pair| (pair[0].source, pair[0].kind) < (pair[1].source, pair[1].kind))
        );
    }

    #[test]
    fn few_and_many_sources_of_both_families_come_out_in_order() {
        for count in [0, 2, 1_022, 5_000, 100_000] {
            check(count, |index| index.wrapping_mul(0x9e37_79b9));
            check(count, |index| 10 << 24 | index);
            check(count, |index| u128::MAX - u128::from(index) * (1 << 100));
            check(count, |index| (0x2001 << 112) + (u128::from(index) << 107));
        }
    }
}
