//! What a question gives back: tallies of the period by every kind, its hours with their state, and what was not right with the data.
//!
//! Tallies of parts of a period merge: counts add, distinct sets unite. Nothing here opens a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use teiten_aggregator::counter::Counts;
use teiten_observation::{Class, Tool, TrafficType};

use super::DamagedFile;
use super::distinct::{Distinct, LG_K_SMALL};
use crate::period::Period;
use crate::series::{Buckets, State};

/// Classes, in the order of their codes.
pub const CLASSES: usize = Class::ALL.len();
/// Seconds in an hour.
pub const HOUR_SECONDS: i64 = 3600;

/// Packets, bytes and distinct sources of one kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Packets.
    pub packets: i64,
    /// Bytes on the wire.
    pub bytes: i64,
    /// Distinct sources, estimated.
    pub sources: Distinct,
}

impl Tally {
    fn small() -> Self {
        Self {
            sources: Distinct::new(LG_K_SMALL),
            ..Self::default()
        }
    }

    /// Adds another tally of the same kind.
    pub fn merge(&mut self, other: &Tally) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.sources.merge(&other.sources);
    }
}

/// What a source is, by the class of its packets: hosts are counted without those that only answer or cannot exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// The source sent the packet of its own accord: a host that probes, attacks or errs.
    Host,
    /// The source answered packets forged with our addresses: a victim of an attack.
    Victim,
    /// The source address says nothing: spoofed or damaged.
    Void,
}

impl Group {
    /// The group of a class.
    #[must_use]
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Backscatter => Group::Victim,
            Class::Spoofed | Class::Malformed => Group::Void,
            _ => Group::Host,
        }
    }
}

/// Whom a port is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Asked for by a scan or an exploit.
    Probed,
    /// Asked for by a reflector scan.
    Reflector,
    /// Attacked, as its backscatter shows.
    Attacked,
}

impl Service {
    /// The kind of service that packets of a class ask for, if any.
    #[must_use]
    pub const fn of(class: Class) -> Option<Self> {
        match class {
            Class::Scan | Class::Exploit => Some(Service::Probed),
            Class::ReflectorScan => Some(Service::Reflector),
            Class::Backscatter => Some(Service::Attacked),
            _ => None,
        }
    }
}

/// An IP protocol and the port within it, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// IANA protocol number.
    pub protocol: u8,
    /// Port; none where the protocol has none.
    pub port: Option<u16>,
}

/// The protocols that daily lines tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// ICMP and ICMPv6
    Icmp,
    /// every other one
    Other,
}

impl Protocol {
    /// Every member.
    pub const ALL: [Protocol; 4] = [
        Protocol::Tcp,
        Protocol::Udp,
        Protocol::Icmp,
        Protocol::Other,
    ];

    /// The member of an IANA protocol number.
    #[must_use]
    pub const fn of(number: i32) -> Self {
        match number {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            1 | 58 => Protocol::Icmp,
            _ => Protocol::Other,
        }
    }
}

/// One hour of the period.
#[derive(Clone, Debug, Default)]
pub struct Hour {
    /// Observed seconds of each sensor, at most 3600.
    pub seconds: BTreeMap<String, i64>,
    /// What the hour is worth; set when all parts of the hour have been read.
    pub state: State,
    /// Packets by class.
    pub classes: [i64; CLASSES],
    /// Packets by protocol.
    pub protocols: [i64; 4],
    /// Bytes.
    pub bytes: i64,
    /// Packets that `coverage` says were observed.
    pub observed: i64,
    /// Packets dropped by kernel and interface.
    pub dropped: i64,
}

impl Hour {
    /// Whether anything was observed in it.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        !self.seconds.is_empty()
    }

    /// Packets of every class.
    #[must_use]
    pub fn packets(&self) -> i64 {
        self.classes.iter().sum()
    }

    /// Seconds in which at least one sensor observed, as far as the sums tell.
    #[must_use]
    pub fn seconds_covered(&self) -> i64 {
        self.seconds.values().copied().max().unwrap_or(0)
    }

    fn merge(&mut self, other: Hour) {
        for (sensor, seconds) in other.seconds {
            *self.seconds.entry(sensor).or_default() += seconds;
        }
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            *mine += theirs;
        }
        for (mine, theirs) in self.protocols.iter_mut().zip(other.protocols) {
            *mine += theirs;
        }
        self.bytes += other.bytes;
        self.observed += other.observed;
        self.dropped += other.dropped;
    }
}

/// Where the packets received went; the counters of `coverage`, summed.
pub type Accounting = Counts<i64>;

/// One sensor over the period.
#[derive(Clone, Debug, Default)]
pub struct SensorTally {
    /// Packets, bytes and sources.
    pub tally: Tally,
    /// Observed seconds.
    pub seconds: i64,
    /// Dark addresses × observed seconds, where the number of addresses is known.
    pub address_seconds: i128,
    /// Observed seconds in which the number of addresses is not known.
    pub seconds_without_size: i64,
    /// Least and most dark addresses seen in `coverage`.
    pub addresses: Option<(i64, i64)>,
    /// What came in and where it went.
    pub accounting: Accounting,
}

impl SensorTally {
    fn merge(&mut self, other: &SensorTally) {
        self.tally.merge(&other.tally);
        self.seconds += other.seconds;
        self.address_seconds += other.address_seconds;
        self.seconds_without_size += other.seconds_without_size;
        if let Some((low, high)) = other.addresses {
            self.saw_addresses(low, high);
        }
        self.accounting.add(&other.accounting);
    }

    pub(crate) fn saw_addresses(&mut self, low: i64, high: i64) {
        let (least, most) = self.addresses.unwrap_or((low, high));
        self.addresses = Some((least.min(low), most.max(high)));
    }
}

/// A map whose keys come from packets: seeded.
pub type Map<K, V> = HashMap<K, V, RandomState>;

/// Everything the figures draw.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The period.
    pub period: Period,
    /// How charts cut it.
    pub buckets: Buckets,
    /// Each hour of the period, missing ones included.
    pub hours: Vec<Hour>,
    /// Distinct hosts and distinct victims of each bucket.
    pub bucket_sources: Vec<[Distinct; 2]>,
    /// By class, in the order of the codes.
    pub classes: Vec<Tally>,
    /// By traffic type, in the order of the codes.
    pub traffic_types: Vec<Tally>,
    /// By tool, in the order of the codes.
    pub tools: Vec<Tally>,
    /// IPv4 and IPv6.
    pub families: [Tally; 2],
    /// By what the source is and its country.
    pub countries: Map<(Group, [u8; 2]), Tally>,
    /// By service and port.
    pub ports: Map<(Service, Port), Tally>,
    /// By sensor; only those asked for.
    pub sensors: BTreeMap<String, SensorTally>,
    /// Every sensor there is in the period, asked for or not.
    pub sensors_seen: BTreeSet<String>,
    /// Key-value metadata of the files: each key with its values.
    pub metadata: BTreeMap<String, BTreeSet<String>>,
    /// Geolocation data behind any file: name, date (empty where unknown) and SHA-256.
    pub geolocation: BTreeSet<[String; 3]>,
    /// Packets of hours that no coverage tells of; they are left out.
    pub uncovered_packets: i64,
    /// Hours whose traffic and coverage disagree about the packets observed.
    pub disagreeing_hours: usize,
    /// Files that could not be read.
    pub damaged: Vec<DamagedFile>,
}

impl Answer {
    pub(crate) fn empty(period: Period, buckets: Buckets) -> Self {
        let hours = period.hours();
        Self {
            hours: vec![Hour::default(); (hours.end - hours.start) as usize],
            bucket_sources: vec![Default::default(); buckets.ranges.len()],
            period,
            buckets,
            classes: vec![Tally::default(); CLASSES],
            traffic_types: vec![Tally::default(); TrafficType::ALL.len()],
            tools: vec![Tally::default(); Tool::ALL.len()],
            families: Default::default(),
            countries: Map::default(),
            ports: Map::default(),
            sensors: BTreeMap::new(),
            sensors_seen: BTreeSet::new(),
            metadata: BTreeMap::new(),
            geolocation: BTreeSet::new(),
            uncovered_packets: 0,
            disagreeing_hours: 0,
            damaged: Vec::new(),
        }
    }

    /// Adds another part of the same period.
    pub(crate) fn merge(&mut self, other: Answer) {
        for (mine, theirs) in self.hours.iter_mut().zip(other.hours) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.bucket_sources.iter_mut().zip(other.bucket_sources) {
            mine[0].merge(&theirs[0]);
            mine[1].merge(&theirs[1]);
        }
        merge_each(&mut self.classes, &other.classes);
        merge_each(&mut self.traffic_types, &other.traffic_types);
        merge_each(&mut self.tools, &other.tools);
        merge_each(&mut self.families, &other.families);
        for (key, tally) in other.countries {
            self.countries.entry(key).or_default().merge(&tally);
        }
        for (key, tally) in other.ports {
            self.port(key).merge(&tally);
        }
        for (name, tally) in other.sensors {
            self.sensors.entry(name).or_default().merge(&tally);
        }
        self.sensors_seen.extend(other.sensors_seen);
        for (key, values) in other.metadata {
            self.metadata.entry(key).or_default().extend(values);
        }
        self.geolocation.extend(other.geolocation);
        self.uncovered_packets += other.uncovered_packets;
        self.damaged.extend(other.damaged);
    }

    pub(crate) fn port(&mut self, key: (Service, Port)) -> &mut Tally {
        self.ports.entry(key).or_insert_with(Tally::small)
    }

    /// Decides the state of every hour, once all of it was read.
    pub(crate) fn settle_hours(&mut self) {
        let mut disagreeing = 0;
        for hour in &mut self.hours {
            let whole =
                |name: &String| hour.seconds.get(name).copied().unwrap_or(0) >= HOUR_SECONDS;
            let disagrees = hour.is_covered() && hour.observed != hour.packets();
            disagreeing += usize::from(disagrees);
            hour.state = if !hour.is_covered() {
                State::Missing
            } else if hour.dropped > 0 || disagrees {
                State::Lossy
            } else if self.sensors.keys().all(whole) {
                State::Complete
            } else {
                State::Partial
            };
        }
        self.disagreeing_hours = disagreeing;
    }

    /// Packets of the period.
    #[must_use]
    pub fn packets(&self) -> i64 {
        self.classes.iter().map(|tally| tally.packets).sum()
    }

    /// Bytes of the period.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        self.classes.iter().map(|tally| tally.bytes).sum()
    }

    /// Packets, bytes and distinct sources of the classes of a group.
    #[must_use]
    pub fn group(&self, group: Group) -> Tally {
        let mut total = Tally::default();
        for (class, tally) in Class::ALL.iter().zip(&self.classes) {
            if Group::of(*class) == group {
                total.merge(tally);
            }
        }
        total
    }

    /// Hours in this state.
    #[must_use]
    pub fn hours_in(&self, state: State) -> usize {
        self.hours.iter().filter(|hour| hour.state == state).count()
    }

    /// Whether every hour was observed whole and without loss, and every file could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hours_in(State::Complete) == self.hours.len()
            && self.damaged.is_empty()
            && self.uncovered_packets == 0
    }

    /// What was received and where it went, over all sensors.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        let mut total = Accounting::default();
        for sensor in self.sensors.values() {
            total.add(&sensor.accounting);
        }
        total
    }

    /// Dark addresses × hours really observed; none when a sensor's size is not known.
    #[must_use]
    pub fn address_hours(&self) -> Option<f64> {
        let known = self
            .sensors
            .values()
            .all(|sensor| sensor.seconds_without_size == 0);
        let total: i128 = self
            .sensors
            .values()
            .map(|sensor| sensor.address_seconds)
            .sum();
        (known && total > 0).then_some(total as f64 / HOUR_SECONDS as f64)
    }

    /// Values of a key of the files' metadata, joined.
    #[must_use]
    pub fn metadata_value(&self, key: &str) -> Option<String> {
        let values = self.metadata.get(key)?;
        let known: Vec<&str> = values
            .iter()
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

fn merge_each(mine: &mut [Tally], theirs: &[Tally]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.merge(theirs);
    }
}
