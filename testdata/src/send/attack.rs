//! Packets of planted attacks.

use super::Probe;
use super::payload::{PAYLOAD_BYTES_MAX, REPLIES};
use crate::attack::{Answer, PlannedReply};
use crate::kinds::{Class, Sent, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, Tcp, flag, ipv4_header, protocol};
use crate::stack::MSS_ONLY;
use crate::stack::OPTION_BYTES_MAX;

/// Bytes of the quoted header, and of what an error quotes behind it at least (RFC 792).
const QUOTE_BYTES: usize = 28;

/// One reply of the plan.
pub fn planned(probe: &mut Probe<'_>, reply: &PlannedReply) -> Sent {
    let port = reply.port.unwrap_or(0);
    match reply.answer {
        Answer::SynAck => tcp(probe, TrafficType::TcpSynAck, flag::S | flag::A, port),
        Answer::RstAck => tcp(probe, TrafficType::TcpRstAck, flag::R | flag::A, port),
        Answer::Rst => tcp(probe, TrafficType::TcpRst, flag::R, port),
        Answer::Name => name(probe),
        Answer::EchoReply => {
            let mut rest = [0; 4];
            probe.random.fill(&mut rest);
            probe.packet.icmp(0, 0, rest, &[0x61; 32]);
            probe.close(protocol::ICMP, 64, 0);
            let kind = TrafficType::IcmpEchoReply;
            Sent::new(kind, Class::Backscatter, protocol::ICMP, None)
        }
        Answer::PortUnreachable => error(probe, reply, (TrafficType::IcmpUnreachable, 3, 3)),
        Answer::TimeExceeded => error(probe, reply, (TrafficType::IcmpTimeExceeded, 11, 0)),
        Answer::HostUnreachable => error(probe, reply, (TrafficType::IcmpUnreachable, 3, 1)),
    }
}

fn tcp(probe: &mut Probe<'_>, traffic_type: TrafficType, flags: u8, port: u16) -> Sent {
    let tcp = Tcp {
        source_port: port,
        destination_port: probe.ephemeral_port(),
        sequence: if traffic_type == TrafficType::TcpRstAck {
            0
        } else {
            probe.random.next_u32()
        },
        acknowledgement: if flags & flag::A == 0 {
            0
        } else {
            probe.random.next_u32()
        },
        flags,
        window: if flags & flag::S == 0 { 0 } else { 64_240 },
    };
    let mut buffer = [0; OPTION_BYTES_MAX];
    let options = if flags & flag::S == 0 {
        &[]
    } else {
        MSS_ONLY.write(&mut buffer, probe.random)
    };
    probe.packet.tcp(&tcp, options, &[]);
    let envelope = Envelope {
        id: 0,
        ttl: probe.ttl(64),
        fragment: DONT_FRAGMENT,
    };
    probe.close_with(protocol::TCP, &envelope);
    Sent::new(traffic_type, Class::Backscatter, protocol::TCP, Some(port))
}

/// The first of the replies over UDP is a name server's.
fn name(probe: &mut Probe<'_>) -> Sent {
    let (_, row) = &REPLIES[0];
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let payload = row.write(&mut buffer, probe.random);
    let destination_port = probe.ephemeral_port();
    probe.packet.udp(row.port, destination_port, payload);
    probe.close(protocol::UDP, 64, 0);
    let port = Some(row.port);
    Sent::new(TrafficType::Udp, Class::Backscatter, protocol::UDP, port)
}

/// An error that quotes the forged packet: its header and eight bytes.
fn error(
    probe: &mut Probe<'_>,
    reply: &PlannedReply,
    (traffic_type, kind, code): (TrafficType, u8, u8),
) -> Sent {
    let inner = reply.answer.attacked_protocol();
    let mut quote = [0; QUOTE_BYTES];
    let envelope = Envelope {
        id: probe.random.next_u16(),
        ttl: 1,
        fragment: 0,
    };
    ipv4_header(
        &mut quote,
        60,
        inner,
        probe.destination,
        reply.victim,
        &envelope,
    );
    match reply.port {
        Some(port) => {
            quote[20..22].copy_from_slice(&probe.ephemeral_port().to_be_bytes());
            quote[22..24].copy_from_slice(&port.to_be_bytes());
            probe.random.fill(&mut quote[24..28]);
        }
        // An echo request.
        None => quote[20..28].copy_from_slice(&[8, 0, 0x35, 0xff, 0, 1, 0, 1]),
    }
    probe.packet.icmp(kind, code, [0; 4], &quote);
    probe.close(protocol::ICMP, 255, 0);
    let protocol = protocol::ICMP;
    Sent::new(traffic_type, Class::Backscatter, protocol, reply.port)
}
