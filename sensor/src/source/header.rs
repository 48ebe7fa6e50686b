//! The beginning of a capture: the file header of a pcap (draft-ietf-opsawg-pcap) and the section header of a pcapng
//! (draft-ietf-opsawg-pcapng). The walkers of both formats also ask here whether another capture begins where they expect a record.

use super::error::CaptureError;
use super::format::first_bytes;
use super::walk::Stop;
use teiten_packet::LinkType;

/// Bytes of a file's header.
pub(super) const FILE_HEADER_BYTES: usize = 24;
/// Bytes of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 16;
/// Bytes of a record's header in the modified variant: interface, protocol and packet type follow (libpcap, sf-pcap.c).
const MODIFIED_RECORD_HEADER_BYTES: usize = 24;

/// The first four bytes of a pcapng: the type of a section header block, the same in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// The number that shows a section's byte order.
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// This many zero bytes, or zeros to the end, are no records; fewer may be empty records, which damaged captures hold.
const ZEROS_BYTES: usize = 2048;

/// The magic numbers: (as read, nanoseconds, bytes of a record's header).
const MAGICS: &[(u32, bool, usize)] = &[
    (0xa1b2_c3d4, false, RECORD_HEADER_BYTES),
    (0xa1b2_3c4d, true, RECORD_HEADER_BYTES),
    (0xa1b2_cd34, false, MODIFIED_RECORD_HEADER_BYTES),
];

/// Files before version 2.3 keep the two lengths of a record the other way round, and some of 2.3 do (libpcap, sf-pcap.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthOrder {
    CapturedFirst,
    WireFirst,
    SmallerIsCaptured,
}

impl LengthOrder {
    /// (captured, wire) from the two lengths of a record's header.
    pub(super) fn lengths(self, first: u32, second: u32) -> (u32, u32) {
        match self {
            LengthOrder::CapturedFirst => (first, second),
            LengthOrder::WireFirst => (second, first),
            LengthOrder::SmallerIsCaptured => (first.min(second), first.max(second)),
        }
    }
}

/// The fields of a pcap's file header.
#[derive(Clone, Copy, Debug)]
pub(super) struct PcapHeader {
    pub(super) big_endian: bool,
    pub(super) nanoseconds: bool,
    pub(super) record_header_bytes: usize,
    pub(super) length_order: LengthOrder,
    pub(super) link_type: LinkType,
}

impl PcapHeader {
    /// Reads the [`FILE_HEADER_BYTES`] at the start of `head`.
    pub(super) fn read(head: &[u8]) -> Result<PcapHeader, CaptureError> {
        let unknown = || CaptureError::NotACapture {
            first_bytes: first_bytes(head),
            inside: None,
        };
        let magic = *head.first_chunk::<4>().ok_or_else(unknown)?;
        let find = |number: u32| MAGICS.iter().find(|(magic, _, _)| *magic == number);
        let (big_endian, &(_, nanoseconds, record_header_bytes)) = match (
            find(u32::from_be_bytes(magic)),
            find(u32::from_le_bytes(magic)),
        ) {
            (Some(row), _) => (true, row),
            (None, Some(row)) => (false, row),
            (None, None) => return Err(unknown()),
        };
        let Some(header) = head.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err(CaptureError::BreaksOff {
                missing_bytes: FILE_HEADER_BYTES - head.len(),
            });
        };
        let versions = (
            number(&header[4..], big_endian),
            number(&header[6..], big_endian),
        );
        Ok(PcapHeader {
            big_endian,
            nanoseconds,
            record_header_bytes,
            length_order: length_order(versions.0, versions.1)?,
            // The upper half holds the length of a frame check sequence and reserved bits.
            link_type: LinkType(number(
                &header[if big_endian { 22 } else { 20 }..],
                big_endian,
            )),
        })
    }
}

/// Whether `head` is the beginning of a pcapng.
pub(super) fn starts_pcapng(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_be_bytes())
}

/// Whether `head`, which [`starts_pcapng`], continues with a section's byte-order magic.
fn has_byte_order(head: &[u8]) -> bool {
    let magic = head.get(8..12).and_then(|bytes| bytes.first_chunk::<4>());
    magic.is_some_and(|&magic| {
        [
            BYTE_ORDER_MAGIC.to_be_bytes(),
            BYTE_ORDER_MAGIC.to_le_bytes(),
        ]
        .contains(&magic)
    })
}

/// Whether `rest`, at the place of a record, is the header of another capture or zeros. As a record, a pcap's header would be of the second
/// that the magic number spells, in 2055 or later, and have no bytes; a pcapng's byte-order magic exceeds any packet's length.
pub(super) fn in_the_middle(rest: &[u8]) -> Option<Stop> {
    let head = &rest[..rest.len().min(ZEROS_BYTES)];
    if head.iter().all(|&byte| byte == 0) {
        return Some(match head.len() {
            ZEROS_BYTES => Stop::Zeros,
            _ => Stop::NeedMore(ZEROS_BYTES),
        });
    }
    if starts_pcapng(rest) {
        return has_byte_order(rest).then_some(Stop::Header);
    }
    let is_whole = rest.len() >= FILE_HEADER_BYTES;
    match PcapHeader::read(rest) {
        Ok(_) if rest[8..16].iter().all(|&byte| byte == 0) => Some(Stop::Header),
        Err(CaptureError::BreaksOff { .. }) if !is_whole => Some(Stop::NeedMore(FILE_HEADER_BYTES)),
        _ => None,
    }
}

/// The 16-bit number at the start of `bytes`, which has two bytes or more.
fn number(bytes: &[u8], big_endian: bool) -> u16 {
    let bytes = [bytes[0], bytes[1]];
    if big_endian {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    }
}

fn length_order(major: u16, minor: u16) -> Result<LengthOrder, CaptureError> {
    match (major, minor) {
        (2, 0..=2) => Ok(LengthOrder::WireFirst),
        (2, 3) => Ok(LengthOrder::SmallerIsCaptured),
        (2, _) => Ok(LengthOrder::CapturedFirst),
        _ => Err(CaptureError::UnknownVersion {
            format: "pcap",
            major,
            minor,
        }),
    }
}
