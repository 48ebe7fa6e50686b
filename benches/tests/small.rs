//! The built program on small captures: every command runs, agrees with itself, and keeps its results. How fast is not tested.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `teiten-bench` with its captures and results in `folder`.
fn bench(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_teiten-bench"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

fn check(folder: &Path, arguments: &[&str], expected: &[&str]) {
    let output = bench(folder, arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {text}\n{messages}");
    for words in expected {
        assert!(
            text.contains(words),
            "{arguments:?}: no {words:?} in\n{text}"
        );
    }
}

fn kept(folder: &Path, name: &str) -> Value {
    let runs = std::fs::read_dir(folder.join("benches/runs")).expect("results were kept");
    let file = runs
        .map(|entry| entry.expect("readable").path())
        .find(|path| path.to_string_lossy().ends_with(&format!("-{name}.json")))
        .expect("the record has the name that was asked for");
    assert!(file.with_extension("txt").exists());
    serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON")
}

#[test]
fn every_command_runs_on_small_captures_and_keeps_its_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    check(
        folder,
        &["all", "--small", "--save", "all"],
        &[
            "plain ",
            "flood ",
            "tables of workers-1 and workers-2 are the same, byte for byte",
            "to the last one",
            "sum of the terms",
            "   64 ",
        ],
    );
    let record = kept(folder, "all");
    let cases = record["results"]["whole"].as_array().expect("cases");
    assert!(cases.iter().all(|case| case["packets"] == 20_000));
    assert!(record["circumstances"]["command"].is_string());
    let stages = record["results"]["stages"].as_array().expect("stages");
    assert!(stages.iter().any(|stage| stage["stage"] == "walk"));

    let file = std::fs::read_dir(folder.join("benches/runs"))
        .expect("results were kept")
        .map(|entry| entry.expect("readable").path())
        .find(|path| path.extension().is_some_and(|ending| ending == "json"))
        .expect("a record");
    let file = file.to_string_lossy();
    check(folder, &["model", "--from", &file], &["bound by", "   16 "]);
    check(
        folder,
        &["peers", "--small"],
        &["teiten-sensor", "capinfos"],
    );
}

#[test]
fn a_small_month_is_reported_alike_from_sums_and_hours() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(
        folder.path(),
        &["report", "--small"],
        &["report from sums", "report from hours", "48 hours: traffic"],
    );
}

#[test]
fn an_unknown_case_is_named_with_those_there_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = bench(folder.path(), &["run", "--small", "--case", "plane"]);
    assert_eq!(output.status.code(), Some(2));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(messages.contains("plane") && messages.contains("workers-1"));
}
