//! The rows of one open hour, private to one worker: a hash table from (source, kind) to counters, made for attackers' input.
//!
//! Rows lie in one vector in the order of their first packet; the index beside it holds 32 bits of a seeded hash and the row's
//! number, so that it grows without looking at the rows. Updates come in batches, and the cache lines of a batch are asked for
//! ahead of their use. No file, clock, lock or log here.

use crate::destinations::DestinationSet;
use crate::observation::{Address, Kind, Observation};
use crate::prefetch::{advise_large_pages, prefetch};

/// Microseconds in an hour; a time within the hour fits 32 bits.
pub const HOUR_US: i64 = 3_600_000_000;
const _: () = assert!(HOUR_US <= u32::MAX as i64);

/// What one source did of one kind in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<A> {
    /// Source address.
    pub source: A,
    /// The destination, when it is the only one; else one of them.
    pub destination: A,
    /// Kind of the packets.
    pub kind: Kind,
    /// One more than the number of the row's destination set, or 0 when `destination` is the only one.
    pub set: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// First packet, microseconds after the hour's start.
    pub first_us: u32,
    /// Last packet, microseconds after the hour's start.
    pub last_us: u32,
}

const _: () = assert!(size_of::<Row<u32>>() == 40);
const _: () = assert!(size_of::<Row<u128>>() == 64);

/// How far ahead of an update its index slot is asked for, then its row, then the row's destination set, then the place in the set.
const SLOT_AHEAD: usize = 32;
const ROW_AHEAD: usize = 20;
const SET_AHEAD: usize = 10;
const PLACE_AHEAD: usize = 4;
/// Slots at the start; the index doubles whenever it is two thirds full.
const SLOTS_MIN: usize = 1 << 6;
const ROWS_MIN: usize = 1 << 4;

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
    rows: Vec<Row<A>>,
    sets: Vec<DestinationSet<A>>,
    sets_bytes: usize,
    hashes: Vec<u32>,
    seed: Seed,
}

impl<A: Address> RowTable<A> {
    /// An empty table.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        RowTable {
            slots: Vec::new(),
            rows: Vec::new(),
            sets: Vec::new(),
            sets_bytes: 0,
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
                prefetch(&self.rows, (slot as u32).wrapping_sub(1) as usize);
            }
            if let Some(&hash) = hashes.get(index + SET_AHEAD)
                && let Some(set) = self.likely_set(hash)
            {
                prefetch(&self.sets, set);
            }
            if let Some(&hash) = hashes.get(index + PLACE_AHEAD)
                && let Some(set) = self.likely_set(hash)
                && let Some(set) = self.sets.get(set)
            {
                set.prefetch(batch[index + PLACE_AHEAD].destination);
            }
            let time_us = (observation.time_us - hour_start_us) as u32;
            self.count(hashes[index], observation, time_us);
        }
        self.hashes = hashes;
    }

    /// The rows and the destination sets they refer to; the table is empty afterwards.
    #[must_use]
    pub fn take(&mut self) -> (Vec<Row<A>>, Vec<DestinationSet<A>>) {
        self.slots = Vec::new();
        self.sets_bytes = 0;
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
            + self.rows.capacity() * size_of::<Row<A>>()
            + self.sets.capacity() * size_of::<DestinationSet<A>>()
            + self.sets_bytes
    }

    #[inline(always)]
    fn place(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// The set of the row that most likely has this hash: only a hint, the row's key is not looked at.
    #[inline(always)]
    fn likely_set(&self, hash: u32) -> Option<usize> {
        let slot = self.slots[self.place(hash)];
        if (slot >> 32) as u32 != hash {
            return None;
        }
        let row = self.rows.get((slot as u32).wrapping_sub(1) as usize)?;
        (row.set as usize).checked_sub(1)
    }

    #[inline(always)]
    fn count(&mut self, hash: u32, observation: &Observation<A>, time_us: u32) {
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                self.slots[place] = u64::from(hash) << 32 | (self.rows.len() as u64 + 1);
                self.rows.push(Row {
                    source: observation.source,
                    destination: observation.destination,
                    kind: observation.kind,
                    set: 0,
                    packets: 1,
                    bytes: u64::from(observation.wire_length_bytes),
                    first_us: time_us,
                    last_us: time_us,
                });
                return;
            }
            if (slot >> 32) as u32 == hash {
                let row = &mut self.rows[(slot as u32 - 1) as usize];
                if row.source == observation.source && row.kind == observation.kind {
                    row.packets += 1;
                    row.bytes += u64::from(observation.wire_length_bytes);
                    row.first_us = row.first_us.min(time_us);
                    row.last_us = row.last_us.max(time_us);
                    if row.set != 0 || row.destination != observation.destination {
                        touch(
                            &mut self.sets,
                            &mut self.sets_bytes,
                            row,
                            observation.destination,
                        );
                    }
                    return;
                }
            }
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
    }

    /// Makes room for `more` new rows, so that no slot moves while a batch is counted.
    fn reserve(&mut self, more: usize) {
        let needed = (self.rows.len() + more) * 3 / 2 + 1;
        if needed > self.slots.len() {
            let slots = needed.max(self.slots.len() * 2).max(SLOTS_MIN);
            self.regrow(slots);
        }
        if self.rows.len() + more > self.rows.capacity() {
            self.rows
                .reserve_exact(self.rows.len().max(more).max(ROWS_MIN));
            advise_large_pages(&self.rows);
        }
    }

    fn regrow(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, Vec::with_capacity(slots));
        advise_large_pages(&self.slots);
        self.slots.resize(slots, 0);
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

/// Adds a destination to a row that has, or now gets, a set.
#[cold]
#[inline(never)]
fn touch<A: Address>(
    sets: &mut Vec<DestinationSet<A>>,
    sets_bytes: &mut usize,
    row: &mut Row<A>,
    destination: A,
) {
    if row.set == 0 {
        let set = DestinationSet::pair(row.destination, destination);
        *sets_bytes += set.memory_bytes();
        sets.push(set);
        row.set = sets.len() as u32;
    } else {
        let set = &mut sets[(row.set - 1) as usize];
        let before = set.memory_bytes();
        if set.insert(destination) {
            *sets_bytes = *sets_bytes + set.memory_bytes() - before;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::observation::{Tool, TrafficClass, TrafficType};

    fn observation(source: u32, destination: u32, port: u16, time_us: i64) -> Observation<u32> {
        let kind = Kind::new(
            TrafficType::TcpSyn,
            TrafficClass::Scan,
            Tool::None,
            6,
            Some(port),
        );
        Observation {
            time_us,
            source,
            destination,
            kind,
            wire_length_bytes: 60,
        }
    }

    #[test]
    fn a_table_counts_what_a_map_counts() {
        let mut table = RowTable::<u32>::new(Seed::random());
        let mut expected = BTreeMap::<(u32, Kind), (u64, i64, i64, BTreeSet<u32>)>::new();
        let mut state = 7u32;
        for _ in 0..50 {
            let batch: Vec<_> = (0..1000)
                .map(|index| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    observation(
                        state >> 20,
                        state >> 8 & 0xff,
                        (state >> 4) as u16 & 7,
                        index * 1000,
                    )
                })
                .collect();
            for one in &batch {
                let entry = expected.entry((one.source, one.kind)).or_insert((
                    0,
                    i64::MAX,
                    0,
                    BTreeSet::new(),
                ));
                entry.0 += 1;
                entry.1 = entry.1.min(one.time_us);
                entry.2 = entry.2.max(one.time_us);
                entry.3.insert(one.destination);
            }
            table.observe(0, &batch);
        }
        let (rows, sets) = table.take();
        assert_eq!(rows.len(), expected.len());
        for row in rows {
            let (packets, first, last, destinations) = &expected[&(row.source, row.kind)];
            assert_eq!(row.packets, *packets);
            assert_eq!(row.bytes, packets * 60);
            assert_eq!(
                (i64::from(row.first_us), i64::from(row.last_us)),
                (*first, *last)
            );
            let count = if row.set == 0 {
                1
            } else {
                sets[row.set as usize - 1].count()
            };
            assert_eq!(count, destinations.len() as u64);
        }
    }

    #[test]
    fn an_empty_batch_changes_nothing() {
        let mut table = RowTable::<u128>::new(Seed::random());
        table.observe(0, &[]);
        assert!(table.is_empty());
    }
}
