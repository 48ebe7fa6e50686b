//! The rows of one open hour, private to one worker: a hash table from (source, kind) to counters, made for attackers' input.
//!
//! The index holds 32 bits of a seeded hash and the row's number, so that it grows without looking at the rows. Updates come in
//! batches, and the cache lines of a batch are asked for ahead of their use. No file, clock, lock or log here.

mod rows;

pub use rows::{Row, Rows};

use crate::destinations::{SetNumber, SetStore};
use crate::pieces::Spare;
use crate::prefetch::{advise_large_pages, prefetch};
use rows::OWN_DESTINATIONS;
use teiten_observation::{Address, Kind, Observation};

/// Microseconds in an hour; a time within the hour fits 32 bits.
pub use crate::hour::HOUR_US;
const _: () = assert!(HOUR_US <= u32::MAX as i64);

/// How far ahead of an update its index slot is asked for, then its row, then the place in the row's destination set.
const SLOT_AHEAD: usize = 32;
const ROW_AHEAD: usize = 16;
const PLACE_AHEAD: usize = 6;
/// Slots at the start; the index doubles whenever it is two thirds full.
const SLOTS_MIN: usize = 1 << 6;

/// Most rows that are allocated in advance, so that an hour after a flood does not begin with the flood's memory.
const ROOM_ROWS_MAX: usize = 1 << 22;

/// Slots that so many rows need; none for none.
const fn slots_for(rows: usize) -> usize {
    rows * 3 / 2 + (rows > 0) as usize
}

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
    /// Hash in the upper half, row number plus one in the lower; 0 is free. A slot's place follows from its hash alone.
    slots: Vec<u64>,
    rows: Rows<A>,
    sets: SetStore<A>,
    hashes: Vec<u32>,
    seed: Seed,
}

impl<A: Address> RowTable<A> {
    /// An empty table.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        RowTable::with_room(seed, 0, Spare::new(0, 0))
    }

    /// An empty table that will hold about as many rows: its index has that size from the start, and memory for rows comes from `spare` and
    /// goes back to it.
    #[must_use]
    pub fn with_room(seed: Seed, rows: usize, spare: Spare<Row<A>>) -> Self {
        let slots = vec![0; slots_for(rows.min(ROOM_ROWS_MAX))];
        advise_large_pages(&slots);
        RowTable {
            slots,
            rows: Rows::sparing(spare),
            sets: SetStore::default(),
            hashes: Vec::new(),
            seed,
        }
    }

    /// Counts a batch. All observations are of the hour that starts at `hour_start_us`.
    pub fn observe(&mut self, hour_start_us: i64, batch: &[Observation<A>]) {
        self.reserve(batch.len());
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.extend(batch.iter().map(|one| self.seed.hash(one.source, one.kind)));
        for &hash in hashes.iter().take(SLOT_AHEAD) {
            prefetch(&self.slots, self.place(hash));
        }
        for (index, observation) in batch.iter().enumerate() {
            if let Some(&hash) = hashes.get(index + SLOT_AHEAD) {
                prefetch(&self.slots, self.place(hash));
            }
            if let Some(&hash) = hashes.get(index + ROW_AHEAD) {
                let slot = self.slots[self.place(hash)];
                self.rows.prefetch((slot as u32).wrapping_sub(1));
            }
            if let Some(&hash) = hashes.get(index + PLACE_AHEAD)
                && let Some(row) = self.likely_row(hash)
            {
                self.sets
                    .prefetch(row.set, batch[index + PLACE_AHEAD].destination);
            }
            let time_us = observation.time_us.wrapping_sub(hour_start_us) as u32;
            self.count(hashes[index], observation, time_us);
        }
        self.hashes = hashes;
    }

    /// The rows and the destination sets they refer to; the table is empty afterwards.
    #[must_use]
    pub fn take(&mut self) -> (Rows<A>, SetStore<A>) {
        self.slots = Vec::new();
        (
            std::mem::take(&mut self.rows),
            std::mem::take(&mut self.sets),
        )
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
            + self.rows.memory_bytes()
            + self.sets.memory_bytes()
    }

    #[inline(always)]
    fn place(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// The row that most likely has this hash: only a hint, its key is not compared.
    #[inline(always)]
    fn likely_row(&self, hash: u32) -> Option<&Row<A>> {
        let slot = self.slots[self.place(hash)];
        if (slot >> 32) as u32 != hash {
            return None;
        }
        self.rows.get((slot as u32).wrapping_sub(1))
    }

    #[inline(always)]
    fn count(&mut self, hash: u32, observation: &Observation<A>, time_us: u32) {
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                self.slots[place] = u64::from(hash) << 32 | self.begin(observation, time_us);
                return;
            }
            if (slot >> 32) as u32 == hash {
                let row = self.rows.row_mut(slot as u32 - 1);
                if row.source == observation.source && row.kind == observation.kind {
                    if row.packets == u32::MAX {
                        self.slots[place] =
                            u64::from(hash) << 32 | self.begin(observation, time_us);
                        return;
                    }
                    add(row, observation, time_us);
                    row.touch(&mut self.sets, observation.destination);
                    return;
                }
            }
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
    }

    /// Adds the row of a first packet; gives its number plus one.
    #[inline]
    fn begin(&mut self, observation: &Observation<A>, time_us: u32) -> u64 {
        let number = self.rows.push(Row {
            source: observation.source,
            destinations: [observation.destination; OWN_DESTINATIONS],
            kind: observation.kind,
            set: SetNumber::NONE,
            packets: 1,
            first_us: time_us,
            last_us: time_us,
            flags: observation.flags,
            bytes: u64::from(observation.wire_length_bytes),
            stack: observation.stack,
            pair: observation.pair,
            pair_packets: 1,
        });
        u64::from(number) + 1
    }

    /// Reserves `more` new rows, so that no slot moves while a batch is counted.
    fn reserve(&mut self, more: usize) {
        let needed = slots_for(self.rows.len() + more);
        if needed > self.slots.len() {
            let slots = needed.max(self.slots.len() * 2).max(SLOTS_MIN);
            self.regrow(slots);
        }
    }

    fn regrow(&mut self, slots: usize) {
        // Memory that comes zeroed from the kernel is not written before it is used.
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        advise_large_pages(&self.slots);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let mut place = self.place((slot >> 32) as u32);
            while self.slots[place] != 0 {
                place += 1;
                if place == slots {
                    place = 0;
                }
            }
            self.slots[place] = slot;
        }
    }
}

/// Adds a packet to the counts of its row.
#[inline(always)]
fn add<A: Address>(row: &mut Row<A>, observation: &Observation<A>, time_us: u32) {
    row.packets += 1;
    row.bytes += u64::from(observation.wire_length_bytes);
    row.flags |= observation.flags;
    if (time_us, observation.stack) < (row.first_us, row.stack) {
        row.stack = observation.stack;
    }
    row.first_us = row.first_us.min(time_us);
    row.last_us = row.last_us.max(time_us);
    if observation.pair == row.pair {
        row.pair_packets += 1;
    } else if observation.pair < row.pair {
        row.pair = observation.pair;
        row.pair_packets = 1;
    }
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
