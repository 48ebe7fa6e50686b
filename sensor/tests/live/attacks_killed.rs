//! Planted attacks in a capture that is killed three times: what was journaled is there, and the events are those of the truth.

use std::sync::Arc;
use std::time::Duration;

use teiten_sensor::engine::{Passage, run};
use teiten_testdata::{Prefix, Scenario, Truth, write};

use teiten_aggregator::hour::HOUR_US;
use teiten_aggregator::rollup::RollupSettings;
use teiten_aggregator::verify::verify;

use crate::dataset::{Workshop, broken_sums};
use crate::journal_faults::Killed;
use crate::journaled::{HOUR, MINUTE_US, SECOND_US, second_of, with_journaled};
use crate::planted::check_planted;

/// How often what was counted is journaled.
const CHECKPOINT: Duration = Duration::from_millis(50);
const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;

/// Packets with their times, in the order of time.
fn packets() -> (Vec<(i64, Vec<u8>)>, Truth) {
    let scenario = Scenario {
        telescope: ["198.18.0.0/20"]
            .iter()
            .map(|text| text.parse::<Prefix>().expect("a prefix"))
            .collect(),
        packets: 5_000,
        sources: 1_000,
        start_us: HOUR * HOUR_US,
        span_us: 3 * HOUR_US + 30 * MINUTE_US,
        attacks: true,
        threads: 1,
        ..Scenario::default()
    };
    let mut capture = Vec::new();
    let truth = write(&scenario, &mut capture).expect("the scenario is sound");
    let mut packets = Vec::new();
    let mut rest = &capture[FILE_HEADER_BYTES..];
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("four"));
        let time_us = i64::from(word(0)) * 1_000_000 + i64::from(word(4));
        let end = RECORD_HEADER_BYTES + word(8) as usize;
        packets.push((time_us, rest[RECORD_HEADER_BYTES..end].to_vec()));
        rest = &rest[end..];
    }
    packets.sort_by_key(|packet| packet.0);
    (packets, truth)
}

#[test]
fn three_kills_lose_no_attack() {
    let workshop = Workshop::new();
    let (packets, truth) = packets();
    let first = HOUR * 3_600;
    let all = first..first + 210 * 60;
    // In the middle of attacks, and within hours; not in a silence that ends an attack by a microsecond: the second of a kill is not observed,
    // and so no silence.
    let killed = [28, 58, 123].map(|minute| first + minute * 60);
    for kills in [vec![], killed.to_vec()] {
        let name = format!("killed{}", kills.len());
        let mut from = all.start;
        for until in kills.iter().copied().chain([all.end]) {
            let is_killed = until < all.end;
            // Behind the last second the clock goes on: what came is journaled then.
            let mut seconds = from..=(if is_killed { until } else { until - 1 });
            let mut next = |_| {
                let second = seconds.next()?;
                if second < until {
                    return Some(second_of(&packets, second));
                }
                std::thread::sleep(2 * CHECKPOINT);
                Some(second_of(&[], until - 1))
            };
            with_journaled(&workshop, (&name, "attacked"), 2, |passage, mut hours| {
                let passage = Passage {
                    checkpoint: Some(CHECKPOINT),
                    observed_from_us: Some(from * SECOND_US),
                    telescope: Arc::clone(&passage.telescope),
                    reading: passage.reading.clone(),
                    status: None,
                    ..*passage
                };
                if is_killed {
                    run(&mut next, &passage, &mut Killed(hours)).expect("writable");
                } else {
                    run(&mut next, &passage, &mut hours).expect("writable");
                }
            });
            from = until;
        }
        let data = workshop.path(&name);
        let truth = Truth {
            // This harness observes every destination, so its telescope has no size.
            addresses: 0,
            ..truth.clone()
        };
        assert_eq!(broken_sums(&data), [""; 0]);
        assert_eq!(verify(&data).expect("readable").findings, []);
        let events = check_planted(&data, &truth, &RollupSettings::default());
        assert!(events > 20, "{events}");
    }
}
