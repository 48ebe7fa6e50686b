//! The sources against real captures: records, bytes and hours of every capture in the folder `shared/captures` beside the checkout (or in
//! TEITEN_CAPTURES) must be those of its oracle, which tshark computed. The contents of packets are not tested here.

use crate::captures;

use std::collections::BTreeMap;
use std::path::Path;

use captures::{captures, oracles};
use serde_json::Value;
use teiten_sensor::source::block::Block;
use teiten_sensor::source::{ReadingMode, Replay};

/// Why records differ where tshark shows a pcapng's custom blocks.
const CUSTOM_BLOCKS: &str = "tshark counts custom blocks as records; they hold no packet";

/// Why hours differ where a few packets are years from those around them.
const OTHER_CLOCK: &str = "what is implausibly far from its neighbours is in no hour";

/// Why records differ where a capture ends in zeros.
const ZEROS: &str = "tshark takes 16 zero bytes for a record of 1970 without bytes";

/// Captures whose oracle counts otherwise than this program, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "linktypes/PcapPlusPlus__ExamplesTest-pcap_examples-solaris.snoop",
        "snoop (RFC 1761) is neither pcap nor pcapng and is refused with a message",
    ),
    (
        "linktypes/pcapng-test-generator__output_be-advanced-test102.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-basic-test017.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-basic-test018.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-difficult-test202.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-advanced-test102.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-basic-test017.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-basic-test018.pcapng",
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-difficult-test202.pcapng",
        CUSTOM_BLOCKS,
    ),
    ("malformed/tcpdump__babel_update_oobr.pcap", OTHER_CLOCK),
    ("malformed/tcpdump__bgp_vpn_rt-oobr.pcap", ZEROS),
    (
        "malformed/suricata-verify__bug-6875-01-fuzz.pcap",
        "tshark guesses another layout of the records from the damaged second one; by the file's own header it is too long",
    ),
    (
        "malformed/tcpdump__atm-heapoverflow.pcap",
        "tshark takes the 4 bytes of the SunATM pseudo-header off both lengths",
    ),
];

/// What reading a capture gives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    records: u64,
    wire_bytes: u64,
    captured_bytes: u64,
    hours: BTreeMap<i64, u64>,
    error: Option<String>,
}

fn read(path: &Path, reading: ReadingMode) -> Sums {
    let mut replay = match Replay::open_by(&[path.to_path_buf()], reading) {
        Ok(replay) => replay,
        Err(error) => {
            return Sums {
                error: Some(error.to_string()),
                ..Sums::default()
            };
        }
    };
    let mut sums = Sums::default();
    let mut reuse = Block::empty();
    while let Some(block) = replay.next_block(reuse) {
        for record in &block.records {
            let end = record.offset as usize + record.captured_bytes as usize;
            assert!(end <= block.bytes().len(), "{}", path.display());
            sums.wire_bytes += u64::from(record.wire_bytes);
            sums.captured_bytes += u64::from(record.captured_bytes);
            *sums
                .hours
                .entry(record.time_us.div_euclid(3_600_000_000))
                .or_default() += 1;
        }
        reuse = block;
    }
    let reports = replay.finish();
    assert_eq!(reports.len(), 1);
    sums.records = reports[0].records;
    // A link type that is not decoded is no fault of the reading.
    if reports[0].unsupported_records == 0 {
        sums.error.clone_from(&reports[0].error);
    }
    assert_eq!(sums.records, sums.hours.values().sum::<u64>());
    sums
}

/// The hour of `2009-03-15T08:00:00Z`, counted from 1970.
fn hour(text: &str) -> i64 {
    let field = |from: usize, to: usize| text[from..to].parse::<i64>().expect("a number");
    let (year, month, day) = (field(0, 4), field(5, 7), field(8, 10));
    // Days of the civil calendar, after Howard Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * 24 + field(11, 13)
}

/// What differs from the oracle, in words.
fn differences(sums: &Sums, oracle: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |name: &str, ours: u64, theirs: &Value| {
        if Some(ours) != theirs.as_u64() {
            differences.push(format!("{name} {ours}, oracle {theirs}"));
        }
    };
    compare("records", sums.records, &oracle["counts"]["records"]);
    compare("wire bytes", sums.wire_bytes, &oracle["sum_frame_len"]);
    compare(
        "captured bytes",
        sums.captured_bytes,
        &oracle["sum_cap_len"],
    );
    // The oracle leaves packets without a time out of the hours; here they take the time of the packet before.
    let all_timed = oracle["counts"]["no_timestamp"] == 0;
    if oracle["hours_checkable"] == true && all_timed {
        let expected: BTreeMap<i64, u64> = oracle["hours_utc"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(text, count)| (hour(text), count.as_u64().unwrap_or(0)))
            .collect();
        if expected != sums.hours {
            differences.push(format!("hours {:?}, oracle {expected:?}", sums.hours));
        }
    }
    differences
}

/// Errors in the reading of one capture, by its grade.
fn problems(sums: &Sums, oracle: &Value) -> Vec<String> {
    match oracle["grade"].as_str() {
        Some("A" | "B") => {
            let mut problems = differences(sums, oracle);
            problems.extend(sums.error.iter().cloned());
            problems
        }
        Some("C") => {
            let mut problems = differences(sums, oracle);
            if sums.error.is_none() {
                problems.push("no error though it breaks off".into());
            }
            problems
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_capture_reads_as_its_oracle_says() {
    let Some(folder) = captures() else { return };
    let mut wrong = Vec::new();
    let mut read_captures = 0;
    for oracle in oracles(&folder) {
        let name = oracle["path"].as_str().expect("a path");
        let sums = read(&folder.join(name), ReadingMode::Mapped);
        assert_eq!(
            sums,
            read(&folder.join(name), ReadingMode::Buffered),
            "{name}: mapped and buffered differ"
        );
        read_captures += 1;
        let problems = problems(&sums, &oracle);
        let excepted = EXCEPTIONS.iter().any(|(exception, _)| *exception == name);
        match (problems.is_empty(), excepted) {
            (false, false) => wrong.push(format!("{name}: {}", problems.join("; "))),
            (true, true) => wrong.push(format!(
                "{name}: listed as an exception, but reads as its oracle says"
            )),
            _ => {}
        }
    }
    assert!(read_captures > 1000, "only {read_captures} captures");
    assert!(
        wrong.is_empty(),
        "{} captures:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
