//! A live capture and what goes wrong in the years it runs: it is killed, its disk is full, its interface vanishes. Needs root and
//! `ip`; skipped, and said so, without them. `TEITEN_KILLS=50` makes the test of kills a long one.

use crate::dataset;
use crate::network;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dataset::{Workshop, broken_sums, coverage_sums, hour_sums};
use network::{Capture, in_a_network_of_its_own, ip, mount_memory, packets_by_port, send_udp};
use serde_json::Value;

/// Kills in the gate.
const KILLS: u64 = 4;
/// Kills of one dataset: its packets are numbered by ports.
const LANE_KILLS: u64 = 40;
/// Captures that are killed at the same time.
const LANES_MAX: u64 = 4;
/// A kill loses less than this of what was sent while it captured: a checkpoint is due every second, and takes a while where the machine
/// of a test is busy.
const LOST_MAX: Duration = Duration::from_millis(2_500);
/// Between two numbered packets.
const SENDING_INTERVAL: Duration = Duration::from_millis(4);
/// First of the ports that number packets.
const FIRST_PORT: u16 = 1_000;

/// Sends a packet to a new port every few milliseconds, until told to end.
struct Sender {
    sent: Arc<AtomicU16>,
    ended: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Sender {
    fn start() -> Sender {
        let sent = Arc::new(AtomicU16::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        // The socket belongs to the network of the thread that makes it.
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        let (counter, end) = (Arc::clone(&sent), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let number = counter.load(Ordering::Relaxed);
                socket
                    .send_to(b"numbered", ("10.9.0.77", FIRST_PORT + number))
                    .expect("a network");
                counter.store(number + 1, Ordering::Release);
                std::thread::sleep(SENDING_INTERVAL);
            }
        });
        Sender {
            sent,
            ended,
            thread,
        }
    }

    fn sent(&self) -> u16 {
        self.sent.load(Ordering::Acquire)
    }

    fn end(self) -> u16 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("the sender ends");
        self.sent.load(Ordering::Acquire)
    }
}

/// Numbered packets in the tables, each with how often it was counted.
fn numbered(data: &Path) -> BTreeMap<i32, i64> {
    let packets = packets_by_port(data);
    packets
        .into_iter()
        .map(|((_, port), count)| (port - i32::from(FIRST_PORT), count))
        .collect()
}

/// The disagreements between the tables of an hour, except during the renames of a publication.
fn lasting_breaks(data: &Path) -> Vec<String> {
    let mut broken = broken_sums(data);
    for _ in 0..4 {
        if broken.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        broken = broken_sums(data);
    }
    broken
}

/// What became of numbered packets over some kills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fate {
    kills: u64,
    sent: usize,
    /// Not in the tables: sent while nothing captured, or since the last checkpoint before a kill.
    missing: usize,
    /// Of these, more than what was promised.
    lost: usize,
    doubled: usize,
    invented: usize,
    /// Hours whose tables disagree, and journals that stayed.
    broken: usize,
}

impl Fate {
    fn add(&mut self, other: Fate) {
        self.kills += other.kills;
        self.sent += other.sent;
        self.missing += other.missing;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.invented += other.invented;
        self.broken += other.broken;
    }
}

/// A capture that is killed again and again, and goes on to its end.
fn killed(kills: u64, seed: u64) -> Fate {
    let workshop = Workshop::new();
    let data = workshop.path("data");
    let sender = Sender::start();
    let mut fate = Fate {
        kills,
        ..Fate::default()
    };
    let mut missing_max = 0;
    let mut state = seed;
    // What was sent before the last capture began, and before it was killed: from there on nothing captured.
    let mut before = (sender.sent(), sender.sent());
    let mut lost_by_kill = |round: u64, (opened, killed): (u16, u16), fate: &mut Fate| {
        // The next capture has published the rows of the journal. Packets since the last checkpoint may be lost, and those that waited in the
        // ring; nothing before.
        let visible = numbered(&data).into_keys();
        let last = visible.filter(|number| *number < i32::from(killed)).max();
        let next = last.and_then(|last| u16::try_from(last + 1).ok());
        let since_last = killed.saturating_sub(next.unwrap_or(0).max(opened));
        if SENDING_INTERVAL * u32::from(since_last) >= LOST_MAX {
            eprintln!("kill {round} of {seed}: the last {since_last} packets are lost");
            fate.lost += usize::from(since_last);
        }
        missing_max += usize::from(since_last);
    };
    let mut blind = 0;
    for round in 0..kills {
        let mut capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
        let opened = sender.sent();
        blind += usize::from(opened - before.1);
        lost_by_kill(round, before, &mut fate);
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(1_200 + (state >> 33) % 1_800));
        if round > 0 {
            fate.broken += lasting_breaks(&data).len();
        }
        capture.child.kill().expect("it can be killed");
        capture.child.wait().expect("it ends");
        before = (opened, sender.sent());
    }
    let capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
    blind += usize::from(sender.sent() - before.1);
    lost_by_kill(kills, before, &mut fate);
    missing_max += blind + 1;
    std::thread::sleep(Duration::from_millis(500));
    let sent = sender.end();
    std::thread::sleep(Duration::from_millis(50));
    let accounting = capture.end_by("-TERM");
    let numbered = numbered(&data);
    let all = 0..i32::from(sent);
    fate.sent = usize::from(sent);
    fate.missing = all.clone().filter(|it| !numbered.contains_key(it)).count();
    fate.lost += fate.missing.saturating_sub(missing_max);
    // The last packet came to a capture that ended by itself.
    fate.lost += usize::from(!numbered.contains_key(&(i32::from(sent) - 1)));
    fate.doubled = numbered.values().filter(|count| **count > 1).count();
    fate.invented = numbered.keys().filter(|it| !all.contains(it)).count();
    fate.broken += broken_sums(&data).len();
    let journals = data.join(".teiten/journal").read_dir();
    fate.broken += journals.into_iter().flatten().count();
    assert_own_and_taken_over(&accounting);
    let payloads: i64 = hour_packets(&data, "payloads");
    assert_eq!(payloads, numbered.len() as i64, "each had a payload");
    // One run went on to the end: each hour has one part.
    let hours = hour_sums(&data, "traffic").len();
    let parts = dataset::files(&data)
        .into_keys()
        .filter(|name| name.starts_with("traffic"))
        .count();
    assert_eq!(parts, hours);
    fate
}

#[test]
fn a_killed_capture_goes_on_and_repeats_nothing() {
    let kills = std::env::var("TEITEN_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    // It is mostly waiting, so several captures are killed at a time, each in a network of its own.
    let (left, all) = (
        Arc::new(AtomicU64::new(kills)),
        Arc::new(Mutex::new(Fate::default())),
    );
    let lanes = kills.div_ceil(LANE_KILLS).min(LANES_MAX);
    let work = |lane: u64| {
        let (left, all) = (Arc::clone(&left), Arc::clone(&all));
        std::thread::spawn(move || {
            in_a_network_of_its_own(move || {
                let mut seed = u64::from(std::process::id()) << 8 | lane;
                let take = |left: u64| (left > 0).then(|| left.saturating_sub(LANE_KILLS));
                while let Ok(before) = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
                    let fate = killed(before.min(LANE_KILLS), seed);
                    all.lock().expect("no lane has failed").add(fate);
                    seed = seed.wrapping_add(1 << 32);
                }
            });
        })
    };
    let lanes: Vec<_> = (0..lanes).map(work).collect();
    for lane in lanes {
        if let Err(panic) = lane.join() {
            std::panic::resume_unwind(panic);
        }
    }
    let fate = *all.lock().expect("no lane has failed");
    println!(
        "{} kills: {} packets sent, lost beyond the promise {}, doubled {}, invented {}, hours whose tables disagree {}; {} were sent while \
         nothing captured or since the last checkpoint",
        fate.kills, fate.sent, fate.lost, fate.doubled, fate.invented, fate.broken, fate.missing
    );
    assert_eq!(
        (fate.lost, fate.doubled, fate.invented, fate.broken),
        (0, 0, 0, 0)
    );
}

fn hour_packets(data: &Path, table: &str) -> i64 {
    let mut packets = 0;
    dataset::each_row(data, table, |row| {
        packets += dataset::number(row, "packets");
    });
    packets
}

/// The counts of a run add up on their own; what it took over is separate, and both are in the tables.
fn assert_own_and_taken_over(accounting: &Value) {
    let sum = |object: &Value| -> u64 {
        let counts = object.as_object().into_iter().flatten();
        counts.filter_map(|(_, count)| count.as_u64()).sum()
    };
    let observed = accounting["observed"].as_u64().expect("a number");
    let taken = &accounting["taken_over"];
    let before = taken["observed"].as_u64().expect("a number");
    assert!(observed > 0 && before > 0, "{accounting}");
    assert_eq!(sum(&accounting["hours"]), observed, "{accounting}");
    assert_eq!(sum(&accounting["classes"]), observed, "{accounting}");
    assert_eq!(sum(&taken["hours"]), before, "{accounting}");
    assert_eq!(sum(&accounting["tools"]), observed + before, "{accounting}");
}

/// A capture into its own file system, which fails for a while: nothing is lost, and everything is visible once it works again.
fn what_was_refused_is_written_later(refuse: fn(&Path), relent: fn(&Path)) {
    let workshop = Workshop::new();
    let data = workshop.path("data");
    if !mount_memory(&data, "2m") {
        return;
    }
    let visible = || -> i64 { hour_sums(&data, "traffic").values().map(|sum| sum.0).sum() };
    let capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
    send_udp("10.9.0.77", 100);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(visible(), 100, "visible within a second");
    refuse(&data);
    for _ in 0..3 {
        send_udp("10.9.0.77", 200);
        std::thread::sleep(Duration::from_millis(900));
    }
    assert_eq!(visible(), 100, "what was visible stays");
    relent(&data);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(visible(), 700, "visible once it can be");
    let (code, accounting, messages) = capture.end("-TERM");
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(accounting["observed"], 700);
    for part in [
        "keeps its data in memory until it can be written",
        "everything held is written",
    ] {
        assert!(messages.contains(part), "{part}: {messages}");
    }
    assert_eq!(broken_sums(&data), [""; 0]);
}

#[test]
fn what_a_full_disk_refused_is_written_when_there_is_room() {
    in_a_network_of_its_own(|| {
        what_was_refused_is_written_later(
            |data| {
                let mut file = File::create(data.join("filler")).expect("room for a name");
                while file.write_all(&[0; 4096]).is_ok() {}
            },
            |data| std::fs::remove_file(data.join("filler")).expect("removable"),
        );
    });
}

#[test]
fn what_a_read_only_folder_refused_is_written_when_it_is_writable() {
    in_a_network_of_its_own(|| {
        what_was_refused_is_written_later(
            |data| remount(data, "remount,ro"),
            |data| remount(data, "remount,rw"),
        );
    });
}

/// Remounts a file system; this fails while a file is open for writing, such as an unfinished part.
fn remount(folder: &Path, options: &str) {
    for _ in 0..50 {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", options]).arg(folder).status();
        if status.is_ok_and(|status| status.success()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} cannot be mounted {options}", folder.display());
}

#[test]
fn an_interface_that_vanishes_and_returns_is_captured_on_again() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let capture = Capture::start_with(&workshop, &["dark"], &["--durable", "1"]);
        send_udp("10.9.0.77", 50);
        std::thread::sleep(Duration::from_millis(300));
        ip("link delete sending").expect("removable");
        std::thread::sleep(Duration::from_millis(5000));
        for arguments in &network::NETWORK[1..] {
            ip(arguments).expect("a pair as before");
        }
        std::thread::sleep(Duration::from_millis(2500));
        send_udp("10.9.0.77", 70);
        ip("link set dark down").expect("it can be set down");
        std::thread::sleep(Duration::from_millis(3500));
        ip("link set dark up").expect("it can be set up");
        std::thread::sleep(Duration::from_millis(4500));
        send_udp("10.9.0.77", 90);
        let (code, accounting, messages) = capture.end("-TERM");
        assert_eq!(code, Some(1), "{messages}");
        assert_eq!(accounting["observed"], 50 + 70 + 90, "{messages}");
        for part in ["dark has vanished", "dark went down", "dark is back"] {
            assert!(messages.contains(part), "{part}: {messages}");
        }
        let data = workshop.path("data");
        assert_eq!(broken_sums(&data), [""; 0]);
        let seconds: i64 = coverage_sums(&data, "seconds").values().sum();
        // Of some 16 seconds the interface was away for 5 and down for 3; seconds at each end are not observed whole.
        assert!(
            (1..=8).contains(&seconds),
            "{seconds} seconds count as observed"
        );
    });
}

#[test]
fn one_missing_interface_does_not_keep_the_others_waiting() {
    in_a_network_of_its_own(|| {
        let workshop = Workshop::new();
        let begin = Instant::now();
        let capture = Capture::start_of(&workshop, &["dark", "later"], &["--durable", "1"], 1);
        send_udp("10.9.0.77", 40);
        ip("link add later type veth peer name other").expect("a further interface");
        ip("link set later up").expect("it can be set up");
        std::thread::sleep(Duration::from_millis(2500));
        let (code, accounting, messages) = capture.end("-INT");
        assert_eq!(code, Some(1), "{messages}");
        assert_eq!(accounting["observed"], 40);
        assert!(messages.contains("later does not exist"), "{messages}");
        assert!(messages.contains("later is back"), "{messages}");
        assert!(begin.elapsed() < Duration::from_secs(30));
    });
}
