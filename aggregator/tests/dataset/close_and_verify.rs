//! An hour closed into parts, and the checks of `verify` on it: sound, and damaged in every way.

use crate::common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use teiten_aggregator::actor::Actors;
use teiten_aggregator::close::{ClosedHour, Closer, HourRuns};
use teiten_aggregator::explain::{ListShare, explain};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::{HourAccount, MinuteCounts, SecondSet};
use teiten_aggregator::origin::Origins;
use teiten_aggregator::part::CHECKSUM_KEY;
use teiten_aggregator::payload_table::PayloadPacket;
use teiten_aggregator::reply_table::ReplyPacket;
use teiten_aggregator::schema::{BACKSCATTER, COVERAGE, PAYLOADS, SOURCES, TRAFFIC, Table};
use teiten_aggregator::table::{HOUR_US, Seed};
use teiten_aggregator::verify::verify;
use teiten_aggregator::window::{Batch, LatePolicy, Window};
use teiten_observation::{Class, Kind, Observation, Tool, TrafficType};
use twox_hash::XxHash64;

/// An hour of this test: 2026-11-15T07.
const HOUR: i64 = 498_535;
const SOURCES_COUNT: u32 = 3_000;
/// Packets of them that carry data.
const PAYLOAD_PACKETS: u64 = 10;

fn closer(directory: &Path, source_rows_max: u64) -> Closer {
    Closer {
        source_rows_max,
        contributions_bytes: 1 << 16,
        ..common::closer(directory, ("test", "0123"), 65_536)
    }
}

/// Two packets from every source, and a thousand from the first.
fn observations() -> Vec<Observation<u32>> {
    let kind = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, Some(23));
    let one = |index: u32| Observation {
        time_us: HOUR * HOUR_US + i64::from(index) * 1000,
        source: (index % SOURCES_COUNT).wrapping_mul(0x0100_4001),
        destination: 0xc612_0000 + index % 5,
        kind,
        wire_length_bytes: 60,
        flags: 0,
        stack: 0,
        pair: 0,
    };
    (0..2 * SOURCES_COUNT)
        .chain((0..1000).map(|index| index * SOURCES_COUNT))
        .map(one)
        .collect()
}

/// A SYN that carries data.
fn payload_of(source: u32) -> PayloadPacket<'static, u32> {
    PayloadPacket {
        protocol: 6,
        port: 23,
        signature: "",
        source,
        bytes: b"unknown",
    }
}

fn close(directory: &Path, source_rows_max: u64) -> ClosedHour {
    close_by(&closer(directory, source_rows_max))
}

fn close_by(closer: &Closer) -> ClosedHour {
    let mut window = Window::new(LatePolicy::Reread, Seed::random());
    window.observe(
        HOUR,
        &mut Batch {
            ipv4: observations(),
            ipv6: Vec::new(),
        },
    );
    for source in 0..PAYLOAD_PACKETS {
        window.observe_payload(HOUR, &payload_of(source as u32));
    }
    let mut runs = HourRuns::default();
    runs.append(closer.sort(window.close_before(HOUR + 1)));
    let closed = closer
        .close(Hour(HOUR), 0, runs)
        .expect("a writable folder");
    let mut account = HourAccount::default();
    let counts = MinuteCounts {
        received: closed.packets,
        observed: closed.packets,
        ..MinuteCounts::default()
    };
    account.add_to_minute(0, &counts);
    closer
        .write_coverage(Hour(HOUR), 0, &account, &SecondSet::default())
        .expect("a writable folder");
    closed
}

#[test]
fn a_closed_hour_is_found_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = close(folder.path(), u64::MAX);
    assert_eq!(closed.source_rows, u64::from(SOURCES_COUNT));
    assert_eq!(closed.packets, 7_000);
    assert_eq!(closed.payload_rows, 1);
    let verdict = verify(folder.path()).expect("readable");
    assert_eq!(
        (verdict.parts, verdict.hours, verdict.packets),
        (4, 1, 7_000)
    );
    assert_eq!(verdict.findings, []);
}

/// Rows of a part as (actor, role where the table has one, packets).
fn actors_and_roles(path: &Path) -> Vec<(String, String, i64)> {
    let file = std::fs::File::open(path).expect("a part");
    let reader = SerializedFileReader::new(file).expect("a Parquet file");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| {
        let mut found = (String::new(), String::new(), 0);
        for (name, field) in row.expect("a row").get_column_iter() {
            match (name.as_str(), field) {
                ("actor", Field::Str(text)) => found.0.clone_from(text),
                ("role", Field::Str(text)) => found.1.clone_from(text),
                ("packets", Field::Long(packets)) => found.2 = *packets,
                _ => {}
            }
        }
        found
    })
    .collect()
}

#[test]
fn a_source_has_its_actor_and_its_role() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("ours.toml");
    // The second source, two packets, is 1.0.64.1; the third, 2.0.128.2, was theirs until the day before.
    let text = r#"
        [[actor]]
        name = "Ours"
        statement = "our own scanner"
        read = 2026-11-15
        prefixes = ["1.0.64.0/24", { prefix = "2.0.128.2", until = 2026-11-14 }]
    "#;
    std::fs::write(&list, text).expect("writable");
    let actors = Actors::load(&[list], false).expect("a good list");
    let closer = Closer {
        origins: Arc::new(Origins::empty().with_actors(actors)),
        ..closer(&folder.path().join("data"), u64::MAX)
    };
    close_by(&closer);
    let named = |actor: &str, role: &str, packets| (actor.to_owned(), role.to_owned(), packets);
    let sources = actors_and_roles(&closer.path(&SOURCES, Hour(HOUR), 0));
    assert_eq!(sources.len(), SOURCES_COUNT as usize);
    let known: Vec<_> = sources
        .into_iter()
        .filter(|row| *row != named("", "", 2))
        .collect();
    assert_eq!(known, [named("", "probe", 1002), named("Ours", "", 2)]);
    let traffic = actors_and_roles(&closer.path(&TRAFFIC, Hour(HOUR), 0));
    assert_eq!(traffic, [named("", "", 6_998), named("Ours", "", 2)]);
}

#[test]
fn small_sources_fold_and_no_packet_is_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = close(folder.path(), 100);
    let collapsed: u64 = closed.collapsed.iter().sum();
    assert_eq!(collapsed, 2 * u64::from(SOURCES_COUNT - 1));
    // One large source, and the leading octets of the others.
    assert!(
        closed.source_rows > 1 && closed.source_rows <= 257,
        "{}",
        closed.source_rows
    );
    assert_eq!(closed.packets, 7_000);
    assert_eq!(verify(folder.path()).expect("readable").findings, []);
}

/// Replies of a victim, beside the observations: a reply from each source.
fn reply_of(index: u32) -> ReplyPacket<u32> {
    ReplyPacket {
        time_us: HOUR * HOUR_US + i64::from(index) * 1000,
        victim: index % 100,
        destination: 0xc612_0000 + index % 7,
        protocol: 6,
        port: Some(80),
        traffic_type: TrafficType::TcpSynAck,
        wire_length_bytes: 60,
    }
}

/// Closes an hour of which each of `shares` was spilled, if there are several, by one of so many workers; gives its rows as they lie in the
/// files.
fn close_in_shares(
    directory: &Path,
    (shares, workers): (usize, usize),
    source_rows_max: u64,
) -> Vec<Vec<String>> {
    let closer = closer(directory, source_rows_max);
    let mut all = observations();
    for (index, one) in all.iter_mut().enumerate() {
        let port = Some((index % 40) as u16);
        one.kind = Kind::new(TrafficType::TcpSyn, Class::Scan, Tool::None, 6, port);
    }
    let mut runs = HourRuns::default();
    for (number, share) in all.chunks(all.len().div_ceil(shares)).enumerate() {
        let mut window = Window::new(LatePolicy::Reread, Seed::random());
        let mut batch = Batch {
            ipv4: share.to_vec(),
            ipv6: Vec::new(),
        };
        window.observe(HOUR, &mut batch);
        for index in 0..all.len() as u32 {
            if index as usize % shares == number {
                window.observe_reply(HOUR, &reply_of(index));
            }
        }
        for part in window.close_before(HOUR + 1) {
            if shares == 1 {
                runs.append(closer.sort(vec![part]));
            } else {
                runs.append(closer.spill(part).expect("writable"));
                closer.unite(&mut runs, workers).expect("writable");
            }
        }
    }
    if shares > 1 {
        let folder = |path: PathBuf| std::fs::read_dir(path).expect("a folder");
        let writers = folder(directory.join(".teiten/work"));
        let files = writers.map(|writer| folder(writer.expect("a writer's folder").path()).count());
        // On each of four levels files that were not united are fewer than a worker's share of 64, of rows and of replies.
        let files: usize = files.sum();
        let files_max = 2 * 4 * 64 / workers;
        assert!(files > 4 && files < files_max.min(2 * 64), "{files} files");
    }
    closer.close(Hour(HOUR), 0, runs).expect("writable");
    let rows = |table: &Table| -> Vec<String> {
        let file = std::fs::File::open(closer.path(table, Hour(HOUR), 0)).expect("a part");
        let reader = SerializedFileReader::new(file).expect("Parquet");
        let rows = reader.get_row_iter(None).expect("rows");
        rows.map(|row| row.expect("a row").to_string()).collect()
    };
    [&SOURCES, &TRAFFIC, &BACKSCATTER].map(rows).into()
}

#[test]
fn an_hour_of_very_many_spilled_files_has_the_rows_of_one_in_memory() {
    for source_rows_max in [u64::MAX, 100] {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let whole = folder();
        let expected = close_in_shares(whole.path(), (1, 1), source_rows_max);
        assert!(expected.iter().all(|rows| rows.len() > 1));
        for workers in [1, 8] {
            let spilled = folder();
            let shares = (200, workers);
            assert!(close_in_shares(spilled.path(), shares, source_rows_max) == expected);
        }
    }
}

#[test]
fn a_missing_and_a_damaged_part_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let closer = closer(folder.path(), u64::MAX);
    std::fs::remove_file(closer.path(&SOURCES, Hour(HOUR), 0)).expect("a part");
    let findings = verify(folder.path()).expect("readable").findings;
    assert!(
        findings[0].reason.contains("sources 0 and 0"),
        "{findings:?}"
    );
    std::fs::write(closer.path(&TRAFFIC, Hour(HOUR), 0), b"PAR1").expect("writable");
    let findings = verify(folder.path()).expect("readable").findings;
    assert!(
        findings
            .iter()
            .any(|finding| finding.reason.contains("is damaged")),
        "{findings:?}"
    );
}

#[test]
fn payloads_of_packets_that_traffic_does_not_have_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let closer = closer(folder.path(), u64::MAX);
    let part = |number| closer.path(&PAYLOADS, Hour(HOUR), number);
    for number in 1..=7_000 / PAYLOAD_PACKETS as u32 {
        std::fs::copy(part(0), part(number)).expect("writable");
    }
    let findings = verify(folder.path()).expect("readable").findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    let reason = &findings[0].reason;
    assert_eq!(
        reason,
        "of sensor test payloads holds 7010 packets, traffic only 7000"
    );
}

/// Every part of a dataset.
fn parts(closer: &Closer) -> Vec<PathBuf> {
    let path = |table| closer.path(table, Hour(HOUR), 0);
    [&TRAFFIC, &SOURCES, &COVERAGE, &PAYLOADS]
        .map(path)
        .to_vec()
}

/// The bytes with the bit of this number changed.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn every_bit_that_changes_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let mut tried = 0;
    for path in parts(&closer(folder.path(), u64::MAX)) {
        let whole = std::fs::read(&path).expect("a part");
        // 97 is prime, so that all bits of a byte and all bytes of a field have their turn.
        let step = (whole.len() * 8 / 100).max(1) | 97;
        for bit in (0..whole.len() * 8).step_by(step) {
            std::fs::write(&path, flipped(&whole, bit)).expect("writable");
            let verdict = verify(folder.path()).expect("readable");
            let is_named = verdict.findings.iter().any(|finding| finding.path == path);
            assert!(is_named, "bit {bit} of {}", path.display());
            tried += 1;
        }
        std::fs::write(&path, whole).expect("writable");
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(verify(folder.path()).expect("readable").findings, []);
}

/// The bytes of a part with a matching checksum, as an attacker would write them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let key = [CHECKSUM_KEY.as_bytes(), &[0x18, 16]].concat();
    let found = bytes.windows(key.len()).rposition(|window| window == key);
    if let Some(place) = found.map(|place| place + key.len())
        && let Some(value) = bytes.get_mut(place..place + 16)
    {
        value.fill(b'0');
        let checksum = format!("{:016x}", XxHash64::oneshot(0, &bytes));
        bytes[place..place + 16].copy_from_slice(checksum.as_bytes());
    }
    bytes
}

#[test]
fn nothing_that_a_part_may_hold_makes_a_check_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut found = 0;
    for path in parts(&closer(folder.path(), u64::MAX)) {
        let whole = std::fs::read(&path).expect("a part");
        let footer = whole.len() - 4000.min(whole.len());
        for round in 0..60 {
            let bytes = match round % 4 {
                0 => whole[..random(whole.len())].to_vec(),
                1 => (0..random(2000)).map(|_| random(256) as u8).collect(),
                // Changed in the footer, or anywhere, under a checksum that fits.
                2 => sealed(flipped(
                    &whole,
                    footer * 8 + random((whole.len() - footer) * 8),
                )),
                _ => sealed(flipped(&whole, random(whole.len() * 8))),
            };
            std::fs::write(&path, bytes).expect("writable");
            found += usize::from(!verify(folder.path()).expect("readable").findings.is_empty());
        }
        std::fs::write(&path, whole).expect("writable");
    }
    // Notes of the metadata may say anything; what is counted may not.
    assert!(found > 180, "{found} of 240");
}

#[test]
fn values_that_agree_with_their_checksum_alone_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let closer = closer(folder.path(), u64::MAX);
    // A part of another hour, whose every page and sum is right.
    let from = closer.path(&TRAFFIC, Hour(HOUR), 0);
    let to = closer.path(&TRAFFIC, Hour(HOUR + 1), 0);
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("writable");
    std::fs::copy(from, &to).expect("writable");
    let findings = verify(folder.path()).expect("readable").findings;
    assert!(
        findings
            .iter()
            .any(|finding| finding.path == to && finding.reason.contains("hour_start")),
        "{findings:?}"
    );
}

#[test]
fn lists_explain_the_sources_and_packets_of_the_last_day() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    close(folder.path(), u64::MAX);
    let list = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    // 0.0.0.0 sent 1,002 packets, 1.0.64.1 and 2.0.128.2 two each.
    let misp = list(
        "m.json",
        r#"{"name":"One","version":1,"list":["0.0.0.0/32"]}"#,
    );
    let text = list("t.txt", "1.0.64.1,ONE\n2.0.128.2,Two\n9.9.9.9,Two\n");
    let data = folder.path();
    let explained = explain(data, &[misp.clone(), text], false, None).expect("a day");
    let share = |sources, packets| ListShare { sources, packets };
    assert_eq!(explained.day, "2026-11-15");
    assert_eq!(explained.all, share(u64::from(SOURCES_COUNT), 7_000));
    let expected = [
        ("m.json".to_owned(), share(1, 1_002)),
        ("t.txt".to_owned(), share(2, 4)),
    ];
    assert_eq!(explained.lists, expected);
    assert_eq!(explained.together, share(3, 1_006));
    let expected = [
        ("One".to_owned(), share(2, 1_004)),
        ("Two".to_owned(), share(1, 2)),
    ];
    assert_eq!(explained.actors, expected);
    let error = explain(data, &[misp], false, Some("2026-11-14")).expect_err("no such day");
    assert!(error.to_string().contains("2026-11-14"), "{error}");
}
