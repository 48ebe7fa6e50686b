//! When the source of a packet proves nothing: senders of floods write any address into it. Such sources are spread over a prefix by chance,
//! so how many packets of an address chance explains follows from how many addresses of its prefix are seen at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AlertKind;
use super::address::WatchedAddress;
use teiten_observation::Family;

/// Host bits of the prefix whose addresses are compared: a /24 of IPv4, a /120 of IPv6.
const BLOCK_BITS: u32 = 8;
/// Addresses of it.
const BLOCK_ADDRESSES: usize = 1 << BLOCK_BITS;
/// Addresses of a /16 of IPv4, which are compared as well: a thin flood touches few of each /24.
const WIDE_ADDRESSES: f64 = 65_536.0;
/// The chance below which packets of an address are its own. There are some thousand addresses and hours in a year to be wrong with.
const CHANCE_MAX: f64 = 1e-6;
/// Requests to reflectors for each dark address from which on somebody else sends them in the name of the address: a scan asks each once or
/// twice, an attack by reflection the same ones over and over (AmpPot, RAID 2015: 100 requests to one).
const REQUESTS_PER_ADDRESS_MIN: u64 = 10;
/// Such requests, at least.
const REQUESTS_MIN: u64 = 100;

/// Dark addresses that are asked, at least, and requests to each, at most, of a scan for reflectors. Otherwise it is open who asks.
const ASKED_MIN: u64 = 10;
const REQUESTS_OF_SCAN_MAX: u64 = 3;

/// Addresses that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct AddressBlock {
    /// Of whoever watches them.
    pub owner: u64,
    pub kind: AlertKind,
    pub ip_version: u8,
    /// Their common bits.
    pub prefix: u128,
}

impl AddressBlock {
    pub(super) fn of(owner: u64, kind: AlertKind, address: WatchedAddress) -> Self {
        AddressBlock {
            owner,
            kind,
            ip_version: address.ip_version,
            prefix: address.number >> BLOCK_BITS,
        }
    }
}

/// Packets by the last octet of their source.
pub(super) type BlockCounts = BTreeMap<u8, u64>;

/// Packets of an hour by block.
pub(super) type HourBlocks = BTreeMap<AddressBlock, BlockCounts>;

/// What chance would give an address, beside what came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Chance {
    /// Packets that came.
    pub packets: u64,
    /// Packets on average, if all sources of its prefix were forged.
    pub mean: f64,
    /// Most other addresses of its block that were active in an hour.
    pub others: usize,
}

impl Chance {
    /// Adds an hour, of which `blocks` are known.
    pub(super) fn add(
        &mut self,
        block: AddressBlock,
        address: WatchedAddress,
        blocks: &HourBlocks,
    ) {
        let Some(counts) = blocks.get(&block) else {
            return;
        };
        let packets = counts.get(&(address.number as u8)).copied().unwrap_or(0);
        let others = counts.len().saturating_sub(1);
        let mut mean = mean_of(others as f64, BLOCK_ADDRESSES as f64).max(2.0 * median(counts));
        if address.family() == Family::Ipv4 {
            let first = AddressBlock {
                prefix: block.prefix >> 8 << 8,
                ..block
            };
            let last = AddressBlock {
                prefix: block.prefix | 0xff,
                ..block
            };
            let active: usize = blocks
                .range(first..=last)
                .map(|(_, counts)| counts.len())
                .sum();
            mean = mean.max(mean_of(active.saturating_sub(1) as f64, WIDE_ADDRESSES));
        }
        self.packets = self.packets.saturating_add(packets);
        self.mean += mean;
        self.others = self.others.max(others);
    }

    /// Whether chance alone explains the packets.
    pub(super) fn explains(&self) -> bool {
        chance_of(self.packets, self.mean) >= CHANCE_MAX
    }
}

/// Packets of an address on average, if so many of the addresses were hit by chance: 1 - exp(-mean) are hit once at least.
fn mean_of(active: f64, addresses: f64) -> f64 {
    -(1.0 - active.min(addresses - 1.5) / addresses).ln()
}

/// The packets that half of all addresses of a block exceed.
fn median(counts: &BlockCounts) -> f64 {
    let mut packets: Vec<u64> = counts.values().copied().collect();
    packets.sort_unstable();
    let silent = BLOCK_ADDRESSES - packets.len().min(BLOCK_ADDRESSES);
    let middle = (BLOCK_ADDRESSES / 2).checked_sub(silent);
    middle.and_then(|at| packets.get(at)).copied().unwrap_or(0) as f64
}

/// An upper bound of the chance that a Poisson variable of this mean reaches `count` (Chernoff).
fn chance_of(count: u64, mean: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    let count = count as f64;
    if mean <= 0.0 {
        return 0.0;
    }
    if count <= mean {
        return 1.0;
    }
    (count - mean - count * (count / mean).ln()).exp()
}

/// Whether requests to reflectors are those of an attack on the address that they claim to come from.
pub(super) const fn are_reflected(requests: u64, destinations: u64) -> bool {
    requests >= REQUESTS_MIN && requests >= destinations.saturating_mul(REQUESTS_PER_ADDRESS_MIN)
}

/// Whether it is open who sends requests to reflectors: they are the beginning of a scan, or of an attack on the address.
pub(super) const fn are_open(requests: u64, destinations: u64) -> bool {
    requests > 0
        && (destinations < ASKED_MIN
            || requests > destinations.saturating_mul(REQUESTS_OF_SCAN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> WatchedAddress {
        WatchedAddress::of(Family::Ipv4, number.into())
    }

    fn is_explained(number: u32, blocks: &HourBlocks) -> bool {
        let mut chance = Chance::default();
        let block = AddressBlock::of(1, AlertKind::Scan, address(number));
        chance.add(block, address(number), blocks);
        chance.explains()
    }

    /// Hosts of a flood with `packets` forged sources in a prefix, and one that sends `own` packets itself.
    fn flood(packets: u32, host_bits: u32, own: (u32, u64)) -> HourBlocks {
        let mut blocks = HourBlocks::new();
        let mut add = |number: u32, packets: u64| {
            let block = AddressBlock::of(1, AlertKind::Scan, address(number));
            *blocks
                .entry(block)
                .or_default()
                .entry(number as u8)
                .or_default() += packets;
        };
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..packets {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            add(
                0x0b00_0000 | (state >> 20) as u32 & ((1 << host_bits) - 1),
                1,
            );
        }
        add(own.0, own.1);
        blocks
    }

    #[test]
    fn a_flood_over_a_prefix_of_any_density_names_nobody_and_a_real_sender_stands_out() {
        let own = 0x0b00_0107;
        for (packets, host_bits, own_packets) in [
            (300, 16, 20),
            (20_000, 16, 20),
            (200_000, 16, 60),
            (3_000_000, 16, 400),
            (40, 9, 20),
            (400, 9, 40),
            (400_000, 9, 9_000),
        ] {
            let blocks = flood(packets, host_bits, (own, own_packets));
            let mut named = Vec::new();
            for (block, counts) in &blocks {
                for (octet, count) in counts {
                    let number = (block.prefix as u32) << 8 | u32::from(*octet);
                    // Fewer than three are nobody's in any case.
                    if *count > 2 && !is_explained(number, &blocks) {
                        named.push(number);
                    }
                }
            }
            assert_eq!(named, [own], "{packets} packets over {host_bits} bits");
        }
    }

    #[test]
    fn a_lone_sender_is_no_chance_and_few_are_not_either() {
        let blocks = flood(0, 8, (0x0b00_0007, 1));
        assert!(!is_explained(0x0b00_0007, &blocks));
        // Three others of its /24: four packets are enough.
        let mut blocks = flood(0, 8, (0x0b00_0007, 4));
        let block = AddressBlock::of(1, AlertKind::Scan, address(0x0b00_0007));
        blocks
            .entry(block)
            .or_default()
            .extend([(1, 9), (2, 1), (3, 70)]);
        assert!(!is_explained(0x0b00_0007, &blocks));
        assert!(is_explained(0x0b00_0002, &blocks));
    }

    #[test]
    fn requests_over_and_over_to_few_are_an_attack_on_their_source() {
        assert!(are_reflected(100, 10) && are_reflected(5_000, 1));
        assert!(!are_reflected(99, 1) && !are_reflected(256, 256));
        assert!(are_open(4, 4) && are_open(99, 20) && !are_open(256, 256) && !are_open(0, 2));
    }
}
