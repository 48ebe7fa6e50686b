//! Which worker gets which packet: a source's packets go to one worker as long as that keeps all of them busy.
//!
//! The tables do not depend on it: rows of one source from several workers are merged when the hour closes. Sharding by source saves that
//! merge and the memory of duplicate rows. Only the source address of a plain frame is read; other frames go to the least busy worker.

use std::hash::{BuildHasher, RandomState};

use crate::source::block::{BLOCK_RECORDS_MAX, Block};
use crate::source::record::Record;
use teiten_packet::LinkType;

/// The link type of Ethernet.
const ETHERNET: LinkType = LinkType(1);
/// The offsets of the type and of the source addresses in a plain Ethernet frame.
const TYPE: std::ops::Range<usize> = 12..14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const IPV4_SOURCE: usize = 26;
const IPV6_SOURCE: usize = 22;

/// Numbers of packets within their block.
pub(super) type Picks = Vec<u16>;
const _: () = assert!(BLOCK_RECORDS_MAX <= 1 << u16::BITS);

/// Spreads packets over workers.
#[derive(Debug)]
pub(super) struct Dealer {
    workers: usize,
    /// Seeded, so that sources cannot be chosen to meet at one worker.
    seed: u64,
}

impl Dealer {
    /// For so many workers.
    #[must_use]
    pub(super) fn new(workers: usize) -> Self {
        Dealer {
            workers,
            seed: RandomState::new().hash_one(0u8) | 1,
        }
    }

    /// The packets of `range` for each worker, and at the end those for any.
    #[must_use]
    pub(super) fn deal(&self, block: &Block, range: std::ops::Range<usize>) -> Vec<Picks> {
        let bytes = block.bytes();
        let room = range.len() / self.workers + range.len() / 8;
        let mut picks: Vec<Picks> = (0..self.workers)
            .map(|_| Vec::with_capacity(room))
            .collect();
        picks.push(Vec::new());
        for index in range {
            let worker = match source_word(bytes, &block.records[index]) {
                Some(word) => self.worker(word),
                None => self.workers,
            };
            picks[worker].push(index as u16);
        }
        picks
    }

    #[inline(always)]
    fn worker(&self, word: u32) -> usize {
        let mixed = u64::from(word).wrapping_mul(self.seed) ^ self.seed >> 32;
        let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((hash * self.workers as u64) >> 32) as usize
    }
}

/// A word that is the same for all packets of a source; `None` if finding it would need decoding.
#[inline(always)]
fn source_word(bytes: &[u8], record: &Record) -> Option<u32> {
    let start = record.offset as usize;
    let captured = &bytes[start..start + record.captured_bytes as usize];
    let word = |at: usize| {
        let word = captured.get(at..at + 4)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*word))
    };
    if record.link_type != ETHERNET {
        return None;
    }
    let ether_type = captured.get(TYPE)?;
    if ether_type == IPV4 {
        word(IPV4_SOURCE)
    } else if ether_type == IPV6 {
        Some(word(IPV6_SOURCE)? ^ word(IPV6_SOURCE + 4)? ^ word(IPV6_SOURCE + 12)?)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::block::BlockBytes;
    use teiten_packet::samples::{ethernet, ipv4_packet, ipv6_packet};

    fn block(frames: &[Vec<u8>]) -> Block {
        let mut block = Block::empty();
        let mut bytes = Vec::new();
        for frame in frames {
            block.records.push(Record {
                time_us: 0,
                nanoseconds: 0,
                offset: bytes.len() as u32,
                captured_bytes: frame.len() as u32,
                wire_bytes: frame.len() as u32,
                link_type: ETHERNET,
            });
            bytes.extend_from_slice(frame);
        }
        block.bytes = BlockBytes::Owned(bytes);
        block
    }

    #[test]
    fn every_packet_goes_to_one_worker_and_those_of_a_source_to_the_same() {
        let mut frames = Vec::new();
        for number in 0..300u16 {
            let mut frame = ethernet(0x0800, &ipv4_packet(6, &[0; 20]));
            frame[28..30].copy_from_slice(&(number % 100).to_be_bytes());
            frames.push(frame);
            let mut frame = ethernet(0x86dd, &ipv6_packet(6, &[0; 20]));
            frame[36..38].copy_from_slice(&(number % 100).to_be_bytes());
            frames.push(frame);
            frames.push(ethernet(0x0806, &[0; 28]));
            frames.push(vec![1, 2, 3]);
        }
        let block = block(&frames);
        for workers in [1, 2, 5] {
            let picks = Dealer::new(workers).deal(&block, 4..frames.len());
            assert_eq!(picks.len(), workers + 1);
            let mut all: Vec<u16> = picks.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(4..frames.len() as u16));
            assert!(picks[workers].iter().all(|pick| pick % 4 > 1));
            let of = |pick: u16| picks.iter().position(|picks| picks.contains(&pick));
            for pick in [4u16, 5, 40, 81] {
                assert_eq!(of(pick), of(pick + 400));
            }
            assert!(picks[..workers].iter().all(|picks| !picks.is_empty()));
        }
    }
}
