//! How many distinct dark addresses a row has touched: exact while few, then an estimate in bounded memory.
//!
//! Both forms depend on the set of addresses alone, never on their order or on how they were split, so any merge of any parts gives the
//! same count. A row keeps its first few destinations itself; more are in the [`SetStore`] of its table. A [`DestinationSet`] owns its
//! addresses: it was read from disk, or merged from several rows.

mod packed;
mod store;

pub use packed::{
    NoSet, count_packed, first_members, merge_packed, pack, pack_of, union_of_packed, unite_packed,
};
pub use store::{SetNumber, SetStore};

use teiten_observation::Address;

/// Distinct destinations that are counted exactly; above, the count is an estimate.
pub const EXACT_DESTINATIONS_MAX: usize = 128;
/// Registers of the estimate: its standard error is 1.04 / √2048 = 2.3 %.
pub const REGISTERS: usize = 2048;
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();

/// HyperLogLog registers.
pub type Registers = [u8; REGISTERS];

/// The destinations of a row, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub enum View<'a, A> {
    /// These, each once.
    Few(&'a [A]),
    /// `first`, and `count` others in places of which those that say `first` are free.
    Table {
        /// A value that no member has; it marks a free place.
        first: A,
        /// The others.
        count: u32,
        /// Places.
        places: &'a [A],
    },
    /// Registers of an estimate.
    Estimated(&'a Registers),
}

impl<A: Address> View<'_, A> {
    /// The number of distinct addresses: exact up to [`EXACT_DESTINATIONS_MAX`], then estimated.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u64 {
        match self {
            View::Few(members) => members.len() as u64,
            View::Table { count, .. } => u64::from(*count) + 1,
            View::Estimated(registers) => estimate(registers),
        }
    }

    /// Appends the set to `bytes` for a run on disk.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        if let View::Estimated(registers) = self {
            bytes.push(u8::MAX);
            bytes.extend_from_slice(registers.as_slice());
            return;
        }
        bytes.push(self.count() as u8);
        self.each(|address| {
            bytes.extend_from_slice(&address.number().to_le_bytes()[..size_of::<A>()]);
        });
    }

    /// Every member, in no order; none of an estimate.
    pub(crate) fn each(&self, mut take: impl FnMut(A)) {
        match self {
            View::Few(members) => members.iter().copied().for_each(take),
            View::Table { first, places, .. } => {
                take(*first);
                places
                    .iter()
                    .copied()
                    .filter(|place| place != first)
                    .for_each(take);
            }
            View::Estimated(_) => {}
        }
    }
}

/// A set of destinations that owns its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationSet<A> {
    /// Every address, ascending.
    Exact(Vec<A>),
    /// HyperLogLog registers.
    Estimated(Box<Registers>),
}

impl<A: Address> DestinationSet<A> {
    /// A set of nothing.
    #[must_use]
    pub const fn new() -> Self {
        DestinationSet::Exact(Vec::new())
    }

    /// The set of one address.
    #[must_use]
    pub fn single(address: A) -> Self {
        DestinationSet::Exact(vec![address])
    }

    /// The set of these addresses, which ascend, each once.
    #[must_use]
    pub fn of_ascending(members: Vec<A>) -> Self {
        debug_assert!(members.windows(2).all(|pair| pair[0] < pair[1]));
        if members.len() > EXACT_DESTINATIONS_MAX {
            DestinationSet::Estimated(registers_of(&members))
        } else {
            DestinationSet::Exact(members)
        }
    }

    /// Adds an address.
    pub fn insert(&mut self, address: A) {
        match self {
            DestinationSet::Exact(addresses) => {
                if let Err(place) = addresses.binary_search(&address) {
                    addresses.insert(place, address);
                    if addresses.len() > EXACT_DESTINATIONS_MAX {
                        *self = DestinationSet::Estimated(registers_of(addresses));
                    }
                }
            }
            DestinationSet::Estimated(registers) => raise(registers, address),
        }
    }

    /// The set of these addresses, which may be there several times.
    fn of(mut addresses: Vec<A>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        match addresses.len() > EXACT_DESTINATIONS_MAX {
            true => DestinationSet::Estimated(registers_of(&addresses)),
            false => DestinationSet::Exact(addresses),
        }
    }

    /// Adds every address of `other`.
    pub fn merge(&mut self, other: View<'_, A>) {
        let View::Estimated(theirs) = other else {
            self.merge_exact(other);
            return;
        };
        if let DestinationSet::Exact(addresses) = self {
            *self = DestinationSet::Estimated(registers_of(addresses));
        }
        if let DestinationSet::Estimated(ours) = self {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours = (*ours).max(*theirs);
            }
        }
    }

    /// Adds every member of a set that is no estimate.
    fn merge_exact(&mut self, other: View<'_, A>) {
        let DestinationSet::Exact(addresses) = self else {
            other.each(|address| self.insert(address));
            return;
        };
        // Sorting all at once costs less than putting each in its place.
        addresses.reserve(other.count() as usize);
        other.each(|address| addresses.push(address));
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.len() > EXACT_DESTINATIONS_MAX {
            *self = DestinationSet::Estimated(registers_of(addresses));
        }
    }

    /// A view of the same set.
    #[must_use]
    pub fn view(&self) -> View<'_, A> {
        match self {
            DestinationSet::Exact(addresses) => View::Few(addresses),
            DestinationSet::Estimated(registers) => View::Estimated(registers),
        }
    }

    /// The number of distinct addresses: exact up to [`EXACT_DESTINATIONS_MAX`], then estimated.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.view().count()
    }

    /// Reads back what [`View::write_to`] wrote.
    ///
    /// # Errors
    /// When `input` ends or cannot be read.
    pub fn read_from(input: &mut impl std::io::Read) -> std::io::Result<Self> {
        let mut tag = [0];
        input.read_exact(&mut tag)?;
        if tag[0] == u8::MAX {
            let mut registers = Box::new([0; REGISTERS]);
            input.read_exact(registers.as_mut_slice())?;
            return Ok(DestinationSet::Estimated(registers));
        }
        let mut set = DestinationSet::new();
        for _ in 0..tag[0] {
            let mut number = [0; 16];
            input.read_exact(&mut number[..size_of::<A>()])?;
            set.insert(A::from_number(u128::from_le_bytes(number)));
        }
        Ok(set)
    }
}

impl<A: Address> Default for DestinationSet<A> {
    fn default() -> Self {
        DestinationSet::new()
    }
}

impl<A: Address> From<View<'_, A>> for DestinationSet<A> {
    fn from(view: View<'_, A>) -> Self {
        let mut set = DestinationSet::new();
        set.merge(view);
        set
    }
}

const _: () = assert!(EXACT_DESTINATIONS_MAX + 1 < u8::MAX as usize);

fn registers_of<A: Address>(addresses: &[A]) -> Box<Registers> {
    let mut registers = Box::new([0; REGISTERS]);
    for &address in addresses {
        raise(&mut registers, address);
    }
    registers
}

#[inline(always)]
fn register_of<A: Address>(address: A) -> usize {
    (mix(address.number()) >> (64 - REGISTER_BITS)) as usize
}

#[inline(always)]
fn raise<A: Address>(registers: &mut Registers, address: A) {
    let hash = mix(address.number());
    let register = &mut registers[(hash >> (64 - REGISTER_BITS)) as usize];
    // The bit set at the end bounds the rank where all hash bits left are zero.
    let rank = ((hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1))).leading_zeros() as u8 + 1;
    *register = (*register).max(rank);
}

/// A fixed mixing of all bits (the finalizer of SplitMix64, Steele et al. 2014): the same on every machine, as estimates must be.
#[inline(always)]
fn mix(number: u128) -> u64 {
    let mut bits = (number as u64) ^ ((number >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// HyperLogLog with the small-range correction of Flajolet et al. 2007; more than the exact limit is certain, whatever the registers
/// say.
fn estimate(registers: &Registers) -> u64 {
    let mut per_rank = [0u32; 65];
    for &rank in registers {
        per_rank[rank as usize] += 1;
    }
    let sum: f64 = per_rank
        .iter()
        .enumerate()
        .map(|(rank, &count)| f64::from(count) / (1u128 << rank) as f64)
        .sum();
    let count = REGISTERS as f64;
    let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
    let zeros = f64::from(per_rank[0]);
    let estimate = if raw <= 2.5 * count && zeros > 0.0 {
        (count * (count / zeros).ln()).round() as u64
    } else {
        raw.round() as u64
    };
    estimate.max(EXACT_DESTINATIONS_MAX as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(addresses: impl IntoIterator<Item = u32>) -> DestinationSet<u32> {
        let mut set = DestinationSet::new();
        for address in addresses {
            set.insert(address);
        }
        set
    }

    #[test]
    fn counts_are_exact_up_to_the_limit() {
        for count in [1, 2, 100, EXACT_DESTINATIONS_MAX as u32] {
            assert_eq!(set_of((0..count).chain(0..count)).count(), u64::from(count));
        }
    }

    #[test]
    fn estimates_stay_within_four_standard_errors() {
        for count in [200u32, 1_000, 5_000, 20_000, 65_536, 1_000_000] {
            let estimate = set_of((0..count).map(|index| 0xc612_0000 + index)).count() as f64;
            let error = (estimate / f64::from(count) - 1.0).abs();
            assert!(error < 4.0 * 0.023, "{count} estimated as {estimate}");
        }
    }

    #[test]
    fn any_split_and_order_merges_to_the_same_set() {
        for count in [3u32, 127, 128, 129, 300, 5_000] {
            let whole = set_of(0..count);
            for parts in [2u32, 3, 7] {
                let mut merged = set_of((0..count).rev().filter(|address| address % parts == 0));
                for part in 1..parts {
                    let more = set_of((0..count).filter(|address| address % parts >= part));
                    merged.merge(more.view());
                }
                assert_eq!(merged, whole, "{count} in {parts}");
            }
        }
    }

    #[test]
    fn a_set_survives_its_bytes() {
        for count in [2u32, 128, 1_000] {
            let set = set_of(0..count);
            let mut bytes = Vec::new();
            set.view().write_to(&mut bytes);
            let back = DestinationSet::<u32>::read_from(&mut bytes.as_slice()).expect("own bytes");
            assert_eq!(back, set);
        }
    }
}
