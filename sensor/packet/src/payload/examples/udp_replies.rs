//! Replies over UDP.

use super::*;

#[test]
fn replies_are_named() {
    let mut ike = vec![7; 8];
    ike.extend([9; 8]);
    ike.extend([0x21, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 28]);
    let behind_nat = [&[0; 4], &ike[..]].concat();
    let text = b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n";
    check(
        vec![
            from(
                5353,
                b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\0\x01",
                "mdns-response",
            ),
            from(
                137,
                &long(b"\x80\xf0\x84\0\0\0\0\x01\0\0\0\0 CKAAAA", 60),
                "netbios-name-response",
            ),
            from(
                123,
                &long(&[0x16, 0x82, 0, 1, 0x06, 0x18], 12),
                "ntp-control-response",
            ),
            from(19, text, "chargen-response"),
            from(17, b"\"Quote of the day\" - nobody\r\n", "qotd-response"),
            from(
                3702,
                b"<?xml version=\"1.0\"?><e:Envelope><d:ProbeMatches/></e:Envelope>",
                "ws-discovery-response",
            ),
            from(5683, b"\x60\x45\x7d\x70\xff</a>", "coap-response"),
            from(
                3478,
                &long(&[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42], 32),
                "stun-response",
            ),
            from(
                111,
                &long(&[1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 0], 28),
                "rpc-reply",
            ),
            from(69, b"\0\x05\0\x01not found\0", "tftp-reply"),
            from(
                1434,
                b"\x05\x20\0ServerName;HOST;InstanceName;MSSQLSERVER;;",
                "mssql-browser-response",
            ),
            from(500, &ike, "ike-response"),
            from(4500, &behind_nat, "ike-response-nat"),
            from(1194, &long(&[0x40], 26), "openvpn-server-reset"),
            from(
                27960,
                b"\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\x",
                "quake-response",
            ),
            from(
                27015,
                b"\xff\xff\xff\xffI\x11server name\0map\0game\0",
                "source-response",
            ),
            from(520, &long(&[2, 2, 0, 0, 0, 2], 24), "rip-response"),
            from(
                443,
                b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x23\x03\0\0\x17",
                "dtls-server",
            ),
            from(
                19132,
                b"\x1c\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\xff\xff\0\xfe\xfe\xfe\xfe",
                "raknet-pong",
            ),
            from(
                443,
                b"\xc0\0\0\0\0\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x01",
                "quic-version-negotiation",
            ),
            from(1812, &long(&[3, 7, 0, 20], 20), "radius-response"),
            from(
                88,
                b"\x7e\x2f\x30\x2d\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e",
                "kerberos-response",
            ),
            from(
                1701,
                b"\xc8\x02\0\x14\0\x01\0\0\0\0\0\x01\x80\x08\0\0\0\0\0\x02",
                "l2tp-response",
            ),
            from(2152, &long(&[0x32, 2, 0, 6], 14), "gtp-response"),
            from(2123, &long(&[0x40, 2, 0, 9], 13), "gtp-response"),
            from(
                623,
                b"\x06\0\xff\x06\0\0\x11\xbe\x40\x01\0\x10\0\0",
                "rmcp-response",
            ),
            from(5351, &long(&[0, 0x80, 0, 0], 12), "nat-pmp-response"),
            from(
                427,
                &long(b"\x02\x02\0\0\x14\0\0\0\0\0\0\x01\0\x02en", 20),
                "service-location-reply",
            ),
            from(177, b"\0\x01\0\x05\0\x04\0\0", "xdmcp-response"),
            from(
                3389,
                &long(&[0, 0, 0, 1, 0, 0x40, 0, 5], 1232),
                "rdp-udp-syn-ack",
            ),
            from(
                3283,
                &long(&[0, 1, 3, 0xea, 0x31], 1006),
                "apple-remote-desktop-reply",
            ),
            from(
                10001,
                &long(&[1, 0, 0, 9, 2, 0, 6], 13),
                "ubiquiti-response",
            ),
            from(
                37810,
                b"\x20\0\0\0DHIP\0\0\0\0\0\0\0\0",
                "dhdiscover-response",
            ),
            from(
                1604,
                &long(&[0x30, 0, 2, 0x31, 2, 0xfd], 48),
                "citrix-browser-response",
            ),
            from(3671, b"\x06\x10\x02\x02\0\x0e", "knx-response"),
            from(
                44818,
                &long(&[0x63, 0, 0x3c, 0], 84),
                "ethernet-ip-response",
            ),
            from(30718, &long(&[0, 0, 0, 0xf7], 120), "lantronix-response"),
            from(9987, b"TS3INIT1\0\x65\x88\0\0", "teamspeak-response"),
            from(
                7777,
                b"SAMP\xc6\x33\x64\x07\x61\x1ei\0\x05\0\x64\0",
                "samp-response",
            ),
        ],
        udp,
    );
}

#[test]
fn a_reply_is_told_by_its_bit_and_not_by_its_port() {
    for (port, bytes) in [
        // Requests that come from the service's own port.
        (1812, long(&[1, 7, 0, 20], 20)),
        (2152, long(&[0x32, 1, 0, 6], 14)),
        (5351, long(&[0, 0, 0, 0], 12)),
        (177, b"\0\x01\0\x02\0\x01\0".to_vec()),
        (88, b"\x6a\x2f\x30\x2d\xa1\x03\x02\x01\x05".to_vec()),
        (3389, long(&[0xff, 0xff, 0xff, 0xff, 0, 0x40, 0, 1], 1232)),
        (7777, b"SAMP\xc6\x33\x64\x07\x61\x1ei".to_vec()),
    ] {
        let found = udp(&Payload::new(&bytes, port, 40_001)).map(|row| row.class);
        assert_ne!(found, Some(Class::Backscatter), "from {port}");
    }
}
