//! What no other rule takes: tunnels, later fragments, odd flags, other protocols, headers that were not captured.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};

/// GRE and IP in IP. A misrouted tunnel and a scan for hosts that forward tunnelled packets look alike in the outermost header, the only
/// one that is read. So no purpose is claimed.
pub const TUNNEL: Rule = Rule {
    name: "tunnel",
    words: "the protocol is GRE (47), IPv4 (4) or IPv6 (41) in IP",
    class: Class::Other,
    types: Types::of(&[TrafficType::Gre, TrafficType::IpInIp]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "RFC 2784, RFC 2003, RFC 4213; the searches: Beitis and Vanhoef, Haunted by Legacy, USENIX Security 2025",
    dates: "",
};

/// Everything else.
pub const OTHER: Rule = Rule {
    name: "other",
    words: "whatever no rule before it takes",
    class: Class::Other,
    types: Types::ALL,
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "",
    dates: "",
};
