//! UDP requests that make an amplifier answer: what reflector scans and reflected attacks send.

use teiten_observation::Class::ReflectorScan;

use super::Ports::{Any, To};
use super::{Payload, Ports, Signature, ber};

pub(super) const fn reflector(
    name: &'static str,
    ports: Ports,
    first: &'static [u8],
    test: fn(&Payload) -> bool,
    source: &'static str,
) -> Signature {
    Signature {
        name,
        class: ReflectorScan,
        ports,
        first,
        test,
        source,
    }
}

/// NTP: the mode is in the low three bits of the first byte. The rows' `first` skips the tests for other modes.
const NTP_CONTROL: &[u8] = &[0x06, 0x0e, 0x16, 0x1e, 0x26];
const NTP_PRIVATE: &[u8] = &[0x07, 0x0f, 0x17, 0x1f, 0x27];

/// Requests that make an amplifier answer.
pub(super) const UDP: &[Signature] = &[
    reflector(
        "dns-query",
        To(&[53]),
        &[],
        is_dns_query,
        "RFC 1035 4.1.1; CISA TA14-017A",
    ),
    reflector(
        "dns-status",
        Any,
        &[],
        is_dns_status,
        "RFC 1035 4.1.1: operation 2; nmap-payloads",
    ),
    reflector(
        "mdns-query",
        To(&[5353]),
        &[],
        is_dns_query,
        "RFC 6762 18; CERT VU#550620",
    ),
    reflector(
        "llmnr-query",
        To(&[5355]),
        &[],
        is_dns_query,
        "RFC 4795 2.1.1",
    ),
    reflector(
        "ntp-monlist",
        To(&[123]),
        NTP_PRIVATE,
        is_ntp_monlist,
        "ntp, include/ntp_request.h: MON_GETLIST 20 and 42; CVE-2013-5211",
    ),
    reflector(
        "ntp-private",
        To(&[123]),
        NTP_PRIVATE,
        is_ntp_private,
        "ntp, include/ntp_request.h: mode 7, implementation 0, 2 or 3",
    ),
    reflector(
        "ntp-readvar",
        To(&[123]),
        NTP_CONTROL,
        |payload| payload.byte(1) == 2 && payload.bytes.len() >= 8,
        "RFC 9327 2: mode 6, opcode 2",
    ),
    reflector(
        "ntp-control",
        To(&[123]),
        NTP_CONTROL,
        |payload| matches!(payload.byte(1), 0..=12 | 31) && payload.bytes.len() >= 12,
        "RFC 9327 2: mode 6, neither response, error nor more",
    ),
    reflector(
        "ntp-client",
        To(&[123]),
        &[],
        is_ntp_client,
        "RFC 5905 7.3: mode 3, and mode 1 of a peer",
    ),
    reflector(
        "snmp-getbulk",
        To(&[161]),
        b"0",
        |payload| ber::snmp(payload.bytes) == Some(0xa5),
        "RFC 3416 3; CISA TA14-017A",
    ),
    reflector(
        "snmp-get",
        To(&[161]),
        b"0",
        |payload| matches!(ber::snmp(payload.bytes), Some(0xa0 | 0xa1)),
        "RFC 3416 3: Get, GetNext",
    ),
    reflector(
        "snmp-v3",
        To(&[161]),
        b"0",
        |payload| ber::snmp(payload.bytes) == Some(0) && ber::snmp_3_is_reportable(payload.bytes),
        "RFC 3412 6",
    ),
    reflector(
        "cldap-search",
        To(&[389]),
        b"0",
        |payload| ber::ldap(payload.bytes) == Some(0x63),
        "RFC 4511 4.5.1; CISA TA14-017A",
    ),
    reflector(
        "memcached",
        To(&[11211]),
        &[],
        is_memcached_request,
        "memcached, doc/protocol.txt, UDP protocol; CVE-2018-1000115",
    ),
    reflector(
        "chargen",
        To(&[19]),
        &[],
        |_| true,
        "RFC 864: any datagram is answered; CISA TA14-017A",
    ),
    reflector(
        "qotd",
        To(&[17]),
        &[],
        |_| true,
        "RFC 865: any datagram is answered; CISA TA14-017A",
    ),
    reflector("coap-get", To(&[5683]), &[], is_coap_request, "RFC 7252 3"),
    reflector("stun-binding", Any, &[0], is_stun_request, "RFC 8489 5"),
    reflector(
        "stun-classic",
        To(&[3478, 8088, 37833]),
        &[0],
        |payload| {
            payload.starts_with(&[0, 1])
                && payload.bytes.len() >= 20
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) == payload.bytes.len() - 20)
        },
        "RFC 3489 11.1: its length is right",
    ),
    reflector(
        "portmapper",
        To(&[111]),
        &[],
        |payload| is_rpc_call(payload, 100_000),
        "RFC 1833, RFC 5531 9; CISA TA14-017A",
    ),
    reflector(
        "netbios-name",
        To(&[137]),
        &[],
        is_netbios_query,
        "RFC 1002 4.2; CISA TA14-017A",
    ),
    reflector(
        "tftp-read",
        To(&[69]),
        &[0],
        is_tftp_request,
        "RFC 1350 5; CISA TA14-017A",
    ),
    reflector(
        "ike-init",
        To(&[500, 4500]),
        &[],
        |payload| is_ike_init(payload.bytes),
        "RFC 7296 3.1, RFC 2408 3.1",
    ),
    reflector(
        "ike-init-nat",
        To(&[4500]),
        &[0],
        |payload| payload.starts_with(&[0; 4]) && is_ike_init(&payload.bytes[4..]),
        "RFC 3948 2.2",
    ),
    reflector(
        "rdp-udp-syn",
        To(&[3389]),
        &[0xff],
        is_rdp_udp_syn,
        "MS-RDPEUDP 2.2.2.1; Netscout ASERT, 2021-01",
    ),
    reflector(
        "openvpn-reset",
        To(&[1194]),
        &[0x08, 0x38, 0x50],
        is_openvpn_reset,
        "OpenVPN protocol, P_CONTROL_HARD_RESET_CLIENT; Shadowserver, 2021",
    ),
    reflector(
        "rip-request",
        To(&[520]),
        &[1],
        |payload| matches!(payload.bytes, [1, 1 | 2, 0, 0, ..]),
        "RFC 1058 3.1; CISA TA14-017A",
    ),
    reflector(
        "sentinel-license",
        To(&[5093]),
        &[0x7a],
        |payload| payload.starts_with(&[0x7a, 0, 0, 0, 0, 0]),
        "Akamai, Sentinel reflection, 2015",
    ),
    reflector(
        "dtls-client-hello",
        Any,
        &[22],
        is_dtls_client_hello,
        "RFC 6347 4.2; Netscout ASERT, 2021-03 (D/TLS)",
    ),
    reflector(
        "tp240-driver",
        To(&[10074]),
        b"c",
        |payload| payload.starts_with(b"call."),
        "CVE-2022-26143",
    ),
    reflector(
        "dns-query-other-port",
        Any,
        &[],
        is_whole_dns_query,
        "RFC 1035 4.1: a resolver is looked for on another port",
    ),
    reflector(
        "echo",
        To(&[7]),
        &[],
        |payload| !payload.starts_with(&[0xff; 6]),
        "RFC 862: any datagram is answered",
    ),
    reflector(
        "users",
        To(&[11]),
        &[],
        |_| true,
        "RFC 866: any datagram is answered",
    ),
    reflector(
        "daytime",
        To(&[13]),
        &[],
        |_| true,
        "RFC 867: any datagram is answered",
    ),
    reflector(
        "time",
        To(&[37]),
        &[],
        |_| true,
        "RFC 868: any datagram is answered",
    ),
];

fn is_dns_query(payload: &Payload) -> bool {
    // A query (QR 0, operation 0) with at least one question.
    payload.bytes.len() >= 12
        && payload.byte(2) & 0xf8 == 0
        && matches!(payload.big_endian_16(4), Some(1..=16))
        && can_be_question(payload)
}

/// Whether a question starts behind the header, as far as it was captured: labels of 63 bytes at most, then a type.
fn can_be_question(payload: &Payload) -> bool {
    let mut place = 12;
    while let Some(&label) = payload.bytes.get(place) {
        match label {
            0 => return payload.big_endian_16(place + 1) != Some(0),
            1..=63 => place += 1 + usize::from(label),
            _ => return false,
        }
    }
    true
}

/// A query with one question, whose name ends within the message and is followed by a class that exists, and with nothing else but
/// an option record.
fn is_whole_dns_query(payload: &Payload) -> bool {
    is_dns_query(payload)
        && payload.byte(3) & 0xcf == 0
        && payload.bytes.get(4..10) == Some(&[0, 1, 0, 0, 0, 0])
        && matches!(payload.big_endian_16(10), Some(0 | 1))
        && question_end(payload).is_some_and(|end| {
            let class = payload.big_endian_16(end - 2);
            matches!(class, Some(1 | 3 | 255))
                && (payload.byte(11) == 0) == (end == payload.bytes.len())
        })
}

/// Where the first question of a DNS message ends, behind its name, type and class; none where it does not.
pub(super) fn question_end(payload: &Payload) -> Option<usize> {
    let mut place = 12;
    loop {
        match *payload.bytes.get(place)? {
            0 => break,
            label @ 1..=63 if place < 12 + 255 => place += 1 + usize::from(label),
            _ => return None,
        }
    }
    let end = place + 5;
    (end <= payload.bytes.len()).then_some(end)
}

/// Operation 2, which has no question: service scanners send it.
fn is_dns_status(payload: &Payload) -> bool {
    payload.bytes.len() == 12 && payload.byte(2) & 0xf8 == 0x10 && payload.bytes[4..] == [0; 8]
}

/// A query or a node status request: QR 0, operation 0, one question and, of the other sections, at most one record.
fn is_netbios_query(payload: &Payload) -> bool {
    payload.bytes.len() >= 12
        && payload.byte(2) & 0xf8 == 0
        && payload.big_endian_16(4) == Some(1)
        && (6..12)
            .step_by(2)
            .all(|at| matches!(payload.big_endian_16(at), Some(0 | 1)))
}

fn is_ntp_private(payload: &Payload) -> bool {
    payload.byte(0) & 0x80 == 0 && matches!(payload.byte(2), 0 | 2 | 3) && payload.bytes.len() >= 4
}

fn is_ntp_monlist(payload: &Payload) -> bool {
    is_ntp_private(payload) && matches!(payload.byte(3), 20 | 42)
}

fn is_ntp_client(payload: &Payload) -> bool {
    matches!(payload.byte(0) & 7, 1 | 3)
        && matches!(payload.byte(0) >> 3 & 7, 1..=4)
        && payload.byte(1) <= 16
        && payload.bytes.len() >= 48
}

/// The frame header is eight bytes: request, sequence 0, one datagram, reserved 0.
fn is_memcached_request(payload: &Payload) -> bool {
    const COMMANDS: &[&[u8]] = &[
        b"stat", b"get", b"set ", b"version", b"add ", b"delete ", b"flush", b"incr ", b"touch ",
        b"mg ", b"me ",
    ];
    let command = match payload.bytes {
        [_, _, _, _, _, _, 0, 0, command @ ..] => command,
        bytes => bytes,
    };
    // The binary protocol: magic, a known operation, and a data type of zero in a header of 24 bytes.
    matches!(command, [0x80, ..=0x25, _, _, _, 0, ..]) && command.len() >= 24
        || COMMANDS.iter().any(|word| command.starts_with(word))
}

fn is_coap_request(payload: &Payload) -> bool {
    let is_request_type = matches!(payload.byte(0) >> 4, 4 | 5);
    is_request_type
        && payload.byte(0) & 0x0f <= 8
        && payload.bytes.len() >= 4
        && matches!(payload.byte(1), 1..=7)
}

fn is_stun_request(payload: &Payload) -> bool {
    const MAGIC_COOKIE: u32 = 0x2112_a442;
    payload.big_endian_16(0) == Some(1)
        && payload.big_endian_32(4) == Some(MAGIC_COOKIE)
        && payload.byte(3) & 3 == 0
}

fn is_rpc_call(payload: &Payload, program: u32) -> bool {
    is_any_rpc_call(payload) && payload.big_endian_32(12) == Some(program)
}

/// Transaction, message type 0 (call), version 2.
pub(super) fn is_any_rpc_call(payload: &Payload) -> bool {
    payload.big_endian_32(4) == Some(0)
        && payload.big_endian_32(8) == Some(2)
        && payload.bytes.len() >= 24
}

fn is_tftp_request(payload: &Payload) -> bool {
    matches!(payload.bytes, [0, 1 | 2, name, ..] if name.is_ascii_graphic() || *name == 0)
}

/// An ISAKMP header whose responder has no cookie yet: main mode, aggressive mode, or IKE_SA_INIT.
fn is_ike_init(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<28>() else {
        return false;
    };
    header[..8] != [0; 8]
        && header[8..16] == [0; 8]
        && matches!(header[17], 0x10 | 0x20)
        && matches!(header[18], 2 | 4 | 34)
}

/// The sequence number acknowledged is none yet (all ones), and the SYN flag is set.
fn is_rdp_udp_syn(payload: &Payload) -> bool {
    payload.starts_with(&[0xff; 4]) && payload.byte(7) & 1 != 0 && payload.bytes.len() >= 16
}

/// The packet number acknowledged is none and its own is 0, behind the session and whatever authenticates it; or, where that part is
/// encrypted (tls-crypt), the number behind the session is 1.
fn is_openvpn_reset(payload: &Payload) -> bool {
    let length = payload.bytes.len();
    length >= 14 && payload.bytes.ends_with(&[0; 5])
        || length >= 50 && payload.big_endian_32(9) == Some(1)
}

fn is_dtls_client_hello(payload: &Payload) -> bool {
    payload.byte(1) == 0xfe && matches!(payload.byte(2), 0xfd | 0xff) && payload.byte(13) == 1
}
