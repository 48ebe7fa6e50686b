//! Tallies of packets, bytes and sources, and the kinds that they are counted by: groups of sources, services, ports, protocols.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use teiten_observation::{Class, Family};

use super::distinct::{LG_K_SMALL, SourceSketch};

/// A map with a seeded hash, because its keys come from packets.
pub type Map<K, V> = HashMap<K, V, RandomState>;

/// Packets, bytes and distinct sources of one kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Packets, IPv4 and IPv6 together.
    pub packets: i64,
    /// IPv6 packets among them.
    pub packets_ipv6: i64,
    /// Bytes on the wire.
    pub bytes: i64,
    /// Distinct sources, estimated.
    pub sources: SourceSketch,
}

impl Tally {
    /// IPv4 packets, which rates divide by addresses.
    #[must_use]
    pub const fn packets_ipv4(&self) -> i64 {
        self.packets - self.packets_ipv6
    }

    pub(crate) fn small() -> Self {
        Self {
            sources: SourceSketch::new(LG_K_SMALL),
            ..Self::default()
        }
    }

    /// Adds another tally of the same kind.
    pub fn merge(&mut self, other: &Tally) {
        self.packets += other.packets;
        self.packets_ipv6 += other.packets_ipv6;
        self.bytes += other.bytes;
        self.sources.merge(&other.sources);
    }
}

/// What a source is, by the class of its packets: hosts are counted without those that only answer or cannot exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceGroup {
    /// The source sent the packet itself: a host that probes, attacks or is misconfigured.
    Host,
    /// The source answered packets forged with our addresses: a victim of an attack.
    Victim,
    /// The source address is meaningless: spoofed or damaged.
    Void,
}

impl SourceGroup {
    /// The group of a class.
    #[must_use]
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Backscatter => SourceGroup::Victim,
            Class::Spoofed | Class::Malformed => SourceGroup::Void,
            _ => SourceGroup::Host,
        }
    }
}

pub use teiten_aggregator::schema::PortRole;

/// Packets, bytes and distinct hosts (of attacked ports: victims) of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PortTotals {
    /// Packets, IPv4 and IPv6 together.
    pub packets: i64,
    /// IPv6 packets among them.
    pub packets_ipv6: i64,
    /// Bytes on the wire.
    pub bytes: i64,
    /// Distinct IPv4 sources, estimated; 0 in a period that is compared with.
    pub hosts_ipv4: f64,
    /// The same over IPv6.
    pub hosts_ipv6: f64,
}

impl PortTotals {
    /// Adds packets and bytes of other rows. Hosts do not add up.
    pub(crate) fn add(&mut self, other: &PortTotals) {
        self.packets += other.packets;
        self.packets_ipv6 += other.packets_ipv6;
        self.bytes += other.bytes;
    }

    /// Adds packets and bytes of an IP version.
    pub(crate) fn add_packets(&mut self, family: Family, [packets, bytes]: [i64; 2]) {
        self.packets += packets;
        self.bytes += bytes;
        if family == Family::Ipv6 {
            self.packets_ipv6 += packets;
        }
    }

    /// Sets the hosts of an IP version.
    pub(crate) const fn set_hosts(&mut self, family: Family, hosts: f64) {
        match family {
            Family::Ipv4 => self.hosts_ipv4 = hosts,
            Family::Ipv6 => self.hosts_ipv6 = hosts,
        }
    }

    /// Hosts of both IP versions: no address is of both.
    #[must_use]
    pub fn hosts(&self) -> f64 {
        self.hosts_ipv4 + self.hosts_ipv6
    }

    /// IPv4 packets, which rates divide by addresses.
    #[must_use]
    pub const fn packets_ipv4(&self) -> i64 {
        self.packets - self.packets_ipv6
    }
}

/// An IP protocol and the port within it, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// IANA protocol number.
    pub protocol: u8,
    /// Port; `None` if the protocol has none.
    pub port: Option<u16>,
}

/// What the hosts of a port are counted by: those of IPv4 and of IPv6 are never compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TalliedPort {
    pub family: Family,
    pub role: PortRole,
    pub port: Port,
}

/// The IP version of a number in a column.
pub(crate) const fn family_of(ip_version: i32) -> Family {
    match ip_version {
        6 => Family::Ipv6,
        _ => Family::Ipv4,
    }
}

/// The protocols that daily lines show.
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

/// One day of the timezone.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// Distinct hosts.
    pub hosts: SourceSketch,
    /// Distinct victims.
    pub victims: SourceSketch,
}

/// A port on one day: what scans, reflector scans and exploits asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PortDay {
    /// IPv4 packets.
    pub packets: i64,
    /// Distinct IPv4 hosts, estimated.
    pub hosts_ipv4: f32,
    /// Distinct IPv6 hosts, estimated.
    pub hosts_ipv6: f32,
}
