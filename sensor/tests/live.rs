//! The built program capturing live, in a network namespace of the test's own: what is sent there and nothing else. Needs root and
//! `ip`; skipped, and said so, without them.

#[path = "support/dataset.rs"]
mod dataset;
#[path = "support/network.rs"]
mod network;
#[path = "support/program.rs"]
mod program;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use dataset::{Workshop, broken_sums, coverage_sums, hour_sums};
use network::{Capture, in_a_network_of_its_own, packets_by_port, send_udp};

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
        assert!((3..=6).contains(&seconds), "{seconds} seconds");
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
