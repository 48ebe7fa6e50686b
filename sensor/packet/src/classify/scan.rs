//! Probes: packets that ask a host to show itself.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};
use crate::decode::Transport;

/// A connection request.
pub const TCP_SYN: Rule = Rule {
    name: "tcp-syn",
    words: "SYN alone, with or without ECE and CWR, and no known payload",
    class: Class::Scan,
    types: Types::of(&[TrafficType::TcpSyn]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "Wustrow et al., Internet Background Radiation Revisited, IMC 2010, 4.1",
    dates: "",
};

/// Segments that make a host answer without opening a connection: ACK, FIN, FIN-ACK (Maimon), none, FIN-PSH-URG, SYN-FIN, without data.
/// Segments with data were decided before as strays.
pub const TCP_STEALTH: Rule = Rule {
    name: "tcp-stealth",
    words: "ACK, FIN, FIN and ACK, no flag, FIN and PSH and URG, or SYN and FIN, without data that another rule takes",
    class: Class::Scan,
    types: Types::of(&[
        TrafficType::TcpAck,
        TrafficType::TcpFin,
        TrafficType::TcpFinAck,
        TrafficType::TcpNull,
        TrafficType::TcpXmas,
        TrafficType::TcpSynFin,
    ]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "nmap reference guide, port scanning techniques -sA -sF -sM -sN -sX, --scanflags; de Vivo et al., CCR 29(2), 1999",
    dates: "",
};

/// ICMP echo, timestamp, information and mask requests.
pub const ICMP_REQUEST: Rule = Rule {
    name: "icmp-request",
    words: "ICMP type 8, 13, 15 or 17; ICMPv6 type 128",
    class: Class::Scan,
    types: Types::of(&[
        TrafficType::IcmpEchoRequest,
        TrafficType::IcmpTimestampRequest,
        TrafficType::IcmpInformationRequest,
        TrafficType::IcmpMaskRequest,
    ]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "RFC 792, RFC 950; nmap reference guide, host discovery -PE -PP -PM",
    dates: "",
};

/// A datagram whose payload is empty or unknown, whatever its port.
pub const UDP: Rule = Rule {
    name: "udp-probe",
    words: "a datagram that is empty or whose payload is unknown",
    class: Class::Scan,
    types: Types::of(&[TrafficType::Udp]),
    presupposes: Presupposition::Nothing,
    test: Some(has_header),
    reference: "nmap reference guide, -sU: an empty datagram is the default probe",
    dates: "",
};

fn has_header(transport: &Transport) -> bool {
    matches!(transport, Transport::Udp(_))
}

/// An association request, and the COOKIE-ECHO that firewalls let pass.
pub const SCTP_INIT: Rule = Rule {
    name: "sctp-init",
    words: "the first chunk is INIT or COOKIE-ECHO",
    class: Class::Scan,
    types: Types::of(&[TrafficType::Sctp]),
    presupposes: Presupposition::Nothing,
    test: Some(is_sctp_probe),
    reference: "RFC 9260 5.1; nmap reference guide, -sY -sZ",
    dates: "",
};

fn is_sctp_probe(transport: &Transport) -> bool {
    matches!(transport, Transport::Sctp(sctp) if matches!(sctp.chunk_type, Some(1 | 10)))
}
