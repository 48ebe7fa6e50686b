//! Requests of applications that come in a TCP segment without a handshake before it.

use super::Ports::Any;
use super::applications::application;
use super::{Payload, Signature};

pub(super) const fn probe(
    name: &'static str,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    application(name, Any, first, test, source)
}

/// Application requests.
pub(super) const REQUESTS: &[Signature] = &[
    probe("http-request", b"GPHODCTU", is_http, "RFC 9112 3"),
    probe(
        "http2-preface",
        b"P",
        |payload| payload.starts_with(b"PRI * HTTP/2.0"),
        "RFC 9113 3.4",
    ),
    probe(
        "rtsp-request",
        b"ODSPTAG",
        |payload| payload.version().starts_with(b"RTSP/"),
        "RFC 2326 6",
    ),
    probe(
        "sip-request",
        b"OIRNS",
        |payload| payload.version().starts_with(b"SIP/2.0"),
        "RFC 3261 7.1",
    ),
    probe(
        "tls-client-hello",
        &[0x16],
        |payload| matches!(payload.bytes, [0x16, 3, 0..=4, _, _, 1, ..]),
        "RFC 8446 4.1.2",
    ),
    probe(
        "rdp-connect",
        &[3],
        |payload| matches!(payload.bytes, [3, 0, _, _, _, 0xe0, ..]),
        "MS-RDPBCGR 2.2.1.1: X.224 connection request",
    ),
    probe(
        "smb-negotiate",
        &[0],
        is_smb_negotiate,
        "MS-SMB2 2.2.1 and 2.2.3, MS-CIFS 2.2.3.1 and 2.2.4.52",
    ),
    probe(
        "ssh-banner",
        b"S",
        |payload| payload.source_port != 22 && payload.starts_with(b"SSH-"),
        "RFC 4253 4.2",
    ),
    probe(
        "telnet-negotiation",
        &[0xff],
        |payload| payload.source_port != 23 && matches!(payload.bytes, [0xff, 0xfb..=0xfe, _, ..]),
        "RFC 854",
    ),
    probe(
        "adb-connect",
        b"C",
        |payload| payload.source_port != 5555 && payload.starts_with(b"CNXN"),
        "Android platform, adb/protocol.txt",
    ),
    probe(
        "redis-command",
        b"*IPCi",
        |payload| {
            payload.starts_with(b"*1\r\n$")
                || payload.starts_with(b"*2\r\n$")
                || payload.starts_with(b"*3\r\n$")
                || payload.starts_with(b"INFO\r\n")
                || payload.starts_with(b"PING\r\n")
        },
        "Redis serialization protocol",
    ),
    probe(
        "postgresql-startup",
        &[0],
        |payload| {
            matches!(
                payload.bytes,
                [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f, ..] | [0, 0, _, _, 0, 3, 0, 0, ..]
            )
        },
        "PostgreSQL 17, 53.7: SSLRequest, StartupMessage",
    ),
    probe(
        "mssql-prelogin",
        &[0x12],
        |payload| matches!(payload.bytes, [0x12, 1, _, _, 0, 0, ..]),
        "MS-TDS 2.2.3",
    ),
    probe(
        "socks",
        &[4, 5],
        is_socks,
        "RFC 1928 3; SOCKS: A protocol for TCP proxy across firewalls, 1992",
    ),
    probe("mqtt-connect", &[0x10], is_mqtt_connect, "MQTT 3.1.1, 3.1"),
    probe(
        "java-rmi",
        b"J",
        |payload| payload.starts_with(b"JRMI"),
        "Java RMI wire protocol",
    ),
    probe(
        "java-debug",
        b"J",
        |payload| payload.starts_with(b"JDWP-Handshake"),
        "Java debug wire protocol",
    ),
    probe(
        "memcached-command",
        b"svg",
        |payload| payload.starts_with(b"stats\r\n") || payload.starts_with(b"version\r\n"),
        "memcached, doc/protocol.txt",
    ),
    probe(
        "x11-setup",
        b"lB",
        |payload| matches!(payload.bytes, [b'l', 0, 11, 0, ..] | [b'B', 0, 0, 11, ..]),
        "X11 protocol, 8",
    ),
    probe(
        "dns-query",
        &[0],
        |payload| {
            payload.bytes.len() >= 14
                && payload
                    .big_endian_16(0)
                    .is_some_and(|length| usize::from(length) == payload.bytes.len() - 2)
                && payload.byte(4) & 0x80 == 0
                && payload.big_endian_16(6) == Some(1)
        },
        "RFC 7766 8",
    ),
];

fn is_http(payload: &Payload) -> bool {
    const METHODS: &[&[u8]] = &[
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"OPTIONS ",
        b"PUT ",
        b"DELETE ",
        b"CONNECT ",
        b"TRACE ",
        b"PATCH ",
        b"PROPFIND ",
    ];
    METHODS.iter().any(|method| payload.starts_with(method))
        && !payload.version().starts_with(b"RTSP/")
        && !payload.version().starts_with(b"SIP/")
}

/// The protocol's name follows the type and a length of one to four bytes.
fn is_mqtt_connect(payload: &Payload) -> bool {
    (2..=5).any(|place| {
        payload.bytes.get(place..).is_some_and(|rest| {
            rest.starts_with(b"\0\x04MQTT") || rest.starts_with(b"\0\x06MQIsdp")
        })
    })
}

/// A negotiation that is no answer: the command, and the bit of the flags that says so.
fn is_smb_negotiate(payload: &Payload) -> bool {
    match payload.bytes.get(..4).zip(payload.bytes.get(4..)) {
        Some(([0, ..], [0xff, b'S', b'M', b'B', 0x72, _, _, _, _, flags, ..])) => flags & 0x80 == 0,
        Some(([0, ..], [0xfe, b'S', b'M', b'B', header @ ..])) => {
            header.get(8..10) == Some(&[0, 0]) && header.get(12).is_some_and(|flags| flags & 1 == 0)
        }
        _ => false,
    }
}

/// Version 5: as many methods as it says, then at most the request that some clients send without waiting. Version 4: a user of text,
/// possibly empty, that ends with zero. OpenFlow begins alike, but has its length where SOCKS has the port.
fn is_socks(payload: &Payload) -> bool {
    match payload.bytes {
        [5, count @ 1..=9, methods @ ..] => {
            let known = |method: &u8| matches!(method, 0..=9 | 0x80..);
            let count = usize::from(*count);
            methods.len() >= count
                && methods[..count].iter().all(known)
                && matches!(methods[count..], [] | [5, 1..=3, 0, 1 | 3 | 4, ..])
        }
        [4, 1 | 2, _, _, _, _, _, _, user @ .., 0] => {
            payload.bytes.len() <= 64
                && user
                    .iter()
                    .all(|&byte| byte == 0 || byte.is_ascii_graphic())
                && payload.big_endian_16(2) != Some(payload.bytes.len() as u16)
        }
        _ => false,
    }
}
