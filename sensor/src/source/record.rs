//! One captured packet, as its place in a block of bytes.

use teiten_packet::{Frame, LinkType};

/// The time of a packet with an implausible time: before all others, so that it closes no hour.
pub const NO_TIME_US: i64 = i64::MIN;

/// One captured packet inside a [`Block`](super::block::Block).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Time of capture, microseconds since 1970-01-01 UTC; finer resolutions are cut off. [`NO_TIME_US`] if it is implausible.
    pub time_us: i64,
    /// Nanoseconds beyond `time_us`, 0 to 999, of packets from a ring, which may be kept as files; 0 from any other source.
    pub nanoseconds: u16,
    /// First byte of the packet within the block's bytes.
    pub offset: u32,
    /// Bytes captured.
    pub captured_bytes: u32,
    /// Length on the wire, bytes.
    pub wire_bytes: u32,
    /// What the packet's first header is.
    pub link_type: LinkType,
}

const _: () = assert!(size_of::<Record>() == 24);

impl Record {
    /// The packet's bytes, `bytes` being those of its block.
    #[inline(always)]
    #[must_use]
    pub fn captured<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.offset as usize;
        &bytes[start..start + self.captured_bytes as usize]
    }

    /// The packet as it is judged, `bytes` being those of its block.
    #[inline(always)]
    #[must_use]
    pub fn frame<'a>(&self, bytes: &'a [u8]) -> Frame<'a> {
        Frame {
            link_type: self.link_type,
            captured: self.captured(bytes),
            wire_bytes: self.wire_bytes,
        }
    }
}
