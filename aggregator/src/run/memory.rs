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
    let source = |place: &RowPlace<A>| place.source.number() as u32;
    by_octet(scratch, places, |place| source(place) as u8);
    by_octet(places, scratch, |place| (source(place) >> 8) as u8);
    by_octet(scratch, places, |place| (source(place) >> 16) as u8);
    for places in places.chunk_by_mut(|left, right| left.source == right.source) {
        sort_source(places, scratch);
    }
}

/// Sorts the places of one source by kind.
fn sort_source<A: Address>(places: &mut [RowPlace<A>], scratch: &mut [RowPlace<A>]) {
    if places.len() < COUNTED_MIN {
        places.sort_unstable_by_key(|place| place.kind);
        return;
    }
    let scratch = &mut scratch[..places.len()];
    let first = places[0].kind.bits();
    let differing = places
        .iter()
        .fold(0, |bits, place| bits | (place.kind.bits() ^ first));
    for shift in [0, 8, 16, 24] {
        // Kinds of one source differ in the port, and hardly in anything else.
        if differing >> shift & 0xff != 0 {
            by_octet(places, scratch, |place| (place.kind.bits() >> shift) as u8);
            places.copy_from_slice(scratch);
        }
    }
}

/// Copies places in the order of an octet of theirs; equal ones keep their order.
fn by_octet<A: Address>(
    from: &[RowPlace<A>],
    to: &mut [RowPlace<A>],
    octet: impl Fn(&RowPlace<A>) -> u8,
) {
    let octet = |place: &RowPlace<A>| usize::from(octet(place));
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
        let udp = |port| Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(port));
        check_kinds(count, |index| {
            (source(index / 2), udp((index % 2) as u16 ^ 1))
        });
    }

    fn check_kinds<A: Address>(count: u32, key: impl Fn(u32) -> (A, Kind)) {
        let observation = |index: u32| Observation {
            time_us: 0,
            source: key(index).0,
            destination: A::from_number(1),
            kind: key(index).1,
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

    #[test]
    fn many_kinds_of_one_source_come_out_in_order() {
        let kind = |index: u32| {
            let types = [TrafficType::Udp, TrafficType::TcpSyn, TrafficType::TcpFin];
            let port = (index / 3).wrapping_mul(40_503) as u16;
            let class = [Class::Scan, Class::Exploit][index as usize % 2];
            Kind::new(types[index as usize % 3], class, Tool::None, 6, Some(port))
        };
        for count in [255, 256, 1_000, 60_000] {
            check_kinds(count, |index| (0x0102_0304_u32, kind(index)));
            check_kinds(count, |index| (7_u128, kind(index)));
        }
        // Ports that differ in one octet alone.
        let udp = |port| Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(port));
        check_kinds(256, |index| (1_u32, udp((255 - index) as u16)));
        check_kinds(256, |index| (1_u32, udp(((255 - index) << 8) as u16)));
    }
}
