//! A live capture under more than it can take: a ring that overflows, a flood of forged sources. What is lost is counted, and memory
//! stays within its bound. Needs root and `ip`; skipped, and said so, without them.

use crate::dataset;
use crate::network;

use std::process::Command;
use std::time::Duration;

use dataset::{Workshop, broken_sums, coverage_sums, hour_sums};
use network::{Capture, FrameSender, in_a_network_of_its_own, udp_frame};
use serde_json::Value;

/// The dark address behind the pair.
const DARK: [u8; 4] = [10, 9, 0, 77];

fn signal(capture: &Capture, signal: &str) {
    let number = capture.child.id().to_string();
    let sent = Command::new("kill").args([signal, &number]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

/// A line of /proc/PID/status about memory, in bytes.
fn memory_bytes(capture: &Capture, name: &str) -> u64 {
    let path = format!("/proc/{}/status", capture.child.id());
    let text = std::fs::read_to_string(path).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("{name} in {text}"));
    let kibibytes = line.trim_start_matches(':').trim().strip_suffix(" kB");
    kibibytes
        .and_then(|text| text.parse::<u64>().ok())
        .expect("a number")
        << 10
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value}"))
}

/// Every packet that was sent is observed or was dropped by the kernel, in the accounting as in the tables.
fn assert_accounted(workshop: &Workshop, accounting: &Value, sent: i64) {
    let data = workshop.path("data");
    let (observed, dropped) = (
        number(&accounting["observed"]),
        number(&accounting["dropped"]),
    );
    assert_eq!(observed + dropped, sent, "{accounting}");
    assert_eq!(broken_sums(&data), [""; 0]);
    let all = |sums: std::collections::BTreeMap<i64, i64>| sums.into_values().sum::<i64>();
    assert_eq!(all(coverage_sums(&data, "observed")), observed);
    assert_eq!(all(coverage_sums(&data, "received")), observed);
    assert_eq!(all(coverage_sums(&data, "dropped_kernel")), dropped);
    assert_eq!(all(coverage_sums(&data, "dropped_interface")), 0);
    let summed: i64 = hour_sums(&data, "sources").values().map(|sum| sum.0).sum();
    assert_eq!(summed, observed);
}

#[test]
fn a_ring_that_overflows_counts_what_it_could_not_hold() {
    in_a_network_of_its_own(|| {
        const SENT: u32 = 60_000;
        let workshop = Workshop::new();
        let capture = Capture::start_with(&workshop, &["dark"], &["--buffer", "1M"]);
        let sender = FrameSender::new("sending");
        // Meanwhile the rings are not read, as on a machine that is busy with something else.
        signal(&capture, "-STOP");
        for number in 0..SENT {
            sender.send(&udp_frame(None, 0x0b00_0000 + number, DARK, 53));
        }
        signal(&capture, "-CONT");
        std::thread::sleep(Duration::from_millis(1500));
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(1), "{messages}");
        let dropped = number(&accounting["dropped"]);
        assert!(dropped > i64::from(SENT) / 2, "{accounting}");
        assert_accounted(&workshop, &accounting, SENT.into());
        // In the minute, or the two, in which they were lost.
        let mut minutes = Vec::new();
        dataset::each_row(&workshop.path("data"), "coverage", |row| {
            minutes.push(dataset::number(row, "dropped_kernel"));
        });
        minutes.retain(|dropped| *dropped > 0);
        assert!((1..=2).contains(&minutes.len()), "{minutes:?}");
    });
}

#[test]
fn a_flood_of_forged_sources_stays_within_memory() {
    in_a_network_of_its_own(|| {
        const SENT: u32 = 500_000;
        const MEMORY: u64 = 32 << 20;
        let workshop = Workshop::new();
        let flags = ["--memory", "32M", "--buffer", "32M", "--durable", "2"];
        let capture = Capture::start_with(&workshop, &["dark"], &flags);
        let before = memory_bytes(&capture, "VmRSS");
        let sender = FrameSender::new("sending");
        let mut frame = udp_frame(None, 0, DARK, 53);
        for number in 0..SENT {
            // Every source once, and no two neighbours in a row.
            let source = number.wrapping_mul(0x9e37_79b1) | 1 << 31;
            frame[26..30].copy_from_slice(&source.to_be_bytes());
            sender.send(&frame);
        }
        std::thread::sleep(Duration::from_millis(500));
        let peak = memory_bytes(&capture, "VmHWM");
        let (_, accounting, messages) = capture.end("-TERM");
        assert!(messages.contains("capturing on dark"), "{messages}");
        assert_accounted(&workshop, &accounting, SENT.into());
        // The rows, and the same again for the hour that is published meanwhile; the rings existed before.
        assert!(
            peak < before + 2 * MEMORY,
            "{peak} bytes are resident, {before} before the flood"
        );
    });
}
