//! The address space of sources: real address blocks, each long held by one country, with the countries' shares.
//!
//! Shares of access networks follow the NICTER and TSUBAME source tables (CN 38 %, IN 10, US 8, RU, IR and KR 4 each, VN, TW, BR and EG 2
//! each); those of hosting networks follow rankings by packets, which US, NL, GB, RU and BG lead. The blocks are allocations of the
//! regional registries that have not moved for years; each is for nine tenths and more in its country in the IPFire data of June 2026.

use crate::random::{Permutation, hash, scale};

/// A country's share of the sources and its address blocks.
#[derive(Debug)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    /// Weight among sources in access networks.
    pub access: u32,
    /// Weight among sources in hosting networks.
    pub hosting: u32,
    /// IPv4 blocks in prefix notation, with spaces between.
    pub blocks: &'static str,
}

const fn row(code: &'static str, access: u32, hosting: u32, blocks: &'static str) -> Country {
    Country {
        code,
        access,
        hosting,
        blocks,
    }
}

/// Every country that sources come from.
pub const COUNTRIES: &[Country] = &[
    row(
        "CN",
        380,
        60,
        "36.96.0.0/11 58.208.0.0/12 112.0.0.0/11 113.64.0.0/11 116.16.0.0/12 117.128.0.0/10 183.0.0.0/11 222.64.0.0/12 120.192.0.0/11 60.0.0.0/12",
    ),
    row(
        "IN",
        100,
        10,
        "117.192.0.0/10 59.88.0.0/13 106.192.0.0/11 122.160.0.0/12 157.32.0.0/12 152.56.0.0/14",
    ),
    row(
        "US",
        80,
        380,
        "24.0.0.0/12 73.0.0.0/9 98.192.0.0/11 12.0.0.0/9 71.160.0.0/12 76.96.0.0/11 66.240.192.0/18 71.6.128.0/17 45.33.0.0/17 104.131.0.0/16 65.49.0.0/17",
    ),
    row(
        "RU",
        40,
        80,
        "95.24.0.0/13 178.64.0.0/13 5.136.0.0/13 188.16.0.0/14 90.188.0.0/15 176.208.0.0/14 46.0.0.0/16",
    ),
    row("IR", 40, 2, "2.176.0.0/12 5.112.0.0/12 78.38.0.0/15"),
    row(
        "KR",
        40,
        10,
        "175.192.0.0/10 121.128.0.0/11 211.192.0.0/12 118.32.0.0/11 59.0.0.0/12",
    ),
    row(
        "VN",
        20,
        5,
        "14.160.0.0/11 113.160.0.0/11 171.224.0.0/11 123.16.0.0/12",
    ),
    row(
        "TW",
        20,
        4,
        "111.240.0.0/12 114.32.0.0/12 220.128.0.0/13 36.224.0.0/12 1.160.0.0/12",
    ),
    row("BR", 20, 8, "179.96.0.0/11 200.128.0.0/9 177.0.0.0/10"),
    row(
        "EG",
        20,
        1,
        "156.160.0.0/11 197.32.0.0/11 41.32.0.0/12 102.40.0.0/13 154.176.0.0/12",
    ),
    row("ID", 17, 4, "36.64.0.0/11 114.120.0.0/13 180.240.0.0/12"),
    row(
        "TH",
        16,
        2,
        "171.96.0.0/13 1.0.128.0/17 49.228.0.0/14 171.4.0.0/14 125.24.0.0/14",
    ),
    row("TR", 16, 4, "78.160.0.0/11 85.96.0.0/12 88.224.0.0/11"),
    row(
        "JP",
        15,
        14,
        "126.0.0.0/8 133.0.0.0/9 60.32.0.0/12 219.96.0.0/11 153.128.0.0/9",
    ),
    row("PK", 14, 1, "39.32.0.0/11 182.176.0.0/12 119.152.0.0/13"),
    row("MX", 13, 2, "187.128.0.0/10 189.128.0.0/9 201.96.0.0/11"),
    row(
        "DE",
        12,
        60,
        "84.128.0.0/10 91.0.0.0/10 79.192.0.0/10 93.192.0.0/10 46.4.0.0/16 144.76.0.0/16 138.201.0.0/16",
    ),
    row("IT", 12, 4, "79.0.0.0/10 151.0.0.0/10 82.48.0.0/12"),
    row(
        "PH",
        10,
        1,
        "49.144.0.0/13 124.104.0.0/14 180.190.0.0/16 112.200.0.0/13",
    ),
    row("AR", 10, 1, "181.0.0.0/11"),
    row("UA", 10, 8, "46.200.0.0/15"),
    row(
        "FR",
        9,
        25,
        "90.0.0.0/10 86.192.0.0/10 212.47.224.0/19 163.172.0.0/16",
    ),
    row("GB", 9, 75, "86.128.0.0/10 81.128.0.0/11 109.74.192.0/20"),
    row(
        "MY",
        8,
        1,
        "175.136.0.0/13 60.48.0.0/14 115.132.0.0/14 210.186.0.0/15",
    ),
    row(
        "RO",
        8,
        14,
        "5.12.0.0/14 86.120.0.0/13 188.24.0.0/14 89.136.0.0/15",
    ),
    row("ZA", 8, 2, "41.0.0.0/11 197.64.0.0/11"),
    row("PL", 7, 4, "83.0.0.0/11 79.184.0.0/13"),
    row(
        "ES",
        7,
        3,
        "83.32.0.0/11 88.0.0.0/11 80.24.0.0/13 79.144.0.0/12",
    ),
    row("HK", 6, 22, "42.2.0.0/15 112.118.0.0/15 219.76.0.0/14"),
    row(
        "CA",
        5,
        16,
        "24.64.0.0/13 70.24.0.0/13 99.224.0.0/11 142.112.0.0/12 158.69.0.0/16",
    ),
    row(
        "AU",
        5,
        3,
        "1.120.0.0/13 120.144.0.0/12 124.176.0.0/12 58.160.0.0/12",
    ),
    row("BG", 5, 60, "78.128.0.0/17 46.10.0.0/16 84.238.128.0/17"),
    row(
        "SG",
        4,
        18,
        "116.86.0.0/15 121.6.0.0/15 128.199.64.0/18 139.59.224.0/19",
    ),
    row(
        "NL",
        4,
        90,
        "77.160.0.0/12 82.72.0.0/14 94.102.48.0/20 89.248.160.0/20 93.174.88.0/21",
    ),
    row(
        "SE",
        3,
        6,
        "78.64.0.0/12 81.224.0.0/12 90.224.0.0/12 213.64.0.0/14",
    ),
];

/// IPv6 networks of 32 bits, by country and weight.
pub const IPV6_NETWORKS: &[(&str, u32, u32)] = &[
    ("CN", 0x2409_1000, 38),
    ("IN", 0x2409_4000, 10),
    ("US", 0x2601_9000, 16),
    ("RU", 0x2a02_2648, 4),
    ("IR", 0x2a05_1a00, 2),
    ("KR", 0x2404_0180, 4),
    ("VN", 0x2405_4800, 3),
    ("TW", 0x2001_b000, 2),
    ("BR", 0x2804_0d40, 4),
    ("JP", 0x2400_2000, 4),
    ("GB", 0x2001_5100, 4),
    ("NL", 0x2001_1c00, 5),
    ("FR", 0x2a01_c510, 4),
];

/// Space that no packet can come from: of RFC 6890's registry, and multicast.
pub const NOWHERE: &str = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 \
    192.0.2.0/24 192.168.0.0/16 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";

/// A prefix of IPv4 as its first address and the number of addresses; `text` is a row of a table of this package.
#[must_use]
pub fn block_range(text: &str) -> (u32, u64) {
    let mut numbers = text
        .split(['.', '/'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let first = (0..4).fold(0, |address, _| (address << 8) | numbers.next().unwrap_or(0));
    (first, 1 << (32 - numbers.next().unwrap_or(32)))
}

/// Gives out addresses of a set of ranges in scattered order, each once.
#[derive(Debug)]
pub struct AddressPool {
    ranges: Vec<(u32, u64)>,
    order: Permutation,
    size: u64,
    given: u64,
}

impl AddressPool {
    /// A pool over `blocks`, prefixes with spaces between.
    #[must_use]
    pub fn new(blocks: &str, seed: u64) -> Self {
        let ranges: Vec<(u32, u64)> = blocks.split_whitespace().map(block_range).collect();
        let size = ranges.iter().map(|range| range.1).sum();
        AddressPool {
            ranges,
            order: Permutation::new(size, seed),
            size,
            given: 0,
        }
    }

    /// The next address, or none when each was given.
    pub fn take(&mut self) -> Option<u32> {
        if self.given == self.size {
            return None;
        }
        let mut position = self.order.at(self.given);
        self.given += 1;
        for &(first, length) in &self.ranges {
            if position < length {
                return Some(first + position as u32);
            }
            position -= length;
        }
        None
    }
}

/// Chooses countries by weight and addresses in them.
#[derive(Debug)]
pub struct World {
    pools: Vec<AddressPool>,
    access_total: u64,
    hosting_total: u64,
}

impl World {
    /// All countries, their addresses shuffled by `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let pool = |(index, country): (usize, &Country)| {
            AddressPool::new(country.blocks, hash(seed, index as u64))
        };
        World {
            pools: COUNTRIES.iter().enumerate().map(pool).collect(),
            access_total: COUNTRIES.iter().map(|row| u64::from(row.access)).sum(),
            hosting_total: COUNTRIES.iter().map(|row| u64::from(row.hosting)).sum(),
        }
    }

    /// A new address, in a country chosen by `bits`; the next country with free addresses when that one has none left.
    pub fn address(&mut self, bits: u64, hosting: bool) -> Option<u32> {
        let first = self.choose(bits, hosting);
        let count = self.pools.len();
        (0..count).find_map(|step| self.pools[(first + step) % count].take())
    }

    fn choose(&self, bits: u64, hosting: bool) -> usize {
        let total = if hosting {
            self.hosting_total
        } else {
            self.access_total
        };
        let mut left = scale(bits, total);
        for (index, country) in COUNTRIES.iter().enumerate() {
            let weight = u64::from(if hosting {
                country.hosting
            } else {
                country.access
            });
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_prefixes_and_do_not_overlap() {
        let mut ranges: Vec<(u32, u64)> = COUNTRIES
            .iter()
            .flat_map(|country| country.blocks.split_whitespace().map(block_range))
            .collect();
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(u64::from(pair[0].0) + pair[0].1 <= u64::from(pair[1].0));
        }
        assert!(
            ranges
                .iter()
                .all(|&(first, length)| u64::from(first) % length == 0)
        );
    }

    #[test]
    fn no_address_is_given_twice() {
        let mut world = World::new(3);
        let mut seen = std::collections::HashSet::new();
        for index in 0..20_000 {
            let address = world.address(hash(1, index), index % 3 == 0);
            assert!(address.is_some_and(|address| seen.insert(address)));
        }
    }
}
