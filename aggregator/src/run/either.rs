//! A run in memory or on disk.

use super::disk::DiskRun;
use super::memory::MemoryRun;
use teiten_observation::{Address, Kind};

/// A run in memory or on disk.
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

    /// How many times the rows of a file were merged from files; none of rows in memory.
    #[must_use]
    pub fn level(&self) -> Option<u8> {
        match self {
            Run::Memory(_) => None,
            Run::Disk(run) => Some(run.level()),
        }
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
