//! The dark prefixes: parses them, and says whether a packet is observed, outside or excluded.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use teiten_observation::{Address, Family, TelescopeSize};

/// An IPv4 or IPv6 prefix whose host bits are clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// First address and length, 0 to 32.
    Ipv4(u32, u8),
    /// First address and length, 0 to 128.
    Ipv6(u128, u8),
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Not an address, or not a number behind the slash.
    #[error(
        "{0:?} is not a prefix: write an address and a length, like 192.0.2.0/24 or 2001:db8::/32"
    )]
    Form(String),
    /// The length is beyond the address's width.
    #[error("{0:?} is not a prefix: the length must be 0 to {1}")]
    Length(String, u32),
    /// Bits behind the length are set.
    #[error("{0:?} has host bits set: did you mean {1} (the prefix) or {2} (the one address)?")]
    HostBits(String, Prefix, Prefix),
}

impl Prefix {
    fn checked<A: Address>(
        text: &str,
        address: A,
        length: Option<u8>,
    ) -> Result<(A, u8), PrefixError> {
        let length_max = A::BITS as u8;
        let length = length.unwrap_or(length_max);
        if length > length_max {
            return Err(PrefixError::Length(text.to_owned(), A::BITS));
        }
        let first = address.number() & !host_mask::<A>(length);
        if first != address.number() {
            return Err(PrefixError::HostBits(
                text.to_owned(),
                Prefix::of(A::from_number(first), length),
                Prefix::of(address, length_max),
            ));
        }
        Ok((address, length))
    }

    fn of<A: Address>(first: A, length: u8) -> Self {
        match A::FAMILY {
            Family::Ipv4 => Prefix::Ipv4(first.number() as u32, length),
            Family::Ipv6 => Prefix::Ipv6(first.number(), length),
        }
    }
}

fn host_mask<A: Address>(length: u8) -> u128 {
    match A::BITS - u32::from(length) {
        128 => u128::MAX,
        bits => (1 << bits) - 1,
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let form = || PrefixError::Form(text.to_owned());
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| form())?)),
            None => (text.trim(), None),
        };
        match address.parse::<IpAddr>().map_err(|_| form())? {
            IpAddr::V4(address) => Prefix::checked(text, u32::from(address), length)
                .map(|(first, length)| Prefix::Ipv4(first, length)),
            IpAddr::V6(address) => Prefix::checked(text, u128::from(address), length)
                .map(|(first, length)| Prefix::Ipv6(first, length)),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Prefix::Ipv4(first, length) => {
                write!(formatter, "{}/{length}", std::net::Ipv4Addr::from(first))
            }
            Prefix::Ipv6(first, length) => {
                write!(formatter, "{}/{length}", std::net::Ipv6Addr::from(first))
            }
        }
    }
}

/// The place of a packet relative to the telescope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Sent to a dark address: counted.
    Observed,
    /// Sent to an address outside the telescope.
    Outside,
    /// Sent to a dark address, but to or from an excluded prefix.
    Excluded,
}

/// The dark prefixes and the excluded ones.
#[derive(Clone, Debug)]
pub struct Telescope {
    dark_ipv4: Set<u32>,
    dark_ipv6: Set<u128>,
    excluded_ipv4: Set<u32>,
    excluded_ipv6: Set<u128>,
    everything: bool,
    size: Option<TelescopeSize>,
}

impl Telescope {
    /// A telescope of the `dark` prefixes (if there are none, every destination is dark) without packets to or from `excluded` ones.
    #[must_use]
    pub fn new(dark: &[Prefix], excluded: &[Prefix]) -> Self {
        let mut telescope = Telescope {
            dark_ipv4: Set::new(dark),
            dark_ipv6: Set::new(dark),
            excluded_ipv4: Set::new(excluded),
            excluded_ipv6: Set::new(excluded),
            everything: dark.is_empty(),
            size: None,
        };
        if !telescope.everything {
            telescope.size = Some(TelescopeSize {
                ipv4: telescope.dark_ipv4.size_without(&telescope.excluded_ipv4) as u64,
                ipv6: telescope.dark_ipv6.size_without(&telescope.excluded_ipv6),
            });
        }
        telescope
    }

    /// The place of a packet. A packet that is outside is never called excluded.
    #[inline(always)]
    #[must_use]
    pub fn place<A: Address>(&self, source: A, destination: A) -> Place {
        match A::FAMILY {
            Family::Ipv4 => self.place_in(
                &self.dark_ipv4,
                &self.excluded_ipv4,
                source.number() as u32,
                destination.number() as u32,
            ),
            Family::Ipv6 => self.place_in(
                &self.dark_ipv6,
                &self.excluded_ipv6,
                source.number(),
                destination.number(),
            ),
        }
    }

    #[inline(always)]
    fn place_in<A: Address>(
        &self,
        dark: &Set<A>,
        excluded: &Set<A>,
        source: A,
        destination: A,
    ) -> Place {
        if !self.everything && !dark.contains(destination) {
            Place::Outside
        } else if excluded.contains(destination) || excluded.contains(source) {
            Place::Excluded
        } else {
            Place::Observed
        }
    }

    /// The telescope's size: dark addresses that are not excluded, each counted once; `None` if no prefix was given.
    #[must_use]
    pub fn size(&self) -> Option<TelescopeSize> {
        self.size
    }

    /// The size as one number, see [`TelescopeSize::addresses`].
    #[must_use]
    pub fn addresses(&self) -> Option<u64> {
        self.size.map(|size| size.addresses().unsigned_abs())
    }
}

/// Addresses as sorted, disjoint, inclusive ranges, with an index on the leading 16 bits once there is more than one range.
#[derive(Clone, Debug)]
struct Set<A> {
    ranges: Vec<(A, A)>,
    /// The only range, or first and last address of all.
    hull: Option<(A, A)>,
    /// For each value of the leading 16 bits, and one more, the first range that ends at or after its start. Empty if there is a single
    /// range.
    index: Vec<u32>,
}

const INDEX_BITS: u32 = 16;

impl<A: Address> Set<A> {
    fn new(prefixes: &[Prefix]) -> Self {
        let ranges = merged(prefixes.iter().filter_map(range::<A>).collect());
        let hull = match (ranges.first(), ranges.last()) {
            (Some(&(first, _)), Some(&(_, last))) => Some((first, last)),
            _ => None,
        };
        let index = if ranges.len() > 1 {
            index(&ranges)
        } else {
            Vec::new()
        };
        Set {
            ranges,
            hull,
            index,
        }
    }

    #[inline(always)]
    fn contains(&self, address: A) -> bool {
        match self.hull {
            Some((first, last)) if first <= address && address <= last => {
                self.index.is_empty() || self.search(address)
            }
            _ => false,
        }
    }

    #[inline(never)]
    fn search(&self, address: A) -> bool {
        let slot = leading_bits(address);
        let (start, end) = (self.index[slot] as usize, self.index[slot + 1] as usize);
        // The range at `end` may start within this slot.
        let candidates = &self.ranges[start..(end + 1).min(self.ranges.len())];
        let position = candidates.partition_point(|&(_, last)| last < address);
        candidates
            .get(position)
            .is_some_and(|&(first, _)| first <= address)
    }

    /// Number of addresses that are not in `other`; all of IPv6, 2^128, counts as one less.
    fn size_without(&self, other: &Set<A>) -> u128 {
        let length = |first: A, last: A| (last.number() - first.number()).wrapping_add(1);
        // The sums are modulo 2^128 and may wrap in between; only the whole space reaches 2^128 at the end.
        let mut size = 0_u128;
        let mut is_cut = false;
        for &(first, last) in &self.ranges {
            size = size.wrapping_add(length(first, last));
            for &(other_first, other_last) in &other.ranges {
                let (first, last) = (first.max(other_first), last.min(other_last));
                if first <= last {
                    size = size.wrapping_sub(length(first, last));
                    is_cut = true;
                }
            }
        }
        let is_whole = size == 0 && !is_cut && !self.ranges.is_empty();
        if is_whole { u128::MAX } else { size }
    }
}

fn leading_bits<A: Address>(address: A) -> usize {
    (address.number() >> (A::BITS - INDEX_BITS)) as usize
}

fn index<A: Address>(ranges: &[(A, A)]) -> Vec<u32> {
    let slots = 1 << INDEX_BITS;
    let mut index = Vec::with_capacity(slots + 1);
    let mut position = 0;
    for slot in 0..slots as u128 {
        let start = slot << (A::BITS - INDEX_BITS);
        while position < ranges.len() && ranges[position].1.number() < start {
            position += 1;
        }
        index.push(position as u32);
    }
    index.push(ranges.len() as u32);
    index
}

/// First and last address of a prefix of this family.
fn range<A: Address>(prefix: &Prefix) -> Option<(A, A)> {
    let (first, length) = match (A::FAMILY, *prefix) {
        (Family::Ipv4, Prefix::Ipv4(first, length)) => (u128::from(first), length),
        (Family::Ipv6, Prefix::Ipv6(first, length)) => (first, length),
        _ => return None,
    };
    let mask = host_mask::<A>(length);
    Some((A::from_number(first & !mask), A::from_number(first | mask)))
}

fn merged<A: Address>(mut ranges: Vec<(A, A)>) -> Vec<(A, A)> {
    ranges.sort_unstable();
    let mut merged: Vec<(A, A)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(open) if first.number() <= open.1.number().saturating_add(1) => {
                open.1 = open.1.max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn ipv4(text: &str) -> u32 {
        text.parse::<std::net::Ipv4Addr>().unwrap().into()
    }

    fn place(dark: &[&str], excluded: &[&str], source: &str, destination: &str) -> Place {
        Telescope::new(&prefixes(dark), &prefixes(excluded)).place(ipv4(source), ipv4(destination))
    }

    #[test]
    fn a_packet_is_observed_outside_or_excluded() {
        let dark = ["192.0.2.0/24", "198.51.100.0/25"];
        assert_eq!(place(&dark, &[], "1.2.3.4", "192.0.2.255"), Place::Observed);
        assert_eq!(
            place(&dark, &[], "1.2.3.4", "198.51.100.128"),
            Place::Outside
        );
        assert_eq!(place(&dark, &[], "192.0.2.1", "1.2.3.4"), Place::Outside);
        assert_eq!(
            place(&dark, &["1.2.0.0/16"], "1.2.3.4", "192.0.2.1"),
            Place::Excluded
        );
        assert_eq!(
            place(&dark, &["192.0.2.0/28"], "9.9.9.9", "192.0.2.1"),
            Place::Excluded
        );
        assert_eq!(
            place(&dark, &["1.2.0.0/16"], "1.2.3.4", "8.8.8.8"),
            Place::Outside
        );
    }

    #[test]
    fn without_prefixes_every_destination_is_dark() {
        assert_eq!(place(&[], &[], "1.2.3.4", "5.6.7.8"), Place::Observed);
        let telescope = Telescope::new(&[], &[]);
        assert_eq!(telescope.place(1_u128, 2_u128), Place::Observed);
        assert_eq!(telescope.addresses(), None);
    }

    #[test]
    fn a_telescope_of_ipv4_has_no_ipv6_addresses() {
        let telescope = Telescope::new(&prefixes(&["0.0.0.0/0"]), &[]);
        assert_eq!(telescope.place(1_u128, 2_u128), Place::Outside);
        assert_eq!(telescope.place(1_u32, u32::MAX), Place::Observed);
    }

    #[test]
    fn overlapping_prefixes_count_once_and_excluded_ones_not() {
        let size = |dark: &[&str], excluded: &[&str]| {
            Telescope::new(&prefixes(dark), &prefixes(excluded)).addresses()
        };
        assert_eq!(size(&["192.0.2.0/24", "192.0.2.128/25"], &[]), Some(256));
        assert_eq!(size(&["192.0.2.0/25", "192.0.2.128/25"], &[]), Some(256));
        assert_eq!(
            size(
                &["192.0.2.0/24", "192.0.2.7"],
                &["192.0.2.0/30", "1.0.0.0/8"]
            ),
            Some(252)
        );
        assert_eq!(size(&["0.0.0.0/0"], &[]), Some(1 << 32));
        assert_eq!(size(&["2001:db8::/32"], &[]), Some(i64::MAX as u64));
        assert_eq!(size(&["::/0", "1.0.0.0/8"], &[]), Some(1 << 24));
        assert_eq!(size(&["2001:db8::/120"], &[]), Some(256));
        let sizes = |dark: &[&str]| Telescope::new(&prefixes(dark), &[]).size();
        let (ipv4, ipv6) = (1 << 24, 1 << 80);
        assert_eq!(
            sizes(&["2001:db8:1::/48", "1.0.0.0/8"]),
            Some(TelescopeSize { ipv4, ipv6 })
        );
    }

    #[test]
    fn a_bad_prefix_says_how_to_write_it() {
        let error = |text: &str| text.parse::<Prefix>().unwrap_err().to_string();
        assert!(error("192.0.2.1/24").contains("192.0.2.0/24"));
        assert!(error("192.0.2.1/24").contains("192.0.2.1/32"));
        assert!(error("2001:db8::1/32").contains("2001:db8::/32"));
        assert!(error("192.0.2.0/33").contains("0 to 32"));
        assert!(error("192.0.2/24").contains("like 192.0.2.0/24"));
        assert!(error("192.0.2.0/x").contains("like 192.0.2.0/24"));
        assert_eq!("10.0.0.1".parse(), Ok(Prefix::Ipv4(0x0a00_0001, 32)));
        assert_eq!("::/0".parse(), Ok(Prefix::Ipv6(0, 0)));
    }

    #[test]
    fn sizes_of_all_of_ipv6_do_not_overflow() {
        let size = |dark: &[&str], excluded: &[&str]| {
            let telescope = Telescope::new(&prefixes(dark), &prefixes(excluded));
            telescope.size().unwrap().ipv6
        };
        assert_eq!(size(&["::/0"], &[]), u128::MAX);
        assert_eq!(size(&["::/0"], &["::/0"]), 0);
        assert_eq!(size(&["::/0"], &["::/1"]), 1 << 127);
        assert_eq!(
            size(&["::/0", "2001:db8::/32"], &["fe80::/64"]),
            u128::MAX - (1 << 64) + 1
        );
        assert_eq!(size(&["::/1", "8000::/1"], &[]), u128::MAX);
        assert_eq!(
            size(
                &["2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:1:1::/64"],
                &[]
            ),
            2 << 80
        );
    }

    proptest! {
        /// Prefixes within 10.0.0.0/24, and the same shape in IPv6, where each address stands for 2^96.
        #[test]
        fn a_size_is_the_number_of_addresses_that_are_observed(
            dark in prop::collection::vec((any::<u8>(), 24_u8..=32), 1..6),
            excluded in prop::collection::vec((any::<u8>(), 24_u8..=32), 0..6),
        ) {
            let ipv4 = |rows: &[(u8, u8)]| -> Vec<Prefix> {
                rows.iter()
                    .map(|&(last, length)| {
                        let host_bits = host_mask::<u32>(length) as u32;
                        Prefix::Ipv4((0x0a00_0000 | u32::from(last)) & !host_bits, length)
                    })
                    .collect()
            };
            let widened = |rows: &[Prefix]| -> Vec<Prefix> {
                rows.iter()
                    .map(|prefix| match *prefix {
                        Prefix::Ipv4(first, length) => Prefix::Ipv6(u128::from(first) << 96, length),
                        ipv6 => ipv6,
                    })
                    .collect()
            };
            let (dark, excluded) = (ipv4(&dark), ipv4(&excluded));
            let telescope = Telescope::new(&dark, &excluded);
            let observed = (0x09ff_ff00_u32..0x0a00_0200)
                .filter(|address| telescope.place(0x0101_0101, *address) == Place::Observed)
                .count();
            prop_assert_eq!(telescope.size().unwrap().ipv4, observed as u64);
            let wide = Telescope::new(&widened(&dark), &widened(&excluded)).size().unwrap();
            prop_assert_eq!((wide.ipv4, wide.ipv6), (0, (observed as u128) << 96));
        }

        #[test]
        fn a_set_holds_exactly_its_prefixes(
            rows in prop::collection::vec((any::<u32>(), 1_u8..=32), 0..40),
            probes in prop::collection::vec(any::<u32>(), 0..40),
        ) {
            let rows: Vec<Prefix> = rows
                .into_iter()
                .map(|(address, length)| Prefix::Ipv4(address & !(host_mask::<u32>(length) as u32), length))
                .collect();
            let set = Set::<u32>::new(&rows);
            let edges = rows.iter().filter_map(range::<u32>).flat_map(|(first, last)| {
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
            });
            for address in edges.chain(probes) {
                let expected = rows
                    .iter()
                    .filter_map(range::<u32>)
                    .any(|(first, last)| first <= address && address <= last);
                prop_assert_eq!(set.contains(address), expected, "{}", address);
            }
        }
    }
}
