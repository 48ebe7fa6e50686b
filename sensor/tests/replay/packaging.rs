//! What ships beside the program: the unit, the dashboard, manual pages and completions.

use crate::program;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use teiten_sensor::watch::METRICS;

const UNIT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/packaging/teiten-sensor.service"
);
const DASHBOARD: &str = include_str!("../../packaging/grafana-dashboard.json");
/// The most that `systemd-analyze security` may find exposed, of 10: its word for below 2 is OK, without the capability and sockets
/// that a capture needs it would be less.
const EXPOSURE_MAX: f64 = 2.0;

#[test]
fn every_metric_of_the_dashboard_exists_and_most_metrics_are_drawn() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let known: BTreeSet<String> = METRICS.iter().map(|metric| metric.full_name()).collect();
    let mut drawn = BTreeSet::new();
    let panels = dashboard["panels"].as_array().expect("panels");
    for target in panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
    {
        let expression = target["expr"].as_str().expect("an expression");
        let words =
            expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let names =
            words.filter(|word| word.starts_with("teiten_") || word.starts_with("process_"));
        let mut count = 0;
        for name in names {
            assert!(known.contains(name), "{name} in {expression}");
            drawn.insert(name.to_owned());
            count += 1;
        }
        assert!(count > 0, "{expression}");
    }
    assert!(
        drawn.len() * 3 > known.len() * 2,
        "{:?} are not drawn",
        known.difference(&drawn)
    );
}

#[test]
fn labels_of_the_dashboard_are_labels_of_the_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let known: BTreeSet<&str> = METRICS
        .iter()
        .map(|metric| metric.label)
        .chain(["instance"])
        .collect();
    for part in dashboard.to_string().split("by (").skip(1) {
        let label = part.split(')').next().expect("a closing bracket");
        assert!(known.contains(label), "{label}");
    }
}

#[test]
fn the_unit_is_understood_and_exposes_little() {
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze")
            .args(arguments)
            .arg(UNIT)
            .output()
    };
    let Ok(output) = analyze(&["security", "--offline=true", "--no-pager"]) else {
        eprintln!("SKIPPED: systemd-analyze is not here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((_, level)) = text.split_once("Overall exposure level for teiten-sensor.service: ")
    else {
        eprintln!("SKIPPED: this systemd-analyze cannot look at a unit offline: {output:?}");
        return;
    };
    let level: f64 = level
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number");
    assert!(level <= EXPOSURE_MAX, "{text}");
    let output = analyze(&["verify", "--man=no", "--recursive-errors=no"]).expect("it ran before");
    let text = String::from_utf8_lossy(&output.stderr);
    // The program is not installed where tests run; nothing else may be wrong.
    let wrong: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.contains("teiten-sensor.service") && !line.contains("is not executable")
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn manual_pages_and_completions_name_every_flag() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = program::run(["documents".as_ref(), folder.path().as_os_str()]);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    let read = |name: &str| {
        std::fs::read_to_string(folder.path().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let page = read("man/teiten-sensor-capture.1");
    for flag in ["interface", "status", "user", "no\\-sandbox", "config"] {
        assert!(page.contains(&format!("\\-\\-{flag}")), "{flag}: {page}");
    }
    for name in [
        "completions/teiten-sensor.bash",
        "completions/_teiten-sensor",
        "completions/teiten-sensor.fish",
    ] {
        assert!(read(name).contains("no-sandbox"), "{name}");
    }
}
