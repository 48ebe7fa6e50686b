//! What must neither end nor hold up a running capture, and what must end it at once: a reader of its messages that stalls, a disk that is
//! full before it has begun, a journal that somebody removes, a thread that panics. Needs root and `ip`; skipped, and said so, without
//! them.

use crate::dataset::{Workshop, broken_sums, hour_sums, text};
use crate::network::{
    Capture, TELESCOPE, in_a_network_of_its_own, mount_memory, packets_by_port, send_udp,
};
use crate::program;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// A thread that panics ends the process within this time; the machine of a test may be busy.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Packets that readers see.
fn visible(data: &Path) -> i64 {
    let sums = hour_sums(data, "traffic");
    sums.values().map(|sum| sum.0).sum()
}

/// A pipe that is full and that nobody reads: (its end for reading, its end for writing).
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: a pointer to two integers that live through the call.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: new descriptors that nobody else owns.
    let [read, write] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    // Opened again, so that the program's own end still blocks.
    let path = format!("/proc/self/fd/{}", write.as_raw_fd());
    let mut options = File::options();
    let options = options.write(true).custom_flags(libc::O_NONBLOCK);
    let mut filler = options.open(path).expect("the pipe once more");
    for length in [4096, 1] {
        while filler.write_all(&vec![b'.'; length]).is_ok() {}
    }
    (read, write)
}

#[test]
fn a_reader_of_messages_that_stalls_costs_messages_and_no_packet() {
    in_a_network_of_its_own(|| {
        const STATUS: &str = "127.0.0.1:9899";
        let workshop = Workshop::new();
        let data = workshop.path("data");
        // Full from the first message on to the last one.
        let (_unread, stderr) = full_pipe();
        let mut command = program::program();
        command.args(["capture", "--json", "--interface", "dark", "--durable", "1"]);
        command.args(["--status", STATUS, "--data"]).arg(&data);
        command.arg("--geo").arg(workshop.countries());
        for prefix in TELESCOPE {
            command.args(["--telescope", prefix]);
        }
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = program::Running(command.spawn().expect("the program starts"));
        drop(command);
        wait_until("it serves its status", || {
            TcpStream::connect(STATUS).is_ok()
        });
        let metric = |name: &str| -> f64 {
            let mut stream = TcpStream::connect(STATUS).expect("somebody listens");
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request.as_bytes()).expect("sent");
            let mut page = String::new();
            stream.read_to_string(&mut page).expect("text");
            let mut lines = page.lines();
            let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|number| number.parse().ok())
                .unwrap_or_else(|| panic!("{name}: {page}"))
        };
        for packets in [200, 400] {
            let number = child.id().to_string();
            // A message each: the lists are read again.
            for _ in 0..3 {
                let sent = Command::new("kill").args(["-HUP", &number]).status();
                assert!(sent.is_ok_and(|status| status.success()));
                std::thread::sleep(Duration::from_millis(200));
            }
            send_udp("10.9.0.77", 200);
            wait_until("what was sent is visible", || visible(&data) == packets);
        }
        assert!(
            metric("teiten_log_messages_lost_total") >= 1.0,
            "what nobody read before the queue began is counted"
        );
        let begun = Instant::now();
        let number = child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &number]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let mut output = String::new();
        let mut pipe = child.stdout.take().expect("a pipe");
        pipe.read_to_string(&mut output).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{output}");
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        let accounting: serde_json::Value = serde_json::from_str(&output).expect("JSON");
        assert_eq!(accounting["observed"], 400, "{accounting}");
        assert_eq!(accounting["dropped"], 0, "{accounting}");
        assert_eq!(broken_sums(&data), [""; 0]);
    });
}

#[test]
fn a_capture_that_begins_on_a_full_disk_waits_and_goes_on_when_there_is_room() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let data = workshop.path("data");
        if !mount_memory(&data, "2m") {
            return;
        }
        let mut filler = File::create(data.join("filler")).expect("room for a name");
        for length in [4096, 1] {
            while filler.write_all(&vec![0; length]).is_ok() {}
        }
        drop(filler);
        let start = || {
            let until = ("nothing is captured until the disk has space", 1);
            let flags = ["--durable", "1"];
            Capture::start_until(program::program(), &workshop, &["dark"], &flags, until)
        };
        // One that is told to end while it waits ends.
        let (code, _, messages) = start().end("-TERM");
        assert_eq!(code, Some(2), "{messages}");
        let capture = start();
        // Meanwhile the kernel keeps packets in the ring, as far as they fit.
        send_udp("10.9.0.77", 60);
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(visible(&data), 0);
        std::fs::remove_file(data.join("filler")).expect("removable");
        wait_until("it goes on", || visible(&data) == 60);
        send_udp("10.9.0.77", 40);
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(0), "{messages}");
        assert_eq!(accounting["observed"], 100, "{messages}");
        assert!(messages.contains("the disk has space again"), "{messages}");
        assert_eq!(broken_sums(&data), [""; 0]);
    });
}

/// The journal goes while a capture runs, which is killed later: what was published stays, and is counted once.
fn a_folder_that_is_removed(folder: &str) {
    let workshop = Workshop::new();
    let data = workshop.path("data");
    let flags = ["--durable", "1"];
    let mut capture = Capture::start_with(&workshop, &["dark"], &flags);
    send_udp("10.9.0.77", 100);
    wait_until("published", || visible(&data) == 100);
    std::fs::remove_dir_all(data.join(folder)).expect("removable");
    send_udp("10.9.0.77", 70);
    wait_until("published after that", || visible(&data) == 170);
    wait_until("a journal", || data.join(".teiten/journal").is_dir());
    assert_eq!(broken_sums(&data), [""; 0]);
    capture.child.kill().expect("it can be killed");
    capture.child.wait().expect("it ends");
    assert_eq!(visible(&data), 170, "a kill takes nothing back");
    let capture = Capture::start_with(&workshop, &["dark"], &flags);
    send_udp("10.9.0.77", 30);
    let (_, accounting, messages) = capture.end("-TERM");
    assert_eq!(accounting["observed"], 30, "{messages}");
    assert_eq!(visible(&data), 200, "{messages}");
    let packets = packets_by_port(&data);
    assert!(packets.values().all(|count| *count <= 3), "{packets:?}");
    assert_eq!(broken_sums(&data), [""; 0]);
}

#[test]
fn a_journal_that_is_removed_under_a_capture_is_made_again() {
    in_a_network_of_its_own(|| a_folder_that_is_removed(".teiten/journal"));
}

#[test]
fn a_private_folder_that_is_removed_under_a_capture_is_made_again() {
    in_a_network_of_its_own(|| a_folder_that_is_removed(".teiten"));
}

#[test]
fn a_thread_that_panics_ends_a_capture_at_once_and_the_next_one_goes_on() {
    if !cfg!(debug_assertions) {
        eprintln!("SKIPPED: only builds for debugging panic when they are asked to");
        return;
    }
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let data = workshop.path("data");
        let mut expected = 0;
        for thread in ["hours", "reader"] {
            std::fs::create_dir_all(&data).expect("a folder");
            let asked = data.join("panic");
            let mut command = program::program();
            command.env("TEITEN_TEST_PANIC", format!("{thread}={}", text(&asked)));
            let (flags, until) = (["--durable", "1"], ("capturing on", 1));
            let capture = Capture::start_until(command, &workshop, &["dark"], &flags, until);
            send_udp("10.9.0.77", 80);
            expected += 80;
            wait_until("published", || visible(&data) == expected);
            File::create(&asked).expect("asked for");
            let (code, messages, took) = capture.ended();
            std::fs::remove_file(&asked).expect("removable");
            assert_eq!(code, Some(2), "{thread}: {messages}");
            assert!(messages.contains("panicked"), "{thread}: {messages}");
            assert!(took < ENDS_WITHIN, "{thread}: {took:?}");
            assert_eq!(visible(&data), expected, "{thread}");
        }
        let capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
        send_udp("10.9.0.77", 20);
        let accounting = capture.end_by("-TERM");
        assert_eq!(accounting["observed"], 20, "{accounting}");
        assert_eq!(
            accounting["taken_over"]["observed"], expected,
            "{accounting}"
        );
        assert_eq!(visible(&data), expected + 20);
        assert_eq!(broken_sums(&data), [""; 0]);
    });
}
