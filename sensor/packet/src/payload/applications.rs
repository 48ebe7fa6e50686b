//! UDP requests of applications that amplify too little for attacks: scans for the application.

use teiten_observation::Class::Scan;

use super::Ports::{Any, To};
use super::{Payload, Ports, Signature};

/// A request to an application, over UDP or TCP.
pub(super) const fn application(
    name: &'static str,
    ports: Ports,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class: Scan,
        ports,
        first,
        test,
        source,
    }
}

/// Requests of applications that amplify too little for attacks.
pub(super) const UDP: &[Signature] = &[
    application(
        "sip-request",
        Any,
        b"OIRNSPMBCAU",
        is_sip_request,
        "RFC 3261 7.1",
    ),
    application(
        "rmcp-ping",
        To(&[623, 664]),
        &[6],
        |payload| matches!(payload.bytes, [6, 0, _, 6 | 7, ..]),
        "IPMI 2.0, 13.1.3",
    ),
    application(
        "l2tp-control",
        To(&[1701]),
        &[0xc8],
        |payload| payload.byte(1) == 2 && payload.bytes.len() >= 12,
        "RFC 2661 3.1: a control message with length and sequence, version 2",
    ),
    application(
        "gtp-echo",
        To(&[2123, 2152, 3386]),
        &[],
        |payload| {
            matches!(
                payload.bytes,
                [
                    0x0e | 0x0f | 0x1e | 0x1f | 0x30..=0x37 | 0x40 | 0x48 | 0x50,
                    1,
                    0,
                    _,
                    ..
                ]
            )
        },
        "3GPP TS 29.060 7.2.1, TS 29.274 7.1.1",
    ),
    application(
        "gtp-request",
        To(&[2123, 3386]),
        &[],
        |payload| super::device_replies::is_gtp(payload, &[16, 18, 20, 32, 34, 36]),
        "3GPP TS 29.060 7.1, TS 29.274 8.1: create, update, delete a context or session",
    ),
    application(
        "kerberos-request",
        To(&[88]),
        &[0x6a, 0x6c],
        |payload| super::ber::is_kerberos_request(payload.bytes),
        "RFC 4120 5.4.1: AS-REQ, TGS-REQ",
    ),
    application(
        "nat-pmp",
        To(&[5351]),
        &[0, 2],
        |payload| match payload.bytes {
            [0, 0] => true,
            [0, 1 | 2, 0, 0, ..] => payload.bytes.len() == 12,
            [2, 0..=2, 0, 0, ..] => payload.bytes.len() >= 24,
            _ => false,
        },
        "RFC 6886 3.2, RFC 6887 7.1",
    ),
    application(
        "pcanywhere",
        To(&[5632]),
        b"NS",
        |payload| matches!(payload.bytes, b"NQ" | b"ST"),
        "nmap-payloads",
    ),
    application(
        "dcerpc-bind",
        Any,
        &[5],
        |payload| {
            payload.starts_with(&[5, 0, 11, 3, 0x10, 0, 0, 0])
                && payload.bytes.get(8..10) == Some(&(payload.bytes.len() as u16).to_le_bytes())
        },
        "DCE 1.1 RPC, 12.6.4.3: sent as a datagram by Nmap 7.93",
    ),
    application(
        "back-orifice",
        Any,
        &[0xce],
        |payload| payload.starts_with(b"\xce\x63\xd1\xd2\x16\xe7\x13\xcf"),
        "Back Orifice 1.20, 1998: its magic under the empty password; nmap-service-probes",
    ),
    application(
        "vxworks-debug",
        To(&[17185]),
        &[],
        |payload| {
            super::requests::is_any_rpc_call(payload)
                && payload.big_endian_32(12) == Some(0x5555_5555)
        },
        "CERT VU#362332; nmap-payloads: the debugger's program of RPC",
    ),
    application(
        "turn-allocate",
        Any,
        &[0],
        |payload| payload.starts_with(&[0, 3]) && payload.big_endian_32(4) == Some(0x2112_a442),
        "RFC 8656 17",
    ),
    application(
        "afs-version",
        To(&[7001, 7000, 7003]),
        &[],
        |payload| {
            payload.byte(20) == 13
                && payload.bytes.get(22..28) == Some(&[0; 6])
                && payload.bytes.len() >= 28
        },
        "Zeldovich, Rx protocol specification: type 13, a version request",
    ),
    application(
        "kasa-request",
        To(&[9999]),
        &[0xd0],
        |payload| payload.starts_with(&[0xd0, 0xf2, 0x81, 0xf8]),
        "softScheck, Reverse engineering the TP-Link HS110, 2016: an encrypted {\"sy",
    ),
    application(
        "traceroute",
        Any,
        b"@",
        |payload| payload.starts_with(b"@ABCDEFGHIJKLMNOPQRSTUVW"),
        "traceroute for Linux 2.1, traceroute.c: bytes that count up from 0x40",
    ),
    application(
        "rpc-call",
        Any,
        &[],
        super::requests::is_any_rpc_call,
        "RFC 5531 9",
    ),
    application(
        "dns-notify-or-update",
        To(&[53]),
        &[],
        |payload| {
            payload.bytes.len() >= 17
                && matches!(payload.byte(2) & 0xf8, 0x20 | 0x28)
                && payload.big_endian_16(4) == Some(1)
        },
        "RFC 1996 3.7, RFC 2136 2.2: operations 4 and 5",
    ),
    application(
        "radius-request",
        To(&[1645, 1646, 1812, 1813]),
        &[1, 4],
        |payload| {
            payload.bytes.len() >= 20
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) == payload.bytes.len())
        },
        "RFC 2865 3, RFC 2866 3",
    ),
    application(
        "serialnumberd",
        To(&[626]),
        b"S",
        |payload| payload.starts_with(b"SNQUERY: "),
        "nmap-payloads",
    ),
    application(
        "service-tag",
        To(&[6481]),
        b"[",
        |payload| payload.starts_with(b"[PROBE] "),
        "nmap-payloads: Sun stdiscover",
    ),
    application(
        "amanda",
        To(&[10080]),
        b"A",
        |payload| payload.starts_with(b"Amanda "),
        "nmap-payloads",
    ),
    application(
        "teamspeak",
        To(&[8767, 9987]),
        &[0xf4, 5, b'T'],
        |payload| {
            payload.starts_with(&[0xf4, 0xbe, 3, 0])
                || payload.starts_with(&[5, 0xca, 0x7f, 0x16])
                || payload.starts_with(b"TS3INIT1")
        },
        "nmap-payloads; TeamSpeak 3 handshake",
    ),
    application(
        "ventrilo",
        To(&[3784]),
        &[1],
        |payload| payload.starts_with(&[1, 0xe7, 0xe5, 0x75]),
        "nmap-payloads",
    ),
    application(
        "freelancer",
        To(&[2302]),
        &[0],
        |payload| payload.starts_with(&[0, 2, 0xf1, 0x26]),
        "nmap-payloads",
    ),
    application(
        "wireguard-initiation",
        Any,
        &[1],
        |payload| payload.starts_with(&[1, 0, 0, 0]) && payload.bytes.len() == 148,
        "WireGuard protocol, first message",
    ),
];

fn is_sip_request(payload: &Payload) -> bool {
    const METHODS: &[&[u8]] = &[
        b"OPTIONS sip",
        b"INVITE sip",
        b"REGISTER sip",
        b"NOTIFY sip",
        b"SUBSCRIBE sip",
        b"PUBLISH sip",
        b"MESSAGE sip",
        b"BYE sip",
        b"CANCEL sip",
        b"ACK sip",
        b"UPDATE sip",
        b"REFER sip",
        b"INFO sip",
    ];
    METHODS.iter().any(|method| payload.starts_with(method))
}
