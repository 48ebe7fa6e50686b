//! Entry points for fuzzing: each reads any bytes as one kind of capture, and panics only for a defect of this program. `sensor/fuzz` calls
//! them.

use std::io::Cursor;

use super::compression::ByteSource;
use super::input::{FORMATS_MAX, Input, Terms};
use super::judge::IMPLAUSIBLE_DAYS_DEFAULT;
use super::probe::probe;
use super::walk::{Stop, WalkLimits};
use super::walker::Walker;
use crate::source::block::{BLOCK_RECORDS_MAX, Block};
use crate::source::record::Record;

/// Headers with magic numbers, so that a fuzzer need not find them.
const PCAP_HEADERS: [[u8; 24]; 4] = [
    pcap_header([0xd4, 0xc3, 0xb2, 0xa1], false),
    pcap_header([0xa1, 0xb2, 0x3c, 0x4d], true),
    pcap_header([0x34, 0xcd, 0xb2, 0xa1], false),
    pcap_header([0x4d, 0x3c, 0xb2, 0xa1], false),
];

/// A section header of no particular length in each byte order.
const SECTION_HEADERS: [[u8; 28]; 2] = [section_header(false), section_header(true)];

/// Reads `data` as it is: any format, any compression.
pub fn fuzz_capture(data: &[u8]) {
    let _ = probe(Box::new(Cursor::new(data.to_vec())), true);
    let Ok(mut input) = Input::chunked(owned(data), super::format::compression(data), terms())
    else {
        return;
    };
    while let Some(block) = input.take(i64::MAX, Block::empty()) {
        check_block(&block);
    }
}

/// Reads `data` as the records of a pcap; its first byte picks the variant.
pub fn fuzz_pcap(data: &[u8]) {
    let Some((&pick, records)) = data.split_first() else {
        return;
    };
    let mut bytes = PCAP_HEADERS[usize::from(pick) % PCAP_HEADERS.len()].to_vec();
    bytes.extend_from_slice(records);
    check_walk(&bytes);
}

/// Reads `data` as the blocks of a pcapng after a section header; its first byte picks the byte order.
pub fn fuzz_pcapng(data: &[u8]) {
    let Some((&pick, blocks)) = data.split_first() else {
        return;
    };
    let mut bytes = SECTION_HEADERS[usize::from(pick) % SECTION_HEADERS.len()].to_vec();
    bytes.extend_from_slice(blocks);
    check_walk(&bytes);
}

fn terms() -> Terms {
    Terms {
        implausible_days: IMPLAUSIBLE_DAYS_DEFAULT,
        from_bytes: 0,
        identify: Some(Vec::new()),
        walk_ahead: None,
    }
}

fn owned(data: &[u8]) -> ByteSource {
    Box::new(Cursor::new(data.to_vec()))
}

/// Walks in one go and in chunks: the records must be the same, and within the bytes.
fn check_walk(bytes: &[u8]) {
    let whole = walk_whole(bytes);
    let mut chunked = Vec::new();
    if let Ok(mut input) = Input::chunked(owned(bytes), None, terms()) {
        while let Some(block) = input.take(i64::MAX, Block::empty()) {
            check_block(&block);
            chunked.extend(block.records);
        }
    }
    assert_eq!(whole.len(), chunked.len(), "records depend on the chunks");
    for (left, right) in whole.iter().zip(&chunked) {
        assert_eq!(left.time_us, right.time_us);
        assert_eq!(left.captured_bytes, right.captured_bytes);
    }
}

fn walk_whole(bytes: &[u8]) -> Vec<Record> {
    let mut all = Vec::new();
    let Ok((mut walker, mut from)) = Walker::detect(bytes) else {
        return all;
    };
    let mut joined = 0;
    loop {
        let mut records = Vec::new();
        let records_max = BLOCK_RECORDS_MAX;
        let walked = walker.walk(
            bytes,
            WalkLimits {
                from,
                origin: from,
                records_max,
            },
            &mut records,
        );
        assert!(walked.next >= from && walked.next <= bytes.len());
        from = walked.next;
        all.append(&mut records);
        match walked.stop {
            Stop::Full => {}
            // Another capture begins here, as in files that were joined.
            Stop::Header | Stop::Cut(_) if joined < FORMATS_MAX => {
                let Ok((next, header_bytes)) = Walker::detect(&bytes[from..]) else {
                    return all;
                };
                (walker, from, joined) = (next, from + header_bytes, joined + 1);
            }
            _ => return all,
        }
    }
}

fn check_block(block: &Block) {
    assert!(block.records.len() <= BLOCK_RECORDS_MAX);
    for record in &block.records {
        let end = record.offset as usize + record.captured_bytes as usize;
        assert!(end <= block.bytes().len(), "a record outside its block");
    }
}

const fn pcap_header(magic: [u8; 4], big_endian: bool) -> [u8; 24] {
    let mut header = [0; 24];
    let mut index = 0;
    while index < 4 {
        header[index] = magic[index];
        index += 1;
    }
    let low = if big_endian { 1 } else { 0 };
    header[4 + low] = 2;
    header[6 + low] = 4;
    header[20 + 3 * low] = 1;
    header
}

const fn section_header(big_endian: bool) -> [u8; 28] {
    let little: [u8; 28] = [
        0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 28, 0, 0, 0,
    ];
    let big: [u8; 28] = [
        0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28,
    ];
    if big_endian { big } else { little }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            fuzz_capture(&data);
            fuzz_pcap(&data);
            fuzz_pcapng(&data);
        }
    }
}
