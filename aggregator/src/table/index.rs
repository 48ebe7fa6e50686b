//! The index of rows by hash. It holds 32 bits of the hash and the row's number, so that it grows without looking at the rows.

use super::pending::PendingPacket;
use super::rows::{OWN_DESTINATIONS, Row, Rows};
use crate::destinations::{SetNumber, SetStore};
use crate::prefetch::{advise_large_pages, prefetch};
use teiten_observation::Address;

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

/// So many slots that are free.
///
/// They are written at once. Slots are read first, and a page of zeros that is read before it is written costs a second fault, for which
/// the kernel interrupts all processors.
fn free_slots(count: usize) -> Vec<u64> {
    let mut slots = Vec::with_capacity(count);
    advise_large_pages(&slots);
    slots.resize(count, 0);
    slots
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
        let slots = free_slots(slots_for(rows));
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

    /// Counts a batch in rows of this index.
    #[inline]
    pub(super) fn count<A: Address>(
        &mut self,
        rows: &mut Rows<A>,
        sets: &mut SetStore<A>,
        batch: &[PendingPacket<A>],
    ) {
        self.reserve(batch.len());
        for packet in batch.iter().take(SLOT_AHEAD) {
            prefetch(&self.slots, self.place(packet.hash));
        }
        for (index, packet) in batch.iter().enumerate() {
            if let Some(later) = batch.get(index + SLOT_AHEAD) {
                prefetch(&self.slots, self.place(later.hash));
            }
            if let Some(later) = batch.get(index + ROW_AHEAD) {
                let slot = self.slots[self.place(later.hash)];
                rows.prefetch((slot as u32).wrapping_sub(1));
            }
            if let Some(later) = batch.get(index + PLACE_AHEAD)
                && let Some(row) = self.likely_row(rows, later.hash)
            {
                sets.prefetch(row.set, later.destination);
            }
            self.count_one(rows, sets, packet);
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
        packet: &PendingPacket<A>,
    ) {
        let mut place = self.place(packet.hash);
        loop {
            let slot = self.slots[place];
            if slot == 0 {
                self.slots[place] = u64::from(packet.hash) << 32 | begin(rows, packet);
                self.rows += 1;
                return;
            }
            if (slot >> 32) as u32 == packet.hash {
                let row = rows.row_mut(slot as u32 - 1);
                if row.source == packet.source && row.kind == packet.kind {
                    if row.packets == u32::MAX {
                        self.slots[place] = u64::from(packet.hash) << 32 | begin(rows, packet);
                        return;
                    }
                    add(row, packet);
                    row.touch(sets, packet.destination);
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
            let old = std::mem::replace(&mut self.slots, free_slots(slots));
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

/// Adds the row of a first packet; gives its number plus packet.
#[inline]
fn begin<A: Address>(rows: &mut Rows<A>, packet: &PendingPacket<A>) -> u64 {
    let number = rows.push(Row {
        source: packet.source,
        destinations: [packet.destination; OWN_DESTINATIONS],
        kind: packet.kind,
        set: SetNumber::NONE,
        packets: 1,
        first_us: packet.time_us,
        last_us: packet.time_us,
        flags: packet.flags,
        bytes: u64::from(packet.wire_length_bytes),
        stack: packet.stack,
        pair: packet.pair,
        pair_packets: 1,
    });
    u64::from(number) + 1
}

/// Adds a packet to the counts of its row.
#[inline(always)]
fn add<A: Address>(row: &mut Row<A>, packet: &PendingPacket<A>) {
    row.packets += 1;
    row.bytes += u64::from(packet.wire_length_bytes);
    row.flags |= packet.flags;
    if (packet.time_us, packet.stack) < (row.first_us, row.stack) {
        row.stack = packet.stack;
    }
    row.first_us = row.first_us.min(packet.time_us);
    row.last_us = row.last_us.max(packet.time_us);
    if packet.pair == row.pair {
        row.pair_packets += 1;
    } else if packet.pair < row.pair {
        row.pair = packet.pair;
        row.pair_packets = 1;
    }
}
