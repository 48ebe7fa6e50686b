//! The format of kept packets: pcap with nanoseconds (draft-ietf-opsawg-pcap), little-endian, one link type per file.

use crate::source::RECORD_BYTES_MAX;
use crate::source::record::Record;
use teiten_packet::LinkType;

/// Bytes of a file's header.
pub(super) const FILE_HEADER_BYTES: usize = 24;
/// Bytes of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 16;
/// The magic number of files with nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const MICROSECONDS_PER_SECOND: i64 = 1_000_000;

/// The header of a file.
pub(super) fn file_header(link_type: LinkType) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..4].copy_from_slice(&MAGIC.to_le_bytes());
    header[4..6].copy_from_slice(&2u16.to_le_bytes());
    header[6..8].copy_from_slice(&4u16.to_le_bytes());
    header[16..20].copy_from_slice(&RECORD_BYTES_MAX.to_le_bytes());
    header[20..].copy_from_slice(&u32::from(link_type.0).to_le_bytes());
    header
}

/// Whether a file begins as [`file_header`] makes it.
pub(super) fn is_ours(header: &[u8; FILE_HEADER_BYTES]) -> bool {
    header[..4] == MAGIC.to_le_bytes()
}

/// Appends a packet.
pub(super) fn append(record: &Record, captured: &[u8], buffer: &mut Vec<u8>) {
    let seconds = record.time_us.div_euclid(MICROSECONDS_PER_SECOND);
    let microseconds = record.time_us.rem_euclid(MICROSECONDS_PER_SECOND);
    let nanoseconds = microseconds as u32 * 1000 + u32::from(record.nanoseconds);
    for word in [
        // The format has 32 bits for seconds, which end in 2106.
        u32::try_from(seconds).unwrap_or(u32::MAX),
        nanoseconds,
        record.captured_bytes,
        record.wire_bytes,
    ] {
        buffer.extend_from_slice(&word.to_le_bytes());
    }
    buffer.extend_from_slice(captured);
}

/// Bytes of the packet behind a record's header; `None` where the header is not one that we write.
pub(super) fn captured_bytes(header: &[u8; RECORD_HEADER_BYTES]) -> Option<u32> {
    let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    (length <= RECORD_BYTES_MAX).then_some(length)
}
