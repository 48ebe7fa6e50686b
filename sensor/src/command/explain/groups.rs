//! Groups the packets of a capture: by class, type, tool, rule and port, or by the reason why they are not observed. `explain.rs` explains
//! single packets.

use std::collections::BTreeMap;
use std::io::{Result, Write};

use serde_json::{Value, json};
use teiten_aggregator::counter::NAMES;
use teiten_observation::{Address, Kind};

use super::Judgements;
use crate::source::block::Block;
use crate::source::record::NO_TIME_US;
use teiten_packet::{Judgement, Observed, Telescope, judge};

/// What the packets of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey {
    Observed {
        kind: Kind,
        rule: &'static str,
        signature: Option<&'static str>,
    },
    NotObserved(&'static str, Option<&'static str>),
}

/// Packets and wire bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct GroupCount {
    packets: u64,
    bytes: u64,
}

/// Packets counted by group.
#[derive(Debug, Default)]
pub struct Groups {
    counts: BTreeMap<GroupKey, GroupCount>,
}

impl Groups {
    /// Counts the packets of a block.
    pub fn add(&mut self, block: &Block, telescope: &Telescope, judgements: &Judgements) {
        let bytes = block.bytes();
        for record in &block.records {
            let group = match judge(telescope, record.frame(bytes)) {
                _ if record.time_us == NO_TIME_US => {
                    GroupKey::NotObserved(NAMES.malformed, Some("time"))
                }
                Judgement::Ipv4(packet) => packet_group(&packet, record.time_us, judgements),
                Judgement::Ipv6(packet) => packet_group(&packet, record.time_us, judgements),
                Judgement::Outside => GroupKey::NotObserved(NAMES.outside, None),
                Judgement::Excluded => GroupKey::NotObserved(NAMES.excluded, None),
                Judgement::NotIp => GroupKey::NotObserved(NAMES.not_ip, None),
                Judgement::Malformed(layer, _) => {
                    GroupKey::NotObserved(NAMES.malformed, Some(layer.name()))
                }
            };
            let count = self.counts.entry(group).or_default();
            count.packets += 1;
            count.bytes += u64::from(record.wire_bytes);
        }
    }

    /// One JSON line for each group, the largest first.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_json(&self, out: &mut dyn Write) -> Result<()> {
        for (group, count) in self.sorted() {
            writeln!(out, "{}", group_json(&group, count))?;
        }
        Ok(())
    }

    /// The same as a table.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write_table(&self, out: &mut dyn Write) -> Result<()> {
        let heads = ["packets", "class", "traffic type", "tool", "port", "rule"];
        let [packets, class, traffic_type, tool, port, rule] = heads;
        writeln!(
            out,
            "{packets:>12} {class:<16} {traffic_type:<24} {tool:<11} {port:>5}  {rule}"
        )?;
        for (group, GroupCount { packets, .. }) in self.sorted() {
            match group {
                GroupKey::NotObserved(reason, layer) => {
                    let layer = layer.unwrap_or_default();
                    writeln!(out, "{packets:>12} not observed: {reason} {layer}")?;
                }
                GroupKey::Observed {
                    kind,
                    rule,
                    signature,
                } => {
                    let port = kind
                        .port()
                        .map_or_else(|| "-".to_owned(), |port| port.to_string());
                    let signature = signature
                        .map(|name| format!(" ({name})"))
                        .unwrap_or_default();
                    writeln!(
                        out,
                        "{packets:>12} {:<16} {:<24} {:<11} {port:>5}  {rule}{signature}",
                        kind.class().name(),
                        kind.traffic_type().name(),
                        kind.tool().name(),
                    )?;
                }
            }
        }
        Ok(())
    }

    fn sorted(&self) -> Vec<(GroupKey, GroupCount)> {
        let mut rows: Vec<_> = self
            .counts
            .iter()
            .map(|(group, count)| (*group, *count))
            .collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.packets));
        rows
    }
}

fn packet_group<A: Address>(
    packet: &Observed<'_, A>,
    time_us: i64,
    judgements: &Judgements,
) -> GroupKey {
    GroupKey::Observed {
        kind: judgements.counted_kind(time_us, packet.source, packet.kind),
        rule: packet.rule.name,
        signature: packet.signature.map(|signature| signature.name),
    }
}

fn group_json(group: &GroupKey, count: GroupCount) -> Value {
    match group {
        GroupKey::Observed {
            kind,
            rule,
            signature,
        } => json!({
            "class": kind.class().name(),
            "traffic_type": kind.traffic_type().name(),
            "tool": kind.tool().name(),
            "rule": rule,
            "signature": signature,
            "port": kind.port(),
            "packets": count.packets,
            "bytes": count.bytes,
        }),
        GroupKey::NotObserved(reason, layer) => {
            let reason = [Some(*reason), *layer]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            json!({
                "not_observed": reason.join(" "),
                "packets": count.packets,
                "bytes": count.bytes,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::block::BlockBytes;
    use crate::source::record::Record;
    use teiten_packet::LinkType;
    use teiten_packet::samples::{ethernet, ipv4_packet, tcp_segment};

    fn block(frames: &[Vec<u8>]) -> Block {
        let mut records = Vec::new();
        let mut bytes = Vec::new();
        for frame in frames {
            records.push(Record {
                time_us: 0,
                nanoseconds: 0,
                offset: bytes.len() as u32,
                captured_bytes: frame.len() as u32,
                wire_bytes: frame.len() as u32,
                link_type: LinkType(1),
            });
            bytes.extend(frame);
        }
        Block {
            bytes: BlockBytes::Owned(bytes),
            records,
        }
    }

    #[test]
    fn like_packets_are_one_group_and_the_largest_comes_first() {
        let segment = |flags, port| {
            let segment = tcp_segment(flags, 443, port, &[], b"");
            ethernet(0x0800, &ipv4_packet(6, &segment))
        };
        let arp = ethernet(0x0806, &[0; 28]);
        let mut groups = Groups::default();
        let everything = Telescope::new(&[], &[]);
        groups.add(
            &block(&[segment(2, 23), segment(2, 22), arp]),
            &everything,
            &Judgements::default(),
        );
        groups.add(
            &block(&[segment(2, 22), segment(2, 22)]),
            &everything,
            &Judgements::default(),
        );
        let mut lines = Vec::new();
        groups.write_json(&mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["packets"], 3);
        assert_eq!(lines[0]["port"], 22);
        assert_eq!(lines[0]["rule"], "tcp-syn");
        assert!(lines.iter().any(|line| line["not_observed"] == "not_ip"));
        let mut table = Vec::new();
        groups.write_table(&mut table).unwrap();
        assert_eq!(String::from_utf8(table).unwrap().lines().count(), 4);
    }
}
