//! All sources of a scenario: where they live, and which of them is drawn for a packet. `send/` writes what they send.

use crate::clock::HOUR_US;
use crate::countries::{AddressPool, IPV6_NETWORKS, NOWHERE, World};
use crate::families::{FAMILIES, day_of};
use crate::geo::CountryTable;
use crate::random::{Permutation, Random, hash, weighted};
use crate::roles::{Home, ROLES, WHOLE};
use crate::scenario::{Scenario, Shape};
use crate::send::ipv6::is_spoofed;
use crate::source::{Source, Source6};
use crate::zipf::Zipf;
use crate::{Error, Result};

/// How long the same victims lead.
const LEAD_US: i64 = HOUR_US / 2;

#[derive(Debug)]
struct Group {
    first: u32,
    count: u32,
    law: Zipf,
}

/// Every source of a scenario. A source's number is its place in the table, IPv6 behind IPv4.
#[derive(Debug)]
pub struct Population {
    sources: Vec<Source>,
    sources_ipv6: Vec<Source6>,
    groups: Vec<Group>,
    law_ipv6: Zipf,
    role_of: Vec<u8>,
    /// For each family the number of its first member; empty where none is planted.
    families: Vec<u32>,
}

impl Population {
    /// The sources of `scenario`; countries are those of `countries`.
    pub fn new(scenario: &Scenario, countries: &CountryTable) -> Result<Self> {
        let flood = scenario.shape.is_flood();
        let asked = if flood { 0 } else { scenario.sources };
        let wanted_ipv6 = (f64::from(asked) * scenario.ipv6_share) as u32;
        let count_ipv6 = wanted_ipv6.max(u32::from(scenario.ipv6_share > 0.0 && !flood));
        let mut builder = Builder {
            scenario,
            countries,
            world: World::new(hash(scenario.seed, 1)),
            nowhere: AddressPool::new(NOWHERE, hash(scenario.seed, 2)),
            sources: Vec::new(),
        };
        let exponent = match scenario.shape {
            Shape::Mixed => scenario.zipf_exponent,
            Shape::Flat | Shape::Flood | Shape::FloodMixed => 0.0,
        };
        let mut groups = Vec::new();
        if !flood {
            for index in 0..ROLES.len() {
                groups.push(builder.group(index, asked.saturating_sub(count_ipv6), exponent)?);
            }
        }
        let mut families = Vec::new();
        if scenario.family_share > 0.0 {
            for index in 0..FAMILIES.len() {
                families.push(builder.family(index)?);
            }
        }
        Ok(Population {
            families,
            sources: builder.sources,
            sources_ipv6: sources_ipv6(scenario, countries, count_ipv6),
            groups,
            law_ipv6: Zipf::new(count_ipv6.max(1), exponent, 10.0),
            role_of: role_table(),
        })
    }

    /// Number of sources, both families.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len() + self.sources_ipv6.len()
    }

    /// Whether there is none, as in a flood.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Draws a packet's sender: the index of its role, its number, itself.
    pub fn draw(&self, random: &mut Random, time_us: i64) -> (usize, u32, Source) {
        let role = usize::from(self.role_of[random.below(u64::from(WHOLE)) as usize]);
        let group = &self.groups[role];
        let mut rank = group.law.draw(random);
        if ROLES[role].changing {
            let turn = time_us.div_euclid(LEAD_US) as u64;
            let step = u64::from(group.count / 7 + 1);
            rank = ((u64::from(rank) + turn * step) % u64::from(group.count)) as u32;
        }
        let number = group.first + rank;
        (role, number, self.sources[number as usize])
    }

    /// Draws a family that comes on a day, and the number of a member and itself; none where none comes.
    pub fn draw_family(&self, random: &mut Random, day: i64) -> Option<(usize, u32, Source)> {
        let here =
            || (0..self.families.len()).filter(|index| FAMILIES[*index].ports(day).is_some());
        let all: u64 = here().map(|index| u64::from(FAMILIES[index].members)).sum();
        if all == 0 {
            return None;
        }
        let mut left = random.below(all) as u32;
        for index in here() {
            let members = FAMILIES[index].members(day);
            if left < members.end - members.start {
                let number = self.families[index] + members.start + left;
                return Some((index, number, self.sources[number as usize]));
            }
            left -= members.end - members.start;
        }
        None
    }

    /// Draws an IPv6 packet's sender.
    pub fn draw_ipv6(&self, random: &mut Random) -> (u32, Source6) {
        let rank = self.law_ipv6.draw(random);
        let number = self.sources.len() as u32 + rank;
        (number, self.sources_ipv6[rank as usize])
    }
}

struct Builder<'a> {
    scenario: &'a Scenario,
    countries: &'a CountryTable,
    world: World,
    nowhere: AddressPool,
    sources: Vec<Source>,
}

impl Builder<'_> {
    /// Adds the sources of a role, at least one. Nearly flat traffic has as many sources of a role as the role has packets.
    fn group(&mut self, role: usize, asked: u32, exponent: f64) -> Result<Group> {
        let row = &ROLES[role];
        let share = if self.scenario.shape == Shape::Flat {
            row.packets
        } else {
            row.sources
        };
        let wanted = u64::from(asked) * u64::from(share) / u64::from(WHOLE);
        let (first, count) = (self.sources.len() as u32, (wanted as u32).max(1));
        for index in 0..count {
            let bits = hash(
                hash(self.scenario.seed, 100 + role as u64),
                u64::from(index),
            );
            let address = self.address(row.home, bits)?;
            self.sources.push(Source {
                address,
                seed: bits as u32,
                hops: 5 + (bits >> 32) as u8 % 20,
                country: self.countries.of_ipv4(address),
            });
        }
        Ok(Group {
            first,
            count,
            law: Zipf::new(count, exponent, row.shift),
        })
    }

    /// Adds all members that a family has in the span; the number of the first.
    fn family(&mut self, index: usize) -> Result<u32> {
        let first = self.sources.len() as u32;
        let (start_us, span_us) = (self.scenario.start_us, self.scenario.span_us);
        let days = day_of(start_us + span_us, start_us);
        for member in 0..FAMILIES[index].members(days).end {
            let bits = hash(
                hash(self.scenario.seed, 1_000 + index as u64),
                u64::from(member),
            );
            let address = self.address(Home::Access, bits)?;
            self.sources.push(Source {
                address,
                seed: bits as u32,
                hops: 5 + (bits >> 32) as u8 % 20,
                country: self.countries.of_ipv4(address),
            });
        }
        Ok(first)
    }

    fn address(&mut self, home: Home, bits: u64) -> Result<u32> {
        loop {
            let address = match home {
                Home::Nowhere => self.nowhere.take(),
                Home::Access => self.world.address(bits, false),
                Home::Hosting => self.world.address(bits, true),
            };
            let address = address.ok_or(Error::TooManySources {
                asked: self.scenario.sources,
            })?;
            if !self.scenario.telescope.contains(address) {
                return Ok(address);
            }
        }
    }
}

fn role_table() -> Vec<u8> {
    let mut table = Vec::with_capacity(WHOLE as usize);
    for (index, role) in ROLES.iter().enumerate() {
        table.extend(std::iter::repeat_n(index as u8, role.packets as usize));
    }
    table
}

/// Sources in networks of 32 bits; the second 32 bits number them, so each address is one source's.
fn sources_ipv6(scenario: &Scenario, countries: &CountryTable, count: u32) -> Vec<Source6> {
    let networks: Vec<(u32, u32)> = IPV6_NETWORKS
        .iter()
        .map(|&(_, network, weight)| (weight, network))
        .collect();
    let order = Permutation::new(1 << 32, hash(scenario.seed, 3));
    let source = |index: u32| {
        let bits = hash(hash(scenario.seed, 99), u64::from(index));
        let seed = bits as u32;
        let network = if is_spoofed(hash(u64::from(seed), 0)) {
            0xfd00_0000 | (bits >> 40) as u32
        } else {
            *weighted(&networks, hash(bits, 1))
        };
        let address = u128::from(network) << 96
            | u128::from(order.at(u64::from(index))) << 64
            | u128::from(hash(bits, 2));
        Source6 {
            address,
            seed,
            hops: 5 + (bits >> 32) as u8 % 20,
            country: countries.of_ipv6(address),
        }
    };
    (0..count).map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_source_has_an_address_of_its_own_outside_the_telescope() -> Result<()> {
        let scenario = Scenario {
            sources: 50_000,
            ipv6_share: 0.1,
            telescope: ["126.0.0.0/9".parse()?].into_iter().collect(),
            ..Scenario::default()
        };
        let population = Population::new(&scenario, &CountryTable::built_in())?;
        let addresses: HashSet<u32> = population.sources.iter().map(|one| one.address).collect();
        assert_eq!(addresses.len(), population.sources.len());
        assert!(
            !addresses
                .iter()
                .any(|&one| scenario.telescope.contains(one))
        );
        let addresses: HashSet<u128> = population
            .sources_ipv6
            .iter()
            .map(|one| one.address)
            .collect();
        assert_eq!(addresses.len(), 5_000);
        Ok(())
    }
}
