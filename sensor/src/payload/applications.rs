//! UDP requests of applications that amplify nothing worth forging for: scans for the application.

use teiten_aggregator::observation::TrafficClass::Scan;

use super::Ports::{Any, To};
use super::{Payload, Ports, Signature};

const fn application(
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

/// Requests of applications that amplify nothing worth forging for.
pub(super) const UDP: &[Signature] = &[
    application(
        "sip-request",
        Any,
        b"OIRNSPMBCAU",
        is_sip_request,
        "RFC 3261 7.1",
    ),
    application("quic-initial", Any, &[], is_quic_initial, "RFC 9000 17.2"),
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
        |payload| payload.byte(1) & 0x0f == 2,
        "RFC 2661 3.1",
    ),
    application(
        "gtp-echo",
        To(&[2123, 2152, 3386]),
        &[],
        |payload| payload.byte(1) == 1 && payload.byte(0) & 0x10 != 0,
        "3GPP TS 29.060 7.2.1",
    ),
    application(
        "nat-pmp",
        To(&[5351]),
        &[0, 2],
        |payload| payload.bytes.len() >= 2 && payload.byte(1) < 3,
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
        "rpc-call",
        Any,
        &[],
        super::requests::is_any_rpc_call,
        "RFC 5531 9",
    ),
    application(
        "ethernet-ip",
        To(&[44818, 2222]),
        &[0x63, 4],
        |payload| payload.byte(1) == 0 && payload.bytes.len() >= 24,
        "CIP volume 2, 2-4",
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

/// A long header with a version, in a datagram of the size that an Initial must have.
fn is_quic_initial(payload: &Payload) -> bool {
    payload.byte(0) & 0xc0 == 0xc0
        && payload.bytes.len() >= 1200
        && payload.big_endian_32(1).is_some_and(|version| version != 0)
        && payload.byte(5) <= 20
}
