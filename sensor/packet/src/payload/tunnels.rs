//! UDP datagrams of tunnels and of protocols for one link: no such network exists at a dark address.

use super::Ports::To;
use super::peer_to_peer::stray;
use super::{Payload, Signature};

/// Datagrams that leaked.
pub(super) const UDP: &[Signature] = &[
    stray(
        "vxlan",
        To(&[4789]),
        &[8],
        |payload| {
            matches!(payload.bytes, [8, 0, 0, 0, _, _, _, 0, ..]) && payload.bytes.len() >= 22
        },
        "RFC 7348 5",
    ),
    stray(
        "geneve",
        To(&[6081]),
        &[],
        |payload| {
            payload.byte(0) & 0xc0 == 0
                && payload.byte(1) & 0x3f == 0
                && matches!(
                    payload.big_endian_16(2),
                    Some(0x6558 | 0x0800 | 0x86dd | 0x0806)
                )
                && payload.bytes.len() >= 16
        },
        "RFC 8926 3.4",
    ),
    stray(
        "teredo",
        To(&[3544]),
        &[0, 0x60],
        |payload| {
            matches!(payload.bytes, [0, 1, ..]) && payload.bytes.len() >= 61
                || payload.byte(0) == 0x60
                    && payload.byte(1) & 0xf0 == 0
                    && payload.bytes.len() >= 40
                    && payload
                        .big_endian_16(4)
                        .is_some_and(|length| usize::from(length) + 40 == payload.bytes.len())
        },
        "RFC 4380 5.1.1",
    ),
    stray(
        "dhcpv6",
        To(&[546, 547]),
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        |payload| {
            // A first option of a low number that ends within the message.
            payload
                .big_endian_16(4)
                .is_some_and(|option| matches!(option, 1..=40))
                && payload
                    .big_endian_16(6)
                    .is_some_and(|length| usize::from(length) + 8 <= payload.bytes.len())
        },
        "RFC 8415 8",
    ),
    stray(
        "ripng",
        To(&[521]),
        &[1, 2],
        |payload| matches!(payload.bytes, [1 | 2, 1, 0, 0, ..]) && payload.bytes.len() % 20 == 4,
        "RFC 2080 2.1",
    ),
    stray(
        "lisp",
        To(&[4341, 4342]),
        &[],
        is_lisp,
        "RFC 9300 5.1, RFC 9301 5",
    ),
    stray(
        "hsrp",
        To(&[1985]),
        &[0, 1],
        |payload| {
            payload.byte(1) <= 2 && payload.bytes.len() == 20 || payload.starts_with(&[1, 40])
        },
        "RFC 2281 5: 20 bytes; version 2 begins with a group state of 40 bytes",
    ),
    stray(
        "bfd-control",
        To(&[3784, 4784, 6784]),
        &[],
        |payload| {
            payload.byte(0) >> 5 == 1
                && usize::from(payload.byte(3)) == payload.bytes.len()
                && payload.bytes.len() >= 24
        },
        "RFC 5880 4.1",
    ),
    stray(
        "ldp-hello",
        To(&[646]),
        &[0],
        |payload| {
            payload.starts_with(&[0, 1])
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) + 4 == payload.bytes.len())
        },
        "RFC 5036 3.1",
    ),
    stray(
        "babel",
        To(&[6696]),
        &[42],
        |payload| {
            payload.byte(1) == 2
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) + 4 <= payload.bytes.len())
        },
        "RFC 8966 4.2",
    ),
    stray(
        "esp-in-udp",
        To(&[4500]),
        &[],
        |payload| {
            // The first packets of an association, whose sequence numbers are low.
            payload
                .big_endian_32(0)
                .is_some_and(|identifier| identifier > 255)
                && payload
                    .big_endian_32(4)
                    .is_some_and(|sequence| matches!(sequence, 1..=255))
                && payload.bytes.len() >= 24
                && payload.bytes.len().is_multiple_of(4)
        },
        "RFC 3948 2.1, RFC 4303 2",
    ),
    stray(
        "nat-keepalive",
        To(&[4500]),
        &[0xff],
        |payload| payload.bytes.len() == 1,
        "RFC 3948 2.3",
    ),
    stray(
        "netbios-registration",
        To(&[137]),
        &[],
        |payload| {
            payload.bytes.len() >= 50
                && matches!(payload.byte(2) >> 3, 5..=8 | 15)
                && payload.big_endian_16(4) == Some(1)
                && payload.byte(12) == 0x20
        },
        "RFC 1002 4.2.2 and 4.2.4: registration, release, refresh",
    ),
    stray(
        "cups-browse",
        To(&[631]),
        b"0123456789",
        |payload| payload.contains(b" ipp://") || payload.contains(b" ipps://"),
        "CUPS browsing protocol: type, state, address",
    ),
];

/// A map message with few records and its reserved bits clear, one that holds another packet, or a data packet around an IP header.
fn is_lisp(payload: &Payload) -> bool {
    let inner = |place| matches!(payload.byte(place), 0x45 | 0x60);
    if payload.destination_port == 4341 {
        return payload.byte(0) & 7 == 0 && inner(8);
    }
    match payload.byte(0) >> 4 {
        1..=4 => payload.byte(1) & 0x3f == 0 && matches!(payload.byte(3), 1..=16),
        8 => payload.bytes.get(1..4) == Some(&[0; 3]) && inner(4),
        _ => false,
    }
}
