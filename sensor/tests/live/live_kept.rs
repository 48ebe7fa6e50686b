//! Packets that a live capture keeps as files: tcpdump reads them, and a replay of them gives the same tables. Needs root and `ip`;
//! skipped, and said so, without them.

use crate::dataset;
use crate::network;
use crate::program;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dataset::{Workshop, broken_sums, coverage_sums, rows, text};
use network::{
    Capture, FrameSender, TELESCOPE, in_a_network_of_its_own, mount_memory, packets_by_port,
    send_udp, udp_frame,
};
use teiten_aggregator::store::Store;

/// Files of kept packets with an ending.
fn kept(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut kept: Vec<PathBuf> = paths.filter(|path| text(path).ends_with(ending)).collect();
    kept.sort();
    kept
}

/// tcpdump's output for a file, one line per packet; `None` if it is not installed.
fn by_tcpdump(path: &Path) -> Option<Vec<String>> {
    let output = Command::new("tcpdump")
        .args(["-e", "-n", "--nano", "-tt", "-r"])
        .arg(path)
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: there is no tcpdump");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(!errors.contains("truncated"), "{errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    Some(lines.lines().map(str::to_owned).collect())
}

#[test]
fn kept_packets_replay_to_the_same_tables() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let folder = workshop.path("kept");
        let flags = ["--keep-packets", text(&folder)];
        let capture = Capture::start_with(&workshop, &["lo", "dark"], &flags);
        send_udp("127.9.0.1", 300);
        send_udp("10.9.0.77", 200);
        let sender = FrameSender::new("sending");
        for port in 20_000..20_050 {
            // The kernel takes the tag off before anybody sees the packet.
            sender.send(&udp_frame(Some(7), 0x0a09_0002, [10, 9, 0, 77], port));
        }
        std::thread::sleep(Duration::from_millis(300));
        let unfinished = kept(&folder, ".pcap.part");
        assert!(!unfinished.is_empty(), "an hour's file is not finished");
        let accounting = capture.end_by("-TERM");
        assert_eq!(accounting["observed"], 550, "{accounting}");
        assert_eq!(accounting["kept"]["packets"], 550, "{accounting}");
        assert_eq!(kept(&folder, ".part"), Vec::<PathBuf>::new());
        let files = kept(&folder, ".pcap");
        // One, or two if the hour changed meanwhile.
        assert!((1..=2).contains(&files.len()), "{files:?}");
        let mut lines = Vec::new();
        let sensor = Store::at(&workshop.path("data")).default_sensor();
        for path in &files {
            let begins = format!("kept/{sensor}-20");
            assert!(text(path).contains(&begins), "{path:?}");
            lines.extend(by_tcpdump(path).unwrap_or_default());
        }
        if !lines.is_empty() {
            assert_eq!(lines.len(), 550);
            let tagged = lines.iter().filter(|line| line.contains("vlan 7"));
            assert_eq!(tagged.count(), 50);
            let nanoseconds = |line: &&String| {
                line.split(' ')
                    .next()
                    .is_some_and(|time| !time.ends_with("000"))
            };
            assert!(
                lines.iter().filter(nanoseconds).count() > 500,
                "{}",
                lines[0]
            );
        }
        let data = workshop.path("data");
        let packets = packets_by_port(&data);
        assert_eq!(packets[&(17, 20_000)], 3, "one packet each way");
        let again = workshop.path("again");
        let mut arguments = vec!["replay", text(&folder), "--data", text(&again), "--json"];
        for prefix in TELESCOPE {
            arguments.extend(["--telescope", prefix]);
        }
        let countries = workshop.countries();
        arguments.extend(["--geo", text(&countries)]);
        let run = program::run(arguments);
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        for table in ["traffic", "sources", "payloads"] {
            let (live, replayed) = (rows(&data, table, &[]), rows(&again, table, &[]));
            assert!(!live.is_empty(), "{table}");
            assert_eq!(live, replayed, "{table}");
        }
        assert_eq!(
            coverage_sums(&data, "observed"),
            coverage_sums(&again, "observed")
        );
    });
}

#[test]
fn a_killed_capture_leaves_files_that_the_next_one_finishes() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let folder = workshop.path("kept");
        let flags = ["--keep-packets", text(&folder)];
        let mut killed = Capture::start_with(&workshop, &["dark"], &flags);
        send_udp("10.9.0.77", 100);
        // Kept packets are flushed once a second.
        std::thread::sleep(Duration::from_millis(2500));
        killed.child.kill().expect("it can be killed");
        killed.child.wait().expect("it ends");
        let capture = Capture::start_with(&workshop, &["dark"], &flags);
        send_udp("10.9.0.77", 30);
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(0), "{messages}");
        assert_eq!(accounting["kept"]["packets"], 30, "{accounting}");
        assert!(messages.contains("of a run that broke off"), "{messages}");
        assert_eq!(kept(&folder, ".part"), Vec::<PathBuf>::new());
        let files = kept(&folder, ".pcap");
        let lines: Vec<usize> = files
            .iter()
            .filter_map(|path| by_tcpdump(path))
            .map(|lines| lines.len())
            .collect();
        if !lines.is_empty() {
            assert_eq!(lines.iter().sum::<usize>(), 130, "{files:?}");
        }
    });
}

#[test]
fn a_full_disk_costs_kept_packets_and_no_observed_ones() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let folder = workshop.path("kept");
        if !mount_memory(&folder, "1m") {
            return;
        }
        let flags = ["--keep-packets", text(&folder), "--durable", "1"];
        let capture = Capture::start_with(&workshop, &["dark"], &flags);
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        for port in 1..=2000u16 {
            let sent = socket.send_to(&[7; 1200], ("10.9.0.77", port));
            sent.expect("a network");
            if port % 500 == 0 {
                std::thread::sleep(Duration::from_millis(400));
            }
        }
        std::thread::sleep(Duration::from_millis(1500));
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(1), "{messages}");
        assert_eq!(accounting["observed"], 2000, "{accounting}");
        assert_eq!(accounting["dropped"], 0);
        let number = |value: &serde_json::Value| value.as_u64().expect("a number");
        let packets = number(&accounting["kept"]["packets"]);
        let lost = number(&accounting["kept"]["lost"]["full"]);
        assert_eq!(packets + lost, 2000, "{accounting}");
        assert!(packets > 0 && lost > 500, "{accounting}");
        assert!(messages.contains("no room for kept packets"), "{messages}");
        let files = kept(&folder, ".pcap");
        let counted: usize = files
            .iter()
            .filter_map(|path| by_tcpdump(path))
            .map(|lines| lines.len())
            .sum();
        assert!(counted == 0 || counted as u64 == packets, "{counted}");
        assert_eq!(broken_sums(&workshop.path("data")), [""; 0]);
    });
}
