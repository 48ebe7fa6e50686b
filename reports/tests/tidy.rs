//! The house rules for the reports.

#[path = "../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{LIBRARY_RULES, Rule, check};

const RULES: &[Rule] = &[
    Rule {
        reason: "sensor and reports never import each other",
        applies: |_| true,
        words: &["teiten_sensor"],
    },
    Rule {
        reason: "charts and renderers never query",
        applies: |path| {
            ["chart", "render"]
                .iter()
                .any(|name| path == format!("{name}.rs") || path.starts_with(&format!("{name}/")))
        },
        words: &["crate::query", "parquet", "arrow", "std::fs", "File::"],
    },
];

#[test]
fn the_reports_keep_the_house_rules() {
    check(env!("CARGO_MANIFEST_DIR"), &[LIBRARY_RULES, RULES], &[]);
}
