//! Packets whose payload is known: the signature's class is the packet's. Which payloads are known stands in `crate::payload`.

use teiten_aggregator::observation::{TrafficClass, TrafficType};

use super::{Presupposition, Rule, Types};

/// Types that carry the payloads looked at. Replies by flags are decided before, whatever they carry.
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

const fn rule(name: &'static str, class: TrafficClass) -> Rule {
    Rule {
        name,
        class,
        types: WITH_PAYLOAD,
        presupposes: Presupposition::Payload(class),
        test: None,
        reference: REFERENCE,
        dates: "",
    }
}

/// A reply by its response bit or status line.
pub const REPLY: Rule = rule("payload-reply", TrafficClass::Backscatter);
/// A known attack.
pub const EXPLOIT: Rule = rule("payload-exploit", TrafficClass::Exploit);
/// A request that makes an amplifier answer.
pub const AMPLIFIER_REQUEST: Rule = rule("payload-amplifier-request", TrafficClass::ReflectorScan);
/// Peer-to-peer and other talk meant for somebody else.
pub const STRAY: Rule = rule("payload-stray", TrafficClass::Misconfiguration);
/// A request of an application that amplifies nothing.
pub const APPLICATION_REQUEST: Rule = rule("payload-application-request", TrafficClass::Scan);
