//! The house rules for the reports.

#[path = "../../aggregator/tests/tidy/rules.rs"]
mod rules;

use std::path::Path;

use rules::source::{Source, sources};
use rules::{Arrow, LIBRARY_RULES, Rule, check, check_imports, columns_spelled, is_module};
use teiten_aggregator::schema::TABLES;

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

/// Column names that are also words of a report: columns of its own tables, places in its sentences, names of figures.
const WORDS_OF_REPORTS: &[&str] = &[
    "sensor", "class", "tool", "port", "bytes", "packets", "sources", "actor", "country", "asn",
];

/// Modules that ask the dataset, where each of these words is a column.
const QUESTIONS: &[&str] = &["query", "facts"];

/// The columns that these files spell, each with its file; they have to take them from the schema.
fn spelled(sources: &[Source]) -> Vec<(&str, &str)> {
    let names: Vec<&str> = TABLES
        .iter()
        .flat_map(|table| table.columns)
        .map(|column| column.name)
        .collect();
    let mut spelled = Vec::new();
    for source in sources.iter().filter(|source| !source.is_tests) {
        let path = source.path.strip_prefix("src/").unwrap_or_default();
        let asks = is_module(path, QUESTIONS);
        let found = columns_spelled(source, &names, true);
        let mut found: Vec<_> = found
            .into_iter()
            .filter(|name| asks || !WORDS_OF_REPORTS.contains(name))
            .map(|name| (source.path.as_str(), name))
            .collect();
        found.dedup();
        spelled.append(&mut found);
    }
    spelled
}

#[test]
fn columns_are_spelled_in_the_schema_alone() {
    let sources = sources(Path::new(env!("CARGO_MANIFEST_DIR")), "src");
    let spelled: Vec<String> = spelled(&sources)
        .into_iter()
        .map(|(path, name)| format!("{path}: {name}: take it from schema::names"))
        .collect();
    assert!(spelled.is_empty(), "columns:\n{}", spelled.join("\n"));
}

#[test]
fn a_column_that_is_spelled_is_found() {
    for (path, text, expected) in [
        ("src/query/planted.rs", "f(\"port\");", Some("port")),
        (
            "src/facts.rs",
            "format!(\"SELECT {x} WHERE src_ip = 1\")",
            Some("src_ip"),
        ),
        (
            "src/figure/planted.rs",
            "(\"traffic_type\", \"\")",
            Some("traffic_type"),
        ),
        ("src/figure/planted.rs", "(\"port\", text.port)", None),
        ("src/query/planted.rs", "f(names::PORT); // \"port\"", None),
        (
            "src/query/planted.rs",
            "#[cfg(test)]\nmod tests { const A: &str = \"port\"; }",
            None,
        ),
    ] {
        let planted = [Source::new(path.to_owned(), text.to_owned())];
        let found = spelled(&planted);
        let expected: Vec<_> = expected.iter().map(|name| (path, *name)).collect();
        assert_eq!(found, expected, "{text}");
    }
}
