//! IEEE 802.11 data frames, and the radio headers before them.

use super::{HeaderStep, NOT_IP, SHORT, skip};
use crate::LinkType;

/// Words of presence bits followed in one radiotap header.
const PRESENCE_WORDS_MAX: usize = 16;

/// An 802.11 frame. `padded`: the driver aligned the body to four bytes.
pub(super) fn ieee802_11(bytes: &[u8], padded: bool) -> HeaderStep<'_> {
    let Some(&[control, flags]) = bytes.first_chunk::<2>() else {
        return SHORT;
    };
    let is_data = control & 0x0f == 0x08;
    let is_empty = control & 0x40 != 0;
    let is_encrypted = flags & 0x40 != 0;
    if !is_data || is_empty || is_encrypted {
        return NOT_IP;
    }
    let has_four_addresses = flags & 3 == 3;
    let has_quality = control & 0x80 != 0;
    let has_high_throughput = has_quality && flags & 0x80 != 0;
    let header_bytes = 24
        + if has_four_addresses { 6 } else { 0 }
        + if has_quality { 2 } else { 0 }
        + if has_high_throughput { 4 } else { 0 };
    let body = if padded {
        usize::next_multiple_of(header_bytes, 4)
    } else {
        header_bytes
    };
    skip(bytes, body, HeaderStep::Llc)
}

/// Radiotap: version, pad, length (little-endian), presence words, fields. Of the fields only the flags matter here.
pub(super) fn radiotap(bytes: &[u8]) -> HeaderStep<'_> {
    const DATA_PAD: u8 = 0x20;
    let Some(header) = bytes.first_chunk::<8>() else {
        return SHORT;
    };
    let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
    if length < 8 {
        return SHORT;
    }
    let flags = radiotap_flags(bytes.get(..length).unwrap_or(bytes));
    skip(bytes, length, |frame| {
        ieee802_11(frame, flags & DATA_PAD != 0)
    })
}

/// The flags field: behind the presence words, and behind the 8-byte timer where there is one.
fn radiotap_flags(header: &[u8]) -> u8 {
    const TIMER: u8 = 1;
    const FLAGS: u8 = 2;
    const MORE: u8 = 0x80;
    let present = header[4];
    if present & FLAGS == 0 {
        return 0;
    }
    let words = 1
        + (0..PRESENCE_WORDS_MAX)
            .take_while(|word| {
                header
                    .get(4 + word * 4 + 3)
                    .is_some_and(|octet| octet & MORE != 0)
            })
            .count();
    let mut position = 4 + words * 4;
    if present & TIMER != 0 {
        position = position.next_multiple_of(8) + 8;
    }
    header.get(position).copied().unwrap_or(0)
}

/// Per-packet information: version, flags, length, link type (little-endian), fields, then a frame of that link type.
pub(super) fn ppi(bytes: &[u8]) -> HeaderStep<'_> {
    let Some(header) = bytes.first_chunk::<8>() else {
        return SHORT;
    };
    let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
    let link_type = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let inner = u16::try_from(link_type).ok().and_then(|number| {
        // Another such header inside would recurse.
        super::row(LinkType(number)).filter(|row| row.name != "PPI")
    });
    match inner {
        Some(row) if length >= 8 => skip(bytes, length, row.read),
        _ => NOT_IP,
    }
}
