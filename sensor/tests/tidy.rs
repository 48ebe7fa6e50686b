//! The house rules for the sensor.

#[path = "../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{Arrow, LIBRARY_RULES, Rule, UnsafeEdge, check, check_imports};

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
            UnsafeEdge(
                "source/live/device_counts.rs",
                "the list of interfaces and their counters, getifaddrs",
            ),
            UnsafeEdge("memory.rs", "the allocator's thresholds, mallopt"),
            UnsafeEdge("source/map.rs", "a mapped file can change under its reader"),
            UnsafeEdge(
                "source/ring.rs",
                "the ring's blocks are memory shared with the kernel",
            ),
            UnsafeEdge(
                "source/ring/socket.rs",
                "packet sockets, their options and their mapping",
            ),
            UnsafeEdge(
                "command/check/clock.rs",
                "the kernel's state of the clock, adjtimex",
            ),
        ],
    );
}

const ARROWS: &[Arrow] = &[
    Arrow {
        from: "engine",
        to: "command",
        reason: "commands compose the engine; it knows none of them",
    },
    Arrow {
        from: "watch",
        to: "engine",
        reason: "what is shown decides nothing and hands nothing on",
    },
    Arrow {
        from: "watch",
        to: "hours",
        reason: "what is shown decides nothing and hands nothing on",
    },
    Arrow {
        from: "source",
        to: "engine",
        reason: "a source gives packets to whoever asks",
    },
];

#[test]
fn the_sensor_imports_in_no_circle() {
    check_imports(env!("CARGO_MANIFEST_DIR"), ARROWS);
}
