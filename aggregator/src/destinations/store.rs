//! The destination sets of one table's rows, in memory of few sizes: no allocation a set, nothing moves when there are more.
//!
//! A set never holds its row's first destination, which marks the free places instead; so any address can be a member. A set begins
//! as a list of eight, becomes a hash table that is at most half full, and in the end registers of an estimate. A block that a set has
//! outgrown serves the next one of its size.

use std::fmt;

use super::{EXACT_DESTINATIONS_MAX, REGISTERS, Registers, View, mix, raise, register_of};
use crate::pieces::Pieces;
use crate::prefetch::prefetch;
use teiten_observation::Address;

/// Places of a set by its size class: the first is a list, the others are tables.
const PLACES: [usize; 5] = [8, 32, 64, 128, 256];
/// Members by size class, the row's first destination left out.
const MEMBERS: [u32; 5] = [8, 16, 32, 64, EXACT_DESTINATIONS_MAX as u32 - 1];
const LIST: usize = 0;
const ESTIMATE: usize = PLACES.len();
const CLASS_SHIFT: u32 = 29;

/// Which set: size class and number within it. There is a value that is no set, so that a row can have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetNumber(u32);

impl SetNumber {
    /// No set.
    pub const NONE: SetNumber = SetNumber(0);

    const fn new(class: usize, index: usize) -> Self {
        SetNumber((class as u32 + 1) << CLASS_SHIFT | index as u32)
    }

    /// Whether this is no set.
    #[must_use]
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    const fn class(self) -> usize {
        (self.0 >> CLASS_SHIFT) as usize - 1
    }

    const fn index(self) -> usize {
        (self.0 & ((1 << CLASS_SHIFT) - 1)) as usize
    }
}

/// The sets of one table.
pub struct SetStore<A> {
    classes: [Class<A>; PLACES.len()],
    estimates: Pieces<Registers>,
}

/// Sets of one size.
struct Class<A> {
    places: Pieces<A>,
    free: Vec<u32>,
}

impl<A> Default for Class<A> {
    fn default() -> Self {
        Class {
            places: Pieces::default(),
            free: Vec::new(),
        }
    }
}

impl<A> Default for SetStore<A> {
    fn default() -> Self {
        SetStore {
            classes: std::array::from_fn(|_| Class::default()),
            estimates: Pieces::default(),
        }
    }
}

impl<A> fmt::Debug for SetStore<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.classes.each_ref().map(|class| class.places.len());
        let estimates = self.estimates.len();
        write!(formatter, "SetStore({places:?}, {estimates} estimates)")
    }
}

impl<A: Address> Class<A> {
    /// A set whose places are all free.
    fn take(&mut self, class: usize, first: A) -> usize {
        if let Some(index) = self.free.pop() {
            self.places_mut(class, index as usize).fill(first);
            return index as usize;
        }
        self.places.extend(PLACES[class], first) / PLACES[class]
    }

    #[inline(always)]
    fn places(&self, class: usize, index: usize) -> &[A] {
        self.places.slice(index * PLACES[class], PLACES[class])
    }

    #[inline(always)]
    fn places_mut(&mut self, class: usize, index: usize) -> &mut [A] {
        self.places.slice_mut(index * PLACES[class], PLACES[class])
    }
}

impl<A: Address> SetStore<A> {
    /// A set of these addresses, different from each other and from `first`.
    pub fn begin(&mut self, first: A, members: &[A]) -> SetNumber {
        let index = self.classes[LIST].take(LIST, first);
        self.classes[LIST].places_mut(LIST, index)[..members.len()].copy_from_slice(members);
        SetNumber::new(LIST, index)
    }

    /// Adds `address`, which is not `first`, to the set of `count` members; gives the set and its members from now on. (Of an estimate
    /// the members are not counted.)
    #[inline]
    pub fn insert(&mut self, set: SetNumber, first: A, count: u32, address: A) -> (SetNumber, u32) {
        let class = set.class();
        if class == ESTIMATE {
            raise(self.registers_mut(set.index()), address);
            return (set, count);
        }
        let places = self.classes[class].places_mut(class, set.index());
        let place = if class == LIST {
            // Free places hold the first address, which this one is not, so all are compared at once.
            let list = places.first_chunk::<{ PLACES[LIST] }>();
            let is_known = list.is_some_and(|list| {
                let is_it = |known, place: &A| known | (*place == address);
                list.iter().fold(false, is_it)
            });
            if is_known {
                return (set, count);
            }
            count as usize
        } else {
            match find(places, first, address) {
                Ok(_) => return (set, count),
                Err(place) => place,
            }
        };
        if count < MEMBERS[class] {
            places[place] = address;
            return (set, count + 1);
        }
        self.grow(set, first, count, address)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, set: SetNumber, first: A, count: u32, address: A) -> (SetNumber, u32) {
        let (class, index) = (set.class(), set.index());
        let larger = class + 1;
        let mut members = [first; PLACES[PLACES.len() - 1]];
        let mut length = 0;
        for &place in self.classes[class].places(class, index) {
            if place != first {
                members[length] = place;
                length += 1;
            }
        }
        self.classes[class].free.push(index as u32);
        let members = &members[..length];
        if larger == ESTIMATE {
            let index = self.estimates.extend(1, [0; REGISTERS]);
            let registers = self.registers_mut(index);
            raise(registers, first);
            members.iter().for_each(|&member| raise(registers, member));
            raise(registers, address);
            return (SetNumber::new(ESTIMATE, index), count + 1);
        }
        let index = self.classes[larger].take(larger, first);
        let places = self.classes[larger].places_mut(larger, index);
        for &member in members.iter().chain([&address]) {
            if let Err(place) = find(places, first, member) {
                places[place] = member;
            }
        }
        (SetNumber::new(larger, index), count + 1)
    }

    /// The set of `count` members, and `first` with it.
    #[must_use]
    pub fn view(&self, set: SetNumber, first: A, count: u32) -> View<'_, A> {
        let (class, index) = (set.class(), set.index());
        if class == ESTIMATE {
            return View::Estimated(self.estimates.at(index));
        }
        View::Table {
            first,
            count,
            places: self.classes[class].places(class, index),
        }
    }

    /// Asks for the memory that adding this address will touch. Only a hint: the set need not exist.
    #[inline(always)]
    pub fn prefetch(&self, set: SetNumber, address: A) {
        if set.is_none() {
            return;
        }
        let (class, index) = (set.class(), set.index());
        if class >= ESTIMATE {
            if let Some(registers) = self.estimates.get(index) {
                prefetch(registers, register_of(address));
            }
            return;
        }
        let place = mix(address.number()) as usize & (PLACES[class] - 1);
        self.classes[class]
            .places
            .prefetch(index * PLACES[class] + place);
    }

    /// Memory held, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let class = |class: &Class<A>| {
            class.places.memory_bytes() + class.free.capacity() * size_of::<u32>()
        };
        self.classes.iter().map(class).sum::<usize>() + self.estimates.memory_bytes()
    }

    #[inline(always)]
    fn registers_mut(&mut self, index: usize) -> &mut Registers {
        self.estimates.at_mut(index)
    }
}

/// The place of an address in a table, or the free place where it belongs.
#[inline(always)]
fn find<A: Address>(places: &[A], first: A, address: A) -> Result<usize, usize> {
    let mask = places.len() - 1;
    let mut place = mix(address.number()) as usize & mask;
    loop {
        if places[place] == address {
            return Ok(place);
        }
        if places[place] == first {
            return Err(place);
        }
        place = (place + 1) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_counts_exactly_through_all_its_sizes_and_then_estimates() {
        let mut store = SetStore::<u32>::default();
        let mut set = (store.begin(9, &[0, 1, 2]), 3);
        for address in (0..=127u32).filter(|&address| address != 9) {
            set = store.insert(set.0, 9, set.1, address);
            let expected = address.max(2) + 1 + u32::from(address < 9);
            assert_eq!(
                store.view(set.0, 9, set.1).count(),
                u64::from(expected),
                "{address}"
            );
        }
        set = store.insert(set.0, 9, set.1, 128);
        assert!(matches!(store.view(set.0, 9, set.1), View::Estimated(_)));
    }

    #[test]
    fn what_a_set_has_outgrown_serves_another() {
        let mut store = SetStore::<u32>::default();
        for base in 0..2_000u32 {
            let first = base * 1_000;
            let mut set = (store.begin(first, &[first + 1]), 1);
            for address in first + 2..first + 60 {
                set = store.insert(set.0, first, set.1, address);
            }
            assert_eq!(store.view(set.0, first, set.1).count(), 60);
        }
        assert_eq!(store.classes[LIST].places.len(), PLACES[LIST]);
        assert_eq!(store.classes[1].places.len(), PLACES[1]);
    }
}
