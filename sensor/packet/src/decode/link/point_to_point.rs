//! PPP in its framings, Cisco HDLC and frame relay. Each function reads one header and says what follows.

use super::{HeaderStep, NOT_IP, Network, SHORT, skip, typed};

/// PPP with or without address and control (RFC 1662), or Cisco HDLC in their place.
pub(super) fn ppp_or_hdlc(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes {
        [0xff, 3, rest @ ..] => HeaderStep::Ppp(rest),
        [0x0f | 0x8f, 0, ..] => cisco_hdlc(bytes),
        _ => HeaderStep::Ppp(bytes),
    }
}

/// Address, control and an Ethernet type.
pub(super) fn cisco_hdlc(bytes: &[u8]) -> HeaderStep<'_> {
    typed(bytes, 2, 4)
}

/// The six bytes of a PPPoE session header (RFC 2516), then PPP. Code 0 is session data.
pub(super) fn pppoe_session(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first_chunk::<6>() {
        Some([_, 0, ..]) => HeaderStep::Ppp(&bytes[6..]),
        Some(_) => NOT_IP,
        None => SHORT,
    }
}

/// A PPP protocol number: two bytes, or one where its low bit is set (RFC 1661, 6.5).
pub(super) fn ppp_protocol(bytes: &[u8]) -> HeaderStep<'_> {
    let (protocol, rest) = match bytes {
        [first, rest @ ..] if first & 1 != 0 => (u16::from(*first), rest),
        [first, second, rest @ ..] => (u16::from_be_bytes([*first, *second]), rest),
        _ => return SHORT,
    };
    match protocol {
        0x0021 => HeaderStep::End(Network::Ipv4(rest)),
        0x0057 => HeaderStep::End(Network::Ipv6(rest)),
        0x0281 | 0x0283 => HeaderStep::Mpls(rest),
        // Bridged frames (RFC 3518): flags and a MAC type, 1 for Ethernet, then the frame.
        0x0031 => match rest {
            [_, 1, frame @ ..] => HeaderStep::Ethernet(frame),
            _ => NOT_IP,
        },
        _ => NOT_IP,
    }
}

/// Frame relay: an address of two to four bytes, then RFC 2427's multiprotocol header or Cisco's Ethernet type.
pub(super) fn frame_relay(bytes: &[u8]) -> HeaderStep<'_> {
    let Some(last) = bytes.iter().take(4).position(|octet| octet & 1 != 0) else {
        return if bytes.len() < 4 { SHORT } else { NOT_IP };
    };
    if last == 0 {
        return NOT_IP;
    }
    match &bytes[last + 1..] {
        [3, rest @ ..] => multiprotocol(rest),
        rest => typed(rest, 0, 2),
    }
}

fn multiprotocol(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes {
        [0xcc, rest @ ..] => HeaderStep::End(Network::Ipv4(rest)),
        [0x8e, rest @ ..] => HeaderStep::End(Network::Ipv6(rest)),
        // SNAP, with the pad byte that aligns it or without.
        [0, 0x80, rest @ ..] | [0x80, rest @ ..] => snap(rest),
        [] => SHORT,
        _ => NOT_IP,
    }
}

fn snap(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes {
        [0, 0, 0, ..] => typed(bytes, 3, 5),
        // RFC 2427, 4.2: bridged Ethernet, with (1) or without (7) its checksum.
        [0, 0x80, 0xc2, 0, 1 | 7, ..] => skip(bytes, 5, HeaderStep::Ethernet),
        _ => NOT_IP,
    }
}
