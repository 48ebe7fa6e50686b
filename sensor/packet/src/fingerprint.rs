//! The marks that scan tools leave in the headers of a probe. Which there are stands in `table.rs`, one row each.
//!
//! A row tells what a single packet bears. Whether the mark stands is decided over a source's packets when its hour closes (the
//! aggregator's `evidence.rs`): a match of 16 bits alone is a coincidence once in 65,536 packets, and Nmap and Unicornscan show only
//! in two packets of one source, to which each SYN contributes its pair value.

mod options;
mod shape;
mod table;

use teiten_observation::Mark;
use teiten_observation::StackSignature;
use teiten_observation::{Address, Family, Tool, TrafficType};

use crate::decode::{Packet, Tcp, Transport};
use shape::*;
pub use shape::{initial_time_to_live, masscan_shape, nmap_invariant, unicornscan_invariant};
pub use table::{KEYED, Probes, TOOLS, ToolMark, row_of};

/// The fields of a probe that tools leave their marks in. IPv4 only: no IPv6 tool has a mark of its own in one packet.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Destination address.
    pub destination: u32,
    /// Source port; 0 where there is none.
    pub source_port: u16,
    /// Destination port; 0 where there is none.
    pub destination_port: u16,
    /// Identification of the IP header.
    pub identification: u16,
    /// Sequence number of a SYN, initiate tag of an SCTP INIT, else 0.
    pub sequence: u32,
    /// Window of a SYN, else 0.
    pub window: u16,
    /// Time to live on arrival.
    pub time_to_live: u8,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
    /// Length by the IP header, bytes.
    pub ip_length_bytes: u32,
    /// TCP options of a SYN; none where they were not all captured.
    pub options: Option<&'a [u8]>,
    /// Whether it is a SYN.
    pub is_syn: bool,
}

/// What a packet shows of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Its mark.
    pub mark: Mark,
    /// What two SYNs of one run of Nmap or Unicornscan share; 0 for packets that are no SYN.
    pub pair: u32,
}

impl Traces {
    /// Nothing.
    pub const NONE: Traces = Traces {
        mark: Mark::None,
        pair: 0,
    };
}

/// The traces in a packet of this type: the mark is the first in the order of [`TOOLS`].
///
/// The tests are called by name, in the table's order, so that the compiler puts them in place: through the table the calls and
/// the probe's way through memory cost three times as much as the rest of the classification. A property test holds it to the table.
#[inline(always)]
#[must_use]
pub fn traces<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> Traces {
    if A::FAMILY != Family::Ipv4 {
        return Traces::NONE;
    }
    if let (TrafficType::TcpSyn, Transport::Tcp(tcp)) = (traffic_type, &packet.transport) {
        let probe = syn_probe(packet, tcp);
        let mark = syn_mark(&probe);
        return Traces {
            mark,
            pair: pair(&probe, mark),
        };
    }
    if !Probes::SynUdpIcmp.contain(traffic_type) && traffic_type != TrafficType::Sctp {
        return Traces::NONE;
    }
    Traces {
        mark: rare_mark(packet, traffic_type),
        pair: 0,
    }
}

#[inline(always)]
fn syn_mark(probe: &Probe) -> Mark {
    // All of it is told by few bits that nearly no packet has.
    if is_mirai(probe) {
        return Mark::MiraiSequence;
    }
    if is_masscan(probe) || is_zmap(probe) {
        return matched_mark(probe);
    }
    match probe.window {
        65535 => zmap_stack_mark(probe),
        1024 if has_nmap_shape(probe) => Mark::NmapShape,
        _ => Mark::None,
    }
}

#[inline(never)]
fn matched_mark(probe: &Probe) -> Mark {
    if is_masscan_with_shape(probe) {
        Mark::MasscanShape
    } else if is_zmap_with_shape(probe) {
        Mark::ZmapIdShape
    } else if is_zmap(probe) {
        Mark::ZmapId
    } else {
        Mark::MasscanHash
    }
}

#[inline(never)]
fn zmap_stack_mark(probe: &Probe) -> Mark {
    if is_zmap_windows(probe) {
        Mark::ZmapWindows
    } else if is_zmap_linux(probe) {
        Mark::ZmapLinux
    } else if is_zmap_bsd(probe) {
        Mark::ZmapBsd
    } else if is_zmap_smallest(probe) {
        Mark::ZmapSmallest
    } else {
        Mark::None
    }
}

/// What two SYNs of one run share. Nmap's values have bit 16 set and no higher one; no value is 0.
#[inline(always)]
fn pair(probe: &Probe, mark: Mark) -> u32 {
    match mark {
        Mark::NmapShape => 1 << 16 | u32::from(nmap_invariant(probe)),
        _ => unicornscan_invariant(probe).max(1),
    }
}

#[inline(never)]
fn rare_mark<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> Mark {
    match probe(packet, traffic_type) {
        Some(probe) => listed_mark(&probe, traffic_type),
        None => Mark::None,
    }
}

/// The mark of the first row whose test the probe passes.
fn listed_mark(probe: &Probe, traffic_type: TrafficType) -> Mark {
    TOOLS
        .iter()
        .find(|row| row.probes.contain(traffic_type) && (row.test)(probe))
        .map_or(Mark::None, |row| row.mark)
}

/// The packed signature of the stack that sent a SYN; 0 for other packets, and where not all options were captured.
#[inline(always)]
#[must_use]
pub fn stack<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> u64 {
    match (traffic_type, &packet.transport) {
        (TrafficType::TcpSyn, Transport::Tcp(tcp)) if tcp.complete => {
            let (window, hops) = (tcp.window, packet.time_to_live);
            let bare = StackSignature::new(window, packet.dont_fragment, hops);
            options::with_options(bare, tcp.options).bits()
        }
        _ => 0,
    }
}

/// Whether a packet of this type bears any mark of `tool`, whatever stands before it in [`TOOLS`].
#[must_use]
pub fn bears<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType, tool: Tool) -> bool {
    probe(packet, traffic_type).is_some_and(|probe| {
        TOOLS.iter().any(|mark| {
            mark.mark.tool() == tool && mark.probes.contain(traffic_type) && (mark.test)(&probe)
        })
    })
}

/// The probe's fields, where the packet is an IPv4 probe.
#[must_use]
pub fn probe<'a, A: Address>(
    packet: &Packet<'a, A>,
    traffic_type: TrafficType,
) -> Option<Probe<'a>> {
    if A::FAMILY != Family::Ipv4 {
        return None;
    }
    match &packet.transport {
        Transport::Sctp(_) => init_probe(packet),
        _ if !Probes::SynUdpIcmp.contain(traffic_type) => None,
        Transport::Tcp(tcp) => Some(syn_probe(packet, tcp)),
        _ => Some(plain_probe(packet)),
    }
}

#[inline(always)]
fn syn_probe<'a, A: Address>(packet: &Packet<'a, A>, tcp: &Tcp<'a>) -> Probe<'a> {
    Probe {
        source_port: tcp.source_port,
        destination_port: tcp.destination_port,
        sequence: tcp.sequence,
        window: tcp.window,
        options: tcp.complete.then_some(tcp.options),
        is_syn: true,
        ..plain_probe(packet)
    }
}

#[inline(always)]
fn plain_probe<'a, A: Address>(packet: &Packet<'a, A>) -> Probe<'a> {
    let (source_port, destination_port) = packet.ports().unwrap_or((0, 0));
    Probe {
        destination: packet.destination.number() as u32,
        source_port,
        destination_port,
        identification: packet.identification,
        sequence: 0,
        window: 0,
        time_to_live: packet.time_to_live,
        dont_fragment: packet.dont_fragment,
        ip_length_bytes: packet.ip_length_bytes,
        options: None,
        is_syn: false,
    }
}

/// An SCTP packet that starts with an INIT chunk: type, flags, length, then the initiate tag (RFC 9260, 3.3.2).
#[inline(never)]
fn init_probe<'a, A: Address>(packet: &Packet<'a, A>) -> Option<Probe<'a>> {
    const INIT: u8 = 1;
    let Transport::Sctp(sctp) = packet.transport else {
        return None;
    };
    match sctp.chunks {
        &[INIT, _, _, _, a, b, c, d, ..] => Some(Probe {
            sequence: u32::from_be_bytes([a, b, c, d]),
            ..plain_probe(packet)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
