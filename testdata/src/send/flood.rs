//! Packets of a flood of mixed kinds: somebody forges packets of every kind, each from a new source, to
//! every port.

use super::payload::PAYLOAD_BYTES_MAX;
use super::{Probe, backscatter, bots, icmp, junk, udp};
use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, Tcp, flag, protocol};
use crate::random::weighted;

type Sender = fn(&mut Probe<'_>) -> Sent;

/// What a packet is, by weight of a thousand.
const SENDERS: &[(u32, Sender)] = &[
    (260, syn),
    (60, bots::bot),
    (180, answer),
    (40, backscatter::tcp),
    (180, datagram),
    (80, udp::reflector),
    (30, udp::scan),
    (20, udp::exploit),
    (40, udp::peer_to_peer),
    (20, backscatter::udp),
    (30, icmp::echo),
    (40, backscatter::icmp),
    (10, bots::stealth),
    (10, junk::stray_tcp),
];

/// One packet.
pub fn mixed(probe: &mut Probe<'_>) -> Sent {
    let sender = *weighted(SENDERS, probe.random.next_u64());
    sender(probe)
}

/// A bare SYN to any port.
fn syn(probe: &mut Probe<'_>) -> Sent {
    let port = probe.random.next_u16();
    let source_port = probe.ephemeral_port();
    tcp(probe, flag::S, source_port, port);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
}

/// An answer from any port of a victim.
fn answer(probe: &mut Probe<'_>) -> Sent {
    const ANSWERS: &[(u32, (TrafficType, u8))] = &[
        (45, (TrafficType::TcpSynAck, flag::S | flag::A)),
        (35, (TrafficType::TcpRst, flag::R)),
        (20, (TrafficType::TcpRstAck, flag::R | flag::A)),
    ];
    let &(traffic_type, flags) = weighted(ANSWERS, probe.random.next_u64());
    // Below the ports that clients choose, so that it is the service.
    let port = 1 + probe.random.below(1023) as u16;
    let destination_port = probe.ephemeral_port();
    tcp(probe, flags, port, destination_port);
    Sent::new(traffic_type, Class::Backscatter, protocol::TCP, Some(port))
}

fn tcp(probe: &mut Probe<'_>, flags: u8, source_port: u16, destination_port: u16) {
    let tcp = Tcp {
        source_port,
        destination_port,
        sequence: probe.random.next_u32(),
        acknowledgement: if flags & flag::A == 0 {
            0
        } else {
            probe.random.next_u32()
        },
        flags,
        window: probe.random.next_u16() | 1,
    };
    probe.packet.tcp(&tcp, &[], &[]);
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: probe.ttl(64),
        fragment: DONT_FRAGMENT,
    };
    probe.close_with(protocol::TCP, &envelope);
}

/// Bytes that were never sent before, of any length, to any of 20,000 ports.
fn datagram(probe: &mut Probe<'_>) -> Sent {
    let mut payload = [0; PAYLOAD_BYTES_MAX];
    let length = 9 + (probe.random.next_u64() & probe.random.next_u64() & 0xff) as usize;
    probe.random.fill(&mut payload[..length]);
    // The upper bits of these two bytes keep it apart from every format that is known.
    payload[0] = 0xf0;
    payload[1] = 0x0f;
    let port = 40_000 + probe.random.below(20_000) as u16;
    let source_port = probe.ephemeral_port();
    probe.packet.udp(source_port, port, &payload[..length]);
    probe.close(protocol::UDP, 128, 0);
    Sent::new(TrafficType::Udp, Class::Scan, protocol::UDP, Some(port))
}
