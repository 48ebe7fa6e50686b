//! The built program capturing live, in a network namespace of the test's own: what is sent there and nothing else. Needs root and
//! `ip`; skipped, and said so, without them.

use crate::capture_file;
use crate::dataset;
use crate::network;
use crate::program;

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use capture_file::{made, scenario};
use dataset::{Workshop, broken_sums, coverage_sums, hour_sums, rows, text};
use network::{Capture, in_a_network_of_its_own, packets_by_port, send_udp};
use teiten_aggregator::merge::merge;
use teiten_aggregator::verify::verify;
use teiten_testdata::Scenario;

fn every_packet_is_counted(signal: &str) {
    let workshop = Workshop::new();
    let capture = Capture::start(&workshop, &["lo", "dark"]);
    send_udp("127.9.0.1", 300);
    send_udp("10.9.0.77", 200);
    for port in 100..110 {
        let closed: SocketAddr = format!("127.9.0.2:{port}").parse().expect("an address");
        TcpStream::connect(closed).expect_err("nobody listens");
    }
    // At once: what the kernel holds back is still to be counted.
    let accounting = capture.end_by(signal);
    let data = workshop.path("data");
    assert_eq!(broken_sums(&data), [""; 0]);
    assert_eq!(accounting["observed"], 510, "{accounting}");
    assert_eq!(accounting["protocols"]["17"], 500);
    assert_eq!(accounting["protocols"]["6"], 10);
    assert_eq!(accounting["dropped"], 0);
    assert_eq!(accounting["files"][0]["path"], "lo,dark");
    assert_eq!(accounting["files"][0]["records"], accounting["records"]);
    let packets = packets_by_port(&data);
    for port in 0..300 {
        let expected = if port < 200 { 2 } else { 1 };
        assert_eq!(packets[&(17, 20_000 + port)], expected, "port {port}");
    }
    assert!((100..110).all(|port| packets[&(6, port)] == 1));
    let summed: i64 = hour_sums(&data, "traffic").values().map(|sum| sum.0).sum();
    assert_eq!(summed, 510);
}

#[test]
fn every_packet_before_sigterm_is_counted() {
    in_a_network_of_its_own(|| every_packet_is_counted("-TERM"));
}

#[test]
fn every_packet_before_sigint_is_counted() {
    in_a_network_of_its_own(|| every_packet_is_counted("-INT"));
}

#[test]
fn a_quiet_capture_says_that_it_watched() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let capture = Capture::start(&workshop, &["lo"]);
        std::thread::sleep(Duration::from_millis(3500));
        let accounting = capture.end_by("-TERM");
        assert_eq!(accounting["records"], 0);
        let data = workshop.path("data");
        let seconds: i64 = coverage_sums(&data, "seconds").values().sum();
        // Of the first and the last second not all was observed, and the clock of a quiet capture lags a second behind.
        assert!((1..=4).contains(&seconds), "{seconds} seconds");
        assert!(coverage_sums(&data, "received").is_empty());
        assert!(hour_sums(&data, "traffic").is_empty());
    });
}

#[test]
fn two_captures_of_one_hour_stand_side_by_side() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        for _ in 0..2 {
            let capture = Capture::start(&workshop, &["dark"]);
            send_udp("10.9.0.77", 50);
            assert_eq!(capture.end_by("-TERM")["observed"], 50);
        }
        let sums = hour_sums(&workshop.path("data"), "sources");
        assert_eq!(sums.values().map(|sum| sum.0).sum::<i64>(), 100);
        assert_eq!(broken_sums(&workshop.path("data")), [""; 0]);
    });
}

#[test]
fn an_unknown_interface_is_answered_with_those_there_are() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let data = workshop.path("data");
        let run = program::run([
            "capture".as_ref(),
            "--interface".as_ref(),
            "eth77".as_ref(),
            "--data".as_ref(),
            data.as_os_str(),
        ]);
        assert_eq!(run.exit_code, Some(2), "{}", run.messages);
        assert_eq!(run.output, "");
        for part in ["eth77 does not exist", "lo", "dark", "sending"] {
            assert!(run.messages.contains(part), "{part}: {}", run.messages);
        }
        assert!(!data.exists());
    });
}

/// What tables say that does not depend on the time: tcpreplay sends at its own.
fn timeless(data: &Path) -> [Vec<String>; 3] {
    let times = ["hour_start", "first_seen", "last_seen"];
    ["traffic", "sources", "payloads"].map(|table| rows(data, table, &times))
}

/// Has tcpreplay send a capture; whether it could.
fn sent_by_tcpreplay(path: &Path) -> bool {
    let tcpreplay = Command::new("tcpreplay")
        .args(["--quiet", "--pps=20000", "--intf1=sending"])
        .arg(path)
        .output();
    let Ok(output) = tcpreplay else {
        eprintln!("SKIPPED: there is no tcpreplay; .ci/setup test installs it");
        return false;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    true
}

#[test]
fn what_tcpreplay_sends_gives_the_tables_of_a_replay() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        // Within an hour: tools are confirmed over a source's packets in it.
        let scenario = Scenario {
            span_us: 600_000_000,
            ..scenario(20_000, 21)
        };
        let (capture, truth) = made(&scenario);
        let path = workshop.file("sent.pcap", &capture);
        let run = program::run(workshop.arguments("replayed", &[text(&path)]));
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        let observed = truth.accounting.observed;
        assert_eq!(run.json()["observed"], observed);
        let mut flags = Vec::new();
        for prefix in dataset::TELESCOPE {
            flags.extend(["--telescope", prefix]);
        }
        let data = workshop.path("data");
        // One more if the hour changed meanwhile.
        for _ in 0..2 {
            let _ = std::fs::remove_dir_all(&data);
            let capture = Capture::start_with(&workshop, &["dark"], &flags);
            if !sent_by_tcpreplay(&path) {
                return;
            }
            let accounting = capture.end_by("-TERM");
            assert_eq!(accounting["observed"], observed, "{accounting}");
            assert_eq!(broken_sums(&data), [""; 0]);
            if hour_sums(&data, "traffic").len() == 1 {
                break;
            }
        }
        let (live, replayed) = (timeless(&data), timeless(&workshop.path("replayed")));
        for (live, replayed) in live.iter().zip(&replayed) {
            assert!(!live.is_empty());
            let differ = live
                .iter()
                .zip(replayed)
                .find(|(live, replayed)| live != replayed);
            assert_eq!((differ, live.len()), (None, replayed.len()));
        }
    });
}

#[test]
fn all_interfaces_together_are_captured_once_and_only_alone() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let capture = Capture::start(&workshop, &["any"]);
        send_udp("127.9.0.1", 300);
        send_udp("10.9.0.77", 200);
        // Interfaces are checked once a second: this one is neither down nor gone.
        std::thread::sleep(Duration::from_millis(2500));
        send_udp("10.9.0.77", 50);
        let accounting = capture.end_by("-TERM");
        assert_eq!(accounting["observed"], 550, "{accounting}");
        assert_eq!(broken_sums(&workshop.path("data")), [""; 0]);
        let data = workshop.path("other");
        for (flags, part) in [
            (["--interface", "lo"], "name it alone"),
            (
                ["--capture-method", "ring"],
                "--capture-method pcap or auto",
            ),
        ] {
            let mut arguments = vec!["capture", "--interface", "any", "--data", text(&data)];
            arguments.extend(flags);
            let run = program::run(arguments);
            assert_eq!(run.exit_code, Some(2), "{}", run.messages);
            assert!(run.messages.contains(part), "{}", run.messages);
        }
    });
}

#[test]
fn merges_under_a_capture_bring_its_newer_state_and_find_it_sound() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let (data, all) = (workshop.path("data"), workshop.path("all"));
        let capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
        let mut sent = 0;
        let merged = |sent: i64| {
            let verdict = verify(&data).expect("a dataset");
            assert_eq!(verdict.findings, []);
            let merged = merge(&all, std::slice::from_ref(&data)).expect("nothing against it");
            assert!(merged.copied > 0, "{merged:?}");
            let verdict = verify(&all).expect("a dataset");
            assert_eq!((verdict.findings, verdict.packets), (vec![], sent as u64));
        };
        for _ in 0..3 {
            send_udp("10.9.0.77", 100);
            sent += 100;
            let begun = std::time::Instant::now();
            let visible = || {
                hour_sums(&data, "traffic")
                    .values()
                    .map(|sum| sum.0)
                    .sum::<i64>()
            };
            while visible() < sent {
                assert!(begun.elapsed() < Duration::from_secs(20), "{}", visible());
                std::thread::sleep(Duration::from_millis(50));
            }
            merged(sent);
        }
        capture.end_by("-TERM");
        // The hour is finished now.
        merged(sent);
        let again = merge(&all, &[data]).expect("nothing against it");
        assert_eq!((again.copied, again.replaced), (0, 0), "{again:?}");
    });
}
