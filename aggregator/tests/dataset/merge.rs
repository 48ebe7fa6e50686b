//! Datasets merged while their sensors run, and datasets that must not be merged.

use crate::common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use teiten_aggregator::close::{Closer, HourRuns, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::inputs::{Capture, Contributors};
use teiten_aggregator::merge::{MergeError, MergeReport, Rename, merge, merge_renaming};
use teiten_aggregator::minute::{HourAccount, MinuteCounts, SecondSet};
use teiten_aggregator::schema::{COVERAGE, SOURCES, TRAFFIC};
use teiten_aggregator::store::{PartName, Store};
use teiten_aggregator::table::{HOUR_US, Seed};
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-15T07
const HOUR: Hour = Hour(498_535);
const PART: &str = "coverage/date=2026-11-15/hour=07/test-0123-0000.parquet";

fn closer(directory: &Path, identity: &str) -> Closer {
    Closer {
        identity: identity.to_owned(),
        addresses: None,
        source_rows_max: 1000,
        contributions_bytes: 1 << 16,
        ..common::closer(directory, ("test", "0123"), 256)
    }
}

fn publish(closer: &Closer, state: State, seconds: usize, packets: u64) {
    let mut account = HourAccount::default();
    let counts = MinuteCounts {
        received: packets,
        outside: packets,
        ..MinuteCounts::default()
    };
    account.add_to_minute(0, &counts);
    let mut covered = SecondSet::default();
    covered.insert_range(0, seconds);
    let mut edition = closer.edition(HOUR, state);
    edition.coverage(0, &account, &covered).expect("writable");
    edition.publish().expect("writable");
}

/// Publishes an hour with rows: `packets` packets of as many sources.
fn publish_rows(closer: &Closer, state: State, packets: u32) {
    let kind = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(23));
    let packet = |index: u32| Observation {
        time_us: HOUR.0 * HOUR_US + i64::from(index) * 1000,
        source: 0x0100_0000 + index,
        destination: 0xc612_0000 + index % 5,
        kind,
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    };
    let mut window = Window::new(LatePolicy::Reread, Seed::random());
    let mut batch = Batch {
        ipv4: (0..packets).map(packet).collect(),
        ipv6: Vec::new(),
    };
    window.observe(HOUR.0, &mut batch);
    let mut runs = HourRuns::default();
    runs.append(closer.sort(window.close_before(HOUR.0 + 1)));
    let mut account = HourAccount::default();
    let counts = MinuteCounts {
        received: packets.into(),
        observed: packets.into(),
        ..MinuteCounts::default()
    };
    account.add_to_minute(0, &counts);
    let mut covered = SecondSet::default();
    covered.insert_range(0, 30);
    let mut edition = closer.edition(HOUR, state);
    edition.rows(0, runs).expect("writable");
    edition.coverage(0, &account, &covered).expect("writable");
    edition.publish().expect("writable");
}

/// Observed packets of a dataset by sensor, by the column of each table.
fn by_sensor(dataset: &Path, table: &str) -> Vec<(String, i64)> {
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    let store = Store::at(dataset);
    let table = [&TRAFFIC, &SOURCES, &COVERAGE]
        .into_iter()
        .find(|known| known.name == table)
        .expect("a table");
    for part in store
        .parts_within(table.name, &(i64::MIN..i64::MAX))
        .expect("listed")
    {
        let reader = SerializedFileReader::new(part.open().expect("there")).expect("Parquet");
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let text = |wanted: &str| {
                let mut columns = row.get_column_iter();
                let found = columns.find(|(name, _)| *name == wanted);
                found.expect("the column").1.to_string()
            };
            let count = if table.name == COVERAGE.name {
                "observed"
            } else {
                "packets"
            };
            let sensor = text("sensor").trim_matches('"').to_owned();
            *sums.entry(sensor).or_default() += text(count).parse::<i64>().expect("a number");
        }
    }
    sums.into_iter().collect()
}

fn rename(text: &str) -> Rename {
    text.parse().expect("a rename")
}

/// A run that has read these captures.
fn replayed(directory: &Path, run: &str, captures: &[(u64, u64, &str)], packets: u32) {
    let contributors = Contributors::new(vec![Capture::default(); captures.len()]);
    for (number, (bytes, from_bytes, marks)) in captures.iter().enumerate() {
        contributors.contributes(number, HOUR.0);
        let whole = Capture {
            bytes: Some(*bytes),
            hash: Some(format!("{bytes}-{marks}")),
            from_bytes: *from_bytes,
            records: Some(1),
            marks: (*marks).to_owned(),
        };
        contributors.is_read(number, whole);
    }
    let sensor = Closer {
        name: PartName::new("test", run).expect("a good name"),
        inputs: Some(Arc::new(contributors)),
        ..closer(directory, "0123456789abcdef")
    };
    publish_rows(&sensor, State::Finished, packets);
}

fn merged(into: &Path, from: &Path) -> MergeReport {
    merge(into, &[from.to_owned()]).expect("merged")
}

fn bytes(dataset: &Path) -> Vec<u8> {
    std::fs::read(dataset.join(PART)).expect("a part")
}

#[test]
fn a_later_merge_brings_the_later_state_and_an_earlier_one_never_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [live, all, early, half] =
        ["live", "all", "early", "half"].map(|name| folder.path().join(name));
    let sensor = closer(&live, "0123456789abcdef");
    publish(&sensor, State::Open, 10, 3);
    assert_eq!(merged(&all, &live).copied, 1);
    merged(&early, &live);
    for (state, seconds, packets) in [
        (State::Open, 20, 3),
        (State::Open, 30, 9),
        (State::Finished, 30, 9),
    ] {
        publish(&sensor, state, seconds, packets);
        let outcome = merged(&all, &live);
        assert_eq!(
            (outcome.copied, outcome.replaced),
            (1, 1),
            "{state:?} {seconds}"
        );
        assert_eq!(bytes(&all), bytes(&live));
    }
    let outcome = merged(&all, &early);
    assert_eq!((outcome.copied, outcome.present), (0, 1));
    assert_eq!(bytes(&all), bytes(&live));
    // More seconds and fewer packets: neither is the later state of the other.
    publish(&closer(&half, "0123456789abcdef"), State::Finished, 59, 2);
    let refused = merge(&all, &[half]).expect_err("a conflict");
    assert!(matches!(refused, MergeError::Conflict { .. }), "{refused}");
    assert_eq!(bytes(&all), bytes(&live));
}

#[test]
fn two_sensors_of_one_name_are_refused_before_anything_is_copied() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let datasets: Vec<PathBuf> = ["a", "b"].map(|name| folder.path().join(name)).to_vec();
    for (dataset, identity) in datasets
        .iter()
        .zip(["0000000000000001", "0000000000000002"])
    {
        publish(&closer(dataset, identity), State::Finished, 10, 3);
    }
    let all = folder.path().join("all");
    let refused = merge(&all, &datasets).expect_err("two sensors");
    let text = refused.to_string();
    let way_out = "--rename 0000000000000002=NAME";
    assert!(
        text.contains(way_out) && text.contains("--sensor"),
        "{text}"
    );
    assert!(
        matches!(refused, MergeError::TwoSensors { .. }),
        "{refused}"
    );
    assert!(!all.exists());
}

#[test]
fn sensors_stand_side_by_side_and_a_second_merge_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [a, b, all] = ["a", "b", "all"].map(|name| folder.path().join(name));
    publish_rows(&closer(&a, "0000000000000001"), State::Finished, 5);
    let other = Closer {
        name: PartName::new("other", "0123").expect("a good name"),
        ..closer(&b, "0000000000000002")
    };
    publish_rows(&other, State::Finished, 7);
    std::fs::write(b.join("traffic/date=2026-11-15/hour=07/.unfinished"), b"x").expect("written");
    let datasets = [a, b];
    let merged = merge(&all, &datasets).expect("merged");
    assert_eq!((merged.copied, merged.replaced), (6, 0));
    assert!(
        !all.join("traffic/date=2026-11-15/hour=07/.unfinished")
            .exists()
    );
    let expected = [("other".to_owned(), 7), ("test".to_owned(), 5)];
    assert_eq!(by_sensor(&all, "sources"), expected);
    assert_eq!(verify(&all).expect("readable").findings, []);
    let again = merge(&all, &datasets).expect("merged");
    assert_eq!((again.copied, again.present), (0, 6));
    let work = std::fs::read_dir(all.join(".teiten/work")).expect("listed");
    assert_eq!(work.count(), 0);
}

#[test]
fn what_is_no_dataset_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [a, empty, all] = ["a", "empty", "all"].map(|name| folder.path().join(name));
    let error = merge(&all, &[empty]).expect_err("no dataset");
    assert!(error.to_string().contains("empty"), "{error}");
    publish(&closer(&a, "1"), State::Finished, 10, 3);
    let itself = merge(&a, std::slice::from_ref(&a));
    assert!(matches!(itself, Err(MergeError::Itself { .. })));
}

#[test]
fn two_sensors_of_one_name_are_merged_under_two_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [a, b, all, once] = ["a", "b", "all", "once"].map(|name| folder.path().join(name));
    publish_rows(&closer(&a, "0000000000000001"), State::Finished, 5);
    let b_sensor = closer(&b, "0000000000000002");
    publish_rows(&b_sensor, State::Open, 7);
    // One after the other, by the name that both have.
    merge(&all, std::slice::from_ref(&a)).expect("merged");
    let renames = [rename("test=osaka-2")];
    let merged = merge_renaming(&all, std::slice::from_ref(&b), &renames).expect("merged");
    assert_eq!((merged.copied, merged.present), (3, 0));
    let expected = [("osaka-2".to_owned(), 7), ("test".to_owned(), 5)];
    for table in ["traffic", "sources", "coverage"] {
        assert_eq!(by_sensor(&all, table), expected, "{table}");
    }
    assert_eq!(verify(&all).expect("readable").findings, []);
    let again = merge_renaming(&all, std::slice::from_ref(&b), &renames).expect("merged");
    assert_eq!((again.copied, again.present), (0, 3));
    // The open hour goes on.
    publish_rows(&b_sensor, State::Finished, 9);
    let later = merge_renaming(&all, std::slice::from_ref(&b), &renames).expect("merged");
    assert_eq!((later.copied, later.replaced), (3, 3));
    assert_eq!(by_sensor(&all, "sources")[0], ("osaka-2".to_owned(), 9));
    assert_eq!(verify(&all).expect("readable").findings, []);
    // Both at once, by the identity of one of them.
    let renames = [rename("0000000000000001=tokyo")];
    merge_renaming(&once, &[a, b], &renames).expect("merged");
    let expected = [("test".to_owned(), 9), ("tokyo".to_owned(), 5)];
    assert_eq!(by_sensor(&once, "traffic"), expected);
    assert_eq!(verify(&once).expect("readable").findings, []);
}

#[test]
fn a_sensor_that_is_in_no_dataset_cannot_be_renamed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [a, all] = ["a", "all"].map(|name| folder.path().join(name));
    publish(&closer(&a, "0000000000000001"), State::Finished, 10, 3);
    let refused = merge_renaming(&all, &[a], &[rename("tokyo=osaka")]).expect_err("no tokyo");
    let text = refused.to_string();
    let parts = ["`tokyo`", "test (0000000000000001)"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    assert!(!all.exists());
}

#[test]
fn what_verify_finds_fault_with_is_not_merged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [sound, damaged, unequal, all] =
        ["sound", "damaged", "unequal", "all"].map(|name| folder.path().join(name));
    publish_rows(&closer(&sound, "0000000000000001"), State::Finished, 5);
    publish_rows(&closer(&damaged, "0000000000000001"), State::Finished, 5);
    let part = damaged.join("sources/date=2026-11-15/hour=07/test-0123-0000.parquet");
    let mut bytes = std::fs::read(&part).expect("a part");
    bytes[40] ^= 1;
    std::fs::write(&part, bytes).expect("writable");
    let refused = merge(&all, &[damaged]).expect_err("a damaged part");
    let text = refused.to_string();
    assert!(matches!(refused, MergeError::Unsound { .. }), "{text}");
    assert!(
        text.contains("sources") && text.contains("checksum"),
        "{text}"
    );
    // A table is gone: the others hold packets that it does not.
    publish_rows(&closer(&unequal, "0000000000000001"), State::Finished, 5);
    std::fs::remove_dir_all(unequal.join("traffic")).expect("removable");
    let refused = merge(&all, &[unequal]).expect_err("tables that disagree");
    assert!(refused.to_string().contains("traffic holds 0"), "{refused}");
    assert!(!all.exists());
    merge(&all, &[sound]).expect("merged");
}

#[test]
fn a_capture_that_grew_between_two_merges_replaces_its_shorter_self() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [night, all] = ["night", "all"].map(|name| folder.path().join(name));
    let marks = "0000000011111111";
    let longer = "000000001111111122222222";
    replayed(&night, "first", &[(100, 0, marks)], 5);
    merged(&all, &night);
    // As a replay leaves it that finds the capture grown.
    std::fs::remove_dir_all(&night).expect("removable");
    replayed(&night, "second", &[(200, 0, longer)], 8);
    let outcome = merged(&all, &night);
    assert_eq!((outcome.copied, outcome.removed), (3, 3));
    assert_eq!(by_sensor(&all, "sources"), [("test".to_owned(), 8)]);
    assert_eq!(verify(&all).expect("readable").findings, []);
    // The shorter one never comes back, nor beside what was counted from its end on.
    let [early, rest] = ["early", "rest"].map(|name| folder.path().join(name));
    replayed(&early, "first", &[(100, 0, marks)], 5);
    let outcome = merged(&all, &early);
    assert_eq!(
        (outcome.copied, outcome.present, outcome.removed),
        (0, 3, 0)
    );
    replayed(
        &rest,
        "third",
        &[(300, 200, "00000000111111112222222233333333")],
        2,
    );
    assert_eq!(merged(&all, &rest).copied, 3);
    assert_eq!(by_sensor(&all, "sources"), [("test".to_owned(), 10)]);
    // Half of it is counted already and half is not.
    let both = folder.path().join("both");
    replayed(&both, "fourth", &[(100, 0, marks), (70, 0, "99999999")], 2);
    let refused = merge(&all, &[both]).expect_err("counted twice");
    assert!(
        matches!(refused, MergeError::CountedTwice { .. }),
        "{refused}"
    );
}

#[test]
fn a_dataset_is_found_sound_while_its_sensor_publishes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("live");
    let sensor = closer(&data, "0123456789abcdef");
    publish_rows(&sensor, State::Open, 1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for packets in 2..120 {
                publish_rows(&sensor, State::Open, packets);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let (mut checks, mut last) = (0, 0);
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            // A publication without a pause is more than any sensor does.
            let Ok(verdict) = verify(&data) else { continue };
            assert_eq!(verdict.findings, []);
            assert!(verdict.packets >= last, "{} after {last}", verdict.packets);
            (checks, last) = (checks + 1, verdict.packets);
        }
        assert!(checks > 0);
    });
}
