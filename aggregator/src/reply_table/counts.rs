//! What a row counts: packets by ten seconds, bytes, first and last time, and the dark addresses that the replies came to.

use std::io::{self, Read};

use crate::destinations::{DestinationSet, EXACT_DESTINATIONS_MAX, REGISTERS, View};
use crate::minute::MINUTE_US;

/// Microseconds that packets of a minute are counted by: the step of the windows in which an attack's rate is looked for (corsaro,
/// `corsaro_dos.c`, after Moore et al. 2006).
pub const SLOT_US: i64 = 10_000_000;
/// Such steps in a minute.
pub const MINUTE_SLOTS: usize = (MINUTE_US / SLOT_US) as usize;

/// Destinations of a row: most have one, which needs no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RowDestinations {
    One([u128; 1]),
    More(Box<DestinationSet<u128>>),
}

/// The counts of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyCounts {
    /// First reply, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Last reply.
    pub last_us: i64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Packets of each ten seconds of the minute.
    pub slots: [u32; MINUTE_SLOTS],
    destinations: RowDestinations,
}

impl ReplyCounts {
    /// Of no packet.
    pub(super) fn none() -> Self {
        ReplyCounts {
            first_us: i64::MAX,
            last_us: i64::MIN,
            bytes: 0,
            slots: [0; MINUTE_SLOTS],
            destinations: RowDestinations::One([0]),
        }
    }

    /// Counts a packet, but for its destination.
    #[inline]
    pub(super) fn add_packet(&mut self, time_us: i64, wire_bytes: u32) {
        self.first_us = self.first_us.min(time_us);
        self.last_us = self.last_us.max(time_us);
        self.bytes = self.bytes.saturating_add(wire_bytes.into());
        let slot = &mut self.slots[(time_us.rem_euclid(MINUTE_US) / SLOT_US) as usize];
        *slot = slot.saturating_add(1);
    }

    /// Sets the destinations of all packets, which come in ascending order, some more than once.
    pub(super) fn set_destinations(&mut self, mut ascending: impl Iterator<Item = u128>) {
        let Some(first) = ascending.next() else {
            return;
        };
        let Some(other) = ascending.find(|next| *next != first) else {
            self.destinations = RowDestinations::One([first]);
            return;
        };
        let mut members = vec![first, other];
        for next in ascending {
            if members.last() != Some(&next) {
                members.push(next);
            }
        }
        members.shrink_to_fit();
        let set = DestinationSet::of_ascending(members);
        self.destinations = RowDestinations::More(Box::new(set));
    }

    /// Adds what was counted elsewhere of the same row.
    pub fn add(&mut self, other: &ReplyCounts) {
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (ours, theirs) in self.slots.iter_mut().zip(other.slots) {
            *ours = ours.saturating_add(theirs);
        }
        if self.destinations != other.destinations {
            let mut set = DestinationSet::from(self.view());
            set.merge(other.view());
            self.destinations = RowDestinations::More(Box::new(set));
        }
    }

    /// Packets.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.slots.iter().copied().map(u64::from).sum()
    }

    /// The dark addresses.
    #[must_use]
    pub fn view(&self) -> View<'_, u128> {
        match &self.destinations {
            RowDestinations::One(only) => View::Few(only),
            RowDestinations::More(set) => set.view(),
        }
    }

    /// Bytes that the destinations hold beside the row, roughly.
    pub(super) fn set_bytes(&self) -> usize {
        match &self.destinations {
            RowDestinations::One(_) => 0,
            RowDestinations::More(set) => match set.as_ref() {
                DestinationSet::Exact(members) => {
                    size_of::<DestinationSet<u128>>() + members.len() * size_of::<u128>()
                }
                DestinationSet::Estimated(_) => {
                    size_of::<DestinationSet<u128>>()
                        + REGISTERS.max(EXACT_DESTINATIONS_MAX * size_of::<u128>())
                }
            },
        }
    }

    /// Appends the counts to `bytes`.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.first_us.to_le_bytes());
        bytes.extend_from_slice(&self.last_us.to_le_bytes());
        bytes.extend_from_slice(&self.bytes.to_le_bytes());
        for slot in self.slots {
            bytes.extend_from_slice(&slot.to_le_bytes());
        }
        self.view().write_to(bytes);
    }

    /// Reads back what [`ReplyCounts::write_to`] wrote.
    ///
    /// # Errors
    /// When `input` ends, cannot be read, or names no destination.
    pub fn read_from(input: &mut impl Read) -> io::Result<Self> {
        let mut word = || {
            let mut bytes = [0; 8];
            input
                .read_exact(&mut bytes)
                .map(|()| u64::from_le_bytes(bytes))
        };
        let (first_us, last_us, bytes) = (word()? as i64, word()? as i64, word()?);
        let mut slots = [0; MINUTE_SLOTS];
        for slot in &mut slots {
            let mut bytes = [0; 4];
            input.read_exact(&mut bytes)?;
            *slot = u32::from_le_bytes(bytes);
        }
        let mut count = [0];
        input.read_exact(&mut count)?;
        let destinations = match count[0] {
            0 => return Err(io::Error::other("a reply came to no address")),
            // Nearly all rows of a flood have one.
            1 => {
                let mut only = [0; size_of::<u128>()];
                input.read_exact(&mut only)?;
                RowDestinations::One([u128::from_le_bytes(only)])
            }
            _ => {
                let mut set = count.chain(&mut *input);
                RowDestinations::More(Box::new(DestinationSet::read_from(&mut set)?))
            }
        };
        Ok(ReplyCounts {
            first_us,
            last_us,
            bytes,
            slots,
            destinations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(destinations: std::ops::Range<u128>) -> ReplyCounts {
        let mut counts = ReplyCounts::none();
        for destination in destinations.clone() {
            counts.add_packet(destination as i64 * 1_000, 60);
        }
        counts.set_destinations(destinations.flat_map(|one| [one, one]));
        counts
    }

    #[test]
    fn counts_add_up_in_any_order_and_survive_their_bytes() {
        for end in [4, 130, 3_000] {
            let whole = counts(1..end);
            let (mut left, right) = (counts(1..3), counts(3..end));
            left.add(&right);
            assert_eq!(left, whole);
            let (mut left, right) = (counts(3..end), counts(1..3));
            left.add(&right);
            assert_eq!(left, whole);
            let mut bytes = Vec::new();
            whole.write_to(&mut bytes);
            let back = ReplyCounts::read_from(&mut &bytes[..]).expect("own bytes");
            assert_eq!(back, whole);
            assert!(ReplyCounts::read_from(&mut &bytes[..bytes.len() - 1]).is_err());
        }
    }
}
