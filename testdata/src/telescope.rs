//! The dark prefixes that packets are sent to. Overlaps are merged, so each address is drawn alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::Error;
use crate::random::Random;

/// A prefix of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// First address and length of an IPv4 prefix.
    Ipv4(u32, u8),
    /// First address and length of an IPv6 prefix.
    Ipv6(u128, u8),
}

impl FromStr for Prefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Prefix(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = match length {
            Some(length) => length.parse().map_err(|_| wrong())?,
            None => bits_max,
        };
        if length > bits_max {
            return Err(wrong());
        }
        let prefix = match address {
            IpAddr::V4(address) => Prefix::Ipv4(address.into(), length),
            IpAddr::V6(address) => Prefix::Ipv6(address.into(), length),
        };
        if prefix.host_bits_are_zero() {
            Ok(prefix)
        } else {
            Err(wrong())
        }
    }
}

impl Prefix {
    fn host_bits_are_zero(self) -> bool {
        match self {
            Prefix::Ipv4(first, length) => first & host_mask4(length) == 0,
            Prefix::Ipv6(first, length) => first & host_mask6(length) == 0,
        }
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Prefix::Ipv4(first, length) => write!(formatter, "{}/{length}", Ipv4Addr::from(first)),
            Prefix::Ipv6(first, length) => write!(formatter, "{}/{length}", Ipv6Addr::from(first)),
        }
    }
}

fn host_mask4(length: u8) -> u32 {
    u32::MAX.checked_shr(u32::from(length)).unwrap_or(0)
}

fn host_mask6(length: u8) -> u128 {
    u128::MAX.checked_shr(u32::from(length)).unwrap_or(0)
}

/// The dark addresses.
#[derive(Clone, Debug)]
pub struct Telescope {
    prefixes: Vec<Prefix>,
    /// First address and number of addresses, ascending, apart.
    ranges: Vec<(u32, u64)>,
    ranges_ipv6: Vec<(u128, u8)>,
    addresses: u64,
}

impl FromIterator<Prefix> for Telescope {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let prefixes: Vec<Prefix> = prefixes.into_iter().collect();
        let mut ranges: Vec<(u32, u64)> = Vec::new();
        let mut ranges_ipv6 = Vec::new();
        for &prefix in &prefixes {
            match prefix {
                Prefix::Ipv4(first, length) => {
                    ranges.push((first, u64::from(host_mask4(length)) + 1));
                }
                Prefix::Ipv6(first, length) => ranges_ipv6.push((first, length)),
            }
        }
        let ranges = merged(ranges);
        Telescope {
            prefixes,
            addresses: ranges.iter().map(|range| range.1).sum(),
            ranges,
            ranges_ipv6,
        }
    }
}

/// Prefixes are nested or disjoint: sorted by first address with the larger prefix first, those within an earlier one are removed.
fn merged(mut ranges: Vec<(u32, u64)>) -> Vec<(u32, u64)> {
    ranges.sort_unstable_by_key(|&(first, length)| (first, std::cmp::Reverse(length)));
    let mut result: Vec<(u32, u64)> = Vec::new();
    for (first, length) in ranges {
        let held = result
            .last()
            .is_some_and(|&(start, size)| u64::from(first) < u64::from(start) + size);
        if !held {
            result.push((first, length));
        }
    }
    result
}

impl Telescope {
    /// The prefixes as they were given.
    #[must_use]
    pub fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    /// Number of IPv4 addresses.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        self.addresses
    }

    /// Whether there is an IPv6 prefix.
    #[must_use]
    pub fn has_ipv6(&self) -> bool {
        !self.ranges_ipv6.is_empty()
    }

    /// Whether an IPv4 address is dark.
    #[must_use]
    pub fn contains(&self, address: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= address);
        self.ranges[..after]
            .last()
            .is_some_and(|&(first, length)| u64::from(address - first) < length)
    }

    /// A dark IPv4 address.
    pub fn draw(&self, random: &mut Random) -> u32 {
        let mut position = random.below(self.addresses);
        for &(first, length) in &self.ranges {
            if position < length {
                return first + position as u32;
            }
            position -= length;
        }
        self.ranges[0].0
    }

    /// An IPv4 address near the telescope that is not dark.
    pub fn draw_outside(&self, random: &mut Random) -> u32 {
        let near = self.ranges[0].0 & 0xff00_0000;
        for attempt in 0..1000 {
            let address = near ^ (random.next_u32() >> if attempt < 100 { 8 } else { 0 });
            if !self.contains(address) {
                return address;
            }
        }
        !self.ranges[0].0
    }

    /// A dark IPv6 address: one of the first 65,536 of one of 65,536 networks, as scanners guess them.
    pub fn draw_ipv6(&self, random: &mut Random) -> u128 {
        let (first, length) =
            self.ranges_ipv6[random.below(self.ranges_ipv6.len() as u64) as usize];
        let guess = u128::from(random.next_u16()) << 64 | u128::from(random.next_u16());
        first | (guess & host_mask6(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telescope(texts: &[&str]) -> Telescope {
        texts
            .iter()
            .map(|text| text.parse::<Prefix>().expect("a prefix"))
            .collect()
    }

    #[test]
    fn overlapping_prefixes_count_once() {
        let telescope = telescope(&["198.18.0.0/16", "198.18.4.0/24", "198.19.0.0/24"]);
        assert_eq!(telescope.addresses(), 65_536 + 256);
        assert!(telescope.contains(0xc612_ffff) && !telescope.contains(0xc613_0100));
    }

    #[test]
    fn drawn_addresses_are_dark_and_those_outside_are_not() {
        let telescope = telescope(&["198.18.0.0/30", "10.0.0.0/31", "2001:db8::/120"]);
        let mut random = Random::new(1, 1);
        for _ in 0..1000 {
            assert!(telescope.contains(telescope.draw(&mut random)));
            assert!(!telescope.contains(telescope.draw_outside(&mut random)));
            assert_eq!(telescope.draw_ipv6(&mut random) >> 8, 0x2001_0db8 << 88);
        }
    }

    #[test]
    fn a_prefix_with_host_bits_is_refused() {
        for text in ["198.18.0.1/16", "198.18.0.0/33", "x", "2001:db8::1/64"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        assert_eq!("0.0.0.0/0".parse::<Prefix>().ok(), Some(Prefix::Ipv4(0, 0)));
    }
}
