//! A quarter of two sensors with the weeks before it and the same quarter a year before: a planted spike and a planted new port are found and
//! nothing else, although there are an outage, a sensor out of service for days, an hour with loss, and IPv6, whose hosts are judged apart. Both
//! languages state the same.

use crate::small;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use teiten_observation::Family;
use teiten_reports::document::{Document, Setting};
use teiten_reports::figure;
use teiten_reports::measure::Completeness;
use teiten_reports::query::Answer;
use teiten_reports::query::answer::Port;
use teiten_reports::query::event::EventKind;
use teiten_reports::series::CoverageState;
use teiten_reports::table::Cell;
use teiten_reports::text::Language;

use small::{Planted, write_observed, write_probes};

/// Days of the small dataset, whose first is 2026-11-05: the quarter, from 2027-01-01, the days before it, and the quarter a year before.
const QUARTER: Range<i64> = 57..147;
const BEFORE: Range<i64> = 29..57;
const YEAR_BEFORE: Range<i64> = -308..-218;
const SENSORS: [&str; 2] = ["osaka", "tokyo"];
/// Hours of a day that have packets; all are observed.
const HOURS: [i64; 3] = [0, 9, 18];
const SPIKE_DAY: i64 = 40;
const NEW_FROM: i64 = 70;
/// A day on which many hosts of IPv6 ask for [`PORT_OF_IPV6`].
const BURST_DAY: i64 = 60;
const PORT_OF_IPV6: u16 = 8003;
const OUTAGE_DAY: i64 = 20;
const SILENT_DAYS: Range<i64> = 50..54;
const LOSSY_DAY: i64 = 10;

/// Whether a sensor observed an hour.
fn observes(sensor: &str, day: i64, hour: i64) -> bool {
    let day = day - QUARTER.start;
    let is_outage = day == OUTAGE_DAY && (3..9).contains(&hour);
    let is_silent = sensor == SENSORS[0] && SILENT_DAYS.contains(&day);
    !is_outage && !is_silent
}

fn dataset(folder: &Path) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % most) as u32
    };
    for day in YEAR_BEFORE.chain(BEFORE).chain(QUARTER) {
        for hour in 0..24 {
            let of_dataset = day * 24 + hour;
            for sensor in SENSORS.into_iter().filter(|it| observes(it, day, hour)) {
                let mut packets = 0;
                if HOURS.contains(&hour) {
                    let mut ports: Vec<Planted> = (0..20)
                        .map(|port| Planted {
                            port: 8000 + port,
                            hosts: 30 + noise(12),
                            first_host: noise(500) * 4,
                        })
                        .collect();
                    let in_quarter = day - QUARTER.start;
                    if in_quarter == SPIKE_DAY {
                        ports[5].hosts = 900;
                    }
                    if in_quarter >= NEW_FROM {
                        ports.push(Planted {
                            port: 18_789,
                            hosts: 40,
                            first_host: 50_000 + of_dataset as u32 * 8,
                        });
                    }
                    packets += write_probes(folder, of_dataset, sensor, &ports, 4);
                    let over_ipv6 = Planted {
                        port: PORT_OF_IPV6.into(),
                        hosts: if in_quarter == BURST_DAY { 900 } else { 25 },
                        first_host: 90_000,
                    };
                    packets += write_probes(folder, of_dataset, sensor, &[over_ipv6], 6);
                }
                let is_lossy = day - QUARTER.start == LOSSY_DAY && hour == 9;
                let dropped = if is_lossy { 11 } else { 0 };
                write_observed(folder, of_dataset, sensor, 60, dropped, packets);
            }
        }
    }
}

fn ask(folder: &Path) -> Answer {
    small::ask(folder, "2027-Q1")
}

#[test]
fn of_a_quarter_the_planted_changes_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let answer = ask(folder.path());
    let found = answer.events.iter();
    let found: Vec<(Family, Option<u16>, EventKind, usize)> = found
        .map(|event| (event.family, event.port.port, event.kind, event.days.start))
        .collect();
    let [spike, burst, new] = [SPIKE_DAY, BURST_DAY, NEW_FROM].map(|day| day as usize);
    // Many hosts of IPv6 are a finding of IPv6, and none of IPv4.
    assert_eq!(
        found,
        [
            (Family::Ipv4, Some(8005), EventKind::Spike, spike),
            (Family::Ipv6, Some(PORT_OF_IPV6), EventKind::Spike, burst),
            (Family::Ipv4, Some(18_789), EventKind::New, new)
        ]
    );
    // The days before a new port fill with it, so that it stops being new; the spikes last for a day.
    let days = |event: usize| answer.events[event].days.len();
    assert_eq!((days(0), days(1)), (1, 1));
    let burst = &answer.events[1];
    assert!((burst.hosts / 900.0 - 1.0).abs() < 0.1, "{}", burst.hosts);
    assert!((burst.median / 25.0 - 1.0).abs() < 0.1, "{}", burst.median);
    // Its card is of the hosts and packets of IPv6: three hours of two sensors.
    assert_eq!(burst.detail.packets, 900 * 3 * 2);
    let card = burst.detail.hosts.estimate();
    assert!((card / 900.0 - 1.0).abs() < 0.1, "{card}");
    for language in Language::ALL {
        let events = figure::find("events").unwrap();
        let drawn = events.drawn(&answer, language, None);
        let named = |card: &figure::Card| card.title.contains("8003/TCP (IPv6)");
        assert_eq!(drawn.cards.iter().filter(|card| named(card)).count(), 1);
        let both = drawn.notes[0].contains("IPv4") && drawn.notes[0].contains("IPv6");
        assert!(both, "{}", drawn.notes[0]);
        let classes = figure::find("classes").unwrap();
        let classes = classes.drawn(&answer, language, None);
        let note = language.text().note_both_versions;
        assert!(classes.notes.iter().any(|it| it == note));
    }
    // Two sensors with three hours each, of which the spike's hosts may be the same.
    let hosts = answer.events[0].hosts;
    assert!((900.0 * 0.9..6.0 * 900.0 * 1.1).contains(&hosts), "{hosts}");

    // Conditions: six hours of both sensors, four days of one, an hour with loss.
    assert_eq!(answer.hours_in(CoverageState::Missing), 6);
    assert_eq!(answer.hours_in(CoverageState::Partial), 4 * 24);
    assert_eq!(answer.hours_in(CoverageState::Lossy), 1);
    let completeness = |day: i64| answer.completeness(&answer.day_buckets, day as usize);
    assert_eq!(completeness(OUTAGE_DAY), Completeness::Whole);
    assert_eq!(completeness(SILENT_DAYS.start), Completeness::Hollow);
    assert_eq!(answer.tested.days_ipv4, 90 - 4);
    assert_eq!(answer.tested.days_ipv6, 90 - 4);

    // The year before is compared; the quarter before, of which a third is there, is not.
    assert!(answer.year_before().is_some());
    assert!(answer.previous().is_none());
    let before = answer.year_before().unwrap();
    let rate = |answer: &Answer| answer.rate(answer.packets_ipv4()).unwrap();
    let change = rate(&answer) / rate(before) - 1.0;
    assert!((0.0..0.25).contains(&change), "{change}");
    assert!(answer.packets_ipv6() > 0);
    let ranks = figure::find("port-ranks").unwrap();
    let ranks = ranks.drawn(&answer, Language::En, None).table;
    let place = |name: &str| ranks.columns.iter().position(|it| it.csv == name).unwrap();
    let is_new = |row: &&Vec<Cell>| row[place("port_label")] == Cell::text("18789/TCP");
    let row = ranks.rows.iter().find(is_new).unwrap();
    assert_eq!(row[place("rank_previous")], Cell::Gap);
    assert_ne!(row[place("rank_year_before")], Cell::Gap);
    let Cell::Spark(days) = &row[place("daily_packets_per_address")] else {
        panic!("no values by day");
    };
    assert_eq!(days.len(), 90);
    let silent = SILENT_DAYS.start as usize..SILENT_DAYS.end as usize;
    assert!(days[silent].iter().all(Option::is_none));
    assert_eq!(days[new - 1], Some(0.0));
    assert!(days[new] > Some(0.0));

    // Both languages draw the same figures with the same numbers.
    let setting = Setting {
        as_of_us: 0,
        home: None,
        languages: Language::ALL.to_vec(),
        title: None,
        organisation: None,
        pictures: false,
        pdf: false,
        stated: BTreeSet::new(),
        notes: Vec::new(),
        revised: None,
    };
    let documents = Document::all(&answer, &setting, 2);
    let [ja, en] = &documents[..] else {
        panic!("two languages give two documents");
    };
    let figures = |document: &Document| -> Vec<(&'static str, Vec<Vec<Cell>>)> {
        let sections = document.sections.iter();
        let figures = sections.flat_map(|section| &section.figures);
        let numbers = figures.map(|placed| {
            let rows = placed.drawn.table.rows.iter();
            let numbers = rows.map(|row| row.iter().filter(|it| !matches!(it, Cell::Text(_))));
            let numbers = numbers.map(|row| row.cloned().collect()).collect();
            (placed.figure.name, numbers)
        });
        numbers.collect()
    };
    assert_eq!(figures(ja), figures(en));
    let alone = Document::new(&answer, &setting, Language::En);
    assert_eq!(figures(&alone), figures(en));
    let is_port = |port: Port| port.protocol == 6;
    assert!(answer.events.iter().all(|event| is_port(event.port)));
}
