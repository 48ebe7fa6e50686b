//! Ethernet, the tags behind it, IEEE 802.2 and MPLS. Each function reads one header and says what follows.

use super::{HeaderStep, NOT_IP, Network, SHORT, skip, typed};

/// The largest value of the type field that is a length (IEEE 802.3, 3.2.6).
const LENGTH_MAX: u16 = 1500;
/// Labels followed in one MPLS stack.
const LABELS_MAX: usize = 32;

pub(super) fn header(bytes: &[u8]) -> HeaderStep<'_> {
    typed(bytes, 12, 14)
}

/// What an Ethernet type announces; the numbers are of the IEEE registration authority, or of the document named.
pub(super) fn payload(ethertype: u16, bytes: &[u8]) -> HeaderStep<'_> {
    match ethertype {
        0x0800 => HeaderStep::End(Network::Ipv4(bytes)),
        0x86dd => HeaderStep::End(Network::Ipv6(bytes)),
        // VLAN and stacked VLAN tags, standard and older.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => typed(bytes, 2, 4),
        0x8847 | 0x8848 => HeaderStep::Mpls(bytes),
        0x8864 => super::point_to_point::pppoe_session(bytes),
        0x880b => HeaderStep::Ppp(bytes),
        // IEEE 802.1ah: an instance tag, then a whole Ethernet header.
        0x88e7 => skip(bytes, 4, HeaderStep::Ethernet),
        0x88e5 => macsec(bytes),
        // Cisco VN-Tag and IEEE 802.1BR E-Tag.
        0x8926 => typed(bytes, 4, 6),
        0x893f => typed(bytes, 6, 8),
        // Cisco FabricPath: the outer addresses and a tag, then the frame.
        0x8903 => skip(bytes, 2, HeaderStep::Ethernet),
        0x894f => service_header(bytes),
        0xd28b => arista(bytes),
        0x6558 => HeaderStep::Ethernet(bytes),
        0..=LENGTH_MAX => {
            // The length of the frame proper; what follows it is padding.
            let length = usize::from(ethertype).min(bytes.len());
            HeaderStep::Llc(&bytes[..length])
        }
        _ => NOT_IP,
    }
}

/// IEEE 802.2, with the sub-network access protocol of RFC 1042 where both service points are 0xaa.
pub(super) fn logical_link(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes {
        // 0000f8 is IEEE 802.1H's, for types that RFC 1042 does not carry over bridges.
        [0xaa, 0xaa, 3, 0, 0, 0 | 0xf8, high, low, rest @ ..] => {
            HeaderStep::EtherType(u16::from_be_bytes([*high, *low]), rest)
        }
        [0xaa, 0xaa, 3, 0, 0, 0 | 0xf8, ..] => SHORT,
        [6, 6, 3, rest @ ..] => HeaderStep::End(Network::Ipv4(rest)),
        _ => NOT_IP,
    }
}

/// RFC 3032: labels of four bytes up to the bottom of the stack, then IP by its version (RFC 4928).
pub(super) fn label_stack(mut bytes: &[u8]) -> HeaderStep<'_> {
    for _ in 0..LABELS_MAX {
        let Some((label, rest)) = bytes.split_first_chunk::<4>() else {
            return SHORT;
        };
        if label[2] & 1 != 0 {
            return HeaderStep::ByVersion(rest);
        }
        bytes = rest;
    }
    NOT_IP
}

/// IEEE 802.1AE: a frame that is only protected against change shows its type behind the tag.
fn macsec(bytes: &[u8]) -> HeaderStep<'_> {
    let Some(control) = bytes.first() else {
        return SHORT;
    };
    let encrypted_or_changed = control & 0x0c != 0;
    if encrypted_or_changed {
        return NOT_IP;
    }
    let has_channel = control & 0x20 != 0;
    let tag_bytes = if has_channel { 14 } else { 6 };
    typed(bytes, tag_bytes, tag_bytes + 2)
}

/// The network service header of RFC 8300.
fn service_header(bytes: &[u8]) -> HeaderStep<'_> {
    let Some(base) = bytes.first_chunk::<8>() else {
        return SHORT;
    };
    let header_bytes = usize::from(base[1] & 0x3f) * 4;
    if header_bytes < 8 {
        return NOT_IP;
    }
    match base[3] {
        1 => skip(bytes, header_bytes, |rest| {
            HeaderStep::End(Network::Ipv4(rest))
        }),
        2 => skip(bytes, header_bytes, |rest| {
            HeaderStep::End(Network::Ipv6(rest))
        }),
        3 => skip(bytes, header_bytes, HeaderStep::Ethernet),
        5 => skip(bytes, header_bytes, HeaderStep::Mpls),
        _ => NOT_IP,
    }
}

/// Arista's vendor header: subtype 1 is a timestamp of 64 (version 0x10) or 48 bits (0x20) before the type.
fn arista(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first_chunk::<4>() {
        Some([0, 1, _, 0x10]) => typed(bytes, 12, 14),
        Some([0, 1, _, 0x20]) => typed(bytes, 10, 12),
        Some(_) => NOT_IP,
        None => SHORT,
    }
}
