//! Infected hosts and other small scanners: one or two ports each, the SYNs of their own operating systems, Mirai's hand-made ones.

use super::Probe;
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{Envelope, Tcp, flag, protocol};
use crate::random::weighted;
use crate::stack::stack_of;

/// Ports in the shares of NICTER's and the police's tables without survey scanners; what is left over goes to any port.
const PORTS: &[(u32, u16)] = &[
    (210, 23),
    (55, 445),
    (45, 22),
    (35, 80),
    (30, 8080),
    (26, 5555),
    (22, 6379),
    (18, 2323),
    (19, 3389),
    (16, 1433),
    (14, 8728),
    (13, 37215),
    (15, 443),
    (10, 81),
    (6, 82),
    (5, 83),
    (4, 84),
    (5, 85),
    (8, 8443),
    (8, 5900),
    (8, 3306),
    (7, 5432),
    (6, 2375),
    (6, 7547),
    (6, 52869),
    (6, 60023),
    (6, 9200),
    (5, 21),
    (5, 25),
    (5, 2222),
    (5, 8081),
    (5, 5038),
    (4, 1723),
    (4, 139),
    (4, 135),
    (4, 8291),
];
/// Weight of "any port" beside [`PORTS`], of 1,000.
const ANY_PORT: u64 = 350;

/// The port of this packet: three of four go to the source's first port.
pub(super) fn port(probe: &mut Probe<'_>) -> u16 {
    let salt = if probe.random.next_u64() >> 62 == 0 {
        11
    } else {
        10
    };
    let bits = probe.source.bits(salt);
    if bits % 1000 < ANY_PORT {
        (bits >> 40) as u16
    } else {
        *weighted(PORTS, bits.rotate_left(24))
    }
}

/// A bot that connects through its operating system; one SYN in a hundred of them offers ECN.
pub fn bot(probe: &mut Probe<'_>) -> Sent {
    let stack = stack_of((probe.source.bits(12) % 100) as u32);
    let ecn = if probe.source.chance(13, 100) {
        flag::ECN
    } else {
        0
    };
    let port = port(probe);
    probe.syn(stack, port, ecn)
}

/// Ports of Mirai's descendants.
const MIRAI_PORTS: &[(u32, u16)] = &[
    (20, 5555),
    (15, 8080),
    (15, 37215),
    (10, 80),
    (10, 81),
    (10, 60023),
    (10, 52869),
    (10, 22),
];

/// Mirai (`bot/scanner.c`): the sequence number is the destination; port 23, one time in ten 2323; a descendant's own port for one
/// source in five.
pub fn mirai(probe: &mut Probe<'_>) -> Sent {
    let port = if probe.source.chance(14, 5) {
        *weighted(MIRAI_PORTS, probe.source.bits(15))
    } else if probe.random.below(10) == 0 {
        2323
    } else {
        23
    };
    let tcp = Tcp {
        source_port: 1024 + probe.random.below(64_512) as u16,
        destination_port: port,
        sequence: probe.destination,
        flags: flag::S,
        window: probe.random.next_u16(),
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, &[], &[]);
    probe.close(protocol::TCP, 64, 0);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port)).by(Tool::Mirai)
}

/// One packet of a flood whose sources are forged: a bare SYN to a web server that is not there.
pub fn flood(probe: &mut Probe<'_>) -> Sent {
    let port = if probe.random.below(10) == 0 { 443 } else { 80 };
    let tcp = Tcp {
        source_port: 1024 + probe.random.below(64_512) as u16,
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags: flag::S,
        window: 512,
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, &[], &[]);
    probe.close(protocol::TCP, 64, 0);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
}

/// Scans with other flags than SYN, as nmap's -sF, -sN, -sX, -sM and -sA offer them.
pub fn stealth(probe: &mut Probe<'_>) -> Sent {
    const SCANS: &[(u32, (TrafficType, u8))] = &[
        (35, (TrafficType::TcpFin, flag::F)),
        (15, (TrafficType::TcpNull, 0)),
        (15, (TrafficType::TcpXmas, flag::F | flag::P | flag::U)),
        (15, (TrafficType::TcpSynFin, flag::S | flag::F)),
        (20, (TrafficType::TcpFinAck, flag::F | flag::A)),
    ];
    let &(traffic_type, flags) = weighted(SCANS, probe.source.bits(16));
    let port = port(probe);
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags,
        window: 1024,
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, &[], &[]);
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: probe.ttl(37 + 22),
        fragment: 0,
    };
    probe.close_with(protocol::TCP, &envelope);
    Sent::new(traffic_type, Class::Scan, protocol::TCP, Some(port))
}
