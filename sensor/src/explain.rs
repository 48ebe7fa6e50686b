//! One JSON line for each packet: what it is and which rule decided, or why it is not observed. For a person or a notebook; nothing
//! of this runs while packets are counted.

mod groups;

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use teiten_aggregator::observation::{Address, Tool, TrafficType};

use crate::classify::{self, Verdict};
use crate::decode::{Decoded, Packet, Transport, decode_record, supported};
use crate::fingerprint::{self, Probe};
use crate::packet::{Block, Record};
use crate::telescope::{Place, Telescope};
pub use groups::Groups;

/// Writes a line for each packet of a block. `Ok(false)` says that the reader has gone (a broken pipe): stop, it is no error.
///
/// # Errors
/// Any other failure of `out`.
pub fn write_block(out: &mut impl Write, block: &Block, telescope: &Telescope) -> io::Result<bool> {
    let bytes = block.bytes();
    for record in &block.records {
        let captured = &bytes[record.offset as usize..][..record.captured_bytes as usize];
        let line = explain(record, captured, telescope);
        match serde_json::to_writer(&mut *out, &line)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
        {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// What is to be said of one packet, `captured` being its bytes.
#[must_use]
pub fn explain(record: &Record, captured: &[u8], telescope: &Telescope) -> Value {
    let mut line = Map::new();
    line.insert("time".into(), time_text(record.time_us).into());
    line.insert("wire_bytes".into(), record.wire_bytes.into());
    match decode_record(record.link_type, captured, record.wire_bytes) {
        Decoded::Ipv4(packet) => explain_packet(&mut line, &packet, telescope),
        Decoded::Ipv6(packet) => explain_packet(&mut line, &packet, telescope),
        Decoded::NotIp if !supported(record.link_type) => {
            let reason = format!("link type {} is not supported", record.link_type.0);
            not_observed(&mut line, "not_ip", Some(&reason));
        }
        Decoded::NotIp => not_observed(&mut line, "not_ip", None),
        Decoded::Malformed(layer, reason) => {
            not_observed(
                &mut line,
                &format!("malformed {}", layer.name()),
                Some(reason.text()),
            );
        }
    }
    Value::Object(line)
}

fn not_observed(line: &mut Map<String, Value>, what: &str, reason: Option<&str>) {
    line.insert("not_observed".into(), what.into());
    if let Some(reason) = reason {
        line.insert("reason".into(), reason.into());
    }
}

fn explain_packet<A: Address>(
    line: &mut Map<String, Value>,
    packet: &Packet<'_, A>,
    telescope: &Telescope,
) {
    let ports = packet.ports();
    line.insert("src_ip".into(), address_text(packet.source).into());
    line.insert("dst_ip".into(), address_text(packet.destination).into());
    line.insert("ip_version".into(), (A::FAMILY as u8).into());
    line.insert("protocol".into(), packet.protocol.into());
    line.insert("src_port".into(), json!(ports.map(|ports| ports.0)));
    line.insert("dst_port".into(), json!(ports.map(|ports| ports.1)));
    match telescope.place(packet.source, packet.destination) {
        Place::Observed => insert_verdict(line, packet),
        Place::Outside => not_observed(line, "outside", None),
        Place::Excluded => not_observed(line, "excluded", None),
    }
    insert_headers(line, packet);
}

fn insert_verdict<A: Address>(line: &mut Map<String, Value>, packet: &Packet<'_, A>) {
    let verdict = classify::verdict(packet);
    let kind = verdict.kind;
    line.insert("traffic_type".into(), kind.traffic_type().name().into());
    line.insert("class".into(), kind.class().name().into());
    line.insert("tool".into(), kind.tool().name().into());
    line.insert("port".into(), json!(kind.port()));
    line.insert("rule".into(), verdict.rule.name.into());
    line.insert("rule_reference".into(), verdict.rule.reference.into());
    if let Some(signature) = verdict.signature {
        line.insert("signature".into(), signature.name.into());
        line.insert("signature_source".into(), signature.source.into());
    }
    let evidence = evidence(packet, &verdict);
    if !evidence.is_empty() {
        line.insert("evidence".into(), evidence.into());
    }
}

/// What speaks for a tool in this packet, whether or not it decided.
fn evidence<A: Address>(packet: &Packet<'_, A>, verdict: &Verdict) -> Vec<String> {
    let mut evidence = Vec::new();
    if let Some(mark) = verdict.mark {
        evidence.push(format!("{}: {} ({})", mark.tool, mark.name, mark.source));
    }
    let traffic_type = verdict.kind.traffic_type();
    let Some(probe) = fingerprint::probe(packet, traffic_type) else {
        return evidence;
    };
    if traffic_type == TrafficType::TcpSyn {
        evidence.extend(masscan_evidence(&probe, verdict.kind.tool()));
        evidence.extend(nmap_evidence(&probe));
    }
    evidence
}

/// The shape beside the 16-bit match: together they are no coincidence.
fn masscan_evidence(probe: &Probe, tool: Tool) -> Option<String> {
    match (fingerprint::masscan_shape(probe), tool) {
        (Some(shape), Tool::Masscan) => Some(format!("masscan: shape of {shape}")),
        (Some(shape), _) => Some(format!(
            "masscan: shape of {shape}, but the identification does not match"
        )),
        (None, Tool::Masscan) => {
            Some("masscan: neither of its shapes, so the match of 16 bits may be chance".to_owned())
        }
        (None, _) => None,
    }
}

fn nmap_evidence(probe: &Probe) -> Option<String> {
    let value = fingerprint::nmap_invariant(probe)?;
    Some(format!(
        "nmap: shape of -sS (window 1024, MSS alone, TTL up to 59); a source's SYNs to other destinations must share {value:#06x}"
    ))
}

fn insert_headers<A: Address>(line: &mut Map<String, Value>, packet: &Packet<'_, A>) {
    line.insert("ttl".into(), packet.time_to_live.into());
    line.insert("ip_id".into(), packet.identification.into());
    line.insert("ip_length".into(), packet.ip_length_bytes.into());
    line.insert("dont_fragment".into(), packet.dont_fragment.into());
    if packet.more_fragments || packet.fragment_offset_bytes > 0 {
        line.insert(
            "fragment_offset".into(),
            packet.fragment_offset_bytes.into(),
        );
    }
    if let Some(damage) = packet.damage {
        line.insert("damage".into(), damage.text().into());
    }
    match packet.transport {
        Transport::Tcp(tcp) => {
            line.insert("tcp_flags".into(), flags_text(tcp.flags).into());
            line.insert("tcp_seq".into(), tcp.sequence.into());
            line.insert("tcp_ack".into(), tcp.acknowledgment.into());
            line.insert("tcp_window".into(), tcp.window.into());
            line.insert("payload_bytes".into(), tcp.payload.len().into());
        }
        Transport::Udp(udp) => {
            line.insert("payload_bytes".into(), udp.payload.len().into());
        }
        Transport::Icmp(icmp) => {
            line.insert("icmp_type".into(), icmp.icmp_type.into());
            line.insert("icmp_code".into(), icmp.code.into());
        }
        _ => {}
    }
    if let Some(quoted) = packet.quoted() {
        line.insert("victim_ip".into(), address_text(quoted.destination).into());
        line.insert("quoted_protocol".into(), quoted.protocol.into());
        line.insert(
            "quoted_dst_port".into(),
            json!(quoted.ports.map(|ports| ports.1)),
        );
    }
}

fn address_text<A: Address>(address: A) -> String {
    let mut text = Vec::new();
    address.write_text(&mut text);
    String::from_utf8_lossy(&text).into_owned()
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

/// RFC 3339 in UTC with microseconds; years beyond four digits as they are.
fn time_text(time_us: i64) -> String {
    const DAY_US: i64 = 86_400_000_000;
    let (year, month, day) = civil(time_us.div_euclid(DAY_US));
    let in_day = time_us.rem_euclid(DAY_US);
    let seconds = in_day / 1_000_000;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        in_day % 1_000_000
    )
}

/// Year, month and day of a day counted from 1970-01-01, by eras of 400 years that start on 1 March (Hinnant, chrono-compatible
/// low-level date algorithms, 2013).
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(ERA_DAYS);
    let day_of_era = shifted.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests_support::{ethernet, ipv4_packet, tcp_segment};
    use crate::packet::{BlockBytes, LinkType};

    fn line(link_type: u16, frame: &[u8], dark: &[&str]) -> Value {
        let record = Record {
            time_us: 1_237_106_706_081_731,
            offset: 0,
            captured_bytes: frame.len() as u32,
            wire_bytes: frame.len() as u32,
            link_type: LinkType(link_type),
        };
        let dark: Vec<_> = dark.iter().map(|text| text.parse().unwrap()).collect();
        explain(&record, frame, &Telescope::new(&dark, &[]))
    }

    #[test]
    fn a_packet_is_explained_with_the_rule_that_decided() {
        let frame = ethernet(
            0x0800,
            &ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b"")),
        );
        let line = line(1, &frame, &[]);
        assert_eq!(line["time"], "2009-03-15T08:45:06.081731Z");
        assert_eq!(line["src_ip"], "1.2.3.4");
        assert_eq!(line["dst_port"], 23);
        assert_eq!(line["traffic_type"], "tcp-syn");
        assert_eq!(line["class"], "scan");
        assert_eq!(line["tool"], "none");
        assert_eq!(line["rule"], "tcp-syn");
        assert_eq!(line["tcp_flags"], "S");
    }

    #[test]
    fn what_is_not_observed_says_why() {
        let packet = ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b""));
        let frame = ethernet(0x0800, &packet);
        assert_eq!(
            line(1, &frame, &["192.0.2.0/24"])["not_observed"],
            "outside"
        );
        assert_eq!(
            line(1, &ethernet(0x0806, &[0; 28]), &[])["not_observed"],
            "not_ip"
        );
        assert_eq!(line(1, &frame[..20], &[])["not_observed"], "malformed ipv4");
        assert_eq!(line(1, &frame[..9], &[])["not_observed"], "malformed link");
        let unsupported = line(147, &frame, &[]);
        assert_eq!(unsupported["reason"], "link type 147 is not supported");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (time_us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199_000_001, "2024-02-29T23:59:59.000001Z"),
            (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time_text(time_us), text);
        }
        assert!(time_text(i64::MAX).ends_with('Z') && time_text(i64::MIN).ends_with('Z'));
    }

    #[test]
    fn a_broken_pipe_ends_without_an_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let block = Block {
            bytes: BlockBytes::Owned(vec![0; 60]),
            records: vec![Record {
                time_us: 0,
                offset: 0,
                captured_bytes: 60,
                wire_bytes: 60,
                link_type: LinkType(1),
            }],
        };
        let everything = Telescope::new(&[], &[]);
        assert!(!write_block(&mut Gone, &block, &everything).unwrap());
        assert!(write_block(&mut Vec::new(), &block, &everything).unwrap());
    }
}
