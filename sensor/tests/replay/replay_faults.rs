//! Implausible input counts in no hour and is reported: far times, zeros, joined files, and other files of a folder. The tests make all
//! inputs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::replay_once::{BEGIN, HOUR, Place, capture, first, header, record, report};

#[test]
fn a_time_that_cannot_be_is_counted_named_and_in_no_hour() {
    for far in [BEGIN + 100 * 24 * HOUR, u32::MAX, 0] {
        let place = Place::new();
        let mut bytes = first(&capture(BEGIN, 9000), 500).to_vec();
        let at = bytes.len();
        bytes.extend(record(far, 0, 1));
        bytes.extend((500..9000).flat_map(|number| record(BEGIN + number, 0, number)));
        let path = place.workshop.file("in.pcap", &bytes);
        for flags in [&[][..], &["--no-map", "--recount"]] {
            let run = place.replay_with(&[&path], flags, b"");
            let accounting = run.json();
            assert_eq!(run.exit_code, Some(0), "{}", run.messages);
            assert!(
                run.messages.contains(&format!("record 501, byte {at}")),
                "{}",
                run.messages
            );
            assert_eq!(
                (&accounting["implausible"], &accounting["malformed"]["time"]),
                (&1.into(), &1.into())
            );
            assert_eq!(
                (&accounting["records"], &accounting["late"]),
                (&9001.into(), &0.into())
            );
            assert_eq!(
                place.packets(),
                BTreeMap::from([(0, 3600), (1, 3600), (2, 1800)])
            );
        }
        let run = place.replay_with(&[&path], &["--implausible-days", "40000"], b"");
        assert_eq!(run.json()["implausible"], 0);
    }
}

#[test]
fn zeros_and_appended_captures_invent_no_packet() {
    let place = Place::new();
    let one = capture(BEGIN, 100);
    let two = capture(BEGIN + 1800, 100);
    for (name, bytes, exit_code, records, words) in [
        (
            "zeros.pcap",
            [&one[..], &[0; 4096]].concat(),
            1,
            100,
            "record 101, byte 5824: 4096 zero bytes",
        ),
        (
            "odd.pcap",
            [&one[..], &[0; 4090]].concat(),
            1,
            100,
            "4090 zero bytes",
        ),
        (
            "joined.pcap",
            [&one[..], &two].concat(),
            0,
            200,
            "begin within the file and are read: at byte 5824, after record 100",
        ),
        (
            "cut.pcap",
            [&one[..one.len() - 20], &two].concat(),
            1,
            199,
            "record 100, byte 5766: this record is cut off",
        ),
    ] {
        for flags in [&[][..], &["--no-map"]] {
            let place = Place::new();
            let path = place.workshop.file(name, &bytes);
            let run = place.replay_with(&[&path], flags, b"");
            assert_eq!(run.exit_code, Some(exit_code), "{name}: {}", run.messages);
            assert!(run.messages.contains(words), "{name}: {}", run.messages);
            assert_eq!(run.json()["records"], records, "{name}");
            assert_eq!(place.packets(), BTreeMap::from([(0, records)]), "{name}");
        }
    }
    drop(place);
}

#[test]
fn fractions_of_a_second_are_told_or_refused() {
    let place = Place::new();
    let hidden = (0..3600).flat_map(|number| {
        record(
            BEGIN + number,
            number.wrapping_mul(7_919u32.wrapping_mul(1_000_003)) % 1_000_000_000,
            number,
        )
    });
    let bytes: Vec<u8> = header(0xa1b2_c3d4).into_iter().chain(hidden).collect();
    let hidden = place.workshop.file("hidden.pcap", &bytes);
    let run = place.replay_with(&[&hidden], &[], b"");
    assert!(
        run.messages.contains("nanoseconds and are read as such"),
        "{}",
        run.messages
    );
    assert_eq!(place.packets(), BTreeMap::from([(0, 3600)]));
    for (magic, limit) in [(0xa1b2_c3d4, 1_000_000), (0xa1b2_3c4d, 1_000_000_000)] {
        let place = Place::new();
        let fractions = [0, limit - 1, limit, 1 << 31, 0x2020_2020];
        let records = fractions
            .into_iter()
            .flat_map(|fraction| record(BEGIN + HOUR - 1, fraction, 1));
        let path = place.workshop.file(
            "odd.pcap",
            &header(magic)
                .into_iter()
                .chain(records)
                .collect::<Vec<u8>>(),
        );
        let run = place.replay_with(&[&path], &[], b"");
        assert_eq!(run.exit_code, Some(0), "{}", run.messages);
        assert!(
            run.messages
                .contains("of which only the second is used: record 3, byte 140"),
            "{}",
            run.messages
        );
        assert_eq!(
            place.packets(),
            BTreeMap::from([(0, 5)]),
            "each in its own second"
        );
    }
}

#[test]
fn a_folder_gives_its_captures_and_lists_what_else_is_there() {
    let place = Place::new();
    let folder = place.workshop.path("in");
    std::fs::create_dir_all(folder.join("deeper")).expect("writable");
    let bytes = capture(BEGIN, 100);
    place.workshop.file("in/00.pcap", &bytes);
    for (name, bytes) in [
        (".hidden.pcap", &bytes[..]),
        ("01.pcap.part", &bytes),
        ("README", b"notes"),
        ("empty", b""),
    ] {
        place.workshop.file(&format!("in/{name}"), bytes);
    }
    std::os::unix::fs::symlink("00.pcap", folder.join("latest.pcap")).expect("a link");
    std::os::unix::fs::symlink("..", folder.join("deeper/up")).expect("a link");
    let run = place.replay_with(&[&folder], &[], b"");
    assert_eq!((run.exit_code, run.messages.as_str()), (Some(0), ""));
    let accounting = run.json();
    assert_eq!(accounting["records"], 100);
    for name in [
        ".hidden.pcap",
        "01.pcap.part",
        "README",
        "empty",
        "latest.pcap",
        "deeper/up",
    ] {
        let report = report(&accounting, name);
        assert_eq!(
            (&report["ignored"], &report["error"]),
            (&true.into(), &Value::Null),
            "{report}"
        );
    }
    assert_eq!(accounting["files"].as_array().map(Vec::len), Some(7));
    // A name that promises a capture is worth an error.
    place.workshop.file("in/broken.pcap", b"no capture");
    assert_eq!(
        report(&place.replay(&[&folder], 1), "broken.pcap")["ignored"],
        false
    );
}

#[test]
fn records_that_claim_four_gibibytes_are_counted_as_they_claim() {
    let place = Place::new();
    let mut bytes = capture(BEGIN, 3600);
    let record_bytes = record(0, 0, 0).len();
    for packet in 0..3600 {
        // The length on the wire; every packet is of one source.
        let at = 24 + packet * record_bytes;
        bytes[at + 12..at + 16].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes[at + 16 + 27..at + 16 + 30].copy_from_slice(&[1, 1, 1]);
    }
    let path = place.workshop.file("huge.pcap", &bytes);
    let accounting = place.replay(&[&path], 0);
    assert_eq!(accounting["observed"], 3600);
    assert_eq!(accounting["bytes"], 3600 * u64::from(u32::MAX));
    assert_eq!(place.packets(), BTreeMap::from([(0, 3600)]));
    let run = crate::program::run(["explain", crate::dataset::text(&path)]);
    assert_eq!(run.exit_code, Some(0), "{}", run.messages);
    assert_eq!(run.output.lines().count(), 3600);
}
