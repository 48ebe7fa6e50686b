//! The two lookup tables, one per family: sorted steps, each with the value from its address on. No file is read and no text is parsed
//! here.
//!
//! IPv4 has an index of 2^16 entries over the first half of the address, and steps that keep the second half alone: 4 bytes each
//! for a country. IPv6 has every 32nd start in a small array that stays in the cache, then a search among 32.

/// The value of an address; the default means unknown.
pub(crate) trait Value: Copy + Default + PartialEq {}

impl<V: Copy + Default + PartialEq> Value for V {}

/// From `start` on, up to the next step's start, `value` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RangeStep<A, V> {
    pub(crate) start: A,
    pub(crate) value: V,
}

/// The result of a lookup with the addresses that it holds for, both ends included; a cursor remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookup<A, V> {
    pub(crate) first: A,
    pub(crate) last: A,
    pub(crate) value: V,
}

/// From the address with this low half on, within its high half, `value` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HalfStep<V> {
    pub(crate) low: u16,
    pub(crate) value: V,
}

const _: () = assert!(size_of::<HalfStep<u16>>() == 4);

/// IPv4: steps by their low half, found through the high half.
#[derive(Clone, Debug)]
pub(crate) struct TableV4<V> {
    /// For each high half the first of its steps; one more entry ends the last. Empty in an empty table.
    index: Vec<u32>,
    /// Each high half begins with a step at 0, so that a search never leaves it.
    steps: Vec<HalfStep<V>>,
}

impl<V: Value> TableV4<V> {
    /// A table of steps that are sorted by `start`, each start once.
    pub(crate) fn new(sorted: &[RangeStep<u32, V>]) -> Self {
        if sorted.is_empty() {
            return TableV4 {
                index: Vec::new(),
                steps: Vec::new(),
            };
        }
        let mut index = Vec::with_capacity((1 << 16) + 1);
        let mut steps = Vec::with_capacity(sorted.len() + (1 << 16));
        let mut rest = sorted.iter().peekable();
        let mut current = V::default();
        for high in 0..=u16::MAX {
            index.push(steps.len() as u32);
            if rest
                .peek()
                .is_none_or(|step| step.start != u32::from(high) << 16)
            {
                steps.push(HalfStep {
                    low: 0,
                    value: current,
                });
            }
            while let Some(step) = rest.next_if(|step| (step.start >> 16) as u16 == high) {
                steps.push(HalfStep {
                    low: step.start as u16,
                    value: step.value,
                });
                current = step.value;
            }
        }
        index.push(steps.len() as u32);
        TableV4 { index, steps }
    }

    /// Index and steps, to be stored.
    pub(crate) fn parts(&self) -> (&[u32], &[HalfStep<V>]) {
        (&self.index, &self.steps)
    }

    /// The table of stored parts; `None` if they are those of no table.
    pub(crate) fn from_parts(index: Vec<u32>, steps: Vec<HalfStep<V>>) -> Option<Self> {
        let is_empty = index.is_empty() && steps.is_empty();
        let is_whole = index.len() == (1 << 16) + 1
            && index.first() == Some(&0)
            && index.last().map(|end| *end as usize) == Some(steps.len());
        let begins_at_zero = |pair: &[u32]| {
            let first = steps.get(pair[0] as usize);
            pair[0] < pair[1] && first.is_some_and(|step| step.low == 0)
        };
        let is_table = is_empty || is_whole && index.windows(2).all(begins_at_zero);
        is_table.then_some(TableV4 { index, steps })
    }

    /// What holds for `address`.
    #[inline]
    pub(crate) fn find(&self, address: u32) -> V {
        match self.position(address) {
            Some((_, position)) => self.steps[position].value,
            None => V::default(),
        }
    }

    /// The value of `address`, and its range within the high half.
    #[inline]
    pub(crate) fn answer(&self, address: u32) -> Lookup<u32, V> {
        let Some((end, position)) = self.position(address) else {
            return Lookup {
                first: 0,
                last: u32::MAX,
                value: V::default(),
            };
        };
        let high = address & 0xffff_0000;
        let step = self.steps[position];
        let last = if position + 1 < end {
            self.steps[position + 1].low - 1
        } else {
            u16::MAX
        };
        Lookup {
            first: high | u32::from(step.low),
            last: high | u32::from(last),
            value: step.value,
        }
    }

    /// The end of the steps of the address's high half, and the step of the address; `None` in an empty table.
    #[inline]
    fn position(&self, address: u32) -> Option<(usize, usize)> {
        let high = (address >> 16) as usize;
        let (begin, end) = match self.index.get(high..high + 2) {
            Some(bounds) => (bounds[0] as usize, bounds[1] as usize),
            None => return None,
        };
        let steps = &self.steps[begin..end];
        Some((
            end,
            begin + last_at_most(steps, |step| step.low <= address as u16),
        ))
    }
}

/// Position of the last item for which `holds`, where the first always does and those that do come first. Without a branch on
/// the items, which would be mispredicted at every second step.
#[inline]
fn last_at_most<T>(items: &[T], holds: impl Fn(&T) -> bool) -> usize {
    let mut base = 0;
    let mut size = items.len();
    while size > 1 {
        let half = size / 2;
        base = if holds(&items[base + half]) {
            base + half
        } else {
            base
        };
        size -= half;
    }
    base
}

/// Steps between two samples of the IPv6 table.
const SAMPLE_STEPS: usize = 32;

/// IPv6: sorted starts and their values, with every 32nd start once more in `samples`.
#[derive(Clone, Debug)]
pub(crate) struct TableV6<V> {
    samples: Vec<u128>,
    /// The first start is 0, so that a search always finds one. Empty in an empty table.
    starts: Vec<u128>,
    values: Vec<V>,
}

impl<V: Value> TableV6<V> {
    /// A table of steps that are sorted by `start`, each start once.
    pub(crate) fn new(sorted: &[RangeStep<u128, V>]) -> Self {
        let mut starts = Vec::with_capacity(sorted.len() + 1);
        let mut values = Vec::with_capacity(sorted.len() + 1);
        if sorted.first().is_some_and(|step| step.start != 0) {
            starts.push(0);
            values.push(V::default());
        }
        starts.extend(sorted.iter().map(|step| step.start));
        values.extend(sorted.iter().map(|step| step.value));
        TableV6::of(starts, values)
    }

    fn of(starts: Vec<u128>, values: Vec<V>) -> Self {
        let samples = starts.iter().copied().step_by(SAMPLE_STEPS).collect();
        TableV6 {
            samples,
            starts,
            values,
        }
    }

    /// Starts and their values, to be stored.
    pub(crate) fn parts(&self) -> (&[u128], &[V]) {
        (&self.starts, &self.values)
    }

    /// The table of stored parts; `None` if they are those of no table.
    pub(crate) fn from_parts(starts: Vec<u128>, values: Vec<V>) -> Option<Self> {
        let begins = starts.first().is_none_or(|start| *start == 0);
        let is_table = starts.len() == values.len() && begins && starts.is_sorted();
        is_table.then(|| TableV6::of(starts, values))
    }

    /// What holds for `address`.
    #[inline]
    pub(crate) fn find(&self, address: u128) -> V {
        self.values
            .get(self.position(address))
            .copied()
            .unwrap_or_default()
    }

    /// The value of `address`, and its range.
    #[inline]
    pub(crate) fn answer(&self, address: u128) -> Lookup<u128, V> {
        let position = self.position(address);
        Lookup {
            first: self.starts.get(position).copied().unwrap_or(0),
            last: self
                .starts
                .get(position + 1)
                .map_or(u128::MAX, |next| next - 1),
            value: self.values.get(position).copied().unwrap_or_default(),
        }
    }

    #[inline]
    fn position(&self, address: u128) -> usize {
        let sample = last_at_most(&self.samples, |start| *start <= address);
        let begin = sample * SAMPLE_STEPS;
        let end = (begin + SAMPLE_STEPS).min(self.starts.len());
        begin + last_at_most(&self.starts[begin..end], |start| *start <= address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps<A: Copy>(pairs: &[(A, u16)]) -> Vec<RangeStep<A, u16>> {
        pairs
            .iter()
            .map(|&(start, value)| RangeStep { start, value })
            .collect()
    }

    #[test]
    fn an_empty_table_knows_nothing() {
        assert_eq!(TableV4::<u16>::new(&[]).find(7), 0);
        assert_eq!(TableV6::<u16>::new(&[]).find(7), 0);
        assert_eq!(TableV4::<u16>::new(&[]).answer(7).last, u32::MAX);
        assert_eq!(TableV6::<u16>::new(&[]).answer(7).last, u128::MAX);
    }

    #[test]
    fn a_step_holds_over_the_edge_of_its_high_half() {
        let table = TableV4::new(&steps(&[
            (0x0001_ff00, 1),
            (0x0004_0000, 2),
            (0x0004_0001, 3),
        ]));
        for (address, value) in [
            (0, 0),
            (0x0001_feff, 0),
            (0x0001_ff00, 1),
            (0x0002_0000, 1),
            (0x0003_ffff, 1),
            (0x0004_0000, 2),
            (0x0004_0001, 3),
            (u32::MAX, 3),
        ] {
            assert_eq!(table.find(address), value, "{address:#x}");
            let answer = table.answer(address);
            assert!(answer.first <= address && address <= answer.last);
            assert_eq!(answer.value, value);
        }
    }

    #[test]
    fn ipv6_answers_change_exactly_at_a_start() {
        let starts: Vec<(u128, u16)> = (1..200).map(|n| (u128::from(n) << 100, n)).collect();
        let table = TableV6::new(&steps(&starts));
        assert_eq!(table.find(0), 0);
        for (start, value) in starts {
            assert_eq!(table.find(start), value);
            assert_eq!(table.find(start - 1), value - 1);
            assert_eq!(table.answer(start - 1).last, start - 1);
        }
    }
}
