//! Small sources folded into their prefix: what an hour does with more rows than it may hold.
//!
//! All rows of the hour together decide which sources are small: those with the fewest packets, up to the smallest number that makes the
//! rest fit. Packets and bytes are conserved; a folded row has `10.0.0.0/8` instead of an address, and no country.

use std::collections::BTreeMap;
use std::path::Path;

use crate::destinations::DestinationSet;
use crate::minute::{MINUTE_US, MINUTES};
use crate::run::{DiskRun, SourceRow};
use teiten_observation::{Address, Kind};

/// Rows of folded sources, at most, that still name the leading octet (IPv4) or 16 bits (IPv6); with more, all sources of a kind
/// become one row.
pub(super) const PREFIX_ROWS_MAX: usize = 16 << 10;

/// Bytes of a row's destinations: most sets of a flood are small, none is larger than an estimate.
const SET_BYTES: usize = 512;

/// Bits of the prefix that sources fold into.
const fn prefix_bits(address_bits: u32) -> u8 {
    if address_bits == 32 { 8 } else { 16 }
}

/// Rows by the packets of their source: how many rows remain when sources up to a size are folded.
#[derive(Clone, Debug)]
pub(super) struct SizeHistogram(Vec<u64>);

/// Sources with more packets than this are never folded first: they count as equally large.
const SIZES: usize = 4096;

impl Default for SizeHistogram {
    fn default() -> Self {
        SizeHistogram(vec![0; SIZES])
    }
}

impl SizeHistogram {
    /// Adds a source with so many rows and packets.
    pub(super) fn add_source(&mut self, rows: u64, packets: u64) {
        self.0[(packets as usize).min(SIZES - 1)] += rows;
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &SizeHistogram) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours += theirs;
        }
    }

    /// The packets up to which sources must be folded so that at most `rows_max` rows remain; 0 when all may stay.
    #[must_use]
    pub(super) fn threshold(&self, rows_max: u64) -> u64 {
        let mut left: u64 = self.0.iter().sum();
        for (packets, rows) in self.0.iter().enumerate() {
            if left <= rows_max {
                return (packets as u64).saturating_sub(1);
            }
            left -= rows;
        }
        u64::MAX
    }
}

/// The sum of all folded rows of one prefix and kind.
#[derive(Clone, Debug)]
pub(super) struct FoldedRow<A> {
    /// Counts; `source` is the first address of the prefix.
    pub row: SourceRow<A>,
    /// Length of the prefix, bits.
    pub prefix_bits: u8,
    destinations: DestinationSet<A>,
}

/// Folded rows of one family. Folds add in any order to the same sum. If there are many they have no prefix and differ by kind alone; then
/// they can be spilled and merged later ([`Fold::spill`]).
#[derive(Clone, Debug)]
pub(super) struct Fold<A: Address> {
    rows: BTreeMap<(A, Kind), FoldedRow<A>>,
    bits: u8,
    /// Packets folded, by the minute of their row's first packet.
    pub collapsed: [u64; MINUTES],
}

impl<A: Address> Default for Fold<A> {
    fn default() -> Self {
        Fold {
            rows: BTreeMap::new(),
            bits: prefix_bits(A::BITS),
            collapsed: [0; MINUTES],
        }
    }
}

impl<A: Address> Fold<A> {
    /// Folds one row.
    pub(super) fn push(&mut self, row: &SourceRow<A>, destinations: DestinationSet<A>) {
        let minute = (i64::from(row.first_us) / MINUTE_US) as usize;
        self.collapsed[minute.min(MINUTES - 1)] += row.packets;
        self.insert(FoldedRow {
            row: *row,
            prefix_bits: self.bits,
            destinations,
        });
    }

    /// Adds the folded rows of `other`.
    pub(super) fn add(&mut self, other: Fold<A>) {
        for (ours, theirs) in self.collapsed.iter_mut().zip(other.collapsed) {
            *ours += theirs;
        }
        if other.bits < self.bits {
            self.coarsen();
        }
        for row in other.rows.into_values() {
            self.insert(row);
        }
    }

    /// Memory that the rows take, bytes, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.len() * (size_of::<((A, Kind), FoldedRow<A>)>() + SET_BYTES)
    }

    /// Writes the rows to a file at `path` and keeps none, where they have no prefix; else nothing happens, and they are few.
    pub(super) fn spill(&mut self, path: &Path) -> std::io::Result<Option<DiskRun<A>>> {
        if self.bits > 0 || self.rows.is_empty() {
            return Ok(None);
        }
        let rows = self.rows.values();
        let run = DiskRun::write_rows(path, rows.map(|row| (&row.row, row.destinations.view())))?;
        self.rows.clear();
        Ok(Some(run))
    }

    /// The rows in order, their destinations counted.
    pub(super) fn into_rows(self) -> impl Iterator<Item = FoldedRow<A>> {
        self.rows.into_values().map(|mut folded| {
            folded.row.destinations = folded.destinations.count() as u32;
            folded
        })
    }

    fn insert(&mut self, mut folded: FoldedRow<A>) {
        folded.prefix_bits = self.bits;
        folded.row.source = prefix_of(folded.row.source, self.bits);
        let key = (folded.row.source, folded.row.kind);
        match self.rows.entry(key) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(folded);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let sum = entry.get_mut();
                sum.row.add(&folded.row);
                sum.destinations.merge(folded.destinations.view());
            }
        }
        if self.bits > 0 && self.rows.len() > PREFIX_ROWS_MAX {
            self.coarsen();
        }
    }

    /// Gives up the prefixes: one row a kind. Whether this happens depends on all rows together, not on their order.
    fn coarsen(&mut self) {
        self.bits = 0;
        for row in std::mem::take(&mut self.rows).into_values() {
            self.insert(row);
        }
    }
}

fn prefix_of<A: Address>(source: A, bits: u8) -> A {
    let host_bits = A::BITS - u32::from(bits);
    let network = source.number().checked_shr(host_bits).unwrap_or(0);
    A::from_number(network.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use teiten_observation::{Class, Tool, TrafficType};

    fn row(source: u32, port: u16) -> SourceRow<u32> {
        let kind = Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(port));
        SourceRow {
            source,
            kind,
            first_us: source % 60 * 60_000_000,
            last_us: 3_599_000_000,
            destinations: 1,
            flags: 1 << (source % 32),
            packets: 2,
            bytes: 120,
            stack: u64::from(source % 5),
            pair: source % 3,
            pair_packets: 2,
            tool_packets: 0,
        }
    }

    #[test]
    fn the_threshold_is_the_smallest_that_fits() {
        let mut sizes = SizeHistogram::default();
        for (rows, packets) in [(10, 1), (5, 2), (3, 7), (1, 1_000_000)] {
            sizes.add_source(rows, packets);
        }
        for (rows_max, threshold) in [
            (19, 0),
            (18, 1),
            (9, 1),
            (8, 2),
            (4, 2),
            (3, 7),
            (0, u64::MAX),
        ] {
            assert_eq!(sizes.threshold(rows_max), threshold, "{rows_max}");
        }
    }

    #[test]
    fn any_order_and_split_folds_to_the_same_rows() {
        for ports in [1u16, 500] {
            let rows: Vec<_> = (0..40_000u32)
                .map(|index| row(index.wrapping_mul(0x9e37_79b9), index as u16 % ports))
                .collect();
            let fold = |rows: &mut dyn Iterator<Item = &SourceRow<u32>>| {
                let mut fold = Fold::default();
                rows.for_each(|row| fold.push(row, DestinationSet::single(row.source % 7)));
                fold
            };
            let whole = fold(&mut rows.iter());
            let mut parts = fold(&mut rows[..9_000].iter().rev());
            parts.add(fold(&mut rows[9_000..].iter()));
            assert_eq!(whole.collapsed, parts.collapsed);
            assert_eq!(whole.collapsed.iter().sum::<u64>(), 80_000);
            let expected_bits = if ports == 1 { 8 } else { 0 };
            let sums = |fold: Fold<u32>| {
                fold.into_rows()
                    .map(|folded| (folded.row, folded.prefix_bits))
                    .collect::<Vec<_>>()
            };
            let (whole, parts) = (sums(whole), sums(parts));
            assert_eq!(whole, parts);
            assert!(whole.iter().all(|(_, bits)| *bits == expected_bits));
            assert_eq!(
                whole.iter().map(|(row, _)| row.packets).sum::<u64>(),
                80_000
            );
        }
    }
}
