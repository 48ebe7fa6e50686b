//! Classic pcap: the file's header and the walk over its records (draft-ietf-opsawg-pcap). This is the hot path of a replay:
//! nothing is allocated or copied here, and what a packet holds must not be looked at.

use super::error::CaptureError;
use super::format::hexadecimal;
use super::walk::{AHEAD_BYTES, BLOCK_BYTES_MAX, RECORD_BYTES_MAX, Span, Stop, Walked};
use crate::source::block::Record;
use teiten_aggregator::prefetch::prefetch;
use teiten_packet::LinkType;
use teiten_packet::decode::supported;

/// Bytes of a file's header.
const FILE_HEADER_BYTES: usize = 24;
/// Bytes of a record's header.
const RECORD_HEADER_BYTES: usize = 16;
/// Bytes of a record's header in the modified variant: interface, protocol and packet type follow (libpcap, sf-pcap.c).
const MODIFIED_RECORD_HEADER_BYTES: usize = 24;

/// The magic numbers: (as read, nanoseconds, bytes of a record's header).
const MAGICS: &[(u32, bool, usize)] = &[
    (0xa1b2_c3d4, false, RECORD_HEADER_BYTES),
    (0xa1b2_3c4d, true, RECORD_HEADER_BYTES),
    (0xa1b2_cd34, false, MODIFIED_RECORD_HEADER_BYTES),
];

/// Files before version 2.3 keep the two lengths of a record the other way round, and some of 2.3 do (libpcap, sf-pcap.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthOrder {
    CapturedFirst,
    WireFirst,
    SmallerIsCaptured,
}

/// The state of reading a pcap: what its header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    nanoseconds: bool,
    record_header_bytes: usize,
    length_order: LengthOrder,
    link_type: LinkType,
}

impl Pcap {
    /// Reads the file's header; gives the bytes it takes.
    pub(super) fn from_header(head: &[u8]) -> Result<(Pcap, usize), CaptureError> {
        let unknown = || CaptureError::NotACapture {
            first_bytes: hexadecimal(head),
            inside: None,
        };
        let magic = *head.first_chunk::<4>().ok_or_else(unknown)?;
        let find = |number: u32| MAGICS.iter().find(|(magic, _, _)| *magic == number);
        let (big_endian, &(_, nanoseconds, record_header_bytes)) = match (
            find(u32::from_be_bytes(magic)),
            find(u32::from_le_bytes(magic)),
        ) {
            (Some(row), _) => (true, row),
            (None, Some(row)) => (false, row),
            (None, None) => return Err(unknown()),
        };
        let Some(header) = head.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err(CaptureError::BreaksOff {
                missing_bytes: FILE_HEADER_BYTES - head.len(),
            });
        };
        let versions = (
            number(&header[4..], big_endian),
            number(&header[6..], big_endian),
        );
        let pcap = Pcap {
            big_endian,
            nanoseconds,
            record_header_bytes,
            length_order: length_order(versions.0, versions.1)?,
            // The upper half holds the length of a frame check sequence and reserved bits.
            link_type: LinkType(number(
                &header[if big_endian { 22 } else { 20 }..],
                big_endian,
            )),
        };
        Ok((pcap, FILE_HEADER_BYTES))
    }

    /// See [`super::walk::Walker::has_unsupported`].
    pub(super) fn has_unsupported(&self) -> bool {
        !supported(self.link_type)
    }

    /// Appends records; see [`super::walk::Walker::walk`].
    pub(super) fn walk(&self, window: &[u8], span: Span, records: &mut Vec<Record>) -> Walked {
        match (self.big_endian, self.nanoseconds) {
            (false, false) => self.walk_as::<false, false>(window, span, records),
            (false, true) => self.walk_as::<false, true>(window, span, records),
            (true, false) => self.walk_as::<true, false>(window, span, records),
            (true, true) => self.walk_as::<true, true>(window, span, records),
        }
    }

    fn walk_as<const BIG: bool, const NANOSECONDS: bool>(
        &self,
        window: &[u8],
        span: Span,
        records: &mut Vec<Record>,
    ) -> Walked {
        let stopped = |next, stop| Walked { next, stop };
        let mut at = span.from;
        while records.len() < span.records_max {
            let rest = window.get(at..).unwrap_or_default();
            prefetch(window, at + AHEAD_BYTES);
            let Some(header) = rest.first_chunk::<RECORD_HEADER_BYTES>() else {
                return stopped(at, Stop::NeedMore(self.record_header_bytes));
            };
            let word = |index: usize| {
                let bytes = [
                    header[index],
                    header[index + 1],
                    header[index + 2],
                    header[index + 3],
                ];
                if BIG {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            };
            let (captured_bytes, wire_bytes) = self.lengths(word(8), word(12));
            if captured_bytes > RECORD_BYTES_MAX {
                let damage = CaptureError::RecordTooLong {
                    captured_bytes,
                    limit_bytes: RECORD_BYTES_MAX,
                };
                return stopped(at, Stop::Damaged(damage));
            }
            let data = at + self.record_header_bytes;
            let end = data + captured_bytes as usize;
            if end > window.len() {
                return stopped(at, Stop::NeedMore(end - at));
            }
            if end - span.from > BLOCK_BYTES_MAX {
                return stopped(at, Stop::Full);
            }
            let subsecond_us = if NANOSECONDS { word(4) / 1000 } else { word(4) };
            records.push(Record {
                time_us: i64::from(word(0)) * 1_000_000 + i64::from(subsecond_us),
                nanoseconds: 0,
                offset: (data - span.origin) as u32,
                captured_bytes,
                wire_bytes,
                link_type: self.link_type,
            });
            at = end;
        }
        stopped(at, Stop::Full)
    }

    /// (captured, wire) from the two lengths of a record's header.
    fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        match self.length_order {
            LengthOrder::CapturedFirst => (first, second),
            LengthOrder::WireFirst => (second, first),
            LengthOrder::SmallerIsCaptured => (first.min(second), first.max(second)),
        }
    }
}

/// A 16-bit number at the start of `bytes`, of which there are two or more.
fn number(bytes: &[u8], big_endian: bool) -> u16 {
    let bytes = [bytes[0], bytes[1]];
    if big_endian {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    }
}

fn length_order(major: u16, minor: u16) -> Result<LengthOrder, CaptureError> {
    match (major, minor) {
        (2, 0..=2) => Ok(LengthOrder::WireFirst),
        (2, 3) => Ok(LengthOrder::SmallerIsCaptured),
        (2, _) => Ok(LengthOrder::CapturedFirst),
        _ => Err(CaptureError::UnknownVersion {
            format: "pcap",
            major,
            minor,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PcapShape, pcap};
    use super::*;
    use crate::source::block::BLOCK_RECORDS_MAX;

    /// The records of a capture in memory and where and why the walk ended.
    fn walked(bytes: &[u8]) -> (Vec<Record>, Walked) {
        let (pcap, header_bytes) = Pcap::from_header(bytes).expect("a pcap");
        let mut records = Vec::new();
        let span = Span {
            from: header_bytes,
            origin: 0,
            records_max: BLOCK_RECORDS_MAX,
        };
        let walked = pcap.walk(bytes, span, &mut records);
        (records, walked)
    }

    #[test]
    fn every_variant_gives_the_same_records() {
        for shape in PcapShape::ALL {
            let bytes = pcap(
                shape,
                &[
                    (1_600_000_000_123_456, b"first"),
                    (1_600_000_001_000_000, b""),
                ],
            );
            let (records, walked) = walked(&bytes);
            assert!(matches!(walked.stop, Stop::NeedMore(_)), "{shape:?}");
            assert_eq!(walked.next, bytes.len());
            let times: Vec<i64> = records.iter().map(|record| record.time_us).collect();
            assert_eq!(
                times,
                [1_600_000_000_123_456, 1_600_000_001_000_000],
                "{shape:?}"
            );
            let first = records[0];
            assert_eq!((first.captured_bytes, first.wire_bytes), (5, 5));
            assert_eq!(&bytes[first.offset as usize..][..5], b"first");
            assert_eq!(first.link_type, LinkType(1));
        }
    }

    #[test]
    fn frame_check_bits_are_not_part_of_the_link_type() {
        for shape in PcapShape::ALL {
            let mut bytes = pcap(shape, &[(0, b"x")]);
            bytes[if shape.big_endian { 20 } else { 23 }] = 0x44;
            assert_eq!(walked(&bytes).0[0].link_type, LinkType(1));
        }
    }

    #[test]
    fn seconds_are_unsigned_and_subseconds_out_of_range_carry_over() {
        let mut bytes = pcap(PcapShape::default(), &[(0, b"x")]);
        bytes[24..32].copy_from_slice(&[0xff; 8]);
        let expected = i64::from(u32::MAX) * 1_000_000 + i64::from(u32::MAX);
        assert_eq!(walked(&bytes).0[0].time_us, expected);
    }

    #[test]
    fn a_record_cut_off_is_not_counted() {
        let bytes = pcap(PcapShape::default(), &[(0, b"whole"), (0, b"cut")]);
        for cut in 1..19 {
            let (records, walked) = walked(&bytes[..bytes.len() - cut]);
            assert_eq!(records.len(), 1);
            assert_eq!(walked.next, 24 + 16 + 5);
            assert!(matches!(walked.stop, Stop::NeedMore(_)));
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_damage() {
        let mut bytes = pcap(PcapShape::default(), &[(0, b"x")]);
        bytes[32..36].copy_from_slice(&(RECORD_BYTES_MAX + 1).to_le_bytes());
        let (records, walked) = walked(&bytes);
        assert!(records.is_empty());
        assert!(matches!(
            walked.stop,
            Stop::Damaged(CaptureError::RecordTooLong { .. })
        ));
    }

    #[test]
    fn old_versions_keep_the_lengths_the_other_way_round() {
        let mut bytes = pcap(PcapShape::default(), &[(0, b"cut")]);
        bytes[6] = 2;
        bytes[32..36].copy_from_slice(&60u32.to_le_bytes());
        bytes[36..40].copy_from_slice(&3u32.to_le_bytes());
        for minor in [2, 3] {
            bytes[6] = minor;
            let record = walked(&bytes).0[0];
            assert_eq!((record.captured_bytes, record.wire_bytes), (3, 60));
        }
    }

    #[test]
    fn an_unknown_major_version_is_refused() {
        let mut bytes = pcap(PcapShape::default(), &[]);
        bytes[4] = 1;
        assert!(matches!(
            Pcap::from_header(&bytes),
            Err(CaptureError::UnknownVersion { major: 1, .. })
        ));
    }
}
