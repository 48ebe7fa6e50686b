//! The framing of a pcapng: numbers in either byte order, the rules for blocks' lengths, section headers, interface descriptions and their
//! options. Packets are not read here.

use super::super::clock::Clock;
use super::super::error::CaptureError;
use super::super::header::SECTION_HEADER;
use super::super::walk::Stop;
use teiten_packet::LinkType;

pub(super) const INTERFACE_DESCRIPTION: u32 = 1;

const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// Bytes of a block besides its body: type, length and length again.
pub(super) const BLOCK_FRAME_BYTES: usize = 12;
/// Bytes of a section header before its options.
const SECTION_HEADER_BYTES: usize = 24;
/// Bytes of an interface description before its options.
const INTERFACE_HEADER_BYTES: usize = 16;

/// Most bytes of a block, as libpcap's limit (sf-pcapng.c, 16 MiB): longer ones are damage.
pub const PCAPNG_BLOCK_BYTES_MAX: u32 = 16 << 20;

/// What an interface description says.
#[derive(Clone, Copy, Debug)]
pub(super) struct InterfaceDescription {
    pub link_type: LinkType,
    pub snap_length_bytes: u32,
    pub clock: Clock,
}

impl InterfaceDescription {
    /// Reads an interface description block.
    pub(super) fn from_block<const BIG: bool>(
        block: &[u8],
    ) -> Result<InterfaceDescription, CaptureError> {
        if block.len() < INTERFACE_HEADER_BYTES + 4 {
            return Err(damaged(INTERFACE_DESCRIPTION, "it is too short"));
        }
        let mut clock = Clock::default();
        let options = &block[INTERFACE_HEADER_BYTES..block.len() - 4];
        each_option::<BIG>(options, |code, value| match (code, value) {
            (OPTION_TIME_RESOLUTION, &[resolution, ..]) => {
                clock = clock.with_resolution(resolution);
            }
            (OPTION_TIME_OFFSET, value) => {
                if let Some(&bytes) = value.first_chunk::<8>() {
                    let bytes = if BIG { bytes } else { reversed(bytes) };
                    clock = clock.with_offset(i64::from_be_bytes(bytes));
                }
            }
            _ => {}
        })
        .map_err(|reason| damaged(INTERFACE_DESCRIPTION, reason))?;
        Ok(InterfaceDescription {
            link_type: LinkType(half::<BIG>(block, 8)),
            snap_length_bytes: word::<BIG>(block, 12),
            clock,
        })
    }
}

/// The length of the section header block at the start of `rest`, which holds at least a block's frame.
pub(super) fn opened_section<const BIG: bool>(rest: &[u8]) -> Result<usize, Stop> {
    let length_bytes = word::<BIG>(rest, 4);
    if let Some(reason) = impossible(length_bytes) {
        return Err(damaged_length(SECTION_HEADER, length_bytes, reason));
    }
    let Some(block) = rest.get(..length_bytes as usize) else {
        return Err(Stop::NeedMore(length_bytes as usize));
    };
    if block.len() < SECTION_HEADER_BYTES + 4 {
        return Err(damaged_length(SECTION_HEADER, length_bytes, "too short"));
    }
    if word::<BIG>(block, block.len() - 4) != length_bytes {
        return Err(damaged_length(
            SECTION_HEADER,
            length_bytes,
            "the length at its end differs",
        ));
    }
    // Minor version 2 has the same layout (draft-ietf-opsawg-pcapng, section 4.1).
    match (half::<BIG>(block, 12), half::<BIG>(block, 14)) {
        (1, 0 | 2) => {}
        (major, minor) => {
            return Err(Stop::Damaged(CaptureError::UnknownVersion {
                format: "pcapng",
                major,
                minor,
            }));
        }
    }
    let options = &block[SECTION_HEADER_BYTES..block.len() - 4];
    each_option::<BIG>(options, |_, _| {})
        .map_err(|reason| Stop::Damaged(damaged(SECTION_HEADER, reason)))?;
    Ok(block.len())
}

/// Calls `take` with each option as (code, value).
pub(super) fn each_option<const BIG: bool>(
    mut options: &[u8],
    mut take: impl FnMut(u16, &[u8]),
) -> Result<(), &'static str> {
    while options.len() >= 4 {
        let code = half::<BIG>(options, 0);
        let length_bytes = usize::from(half::<BIG>(options, 2));
        if code == OPTION_END {
            return Ok(());
        }
        let value = options
            .get(4..4 + length_bytes)
            .ok_or("an option is longer than the block")?;
        take(code, value);
        options = options
            .get(4 + length_bytes.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Ok(())
}

/// Why a block's length is impossible, if it is.
#[inline]
pub(super) fn impossible(length_bytes: u32) -> Option<&'static str> {
    if (length_bytes as usize) < BLOCK_FRAME_BYTES {
        Some("too short for a block")
    } else if length_bytes > PCAPNG_BLOCK_BYTES_MAX {
        Some("longer than a block may be")
    } else if !length_bytes.is_multiple_of(4) {
        Some("not a multiple of four")
    } else {
        None
    }
}

#[cold]
pub(super) fn damaged(block_type: u32, reason: &'static str) -> CaptureError {
    CaptureError::Block { block_type, reason }
}

#[cold]
pub(super) fn damaged_length(block_type: u32, length_bytes: u32, reason: &'static str) -> Stop {
    Stop::Damaged(CaptureError::BlockLength {
        block_type,
        length_bytes,
        reason,
    })
}

/// The 32-bit number at `index` of `bytes`, which is long enough.
#[inline]
pub(super) fn word<const BIG: bool>(bytes: &[u8], index: usize) -> u32 {
    let bytes = [
        bytes[index],
        bytes[index + 1],
        bytes[index + 2],
        bytes[index + 3],
    ];
    if BIG {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    }
}

/// The 16-bit number at `index` of `bytes`, which is long enough.
#[inline]
pub(super) fn half<const BIG: bool>(bytes: &[u8], index: usize) -> u16 {
    let bytes = [bytes[index], bytes[index + 1]];
    if BIG {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    }
}

pub(super) fn reversed(mut bytes: [u8; 8]) -> [u8; 8] {
    bytes.reverse();
    bytes
}
