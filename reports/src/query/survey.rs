//! Results of single sources, day by day; `sources.rs` reads them from the tables.

pub use teiten_aggregator::survey::{
    DEFAULT_RULE, Infected, RULES, SEVERAL_PACKETS, SurveyDay, SurveyRule,
};

use super::port_map::PortMap;

/// The days, and the ports without survey scans.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Each day of the period.
    pub days: Vec<SurveyDay>,
    /// IPv4 packets of survey scans to each port.
    pub ports: PortMap<i64>,
}

impl Survey {
    pub(crate) fn new(days: usize) -> Self {
        Self {
            days: vec![SurveyDay::default(); days],
            ports: PortMap::default(),
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
            *self.ports.at(port, || 0) += packets;
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
