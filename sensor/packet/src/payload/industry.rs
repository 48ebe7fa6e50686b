//! Requests of industrial controllers and their buses, over UDP and TCP: scans for them.

use super::Ports::To;
use super::applications::application;
use super::tcp::probe;
use super::{Payload, Signature};

/// Datagrams.
pub(super) const UDP: &[Signature] = &[
    application(
        "ethernet-ip",
        To(&[44818, 2222]),
        &[0x63, 4],
        |payload| {
            payload.byte(1) == 0
                && payload.bytes.get(8..12) == Some(&[0; 4])
                && payload.bytes.len() >= 24
        },
        "CIP volume 2, 2-4",
    ),
    application(
        "dnp3-request",
        To(&[20000, 19999]),
        &[5],
        is_dnp3_request,
        "IEEE 1815, 9.2: start bytes, length, a frame of the master",
    ),
    application(
        "fins-request",
        To(&[9600]),
        &[0x80],
        |payload| {
            matches!(
                payload.bytes,
                [0x80, 0, 1..=7, _, _, _, _, _, _, _, _, _, ..]
            )
        },
        "Omron W421, FINS commands: header of a command that wants a response",
    ),
    application(
        "hart-ip",
        To(&[5094]),
        &[1],
        is_hart_ip,
        "HART-IP, FieldComm TS20085: a request as long as it says",
    ),
    application(
        "moxa-nport",
        To(&[4800]),
        &[1],
        |payload| payload.bytes == [1, 0, 0, 8, 0, 0, 0, 0],
        "Metasploit moxa_discover",
    ),
    application(
        "profinet-rpc",
        To(&[34964]),
        &[4],
        |payload| payload.byte(1) == 0 && payload.bytes.len() >= 80,
        "IEC 61158-6-10; DCE 1.1 RPC, 12.5: a connectionless request",
    ),
];

/// Segments.
pub(super) const TCP: &[Signature] = &[
    probe(
        "s7-connect",
        &[3],
        |payload| payload.starts_with(&[3, 0, 0, 0x16, 0x11]),
        "RFC 1006, ISO 8073",
    ),
    probe(
        "modbus-request",
        &[],
        |payload| {
            let length = payload.big_endian_16(4).map_or(0, usize::from);
            // Reads and single writes, functions 1 to 6, have all one length.
            payload.bytes.get(2..4) == Some(&[0, 0])
                && payload.bytes.len() == length + 6
                && match payload.byte(7) {
                    1..=6 => length == 6,
                    7..=0x7f => length <= 254,
                    _ => false,
                }
        },
        "Modbus messaging on TCP/IP 1.0b, 3.1.3: as long as it says, a function",
    ),
    probe(
        "ethernet-ip",
        &[4, 0x63, 0x65],
        |payload| {
            matches!(payload.bytes, [4 | 0x63, 0, _, 0, ..] | [0x65, 0, 4, 0, ..])
                && payload.bytes.get(8..12) == Some(&[0; 4])
                && payload.bytes.len() == 24 + usize::from(payload.byte(2))
        },
        "CIP volume 2, 2-4: ListServices, ListIdentity, RegisterSession",
    ),
    probe(
        "dnp3-request",
        &[5],
        is_dnp3_request,
        "IEEE 1815, 9.2: start bytes, length, a frame of the master",
    ),
    probe(
        "iec-104",
        &[0x68],
        |payload| matches!(payload.bytes, [0x68, 4, 7 | 0x13 | 0x43, 0, 0, 0]),
        "IEC 60870-5-104, 5: STARTDT, STOPDT or TESTFR act",
    ),
    probe(
        "opc-ua-hello",
        b"H",
        |payload| payload.starts_with(b"HELF"),
        "OPC 10000-6, 7.1.2",
    ),
    probe(
        "niagara-fox",
        b"f",
        |payload| payload.starts_with(b"fox a "),
        "nmap fox-info; Redpoint",
    ),
    probe(
        "pcworx",
        &[1],
        |payload| payload.starts_with(&[1, 1, 0, 0x1a]),
        "nmap-service-probes; Redpoint pcworx-info",
    ),
    probe(
        "proconos",
        &[0xcc],
        |payload| payload.starts_with(&[0xcc, 1, 0, 0x0b]),
        "nmap-service-probes; Redpoint proconos-info",
    ),
    probe(
        "codesys",
        &[0xbb],
        |payload| payload.starts_with(&[0xbb, 0xbb, 1, 0, 0, 0, 1]),
        "Redpoint codesys-v2-discover",
    ),
    probe(
        "fins-request",
        b"F",
        |payload| payload.starts_with(b"FINS\0\0\0") && payload.bytes.len() >= 16,
        "Omron W421: FINS/TCP",
    ),
    probe(
        "tank-gauge",
        &[1],
        |payload| {
            matches!(
                payload.bytes,
                [1, b'I', b'2', b'0', b'0'..=b'9', b'0'..=b'9', ..]
            )
        },
        "Veeder-Root TLS serial interface; nmap atg-info",
    ),
    application(
        "hart-ip",
        To(&[5094]),
        &[1],
        is_hart_ip,
        "HART-IP, FieldComm TS20085: a request as long as it says",
    ),
    application(
        "srtp-init",
        To(&[18245, 18246]),
        &[0],
        |payload| payload.bytes == [0; 56],
        "Denton et al., Leveraging the SRTP protocol for over-the-network memory acquisition, DFRWS 2017",
    ),
    application(
        "red-lion",
        To(&[789]),
        &[0],
        |payload| payload.starts_with(&[0, 4, 1, 0x2b, 0x1b, 0]),
        "Redpoint cr3-fingerprint",
    ),
];

/// A link frame from a master (DIR and PRM set) as long as it says: a header of ten bytes, and blocks of 16 with two of checksum.
fn is_dnp3_request(payload: &Payload) -> bool {
    let &[5, 0x64, length @ 5..=255, control, ..] = payload.bytes else {
        return false;
    };
    let data = usize::from(length) - 5;
    control & 0xc0 == 0xc0 && payload.bytes.len() >= 10 + data + 2 * data.div_ceil(16)
}

/// Version 1, a request without an error.
fn is_hart_ip(payload: &Payload) -> bool {
    matches!(payload.bytes, [1, 0, 0..=4, 0, ..])
        && payload
            .big_endian_16(6)
            .is_some_and(|length| usize::from(length) == payload.bytes.len())
}
