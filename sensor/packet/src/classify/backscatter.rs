//! Replies to packets that were forged with our addresses, recognised by flags, type or chunk.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};
use crate::decode::Transport;

/// SYN-ACK, RST and RST-ACK.
pub const TCP_REPLY: Rule = Rule {
    name: "tcp-reply",
    words: "SYN and ACK, RST, or RST and ACK, whatever it carries; ECE and CWR do not count",
    class: Class::Backscatter,
    types: Types::of(&[
        TrafficType::TcpSynAck,
        TrafficType::TcpRst,
        TrafficType::TcpRstAck,
    ]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "Moore et al., Inferring Internet Denial-of-Service Activity, ACM TOCS 24(2), 2006, table I",
    dates: "",
};

/// ICMP replies and errors: types 0, 3, 4, 5, 11, 12, 14, 16, 18; ICMPv6 1 to 4 and 129.
pub const ICMP_REPLY: Rule = Rule {
    name: "icmp-reply",
    words: "ICMP type 0, 3, 4, 5, 11, 12, 14, 16 or 18; ICMPv6 type 1 to 4 or 129",
    class: Class::Backscatter,
    types: Types::of(&[
        TrafficType::IcmpEchoReply,
        TrafficType::IcmpUnreachable,
        TrafficType::IcmpSourceQuench,
        TrafficType::IcmpRedirect,
        TrafficType::IcmpTimeExceeded,
        TrafficType::IcmpParameterProblem,
        TrafficType::IcmpPacketTooBig,
        TrafficType::IcmpTimestampReply,
        TrafficType::IcmpInformationReply,
        TrafficType::IcmpMaskReply,
    ]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "Moore et al. 2006, table I; corsaro3 libcorsaro/libcorsaro_filtering.c (backscatter); RFC 4443",
    dates: "",
};

/// INIT-ACK, ABORT and SHUTDOWN-COMPLETE: an SCTP host's replies to an unexpected packet.
pub const SCTP_REPLY: Rule = Rule {
    name: "sctp-reply",
    words: "the first chunk is INIT-ACK, ABORT or SHUTDOWN-COMPLETE",
    class: Class::Backscatter,
    types: Types::of(&[TrafficType::Sctp]),
    presupposes: Presupposition::Nothing,
    test: Some(is_sctp_reply),
    reference: "RFC 9260 5.1 and 8.4",
    dates: "",
};

fn is_sctp_reply(transport: &Transport) -> bool {
    matches!(transport, Transport::Sctp(sctp) if matches!(sctp.chunk_type, Some(2 | 6 | 14)))
}
