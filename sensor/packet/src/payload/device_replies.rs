//! UDP replies of devices and applications, recognised as in `replies.rs`: from the service's port, by what marks an answer.

use super::Ports::{Any, From};
use super::replies::reply;
use super::{Payload, Signature, ber};

/// Replies.
pub(super) const UDP: &[Signature] = &[
    reply(
        "radius-response",
        From(&[1645, 1646, 1812, 1813]),
        &[2, 3, 5, 11],
        |payload| {
            payload.bytes.len() >= 20
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) == payload.bytes.len())
        },
        "RFC 2865 3, RFC 2866 3",
    ),
    reply(
        "kerberos-response",
        From(&[88]),
        &[0x6b, 0x6d, 0x7e],
        |payload| ber::is_kerberos_reply(payload.bytes),
        "RFC 4120 5.4.2 and 5.9.1: AS-REP, TGS-REP, KRB-ERROR",
    ),
    reply(
        "l2tp-response",
        From(&[1701]),
        &[0xc8],
        |payload| {
            payload.byte(1) == 2
                && payload.big_endian_16(2) == u16::try_from(payload.bytes.len()).ok()
                && payload.bytes.get(14..18) == Some(&[0; 4])
                && matches!(payload.big_endian_16(18), Some(2 | 4))
        },
        "RFC 2661 4.4.1: the first attribute says SCCRP or StopCCN",
    ),
    reply(
        "gtp-response",
        From(&[2123, 2152, 3386]),
        &[],
        |payload| is_gtp(payload, &[2, 17, 19, 21, 33, 35, 37]),
        "3GPP TS 29.060 7.1, TS 29.274 8.1: even answers to odd and even requests, as long as they say",
    ),
    reply(
        "rmcp-response",
        From(&[623, 664]),
        &[6],
        |payload| {
            !matches!(payload.destination_port, 623 | 664)
                && matches!(payload.bytes, [6, 0, _, 6 | 7, ..])
                && payload.bytes.len() >= 12
        },
        "IPMI 2.0, 13.1.3: to another port than that of requests",
    ),
    reply(
        "nat-pmp-response",
        From(&[5351]),
        &[0, 2],
        |payload| matches!(payload.byte(1), 0x80..=0x82) && payload.bytes.len() >= 8,
        "RFC 6886 3.5, RFC 6887 7.2: operation with its high bit set",
    ),
    reply(
        "service-location-reply",
        From(&[427]),
        &[1, 2],
        |payload| {
            let length = match payload.byte(0) {
                1 => payload.big_endian_16(2).map(u32::from),
                _ => payload.big_endian_32(1).map(|number| number & 0x00ff_ffff),
            };
            matches!(payload.byte(1), 2 | 5 | 7 | 8 | 10 | 11)
                && length.is_some_and(|length| length as usize == payload.bytes.len())
        },
        "RFC 2608 8: replies and advertisements as long as they say",
    ),
    reply(
        "xdmcp-response",
        From(&[177]),
        &[0],
        |payload| matches!(payload.bytes, [0, 1, 0, 5 | 6 | 8 | 9, ..]),
        "XDMCP 1.1: Willing, Unwilling, Accept, Decline",
    ),
    reply(
        "rdp-udp-syn-ack",
        From(&[3389]),
        &[],
        |payload| matches!(payload.big_endian_16(6), Some(5 | 0x0205)) && payload.bytes.len() >= 16,
        "MS-RDPEUDP 2.2.2.1: SYN and ACK",
    ),
    reply(
        "apple-remote-desktop-reply",
        From(&[3283]),
        &[0],
        |payload| payload.starts_with(&[0, 1, 3]) && payload.bytes.len() >= 100,
        "Netscout ASERT, 2019-06 (ARMS)",
    ),
    reply(
        "ubiquiti-response",
        From(&[10001]),
        &[1, 2],
        |payload| {
            matches!(payload.bytes, [1, 0, ..] | [2, 6 | 9 | 11, ..])
                && payload.bytes.len() > 4
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) + 4 == payload.bytes.len())
        },
        "Rapid7, 2019-02-01",
    ),
    reply(
        "dhdiscover-response",
        From(&[37810]),
        &[0x20],
        |payload| payload.starts_with(&[0x20, 0, 0, 0, b'D', b'H', b'I', b'P']),
        "Netscout ASERT, 2020 (DVR DHCPDiscover)",
    ),
    reply(
        "citrix-browser-response",
        From(&[1604]),
        &[],
        |payload| {
            payload.bytes.get(1..4) == Some(&[0, 2, 0x31])
                && usize::from(payload.byte(0)) == payload.bytes.len()
        },
        "nmap-payloads: a length, then 00 02 31",
    ),
    reply(
        "knx-response",
        From(&[3671]),
        &[6],
        |payload| matches!(payload.bytes, [6, 0x10, 2, 2 | 4 | 0x0c, ..]),
        "KNXnet/IP core, ISO 22510: search and description response",
    ),
    reply(
        "ethernet-ip-response",
        From(&[44818, 2222]),
        &[0x63, 4],
        |payload| {
            payload.byte(1) == 0
                && payload.byte(2) != 0
                && payload.bytes.len() == 24 + usize::from(payload.byte(2))
        },
        "CIP volume 2, 2-4: with data behind the header",
    ),
    reply(
        "lantronix-response",
        From(&[30718]),
        &[0],
        |payload| matches!(payload.bytes, [0, 0, 0, 0xf7 | 0xf9, ..]),
        "Metasploit lantronix_telnet_password",
    ),
    reply(
        "teamspeak-response",
        From(&[9987]),
        b"T",
        |payload| payload.starts_with(b"TS3INIT1"),
        "TeamSpeak 3 handshake",
    ),
    reply(
        "samp-response",
        Any,
        b"S",
        |payload| {
            payload.starts_with(b"SAMP")
                && matches!(payload.byte(10), b'i' | b'r' | b'c' | b'd')
                && payload.bytes.len() > 11
        },
        "SA-MP wiki, Query mechanism: a query repeated, with data behind it",
    ),
    reply(
        "ike-response-nat",
        From(&[4500]),
        &[0],
        |payload| {
            payload.starts_with(&[0; 4]) && super::replies::is_ike_response(&payload.bytes[4..])
        },
        "RFC 3948 2.2, RFC 7296 3.1: the responder's cookie is set",
    ),
];

/// A message of one of these types, as long as it says: behind a header of eight bytes in version 1, of four in version 2.
pub(super) fn is_gtp(payload: &Payload, types: &[u8]) -> bool {
    let header = match payload.byte(0) {
        0x30..=0x37 => 8,
        0x40 | 0x48 | 0x50 | 0x58 => 4,
        _ => return false,
    };
    types.contains(&payload.byte(1))
        && payload
            .big_endian_16(2)
            .is_some_and(|length| usize::from(length) + header == payload.bytes.len())
}
