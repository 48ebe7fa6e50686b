//! The house rules for the aggregator, for the two workshops (`benches`, `testdata`), and between the rooms.

#[path = "tidy/rules.rs"]
mod rules;

use std::path::Path;

use rules::{LIBRARY_RULES, Rule, check, rust_files};
use teiten_aggregator::schema::TABLES;

const RULES: &[Rule] = &[
    Rule {
        reason: "the middle room imports neither of the others",
        applies: |_| true,
        words: &["teiten_sensor", "teiten_reports"],
    },
    Rule {
        reason: "the open hour touches no file, clock, lock or log",
        applies: |path| {
            [
                "window",
                "table",
                "minute",
                "destinations",
                "sketch",
                "observation",
                "payload_table",
            ]
            .iter()
            .any(|name| path == format!("{name}.rs") || path.starts_with(&format!("{name}/")))
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
];

#[test]
fn the_aggregator_keeps_the_house_rules() {
    check(
        env!("CARGO_MANIFEST_DIR"),
        &[LIBRARY_RULES, RULES],
        &["prefetch.rs"],
    );
}

#[test]
fn the_workshops_keep_the_rules_of_every_file() {
    for (workshop, edges) in [
        ("benches", ["usage.rs", "send.rs"].as_slice()),
        ("testdata", &[]),
    ] {
        let folder = format!("{}/../{workshop}", env!("CARGO_MANIFEST_DIR"));
        check(&folder, &[], edges);
    }
}

/// Column names that are also everyday words of the code (JSON keys, flags) and so prove nothing.
const EVERYDAY: &[&str] = &[
    "malformed",
    "asn",
    "sensor",
    "class",
    "tool",
    "port",
    "start",
    "end",
    "size",
    "bytes",
    "packets",
    "seconds",
    "sources",
    "actor",
    "country",
];

#[test]
fn columns_are_spelled_in_the_schema_alone() {
    let columns = TABLES.iter().flat_map(|table| table.columns);
    let names: Vec<&str> = columns
        .map(|column| column.name)
        .filter(|name| !EVERYDAY.contains(name))
        .collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in rust_files(&source) {
        let text = std::fs::read_to_string(&path).expect("a source file is UTF-8 text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let spelled = names
            .iter()
            .find(|name| code.contains(&format!("\"{name}\"")));
        let is_schema = path
            .strip_prefix(&source)
            .is_ok_and(|path| path.starts_with("schema"))
            || path.ends_with("schema.rs");
        if !is_schema {
            assert_eq!(spelled, None, "{}: take it from schema.rs", path.display());
        }
    }
}

#[test]
fn the_rooms_import_one_way_in_their_manifests_too() {
    for (room, never) in [
        ("aggregator", ["teiten-sensor", "teiten-reports"]),
        ("sensor", ["teiten-reports", "teiten-testdata"]),
        ("reports", ["teiten-sensor", "teiten-testdata"]),
    ] {
        let path = format!("{}/../{room}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(path).expect("every room has a manifest");
        // What only the tests of a room use ships with nothing.
        let shipped = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for name in never {
            assert!(
                !shipped.lines().any(|line| line.starts_with(name)),
                "{room} depends on {name}"
            );
        }
    }
}
