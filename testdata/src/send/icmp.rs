//! ICMP requests: pings of scanners and of hosts, timestamp and mask requests.

use super::Probe;
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{Envelope, protocol};

/// An echo request: old ZMap's for one source in three, a host's ping otherwise.
pub fn echo(probe: &mut Probe<'_>) -> Sent {
    let mut rest = [0; 4];
    probe.random.fill(&mut rest);
    let mut payload = [0; 56];
    probe.random.fill(&mut payload[..8]);
    for (index, byte) in payload[8..].iter_mut().enumerate() {
        *byte = 0x10 + index as u8;
    }
    let sent = Sent::new(
        TrafficType::IcmpEchoRequest,
        Class::Scan,
        protocol::ICMP,
        None,
    );
    if !probe.source.chance(30, 3) {
        probe.packet.icmp(8, 0, rest, &payload);
        probe.close(protocol::ICMP, 64, 0);
        return sent;
    }
    probe.packet.icmp(8, 0, rest, &payload[..8]);
    let envelope = Envelope {
        id: 54321,
        ttl: probe.ttl(255),
        fragment: 0,
    };
    probe.close_with(protocol::ICMP, &envelope);
    sent.by(Tool::Zmap)
}

/// Timestamp (13) and address mask (17) requests, as host discovery sends them.
pub fn discovery(probe: &mut Probe<'_>) -> Sent {
    let mask = probe.source.chance(31, 4);
    let (kind, traffic_type, payload_bytes) = if mask {
        (17, TrafficType::IcmpMaskRequest, 4)
    } else {
        (13, TrafficType::IcmpTimestampRequest, 12)
    };
    let mut rest = [0; 4];
    probe.random.fill(&mut rest);
    probe.packet.icmp(kind, 0, rest, &[0; 12][..payload_bytes]);
    probe.close(protocol::ICMP, 59, 0);
    Sent::new(traffic_type, Class::Scan, protocol::ICMP, None)
}
