//! The house rules for the packet library.

#[path = "../../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{LIBRARY_RULES, Rule, check};

/// Whether a path below `src/` is the module `name` or lies in its folder.
fn is_module(path: &str, name: &str) -> bool {
    path == format!("{name}.rs") || path.starts_with(&format!("{name}/"))
}

const RULES: &[Rule] = &[
    Rule {
        reason: "decoding and classifying touch no file, clock, lock or log",
        applies: |path| {
            ["decode", "classify", "fingerprint", "payload", "telescope"]
                .iter()
                .any(|name| is_module(path, name))
        },
        words: &[
            "std::fs",
            "File",
            "SystemTime",
            "Instant",
            "Mutex",
            "RwLock",
            "log::",
            "tracing",
        ],
    },
    Rule {
        reason: "decoding allocates nothing per packet",
        applies: |path| {
            ["decode", "classify", "fingerprint"]
                .iter()
                .any(|name| is_module(path, name))
        },
        words: &[
            "Vec::new",
            "vec![",
            "Box::new",
            "String::new",
            "format!",
            ".to_string()",
            ".to_vec()",
            ".to_owned()",
        ],
    },
    Rule {
        reason: "classifying sees headers and payload, never a source",
        applies: |path| is_module(path, "classify") || is_module(path, "payload"),
        words: &["teiten_sensor", "teiten_aggregator"],
    },
];

#[test]
fn the_packet_library_keeps_the_house_rules() {
    check(env!("CARGO_MANIFEST_DIR"), &[LIBRARY_RULES, RULES], &[]);
}
