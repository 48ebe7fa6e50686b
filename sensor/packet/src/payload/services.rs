//! Requests of databases, brokers, remote desktops and other services that come in a TCP segment: scans for the service.

use super::Ports::To;
use super::applications::application;
use super::tcp::probe;
use super::{Payload, Signature, ber};

/// Requests of services.
pub(super) const TCP: &[Signature] = &[
    probe(
        "ssl2-client-hello",
        &[0x80, 0x81],
        is_ssl2_client_hello,
        "RFC 5246 E.2",
    ),
    probe(
        "ldap-request",
        b"0",
        |payload| matches!(ber::ldap(payload.bytes), Some(0x60 | 0x63 | 0x77)),
        "RFC 4511 4.2, 4.5.1, 4.12: bind, search, extended",
    ),
    probe(
        "kerberos-request",
        &[0],
        |payload| {
            payload.byte(1) == 0 && payload.bytes.get(4..).is_some_and(ber::is_kerberos_request)
        },
        "RFC 4120 7.2.2: a length, AS-REQ or TGS-REQ",
    ),
    probe(
        "rpc-call",
        &[0x80],
        |payload| {
            payload
                .big_endian_16(2)
                .is_some_and(|length| usize::from(length) + 4 == payload.bytes.len())
                && payload.big_endian_32(8) == Some(0)
                && payload.big_endian_32(12) == Some(2)
        },
        "RFC 5531 9 and 11",
    ),
    probe(
        "oracle-connect",
        &[0],
        |payload| {
            payload
                .big_endian_16(0)
                .is_some_and(|length| usize::from(length) == payload.bytes.len())
                && payload.bytes.get(2..6) == Some(&[0, 0, 1, 0])
        },
        "Wireshark, packet-tns.c: a connect packet as long as it says",
    ),
    probe(
        "ajp-request",
        &[0x12],
        |payload| {
            payload.byte(1) == 0x34
                && payload
                    .big_endian_16(2)
                    .is_some_and(|length| usize::from(length) + 4 == payload.bytes.len())
        },
        "Apache Tomcat, AJP 1.3; CVE-2020-1938",
    ),
    probe(
        "afp-status",
        &[0],
        |payload| {
            matches!(payload.bytes, [0, 3 | 4, _, _, 0, 0, 0, 0, ..])
                && payload
                    .big_endian_32(8)
                    .is_some_and(|length| length as usize + 16 == payload.bytes.len())
        },
        "Apple Filing Protocol, DSI: GetStatus, OpenSession",
    ),
    probe(
        "drda-exchange",
        &[0],
        |payload| payload.byte(2) == 0xd0 && payload.bytes.get(8..10) == Some(&[0x10, 0x41]),
        "DRDA volume 3: EXCSAT",
    ),
    probe(
        "ibm-mq",
        b"T",
        |payload| payload.starts_with(b"TSH ") || payload.starts_with(b"TSHM"),
        "Wireshark, packet-mq.c",
    ),
    probe(
        "mongodb-request",
        &[],
        |payload| {
            payload.bytes.len() >= 21
                && payload.bytes[..4] == (payload.bytes.len() as u32).to_le_bytes()
                && matches!(
                    payload.bytes[8..12],
                    [0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff]
                )
                && matches!(payload.bytes[12..16], [0xd4 | 0xdd, 7, 0, 0])
        },
        "MongoDB wire protocol: OP_QUERY, OP_MSG",
    ),
    probe(
        "firebird-connect",
        &[0],
        |payload| payload.starts_with(&[0, 0, 0, 1, 0, 0, 0, 0x13]),
        "Firebird, src/remote/protocol.h: op_connect for op_attach; nmap-service-probes",
    ),
    probe(
        "cassandra-options",
        &[3, 4, 5],
        |payload| {
            matches!(payload.bytes, [_, 0, _, _, 1 | 5, ..])
                && payload
                    .big_endian_32(5)
                    .is_some_and(|length| length as usize + 9 == payload.bytes.len())
        },
        "Cassandra native protocol v4, 2: STARTUP, OPTIONS",
    ),
    probe(
        "kafka-request",
        &[0],
        |payload| {
            payload
                .big_endian_32(0)
                .is_some_and(|length| length as usize + 4 == payload.bytes.len())
                && matches!(payload.bytes.get(4..8), Some([0, 3 | 18, 0, ..=20]))
                && payload.bytes.len() >= 14
        },
        "Apache Kafka protocol: Metadata, ApiVersions",
    ),
    probe(
        "amqp-header",
        b"A",
        |payload| payload.starts_with(b"AMQP") && payload.bytes.len() == 8,
        "AMQP 0-9-1, 4.2.2; AMQP 1.0, 2.2",
    ),
    probe(
        "stomp-connect",
        b"CSH",
        |payload| {
            [b"CONNECT\n", &b"STOMP\n"[..], b"HELP\n\n\0"]
                .iter()
                .any(|command| payload.starts_with(command))
        },
        "STOMP 1.2, Connecting; nmap-service-probes",
    ),
    probe(
        "openwire-information",
        &[0],
        |payload| payload.byte(4) == 1 && payload.bytes.get(5..13) == Some(b"ActiveMQ"),
        "Apache ActiveMQ, OpenWire version 2: WIREFORMAT_INFO",
    ),
    probe(
        "zookeeper-word",
        b"rsemc",
        |payload| {
            payload.bytes.len() <= 6
                && [b"ruok", b"stat", b"srvr", b"envi", b"mntr", b"conf"]
                    .iter()
                    .any(|word| payload.starts_with(*word))
        },
        "ZooKeeper administrator's guide, The four letter words",
    ),
    probe(
        "memcached-binary",
        &[0x80],
        |payload| {
            matches!(payload.bytes, [0x80, ..=0x25, _, _, _, 0, 0, 0, ..])
                && payload.bytes.len() >= 24
        },
        "memcached, doc/protocol-binary.xml",
    ),
    probe(
        "hadoop-ipc",
        b"h",
        |payload| payload.starts_with(b"hrpc"),
        "Apache Hadoop, ipc/RpcConstants: HEADER",
    ),
    probe(
        "erlang-port-mapper",
        &[0],
        |payload| {
            matches!(payload.bytes, [0, 1, b'n' | b'd'] | [0, 2..=255, b'z', ..])
                && payload.bytes.len() == 2 + usize::from(payload.byte(1))
        },
        "Erlang distribution protocol: NAMES_REQ, DUMP_REQ, PORT_PLEASE2_REQ",
    ),
    probe(
        "fastcgi-request",
        &[1],
        |payload| matches!(payload.bytes, [1, 1, _, _, 0, 8, _, 0, 0, 1..=3, ..]),
        "FastCGI specification 1.0, 3.3 and 5.1: FCGI_BEGIN_REQUEST",
    ),
    probe(
        "giop-request",
        b"G",
        |payload| payload.starts_with(b"GIOP\x01"),
        "CORBA 3.0, 15.4",
    ),
    probe(
        "weblogic-t3",
        b"t",
        |payload| payload.starts_with(b"t3 ") || payload.starts_with(b"t3s "),
        "nmap weblogic-t3-info",
    ),
    probe(
        "java-serialized",
        &[0xac],
        |payload| payload.starts_with(&[0xac, 0xed, 0, 5]),
        "Java object serialization specification, 6.4.2",
    ),
    probe(
        "dcerpc-bind",
        &[5],
        |payload| matches!(payload.bytes, [5, 0 | 1, 11, ..=3, 0x10 | 0, 0, 0, 0, ..]),
        "DCE 1.1 RPC, 12.6.4.3; MS-RPCE 2.2.2.13",
    ),
    probe(
        "netbios-session",
        &[0x81],
        |payload| payload.starts_with(&[0x81, 0, 0, 0x44, 0x20]) && payload.bytes.len() == 72,
        "RFC 1002 4.3.2: session request",
    ),
    probe(
        "vnc-version",
        b"R",
        |payload| payload.source_port != 5900 && payload.starts_with(b"RFB 00"),
        "RFC 6143 7.1.1",
    ),
    probe(
        "radmin",
        &[1],
        |payload| payload.bytes == [1, 0, 0, 0, 1, 0, 0, 0, 8, 8],
        "nmap-service-probes",
    ),
    probe(
        "citrix-ica",
        &[0x7f],
        |payload| payload.starts_with(b"\x7f\x7fICA\0"),
        "Wireshark, Citrix ICA",
    ),
    probe(
        "winbox-index",
        &[0x12, 0x13],
        |payload| {
            payload.bytes.get(2..7) == Some(b"index") || payload.bytes.get(2..6) == Some(b"list")
        },
        "Tenable, RouterOS: Chain to Root, 2019",
    ),
    probe(
        "dvrip-login",
        &[0xff],
        |payload| {
            payload.starts_with(&[0xff, 0, 0, 0]) && payload.bytes.get(14..16) == Some(&[0xe8, 3])
        },
        "XiongMai DVRIP: message 1000",
    ),
    probe(
        "dahua-login",
        &[0xa0],
        |payload| payload.starts_with(&[0xa0, 0, 0, 0x60]) && payload.bytes.len() >= 32,
        "Metasploit dahua_dvr_auth_bypass; CVE-2013-6117",
    ),
    probe(
        "dicom-associate",
        &[1],
        |payload| {
            payload.byte(1) == 0
                && payload.bytes.get(6..10) == Some(&[0, 1, 0, 0])
                && payload
                    .big_endian_32(2)
                    .is_some_and(|length| length as usize + 6 == payload.bytes.len())
        },
        "DICOM PS3.8, 9.3.2: A-ASSOCIATE-RQ",
    ),
    probe(
        "hl7-message",
        &[0x0b],
        |payload| payload.starts_with(b"\x0bMSH|"),
        "HL7 minimal lower layer protocol",
    ),
    probe(
        "printer-job-language",
        b"\x1b@",
        |payload| payload.starts_with(b"\x1b%-12345X") || payload.starts_with(b"@PJL"),
        "HP PJL technical reference, UEL command",
    ),
    application(
        "line-printer",
        To(&[515]),
        &[1, 2, 3, 4, 5],
        |payload| payload.bytes.len() >= 3 && payload.bytes.ends_with(b"\n"),
        "RFC 1179 5",
    ),
    probe(
        "pptp-start",
        &[0],
        |payload| {
            payload.bytes.get(2..10) == Some(&[0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1])
                && payload.big_endian_16(0) == Some(156)
        },
        "RFC 2637 2.1",
    ),
    probe(
        "openvpn-reset",
        &[0],
        |payload| {
            payload
                .big_endian_16(0)
                .is_some_and(|length| usize::from(length) + 2 == payload.bytes.len())
                && matches!(payload.byte(2), 0x08 | 0x38 | 0x50)
                && payload.bytes.len() >= 16
                && payload.bytes.ends_with(&[0; 5])
        },
        "OpenVPN protocol, P_CONTROL_HARD_RESET_CLIENT over TCP",
    ),
    probe(
        "tor-versions",
        &[0],
        |payload| {
            matches!(payload.bytes, [0, 0, 7, 0, 2..=20, ..])
                && payload.bytes.len() == 5 + usize::from(payload.byte(4))
        },
        "Tor specification, 4.1: VERSIONS cell",
    ),
    probe(
        "cisco-smart-install",
        &[0],
        |payload| payload.starts_with(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 8]),
        "Cisco Talos, smi_check; CVE-2018-0171",
    ),
    probe(
        "iscsi-login",
        &[0x43],
        |payload| {
            matches!(payload.bytes, [0x43, 0x81 | 0x83 | 0x87, 0, 0, 0, ..])
                && payload.bytes.len() >= 48
        },
        "RFC 7143 11.12",
    ),
    application(
        "rtmp-handshake",
        To(&[1935]),
        &[3],
        |payload| payload.bytes.len() >= 1400 && payload.bytes[5..9] == [0; 4],
        "Adobe RTMP 1.0, 5.2.3: C0 and C1",
    ),
    probe(
        "minecraft-handshake",
        &[],
        is_minecraft_handshake,
        "Minecraft protocol, Handshake and Server list ping",
    ),
    probe(
        "bitcoin-version",
        &[0xf9, 0x0b, 0xfa, 0xbf],
        |payload| {
            matches!(
                payload.bytes,
                [0xf9, 0xbe, 0xb4, 0xd9, ..] | [0x0b, 0x11, 0x09, 0x07, ..]
            ) && payload.bytes.get(4..12) == Some(b"version\0")
        },
        "Bitcoin Core, src/protocol.h and chainparams",
    ),
    probe(
        "stratum-request",
        b"{",
        |payload| {
            payload.contains(b"\"mining.")
                || payload.contains(b"\"eth_submitLogin\"")
                || payload.contains(b"\"login\"") && payload.contains(b"\"params\"")
        },
        "Stratum mining protocol, BIP 310; EthereumStratum",
    ),
    probe(
        "distcc",
        b"D",
        |payload| payload.starts_with(b"DIST0000000"),
        "distcc protocol 1; CVE-2004-2687",
    ),
    probe(
        "rsync-greeting",
        b"@",
        |payload| payload.starts_with(b"@RSYNCD: "),
        "rsync, clientserver.c",
    ),
    probe(
        "git-upload-pack",
        b"0",
        |payload| payload.bytes.get(4..20) == Some(b"git-upload-pack "),
        "Git protocol, gitprotocol-pack",
    ),
    probe(
        "smtp-hello",
        b"EHeh",
        |payload| {
            [b"EHLO ", b"HELO ", b"ehlo ", b"helo "]
                .iter()
                .any(|word| payload.starts_with(*word))
                || payload.bytes == b"EHLO\r\n"
                || payload.bytes == b"HELO\r\n"
        },
        "RFC 5321 4.1.1.1",
    ),
    probe(
        "gh0st-rat",
        b"G",
        |payload| payload.starts_with(b"Gh0st"),
        "Shodan, Malware Hunter; FireEye, Gh0st RAT",
    ),
    probe(
        "help-word",
        b"Hh",
        |payload| {
            payload.bytes.len() <= 6
                && payload
                    .bytes
                    .get(..4)
                    .is_some_and(|word| word.eq_ignore_ascii_case(b"help"))
        },
        "nmap-service-probes: Help",
    ),
    probe(
        "blank-lines",
        b"\r\n",
        |payload| {
            matches!(payload.bytes.len(), 2..=8)
                && payload.bytes.iter().all(|byte| b"\r\n".contains(byte))
        },
        "nmap-service-probes: GenericLines",
    ),
];

/// A version 2 header around a version 3 hello: message 1, its length, ciphers of three bytes each.
fn is_ssl2_client_hello(payload: &Payload) -> bool {
    let Some(&[high, low, 1, major, minor, ..]) = payload.bytes.first_chunk::<9>() else {
        return false;
    };
    let length = usize::from(high & 0x7f) << 8 | usize::from(low);
    let ciphers = payload.big_endian_16(5).unwrap_or(0);
    length + 2 == payload.bytes.len()
        && matches!((major, minor), (0, 2) | (3, 0..=4))
        && ciphers > 0
        && ciphers.is_multiple_of(3)
}

/// The old ping, or a handshake as long as its first byte says that asks for status or login, alone or with what follows it at once.
fn is_minecraft_handshake(payload: &Payload) -> bool {
    match payload.bytes {
        [0xfe] => payload.destination_port == 25565,
        [0xfe, 1] => true,
        [0xfe, 1, 0xfa, 0, 11, ..] => true,
        [length @ 7..=0x7f, 0, handshake @ ..] => {
            let end = usize::from(*length) - 1;
            matches!(handshake.get(end - 1), Some(1 | 2))
                && matches!(handshake[end..], [] | [1, 0, ..])
        }
        _ => false,
    }
}
