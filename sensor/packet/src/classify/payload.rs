//! Packets whose payload matches a signature of `crate::payload`: they have its class.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};

/// Types whose payloads are matched. Replies by flags are decided before, whatever they carry.
const WITH_PAYLOAD: Types = Types::of(&[
    TrafficType::Udp,
    TrafficType::TcpSyn,
    TrafficType::TcpAck,
    TrafficType::TcpFin,
    TrafficType::TcpFinAck,
    TrafficType::TcpNull,
    TrafficType::TcpXmas,
    TrafficType::TcpSynFin,
    TrafficType::TcpOther,
]);

const REFERENCE: &str = "the signature's own source";

const fn rule(name: &'static str, class: Class, words: &'static str) -> Rule {
    Rule {
        name,
        words,
        class,
        types: WITH_PAYLOAD,
        presupposes: Presupposition::Payload(class),
        test: None,
        reference: REFERENCE,
        dates: "",
    }
}

/// A reply by its response bit or status line.
pub const REPLY: Rule = rule(
    "payload-reply",
    Class::Backscatter,
    "the payload is a reply by a signature of class backscatter",
);
/// A known attack.
pub const EXPLOIT: Rule = rule(
    "payload-exploit",
    Class::Exploit,
    "the payload is a known attack by a signature of class exploit",
);
/// A request that makes an amplifier answer.
pub const AMPLIFIER_REQUEST: Rule = rule(
    "payload-amplifier-request",
    Class::ReflectorScan,
    "the payload is a request by a signature of class reflector-scan",
);
/// Peer-to-peer and other traffic meant for another host.
pub const STRAY: Rule = rule(
    "payload-stray",
    Class::Misconfiguration,
    "the payload is talk meant for somebody else by a signature of class misconfiguration",
);
/// A request of an application that amplifies nothing.
pub const APPLICATION_REQUEST: Rule = rule(
    "payload-application-request",
    Class::Scan,
    "the payload is a request by a signature of class scan",
);
