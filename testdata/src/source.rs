//! One source of packets, as the senders see it. `population.rs` makes all of them.

use crate::random::hash;

/// An IPv4 source.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its address.
    pub address: u32,
    /// A seed that distinguishes it from others of its role.
    pub seed: u32,
    /// Routers between it and the telescope.
    pub hops: u8,
    /// Index of its country.
    pub country: u8,
}

const _: () = assert!(size_of::<Source>() == 12);

impl Source {
    /// Random bits that belong to the source, others for each `salt`.
    #[must_use]
    pub fn bits(&self, salt: u64) -> u64 {
        hash(u64::from(self.seed), salt)
    }

    /// Whether the source is one of the `one_in`-th part that has this property.
    #[must_use]
    pub fn chance(&self, salt: u64, one_in: u64) -> bool {
        self.bits(salt).is_multiple_of(one_in)
    }
}

/// An IPv6 source.
#[derive(Clone, Copy, Debug)]
pub struct Source6 {
    /// Its address.
    pub address: u128,
    /// A seed that distinguishes it from others.
    pub seed: u32,
    /// Routers between it and the telescope.
    pub hops: u8,
    /// Index of its country.
    pub country: u8,
}

impl Source6 {
    /// Random bits that belong to the source, others for each `salt`.
    #[must_use]
    pub fn bits(&self, salt: u64) -> u64 {
        hash(u64::from(self.seed), salt)
    }
}
