//! Probes an input: whether it is a capture, in which compression, and the time of its first packet. It reads as little as possible and
//! gives no packets to the pipeline.

use std::io::{Cursor, Read};

use teiten_aggregator::inputs::Capture;

use super::compression::{ByteSource, decompressed};
use super::error::CaptureError;
use super::format::{self, Compression};
use super::identity::beginning;
use super::judge::{IMPLAUSIBLE_DAYS_DEFAULT, TimeJudge};
use super::record::Record;
use super::walk::{Stop, WalkLimits};
use super::walker::Walker;

/// Uncompressed bytes read at a time in search of the first packet.
const STEP_BYTES: u64 = 64 << 10;

/// Most uncompressed bytes searched for the first packet: long comments of a pcapng stay below. Beyond, its time is unknown.
const SEARCHED_BYTES_MAX: usize = 4 << 20;

/// Bytes of a stream that are probed before it is read.
pub(super) const STREAM_HEAD_BYTES: u64 = 64 << 10;

/// Records that are searched for the first with a plausible time.
const JUDGED_RECORDS: usize = 64;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputProbe {
    pub compression: Option<Compression>,
    /// Time of the first packet; `None` if there is none or it is too far in.
    pub first_time_us: Option<i64>,
    /// The identity of the capture's beginning.
    pub beginning: Capture,
}

/// Probes `raw`. `whole` says that its end is the end of the input.
pub(super) fn probe(mut raw: ByteSource, whole: bool) -> Result<InputProbe, CaptureError> {
    let (head, compression) = format::told(&mut raw)?;
    if head.is_empty() {
        return Err(CaptureError::Empty);
    }
    let bytes = decompressed(Box::new(Cursor::new(head).chain(raw)), compression)?;
    let mut window = Vec::new();
    let first_time_us = first_time_us(bytes, whole, compression, &mut window)
        .map_err(|error| error.inside(compression))?;
    Ok(InputProbe {
        compression,
        first_time_us,
        beginning: beginning(&window),
    })
}

fn first_time_us(
    mut bytes: ByteSource,
    whole: bool,
    compression: Option<Compression>,
    window: &mut Vec<u8>,
) -> Result<Option<i64>, CaptureError> {
    loop {
        let before_bytes = window.len();
        // One read for a file, and no byte is copied again.
        window.reserve(STEP_BYTES as usize + 1);
        let end_error = (&mut bytes).take(STEP_BYTES).read_to_end(window).err();
        let ended = end_error.is_some() || window.len() - before_bytes < STEP_BYTES as usize;
        match first_record_us(window)? {
            First::Time(time_us) => return Ok(Some(time_us)),
            First::Needs(_) if !ended && window.len() < SEARCHED_BYTES_MAX => {}
            First::Needs(missing_bytes) if ended && whole => {
                return match (end_error, compression) {
                    (Some(reason), Some(compression)) => Err(CaptureError::Decompression {
                        compression,
                        reason,
                    }),
                    (Some(reason), None) => Err(CaptureError::Unreadable(reason)),
                    (None, _) if missing_bytes == 0 => Ok(None),
                    (None, _) => Err(CaptureError::BreaksOff { missing_bytes }),
                };
            }
            First::Needs(_) => return Ok(None),
        }
    }
}

/// The result of the search for a capture's first packet.
enum First {
    Time(i64),
    /// Number of missing bytes; 0 right after a record or block.
    Needs(usize),
}

fn first_record_us(window: &[u8]) -> Result<First, CaptureError> {
    if window.is_empty() {
        return Ok(First::Needs(1));
    }
    let (mut walker, from) = Walker::detect(window)?;
    let mut records = Vec::with_capacity(JUDGED_RECORDS);
    let span = WalkLimits {
        from,
        origin: 0,
        records_max: JUDGED_RECORDS,
    };
    let walked = walker.walk(window, span, &mut records);
    match (first_plausible(&records), walked.stop) {
        (Some(record), _) => Ok(First::Time(record.time_us)),
        (None, Stop::Damaged(damage)) => Err(damage),
        (None, Stop::NeedMore(_)) if walked.next == window.len() => Ok(First::Needs(0)),
        (None, Stop::NeedMore(needed_bytes)) => {
            Ok(First::Needs(needed_bytes - (window.len() - walked.next)))
        }
        (None, Stop::Full | Stop::Header | Stop::Cut(_) | Stop::Zeros) => Ok(First::Needs(0)),
    }
}

/// The first of these records with a plausible time.
fn first_plausible(records: &[Record]) -> Option<&Record> {
    let mut judge = TimeJudge::new(IMPLAUSIBLE_DAYS_DEFAULT);
    judge.look(records);
    judge.finish();
    let implausible = judge.take_implausible(u64::MAX);
    let place = (0..records.len()).find(|&place| !implausible.contains(&(place as u64)));
    place.map(|place| &records[place]).or(records.first())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{PcapShape, PcapngBuilder, compressed, pcap};
    use super::*;

    fn check(bytes: Vec<u8>, whole: bool) -> Result<Option<i64>, String> {
        match probe(Box::new(Cursor::new(bytes)), whole) {
            Ok(probe) => Ok(probe.first_time_us),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_first_packet_is_found_in_every_compression() {
        let plain = pcap(PcapShape::default(), &[(42, b"x")]);
        assert_eq!(check(plain.clone(), true), Ok(Some(42)));
        for compression in [
            Compression::Gzip,
            Compression::Zstandard,
            Compression::Xz,
            Compression::Lz4,
        ] {
            assert_eq!(check(compressed(compression, &plain), true), Ok(Some(42)));
        }
    }

    #[test]
    fn the_first_packet_may_lie_behind_long_blocks() {
        let mut builder = PcapngBuilder::new(false);
        builder
            .section()
            .interface(1, 0, &[])
            .block(5, &vec![0; 300_000]);
        assert_eq!(check(builder.build(), true), Ok(None));
        builder.enhanced(0, 42, b"x");
        assert_eq!(check(builder.build(), true), Ok(Some(42)));
    }

    #[test]
    fn what_is_no_capture_is_named_by_its_first_bytes() {
        let error = check(b"GIF89a".to_vec(), true).expect_err("no capture");
        assert!(error.contains("47 49 46 38 39 61"), "{error}");
        let error = check(compressed(Compression::Xz, b"GIF89a"), true).expect_err("no capture");
        assert!(error.contains("what its xz form holds"), "{error}");
        assert_eq!(
            check(Vec::new(), true),
            Err(CaptureError::Empty.to_string())
        );
    }

    #[test]
    fn a_break_before_the_first_packet_is_an_error_in_a_whole_input_only() {
        let mut bytes = pcap(PcapShape::default(), &[(42, b"x")]);
        bytes.pop();
        assert!(check(bytes.clone(), true).is_err());
        assert_eq!(check(bytes, false), Ok(None));
    }
}
