//! QUIC and its predecessors of that name: the first datagram of a client, and a server's replies to one with a forged source.

use teiten_observation::Class::{self, Backscatter, Scan};

use super::Ports::{Any, From, To};
use super::{Payload, Ports, Signature};

const fn quic(
    name: &'static str,
    class: Class,
    ports: Ports,
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class,
        ports,
        first: &[],
        test,
        source,
    }
}

/// Least bytes of a datagram with an Initial packet (RFC 9000 14.1).
const INITIAL_BYTES_MIN: usize = 1200;
/// Bytes of the longest connection identifier (RFC 9000 17.2).
const IDENTIFIER_BYTES_MAX: usize = 20;

/// QUIC datagrams: replies before requests, because a server's first packets look like a client's.
pub(super) const UDP: &[Signature] = &[
    quic(
        "quic-version-negotiation",
        Backscatter,
        From(&[443]),
        |payload| {
            payload.byte(0) & 0x80 != 0
                && payload.big_endian_32(1) == Some(0)
                && payload.bytes.len() >= 11
        },
        "RFC 9000 17.2.1",
    ),
    quic(
        "quic-server",
        Backscatter,
        From(&[443]),
        |payload| payload.destination_port != 443 && has_long_header(payload),
        "RFC 9000 17.2: Initial, Handshake or Retry from a server; Nawrocki et al., QUICsand, IMC 2021",
    ),
    quic(
        "gquic-public-reset",
        Backscatter,
        From(&[443]),
        |payload| payload.byte(0) & 0x8a == 0x0a && payload.bytes.get(9..13) == Some(b"PRST"),
        "draft-hamilton-early-deployment-quic-00, 6.3",
    ),
    quic(
        "quic-initial",
        Scan,
        Any,
        |payload| payload.bytes.len() >= INITIAL_BYTES_MIN && has_long_header(payload),
        "RFC 9000 14.1 and 17.2, RFC 9369 3",
    ),
    quic(
        "gquic-hello",
        Scan,
        To(&[80, 443]),
        |payload| {
            payload.byte(0) & 0x89 == 0x09
                && matches!(
                    payload.bytes.get(9..13),
                    Some([b'Q', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'])
                )
        },
        "draft-hamilton-early-deployment-quic-00, 6.1; nmap-payloads",
    ),
];

/// A long header of a known version, whose two connection identifiers end within the datagram, with what makes the smallest packet
/// behind them: a Retry's integrity tag has 16 bytes, as has every other packet's.
fn has_long_header(payload: &Payload) -> bool {
    if payload.byte(0) & 0xc0 != 0xc0 || !payload.big_endian_32(1).is_some_and(is_version) {
        return false;
    }
    let to = usize::from(payload.byte(5));
    let from = usize::from(payload.byte(6 + to));
    to <= IDENTIFIER_BYTES_MAX
        && from <= IDENTIFIER_BYTES_MAX
        && payload.bytes.len() >= 7 + to + from + 16
}

/// Version 1 and 2, the drafts, the ones that are reserved to provoke a version negotiation, and Google's before the standard.
fn is_version(version: u32) -> bool {
    matches!(version, 1 | 0x6b33_43cf | 0xff00_0001..=0xff00_00ff)
        || version & 0x0f0f_0f0f == 0x0a0a_0a0a
        || matches!(
            version.to_be_bytes(),
            [b'Q' | b'T', b'0', b'0'..=b'9', b'0'..=b'9']
        )
}
