//! All folded rows of a family in bounded memory: the rest is spilled to disk and merged at the end.

use super::fold::Fold;
use super::spill::{UNITED_FILES, unite_files};
use crate::minute::MINUTES;
use crate::run::{Run, SourceRow, merge_range};
use crate::store::Store;
use crate::writer::WriteError;
use teiten_observation::Address;

type WriteResult = Result<(), WriteError>;

/// The folds of all tasks together.
pub(super) struct Folding<A: Address> {
    fold: Fold<A>,
    spilled: Vec<Run<A>>,
    store: Store,
    memory_bytes: usize,
}

impl<A: Address> Folding<A> {
    /// Nothing yet; what is more than `memory_bytes` goes to scratch files of `store`.
    pub(super) fn new(store: &Store, memory_bytes: usize) -> Self {
        Folding {
            fold: Fold::default(),
            spilled: Vec::new(),
            store: store.clone(),
            memory_bytes,
        }
    }

    /// Adds the fold of a task.
    pub(super) fn add(&mut self, fold: Fold<A>) -> WriteResult {
        self.fold.add(fold);
        if self.fold.memory_bytes() > self.memory_bytes {
            self.spill()?;
        }
        Ok(())
    }

    /// Packets folded, by the minute of their row's first packet.
    pub(super) fn collapsed(&self) -> [u64; MINUTES] {
        self.fold.collapsed
    }

    /// Gives the rows in order, each with the bits of its prefix.
    pub(super) fn take_rows(mut self, mut take: impl FnMut(&SourceRow<A>, u8)) -> WriteResult {
        if self.spilled.is_empty() {
            let rows = self.fold.into_rows();
            rows.for_each(|folded| take(&folded.row, folded.prefix_bits));
            return Ok(());
        }
        self.spill()?;
        Ok(merge_range(&self.spilled, None, None, |merged| {
            take(merged.row(), 0);
        })?)
    }

    /// Only rows without a prefix are spilled; others are few.
    fn spill(&mut self) -> WriteResult {
        let run = self.fold.spill(&self.store.scratch_path("run")?)?;
        self.spilled.extend(run.map(Run::Disk));
        unite_files(&mut self.spilled, UNITED_FILES, "run", &self.store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destinations::DestinationSet;
    use teiten_observation::{Class, Kind, Tool, TrafficType};

    fn row(index: u32) -> SourceRow<u32> {
        let port = Some((index % 30_000) as u16);
        SourceRow {
            source: index.wrapping_mul(0x9e37_79b9),
            kind: Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::Mirai, 6, port),
            first_us: index % 60 * 60_000_000,
            last_us: 3_599_000_000,
            destinations: 1,
            flags: 1 << (index % 32),
            packets: 2,
            bytes: 120,
            stack: u64::from(index % 5),
            pair: index % 3,
            pair_packets: 1,
            tool_packets: u64::from(index % 3),
        }
    }

    #[test]
    fn little_memory_gives_the_same_rows_as_much() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folded = |memory_bytes: usize| {
            let mut folding = Folding::new(&Store::at(folder.path()), memory_bytes);
            for part in 0..6 {
                let mut fold = Fold::default();
                for index in part * 20_000..(part + 1) * 20_000 {
                    fold.push(&row(index), DestinationSet::single(index % 7));
                }
                folding.add(fold).expect("writable");
            }
            let (is_spilled, collapsed) = (!folding.spilled.is_empty(), folding.collapsed());
            let mut rows = Vec::new();
            let taken = folding.take_rows(|row, bits| rows.push((*row, bits)));
            taken.expect("readable");
            (rows, collapsed, is_spilled)
        };
        let (much, little) = (folded(usize::MAX), folded(1 << 20));
        assert!(!much.2 && little.2);
        assert_eq!(much.0.len(), 30_000);
        assert!(much.0 == little.0 && much.1 == little.1);
        assert_eq!(
            std::fs::read_dir(folder.path().join(".teiten/work"))
                .expect("readable")
                .count(),
            0
        );
    }
}
