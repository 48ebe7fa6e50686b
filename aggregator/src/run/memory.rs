//! A sorted run in memory: the rows of a table with their order.

use crate::destinations::SetStore;
use crate::prefetch::advise_large_pages;
use crate::table::Rows;
use teiten_observation::{Address, BUCKETS, Family, Kind};

/// Rows of one worker in ascending order of (source, kind).
#[derive(Debug)]
pub struct MemoryRun<A> {
    pub(super) rows: Rows<A>,
    pub(super) order: Vec<RowPlace<A>>,
    pub(super) sets: SetStore<A>,
}

/// A row's key, and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowPlace<A> {
    pub(super) source: A,
    pub(super) kind: Kind,
    pub(super) row: u32,
}

impl<A: Address> MemoryRun<A> {
    /// Sorts the rows of a table.
    #[must_use]
    pub fn sort(rows: Rows<A>, sets: SetStore<A>) -> Self {
        let order = sorted_places(&rows);
        MemoryRun { rows, order, sets }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// The rows' places in order. Rows lie by bucket; each bucket is sorted within the second-level cache.
fn sorted_places<A: Address>(rows: &Rows<A>) -> Vec<RowPlace<A>> {
    let (numbers, starts) = rows.by_bucket();
    let mut order: Vec<RowPlace<A>> = Vec::with_capacity(numbers.len());
    advise_large_pages(&order);
    let mut scratch = Vec::new();
    for bucket in 0..BUCKETS {
        let begin = order.len();
        let numbers = &numbers[starts[bucket]..starts[bucket + 1]];
        for (index, &number) in numbers.iter().enumerate() {
            if let Some(&ahead) = numbers.get(index + ROWS_AHEAD) {
                rows.prefetch(ahead);
            }
            let row = rows.row(number);
            order.push(RowPlace {
                source: row.source,
                kind: row.kind,
                row: number,
            });
        }
        sort_bucket(&mut order[begin..], &mut scratch);
    }
    order
}

/// Rows ahead of the sort whose cache lines are asked for.
const ROWS_AHEAD: usize = 16;
/// Fewer places than this are sorted by comparing: counting octets would cost more.
const COUNTED_MIN: usize = 256;

/// Sorts the places of one bucket: of IPv4 by the three octets that differ, the last one first, then by kind within each source.
fn sort_bucket<A: Address>(places: &mut [RowPlace<A>], scratch: &mut Vec<RowPlace<A>>) {
    if places.len() < COUNTED_MIN || A::FAMILY == Family::Ipv6 {
        places.sort_unstable_by_key(|place| (place.source, place.kind));
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(places);
    by_octet(scratch, places, 0);
    by_octet(places, scratch, 8);
    by_octet(scratch, places, 16);
    for places in places.chunk_by_mut(|left, right| left.source == right.source) {
        if places.len() > 1 {
            places.sort_unstable_by_key(|place| place.kind);
        }
    }
}

/// Copies places in the order of the octet of their source at `shift`; equal ones keep theirs.
fn by_octet<A: Address>(from: &[RowPlace<A>], to: &mut [RowPlace<A>], shift: u32) {
    let octet = |place: &RowPlace<A>| (place.source.number() as u32 >> shift) as u8 as usize;
    let mut next = [0usize; 256];
    for place in from {
        next[octet(place)] += 1;
    }
    let mut start = 0;
    for count in &mut next {
        start += std::mem::replace(count, start);
    }
    for place in from {
        let next = &mut next[octet(place)];
        to[*next] = *place;
        *next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{RowTable, Seed};
    use teiten_observation::{Class, Observation, Tool, TrafficType};

    fn check<A: Address>(count: u32, source: impl Fn(u32) -> A) {
        let observation = |index: u32| Observation {
            time_us: 0,
            source: source(index / 2),
            destination: A::from_number(1),
            kind: Kind::new(
                TrafficType::Udp,
                Class::Scan,
                Tool::None,
                17,
                Some((index % 2) as u16 ^ 1),
            ),
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        };
        let observations: Vec<_> = (0..count).map(observation).collect();
        let mut table = RowTable::new(Seed::random());
        table.observe(0, &observations);
        let places = sorted_places(&table.take().0);
        assert_eq!(places.len(), count as usize);
        assert!(
            places
                .windows(2)
                .all(|pair| (pair[0].source, pair[0].kind) < (pair[1].source, pair[1].kind))
        );
    }

    #[test]
    fn few_and_many_sources_of_both_families_come_out_in_order() {
        for count in [0, 2, 1_022, 5_000, 100_000] {
            check(count, |index| index.wrapping_mul(0x9e37_79b9));
            check(count, |index| 10 << 24 | index);
            check(count, |index| u128::MAX - u128::from(index) * (1 << 100));
            check(count, |index| (0x2001 << 112) + (u128::from(index) << 107));
        }
    }
}
