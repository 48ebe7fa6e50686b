//! pcapng: sections, interfaces and the walk over the blocks (draft-ietf-opsawg-pcapng). Enhanced, simple and the obsolete packet blocks
//! become records; all other blocks hold no packet and are skipped. Packets are not interpreted here.

mod section;

use super::error::CaptureError;
use super::header::{BYTE_ORDER_MAGIC, SECTION_HEADER, in_the_middle};
use super::walk::{AHEAD_BYTES, BLOCK_BYTES_MAX, RECORD_BYTES_MAX, Stop, WalkLimits, Walked};
use crate::source::record::Record;
use section::{BLOCK_FRAME_BYTES, INTERFACE_DESCRIPTION, InterfaceDescription};
use section::{damaged, damaged_length, half, impossible, opened_section, word};
use teiten_aggregator::prefetch::prefetch;
use teiten_packet::decode::supported;

pub use section::PCAPNG_BLOCK_BYTES_MAX;

const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Bytes of an enhanced or obsolete packet block before the packet.
pub(super) const PACKET_HEADER_BYTES: usize = 28;
/// Bytes of a simple packet block before the packet.
const SIMPLE_HEADER_BYTES: usize = 12;

/// Most interfaces of a section, far more than any machine has: their descriptions are kept in memory.
pub const PCAPNG_INTERFACES_MAX: usize = 65_536;

/// Maximum bytes of a block whose records begin within [`BLOCK_BYTES_MAX`] of each other: offsets have 32 bits. As many bytes of pcapng
/// blocks without packets may precede the first.
const _: () = assert!(
    (BLOCK_BYTES_MAX + RECORD_BYTES_MAX as usize + PCAPNG_BLOCK_BYTES_MAX as usize) as u64
        <= u32::MAX as u64
);

/// The state of reading a pcapng.
#[derive(Debug)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<InterfaceDescription>,
    last_time_us: i64,
    /// Stays set in later sections: a block may hold records of several.
    has_unsupported: bool,
}

/// The result of reading one block.
enum BlockOutcome {
    /// A record; its packet's first byte has this index in the block.
    Packet(Record, usize),
    /// No packet.
    Passed,
}

impl Pcapng {
    /// The state before the first section.
    pub(super) fn new() -> Self {
        Pcapng {
            big_endian: false,
            interfaces: Vec::new(),
            last_time_us: 0,
            has_unsupported: false,
        }
    }

    /// See [`super::walker::Walker::has_unsupported`].
    pub(super) fn has_unsupported(&self) -> bool {
        self.has_unsupported
    }

    /// Appends records; see [`super::walker::Walker::walk`].
    pub(super) fn walk(
        &mut self,
        window: &[u8],
        span: WalkLimits,
        records: &mut Vec<Record>,
    ) -> Walked {
        let mut at = span.from;
        while records.len() < span.records_max {
            let step = if self.big_endian {
                self.step::<true>(window, &mut at, span, records)
            } else {
                self.step::<false>(window, &mut at, span, records)
            };
            if let Some(stop) = step {
                return Walked { next: at, stop };
            }
        }
        let stop = Stop::Full;
        Walked { next: at, stop }
    }

    /// Reads blocks as long as the byte order stays the same; `None` when it may have changed or there are enough records.
    fn step<const BIG: bool>(
        &mut self,
        window: &[u8],
        at: &mut usize,
        span: WalkLimits,
        records: &mut Vec<Record>,
    ) -> Option<Stop> {
        while records.len() < span.records_max {
            let rest = window.get(*at..).unwrap_or_default();
            prefetch(window, *at + AHEAD_BYTES);
            let Some(frame) = rest.first_chunk::<BLOCK_FRAME_BYTES>() else {
                return Some(Stop::NeedMore(BLOCK_FRAME_BYTES));
            };
            let block_type = word::<BIG>(frame, 0);
            if block_type == SECTION_HEADER {
                return self.section(rest, at);
            }
            let length_bytes = word::<BIG>(frame, 4);
            if let Some(reason) = impossible(length_bytes) {
                if let Some(stop) = in_the_middle(rest) {
                    return Some(stop);
                }
                return Some(damaged_length(block_type, length_bytes, reason));
            }
            let Some(block) = rest.get(..length_bytes as usize) else {
                return Some(Stop::NeedMore(length_bytes as usize));
            };
            if word::<BIG>(block, block.len() - 4) != length_bytes {
                return Some(damaged_length(
                    block_type,
                    length_bytes,
                    "the length at its end differs",
                ));
            }
            // Also without a record so far: blocks of other kinds may go on for gigabytes, and offsets have 32 bits.
            if *at + block.len() - span.from > BLOCK_BYTES_MAX && *at > span.from {
                return Some(Stop::Full);
            }
            match self.block::<BIG>(block_type, block) {
                Ok(BlockOutcome::Packet(record, data)) => records.push(Record {
                    offset: (*at + data - span.origin) as u32,
                    ..record
                }),
                Ok(BlockOutcome::Passed) => {}
                Err(damage) => return Some(Stop::Damaged(damage)),
            }
            *at += block.len();
        }
        None
    }

    #[inline]
    fn block<const BIG: bool>(
        &mut self,
        block_type: u32,
        block: &[u8],
    ) -> Result<BlockOutcome, CaptureError> {
        match block_type {
            ENHANCED_PACKET => {
                let header = packet_header(block_type, block)?;
                self.packet::<BIG>(block_type, block, header, word::<BIG>(header, 8))
            }
            OBSOLETE_PACKET => {
                let header = packet_header(block_type, block)?;
                let interface = half::<BIG>(header, 8);
                self.packet::<BIG>(block_type, block, header, u32::from(interface))
            }
            SIMPLE_PACKET => self.simple_packet::<BIG>(block),
            INTERFACE_DESCRIPTION => {
                if self.interfaces.len() >= PCAPNG_INTERFACES_MAX {
                    return Err(damaged(block_type, "too many interfaces in one section"));
                }
                let interface = InterfaceDescription::from_block::<BIG>(block)?;
                self.has_unsupported |= !supported(interface.link_type);
                self.interfaces.push(interface);
                Ok(BlockOutcome::Passed)
            }
            _ => Ok(BlockOutcome::Passed),
        }
    }

    /// An enhanced packet block, or an obsolete one: they differ in the interface's number only.
    #[inline]
    fn packet<const BIG: bool>(
        &mut self,
        block_type: u32,
        block: &[u8],
        header: &[u8; PACKET_HEADER_BYTES],
        interface: u32,
    ) -> Result<BlockOutcome, CaptureError> {
        let Some(interface) = self.interfaces.get(interface as usize) else {
            return Err(damaged(block_type, "its interface was not described"));
        };
        let captured_bytes = word::<BIG>(header, 20);
        if captured_bytes as usize > block.len() - PACKET_HEADER_BYTES - 4 {
            return Err(damaged(block_type, "the packet is longer than the block"));
        }
        let ticks = u64::from(word::<BIG>(header, 12)) << 32 | u64::from(word::<BIG>(header, 16));
        let time_us = interface.clock.time_us(ticks);
        self.last_time_us = time_us;
        let record = Record {
            time_us,
            nanoseconds: 0,
            offset: 0,
            captured_bytes: checked_length(captured_bytes)?,
            wire_bytes: word::<BIG>(header, 24),
            link_type: interface.link_type,
        };
        Ok(BlockOutcome::Packet(record, PACKET_HEADER_BYTES))
    }

    /// A simple packet block has no time of its own and takes that of the packet before it.
    fn simple_packet<const BIG: bool>(&self, block: &[u8]) -> Result<BlockOutcome, CaptureError> {
        let Some(interface) = self.interfaces.first() else {
            return Err(damaged(SIMPLE_PACKET, "its section describes no interface"));
        };
        if block.len() < SIMPLE_HEADER_BYTES + 4 {
            return Err(damaged(SIMPLE_PACKET, "it is too short"));
        }
        let wire_bytes = word::<BIG>(block, 8);
        let snapped_bytes = match interface.snap_length_bytes {
            0 => wire_bytes,
            snap_length_bytes => wire_bytes.min(snap_length_bytes),
        };
        let room_bytes = (block.len() - SIMPLE_HEADER_BYTES - 4) as u32;
        let record = Record {
            time_us: self.last_time_us,
            nanoseconds: 0,
            offset: 0,
            captured_bytes: checked_length(snapped_bytes.min(room_bytes))?,
            wire_bytes,
            link_type: interface.link_type,
        };
        Ok(BlockOutcome::Packet(record, SIMPLE_HEADER_BYTES))
    }

    /// A section header: sets the byte order and forgets the interfaces. Moves `at` past it.
    fn section(&mut self, rest: &[u8], at: &mut usize) -> Option<Stop> {
        let big_endian = match word::<true>(rest, 8) {
            BYTE_ORDER_MAGIC => true,
            magic if magic.swap_bytes() == BYTE_ORDER_MAGIC => false,
            _ => {
                return Some(Stop::Damaged(damaged(
                    SECTION_HEADER,
                    "its byte-order magic is wrong",
                )));
            }
        };
        let opened = if big_endian {
            opened_section::<true>(rest)
        } else {
            opened_section::<false>(rest)
        };
        match opened {
            Ok(length_bytes) => {
                self.big_endian = big_endian;
                self.interfaces.clear();
                *at += length_bytes;
                None
            }
            Err(stop) => Some(stop),
        }
    }
}

#[inline]
fn packet_header(
    block_type: u32,
    block: &[u8],
) -> Result<&[u8; PACKET_HEADER_BYTES], CaptureError> {
    if block.len() < PACKET_HEADER_BYTES + 4 {
        return Err(damaged(block_type, "it is too short"));
    }
    block
        .first_chunk()
        .ok_or_else(|| damaged(block_type, "it is too short"))
}

#[inline]
fn checked_length(captured_bytes: u32) -> Result<u32, CaptureError> {
    if captured_bytes > RECORD_BYTES_MAX {
        return Err(CaptureError::RecordTooLong {
            captured_bytes,
            limit_bytes: RECORD_BYTES_MAX,
        });
    }
    Ok(captured_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::sample::PcapngBuilder;
    use super::*;
    use crate::source::block::BLOCK_RECORDS_MAX;

    fn walked(bytes: &[u8]) -> (Vec<Record>, Walked) {
        let mut records = Vec::new();
        let span = WalkLimits {
            from: 0,
            origin: 0,
            records_max: BLOCK_RECORDS_MAX,
        };
        let walked = Pcapng::new().walk(bytes, span, &mut records);
        (records, walked)
    }

    #[test]
    fn sections_of_both_byte_orders_follow_each_other() {
        let bytes = PcapngBuilder::new(false)
            .section()
            .interface(1, 0, &[])
            .enhanced(0, 5_000_000, b"little")
            .byte_order(true)
            .section()
            .interface(101, 0, &[])
            .enhanced(0, 6_000_000, b"big!")
            .build();
        let (records, walked) = walked(&bytes);
        assert!(matches!(walked.stop, Stop::NeedMore(_)));
        assert_eq!(walked.next, bytes.len());
        let seen: Vec<(i64, u16, &[u8])> = records
            .iter()
            .map(|record| {
                let data = &bytes[record.offset as usize..][..record.captured_bytes as usize];
                (record.time_us, record.link_type.0, data)
            })
            .collect();
        assert_eq!(
            seen,
            [
                (5_000_000, 1, &b"little"[..]),
                (6_000_000, 101, &b"big!"[..])
            ]
        );
    }

    #[test]
    fn a_block_does_not_begin_far_before_its_first_packet() {
        let mut builder = PcapngBuilder::new(false);
        builder.section().interface(101, 0, &[]);
        let large = vec![0; 1 << 20];
        for _ in 0..5 {
            builder.block(0x0bad, &large);
        }
        let bytes = builder.enhanced(0, 6_000_000, b"packet").build();
        let mut walker = Pcapng::new();
        let (mut from, mut records) = (0, Vec::new());
        while records.is_empty() {
            let span = WalkLimits {
                from,
                origin: from,
                records_max: BLOCK_RECORDS_MAX,
            };
            let walked = walker.walk(&bytes, span, &mut records);
            assert!(walked.next > from, "it goes on");
            assert!(walked.next - from <= 2 * BLOCK_BYTES_MAX);
            from = walked.next;
        }
        assert_eq!(from, bytes.len());
        assert!((records[0].offset as usize) < BLOCK_BYTES_MAX + 64);
    }

    #[test]
    fn each_interface_has_its_resolution_and_offset() {
        for big_endian in [false, true] {
            let offset: [u8; 8] = if big_endian {
                10i64.to_be_bytes()
            } else {
                10i64.to_le_bytes()
            };
            let bytes = PcapngBuilder::new(big_endian)
                .section()
                .interface(1, 0, &[(9, &[9])])
                .interface(1, 0, &[(9, &[0x80 | 10]), (14, &offset)])
                .enhanced(0, 1_234_567_891, b"a")
                .enhanced(1, 2 << 10, b"b")
                .obsolete(0, 3_000_000_000, b"c")
                .build();
            let times: Vec<i64> = walked(&bytes)
                .0
                .iter()
                .map(|record| record.time_us)
                .collect();
            assert_eq!(times, [1_234_567, 12_000_000, 3_000_000]);
        }
    }

    #[test]
    fn a_simple_packet_takes_the_time_before_it_and_the_snap_length() {
        let bytes = PcapngBuilder::new(false)
            .section()
            .interface(1, 4, &[])
            .simple(9, b"1234")
            .enhanced(0, 77, b"x")
            .simple(3, b"123")
            .build();
        let seen: Vec<(i64, u32, u32)> = walked(&bytes)
            .0
            .iter()
            .map(|record| (record.time_us, record.captured_bytes, record.wire_bytes))
            .collect();
        assert_eq!(seen, [(0, 4, 9), (77, 1, 1), (77, 3, 3)]);
    }

    #[test]
    fn other_blocks_are_passed_over() {
        let bytes = PcapngBuilder::new(true)
            .section()
            .interface(1, 0, &[])
            .block(5, &[0; 12])
            .block(0x0bad, &[1; 20])
            .enhanced(0, 1, b"x")
            .build();
        assert_eq!(walked(&bytes).0.len(), 1);
    }

    #[test]
    fn a_packet_of_an_unknown_interface_is_damage() {
        let bytes = PcapngBuilder::new(false)
            .section()
            .interface(1, 0, &[])
            .enhanced(0, 1, b"x")
            .section()
            .enhanced(0, 1, b"x")
            .build();
        let (records, walked) = walked(&bytes);
        assert_eq!(records.len(), 1);
        assert!(matches!(
            walked.stop,
            Stop::Damaged(CaptureError::Block { .. })
        ));
    }

    #[test]
    fn impossible_lengths_are_damage() {
        for length_bytes in [0u32, 8, 13, PCAPNG_BLOCK_BYTES_MAX + 4] {
            let mut bytes = PcapngBuilder::new(false)
                .section()
                .block(5, &[0; 8])
                .build();
            let at = bytes.len() - 16;
            bytes[at..at + 4].copy_from_slice(&length_bytes.to_le_bytes());
            let stop = walked(&bytes).1.stop;
            assert!(
                matches!(stop, Stop::Damaged(CaptureError::BlockLength { .. })),
                "{stop:?}"
            );
        }
    }

    #[test]
    fn an_option_that_overruns_its_section_header_is_damage() {
        let bytes = PcapngBuilder::new(false)
            .section_with(&[(2, b"abcd")])
            .build();
        let mut long = bytes.clone();
        long[26] = 60;
        assert!(matches!(walked(&bytes).1.stop, Stop::NeedMore(_)));
        assert!(matches!(walked(&long).1.stop, Stop::Damaged(_)));
    }
}
