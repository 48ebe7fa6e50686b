//! Packets as a source hands them over: a block of bytes and a list of records into it. Nothing here reads or interprets bytes.

use std::ops::Range;
use std::sync::Arc;

use super::RingBlock;
use super::record::Record;

/// The bytes that records point into.
#[derive(Debug)]
pub enum BlockBytes {
    /// A window of a mapped file: (file, first byte, length).
    Mapped(Arc<memmap2::Mmap>, usize, usize),
    /// Bytes of the block's own.
    Owned(Vec<u8>),
    /// A block of a capture's ring; dropping it gives it back to the kernel.
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

    /// The emptied block, for reuse; borrowed bytes are given back.
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.records.clear();
        if !matches!(self.bytes, BlockBytes::Owned(_)) {
            self.bytes = BlockBytes::Owned(Vec::new());
        }
        self
    }

    /// Some of the records as a block of their own; `reuse` gives the memory: mapped bytes are shared, others copied.
    pub(super) fn piece(&self, records: Range<usize>, reuse: Block) -> Block {
        let block = self;
        let Block {
            bytes: reused,
            records: mut taken,
        } = reuse;
        taken.clear();
        taken.extend_from_slice(&block.records[records]);
        let bytes = match (&block.bytes, reused) {
            (BlockBytes::Mapped(file, start, length), _) => {
                BlockBytes::Mapped(Arc::clone(file), *start, *length)
            }
            (BlockBytes::Owned(_) | BlockBytes::Ring(_), reused) => {
                let bytes = block.bytes();
                let mut copy = match reused {
                    BlockBytes::Owned(bytes) => bytes,
                    BlockBytes::Mapped(..) | BlockBytes::Ring(_) => Vec::new(),
                };
                copy.clear();
                for record in &mut taken {
                    let from = record.offset as usize;
                    record.offset = copy.len() as u32;
                    copy.extend_from_slice(&bytes[from..from + record.captured_bytes as usize]);
                }
                BlockBytes::Owned(copy)
            }
        };
        Block {
            bytes,
            records: taken,
        }
    }
}
