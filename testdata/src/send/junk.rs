//! What should not be on the wire at all: sources that cannot exist, damaged headers, fragments, rare protocols, strays.

use super::Probe;
use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{
    DONT_FRAGMENT, Envelope, MORE_FRAGMENTS, Tcp, close_inner_tcp, flag, ipv4_header, protocol,
};
use crate::random::weighted;
use crate::stack::stack_of;

/// A SYN from a source that cannot exist; the population gives such sources to this sender.
pub fn spoofed_syn(probe: &mut Probe<'_>) -> Sent {
    let port = if probe.source.chance(60, 2) {
        80
    } else {
        probe.random.next_u16()
    };
    let mut sent = probe.syn(stack_of(95), port, 0);
    sent.class = Class::Spoofed;
    sent
}

/// An empty datagram from such a source.
pub fn spoofed_udp(probe: &mut Probe<'_>) -> Sent {
    let (source_port, port) = (probe.random.next_u16(), 1 + probe.random.next_u16() / 2);
    probe.packet.udp(source_port, port, &[]);
    probe.close(protocol::UDP, 128, 0);
    Sent::new(TrafficType::Udp, Class::Spoofed, protocol::UDP, Some(port))
}

/// A middle of a BitTorrent connection that was never opened here: the handshake and a bitfield of pieces.
pub fn stray_tcp(probe: &mut Probe<'_>) -> Sent {
    let mut payload = [0; 568];
    payload[..20].copy_from_slice(b"\x13BitTorrent protocol");
    probe.random.fill(&mut payload[28..68]);
    payload[68..73].copy_from_slice(&[0, 0, 1, 0xf0, 5]);
    let port = 10_000 + (probe.source.bits(61) % 50_000) as u16;
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: probe.random.next_u32(),
        acknowledgement: probe.random.next_u32(),
        flags: flag::P | flag::A,
        window: 16_425,
    };
    probe.packet.tcp(&tcp, &[], &payload);
    probe.close(protocol::TCP, 128, DONT_FRAGMENT);
    Sent::new(
        TrafficType::TcpOther,
        Class::Misconfiguration,
        protocol::TCP,
        Some(port),
    )
}

/// Sound IP, damaged transport: a TCP header cut before its flags, one that claims to be shorter than 20 bytes, a UDP header cut in
/// half.
pub fn damaged_transport(probe: &mut Probe<'_>) -> Sent {
    let damage = probe.random.below(3);
    let inner = if damage == 2 {
        probe.packet.udp(1024, 53, &[]);
        probe.packet.cut_body(4);
        protocol::UDP
    } else {
        let tcp = Tcp {
            source_port: probe.ephemeral_port(),
            destination_port: probe.random.next_u16(),
            flags: flag::S,
            ..Tcp::default()
        };
        probe.packet.tcp(&tcp, &[], &[]);
        if damage == 0 {
            probe.packet.cut_body(12);
        } else {
            probe.packet.body_mut()[12] = 0x30;
        }
        protocol::TCP
    };
    probe.close(inner, 64, 0);
    Sent::new(TrafficType::Malformed, Class::Malformed, inner, None)
}

/// An IPv4 header that cannot be read: shorter than 20 bytes by its own words, or longer than the packet it heads.
pub fn damaged_ip(probe: &mut Probe<'_>) -> Sent {
    probe.syn(stack_of(95), 80, 0);
    if probe.random.next_u64() & 1 == 0 {
        probe.packet.damage_ipv4(0x43, None);
    } else {
        probe.packet.damage_ipv4(0x45, Some(12));
    }
    let mut sent = Sent::new(
        TrafficType::Malformed,
        Class::Malformed,
        protocol::TCP,
        None,
    );
    sent.ip_header_damaged = true;
    sent
}

/// A first fragment that holds a whole SYN, which fragments are known to be sent for.
pub fn first_fragment(probe: &mut Probe<'_>) -> Sent {
    let port = (probe.source.bits(62) >> 48) as u16;
    let tcp = Tcp {
        source_port: probe.ephemeral_port(),
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags: flag::S,
        window: 8192,
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, &[], &[]);
    probe.close(protocol::TCP, 64, MORE_FRAGMENTS);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
}

/// A later fragment of a large datagram.
pub fn later_fragment(probe: &mut Probe<'_>) -> Sent {
    const PROTOCOLS: &[(u32, u8)] = &[
        (80, protocol::UDP),
        (15, protocol::ICMP),
        (5, protocol::TCP),
    ];
    let inner = *weighted(PROTOCOLS, probe.source.bits(63));
    let mut payload = [0; 120];
    probe.random.fill(&mut payload);
    probe.packet.set_body(&[&payload]);
    let last = probe.random.below(2) == 0;
    let offset = 185 * (1 + probe.random.below(6) as u16);
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: probe.ttl(64),
        fragment: offset | if last { 0 } else { MORE_FRAGMENTS },
    };
    probe
        .packet
        .close_ipv4_fragment(inner, probe.source.address, probe.destination, &envelope);
    Sent::new(TrafficType::Fragment, Class::Other, inner, None)
}

/// Protocols that hardly anyone sends: GRE, IP in IP, ESP, PIM, and numbers without a meaning.
pub fn rare_protocol(probe: &mut Probe<'_>) -> Sent {
    const PROTOCOLS: &[(u32, (TrafficType, u8))] = &[
        (40, (TrafficType::Gre, protocol::GRE)),
        (25, (TrafficType::IpInIp, protocol::IP_IN_IP)),
        (15, (TrafficType::Other, 50)),
        (10, (TrafficType::Other, 103)),
        (10, (TrafficType::Other, 255)),
    ];
    let &(traffic_type, number) = weighted(PROTOCOLS, probe.source.bits(64));
    let mut inner = [0; 40];
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: 64,
        fragment: 0,
    };
    ipv4_header(
        &mut inner,
        40,
        protocol::TCP,
        probe.destination,
        probe.source.address,
        &envelope,
    );
    inner[20..24].copy_from_slice(&[0x9c, 0x40, 0, 80]);
    inner[32..36].copy_from_slice(&[0x50, flag::S, 0x20, 0]);
    let (header, segment) = inner.split_at_mut(20);
    close_inner_tcp(segment, &header[12..20]);
    match number {
        protocol::GRE => probe.packet.set_body(&[&[0, 0, 8, 0], &inner]),
        protocol::IP_IN_IP => probe.packet.set_body(&[&inner]),
        _ => {
            let mut noise = [0; 32];
            probe.random.fill(&mut noise);
            probe.packet.set_body(&[&noise]);
        }
    }
    probe.close(number, 64, 0);
    Sent::new(traffic_type, Class::Other, number, None)
}

/// An SCTP INIT to a signalling port.
pub fn sctp_init(probe: &mut Probe<'_>) -> Sent {
    let (port, _) = init_body(probe);
    probe.close(protocol::SCTP, 64, 0);
    Sent::new(TrafficType::Sctp, Class::Scan, protocol::SCTP, Some(port))
}

/// Writes an INIT; returns its destination port and its initiate tag.
pub(super) fn init_body(probe: &mut Probe<'_>) -> (u16, u32) {
    const PORTS: &[(u32, u16)] = &[(40, 36412), (30, 2905), (30, 3868)];
    let port = *weighted(PORTS, probe.source.bits(65));
    let mut body = [0; 32];
    body[0..2].copy_from_slice(&probe.ephemeral_port().to_be_bytes());
    body[2..4].copy_from_slice(&port.to_be_bytes());
    body[12..16].copy_from_slice(&[1, 0, 0, 20]);
    let mut tag = [0; 4];
    probe.random.fill(&mut tag);
    body[16..20].copy_from_slice(&tag);
    body[20..28].copy_from_slice(&[0, 1, 0, 0, 0, 10, 8, 0]);
    probe.random.fill(&mut body[28..32]);
    probe.packet.set_body(&[&body]);
    (port, u32::from_be_bytes(tag))
}
