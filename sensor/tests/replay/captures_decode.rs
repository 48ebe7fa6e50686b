//! Decoding against a thousand captures of others and their oracles (tshark, checked with tcpdump and dpkt; rules in
//! `shared/captures/README.md`). Skipped, and said so, where those captures are not.

use crate::captures;
use crate::exceptions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use captures::{captures, oracles};
use exceptions::{is_excepted, is_supported};
use serde_json::Value;
use sha2::{Digest, Sha256};
use teiten_observation::{Address, Class, Family, Tool, TrafficType};
use teiten_packet::classify::{kind, verdict};
use teiten_packet::decode::{Decoded, Layer, Packet, Transport, decode_record};
use teiten_packet::fingerprint;
use teiten_packet::fuzz::check_frame;
use teiten_sensor::source::Replay;
use teiten_sensor::source::block::Block;
use teiten_sensor::source::record::Record;

type Tally = BTreeMap<String, u64>;

/// The sums of one capture's packets, under the oracle's names.
#[derive(Default)]
struct Counts {
    tally: Tally,
    sources: BTreeSet<u32>,
    destinations: BTreeSet<u32>,
}

impl Counts {
    fn add(&mut self, name: impl Into<String>) {
        *self.tally.entry(name.into()).or_default() += 1;
    }

    fn record(&mut self, record: &Record, bytes: &[u8]) {
        self.add("records");
        let captured = &bytes[record.offset as usize..][..record.captured_bytes as usize];
        match decode_record(record.link_type, captured, record.wire_bytes) {
            Decoded::NotIp | Decoded::Malformed(Layer::Link, _) => self.add("non_ip"),
            Decoded::Malformed(Layer::Ipv4, _) => self.add("ipv4_malformed"),
            Decoded::Malformed(Layer::Ipv6, _) => self.add("ipv6_malformed"),
            Decoded::Ipv4(packet) => {
                self.add("ipv4");
                self.sources.insert(packet.source);
                self.destinations.insert(packet.destination);
                self.packet(&packet);
            }
            Decoded::Ipv6(packet) => {
                self.add("ipv6");
                self.packet(&packet);
            }
        }
    }

    fn packet<A: Address>(&mut self, packet: &Packet<'_, A>) {
        self.add(format!("protocol {}", packet.protocol));
        if packet.fragment_offset_bytes > 0 {
            self.add("frag_offset_gt0");
        }
        if packet.source == packet.destination {
            self.add("src_eq_dst");
        }
        match packet.transport {
            Transport::Tcp(tcp) => {
                self.add(format!("flags 0x{:02x}", tcp.flags));
                if tcp.flags == 2 && A::FAMILY == Family::Ipv4 {
                    for (tool, name) in [
                        (Tool::Zmap, "ipid_54321_syn"),
                        (Tool::Mirai, "mirai_syn"),
                        (Tool::Masscan, "masscan_syn"),
                    ] {
                        if fingerprint::bears(packet, TrafficType::TcpSyn, tool) {
                            self.add(name);
                        }
                    }
                }
            }
            Transport::Icmp(icmp) => {
                let name = match A::FAMILY {
                    Family::Ipv4 => "icmp",
                    Family::Ipv6 => "icmpv6",
                };
                self.add(format!("{name} {}", icmp.icmp_type));
            }
            Transport::PortsOnly(..) if packet.protocol == 6 => self.add("tcp_no_flags"),
            Transport::Missing if packet.protocol == 6 => self.add("tcp_no_ports"),
            Transport::Missing if packet.protocol == 17 => self.add("udp_no_ports"),
            _ => {}
        }
        check_verdict(packet);
    }
}

/// Invariants of every packet, regardless of the oracle.
fn check_verdict<A: Address>(packet: &Packet<'_, A>) {
    let verdict = verdict(packet);
    assert_eq!(verdict.kind, kind(packet));
    let kind = verdict.kind;
    assert_eq!(
        kind.traffic_type() == TrafficType::Malformed,
        packet.damage.is_some()
    );
    assert_eq!(kind.protocol(A::FAMILY), packet.protocol);
    if let (Transport::Tcp(tcp), None) = (packet.transport, packet.damage) {
        let expected = match tcp.flags & 0x3f {
            0x02 => Some(TrafficType::TcpSyn),
            0x12 => Some(TrafficType::TcpSynAck),
            0x04 => Some(TrafficType::TcpRst),
            0x14 => Some(TrafficType::TcpRstAck),
            _ => None,
        };
        if let Some(expected) = expected {
            assert_eq!(kind.traffic_type(), expected);
        }
    }
}

fn replayed(path: &Path) -> Counts {
    let mut counts = Counts::default();
    let Ok(mut replay) = Replay::open(&[path.to_owned()]) else {
        return counts;
    };
    let mut reuse = Block::empty();
    while let Some(block) = replay.next_block(reuse) {
        for record in &block.records {
            check_frame(record.frame(block.bytes()));
            counts.record(record, block.bytes());
        }
        reuse = block;
    }
    counts
}

fn sha256(addresses: &BTreeSet<u32>) -> String {
    let mut hash = Sha256::new();
    for address in addresses {
        hash.update(address.to_be_bytes());
    }
    hash.finalize()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// The oracle's counts under the names of [`Counts`]; those that are 0 are left out.
fn expected(oracle: &Value) -> Tally {
    let mut tally = Tally::new();
    for name in [
        "records",
        "ipv4",
        "ipv6",
        "ipv4_malformed",
        "ipv6_malformed",
        "non_ip",
        "frag_offset_gt0",
        "src_eq_dst",
        "ipid_54321_syn",
        "mirai_syn",
        "masscan_syn",
        "tcp_no_flags",
        "tcp_no_ports",
        "udp_no_ports",
    ] {
        tally.insert(name.to_owned(), oracle["counts"][name].as_u64().unwrap());
    }
    for (field, prefix) in [
        ("ip_proto_numbers", "protocol"),
        ("tcp_flags_low8", "flags"),
        ("icmp_types", "icmp"),
        ("icmpv6_types", "icmpv6"),
    ] {
        for (value, count) in oracle[field].as_object().unwrap() {
            tally.insert(format!("{prefix} {value}"), count.as_u64().unwrap());
        }
    }
    tally.retain(|_, count| *count > 0);
    tally
}

fn differences(oracle: &Value, counts: &Counts) -> Vec<String> {
    let expected = expected(oracle);
    let names: BTreeSet<&String> = expected.keys().chain(counts.tally.keys()).collect();
    let mut differences: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            let want = expected.get(name).copied().unwrap_or(0);
            let got = counts.tally.get(name).copied().unwrap_or(0);
            (want != got).then(|| format!("{name}: {want} by the oracle, {got} here"))
        })
        .collect();
    for (field, addresses) in [
        ("sha256_sorted_src_ipv4", &counts.sources),
        ("sha256_sorted_dst_ipv4", &counts.destinations),
    ] {
        if !addresses.is_empty() && oracle[field].as_str() != Some(&sha256(addresses)) {
            differences.push(format!("{field}: another set, {} here", addresses.len()));
        }
    }
    differences
}

#[test]
fn captures_of_grade_a_and_b_decode_as_their_oracles_say() {
    let Some(folder) = captures() else { return };
    let mut failures = Vec::new();
    let (mut checked, mut left_out) = (0, 0);
    for oracle in oracles(&folder) {
        let path = oracle["path"].as_str().unwrap();
        if !matches!(oracle["grade"].as_str(), Some("A" | "B")) {
            continue;
        }
        if !is_supported(&oracle) {
            left_out += 1;
            continue;
        }
        checked += 1;
        let counts = replayed(&folder.join(path));
        failures.extend(
            differences(&oracle, &counts)
                .into_iter()
                .filter(|difference| !is_excepted(path, difference))
                .map(|difference| format!("{path}: {difference}")),
        );
    }
    println!("{checked} captures checked, {left_out} left out for their link path");
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Captured on the scanner's own side of its address translator: the source is private, the probes are no forgeries.
#[test]
fn a_masscan_run_behind_a_translator_is_a_scan_by_masscan() {
    let Some(folder) = captures() else { return };
    let path =
        folder.join("tools/curated-pcaps__attacks-scanners-masscan-tcp_0_1000_20190821.pcap");
    let mut source = Replay::open(&[path]).expect("the capture is there");
    let mut verdicts = BTreeMap::<_, u64>::new();
    while let Some(block) = source.next_block(Block::empty()) {
        for record in &block.records {
            let captured =
                &block.bytes()[record.offset as usize..][..record.captured_bytes as usize];
            if let Decoded::Ipv4(packet) =
                decode_record(record.link_type, captured, record.wire_bytes)
            {
                let kind = kind(&packet);
                let key = (kind.traffic_type(), kind.class(), kind.tool());
                *verdicts.entry(key).or_default() += 1;
            }
        }
    }
    let probes = (TrafficType::TcpSyn, Class::Scan, Tool::Masscan);
    let resets = (TrafficType::TcpRst, Class::Spoofed, Tool::None);
    assert_eq!(
        verdicts.into_iter().collect::<Vec<_>>(),
        [(probes, 1001), (resets, 4)]
    );
}

#[test]
fn captures_of_grade_c_and_x_crash_nothing() {
    let Some(folder) = captures() else { return };
    for oracle in oracles(&folder) {
        if matches!(oracle["grade"].as_str(), Some("C" | "X")) {
            replayed(&folder.join(oracle["path"].as_str().unwrap()));
        }
    }
}
