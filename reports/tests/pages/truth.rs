//! The law of one measure: prints that misled, each as a test on a dataset written for it. Every one of them failed before the law.

use crate::small;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use teiten_reports::document::{Document, Setting};
use teiten_reports::figure::{self, Drawn};
use teiten_reports::measure::Completeness;
use teiten_reports::query::Answer;
use teiten_reports::render::{csv, html, markdown};
use teiten_reports::series::{BucketWidth, Buckets, CoverageState};
use teiten_reports::table::Cell;
use teiten_reports::text::Language;

use small::{
    HOUR_PACKETS, ask, ask_at, write_coverage, write_hour, write_observed, write_scaled,
    write_traffic,
};

const ADDRESSES: f64 = 256.0;
/// 2026-11-05T00:00:00Z, hour 0 of the small dataset.
const START_US: i64 = 1_793_836_800_000_000;
const HOUR_US: i64 = 3_600_000_000;

fn drawn(answer: &Answer, name: &str) -> Drawn {
    figure::find(name)
        .unwrap()
        .drawn(answer, Language::En, None)
}

fn column(drawn: &Drawn, name: &str) -> Vec<Cell> {
    let place = drawn
        .table
        .columns
        .iter()
        .position(|column| column.csv == name);
    let place = place.unwrap_or_else(|| panic!("no column {name}"));
    drawn
        .table
        .rows
        .iter()
        .map(|row| row[place].clone())
        .collect()
}

fn document(answer: &Answer) -> Document {
    let setting = Setting {
        as_of_us: START_US,
        home: None,
        languages: vec![Language::En],
        title: None,
        organisation: None,
        pictures: false,
        pdf: false,
        stated: BTreeSet::new(),
        revised: None,
        notes: Vec::new(),
    };
    Document::new(answer, &setting, Language::En)
}

fn about(value: Option<f64>, expected: f64) {
    let value = value.expect("a value");
    assert!(
        (value - expected).abs() < 1e-6 * expected.max(1.0),
        "{value} for {expected}"
    );
}

/// Days 0 and 1 whole, day 2 with its first 12 hours.
fn half_a_day_missing(folder: &Path) {
    for hour in 0..60 {
        write_hour(folder, hour, "tokyo", 1);
    }
}

#[test]
fn a_day_with_missing_hours_has_the_rate_of_its_hours_and_is_hollow() {
    let folder = tempfile::tempdir().unwrap();
    half_a_day_missing(folder.path());
    // Long enough for a chart of days.
    let answer = ask(folder.path(), "2026-09..2026-12");
    assert_eq!(answer.buckets.step, BucketWidth::Day);
    let rate = HOUR_PACKETS as f64 * 24.0 / ADDRESSES;
    let rates = column(&drawn(&answer, "packets"), "ipv4_packets_per_address_day");
    let days: Vec<&Cell> = rates.iter().filter(|cell| **cell != Cell::Gap).collect();
    assert_eq!(days.len(), 3);
    for day in days {
        assert!(
            matches!(day, Cell::Rate(value) if (value - rate).abs() < 1e-9),
            "{day:?}"
        );
    }
    let first = 35 + 30;
    let standings: Vec<Completeness> = (first..first + 4)
        .map(|day| answer.completeness(&answer.day_buckets, day))
        .collect();
    assert_eq!(
        standings[..],
        [
            Completeness::Whole,
            Completeness::Whole,
            Completeness::Hollow,
            Completeness::Gap
        ]
    );
    let body = drawn(&answer, "packets").chart.unwrap().body;
    assert!(
        body.contains("k0 hollow") && body.contains("url(#packets-h)"),
        "hollow and gap are drawn"
    );
}

#[test]
fn the_change_from_day_to_day_divides_by_address_hours_of_all_sensors() {
    let folder = tempfile::tempdir().unwrap();
    // A second sensor of the same size that observes less on the second day: the longest-running one hides that.
    for hour in 0..48 {
        write_hour(folder.path(), hour, "tokyo", 1);
        if hour < 24 || hour % 3 != 0 {
            write_hour(folder.path(), hour, "osaka", 1);
        }
    }
    let answer = ask(folder.path(), "2026-11-05..2026-11-06");
    let changes = column(&drawn(&answer, "changes"), "change_percent");
    assert_eq!(changes[0], Cell::Gap);
    assert!(
        matches!(changes[1], Cell::Change(change) if change.abs() < 1e-9),
        "{:?}",
        changes[1]
    );
}

#[test]
fn a_day_that_the_period_cuts_is_compared_with_none() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..72 {
        write_hour(folder.path(), hour, "tokyo", if hour < 24 { 2 } else { 1 });
    }
    let answer = ask(folder.path(), "2026-11-05T18..2026-11-07T10");
    let figure = drawn(&answer, "changes");
    assert!(
        figure.empty.is_some()
            || column(&figure, "change_percent")
                .iter()
                .all(|cell| *cell == Cell::Gap)
    );
}

#[test]
fn one_day_in_a_month_is_not_extrapolated() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..24 {
        write_hour(folder.path(), hour, "tokyo", 1);
    }
    let answer = ask(folder.path(), "2026-11");
    let key = &document(&answer).numbers[0];
    assert_eq!(key.value, "16.9", "{key:?}");
    assert!(key.note.contains("not compared"), "{key:?}");
}

#[test]
fn the_csv_has_every_row() {
    let folder = tempfile::tempdir().unwrap();
    small::write_many_ports(folder.path(), 0, 1500);
    let answer = ask(folder.path(), "2026-11-05T00");
    let ports = drawn(&answer, "ports");
    assert_eq!(csv::render(&ports.table).lines().count(), 1501);
    let packets: i64 = column(&ports, "packets")
        .iter()
        .map(|cell| {
            if let Cell::Count(count) = cell {
                *count
            } else {
                0
            }
        })
        .sum();
    assert_eq!(packets, answer.packets());
}

#[test]
fn hover_names_the_series_without_the_share_of_the_period() {
    let folder = tempfile::tempdir().unwrap();
    small::dataset(folder.path());
    let chart = drawn(&ask(folder.path(), "2026-11-05"), "packets")
        .chart
        .unwrap();
    let hover: serde_json::Value = serde_json::from_str(&chart.hover).unwrap();
    for name in hover["n"].as_array().unwrap() {
        assert!(!name.as_str().unwrap().contains('%'), "{name}");
    }
    assert!(
        chart.body.contains("Scan 77.8%"),
        "the legend has the share"
    );
}

#[test]
fn ipv6_packets_are_not_divided_by_ipv4_addresses() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..24 {
        write_traffic(folder.path(), hour, "tokyo");
        write_scaled(folder.path(), hour, "tokyo", 3, 6);
        write_observed(folder.path(), hour, "tokyo", 60, 0, 4 * HOUR_PACKETS);
    }
    let answer = ask(folder.path(), "2026-11-05");
    assert_eq!(answer.packets(), 24 * 4 * HOUR_PACKETS);
    about(
        answer.rate(answer.packets_ipv4()),
        HOUR_PACKETS as f64 * 24.0 / ADDRESSES,
    );
    let sensors = column(&drawn(&answer, "sensors"), "ipv4_packets_per_address_day");
    assert!(matches!(sensors[0], Cell::Rate(rate) if (rate - 16.875).abs() < 1e-9));
    let ipv6 = column(&drawn(&answer, "ipv6"), "ipv6_packets_per_sensor_day");
    assert!(
        ipv6.iter()
            .all(|cell| *cell == Cell::Rate((3 * HOUR_PACKETS * 24) as f64))
    );
}

#[test]
fn sizes_of_ipv6_telescopes_are_right_and_apart_from_ipv4() {
    let telescope = |answer: &Answer| {
        let facts = document(answer).facts;
        let found = facts.into_iter().find(|(label, _)| *label == "Telescope");
        found.expect("the telescope").1
    };
    let folder = tempfile::tempdir().unwrap();
    for sensor in ["a", "b"] {
        small::write_ipv6_hour(folder.path(), 0, sensor, (0, 2_f64.powi(80)));
    }
    let answer = ask(folder.path(), "2026-11-05");
    assert_eq!(telescope(&answer), "2^81 IPv6 addresses");
    let page = document(&answer);
    let packets = answer.packets_ipv6();
    assert!(packets > 0);
    let first = format!("No IPv4 address is observed; {packets} packets came over IPv6.");
    assert_eq!(page.summary[0], first);
    let number = &page.numbers[0];
    assert_eq!(number.label, "IPv6 packets per sensor and day");
    assert_ne!(number.value, "0.0");
    let sensors = drawn(&answer, "sensors");
    let exact = Cell::Text("1208925819614629174706176".to_owned());
    assert_eq!(column(&sensors, "addresses_ipv6"), [exact.clone(), exact]);
    assert_eq!(
        column(&sensors, "ipv4_packets_per_address_day"),
        [Cell::rate(None), Cell::rate(None)]
    );
    // A sensor of IPv4 beside them is divided by its own addresses, and theirs change nothing in that.
    for hour in 0..24 {
        write_traffic(folder.path(), hour, "tokyo");
        write_observed(folder.path(), hour, "tokyo", 60, 0, HOUR_PACKETS);
    }
    let answer = ask(folder.path(), "2026-11-05");
    assert_eq!(telescope(&answer), "256 addresses, 2^81 IPv6 addresses");
    about(
        answer.rate(answer.packets_ipv4()),
        HOUR_PACKETS as f64 * 24.0 / ADDRESSES,
    );
}

#[test]
fn hosts_are_the_same_in_every_table_and_never_victims() {
    let folder = tempfile::tempdir().unwrap();
    small::dataset(folder.path());
    let answer = ask(folder.path(), "2026-11-05");
    // 40 + 10 + 3 + 5 hosts; 2 victims and 5 spoofed addresses are in no count of hosts.
    let sum = |name: &str| -> f64 {
        column(&drawn(&answer, name), "hosts_estimate")
            .iter()
            .map(|cell| {
                if let Cell::Estimate(value) = cell {
                    value.round()
                } else {
                    0.0
                }
            })
            .sum()
    };
    for name in ["sensors", "tools", "types", "classes"] {
        assert_eq!(sum(name), 58.0, "{name}");
    }
}

#[test]
fn a_sensor_that_joins_later_does_not_make_the_past_partial() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..72 {
        write_hour(folder.path(), hour, "tokyo", 1);
        if hour >= 48 {
            write_hour(folder.path(), hour, "osaka", 1);
        }
    }
    let answer = ask(folder.path(), "2026-11-05..2026-11-07");
    assert_eq!(answer.hours_in(CoverageState::Complete), 72);
    assert!(answer.is_complete());
}

#[test]
fn a_sensor_that_falls_silent_is_missed_for_the_period_after() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..48 {
        write_hour(folder.path(), hour, "tokyo", 1);
        if hour < 24 {
            write_hour(folder.path(), hour, "osaka", 1);
        }
    }
    let answer = ask(folder.path(), "2026-11-06");
    assert_eq!(answer.hours_in(CoverageState::Partial), 24);
    let days = Buckets::days(&answer.period);
    assert!((answer.share(&days, 0) - 0.5).abs() < 1e-9);
}

#[test]
fn hours_still_to_come_are_not_yet_and_nothing_is_extrapolated() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..30 {
        write_hour(folder.path(), hour, "tokyo", 1);
    }
    let answer = ask_at(
        folder.path(),
        "2026-11-05..2026-11-07",
        START_US + 30 * HOUR_US,
    );
    assert_eq!(answer.hours_in(CoverageState::NotYet), 42);
    assert_eq!(answer.hours_in(CoverageState::Missing), 0);
    assert!(answer.is_unfinished() && answer.is_complete());
    let document = document(&answer);
    assert!(document.period.contains("interim"), "{}", document.period);
    assert!(
        document.notices[0].contains("Interim"),
        "{:?}",
        document.notices
    );
    about(
        answer.rate(answer.packets_ipv4()),
        HOUR_PACKETS as f64 * 24.0 / ADDRESSES,
    );
    // The second day has six hours yet: it is compared with none.
    assert_eq!(
        answer.completeness(&answer.day_buckets, 1),
        Completeness::Hollow
    );
    assert_eq!(
        answer.completeness(&answer.day_buckets, 2),
        Completeness::NotYet
    );
}

#[test]
fn without_the_size_of_the_telescope_the_unit_is_the_sensor_and_day() {
    let folder = tempfile::tempdir().unwrap();
    write_traffic(folder.path(), 0, "tokyo");
    write_coverage(folder.path(), 0, "tokyo", 60, 0);
    small::forget_sizes(folder.path(), 1, "osaka");
    let answer = ask(folder.path(), "2026-11-05T00..2026-11-05T01");
    assert!(answer.address_hours().is_none());
    about(
        answer.rate(answer.packets_ipv4()),
        HOUR_PACKETS as f64 * 24.0,
    );
    assert!(document(&answer).numbers[0].label.contains("sensor"));
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_teiten-report"))
        .args(arguments)
        .env("SOURCE_DATE_EPOCH", "1893456000")
        .output()
        .unwrap()
}

#[test]
fn nothing_of_an_earlier_report_survives_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    small::dataset(folder.path());
    let (data, out) = (folder.path().to_str().unwrap(), folder.path().join("out"));
    let build = |language: &str| {
        let output = program(&[
            "build",
            "--data",
            data,
            "--period",
            "2026-11-05",
            "--language",
            language,
            "--no-png",
            "--out",
            out.to_str().unwrap(),
        ]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    build("ja");
    assert!(out.join("2026-11-05/figures/packets.ja.svg").is_file());
    build("en");
    assert!(out.join("2026-11-05/figures/packets.en.svg").is_file());
    assert!(!out.join("2026-11-05/figures/packets.ja.svg").exists());
    let manifest = fs::read_to_string(out.join("2026-11-05/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let path = out.join("2026-11-05").join(file["path"].as_str().unwrap());
        assert_eq!(
            fs::metadata(path).unwrap().len(),
            file["bytes"].as_u64().unwrap()
        );
    }
}

#[test]
fn a_figure_is_written_as_what_its_name_says_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    small::dataset(folder.path());
    let data = folder.path().to_str().unwrap();
    let figure = |file: &str| {
        let path = folder.path().join(file);
        let output = program(&[
            "figure",
            "packets",
            "--data",
            data,
            "--period",
            "2026-11-05",
            "--out",
            path.to_str().unwrap(),
        ]);
        (
            output.status.code(),
            fs::read(&path).unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert!(figure("x.svg").1.starts_with(b"<?xml"));
    assert!(figure("x.csv").1.starts_with(b"start,"));
    assert!(figure("x.json").1.starts_with(b"{"));
    let (code, picture, errors) = figure("x.png");
    if code == Some(2) {
        assert!(picture.is_empty() && errors.contains("no font"), "{errors}");
    } else {
        assert!(picture.starts_with(b"\x89PNG"), "{errors}");
    }
    for refused in ["x.jpg", "x", "x.pdf"] {
        let (code, content, errors) = figure(refused);
        assert_eq!((code, content.len()), (Some(2), 0));
        assert!(errors.contains(".svg, .png, .csv or .json"), "{errors}");
    }
}

#[test]
fn figures_that_show_nothing_stand_together_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    for hour in 0..24 {
        write_hour(folder.path(), hour, "tokyo", 1);
    }
    let document = document(&ask(folder.path(), "2026-11-05"));
    let page = html::render(&document);
    let overview = &document.sections[0];
    let undrawn = overview.undrawn();
    let days = undrawn
        .iter()
        .find(|(reason, _)| *reason == Language::En.text().too_short_days);
    let names: Vec<&str> = days.unwrap().1.iter().map(|it| it.figure.name).collect();
    assert_eq!(names, ["trend", "changes"]);
    for section in &document.sections {
        let places: usize = section.undrawn().iter().map(|(_, of)| of.len()).sum();
        assert_eq!(section.drawn().count() + places, section.figures.len());
        for (reason, figures) in section.undrawn() {
            let said = page.matches(&format!("<dd>{reason}</dd>")).count();
            let of_reason = |section: &&teiten_reports::document::Chapter| {
                section.undrawn().iter().any(|(known, _)| *known == reason)
            };
            assert_eq!(said, document.sections.iter().filter(of_reason).count());
            for placed in figures {
                assert!(page.contains(&placed.mark(Language::En)));
                let anchor = format!("<span id=\"{}\">", placed.figure.name);
                assert!(page.contains(&anchor), "{anchor}");
            }
        }
    }
    let text = markdown::render(&document);
    assert!(text.contains("- Figure 1 Packets per address"), "{text}");
    // A table says nothing of periods that are not there: the ranks have no column of the period before.
    let ranks = drawn(&ask(folder.path(), "2026-11-05"), "port-ranks").table;
    let shown = ranks.columns_shown();
    let names: Vec<&str> = shown.iter().map(|&it| ranks.columns[it].csv).collect();
    assert!(
        names.contains(&"packets") && !names.contains(&"rank_previous"),
        "{names:?}"
    );
    assert!(!names.contains(&"daily_packets_per_address"), "{names:?}");
    // With a day before there is one.
    for hour in 24..48 {
        write_hour(folder.path(), hour, "tokyo", 1);
    }
    let ranks = drawn(&ask(folder.path(), "2026-11-06"), "port-ranks").table;
    let shown = ranks.columns_shown();
    let names: Vec<&str> = shown.iter().map(|&it| ranks.columns[it].csv).collect();
    assert!(names.contains(&"rank_previous"), "{names:?}");
}
