//! How many distinct dark addresses a row has touched: exact while few, then an estimate in bounded memory.
//!
//! Both forms depend on the set of addresses alone, never on their order or on how they were split, so any merge of any parts
//! gives the same count. Rows with one destination keep it in the row itself and have no set here.

use crate::observation::Address;
use crate::prefetch::prefetch;

/// Distinct destinations that are counted exactly; above, the count is an estimate.
pub const EXACT_DESTINATIONS_MAX: usize = 128;
/// Registers of the estimate: its standard error is 1.04 / √2048 = 2.3 %.
const REGISTERS: usize = 2048;
const REGISTER_BITS: u32 = REGISTERS.trailing_zeros();

/// A set of destinations of one row.
#[derive(Clone, Debug)]
pub enum DestinationSet<A> {
    /// Every address.
    Exact(ExactSet<A>),
    /// HyperLogLog registers.
    Estimated(Box<[u8; REGISTERS]>),
}

/// Up to so many addresses lie in a list; more lie in a hash table, so that a lookup touches one cache line.
const LIST_MAX: usize = 8;

/// A few addresses, exactly.
#[derive(Clone, Debug)]
pub struct ExactSet<A> {
    /// A list of `count` addresses, or a table at most half full, in which the address 0 is a free place.
    places: Vec<A>,
    count: u8,
    /// Whether the address 0, which has no place in the table, is a member.
    zero: bool,
}

impl<A: Address> ExactSet<A> {
    fn new() -> Self {
        ExactSet {
            places: Vec::new(),
            count: 0,
            zero: false,
        }
    }

    fn len(&self) -> usize {
        self.count as usize
    }

    fn iter(&self) -> impl Iterator<Item = A> + '_ {
        let free = A::from_number(0);
        let zero = self.zero.then_some(free);
        self.places
            .iter()
            .copied()
            .filter(move |place| *place != free)
            .chain(zero)
    }

    /// Adds an address; true when it is new.
    #[inline]
    fn insert(&mut self, address: A) -> bool {
        let free = A::from_number(0);
        if address == free {
            let new = !self.zero;
            self.zero = true;
            self.count += u8::from(new);
            return new;
        }
        if self.places.len() < LIST_MAX {
            if self.places.contains(&address) {
                return false;
            }
            self.places.push(address);
            self.count += 1;
            return true;
        }
        if self.places.len() == LIST_MAX {
            if self.places.contains(&address) {
                return false;
            }
            self.grow(LIST_MAX * 4);
        } else if self.len() * 2 >= self.places.len() {
            self.grow(self.places.len() * 2);
        }
        let new = place(&mut self.places, address);
        self.count += u8::from(new);
        new
    }

    fn grow(&mut self, places: usize) {
        let free = A::from_number(0);
        let old = std::mem::replace(&mut self.places, vec![free; places]);
        for address in old.into_iter().filter(|address| *address != free) {
            place(&mut self.places, address);
        }
    }
}

/// Puts an address into a table with free places; true when it was not there.
#[inline]
fn place<A: Address>(places: &mut [A], address: A) -> bool {
    let free = A::from_number(0);
    let mask = places.len() - 1;
    let mut index = mix(address.number()) as usize & mask;
    loop {
        if places[index] == address {
            return false;
        }
        if places[index] == free {
            places[index] = address;
            return true;
        }
        index = (index + 1) & mask;
    }
}

impl<A: Address> DestinationSet<A> {
    /// The set of one address.
    #[must_use]
    pub fn single(address: A) -> Self {
        let mut addresses = ExactSet::new();
        addresses.insert(address);
        DestinationSet::Exact(addresses)
    }

    /// The set of these two different addresses.
    #[must_use]
    pub fn pair(first: A, second: A) -> Self {
        let mut addresses = ExactSet::new();
        addresses.places.reserve_exact(LIST_MAX / 2);
        addresses.insert(first);
        addresses.insert(second);
        DestinationSet::Exact(addresses)
    }

    /// Adds an address; true when memory may have been taken for it.
    #[inline]
    pub fn insert(&mut self, address: A) -> bool {
        match self {
            DestinationSet::Exact(addresses) => {
                if !addresses.insert(address) {
                    return false;
                }
                if addresses.len() > EXACT_DESTINATIONS_MAX {
                    *self = DestinationSet::Estimated(registers_of(addresses));
                }
                true
            }
            DestinationSet::Estimated(registers) => {
                raise(registers, address);
                false
            }
        }
    }

    /// Asks for the memory that adding this address will touch.
    #[inline]
    pub fn prefetch(&self, address: A) {
        match self {
            DestinationSet::Exact(addresses) => {
                let mask = addresses.places.len().wrapping_sub(1);
                prefetch(&addresses.places, mix(address.number()) as usize & mask);
            }
            DestinationSet::Estimated(registers) => {
                let register = mix(address.number()) >> (64 - REGISTER_BITS);
                prefetch(registers.as_slice(), register as usize);
            }
        }
    }

    /// Adds every address of `other`.
    pub fn merge(&mut self, other: &DestinationSet<A>) {
        match other {
            DestinationSet::Exact(addresses) => {
                for address in addresses.iter() {
                    self.insert(address);
                }
            }
            DestinationSet::Estimated(theirs) => {
                let mut registers = match self {
                    DestinationSet::Exact(addresses) => registers_of(addresses),
                    DestinationSet::Estimated(ours) => ours.clone(),
                };
                for (ours, theirs) in registers.iter_mut().zip(theirs.iter()) {
                    *ours = (*ours).max(*theirs);
                }
                *self = DestinationSet::Estimated(registers);
            }
        }
    }

    /// The number of distinct addresses: exact up to [`EXACT_DESTINATIONS_MAX`], then estimated.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            DestinationSet::Exact(addresses) => addresses.len() as u64,
            // More than the exact limit is certain, whatever the registers say.
            DestinationSet::Estimated(registers) => {
                estimate(registers).max(EXACT_DESTINATIONS_MAX as u64 + 1)
            }
        }
    }

    /// Bytes of memory that the set holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            DestinationSet::Exact(addresses) => addresses.places.capacity() * size_of::<A>(),
            DestinationSet::Estimated(_) => REGISTERS,
        }
    }

    /// Appends the set to `bytes` for a run on disk.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        match self {
            DestinationSet::Exact(addresses) => {
                bytes.push(addresses.len() as u8);
                for address in addresses.iter() {
                    let number = address.number().to_le_bytes();
                    bytes.extend_from_slice(&number[..size_of::<A>()]);
                }
            }
            DestinationSet::Estimated(registers) => {
                bytes.push(u8::MAX);
                bytes.extend_from_slice(registers.as_slice());
            }
        }
    }

    /// Reads back what [`DestinationSet::write_to`] wrote.
    pub fn read_from(input: &mut impl std::io::Read) -> std::io::Result<Self> {
        let mut tag = [0];
        input.read_exact(&mut tag)?;
        if tag[0] == u8::MAX {
            let mut registers = Box::new([0; REGISTERS]);
            input.read_exact(registers.as_mut_slice())?;
            return Ok(DestinationSet::Estimated(registers));
        }
        let mut addresses = ExactSet::new();
        for _ in 0..tag[0] {
            let mut number = [0; 16];
            input.read_exact(&mut number[..size_of::<A>()])?;
            addresses.insert(A::from_number(u128::from_le_bytes(number)));
        }
        Ok(DestinationSet::Exact(addresses))
    }
}

const _: () = assert!(EXACT_DESTINATIONS_MAX + 1 < u8::MAX as usize);

fn registers_of<A: Address>(addresses: &ExactSet<A>) -> Box<[u8; REGISTERS]> {
    let mut registers = Box::new([0; REGISTERS]);
    for address in addresses.iter() {
        raise(&mut registers, address);
    }
    registers
}

fn raise<A: Address>(registers: &mut [u8; REGISTERS], address: A) {
    let hash = mix(address.number());
    let register = &mut registers[(hash >> (64 - REGISTER_BITS)) as usize];
    // The bit set at the end bounds the rank where all hash bits left are zero.
    let rank = ((hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1))).leading_zeros() as u8 + 1;
    *register = (*register).max(rank);
}

/// A fixed mixing of all bits (the finalizer of SplitMix64, Steele et al. 2014): the same on every machine, as estimates must be.
fn mix(number: u128) -> u64 {
    let mut bits = (number as u64) ^ ((number >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// HyperLogLog with the small-range correction of Flajolet et al. 2007.
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
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
    if raw <= 2.5 * count && zeros > 0.0 {
        (count * (count / zeros).ln()).round() as u64
    } else {
        raw.round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(addresses: impl IntoIterator<Item = u32>) -> DestinationSet<u32> {
        let mut set = DestinationSet::Exact(ExactSet::new());
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
    fn any_split_and_order_merges_to_the_same_count() {
        for count in [3u32, 127, 128, 129, 300, 5_000] {
            let whole = set_of(0..count).count();
            for parts in [2u32, 3, 7] {
                let mut merged = set_of((0..count).rev().filter(|address| address % parts == 0));
                for part in 1..parts {
                    merged.merge(&set_of(
                        (0..count).filter(|address| address % parts >= part),
                    ));
                }
                assert_eq!(merged.count(), whole, "{count} in {parts}");
            }
        }
    }

    #[test]
    fn a_set_survives_its_bytes() {
        for count in [2u32, 128, 1_000] {
            let set = set_of(0..count);
            let mut bytes = Vec::new();
            set.write_to(&mut bytes);
            let back = DestinationSet::<u32>::read_from(&mut bytes.as_slice()).expect("own bytes");
            assert_eq!(back.count(), set.count());
        }
    }
}
