//! Shared parts of the walkers of the two capture formats. A walker reads a window of bytes and appends records that point into it; it does
//! not know where the bytes come from.

use super::error::CaptureError;

/// Most bytes of one packet, as libpcap's MAXIMUM_SNAPLEN (pcap-int.h): a longer record is damage, not a packet.
pub const RECORD_BYTES_MAX: u32 = 262_144;

/// Most bytes that the records of one block span, so that a block with large packets stays small too.
pub const BLOCK_BYTES_MAX: usize = 1 << 20;

const _: () = assert!(RECORD_BYTES_MAX as usize + 64 < BLOCK_BYTES_MAX);

/// How far ahead of a walk bytes are prefetched: the processor's own prefetching stops at every page.
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
    /// The window ends within a record, or right after one; this many bytes are needed from there, as far as is known.
    NeedMore(usize),
    /// The next bytes cannot be read.
    Damaged(CaptureError),
    /// The header of another capture follows, in the other format.
    Header,
    /// The same, but the header cuts off the last record, which begins at this index and is not among the records.
    Cut(usize),
    /// Zeros follow instead of a record.
    Zeros,
}

/// The end of a walk.
#[derive(Debug)]
pub(super) struct Walked {
    /// Index in the window of the first byte that was not read.
    pub next: usize,
    /// Why the walk ended there.
    pub stop: Stop,
}
