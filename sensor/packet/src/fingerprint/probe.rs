//! [`Probe`]: the fields of a packet that scan tools leave their marks in.

use teiten_observation::{Address, Family, Probes, TrafficType};

use crate::decode::{Packet, Tcp, Transport};

/// The fields of a probe that tools leave their marks in. IPv4 only: no IPv6 tool has a mark of its own in one packet.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// Destination address.
    pub destination: u32,
    /// Source port; 0 where there is none.
    pub source_port: u16,
    /// Destination port; 0 where there is none.
    pub destination_port: u16,
    /// Identification of the IP header.
    pub identification: u16,
    /// Sequence number of a SYN, initiate tag of an SCTP INIT, else 0.
    pub sequence: u32,
    /// Window of a SYN, else 0.
    pub window: u16,
    /// Time to live on arrival.
    pub time_to_live: u8,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
    /// Length by the IP header, bytes.
    pub ip_length_bytes: u32,
    /// TCP options of a SYN; none where they were not all captured.
    pub options: Option<&'a [u8]>,
    /// Whether it is a SYN.
    pub is_syn: bool,
}

/// The probe's fields, where the packet is an IPv4 probe.
#[must_use]
pub fn probe<'a, A: Address>(
    packet: &Packet<'a, A>,
    traffic_type: TrafficType,
) -> Option<Probe<'a>> {
    if A::FAMILY != Family::Ipv4 {
        return None;
    }
    match &packet.transport {
        Transport::Sctp(_) => init_probe(packet),
        _ if !Probes::SynUdpIcmp.contain(traffic_type) => None,
        Transport::Tcp(tcp) => Some(syn_probe(packet, tcp)),
        _ => Some(plain_probe(packet)),
    }
}

#[inline(always)]
pub(super) fn syn_probe<'a, A: Address>(packet: &Packet<'a, A>, tcp: &Tcp<'a>) -> Probe<'a> {
    Probe {
        source_port: tcp.source_port,
        destination_port: tcp.destination_port,
        sequence: tcp.sequence,
        window: tcp.window,
        options: tcp.complete.then_some(tcp.options),
        is_syn: true,
        ..plain_probe(packet)
    }
}

#[inline(always)]
fn plain_probe<'a, A: Address>(packet: &Packet<'a, A>) -> Probe<'a> {
    let (source_port, destination_port) = packet.ports().unwrap_or((0, 0));
    Probe {
        destination: packet.destination.number() as u32,
        source_port,
        destination_port,
        identification: packet.identification,
        sequence: 0,
        window: 0,
        time_to_live: packet.time_to_live,
        dont_fragment: packet.dont_fragment,
        ip_length_bytes: packet.ip_length_bytes,
        options: None,
        is_syn: false,
    }
}

/// An SCTP packet that starts with an INIT chunk: type, flags, length, then the initiate tag (RFC 9260, 3.3.2).
#[inline(never)]
fn init_probe<'a, A: Address>(packet: &Packet<'a, A>) -> Option<Probe<'a>> {
    const INIT: u8 = 1;
    let Transport::Sctp(sctp) = packet.transport else {
        return None;
    };
    match sctp.chunks {
        &[INIT, _, _, _, a, b, c, d, ..] => Some(Probe {
            sequence: u32::from_be_bytes([a, b, c, d]),
            ..plain_probe(packet)
        }),
        _ => None,
    }
}

/// The time to live that a packet most likely started with: the next higher of 32, 64, 128 and 255.
#[must_use]
pub const fn initial_time_to_live(time_to_live: u8) -> u8 {
    match time_to_live {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        129.. => 255,
    }
}
