//! RULES: the class of each packet, which says why it came. The first row of the table whose test holds decides.
//!
//! The order matters: it goes from what a packet cannot be to what it most likely is:
//! 1. A damaged packet is `malformed`: its fields say nothing.
//! 2. A source that cannot exist makes `spoofed` whatever the packet says: such an address is counted neither as a scanner nor as a victim.
//!    A private one is not forged if its probe has a mark that needs no confirmation: it was captured before address translation.
//! 3. A reply is `backscatter`; its flags, type or response bit decide, never the port alone.
//! 4. A known payload decides by its row in SIGNATURES.
//! 5. A request without a known payload is a `scan`.
//! 6. A packet of a connection or a network that does not exist here is `misconfiguration`.
//! 7. The rest, such as tunnels, is `other`.
//!
//! The files of `classify/` hold the rules, one family each. They see headers and payload, never where a packet was read.

pub mod backscatter;
pub mod malformed;
pub mod payload;
pub mod remainder;
pub mod scan;
pub mod spoofed;
pub mod stray;
mod traffic_type;

use teiten_observation::{Address, Class, Kind, TrafficType};

use crate::decode::{Packet, Transport};
use crate::fingerprint::{self, Traces};
use crate::payload::{Payload, Signature};
use spoofed::SourceValidity;
pub use traffic_type::traffic_type;

/// What a rule can rest on.
#[derive(Clone, Copy)]
struct Facts<'p, 'a> {
    /// The packet's type by its headers.
    traffic_type: TrafficType,
    /// Whether a host can have its source address.
    source: SourceEvidence,
    /// The signature of its payload, if one matches.
    signature: Option<&'static Signature>,
    /// What the packet carries.
    transport: &'p Transport<'a>,
}

/// A rule: a packet of one of its types that meets its precondition and its test has its class.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, as `explain` prints it.
    pub name: &'static str,
    /// What it asks, in words.
    pub words: &'static str,
    /// The class it gives.
    pub class: Class,
    /// The traffic types it is asked for.
    pub types: Types,
    /// What must hold before it is asked.
    pub presupposes: Presupposition,
    /// Its test; `None` where types and precondition are enough.
    pub test: Option<fn(&Transport) -> bool>,
    /// Where it is drawn from.
    pub reference: &'static str,
    /// The dates for which its source holds; empty if it has no limit in time.
    pub dates: &'static str,
}

/// The precondition of a rule, besides the type. A table of types and preconditions gives the few rules that a packet can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presupposition {
    /// Nothing.
    Nothing,
    /// A source that cannot exist.
    ImpossibleSource,
    /// A private source whose packet bears a mark of a tool that stands alone.
    MarkedPrivateSource,
    /// A payload whose signature has this class.
    Payload(Class),
}

/// What a packet's source and marks say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum SourceEvidence {
    Possible,
    Impossible,
    MarkedPrivate,
}

impl SourceEvidence {
    const ALL: [SourceEvidence; 3] = [
        SourceEvidence::Possible,
        SourceEvidence::Impossible,
        SourceEvidence::MarkedPrivate,
    ];
}

/// A set of traffic types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u64);

impl Types {
    /// Every type.
    pub const ALL: Types = Types((1 << TrafficType::ALL.len()) - 1);

    /// These types.
    #[must_use]
    pub const fn of(types: &[TrafficType]) -> Self {
        let (mut bits, mut position) = (0, 0);
        while position < types.len() {
            bits |= 1 << types[position] as u8;
            position += 1;
        }
        Types(bits)
    }

    /// Whether a type is among them.
    #[must_use]
    pub const fn contain(self, traffic_type: TrafficType) -> bool {
        self.0 >> traffic_type as u8 & 1 != 0
    }
}

/// Every rule, in the order in which they are tested. The last one takes every packet.
pub static RULES: [Rule; 22] = [
    malformed::DAMAGED,
    spoofed::IMPOSSIBLE_SOURCE,
    backscatter::TCP_REPLY,
    backscatter::ICMP_REPLY,
    backscatter::SCTP_REPLY,
    payload::REPLY,
    payload::EXPLOIT,
    payload::AMPLIFIER_REQUEST,
    payload::STRAY,
    payload::APPLICATION_REQUEST,
    spoofed::MARKED_PROBE,
    scan::TCP_SYN,
    stray::TCP_DATA,
    scan::TCP_STEALTH,
    stray::TCP_SEGMENT,
    scan::ICMP_REQUEST,
    stray::ICMP_NEIGHBOUR,
    scan::UDP,
    scan::SCTP_INIT,
    stray::SCTP,
    remainder::TUNNEL,
    remainder::OTHER,
];

/// Most rules that one packet can meet.
const CANDIDATES_MAX: usize = 6;
/// A payload without a signature, or of one of the classes.
const PAYLOADS: usize = Class::ALL.len() + 1;

/// The rules that can decide for each type, payload and kind of source, in order; the rest of a row repeats the last rule.
type Candidates =
    [[[[u8; CANDIDATES_MAX]; SourceEvidence::ALL.len()]; PAYLOADS]; TrafficType::ALL.len()];
static CANDIDATES: Candidates = candidates();

const fn candidates() -> Candidates {
    let last = RULES.len() - 1;
    assert!(RULES[last].types.0 == Types::ALL.0 && RULES[last].test.is_none());
    let mut table = [[[[last as u8; CANDIDATES_MAX]; SourceEvidence::ALL.len()]; PAYLOADS];
        TrafficType::ALL.len()];
    let mut code = 0;
    while code < TrafficType::ALL.len() {
        let mut payload = 0;
        while payload < PAYLOADS {
            let mut source = 0;
            while source < SourceEvidence::ALL.len() {
                table[code][payload][source] = row(code, payload, SourceEvidence::ALL[source]);
                source += 1;
            }
            payload += 1;
        }
        code += 1;
    }
    table
}

/// The rules up to the first that decides without a test.
const fn row(code: usize, payload: usize, source: SourceEvidence) -> [u8; CANDIDATES_MAX] {
    let mut row = [(RULES.len() - 1) as u8; CANDIDATES_MAX];
    let (mut rule, mut count) = (0, 0);
    while rule < RULES.len() {
        let met = match RULES[rule].presupposes {
            Presupposition::Nothing => true,
            Presupposition::ImpossibleSource => matches!(source, SourceEvidence::Impossible),
            Presupposition::MarkedPrivateSource => matches!(source, SourceEvidence::MarkedPrivate),
            Presupposition::Payload(class) => payload == class as usize + 1,
        };
        if met && RULES[rule].types.contain(TrafficType::ALL[code]) {
            row[count] = rule as u8;
            count += 1;
            if RULES[rule].test.is_none() {
                return row;
            }
        }
        rule += 1;
    }
    row
}

/// What a packet is, and the rule that decided it.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Type, class, mark and port.
    pub kind: Kind,
    /// The rule that decided the class.
    pub rule: &'static Rule,
    /// The signature of its payload, if one matches.
    pub signature: Option<&'static Signature>,
    /// What two SYNs of one run of a tool share; 0 if the packet is no such SYN.
    pub pair: u32,
}

/// What a packet is, without the rule.
#[inline(always)]
#[must_use]
pub fn kind<A: Address>(packet: &Packet<'_, A>) -> Kind {
    verdict(packet).kind
}

/// What a packet is, and the rule that decided it.
#[inline(always)]
#[must_use]
pub fn verdict<A: Address>(packet: &Packet<'_, A>) -> Verdict {
    let traffic_type = traffic_type(packet);
    let signature = signature(packet, traffic_type);
    let facts = Facts {
        traffic_type,
        source: source(packet, traffic_type),
        transport: &packet.transport,
        signature,
    };
    let rule = decide(&facts);
    let traces = if is_probe(rule.class) {
        fingerprint::traces(packet, traffic_type)
    } else {
        Traces::NONE
    };
    Verdict {
        kind: Kind::marked(
            traffic_type,
            rule.class,
            traces.mark,
            packet.protocol,
            port(packet, rule.class),
        ),
        pair: traces.pair,
        rule,
        signature,
    }
}

#[inline(always)]
fn decide(facts: &Facts) -> &'static Rule {
    let payload = match facts.signature {
        Some(signature) => signature.class as usize + 1,
        None => 0,
    };
    for &index in &CANDIDATES[facts.traffic_type as usize][payload][facts.source as usize] {
        let rule = &RULES[usize::from(index)];
        match rule.test {
            Some(test) if !test(facts.transport) => {}
            _ => return rule,
        }
    }
    &RULES[RULES.len() - 1]
}

#[inline(always)]
fn source<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> SourceEvidence {
    match spoofed::standing(packet.source, packet.destination) {
        SourceValidity::Possible => SourceEvidence::Possible,
        SourceValidity::Impossible => SourceEvidence::Impossible,
        SourceValidity::Private => private_source(packet, traffic_type),
    }
}

#[inline(never)]
fn private_source<A: Address>(packet: &Packet<'_, A>, traffic_type: TrafficType) -> SourceEvidence {
    if fingerprint::traces(packet, traffic_type)
        .mark
        .stands_alone()
    {
        SourceEvidence::MarkedPrivate
    } else {
        SourceEvidence::Impossible
    }
}

/// Only probes come from tools: replies and stray packets show their marks by chance.
const fn is_probe(class: Class) -> bool {
    matches!(
        class,
        Class::Scan | Class::ReflectorScan | Class::Exploit | Class::Spoofed
    )
}

#[inline(always)]
fn signature<A: Address>(
    packet: &Packet<'_, A>,
    traffic_type: TrafficType,
) -> Option<&'static Signature> {
    if traffic_type == TrafficType::Malformed {
        return None;
    }
    match &packet.transport {
        Transport::Tcp(tcp) if !tcp.payload.is_empty() => crate::payload::tcp(&Payload::new(
            tcp.payload,
            tcp.source_port,
            tcp.destination_port,
        )),
        Transport::Udp(udp) if !udp.payload.is_empty() => crate::payload::udp(&Payload::new(
            udp.payload,
            udp.source_port,
            udp.destination_port,
        )),
        _ => None,
    }
}

/// The service asked for: the destination port; for backscatter the source port, and for an ICMP error the port that the quoted
/// packet went to.
#[inline(always)]
fn port<A: Address>(packet: &Packet<'_, A>, class: Class) -> Option<u16> {
    match (class, packet.ports()) {
        (Class::Backscatter, Some((source, _))) => Some(source),
        (Class::Backscatter, None) => packet.quoted()?.ports.map(|(_, service)| service),
        (_, Some((_, destination))) => Some(destination),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests;
