//! The house rules for the words of a packet.

#[path = "../../tests/tidy/rules.rs"]
mod rules;

use rules::{LIBRARY_RULES, Rule, check, check_imports};

const RULES: &[Rule] = &[Rule {
    reason: "the words of a packet read no file, clock or bytes, and depend on no other crate of ours",
    applies: |_| true,
    words: &[
        "std::fs",
        "File",
        "SystemTime",
        "Instant",
        "teiten_packet",
        "teiten_aggregator",
        "teiten_sensor",
        "teiten_reports",
    ],
}];

#[test]
fn the_words_keep_the_house_rules() {
    check(env!("CARGO_MANIFEST_DIR"), &[LIBRARY_RULES, RULES], &[]);
}

#[test]
fn the_words_import_in_no_circle() {
    check_imports(env!("CARGO_MANIFEST_DIR"), &[]);
}
