//! The built program capturing live, in a network namespace of the test's own: what is sent there and nothing else. Needs root and
//! `ip`; skipped, and said so, without them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parquet::record::Field;
use serde_json::Value;

use super::dataset::{Workshop, each_row, number};
use super::program;

/// Longest wait for the program to open its interfaces.
const OPENING_MAX: Duration = Duration::from_secs(20);
/// Workers of a capture, each with a ring on every interface.
pub(crate) const WORKERS: usize = 2;
/// The interfaces of the namespace: loopback, and a pair with the capture on one end and no answers.
pub(crate) const NETWORK: &[&str] = &[
    "link set lo up",
    "link add sending type veth peer name dark",
    "address add 10.9.0.1/24 dev sending",
    "link set sending up",
    "link set dark up",
    "neighbour add 10.9.0.77 lladdr 02:00:00:00:00:4d dev sending",
];
/// What the tests send to: an address on loopback, and one behind the pair.
pub(crate) const TELESCOPE: [&str; 2] = ["127.9.0.0/16", "10.9.0.77/32"];

/// Runs `test` on a thread that has a network of its own, which ends with the thread and its children.
pub(crate) fn in_a_network_of_its_own(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: unshare takes no pointers, and changes network and mounts of this thread and its later children alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) } != 0 {
            let reason = std::io::Error::last_os_error();
            eprintln!("SKIPPED: no network namespace can be made ({reason}); run as root");
            return;
        }
        let private = Command::new("mount")
            .args(["--make-rprivate", "/"])
            .status();
        if !private.as_ref().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: mounts cannot be made private: {private:?}");
            return;
        }
        for arguments in NETWORK {
            if let Err(reason) = ip(arguments) {
                eprintln!("SKIPPED: `ip {arguments}`: {reason}");
                return;
            }
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` in the network of this thread.
pub(crate) fn ip(arguments: &str) -> Result<(), String> {
    match Command::new("ip").args(arguments.split(' ')).status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// Creates a folder with a memory file system of this size; prints it if that fails.
pub(crate) fn mount_memory(folder: &Path, size: &str) -> bool {
    std::fs::create_dir(folder).expect("writable");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
        .arg(folder)
        .status();
    let done = mounted.as_ref().is_ok_and(|status| status.success());
    if !done {
        eprintln!("SKIPPED: no tmpfs can be mounted: {mounted:?}");
    }
    done
}

/// Sends frames as they are through an interface.
pub(crate) struct FrameSender {
    socket: OwnedFd,
    address: libc::sockaddr_ll,
}

impl FrameSender {
    pub(crate) fn new(interface: &str) -> FrameSender {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers. Protocol 0: nothing is received.
        let number = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        assert!(number >= 0, "{}", std::io::Error::last_os_error());
        // SAFETY: a new descriptor that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: a plain C struct of integers, for which all zeros is a value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        let name = std::ffi::CString::new(interface).expect("a name");
        // SAFETY: a string that ends with a zero byte and lives through the call.
        address.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) } as i32;
        FrameSender { socket, address }
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        // SAFETY: pointers and lengths are those of live values.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const self.address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        let reason = std::io::Error::last_os_error();
        assert_eq!(sent, frame.len() as isize, "{reason}");
    }
}

/// An Ethernet frame with a datagram over IPv4, behind a VLAN tag where one is given.
pub(crate) fn udp_frame(tag: Option<u16>, from: u32, to: [u8; 4], port: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x4d, 2, 0, 0, 0, 0, 1];
    if let Some(tag) = tag {
        frame.extend([0x81, 0]);
        frame.extend(tag.to_be_bytes());
    }
    frame.extend([8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(from.to_be_bytes());
    frame.extend(to);
    for half in [40_000, port, 12, 0] {
        frame.extend(u16::to_be_bytes(half));
    }
    frame.extend(*b"dark");
    frame
}

/// A running capture.
pub(crate) struct Capture {
    pub child: program::Running,
    messages: JoinHandle<String>,
}

impl Capture {
    /// Starts the program and waits until it says that it captures on every interface.
    pub(crate) fn start(workshop: &Workshop, interfaces: &[&str]) -> Self {
        Capture::start_with(workshop, interfaces, &[])
    }

    /// As [`Capture::start`], with further flags.
    pub(crate) fn start_with(workshop: &Workshop, interfaces: &[&str], flags: &[&str]) -> Self {
        Capture::start_of(workshop, interfaces, flags, interfaces.len())
    }

    /// As [`Capture::start_with`], but waits for this number of interfaces only.
    pub(crate) fn start_of(
        workshop: &Workshop,
        interfaces: &[&str],
        flags: &[&str],
        opened: usize,
    ) -> Self {
        let command = program::program();
        let until = ("capturing on", opened);
        Capture::start_until(command, workshop, interfaces, flags, until)
    }

    /// As [`Capture::start_with`], with another command; waits until this number of messages contain these words.
    pub(crate) fn start_until(
        mut command: Command,
        workshop: &Workshop,
        interfaces: &[&str],
        flags: &[&str],
        (words, wanted): (&str, usize),
    ) -> Self {
        command.args([
            "capture",
            "--json",
            "--workers",
            &WORKERS.to_string(),
            "--data",
        ]);
        command.arg(workshop.path("data"));
        command.arg("--geo").arg(workshop.countries());
        for prefix in TELESCOPE {
            command.args(["--telescope", prefix]);
        }
        for interface in interfaces {
            command.args(["--interface", interface]);
        }
        command.args(flags);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program::Running(command.spawn().expect("the program starts"));
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (mut messages, mut heard) = (String::new(), 0);
        let begin = Instant::now();
        while heard < wanted {
            assert!(
                begin.elapsed() < OPENING_MAX,
                "nothing like `{words}` was said: {messages}"
            );
            let line = lines.next().and_then(Result::ok);
            let line = line.unwrap_or_else(|| panic!("it ended: {messages}"));
            heard += usize::from(line.contains(words));
            messages.push_str(&line);
            messages.push('\n');
        }
        let messages = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                messages.push_str(&line);
                messages.push('\n');
            }
            messages
        });
        Capture { child, messages }
    }

    /// Ends the capture by a signal; its accounting, when its exit code is 0.
    pub(crate) fn end_by(self, signal: &str) -> Value {
        let (code, accounting, messages) = self.end(signal);
        assert_eq!(code, Some(0), "{signal}: {messages}");
        accounting
    }

    /// Waits until the capture has ended by itself: its exit code, its messages, and how long that took.
    pub(crate) fn ended(mut self) -> (Option<i32>, String, Duration) {
        let begun = Instant::now();
        let code = self.child.wait().expect("it ends").code();
        let took = begun.elapsed();
        (code, self.messages.join().expect("text"), took)
    }

    /// Ends the capture by a signal: its exit code, its accounting (null where it gave none) and its messages.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Value, String) {
        let number = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &number]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let mut output = String::new();
        let mut pipe = self.child.stdout.take().expect("a pipe");
        pipe.read_to_string(&mut output).expect("text");
        let code = self.child.wait().expect("it ends").code();
        let messages = self.messages.join().expect("text");
        let accounting = serde_json::from_str(&output).unwrap_or_default();
        (code, accounting, messages)
    }
}

/// Sends numbered datagrams, each to another port.
pub(crate) fn send_udp(to: &str, count: u16) {
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
pub(crate) fn packets_by_port(data: &Path) -> BTreeMap<(i32, i32), i64> {
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
