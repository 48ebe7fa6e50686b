//! UDP: requests to amplifiers, plain scans, exploits, peer-to-peer strays, noise.

use super::Probe;
use super::payload::{
    EXPLOITS, PAYLOAD_BYTES_MAX, PEER_TO_PEER, Payload, REFLECTOR_REQUESTS, SCAN_REQUESTS,
};
use crate::kinds::{Class, Sent, Tool, TrafficType};
use crate::packet::{DONT_FRAGMENT, Envelope, protocol};
use crate::random::weighted;

/// ZMap's default for probes without a module of their own.
const ZMAP_DEFAULT: &[u8] = b"GET / HTTP/1.1\r\nHost: www\r\n\r\n";

fn sent(class: Class, port: u16) -> Sent {
    Sent::new(TrafficType::Udp, class, protocol::UDP, Some(port))
}

fn datagram(probe: &mut Probe<'_>, row: &Payload, port: u16) {
    let mut buffer = [0; PAYLOAD_BYTES_MAX];
    let payload = row.write(&mut buffer, probe.random);
    let source_port = probe.ephemeral_port();
    probe.packet.udp(source_port, port, payload);
}

/// Closes a probe that old ZMap sends for one source in three, and a socket for the others.
fn close_probe(probe: &mut Probe<'_>, sent: Sent) -> Sent {
    if !probe.source.chance(20, 3) {
        probe.close(protocol::UDP, 64, DONT_FRAGMENT);
        return sent;
    }
    let envelope = Envelope {
        id: 54321,
        ttl: probe.ttl(255),
        fragment: 0,
    };
    probe.close_with(protocol::UDP, &envelope);
    sent.by(Tool::Zmap)
}

/// A search for amplifiers: a source asks for one service.
pub fn reflector(probe: &mut Probe<'_>) -> Sent {
    let row = weighted(REFLECTOR_REQUESTS, probe.source.bits(21));
    datagram(probe, row, row.port);
    close_probe(probe, sent(Class::ReflectorScan, row.port))
}

/// A scan over UDP: SIP, empty datagrams, ZMap's default payload.
pub fn scan(probe: &mut Probe<'_>) -> Sent {
    if probe.source.chance(20, 3) {
        let port = probe.random.next_u16();
        let source_port = probe.ephemeral_port();
        probe.packet.udp(source_port, port, ZMAP_DEFAULT);
        return close_probe(probe, sent(Class::Scan, port));
    }
    let row = weighted(SCAN_REQUESTS, probe.source.bits(22));
    let port = if row.port == 0 {
        1 + probe.random.below(65_535) as u16
    } else {
        row.port
    };
    datagram(probe, row, port);
    close_probe(probe, sent(Class::Scan, port))
}

/// A worm or an exploit of one datagram.
pub fn exploit(probe: &mut Probe<'_>) -> Sent {
    let row = weighted(EXPLOITS, probe.source.bits(23));
    datagram(probe, row, row.port);
    probe.close(protocol::UDP, 128, 0);
    sent(Class::Exploit, row.port)
}

/// A peer-to-peer program that takes a dark address for a peer.
pub fn peer_to_peer(probe: &mut Probe<'_>) -> Sent {
    let row = weighted(PEER_TO_PEER, probe.random.next_u64());
    let port = if probe.source.chance(24, 3) {
        row.port
    } else {
        10_000 + (probe.source.bits(25) % 50_000) as u16
    };
    datagram(probe, row, port);
    probe.close(protocol::UDP, 128, 0);
    sent(Class::Misconfiguration, port)
}

/// Bytes of no known meaning to a high port: a probe of that port.
pub fn unknown(probe: &mut Probe<'_>) -> Sent {
    let mut payload = [0; 64];
    let length = 9 + probe.random.below(48) as usize;
    probe.random.fill(&mut payload[..length]);
    // The upper bits of these two bytes keep the noise apart from every format above.
    payload[0] = 0xf0;
    payload[1] = 0x0f;
    let port = 40_000 + (probe.source.bits(26) % 20_000) as u16;
    let source_port = probe.ephemeral_port();
    probe.packet.udp(source_port, port, &payload[..length]);
    probe.close(protocol::UDP, 128, 0);
    sent(Class::Scan, port)
}
