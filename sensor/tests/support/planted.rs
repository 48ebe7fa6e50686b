//! Attacks that the synthesiser plants around the usual thresholds, and whether the table `attacks` has those that are events.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;

use parquet::record::{Field, Row};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_testdata::Truth;
use teiten_testdata::truth::PlantedAttack;

use super::dataset::{each_row, number};

/// Kind, victim or prefix, protocol, start: what tells planted attacks apart.
type Name = (String, String, i64, i64);

/// What is compared: end, packets, victims, ports, most in a minute, port.
type Numbers = ([i64; 5], String);

fn field<'r>(row: &'r Row, column: &str) -> &'r Field {
    let found = row.get_column_iter().find(|(name, _)| *name == column);
    found.expect("a column").1
}

fn text(row: &Row, column: &str) -> String {
    match field(row, column) {
        Field::Str(text) => text.clone(),
        other => panic!("{column} is {other:?}"),
    }
}

fn is_event(attack: &PlantedAttack, settings: &RollupSettings) -> bool {
    let rules = &settings.attacks;
    attack.packets >= rules.packets_min
        && attack.end_us - attack.start_us >= rules.seconds_min as i64 * 1_000_000
        && attack.packets_per_minute_max >= rules.per_minute_min
        && (attack.kind != "carpet" || attack.victims >= rules.carpet_victims_min)
}

/// Rolls up, and compares the table with the truth by these settings; how many planted attacks are events.
pub(crate) fn check_planted(data: &Path, truth: &Truth, settings: &RollupSettings) -> usize {
    rollup(data, settings).expect("rolled up");
    let mut expected = BTreeMap::<Name, Numbers>::new();
    for attack in truth.attacks.iter().filter(|it| is_event(it, settings)) {
        let whose = match attack.kind == "carpet" {
            true => &attack.victim_prefix,
            false => &attack.victim_ip,
        };
        let name = (
            attack.kind.clone(),
            whose.clone(),
            attack.protocol.into(),
            attack.start_us,
        );
        let numbers = [
            attack.packets,
            attack.victims,
            attack.port_count,
            attack.packets_per_minute_max,
        ]
        .map(|number| number as i64);
        let [packets, victims, ports, per_minute] = numbers;
        let numbers = [attack.end_us, packets, victims, ports, per_minute];
        let before = expected.insert(name, (numbers, attack.port.clone()));
        assert!(before.is_none(), "{attack:?}");
    }
    let mut destinations = BTreeMap::new();
    for attack in &truth.attacks {
        let name = (attack.victim_prefix.clone(), attack.start_us);
        destinations.insert(name, attack.destinations as f64);
    }
    let mut found = BTreeMap::<Name, Numbers>::new();
    each_row(data, "attacks", |row| {
        let prefix = text(row, "victim_prefix");
        // Planted victims are within this network, and no others.
        if !prefix.starts_with("9.") {
            return;
        }
        assert_eq!(field(row, "ongoing"), &Field::Bool(false), "{row}");
        let kind = text(row, "kind");
        let whose = if kind == "carpet" {
            prefix.clone()
        } else {
            text(row, "victim_ip")
        };
        let port_count = number(row, "port_count");
        let port = if port_count == 1 {
            text(row, "ports")
        } else {
            String::new()
        };
        let Field::Int(protocol) = *field(row, "protocol") else {
            panic!("{row}");
        };
        let start = number(row, "start");
        let per_minute = number(row, "packets_per_minute_max");
        let numbers = [
            number(row, "end"),
            number(row, "packets"),
            number(row, "victims"),
            port_count,
            per_minute,
        ];
        // Exact up to 128, and a standard error of 2.3 % above.
        let there = destinations[&(prefix, start)];
        let error = (number(row, "destinations") as f64 / there - 1.0).abs();
        assert!(error <= if there <= 128.0 { 0.0 } else { 0.092 }, "{row}");
        check_rates(row, per_minute, truth, settings);
        let name = (kind, whose, protocol.into(), start);
        assert!(found.insert(name, (numbers, port)).is_none(), "{row}");
    });
    assert_eq!(found, expected);
    expected.len()
}

/// What the rates of a row say of the attack.
fn check_rates(row: &Row, per_minute: i64, truth: &Truth, settings: &RollupSettings) {
    let rates = ["estimated_pps", "floor_pps"].map(|column| field(row, column));
    if truth.addresses == 0 {
        assert_eq!(rates, [&Field::Null, &Field::Null], "{row}");
        return;
    }
    let share = 2_f64.powi(32) / truth.addresses as f64 / 60.0;
    let seen = [per_minute as f64, settings.attacks.per_minute_min as f64];
    for (rate, seen) in rates.into_iter().zip(seen) {
        let Field::Double(rate) = rate else {
            panic!("{row}");
        };
        assert!((rate / (seen * share) - 1.0).abs() < 1e-12, "{row}");
    }
}
