//! Names, rotation, leftovers and refusals of kept packets in a temporary folder; a full queue stands in for a slow disk.

use super::*;

use std::collections::BTreeMap;
use std::path::Path;

use teiten_aggregator::origin::Origins;
use teiten_aggregator::table::HOUR_US;

use crate::origins::OriginsCell;
use crate::source::Replay;
use crate::source::block::BlockBytes;
use crate::source::live::Drops;
use crate::watch::CaptureFacts;
use teiten_packet::LinkType;
use teiten_packet::samples::{ethernet, ipv4_packet};

/// 2026-11-05T12.
const NOON_US: i64 = 1_793_880_000_000_000;
const ETHERNET: LinkType = LinkType(1);
const RAW: LinkType = LinkType(101);

fn record(time_us: i64, link_type: LinkType, length: usize) -> Record {
    Record {
        time_us,
        nanoseconds: 7,
        offset: 0,
        captured_bytes: length as u32,
        wire_bytes: length as u32 + 100,
        link_type,
    }
}

fn files(folder: &Path, hours: u32) -> Files {
    let settings = KeepSettings {
        folder: folder.to_owned(),
        hours,
    };
    Files::new(&settings, "tokyo")
}

/// Names and lengths of the files in a folder.
fn listed(folder: &Path) -> BTreeMap<String, u64> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let named = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let length = entry.metadata().expect("a file").len();
        (entry.file_name().into_string().expect("text"), length)
    });
    named.collect()
}

fn names(folder: &Path) -> Vec<String> {
    listed(folder).into_keys().collect()
}

#[test]
fn a_file_holds_an_hour_of_one_link_type_and_gets_its_name_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut files = files(folder.path(), 2);
    for (time_us, link_type) in [
        (NOON_US, ETHERNET),
        (NOON_US + HOUR_US - 1, ETHERNET),
        (NOON_US + 5, RAW),
        (NOON_US + HOUR_US, ETHERNET),
    ] {
        files.write(&record(time_us, link_type, 60), &[9; 60], &counts);
    }
    files.look(NOON_US + HOUR_US, &counts);
    let unfinished = [
        "tokyo-2026-11-05T12-ethernet-0001.pcap.part",
        "tokyo-2026-11-05T12-raw-0001.pcap.part",
        "tokyo-2026-11-05T13-ethernet-0001.pcap.part",
    ];
    assert_eq!(names(folder.path()), unfinished, "disorder is waited for");
    files.look(NOON_US + HOUR_US + 11_000_000, &counts);
    // A packet of an hour whose file is finished begins another.
    files.write(&record(NOON_US, ETHERNET, 60), &[9; 60], &counts);
    files.end(&counts);
    let whole = |packets: u64| 24 + packets * 76;
    let expected = [
        ("tokyo-2026-11-05T12-ethernet-0001.pcap", whole(2)),
        ("tokyo-2026-11-05T12-ethernet-0002.pcap", whole(1)),
        ("tokyo-2026-11-05T12-raw-0001.pcap", whole(1)),
        ("tokyo-2026-11-05T13-ethernet-0001.pcap", whole(1)),
    ];
    let expected = expected.map(|(name, length)| (name.to_owned(), length));
    assert_eq!(listed(folder.path()), BTreeMap::from(expected));
    assert_eq!((counts.packets(), counts.bytes()), (5, 5 * 76));
    assert_eq!(counts.lost_in_all(), 0);
}

#[test]
fn packets_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut files = files(folder.path(), 2);
    let packet: Vec<u8> = (0..90).collect();
    let kept = record(NOON_US + 123_456, ETHERNET, packet.len());
    files.write(&kept, &packet, &counts);
    files.end(&counts);
    let path = folder.path().join("tokyo-2026-11-05T12-ethernet-0001.pcap");
    let bytes = std::fs::read(&path).expect("a file");
    assert_eq!(bytes[24 + 4..24 + 8], 123_456_007u32.to_le_bytes());
    let mut replay = Replay::open(&[path]).expect("a capture");
    let block = replay.next_block(Block::empty()).expect("a block");
    let back = block.records[0];
    assert_eq!(
        (back.time_us, back.wire_bytes, back.link_type),
        (kept.time_us, kept.wire_bytes, kept.link_type)
    );
    assert_eq!(back.captured(block.bytes()), packet);
}

#[test]
fn old_hours_of_this_sensor_go_and_no_other_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str| std::fs::write(folder.path().join(name), [1]).expect("writable");
    let left = [
        "notes.pcap",
        "osaka-2026-11-05T01-ethernet-0001.pcap",
        "tokyo-2026-11-05T10-ethernet-0001.pcap",
        "tokyo-holiday.pcap",
    ];
    left.into_iter().for_each(put);
    put("tokyo-2026-11-05T09-ethernet-0001.pcap");
    put("tokyo-2025-12-31T23-raw-0003.pcap");
    files(folder.path(), 2).look(NOON_US, &KeptCounts::default());
    assert_eq!(names(folder.path()), left);
}

#[test]
fn a_clock_that_goes_ahead_removes_no_kept_packet() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut files = files(folder.path(), 24);
    files.write(&record(NOON_US, ETHERNET, 60), &[9; 60], &counts);
    files.look(NOON_US, &counts);
    for hours in [26, 27, 24 * 400] {
        files.look(NOON_US + hours * HOUR_US, &counts);
    }
    assert_eq!(
        names(folder.path()),
        ["tokyo-2026-11-05T12-ethernet-0001.pcap"]
    );
    // Nor does the next start remove anything, although all files are old by that clock.
    let mut next = super::tests::files(folder.path(), 24);
    next.look(NOON_US + 26 * HOUR_US, &counts);
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn what_a_killed_run_left_is_cut_to_whole_packets_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut killed = files(folder.path(), 2);
    for second in 0..3 {
        let record = record(NOON_US + second * 1_000_000, ETHERNET, 60);
        killed.write(&record, &[9; 60], &counts);
    }
    killed.look(NOON_US, &counts);
    let part = folder
        .path()
        .join("tokyo-2026-11-05T12-ethernet-0001.pcap.part");
    let torn = std::fs::read(&part).expect("a file");
    // While the writer lives, no other process finishes its file.
    let mut next = files(folder.path(), 2);
    next.finish_leftovers();
    assert!(part.exists());
    drop(killed);
    std::fs::write(&part, &torn[..torn.len() - 1]).expect("writable");
    std::fs::write(
        part.with_file_name("tokyo-2026-11-05T11-raw-0001.pcap.part"),
        [1; 9],
    )
    .expect("writable");
    next.finish_leftovers();
    next.write(&record(NOON_US, ETHERNET, 60), &[9; 60], &counts);
    next.end(&counts);
    let expected = [
        ("tokyo-2026-11-05T12-ethernet-0001.pcap", 24 + 2 * 76),
        ("tokyo-2026-11-05T12-ethernet-0002.pcap", 24 + 76),
    ];
    let expected = expected.map(|(name, length)| (name.to_owned(), length));
    assert_eq!(listed(folder.path()), BTreeMap::from(expected));
}

#[test]
fn a_folder_that_is_gone_costs_packets_and_says_so_until_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = folder.path().join("packets");
    let counts = KeptCounts::default();
    let mut files = files(&gone, 2);
    let packet = record(NOON_US, ETHERNET, 60);
    files.write(&packet, &[9; 60], &counts);
    files.write(&packet, &[9; 60], &counts);
    files.look(NOON_US, &counts);
    assert_eq!(counts.lost()[NotKeptReason::Refused as usize].1, 2);
    let problem = files.problem().expect("a problem");
    assert!(problem.contains("packets cannot be kept"), "{problem}");
    std::fs::create_dir(&gone).expect("writable");
    files.write(&packet, &[9; 60], &counts);
    files.look(NOON_US, &counts);
    assert_eq!(files.problem(), None);
    assert_eq!(counts.packets(), 1);
}

#[test]
fn a_file_that_somebody_removes_is_begun_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut files = files(folder.path(), 2);
    let packet = record(NOON_US, ETHERNET, 60);
    files.write(&packet, &[9; 60], &counts);
    files.look(NOON_US, &counts);
    files.write(&packet, &[9; 60], &counts);
    let part = "tokyo-2026-11-05T12-ethernet-0001.pcap.part";
    std::fs::remove_file(folder.path().join(part)).expect("removable");
    files.look(NOON_US + HOUR_US, &counts);
    assert_eq!(counts.lost()[NotKeptReason::Refused as usize].1, 1);
    let later = record(NOON_US + HOUR_US, ETHERNET, 60);
    files.write(&later, &[9; 60], &counts);
    files.end(&counts);
    assert_eq!(files.problem(), None);
    let left = ["tokyo-2026-11-05T13-ethernet-0001.pcap"];
    assert_eq!(names(folder.path()), left);
}

#[test]
fn a_file_that_cannot_get_its_name_keeps_no_packet_from_being_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = KeptCounts::default();
    let mut files = files(folder.path(), 2);
    files.write(&record(NOON_US, ETHERNET, 60), &[9; 60], &counts);
    // A folder has the file's final name, so the rename fails.
    let name = "tokyo-2026-11-05T12-ethernet-0001.pcap";
    std::fs::create_dir(folder.path().join(name)).expect("writable");
    let later_us = NOON_US + HOUR_US + 20_000_000;
    for _ in 0..3 {
        files.look(later_us, &counts);
        assert!(files.problem().is_some(), "the rename is tried again");
        files.write(&record(later_us, ETHERNET, 60), &[9; 60], &counts);
    }
    std::fs::remove_dir(folder.path().join(name)).expect("removable");
    files.end(&counts);
    assert_eq!((counts.packets(), counts.lost_in_all()), (4, 0));
    let left = [name, "tokyo-2026-11-05T13-ethernet-0001.pcap"];
    assert_eq!(names(folder.path()), left);
}

fn arrival(frames: &[Vec<u8>]) -> Arrival {
    let mut block = Block::empty();
    let mut bytes = Vec::new();
    for frame in frames {
        block.records.push(Record {
            offset: bytes.len() as u32,
            wire_bytes: frame.len() as u32,
            ..record(NOON_US, ETHERNET, frame.len())
        });
        bytes.extend_from_slice(frame);
    }
    block.bytes = BlockBytes::Owned(bytes);
    Arrival {
        block,
        lane: None,
        clock_us: Some(NOON_US),
        complete: true,
        drops: Drops::default(),
    }
}

fn keeping(folder: &Path, dark: &str) -> (Keeping, Arc<Status>) {
    let facts = CaptureFacts {
        keeps: true,
        ..CaptureFacts::default()
    };
    let status = Arc::new(Status::new(
        facts,
        Arc::new(OriginsCell::new(Arc::new(Origins::empty()))),
    ));
    let dark = [dark.parse().expect("a prefix")];
    let settings = KeepSettings {
        folder: folder.to_owned(),
        hours: 1,
    };
    let telescope = Arc::new(Telescope::new(&dark, &[]));
    let keeping = Keeping::start(&settings, "tokyo", telescope, Arc::clone(&status));
    (keeping.expect("a thread"), status)
}

#[test]
fn only_observed_packets_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dark = ethernet(0x0800, &ipv4_packet(6, &[0; 20]));
    dark[30..34].copy_from_slice(&[192, 0, 2, 1]);
    let mut other = dark.clone();
    other[33] = 200;
    let arp = ethernet(0x0806, &[0; 28]);
    let (mut keeping, status) = keeping(folder.path(), "192.0.2.0/25");
    let mut timeless = arrival(&[dark.clone()]);
    timeless.block.records[0].time_us = NO_TIME_US;
    keeping.offer(Some(&timeless));
    keeping.offer(Some(&arrival(&[dark.clone(), other, arp, dark])));
    keeping.offer(None);
    keeping.end();
    assert_eq!(status.kept().packets(), 2);
    assert_eq!(status.kept().lost_in_all(), 0);
}

#[test]
fn what_is_too_much_for_the_disk_is_lost_and_counted_and_nobody_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dark = ethernet(0x0800, &ipv4_packet(6, &[0; 20]));
    dark[30..34].copy_from_slice(&[192, 0, 2, 1]);
    dark.resize(60_000, 0);
    let other = ethernet(0x0806, &[0; 28]);
    let (mut keeping, status) = keeping(folder.path(), "192.0.2.0/25");
    let packets = [dark.clone(), other, dark];
    let ten_times = |keeping: &mut Keeping| {
        (0..10).for_each(|_| keeping.offer(Some(&arrival(&packets))));
    };
    // The state that a hanging disk leaves.
    let waiting = Arc::clone(&keeping.shared);
    waiting
        .waiting_bytes
        .fetch_add(WAITING_BYTES_MAX, Ordering::Relaxed);
    ten_times(&mut keeping);
    assert_eq!(status.kept().lost()[NotKeptReason::Slow as usize].1, 20);
    waiting
        .waiting_bytes
        .fetch_sub(WAITING_BYTES_MAX, Ordering::Relaxed);
    ten_times(&mut keeping);
    keeping.offer(None);
    keeping.end();
    assert_eq!(status.kept().packets(), 20);
    assert_eq!(status.kept().lost_in_all(), 20);
    assert_eq!(waiting.waiting_bytes.load(Ordering::Relaxed), 0);
    assert!(status.problems()["kept packets"].contains("too slow"));
}
