//! Packets as a source hands them over: a block of bytes and a list of records into it. Nothing here reads or interprets bytes.

use std::sync::Arc;

use teiten_packet::{Frame, LinkType};

use super::RingBlock;

/// One captured packet inside a [`Block`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Time of capture, microseconds since 1970-01-01 UTC; finer resolutions are cut off.
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

/// The bytes that records point into.
#[derive(Debug)]
pub enum BlockBytes {
    /// A window of a mapped file: (file, first byte, length).
    Mapped(Arc<memmap2::Mmap>, usize, usize),
    /// Bytes of the block's own.
    Owned(Vec<u8>),
    /// A block of a capture's ring, which goes back to the kernel when this is dropped.
    Ring(RingBlock),
}

/// A batch of packets in the order of their input.
#[derive(Debug)]
pub struct Block {
    /// The bytes.
    pub bytes: BlockBytes,
    /// The packets, in input order.
    pub records: Vec<Record>,
}

/// Most records in a block: small enough that a block's headers stay in the second-level cache.
pub const BLOCK_RECORDS_MAX: usize = 4096;

impl Block {
    /// A block without packets.
    #[must_use]
    pub fn empty() -> Self {
        Block {
            bytes: BlockBytes::Owned(Vec::new()),
            records: Vec::new(),
        }
    }

    /// All bytes of the block.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            BlockBytes::Mapped(file, start, length) => &file[*start..*start + *length],
            BlockBytes::Owned(bytes) => bytes,
            BlockBytes::Ring(block) => block.bytes(),
        }
    }

    /// The block without packets, for reuse: what was lent to it goes back.
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.records.clear();
        if !matches!(self.bytes, BlockBytes::Owned(_)) {
            self.bytes = BlockBytes::Owned(Vec::new());
        }
        self
    }
}
