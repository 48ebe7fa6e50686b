//! Classic pcap: the walk over its records (draft-ietf-opsawg-pcap). This is the hot path of a replay: nothing is allocated or copied here,
//! and packets are not interpreted.

use std::ops::Range;

use super::error::CaptureError;
use super::header::{
    FILE_HEADER_BYTES, LengthOrder, PcapHeader, RECORD_HEADER_BYTES, in_the_middle,
};
use super::walk::{AHEAD_BYTES, BLOCK_BYTES_MAX, RECORD_BYTES_MAX, Stop, WalkLimits, Walked};
use crate::source::record::Record;
use teiten_aggregator::prefetch::prefetch;
use teiten_packet::LinkType;
use teiten_packet::decode::supported;

/// Microseconds and nanoseconds in a second: a fraction of a second must be smaller.
const MICROSECONDS_PER_SECOND: u32 = 1_000_000;
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;
const SECONDS_PER_DAY: u32 = 86_400;
/// Records, and bytes of them, that are sampled to distinguish nanoseconds from microseconds.
const SAMPLED_RECORDS: usize = 64;
const SAMPLED_BYTES: usize = 64 << 10;

/// Records in a row that a place must begin to count as the beginning of a record, and bytes in which such a place is searched.
const CHAIN_RECORDS: usize = 16;
const SEARCHED_BYTES: usize = 1 << 20;

/// The state of reading a pcap: the fields of its header.
#[derive(Clone, Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    nanoseconds: bool,
    record_header_bytes: usize,
    length_order: LengthOrder,
    link_type: LinkType,
    /// Whether the header wrongly says microseconds.
    hidden_nanoseconds: bool,
    /// Whether this or a capture before it has a link type that is not decoded.
    has_unsupported: bool,
    appended: Vec<(usize, usize)>,
    fractions: Vec<(usize, usize)>,
}

impl Pcap {
    /// Reads the file's header; returns its length too.
    pub(super) fn from_header(head: &[u8]) -> Result<(Pcap, usize), CaptureError> {
        let header = PcapHeader::read(head)?;
        let mut pcap = Pcap {
            big_endian: header.big_endian,
            nanoseconds: header.nanoseconds,
            record_header_bytes: header.record_header_bytes,
            length_order: header.length_order,
            link_type: header.link_type,
            hidden_nanoseconds: false,
            has_unsupported: false,
            appended: Vec::new(),
            fractions: Vec::new(),
        };
        pcap.has_unsupported = !supported(pcap.link_type);
        Ok((pcap, FILE_HEADER_BYTES))
    }

    /// Detects whether a capture whose header says microseconds has nanoseconds: most of the first records then have a million or more of
    /// them within their second, and none a thousand million. `records` are the bytes after the header.
    pub(super) fn detect_nanoseconds(&mut self, records: &[u8]) {
        if self.nanoseconds {
            return;
        }
        let (mut at, mut read, mut large) = (0, 0, 0);
        let records = &records[..records.len().min(SAMPLED_BYTES)];
        while let Some(header) = records.get(at..at + RECORD_HEADER_BYTES) {
            let (captured_bytes, _) = self.length_order.lengths(
                word_at(header, 8, self.big_endian),
                word_at(header, 12, self.big_endian),
            );
            let subsecond = word_at(header, 4, self.big_endian);
            if captured_bytes > RECORD_BYTES_MAX
                || subsecond >= NANOSECONDS_PER_SECOND
                || read >= SAMPLED_RECORDS
            {
                break;
            }
            read += 1;
            large += usize::from(subsecond >= MICROSECONDS_PER_SECOND);
            at += self.record_header_bytes + captured_bytes as usize;
        }
        if large > 1 && large * 2 > read {
            let next = records.get(at..at + RECORD_HEADER_BYTES);
            let is_contradicted = read < SAMPLED_RECORDS
                && next.is_some_and(|header| {
                    word_at(header, 4, self.big_endian) >= NANOSECONDS_PER_SECOND
                });
            self.nanoseconds = !is_contradicted;
            self.hidden_nanoseconds = !is_contradicted;
        }
    }

    /// See [`super::walker::Walker::has_hidden_nanoseconds`].
    pub(super) fn has_hidden_nanoseconds(&self) -> bool {
        self.hidden_nanoseconds
    }

    /// Bytes of a record's header.
    pub(super) fn record_header_bytes(&self) -> usize {
        self.record_header_bytes
    }

    /// See [`super::walker::Walker::has_unsupported`].
    pub(super) fn has_unsupported(&self) -> bool {
        self.has_unsupported
    }

    /// Whether both read the same bytes as the same records.
    pub(super) fn reads_as(&self, other: &Pcap) -> bool {
        let fields = |pcap: &Pcap| {
            let lengths = (pcap.record_header_bytes, pcap.length_order);
            (pcap.big_endian, pcap.nanoseconds, lengths, pcap.link_type)
        };
        fields(self) == fields(other)
    }

    /// The first index within `among` from which on `window` looks like records. Whether one begins there, nobody can say.
    pub(super) fn find_record(&self, window: &[u8], among: Range<usize>) -> Option<usize> {
        let searched = among.start..among.end.min(among.start + SEARCHED_BYTES);
        searched
            .into_iter()
            .find(|&at| self.looks_like_records(window, at))
    }

    fn looks_like_records(&self, window: &[u8], mut at: usize) -> bool {
        let limit = if self.nanoseconds {
            NANOSECONDS_PER_SECOND
        } else {
            MICROSECONDS_PER_SECOND
        };
        let mut day = None;
        for _ in 0..CHAIN_RECORDS {
            let Some(header) = window.get(at..at + RECORD_HEADER_BYTES) else {
                return at == window.len();
            };
            let word = |index| word_at(header, index, self.big_endian);
            let (captured_bytes, wire_bytes) = self.length_order.lengths(word(8), word(12));
            let is_odd = captured_bytes == 0
                || captured_bytes > RECORD_BYTES_MAX
                || wire_bytes < captured_bytes
                || word(4) >= limit;
            let this = word(0) / SECONDS_PER_DAY;
            if is_odd || this.abs_diff(*day.get_or_insert(this)) > 1 {
                return false;
            }
            at += self.record_header_bytes + captured_bytes as usize;
        }
        true
    }

    /// Appends records; see [`super::walker::Walker::walk`].
    pub(super) fn walk(
        &mut self,
        window: &[u8],
        span: WalkLimits,
        records: &mut Vec<Record>,
    ) -> Walked {
        let mut at = span.from;
        loop {
            let walked = match (self.big_endian, self.nanoseconds) {
                (false, false) => self.walk_as::<false, false>(window, at, span, records),
                (false, true) => self.walk_as::<false, true>(window, at, span, records),
                (true, false) => self.walk_as::<true, false>(window, at, span, records),
                (true, true) => self.walk_as::<true, true>(window, at, span, records),
            };
            let is_header = matches!(walked.stop, Stop::Header);
            match Pcap::from_header(&window[walked.next..]) {
                Ok((header, header_bytes)) if is_header => {
                    self.appended.push((records.len(), walked.next));
                    self.go_on_as(&header);
                    at = walked.next + header_bytes;
                }
                _ => return walked,
            }
        }
    }

    /// Continues with the header of an appended capture.
    fn go_on_as(&mut self, header: &Pcap) {
        // A program that writes nanoseconds under the magic number of microseconds does so each time.
        let hidden = self.hidden_nanoseconds && !header.nanoseconds;
        *self = Pcap {
            nanoseconds: header.nanoseconds || hidden,
            hidden_nanoseconds: self.hidden_nanoseconds,
            has_unsupported: self.has_unsupported || header.has_unsupported,
            appended: std::mem::take(&mut self.appended),
            fractions: std::mem::take(&mut self.fractions),
            ..*header
        };
    }

    /// Records with an impossible fraction of a second since the last call: (records before it in the block, index of the record). Their
    /// second is used.
    pub(super) fn take_fractions(&mut self) -> Vec<(usize, usize)> {
        std::mem::take(&mut self.fractions)
    }

    /// Appended captures since the last call: (records before it in the block, index of its header).
    pub(super) fn take_appended(&mut self) -> Vec<(usize, usize)> {
        std::mem::take(&mut self.appended)
    }

    fn walk_as<const BIG: bool, const NANOSECONDS: bool>(
        &mut self,
        window: &[u8],
        from: usize,
        span: WalkLimits,
        records: &mut Vec<Record>,
    ) -> Walked {
        let stopped = |next, stop| Walked { next, stop };
        let mut at = from;
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
            let (captured_bytes, wire_bytes) = self.length_order.lengths(word(8), word(12));
            let subsecond = word(4);
            let limit = if NANOSECONDS {
                NANOSECONDS_PER_SECOND
            } else {
                MICROSECONDS_PER_SECOND
            };
            if captured_bytes == 0 || captured_bytes > RECORD_BYTES_MAX || subsecond >= limit {
                if let Some(stop) = in_the_middle(rest) {
                    return stopped(at, stop);
                }
                let is_odd = captured_bytes > RECORD_BYTES_MAX || subsecond >= limit;
                if is_odd && let Some((next, cut)) = self.cut_by_header(window, at, span, records) {
                    records.pop();
                    return stopped(next, Stop::Cut(cut));
                }
            }
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
            let subsecond_us = if NANOSECONDS {
                subsecond / 1000
            } else {
                subsecond
            };
            let subsecond_us = if subsecond < limit {
                subsecond_us
            } else {
                self.fractions.push((records.len(), at));
                MICROSECONDS_PER_SECOND - 1
            };
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

    /// Where the record before `at` is cut off by the header of another capture, as when a program that was killed within a record is
    /// started again and appends to its file: (index of that header, index of the record).
    #[cold]
    fn cut_by_header(
        &self,
        window: &[u8],
        at: usize,
        span: WalkLimits,
        records: &[Record],
    ) -> Option<(usize, usize)> {
        let last = span.origin + records.last()?.offset as usize;
        let is_header = |place: &usize| {
            let head = &window[*place..];
            head.len() >= FILE_HEADER_BYTES && matches!(in_the_middle(head), Some(Stop::Header))
        };
        let header = (last..at).find(is_header)?;
        Some((header, last - self.record_header_bytes))
    }
}

/// The 32-bit number at `index` of `bytes`, which is long enough.
fn word_at(bytes: &[u8], index: usize, big_endian: bool) -> u32 {
    let bytes = [
        bytes[index],
        bytes[index + 1],
        bytes[index + 2],
        bytes[index + 3],
    ];
    if big_endian {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PcapShape, pcap};
    use super::*;
    use crate::source::block::BLOCK_RECORDS_MAX;

    /// The records of a capture in memory and where and why the walk ended.
    fn walked(bytes: &[u8]) -> (Vec<Record>, Walked) {
        let (mut pcap, header_bytes) = Pcap::from_header(bytes).expect("a pcap");
        let mut records = Vec::new();
        let span = WalkLimits {
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
    fn seconds_are_unsigned_and_subseconds_out_of_range_stay_in_their_second() {
        let mut bytes = pcap(PcapShape::default(), &[(7, b"x")]);
        bytes[24..28].copy_from_slice(&[0xff; 4]);
        let expected = i64::from(u32::MAX) * 1_000_000 + 7;
        assert_eq!(walked(&bytes).0[0].time_us, expected);
        bytes[28..32].copy_from_slice(&1_000_000u32.to_le_bytes());
        assert_eq!(walked(&bytes).0[0].time_us, expected - 7 + 999_999);
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
