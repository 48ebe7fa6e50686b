//! Results of a day that need single sources: which of them are survey scanners (ports a day, named organisation), which look infected, and
//! how concentrated the packets are. `sources.rs` reads them from the table.

use super::tally::{Map, Port};

/// From this many packets on, a host is hardly counted twice because its address changed.
pub const SEVERAL_PACKETS: i64 = 3;

/// A rule that calls a source of a day a survey scanner.
#[derive(Clone, Copy, Debug)]
pub struct SurveyRule {
    /// Name in files.
    pub name: &'static str,
    /// Least distinct ports in a day.
    pub ports: usize,
    /// Least packets in a day.
    pub packets: i64,
}

/// The published rules (NICTER, National Police Agency, JPCERT/CC), all of them because the share depends on the threshold.
pub const RULES: [SurveyRule; 4] = [
    SurveyRule {
        name: "ports-11",
        ports: 11,
        packets: 0,
    },
    SurveyRule {
        name: "ports-30",
        ports: 30,
        packets: 0,
    },
    SurveyRule {
        name: "ports-100",
        ports: 100,
        packets: 0,
    },
    SurveyRule {
        name: "ports-30-packets-300000",
        ports: 30,
        packets: 300_000,
    },
];
/// The rule of "without survey scans": named organisations, and [`RULES`] at this place.
pub const DEFAULT_RULE: usize = 1;

/// Hosts of a day that look infected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Infected {
    /// Hosts.
    pub hosts: i64,
    /// Hosts with [`SEVERAL_PACKETS`] and more.
    pub several: i64,
    /// Hosts of the network with most of them; zero if networks are unknown.
    pub largest_network: i64,
}

/// The survey statistics of one day's sources.
#[derive(Clone, Debug, Default)]
pub struct SurveyDay {
    /// Whether the day's `sources` were read.
    pub known: bool,
    /// Distinct IPv4 hosts that scan.
    pub hosts: i64,
    /// IPv4 packets of scans, reflector scans and exploits.
    pub packets: i64,
    /// Of these, packets of the sources each of [`RULES`] names.
    pub rule_packets: [i64; RULES.len()],
    /// Sources each of [`RULES`] names.
    pub rule_hosts: [i64; RULES.len()],
    /// Packets of named organisations.
    pub named_packets: i64,
    /// Packets of sources that are named or fall under [`DEFAULT_RULE`].
    pub survey_packets: i64,
    /// Packets of the one percent of hosts that send most.
    pub top_packets: i64,
    /// With the fingerprint of Mirai, by country.
    pub mirai: Map<[u8; 2], Infected>,
    /// Without it, towards Telnet and other ports of devices, by country.
    pub devices: Map<[u8; 2], Infected>,
    /// The same two over all countries.
    pub world: [Infected; 2],
}

/// The days, and the ports without survey scans.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Each day of the period.
    pub days: Vec<SurveyDay>,
    /// IPv4 packets of survey scans to each port.
    pub ports: Map<Port, i64>,
}

impl Survey {
    pub(crate) fn new(days: usize) -> Self {
        Self {
            days: vec![SurveyDay::default(); days],
            ports: Map::default(),
        }
    }

    pub(crate) fn merge(&mut self, other: Survey) {
        for (mine, theirs) in self.days.iter_mut().zip(other.days) {
            // A day is read by one worker alone.
            if theirs.known {
                *mine = theirs;
            }
        }
        for (port, packets) in other.ports {
            *self.ports.entry(port).or_default() += packets;
        }
    }

    /// Whether any day's sources were read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.days.iter().any(|day| day.known)
    }

    /// A sum over the days.
    #[must_use]
    pub fn sum(&self, of: impl Fn(&SurveyDay) -> i64) -> i64 {
        self.days.iter().map(of).sum()
    }
}
