//! TOOLS: the marks that scan tools leave in the headers of a probe, one row each with source and dates.
//!
//! A row tells from a single packet. Nmap and Unicornscan need two packets of one source; what a single packet contributes to that
//! is at the end. A match of 16 bits alone is a coincidence once in 65,536 packets: confirmation over a source's packets belongs to
//! the hour's close, not here.

mod options;

use teiten_aggregator::observation::{Address, Family, Tool, TrafficType};

use crate::decode::{Packet, Tcp, Transport};
pub use options::{StackShape, stack_shape};

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
}

/// A scan tool, or one form of its packets.
pub struct ToolMark {
    /// The tool.
    pub tool: Tool,
    /// The form, for `explain`.
    pub name: &'static str,
    /// Packets it can stand in.
    pub probes: Probes,
    /// Whether the mark is a value that only this tool has reason to set, rather than a shape that a system could share.
    pub is_exact: bool,
    /// Whether a packet bears the mark.
    pub test: fn(&Probe) -> bool,
    /// Where the mark is known from.
    pub source: &'static str,
    /// When the tool left it.
    pub dates: &'static str,
}

/// Kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probes {
    /// TCP SYN.
    Syn,
    /// TCP SYN and SCTP INIT.
    SynAndInit,
    /// TCP SYN, UDP and ICMP requests.
    SynUdpIcmp,
}

impl Probes {
    #[inline(always)]
    const fn contain(self, traffic_type: TrafficType) -> bool {
        match traffic_type {
            TrafficType::TcpSyn => true,
            TrafficType::Sctp => matches!(self, Probes::SynAndInit),
            TrafficType::Udp
            | TrafficType::IcmpEchoRequest
            | TrafficType::IcmpTimestampRequest
            | TrafficType::IcmpInformationRequest
            | TrafficType::IcmpMaskRequest => matches!(self, Probes::SynUdpIcmp),
            _ => false,
        }
    }
}

/// Every mark, in the order in which they decide: a 32-bit match before the 16-bit ones, an exact one before a shape.
pub static TOOLS: [ToolMark; 4] = [
    ToolMark {
        tool: Tool::Mirai,
        name: "sequence number is the destination address",
        probes: Probes::Syn,
        is_exact: true,
        test: is_mirai,
        source: "Mirai, bot/scanner.c; Antonakakis et al., Understanding the Mirai Botnet, USENIX Security 2017",
        dates: "2016-08 on",
    },
    ToolMark {
        tool: Tool::Zmap,
        name: "IP identification 54321",
        probes: Probes::SynUdpIcmp,
        is_exact: true,
        test: is_zmap,
        source: "zmap, src/probe_modules/packet.c up to v4.0; Durumeric et al., ZMap, USENIX Security 2013",
        dates: "2013-08 to v4.1.0 of 2024-03-21",
    },
    ToolMark {
        tool: Tool::Masscan,
        name: "IP identification is destination xor port xor sequence number",
        probes: Probes::SynAndInit,
        is_exact: true,
        test: is_masscan,
        source: "masscan, src/templ-pkt.c; one packet in 65,536 of other tools matches by chance",
        dates: "2013-09 on",
    },
    ToolMark {
        tool: Tool::ZmapStack,
        name: "option list and window of zmap 4.1",
        probes: Probes::Syn,
        is_exact: false,
        test: is_zmap_stack,
        source: "zmap v4.1.0, CHANGELOG and src/probe_modules/packet.c (the shape is derived)",
        dates: "v4.1.0 of 2024-03-21 on",
    },
];

/// A tool that leaves no mark in one packet, but a value that all SYNs of one run to different destinations share.
pub struct SourceMark {
    /// The tool.
    pub tool: Tool,
    /// What is shared, in words.
    pub name: &'static str,
    /// The value; none where the SYN has not the tool's shape.
    pub value: fn(&Probe) -> Option<u32>,
    /// Where it is known from.
    pub source: &'static str,
    /// When the tool left it.
    pub dates: &'static str,
}

/// Every tool that two packets of a source tell: no single packet is named by these.
pub static SOURCE_MARKS: [SourceMark; 2] = [
    SourceMark {
        tool: Tool::Nmap,
        name: "two SYNs of window 1024, MSS alone and TTL up to 59 whose sequence numbers differ by the same 16 bits twice",
        value: |probe| nmap_invariant(probe).map(u32::from),
        source: "nmap, scan_engine_raw.cc and tcpip.cc; one pair in 65,536 of other tools matches by chance",
        dates: "",
    },
    SourceMark {
        tool: Tool::Unicornscan,
        name: "two SYNs whose sequence number xor destination xor ports is the same key",
        value: |probe| Some(unicornscan_invariant(probe)),
        source: "unicornscan, tcphash.h",
        dates: "",
    },
];

/// The mark that a packet of this type bears, the first in the order of [`TOOLS`].
///
/// The tests are called by name, in the table's order, so that the compiler puts them in place: through the table the calls and
/// the probe's way through memory cost three times as much as the rest of the classification. A property test holds it to the table.
#[inline(always)]
#[must_use]
pub fn mark<A: Address>(
    packet: &Packet<'_, A>,
    traffic_type: TrafficType,
) -> Option<&'static ToolMark> {
    if A::FAMILY != Family::Ipv4 {
        return None;
    }
    if let (TrafficType::TcpSyn, Transport::Tcp(tcp)) = (traffic_type, &packet.transport) {
        return syn_mark(&syn_probe(packet, tcp));
    }
    if !Probes::SynUdpIcmp.contain(traffic_type) && traffic_type != TrafficType::Sctp {
        return None;
    }
    rare_mark(packet, traffic_type)
}

#[inline(always)]
fn syn_mark(probe: &Probe) -> Option<&'static ToolMark> {
    let row = if is_mirai(probe) {
        0
    } else if is_zmap(probe) {
        1
    } else if is_masscan(probe) {
        2
    } else if is_zmap_stack(probe) {
        3
    } else {
        return None;
    };
    Some(&TOOLS[row])
}

#[inline(never)]
fn rare_mark<A: Address>(
    packet: &Packet<'_, A>,
    traffic_type: TrafficType,
) -> Option<&'static ToolMark> {
    let probe = probe(packet, traffic_type)?;
    listed_mark(&probe, traffic_type)
}

/// The first row whose mark the probe bears.
fn listed_mark(probe: &Probe, traffic_type: TrafficType) -> Option<&'static ToolMark> {
    TOOLS
        .iter()
        .find(|mark| mark.probes.contain(traffic_type) && (mark.test)(probe))
}

/// Whether a packet of this type bears any mark of `tool`, whatever stands before it in [`TOOLS`].
#[must_use]
pub fn bears<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType, tool: Tool) -> bool {
    probe(packet, traffic_type).is_some_and(|probe| {
        TOOLS.iter().any(|mark| {
            mark.tool == tool && mark.probes.contain(traffic_type) && (mark.test)(&probe)
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

#[inline]
fn is_mirai(probe: &Probe) -> bool {
    probe.sequence == probe.destination
}

#[inline]
fn is_zmap(probe: &Probe) -> bool {
    probe.identification == 54321
}

#[inline]
fn is_masscan(probe: &Probe) -> bool {
    let mark = probe.destination ^ u32::from(probe.destination_port) ^ probe.sequence;
    probe.identification == mark as u16
}

#[inline]
fn is_zmap_stack(probe: &Probe) -> bool {
    // The window first: it alone tells nearly all other packets apart.
    probe.window == 65535
        && !probe.dont_fragment
        && matches!(initial_time_to_live(probe.time_to_live), 64 | 255)
        && options::is_zmap_list(probe)
}

/// The time to live that a packet most likely started with: the next of 32, 64, 128 and 255.
#[must_use]
pub const fn initial_time_to_live(time_to_live: u8) -> u8 {
    match time_to_live {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129.. => 255,
    }
}

/// The form of Masscan's SYN, where it has one of the two: evidence beside the 16-bit match.
#[must_use]
pub fn masscan_shape(probe: &Probe) -> Option<&'static str> {
    if probe.dont_fragment || initial_time_to_live(probe.time_to_live) != 255 {
        return None;
    }
    match (probe.ip_length_bytes, probe.window, probe.options?) {
        (40, 1024, []) => Some("masscan before 2023-11-07: no options, window 1024"),
        (44, 1025, [2, 4, 5, 0xb4]) => Some("masscan since 2023-11-07: MSS 1460, window 1025"),
        _ => None,
    }
}

/// The value that any two SYNs of one Nmap run share although they go to different destinations: equal for two packets of a source
/// with distinct destinations means Nmap, once in 65,536 by chance. None where the SYN has not Nmap's shape.
///
/// nmap, `scan_engine_raw.cc` and `tcpip.cc`: the sequence number is a constant xor a 16-bit value repeated in both halves; window
/// 1024, MSS alone, initial TTL 37 to 60, DF clear.
#[must_use]
pub fn nmap_invariant(probe: &Probe) -> Option<u16> {
    let shape = probe.window == 1024
        && probe.ip_length_bytes == 44
        && !probe.dont_fragment
        && probe.time_to_live <= 59
        && matches!(probe.options, Some([2, 4, _, _]));
    shape.then_some((probe.sequence >> 16) as u16 ^ probe.sequence as u16)
}

/// The value that any two SYNs of one Unicornscan run share although they go to different destinations.
///
/// unicornscan, `tcphash.h`: the sequence number is a key xor destination (in network order) xor both ports.
#[must_use]
pub fn unicornscan_invariant(probe: &Probe) -> u32 {
    let ports = (u32::from(probe.destination_port) << 16) + u32::from(probe.source_port);
    probe.sequence ^ probe.destination.swap_bytes() ^ ports
}

#[cfg(test)]
mod tests;
