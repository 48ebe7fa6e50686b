//! The house rules for the reports.

#[path = "../../aggregator/tests/tidy/rules.rs"]
mod rules;

use rules::{Arrow, LIBRARY_RULES, Rule, check, check_imports, is_module};

const RULES: &[Rule] = &[
    Rule {
        reason: "sensor and reports never import each other",
        applies: |_| true,
        words: &["teiten_sensor"],
    },
    Rule {
        reason: "charts and renderers never query",
        applies: |path| is_module(path, &["chart", "render"]),
        words: &["crate::query", "parquet", "arrow_", "std::fs", "File::"],
    },
];

#[test]
fn the_reports_keep_the_house_rules() {
    check(env!("CARGO_MANIFEST_DIR"), &[LIBRARY_RULES, RULES], &[]);
}

const ARROWS: &[Arrow] = &[
    Arrow {
        from: "chart",
        to: "query",
        reason: "a chart draws what it is given",
    },
    Arrow {
        from: "render",
        to: "query",
        reason: "a renderer writes what it is given",
    },
    Arrow {
        from: "query",
        to: "figure",
        reason: "a question does not know who asks it",
    },
];

#[test]
fn the_reports_import_in_no_circle() {
    check_imports(env!("CARGO_MANIFEST_DIR"), ARROWS);
}
