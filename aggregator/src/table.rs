//! The rows of one open hour, private to one worker: a hash table from (source, kind) to counters, made for attackers' input.
//!
//! Updates come in batches, and the cache lines of a batch are asked for ahead of their use. A table with many rows is larger than any
//! cache: there, observations wait by the bucket of their source until a bucket has enough of them, whose rows and index then come into the
//! second-level cache once for all. No file, clock, lock or log here.

mod index;
mod pending;
mod rows;

pub use pending::Seed;
pub use rows::{Row, Rows};

use crate::destinations::SetStore;
use crate::pieces::Spare;
use index::RowIndex;
use pending::PendingPacket;
use rows::FIRST_ROWS;
use teiten_observation::{Address, BUCKETS, Observation};

/// Microseconds in an hour; a time within the hour fits 32 bits.
pub use crate::hour::HOUR_US;
const _: () = assert!(HOUR_US <= u32::MAX as i64);

/// Rows of a table from which observations wait by bucket: as many as lie in the order of their first packet.
const BUCKETED_ROWS_MIN: usize = FIRST_ROWS;
/// Observations of a bucket that wait, at most and at least: of a table with so many rows one for each [`ROWS_A_WAITING`] of them.
const WAITING_MAX: usize = 4096;
const WAITING_MIN: usize = 64;
const ROWS_A_WAITING: usize = 256;

/// Rows of one family in one hour.
#[derive(Debug)]
pub struct RowTable<A> {
    rows: Rows<A>,
    sets: SetStore<A>,
    seed: Seed,
    /// All rows, or while there are many none.
    all: Bucket<A>,
    /// While there are many rows: those of each bucket.
    buckets: Vec<Bucket<A>>,
}

/// The index of a bucket's rows, and packets that wait to be counted in them.
#[derive(Debug)]
struct Bucket<A> {
    index: RowIndex,
    waiting: Vec<PendingPacket<A>>,
}

impl<A: Address> Bucket<A> {
    fn with_room(rows: usize) -> Self {
        Bucket {
            index: RowIndex::with_room(rows),
            waiting: Vec::new(),
        }
    }

    /// Counts what waits.
    #[inline(never)]
    fn count(&mut self, rows: &mut Rows<A>, sets: &mut SetStore<A>) {
        self.index.count(rows, sets, &self.waiting);
        self.waiting.clear();
    }

    /// Counts what waits, so that about `waiting_max` packets more can wait. Memory that grew with packets in it would copy them.
    #[inline(never)]
    fn make_room(&mut self, waiting_max: usize, rows: &mut Rows<A>, sets: &mut SetStore<A>) {
        self.count(rows, sets);
        let capacity = 1 << waiting_max.max(1).ilog2();
        if self.waiting.capacity() < capacity {
            self.waiting = Vec::with_capacity(capacity);
        }
    }

    /// Memory held, bytes.
    fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.waiting.capacity() * size_of::<PendingPacket<A>>()
    }
}

impl<A: Address> RowTable<A> {
    /// An empty table.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        RowTable::with_room(seed, 0, Spare::new(0, 0))
    }

    /// An empty table that will hold about as many rows: its index has that size from the start, up to a limit, and memory for rows comes
    /// from `spare` and goes back to it.
    #[must_use]
    pub fn with_room(seed: Seed, rows: usize, spare: Spare<Row<A>>) -> Self {
        RowTable {
            rows: Rows::sparing(spare),
            sets: SetStore::default(),
            seed,
            all: Bucket::with_room(rows.min(BUCKETED_ROWS_MIN)),
            buckets: Vec::new(),
        }
    }

    /// Counts a batch. All observations are of the hour that starts at `hour_start_us`, which is the same for all batches.
    pub fn observe(&mut self, hour_start_us: i64, batch: &[Observation<A>]) {
        let seed = self.seed;
        let pending = batch
            .iter()
            .map(|observation| PendingPacket::new(seed, hour_start_us, observation));
        if self.buckets.is_empty() {
            self.all.waiting.extend(pending);
            self.all.count(&mut self.rows, &mut self.sets);
            if self.rows.len() >= BUCKETED_ROWS_MIN {
                self.begin_buckets();
            }
            return;
        }
        let waiting_max = (self.rows.len() / ROWS_A_WAITING).clamp(WAITING_MIN, WAITING_MAX);
        for packet in pending {
            let bucket = &mut self.buckets[packet.source.bucket()];
            if bucket.waiting.len() == bucket.waiting.capacity() {
                bucket.make_room(waiting_max, &mut self.rows, &mut self.sets);
            }
            bucket.waiting.push(packet);
        }
    }

    /// Gives each bucket an index of its own.
    fn begin_buckets(&mut self) {
        self.buckets = (0..BUCKETS).map(|_| Bucket::with_room(0)).collect();
        let all = std::mem::replace(&mut self.all, Bucket::with_room(0));
        for (hash, number) in all.index.entries() {
            let bucket = self.rows.row(number).source.bucket();
            self.buckets[bucket].index.insert(hash, number);
        }
    }

    /// The rows and the destination sets they refer to; the table is empty afterwards.
    #[must_use]
    pub fn take(&mut self) -> (Rows<A>, SetStore<A>) {
        for mut bucket in std::mem::take(&mut self.buckets) {
            bucket.count(&mut self.rows, &mut self.sets);
        }
        self.all = Bucket::with_room(0);
        (
            std::mem::take(&mut self.rows),
            std::mem::take(&mut self.sets),
        )
    }

    /// Number of rows, without those of observations that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row. Nothing waits then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let buckets = self.buckets.iter().map(Bucket::memory_bytes);
        self.all.memory_bytes()
            + buckets.sum::<usize>()
            + self.rows.memory_bytes()
            + self.sets.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::destinations::EXACT_DESTINATIONS_MAX;
    use teiten_observation::{Class, Kind, Tool, TrafficType};

    fn observation(source: u32, destination: u32, port: u16, time_us: i64) -> Observation<u32> {
        let kind = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(port));
        Observation {
            time_us,
            source,
            destination,
            kind,
            wire_length_bytes: 60,
            flags: 1 << (destination & 7),
            stack: u64::from(destination),
            pair: destination & 3,
        }
    }

    #[derive(Default)]
    struct Expected {
        packets: u32,
        first: (u32, u64),
        last_us: u32,
        flags: u32,
        pairs: BTreeMap<u32, u32>,
        destinations: BTreeSet<u32>,
    }

    #[test]
    fn a_table_counts_what_a_map_counts() {
        let mut table = RowTable::<u32>::new(Seed::random());
        let mut expected = BTreeMap::<(u32, Kind), Expected>::new();
        let mut state = 7u32;
        for _ in 0..200 {
            let batch: Vec<_> = (0..1000)
                .map(|index| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    observation(
                        (state >> 16).wrapping_mul(state >> 31) << 16 | state >> 27,
                        state >> 8 & 0xff,
                        (state >> 4) as u16 & 7,
                        index * 1000,
                    )
                })
                .collect();
            for one in &batch {
                let entry = expected.entry((one.source, one.kind)).or_insert(Expected {
                    first: (u32::MAX, 0),
                    ..Expected::default()
                });
                entry.packets += 1;
                entry.first = entry.first.min((one.time_us as u32, one.stack));
                entry.last_us = entry.last_us.max(one.time_us as u32);
                entry.flags |= one.flags;
                *entry.pairs.entry(one.pair).or_default() += 1;
                entry.destinations.insert(one.destination);
            }
            table.observe(0, &batch);
        }
        let (rows, sets) = table.take();
        assert_eq!(rows.len(), expected.len());
        let (numbers, starts) = rows.by_bucket();
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), rows.len());
        for (bucket, bounds) in starts.windows(2).enumerate() {
            for &number in &numbers[bounds[0]..bounds[1]] {
                let row = rows.row(number);
                let expected = &expected[&(row.source, row.kind)];
                assert_eq!(row.source.bucket(), bucket);
                assert_eq!(row.packets, expected.packets);
                assert_eq!(row.bytes, u64::from(expected.packets) * 60);
                assert_eq!((row.first_us, row.stack), expected.first);
                assert_eq!((row.last_us, row.flags), (expected.last_us, expected.flags));
                let pair = expected.pairs.first_key_value();
                assert_eq!(Some((&row.pair, &row.pair_packets)), pair);
                let destinations = expected.destinations.len() as u64;
                let counted = row.destinations(&sets).count();
                if destinations <= EXACT_DESTINATIONS_MAX as u64 {
                    assert_eq!(counted, destinations);
                } else {
                    assert!(counted > EXACT_DESTINATIONS_MAX as u64);
                }
            }
        }
    }

    #[test]
    fn a_row_whose_packets_do_not_fit_is_followed_by_another() {
        let mut table = RowTable::<u32>::new(Seed::random());
        table.observe(0, &[observation(1, 2, 80, 5)]);
        table.rows.row_mut(0).packets = u32::MAX;
        table.observe(0, &[observation(1, 2, 80, 6), observation(1, 3, 80, 7)]);
        let packets: Vec<u32> = (0..2)
            .map(|number| table.rows.row(number).packets)
            .collect();
        assert_eq!((table.len(), packets), (2, vec![u32::MAX, 2]));
    }

    #[test]
    fn an_empty_batch_changes_nothing() {
        let mut table = RowTable::<u128>::new(Seed::random());
        table.observe(0, &[]);
        assert!(table.is_empty());
    }
}
