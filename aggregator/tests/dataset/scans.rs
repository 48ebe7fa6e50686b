//! Scan events compared with an independent reading of the same packets, one by one: for any order of rollups, in any time zone and however
//! often, the table says the same.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::close::Closer;
use teiten_aggregator::event::ScanRules;
use teiten_aggregator::hour::{HOUR_US, Hour};
use teiten_aggregator::minute::{HourAccount, SECONDS, SecondSet};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::store::Store;
use teiten_aggregator::table::Seed;
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};

/// 2026-11-29T22.
const FIRST_HOUR: i64 = 498_886;
const HOURS: i64 = 50;
const SILENCE_US: i64 = 2 * HOUR_US;
const ADDRESSES: u64 = 65_536;

fn closer(directory: &Path) -> Closer {
    common::closer(directory, ("tokyo", "0123"), ADDRESSES)
}

fn settings(timezone: &str) -> RollupSettings {
    RollupSettings {
        calendar: Calendar::of(timezone).expect("a zone"),
        scans: ScanRules {
            silence_seconds: Some(SILENCE_US as u64 / 1_000_000),
            ..ScanRules::default()
        },
        ..RollupSettings::default()
    }
}

fn observation(
    time_us: i64,
    source: u32,
    port: u16,
    destination: u32,
    tool: Tool,
) -> Observation<u32> {
    Observation {
        time_us,
        source,
        destination,
        kind: Kind::new(TrafficType::TcpSyn, Class::Scan, tool, 6, Some(port)),
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    }
}

/// Sources with silences around the limit, over two midnights; some stay below the thresholds.
fn packets() -> Vec<Observation<u32>> {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let start_us = FIRST_HOUR * HOUR_US;
    let mut packets = Vec::new();
    for source in 0..120_u32 {
        for port in [23, 80] {
            let mut time_us = start_us + random(20 * HOUR_US as u64) as i64;
            let few = 1 + random(40) as u32;
            while time_us < start_us + HOURS * HOUR_US {
                let destination =
                    0xc612_0000 + random(if source % 5 == 0 { 3 } else { few.into() }) as u32;
                let tool = if random(4) == 0 {
                    Tool::Mirai
                } else {
                    Tool::None
                };
                packets.push(observation(
                    time_us,
                    source << 20 | 9,
                    port,
                    destination,
                    tool,
                ));
                // Seconds, minutes, or within a microsecond of the limit on either side.
                time_us += match random(60) {
                    0 => SILENCE_US - 1 + random(3) as i64,
                    1..=3 => random(3 * HOUR_US as u64) as i64,
                    _ => random(600_000_000) as i64,
                };
            }
        }
    }
    // More than are counted exactly, over many hours.
    for place in 0..4_000_u32 {
        let time_us = start_us + i64::from(place) * 31_000_000;
        packets.push(observation(
            time_us,
            0x0909_0909,
            445,
            0xc612_0000 + place,
            Tool::None,
        ));
    }
    packets
}

/// What one event of the definition is: start, end, packets, destinations, and whether it may go on.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    end_us: i64,
    packets: i64,
    destinations: i64,
    ongoing: bool,
}

type Events = BTreeMap<(String, i64, i64), Event>;

/// The definition, packet by packet.
fn defined(packets: &[Observation<u32>], known_until_us: i64) -> Events {
    defined_with(packets, known_until_us, 0..0)
}

/// The same of a sensor that did not observe for up to an hour, which is no silence.
fn defined_with(
    packets: &[Observation<u32>],
    known_until_us: i64,
    outage_us: std::ops::Range<i64>,
) -> Events {
    let silence_us = |from_us: i64, to_us: i64| {
        let missed = to_us.min(outage_us.end) - from_us.max(outage_us.start);
        to_us - from_us - missed.max(0)
    };
    let mut by_key: BTreeMap<(u32, u16), Vec<(i64, u32)>> = BTreeMap::new();
    for packet in packets {
        let port = packet.kind.port().unwrap_or(0);
        let of_key = by_key.entry((packet.source, port)).or_default();
        of_key.push((packet.time_us, packet.destination));
    }
    let mut events = Events::new();
    for ((source, port), mut times) in by_key {
        times.sort_unstable();
        let cuts = times.chunk_by(|left, right| silence_us(left.0, right.0) <= SILENCE_US);
        for event in cuts {
            let (start_us, end_us) = (event[0].0, event[event.len() - 1].0);
            let destinations: BTreeSet<u32> = event.iter().map(|packet| packet.1).collect();
            let seconds = (end_us - start_us) as f64 / 1e6;
            let rate = event.len() as f64 / seconds * 65_536.0;
            if destinations.len() < 10 || rate < 10.0 {
                continue;
            }
            let name = std::net::Ipv4Addr::from(source).to_string();
            let event = Event {
                end_us,
                packets: event.len() as i64,
                destinations: destinations.len() as i64,
                ongoing: silence_us(end_us, known_until_us) <= SILENCE_US,
            };
            events.insert((name, port.into(), start_us), event);
        }
    }
    events
}

fn number(row: &BTreeMap<String, Field>, column: &str) -> i64 {
    match row[column] {
        Field::Long(number) | Field::TimestampMicros(number) => number,
        Field::Int(number) => number.into(),
        Field::Bool(value) => value.into(),
        ref other => panic!("{column} is {other:?}"),
    }
}

fn text(row: &BTreeMap<String, Field>, column: &str) -> String {
    match &row[column] {
        Field::Str(text) => text.clone(),
        other => panic!("{column} is {other:?}"),
    }
}

fn rows(directory: &Path) -> Vec<BTreeMap<String, Field>> {
    let parts = Store::at(directory).parts_within("scans", &(i64::MIN..i64::MAX));
    let mut rows = Vec::new();
    for part in parts.expect("listed") {
        let reader = SerializedFileReader::new(part.open().expect("opened")).expect("a part");
        for row in reader.get_row_iter(None).expect("rows") {
            let named = |row: Row| {
                row.get_column_iter()
                    .map(|(name, field)| (name.clone(), field.clone()))
                    .collect::<BTreeMap<String, Field>>()
            };
            let row = named(row.expect("a row"));
            // In the hour of its last packet.
            let hour = number(&row, "end").div_euclid(HOUR_US);
            assert_eq!(Hour(hour), part.period.first_hour());
            rows.push(row);
        }
    }
    rows
}

/// The table, which has every event once.
fn found(directory: &Path) -> Events {
    let mut events = Events::new();
    let mut ids = BTreeSet::new();
    for row in rows(directory) {
        assert!(ids.insert(text(&row, "id")), "{row:?}");
        let key = (
            text(&row, "src_ip"),
            number(&row, "port"),
            number(&row, "start"),
        );
        let event = Event {
            end_us: number(&row, "end"),
            packets: number(&row, "packets"),
            destinations: number(&row, "destinations"),
            ongoing: number(&row, "ongoing") == 1,
        };
        assert!(events.insert(key, event).is_none(), "{row:?}");
    }
    events
}

/// Writes hours, each with these packets.
fn write(closer: &Closer, packets: &[Observation<u32>], hours: impl Iterator<Item = i64>) {
    hours.for_each(|hour| write_hour(closer, packets, hour, &common::all_seconds()));
}

/// Writes an hour of which these seconds were observed.
fn write_hour(closer: &Closer, packets: &[Observation<u32>], hour: i64, seconds: &SecondSet) {
    let of_hour = |packet: &&Observation<u32>| packet.time_us.div_euclid(HOUR_US) == hour;
    let mut window = Window::new(LatePolicy::Reopen, Seed::random());
    let mut batch = Batch {
        ipv4: packets.iter().filter(of_hour).copied().collect(),
        ipv6: Vec::new(),
    };
    window.observe(hour, &mut batch);
    let runs = closer.sort(window.take_open());
    closer.close(Hour(hour), 0, runs).expect("writable");
    let covered = closer.write_coverage(Hour(hour), 0, &HourAccount::default(), seconds);
    covered.expect("writable");
}

/// Equal but for destinations that are estimated.
fn check(found: &Events, expected: &Events) {
    let keys = |events: &Events| events.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(found), keys(expected));
    for (key, expected) in expected {
        let found = &found[key];
        let rest = |event: &Event| (event.end_us, event.packets, event.ongoing);
        assert_eq!(rest(found), rest(expected), "{key:?}");
        if expected.destinations <= 128 {
            assert_eq!(found.destinations, expected.destinations, "{key:?}");
        } else {
            let error = found.destinations as f64 / expected.destinations as f64 - 1.0;
            assert!(error.abs() < 0.092, "{key:?}: {found:?}");
        }
    }
}

#[test]
fn events_are_those_of_the_definition_for_every_way_of_rolling_them_up() {
    let packets = packets();
    let all = FIRST_HOUR..FIRST_HOUR + HOURS;
    let until_us = |hour: i64| hour * HOUR_US;
    let expected = defined(&packets, until_us(all.end));
    assert!(expected.len() > 200, "{}", expected.len());
    assert!(expected.values().any(|event| event.ongoing));
    assert!(expected.values().any(|event| event.destinations > 128));
    // At once, in the days of two zones.
    let mut ids = BTreeSet::new();
    for zone in ["UTC", "Asia/Tokyo"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(&closer(folder.path()), &packets, all.clone());
        rollup(folder.path(), &settings(zone)).expect("rolled up");
        check(&found(folder.path()), &expected);
        let of_zone: BTreeSet<String> = rows(folder.path())
            .iter()
            .map(|row| text(row, "id"))
            .collect();
        ids.extend(of_zone.iter().cloned());
        assert_eq!(ids, of_zone, "ids do not depend on the zone");
        // Again changes nothing.
        let again = rollup(folder.path(), &settings(zone)).expect("rolled up");
        assert_eq!((again.written, again.rows), (0, 0));
        check(&found(folder.path()), &expected);
    }
    // One zone after the other in one folder.
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&closer(folder.path()), &packets, all.clone());
    for zone in ["UTC", "Asia/Tokyo", "America/New_York"] {
        rollup(folder.path(), &settings(zone)).expect("rolled up");
        check(&found(folder.path()), &expected);
    }
    // As the hours come, a few at a time.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer_here = closer(folder.path());
    for from in all.clone().step_by(7) {
        let to = (from + 7).min(all.end);
        write(&closer_here, &packets, from..to);
        rollup(folder.path(), &settings("UTC")).expect("rolled up");
        let so_far: Vec<_> = packets
            .iter()
            .filter(|packet| packet.time_us < until_us(to))
            .copied()
            .collect();
        check(&found(folder.path()), &defined(&so_far, until_us(to)));
    }
    check(&found(folder.path()), &expected);
}

#[test]
fn an_hour_that_is_replayed_later_changes_the_events_of_all_days_behind_it() {
    let packets = packets();
    let all = FIRST_HOUR..FIRST_HOUR + HOURS;
    let missing = FIRST_HOUR + 3;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closer_here = closer(folder.path());
    write(
        &closer_here,
        &packets,
        all.clone().filter(|hour| *hour != missing),
    );
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    let without: Vec<_> = packets
        .iter()
        .filter(|packet| packet.time_us.div_euclid(HOUR_US) != missing)
        .copied()
        .collect();
    // Nothing says that it was observed, so it is no silence.
    let outage_us = missing * HOUR_US..(missing + 1) * HOUR_US;
    let expected = defined_with(&without, all.end * HOUR_US, outage_us);
    assert_ne!(expected, defined(&without, all.end * HOUR_US));
    check(&found(folder.path()), &expected);
    write(&closer_here, &packets, std::iter::once(missing));
    rollup(folder.path(), &settings("UTC")).expect("rolled up");
    check(&found(folder.path()), &defined(&packets, all.end * HOUR_US));
    let verdict = verify(folder.path()).expect("readable");
    let of_events = |path: &Path| path.components().any(|name| name.as_os_str() == "scans");
    let findings = verdict.findings.iter().filter(|it| of_events(&it.path));
    assert_eq!(findings.count(), 0, "{:?}", verdict.findings);
}

#[test]
fn minutes_that_were_not_observed_are_no_silence_over_midnight_either() {
    const MINUTE_US: i64 = HOUR_US / 60;
    let all = FIRST_HOUR..FIRST_HOUR + HOURS;
    // From 23:40 until 00:20.
    let midnight = FIRST_HOUR + 26;
    let outage_us = midnight * HOUR_US - 20 * MINUTE_US..midnight * HOUR_US + 20 * MINUTE_US;
    let mut packets = packets();
    packets.retain(|packet| !outage_us.contains(&packet.time_us));
    let expected = defined_with(&packets, all.end * HOUR_US, outage_us.clone());
    assert_ne!(expected, defined(&packets, all.end * HOUR_US));
    for by_hours in [HOURS as usize, 5] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let closer_here = closer(folder.path());
        for from in all.clone().step_by(by_hours) {
            for hour in from..(from + by_hours as i64).min(all.end) {
                let mut seconds = SecondSet::default();
                let start_us = hour * HOUR_US;
                let is_seen = |second: &usize| {
                    let time_us = start_us + *second as i64 * 1_000_000;
                    !outage_us.contains(&time_us)
                };
                (0..SECONDS)
                    .filter(is_seen)
                    .for_each(|second| seconds.insert(second));
                write_hour(&closer_here, &packets, hour, &seconds);
            }
            rollup(folder.path(), &settings("UTC")).expect("rolled up");
        }
        check(&found(folder.path()), &expected);
        let again = rollup(folder.path(), &settings("UTC")).expect("rolled up");
        assert_eq!((again.written, again.rows), (0, 0));
    }
}
