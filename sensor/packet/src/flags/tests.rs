//! Each flag against packets written down byte by byte: one that has it, and its nearest neighbours that have not.

use super::*;
use crate::LinkType;
use crate::decode::{Decoded, decode_record};

/// An IPv4 packet of which the tests change what they are about.
struct Given {
    source: [u8; 4],
    destination: [u8; 4],
    time_to_live: u8,
    fragment: u16,
    protocol: u8,
    body: Vec<u8>,
}

fn given(protocol: u8, body: &[u8]) -> Given {
    Given {
        source: [9, 8, 7, 6],
        destination: [203, 0, 113, 9],
        time_to_live: 60,
        fragment: 0,
        protocol,
        body: body.to_vec(),
    }
}

impl Given {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let mut bytes = vec![0x45, 0];
        bytes.extend((self.body.len() as u16 + 20).to_be_bytes());
        bytes.extend([0, 7]);
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.time_to_live, self.protocol, 0, 0]);
        bytes.extend(self.source);
        bytes.extend(self.destination);
        bytes.extend(&self.body);
        match decode_record(LinkType(228), &bytes, bytes.len() as u32) {
            Decoded::Ipv4(packet) => names(flags(&packet)).collect(),
            other => panic!("not an IPv4 packet: {other:?}"),
        }
    }
}

/// A segment from port 40000 with window 29200 and options of four bytes each.
fn tcp(flags: u8, port: u16, options: usize) -> Vec<u8> {
    let mut body = vec![0x9c, 0x40];
    body.extend(port.to_be_bytes());
    body.extend([1, 2, 3, 4, 0, 0, 0, 0]);
    body.extend([(5 + options as u8) << 4, flags, 0x72, 0x10, 0, 0, 0, 0]);
    body.extend([1, 1, 1, 1].repeat(options));
    body
}

fn window(mut segment: Vec<u8>, window: u16) -> Vec<u8> {
    segment[14..16].copy_from_slice(&window.to_be_bytes());
    segment
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(from.to_be_bytes());
    body.extend(to.to_be_bytes());
    body.extend((payload.len() as u16 + 8).to_be_bytes());
    body.extend([0, 0]);
    body.extend(payload);
    body
}

/// A datagram between ports that no flag looks at.
fn data(payload: &[u8]) -> Given {
    given(17, &udp(40000, 40001, payload))
}

#[track_caller]
fn check(given: &Given, expected: &[&str]) {
    assert_eq!(given.names(), expected);
}

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

#[test]
fn an_ordinary_syn_has_no_flag() {
    check(&given(6, &tcp(SYN, 22, 1)), &[]);
    check(&data(b"hello"), &[]);
    check(&given(1, &[8, 0, 0, 0, 0, 1, 0, 1]), &[]);
}

#[test]
fn the_masscan_of_old_is_a_large_scale_scan_and_the_new_one_is_spoofed() {
    let old = given(6, &window(tcp(SYN, 22, 0), 1024)).with(|it| it.time_to_live = 200);
    let scan = [
        "ttl-200",
        "no-tcp-options",
        "tcp-win-1024",
        "large-scale-scan",
    ];
    check(&old, &scan);
    let new = given(6, &window(tcp(SYN, 22, 1), 1025)).with(|it| it.time_to_live = 200);
    check(
        &new,
        &["ttl-200", "ttl-200-nonspoofed", "spoofed", "erratic"],
    );
    check(&old.with(|it| it.time_to_live = 199), &scan[1..3]);
}

#[test]
fn no_options_and_window_1024_are_asked_of_requests_alone() {
    check(&given(6, &tcp(SYN, 22, 0)), &["no-tcp-options"]);
    check(&given(6, &tcp(SYN | 0xc0, 22, 0)), &["no-tcp-options"]);
    check(&given(6, &window(tcp(SYN, 22, 1), 1024)), &["tcp-win-1024"]);
    check(&given(6, &window(tcp(ACK, 22, 0), 1024)), &[]);
    let reply = given(6, &window(tcp(SYN | ACK, 22, 0), 1024));
    check(&reply, &["backscatter", "erratic"]);
}

#[test]
fn a_high_time_to_live_is_ignored_for_icmp() {
    let ping = given(1, &[8, 0, 0, 0, 0, 1, 0, 1]).with(|it| it.time_to_live = 255);
    check(&ping, &[]);
    let datagram = data(b"x").with(|it| it.time_to_live = 255);
    check(
        &datagram,
        &["ttl-200", "ttl-200-nonspoofed", "spoofed", "erratic"],
    );
}

#[test]
fn fragments_are_told_by_offset_or_reserved_bit() {
    let syn = || given(6, &tcp(SYN, 22, 1));
    check(&syn().with(|it| it.fragment = 0x6000), &[]);
    for fragment in [0x8000, 0x0001, 0x2004] {
        let fragment = syn().with(|it| it.fragment = fragment);
        check(&fragment, &["fragmented", "spoofed", "erratic"]);
    }
}

#[test]
fn addresses_that_end_in_0_or_255_or_are_equal_are_spoofed() {
    let from = |source| given(6, &tcp(SYN, 22, 1)).with(|it| it.source = source);
    check(
        &from([9, 8, 7, 0]),
        &["last-byte-src-0", "spoofed", "erratic"],
    );
    check(
        &from([9, 8, 7, 255]),
        &["last-byte-src-255", "spoofed", "erratic"],
    );
    let same = from([9, 8, 7, 6]).with(|it| it.destination = it.source);
    check(&same, &["same-src-dst", "spoofed", "erratic"]);
}

#[test]
fn special_purpose_sources_are_rfc5735_and_not_spoofed() {
    let from = |source| given(6, &tcp(SYN, 22, 1)).with(|it| it.source = source);
    for source in [
        [0, 1, 2, 3],
        [10, 1, 2, 3],
        [100, 64, 0, 1],
        [127, 0, 0, 1],
        [169, 254, 1, 1],
        [172, 31, 0, 1],
        [192, 0, 0, 1],
        [192, 0, 2, 1],
        [192, 88, 99, 1],
        [192, 168, 0, 1],
        [198, 19, 0, 1],
        [198, 51, 100, 1],
        [203, 0, 113, 1],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
    ] {
        check(&from(source), &["rfc5735"]);
    }
    for source in [
        [11, 1, 2, 3],
        [100, 128, 0, 1],
        [192, 88, 98, 1],
        [223, 0, 0, 1],
    ] {
        check(&from(source), &[]);
    }
}

#[test]
fn ports_of_0_are_spoofed() {
    let zero = |body: &[u8], at: usize| {
        let mut body = body.to_vec();
        body[at..at + 2].fill(0);
        body
    };
    for at in [0, 2] {
        let segment = given(6, &zero(&tcp(SYN, 22, 1), at));
        check(&segment, &["tcp-port-0", "spoofed", "erratic"]);
        let datagram = given(17, &zero(&udp(4000, 4001, b""), at));
        check(&datagram, &["udp-port-0", "spoofed", "erratic"]);
    }
}

#[test]
fn udp_to_80_is_spoofed_and_from_80_is_not() {
    check(
        &given(17, &udp(4000, 80, b"")),
        &["udp-destport-80", "spoofed", "erratic"],
    );
    check(&given(17, &udp(80, 4000, b"")), &[]);
}

#[test]
fn flags_and_protocols_off_the_list_are_abnormal() {
    let abnormal = ["abnormal-protocol", "spoofed", "erratic"];
    for flags in [SYN, ACK, 1, 3, 17, 24, 25, SYN | 0xc0] {
        check(&given(6, &tcp(flags, 22, 1)), &[]);
    }
    for flags in [0, 8, 9, 32, 41, 26, 63] {
        let names = given(6, &tcp(flags, 22, 1)).names();
        assert!(names.contains(&"abnormal-protocol"), "{flags}: {names:?}");
    }
    let reset = given(6, &tcp(RST | ACK, 22, 1));
    check(
        &reset,
        &["abnormal-protocol", "backscatter", "spoofed", "erratic"],
    );
    for protocol in [47, 4, 50, 132, 255] {
        check(&given(protocol, &[0; 40]), &abnormal);
    }
    check(&given(41, &[0; 40]), &[]);
}

#[test]
fn replies_are_backscatter() {
    let backscatter = ["backscatter", "erratic"];
    check(&given(6, &tcp(RST, 22, 1)), &backscatter);
    check(&given(6, &tcp(SYN | ACK, 22, 1)), &backscatter);
    for icmp_type in 0..=40_u8 {
        let message = given(1, &[icmp_type, 0, 0, 0, 0, 1, 0, 1]);
        let is_reply = [0, 3, 4, 5, 11, 12, 14, 16, 18].contains(&icmp_type);
        check(&message, if is_reply { &backscatter } else { &[] });
    }
    let from_53 = given(17, &udp(53, 4000, b""));
    check(&from_53, &["backscatter", "port-53", "erratic"]);
}

#[test]
fn ports_of_telnet_http_upnp_and_dns_are_erratic_in_either_direction() {
    for (port, name) in [
        (23, "tcp-port-23"),
        (80, "tcp-port-80"),
        (5000, "tcp-port-5000"),
        (53, "port-53"),
    ] {
        check(&given(6, &tcp(SYN, port, 1)), &[name, "erratic"]);
        let mut from = tcp(SYN, 22, 1);
        from[..2].copy_from_slice(&port.to_be_bytes());
        check(&given(6, &from), &[name, "erratic"]);
    }
    check(&given(17, &udp(4000, 53, b"")), &["port-53", "erratic"]);
    check(&given(17, &udp(4000, 23, b"")), &[]);
}

#[test]
fn lengths_of_96_and_1500_are_asked_of_udp() {
    check(&data(&[0xee; 68]), &["udp-ip-len-96", "erratic"]);
    check(&data(&[0xee; 69]), &[]);
    check(&data(&[0xee; 1472]), &["udp-ip-len-1500"]);
    check(
        &given(50, &[0; 76]),
        &["abnormal-protocol", "spoofed", "erratic"],
    );
}

#[test]
fn payloads_of_udp_are_told_to_the_byte() {
    let mut pattern = [0; 30];
    pattern[8] = 0x31;
    check(&data(&pattern), &["udp-0x31", "erratic"]);
    check(&data(&pattern[..29]), &[]);
    pattern[9] = 1;
    check(&data(&pattern), &[]);
    check(&data(b"SIP/2.0 200 OK\r\n"), &["sip-status"]);
    check(&data(b"OPTIONS sip:a SIP/2.0\r\n"), &[]);
}

#[test]
fn dns_responses_are_told_on_any_port_by_flags_and_counts() {
    let response = *b"\x12\x34\x81\x80\0\x01\0\x09\0\0\0\x01\x03www";
    check(&data(&response), &["dns-resp-non-standard", "erratic"]);
    for (at, value) in [(2, 0x85), (3, 0x00), (3, 0x90), (5, 10), (6, 1), (11, 10)] {
        let mut other = response;
        other[at] = value;
        check(&data(&other), &[]);
    }
    let mut refused = response;
    refused[3] = 0x85;
    check(&data(&refused), &["dns-resp-non-standard", "erratic"]);
    check(&data(&response[..14]), &[]);
}

#[test]
fn netbios_queries_are_told_by_both_ports_and_the_wildcard_name() {
    let query =
        b"\x80\xf0\0\x10\0\x01\0\0\0\0\0\0\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\x01";
    check(
        &given(17, &udp(137, 137, query)),
        &["netbios-query-name", "erratic"],
    );
    check(&given(17, &udp(1137, 137, query)), &[]);
    let mut other = *query;
    other[14] = b'L';
    check(&given(17, &udp(137, 137, &other)), &[]);
}

#[test]
fn bittorrent_has_five_forms() {
    let torrent = ["bittorrent", "erratic"];
    check(
        &data(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping"),
        &torrent,
    );
    check(&data(b"d1:rd2:id20:abcdefghij0123456789e1:y1:r"), &torrent);
    check(&data(b"d1:ed2:id20:abcdefghij0123456789e1:y1:r"), &[]);
    let mut handshake = vec![0xee; 20];
    handshake.extend(b"\x13BitTorrent protocol");
    check(&data(&handshake), &torrent);
    let mut extended = vec![0x21, 0x02];
    extended.extend([0xee; 18]);
    extended.extend([0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    check(&data(&extended), &torrent);
    check(&data(&extended[1..]), &[]);
    let mut short = vec![0x41, 0x00];
    short.extend([0xee; 18]);
    check(&data(&short), &torrent);
    short.push(0);
    check(&data(&short), &[]);
    let mut body = vec![0xee; 12];
    body.extend([
        0x7f, 0xff, 0xff, 0xff, 0xab, 2, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0xee,
    ]);
    check(&data(&body), &torrent);
}

#[test]
fn ports_alone_are_enough_where_no_more_was_captured() {
    let mut bytes = vec![
        0x45, 0, 0, 40, 0, 7, 0, 0, 60, 6, 0, 0, 9, 8, 7, 6, 203, 0, 113, 9,
    ];
    bytes.extend([0x9c, 0x40, 0, 23, 1, 2]);
    let Decoded::Ipv4(packet) = decode_record(LinkType(228), &bytes, 40) else {
        panic!("not an IPv4 packet");
    };
    let found: Vec<_> = names(flags(&packet)).collect();
    assert_eq!(found, ["tcp-port-23", "erratic"]);
}

#[test]
fn ipv6_has_no_flags() {
    use crate::samples::{ipv6_packet, tcp_segment};
    let bytes = ipv6_packet(6, &tcp_segment(2, 0, 23, &[], b""));
    let Decoded::Ipv6(packet) = decode_record(LinkType(229), &bytes, bytes.len() as u32) else {
        panic!("not an IPv6 packet");
    };
    assert_eq!(flags(&packet), 0);
}

#[test]
fn every_bit_has_one_row_in_order_and_a_name_of_its_own() {
    for (number, row) in FLAGS.iter().enumerate() {
        assert_eq!(row.bit, 1 << number, "{}", row.name);
        assert!(!row.words.is_empty());
        let same = FLAGS.iter().filter(|other| other.name == row.name);
        assert_eq!(same.count(), 1, "{}", row.name);
    }
}
