//! Walking from record to record: what the walkers of the two capture formats have in common. A walker sees a window of bytes
//! and appends records that point into it; where the bytes come from, and where more of them may be had, it must not know.

use super::error::CaptureError;
use super::pcap::Pcap;
use super::pcapng::{PACKET_HEADER_BYTES, Pcapng};
use crate::source::block::Record;

/// Most bytes of one packet, as libpcap's MAXIMUM_SNAPLEN (pcap-int.h): a longer record is damage, not a packet.
pub const RECORD_BYTES_MAX: u32 = 262_144;

/// Most bytes that the records of one block span, so that a block stays small whatever its packets are.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;

const _: () = assert!(RECORD_BYTES_MAX as usize + 64 < BLOCK_BYTES_MAX);

/// How far ahead of a walk the bytes are asked for: the processor's own reading ahead ends at every page.
pub(super) const AHEAD_BYTES: usize = 2048;

/// How far a block may grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Index in the window where the first record to be read begins.
    pub from: usize,
    /// Index in the window that the records' offsets count from.
    pub origin: usize,
    /// Records after which to stop.
    pub records_max: usize,
}

/// Why a walk stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The block is full.
    Full,
    /// The window ends within a record, or right after one: from there on so many bytes are needed, as far as is known yet.
    NeedMore(usize),
    /// What comes next cannot be read.
    Damaged(CaptureError),
    /// What comes next is the header of another capture, in the other format.
    Header,
    /// As before, but the record that was read last is cut off by that header; it begins at this index, and is not among the records.
    Cut(usize),
    /// What comes next is zeros instead of a record.
    Zeros,
}

/// The end of a walk.
#[derive(Debug)]
pub(super) struct Walked {
    /// Index in the window of the first byte that was not read.
    pub next: usize,
    /// Why there.
    pub stop: Stop,
}

/// The state of reading one capture.
#[derive(Debug)]
pub(super) enum Walker {
    /// Classic pcap.
    Pcap(Pcap),
    /// pcapng.
    Pcapng(Pcapng),
}

impl Walker {
    /// Tells the format by the first bytes of a capture (`head`, as many as 24 where there are so many) and gives the walker and
    /// the number of bytes of the file's header.
    pub(super) fn detect(head: &[u8]) -> Result<(Walker, usize), CaptureError> {
        if Pcapng::starts(head) {
            return Ok((Walker::Pcapng(Pcapng::new()), 0));
        }
        let (mut pcap, header_bytes) = Pcap::from_header(head)?;
        pcap.tell_nanoseconds(&head[header_bytes..]);
        Ok((Walker::Pcap(pcap), header_bytes))
    }

    /// Whether times are read as nanoseconds although the file's header says otherwise.
    pub(super) fn has_hidden_nanoseconds(&self) -> bool {
        matches!(self, Walker::Pcap(pcap) if pcap.has_hidden_nanoseconds())
    }

    /// Records whose fraction of a second is none, met since this was last asked: (records before it in the block, index of the
    /// record).
    pub(super) fn take_fractions(&mut self) -> Vec<(usize, usize)> {
        match self {
            Walker::Pcap(pcap) => pcap.take_fractions(),
            Walker::Pcapng(_) => Vec::new(),
        }
    }

    /// Captures that were appended, met since this was last asked: (records before it in the block, index of its header).
    pub(super) fn take_appended(&mut self) -> Vec<(usize, usize)> {
        match self {
            Walker::Pcap(pcap) => pcap.take_appended(),
            Walker::Pcapng(_) => Vec::new(),
        }
    }

    /// Bytes of a record before its packet.
    pub(super) fn record_header_bytes(&self) -> usize {
        match self {
            Walker::Pcap(pcap) => pcap.record_header_bytes(),
            Walker::Pcapng(_) => PACKET_HEADER_BYTES,
        }
    }

    /// Whether there are link types among those met so far that are not decoded.
    pub(super) fn has_unsupported(&self) -> bool {
        match self {
            Walker::Pcap(pcap) => pcap.has_unsupported(),
            Walker::Pcapng(pcapng) => pcapng.has_unsupported(),
        }
    }

    /// Appends the records of `window` to `records` until one of the limits or the end of the window.
    pub(super) fn walk(&mut self, window: &[u8], span: Span, records: &mut Vec<Record>) -> Walked {
        match self {
            Walker::Pcap(pcap) => pcap.walk(window, span, records),
            Walker::Pcapng(pcapng) => pcapng.walk(window, span, records),
        }
    }
}
