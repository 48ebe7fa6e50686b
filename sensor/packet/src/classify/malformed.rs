//! Packets with both addresses whose headers are damaged further in.

use teiten_observation::{Class, TrafficType};

use super::{Presupposition, Rule, Types};

/// A header that does not fit into its packet, or a length that contradicts another.
pub const DAMAGED: Rule = Rule {
    name: "damaged-header",
    words: "a header does not fit into its packet, or a length contradicts another",
    class: Class::Malformed,
    types: Types::of(&[TrafficType::Malformed]),
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "RFC 9293 3.1 (data offset), RFC 768 (length), RFC 8200 4 (extension headers)",
    dates: "",
};
