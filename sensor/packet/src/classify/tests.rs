//! The classes of hand-built packets, rule by rule.

use teiten_observation::{Class, Tool, TrafficType as Type};

use super::*;
use crate::LinkType;
use crate::decode::{Decoded, decode_record};
use crate::samples::{ipv4_packet, ipv6_packet, tcp_segment, udp_datagram};

fn with_packet(bytes: &[u8], check: impl Fn(Verdict)) {
    match decode_record(LinkType(101), bytes, bytes.len() as u32) {
        Decoded::Ipv4(packet) => {
            assert_eq!(kind(&packet), verdict(&packet).kind);
            check(verdict(&packet));
        }
        Decoded::Ipv6(packet) => {
            assert_eq!(kind(&packet), verdict(&packet).kind);
            check(verdict(&packet));
        }
        other => panic!("not an IP packet: {other:?}"),
    }
}

fn check(bytes: &[u8], traffic_type: Type, class: Class, port: Option<u16>) {
    with_packet(bytes, |verdict| {
        let kind = verdict.kind;
        assert_eq!(
            (kind.traffic_type(), kind.class(), kind.port()),
            (traffic_type, class, port),
            "by rule {}",
            verdict.rule.name
        );
    });
}

fn check_tcp(flags: u8, payload: &[u8], traffic_type: Type, class: Class, port: u16) {
    let segment = tcp_segment(flags, 443, 50000, &[], payload);
    check(&ipv4_packet(6, &segment), traffic_type, class, Some(port));
    check(&ipv6_packet(6, &segment), traffic_type, class, Some(port));
}

fn check_udp(source_port: u16, destination_port: u16, payload: &[u8], class: Class, port: u16) {
    let bytes = ipv4_packet(17, &udp_datagram(source_port, destination_port, payload));
    check(&bytes, Type::Udp, class, Some(port));
}

fn check_icmp(icmp_type: u8, traffic_type: Type, class: Class) {
    let message = [icmp_type, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    check(&ipv4_packet(1, &message), traffic_type, class, None);
}

fn check_icmpv6(icmp_type: u8, traffic_type: Type, class: Class) {
    let message = [icmp_type, 0, 0, 0, 0, 1, 0, 1];
    check(&ipv6_packet(58, &message), traffic_type, class, None);
}

/// As if sent from this address.
fn from(source: [u8; 4], mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[12..16].copy_from_slice(&source);
    bytes
}

#[test]
fn syn_is_scan_with_or_without_ecn() {
    for flags in [0x02, 0x42, 0x82, 0xc2] {
        check_tcp(flags, b"", Type::TcpSyn, Class::Scan, 50000);
    }
}

#[test]
fn reset_without_ack_is_backscatter() {
    check_tcp(0x04, b"", Type::TcpRst, Class::Backscatter, 443);
}

#[test]
fn syn_ack_and_reset_with_ack_are_backscatter_of_the_source_port() {
    check_tcp(0x12, b"", Type::TcpSynAck, Class::Backscatter, 443);
    check_tcp(0x52, b"", Type::TcpSynAck, Class::Backscatter, 443);
    check_tcp(0x14, b"", Type::TcpRstAck, Class::Backscatter, 443);
    check_tcp(
        0x14,
        b"GET / HTTP/1.1",
        Type::TcpRstAck,
        Class::Backscatter,
        443,
    );
}

#[test]
fn stealth_probes_are_scan() {
    for (flags, traffic_type) in [
        (0x10, Type::TcpAck),
        (0x01, Type::TcpFin),
        (0x11, Type::TcpFinAck),
        (0x00, Type::TcpNull),
        (0x29, Type::TcpXmas),
        (0x03, Type::TcpSynFin),
    ] {
        check_tcp(flags, b"", traffic_type, Class::Scan, 50000);
    }
}

#[test]
fn data_without_a_handshake_is_misconfiguration() {
    check_tcp(
        0x18,
        b"\x80\x81\x82",
        Type::TcpOther,
        Class::Misconfiguration,
        50000,
    );
    check_tcp(
        0x10,
        b"\x80\x81\x82",
        Type::TcpAck,
        Class::Misconfiguration,
        50000,
    );
    check_tcp(0x18, b"", Type::TcpOther, Class::Misconfiguration, 50000);
    check_tcp(0x19, b"", Type::TcpOther, Class::Misconfiguration, 50000);
}

#[test]
fn a_known_request_without_a_handshake_is_scan() {
    check_tcp(
        0x18,
        b"GET / HTTP/1.1\r\n\r\n",
        Type::TcpOther,
        Class::Scan,
        50000,
    );
}

#[test]
fn an_exploit_in_a_segment_is_exploit() {
    let request = b"GET /shell?cd+/tmp;wget HTTP/1.1\r\n\r\n";
    check_tcp(0x18, request, Type::TcpOther, Class::Exploit, 50000);
}

#[test]
fn impossible_flags_are_other() {
    check_tcp(0x06, b"", Type::TcpOther, Class::Other, 50000);
    check_tcp(0x20, b"", Type::TcpOther, Class::Other, 50000);
}

#[test]
fn icmp_types_have_their_class() {
    for (icmp_type, traffic_type, class) in [
        (0, Type::IcmpEchoReply, Class::Backscatter),
        (3, Type::IcmpUnreachable, Class::Backscatter),
        (4, Type::IcmpSourceQuench, Class::Backscatter),
        (5, Type::IcmpRedirect, Class::Backscatter),
        (8, Type::IcmpEchoRequest, Class::Scan),
        (11, Type::IcmpTimeExceeded, Class::Backscatter),
        (12, Type::IcmpParameterProblem, Class::Backscatter),
        (13, Type::IcmpTimestampRequest, Class::Scan),
        (14, Type::IcmpTimestampReply, Class::Backscatter),
        (15, Type::IcmpInformationRequest, Class::Scan),
        (16, Type::IcmpInformationReply, Class::Backscatter),
        (17, Type::IcmpMaskRequest, Class::Scan),
        (18, Type::IcmpMaskReply, Class::Backscatter),
        (9, Type::IcmpOther, Class::Misconfiguration),
        (42, Type::IcmpOther, Class::Other),
    ] {
        check_icmp(icmp_type, traffic_type, class);
    }
}

#[test]
fn icmpv6_goes_under_the_same_names() {
    for (icmp_type, traffic_type, class) in [
        (1, Type::IcmpUnreachable, Class::Backscatter),
        (2, Type::IcmpPacketTooBig, Class::Backscatter),
        (3, Type::IcmpTimeExceeded, Class::Backscatter),
        (4, Type::IcmpParameterProblem, Class::Backscatter),
        (128, Type::IcmpEchoRequest, Class::Scan),
        (129, Type::IcmpEchoReply, Class::Backscatter),
        (135, Type::IcmpOther, Class::Misconfiguration),
        (0, Type::IcmpOther, Class::Other),
    ] {
        check_icmpv6(icmp_type, traffic_type, class);
    }
}

#[test]
fn an_icmp_error_has_the_port_that_its_quotation_went_to() {
    for inner in [
        ipv4_packet(6, &tcp_segment(0x02, 40000, 443, &[], b"")),
        ipv4_packet(17, &udp_datagram(40000, 443, b"")),
    ] {
        let mut message = vec![3, 3, 0, 0, 0, 0, 0, 0];
        message.extend(&inner[..28]);
        check(
            &ipv4_packet(1, &message),
            Type::IcmpUnreachable,
            Class::Backscatter,
            Some(443),
        );
    }
}

#[test]
fn udp_replies_are_told_by_their_response_bit() {
    let mut message = vec![
        0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1,
    ];
    check_udp(53, 40000, &message, Class::Backscatter, 53);
    message[2] = 0x01;
    check_udp(53, 40000, &message, Class::Scan, 40000);
    check_udp(40000, 53, &message, Class::ReflectorScan, 53);
}

#[test]
fn udp_without_a_known_payload_is_scan() {
    check_udp(40000, 123, b"", Class::Scan, 123);
    check_udp(40000, 11211, b"\x99", Class::Scan, 11211);
    check_udp(40000, 40001, &[0x99; 30], Class::Scan, 40001);
}

#[test]
fn a_worm_is_exploit() {
    let mut worm = vec![4];
    worm.extend([1; 375]);
    check_udp(1034, 1434, &worm, Class::Exploit, 1434);
    check_udp(40000, 53413, b"AA\0\0AAAA cd /tmp", Class::Exploit, 53413);
}

#[test]
fn peer_to_peer_is_misconfiguration() {
    let ping = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    check_udp(6881, 51413, ping, Class::Misconfiguration, 51413);
}

/// A SYN to 203.0.113.9 port 23 with this sequence number and identification.
fn marked_syn(source: [u8; 4], sequence: u32, identification: u16) -> Vec<u8> {
    let mut segment = tcp_segment(0x02, 40000, 23, &[], b"");
    segment[4..8].copy_from_slice(&sequence.to_be_bytes());
    let mut bytes = from(source, ipv4_packet(6, &segment));
    bytes[4..6].copy_from_slice(&identification.to_be_bytes());
    bytes
}

#[test]
fn a_private_source_with_a_mark_that_stands_alone_is_scan() {
    const DESTINATION: u32 = 0xcb00_7109;
    let masscan = (DESTINATION ^ 23 ^ 0x0102_0304) as u16;
    for source in [
        [10, 1, 2, 3],
        [100, 64, 1, 1],
        [169, 254, 1, 1],
        [172, 16, 1, 1],
        [192, 168, 1, 1],
    ] {
        for (sequence, identification, tool) in [
            (DESTINATION, 7, Tool::Mirai),
            (9, 54321, Tool::Zmap),
            (0x0102_0304, masscan, Tool::Masscan),
        ] {
            let mut bytes = marked_syn(source, sequence, identification);
            if tool != Tool::Mirai {
                // A match of 16 bits alone does not make an impossible source a host.
                check(&bytes, Type::TcpSyn, Class::Spoofed, Some(23));
                bytes[8] = 240;
            }
            if tool == Tool::Zmap {
                bytes[34..36].fill(0xff);
            }
            with_packet(&bytes, |verdict| {
                assert_eq!(verdict.rule.name, "private-source-with-tool-mark");
                let found = (verdict.kind.class(), verdict.kind.tool());
                assert_eq!(found, (Class::Scan, tool));
            });
        }
        let unmarked = marked_syn(source, 9, 7);
        check(&unmarked, Type::TcpSyn, Class::Spoofed, Some(23));
    }
}

#[test]
fn an_impossible_source_with_a_mark_stays_spoofed() {
    for source in [
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [203, 0, 113, 9],
    ] {
        let bytes = marked_syn(source, 0xcb00_7109, 54321);
        check(&bytes, Type::TcpSyn, Class::Spoofed, Some(23));
    }
}

#[test]
fn the_payload_of_a_marked_private_probe_decides_first() {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01";
    let datagram = ipv4_packet(17, &udp_datagram(40000, 53, query));
    let mut bytes = from([10, 1, 2, 3], datagram);
    bytes[8] = 240;
    bytes[4..6].copy_from_slice(&54321_u16.to_be_bytes());
    check(&bytes, Type::Udp, Class::ReflectorScan, Some(53));
    let empty = ipv4_packet(17, &udp_datagram(40000, 9, b""));
    let mut bytes = from([10, 1, 2, 3], empty);
    bytes[8] = 240;
    bytes[4..6].copy_from_slice(&54321_u16.to_be_bytes());
    check(&bytes, Type::Udp, Class::Scan, Some(9));
}

#[test]
fn tunnels_are_other() {
    check(&ipv4_packet(47, &[0; 8]), Type::Gre, Class::Other, None);
    check(
        &ipv4_packet(4, &[0x45; 20]),
        Type::IpInIp,
        Class::Other,
        None,
    );
    check(
        &ipv4_packet(41, &[0x60; 40]),
        Type::IpInIp,
        Class::Other,
        None,
    );
    check(&ipv6_packet(47, &[0; 8]), Type::Gre, Class::Other, None);
    for inner in [4, 41] {
        let tunnel = ipv6_packet(inner, &[0x60; 40]);
        check(&tunnel, Type::IpInIp, Class::Other, None);
    }
    check(&ipv4_packet(50, &[0; 20]), Type::Other, Class::Other, None);
}

#[test]
fn sctp_is_told_by_its_first_chunk() {
    for (chunk, class, port) in [
        (1, Class::Scan, 2905),
        (2, Class::Backscatter, 5000),
        (6, Class::Backscatter, 5000),
        (0, Class::Misconfiguration, 2905),
    ] {
        let mut packet = vec![0x13, 0x88, 0x0b, 0x59, 0, 0, 0, 0, 0, 0, 0, 0];
        packet.extend([chunk, 0, 0, 20, 1, 2, 3, 4]);
        check(&ipv4_packet(132, &packet), Type::Sctp, class, Some(port));
        check(&ipv6_packet(132, &packet), Type::Sctp, class, Some(port));
    }
}

#[test]
fn a_syn_is_one_behind_extension_headers_and_options() {
    let syn = tcp_segment(0xc2, 40000, 23, &[], b"");
    let mut body = vec![6, 0, 1, 4, 0, 0, 0, 0];
    body.extend(&syn);
    let bytes = ipv6_packet(60, &body);
    check(&bytes, Type::TcpSyn, Class::Scan, Some(23));
    let mut bytes = ipv4_packet(6, &syn);
    (bytes[0], bytes[3]) = (0x46, bytes[3] + 4);
    bytes.splice(20..20, [0x94, 4, 0, 0]);
    check(&bytes, Type::TcpSyn, Class::Scan, Some(23));
}

#[test]
fn a_later_fragment_is_of_that_type() {
    let mut bytes = ipv4_packet(17, &[0; 24]);
    bytes[7] = 3;
    check(&bytes, Type::Fragment, Class::Other, None);
    let later = ipv6_packet(44, &[17, 0, 0, 0x08, 0, 0, 0, 9, 1, 2, 3, 4]);
    check(&later, Type::Fragment, Class::Other, None);
    with_packet(&bytes, |verdict| {
        assert_eq!(verdict.kind.protocol(teiten_observation::Family::Ipv4), 17);
    });
}

#[test]
fn an_impossible_source_is_spoofed_whatever_it_sends() {
    let syn = ipv4_packet(6, &tcp_segment(0x02, 1, 23, &[], b""));
    let reply = ipv4_packet(6, &tcp_segment(0x12, 80, 4444, &[], b""));
    check(
        &from([10, 1, 1, 1], syn.clone()),
        Type::TcpSyn,
        Class::Spoofed,
        Some(23),
    );
    check(
        &from([240, 1, 1, 1], reply),
        Type::TcpSynAck,
        Class::Spoofed,
        Some(4444),
    );
    check(
        &from([203, 0, 113, 9], syn),
        Type::TcpSyn,
        Class::Spoofed,
        Some(23),
    );
}

#[test]
fn damage_is_malformed_even_from_an_impossible_source() {
    let mut bytes = ipv4_packet(6, &tcp_segment(0x02, 1, 23, &[], b""));
    bytes[32] = 0xf0;
    check(&bytes, Type::Malformed, Class::Malformed, None);
    check(
        &from([10, 1, 1, 1], bytes),
        Type::Malformed,
        Class::Malformed,
        None,
    );
}

#[test]
fn a_snapped_header_is_not_malformed() {
    let bytes = ipv4_packet(6, &tcp_segment(0x02, 1000, 23, &[], b""));
    for (captured, port) in [(33, Some(23)), (24, Some(23)), (23, None)] {
        let Decoded::Ipv4(packet) = decode_record(LinkType(101), &bytes[..captured], 40) else {
            panic!("both addresses are there");
        };
        let kind = kind(&packet);
        assert_eq!(
            (kind.traffic_type(), kind.class(), kind.port()),
            (Type::TcpOther, Class::Other, port),
            "{captured} bytes"
        );
    }
}

#[test]
fn tools_are_named_on_probes_only() {
    let marked = |flags: u8| {
        let mut bytes = ipv4_packet(6, &tcp_segment(flags, 80, 23, &[], b""));
        bytes[4..6].copy_from_slice(&54321_u16.to_be_bytes());
        bytes
    };
    with_packet(&marked(0x02), |verdict| {
        assert_eq!(verdict.kind.tool(), Tool::Zmap);
    });
    with_packet(&marked(0x12), |verdict| {
        assert_eq!(verdict.kind.tool(), Tool::None);
    });
    with_packet(&from([240, 0, 0, 1], marked(0x02)), |verdict| {
        assert_eq!(verdict.kind.tool(), Tool::Zmap);
        assert_eq!(verdict.kind.class(), Class::Spoofed);
    });
}

#[test]
fn rules_have_unique_names_and_the_last_takes_all() {
    for (index, rule) in RULES.iter().enumerate() {
        assert!(
            RULES[..index].iter().all(|other| other.name != rule.name),
            "{}",
            rule.name
        );
    }
    assert_eq!(RULES[RULES.len() - 1].types, Types::ALL);
}
