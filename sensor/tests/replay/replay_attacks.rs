//! Planted attacks, from packets to the table `attacks`: all that are events are there with their numbers, and none of the others, whatever
//! the workers, the memory, and the replays that the packets came in.

use teiten_aggregator::event::AttackRules;
use teiten_aggregator::rollup::RollupSettings;
use teiten_aggregator::verify::verify;
use teiten_sensor::options::Settings;
use teiten_testdata::clock::SECOND_US;
use teiten_testdata::{Scenario, Truth, write_split};

use crate::capture_file::scenario;
use crate::dataset::{TELESCOPE, Workshop, files, replayed};
use crate::planted::check_planted;

/// Replays that the packets come in.
const REPLAYS: u64 = 10;

/// The captures, from 2026-11-05T22:30 on: the attacks lie on both sides of a midnight, and of full hours.
fn captures(files: u64) -> (Vec<Vec<u8>>, Truth) {
    let scenario = Scenario {
        attacks: true,
        start_us: 1_793_917_800 * SECOND_US,
        span_us: 4 * 3600 * SECOND_US,
        out_of_order_share: 0.0,
        ..scenario(20_000, 3)
    };
    let mut all = Vec::new();
    let truth = write_split(
        &scenario,
        files,
        |_| Ok(Vec::new()),
        |capture| {
            all.push(capture);
            Ok(())
        },
    );
    (all, truth.expect("the scenario is sound"))
}

fn settings(workshop: &Workshop, name: &str, workers: usize) -> Settings {
    Settings {
        telescope: TELESCOPE.map(|text| text.parse().expect("a prefix")).into(),
        ..workshop.settings(name, workers)
    }
}

#[test]
fn all_planted_attacks_are_found_and_no_other() {
    let workshop = Workshop::new();
    let (captures, truth) = captures(1);
    let path = [workshop.file("in.pcap", &captures[0])];
    let mut expected = None;
    for workers in [1, 2, 3, 8] {
        let settings = settings(&workshop, &format!("by{workers}"), workers);
        replayed(&path, &settings).expect("a sound input");
        let events = check_planted(&settings.data, &truth, &RollupSettings::default());
        assert!(events > 20, "{events}");
        let expected = expected.get_or_insert_with(|| files(&settings.data));
        assert_eq!(&files(&settings.data), expected, "{workers} workers");
    }
    let tight = Settings {
        memory_bytes: 1 << 20,
        ..settings(&workshop, "tight", 3)
    };
    replayed(&path, &tight).expect("a sound input");
    check_planted(&tight.data, &truth, &RollupSettings::default());
    assert_eq!(Some(files(&tight.data)), expected, "with little memory");
    assert_eq!(verify(&tight.data).expect("readable").findings, []);
    // Other thresholds: the planted ones around 25 replies are told apart by them alone.
    for (packets_min, events) in [(24, 2), (25, 1), (26, 0)] {
        let settings = RollupSettings {
            attacks: AttackRules {
                packets_min,
                per_minute_min: 20,
                ..AttackRules::default()
            },
            ..RollupSettings::default()
        };
        let more = check_planted(&tight.data, &truth, &settings);
        let without = RollupSettings {
            attacks: AttackRules {
                packets_min: 26,
                ..settings.attacks
            },
            ..settings
        };
        let less = check_planted(&tight.data, &truth, &without);
        assert_eq!(more - less, events, "{packets_min}");
    }
}

#[test]
fn consecutive_replays_give_the_same_attacks() {
    let workshop = Workshop::new();
    let (captures, truth) = captures(REPLAYS);
    let settings = settings(&workshop, "data", 2);
    for (number, capture) in captures.iter().enumerate() {
        let path = workshop.file(&format!("{number}.pcap"), capture);
        replayed(&[path], &settings).expect("a sound input");
        teiten_aggregator::rollup::rollup(&settings.data, &RollupSettings::default())
            .expect("rolled up");
    }
    check_planted(&settings.data, &truth, &RollupSettings::default());
    assert_eq!(verify(&settings.data).expect("readable").findings, []);
}
