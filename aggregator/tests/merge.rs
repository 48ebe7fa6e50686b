//! Datasets merged while their sensors go on, and those that must not be merged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use teiten_aggregator::close::{Closer, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::merge::{MergeError, MergeReport, merge};
use teiten_aggregator::minute::{HourAccount, SecondSet};
use teiten_aggregator::origin::Origins;
use teiten_aggregator::store::{PartName, Store};

/// 2026-11-15T07
const HOUR: Hour = Hour(498_535);
const PART: &str = "coverage/date=2026-11-15/hour=07/test-0123-0000.parquet";

fn closer(directory: &Path, identity: &str) -> Closer {
    Closer {
        store: Store::at(directory),
        name: PartName::new("test", "0123").expect("a good name"),
        identity: identity.to_owned(),
        origins: Arc::new(Origins::empty()),
        addresses: None,
        configuration_sha256: "none".to_owned(),
        threads: 1,
        source_rows_max: 1000,
        contributions_bytes: 1 << 16,
        inputs: None,
        journal_through: None,
    }
}

fn publish(closer: &Closer, state: State, seconds: usize, packets: u64) {
    let mut account = HourAccount::default();
    account.minutes[0].received = packets;
    account.minutes[0].outside = packets;
    let mut covered = SecondSet::default();
    covered.insert_range(0, seconds);
    let mut edition = closer.edition(HOUR, state);
    edition.coverage(0, &account, &covered).expect("writable");
    edition.publish().expect("writable");
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
    assert!(refused.to_string().contains("--sensor"), "{refused}");
    assert!(
        matches!(refused, MergeError::TwoSensors { .. }),
        "{refused}"
    );
    assert!(!all.exists());
}
