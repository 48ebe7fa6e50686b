//! Counts the destinations of a capture regardless of the telescope: the hint for a replay that observed nothing.

use std::collections::HashMap;
use std::path::PathBuf;

use teiten_observation::Address;
use teiten_packet::decode::{Decoded, Packet, decode_record};
use teiten_packet::telescope::Prefix;

use crate::source::block::Block;
use crate::source::{ReadingMode, Replay, SourceError};

/// Prefix lengths of the counts: the smallest that one site announces.
const IPV4_LENGTH: u8 = 24;
const IPV6_LENGTH: u8 = 48;
/// Most prefixes counted of each family; packets to further ones only count in the sum.
const PREFIXES_MAX: usize = 1 << 20;
/// Shortest suggested prefixes: those of the largest telescopes.
const SUGGESTED_IPV4_LENGTH_MIN: u8 = 8;
const SUGGESTED_IPV6_LENGTH_MIN: u8 = 16;
/// Share of a family's packets that a suggested prefix must hold, percent.
const SUGGESTED_SHARE: u64 = 90;
/// Share of all packets below which a family is not worth a suggestion, percent.
const FAMILY_SHARE: u64 = 5;

/// Packets by the prefix of their destination.
#[derive(Debug, Default)]
pub struct Destinations {
    ipv4: FamilyBlocks,
    ipv6: FamilyBlocks,
}

/// Packets of one family by the upper bits of the address, aligned to the top of 128 bits.
#[derive(Debug, Default)]
struct FamilyBlocks {
    packets: u64,
    prefixes: HashMap<u128, u64>,
}

impl Destinations {
    /// Reads `paths` once; `None` if a stream among them was already read.
    ///
    /// # Errors
    /// Those of a replay.
    pub fn read(paths: &[PathBuf], reading: ReadingMode) -> Result<Option<Self>, SourceError> {
        if paths.iter().any(|path| path.as_os_str() == "-") {
            return Ok(None);
        }
        let mut source = Replay::open_by(paths, reading)?;
        let mut destinations = Destinations::default();
        let mut block = Block::empty();
        while let Some(next) = source.next_block(block) {
            destinations.add(&next);
            block = next;
        }
        Ok(Some(destinations))
    }

    fn add(&mut self, block: &Block) {
        let bytes = block.bytes();
        for record in &block.records {
            let captured = &bytes[record.offset as usize..][..record.captured_bytes as usize];
            match decode_record(record.link_type, captured, record.wire_bytes) {
                Decoded::Ipv4(packet) => self.ipv4.add(&packet, IPV4_LENGTH),
                Decoded::Ipv6(packet) => self.ipv6.add(&packet, IPV6_LENGTH),
                _ => {}
            }
        }
    }

    /// The prefixes that most packets went to, with the packets.
    #[must_use]
    pub fn leading(&self, count: usize) -> Vec<(Prefix, u64)> {
        let ipv4 = self.ipv4.prefixes.iter();
        let ipv4 = ipv4.map(|(&bits, &packets)| (ipv4_prefix(bits, IPV4_LENGTH), packets));
        let ipv6 = self.ipv6.prefixes.iter();
        let ipv6 = ipv6.map(|(&bits, &packets)| (Prefix::Ipv6(bits, IPV6_LENGTH), packets));
        let mut all: Vec<(Prefix, u64)> = ipv4.chain(ipv6).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(count);
        all
    }

    /// A suggested telescope: for each family with enough packets the longest prefix that holds nearly all of them, or else the prefix with
    /// the most.
    #[must_use]
    pub fn suggestion(&self) -> Vec<Prefix> {
        let all = self.ipv4.packets + self.ipv6.packets;
        let worth = |family: &FamilyBlocks| family.packets * 100 > all * FAMILY_SHARE;
        let mut prefixes = Vec::new();
        if worth(&self.ipv4) {
            let found = self.ipv4.common(IPV4_LENGTH, SUGGESTED_IPV4_LENGTH_MIN);
            prefixes.extend(found.map(|(bits, length)| ipv4_prefix(bits, length)));
        }
        if worth(&self.ipv6) {
            let found = self.ipv6.common(IPV6_LENGTH, SUGGESTED_IPV6_LENGTH_MIN);
            prefixes.extend(found.map(|(bits, length)| Prefix::Ipv6(bits, length)));
        }
        prefixes
    }
}

impl FamilyBlocks {
    fn add<A: Address>(&mut self, packet: &Packet<'_, A>, length: u8) {
        self.packets += 1;
        let bits = upper(packet.destination.number() << (128 - A::BITS), length);
        if let Some(packets) = self.prefixes.get_mut(&bits) {
            *packets += 1;
        } else if self.prefixes.len() < PREFIXES_MAX {
            self.prefixes.insert(bits, 1);
        }
    }

    /// The longest prefix, of `length` bits or less, that holds nearly all packets; if none of `length_min` bits does, the one of `length`
    /// bits with the most.
    fn common(&self, length: u8, length_min: u8) -> Option<(u128, u8)> {
        let most = |counts: &HashMap<u128, u64>| {
            let first = counts
                .iter()
                .max_by_key(|&(&bits, &packets)| (packets, !bits))?;
            Some((*first.0, *first.1))
        };
        let longest = most(&self.prefixes)?.0;
        for shorter in (length_min..=length).rev() {
            let mut counts = HashMap::new();
            for (&bits, packets) in &self.prefixes {
                *counts.entry(upper(bits, shorter)).or_default() += packets;
            }
            let (bits, packets) = most(&counts)?;
            if packets * 100 >= self.packets * SUGGESTED_SHARE {
                return Some((bits, shorter));
            }
        }
        Some((longest, length))
    }
}

fn upper(bits: u128, length: u8) -> u128 {
    bits & !(u128::MAX >> length)
}

fn ipv4_prefix(bits: u128, length: u8) -> Prefix {
    Prefix::Ipv4((bits >> 96) as u32, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(addresses: &[(&str, u64)], length: u8) -> FamilyBlocks {
        let mut family = FamilyBlocks::default();
        for (address, packets) in addresses {
            let bits = match address.parse().expect("an address") {
                std::net::IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
                std::net::IpAddr::V6(address) => u128::from(address),
            };
            *family.prefixes.entry(upper(bits, length)).or_default() += packets;
            family.packets += packets;
        }
        family
    }

    fn suggestion(ipv4: &[(&str, u64)], ipv6: &[(&str, u64)]) -> Vec<String> {
        let destinations = Destinations {
            ipv4: family(ipv4, IPV4_LENGTH),
            ipv6: family(ipv6, IPV6_LENGTH),
        };
        let found = destinations.suggestion();
        found.iter().map(Prefix::to_string).collect()
    }

    #[test]
    fn the_longest_prefix_that_holds_nearly_all_is_suggested() {
        let check = |ipv4: &[(&str, u64)], expected: &[&str]| {
            assert_eq!(suggestion(ipv4, &[]), expected);
        };
        check(&[("198.18.0.9", 50)], &["198.18.0.0/24"]);
        check(
            &[("198.18.0.9", 50), ("198.18.1.9", 50)],
            &["198.18.0.0/23"],
        );
        check(&[("10.0.0.1", 95), ("172.16.0.1", 5)], &["10.0.0.0/24"]);
        check(&[("10.0.0.1", 60), ("172.16.0.1", 40)], &["10.0.0.0/24"]);
        check(&[], &[]);
    }

    #[test]
    fn a_family_with_few_packets_is_not_suggested() {
        let few = [("2001:db8::1", 2)];
        assert_eq!(suggestion(&[("198.18.0.9", 98)], &few), ["198.18.0.0/24"]);
        let many = [("2001:db8::1", 50)];
        assert_eq!(
            suggestion(&[("198.18.0.9", 50)], &many),
            ["198.18.0.0/24", "2001:db8::/48"]
        );
    }
}
