//! Walking from record to record: what the walkers of the two capture formats have in common. A walker sees a window of bytes
//! and appends records that point into it; where the bytes come from, and where more of them may be had, it must not know.

use super::error::CaptureError;

/// Most bytes of one packet, as libpcap's MAXIMUM_SNAPLEN (pcap-int.h): a longer record is damage, not a packet.
pub const RECORD_BYTES_MAX: u32 = 262_144;

/// Most bytes that the records of one block span, so that a block stays small whatever its packets are.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;

const _: () = assert!(RECORD_BYTES_MAX as usize + 64 < BLOCK_BYTES_MAX);

/// How far ahead of a walk the bytes are asked for: the processor's own reading ahead ends at every page.
pub(super) const AHEAD_BYTES: usize = 2048;

/// How far a block may grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkLimits {
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
