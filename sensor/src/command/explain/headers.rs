//! The header fields of a packet, as `explain` prints them.

use serde_json::{Map, Value, json};
use teiten_aggregator::text::hexadecimal;
use teiten_observation::Address;

use super::address_text;
use teiten_packet::decode::{Icmp, Packet, Sctp, Tcp, Transport};

/// Inserts the fields of the IP header, of the transport header, and of the packet that an ICMP error quotes.
pub(super) fn insert<A: Address>(line: &mut Map<String, Value>, packet: &Packet<'_, A>) {
    let ports = packet.ports();
    line.insert("src_ip".into(), address_text(packet.source).into());
    line.insert("dst_ip".into(), address_text(packet.destination).into());
    line.insert("ip_version".into(), (A::FAMILY as u8).into());
    line.insert("protocol".into(), packet.protocol.into());
    line.insert("src_port".into(), json!(ports.map(|ports| ports.0)));
    line.insert("dst_port".into(), json!(ports.map(|ports| ports.1)));
    line.insert("ttl".into(), packet.time_to_live.into());
    line.insert("ip_id".into(), packet.identification.into());
    line.insert("ip_length".into(), packet.ip_length_bytes.into());
    line.insert("dont_fragment".into(), packet.dont_fragment.into());
    if packet.more_fragments || packet.fragment_offset_bytes > 0 {
        let offset = packet.fragment_offset_bytes;
        line.insert("fragment_offset".into(), offset.into());
        line.insert("more_fragments".into(), packet.more_fragments.into());
    }
    if let Some(damage) = packet.damage {
        line.insert("damage".into(), damage.text().into());
    }
    match &packet.transport {
        Transport::Tcp(tcp) => insert_tcp(line, tcp),
        Transport::Udp(udp) => {
            line.insert("payload_bytes".into(), udp.payload.len().into());
        }
        Transport::Icmp(icmp) => insert_icmp(line, icmp),
        Transport::Sctp(sctp) => insert_sctp(line, sctp),
        _ => {}
    }
    insert_quoted(line, packet);
}

fn insert_tcp(line: &mut Map<String, Value>, tcp: &Tcp) {
    line.insert("tcp_flags".into(), flags_text(tcp.flags).into());
    line.insert("tcp_seq".into(), tcp.sequence.into());
    line.insert("tcp_ack".into(), tcp.acknowledgment.into());
    line.insert("tcp_window".into(), tcp.window.into());
    if !tcp.options.is_empty() {
        line.insert("tcp_options".into(), hexadecimal(tcp.options).into());
    }
    line.insert("payload_bytes".into(), tcp.payload.len().into());
}

fn insert_icmp(line: &mut Map<String, Value>, icmp: &Icmp) {
    line.insert("icmp_type".into(), icmp.icmp_type.into());
    line.insert("icmp_code".into(), icmp.code.into());
}

fn insert_sctp(line: &mut Map<String, Value>, sctp: &Sctp) {
    line.insert("sctp_chunk".into(), json!(sctp.chunk_type));
}

/// The victim is the destination of the quoted packet, whose source was forged as the dark address.
fn insert_quoted<A: Address>(line: &mut Map<String, Value>, packet: &Packet<'_, A>) {
    let Some(quoted) = packet.quoted() else {
        return;
    };
    line.insert("victim_ip".into(), address_text(quoted.destination).into());
    line.insert("quoted_src_ip".into(), address_text(quoted.source).into());
    line.insert("quoted_protocol".into(), quoted.protocol.into());
    let source_port = quoted.ports.map(|ports| ports.0);
    let service = quoted.ports.map(|ports| ports.1);
    line.insert("quoted_src_port".into(), json!(source_port));
    line.insert("quoted_dst_port".into(), json!(service));
}

/// The flags as their letters, in the order of the header: CWR is `C`, ECE is `E`.
fn flags_text(flags: u8) -> String {
    "CEUAPRSF"
        .chars()
        .enumerate()
        .filter(|(position, _)| flags & (0x80 >> position) != 0)
        .map(|(_, letter)| letter)
        .collect()
}
