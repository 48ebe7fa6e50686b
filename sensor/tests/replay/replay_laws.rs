//! The laws of the data on synthetic telescope traffic: the same packets give the same tables for any number of workers, any memory and
//! the files they come in; nothing is counted twice; nothing vanishes.

use crate::capture_file;
use crate::dataset;
use crate::program;

use std::path::{Path, PathBuf};

use capture_file::{Parts, hour, made, scenario, shared};
use dataset::{TELESCOPE, Workshop, broken_sums, files, hour_sums, replayed, rows, text};
use serde_json::{Value, json};
use teiten_sensor::command::replay::Outcome;
use teiten_sensor::options::Settings;

/// Files that a capture is split into.
const FILES: usize = 10;
/// The tables whose rows must not depend on how the input is split.
const TABLES: [&str; 5] = ["traffic", "sources", "coverage", "payloads", "backscatter"];

/// Settings with the telescope of the shared capture.
fn settings(workshop: &Workshop, name: &str, workers: usize) -> Settings {
    let telescope = TELESCOPE.map(|text| text.parse().expect("a prefix")).into();
    Settings {
        telescope,
        ..workshop.settings(name, workers)
    }
}

fn replay_into(paths: &[PathBuf], settings: &Settings) -> Outcome {
    let outcome = replayed(paths, settings).expect("a sound input");
    assert_eq!(broken_sums(&settings.data), [""; 0]);
    outcome
}

/// Rows of all tables; the datasets of two inputs differ in the names of their files alone.
fn all_rows(data: &Path) -> Vec<Vec<String>> {
    TABLES.iter().map(|table| rows(data, table, &[])).collect()
}

fn write_all(workshop: &Workshop, name: &str, captures: &[Vec<u8>]) -> Vec<PathBuf> {
    let numbered = captures.iter().enumerate();
    numbered
        .map(|(number, bytes)| workshop.file(&format!("{name}{number}.pcap"), bytes))
        .collect()
}

/// Panics with the first row that differs, not with thousands.
fn assert_same_rows(ours: &[Vec<String>], theirs: &[Vec<String>], what: &str) {
    for ((ours, theirs), table) in ours.iter().zip(theirs).zip(TABLES) {
        assert_eq!(ours.len(), theirs.len(), "{what}: rows of {table}");
        for (left, right) in ours.iter().zip(theirs) {
            assert_eq!(left, right, "{what}: {table}");
        }
    }
}

#[test]
fn the_dataset_holds_what_the_synthesiser_sent() {
    let (capture, truth) = shared();
    let workshop = Workshop::new();
    let path = workshop.file("in.pcap", capture);
    let settings = settings(&workshop, "data", 2);
    let outcome = replay_into(&[path], &settings);
    let accounting = teiten_sensor::command::summary::accounting(&outcome);
    for (name, expected) in [
        ("records", truth.accounting.records),
        ("observed", truth.accounting.observed),
        ("outside", truth.accounting.outside),
        ("not_ip", truth.accounting.not_ip),
        ("late", 0),
    ] {
        assert_eq!(accounting[name], expected, "{name}");
    }
    assert_eq!(accounting["hours"], json!(truth.hours));
    assert_eq!(accounting["protocols"], json!(truth.protocols));
    let sums = hour_sums(&settings.data, "traffic");
    let (packets, bytes) = sums
        .values()
        .fold((0, 0), |sum, hour| (sum.0 + hour.0, sum.1 + hour.1));
    assert_eq!((packets as u64, bytes as u64), (truth.packets, truth.bytes));
}

#[test]
fn any_number_of_workers_writes_the_same_bytes() {
    let workshop = Workshop::new();
    let path = [workshop.file("in.pcap", &shared().0)];
    let mut expected = None;
    for workers in [1, 2, 3, 8] {
        let settings = settings(&workshop, &format!("by{workers}"), workers);
        replay_into(&path, &settings);
        let files = files(&settings.data);
        assert_eq!(files.len(), 15, "five tables of three hours: {files:?}");
        let expected = expected.get_or_insert_with(|| files.clone());
        assert_eq!(files, *expected, "{workers} workers");
    }
}

#[test]
fn little_memory_writes_the_same_bytes() {
    let workshop = Workshop::new();
    let path = [workshop.file("in.pcap", &shared().0)];
    let ample = settings(&workshop, "ample", 2);
    replay_into(&path, &ample);
    for workers in [1, 3] {
        let tight = Settings {
            memory_bytes: 1 << 20,
            ..settings(&workshop, &format!("tight{workers}"), workers)
        };
        replay_into(&path, &tight);
        let spilled = tight.data.join(".teiten/work");
        let spilled = std::fs::read_dir(spilled).expect("rows were spilled");
        assert_eq!(spilled.count(), 0, "spilled files are left over");
        assert_eq!(files(&tight.data), files(&ample.data), "{workers} workers");
    }
}

#[test]
fn any_splitting_into_files_gives_the_same_rows() {
    let workshop = Workshop::new();
    let capture = &shared().0;
    let parts = Parts::of(capture);
    let whole = settings(&workshop, "whole", 2);
    replay_into(&[workshop.file("in.pcap", capture)], &whole);
    let expected = all_rows(&whole.data);

    let chunks = parts.records.chunks(parts.records.len().div_ceil(FILES));
    let consecutive: Vec<Vec<u8>> = chunks.map(|records| parts.joined(records)).collect();
    let mut paths = write_all(&workshop, "consecutive", &consecutive);
    paths.reverse();
    let reversed = settings(&workshop, "reversed", 2);
    replay_into(&paths, &reversed);
    assert_same_rows(&all_rows(&reversed.data), &expected, "ten files, reversed");

    let dealt: Vec<Vec<u8>> = (0..FILES)
        .map(|first| parts.joined(parts.records.iter().skip(first).step_by(FILES)))
        .collect();
    let paths = write_all(&workshop, "dealt", &dealt);
    let overlapping = settings(&workshop, "overlapping", 2);
    replay_into(&paths, &overlapping);
    assert_same_rows(&all_rows(&overlapping.data), &expected, "ten that overlap");
}

#[test]
fn replaying_again_replaces() {
    let workshop = Workshop::new();
    let path = [workshop.file("in.pcap", &shared().0)];
    let settings = settings(&workshop, "data", 2);
    replay_into(&path, &settings);
    let before = files(&settings.data);
    let again = replay_into(&path, &settings);
    assert_eq!(files(&settings.data), before);
    assert_eq!(again.stale_parts, 0);
}

#[test]
fn another_telescope_replaces_what_was_there() {
    let workshop = Workshop::new();
    let path = [workshop.file("in.pcap", &shared().0)];
    let wide = settings(&workshop, "data", 2);
    replay_into(&path, &wide);
    let nowhere = Settings {
        telescope: vec!["203.0.113.0/24".parse().expect("a prefix")],
        ..wide
    };
    let outcome = replay_into(&path, &nowhere);
    assert_eq!(outcome.stale_parts, 12, "all but coverage of three hours");
    assert!(hour_sums(&nowhere.data, "traffic").is_empty());
}

#[test]
fn payloads_are_written_unless_they_are_unwanted() {
    let workshop = Workshop::new();
    let path = [workshop.file("in.pcap", &shared().0)];
    let kept = settings(&workshop, "data", 2);
    replay_into(&path, &kept);
    let with_payloads = files(&kept.data);
    let payloads = |name: &&String| name.starts_with("payloads/");
    assert_eq!(with_payloads.keys().filter(payloads).count(), 3);
    let traffic = rows(&kept.data, "traffic", &[]);
    let unwanted = Settings {
        payloads: false,
        ..kept
    };
    let outcome = replay_into(&path, &unwanted);
    assert_eq!(outcome.stale_parts, 3, "what was kept before goes too");
    assert_eq!(files(&unwanted.data).keys().filter(payloads).count(), 0);
    assert!(rows(&unwanted.data, "traffic", &[]) == traffic);
}

#[test]
fn two_inputs_stand_side_by_side() {
    let workshop = Workshop::new();
    let (other, _) = made(&scenario(10_000, 8));
    let first = [workshop.file("first.pcap", &shared().0)];
    let second = [workshop.file("second.pcap", &other)];
    let together = settings(&workshop, "together", 2);
    replay_into(&first, &together);
    let alone = hour_sums(&together.data, "sources");
    replay_into(&second, &together);
    let apart = settings(&workshop, "apart", 2);
    replay_into(&second, &apart);
    let mut expected = alone;
    for (hour, (packets, bytes)) in hour_sums(&apart.data, "sources") {
        let sum = expected.entry(hour).or_default();
        *sum = (sum.0 + packets, sum.1 + bytes);
    }
    assert_eq!(hour_sums(&together.data, "sources"), expected);
    assert_eq!(files(&together.data).len(), 30);
}

/// The shared capture with every tenth packet of its first two hours at the end, and the first hour after the second.
fn going_back_in_time() -> Vec<u8> {
    let parts = Parts::of(&shared().0);
    let first_hour = hour(parts.records[0]);
    let hours = |number: u32| {
        let of_hour = move |record: &&&[u8]| hour(record) == first_hour + number;
        parts.records.iter().filter(of_hour)
    };
    let (mut ordered, mut behind) = (Vec::new(), Vec::new());
    for number in [1, 0] {
        for (index, record) in hours(number).enumerate() {
            if index % 10 == 0 {
                behind.push(*record);
            } else {
                ordered.push(*record);
            }
        }
    }
    ordered.extend(hours(2));
    ordered.extend(behind);
    assert_eq!(ordered.len(), parts.records.len());
    parts.joined(&ordered)
}

#[test]
fn packets_that_go_back_in_time_are_counted_in_their_own_hour() {
    let workshop = Workshop::new();
    let sorted = settings(&workshop, "sorted", 2);
    replay_into(&[workshop.file("in.pcap", &shared().0)], &sorted);
    let path = [workshop.file("back.pcap", &going_back_in_time())];
    let mut files_by_workers = Vec::new();
    for workers in [1, 3] {
        let back = settings(&workshop, &format!("back{workers}"), workers);
        let outcome = replay_into(&path, &back);
        assert!(outcome.counted.tally.counts.late > 1000);
        for table in TABLES {
            let without: &[&str] = if table == "coverage" { &["late"] } else { &[] };
            let (ours, theirs) = (
                rows(&back.data, table, without),
                rows(&sorted.data, table, without),
            );
            assert_same_rows(&[ours], &[theirs], table);
        }
        files_by_workers.push(files(&back.data));
    }
    assert_eq!(files_by_workers[0], files_by_workers[1]);
}

/// An accounting without what differs from run to run and from file to file.
fn comparable(mut accounting: Value) -> Value {
    let object = accounting.as_object_mut().expect("an object");
    for name in ["files", "timings", "elapsed_seconds", "dataset_bytes"] {
        object.remove(name);
    }
    accounting
}

#[test]
fn standard_input_counts_as_a_file_does() {
    let workshop = Workshop::new();
    let capture = &shared().0;
    let path = workshop.file("in.pcap", capture);
    let from_file = program::run(workshop.arguments("file", &[text(&path)]));
    assert_eq!(from_file.exit_code, Some(0), "{}", from_file.messages);
    let compressed = zstd::encode_all(&capture[..], 1).expect("memory takes it");
    for (name, input) in [("plain", capture), ("compressed", &compressed)] {
        let run = program::run_with_input(workshop.arguments(name, &["-"]), input);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert_eq!(comparable(run.json()), comparable(from_file.json()));
        assert_eq!(run.json()["files"][0]["path"], "-");
        assert_same_rows(
            &all_rows(&workshop.path(name)),
            &all_rows(&workshop.path("file")),
            name,
        );
    }
}

#[test]
fn a_stream_that_goes_back_in_time_adds_up() {
    let workshop = Workshop::new();
    let input = going_back_in_time();
    let mut datasets = Vec::new();
    for workers in ["1", "3"] {
        let mut arguments = workshop.arguments(workers, &["-"]);
        arguments.extend(["--workers".to_owned(), workers.to_owned()]);
        let run = program::run_with_input(arguments, &input);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert!(run.json()["late"].as_u64() > Some(1000));
        let data = workshop.path(workers);
        assert_eq!(broken_sums(&data), [""; 0]);
        datasets.push(files(&data));
    }
    let sources = |name: &str| name.starts_with("sources/");
    assert!(datasets[0].keys().filter(|name| sources(name)).count() > 3);
    assert_eq!(datasets[0], datasets[1]);
}
