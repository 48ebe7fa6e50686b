//! Retention: old parts are removed, parts that a rollup still needs are kept, and rollups outlive their hours.

use crate::common;

use std::path::Path;

use teiten_aggregator::close::Closer;
use teiten_aggregator::hour::{HOUR_US, Hour};
use teiten_aggregator::minute::{HourAccount, SecondSet};
use teiten_aggregator::prune::{KeptDays, PruneDay, prune};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::store::Store;
use teiten_aggregator::table::Seed;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-05T00.
const FIRST_HOUR: i64 = 498_288;
const DAYS: i64 = 5;

fn closer(directory: &Path) -> Closer {
    common::closer(directory, ("tokyo", "0123"), 256)
}

fn write(closer: &Closer, hour: i64, part: u32) {
    let packet = |source: u32| Observation {
        time_us: hour * HOUR_US + i64::from(source),
        source,
        destination: source,
        kind: Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(53)),
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    };
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch {
        ipv4: (0..20).map(packet).collect(),
        ipv6: Vec::new(),
    };
    window.observe(hour, &mut batch);
    let runs = closer.sort(window.take_open());
    closer.close(Hour(hour), part, runs).expect("writable");
    let (account, seconds) = (HourAccount::default(), SecondSet::default());
    let covered = closer.write_coverage(Hour(hour), part, &account, &seconds);
    covered.expect("writable");
}

fn dataset(directory: &Path) -> Closer {
    let closer = closer(directory);
    for day in 0..DAYS {
        for hour in [0, 7, 23] {
            write(&closer, FIRST_HOUR + day * 24 + hour, 0);
        }
    }
    closer
}

fn run(directory: &Path, keep: &[(&'static str, u64)], is_dry: bool) -> Vec<PruneDay> {
    let retention: KeptDays = keep.iter().copied().collect();
    prune(directory, &retention, None, is_dry).expect("pruned")
}

fn gone(days: &[PruneDay]) -> Vec<String> {
    let gone = days.iter().filter(|day| day.kept.is_none());
    gone.map(|day| format!("{} {}", day.table, day.period))
        .collect()
}

fn parts(directory: &Path, table: &'static str) -> usize {
    let store = Store::at(directory);
    let parts = store.parts_within(table, &(i64::MIN..i64::MAX));
    parts.expect("listed").len()
}

fn days(directory: &Path, table: &str) -> usize {
    let folder = std::fs::read_dir(directory.join(table)).expect("a table");
    let has_part = |day: &std::fs::DirEntry| day.path().join("tokyo.parquet").is_file();
    folder
        .filter(|day| has_part(day.as_ref().expect("a day")))
        .count()
}

#[test]
fn hours_stay_until_their_days_are_rolled_up_from_these_very_parts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let closer = dataset(directory);
    let keep = [("sources", 2), ("traffic", 2)];
    let before = run(directory, &keep, false);
    assert_eq!(gone(&before), Vec::<String>::new());
    assert!(before.iter().all(|day| {
        day.kept
            .as_deref()
            .is_some_and(|why| why.contains("rollup"))
    }));
    rollup(directory, &RollupSettings::default()).expect("rolled up");
    // An hour that was written again since: its day stays, the two days before the last two are removed.
    write(&closer, FIRST_HOUR + 24 + 7, 1);
    let expected = [
        "traffic 2026-11-05",
        "traffic 2026-11-07",
        "sources 2026-11-05",
        "sources 2026-11-07",
    ];
    let all = parts(directory, "sources");
    assert_eq!(gone(&run(directory, &keep, true)), expected);
    assert_eq!(
        parts(directory, "sources"),
        all,
        "a dry run removes nothing"
    );
    assert_eq!(gone(&run(directory, &keep, false)), expected);
    assert_eq!(parts(directory, "sources"), all - 6);
}

#[test]
fn what_was_rolled_up_outlives_its_hours_and_coverage_goes_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    rollup(directory, &RollupSettings::default()).expect("rolled up");
    let keep = [("sources", 1), ("coverage", 1)];
    let pruned = run(directory, &keep, false);
    assert!(gone(&pruned).iter().all(|day| day.starts_with("sources")));
    let kept: Vec<&PruneDay> = pruned.iter().filter(|day| day.kept.is_some()).collect();
    assert_eq!(kept.len(), 4);
    assert!(kept.iter().all(|day| day.table == "coverage"));
    // Days without hours are neither removed nor made again, also with other settings.
    let mut settings = RollupSettings::default();
    settings.survey.police_ports = 50;
    let rolled = rollup(directory, &settings).expect("rolled up");
    assert_eq!((rolled.written, rolled.removed), (5, 0));
    for table in [
        "survey_daily",
        "marginals_daily",
        "asked_ports_daily",
        "sources_daily",
        "ports_daily",
        "campaigns_daily",
        "traffic_daily",
    ] {
        assert_eq!(days(directory, table), DAYS as usize, "{table}");
    }
    let verdict = teiten_aggregator::verify::verify(directory).expect("readable");
    let of_pruned = verdict
        .findings
        .iter()
        .filter(|it| it.reason.contains("sources 0"));
    assert_eq!(of_pruned.count(), 0, "{:?}", verdict.findings);
    let all = [
        ("sources", 1),
        ("traffic", 1),
        ("payloads", 1),
        ("coverage", 1),
    ];
    run(directory, &all, false);
    assert_eq!(parts(directory, "coverage"), 3);
    let rolled = rollup(directory, &settings).expect("rolled up");
    assert_eq!((rolled.written, rolled.removed), (0, 0));
}
