//! A capture whose clock steps: hours follow it, every packet is in its own hour, and what is durable is never overwritten by less.
//! Arrivals are made here with the times that a clock would have shown; everything behind the interfaces is the real thing.

use std::collections::BTreeMap;
use std::path::Path;

use teiten_aggregator::hour::HOUR_US;
use teiten_sensor::engine::run;
use teiten_sensor::source::Arrival;
use teiten_sensor::source::live::Drops;

use crate::dataset::{Workshop, broken_sums, coverage_sums};
use crate::journaled::{self, HOUR, with_journaled};

const SECOND_US: i64 = 1_000_000;

fn arrival(time_us: i64, packets: u32) -> Arrival {
    journaled::arrival(time_us, (0..packets).map(|number| (number, 53)))
}

/// A capture of these (time, packets) into the dataset `data` of the workshop; how many were late.
fn captured(workshop: &Workshop, run_name: &str, arrivals: &[(i64, u32)]) -> u64 {
    let arrivals = arrivals.iter();
    captured_arrivals(
        workshop,
        run_name,
        arrivals.map(|&(time_us, packets)| arrival(time_us, packets)),
    )
}

fn captured_arrivals(
    workshop: &Workshop,
    run_name: &str,
    mut arrivals: impl Iterator<Item = Arrival>,
) -> u64 {
    with_journaled(workshop, ("data", run_name), 2, |passage, mut hours| {
        let mut next = |_| arrivals.next();
        let counted = run(&mut next, passage, &mut hours).expect("writable");
        counted.tally.counts.late
    })
}

/// Every packet is in the tables, in the hour of its time.
fn assert_all_there(data: &Path, arrivals: &[(i64, u32)]) {
    let mut expected = BTreeMap::new();
    for &(time_us, packets) in arrivals {
        *expected.entry(time_us.div_euclid(HOUR_US)).or_insert(0) += i64::from(packets);
    }
    expected.retain(|_, packets| *packets > 0);
    assert_eq!(broken_sums(data), [""; 0]);
    assert_eq!(coverage_sums(data, "observed"), expected);
}

/// (time, packets) for the hours that a clock shows after another, some seconds of each.
fn clock_showing(hours: &[i64]) -> Vec<(i64, u32)> {
    let mut arrivals = Vec::new();
    for (index, hour) in hours.iter().enumerate() {
        for second in 0..5 {
            let time_us = (HOUR + hour) * HOUR_US + (60 * index as i64 + second) * SECOND_US;
            arrivals.push((time_us, 10 * (index as u32 + 1)));
        }
    }
    arrivals
}

fn check(hours: &[i64]) {
    let workshop = Workshop::new();
    let arrivals = clock_showing(hours);
    captured(&workshop, "steps", &arrivals);
    assert_all_there(&workshop.path("data"), &arrivals);
}

#[test]
fn a_clock_that_steps_either_way_loses_no_packet() {
    check(&[0, 3, 1, 2]);
    check(&[0, -3, -2, -1, 0, 1]);
    check(&[0, 24 * 365, 0, 1]);
    check(&[0, 0, 1, 1, 2]);
}

#[test]
fn packets_of_an_hour_that_is_forgotten_are_published_beside_what_is_there() {
    // Its account is kept for two days.
    check(&[0, 60, 0]);
    check(&[0, 1, 2, 60, 1, 120, 1, 0]);
}

#[test]
fn one_packet_from_the_past_is_counted_as_late_and_changes_nothing_else() {
    let workshop = Workshop::new();
    let mut arrivals = clock_showing(&[0, 60, 61]);
    arrivals.push((HOUR * HOUR_US + 3 * SECOND_US, 1));
    arrivals.push(((HOUR + 61) * HOUR_US + 200 * SECOND_US, 1));
    assert_eq!(captured(&workshop, "late", &arrivals), 1);
    let data = workshop.path("data");
    assert_all_there(&data, &arrivals);
    assert_eq!(coverage_sums(&data, "late").into_values().sum::<i64>(), 1);
}

#[test]
fn drops_are_counted_in_the_minute_in_which_they_happened() {
    let workshop = Workshop::new();
    let at = |seconds: i64| HOUR * HOUR_US + seconds * SECOND_US;
    let drops = |since_us: i64, kernel: u64| Drops {
        since_us,
        kernel,
        interface: 2 * kernel,
    };
    // The counts are read when the clock shows the next minute, or the next hour, already.
    let arrivals = [
        (at(58), Drops::default()),
        (at(60), drops(at(59), 7)),
        (at(3599), drops(at(61), 1)),
        (at(3600), drops(at(3599), 20)),
        (at(3700), Drops::default()),
    ];
    let arrivals = arrivals.map(|(time_us, drops)| Arrival {
        drops,
        ..arrival(time_us, 1)
    });
    captured_arrivals(&workshop, "drops", arrivals.into_iter());
    let mut found = Vec::new();
    crate::dataset::each_row(&workshop.path("data"), "coverage", |row| {
        let number = |column| crate::dataset::number(row, column);
        if number("dropped_kernel") > 0 {
            let minute = (number("minute_start") - at(0)) / (60 * SECOND_US);
            found.push((
                minute,
                number("dropped_kernel"),
                number("dropped_interface"),
            ));
        }
    });
    found.sort_unstable();
    assert_eq!(found, [(0, 7, 14), (1, 1, 2), (59, 20, 40)]);
}
