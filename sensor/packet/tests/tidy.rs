//! The house rules for the packet library.

#[path = "../../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{Arrow, LIBRARY_RULES, Rule, check, check_imports, is_module};

const RULES: &[Rule] = &[
    Rule {
        reason: "the packet library touches no file, clock, thread, lock or log",
        applies: |_| true,
        words: &[
            "std::fs",
            "File",
            "SystemTime",
            "Instant",
            "Mutex",
            "RwLock",
            "thread",
            "log::",
            "tracing",
        ],
    },
    Rule {
        reason: "judging allocates nothing per packet",
        applies: |path| !is_module(path, &["telescope", "samples"]),
        words: &[
            "Vec::",
            "vec![",
            "Box::new",
            "String::new",
            "format!",
            ".to_string()",
            ".to_vec()",
            ".to_owned()",
            ".collect()",
        ],
    },
    Rule {
        reason: "a packet is judged by its headers and payload, never by where it was read",
        applies: |_| true,
        words: &["teiten_sensor", "teiten_aggregator", "teiten_reports"],
    },
];

const ARROWS: &[Arrow] = &[
    Arrow {
        from: "decode",
        to: "classify",
        reason: "decoding does not know what headers mean",
    },
    Arrow {
        from: "payload",
        to: "decode",
        reason: "signatures see a payload and its ports, nothing else",
    },
    Arrow {
        from: "telescope",
        to: "decode",
        reason: "the telescope places addresses, not packets",
    },
    Arrow {
        from: "classify",
        to: "telescope",
        reason: "a class does not depend on the telescope",
    },
];

#[test]
fn the_packet_library_keeps_the_house_rules() {
    check(env!("CARGO_MANIFEST_DIR"), &[LIBRARY_RULES, RULES], &[]);
}

#[test]
fn the_packet_library_imports_in_no_circle() {
    check_imports(env!("CARGO_MANIFEST_DIR"), ARROWS);
}
