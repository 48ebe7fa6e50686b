//! Days that a rollup has summed up give the report that their hours give, to the last figure; and hours that have changed since are read.

use std::path::Path;

use jiff::tz::TimeZone;
use teiten_aggregator::calendar::Calendar;
use teiten_aggregator::compact::{CompactSettings, compact};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_reports::figure::FIGURES;
use teiten_reports::period::ReportPeriod;
use teiten_reports::query::{self, Answer, Question};
use teiten_reports::render::csv;
use teiten_reports::text::Language;
use teiten_testdata::tables::{self, TablesPlan};

/// 2026-11-01T00 UTC, hours since 1970-01-01.
const MONTH: i64 = 498_192;

fn plan(folder: &Path, sensors: &[&str], first_hour: i64, hours: i64) -> TablesPlan {
    TablesPlan {
        folder: folder.to_owned(),
        sensors: sensors.iter().map(|name| (*name).to_owned()).collect(),
        first_hour,
        hours,
        rows: 60,
        addresses: 65_536,
        seed: 11,
    }
}

fn roll(folder: &Path, zone: &str) {
    let settings = RollupSettings {
        calendar: Calendar::of(zone).unwrap(),
        ..RollupSettings::default()
    };
    rollup(folder, &settings).unwrap();
}

fn question(folder: &Path, period: &str, zone: &str) -> Question {
    Question {
        data: folder.to_owned(),
        period: ReportPeriod::parse(period, &TimeZone::get(zone).unwrap()).unwrap(),
        sensors: Vec::new(),
        workers: 2,
        as_of_us: i64::MAX,
        compare: true,
        uses_rolled_up: true,
    }
}

/// Everything that a report shows of an answer.
fn shown(answer: &Answer) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for figure in FIGURES {
        for language in Language::ALL {
            let drawn = figure.drawn(answer, language, Some("JP"));
            let name = format!("{} {}", figure.name, language.tag());
            shown.push((format!("{name} table"), csv::render(&drawn.table)));
            shown.push((format!("{name} notes"), format!("{:?}", drawn.notes)));

            let body = |chart: teiten_reports::chart::Chart| chart.body + &chart.hover;
            let chart = drawn.chart.map(body).unwrap_or_default();
            shown.push((format!("{name} chart"), chart));
            shown.push((format!("{name} finding"), format!("{:?}", drawn.finding)));
            for card in drawn.cards {
                let lines = card.lines.join("\n");
                shown.push((format!("{name} card"), lines + &body(card.chart)));
            }
        }
    }
    shown.push(("metadata".to_owned(), format!("{:?}", answer.metadata)));
    shown.push(("hours".to_owned(), format!("{:?}", answer.hours)));
    shown
}

/// Compacts all days but the last of each sensor.
fn compact_days(folder: &Path, days: u64) {
    let report = compact(folder, &CompactSettings::default()).unwrap();
    assert_eq!((report.days, report.left.len()), (days, 0));
}

fn assert_same(left: &Answer, right: &Answer) {
    for (left, right) in shown(left).iter().zip(&shown(right)) {
        assert_eq!(left.0, right.0);
        assert!(left.1 == right.1, "{}:\n{}\n{}", left.0, left.1, right.1);
    }
}

/// Asks both ways; how many days were read from their sums.
fn check(question: &Question) -> usize {
    let summed = query::ask(question).unwrap();
    let hours = query::ask(&Question {
        uses_rolled_up: false,
        ..question.clone()
    })
    .unwrap();
    assert_eq!(hours.days_summed(), 0);
    assert!(hours.packets() > 0);
    assert_same(&summed, &hours);
    summed.days_summed()
}

#[test]
fn a_month_of_summed_days_is_the_month_of_their_hours() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = plan(folder, &["tokyo"], MONTH - 3 * 24, 9 * 24);
    tables::write(&whole, 2).unwrap();
    roll(folder, "UTC");
    // The month as a whole, from its own sums.
    assert_eq!(check(&question(folder, "2026-11", "UTC")), 6);
    // Days of it, of which one is cut.
    assert_eq!(
        check(&question(folder, "2026-11-02T08..2026-11-05", "UTC")),
        3
    );
    // Two months, one of them in part.
    assert_eq!(check(&question(folder, "2026-10-30..2026-11-30", "UTC")), 8);
    // Days of another time zone are not those of the report.
    assert_eq!(
        check(&question(folder, "2026-11-03..2026-11-06", "Asia/Tokyo")),
        0
    );
    // A zone whose days begin within an hour.
    assert_eq!(
        check(&question(folder, "2026-11-03..2026-11-04", "Asia/Kolkata")),
        0
    );
}

#[test]
fn days_of_japan_are_summed_as_days_of_japan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables::write(&plan(folder, &["tokyo"], MONTH, 6 * 24), 2).unwrap();
    roll(folder, "Asia/Tokyo");
    assert_eq!(
        check(&question(folder, "2026-11-02..2026-11-05", "Asia/Tokyo")),
        4
    );
    assert_eq!(check(&question(folder, "2026-11-02..2026-11-05", "UTC")), 0);
}

#[test]
fn sensors_are_united_as_in_their_hours() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tables::write(&plan(folder, &["osaka", "tokyo"], MONTH, 4 * 24), 2).unwrap();
    // A sensor that joins later.
    tables::write(&plan(folder, &["nara"], MONTH + 48, 24), 2).unwrap();
    roll(folder, "UTC");
    let mut question = question(folder, "2026-11-01..2026-11-04", "UTC");
    assert_eq!(check(&question), 2 + 2 + 3 + 2);
    question.sensors = vec!["osaka".to_owned()];
    assert_eq!(check(&question), 4);
    question.sensors.push("nara".to_owned());
    assert_eq!(check(&question), 5);
}

#[test]
fn an_hour_that_has_changed_or_was_not_observed_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut plan = plan(folder, &["tokyo"], MONTH, 5 * 24);
    tables::write(&plan, 2).unwrap();
    roll(folder, "UTC");
    let question = question(folder, "2026-11-01..2026-11-05", "UTC");
    assert_eq!(check(&question), 5);
    let before = query::ask(&question).unwrap().packets();
    // An hour is replayed with other packets.
    (plan.first_hour, plan.hours, plan.seed) = (MONTH + 30, 1, 12);
    tables::write(&plan, 1).unwrap();
    assert_eq!(check(&question), 4);
    assert_ne!(query::ask(&question).unwrap().packets(), before);
    // An hour is added to a day.
    (plan.first_hour, plan.sensors) = (MONTH + 80, vec!["tokyo".to_owned()]);
    let hour = folder.join("traffic/date=2026-11-04/hour=08");
    std::fs::copy(
        hour.join("tokyo-1-0.parquet"),
        hour.join("tokyo-2-0.parquet"),
    )
    .unwrap();
    assert_eq!(check(&question), 3);
    // An hour was not observed: its packets count nowhere.
    std::fs::remove_dir_all(folder.join("coverage/date=2026-11-05/hour=03")).unwrap();
    assert_eq!(check(&question), 2);
    roll(folder, "UTC");
    assert_eq!(check(&question), 4);
    // A day whose sums are damaged.
    let sums = folder.join("marginals_daily/date=2026-11-01/tokyo.parquet");
    let mut bytes = std::fs::read(&sums).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x55;
    std::fs::write(&sums, bytes).unwrap();
    assert_eq!(check(&question), 3);
    // A day whose ports lack a column, as those of an older program do.
    let of_day = |table: &str| folder.join(format!("{table}/date=2026-11-02/tokyo.parquet"));
    std::fs::copy(of_day("marginals_daily"), of_day("asked_ports_daily")).unwrap();
    assert_eq!(check(&question), 2);
}

#[test]
fn compacted_days_are_reported_as_their_hours() {
    for zone in ["UTC", "Asia/Tokyo"] {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [plain, compacted] = folders.each_ref().map(tempfile::TempDir::path);
        for folder in [plain, compacted] {
            let mut plan = plan(folder, &["osaka", "tokyo"], MONTH, 11 * 24);
            tables::write(&plan, 2).unwrap();
            // A day with many more sources is an event, of which a card is read.
            (plan.first_hour, plan.hours, plan.rows) = (MONTH + 9 * 24, 24, 1500);
            tables::write(&plan, 2).unwrap();
        }
        compact_days(compacted, 2 * 2 * 10);
        // Its first day and its last are cut.
        let ask = |folder: &Path, uses_rolled_up| {
            query::ask(&Question {
                uses_rolled_up,
                ..question(folder, "2026-11-08T08..2026-11-11T12", zone)
            })
            .unwrap()
        };
        let of_hours = ask(plain, false);
        assert!(!of_hours.events.is_empty());
        assert_same(&ask(compacted, false), &of_hours);
        roll(plain, zone);
        roll(compacted, zone);
        let of_sums = ask(plain, true);
        assert!(of_sums.days_summed() > 0);
        let of_compacted = ask(compacted, true);
        assert_eq!(of_compacted.days_summed(), of_sums.days_summed());
        assert_same(&of_compacted, &of_sums);
        assert_eq!(
            check(&question(compacted, "2026-11-03..2026-11-09", zone)),
            2 * 7
        );
        // Sums of hours stay those of the day that the hours are in now.
        compact_days(plain, 2 * 2 * 10);
        assert_eq!(
            check(&question(plain, "2026-11-03..2026-11-09", zone)),
            2 * 7
        );
        assert_same(&ask(plain, true), &of_sums);
    }
}
