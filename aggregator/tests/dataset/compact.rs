//! Compacted days: every row is there once, before, after and at any moment between; whoever reads hours reads the same; and days can be
//! taken apart again.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use parquet::file::reader::{FileReader, SerializedFileReader};
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::close::{Closer, State};
use teiten_aggregator::compact::{
    COMPACTED_TABLES, CompactReport, CompactSettings, compact, take_apart_runs,
};
use teiten_aggregator::export::{ExportFormat, export};
use teiten_aggregator::hour::{HOUR_US, Hour};
use teiten_aggregator::merge::merge;
use teiten_aggregator::minute::{HourAccount, MinuteCounts, SecondSet};
use teiten_aggregator::prune::{KeptDays, prune};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::schema::{EVENTS, ROLLUPS, SOURCES, TABLES, TRAFFIC};
use teiten_aggregator::store::{PartName, Store};
use teiten_aggregator::table::Seed;
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-05T00.
const FIRST_HOUR: i64 = 498_288;
const DAYS: i64 = 3;

/// Numbers that look drawn and are the same every time.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn closer(directory: &Path, sensor: &str, run: &str) -> Closer {
    common::closer(directory, (sensor, run), 256)
}

/// Publishes the part 0 of an hour with so many packets, and its coverage as the part `coverage_part`.
fn write(closer: &Closer, hour: i64, coverage_part: u32, packets: u64) {
    let mut drawn = Drawn(hour.unsigned_abs() * 31 + u64::from(coverage_part));
    let mut packet = |_| {
        let kinds = [
            Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(23)),
            Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::Zmap, 6, Some(443)),
            Kind::new(
                TrafficType::Udp,
                Class::ReflectorScan,
                Tool::None,
                17,
                Some(53),
            ),
            Kind::new(
                TrafficType::IcmpEchoRequest,
                Class::Scan,
                Tool::None,
                1,
                None,
            ),
        ];
        let kind = kinds[drawn.below(4) as usize];
        Observation {
            time_us: hour * HOUR_US + drawn.below(3_600_000_000) as i64,
            // Of many sources some come every hour.
            source: ((drawn.below(60) * drawn.below(60)) as u32).wrapping_mul(0x0100_0193),
            destination: 0xc612_0000 + drawn.below(200) as u32,
            kind,
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        }
    };
    let mut packets: Vec<_> = (0..packets).map(&mut packet).collect();
    packets.sort_by_key(|packet| packet.time_us);
    let observed = packets.len() as u64;
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch {
        ipv4: packets,
        ipv6: Vec::new(),
    };
    window.observe(hour, &mut batch);
    let runs = closer.sort(window.take_open());
    let mut edition = closer.edition(Hour(hour), State::Finished);
    edition.rows(0, runs).expect("writable");
    let mut account = HourAccount::default();
    let counts = MinuteCounts {
        received: observed,
        observed,
        ..MinuteCounts::default()
    };
    account.add_to_minute(0, &counts);
    let mut seconds = SecondSet::default();
    seconds.insert_range(0, 3600);
    edition
        .coverage(coverage_part, &account, &seconds)
        .expect("writable");
    edition.publish().expect("writable");
}

/// Days of two sensors, one of which has two runs in some hours.
fn dataset(directory: &Path) {
    let (tokyo, osaka) = (
        closer(directory, "tokyo", "0123"),
        closer(directory, "osaka", "ab"),
    );
    for hour in FIRST_HOUR..FIRST_HOUR + DAYS * 24 {
        if hour % 2 == 1 && hour % 24 != 5 {
            write(&tokyo, hour, 0, 100 + (hour % 7) as u64 * 40);
        }
        if hour % 6 == 0 {
            write(&osaka, hour, 0, 80);
        }
        if hour % 24 == 9 {
            write(&closer(directory, "tokyo", "4567"), hour, 0, 50);
        }
    }
}

/// Every visible file of a table.
fn files(directory: &Path, table: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![directory.join(table)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    files
}

/// Each row of a table as text, with how often it is there, as any program reads the files.
fn rows(directory: &Path, table: &str) -> BTreeMap<String, u32> {
    let mut rows = BTreeMap::new();
    for path in files(directory, table) {
        let file = File::open(&path).expect("a file");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        for row in reader.get_row_iter(None).expect("rows") {
            *rows.entry(row.expect("a row").to_string()).or_default() += 1;
        }
    }
    rows
}

fn run(directory: &Path) -> CompactReport {
    compact(directory, &CompactSettings::default()).expect("compacted")
}

fn findings(directory: &Path) -> Vec<String> {
    let findings = verify(directory).expect("readable").findings;
    findings
        .into_iter()
        .map(|it| format!("{} {}", it.path.display(), it.reason))
        .collect()
}

fn rolled_up(zone: &str) -> RollupSettings {
    RollupSettings {
        calendar: Calendar::of(zone).expect("a zone"),
        ..RollupSettings::default()
    }
}

#[test]
fn finished_days_are_one_file_for_each_part_of_an_hour_and_hold_the_same_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    let before: Vec<_> = TABLES
        .iter()
        .map(|table| rows(directory, table.name))
        .collect();
    assert_eq!(findings(directory), [""; 0]);
    let report = run(directory);
    assert_eq!((report.days, report.left.len()), (2 * 2 * 2, 0));
    for (table, before) in TABLES.iter().zip(before) {
        assert!(rows(directory, table.name) == before, "{}", table.name);
    }
    for table in COMPACTED_TABLES {
        for day in ["2026-11-05", "2026-11-06"] {
            let day = directory.join(table.name).join(format!("date={day}"));
            let hours = std::fs::read_dir(&day).expect("a day");
            let hours: Vec<_> = hours.map(|it| it.expect("an hour").file_name()).collect();
            assert_eq!(hours, ["hour=-1"]);
            // One hour has two runs.
            assert_eq!(
                std::fs::read_dir(day.join(&hours[0]))
                    .expect("files")
                    .count(),
                3
            );
        }
        let last = directory.join(table.name).join("date=2026-11-07");
        assert_eq!(std::fs::read_dir(last).expect("a day").count(), 15);
    }
    assert_eq!(findings(directory), [""; 0]);
    let again = run(directory);
    assert_eq!((again.days, again.unchanged), (0, 8));
}

#[test]
fn what_is_rolled_up_of_compacted_days_is_what_is_rolled_up_of_hours() {
    for zone in ["UTC", "Asia/Tokyo"] {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        let [plain, compacted] = folders.each_ref().map(tempfile::TempDir::path);
        dataset(plain);
        dataset(compacted);
        run(compacted);
        let settings = rolled_up(zone);
        rollup(plain, &settings).expect("rolled up");
        rollup(compacted, &settings).expect("rolled up");
        for table in ROLLUPS.iter().chain(EVENTS) {
            let (plain, compacted) = (rows(plain, table.name), rows(compacted, table.name));
            assert!(plain == compacted, "{zone} {}", table.name);
        }
        assert_eq!(findings(compacted), [""; 0], "{zone}");
        // The same parts, wherever they lie.
        let written = rollup(plain, &settings).expect("rolled up").written;
        run(plain);
        let again = rollup(plain, &settings).expect("rolled up");
        assert_eq!((written, again.written, again.removed), (0, 0, 0), "{zone}");
    }
}

#[test]
fn a_late_hour_stands_beside_its_day_until_the_next_compaction() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    run(directory);
    // A capture that goes on does not see that the hour has its part 0 already.
    write(&closer(directory, "tokyo", "0123"), FIRST_HOUR + 3, 1, 30);
    write(&closer(directory, "osaka", "ef"), FIRST_HOUR + 4, 0, 30);
    assert_eq!(findings(directory), [""; 0]);
    let before = rows(directory, SOURCES.name);
    let report = run(directory);
    assert_eq!((report.days, report.unchanged), (4, 4));
    assert!(rows(directory, SOURCES.name) == before);
    assert_eq!(findings(directory), [""; 0]);
}

#[test]
fn a_day_is_taken_apart_into_the_parts_that_it_was_made_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    // A part whose metadata lack what those of others have.
    let mut unknown = closer(directory, "tokyo", "0123");
    unknown.addresses = None;
    write(&unknown, FIRST_HOUR + 2, 0, 40);
    let contents = |table: &'static str| {
        files(directory, table)
            .into_iter()
            .map(|path| {
                let file = File::open(&path).expect("a file");
                let reader = SerializedFileReader::new(file).expect("a Parquet file");
                let notes = reader.metadata().file_metadata().key_value_metadata();
                let is_own = |key: &str| !["file_xxh64", "content_xxh64"].contains(&key);
                let notes = notes.into_iter().flatten().filter(|note| is_own(&note.key));
                let notes: BTreeMap<_, _> = notes
                    .map(|note| (note.key.clone(), note.value.clone()))
                    .collect();
                let rows = reader.get_row_iter(None).expect("rows");
                let rows: Vec<String> = rows.map(|row| row.expect("a row").to_string()).collect();
                (path, notes, rows)
            })
            .collect::<Vec<_>>()
    };
    let before = COMPACTED_TABLES.map(|table| contents(table.name));
    rollup(directory, &rolled_up("UTC")).expect("rolled up");
    run(directory);
    let store = Store::at(directory);
    let other = PartName::new("tokyo", "ffff").expect("a good name");
    let apart = take_apart_runs(&store, &BTreeSet::from([other])).expect("taken apart");
    assert_eq!(apart, 0, "no day holds this run");
    let names = [("tokyo", "0123"), ("tokyo", "4567"), ("osaka", "ab")];
    let names = names.map(|(sensor, run)| PartName::new(sensor, run).expect("a good name"));
    take_apart_runs(&store, &BTreeSet::from(names)).expect("taken apart");
    assert!(COMPACTED_TABLES.map(|table| contents(table.name)) == before);
    assert_eq!(findings(directory), [""; 0]);
    let again = rollup(directory, &rolled_up("UTC")).expect("rolled up");
    assert_eq!(again.written, 0, "the parts are the same");
}

#[test]
fn compacted_datasets_are_merged_hour_by_hour() {
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let [plain, compacted, into] = folders.each_ref().map(tempfile::TempDir::path);
    dataset(plain);
    dataset(compacted);
    run(compacted);
    merge(into, &[compacted.to_owned()]).expect("merged");
    for table in TABLES {
        assert!(
            rows(into, table.name) == rows(plain, table.name),
            "{}",
            table.name
        );
    }
    assert_eq!(findings(into), [""; 0]);
    // The same parts, though their bytes differ.
    let again = merge(into, &[plain.to_owned()]).expect("merged");
    assert_eq!((again.copied, again.removed), (0, 0));
    let back = merge(compacted, &[plain.to_owned()]).expect("merged");
    assert_eq!((back.copied, back.removed), (0, 0));
    assert!(rows(compacted, SOURCES.name) == rows(plain, SOURCES.name));
}

#[test]
fn compacted_days_are_pruned_once_they_are_rolled_up() {
    for zone in ["UTC", "Asia/Tokyo"] {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        let [plain, compacted] = folders.each_ref().map(tempfile::TempDir::path);
        let keep: KeptDays = [(SOURCES.name, 1), (TRAFFIC.name, 2)].into();
        for directory in [plain, compacted] {
            dataset(directory);
            rollup(directory, &rolled_up(zone)).expect("rolled up");
        }
        run(compacted);
        let [of_plain, of_compacted] = [plain, compacted].map(|directory| {
            let days = prune(directory, &keep, None, false).expect("pruned");
            let gone = days.into_iter().filter(|day| day.kept.is_none());
            gone.map(|day| (day.table, day.sensor, day.period, day.parts))
                .collect::<Vec<_>>()
        });
        assert!(!of_plain.is_empty());
        assert_eq!(of_plain, of_compacted, "{zone}");
        for table in COMPACTED_TABLES {
            let (plain, compacted) = (rows(plain, table.name), rows(compacted, table.name));
            assert!(plain == compacted, "{zone} {}", table.name);
        }
        assert_eq!(findings(compacted), [""; 0], "{zone}");
    }
}

#[test]
fn an_export_of_compacted_days_has_the_rows_of_its_hours() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let [plain, compacted] = folders.each_ref().map(tempfile::TempDir::path);
    dataset(plain);
    dataset(compacted);
    run(compacted);
    for bounds in [
        ("", ""),
        ("2026-11-05T07", "2026-11-06T02"),
        ("2026-11-06", ""),
    ] {
        let [plain, compacted] = [plain, compacted].map(|directory| {
            let mut out = Vec::new();
            export(directory, &SOURCES, bounds, ExportFormat::Csv, &mut out).expect("exported");
            let text = String::from_utf8(out).expect("text");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        });
        assert!(plain.len() > 1 && plain == compacted, "{bounds:?}");
    }
}

#[test]
fn damage_is_left_and_named_before_and_found_after() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).expect("a file");
        let middle = bytes.len() / 3;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).expect("writable");
    };
    let part = "sources/date=2026-11-05/hour=07/tokyo-0123-0000.parquet";
    damage(&directory.join(part));
    let report = run(directory);
    assert_eq!((report.days, report.left.len()), (7, 1));
    assert!(report.left[0].why.contains(part), "{:?}", report.left);
    let whole = files(directory, "sources/date=2026-11-06");
    damage(&whole[0]);
    let found = findings(directory);
    let name = whole[0].display().to_string();
    assert!(
        found
            .iter()
            .any(|it| it.starts_with(&name) && it.contains("checksum")),
        "{found:?}"
    );
}

#[test]
fn a_day_that_its_sensor_still_adds_to_waits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    let open = closer(directory, "tokyo", "open");
    let mut edition = open.edition(Hour(FIRST_HOUR + 30), State::Open);
    let window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut window: Window = window;
    let mut batch = Batch {
        ipv4: vec![Observation {
            time_us: (FIRST_HOUR + 30) * HOUR_US,
            source: 1,
            destination: 0xc612_0000,
            kind: Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(23)),
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        }],
        ipv6: Vec::new(),
    };
    window.observe(FIRST_HOUR + 30, &mut batch);
    edition
        .rows(0, open.sort(window.take_open()))
        .expect("writable");
    edition.publish().expect("writable");
    let report = run(directory);
    let left: Vec<_> = report
        .left
        .iter()
        .map(|day| (day.table, &day.day[..], &day.sensor[..]))
        .collect();
    assert_eq!(
        left,
        [
            ("sources", "2026-11-06", "tokyo"),
            ("traffic", "2026-11-06", "tokyo")
        ]
    );
    assert!(
        report.left[0].why.contains("2026-11-06T06"),
        "{:?}",
        report.left
    );
}

#[test]
fn a_kill_leaves_every_row_exactly_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    dataset(directory);
    let before = COMPACTED_TABLES.map(|table| rows(directory, table.name));
    let check = |attempt: u64| {
        for (table, before) in COMPACTED_TABLES.iter().zip(&before) {
            assert!(
                rows(directory, table.name) == *before,
                "{} {attempt}",
                table.name
            );
        }
    };
    // Each attempt goes a little further, some of them to the end.
    for attempt in 0..24_u64 {
        let program = env!("CARGO_BIN_EXE_teiten-aggregator");
        let mut command = Command::new(program);
        command.args(["compact", "--data"]).arg(directory);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("a program");
        std::thread::sleep(Duration::from_millis(attempt * 3));
        // It may have ended already.
        let _ = child.kill();
        child.wait().expect("it ends");
        check(attempt);
        if attempt % 6 == 5 {
            // Something to do for the next ones.
            let names = [("tokyo", "0123"), ("tokyo", "4567"), ("osaka", "ab")];
            let names = names.map(|(sensor, run)| PartName::new(sensor, run).expect("a good name"));
            take_apart_runs(&Store::at(directory), &BTreeSet::from(names)).expect("taken apart");
            check(attempt);
        }
    }
    let report = run(directory);
    assert_eq!((report.days + report.unchanged, report.left.len()), (8, 0));
    check(u64::MAX);
    assert_eq!(findings(directory), [""; 0]);
}
