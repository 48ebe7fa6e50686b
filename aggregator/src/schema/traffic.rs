//! The columns of `traffic`: a row is a kind of packets from a country in an hour.

use super::ColumnType::Int64;
use super::kinds::columns_of_kinds;
use super::{
    BYTES, COUNTED, Column, ColumnRow, Filled, Group, PACKETS, SOURCES_SKETCH, Slot, counted,
};
use crate::actor::Actors;
use crate::hour::Hour;
use crate::origin::Country;
use teiten_observation::{Family, Kind};

/// Kind, actor and country: what makes a row of `traffic`, in the order of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

impl Key {
    /// Packs a key. `actor` is a number that the caller knows how to read.
    #[inline]
    pub(crate) fn new(kind: Kind, actor: u16, country: Country) -> Self {
        Key(u64::from(kind.bits()) << 32 | u64::from(actor) << 16 | u64::from(country.code()))
    }

    /// The bits, for storage.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The key with the bits of another.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Key(bits)
    }

    /// The kind of the packets.
    pub(crate) fn kind(self) -> Kind {
        Kind::from_bits((self.0 >> 32) as u32).expect("a key holds the kind it was made of")
    }

    /// Whether the other has the same kind.
    #[inline]
    pub(crate) const fn is_of_kind_of(self, other: Key) -> bool {
        self.0 >> 32 == other.0 >> 32
    }

    /// The number of the actor.
    pub(crate) fn actor(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The code of the country.
    pub(crate) fn country_code(self) -> u16 {
        self.0 as u16
    }
}

/// Rows without their hour, in ascending order of their keys, a column each.
#[derive(Debug, Default)]
pub(crate) struct TrafficSums {
    pub keys: Vec<Key>,
    /// The kinds of the keys, which several columns are filled from.
    kinds: Vec<Kind>,
    pub packets: Vec<u64>,
    /// Bytes on the wire.
    pub bytes: Vec<u64>,
    /// Distinct sources.
    pub sources: Vec<u64>,
    /// The serialized sketches, one after the other, and where each ends.
    sketches: Vec<u8>,
    ends: Vec<usize>,
}

impl TrafficSums {
    /// No rows yet, with memory for as many whose sketches have so many bytes.
    pub(crate) fn with_capacity(rows: usize, sketch_bytes: usize) -> Self {
        TrafficSums {
            keys: Vec::with_capacity(rows),
            kinds: Vec::with_capacity(rows),
            packets: Vec::with_capacity(rows),
            bytes: Vec::with_capacity(rows),
            sources: Vec::with_capacity(rows),
            sketches: Vec::with_capacity(sketch_bytes),
            ends: Vec::with_capacity(rows),
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The serialized sketch of a row.
    pub(crate) fn sketch(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.sketches[start..self.ends[row]]
    }

    /// Appends a row, whose sketch `write` appends to the bytes it is given.
    #[inline]
    pub(crate) fn push(
        &mut self,
        key: Key,
        [packets, bytes, sources]: [u64; 3],
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.keys.push(key);
        self.kinds.push(key.kind());
        self.packets.push(packets);
        self.bytes.push(bytes);
        self.sources.push(sources);
        write(&mut self.sketches);
        self.ends.push(self.sketches.len());
    }
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct TrafficRows<'r> {
    pub hour: Hour,
    pub sensor: &'r str,
    pub family: Family,
    pub actors: &'r Actors,
    pub group: Group<TrafficSums>,
}

impl TrafficRows<'_> {
    fn kinds(&self) -> impl Iterator<Item = &[Kind]> {
        self.group.slices(|sums| &sums.kinds)
    }

    /// Fills the column of actors.
    pub(super) fn fill_actors(&self, slot: Slot<'_>) -> Filled {
        let keys = self.group.slices(|sums| &sums.keys);
        slot.named(keys, |key| key.actor(), |number| self.actors.name(number))
    }

    /// Fills the column of countries.
    pub(super) fn fill_countries(&self, slot: Slot<'_>) -> Filled {
        let keys = self.group.slices(|sums| &sums.keys);
        slot.countries(keys, |key| key.country_code())
    }
}

/// Fills one column from the rows of a group.
type TrafficFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g TrafficRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<TrafficFill>] = columns_of_kinds!(
    source: [],
    counted: [
    ColumnRow {
        column: PACKETS,
        fill: |slot, rows| slot.integers_of(rows.group.slices(|sums| &sums.packets), counted),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, rows| slot.integers_of(rows.group.slices(|sums| &sums.bytes), counted),
    },
    ColumnRow {
        column: Column::new("sources", Int64, "Distinct sources of the row, exact.")
            .holding(COUNTED),
        fill: |slot, rows| slot.integers_of(rows.group.slices(|sums| &sums.sources), counted),
    },
    ColumnRow {
        column: SOURCES_SKETCH,
        fill: |slot, rows| slot.prefixed(rows.group.each(|sums, row| sums.sketch(row))),
    },
    ],
);
