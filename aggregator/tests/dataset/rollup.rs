//! Days and months of `traffic`: counts are those of the hours, sketches those of all sources together, and unchanged days and months are
//! skipped.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use datasketches::hll::HllSketch;
use jiff::civil::{Date, date};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::close::Closer;
use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::{HourAccount, SecondSet};
use teiten_aggregator::part;
use teiten_aggregator::rollup::{Rolled, RollupSettings, rollup};
use teiten_aggregator::table::{HOUR_US, Seed};
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-29T22.
const HOUR: i64 = 498_886;
const PORTS: u32 = 5;

fn closer(directory: &Path, sensor: &str) -> Closer {
    common::closer(directory, (sensor, "0123"), 256)
}

/// A packet of each of these sources to each port.
fn write_part(closer: &Closer, hour: i64, part: u32, sources: std::ops::Range<u32>) {
    let packet = |source: u32, port: u32| Observation {
        time_us: hour * HOUR_US,
        source,
        destination: 7,
        kind: Kind::new(
            TrafficType::Udp,
            Class::Scan,
            Tool::None,
            17,
            Some(port as u16),
        ),
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    };
    let packets = sources.flat_map(|source| (0..PORTS).map(move |port| packet(source, port)));
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch {
        ipv4: packets.collect(),
        ipv6: Vec::new(),
    };
    window.observe(hour, &mut batch);
    let runs = closer.sort(window.take_open());
    closer.close(Hour(hour), part, runs).expect("writable");
}

/// The rows of a rollup, each by the names of its columns.
fn rows(directory: &Path, file: &str) -> Vec<BTreeMap<String, Field>> {
    let file = File::open(directory.join(file)).expect("a rollup");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let named = |row: Row| {
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect()
    };
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| named(row.expect("a row"))).collect()
}

fn number(row: &BTreeMap<String, Field>, column: &str) -> i64 {
    match row[column] {
        Field::Long(number) | Field::TimestampMicros(number) => number,
        Field::Int(number) | Field::Date(number) => number.into(),
        ref other => panic!("{column} is {other:?}"),
    }
}

/// Asserts the packets, sources and hours of every row.
fn check(directory: &Path, file: &str, packets: i64, sources: i64, hours: i64, start_hour: i64) {
    let rows = rows(directory, file);
    let ports: BTreeSet<i64> = rows.iter().map(|row| number(row, "port")).collect();
    assert_eq!(ports, BTreeSet::from_iter(0..i64::from(PORTS)));
    assert_eq!(rows.len(), PORTS as usize);
    for row in rows {
        assert_eq!(number(&row, "packets"), packets, "{file}");
        assert_eq!(number(&row, "bytes"), packets * 60, "{file}");
        assert_eq!(number(&row, "hours"), hours, "{file}");
        let day = if file.contains("monthly") {
            "month"
        } else {
            "day"
        };
        assert_eq!(number(&row, day), start_hour / 24, "{file}");
        let error = number(&row, "sources") as f64 / sources as f64 - 1.0;
        assert!(error.abs() < 0.05, "{file}: {row:?}");
        let Field::Bytes(sketch) = &row["sources_sketch"] else {
            panic!("{row:?}");
        };
        let sketch = HllSketch::deserialize(sketch.data()).expect("an HLL image");
        assert_eq!(sketch.estimate().round() as i64, number(&row, "sources"));
    }
}

#[test]
fn days_and_months_hold_what_their_hours_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let (tokyo, osaka) = (closer(directory, "tokyo"), closer(directory, "osaka"));
    // Sources that come in several hours are one source of the day; two parts of an hour are one hour.
    write_part(&tokyo, HOUR, 0, 0..100);
    write_part(&tokyo, HOUR, 1, 50..120);
    write_part(&tokyo, HOUR + 1, 0, 0..3_000);
    write_part(&tokyo, HOUR + 2, 0, 0..10);
    write_part(&tokyo, HOUR + 2 + 24, 0, 5..20);
    write_part(&osaka, HOUR, 0, 0..7);
    let rolled = rollup(directory, &RollupSettings::default()).expect("a dataset");
    let expected = Rolled {
        // Days and months of traffic, the same of its marginals and ports, and five tables of sources.
        written: 4 + 3 + 4 * 2 + 3 + 4 * 5,
        unchanged: 0,
        removed: 0,
        // Of traffic, sources, ports, and campaigns: of seven sources that act alike there is none.
        rows: 7 * u64::from(PORTS) + (3_000 + 7 + 10 + 15) + 4 * u64::from(PORTS) + 3
            // A marginal for each hour, and by type, tool, organisation and country; ports; rules and hosts of the world.
            + (5 + 4 * 4)
            + 7 * u64::from(PORTS)
            + 4 * 10,
    };
    assert_eq!(rolled, expected);
    let day = HOUR - 22;
    check(
        directory,
        "traffic_daily/date=2026-11-29/tokyo.parquet",
        3_170,
        3_000,
        2,
        day,
    );
    check(
        directory,
        "traffic_daily/date=2026-11-29/osaka.parquet",
        7,
        7,
        1,
        day,
    );
    check(
        directory,
        "traffic_daily/date=2026-11-30/tokyo.parquet",
        10,
        10,
        1,
        day + 24,
    );
    check(
        directory,
        "traffic_daily/date=2026-12-01/tokyo.parquet",
        15,
        15,
        1,
        day + 48,
    );
    check(
        directory,
        "traffic_monthly/month=2026-11/tokyo.parquet",
        3_180,
        3_000,
        3,
        day - 28 * 24,
    );
    check(
        directory,
        "traffic_monthly/month=2026-12/tokyo.parquet",
        15,
        15,
        1,
        day + 48,
    );
    // Until when a day or month was known: without coverage nothing says that it is not over.
    let as_of = |within: &str| {
        let of = |part: &part::CheckedPart| {
            Ok::<_, part::PartError>(part.note("as_of").map(str::to_owned))
        };
        part::read(&directory.join(within), of).expect("a part")
    };
    let known = |within: &str, until: &str| assert_eq!(as_of(within).as_deref(), Some(until));
    for table in [
        "traffic_daily",
        "marginals_daily",
        "asked_ports_daily",
        "sources_daily",
    ] {
        let day = |day: &str| format!("{table}/date={day}/tokyo.parquet");
        known(&day("2026-11-29"), "2026-11-30T00:00:00Z");
        known(&day("2026-12-01"), "2026-12-02T00:00:00Z");
    }
    let month = |month: &str| format!("traffic_monthly/month={month}/tokyo.parquet");
    known(&month("2026-11"), "2026-12-01T00:00:00Z");
    known(&month("2026-12"), "2026-12-02T00:00:00Z");
    let again = rollup(directory, &RollupSettings::default()).expect("a dataset");
    assert_eq!((again.written, again.unchanged), (0, 38));
    // An hour more: its day and month, and no other; of sources five tables a day.
    write_part(&tokyo, HOUR + 3 + 24, 0, 18..30);
    let again = rollup(directory, &RollupSettings::default()).expect("a dataset");
    assert_eq!((again.written, again.unchanged), (10, 28));
    check(
        directory,
        "traffic_daily/date=2026-12-01/tokyo.parquet",
        27,
        25,
        2,
        day + 48,
    );
    check(
        directory,
        "traffic_monthly/month=2026-12/tokyo.parquet",
        27,
        25,
        2,
        day + 48,
    );
}

#[test]
fn what_is_left_of_hours_that_hold_nothing_goes_and_what_was_pruned_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let (tokyo, osaka) = (closer(directory, "tokyo"), closer(directory, "osaka"));
    for sensor in [&tokyo, &osaka] {
        write_part(sensor, HOUR, 0, 0..10);
    }
    rollup(directory, &RollupSettings::default()).expect("a dataset");
    // Tokyo observed the hour and has nothing of it any more; of Osaka there is no hour at all.
    std::fs::remove_dir_all(directory.join("traffic")).expect("removed");
    let (account, seconds) = (HourAccount::default(), SecondSet::default());
    let covered = tokyo.write_coverage(Hour(HOUR), 0, &account, &seconds);
    covered.expect("writable");
    let rolled = rollup(directory, &RollupSettings::default()).expect("a dataset");
    // Until when Tokyo is known has changed, and with it which scans have ended.
    assert_eq!((rolled.written, rolled.removed), (5, 5));
    let is_there = |part: &str| directory.join(part).is_file();
    for period in [
        "traffic_daily/date=2026-11-29",
        "traffic_monthly/month=2026-11",
        "marginals_daily/date=2026-11-29",
        "asked_ports_daily/date=2026-11-29",
        "asked_ports_monthly/month=2026-11",
    ] {
        assert!(!is_there(&format!("{period}/tokyo.parquet")), "{period}");
        assert!(is_there(&format!("{period}/osaka.parquet")), "{period}");
    }
}

#[test]
fn days_can_be_picked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path(), "tokyo");
    for day in 0..4 {
        write_part(&closer, HOUR + 24 * day, 0, 0..9);
    }
    let picked = RollupSettings {
        from: Some(date(2026, 11, 30)),
        to: Some(date(2026, 12, 2)),
        ..RollupSettings::default()
    };
    rollup(folder.path(), &picked).expect("a dataset");
    let days = std::fs::read_dir(folder.path().join("traffic_daily")).expect("days");
    let names: BTreeSet<_> = days.map(|day| day.expect("a day").file_name()).collect();
    let expected = ["date=2026-11-30", "date=2026-12-01"];
    assert_eq!(names, expected.into_iter().map(Into::into).collect());
}

#[test]
fn a_damaged_part_is_named_and_nothing_of_its_day_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer = closer(folder.path(), "tokyo");
    write_part(&closer, HOUR, 0, 0..9);
    let part = closer.path(&teiten_aggregator::schema::TRAFFIC, Hour(HOUR), 0);
    std::fs::write(&part, b"PAR1 and no more").expect("writable");
    let error = rollup(folder.path(), &RollupSettings::default())
        .expect_err("damage")
        .to_string();
    assert!(
        error.contains("tokyo-0123-0000.parquet cannot be read"),
        "{error}"
    );
    assert!(!folder.path().join("traffic_daily").exists());
}

#[test]
fn days_of_sources_scanners_and_ports_are_those_of_the_packets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let tokyo = closer(directory, "tokyo");
    let packet = |hour: i64, source: u32, port: u16, destination: u32, class: Class| Observation {
        time_us: hour * HOUR_US + i64::from(source),
        source,
        destination,
        kind: Kind::new(TrafficType::Udp, class, Tool::None, 17, Some(port)),
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    };
    // The first comes in three hours, over midnight of UTC and not of Tokyo, to 30 addresses of which each hour has seen half before.
    let mut hours = BTreeMap::<i64, Vec<Observation<u32>>>::new();
    for (place, hour) in (HOUR..HOUR + 3).enumerate() {
        let from = place as u32 * 10;
        let of_hour = hours.entry(hour).or_default();
        of_hour.extend((from..from + 20).map(|one| packet(hour, 1, 53, one, Class::Scan)));
        // The second asks for eleven ports over the hours, a few in each; its answers ask for nothing.
        let ports = place as u16 * 4..place as u16 * 4 + 4;
        of_hour.extend(ports.map(|port| packet(hour, 2, port, 7, Class::Scan)));
        of_hour.push(packet(hour, 2, 9_999, 7, Class::Backscatter));
    }
    for (hour, packets) in hours {
        let mut window = Window::new(LatePolicy::Reopen, Seed::random());
        let mut batch = Batch {
            ipv4: packets,
            ipv6: Vec::new(),
        };
        window.observe(hour, &mut batch);
        let runs = tokyo.sort(window.take_open());
        tokyo.close(Hour(hour), 0, runs).expect("writable");
    }
    let settings = RollupSettings {
        calendar: Calendar::of("Asia/Tokyo").expect("a zone"),
        ..RollupSettings::default()
    };
    rollup(directory, &settings).expect("rolled up");
    // 2026-11-29T22 UTC is the 30th in Tokyo.
    let day = "date=2026-11-30/tokyo.parquet";
    let sources = rows(directory, &format!("sources_daily/{day}"));
    let of = |row: usize, column: &str| number(&sources[row], column);
    assert_eq!(sources.len(), 2);
    let first = ["packets", "scan_packets", "destinations", "hours", "ports"];
    assert_eq!(first.map(|column| of(0, column)), [60, 60, 40, 3, 1]);
    assert_eq!(first.map(|column| of(1, column)), [15, 12, 1, 3, 12]);
    assert_eq!(of(1, "backscatter_packets"), 3);
    assert_eq!(of(0, "first_seen"), HOUR * HOUR_US + 1);
    assert_eq!(of(0, "last_seen"), (HOUR + 2) * HOUR_US + 1);
    assert_eq!(of(0, "day"), (HOUR + 9) / 24);
    let roles: Vec<&Field> = sources.iter().map(|row| &row["role"]).collect();
    assert_eq!(
        roles,
        [
            &Field::Str("horizontal".into()),
            &Field::Str("mixed".into())
        ]
    );
    // Of 256 dark addresses 26 are a tenth; more than ten ports match only JPCERT's rule.
    let scanners = rows(directory, &format!("scanners_daily/{day}"));
    let rules = [
        "rule_imc_destinations",
        "rule_jpcert",
        "rule_police",
        "rule_nicter",
        "rule_named",
    ];
    let named = |row: usize| rules.map(|rule| scanners[row][rule] == Field::Bool(true));
    assert_eq!(scanners.len(), 2);
    assert_eq!(named(0), [true, false, false, false, false]);
    assert_eq!(named(1), [false, true, false, false, false]);
    let ports = rows(directory, &format!("ports_daily/{day}"));
    assert_eq!(ports.len(), 14);
    let dns = ports
        .iter()
        .find(|row| number(row, "port") == 53)
        .expect("a row");
    assert_eq!((number(dns, "packets"), number(dns, "sources")), (60, 1));
    let all: i64 = ports.iter().map(|row| number(row, "packets")).sum();
    assert_eq!(all, 75);
}

#[test]
fn a_zone_that_cuts_hours_is_refused_and_days_of_two_zones_make_no_month() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tokyo = closer(folder.path(), "tokyo");
    write_part(&tokyo, HOUR, 0, 0..9);
    write_part(&tokyo, HOUR - 48, 0, 0..9);
    let of = |zone: &str, from: Option<Date>| RollupSettings {
        calendar: Calendar::of(zone).expect("a zone"),
        from,
        ..RollupSettings::default()
    };
    let error = rollup(folder.path(), &of("Asia/Kolkata", None)).expect_err("half an hour");
    assert!(error.to_string().contains("whole hours"), "{error}");
    rollup(folder.path(), &of("UTC", None)).expect("rolled up");
    let error =
        rollup(folder.path(), &of("Asia/Tokyo", Some(date(2026, 11, 29)))).expect_err("two zones");
    assert!(error.to_string().contains("--timezone UTC"), "{error}");
    rollup(folder.path(), &of("Asia/Tokyo", None)).expect("all days again");
}

#[test]
fn verify_finds_days_that_are_behind_their_hours_but_for_the_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path();
    let tokyo = closer(directory, "tokyo");
    write_part(&tokyo, HOUR, 0, 0..9);
    write_part(&tokyo, HOUR + 24, 0, 0..9);
    rollup(directory, &RollupSettings::default()).expect("rolled up");
    let behind = || {
        let verdict = verify(directory).expect("readable");
        let days = verdict.findings.into_iter().filter(|finding| {
            let text = finding.path.display().to_string();
            text.contains("_daily") || text.contains("_monthly")
        });
        let day = |path: &Path| {
            let names = path.strip_prefix(directory).expect("within the dataset");
            names.display().to_string()
        };
        days.map(|finding| day(&finding.path))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(behind(), BTreeSet::new());
    write_part(&tokyo, HOUR + 24, 1, 0..3);
    assert_eq!(behind(), BTreeSet::new());
    write_part(&tokyo, HOUR, 1, 0..3);
    let tables = [
        "marginals_daily",
        "ports_daily",
        "sources_daily",
        "traffic_daily",
    ];
    let days = tables.map(|table| format!("{table}/date=2026-11-29/tokyo.parquet"));
    assert_eq!(behind(), BTreeSet::from(days));
    rollup(directory, &RollupSettings::default()).expect("rolled up");
    assert_eq!(behind(), BTreeSet::new());
}
