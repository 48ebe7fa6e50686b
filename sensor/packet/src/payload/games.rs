//! UDP queries of game and voice servers: like all of `requests.rs` they make an amplifier answer.

use super::Ports::{Any, To};
use super::requests::reflector;
use super::{Payload, Signature};

/// Queries of game servers.
pub(super) const UDP: &[Signature] = &[
    reflector(
        "quake-status",
        Any,
        &[0xff],
        is_quake_query,
        "Quake III server protocol; CISA TA14-017A",
    ),
    reflector(
        "source-query",
        Any,
        &[0xff],
        is_source_query,
        "Valve developer wiki, Server queries; CISA TA14-017A",
    ),
    reflector(
        "quake1-query",
        Any,
        &[0x80],
        |payload| payload.starts_with(b"\x80\0\0\x0c\x02QUAKE\0"),
        "Quake network protocol: CCREQ_SERVER_INFO; nmap-service-probes",
    ),
    reflector(
        "samp-query",
        Any,
        b"S",
        |payload| {
            payload.starts_with(b"SAMP")
                && matches!(
                    (payload.byte(10), payload.bytes.len()),
                    (b'i' | b'r' | b'c' | b'd', 11) | (b'p', 15) | (b'x', 16..)
                )
        },
        "SA-MP wiki, Query mechanism",
    ),
    reflector(
        "raknet-ping",
        To(&[19132, 19133]),
        &[1, 2],
        |payload| payload.bytes.get(9..13) == Some(&[0, 0xff, 0xff, 0]),
        "RakNet, unconnected ping",
    ),
    reflector(
        "gamespy-query",
        Any,
        &[0xfe],
        |payload| matches!(payload.bytes, [0xfe, 0xfd, 0 | 9, _, _, _, _, ..]),
        "GameSpy query protocol 4",
    ),
    reflector(
        "gamespy-text-query",
        Any,
        b"\\",
        |payload| {
            [
                b"\\status\\",
                &b"\\info\\"[..],
                b"\\basic\\",
                b"\\rules\\",
                b"\\players\\",
            ]
            .iter()
            .any(|query| payload.starts_with(query))
        },
        "GameSpy query protocol 1",
    ),
    reflector(
        "mumble-ping",
        To(&[64738]),
        &[0],
        |payload| payload.starts_with(&[0; 4]) && payload.bytes.len() == 12,
        "Mumble protocol, UDP ping; nmap-payloads",
    ),
];

fn is_quake_query(payload: &Payload) -> bool {
    payload.starts_with(&[0xff; 4])
        && [
            &b"getstatus"[..],
            b"getinfo",
            b"getservers",
            b"status",
            b"info",
        ]
        .iter()
        .any(|word| payload.bytes[4..].starts_with(word))
}

fn is_source_query(payload: &Payload) -> bool {
    payload.starts_with(&[0xff; 4])
        && match payload.bytes[4..] {
            [b'T', ..] => payload.bytes[4..].starts_with(b"TSource Engine Query"),
            [b'U' | b'V', _, _, _, _] => true,
            [b'W' | b'i', ..] => payload.bytes.len() <= 9,
            _ => false,
        }
}
