//! Converts the ranges of files (unsorted, overlapping, nested) to sorted steps: it decides which range wins for an address in several.
//!
//! A later file wins over an earlier one, so that a user's own file can correct a public one; within a file the narrower range
//! wins, as the more specific prefix does in routing; of two equally wide ones the later line.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table::{RangeStep, Value};
use teiten_observation::Address;

/// Addresses from `first` to `last`, both included, and their value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range<A, V> {
    pub(crate) first: A,
    pub(crate) last: A,
    pub(crate) value: V,
}

/// The steps of the ranges of several files, given in rising precedence. Ranges must not be reversed (`first` ≤ `last`).
pub(crate) fn flatten<A: Address, V: Value>(
    files: &[impl AsRef<[Range<A, V>]>],
) -> Vec<RangeStep<A, V>> {
    match files {
        [only] if is_sorted_and_disjoint(only.as_ref()) => steps_of_disjoint(only.as_ref()),
        _ => steps_of_overlapping(files),
    }
}

fn is_sorted_and_disjoint<A: Address, V>(ranges: &[Range<A, V>]) -> bool {
    ranges.windows(2).all(|pair| pair[0].last < pair[1].first)
}

/// How many ranges begin inside an earlier one (or before it ends), counted in sorted order.
pub(crate) fn count_overlapping<A: Address, V: Value>(ranges: &[Range<A, V>]) -> u64 {
    if is_sorted_and_disjoint(ranges) {
        return 0;
    }
    let mut bounds: Vec<(A, A)> = ranges
        .iter()
        .map(|range| (range.first, range.last))
        .collect();
    bounds.sort_unstable();
    let mut reached: Option<A> = None;
    let mut overlapping = 0;
    for (first, last) in bounds {
        overlapping += u64::from(reached.is_some_and(|reached| first <= reached));
        reached = reached.max(Some(last));
    }
    overlapping
}

fn steps_of_disjoint<A: Address, V: Value>(ranges: &[Range<A, V>]) -> Vec<RangeStep<A, V>> {
    let mut steps = Steps::with_capacity(ranges.len() + ranges.len() / 4);
    for range in ranges {
        steps.set(range.first, range.value);
        if let Some(after) = successor(range.last) {
            steps.set(after, V::default());
        }
    }
    steps.0
}

/// The precedence of a range: of several over one address the greatest wins.
type Precedence = (usize, Reverse<u128>, usize);

fn steps_of_overlapping<A: Address, V: Value>(
    files: &[impl AsRef<[Range<A, V>]>],
) -> Vec<RangeStep<A, V>> {
    let mut begins: Vec<(A, Precedence, Range<A, V>)> = Vec::new();
    for (file, ranges) in files.iter().enumerate() {
        begins.extend(ranges.as_ref().iter().enumerate().map(|(line, range)| {
            let width = range.last.number() - range.first.number();
            (range.first, (file, Reverse(width), line), *range)
        }));
    }
    begins.sort_unstable_by_key(|&(first, precedence, _)| (first, precedence));
    let mut steps = Steps::with_capacity(begins.len() * 2);
    let mut open = BinaryHeap::new();
    for (position, (first, precedence, _)) in begins.iter().enumerate() {
        close_until(&mut steps, &mut open, &begins, Some(*first));
        open.push((*precedence, position));
        let winner = open.peek().map_or(position, |&(_, winner)| winner);
        steps.set(*first, begins[winner].2.value);
    }
    close_until(&mut steps, &mut open, &begins, None);
    steps.0
}

/// Writes the steps at the ends of open ranges that end before `until` (or of all of them).
fn close_until<A: Address, V: Value>(
    steps: &mut Steps<A, V>,
    open: &mut BinaryHeap<(Precedence, usize)>,
    begins: &[(A, Precedence, Range<A, V>)],
    until: Option<A>,
) {
    // Only the end of the winner changes the value: a range that ends under a winner is dropped when it comes to the top.
    while let Some(&(_, top)) = open.peek() {
        let last = begins[top].2.last;
        if until.is_some_and(|until| last >= until) {
            return;
        }
        open.pop();
        while open
            .peek()
            .is_some_and(|&(_, next)| begins[next].2.last <= last)
        {
            open.pop();
        }
        if let Some(after) = successor(last) {
            let value = open
                .peek()
                .map_or(V::default(), |&(_, next)| begins[next].2.value);
            steps.set(after, value);
        }
    }
}

/// `steps` with the default value where `mask` is true; both sorted.
pub(crate) fn cut_out<A: Address, V: Value>(
    steps: &[RangeStep<A, V>],
    mask: &[RangeStep<A, bool>],
) -> Vec<RangeStep<A, V>> {
    let mut cut = Steps::with_capacity(steps.len() + mask.len());
    let (mut steps, mut mask) = (steps.iter().peekable(), mask.iter().peekable());
    let (mut held, mut is_masked) = (V::default(), false);
    while let Some(start) = match (steps.peek(), mask.peek()) {
        (Some(step), Some(edge)) => Some(step.start.min(edge.start)),
        (Some(step), None) => Some(step.start),
        (None, edge) => edge.map(|edge| edge.start),
    } {
        held = steps
            .next_if(|step| step.start == start)
            .map_or(held, |step| step.value);
        is_masked = mask
            .next_if(|edge| edge.start == start)
            .map_or(is_masked, |edge| edge.value);
        cut.set(start, if is_masked { V::default() } else { held });
    }
    cut.0
}

fn successor<A: Address>(address: A) -> Option<A> {
    let after = A::from_number(address.number().wrapping_add(1));
    (after > address).then_some(after)
}

/// Steps in the making: a later value at the same start replaces the earlier, an unchanged value adds no step.
struct Steps<A, V>(Vec<RangeStep<A, V>>);

impl<A: Address, V: Value> Steps<A, V> {
    fn with_capacity(capacity: usize) -> Self {
        Steps(Vec::with_capacity(capacity))
    }

    fn set(&mut self, start: A, value: V) {
        if self.0.last().is_some_and(|last| last.start == start) {
            self.0.pop();
        }
        let current = self.0.last().map_or(V::default(), |last| last.value);
        if current != value {
            self.0.push(RangeStep { start, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranges::table::{TableV4, TableV6};

    fn range(first: u32, last: u32, value: u16) -> Range<u32, u16> {
        Range { first, last, value }
    }

    /// The expected value, by a linear search of all ranges.
    fn naive(files: &[Vec<Range<u32, u16>>], address: u32) -> u16 {
        let mut best: Option<(Precedence, u16)> = None;
        for (file, ranges) in files.iter().enumerate() {
            for (line, range) in ranges.iter().enumerate() {
                let precedence = (file, Reverse(u128::from(range.last - range.first)), line);
                let holds = range.first <= address && address <= range.last;
                if holds && best.is_none_or(|(other, _)| precedence > other) {
                    best = Some((precedence, range.value));
                }
            }
        }
        best.map_or(0, |(_, value)| value)
    }

    #[test]
    fn the_narrower_range_wins_and_the_wider_goes_on_behind_it() {
        let table = TableV4::new(&flatten(&[vec![range(10, 99, 1), range(20, 29, 2)]]));
        for (address, value) in [
            (9, 0),
            (10, 1),
            (19, 1),
            (20, 2),
            (29, 2),
            (30, 1),
            (99, 1),
            (100, 0),
        ] {
            assert_eq!(table.find(address), value, "{address}");
        }
    }

    #[test]
    fn a_later_file_wins_however_wide() {
        let table = TableV4::new(&flatten(&[
            vec![range(20, 29, 2)],
            vec![range(0, u32::MAX, 1)],
        ]));
        assert_eq!(table.find(25), 1);
        assert_eq!(table.find(u32::MAX), 1);
    }

    #[test]
    fn neighbours_that_say_the_same_are_one_step() {
        let steps = flatten(&[vec![range(0, 9, 4), range(10, 19, 4), range(30, 39, 4)]]);
        assert_eq!(steps.len(), 4);
    }

    #[test]
    fn overlaps_are_counted() {
        assert_eq!(count_overlapping(&[range(0, 9, 1), range(10, 19, 1)]), 0);
        assert_eq!(count_overlapping(&[range(10, 19, 1), range(0, 9, 1)]), 0);
        assert_eq!(
            count_overlapping(&[range(0, 99, 1), range(5, 6, 1), range(50, 120, 1)]),
            2
        );
    }

    fn files() -> impl Strategy<Value = Vec<Vec<Range<u32, u16>>>> {
        let number = prop_oneof![0u32..300, 0xfffe..0x1_0200u32, (u32::MAX - 50)..=u32::MAX];
        let one = (number.clone(), number, 0u16..4)
            .prop_map(|(a, b, value)| range(a.min(b), a.max(b), value));
        prop::collection::vec(prop::collection::vec(one, 0..20), 0..4)
    }

    proptest! {
        #[test]
        fn the_table_answers_as_a_look_at_every_range_does(files in files(), probes in prop::collection::vec(any::<u32>(), 8)) {
            let table = TableV4::new(&flatten(&files));
            let edges = files.iter().flatten().flat_map(|range| {
                [range.first, range.last].map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)])
            });
            for address in edges.flatten().chain(probes) {
                prop_assert_eq!(table.find(address), naive(&files, address));
                prop_assert_eq!(table.answer(address).value, naive(&files, address));
            }
        }

        #[test]
        fn what_is_cut_out_is_unknown_and_the_rest_as_before(files in files(), cut in files(), probes in prop::collection::vec(any::<u32>(), 8)) {
            let steps = flatten(&files);
            let holes: Vec<Vec<Range<u32, bool>>> = cut.iter().map(|ranges| {
                ranges.iter().map(|range| Range { first: range.first, last: range.last, value: range.value > 0 }).collect()
            }).collect();
            let whole = TableV4::new(&steps);
            let table = TableV4::new(&cut_out(&steps, &flatten(&holes)));
            let edges = files.iter().chain(&cut).flatten().flat_map(|range| {
                [range.first, range.last].map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)])
            });
            for address in edges.flatten().chain(probes) {
                let expected = if naive(&cut, address) > 0 { 0 } else { whole.find(address) };
                prop_assert_eq!(table.find(address), expected);
            }
        }

        #[test]
        fn the_ipv6_table_answers_by_the_same_rule(files in files()) {
            let low = u128::from(u64::MAX);
            let wide: Vec<Vec<Range<u128, u16>>> = files.iter().map(|ranges| {
                let widened = ranges.iter().map(|range| Range {
                    first: u128::from(range.first) << 64,
                    last: u128::from(range.last) << 64 | low,
                    value: range.value,
                });
                widened.collect()
            }).collect();
            let table = TableV6::new(&flatten(&wide));
            let edges = files.iter().flatten().flat_map(|range| [range.first, range.last]);
            for edge in edges.flat_map(|edge| [edge.saturating_sub(1), edge, edge.saturating_add(1)]) {
                let address = u128::from(edge) << 64;
                prop_assert_eq!(table.find(address), naive(&files, edge));
                prop_assert_eq!(table.find(address | low), naive(&files, edge));
                prop_assert_eq!(table.answer(address | 7).value, naive(&files, edge));
            }
        }
    }
}
