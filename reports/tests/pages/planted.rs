//! A month with its month before and two planted changes, a spike and a new port: the rule finds these and nothing else, and both languages
//! state the same numbers.

use crate::boxes;
use crate::rolled;
use crate::small;

use std::collections::BTreeSet;
use std::path::Path;

use teiten_reports::document::{Document, Setting};
use teiten_reports::figure::{self, Drawn};
use teiten_reports::measure::Completeness;
use teiten_reports::query::Answer;
use teiten_reports::query::answer::Port;
use teiten_reports::query::event::EventKind;
use teiten_reports::series::CoverageState;
use teiten_reports::table::Cell;
use teiten_reports::text::Language;

use small::{Planted, write_planted};

/// Days of the small dataset before the period.
const BEFORE: i64 = 28;
const DAYS: i64 = BEFORE + 10;

/// Two hours a day are enough for a port's hosts; coverage is of all.
fn dataset(folder: &Path) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |most: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % most) as u32
    };
    for hour in 0..DAYS * 24 {
        let day = hour / 24;
        // An outage of six hours.
        if day == BEFORE + 6 && (3..9).contains(&(hour % 24)) {
            continue;
        }
        let mut ports: Vec<Planted> = (0..30)
            .map(|port| Planted {
                port: 8000 + port,
                hosts: 20 + noise(12),
                first_host: noise(500) * 4,
            })
            .collect();
        if day == BEFORE + 4 && (9..12).contains(&(hour % 24)) {
            ports.push(Planted {
                port: 9530,
                hosts: 900,
                first_host: 10_000 + 500 * (hour % 24) as u32,
            });
        }
        if day < BEFORE + 4 && hour % 12 == 0 {
            ports.push(Planted {
                port: 9530,
                hosts: 3,
                first_host: noise(1000),
            });
        }
        if day >= BEFORE + 7 {
            ports.push(Planted {
                port: 18789,
                hosts: 8,
                first_host: 50_000 + hour as u32 * 8,
            });
        }
        write_planted(folder, hour, "tokyo", &ports);
    }
}

fn ask(folder: &Path) -> Answer {
    // Day 28 of the small dataset is 2026-12-03.
    small::ask(folder, "2026-12-03..2026-12-12")
}

/// Every number in a text, thousands separators and units of a language aside.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut current = String::new();
    for character in text.chars().chain([' ']) {
        if character.is_ascii_digit() || (character == '.' && !current.is_empty()) {
            current.push(character);
        } else if character != ',' && !current.is_empty() {
            found.insert(current.trim_end_matches('.').to_owned());
            current.clear();
        }
    }
    found
}

#[test]
fn planted_changes_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let answer = ask(folder.path());
    let found: Vec<(Port, EventKind, std::ops::Range<usize>)> = answer
        .events
        .iter()
        .map(|event| (event.port, event.kind, event.days.clone()))
        .collect();
    let port = |number: u16| Port {
        protocol: 6,
        port: Some(number),
    };
    assert_eq!(
        found,
        [
            (port(9530), EventKind::Spike, 4..5),
            (port(18789), EventKind::New, 7..10)
        ]
    );
    let spike = &answer.events[0];
    assert!((spike.hosts / 1900.0 - 1.0).abs() < 0.15, "{}", spike.hosts);
    let by_hour: Vec<usize> = (0..24)
        .filter(|&hour| spike.detail.hours[hour] > 0)
        .collect();
    assert_eq!(by_hour, [9, 10, 11]);
    // The outage is a gap and its day, three quarters observed, is compared.
    assert_eq!(answer.hours_in(CoverageState::Missing), 6);
    assert_eq!(
        answer.completeness(&answer.day_buckets, 6),
        Completeness::Whole
    );
    // The table of ranks knows that the new port was not there before.
    let ranks = figure::find("port-ranks")
        .unwrap()
        .drawn(&answer, Language::Ja, None);
    let place = |name: &str| {
        ranks
            .table
            .columns
            .iter()
            .position(|column| column.csv == name)
            .unwrap()
    };
    let label = |row: &&Vec<Cell>| row[place("port_label")] == Cell::text("18789/TCP");
    let row = ranks.table.rows.iter().find(label).unwrap();
    assert_eq!(row[place("rank_previous")], Cell::text("圏外"));
    assert_eq!(row[place("change_percent")], Cell::text("新規"));
}

#[test]
fn the_summary_says_what_is_left_without_the_events() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let answer = ask(folder.path());
    // 900 hosts in three hours, and 8 in each hour of three days, a packet each; 256 addresses, ten days without six hours.
    let events = 3 * 900 + 3 * 24 * 8;
    let rate = (answer.packets_ipv4() - events) as f64 / (256.0 * 9.75);
    let rate = teiten_reports::text::number::measure(rate);
    for (language, left) in [
        (Language::En, format!("on these days it is {rate}: ")),
        (
            Language::Ja,
            format!("除くと1アドレス1日あたり{rate}パケットで、前期比は"),
        ),
    ] {
        let setting = setting(vec![language]);
        let summary = Document::new(&answer, &setting, language).summary;
        assert!(summary[1].contains(&left), "{summary:?}");
    }
}

fn setting(languages: Vec<Language>) -> Setting {
    Setting {
        as_of_us: 0,
        home: Some("JP".to_owned()),
        languages,
        title: None,
        organisation: None,
        pictures: false,
        pdf: false,
        stated: BTreeSet::new(),
        notes: Vec::new(),
        revised: None,
    }
}

#[test]
fn both_languages_state_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let mut answer = ask(folder.path());
    answer.rolled_up = rolled::rolled_up(&answer);
    let setting = setting(Language::ALL.to_vec());
    let of = |language: Language| Document::new(&answer, &setting, language);
    let (ja, en) = (of(Language::Ja), of(Language::En));
    assert_eq!(ja.summary.len(), en.summary.len());
    for (ja, en) in ja.numbers.iter().zip(&en.numbers) {
        assert_eq!(
            numbers(&ja.value),
            numbers(&en.value),
            "{} / {}",
            ja.label,
            en.label
        );
    }
    for (ja, en) in ja.sections.iter().zip(&en.sections) {
        for (ja, en) in ja.figures.iter().zip(&en.figures) {
            let name = ja.figure.name;
            assert_eq!(ja.drawn.empty.is_some(), en.drawn.empty.is_some(), "{name}");
            let finding = |drawn: &Drawn| numbers(drawn.finding.as_deref().unwrap_or_default());
            // "Outside top 10" has a number in one language only.
            if name != "port-ranks" {
                assert_eq!(finding(&ja.drawn), finding(&en.drawn), "{name}");
            }
            assert_eq!(
                ja.drawn.table.rows.len(),
                en.drawn.table.rows.len(),
                "{name}"
            );
            for (ja, en) in ja.drawn.table.rows.iter().zip(&en.drawn.table.rows) {
                for (ja, en) in ja.iter().zip(en) {
                    assert!(
                        ja == en || matches!((ja, en), (Cell::Text(_), Cell::Text(_))),
                        "{name}: {ja:?} {en:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn japanese_sets_no_space_after_a_full_stop_and_no_polite_verbs() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let mut answer = ask(folder.path());
    answer.rolled_up = rolled::rolled_up(&answer);
    for figure in figure::FIGURES {
        let drawn = figure.drawn(&answer, Language::Ja, Some("JP"));
        let lines = drawn.cards.iter().flat_map(|card| card.lines.clone());
        for text in drawn
            .notes
            .iter()
            .cloned()
            .chain(drawn.finding)
            .chain(lines)
        {
            assert!(!text.contains("。 "), "{text}");
            for polite in ["です", "ます。", "ました", "ません"] {
                assert!(!text.contains(polite), "{text}");
            }
        }
    }
}

#[test]
fn no_label_is_cut_or_lies_over_another() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let mut answer = ask(folder.path());
    answer.rolled_up = rolled::rolled_up(&answer);
    let fonts = boxes::fonts();
    let mut found = Vec::new();
    let mut measured = 0;
    for (language, family) in [
        (Language::Ja, "Noto Sans CJK JP"),
        (Language::En, "Noto Sans CJK JP"),
        (Language::En, "DejaVu Sans"),
    ] {
        if !boxes::has(&fonts, family) {
            println!("SKIPPED: this machine has no {family}");
            continue;
        }
        for figure in figure::FIGURES {
            let drawn = figure.drawn(&answer, language, Some("JP"));
            let (narrow, cards) = figure.narrow(&answer, language, Some("JP"));
            assert_eq!(drawn.chart.is_some(), narrow.is_some(), "{}", figure.name);
            let (paper, paper_cards) = figure.paper(&answer, language, Some("JP"));
            let of_cards = drawn.cards.into_iter().map(|card| card.chart);
            for chart in drawn
                .chart
                .into_iter()
                .chain(narrow)
                .chain(paper)
                .chain(of_cards)
                .chain(cards)
                .chain(paper_cards)
            {
                measured += 1;
                found.extend(
                    boxes::problems(&chart, &fonts, family)
                        .into_iter()
                        .map(|problem| format!("{} in {family}: {problem}", chart.name)),
                );
            }
        }
    }
    assert!(found.is_empty(), "of {measured}:\n{}", found.join("\n"));
}
