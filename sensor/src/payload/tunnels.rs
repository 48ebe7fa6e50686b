//! UDP datagrams of tunnels and of protocols for one link: they belong to a network that does not exist here.

use teiten_aggregator::observation::TrafficClass::Misconfiguration;

use super::Ports::To;
use super::{Payload, Ports, Signature};

const fn leaked(
    name: &'static str,
    ports: Ports,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class: Misconfiguration,
        ports,
        first,
        test,
        source,
    }
}

/// Datagrams that leaked.
pub(super) const UDP: &[Signature] = &[
    leaked(
        "vxlan",
        To(&[4789]),
        &[8],
        |payload| {
            matches!(payload.bytes, [8, 0, 0, 0, _, _, _, 0, ..]) && payload.bytes.len() >= 22
        },
        "RFC 7348 5",
    ),
    leaked(
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
    leaked(
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
    leaked(
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
    leaked(
        "ripng",
        To(&[521]),
        &[1, 2],
        |payload| matches!(payload.bytes, [1 | 2, 1, 0, 0, ..]) && payload.bytes.len() % 20 == 4,
        "RFC 2080 2.1",
    ),
];
