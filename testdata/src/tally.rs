//! Exact counts of the packets, made while they are sent. Each thread has a tally; tallies are added. `truth.rs` names the counts.

use std::collections::BTreeMap;

use crate::clock::HOUR_US;
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::protocol;

/// A place for each port and one for packets without a port.
const PORT_PLACES: usize = 65_536 + 1;
const CLASSES: usize = Class::ALL.len();
const TOOLS: usize = Tool::ALL.len();

/// Distinct numbers of sources.
#[derive(Clone, Debug, Default)]
pub struct SourceSet {
    words: Vec<u64>,
}

impl SourceSet {
    fn insert(&mut self, number: u32, sources: usize) {
        if self.words.is_empty() {
            self.words = vec![0; sources.div_ceil(64)];
        }
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    fn add(&mut self, other: &SourceSet) {
        if self.words.is_empty() {
            self.words.clone_from(&other.words);
            return;
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A packet as the tally needs it.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// What was sent.
    pub sent: Sent,
    /// Number of the source; `None` in a flood, where each packet has its own.
    pub source: Option<u32>,
    /// Index of the source's country.
    pub country: u8,
    /// Time, microseconds.
    pub time_us: i64,
    /// Length on the wire.
    pub wire_bytes: u32,
    /// IP version.
    pub version: u8,
    /// Index of the planted family, and the member's address.
    pub family: Option<(usize, u32)>,
}

/// Packets by the addresses of members, by family and day.
pub type FamilyPackets = BTreeMap<(usize, i64), BTreeMap<u32, u64>>;

/// Everything that is counted.
#[derive(Clone, Debug)]
pub struct Tally {
    sources: usize,
    first_hour: i64,
    /// Records and their wire bytes.
    pub records: u64,
    /// Wire bytes of all records.
    pub record_bytes: u64,
    /// Observed packets.
    pub observed: u64,
    /// Wire bytes of the observed packets.
    pub bytes: u64,
    /// Packets to addresses that are not dark.
    pub outside: u64,
    /// Frames without IP.
    pub not_ip: u64,
    /// Packets with a damaged IPv4 header.
    pub damaged_ipv4: u64,
    /// Packets by type, class and tool.
    pub kinds: Vec<u64>,
    /// TCP packets by port.
    pub tcp_ports: Vec<u64>,
    /// UDP packets by port.
    pub udp_ports: Vec<u64>,
    /// Other packets by protocol and port.
    pub other_ports: BTreeMap<(u8, Option<u16>), u64>,
    /// Packets by protocol.
    pub protocols: Vec<u64>,
    /// IPv4 and IPv6 packets.
    pub families: [u64; 2],
    /// Packets by country.
    pub countries: Vec<u64>,
    /// Packets by hour since the first.
    pub hours: Vec<u64>,
    /// Packets of numbered sources by hour.
    pub numbered_hours: Vec<u64>,
    /// The same by class.
    pub numbered_classes: Vec<u64>,
    /// Sources of the whole capture.
    pub all_sources: SourceSet,
    /// Sources by hour.
    pub hour_sources: Vec<SourceSet>,
    /// Sources by class.
    pub class_sources: Vec<SourceSet>,
    /// Rows of the finest table, when they are counted.
    pub rows: Option<Vec<u128>>,
    /// Packets of planted families; days since 1970-01-01 UTC.
    pub planted: FamilyPackets,
}

impl Tally {
    /// A tally for `sources` sources from `start_us` on.
    #[must_use]
    pub fn new(sources: usize, start_us: i64, span_us: i64, count_rows: bool) -> Self {
        let first_hour = start_us.div_euclid(HOUR_US);
        let hours = ((start_us + span_us - 1).div_euclid(HOUR_US) - first_hour + 1) as usize;
        Tally {
            sources,
            first_hour,
            records: 0,
            record_bytes: 0,
            observed: 0,
            bytes: 0,
            outside: 0,
            not_ip: 0,
            damaged_ipv4: 0,
            kinds: vec![0; TrafficType::ALL.len() * CLASSES * TOOLS],
            tcp_ports: vec![0; PORT_PLACES],
            udp_ports: vec![0; PORT_PLACES],
            other_ports: BTreeMap::new(),
            protocols: vec![0; 256],
            families: [0; 2],
            countries: vec![0; 256],
            hours: vec![0; hours],
            numbered_hours: vec![0; hours],
            numbered_classes: vec![0; CLASSES],
            all_sources: SourceSet::default(),
            hour_sources: vec![SourceSet::default(); hours],
            class_sources: vec![SourceSet::default(); CLASSES],
            rows: count_rows.then(Vec::new),
            planted: FamilyPackets::new(),
        }
    }

    /// Counts a record of `wire_bytes`.
    pub fn record(&mut self, wire_bytes: u32) {
        self.records += 1;
        self.record_bytes += u64::from(wire_bytes);
    }

    /// Counts an observed packet.
    pub fn observe(&mut self, packet: &Counted) {
        let sent = &packet.sent;
        self.observed += 1;
        self.bytes += u64::from(packet.wire_bytes);
        let kind = kind_index(sent.traffic_type, sent.class, sent.tool);
        self.kinds[kind] += 1;
        let place = sent.port.map_or(PORT_PLACES - 1, usize::from);
        match sent.protocol {
            protocol::TCP => self.tcp_ports[place] += 1,
            protocol::UDP => self.udp_ports[place] += 1,
            other => *self.other_ports.entry((other, sent.port)).or_default() += 1,
        }
        self.protocols[usize::from(sent.protocol)] += 1;
        self.families[usize::from(packet.version == 6)] += 1;
        self.countries[usize::from(packet.country)] += 1;
        let hour = (packet.time_us.div_euclid(HOUR_US) - self.first_hour) as usize;
        self.hours[hour] += 1;
        if let Some((family, address)) = packet.family {
            let day = packet.time_us.div_euclid(24 * HOUR_US);
            let members = self.planted.entry((family, day)).or_default();
            *members.entry(address).or_default() += 1;
        }
        let Some(source) = packet.source else {
            return;
        };
        self.numbered_hours[hour] += 1;
        self.numbered_classes[sent.class as usize] += 1;
        self.all_sources.insert(source, self.sources);
        self.hour_sources[hour].insert(source, self.sources);
        self.class_sources[sent.class as usize].insert(source, self.sources);
        if let Some(rows) = &mut self.rows {
            rows.push(
                (hour as u128) << 96
                    | u128::from(source) << 64
                    | (kind as u128) << 32
                    | u128::from(sent.protocol) << 20
                    | place as u128,
            );
        }
    }

    /// Packets of forged sources.
    #[must_use]
    pub fn forged(&self) -> u64 {
        self.observed - self.numbered_hours.iter().sum::<u64>()
    }

    /// Adds another thread's counts.
    pub fn add(&mut self, other: Tally) {
        self.records += other.records;
        self.record_bytes += other.record_bytes;
        self.observed += other.observed;
        self.bytes += other.bytes;
        self.outside += other.outside;
        self.not_ip += other.not_ip;
        self.damaged_ipv4 += other.damaged_ipv4;
        add_all(&mut self.kinds, &other.kinds);
        add_all(&mut self.tcp_ports, &other.tcp_ports);
        add_all(&mut self.udp_ports, &other.udp_ports);
        add_all(&mut self.protocols, &other.protocols);
        add_all(&mut self.families, &other.families);
        add_all(&mut self.countries, &other.countries);
        add_all(&mut self.hours, &other.hours);
        add_all(&mut self.numbered_hours, &other.numbered_hours);
        add_all(&mut self.numbered_classes, &other.numbered_classes);
        for (key, count) in other.other_ports {
            *self.other_ports.entry(key).or_default() += count;
        }
        for (day, members) in other.planted {
            let mine = self.planted.entry(day).or_default();
            for (address, count) in members {
                *mine.entry(address).or_default() += count;
            }
        }
        self.all_sources.add(&other.all_sources);
        add_sets(&mut self.hour_sources, &other.hour_sources);
        add_sets(&mut self.class_sources, &other.class_sources);
        if let (Some(mine), Some(theirs)) = (&mut self.rows, other.rows) {
            mine.extend(theirs);
        }
    }
}

fn add_all(mine: &mut [u64], theirs: &[u64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}

fn add_sets(mine: &mut [SourceSet], theirs: &[SourceSet]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.add(theirs);
    }
}

fn kind_index(traffic_type: TrafficType, class: Class, tool: Tool) -> usize {
    (traffic_type as usize * CLASSES + class as usize) * TOOLS + tool as usize
}

/// What [`Tally::kinds`] counts at `index`.
#[must_use]
pub fn kind_at(index: usize) -> (TrafficType, Class, Tool) {
    (
        TrafficType::ALL[index / (CLASSES * TOOLS)],
        Class::ALL[index / TOOLS % CLASSES],
        Tool::ALL[index % TOOLS],
    )
}
