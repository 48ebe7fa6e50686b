//! The built program capturing live, in a network namespace of the test's own: what is sent there and nothing else. Needs root and
//! `ip`; skipped, and said so, without them.

#[path = "support/dataset.rs"]
mod dataset;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dataset::{Workshop, broken_sums, coverage_sums, each_row, hour_sums, number};
use parquet::record::Field;
use serde_json::Value;

/// Longest wait for the program to open its interfaces.
const OPENING_MAX: Duration = Duration::from_secs(20);
/// What the namespace needs: loopback, and a pair of which one end is captured on and nobody answers.
const NETWORK: &[&str] = &[
    "link set lo up",
    "link add sending type veth peer name dark",
    "address add 10.9.0.1/24 dev sending",
    "link set sending up",
    "link set dark up",
    "neighbour add 10.9.0.77 lladdr 02:00:00:00:00:4d dev sending",
];
/// What the tests send to: an address on loopback, and one behind the pair.
const TELESCOPE: [&str; 2] = ["127.9.0.0/16", "10.9.0.77/32"];

/// Runs `test` on a thread that has a network of its own, which ends with the thread and its children.
fn in_a_network_of_its_own(test: fn()) {
    let thread = std::thread::spawn(move || {
        // SAFETY: unshare takes no pointers, and changes the network of this thread and its later children alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            let reason = std::io::Error::last_os_error();
            eprintln!("SKIPPED: no network namespace can be made ({reason}); run as root");
            return;
        }
        for arguments in NETWORK {
            let made = Command::new("ip").args(arguments.split(' ')).status();
            if !made.as_ref().is_ok_and(|status| status.success()) {
                eprintln!("SKIPPED: `ip {arguments}` gave {made:?}");
                return;
            }
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A capture that is under way.
struct Capture {
    child: Child,
}

impl Capture {
    /// Starts the program and waits until it has opened as many interfaces.
    fn start(workshop: &Workshop, interfaces: &[&str]) -> Self {
        let mut command = program::program();
        command.args(["capture", "--json", "--workers", "2", "--data"]);
        command.arg(workshop.path("data"));
        command.arg("--geo").arg(workshop.countries());
        for prefix in TELESCOPE {
            command.args(["--telescope", prefix]);
        }
        for interface in interfaces {
            command.args(["--interface", interface]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let capture = Capture {
            child: command.spawn().expect("the program starts"),
        };
        let begin = Instant::now();
        while packet_sockets() < interfaces.len() {
            assert!(begin.elapsed() < OPENING_MAX, "no interface was opened");
            std::thread::sleep(Duration::from_millis(10));
        }
        // The socket is there a moment before its ring is.
        std::thread::sleep(Duration::from_millis(200));
        capture
    }

    /// Ends the capture by a signal; its accounting, when its exit code is 0.
    fn end_by(mut self, signal: &str) -> Value {
        let number = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let (mut output, mut messages) = (String::new(), String::new());
        let stdout = self.child.stdout.take().expect("a pipe");
        let stderr = self.child.stderr.take().expect("a pipe");
        for (mut pipe, text) in [
            (Box::new(stdout) as Box<dyn Read>, &mut output),
            (Box::new(stderr), &mut messages),
        ] {
            pipe.read_to_string(text).expect("text");
        }
        let code = self.child.wait().expect("it ends").code();
        assert_eq!(code, Some(0), "{signal}: {messages}");
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }
}

/// Packet sockets of this thread's network: a line each after the first.
fn packet_sockets() -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/packet").unwrap_or_default();
    table.lines().count().saturating_sub(1)
}

/// Sends numbered datagrams, each to a port of its own.
fn send_udp(to: &str, count: u16) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    for number in 0..count {
        let address: SocketAddr = format!("{to}:{}", 20_000 + number).parse().expect("one");
        let payload = format!("packet {number}");
        socket
            .send_to(payload.as_bytes(), address)
            .expect("a network");
    }
}

/// Packets of a dataset by (protocol, port).
fn packets_by_port(data: &Path) -> BTreeMap<(i32, i32), i64> {
    let mut packets = BTreeMap::new();
    each_row(data, "sources", |row| {
        let of = |name: &str| match row.get_column_iter().find(|(column, _)| *column == name) {
            Some((_, Field::Int(number))) => *number,
            other => panic!("{name} is {other:?}"),
        };
        *packets.entry((of("protocol"), of("port"))).or_default() += number(row, "packets");
    });
    packets
}

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
