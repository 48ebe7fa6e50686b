//! Special-purpose space, by IANA's two registries (RFC 6890): addresses in it have no country and no autonomous system, whatever a
//! data file says of them. Applied when tables are built, so that a lookup costs nothing.

use std::sync::LazyLock;

use super::flatten::{Range, flatten};
use super::table::Step;
use teiten_observation::Address;

/// A block of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialBlock<A> {
    /// Its first address.
    pub first: A,
    /// Bits of its prefix.
    pub length: u8,
    /// Its name in the registry.
    pub name: &'static str,
    /// What assigned it.
    pub reference: &'static str,
    /// Whether the registry calls it globally reachable; such a block inside a wider one is a hole in that, as a narrower prefix is.
    pub globally_reachable: bool,
}

impl<A: Address> SpecialBlock<A> {
    /// Its last address.
    #[must_use]
    pub fn last(&self) -> A {
        let host_bits = A::BITS - u32::from(self.length);
        A::from_number(self.first.number() | ((1 << host_bits) - 1))
    }
}

const fn unreachable<A>(
    first: A,
    length: u8,
    name: &'static str,
    reference: &'static str,
) -> SpecialBlock<A> {
    SpecialBlock {
        first,
        length,
        name,
        reference,
        globally_reachable: false,
    }
}

const fn reachable<A>(
    first: A,
    length: u8,
    name: &'static str,
    reference: &'static str,
) -> SpecialBlock<A> {
    SpecialBlock {
        first,
        length,
        name,
        reference,
        globally_reachable: true,
    }
}

/// Where the rows come from.
pub const SOURCE: &str = "IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), as of 2026-07-18; multicast beside them";

/// The IPv4 registry. Blocks of which it does not say whether they are reachable (192.88.99.0/24, given up) are left to the data.
pub const SPECIAL_IPV4: &[SpecialBlock<u32>] = &[
    unreachable(0x0000_0000, 8, "This network", "RFC 791"),
    unreachable(0x0a00_0000, 8, "Private-Use", "RFC 1918"),
    unreachable(0x6440_0000, 10, "Shared Address Space", "RFC 6598"),
    unreachable(0x7f00_0000, 8, "Loopback", "RFC 1122"),
    unreachable(0xa9fe_0000, 16, "Link Local", "RFC 3927"),
    unreachable(0xac10_0000, 12, "Private-Use", "RFC 1918"),
    unreachable(0xc000_0000, 24, "IETF Protocol Assignments", "RFC 6890"),
    reachable(0xc000_0009, 32, "Port Control Protocol Anycast", "RFC 7723"),
    reachable(
        0xc000_000a,
        32,
        "Traversal Using Relays around NAT Anycast",
        "RFC 8155",
    ),
    unreachable(0xc000_0200, 24, "Documentation (TEST-NET-1)", "RFC 5737"),
    reachable(0xc01f_c400, 24, "AS112-v4", "RFC 7535"),
    reachable(0xc034_c100, 24, "AMT", "RFC 7450"),
    unreachable(0xc058_6302, 32, "6a44-relay anycast address", "RFC 6751"),
    unreachable(0xc0a8_0000, 16, "Private-Use", "RFC 1918"),
    reachable(
        0xc0af_3000,
        24,
        "Direct Delegation AS112 Service",
        "RFC 7534",
    ),
    unreachable(0xc612_0000, 15, "Benchmarking", "RFC 2544"),
    unreachable(0xc633_6400, 24, "Documentation (TEST-NET-2)", "RFC 5737"),
    unreachable(0xcb00_7100, 24, "Documentation (TEST-NET-3)", "RFC 5737"),
    unreachable(0xe000_0000, 4, "Multicast", "RFC 5771"),
    unreachable(0xf000_0000, 4, "Reserved", "RFC 1112"),
];

/// The IPv6 registry. Of Teredo and 6to4 it says that reachability does not apply: they are left to the data. ORCHID (2001:10::/28,
/// given up in 2014) has no row: what holds around it holds for it.
pub const SPECIAL_IPV6: &[SpecialBlock<u128>] = &[
    unreachable(0, 128, "Unspecified Address", "RFC 4291"),
    unreachable(1, 128, "Loopback Address", "RFC 4291"),
    unreachable(0xffff_0000_0000, 96, "IPv4-mapped Address", "RFC 4291"),
    reachable(0x0064_ff9b << 96, 96, "IPv4-IPv6 Translation", "RFC 6052"),
    unreachable(
        0x0064_ff9b_0001 << 80,
        48,
        "IPv4-IPv6 Translation",
        "RFC 8215",
    ),
    unreachable(0x0100 << 112, 64, "Discard-Only Address Block", "RFC 6666"),
    unreachable(
        0x0100_0000_0000_0001 << 64,
        64,
        "Dummy IPv6 Prefix",
        "RFC 9780",
    ),
    unreachable(0x2001 << 112, 23, "IETF Protocol Assignments", "RFC 2928"),
    reachable(
        0x2001 << 112,
        32,
        "Teredo (reachability does not apply)",
        "RFC 4380, RFC 8190",
    ),
    reachable(
        0x2001_0001 << 96 | 1,
        128,
        "Port Control Protocol Anycast",
        "RFC 7723",
    ),
    reachable(
        0x2001_0001 << 96 | 2,
        128,
        "Traversal Using Relays around NAT Anycast",
        "RFC 8155",
    ),
    reachable(
        0x2001_0001 << 96 | 3,
        128,
        "DNS-SD Service Registration Protocol Anycast",
        "RFC 9665",
    ),
    unreachable(0x2001_0002_0000 << 80, 48, "Benchmarking", "RFC 5180"),
    reachable(0x2001_0003 << 96, 32, "AMT", "RFC 7450"),
    reachable(0x2001_0004_0112 << 80, 48, "AS112-v6", "RFC 7535"),
    reachable(0x2001_0020 << 96, 28, "ORCHIDv2", "RFC 7343"),
    reachable(
        0x2001_0030 << 96,
        28,
        "Drone Remote ID Protocol Entity Tags",
        "RFC 9374",
    ),
    unreachable(0x2001_0db8 << 96, 32, "Documentation", "RFC 3849"),
    reachable(
        0x2620_004f_8000 << 80,
        48,
        "Direct Delegation AS112 Service",
        "RFC 7534",
    ),
    unreachable(0x3fff << 112, 20, "Documentation", "RFC 9637"),
    unreachable(0x5f00 << 112, 16, "Segment Routing (SRv6) SIDs", "RFC 9602"),
    unreachable(0xfc00 << 112, 7, "Unique-Local", "RFC 4193"),
    unreachable(0xfe80 << 112, 10, "Link-Local Unicast", "RFC 4291"),
    unreachable(0xff00 << 112, 8, "Multicast", "RFC 4291"),
];

/// Where special-purpose space begins (true) and ends (false), IPv4.
pub(crate) static MASK_V4: LazyLock<Vec<Step<u32, bool>>> = LazyLock::new(|| mask(SPECIAL_IPV4));
/// The same for IPv6.
pub(crate) static MASK_V6: LazyLock<Vec<Step<u128, bool>>> = LazyLock::new(|| mask(SPECIAL_IPV6));

fn mask<A: Address>(blocks: &[SpecialBlock<A>]) -> Vec<Step<A, bool>> {
    let ranges = blocks.iter().map(|block| Range {
        first: block.first,
        last: block.last(),
        value: !block.globally_reachable,
    });
    flatten(&[ranges.collect::<Vec<_>>()])
}

#[cfg(test)]
mod tests {
    use super::super::Origins;
    use super::*;

    /// Files that give every address a country and a network.
    fn everything() -> Origins {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("room for it");
            path
        };
        let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let geo = write("geo", &format!("0,4294967295,JP\n::,{last},JP\n"));
        let asn = write("asn", &format!("0,4294967295,64496\n::,{last},64496\n"));
        Origins::load(&[geo], &[asn]).expect("good files")
    }

    /// Whether the narrowest block that holds an address is not reachable.
    fn is_special<A: Address>(blocks: &[SpecialBlock<A>], address: A) -> bool {
        let holding = blocks
            .iter()
            .filter(|block| block.first <= address && address <= block.last());
        holding
            .max_by_key(|block| block.length)
            .is_some_and(|block| !block.globally_reachable)
    }

    fn check<A: Address>(origins: &Origins, blocks: &[SpecialBlock<A>]) {
        let mut cursor = origins.newest().cursor::<A>();
        for block in blocks {
            let outer = [
                block.first.number().wrapping_sub(1),
                block.last().number().wrapping_add(1),
            ];
            let edges = outer.map(A::from_number).into_iter();
            for address in edges.chain([block.first, block.last()]) {
                let (country, asn) = if is_special(blocks, address) {
                    ("ZZ", None)
                } else {
                    ("JP", Some(64_496))
                };
                assert_eq!(origins.country(address).as_str(), country, "{block:?}");
                assert_eq!(origins.asn(address), asn, "{block:?}");
                assert_eq!(cursor.country(address).as_str(), country, "{block:?}");
                assert_eq!(cursor.asn(address), asn, "{block:?}");
            }
        }
    }

    #[test]
    fn special_space_has_no_country_and_no_network_up_to_its_edges() {
        let origins = everything();
        check(&origins, SPECIAL_IPV4);
        check(&origins, SPECIAL_IPV6);
        for (address, country) in [
            ("9.255.255.255", "JP"),
            ("10.0.0.0", "ZZ"),
            ("100.127.255.255", "ZZ"),
            ("100.128.0.0", "JP"),
            ("192.0.0.8", "ZZ"),
            ("192.0.0.9", "JP"),
            ("192.0.0.11", "ZZ"),
            ("192.88.99.1", "JP"),
            ("198.18.0.0", "ZZ"),
            ("223.255.255.255", "JP"),
            ("255.255.255.255", "ZZ"),
        ] {
            let number = u32::from(address.parse::<std::net::Ipv4Addr>().expect("IPv4"));
            assert_eq!(origins.country(number).as_str(), country, "{address}");
        }
        for (address, country) in [
            ("2001::1", "JP"),
            ("2001:1::1", "JP"),
            ("2001:1::4", "ZZ"),
            ("2001:10::1", "ZZ"),
            ("2001:200::", "JP"),
            ("2001:db8::1", "ZZ"),
            ("2002::1", "JP"),
            ("64:ff9b::1", "JP"),
            ("fe80::1", "ZZ"),
        ] {
            let number = u128::from(address.parse::<std::net::Ipv6Addr>().expect("IPv6"));
            assert_eq!(origins.country(number).as_str(), country, "{address}");
        }
    }

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
}
