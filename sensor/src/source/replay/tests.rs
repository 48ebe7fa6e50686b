//! Replays of small captures: order, damage, identity.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::format::Compression;
use super::super::sample::{PcapShape, PcapngBuilder, compressed, pcap};
use super::*;
use crate::source::block::BLOCK_RECORDS_MAX;
use crate::source::record::Record;

/// (time, contents) of every packet, and the reports.
fn read(paths: &[PathBuf], reading: ReadingMode) -> (Vec<(i64, Vec<u8>)>, Vec<FileReport>) {
    let mut replay = Replay::open_by(paths, reading).expect("readable inputs");
    let mut packets = Vec::new();
    let mut reuse = Block::empty();
    while let Some(block) = replay.next_block(reuse) {
        assert!(!block.records.is_empty() && block.records.len() <= BLOCK_RECORDS_MAX);
        for record in &block.records {
            let data = &block.bytes()[record.offset as usize..][..record.captured_bytes as usize];
            packets.push((record.time_us, data.to_vec()));
        }
        reuse = block;
    }
    (packets, replay.finish())
}

fn times(paths: &[PathBuf]) -> Vec<i64> {
    read(paths, ReadingMode::Mapped)
        .0
        .into_iter()
        .map(|(time_us, _)| time_us)
        .collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("a writable folder");
    path
}

/// A capture with a packet every `step_us` from `begin_us`.
fn series(begin_us: i64, step_us: i64, count: i64) -> Vec<u8> {
    let packets: Vec<(i64, &[u8])> = (0..count)
        .map(|number| (begin_us + number * step_us, &b"packet"[..]))
        .collect();
    pcap(PcapShape::default(), &packets)
}

#[test]
fn every_format_and_compression_gives_the_same_packets() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = series(5, 10, 10_000);
    let mut builder = PcapngBuilder::new(true);
    builder.section().interface(1, 0, &[]);
    for number in 0..10_000 {
        builder.enhanced(0, 5 + number * 10, b"packet");
    }
    let mut inputs = vec![plain.clone(), builder.build()];
    for compression in [
        Compression::Gzip,
        Compression::Zstandard,
        Compression::Xz,
        Compression::Lz4,
    ] {
        let (first, second) = plain.split_at(100_000);
        inputs.push(
            [
                compressed(compression, first),
                compressed(compression, second),
            ]
            .concat(),
        );
    }
    let expected: Vec<(i64, Vec<u8>)> = (0..10_000)
        .map(|number| (5 + number * 10, b"packet".to_vec()))
        .collect();
    for (number, input) in inputs.iter().enumerate() {
        let path = write(folder.path(), &format!("{number}.bin"), input);
        for reading in [ReadingMode::Mapped, ReadingMode::Buffered] {
            let (packets, reports) = read(std::slice::from_ref(&path), reading);
            assert!(packets == expected, "input {number}, {reading:?}");
            assert_eq!((reports[0].records, &reports[0].error), (10_000, &None));
        }
    }
}

#[test]
fn a_folder_is_read_in_order_of_first_packets() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a.pcap", &series(300, 1, 3));
    fs::create_dir(folder.path().join("deeper")).expect("a folder");
    write(&folder.path().join("deeper"), "z.pcap", &series(100, 1, 3));
    write(
        folder.path(),
        "b.gz",
        &compressed(Compression::Gzip, &series(200, 1, 3)),
    );
    write(folder.path(), "notes.txt", b"notes on the captures");
    let paths = [folder.path().to_path_buf()];
    assert_eq!(times(&paths), [100, 101, 102, 200, 201, 202, 300, 301, 302]);
    let reports = read(&paths, ReadingMode::Mapped).1;
    assert_eq!(reports.len(), 4);
    assert!(reports[3].path.ends_with("notes.txt"));
    assert!(reports[3].ignored && reports[3].error.is_none());
    assert_eq!(reports[3].note.as_deref(), Some("is no capture"));
}

#[test]
fn overlapping_inputs_are_interleaved_block_by_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 3 * BLOCK_RECORDS_MAX as i64;
    let early = write(folder.path(), "early.pcap", &series(0, 2, count));
    let late = write(folder.path(), "late.pcap", &series(count, 2, count));
    let mut latest_us = 0;
    for time_us in times(&[late, early]) {
        assert!(
            time_us > latest_us - 2 * BLOCK_RECORDS_MAX as i64,
            "{time_us} after {latest_us}"
        );
        latest_us = latest_us.max(time_us);
    }
}

#[test]
fn more_inputs_than_may_be_open_are_all_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..OPEN_INPUTS_MAX as i64 + 20 {
        write(
            folder.path(),
            &format!("{number}.pcap"),
            &series(number, 1000, 5),
        );
    }
    assert_eq!(
        times(&[folder.path().to_path_buf()]).len(),
        5 * (OPEN_INPUTS_MAX + 20)
    );
}

#[test]
fn small_captures_are_opened_ahead_and_come_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 5 * OPENED_AHEAD_MAX as i64;
    let step_us = 1_000_000;
    for number in 0..count {
        let small = series(number * step_us, 1, 3);
        let bytes = match number % 7 {
            // One that ends within its last packet, one that is packed, and one that is too large to be opened ahead.
            2 => small[..small.len() - 2].to_vec(),
            3 => compressed(Compression::Zstandard, &small),
            5 => series(number * step_us, 1, SMALL_BYTES_MAX as i64 / 24),
            _ => small,
        };
        write(folder.path(), &format!("{number:03}.pcap"), &bytes);
    }
    let mut replay = Replay::open(&[folder.path().to_path_buf()]).expect("captures");
    let gone = count as usize - 2;
    let gone_path = folder.path().join(format!("{gone:03}.pcap"));
    fs::remove_file(&gone_path).expect("it is there");
    let mut times = Vec::new();
    while let Some(block) = replay.next_block(Block::empty()) {
        times.extend(block.records.iter().map(|record| record.time_us));
        assert!(replay.ahead.waiting() <= OPENED_AHEAD_MAX);
    }
    let reports = replay.finish();
    assert!(times.is_sorted());
    let first_of = |number: &i64| times.binary_search(&(number * step_us)).is_ok();
    let missing: Vec<i64> = (0..count).filter(|number| !first_of(number)).collect();
    assert_eq!(missing, [gone as i64]);
    let failed = |report: &&FileReport| report.error.is_some();
    let paths: Vec<&str> = reports
        .iter()
        .filter(failed)
        .map(|report| &report.path[report.path.len() - 8..])
        .collect();
    let mut expected: Vec<usize> = (0..count as usize)
        .filter(|number| number % 7 == 2)
        .collect();
    expected.push(gone);
    expected.sort_unstable();
    let expected: Vec<String> = expected
        .iter()
        .map(|number| format!("{number:03}.pcap"))
        .collect();
    assert_eq!(paths, expected);
}

#[test]
fn a_damaged_input_ends_with_its_error_and_the_others_are_read_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wild = series(10, 1, 5);
    let broken = write(folder.path(), "broken.pcap", &wild[..wild.len() - 2]);
    wild[24 + 22 + 8..24 + 22 + 12].fill(0xff);
    let wild = write(folder.path(), "wild.pcap", &wild);
    let gzip = compressed(Compression::Gzip, &series(20, 1, 50_000));
    let cut = write(folder.path(), "cut.gz", &gzip[..gzip.len() - 9]);
    let missing = folder.path().join("missing.pcap");
    let sound = write(folder.path(), "sound.pcap", &series(30, 1, 5));
    let (_, reports) = read(&[broken, wild, cut, missing, sound], ReadingMode::Mapped);
    let found = |name: &str| {
        reports
            .iter()
            .find(|report| report.path.ends_with(name))
            .expect("a report")
    };
    let error = |name: &str| found(name).error.clone().expect("an error");
    assert_eq!(found("broken.pcap").records, 4);
    assert!(
        error("broken.pcap").starts_with("record 5, byte 112: the capture breaks off"),
        "{reports:?}"
    );
    assert_eq!(found("wild.pcap").records, 1);
    assert!(
        error("wild.pcap").starts_with("record 2, byte 46: a captured length"),
        "{reports:?}"
    );
    assert!(found("cut.gz").records > 0);
    assert!(
        error("cut.gz").contains("the gz data is damaged or breaks off"),
        "{reports:?}"
    );
    assert!(error("missing.pcap").contains("does not exist"));
    assert_eq!(
        found("sound.pcap"),
        &FileReport {
            records: 5,
            path: found("sound.pcap").path.clone(),
            ..FileReport::default()
        }
    );
}

#[test]
fn nothing_to_read_is_an_error_that_names_each_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let missing = folder.path().join("missing.pcap");
    let error = Replay::open(&[empty, missing])
        .err()
        .expect("nothing to read")
        .to_string();
    assert!(
        error.contains("empty: is a folder without files"),
        "{error}"
    );
    assert!(error.contains("missing.pcap: does not exist"), "{error}");
    assert!(matches!(Replay::open(&[]), Err(SourceError::NothingGiven)));
}

#[test]
fn a_capture_named_twice_is_read_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "a.pcap", &series(0, 1, 3));
    let (packets, reports) = read(&[folder.path().to_path_buf(), path], ReadingMode::Mapped);
    assert_eq!(packets.len(), 3);
    let note = reports[1].note.as_deref().expect("a note");
    assert!(
        reports[1].ignored && note.contains("is the same as"),
        "{note}"
    );
}

#[test]
fn a_replay_can_be_read_again_but_not_a_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "1.pcap", &series(0, 1, 3));
    let mut replay = Replay::open(&[path]).expect("a readable input");
    while replay.next_block(Block::empty()).is_some() {}
    let progress = replay.progress();
    assert_eq!(
        (Some(progress.read_bytes), progress.packets),
        (progress.total_bytes, 3)
    );
    let mut again = replay.reopen().expect("files can be read again");
    assert_eq!(
        again
            .next_block(Block::empty())
            .map(|block| block.records.len()),
        Some(3)
    );
}

#[test]
fn a_named_pipe_is_read_as_a_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    let writer_end = pipe.clone();
    let bytes = compressed(Compression::Zstandard, &series(7, 1, 20_000));
    let writer = std::thread::spawn(move || fs::write(writer_end, bytes));
    let mut replay = Replay::open(&[pipe]).expect("a readable pipe");
    assert!(replay.reopen().is_none());
    let mut records = 0;
    while let Some(block) = replay.next_block(Block::empty()) {
        records += block.records.len();
    }
    assert_eq!((records, replay.progress().total_bytes), (20_000, None));
    writer
        .join()
        .expect("a sound thread")
        .expect("a written pipe");
}

/// Something that a capture can have in its middle.
#[derive(Clone, Copy, Debug)]
enum Oddity {
    /// A header of another capture, of this variant or link type, and its records.
    Appended(usize),
    OtherLink,
    /// A record's header that is overwritten.
    Overwritten,
    /// A record that is cut off, and the header of another capture.
    CutOff,
    /// A fraction of a second that cannot be.
    Fraction,
    /// Zeros instead of records.
    Zeros,
    /// The end of the file.
    End,
}

fn oddity() -> impl Strategy<Value = Oddity> {
    prop_oneof![
        (0..PcapShape::ALL.len()).prop_map(Oddity::Appended),
        Just(Oddity::OtherLink),
        Just(Oddity::Overwritten),
        Just(Oddity::CutOff),
        Just(Oddity::Fraction),
        Just(Oddity::Zeros),
        Just(Oddity::End),
    ]
}

/// Every record, its offset aside, with its contents, and the reports.
fn records_of(
    paths: &[PathBuf],
    settings: ReplaySettings,
) -> (Vec<(Record, Vec<u8>)>, Vec<FileReport>) {
    let mut replay = Replay::open_with(paths, settings).expect("readable inputs");
    let mut records = Vec::new();
    while let Some(block) = replay.next_block(Block::empty()) {
        for &record in &block.records {
            let contents = record.captured(block.bytes()).to_vec();
            records.push((
                Record {
                    offset: 0,
                    ..record
                },
                contents,
            ));
        }
    }
    (records, replay.finish())
}

/// A capture of `count` packets, of which some hold a capture themselves, with oddities at these packets.
fn odd_capture(count: usize, oddities: &[(usize, Oddity)]) -> Vec<u8> {
    let within: Vec<(i64, &[u8])> = (0..40).map(|number| (number, &b"inner"[..])).collect();
    let inner = pcap(PcapShape::default(), &within);
    let mut shape = PcapShape::default();
    let mut bytes = pcap(shape, &[]);
    let header_bytes = bytes.len();
    for number in 0..count {
        let content = match number % 97 {
            0 => &inner[header_bytes..],
            // Few packets are empty; a place before one is not taken for a record's beginning.
            1 => &[],
            rest => &inner[..1 + rest % 23],
        };
        let record = pcap(shape, &[(number as i64 * 500, content)]);
        let record = &record[header_bytes..];
        let at = bytes.len();
        bytes.extend_from_slice(record);
        let oddity = oddities.iter().find(|(place, _)| *place == number);
        match oddity.map(|(_, oddity)| oddity) {
            None => {}
            Some(&Oddity::Appended(variant)) => {
                shape = PcapShape::ALL[variant];
                bytes.extend_from_slice(&pcap(shape, &[]));
            }
            Some(Oddity::OtherLink) => {
                let mut header = pcap(shape, &[]);
                // Raw IP, in either byte order; no header here has another bit set in these bytes.
                header[if shape.big_endian { 23 } else { 20 }] = 101;
                bytes.extend_from_slice(&header);
            }
            Some(Oddity::Overwritten) => bytes[at + 8..at + 12].fill(0xfe),
            Some(Oddity::CutOff) => {
                bytes.truncate(bytes.len() - content.len() / 2);
                bytes.extend_from_slice(&pcap(shape, &[]));
            }
            Some(Oddity::Fraction) => bytes[at + 4..at + 8].fill(0xfe),
            Some(Oddity::Zeros) => bytes.extend_from_slice(&[0; 5_000]),
            Some(Oddity::End) => {
                bytes.truncate(at + record.len() / 2);
                return bytes;
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_capture_that_is_walked_ahead_has_the_same_packets_and_the_same_damage(
        count in 1..4 * BLOCK_RECORDS_MAX,
        oddities in proptest::collection::vec((0..4 * BLOCK_RECORDS_MAX, oddity()), 0..4),
        threads in 1usize..4,
        segment_bytes in prop_oneof![200usize..1_000, 1_000usize..60_000],
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = [write(folder.path(), "odd.pcap", &odd_capture(count, &oddities))];
        let settings = ReplaySettings::default();
        let Ok(_) = Replay::open_with(&paths, settings) else { return Ok(()) };
        let walk_ahead = Some(WalkAhead::on(threads).in_segments(segment_bytes));
        let ahead = records_of(&paths, ReplaySettings { walk_ahead, ..settings });
        let (records, reports) = records_of(&paths, settings);
        prop_assert_eq!(ahead.0.len(), records.len());
        prop_assert!(ahead.0 == records);
        prop_assert_eq!(ahead.1, reports);
    }
}

#[test]
fn segments_of_a_sound_capture_join() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 10 * BLOCK_RECORDS_MAX;
    let path = write(folder.path(), "sound.pcap", &odd_capture(count, &[]));
    let walk_ahead = Some(WalkAhead::on(2).in_segments(100_000));
    let settings = ReplaySettings {
        walk_ahead,
        ..ReplaySettings::default()
    };
    let mut replay = Replay::open_with(&[path], settings).expect("a capture");
    let (mut blocks, mut short, mut records) = (0, 0, 0);
    while let Some(block) = replay.next_block(Block::empty()) {
        blocks += 1;
        short += usize::from(block.records.len() < BLOCK_RECORDS_MAX);
        records += block.records.len();
    }
    assert_eq!(records, count);
    // A block ends with its segment: of what was walked from the beginning, only the last one would be short.
    assert!(short > blocks / 3, "{short} of {blocks}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn splitting_a_capture_changes_no_packet(
        lengths in proptest::collection::vec(0usize..3000, 1..600),
        cuts in proptest::collection::vec(0usize..600, 0..5),
    ) {
        let contents: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(number, &length)| vec![number as u8; length]).collect();
        let packets: Vec<(i64, &[u8])> = contents.iter().enumerate().map(|(number, content)| (number as i64, &content[..])).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % packets.len()).chain([0, packets.len()]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        for bound in bounds.windows(2) {
            let shape = PcapShape::ALL[bound[0] % PcapShape::ALL.len()];
            write(folder.path(), &format!("{}.pcap", bound[0]), &pcap(shape, &packets[bound[0]..bound[1]]));
        }
        let expected: Vec<(i64, Vec<u8>)> = packets.iter().map(|&(time_us, content)| (time_us, content.to_vec())).collect();
        for reading in [ReadingMode::Mapped, ReadingMode::Buffered] {
            prop_assert!(read(&[folder.path().to_path_buf()], reading).0 == expected);
        }
    }
}

#[test]
fn a_sparse_input_does_not_run_ahead_of_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let second_us = 1_000_000;
    let sparse = series(0, 10 * second_us, 1000);
    let dense = series(5, second_us / 2, 20_000);
    let later = series(3000 * second_us, 3 * second_us, 500);
    for compression in [None, Some(Compression::Gzip)] {
        let paths: Vec<PathBuf> = [&sparse, &dense, &later]
            .into_iter()
            .enumerate()
            .map(|(number, bytes)| {
                let bytes = match compression {
                    None => bytes.clone(),
                    Some(compression) => compressed(compression, bytes),
                };
                write(folder.path(), &format!("{number}.bin"), &bytes)
            })
            .collect();
        let (packets, reports) = read(&paths, ReadingMode::Mapped);
        assert_eq!(packets.len(), 21_500);
        assert!(packets.iter().all(|(_, data)| data == b"packet"));
        assert!(reports.iter().all(|report| report.error.is_none()));
        let mut latest_us = 0;
        for (time_us, _) in packets {
            assert!(
                time_us >= latest_us - AHEAD_US_MAX,
                "{time_us} after {latest_us}"
            );
            latest_us = latest_us.max(time_us);
        }
    }
}
