//! The house rules for the sensor.

#[path = "../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{LIBRARY_RULES, Rule, check};

const RULES: &[Rule] = &[Rule {
    reason: "sensor and reports never import each other",
    applies: |_| true,
    words: &["teiten_reports"],
}];

#[test]
fn the_sensor_keeps_the_house_rules() {
    check(
        env!("CARGO_MANIFEST_DIR"),
        &[LIBRARY_RULES, RULES],
        &[
            "source/map.rs",
            "source/ring.rs",
            "source/ring/socket.rs",
            "command/check/clock.rs",
        ],
    );
}
