//! Captures in memory for the tests: what the synthesiser makes, taken apart into records and put together in other orders.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::OnceLock;

use teiten_testdata::clock::HOUR_US;
use teiten_testdata::{Prefix, Scenario, Truth, write};

use crate::dataset::TELESCOPE;

/// Packets of the capture that most tests share.
const PACKETS: u64 = 60_000;
const FILE_HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;

/// Three hours of darknet traffic with everything in it that the synthesiser knows.
pub(crate) fn scenario(packets: u64, seed: u64) -> Scenario {
    Scenario {
        telescope: TELESCOPE
            .iter()
            .map(|text| text.parse::<Prefix>().expect("a prefix"))
            .collect(),
        packets,
        sources: 8_000,
        span_us: 3 * HOUR_US,
        seed,
        ipv6_share: 0.1,
        outside_share: 0.03,
        arp_share: 0.01,
        out_of_order_share: 0.1,
        threads: 2,
        ..Scenario::default()
    }
}

/// The capture of a scenario, and what is in it.
pub(crate) fn made(scenario: &Scenario) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write(scenario, &mut bytes).expect("the scenario is sound");
    (bytes, truth)
}

/// The capture that most tests share.
pub(crate) fn shared() -> &'static (Vec<u8>, Truth) {
    static MADE: OnceLock<(Vec<u8>, Truth)> = OnceLock::new();
    MADE.get_or_init(|| made(&scenario(PACKETS, 7)))
}

/// A little-endian pcap, taken apart.
pub(crate) struct Parts<'a> {
    header: &'a [u8],
    pub records: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(capture: &'a [u8]) -> Self {
        let (header, mut rest) = capture.split_at(FILE_HEADER_BYTES);
        let mut records = Vec::new();
        while !rest.is_empty() {
            let captured_bytes = word(rest, 8) as usize;
            let (record, behind) = rest.split_at(RECORD_HEADER_BYTES + captured_bytes);
            records.push(record);
            rest = behind;
        }
        Parts { header, records }
    }

    /// A capture of these records in this order.
    pub(crate) fn joined<'r>(&self, records: impl IntoIterator<Item = &'r &'r [u8]>) -> Vec<u8> {
        let mut capture = self.header.to_vec();
        for record in records {
            capture.extend_from_slice(record);
        }
        capture
    }
}

/// Hour of a record, counted from 1970.
pub(crate) fn hour(record: &[u8]) -> u32 {
    word(record, 0) / 3600
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    u32::from_le_bytes(bytes)
}

/// A pcap of one record with this link type.
pub(crate) fn pcap_of_link_type(link_type: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(u32::from(link_type).to_le_bytes());
    for number in [1_700_000_000_u32, 0, 4, 4] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(*b"what");
    bytes
}

/// A pcapng of raw IPv4 packets at these microseconds, with an offset in seconds for all of them.
pub(crate) fn pcapng_at(ticks: &[u64], offset_seconds: i64) -> Vec<u8> {
    const DATAGRAM: [u8; 28] = [
        0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 8, 8, 4, 4, 198, 18, 0, 1, 0, 1, 0, 2, 0, 8, 0, 0,
    ];
    let block = |block_type: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&block_type.to_le_bytes()[..], &length, body, &length].concat()
    };
    let mut interface = vec![101, 0, 0, 0, 0, 0, 0, 0, 14, 0, 8, 0];
    interface.extend(offset_seconds.to_le_bytes());
    interface.extend([0; 4]);
    let mut section = vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
    section.extend([0xff; 8]);
    let mut capture = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for ticks in ticks {
        let mut packet = vec![0; 4];
        for number in [(ticks >> 32) as u32, *ticks as u32, 28, 28] {
            packet.extend(number.to_le_bytes());
        }
        packet.extend(DATAGRAM);
        capture.extend(block(6, &packet));
    }
    capture
}
