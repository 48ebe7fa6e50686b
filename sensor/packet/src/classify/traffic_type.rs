//! The traffic type of a packet, from its headers alone.

use teiten_observation::{Address, Family, TrafficType};

use crate::decode::{Packet, Tcp, Transport};

/// FIN, SYN, RST, PSH, ACK and URG: ECE and CWR are masked out, so an ECN SYN is a SYN.
const FLAGS_MASK: u8 = 0x3f;

/// For each value of the six flags its type.
static TCP_TYPES: [TrafficType; 64] = tcp_types();
/// For each ICMPv4 type its traffic type.
static ICMP_TYPES: [TrafficType; 256] = icmp_types();

/// What a packet is by its headers.
#[inline(always)]
#[must_use]
pub fn traffic_type<A: Address>(packet: &Packet<'_, A>) -> TrafficType {
    if packet.damage.is_some() {
        return TrafficType::Malformed;
    }
    match &packet.transport {
        Transport::Tcp(tcp) => tcp_type(tcp),
        Transport::Udp(_) => TrafficType::Udp,
        Transport::Icmp(icmp) => match A::FAMILY {
            Family::Ipv4 => ICMP_TYPES[usize::from(icmp.icmp_type)],
            Family::Ipv6 => icmpv6_type(icmp.icmp_type),
        },
        Transport::Sctp(_) => TrafficType::Sctp,
        Transport::LaterFragment => TrafficType::Fragment,
        Transport::PortsOnly(..) | Transport::Other(_) | Transport::Missing => {
            by_protocol(A::FAMILY, packet.protocol)
        }
    }
}

#[inline(always)]
fn tcp_type(tcp: &Tcp) -> TrafficType {
    TCP_TYPES[usize::from(tcp.flags & FLAGS_MASK)]
}

/// The type if the header was not captured, or if there is none.
fn by_protocol(family: Family, protocol: u8) -> TrafficType {
    match (protocol, family) {
        (6, _) => TrafficType::TcpOther,
        (17, _) => TrafficType::Udp,
        (132, _) => TrafficType::Sctp,
        (47, _) => TrafficType::Gre,
        (4 | 41, _) => TrafficType::IpInIp,
        (1, Family::Ipv4) | (58, Family::Ipv6) => TrafficType::IcmpOther,
        _ => TrafficType::Other,
    }
}

const fn tcp_types() -> [TrafficType; 64] {
    const FIN: usize = 1;
    const SYN: usize = 2;
    const RST: usize = 4;
    const PSH: usize = 8;
    const ACK: usize = 16;
    const URG: usize = 32;
    let mut types = [TrafficType::TcpOther; 64];
    types[0] = TrafficType::TcpNull;
    types[SYN] = TrafficType::TcpSyn;
    types[SYN | ACK] = TrafficType::TcpSynAck;
    types[RST] = TrafficType::TcpRst;
    types[RST | ACK] = TrafficType::TcpRstAck;
    types[ACK] = TrafficType::TcpAck;
    types[FIN] = TrafficType::TcpFin;
    types[FIN | ACK] = TrafficType::TcpFinAck;
    types[FIN | PSH | URG] = TrafficType::TcpXmas;
    types[SYN | FIN] = TrafficType::TcpSynFin;
    types
}

const fn icmp_types() -> [TrafficType; 256] {
    let mut types = [TrafficType::IcmpOther; 256];
    types[0] = TrafficType::IcmpEchoReply;
    types[3] = TrafficType::IcmpUnreachable;
    types[4] = TrafficType::IcmpSourceQuench;
    types[5] = TrafficType::IcmpRedirect;
    types[8] = TrafficType::IcmpEchoRequest;
    types[11] = TrafficType::IcmpTimeExceeded;
    types[12] = TrafficType::IcmpParameterProblem;
    types[13] = TrafficType::IcmpTimestampRequest;
    types[14] = TrafficType::IcmpTimestampReply;
    types[15] = TrafficType::IcmpInformationRequest;
    types[16] = TrafficType::IcmpInformationReply;
    types[17] = TrafficType::IcmpMaskRequest;
    types[18] = TrafficType::IcmpMaskReply;
    types
}

/// ICMPv6 under the names of ICMPv4.
const fn icmpv6_type(icmp_type: u8) -> TrafficType {
    match icmp_type {
        1 => TrafficType::IcmpUnreachable,
        2 => TrafficType::IcmpPacketTooBig,
        3 => TrafficType::IcmpTimeExceeded,
        4 => TrafficType::IcmpParameterProblem,
        128 => TrafficType::IcmpEchoRequest,
        129 => TrafficType::IcmpEchoReply,
        _ => TrafficType::IcmpOther,
    }
}
