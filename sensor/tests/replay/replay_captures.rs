//! The whole line against a thousand captures of others: accounting and dataset must say what the oracles say (tshark, checked
//! with tcpdump and dpkt). Skipped, and said so, where those captures are not.

use crate::captures;
use crate::dataset;
use crate::exceptions;
use crate::program;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use captures::{captures, oracles};
use dataset::{Workshop, broken_sums, coverage_sums, hour_sums, replayed};
use exceptions::{is_excepted, is_supported};
use serde_json::Value;
use teiten_aggregator::hour::Hour;
use teiten_sensor::command::summary::accounting;

/// The partitions of the account, each of which must sum to `observed`.
const PARTITIONS: &[&str] = &[
    "families",
    "protocols",
    "traffic_types",
    "classes",
    "tools",
    "hours",
];

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn counts(value: &Value) -> BTreeMap<String, u64> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(name, value)| (name.clone(), count(value)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Errors in the sums of an account.
fn broken_laws(accounting: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let parts = ["observed", "outside", "excluded", "not_ip"];
    let malformed = counts(&accounting["malformed"]).values().sum::<u64>();
    let sum = parts
        .iter()
        .map(|part| count(&accounting[part]))
        .sum::<u64>()
        + malformed;
    if sum != count(&accounting["records"]) {
        broken.push(format!("sum {sum}, records {}", accounting["records"]));
    }
    for partition in PARTITIONS {
        let sum: u64 = counts(&accounting[partition]).values().sum();
        if sum != count(&accounting["observed"]) {
            broken.push(format!("{partition} sum to {sum}, not to observed"));
        }
    }
    broken
}

/// The accounting under the oracle's names, and the oracle, as maps without zeros.
fn both(accounting: &Value, oracle: &Value) -> [BTreeMap<String, u64>; 2] {
    let malformed = &accounting["malformed"];
    let mut ours = BTreeMap::from([
        ("records".to_owned(), count(&accounting["records"])),
        ("ipv4".to_owned(), count(&accounting["families"]["ipv4"])),
        ("ipv6".to_owned(), count(&accounting["families"]["ipv6"])),
        ("ipv4_malformed".to_owned(), count(&malformed["ipv4"])),
        ("ipv6_malformed".to_owned(), count(&malformed["ipv6"])),
        (
            "non_ip".to_owned(),
            count(&accounting["not_ip"]) + count(&malformed["link"]),
        ),
    ]);
    let mut theirs: BTreeMap<String, u64> = ours
        .keys()
        .map(|name| (name.clone(), count(&oracle["counts"][name])))
        .collect();
    let protocol = |(number, count): (String, u64)| (format!("protocol {number}"), count);
    ours.extend(counts(&accounting["protocols"]).into_iter().map(protocol));
    theirs.extend(
        counts(&oracle["ip_proto_numbers"])
            .into_iter()
            .map(protocol),
    );
    ours.retain(|_, count| *count > 0);
    theirs.retain(|_, count| *count > 0);
    [ours, theirs]
}

fn differences(accounting: &Value, oracle: &Value) -> Vec<String> {
    let [ours, theirs] = both(accounting, oracle);
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let of = |map: &BTreeMap<String, u64>, name| map.get(name).copied().unwrap_or(0);
    names
        .into_iter()
        .map(|name| (name, of(&ours, name), of(&theirs, name)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(name, ours, theirs)| format!("{name}: {theirs} by the oracle, {ours} here"))
        .collect()
}

/// The oracle's hours have all records with a time, so they are those of `coverage`; where all of them are IP packets they are the
/// accounting's too.
fn wrong_hours(data: &Path, accounting: &Value, oracle: &Value) -> Vec<String> {
    if oracle["hours_checkable"] != true || count(&oracle["counts"]["no_timestamp"]) > 0 {
        return Vec::new();
    }
    // `2009-03-15T08:00:00Z` is `2009-03-15T08` in the accounting.
    let theirs: BTreeMap<String, u64> = counts(&oracle["hours_utc"])
        .into_iter()
        .map(|(hour, count)| (hour[..13].to_owned(), count))
        .collect();
    let ours: BTreeMap<String, u64> = coverage_sums(data, "received")
        .into_iter()
        .map(|(hour, count)| (Hour(hour).to_string(), count as u64))
        .collect();
    let mut wrong = Vec::new();
    if ours != theirs {
        wrong.push(format!("hours: {theirs:?} by the oracle, {ours:?} here"));
    }
    if accounting["observed"] == accounting["records"] && counts(&accounting["hours"]) != ours {
        wrong.push("hours of the accounting differ from those of coverage".into());
    }
    wrong
}

/// Errors in the replay of one capture of grade A or B.
fn problems(workshop: &Workshop, capture: &Path, oracle: &Value) -> Vec<String> {
    let settings = workshop.settings("dataset", 2);
    // A file of another capture must not be counted again.
    let _ = std::fs::remove_dir_all(&settings.data);
    let outcome = match replayed(&[capture.to_owned()], &settings) {
        Ok(outcome) => outcome,
        Err(error) => return vec![format!("refused: {error}")],
    };
    let accounting = accounting(&outcome);
    let mut problems = differences(&accounting, oracle);
    problems.extend(broken_laws(&accounting));
    problems.extend(broken_sums(&settings.data));
    problems.extend(wrong_hours(&settings.data, &accounting, oracle));
    let file = &outcome.files[0];
    if file.error.is_some() != (file.unsupported_records > 0) {
        problems.push(format!("error {:?}", file.error));
    }
    problems
}

#[test]
fn captures_of_grade_a_and_b_are_accounted_for_as_their_oracles_say() {
    let Some(folder) = captures() else { return };
    let oracles = oracles(&folder);
    let (mut checked, mut wrong) = (0, Vec::new());
    let workshop = Workshop::new();
    for oracle in &oracles {
        let name = oracle["path"].as_str().expect("a path");
        if !matches!(oracle["grade"].as_str(), Some("A" | "B")) || !is_supported(oracle) {
            continue;
        }
        checked += 1;
        let problems = problems(&workshop, &folder.join(name), oracle);
        let unexpected = problems
            .into_iter()
            .filter(|problem| !is_excepted(name, problem));
        wrong.extend(unexpected.map(|problem| format!("{name}: {problem}")));
    }
    assert!(checked > 1000, "only {checked} captures checked");
    assert!(
        wrong.is_empty(),
        "{} problems:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn captures_that_break_off_are_counted_up_to_there() {
    let Some(folder) = captures() else { return };
    let workshop = Workshop::new();
    for oracle in oracles(&folder) {
        if oracle["grade"] != "C" {
            continue;
        }
        let name = oracle["path"].as_str().expect("a path");
        let settings = workshop.settings(&name.replace('/', "_"), 2);
        match replayed(&[folder.join(name)], &settings) {
            Ok(outcome) => {
                let accounting = accounting(&outcome);
                let mut problems = differences(&accounting, &oracle);
                problems.extend(broken_laws(&accounting));
                problems.extend(broken_sums(&settings.data));
                if outcome.files[0].error.is_none() {
                    problems.push("error: none though it breaks off".into());
                }
                problems.retain(|problem| !is_excepted(name, problem));
                assert_eq!(problems, [""; 0], "{name}");
            }
            Err(error) => assert_eq!(count(&oracle["counts"]["records"]), 0, "{name}: {error}"),
        }
    }
}

#[test]
fn captures_that_nothing_reads_are_refused_with_a_message() {
    let Some(folder) = captures() else { return };
    let workshop = Workshop::new();
    for oracle in oracles(&folder) {
        if oracle["grade"] != "X" {
            continue;
        }
        let name = oracle["path"].as_str().expect("a path");
        let settings = workshop.settings(&name.replace('/', "_"), 2);
        match replayed(&[folder.join(name)], &settings) {
            Ok(outcome) => {
                assert_eq!(broken_laws(&accounting(&outcome)), [""; 0], "{name}");
                assert_eq!(broken_sums(&settings.data), [""; 0], "{name}");
                assert!(outcome.files[0].error.is_some(), "{name}");
            }
            Err(error) => assert!(error.to_string().contains(name), "{name}: {error}"),
        }
    }
}

#[test]
fn the_program_accounts_for_the_backscatter_of_a_day() {
    let Some(folder) = captures() else { return };
    let workshop = Workshop::new();
    let name = "backscatter/bro-simple-scan__testing-pcaps-backscatter.trace";
    let accounting = accounted(&workshop, &folder, name);
    assert_eq!(
        counts(&accounting["traffic_types"]),
        BTreeMap::from([
            ("icmp-unreachable".to_owned(), 28),
            ("tcp-rst".to_owned(), 1273),
            ("tcp-rst-ack".to_owned(), 37),
            ("tcp-syn-ack".to_owned(), 3431),
            ("udp".to_owned(), 2),
        ])
    );
    assert_eq!(counts(&accounting["hours"]).len(), 25);
    let sources = hour_sums(&workshop.path(name), "sources");
    let packets: i64 = sources.values().map(|sum| sum.0).sum();
    assert_eq!(packets, 4771);
}

#[test]
fn the_program_accounts_for_every_scan_and_tool() {
    let Some(folder) = captures() else { return };
    let workshop = Workshop::new();
    let mut checked = 0;
    for oracle in oracles(&folder) {
        let name = oracle["path"].as_str().expect("a path");
        if !name.starts_with("scan/") && !name.starts_with("tools/") {
            continue;
        }
        checked += 1;
        let accounting = accounted(&workshop, &folder, name);
        assert_eq!(differences(&accounting, &oracle), [""; 0], "{name}");
    }
    assert!(checked > 0, "no capture of a scan or a tool");
}

/// Replays with the built program; checks its exit code, its sums and its dataset.
fn accounted(workshop: &Workshop, folder: &Path, name: &str) -> Value {
    let data = workshop.path(name);
    let run = program::run([
        "replay".as_ref(),
        folder.join(name).as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--geo".as_ref(),
        workshop.countries().as_os_str(),
        "--json".as_ref(),
    ]);
    let accounting = run.json();
    // Nothing observed is done, but incomplete.
    let expected = i32::from(accounting["observed"] == 0);
    assert_eq!(run.exit_code, Some(expected), "{name}: {run:?}");
    assert_eq!(broken_laws(&accounting), [""; 0], "{name}");
    assert_eq!(broken_sums(&data), [""; 0], "{name}");
    accounting
}
