//! Backscatter: what victims of attacks, and routers near them, send back to the addresses that the attackers forged.

use super::Probe;
use super::payload::{PAYLOAD_BYTES_MAX, REPLIES};
use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, Tcp, close_inner_tcp, flag, ipv4_header, protocol};
use crate::random::{hash, weighted};
use crate::stack::{BARE, LINUX, Layout, MSS_ONLY, OPTION_BYTES_MAX, WINDOWS};

/// Attacked services.
const SERVICES: &[(u32, u16)] = &[
    (34, 80),
    (30, 443),
    (6, 22),
    (5, 25565),
    (4, 53),
    (4, 3074),
    (3, 8080),
    (3, 3389),
    (3, 6667),
    (2, 27015),
    (2, 7777),
    (2, 30120),
    (2, 21),
];

fn service(bits: u64) -> u16 {
    *weighted(SERVICES, bits)
}

/// What a victim of a SYN flood answers with: SYN-ACK from an open port, RST-ACK from a closed one, RST to the flood's other flags.
pub fn tcp(probe: &mut Probe<'_>) -> Sent {
    const ANSWERS: &[(u32, (TrafficType, u8))] = &[
        (55, (TrafficType::TcpSynAck, flag::S | flag::A)),
        (28, (TrafficType::TcpRstAck, flag::R | flag::A)),
        (17, (TrafficType::TcpRst, flag::R)),
    ];
    let &(traffic_type, flags) = weighted(ANSWERS, probe.source.bits(40));
    let port = service(probe.source.bits(41));
    let mut tcp = Tcp {
        source_port: port,
        destination_port: 1024 + probe.random.below(64_512) as u16,
        flags,
        ..Tcp::default()
    };
    if flags & flag::A != 0 {
        tcp.acknowledgement = probe.random.next_u32();
    }
    let mut layout = &BARE;
    if flags & flag::S != 0 {
        layout = answer_layout(probe);
        tcp.window = 14_480 + (probe.source.bits(42) % 4) as u16 * 14_480;
    }
    if traffic_type != TrafficType::TcpRstAck {
        tcp.sequence = probe.random.next_u32();
    }
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = layout.write(&mut buffer, probe.random);
    probe.packet.tcp(&tcp, options, &[]);
    let envelope = Envelope {
        id: 0,
        ttl: probe.ttl(if probe.source.chance(43, 4) { 128 } else { 64 }),
        fragment: DONT_FRAGMENT,
    };
    probe.close_with(protocol::TCP, &envelope);
    Sent::new(traffic_type, Class::Backscatter, protocol::TCP, Some(port))
}

fn answer_layout(probe: &Probe<'_>) -> &'static Layout {
    const LAYOUTS: &[(u32, &Layout)] = &[(60, &MSS_ONLY), (20, &LINUX), (20, &WINDOWS)];
    let layout: &&Layout = weighted(LAYOUTS, probe.source.bits(44));
    layout
}

/// Answers over UDP: of name servers under a flood of names, and of amplifiers that were asked in our name.
pub fn udp(probe: &mut Probe<'_>) -> Sent {
    let row = weighted(REPLIES, probe.source.bits(45));
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let payload = row.write(&mut buffer, probe.random);
    let destination_port = 1024 + probe.random.below(64_512) as u16;
    probe.packet.udp(row.port, destination_port, payload);
    probe.close(protocol::UDP, 64, 0);
    let port = Some(row.port);
    Sent::new(TrafficType::Udp, Class::Backscatter, protocol::UDP, port)
}

/// Echo replies to forged pings, and errors that quote the forged packet.
pub fn icmp(probe: &mut Probe<'_>) -> Sent {
    const ANSWERS: &[(u32, (TrafficType, u8))] = &[
        (55, (TrafficType::IcmpUnreachable, 3)),
        (25, (TrafficType::IcmpTimeExceeded, 11)),
        (17, (TrafficType::IcmpEchoReply, 0)),
        (3, (TrafficType::IcmpSourceQuench, 4)),
    ];
    const UNREACHABLE_CODES: &[(u32, u8)] = &[(40, 3), (25, 1), (20, 13), (15, 10)];
    let &(traffic_type, kind) = weighted(ANSWERS, probe.source.bits(46));
    if kind == 0 {
        let mut rest = [0; 4];
        probe.random.fill(&mut rest);
        probe.packet.icmp(0, 0, rest, &[0x61; 32]);
        probe.close(protocol::ICMP, 64, 0);
        return Sent::new(traffic_type, Class::Backscatter, protocol::ICMP, None);
    }
    let code = if kind == 3 {
        *weighted(UNREACHABLE_CODES, probe.source.bits(47))
    } else {
        0
    };
    let (quote, quote_bytes, port) = quoted(probe);
    probe.packet.icmp(kind, code, [0; 4], &quote[..quote_bytes]);
    probe.close(protocol::ICMP, 255, 0);
    Sent::new(traffic_type, Class::Backscatter, protocol::ICMP, port)
}

/// The forged packet as the error quotes it: its IP header and eight bytes (RFC 792), or the whole of a SYN. Also its port.
fn quoted(probe: &mut Probe<'_>) -> ([u8; 40], usize, Option<u16>) {
    const PROTOCOLS: &[(u32, u8)] = &[
        (65, protocol::TCP),
        (28, protocol::UDP),
        (7, protocol::ICMP),
    ];
    let inner_protocol = *weighted(PROTOCOLS, probe.source.bits(48));
    let whole = inner_protocol == protocol::TCP && probe.source.chance(49, 2);
    // A router answers for a victim behind it, a host for itself.
    let victim = if probe.source.chance(50, 2) {
        probe.source.address
    } else {
        probe.source.address ^ (1 + (hash(u64::from(probe.source.seed), 51) as u32 & 0x3e))
    };
    let port = service(probe.source.bits(52));
    let source_port = probe.ephemeral_port();
    let total = match inner_protocol {
        protocol::TCP => 40,
        protocol::UDP => 28 + 512,
        _ => 60,
    };
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: 1 + (probe.source.bits(53) % 40) as u8,
        fragment: 0,
    };
    let mut quote = [0; 40];
    ipv4_header(
        &mut quote,
        total,
        inner_protocol,
        probe.destination,
        victim,
        &envelope,
    );
    if inner_protocol == protocol::ICMP {
        quote[20..28].copy_from_slice(&[8, 0, 0x35, 0xff, 0, 1, 0, 1]);
        return (quote, 28, None);
    }
    quote[20..22].copy_from_slice(&source_port.to_be_bytes());
    quote[22..24].copy_from_slice(&port.to_be_bytes());
    if inner_protocol == protocol::UDP {
        quote[24..28].copy_from_slice(&[2, 8, 0x12, 0x34]);
    } else {
        probe.random.fill(&mut quote[24..28]);
        quote[32..36].copy_from_slice(&[0x50, flag::S, 0x20, 0]);
        let (header, segment) = quote.split_at_mut(20);
        close_inner_tcp(segment, &header[12..20]);
    }
    (quote, if whole { 40 } else { 28 }, Some(port))
}
