//! [`TelescopeSize`]: the number of dark addresses of a telescope, per family.

/// Dark addresses of a telescope that are not excluded, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelescopeSize {
    /// IPv4 addresses, up to 2^32.
    pub ipv4: u64,
    /// IPv6 addresses; the whole space, 2^128, counts as one less.
    pub ipv6: u128,
}

impl TelescopeSize {
    /// One number for a telescope: its IPv4 addresses, or its IPv6 addresses where it has no others. A single IPv6 prefix would outweigh
    /// all IPv4 prefixes, and every figure per address uses this number. Beyond 2^63 - 1, the largest number of the tables' signed columns,
    /// it is that.
    #[must_use]
    pub fn addresses(self) -> i64 {
        let addresses = match self.ipv4 {
            0 => self.ipv6,
            ipv4 => u128::from(ipv4),
        };
        i64::try_from(addresses).unwrap_or(i64::MAX)
    }
}
