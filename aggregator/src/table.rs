//! The rows of one open hour, private to one worker: a hash table from (source, kind) to counters, made for attackers' input.
//!
//! Updates come in batches, and the cache lines of a batch are asked for ahead of their use. A table with many rows is larger than any
//! cache: there, observations wait by the bucket of their source until a bucket has enough of them, whose rows and index then come into the
//! second-level cache once for all. No file, clock, lock or log here.

mod index;
mod rows;

pub use rows::{Row, Rows};

use crate::destinations::SetStore;
use crate::pieces::Spare;
use index::RowIndex;
use rows::FIRST_ROWS;
use teiten_observation::{Address, BUCKETS, Kind, Observation};

/// Microseconds in an hour; a time within the hour fits 32 bits.
pub use crate::hour::HOUR_US;
const _: () = assert!(HOUR_US <= u32::MAX as i64);

/// Rows of a table from which observations wait by bucket: as many as lie in the order of their first packet.
const BUCKETED_ROWS_MIN: usize = FIRST_ROWS;
/// Observations of a bucket that wait, at most and at least: of a table with so many rows one for each [`ROWS_A_WAITING`] of them.
const WAITING_MAX: usize = 4096;
const WAITING_MIN: usize = 64;
const ROWS_A_WAITING: usize = 256;

/// The seeds of a table's hash, so that sources cannot be chosen to collide.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64, u64);

impl Seed {
    /// A seed from the operating system's randomness.
    #[must_use]
    pub fn random() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Seed(
            RandomState::new().hash_one(1u8),
            RandomState::new().hash_one(2u8) | 1,
        )
    }

    #[inline(always)]
    fn hash<A: Address>(self, source: A, kind: Kind) -> u32 {
        let number = source.number();
        let low = (number as u64) << 32 ^ u64::from(kind.bits());
        let mut hash = folded_multiply(low ^ self.0, self.1);
        if A::BITS > 32 {
            hash = folded_multiply(hash ^ (number >> 32) as u64, self.1);
            hash = folded_multiply(hash ^ (number >> 96) as u64, self.1);
        }
        (folded_multiply(hash, self.0 | 1) >> 32) as u32
    }
}

#[inline(always)]
fn folded_multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Rows of one family in one hour.
#[derive(Debug)]
pub struct RowTable<A> {
    rows: Rows<A>,
    sets: SetStore<A>,
    seed: Seed,
    hashes: Vec<u32>,
    /// The index of all rows, or while there are many none.
    index: RowIndex,
    /// While there are many rows: those of each bucket.
    buckets: Vec<Bucket<A>>,
    /// The start of the table's hour.
    hour_start_us: i64,
}

/// The index of a bucket's rows, and observations that wait.
#[derive(Debug)]
struct Bucket<A> {
    index: RowIndex,
    waiting: Vec<Observation<A>>,
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
            hashes: Vec::new(),
            index: RowIndex::with_room(rows.min(BUCKETED_ROWS_MIN)),
            buckets: Vec::new(),
            hour_start_us: 0,
        }
    }

    /// Counts a batch. All observations are of the hour that starts at `hour_start_us`, which is the same for all batches.
    pub fn observe(&mut self, hour_start_us: i64, batch: &[Observation<A>]) {
        self.hour_start_us = hour_start_us;
        if self.buckets.is_empty() {
            let (index, rows, sets) = (&mut self.index, &mut self.rows, &mut self.sets);
            hash_all(self.seed, batch, &mut self.hashes);
            index.count(rows, sets, hour_start_us, batch, &self.hashes);
            if self.rows.len() >= BUCKETED_ROWS_MIN {
                self.begin_buckets();
            }
            return;
        }
        let waiting_max = (self.rows.len() / ROWS_A_WAITING).clamp(WAITING_MIN, WAITING_MAX);
        for observation in batch {
            let number = observation.source.bucket();
            let waiting = &mut self.buckets[number].waiting;
            waiting.push(*observation);
            if waiting.len() >= waiting_max {
                self.count_bucket(number);
            }
        }
    }

    /// Counts what waits in a bucket.
    #[inline(never)]
    fn count_bucket(&mut self, number: usize) {
        let Bucket { index, waiting } = &mut self.buckets[number];
        hash_all(self.seed, waiting, &mut self.hashes);
        index.count(
            &mut self.rows,
            &mut self.sets,
            self.hour_start_us,
            waiting,
            &self.hashes,
        );
        waiting.clear();
    }

    /// Gives each bucket an index of its own.
    fn begin_buckets(&mut self) {
        let bucket = |_| Bucket {
            index: RowIndex::default(),
            waiting: Vec::new(),
        };
        self.buckets = (0..BUCKETS).map(bucket).collect();
        for (hash, number) in std::mem::take(&mut self.index).entries() {
            let bucket = self.rows.row(number).source.bucket();
            self.buckets[bucket].index.insert(hash, number);
        }
    }

    /// The rows and the destination sets they refer to; the table is empty afterwards.
    #[must_use]
    pub fn take(&mut self) -> (Rows<A>, SetStore<A>) {
        for number in 0..self.buckets.len() {
            self.count_bucket(number);
        }
        self.buckets = Vec::new();
        self.index = RowIndex::default();
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
        let buckets = self.buckets.iter().map(|bucket| {
            bucket.index.memory_bytes() + bucket.waiting.capacity() * size_of::<Observation<A>>()
        });
        self.index.memory_bytes()
            + buckets.sum::<usize>()
            + self.rows.memory_bytes()
            + self.sets.memory_bytes()
    }
}

fn hash_all<A: Address>(seed: Seed, batch: &[Observation<A>], hashes: &mut Vec<u32>) {
    hashes.clear();
    hashes.extend(batch.iter().map(|one| seed.hash(one.source, one.kind)));
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::destinations::EXACT_DESTINATIONS_MAX;
    use teiten_observation::{Class, Tool, TrafficType};

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
