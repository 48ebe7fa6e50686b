//! Events: ports that far more hosts probed on a day than expected from the days before. `detect.rs` finds them.

use std::collections::BTreeMap;
use std::ops::Range;

use teiten_observation::{Family, Tool};

use super::distinct::SourceSketch;
use super::tally::{Map, Port};

/// Most cards of a report; the table has all events.
pub const CARDS_MAX: usize = 12;
/// Ports tested a day and IP version: every port of TCP and of UDP, probed or not.
pub const PORTS_TESTED: usize = 2 * 65_536;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A port that was probed before.
    Spike,
    /// A port that fewer than one host a day probed before.
    New,
}

impl EventKind {
    /// Name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Spike => "spike",
            EventKind::New => "new-port",
        }
    }
}

/// One event: a port over consecutive days that the rule found.
#[derive(Clone, Debug)]
pub struct Event {
    /// IP version of its hosts.
    pub family: Family,
    /// The port.
    pub port: Port,
    /// New or spike.
    pub kind: EventKind,
    /// Its days, by index in the period.
    pub days: Range<usize>,
    /// The day with most hosts.
    pub peak: usize,
    /// Hosts on that day.
    pub hosts: f64,
    /// Median hosts of the 28 days before, scaled to that day's exposure.
    pub median: f64,
    /// Dispersion of these days.
    pub dispersion: f64,
    /// Natural logarithm of the probability of as many hosts by chance.
    pub tail_ln: f64,
    /// Details from the tables of its days.
    pub detail: EventDetail,
}

/// Details from the tables of the event's days: scans, reflector scans and exploits of its IP version.
#[derive(Clone, Debug, Default)]
pub struct EventDetail {
    /// Packets of each hour, from the first hour of its first day.
    pub hours: Vec<i64>,
    /// Packets.
    pub packets: i64,
    /// Distinct hosts over its days.
    pub hosts: SourceSketch,
    /// By country.
    pub countries: BTreeMap<[u8; 2], (i64, SourceSketch)>,
    /// Packets by tool.
    pub tools: [i64; Tool::ALL.len()],
    /// Packets by sensor that observed in these days.
    pub sensors: BTreeMap<String, i64>,
    /// Hosts a day by network, summed over the days.
    pub networks: Map<i64, i64>,
}

impl EventDetail {
    /// Adds what other rows of the same event tell.
    pub(crate) fn merge(&mut self, other: &EventDetail) {
        for (mine, theirs) in self.hours.iter_mut().zip(&other.hours) {
            *mine += theirs;
        }
        self.packets += other.packets;
        self.hosts.merge(&other.hosts);
        for (code, (packets, hosts)) in &other.countries {
            let mine = self.countries.entry(*code).or_default();
            mine.0 += packets;
            mine.1.merge(hosts);
        }
        for (mine, theirs) in self.tools.iter_mut().zip(other.tools) {
            *mine += theirs;
        }
        for (name, packets) in &other.sensors {
            *self.sensors.entry(name.clone()).or_default() += packets;
        }
        for (network, hosts) in &other.networks {
            *self.networks.entry(*network).or_default() += hosts;
        }
    }
}

/// What was tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// Days of the period that could be tested for hosts of IPv4.
    pub days_ipv4: usize,
    /// The same for hosts of IPv6.
    pub days_ipv6: usize,
    /// Port-days that the rule found.
    pub findings: usize,
}

impl Tested {
    /// Whether any day could be tested.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.days_ipv4 + self.days_ipv6 > 0
    }

    /// Tests made: every port of every day and IP version.
    #[must_use]
    pub const fn tests(&self) -> usize {
        (self.days_ipv4 + self.days_ipv6) * PORTS_TESTED
    }
}
