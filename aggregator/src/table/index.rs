//! The index of rows by hash. It holds 32 bits of the hash and the row's number, so that it grows without looking at the rows.

use super::rows::{OWN_DESTINATIONS, Row, Rows};
use crate::destinations::{SetNumber, SetStore};
use crate::prefetch::{advise_large_pages, prefetch};
use teiten_observation::{Address, Observation};

/// How far ahead of an update its slot is asked for, then its row, then the place in the row's destination set.
const SLOT_AHEAD: usize = 32;
const ROW_AHEAD: usize = 16;
const PLACE_AHEAD: usize = 6;
/// Slots at the start; the index doubles whenever it is two thirds full.
const SLOTS_MIN: usize = 1 << 6;

/// Slots that so many rows need; none for none.
const fn slots_for(rows: usize) -> usize {
    rows * 3 / 2 + (rows > 0) as usize
}

/// Where rows are found.
#[derive(Debug, Default)]
pub(super) struct RowIndex {
    /// Hash in the upper half, row number plus one in the lower; 0 is free. A slot's place follows from its hash alone.
    slots: Vec<u64>,
    rows: usize,
}

impl RowIndex {
    /// An index of no row that has room for so many.
    pub(super) fn with_room(rows: usize) -> Self {
        let slots = vec![0; slots_for(rows)];
        advise_large_pages(&slots);
        RowIndex { slots, rows: 0 }
    }

    /// Memory held, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// Hash and number of each row.
    pub(super) fn entries(self) -> impl Iterator<Item = (u32, u32)> {
        let used = self.slots.into_iter().filter(|slot| *slot != 0);
        used.map(|slot| ((slot >> 32) as u32, slot as u32 - 1))
    }

    /// Adds a row of another index.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        self.reserve(1);
        self.put(u64::from(hash) << 32 | (u64::from(number) + 1));
        self.rows += 1;
    }

    /// Counts a batch, whose hashes these are, in rows of this index.
    #[inline]
    pub(super) fn count<A: Address>(
        &mut self,
        rows: &mut Rows<A>,
        sets: &mut SetStore<A>,
        hour_start_us: i64,
        batch: &[Observation<A>],
        hashes: &[u32],
    ) {
        self.reserve(batch.len());
        for &hash in hashes.iter().take(SLOT_AHEAD) {
            prefetch(&self.slots, self.place(hash));
        }
        for (index, observation) in batch.iter().enumerate() {
            if let Some(&hash) = hashes.get(index + SLOT_AHEAD) {
                prefetch(&self.slots, self.place(hash));
            }
            if let Some(&hash) = hashes.get(index + ROW_AHEAD) {
                let slot = self.slots[self.place(hash)];
                rows.prefetch((slot as u32).wrapping_sub(1));
            }
            if let Some(&hash) = hashes.get(index + PLACE_AHEAD)
                && let Some(row) = self.likely_row(rows, hash)
            {
                sets.prefetch(row.set, batch[index + PLACE_AHEAD].destination);
            }
            let time_us = observation.time_us.wrapping_sub(hour_start_us) as u32;
            self.count_one(rows, sets, hashes[index], observation, time_us);
        }
    }

    #[inline(always)]
    fn place(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// The row that most likely has this hash: only a hint, its key is not compared.
    #[inline(always)]
    fn likely_row<'r, A: Address>(&self, rows: &'r Rows<A>, hash: u32) -> Option<&'r Row<A>> {
        let slot = self.slots[self.place(hash)];
        if (slot >> 32) as u32 != hash {
            return None;
        }
        rows.get((slot as u32).wrapping_sub(1))
    }

    #[inline(always)]
    fn count_one<A: Address>(
        &mut self,
        rows: &mut Rows<A>,
        sets: &mut SetStore<A>,
        hash: u32,
        observation: &Observation<A>,
        time_us: u32,
    ) {
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                self.slots[place] = u64::from(hash) << 32 | begin(rows, observation, time_us);
                self.rows += 1;
                return;
            }
            if (slot >> 32) as u32 == hash {
                let row = rows.row_mut(slot as u32 - 1);
                if row.source == observation.source && row.kind == observation.kind {
                    if row.packets == u32::MAX {
                        self.slots[place] =
                            u64::from(hash) << 32 | begin(rows, observation, time_us);
                        return;
                    }
                    add(row, observation, time_us);
                    row.touch(sets, observation.destination);
                    return;
                }
            }
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
    }

    /// Reserves `more` new rows, so that no slot moves while a batch is counted.
    fn reserve(&mut self, more: usize) {
        let needed = slots_for(self.rows + more);
        if needed > self.slots.len() {
            let slots = needed.max(self.slots.len() * 2).max(SLOTS_MIN);
            // Memory that comes zeroed from the kernel is not written before it is used.
            let old = std::mem::replace(&mut self.slots, vec![0; slots]);
            advise_large_pages(&self.slots);
            for slot in old.into_iter().filter(|&slot| slot != 0) {
                self.put(slot);
            }
        }
    }

    /// Puts a slot to its place.
    fn put(&mut self, slot: u64) {
        let mut place = self.place((slot >> 32) as u32);
        while self.slots[place] != 0 {
            place += 1;
            if place == self.slots.len() {
                place = 0;
            }
        }
        self.slots[place] = slot;
    }
}

/// Adds the row of a first packet; gives its number plus one.
#[inline]
fn begin<A: Address>(rows: &mut Rows<A>, observation: &Observation<A>, time_us: u32) -> u64 {
    let number = rows.push(Row {
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
