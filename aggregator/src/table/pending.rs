//! [`PendingPacket`]: a packet of an hour that waits to be counted, with the hash of its row.

use teiten_observation::{Address, Kind, Observation};

/// The seeds of a table's hash, so that sources cannot be chosen to collide.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64, u64);

impl Seed {
    /// A seed from the operating system's randomness.
    #[must_use]
    pub fn random() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Seed(
            RandomState::new().hash_one(1u8),
            RandomState::new().hash_one(2u8) | 1,
        )
    }

    #[inline(always)]
    fn hash<A: Address>(self, source: A, kind: Kind) -> u32 {
        let number = source.number();
        let low = (number as u64) << 32 ^ u64::from(kind.bits());
        let mut hash = folded_multiply(low ^ self.0, self.1);
        if A::BITS > 32 {
            hash = folded_multiply(hash ^ (number >> 32) as u64, self.1);
            hash = folded_multiply(hash ^ (number >> 96) as u64, self.1);
        }
        (folded_multiply(hash, self.0 | 1) >> 32) as u32
    }
}

#[inline(always)]
fn folded_multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// An observation, its time in 32 bits; the other half of the time's place is the hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingPacket<A> {
    pub(super) source: A,
    pub(super) destination: A,
    /// Of source and kind.
    pub(super) hash: u32,
    /// Microseconds after the hour's start.
    pub(super) time_us: u32,
    pub(super) kind: Kind,
    pub(super) wire_length_bytes: u32,
    pub(super) flags: u32,
    pub(super) pair: u32,
    pub(super) stack: u64,
}

const _: () = assert!(size_of::<PendingPacket<u32>>() == size_of::<Observation<u32>>());

impl<A: Address> PendingPacket<A> {
    #[inline(always)]
    pub(super) fn new(seed: Seed, hour_start_us: i64, observation: &Observation<A>) -> Self {
        PendingPacket {
            source: observation.source,
            destination: observation.destination,
            hash: seed.hash(observation.source, observation.kind),
            time_us: observation.time_us.wrapping_sub(hour_start_us) as u32,
            kind: observation.kind,
            wire_length_bytes: observation.wire_length_bytes,
            flags: observation.flags,
            pair: observation.pair,
            stack: observation.stack,
        }
    }
}
