//! What no other rule takes: later fragments, odd flags, other protocols, headers that were not captured.

use teiten_aggregator::observation::TrafficClass;

use super::{Presupposition, Rule, Types};

/// Everything else.
pub const OTHER: Rule = Rule {
    name: "other",
    class: TrafficClass::Other,
    types: Types::ALL,
    presupposes: Presupposition::Nothing,
    test: None,
    reference: "",
    dates: "",
};
