//! Reads just enough of BACnet/IP (ANSI/ASHRAE 135) to tell a request from a reply: the link's function, the addresses of the network
//! header, the kind of message behind them.

use super::Payload;

/// The application's kind of message and, behind it, its service; none where the network header is not there or carries a message
/// of its own.
fn application(payload: &Payload) -> Option<(u8, u8)> {
    // A forwarded message holds the address of its first sender, six bytes (J.2.5).
    let network = if payload.byte(1) == 4 { 10 } else { 4 };
    let control = payload.byte(network + 1);
    if payload.byte(network) != 1 || control & 0x80 != 0 {
        return None;
    }
    let mut place = network + 2;
    if control & 0x20 != 0 {
        place += 3 + usize::from(payload.byte(place + 2));
    }
    if control & 0x08 != 0 {
        place += 3 + usize::from(payload.byte(place + 2));
    }
    // If there is a destination, a hop count follows both addresses.
    if control & 0x20 != 0 {
        place += 1;
    }
    let (kind, service) = (payload.bytes.get(place)?, payload.byte(place + 1));
    Some((kind >> 4, service))
}

/// The length that a BACnet/IP message states is its own.
fn is_whole(payload: &Payload) -> bool {
    payload.byte(0) == 0x81
        && payload
            .big_endian_16(2)
            .is_some_and(|length| usize::from(length) == payload.bytes.len())
}

/// A confirmed request, Who-Has or Who-Is, or what asks a router for its tables or registers with it.
pub(super) fn is_request(payload: &Payload) -> bool {
    match payload.byte(1) {
        2 | 6 => is_whole(payload) && payload.bytes.len() == 4,
        5 => is_whole(payload) && payload.bytes.len() == 6,
        4 | 0x09..=0x0b => match application(payload) {
            Some((kind, service)) => kind == 0 || kind == 1 && matches!(service, 7 | 8),
            None => false,
        },
        _ => false,
    }
}

/// An acknowledgement, an error, a rejection or an abort; I-Am or I-Have; a router's answer.
pub(super) fn is_reply(payload: &Payload) -> bool {
    match payload.byte(1) {
        0 | 3 | 7 => is_whole(payload),
        4 | 0x09..=0x0b => match application(payload) {
            Some((kind, service)) => {
                matches!(kind, 2 | 3 | 5..=7) || kind == 1 && matches!(service, 0 | 1)
            }
            None => false,
        },
        _ => false,
    }
}
