//! Families that the synthesiser planted are campaigns of their days: replayed, rolled up, and compared with its truth source by source.

use std::collections::{BTreeMap, BTreeSet};

use crate::capture_file::made;
use crate::dataset::{Workshop, each_row, replayed};
use parquet::record::{Field, Row};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_sensor::options::Settings;
use teiten_testdata::clock::HOUR_US;
use teiten_testdata::{Prefix, Scenario};

/// Days of the capture: the last two are those behind the move of the family that moves its ports.
const DAYS: i64 = 6;
/// Shares of the packets that families send: 29 packets of a member a day, and 6, of which many members ask for a part of the ports only. With each
/// the least that the adjusted Rand index and the purity of a day may be.
const CASES: [(f64, f64, f64); 2] = [(0.2, 0.99, 0.99), (0.04, 0.97, 0.99)];

fn text(row: &Row, column: &str) -> String {
    let mut columns = row.get_column_iter();
    match columns.find(|(name, _)| *name == column) {
        Some((_, Field::Str(text))) => text.clone(),
        other => panic!("{column} is {other:?}"),
    }
}

fn day(row: &Row) -> String {
    let mut columns = row.get_column_iter();
    match columns.find(|(name, _)| *name == "day") {
        Some((_, Field::Date(day))) => {
            teiten_aggregator::text::date_of_day(i64::from(*day)).to_string()
        }
        other => panic!("day is {other:?}"),
    }
}

/// Pairs of a set of this size.
fn pairs(count: u64) -> f64 {
    (count * count.saturating_sub(1)) as f64 / 2.0
}

/// The adjusted Rand index (Hubert and Arabie, 1985) and the purity of groups against labels.
fn scores(of: &[(String, String)]) -> (f64, f64) {
    let mut both = BTreeMap::<(&str, &str), u64>::new();
    let (mut groups, mut labels) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
    for (group, label) in of {
        *both.entry((group, label)).or_default() += 1;
        *groups.entry(group).or_default() += 1;
        *labels.entry(label).or_default() += 1;
    }
    let index: f64 = both.values().map(|count| pairs(*count)).sum();
    let left: f64 = groups.values().map(|count| pairs(*count)).sum();
    let right: f64 = labels.values().map(|count| pairs(*count)).sum();
    let expected = left * right / pairs(of.len() as u64);
    let mut largest = BTreeMap::<&str, u64>::new();
    for ((group, _), count) in &both {
        let known = largest.entry(group).or_default();
        *known = (*known).max(*count);
    }
    let purity = largest.values().sum::<u64>() as f64 / of.len() as f64;
    (
        (index - expected) / ((left + right) / 2.0 - expected),
        purity,
    )
}

#[test]
fn planted_families_are_campaigns_with_one_name_over_their_days() {
    for (share, rand_min, purity_min) in CASES {
        check(share, rand_min, purity_min);
    }
}

fn check(family_share: f64, rand_min: f64, purity_min: f64) {
    let workshop = Workshop::new();
    let telescope = "198.18.0.0/20";
    let (capture, truth) = made(&Scenario {
        telescope: [telescope.parse::<Prefix>().expect("a prefix")]
            .into_iter()
            .collect(),
        packets: 260_000,
        sources: 6_000,
        span_us: DAYS * 24 * HOUR_US,
        seed: 11,
        family_share,
        threads: 2,
        ..Scenario::default()
    });
    let path = workshop.file("in.pcap", &capture);
    let settings = Settings {
        telescope: vec![telescope.parse().expect("a prefix")],
        ..workshop.settings("data", 2)
    };
    replayed(&[path], &settings).expect("a sound input");
    rollup(&settings.data, &RollupSettings::default()).expect("rolled up");
    let mut sources = BTreeMap::<String, BTreeMap<String, String>>::new();
    each_row(&settings.data, "sources_daily", |row| {
        let of_day = sources.entry(day(row)).or_default();
        of_day.insert(text(row, "src_ip"), text(row, "campaign"));
    });
    let mut campaigns = BTreeMap::<(String, String), (String, String)>::new();
    each_row(&settings.data, "campaigns_daily", |row| {
        let of_row = (text(row, "state"), text(row, "ports"));
        campaigns.insert((day(row), text(row, "id")), of_row);
    });
    for (day, sources) in &sources {
        let mut labels = BTreeMap::<&str, &str>::new();
        for family in &truth.planted {
            for of_day in family.days.iter().filter(|it| it.day == *day) {
                // Who sends less than three packets has no traits.
                let members = of_day.members.iter().filter(|(_, packets)| **packets >= 3);
                labels.extend(members.map(|(address, _)| (address.as_str(), family.name.as_str())));
            }
        }
        let with_families: BTreeSet<&String> = labels
            .keys()
            .map(|address| &sources[*address])
            .filter(|id| !id.is_empty())
            .collect();
        // Every member, and every other source that is in a campaign with one.
        let judged: Vec<(String, String)> = sources
            .iter()
            .filter(|(address, id)| {
                labels.contains_key(address.as_str()) || with_families.contains(id)
            })
            .map(|(address, id)| {
                let id = if id.is_empty() { address } else { id };
                let label = labels.get(address.as_str()).copied();
                (id.clone(), label.unwrap_or("no family").to_owned())
            })
            .collect();
        let (rand, purity) = scores(&judged);
        println!(
            "{} of the packets, {day}: {} sources, adjusted Rand index {rand:.4}, purity {purity:.4}",
            family_share,
            judged.len()
        );
        assert!(
            rand >= rand_min && purity >= purity_min,
            "{day}: {rand} {purity}"
        );
    }
    for family in &truth.planted {
        let mut ids = BTreeSet::new();
        let mut states = Vec::new();
        for of_day in &family.days {
            let mut counts = BTreeMap::<&str, u64>::new();
            for address in of_day.members.keys() {
                *counts.entry(&sources[&of_day.day][address]).or_default() += 1;
            }
            let most = counts.into_iter().max_by_key(|(_, count)| *count);
            let id = most.map_or("", |(id, _)| id).to_owned();
            let (state, ports) = campaigns
                .get(&(of_day.day.clone(), id.clone()))
                .unwrap_or_else(|| panic!("{} on {}", family.name, of_day.day));
            let found: BTreeSet<u16> = ports
                .split(',')
                .filter_map(|port| port.parse().ok())
                .collect();
            let expected: BTreeSet<u16> = of_day.ports.iter().copied().collect();
            assert_eq!(found, expected, "{} on {}", family.name, of_day.day);
            states.push(state.clone());
            ids.insert(id);
        }
        assert_eq!(ids.len(), 1, "{}: {ids:?}", family.name);
        let mut expected = vec!["new"];
        expected.extend(vec!["continues"; family.days.len() - 1]);
        if family.name == "returning" {
            expected[2] = "returned";
        }
        assert_eq!(states, expected, "{}", family.name);
    }
}
