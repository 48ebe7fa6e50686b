//! What a watched address did in a stretch of time: sums, and a few examples. Sums of any stretches add, in any order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::destinations::DestinationSet;
use crate::schema::BySource;
use crate::text::{hexadecimal, time};

/// Ports that a tally tells apart; packets to others are counted together.
const PORTS_MAX: usize = 256;
/// Ports that an alert names.
const PORTS_SHOWN: usize = 10;
/// Stack signatures and examples that a tally keeps.
const STACKS_MAX: usize = 4;
const EXAMPLES_MAX: usize = 5;

/// A service by protocol and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct WatchedPort {
    pub protocol: u8,
    pub port: Option<u16>,
}

/// Sums of a stretch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WatchedTally {
    /// First packet, microseconds since 1970-01-01 UTC.
    pub first_us: i64,
    /// Last packet.
    pub last_us: i64,
    pub packets: u64,
    pub bytes: u64,
    /// Packets by service.
    ports: Vec<(WatchedPort, u64)>,
    /// Packets of services that are not told apart.
    other_ports: u64,
    /// Packets by traffic type.
    pub types: BTreeMap<String, u64>,
    /// Packets by confirmed tool.
    pub tools: BTreeMap<String, u64>,
    stacks: BTreeSet<String>,
    /// Examples as text, with the time of their first packet.
    examples: BTreeSet<(i64, String)>,
    /// Dark addresses.
    #[serde(with = "set_text")]
    set: DestinationSet<u128>,
    /// Packets with a mark that no forged packet has.
    pub marked: u64,
    /// Requests to reflectors.
    pub requests: u64,
    /// The most packets in a minute, where minutes are known.
    pub per_minute_max: u64,
}

/// What a row adds to a tally.
#[derive(Clone, Debug)]
pub(super) struct WatchedRow {
    pub first_us: i64,
    pub last_us: i64,
    pub packets: u64,
    pub bytes: u64,
    pub port: WatchedPort,
    pub traffic_type: &'static str,
    /// Empty where no tool is confirmed.
    pub tool: &'static str,
    /// Empty where there is none.
    pub stack: String,
    pub set: DestinationSet<u128>,
    pub is_marked: bool,
    pub is_request: bool,
    /// Zero where minutes are not known.
    pub per_minute: u64,
    /// As text, without its time.
    pub example: String,
}

impl WatchedTally {
    pub(super) fn of(row: WatchedRow) -> Self {
        let counted = |name: &str| {
            let name = (!name.is_empty()).then(|| (name.to_owned(), row.packets));
            name.into_iter().collect()
        };
        WatchedTally {
            first_us: row.first_us,
            last_us: row.last_us,
            packets: row.packets,
            bytes: row.bytes,
            ports: vec![(row.port, row.packets)],
            other_ports: 0,
            types: counted(row.traffic_type),
            tools: counted(row.tool),
            stacks: (!row.stack.is_empty())
                .then_some(row.stack)
                .into_iter()
                .collect(),
            examples: BTreeSet::from([(row.first_us, row.example)]),
            set: row.set,
            marked: if row.is_marked { row.packets } else { 0 },
            requests: if row.is_request { row.packets } else { 0 },
            per_minute_max: row.per_minute,
        }
    }

    pub(super) fn add(&mut self, other: &WatchedTally) {
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.other_ports = self.other_ports.saturating_add(other.other_ports);
        for (port, packets) in &other.ports {
            match self.ports.binary_search_by_key(port, |known| known.0) {
                Ok(place) => self.ports[place].1 = self.ports[place].1.saturating_add(*packets),
                Err(place) if self.ports.len() < PORTS_MAX => {
                    self.ports.insert(place, (*port, *packets));
                }
                Err(_) => self.other_ports = self.other_ports.saturating_add(*packets),
            }
        }
        for (ours, theirs) in [
            (&mut self.types, &other.types),
            (&mut self.tools, &other.tools),
        ] {
            for (name, packets) in theirs {
                let sum = ours.entry(name.clone()).or_default();
                *sum = sum.saturating_add(*packets);
            }
        }
        self.stacks.extend(other.stacks.iter().cloned());
        while self.stacks.len() > STACKS_MAX {
            self.stacks.pop_last();
        }
        self.examples.extend(other.examples.iter().cloned());
        while self.examples.len() > EXAMPLES_MAX {
            self.examples.pop_last();
        }
        self.set.merge(other.set.view());
        self.marked = self.marked.saturating_add(other.marked);
        self.requests = self.requests.saturating_add(other.requests);
        self.per_minute_max = self.per_minute_max.max(other.per_minute_max);
    }

    /// Distinct dark addresses.
    pub(super) fn destinations(&self) -> u64 {
        self.set.count()
    }

    /// The part of an alert's evidence that sums give.
    pub(super) fn evidence(&self) -> Value {
        let mut ports = self.ports.clone();
        ports.sort_by_key(|(port, packets)| (std::cmp::Reverse(*packets), *port));
        let named = ports.iter().take(PORTS_SHOWN);
        let named: Vec<Value> = named
            .map(|(it, packets)| json!({(BySource::NAMES.protocol): it.protocol, "port": it.port, "packets": packets}))
            .collect();
        let examples = self.examples.iter();
        let examples: Vec<String> = examples
            .map(|(first_us, text)| format!("{} {text}", time(*first_us)))
            .collect();
        json!({
            "ports": named,
            "port_count": ports.len() as u64 + u64::from(self.other_ports > 0),
            "traffic_types": self.types,
            "tools": self.tools,
            "stacks": self.stacks,
            "dark_addresses": self.destinations(),
            "wire_bytes": self.bytes,
            "samples": examples,
        })
    }
}

/// A set of destinations as hexadecimal digits of the bytes that runs on disk have.
mod set_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{DestinationSet, hexadecimal};

    pub(super) fn serialize<S: Serializer>(
        set: &DestinationSet<u128>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        set.view().write_to(&mut bytes);
        out.serialize_str(&hexadecimal(&bytes))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        input: D,
    ) -> Result<DestinationSet<u128>, D::Error> {
        let text = String::deserialize(input)?;
        let digits = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digits).collect();
        let bytes = bytes.ok_or_else(|| D::Error::custom("a set has other than digits"))?;
        DestinationSet::read_from(&mut &bytes[..]).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(port: u16, first_us: i64, destinations: std::ops::Range<u128>) -> WatchedTally {
        let mut set = DestinationSet::new();
        destinations.for_each(|address| set.insert(address));
        WatchedTally::of(WatchedRow {
            first_us,
            last_us: first_us + 5,
            packets: 2,
            bytes: 120,
            port: WatchedPort {
                protocol: 6,
                port: Some(port),
            },
            traffic_type: "tcp-syn",
            tool: "mirai",
            stack: String::new(),
            set,
            is_marked: true,
            is_request: false,
            per_minute: 0,
            example: format!("port {port}"),
        })
    }

    #[test]
    fn tallies_add_in_any_order_and_survive_their_text() {
        let rows = [row(23, 7, 0..3), row(2323, 1, 2..5), row(23, 90, 0..200)];
        let sum = |order: [usize; 3]| {
            let mut sum = rows[order[0]].clone();
            sum.add(&rows[order[1]]);
            sum.add(&rows[order[2]]);
            sum
        };
        let all = sum([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(sum(order), all);
        }
        assert_eq!((all.packets, all.first_us, all.last_us), (6, 1, 95));
        let evidence = all.evidence();
        assert_eq!(evidence["ports"][0]["port"], 23);
        assert_eq!(evidence["tools"]["mirai"], 6);
        assert_eq!(
            evidence["samples"][0],
            "1970-01-01T00:00:00.000001Z port 2323"
        );
        let text = serde_json::to_string(&all).expect("as text");
        assert_eq!(
            serde_json::from_str::<WatchedTally>(&text).expect("own text"),
            all
        );
    }

    #[test]
    fn ports_beyond_the_limit_are_counted_together() {
        let mut sum = row(0, 0, 0..1);
        (1..300).for_each(|port| sum.add(&row(port, 0, 0..1)));
        let counted: u64 = sum.ports.iter().map(|(_, packets)| packets).sum();
        assert_eq!(
            (sum.ports.len(), counted + sum.other_ports),
            (PORTS_MAX, 600)
        );
    }
}
