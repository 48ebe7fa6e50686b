//! Events: ports that far more hosts asked for on a day than the days before let expect. `detect.rs` finds them.

use std::collections::BTreeMap;
use std::ops::Range;

use teiten_observation::Tool;

use super::distinct::SourceSketch;
use super::tally::{Map, Port};

/// Cards of a report: the rest is in the table.
pub const CARDS_MAX: usize = 12;
/// Ports tested a day: every port of TCP and of UDP, asked for or not.
pub const PORTS_TESTED: usize = 2 * 65_536;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A port that was asked for before.
    Spike,
    /// A port that fewer than one host a day asked for before.
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
    /// Median hosts of the 28 days before, at that day's exposure.
    pub median: f64,
    /// Dispersion of these days.
    pub dispersion: f64,
    /// Natural logarithm of the probability of as many hosts by chance.
    pub tail_ln: f64,
    /// What the tables of its days tell.
    pub detail: EventDetail,
}

/// What the tables of an event's days tell; IPv4 scans, reflector scans and exploits.
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

/// What was tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// Days of the period that could be tested.
    pub days: usize,
    /// Port-days that the rule found.
    pub findings: usize,
}
