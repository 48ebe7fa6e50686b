//! The packets of a ring's block (packet(7), the kernel's `packet_mmap.rst`): their places, their times, and the VLAN tags that the
//! interface removed. It works on bytes; `ring.rs` owns the blocks.

use crate::source::record::Record;
use teiten_packet::LinkType;

/// Bytes of an IEEE 802.1Q tag.
pub(super) const VLAN_TAG_BYTES: usize = 4;
/// Bytes of the two addresses before the tag.
const ETHERNET_ADDRESSES_BYTES: usize = 12;
/// The tag's type if the kernel does not give it (IEEE 802.1Q).
const VLAN_TYPE: u16 = 0x8100;
/// LINKTYPE_ETHERNET (<https://www.tcpdump.org/linktypes.html>).
const ETHERNET: LinkType = LinkType(1);

/// Appends the packets of a block, and puts back the VLAN tags that the interface removed. Although the kernel writes the block, every
/// access is bounds-checked.
pub(super) fn walk(bytes: &mut [u8], records: &mut Vec<Record>) {
    let field = |bytes: &[u8], offset: usize| -> Option<u32> {
        Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
    };
    let header = std::mem::offset_of!(libc::tpacket_block_desc, hdr);
    let count_at = header + std::mem::offset_of!(libc::tpacket_hdr_v1, num_pkts);
    let first_at = header + std::mem::offset_of!(libc::tpacket_hdr_v1, offset_to_first_pkt);
    let count = field(bytes, count_at).unwrap_or(0);
    let mut at = field(bytes, first_at).unwrap_or(0) as usize;
    records.reserve(count as usize);
    for _ in 0..count {
        let Some(packet) = Header::read(bytes, at) else {
            return;
        };
        let next = packet.next_offset as usize;
        if packet.packet_type != libc::PACKET_OUTGOING
            && let Some(record) = packet.record(at, bytes)
        {
            records.push(record);
        }
        if next == 0 {
            return;
        }
        at += next;
    }
}

/// The needed fields of a packet's header in the ring.
struct Header {
    next_offset: u32,
    seconds: u32,
    nanoseconds: u32,
    captured_bytes: u32,
    wire_bytes: u32,
    status: u32,
    packet_offset: u16,
    vlan_tag: u16,
    vlan_type: u16,
    packet_type: libc::c_uchar,
}

/// Offset of the packet's address, after its header (`packet_mmap.rst`).
const ADDRESS_AT: usize = size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
const HEADER_BYTES: usize = ADDRESS_AT + size_of::<libc::sockaddr_ll>();

impl Header {
    #[inline]
    fn read(bytes: &[u8], at: usize) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(at..)?.first_chunk()?;
        let word = |offset: usize| {
            u32::from_ne_bytes([
                bytes[offset],
                bytes[offset + 1],
                bytes[offset + 2],
                bytes[offset + 3],
            ])
        };
        let half = |offset: usize| u16::from_ne_bytes([bytes[offset], bytes[offset + 1]]);
        macro_rules! at {
            ($field:ident) => {
                std::mem::offset_of!(libc::tpacket3_hdr, $field)
            };
        }
        let vlan = at!(hv1);
        Some(Header {
            next_offset: word(at!(tp_next_offset)),
            seconds: word(at!(tp_sec)),
            nanoseconds: word(at!(tp_nsec)),
            captured_bytes: word(at!(tp_snaplen)),
            wire_bytes: word(at!(tp_len)),
            status: word(at!(tp_status)),
            packet_offset: half(at!(tp_mac)),
            vlan_tag: word(vlan + std::mem::offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tci))
                as u16,
            vlan_type: half(vlan + std::mem::offset_of!(libc::tpacket_hdr_variant1, tp_vlan_tpid)),
            packet_type: bytes[ADDRESS_AT + std::mem::offset_of!(libc::sockaddr_ll, sll_pkttype)],
        })
    }

    /// The record of the packet whose header is at `at`; `None` if it is not within the block.
    #[inline]
    fn record(&self, at: usize, bytes: &mut [u8]) -> Option<Record> {
        let mut offset = at + usize::from(self.packet_offset);
        let mut captured_bytes = self.captured_bytes;
        let mut wire_bytes = self.wire_bytes;
        bytes.get(offset..offset + captured_bytes as usize)?;
        if self.status & libc::TP_STATUS_VLAN_VALID != 0
            && captured_bytes as usize >= ETHERNET_ADDRESSES_BYTES
            && usize::from(self.packet_offset) >= HEADER_BYTES + VLAN_TAG_BYTES
        {
            self.put_tag_back(&mut bytes[offset - VLAN_TAG_BYTES..]);
            offset -= VLAN_TAG_BYTES;
            captured_bytes += VLAN_TAG_BYTES as u32;
            wire_bytes += VLAN_TAG_BYTES as u32;
        }
        Some(Record {
            time_us: i64::from(self.seconds) * 1_000_000 + i64::from(self.nanoseconds / 1000),
            nanoseconds: (self.nanoseconds % 1000) as u16,
            offset: offset as u32,
            captured_bytes,
            wire_bytes,
            link_type: ETHERNET,
        })
    }

    /// Moves the addresses forward into the free bytes before the packet, `bytes`, and writes the tag after them.
    #[cold]
    fn put_tag_back(&self, bytes: &mut [u8]) {
        let tag_type = match self.status & libc::TP_STATUS_VLAN_TPID_VALID {
            0 => VLAN_TYPE,
            _ => self.vlan_type,
        };
        bytes.copy_within(VLAN_TAG_BYTES..VLAN_TAG_BYTES + ETHERNET_ADDRESSES_BYTES, 0);
        let tag = &mut bytes[ETHERNET_ADDRESSES_BYTES..ETHERNET_ADDRESSES_BYTES + VLAN_TAG_BYTES];
        tag[..2].copy_from_slice(&tag_type.to_be_bytes());
        tag[2..].copy_from_slice(&self.vlan_tag.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of one packet as the kernel lays it out, of this status, tag and packet type.
    fn block(status: u32, tag: u32, packet_type: u8, packet: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 48 + 128 + packet.len()];
        let mut word = |at: usize, value: u32| {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        };
        // Of struct tpacket_block_desc: packets, and the first one's place.
        word(12, 1);
        word(16, 48);
        // Of struct tpacket3_hdr: seconds, nanoseconds, lengths, status, offset of the packet, tag and its type.
        for (at, value) in [
            (4, 1_700_000_000),
            (8, 123_456_789),
            (12, packet.len() as u32),
            (16, 1000),
            (20, status),
            (24, 86),
            (32, tag),
            (36, 0x88a8),
        ] {
            word(48 + at, value);
        }
        bytes[48 + 48 + 10] = packet_type;
        bytes[48 + 86..48 + 86 + packet.len()].copy_from_slice(packet);
        bytes
    }

    fn walked(status: u32, tag: u32, packet_type: u8) -> Option<(Record, Vec<u8>)> {
        let packet: Vec<u8> = (0..60).collect();
        let mut bytes = block(status, tag, packet_type, &packet);
        let mut records = Vec::new();
        walk(&mut bytes, &mut records);
        let record = *records.first()?;
        let captured = &bytes[record.offset as usize..][..record.captured_bytes as usize];
        Some((record, captured.to_vec()))
    }

    #[test]
    fn a_packet_lies_where_its_header_says() {
        let (record, captured) = walked(1, 0, 0).expect("a packet");
        assert_eq!(captured, (0..60).collect::<Vec<u8>>());
        assert_eq!(record.time_us, 1_700_000_000_123_456);
        assert_eq!(record.nanoseconds, 789);
        assert_eq!(record.wire_bytes, 1000);
    }

    #[test]
    fn a_tag_that_was_taken_off_is_put_back_with_its_type() {
        for (status, expected) in [
            (libc::TP_STATUS_VLAN_VALID, [0x81, 0, 0x20, 7]),
            (
                libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID,
                [0x88, 0xa8, 0x20, 7],
            ),
        ] {
            let (record, captured) = walked(1 | status, 0x2007, 0).expect("a packet");
            let mut whole: Vec<u8> = (0..60).collect();
            whole.splice(12..12, expected);
            assert_eq!(captured, whole);
            assert_eq!(record.wire_bytes, 1004);
        }
    }

    #[test]
    fn own_packets_and_broken_blocks_give_nothing() {
        assert!(walked(1, 0, libc::PACKET_OUTGOING).is_none());
        let mut records = Vec::new();
        let packet = [0; 60];
        let whole = block(1, 0, 0, &packet);
        for length in 0..whole.len() {
            walk(&mut whole[..length].to_vec(), &mut records);
        }
        // Only the last cuts leave the packet whole: room behind it belongs to the block.
        assert!(records.len() <= whole.len() - (48 + 86 + packet.len()));
    }
}
