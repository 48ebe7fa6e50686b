//! UDP replies, recognised by their response bit or status line: a victim answers a request that was forged with our address.

use teiten_observation::Class::Backscatter;

use super::Ports::{Any, From};
use super::{Payload, Ports, Signature, ber};

pub(super) const fn reply(
    name: &'static str,
    ports: Ports,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class: Backscatter,
        ports,
        first,
        test,
        source,
    }
}

/// Replies.
pub(super) const UDP: &[Signature] = &[
    reply(
        "dns-response",
        From(&[53]),
        &[],
        is_dns_response,
        "RFC 1035 4.1.1: QR",
    ),
    reply(
        "dns-response-other-port",
        Any,
        &[],
        is_whole_dns_response,
        "RFC 1035 4.1: a resolver behind a translator answers from another port",
    ),
    reply(
        "tftp-data",
        Any,
        &[0],
        |payload| payload.starts_with(&[0, 3, 0, 1]) && payload.bytes.len() <= 516,
        "RFC 1350 4: the first block, from a port of the server's choice",
    ),
    reply(
        "mdns-response",
        From(&[5353]),
        &[],
        is_dns_response,
        "RFC 6762 18.2",
    ),
    reply(
        "netbios-name-response",
        From(&[137]),
        &[],
        |payload| is_dns_response(payload) && payload.big_endian_16(4) == Some(0),
        "RFC 1002 4.2.1.1: R, no question",
    ),
    reply(
        "ntp-server",
        From(&[123]),
        &[],
        |payload| {
            matches!(payload.byte(0) & 7, 2 | 4)
                && matches!(payload.byte(0) >> 3 & 7, 1..=4)
                && payload.byte(1) <= 16
                && payload.bytes.len() >= 48
        },
        "RFC 5905 7.3: mode 4 (2: the symmetric reply)",
    ),
    reply(
        "ntp-control-response",
        From(&[123]),
        &[],
        |payload| {
            payload.byte(0) & 7 == 6
                && matches!(payload.byte(0) >> 3, 1..=4)
                && payload.byte(1) & 0x80 != 0
                && matches!(payload.byte(1) & 0x1f, 0..=12 | 31)
                && payload.bytes.len() >= 12
        },
        "RFC 9327 2: response bit",
    ),
    reply(
        "ntp-private-response",
        From(&[123]),
        &[],
        |payload| {
            payload.byte(0) & 0x87 == 0x87
                && matches!(payload.byte(0) >> 3 & 7, 1..=4)
                && matches!(payload.byte(2), 0 | 2 | 3)
                && payload.bytes.len() >= 8
        },
        "ntp, include/ntp_request.h: RESP_BIT",
    ),
    reply(
        "snmp-response",
        From(&[161]),
        b"0",
        |payload| match ber::snmp(payload.bytes) {
            Some(0) => !ber::snmp_3_is_reportable(payload.bytes),
            tag => matches!(tag, Some(0xa2 | 0xa8)),
        },
        "RFC 3416 3: Response, Report",
    ),
    reply(
        "ssdp-response",
        Any,
        b"H",
        |payload| payload.starts_with(b"HTTP/1."),
        "UPnP Device Architecture 1.1, 1.3.3: SSDP response",
    ),
    reply(
        "sip-status",
        Any,
        b"S",
        |payload| payload.starts_with(b"SIP/2.0 "),
        "RFC 3261 7.2",
    ),
    reply(
        "cldap-response",
        From(&[389]),
        b"0",
        |payload| matches!(ber::ldap(payload.bytes), Some(0x64 | 0x65 | 0x73)),
        "RFC 4511 4.5.2",
    ),
    reply(
        "memcached-response",
        From(&[11211]),
        &[],
        is_memcached_response,
        "memcached, doc/protocol.txt",
    ),
    reply(
        "chargen-response",
        From(&[19]),
        &[],
        |payload| payload.bytes.len() >= 72 && is_text(payload),
        "RFC 864",
    ),
    reply(
        "qotd-response",
        From(&[17]),
        &[],
        |payload| payload.bytes.len() >= 8 && is_text(payload),
        "RFC 865",
    ),
    reply(
        "ws-discovery-response",
        From(&[3702]),
        b"<",
        |payload| payload.contains(b"ProbeMatch") || payload.contains(b"Fault"),
        "WS-Discovery 1.1, 5.3",
    ),
    reply(
        "coap-response",
        From(&[5683]),
        &[],
        |payload| {
            matches!(payload.byte(0) >> 4, 5 | 6)
                && payload.byte(0) & 0x0f <= 8
                && matches!(payload.byte(1), 0x40..=0x45 | 0x5f | 0x80..=0x8f | 0x9d | 0xa0..=0xa8)
        },
        "RFC 7252 3",
    ),
    reply(
        "stun-response",
        Any,
        &[1],
        |payload| {
            matches!(payload.byte(1), 0x01 | 0x11) && payload.big_endian_32(4) == Some(0x2112_a442)
        },
        "RFC 8489 5",
    ),
    reply(
        "rpc-reply",
        From(&[111, 2049]),
        &[],
        |payload| {
            payload.big_endian_32(4) == Some(1)
                && payload.big_endian_32(8).is_some_and(|state| state < 2)
        },
        "RFC 5531 9",
    ),
    reply(
        "tftp-reply",
        From(&[69]),
        &[0],
        |payload| matches!(payload.byte(1), 3 | 5 | 6),
        "RFC 1350 5",
    ),
    reply(
        "mssql-browser-response",
        From(&[1434]),
        &[5],
        |payload| {
            payload
                .bytes
                .get(3..)
                .is_some_and(|text| text.starts_with(b"ServerName;"))
        },
        "MC-SQLR 2.2.5: SVR_RESP",
    ),
    reply(
        "ike-response",
        From(&[500]),
        &[],
        |payload| is_ike_response(payload.bytes),
        "RFC 7296 3.1: the responder's cookie is set",
    ),
    reply(
        "openvpn-server-reset",
        From(&[1194]),
        &[0x10, 0x40],
        |payload| payload.bytes.len() >= 14,
        "OpenVPN protocol, P_CONTROL_HARD_RESET_SERVER",
    ),
    reply(
        "quake-response",
        Any,
        &[0xff],
        |payload| {
            payload.starts_with(&[0xff; 4])
                && (payload.bytes[4..].starts_with(b"statusResponse")
                    || payload.bytes[4..].starts_with(b"infoResponse"))
        },
        "Quake III server protocol",
    ),
    reply(
        "source-response",
        Any,
        &[0xff],
        |payload| {
            payload.starts_with(&[0xff; 4])
                && (payload.byte(4) == b'I' && payload.bytes.len() >= 20
                    || payload.byte(4) == b'A' && payload.bytes.len() == 9
                    || matches!(payload.byte(4), b'D' | b'E') && payload.bytes.len() >= 6)
        },
        "Valve developer wiki, Server queries",
    ),
    reply(
        "rip-response",
        From(&[520]),
        &[2],
        |payload| matches!(payload.bytes, [2, 1 | 2, 0, 0, ..]),
        "RFC 1058 3.1",
    ),
    reply(
        "dtls-server",
        Any,
        &[22],
        |payload| {
            payload.byte(1) == 0xfe
                && matches!(payload.byte(2), 0xfd | 0xff)
                && matches!(payload.byte(13), 2 | 3)
        },
        "RFC 6347 4.2.1: ServerHello, HelloVerifyRequest",
    ),
    reply(
        "raknet-pong",
        From(&[19132, 19133]),
        &[0x1c],
        |payload| payload.bytes.get(17..21) == Some(&[0, 0xff, 0xff, 0]),
        "RakNet, unconnected pong",
    ),
    reply(
        "wireguard-response",
        Any,
        &[2],
        |payload| payload.starts_with(&[2, 0, 0, 0]) && payload.bytes.len() == 92,
        "WireGuard protocol, second message",
    ),
    reply(
        "bacnet-response",
        From(&[47808]),
        &[0x81],
        super::bacnet::is_reply,
        "ANSI/ASHRAE 135, 20.1 and annex J",
    ),
];

/// A response with one question, whose name ends within the message and is followed by the Internet's class.
fn is_whole_dns_response(payload: &Payload) -> bool {
    let is_response = payload.byte(2) & 0x80 != 0 && payload.byte(2) >> 3 & 0x0f <= 6;
    if !is_response || payload.big_endian_16(4) != Some(1) || payload.byte(3) & 0x0f > 10 {
        return false;
    }
    super::requests::question_end(payload)
        .is_some_and(|end| payload.big_endian_16(end - 2) == Some(1))
}

/// QR 1, an operation that exists, and few enough questions.
fn is_dns_response(payload: &Payload) -> bool {
    payload.bytes.len() >= 12
        && payload.byte(2) & 0x80 != 0
        && matches!(payload.byte(2) >> 3 & 15, 0 | 2 | 4..=6)
        && payload
            .big_endian_16(4)
            .is_some_and(|questions| questions <= 16)
}

fn is_memcached_response(payload: &Payload) -> bool {
    const WORDS: &[&[u8]] = &[
        b"STAT ",
        b"VALUE ",
        b"VERSION ",
        b"END",
        b"ERROR",
        b"STORED",
        b"NOT_",
        b"OK",
        b"CLIENT_ERROR",
        b"SERVER_ERROR",
    ];
    if payload.big_endian_16(6) != Some(0) {
        return false;
    }
    let behind_header = &payload.bytes[8..];
    behind_header.first() == Some(&0x81) || WORDS.iter().any(|word| behind_header.starts_with(word))
        // The second and later datagrams of an answer start within a value.
        || payload.bytes.len() > 8 && payload.big_endian_16(2).is_some_and(|sequence| sequence > 0)
}

/// Printable characters, spaces and line ends only.
fn is_text(payload: &Payload) -> bool {
    payload
        .bytes
        .iter()
        .take(256)
        .all(|octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace())
}

/// An ISAKMP header that names the responder's cookie too, in one of the exchanges.
pub(super) fn is_ike_response(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<28>() else {
        return false;
    };
    header[8..16] != [0; 8]
        && matches!(header[17], 0x10 | 0x20)
        && matches!(header[18], 2 | 4..=6 | 32..=43)
        && header[24..26] == [0; 2]
}
