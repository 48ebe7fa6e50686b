//! What the sources of a group did together in a day: counts, countries, networks, hours, and a sample of who they are, by which the group is
//! found again on another day.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use twox_hash::XxHash64;

use crate::sketch::{Member, SketchRegisters, write_sketch};

/// Members of a sample: those with the least hashes, so that two groups' samples are of the same part of all addresses.
pub(crate) const SAMPLE_MAX: usize = 512;
/// Members that are kept before they become registers of a sketch.
const LISTED_MAX: usize = 4096;
/// Services of which the packets are counted, at most.
const HEAVIEST_MAX: usize = 1024;
/// Networks that are counted, at most.
const NETWORKS_MAX: usize = 1 << 16;
/// Bits of a network of IPv4 and of IPv6.
const NETWORK_BITS: (u32, u32) = (16, 32);

/// A source of a group on its way from the reading of a day to its groups. It stands in a file meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CampaignMember {
    /// Its place among the sources of the day.
    pub row: u64,
    /// The number of its core.
    pub core: u32,
    /// Packets that ask.
    pub packets: u64,
    /// The service of most of them, its bits.
    pub heaviest: u32,
    /// Packets to that.
    pub heaviest_packets: u64,
    /// A bit for each hour of the day.
    pub hours: u32,
    /// First packet that asks.
    pub first_us: i64,
    /// Hash of its address.
    pub hash: u64,
    /// What a sketch keeps of it.
    pub sketch: u32,
    /// Number of its network.
    pub network: u32,
    /// Number of the organisation.
    pub actor: u32,
    /// Two letters.
    pub country: [u8; 2],
}

/// Bytes of a member in its file.
pub(crate) const MEMBER_BYTES: usize = 66;

impl CampaignMember {
    /// The hash of an address as text.
    #[must_use]
    pub(crate) fn hash_of(text: &[u8]) -> u64 {
        XxHash64::oneshot(0, text)
    }

    /// The network of an address.
    #[must_use]
    pub(crate) const fn network_of(ip_version: u8, number: u128) -> u32 {
        match ip_version {
            4 => (number >> (32 - NETWORK_BITS.0)) as u32,
            _ => (number >> (128 - NETWORK_BITS.1)) as u32,
        }
    }

    /// The bytes of its file.
    #[must_use]
    pub(crate) fn to_bytes(self) -> [u8; MEMBER_BYTES] {
        let mut bytes = [0; MEMBER_BYTES];
        let parts: [&[u8]; 12] = [
            &self.row.to_le_bytes(),
            &self.core.to_le_bytes(),
            &self.packets.to_le_bytes(),
            &self.hours.to_le_bytes(),
            &self.first_us.to_le_bytes(),
            &self.hash.to_le_bytes(),
            &self.sketch.to_le_bytes(),
            &self.network.to_le_bytes(),
            &self.actor.to_le_bytes(),
            &self.country,
            &self.heaviest.to_le_bytes(),
            &self.heaviest_packets.to_le_bytes(),
        ];
        let mut at = 0;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes
    }

    /// The member of these bytes.
    #[must_use]
    pub(crate) fn from_bytes(bytes: &[u8; MEMBER_BYTES]) -> Self {
        let long = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let short = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(word)
        };
        CampaignMember {
            row: long(0),
            core: short(8),
            packets: long(12),
            hours: short(20),
            first_us: long(24) as i64,
            hash: long(32),
            sketch: short(40),
            network: short(44),
            actor: short(48),
            country: [bytes[52], bytes[53]],
            heaviest: short(54),
            heaviest_packets: long(58),
        }
    }
}

/// The sources of a group, who are the less the hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberSample {
    /// Ascending, [`SAMPLE_MAX`] at most.
    pub hashes: Vec<u64>,
    /// All sources.
    pub sources: u64,
}

impl MemberSample {
    /// The share of the sources of the smaller one that the other has as well, per mille: exact where both samples are of all sources.
    #[must_use]
    pub(crate) fn shared(&self, other: &MemberSample) -> u64 {
        // Below the least end of a sample that left someone out, both have everyone.
        let end = |sample: &MemberSample| {
            let is_whole = sample.hashes.len() as u64 >= sample.sources;
            let last = sample.hashes.last().copied();
            if is_whole {
                u64::MAX
            } else {
                last.unwrap_or(0)
            }
        };
        let end = end(self).min(end(other));
        let below = |sample: &MemberSample| sample.hashes.partition_point(|hash| *hash <= end);
        let (ours, theirs) = (&self.hashes[..below(self)], &other.hashes[..below(other)]);
        let least = ours.len().min(theirs.len()) as u64;
        let both = ours
            .iter()
            .filter(|hash| theirs.binary_search(hash).is_ok())
            .count() as u64;
        (both * 1000).checked_div(least).unwrap_or(0)
    }
}

/// What the sources of a group did.
#[derive(Debug, Default)]
pub(crate) struct GroupProfile {
    /// Sources.
    pub sources: u64,
    /// Packets that ask.
    pub packets: u64,
    /// Packets to a service, of the sources whose heaviest it is; by its bits.
    pub heaviest: BTreeMap<u32, u64>,
    /// First packet, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Sources by country.
    pub countries: BTreeMap<[u8; 2], u64>,
    /// Sources by the number of their organisation.
    pub actors: BTreeMap<u32, u64>,
    /// Sources by hour of the day.
    pub hours: [u64; 32],
    networks: BTreeSet<u32>,
    least: BinaryHeap<u64>,
    listed: Vec<Member>,
    registers: Option<SketchRegisters>,
}

impl GroupProfile {
    /// Adds a source.
    pub(crate) fn add(&mut self, member: &CampaignMember) {
        self.first_us = match self.sources {
            0 => member.first_us,
            _ => self.first_us.min(member.first_us),
        };
        self.sources += 1;
        self.packets = self.packets.saturating_add(member.packets);
        let heaviest = self.heaviest.len() < HEAVIEST_MAX;
        if heaviest || self.heaviest.contains_key(&member.heaviest) {
            let packets = self.heaviest.entry(member.heaviest).or_default();
            *packets = packets.saturating_add(member.heaviest_packets);
        }
        *self.countries.entry(member.country).or_default() += 1;
        *self.actors.entry(member.actor).or_default() += 1;
        for (hour, sources) in self.hours.iter_mut().enumerate() {
            *sources += u64::from(member.hours >> hour & 1);
        }
        if self.networks.len() < NETWORKS_MAX {
            self.networks.insert(member.network);
        }
        self.least.push(member.hash);
        if self.least.len() > SAMPLE_MAX {
            self.least.pop();
        }
        let of_sketch = Member::from_bits(member.sketch);
        match &mut self.registers {
            Some(registers) => registers.insert(of_sketch),
            None => self.listed.push(of_sketch),
        }
        if self.listed.len() >= LISTED_MAX {
            let registers = self.registers.get_or_insert_default();
            for listed in self.listed.drain(..) {
                registers.insert(listed);
            }
        }
    }

    /// Distinct networks: /16 of IPv4, /32 of IPv6.
    #[must_use]
    pub(crate) fn networks(&self) -> u64 {
        self.networks.len() as u64
    }

    /// A sample of the sources.
    #[must_use]
    pub(crate) fn sample(&self) -> MemberSample {
        let mut hashes = self.least.clone().into_vec();
        hashes.sort_unstable();
        MemberSample {
            hashes,
            sources: self.sources,
        }
    }

    /// The sources as a serialized sketch.
    #[must_use]
    pub(crate) fn sketch(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match &self.registers {
            Some(registers) => registers.write_to(&mut bytes),
            None => write_sketch(&mut self.listed.clone(), &mut bytes),
        }
        bytes
    }

    /// The organisation of at least half of the sources, by its number; 0 where there is none.
    #[must_use]
    pub(crate) fn actor(&self) -> u32 {
        let half = |(actor, sources): &(&u32, &u64)| **actor != 0 && **sources * 2 >= self.sources;
        self.actors.iter().find(half).map_or(0, |(actor, _)| *actor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u64) -> CampaignMember {
        CampaignMember {
            row: number,
            core: 3,
            packets: 5,
            heaviest: 17,
            heaviest_packets: number / 2,
            hours: 1 << (number % 24),
            first_us: -7 + number as i64,
            hash: CampaignMember::hash_of(&number.to_le_bytes()),
            sketch: Member::of(&number.to_le_bytes()).bits(),
            network: number as u32 % 9,
            actor: u32::from(number.is_multiple_of(2)),
            country: *b"JP",
        }
    }

    fn sample(numbers: std::ops::Range<u64>) -> MemberSample {
        let mut profile = GroupProfile::default();
        numbers.for_each(|number| profile.add(&member(number)));
        profile.sample()
    }

    #[test]
    fn a_member_comes_back_from_its_bytes() {
        for number in [0, 1, u64::MAX / 3] {
            let member = member(number);
            assert_eq!(CampaignMember::from_bytes(&member.to_bytes()), member);
        }
    }

    #[test]
    fn shared_members_are_exact_for_few_and_near_for_many() {
        let of = |left, right| sample(left).shared(&sample(right));
        assert_eq!(of(0..100, 0..100), 1000);
        assert_eq!(of(0..100, 50..150), 500);
        assert_eq!(of(0..100, 90..400), 100);
        assert_eq!(of(0..100, 100..200), 0);
        // A few of very many, and two that are both many.
        assert!(of(0..20, 0..20_000) > 900);
        let half = of(0..20_000, 10_000..30_000);
        assert!((400..600).contains(&half), "{half}");
        assert_eq!(sample(0..0).shared(&sample(0..9)), 0);
    }

    #[test]
    fn a_profile_adds_up() {
        let mut profile = GroupProfile::default();
        (0..10_000).for_each(|number| profile.add(&member(number)));
        assert_eq!((profile.sources, profile.packets), (10_000, 50_000));
        assert_eq!((profile.first_us, profile.networks()), (-7, 9));
        assert_eq!(profile.actor(), 1);
        assert_eq!(profile.hours[..24].iter().sum::<u64>(), 10_000);
        let sketch = datasketches::hll::HllSketch::deserialize(&profile.sketch());
        let estimate = sketch.expect("an HLL image").estimate();
        assert!((estimate / 10_000.0 - 1.0).abs() < 0.05, "{estimate}");
    }
}
