//! Prefixes as a limited number of ranges of 32-bit words: if there are too many, the closest ones are joined, so that the ranges hold
//! every address of the prefixes and as few others as possible.

use teiten_packet::telescope::Prefix;

/// Sorted, disjoint, inclusive.
pub(super) type PrefixRanges = Vec<(u32, u32)>;

/// The IPv4 prefixes among `prefixes`.
#[must_use]
pub(super) fn ranges_ipv4(prefixes: &[Prefix], count_max: usize) -> PrefixRanges {
    let range = |prefix: &Prefix| match *prefix {
        Prefix::Ipv4(first, length) => Some((first, first | host_bits(u32::from(length)))),
        Prefix::Ipv6(..) => None,
    };
    joined(prefixes.iter().filter_map(range).collect(), count_max)
}

/// The leading 32 bits of the IPv6 prefixes among `prefixes`.
#[must_use]
pub(super) fn ranges_ipv6_leading(prefixes: &[Prefix], count_max: usize) -> PrefixRanges {
    let range = |prefix: &Prefix| match *prefix {
        Prefix::Ipv6(first, length) => {
            let leading = (first >> 96) as u32;
            Some((leading, leading | host_bits(u32::from(length))))
        }
        Prefix::Ipv4(..) => None,
    };
    joined(prefixes.iter().filter_map(range).collect(), count_max)
}

fn host_bits(length: u32) -> u32 {
    u32::MAX.checked_shr(length).unwrap_or(0)
}

fn joined(mut ranges: PrefixRanges, count_max: usize) -> PrefixRanges {
    ranges.sort_unstable();
    let mut joined: PrefixRanges = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    if joined.len() <= count_max {
        return joined;
    }
    // The widest gaps stay.
    let mut gaps: Vec<(u32, usize)> = joined
        .windows(2)
        .enumerate()
        .map(|(index, pair)| (pair[1].0 - pair[0].1, index))
        .collect();
    gaps.sort_unstable_by(|left, right| right.cmp(left));
    let mut kept: Vec<usize> = gaps
        .iter()
        .take(count_max.saturating_sub(1))
        .map(|(_, index)| *index)
        .collect();
    kept.sort_unstable();
    let mut coarse = PrefixRanges::new();
    let mut first = joined[0].0;
    for index in kept {
        coarse.push((first, joined[index].1));
        first = joined[index + 1].0;
    }
    coarse.push((first, joined[joined.len() - 1].1));
    coarse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], count_max: usize, expected: &[(u32, u32)]) {
        let prefixes: Vec<Prefix> = texts
            .iter()
            .map(|text| text.parse().expect("a prefix"))
            .collect();
        assert_eq!(ranges_ipv4(&prefixes, count_max), expected);
    }

    #[test]
    fn neighbours_are_one_range_and_the_closest_are_joined_first() {
        check(
            &["10.0.1.0/24", "10.0.0.0/24"],
            9,
            &[(0x0a00_0000, 0x0a00_01ff)],
        );
        check(&["0.0.0.0/0", "10.0.0.0/8"], 9, &[(0, u32::MAX)]);
        let apart = ["10.0.0.0/32", "10.0.0.4/32", "10.0.0.100/32"];
        check(
            &apart,
            2,
            &[(0x0a00_0000, 0x0a00_0004), (0x0a00_0064, 0x0a00_0064)],
        );
        check(&apart, 1, &[(0x0a00_0000, 0x0a00_0064)]);
    }

    #[test]
    fn prefixes_of_ipv6_are_seen_by_their_leading_word() {
        let prefixes: Vec<Prefix> = ["2001:db8:1::/48", "2001:db8::/31", "fe80::/10"]
            .map(|text| text.parse().expect("a prefix"))
            .to_vec();
        let expected = [(0x2001_0db8, 0x2001_0db9), (0xfe80_0000, 0xfebf_ffff)];
        assert_eq!(ranges_ipv6_leading(&prefixes, 9), expected);
        assert_eq!(ranges_ipv4(&prefixes, 9), []);
    }
}
