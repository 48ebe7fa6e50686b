//! The answer to a question: tallies of the period by every kind, its hours with their state, and problems of the data.
//!
//! Tallies of parts of a period merge: counts add, sketches merge. Nothing here opens a file.

use std::collections::{BTreeMap, BTreeSet};

use teiten_aggregator::counter::Counts;
use teiten_observation::{Class, Tool, TrafficType};

use super::DamagedFile;
use super::distinct::SourceSketch;
use super::event::{Event, Tested};
use super::port_days::DayPorts;
use super::port_map::PortMap;
use super::rolled_up::RolledUp;
use super::survey::Survey;
pub(crate) use super::tally::TalliedPort;
pub use super::tally::{
    Day, Map, Port, PortDay, PortRole, PortTotals, Protocol, SourceGroup, Tally,
};
use crate::period::ReportPeriod;
use crate::series::{Buckets, CoverageState};
use crate::supplied::Supplied;

/// Classes, in the order of their codes.
pub const CLASSES: usize = Class::ALL.len();
/// Days after its last hour for which a silent sensor is still expected to observe; after that it counts as out of service.
pub const SERVICE_DAYS: i64 = 28;
/// Seconds in an hour.
pub const HOUR_SECONDS: i64 = 3600;

/// One hour of the period.
#[derive(Clone, Debug, Default)]
pub struct HourTally {
    /// Observed seconds of each sensor, at most 3600.
    pub seconds: BTreeMap<String, i64>,
    /// Dark IPv4 addresses × observed seconds, over the sensors whose size is known.
    pub address_seconds: i128,
    /// The same if every sensor in service had observed the whole hour.
    pub expected_address_seconds: i128,
    /// Seconds that the sensors in service would have observed in the whole hour.
    pub expected_seconds: i64,
    /// The state of the hour; set when all its parts have been read.
    pub state: CoverageState,
    /// Packets by class, IPv4 and IPv6 together.
    pub classes: [i64; CLASSES],
    /// Packets by class, IPv6 alone.
    pub classes_ipv6: [i64; CLASSES],
    /// Packets by protocol.
    pub protocols: [i64; 4],
    /// Bytes.
    pub bytes: i64,
    /// Packets that `coverage` says were observed.
    pub observed: i64,
    /// Packets dropped by kernel and interface.
    pub dropped: i64,
}

impl HourTally {
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

    /// IPv4 packets of every class.
    #[must_use]
    pub fn packets_ipv4(&self) -> i64 {
        self.packets() - self.packets_ipv6()
    }

    /// IPv6 packets of every class.
    #[must_use]
    pub fn packets_ipv6(&self) -> i64 {
        self.classes_ipv6.iter().sum()
    }

    /// Seconds observed, summed over the sensors.
    #[must_use]
    pub fn seconds_of_sensors(&self) -> i64 {
        self.seconds.values().sum()
    }

    fn merge(&mut self, other: HourTally) {
        for (sensor, seconds) in other.seconds {
            *self.seconds.entry(sensor).or_default() += seconds;
        }
        self.address_seconds += other.address_seconds;
        for (mine, theirs) in self.classes_ipv6.iter_mut().zip(other.classes_ipv6) {
            *mine += theirs;
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

/// What became of the packets received: the counters of `coverage`, summed.
pub type Accounting = Counts<i64>;

/// One sensor over the period.
#[derive(Clone, Debug, Default)]
pub struct SensorTally {
    /// Packets, bytes and hosts (sources without victims and addresses that cannot exist).
    pub tally: Tally,
    /// First and last hour (since 1970-01-01 UTC) with coverage, as far as was read.
    pub service: Option<(i64, i64)>,
    /// Observed seconds.
    pub seconds: i64,
    /// Dark addresses × observed seconds, where the number of addresses is known.
    pub address_seconds: i128,
    /// Observed seconds in which the number of addresses is not known.
    pub seconds_without_size: i64,
    /// Least and most dark IPv4 addresses seen in `coverage`.
    pub addresses: Option<(i64, i64)>,
    /// Maximum dark IPv6 addresses seen there: as a floating-point number, in which powers of two such as 2^80 are exact.
    pub addresses_ipv6: f64,
    /// Received packets and what became of them.
    pub accounting: Accounting,
}

impl SensorTally {
    fn merge(&mut self, other: &SensorTally) {
        self.tally.merge(&other.tally);
        if let Some((first, last)) = other.service {
            self.saw_hours(first, last);
        }
        self.seconds += other.seconds;
        self.address_seconds += other.address_seconds;
        self.seconds_without_size += other.seconds_without_size;
        if let Some((low, high)) = other.addresses {
            self.saw_addresses(low, high);
        }
        self.addresses_ipv6 = self.addresses_ipv6.max(other.addresses_ipv6);
        self.accounting.add(&other.accounting);
    }

    pub(crate) fn saw_hours(&mut self, first: i64, last: i64) {
        let (earliest, latest) = self.service.unwrap_or((first, last));
        self.service = Some((earliest.min(first), latest.max(last)));
    }

    /// Whether the sensor is expected to observe an hour: from its first one until [`SERVICE_DAYS`] after its last.
    #[must_use]
    pub fn serves(&self, hour: i64) -> bool {
        self.service
            .is_some_and(|(first, last)| (first..=last + SERVICE_DAYS * 24).contains(&hour))
    }

    pub(crate) fn saw_addresses(&mut self, low: i64, high: i64) {
        let (least, most) = self.addresses.unwrap_or((low, high));
        self.addresses = Some((least.min(low), most.max(high)));
    }
}

/// [`Answer::metadata`], [`Answer::geolocation`] and [`Answer::damaged`].
pub(crate) type FileNotes = (
    BTreeMap<String, BTreeSet<String>>,
    BTreeSet<[String; 3]>,
    Vec<DamagedFile>,
);

/// The ports of a day that is still being read.
pub(crate) type OpenDay = Map<TalliedPort, Tally>;

/// What a period is compared with.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// The period before, of the same kind.
    pub previous: Option<Box<Answer>>,
    /// The same period a year before.
    pub year_before: Option<Box<Answer>>,
    /// The [`SERVICE_DAYS`] days before the period.
    pub baseline: Option<Box<Answer>>,
}

/// Everything the figures draw.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The period.
    pub period: ReportPeriod,
    /// How charts cut it.
    pub buckets: Buckets,
    /// Each hour of the period, missing ones included.
    pub hours: Vec<HourTally>,
    /// Distinct hosts and distinct victims of each bucket.
    pub bucket_sources: Vec<[SourceSketch; 2]>,
    /// The days of the period, by [`Buckets::days`].
    pub days: Vec<Day>,
    /// The cut into days.
    pub day_buckets: Buckets,
    /// The ports that were asked for on each of the days.
    pub port_days: Vec<DayPorts>,
    pub(crate) open: BTreeMap<usize, OpenDay>,
    /// Ports of days whose hours were read; taken once all were.
    pub(crate) open_ports: OpenDay,
    /// Days that were read from what a rollup has summed up, by their places, each with its sensor.
    pub(crate) rolled_days: Vec<(usize, String)>,
    /// Results from single sources: survey scanners, infected hosts, concentration.
    pub survey: Survey,
    /// Named organisations, by packets and hosts.
    pub actors: BTreeMap<String, Tally>,
    /// The events found, in the order of their days.
    pub events: Vec<Event>,
    /// What the rule was tested on.
    pub tested: Tested,
    /// What a rollup has found.
    pub rolled_up: RolledUp,
    /// Data that the user supplied besides the dataset.
    pub supplied: Supplied,
    /// What the period is compared with.
    pub compared: Compared,
    /// By class, in the order of the codes.
    pub classes: Vec<Tally>,
    /// By traffic type, in the order of the codes.
    pub traffic_types: Vec<Tally>,
    /// By tool, in the order of the codes.
    pub tools: Vec<Tally>,
    /// IPv4 and IPv6.
    pub families: [Tally; 2],
    /// By group of sources and country.
    pub countries: Map<(SourceGroup, [u8; 2]), Tally>,
    /// By service and port; see [`Answer::ports_of`].
    pub(crate) ports: [PortMap<PortTotals>; PortRole::ALL.len()],
    /// By sensor; only those asked for.
    pub sensors: BTreeMap<String, SensorTally>,
    /// Every sensor of the period, requested or not.
    pub sensors_seen: BTreeSet<String>,
    /// Key-value metadata of the files: each key with its values.
    pub metadata: BTreeMap<String, BTreeSet<String>>,
    /// Geolocation data of all files: name, date (empty if unknown) and SHA-256.
    pub geolocation: BTreeSet<[String; 3]>,
    /// Packets of hours without coverage; they are left out.
    pub uncovered_packets: i64,
    /// Hours whose traffic and coverage disagree about the packets observed.
    pub disagreeing_hours: usize,
    /// Files that could not be read.
    pub damaged: Vec<DamagedFile>,
}

impl Answer {
    pub(crate) fn empty(period: ReportPeriod, buckets: Buckets) -> Self {
        let hours = period.hours();
        let day_buckets = Buckets::days(&period);
        Self {
            days: vec![Day::default(); day_buckets.ranges.len()],
            survey: Survey::new(day_buckets.ranges.len()),
            port_days: vec![DayPorts::default(); day_buckets.ranges.len()],
            day_buckets,
            open: BTreeMap::new(),
            open_ports: OpenDay::default(),
            rolled_days: Vec::new(),
            actors: BTreeMap::new(),
            events: Vec::new(),
            tested: Tested::default(),
            rolled_up: RolledUp::default(),
            supplied: Supplied::default(),
            compared: Compared::default(),
            hours: vec![HourTally::default(); (hours.end - hours.start) as usize],
            bucket_sources: vec![Default::default(); buckets.ranges.len()],
            period,
            buckets,
            classes: vec![Tally::default(); CLASSES],
            traffic_types: vec![Tally::default(); TrafficType::ALL.len()],
            tools: vec![Tally::default(); Tool::ALL.len()],
            families: Default::default(),
            countries: Map::default(),
            ports: Default::default(),
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
        for (mine, theirs) in self.days.iter_mut().zip(&other.days) {
            mine.hosts.merge(&theirs.hosts);
            mine.victims.merge(&theirs.victims);
        }
        for (mine, theirs) in self.port_days.iter_mut().zip(other.port_days) {
            // A day is closed by one worker alone.
            mine.merge(theirs);
        }
        for (day, ports) in other.open {
            let mine = self.open.entry(day).or_default();
            for (key, tally) in ports {
                mine.entry(key).or_insert_with(Tally::small).merge(&tally);
            }
        }
        self.survey.merge(other.survey);
        for (name, tally) in other.actors {
            self.actors.entry(name).or_default().merge(&tally);
        }
        merge_each(&mut self.classes, &other.classes);
        merge_each(&mut self.traffic_types, &other.traffic_types);
        merge_each(&mut self.tools, &other.tools);
        merge_each(&mut self.families, &other.families);
        for (key, tally) in other.countries {
            self.countries.entry(key).or_default().merge(&tally);
        }
        for (mine, theirs) in self.ports.iter_mut().zip(other.ports) {
            for (port, totals) in theirs {
                mine.at(port, PortTotals::default).add(&totals);
            }
        }
        for (key, tally) in other.open_ports {
            self.open_port(key).merge(&tally);
        }
        self.rolled_days.extend(other.rolled_days);
        for (name, tally) in other.sensors {
            self.sensors.entry(name).or_default().merge(&tally);
        }
        self.sensors_seen.extend(other.sensors_seen);
        self.uncovered_packets += other.uncovered_packets;
        self.merge_notes((other.metadata, other.geolocation, other.damaged));
    }

    /// Adds what other files say of themselves, and which could not be read.
    pub(crate) fn merge_notes(&mut self, (metadata, geolocation, damaged): FileNotes) {
        for (key, values) in metadata {
            self.metadata.entry(key).or_default().extend(values);
        }
        self.geolocation.extend(geolocation);
        self.damaged.extend(damaged);
    }

    fn open_port(&mut self, key: TalliedPort) -> &mut Tally {
        self.open_ports.entry(key).or_insert_with(Tally::small)
    }

    /// The ports of a role.
    #[must_use]
    pub const fn ports_of(&self, role: PortRole) -> &PortMap<PortTotals> {
        &self.ports[role as usize]
    }

    pub(crate) fn totals_of(&mut self, key: TalliedPort) -> &mut PortTotals {
        self.ports[key.role as usize].at(key.port, PortTotals::default)
    }

    /// Merges a day into the period once all its hours have been read: the sketches of ports are kept for one day at a time.
    pub(crate) fn close_day(&mut self, day: usize) {
        for (key, tally) in self.open.remove(&day).unwrap_or_default() {
            if key.role == PortRole::Asked {
                let hosts = tally.sources.estimate() as f32;
                self.port_days[day].set(key.port, key.family, tally.packets, hosts);
            }
            self.open_port(key).merge(&tally);
        }
    }

    /// Decides the state of every hour, once all of it was read. `before` are the sensors of the days before the period, so that the hours
    /// of a silent sensor count as missing, and those before a new sensor do not; hours that end after `as_of_us` are not over yet.
    pub(crate) fn decide_states(&mut self, as_of_us: i64, before: &BTreeMap<String, SensorTally>) {
        for (name, known) in before {
            if let Some((first, last)) = known.service {
                let sensor = self.sensors.entry(name.clone()).or_default();
                sensor.saw_hours(first, last);
                if let (None, Some((low, high))) = (sensor.addresses, known.addresses) {
                    sensor.saw_addresses(low, high);
                    sensor.addresses_ipv6 = known.addresses_ipv6;
                }
            }
        }
        let first_hour = self.period.hours().start;
        let mut disagreeing = 0;
        for (index, hour) in self.hours.iter_mut().enumerate() {
            let absolute = first_hour + index as i64;
            let expected = self
                .sensors
                .iter()
                .filter(|(_, sensor)| sensor.serves(absolute));
            let mut whole = true;
            for (name, sensor) in expected {
                hour.expected_seconds += HOUR_SECONDS;
                hour.expected_address_seconds +=
                    i128::from(sensor.addresses.map_or(0, |(_, high)| high) * HOUR_SECONDS);
                whole &= hour.seconds.get(name).copied().unwrap_or(0) >= HOUR_SECONDS;
            }
            let disagrees = hour.is_covered() && hour.observed != hour.packets();
            disagreeing += usize::from(disagrees);
            hour.state = if !hour.is_covered() {
                if (absolute + 1) * crate::period::HOUR_US > as_of_us {
                    CoverageState::NotYet
                } else {
                    CoverageState::Missing
                }
            } else if hour.dropped > 0 || disagrees {
                CoverageState::Lossy
            } else if whole {
                CoverageState::Complete
            } else {
                CoverageState::Partial
            };
        }
        self.disagreeing_hours = disagreeing;
    }

    /// Days that were read from what a rollup has summed up, of each sensor.
    #[must_use]
    pub const fn days_summed(&self) -> usize {
        self.rolled_days.len()
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
    pub fn group(&self, group: SourceGroup) -> Tally {
        let mut total = Tally::default();
        for (class, tally) in Class::ALL.iter().zip(&self.classes) {
            if SourceGroup::of(*class) == group {
                total.merge(tally);
            }
        }
        total
    }

    /// Hours in this state.
    #[must_use]
    pub fn hours_in(&self, state: CoverageState) -> usize {
        self.hours.iter().filter(|hour| hour.state == state).count()
    }

    /// Whether every hour was observed whole and without loss, and every file could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hours_in(CoverageState::Complete) + self.hours_in(CoverageState::NotYet)
            == self.hours.len()
            && self.damaged.is_empty()
            && self.uncovered_packets == 0
    }

    /// The account of received packets over all sensors.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        let mut total = Accounting::default();
        for sensor in self.sensors.values() {
            total.add(&sensor.accounting);
        }
        total
    }

    /// Whether the period is not over yet.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.hours_in(CoverageState::NotYet) > 0
    }

    /// Dark IPv4 addresses × hours observed; `None` if a sensor's size is unknown.
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
