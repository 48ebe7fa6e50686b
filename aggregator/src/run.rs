//! Sorted runs of rows: one worker's share of an hour in the order of its keys, in memory or on disk, and their merge.
//!
//! The same (source, kind) may stand in several runs; merging adds its counts and unites its destinations, so the merged rows do
//! not depend on how packets were spread over workers or over time.

mod disk;
mod merge;

pub use disk::DiskRun;
pub use merge::{SourceRow, merge_range, split_sources};

use crate::destinations::DestinationSet;
use crate::observation::{Address, Kind};
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
    let bucket = |source: A| (source.number() >> (A::BITS - bits)) as usize;
    let mut starts = vec![0usize; (1 << bits) + 1];
    for row in rows {
        starts[bucket(row.source) + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut next = starts.clone();
    let mut order = vec![
        Place {
            source: first.source,
            kind: first.kind,
            row: 0
        };
        rows.len()
    ];
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
