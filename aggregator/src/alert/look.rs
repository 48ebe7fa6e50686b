//! What watched addresses did in the rows of a stretch of an hour. Runs are sorted by source, so only the rows of watched prefixes are read;
//! an AS number needs the origin of every source.

use std::collections::BTreeMap;
use std::io;

use super::AlertKind;
use super::address::WatchedAddress;
use super::forged::{AddressBlock, HourBlocks};
use super::list::{WatchList, WatchedOwner};
use super::tally::{WatchedPort, WatchedRow, WatchedTally};
use crate::close::HourRuns;
use crate::destinations::{DestinationSet, View};
use crate::evidence::Evidence;
use crate::hour::Hour;
use crate::origin::OriginsOfDay;
use crate::reply_run::{ReplyRun, merge_replies};
use crate::reply_table::ReplyRow;
use crate::run::{Merged, Run, merge_range};
use teiten_observation::{Address, Class, Family, Mark, StackSignature, Tool};

/// Watched addresses of a stretch, at most. From half of them on, those with few packets are left out: a flood with forged sources must take
/// neither memory without bound nor the place of those who send much.
const TALLIES_MAX: usize = 1 << 16;
const FEW_PACKETS: u64 = 3;
/// Blocks of an hour whose addresses are counted, at most.
const BLOCKS_MAX: usize = 1 << 14;
/// Addresses that cannot have sent what claims to be theirs, at most.
const IMPOSSIBLE_MAX: usize = 1 << 10;

/// What an event is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct WatchedKey {
    /// Name of the owner.
    pub owner: String,
    pub kind: AlertKind,
    pub address: WatchedAddress,
}

/// What was seen of watched addresses.
#[derive(Debug, Default)]
pub(super) struct Sighting {
    pub tallies: BTreeMap<WatchedKey, WatchedTally>,
    /// Packets whose source cannot be, by what claims to have sent them.
    pub impossible: BTreeMap<WatchedKey, WatchedTally>,
    pub blocks: HourBlocks,
    /// Packets of addresses that are too many.
    pub left_out: u64,
}

impl Sighting {
    /// Looks at the rows of a stretch of `hour`.
    ///
    /// # Errors
    /// When a run on disk cannot be read.
    pub(super) fn of(
        list: &WatchList,
        hour: Hour,
        runs: &HourRuns,
        origins: &OriginsOfDay<'_>,
    ) -> io::Result<Self> {
        let mut seen = Sighting::default();
        for owner in &list.watched {
            let look = OwnerLook {
                owner,
                hour,
                origins,
            };
            look.at_sources(&runs.ipv4, &mut seen)?;
            look.at_sources(&runs.ipv6, &mut seen)?;
        }
        merge_replies(runs.replies.iter().map(ReplyRun::lent), |row| {
            let family = row.key.family;
            let asn = list.needs_networks().then(|| match family {
                Family::Ipv4 => origins.asn(row.key.victim as u32),
                Family::Ipv6 => origins.asn(row.key.victim),
            });
            for owner in &list.watched {
                if owner.watches(family, row.key.victim, asn.flatten()) {
                    seen.add_replies(owner, &row);
                }
            }
            Ok::<_, io::Error>(())
        })?;
        Ok(seen)
    }

    fn add(
        &mut self,
        owner: &WatchedOwner,
        kind: AlertKind,
        address: WatchedAddress,
        row: WatchedRow,
    ) {
        let block = AddressBlock::of(owner.number, kind, address);
        let counts = match self.blocks.len() < BLOCKS_MAX || self.blocks.contains_key(&block) {
            true => Some(self.blocks.entry(block).or_default()),
            false => None,
        };
        if let Some(counts) = counts {
            *counts.entry(address.number as u8).or_default() += row.packets;
        }
        self.put(owner, kind, address, row);
    }

    fn put(
        &mut self,
        owner: &WatchedOwner,
        kind: AlertKind,
        address: WatchedAddress,
        row: WatchedRow,
    ) {
        let count = self.tallies.len();
        let key = WatchedKey {
            owner: owner.owner.clone(),
            kind,
            address,
        };
        let packets = row.packets;
        let is_left_out =
            count >= TALLIES_MAX || (count >= TALLIES_MAX / 2 && packets < FEW_PACKETS);
        match self.tallies.get_mut(&key) {
            Some(known) => known.add(&WatchedTally::of(row)),
            None if is_left_out => self.left_out = self.left_out.saturating_add(packets),
            None => drop(self.tallies.insert(key, WatchedTally::of(row))),
        }
    }

    fn put_impossible(&mut self, owner: &WatchedOwner, address: WatchedAddress, row: WatchedRow) {
        let key = WatchedKey {
            owner: owner.owner.clone(),
            kind: AlertKind::Scan,
            address,
        };
        if let Some(known) = self.impossible.get_mut(&key) {
            known.add(&WatchedTally::of(row));
        } else if self.impossible.len() < IMPOSSIBLE_MAX {
            self.impossible.insert(key, WatchedTally::of(row));
        }
    }

    fn add_replies(&mut self, owner: &WatchedOwner, row: &ReplyRow) {
        let key = &row.key;
        let packets = row.counts.packets();
        let address = WatchedAddress::of(key.family, key.victim);
        let set = DestinationSet::from(row.counts.view());
        let port = WatchedPort {
            protocol: key.protocol,
            port: key.port,
        };
        let example = format!(
            "{} {} of {}: {packets} packets to {} dark addresses in this minute",
            address.text(),
            key.traffic_type,
            service_text(port),
            set.count()
        );
        let row = WatchedRow {
            first_us: row.counts.first_us,
            last_us: row.counts.last_us,
            packets,
            bytes: row.counts.bytes,
            port,
            traffic_type: key.traffic_type.name(),
            tool: "",
            stack: String::new(),
            set,
            is_marked: false,
            is_request: false,
            per_minute: packets,
            example,
        };
        self.put(owner, AlertKind::Attack, address, row);
    }
}

impl WatchedOwner {
    fn watches(&self, family: Family, address: u128, asn: Option<u32>) -> bool {
        let next = self
            .ranges
            .partition_point(|range| (range.0, range.1) <= (family, address));
        let range = next.checked_sub(1).map(|before| self.ranges[before]);
        range.is_some_and(|range| range.0 == family && address <= range.2)
            || asn.is_some_and(|asn| self.asns.contains(&asn))
    }
}

/// A look at the rows of one owner.
struct OwnerLook<'l> {
    owner: &'l WatchedOwner,
    hour: Hour,
    origins: &'l OriginsOfDay<'l>,
}

impl OwnerLook<'_> {
    fn at_sources<A: Address>(&self, runs: &[Run<A>], seen: &mut Sighting) -> io::Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        if !self.owner.asns.is_empty() {
            let mut cursor = self.origins.cursor();
            return self.in_range(runs, None, None, seen, |source| {
                let asn = cursor.asn(source);
                self.owner.watches(A::FAMILY, source.number(), asn)
            });
        }
        for &(family, first, last) in &self.owner.ranges {
            if family == A::FAMILY {
                let end = last
                    .checked_add(1)
                    .filter(|_| last >> (A::BITS - 1) >> 1 == 0);
                let end = end.filter(|end| A::from_number(*end).number() == *end);
                let (from, to) = (A::from_number(first), end.map(A::from_number));
                self.in_range(runs, Some(from), to, seen, |_| true)?;
            }
        }
        Ok(())
    }

    /// Takes the sources of a range one by one, each with all its rows.
    fn in_range<'r, A: Address>(
        &self,
        runs: &'r [Run<A>],
        from: Option<A>,
        to: Option<A>,
        seen: &mut Sighting,
        mut is_watched: impl FnMut(A) -> bool,
    ) -> io::Result<()> {
        let mut rows: Vec<Merged<'r, A>> = Vec::new();
        merge_range(runs, from, to, |merged| {
            if rows
                .first()
                .is_some_and(|row| row.source() != merged.source())
            {
                self.take(&rows, seen);
                rows.clear();
            }
            if !rows.is_empty() || is_watched(merged.source()) {
                rows.push(merged);
            }
        })?;
        self.take(&rows, seen);
        Ok(())
    }

    /// Takes the rows of one source.
    fn take<A: Address>(&self, rows: &[Merged<'_, A>], seen: &mut Sighting) {
        let mut evidence = Evidence::default();
        rows.iter().for_each(|merged| evidence.add(merged.row()));
        let confirmed = evidence.decide();
        for merged in rows {
            let address = WatchedAddress::of(A::FAMILY, merged.source().number());
            let (tool, _) = confirmed.judge(merged.row());
            let row = || self.row(merged, tool);
            match merged.kind().class() {
                Class::Scan | Class::ReflectorScan => {
                    seen.add(self.owner, AlertKind::Scan, address, row());
                }
                Class::Exploit => seen.add(self.owner, AlertKind::Exploit, address, row()),
                Class::Malformed => seen.add(self.owner, AlertKind::Malformed, address, row()),
                Class::Spoofed => {
                    seen.put_impossible(self.owner, address, row());
                }
                // Replies are told of by their victims; stray packets say nothing against their sender.
                Class::Backscatter | Class::Misconfiguration | Class::Other => {}
            }
        }
    }

    fn row<A: Address>(&self, merged: &Merged<'_, A>, tool: Tool) -> WatchedRow {
        let (row, kind) = (merged.row(), merged.kind());
        let start_us = self.hour.start_us();
        let mut set = DestinationSet::new();
        match merged.view() {
            View::Estimated(registers) => set = DestinationSet::Estimated(Box::new(*registers)),
            few => few.each(|address| set.insert(address.number())),
        }
        let port = WatchedPort {
            protocol: kind.protocol(A::FAMILY),
            port: kind.port(),
        };
        let stack = StackSignature::from_bits(row.stack).map(|stack| stack.to_string());
        let stack = stack.unwrap_or_default();
        let address = WatchedAddress::of(A::FAMILY, merged.source().number());
        let mut example = format!(
            "{} {} to {}: {} packets to {} dark addresses",
            address.text(),
            kind.traffic_type(),
            service_text(port),
            row.packets,
            row.destinations
        );
        if !stack.is_empty() {
            example.push_str(&format!(", stack {stack}"));
        }
        let mark = kind.mark();
        WatchedRow {
            first_us: start_us + i64::from(row.first_us),
            last_us: start_us + i64::from(row.last_us),
            packets: row.packets,
            bytes: row.bytes,
            port,
            traffic_type: kind.traffic_type().name(),
            tool: if tool == Tool::None { "" } else { tool.name() },
            stack,
            set,
            is_marked: mark != Mark::None && mark.stands_alone(),
            is_request: kind.class() == Class::ReflectorScan,
            per_minute: 0,
            example,
        }
    }
}

/// `23/tcp`, or the protocol's number where it has no ports.
fn service_text(port: WatchedPort) -> String {
    let protocol = match port.protocol {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        1 => "icmp".to_owned(),
        58 => "icmpv6".to_owned(),
        number => format!("protocol {number}"),
    };
    match port.port {
        Some(port) => format!("{port}/{protocol}"),
        None => protocol,
    }
}
