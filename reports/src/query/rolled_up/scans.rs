//! Scan events of the table `scans`, summed by port: a telescope of a /16 has millions of scan events in a month, and a report prints none of them alone.

use crate::query::port_map::PortMap;

/// Scan events of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanPort {
    /// Events.
    pub events: i64,
    /// Events that reached a large share of the dark addresses.
    pub large: i64,
    /// Packets.
    pub packets: i64,
    /// Packets of large events.
    pub large_packets: i64,
}

impl ScanPort {
    pub(in crate::query) fn add(&mut self, packets: i64, large: bool) {
        self.events += 1;
        self.packets += packets;
        if large {
            self.large += 1;
            self.large_packets += packets;
        }
    }

    fn merge(&mut self, other: &ScanPort) {
        self.events += other.events;
        self.large += other.large;
        self.packets += other.packets;
        self.large_packets += other.large_packets;
    }
}

/// Scan events of the period.
#[derive(Clone, Debug, Default)]
pub struct ScanTally {
    /// All of them.
    pub all: ScanPort,
    /// By port.
    pub ports: PortMap<ScanPort>,
}

impl ScanTally {
    pub(in crate::query) fn merge(&mut self, other: ScanTally) {
        self.all.merge(&other.all);
        for (port, sums) in other.ports {
            self.ports.at(port, ScanPort::default).merge(&sums);
        }
    }
}

/// The word of events that reached a large share of the dark addresses.
pub const LARGE: &str = "large";
