//! Parts of conversations with another host: no dark address has opened a connection or asked a neighbour.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};
use crate::decode::Transport;

/// A segment with data that no known request starts. A dark address has completed no handshake, so the data belongs to another host's
/// connection: the address is stale or garbled, or a load balancer is wrong.
pub const TCP_DATA: Rule = Rule {
    name: "tcp-stray-data",
    words: "data without SYN and RST that no known request starts",
    class: Class::Misconfiguration,
    types: Types::of(&[
        TrafficType::TcpAck,
        TrafficType::TcpFin,
        TrafficType::TcpFinAck,
        TrafficType::TcpOther,
    ]),
    presupposes: Presupposition::Nothing,
    test: Some(carries_data),
    reference: "Wustrow et al., Internet Background Radiation Revisited, IMC 2010, 4.1: neither SYN nor reply",
    dates: "",
};

fn carries_data(transport: &Transport) -> bool {
    matches!(transport, Transport::Tcp(tcp) if !tcp.payload.is_empty() && tcp.flags & (SYN | RST) == 0)
}

/// A segment within a connection (ACK, neither SYN nor RST) whose flags no probe has.
pub const TCP_SEGMENT: Rule = Rule {
    name: "tcp-stray-segment",
    words: "ACK without SYN and RST, and further flags that no probe has",
    class: Class::Misconfiguration,
    types: Types::of(&[TrafficType::TcpOther]),
    presupposes: Presupposition::Nothing,
    test: Some(is_within_connection),
    reference: "RFC 9293 3.10.7.4: such segments follow a handshake",
    dates: "",
};

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

fn is_within_connection(transport: &Transport) -> bool {
    matches!(transport, Transport::Tcp(tcp) if tcp.flags & (SYN | RST | ACK) == ACK)
}

/// Router and neighbour discovery and group membership: meant for one link, leaked.
pub const ICMP_NEIGHBOUR: Rule = Rule {
    name: "icmp-neighbour",
    words: "ICMP type 9 or 10; ICMPv6 type 130 to 137 or 143",
    class: Class::Misconfiguration,
    types: Types::of(&[TrafficType::IcmpOther]),
    presupposes: Presupposition::Nothing,
    test: Some(is_for_neighbours),
    reference: "RFC 1256 (9, 10), RFC 4861 (133 to 137), RFC 2710 and RFC 9777 (130 to 132, 143)",
    dates: "",
};

/// The numbers of the two families do not overlap in use.
fn is_for_neighbours(transport: &Transport) -> bool {
    matches!(transport, Transport::Icmp(icmp) if matches!(icmp.icmp_type, 9 | 10 | 130..=137 | 143))
}

/// A chunk of an association that was never made.
pub const SCTP: Rule = Rule {
    name: "sctp-stray",
    words: "any other first chunk",
    class: Class::Misconfiguration,
    types: Types::of(&[TrafficType::Sctp]),
    presupposes: Presupposition::Nothing,
    test: Some(has_chunk),
    reference: "RFC 9260 8.4: out of the blue",
    dates: "",
};

fn has_chunk(transport: &Transport) -> bool {
    matches!(transport, Transport::Sctp(sctp) if sctp.chunk_type.is_some())
}
