//! The memory of the built program under floods of several shapes: what it owns (`RssAnon` of proc_pid_status(5)) stays within `--memory` and
//! 128 MiB more, for any number of workers, and nothing is lost for it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use teiten_testdata::clock::HOUR_US;
use teiten_testdata::{Scenario, Shape};

use crate::capture_file::{Parts, made, scenario};
use crate::dataset::{Workshop, broken_sums, text};
use crate::program::{Running, program};

const MEMORY_MIB: u64 = 64;
/// For the program itself, its country data, blocks and buffers.
const BESIDE_MIB: u64 = 128;
const PACKETS: u64 = 1_000_000;
/// Interval at which the program's memory is sampled.
const LOOK: Duration = Duration::from_millis(2);

fn flood(packets: u64, heavy_share: f64) -> Scenario {
    Scenario {
        shape: Shape::FloodMixed,
        span_us: HOUR_US,
        heavy_share,
        outside_share: 0.0,
        arp_share: 0.0,
        out_of_order_share: 0.0,
        ..scenario(packets, 5)
    }
}

/// Private memory now, MiB; `None` for a program that has ended.
fn own_mib(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib >> 10)
}

/// Replays a capture with this number of workers; the peak of its private memory, MiB.
fn most_mib(workshop: &Workshop, capture: &Path, workers: &str) -> u64 {
    let mut arguments = workshop.arguments("data", &[text(capture)]);
    let memory = format!("{MEMORY_MIB}M");
    arguments.extend(["--memory", &memory, "--workers", workers].map(str::to_owned));
    let mut command = program();
    command.args(arguments).stdout(Stdio::null());
    let mut running = Running(command.spawn().expect("the program starts"));
    let mut most = 0;
    let status = loop {
        most = most.max(own_mib(running.id()).unwrap_or(0));
        if let Some(status) = running.try_wait().expect("a child") {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    assert_eq!(status.code(), Some(0));
    assert!(most > 0, "the memory of a program can be read");
    most
}

fn check(what: &str, capture: &[u8], hours: usize, workers: &[&str]) {
    for workers in workers {
        let workshop = Workshop::new();
        let capture = workshop.file("flood.pcap", capture);
        let most = most_mib(&workshop, &capture, workers);
        eprintln!("{what}, {workers} workers: {most} MiB");
        assert!(
            most <= MEMORY_MIB + BESIDE_MIB,
            "{what}, {workers} workers: {most} MiB of own memory"
        );
        // Sums of a thousand hours take longer to read than the hours took to write.
        if hours == 1 {
            assert_eq!(broken_sums(&workshop.path("data")), [""; 0], "{what}");
        }
    }
}

#[test]
fn a_flood_of_mixed_kinds_stays_within_memory_for_any_number_of_workers() {
    let (capture, truth) = made(&flood(PACKETS, 0.0));
    assert_eq!(truth.sources.total, PACKETS);
    check("mixed kinds", &capture, 1, &["1", "2", "8"]);
}

#[test]
fn a_flood_half_of_which_one_source_sends_stays_within_memory() {
    let (capture, _) = made(&flood(PACKETS / 2, 0.5));
    check("one source", &capture, 1, &["2"]);
}

#[test]
fn many_hours_at_once_stay_within_memory_in_any_order() {
    const HOURS: usize = 1_000;
    let (capture, _) = made(&flood(100_000, 0.0));
    let parts = Parts::of(&capture);
    let first = u32::from_le_bytes(parts.records[0][..4].try_into().expect("four bytes")) / 3600;
    let hours_of = |hour: &dyn Fn(usize) -> usize| {
        let at = |(index, record): (usize, &&[u8])| {
            let seconds = (first - hour(index) as u32) * 3600 + 1;
            let mut moved = record.to_vec();
            moved[..4].copy_from_slice(&seconds.to_le_bytes());
            moved
        };
        let moved: Vec<Vec<u8>> = parts.records.iter().enumerate().map(at).collect();
        let moved: Vec<&[u8]> = moved.iter().map(Vec::as_slice).collect();
        parts.joined(&moved)
    };
    // Every packet is of another hour than the one before it.
    let in_turn = hours_of(&|index| index % HOURS);
    check("hours in turn", &in_turn, HOURS, &["2"]);
    let count = parts.records.len();
    let falling = hours_of(&|index| index * HOURS / count);
    check("hours that fall", &falling, HOURS, &["2"]);
}
