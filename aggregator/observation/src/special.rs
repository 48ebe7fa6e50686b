//! Special-purpose space, by IANA's two registries (RFC 6890), once for its two uses: whether a host can send from an address, and
//! whether an address has a country and an autonomous system.

use SourceUse::{Global, Group, Local, Never, Private};

use crate::address::Address;

/// The possible source addresses inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceUse {
    /// A host's address in the network at large: a globally reachable block, or a hole in a wider block that is not.
    Global,
    /// A host's address inside one network.
    Local,
    /// The same; the addresses are translated on the way out, so a packet may be captured before its translation.
    Private,
    /// A group of hosts: a possible destination inside one network, never a source.
    Group,
    /// Nobody's: never a source.
    Never,
}

/// A block of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialBlock<A> {
    /// Its first address.
    pub first: A,
    /// Bits of its prefix.
    pub length: u8,
    /// The possible source addresses inside.
    pub source_use: SourceUse,
    /// Its name in the registry.
    pub name: &'static str,
    /// What assigned it.
    pub reference: &'static str,
}

impl<A: Address> SpecialBlock<A> {
    /// Its last address.
    #[must_use]
    pub fn last(&self) -> A {
        let host_bits = A::BITS - u32::from(self.length);
        A::from_number(self.first.number() | ((1 << host_bits) - 1))
    }

    /// Whether it holds an address.
    #[must_use]
    pub fn contains(&self, address: A) -> bool {
        let host_bits = A::BITS - u32::from(self.length);
        (address.number() ^ self.first.number()) >> host_bits == 0
    }
}

impl<A> SpecialBlock<A> {
    /// Whether the registry calls it globally reachable; a reachable block inside a wider one is a hole in that.
    #[must_use]
    pub const fn is_globally_reachable(&self) -> bool {
        matches!(self.source_use, SourceUse::Global)
    }
}

const fn block<A: Copy>(
    first: A,
    length: u8,
    source_use: SourceUse,
    name: &'static str,
    reference: &'static str,
) -> SpecialBlock<A> {
    SpecialBlock {
        first,
        length,
        source_use,
        name,
        reference,
    }
}

/// Where the rows come from.
pub const SPECIAL_SOURCE: &str = "IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), as of 2026-07-18; multicast, limited broadcast and site-local space beside them";

/// The IPv4 registry, by first address and length, so that the last block that holds an address is the narrowest. Blocks of which it does not say whether they are reachable (192.88.99.0/24, given up) are left to the data.
pub const SPECIAL_IPV4: &[SpecialBlock<u32>] = &[
    block(0x0000_0000, 8, Never, "This network", "RFC 791"),
    block(
        0x0000_0000,
        32,
        Local,
        "This host on this network",
        "RFC 1122",
    ),
    block(0x0a00_0000, 8, Private, "Private-Use", "RFC 1918"),
    block(0x6440_0000, 10, Private, "Shared Address Space", "RFC 6598"),
    block(0x7f00_0000, 8, Never, "Loopback", "RFC 1122"),
    block(0xa9fe_0000, 16, Private, "Link Local", "RFC 3927"),
    block(0xac10_0000, 12, Private, "Private-Use", "RFC 1918"),
    block(
        0xc000_0000,
        24,
        Never,
        "IETF Protocol Assignments",
        "RFC 6890",
    ),
    block(
        0xc000_0009,
        32,
        Global,
        "Port Control Protocol Anycast",
        "RFC 7723",
    ),
    block(
        0xc000_000a,
        32,
        Global,
        "Traversal Using Relays around NAT Anycast",
        "RFC 8155",
    ),
    block(
        0xc000_0200,
        24,
        Never,
        "Documentation (TEST-NET-1)",
        "RFC 5737",
    ),
    block(0xc01f_c400, 24, Global, "AS112-v4", "RFC 7535"),
    block(0xc034_c100, 24, Global, "AMT", "RFC 7450"),
    block(
        0xc058_6302,
        32,
        Local,
        "6a44-relay anycast address",
        "RFC 6751",
    ),
    block(0xc0a8_0000, 16, Private, "Private-Use", "RFC 1918"),
    block(
        0xc0af_3000,
        24,
        Global,
        "Direct Delegation AS112 Service",
        "RFC 7534",
    ),
    block(0xc612_0000, 15, Never, "Benchmarking", "RFC 2544"),
    block(
        0xc633_6400,
        24,
        Never,
        "Documentation (TEST-NET-2)",
        "RFC 5737",
    ),
    block(
        0xcb00_7100,
        24,
        Never,
        "Documentation (TEST-NET-3)",
        "RFC 5737",
    ),
    block(0xe000_0000, 4, Group, "Multicast", "RFC 5771"),
    block(0xf000_0000, 4, Never, "Reserved", "RFC 1112"),
    block(0xffff_ffff, 32, Group, "Limited Broadcast", "RFC 8190"),
];

/// The IPv6 registry, in the same order. Teredo and 6to4, for which reachability does not apply, keep the origin of the data. ORCHID
/// (2001:10::/28, given up in 2014) has no row, so it counts like the addresses around it.
pub const SPECIAL_IPV6: &[SpecialBlock<u128>] = &[
    block(0, 128, Local, "Unspecified Address", "RFC 4291"),
    block(1, 128, Never, "Loopback Address", "RFC 4291"),
    block(
        0xffff_0000_0000,
        96,
        Never,
        "IPv4-mapped Address",
        "RFC 4291",
    ),
    block(
        0x0064_ff9b << 96,
        96,
        Global,
        "IPv4-IPv6 Translation",
        "RFC 6052",
    ),
    block(
        0x0064_ff9b_0001 << 80,
        48,
        Never,
        "IPv4-IPv6 Translation",
        "RFC 8215",
    ),
    block(
        0x0100 << 112,
        64,
        Never,
        "Discard-Only Address Block",
        "RFC 6666",
    ),
    block(
        0x0100_0000_0000_0001 << 64,
        64,
        Never,
        "Dummy IPv6 Prefix",
        "RFC 9780",
    ),
    block(
        0x2001 << 112,
        23,
        Never,
        "IETF Protocol Assignments",
        "RFC 2928",
    ),
    block(
        0x2001 << 112,
        32,
        Global,
        "Teredo (reachability does not apply)",
        "RFC 4380, RFC 8190",
    ),
    block(
        0x2001_0001 << 96 | 1,
        128,
        Global,
        "Port Control Protocol Anycast",
        "RFC 7723",
    ),
    block(
        0x2001_0001 << 96 | 2,
        128,
        Global,
        "Traversal Using Relays around NAT Anycast",
        "RFC 8155",
    ),
    block(
        0x2001_0001 << 96 | 3,
        128,
        Global,
        "DNS-SD Service Registration Protocol Anycast",
        "RFC 9665",
    ),
    block(
        0x2001_0002_0000 << 80,
        48,
        Never,
        "Benchmarking",
        "RFC 5180",
    ),
    block(0x2001_0003 << 96, 32, Global, "AMT", "RFC 7450"),
    block(0x2001_0004_0112 << 80, 48, Global, "AS112-v6", "RFC 7535"),
    block(0x2001_0020 << 96, 28, Global, "ORCHIDv2", "RFC 7343"),
    block(
        0x2001_0030 << 96,
        28,
        Global,
        "Drone Remote ID Protocol Entity Tags",
        "RFC 9374",
    ),
    block(0x2001_0db8 << 96, 32, Never, "Documentation", "RFC 3849"),
    block(
        0x2620_004f_8000 << 80,
        48,
        Global,
        "Direct Delegation AS112 Service",
        "RFC 7534",
    ),
    block(0x3fff << 112, 20, Never, "Documentation", "RFC 9637"),
    block(
        0x5f00 << 112,
        16,
        Never,
        "Segment Routing (SRv6) SIDs",
        "RFC 9602",
    ),
    block(0xfc00 << 112, 7, Private, "Unique-Local", "RFC 4193"),
    block(0xfe80 << 112, 10, Private, "Link-Local Unicast", "RFC 4291"),
    block(
        0xfec0 << 112,
        10,
        Local,
        "Site-Local Unicast (given up)",
        "RFC 3879",
    ),
    block(0xff00 << 112, 8, Group, "Multicast", "RFC 4291"),
];

/// The narrowest block that holds an IPv4 address.
#[must_use]
pub fn special_ipv4(address: u32) -> Option<&'static SpecialBlock<u32>> {
    SPECIAL_IPV4.iter().rfind(|block| block.contains(address))
}

/// The narrowest block that holds an IPv6 address.
#[must_use]
pub fn special_ipv6(address: u128) -> Option<&'static SpecialBlock<u128>> {
    SPECIAL_IPV6.iter().rfind(|block| block.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_begin_where_their_prefix_says_and_have_a_name_and_a_source() {
        fn rows<A: Address>(blocks: &[SpecialBlock<A>]) {
            for block in blocks {
                let host_bits = A::BITS - u32::from(block.length);
                assert_eq!(
                    block.first.number() >> host_bits << host_bits,
                    block.first.number()
                );
                assert!(!block.name.is_empty() && block.reference.starts_with("RFC "));
            }
            assert!(blocks.is_sorted_by_key(|block| (block.first, block.length)));
        }
        rows(SPECIAL_IPV4);
        rows(SPECIAL_IPV6);
    }

    #[test]
    fn the_narrowest_block_that_holds_an_address_is_found() {
        let name = |text: &str| {
            let address: std::net::Ipv4Addr = text.parse().unwrap();
            special_ipv4(u32::from(address)).map(|block| block.name)
        };
        assert_eq!(name("0.0.0.0"), Some("This host on this network"));
        assert_eq!(name("0.0.0.1"), Some("This network"));
        assert_eq!(name("192.0.0.9"), Some("Port Control Protocol Anycast"));
        assert_eq!(name("192.0.0.11"), Some("IETF Protocol Assignments"));
        assert_eq!(name("255.255.255.255"), Some("Limited Broadcast"));
        assert_eq!(name("192.0.1.0"), None);
        let teredo = special_ipv6(0x2001 << 112 | 1).unwrap();
        assert!(teredo.is_globally_reachable());
        assert_eq!(special_ipv6(1).unwrap().name, "Loopback Address");
        assert!(special_ipv6(0x2400 << 112).is_none());
    }
}
