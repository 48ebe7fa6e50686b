//! Sources that no host can have, by IANA's special-purpose registries (RFC 6890).
//!
//! An address of private use is possible where the destination is of private use too: a telescope inside an organisation's network sees its
//! neighbours under such addresses. Towards any other destination the source is forged, unless the packet has a mark of a scan tool that
//! needs no confirmation: then it was captured on the sender's side of an address translator ([`MARKED_PROBE`]).

use teiten_observation::{
    Address, Class, Family, SPECIAL_IPV4, SPECIAL_IPV6, SourceUse, TrafficType, special_ipv4,
    special_ipv6,
};

use super::{Presupposition, Rule, Types};

/// A source of special-purpose space, or equal to the destination.
pub const IMPOSSIBLE_SOURCE: Rule = Rule {
    name: "impossible-source",
    words: "the source is special-purpose space that cannot reach its destination, multicast, or the destination itself",
    class: Class::Spoofed,
    types: Types::ALL,
    presupposes: Presupposition::ImpossibleSource,
    test: None,
    reference: "RFC 6890 and the IANA special-purpose address registries as of 2026-07; RFC 5771, RFC 4291 2.7 (multicast)",
    dates: "",
};

/// A probe from an address of private use that bears a mark of more than 16 bits. Floods with forged sources have none, because their
/// senders never see an answer. A known payload decides before.
pub const MARKED_PROBE: Rule = Rule {
    name: "private-source-with-tool-mark",
    words: "the source is private, link-local or unique-local towards one that is not, and the packet bears a mark of a tool that stands alone",
    class: Class::Scan,
    types: Types::of(&[
        TrafficType::TcpSyn,
        TrafficType::Udp,
        TrafficType::IcmpEchoRequest,
        TrafficType::IcmpTimestampRequest,
        TrafficType::IcmpInformationRequest,
        TrafficType::IcmpMaskRequest,
        TrafficType::Sctp,
    ]),
    presupposes: Presupposition::MarkedPrivateSource,
    test: None,
    reference: "RFC 1918, RFC 6598, RFC 3927, RFC 4193; the marks mirai-sequence, zmap-id-shape and masscan-shape in TOOLS",
    dates: "",
};

/// What a packet's source can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SourceValidity {
    /// A host's address.
    Possible,
    /// Not the address of a host, or not of one that can reach the destination.
    Impossible,
    /// An address of private use towards one that is not: impossible, unless the packet was captured before address translation.
    Private,
}

/// For each leading octet, whether a special-purpose block has addresses that start with it: one look-up decides for most sources.
static IPV4_OCTETS: [bool; 256] = {
    let mut octets = [false; 256];
    let mut row = 0;
    while row < SPECIAL_IPV4.len() {
        let block = &SPECIAL_IPV4[row];
        if !block.is_globally_reachable() {
            octets = with_octets(octets, block.first >> 24, block.length);
        }
        row += 1;
    }
    octets
};
static IPV6_OCTETS: [bool; 256] = {
    let mut octets = [false; 256];
    let mut row = 0;
    while row < SPECIAL_IPV6.len() {
        let block = &SPECIAL_IPV6[row];
        if !block.is_globally_reachable() {
            octets = with_octets(octets, (block.first >> 120) as u32, block.length);
        }
        row += 1;
    }
    octets
};

const fn with_octets(mut octets: [bool; 256], first: u32, length: u8) -> [bool; 256] {
    let span = if length < 8 { 1 << (8 - length) } else { 1 };
    let mut octet = first as usize;
    while octet < first as usize + span {
        octets[octet] = true;
        octet += 1;
    }
    octets
}

/// Whether an IPv4 address is of special-purpose space or multicast.
#[inline(always)]
#[must_use]
pub fn is_special(address: u32) -> bool {
    IPV4_OCTETS[(address >> 24) as usize] && usage(address) != SourceUse::Global
}

/// Whether a host can have sent a packet from `source` to `destination`.
#[inline(always)]
#[must_use]
pub fn standing<A: Address>(source: A, destination: A) -> SourceValidity {
    let octet = (source.number() >> (A::BITS - 8)) as usize;
    let octets = match A::FAMILY {
        Family::Ipv4 => &IPV4_OCTETS,
        Family::Ipv6 => &IPV6_OCTETS,
    };
    if source == destination || octets[octet & 0xff] {
        listed_standing(source, destination)
    } else {
        SourceValidity::Possible
    }
}

#[inline(never)]
fn listed_standing<A: Address>(source: A, destination: A) -> SourceValidity {
    if source == destination {
        return SourceValidity::Impossible;
    }
    let is_inside = || {
        matches!(
            usage(destination),
            SourceUse::Local | SourceUse::Private | SourceUse::Group
        )
    };
    match usage(source) {
        SourceUse::Global => SourceValidity::Possible,
        SourceUse::Never | SourceUse::Group => SourceValidity::Impossible,
        SourceUse::Local | SourceUse::Private if is_inside() => SourceValidity::Possible,
        SourceUse::Local => SourceValidity::Impossible,
        SourceUse::Private => SourceValidity::Private,
    }
}

/// The usage of the narrowest block that holds an address; outside all blocks the address can be a host's.
fn usage<A: Address>(address: A) -> SourceUse {
    let usage = match A::FAMILY {
        Family::Ipv4 => special_ipv4(address.number() as u32).map(|block| block.source_use),
        Family::Ipv6 => special_ipv6(address.number()).map(|block| block.source_use),
    };
    usage.unwrap_or(SourceUse::Global)
}

#[cfg(test)]
mod tests {
    use teiten_observation::SpecialBlock;

    use super::*;

    fn ipv4(source: &str, destination: &str) -> bool {
        let number = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().unwrap());
        standing(number(source), number(destination)) != SourceValidity::Possible
    }

    fn ipv6(source: &str, destination: &str) -> bool {
        let number = |text: &str| u128::from(text.parse::<std::net::Ipv6Addr>().unwrap());
        standing(number(source), number(destination)) != SourceValidity::Possible
    }

    #[test]
    fn special_purpose_sources_cannot_exist() {
        for source in [
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.77",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(ipv4(source, "44.1.2.3"), "{source}");
            assert!(ipv4(source, "203.0.113.9"), "{source}");
        }
    }

    #[test]
    fn private_space_is_told_from_what_can_never_be() {
        let standing = |source: &str| {
            let source: std::net::Ipv4Addr = source.parse().unwrap();
            super::standing(u32::from(source), 0x2c01_0203)
        };
        for source in [
            "10.0.0.1",
            "100.64.0.1",
            "169.254.9.9",
            "172.31.0.1",
            "192.168.0.1",
        ] {
            assert_eq!(standing(source), SourceValidity::Private, "{source}");
        }
        for source in [
            "0.0.0.0",
            "127.0.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
        ] {
            assert_eq!(standing(source), SourceValidity::Impossible, "{source}");
        }
    }

    #[test]
    fn neighbours_of_special_space_exist() {
        for source in [
            "1.0.0.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.0.3.0",
            "192.167.1.1",
            "198.17.1.1",
            "198.20.0.0",
            "203.0.112.1",
            "223.255.255.255",
            "126.1.1.1",
            "128.0.0.1",
        ] {
            assert!(!ipv4(source, "203.0.113.9"), "{source}");
        }
    }

    #[test]
    fn blocks_that_are_not_reachable_are_no_source_towards_the_internet() {
        fn check<A: Address>(blocks: &[SpecialBlock<A>], destination: A) {
            for block in blocks {
                let is_possible = standing(block.last(), destination) == SourceValidity::Possible;
                assert_eq!(is_possible, block.is_globally_reachable(), "{block:?}");
            }
        }
        check(SPECIAL_IPV4, 0x2c01_0203);
        check(SPECIAL_IPV6, 0x2a00 << 112);
    }

    #[test]
    fn a_source_equal_to_the_destination_cannot_exist() {
        assert!(ipv4("44.1.2.3", "44.1.2.3"));
        assert!(ipv6("2a00::1", "2a00::1"));
    }

    #[test]
    fn private_neighbours_exist_for_each_other() {
        assert!(!ipv4("10.1.2.3", "10.200.0.1"));
        assert!(!ipv4("192.168.1.1", "172.16.9.9"));
        assert!(!ipv4("10.0.0.1", "239.255.255.250"));
        assert!(!ipv4("0.0.0.0", "255.255.255.255"));
        assert!(!ipv6("fe80::1", "ff02::1"));
        assert!(ipv4("192.0.2.1", "10.1.1.1"));
    }

    #[test]
    fn ipv6_special_sources_cannot_exist() {
        for source in [
            "::",
            "::1",
            "::ffff:1.2.3.4",
            "100::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:10::1",
            "64:ff9b:1::1",
        ] {
            assert!(ipv6(source, "2001:db8::9"), "{source}");
        }
        for source in [
            "2a00::1",
            "2001:0::1",
            "2001:20::1",
            "64:ff9b::102:304",
            "2002::1",
            "2400::1",
            "2001:db9::1",
        ] {
            assert!(!ipv6(source, "2001:db8::9"), "{source}");
        }
    }
}
