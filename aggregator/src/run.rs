//! Sorted runs of rows: one worker's share of an hour in the order of its keys, in memory or on disk, and their merge.
//!
//! The same (source, kind) may stand in several runs; merging adds its counts and unites its destinations, so the merged rows do
//! not depend on how packets were spread over workers or over time.

mod disk;
mod merge;

pub use disk::DiskRun;
pub use merge::{Merged, SourceRow, merge_range, split_sources};

use crate::destinations::DestinationSet;
use crate::observation::{Address, Kind};
use crate::prefetch::advise_large_pages;
use crate::table::Row;

/// Rows of one worker in ascending order of (source, kind).
#[derive(Debug)]
pub struct MemoryRun<A> {
    rows: Vec<Row<A>>,
    order: Vec<Place<A>>,
    sets: Vec<DestinationSet<A>>,
}

/// A row's key, and where the row lies.
#[derive(Clone, Copy, Debug)]
struct Place<A> {
    source: A,
    kind: Kind,
    row: u32,
}

/// Places per bucket that the first pass of the sort aims at: a bucket then sorts within the first-level cache.
const BUCKET_PLACES: usize = 512;
const BUCKET_BITS_MAX: u32 = 16;

impl<A: Address> MemoryRun<A> {
    /// Sorts the rows of a table.
    #[must_use]
    pub fn sort(rows: Vec<Row<A>>, sets: Vec<DestinationSet<A>>) -> Self {
        let order = sorted_places(&rows);
        MemoryRun { rows, order, sets }
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
}

/// The rows' places in order: one counting pass over the highest bits of the source, then a comparison sort within each bucket.
fn sorted_places<A: Address>(rows: &[Row<A>]) -> Vec<Place<A>> {
    let Some(first) = rows.first() else {
        return Vec::new();
    };
    let bits = (rows.len() / BUCKET_PLACES)
        .max(1)
        .ilog2()
        .min(BUCKET_BITS_MAX);
    // Without bits to look at, all is one bucket; a shift by the whole width would be none.
    let bucket = |source: A| source.number().checked_shr(A::BITS - bits).unwrap_or(0) as usize;
    let mut starts = vec![0usize; (1 << bits) + 1];
    for row in rows {
        starts[bucket(row.source) + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut next = starts.clone();
    let mut order = Vec::with_capacity(rows.len());
    advise_large_pages(&order);
    let none = Place {
        source: first.source,
        kind: first.kind,
        row: 0,
    };
    order.resize(rows.len(), none);
    for (row, Row { source, kind, .. }) in rows.iter().enumerate() {
        let place = &mut next[bucket(*source)];
        order[*place] = Place {
            source: *source,
            kind: *kind,
            row: row as u32,
        };
        *place += 1;
    }
    for bounds in starts.windows(2) {
        order[bounds[0]..bounds[1]].sort_unstable_by_key(|place| (place.source, place.kind));
    }
    order
}

/// A run wherever it lies.
#[derive(Debug)]
pub enum Run<A> {
    /// In memory.
    Memory(MemoryRun<A>),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Tool, TrafficClass, TrafficType};

    fn rows<A: Address>(count: u32, source: impl Fn(u32) -> A) -> Vec<Row<A>> {
        let kind = Kind::new(
            TrafficType::Udp,
            TrafficClass::Scan,
            Tool::None,
            17,
            Some(53),
        );
        let row = |index| Row {
            source: source(index),
            destination: A::from_number(1),
            kind,
            set: 0,
            packets: 1,
            bytes: 60,
            first_us: 0,
            last_us: 0,
        };
        (0..count).map(row).collect()
    }

    fn check<A: Address>(count: u32, source: impl Fn(u32) -> A) {
        let places = sorted_places(&rows(count, source));
        assert_eq!(places.len(), count as usize);
        assert!(
            places
                .windows(2)
                .all(|pair| pair[0].source <= pair[1].source)
        );
    }

    #[test]
    fn few_and_many_sources_of_both_families_come_out_in_order() {
        for count in [0, 1, 2, 1_023, 5_000] {
            check(count, |index| index.wrapping_mul(0x9e37_79b9));
            check(count, |index| u128::MAX - u128::from(index) * (1 << 100));
        }
    }
}
