//! IPv6: SYN and ping scans, requests to name servers, backscatter, a few extension headers, fragments and impossible sources. No scan
//! tool leaves a mark in an IPv6 header, so none is claimed.

use super::payload::{PAYLOAD_BYTES_MAX, REFLECTOR_REQUESTS, REPLIES};
use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{
    IPV6_DESTINATION_OPTIONS, IPV6_FRAGMENT, Packet, Tcp, close_inner_tcp, flag, protocol,
};
use crate::random::{Random, weighted};
use crate::source::Source6;
use crate::stack::{MSS_ONLY, OPTION_BYTES_MAX, stack_of};

/// The context of an IPv6 sender.
#[derive(Debug)]
pub struct Probe6<'a> {
    /// Randomness of this packet.
    pub random: &'a mut Random,
    /// Who sends.
    pub source: Source6,
    /// The dark address.
    pub destination: u128,
    /// Where to write.
    pub packet: &'a mut Packet,
}

type Sender6 = fn(&mut Probe6<'_>) -> Sent;

/// What a source sends, by weight; the population asks [`is_spoofed`] for its address.
const SENDERS: &[(u32, Sender6)] = &[
    (620, syn),
    (170, echo),
    (70, name_request),
    (70, answer),
    (30, name_reply),
    (25, unreachable),
    (8, fragment),
    (7, spoofed),
];

/// Whether the source with this seed is one that cannot exist.
#[must_use]
pub fn is_spoofed(bits: u64) -> bool {
    std::ptr::fn_addr_eq(*weighted(SENDERS, bits), spoofed as Sender6)
}

/// One packet of the source.
pub fn send(probe: &mut Probe6<'_>) -> Sent {
    let sender = weighted(SENDERS, probe.source.bits(0));
    sender(probe)
}

fn close(probe: &mut Probe6<'_>, protocol: u8, extension: Option<(u8, [u8; 8])>) {
    let hop_limit = 64 - probe.source.hops;
    let (source, destination) = (probe.source.address, probe.destination);
    probe
        .packet
        .close_ipv6(protocol, source, destination, hop_limit, extension);
}

fn ephemeral(probe: &mut Probe6<'_>) -> u16 {
    32_768 + probe.random.below(28_232) as u16
}

fn syn(probe: &mut Probe6<'_>) -> Sent {
    const PORTS: &[(u32, u16)] = &[(30, 80), (30, 443), (20, 22), (10, 23), (10, 8080)];
    let port = if probe.source.bits(1) & 1 == 0 {
        probe.random.next_u16()
    } else {
        *weighted(PORTS, probe.source.bits(2))
    };
    let stack = stack_of((probe.source.bits(3) % 58) as u32);
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = stack.layout.write(&mut buffer, probe.random);
    let tcp = Tcp {
        source_port: ephemeral(probe),
        destination_port: port,
        sequence: probe.random.next_u32(),
        flags: flag::S,
        window: stack.window,
        ..Tcp::default()
    };
    probe.packet.tcp(&tcp, options, &[]);
    // One scanner in twenty puts padding into destination options, to see who answers.
    let padded = probe.source.bits(4).is_multiple_of(20);
    let extension = padded.then_some((IPV6_DESTINATION_OPTIONS, [0, 0, 1, 4, 0, 0, 0, 0]));
    close(probe, protocol::TCP, extension);
    Sent::new(TrafficType::TcpSyn, Class::Scan, protocol::TCP, Some(port))
}

fn echo(probe: &mut Probe6<'_>) -> Sent {
    let mut rest = [0; 4];
    probe.random.fill(&mut rest);
    probe.packet.icmp(128, 0, rest, &[0x55; 16]);
    close(probe, protocol::ICMPV6, None);
    let class = Class::Scan;
    Sent::new(TrafficType::IcmpEchoRequest, class, protocol::ICMPV6, None)
}

fn name_request(probe: &mut Probe6<'_>) -> Sent {
    let row = &REFLECTOR_REQUESTS[0].1;
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let payload = row.write(&mut buffer, probe.random);
    let source_port = ephemeral(probe);
    probe.packet.udp(source_port, row.port, payload);
    close(probe, protocol::UDP, None);
    let port = Some(row.port);
    Sent::new(TrafficType::Udp, Class::ReflectorScan, protocol::UDP, port)
}

fn name_reply(probe: &mut Probe6<'_>) -> Sent {
    let row = &REPLIES[0].1;
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let payload = row.write(&mut buffer, probe.random);
    let destination_port = ephemeral(probe);
    probe.packet.udp(row.port, destination_port, payload);
    close(probe, protocol::UDP, None);
    let port = Some(row.port);
    Sent::new(TrafficType::Udp, Class::Backscatter, protocol::UDP, port)
}

fn answer(probe: &mut Probe6<'_>) -> Sent {
    let open = !probe.source.bits(5).is_multiple_of(3);
    let tcp = Tcp {
        source_port: if probe.source.bits(6).is_multiple_of(2) {
            80
        } else {
            443
        },
        destination_port: ephemeral(probe),
        sequence: if open { probe.random.next_u32() } else { 0 },
        acknowledgement: probe.random.next_u32(),
        flags: flag::A | if open { flag::S } else { flag::R },
        window: if open { 28_800 } else { 0 },
    };
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = MSS_ONLY.write(&mut buffer, probe.random);
    probe
        .packet
        .tcp(&tcp, if open { options } else { &[] }, &[]);
    close(probe, protocol::TCP, None);
    let traffic_type = if open {
        TrafficType::TcpSynAck
    } else {
        TrafficType::TcpRstAck
    };
    let port = Some(tcp.source_port);
    Sent::new(traffic_type, Class::Backscatter, protocol::TCP, port)
}

/// An unreachable that quotes the whole forged SYN.
fn unreachable(probe: &mut Probe6<'_>) -> Sent {
    let port = 443;
    let mut quote = [0; 60];
    quote[0..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, protocol::TCP, 55]);
    quote[8..24].copy_from_slice(&probe.destination.to_be_bytes());
    quote[24..40].copy_from_slice(&(probe.source.address ^ 1).to_be_bytes());
    quote[40..42].copy_from_slice(&ephemeral(probe).to_be_bytes());
    quote[42..44].copy_from_slice(&443u16.to_be_bytes());
    probe.random.fill(&mut quote[44..48]);
    quote[52..56].copy_from_slice(&[0x50, flag::S, 0x20, 0]);
    let (header, segment) = quote.split_at_mut(40);
    close_inner_tcp(segment, &header[8..40]);
    probe.packet.icmp(1, 3, [0; 4], &quote);
    close(probe, protocol::ICMPV6, None);
    Sent::new(
        TrafficType::IcmpUnreachable,
        Class::Backscatter,
        protocol::ICMPV6,
        Some(port),
    )
}

fn fragment(probe: &mut Probe6<'_>) -> Sent {
    let mut payload = [0; 96];
    probe.random.fill(&mut payload);
    probe.packet.set_body(&[&payload]);
    let mut header = [0; 8];
    header[2..4].copy_from_slice(&(181u16 << 3).to_be_bytes());
    probe.random.fill(&mut header[4..8]);
    close(probe, protocol::UDP, Some((IPV6_FRAGMENT, header)));
    Sent::new(TrafficType::Fragment, Class::Other, protocol::UDP, None)
}

fn spoofed(probe: &mut Probe6<'_>) -> Sent {
    let mut sent = syn(probe);
    sent.class = Class::Spoofed;
    sent
}
