//! What no other rule takes: later fragments, odd flags, other protocols, headers that were not captured.

use teiten_aggregator::observation::TrafficClass;

use super::{Rule, Types, always};

/// Everything else.
pub const OTHER: Rule = Rule {
    name: "other",
    class: TrafficClass::Other,
    types: Types::ALL,
    test: always,
    reference: "",
    dates: "",
};
