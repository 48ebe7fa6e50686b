//! Decoding against a thousand captures of others and their oracles (tshark, checked with tcpdump and dpkt; rules in
//! `shared/captures/README.md`). Runs where that folder lies beside the checkout or `TEITEN_CAPTURES` names it, and says loudly
//! when it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use teiten_aggregator::observation::{Address, Family, Tool, TrafficType};
use teiten_sensor::classify::{kind, verdict};
use teiten_sensor::decode::{Decoded, Layer, Packet, Transport, decode_record};
use teiten_sensor::fingerprint;
use teiten_sensor::packet::{Block, Record};
use teiten_sensor::source::Replay;

/// Parts of a path to an IP header that are not followed, and why.
const UNSUPPORTED_PATHS: &[(&str, &str)] = &[
    ("juniper", "a vendor's cookie header of many layouts"),
    ("wpan", "6LoWPAN has compressed IPv6 headers"),
    ("user_dlt", "link types reserved for private use"),
];

/// Where another reading than tshark's is meant: capture, fields, reason.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    (
        "linktypes/PcapPlusPlus__ExamplesTest-pcap_examples-solaris.snoop",
        &[""],
        NO_CAPTURE_FORMAT,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-advanced-test102.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-basic-test017.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-difficult-test202.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-advanced-test102.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-basic-test017.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_le-difficult-test202.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcap4j__pcap4j-packettest-src-test-resources-IpV4PacketTest.pcap",
        &["sha256_sorted_dst"],
        SOURCE_ROUTE,
    ),
    (
        "linktypes/zeek__cisco-fabric-path.pcap",
        &["ipv6", "protocol 99"],
        "tshark takes the last four bytes for a checksum, and so finds headers of 36 bytes",
    ),
    (
        "malformed/suricata-verify__firewall-tcp-session-decode-malformed-ipv4-input.pcap",
        &["flags 0x10", "tcp_no_ports"],
        "tshark gives up at the IP options; the TCP header behind them is whole",
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-16-frag-16.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-22-frag-22.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-23-frag-23.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-24-frag-24.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-31-frag-31.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-32-frag-32.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/suricata-verify__ipv6-evasion-ipv6-malformed-fragments-33-frag-33.pcap",
        &["frag_offset_gt0", "icmpv6 4"],
        QUOTED_FRAGMENT,
    ),
    (
        "malformed/tcpdump__LINKTYPE_IPV6_invalid.pcap",
        &["ipv6_malformed", "non_ip"],
        "announced as IPv6, of another version: malformed by rule 4",
    ),
    (
        "malformed/tcpdump__ipv6-bad-version.pcap",
        &["ipv6_malformed", "non_ip"],
        "announced as IPv6, of another version: malformed by rule 4",
    ),
    (
        "malformed/tcpdump__bigtcp-ipv6.pcap",
        &["flags 0x18", "tcp_no_ports", "udp_no_ports"],
        JUMBOGRAM,
    ),
    (
        "malformed/tcpdump__bigtcp-ipv6-geneve-ipv6.pcap",
        &["flags 0x18", "tcp_no_ports", "udp_no_ports"],
        JUMBOGRAM,
    ),
    (
        "malformed/tcpdump__bigtcp-ipv6-vxlan-ipv4.pcap",
        &["flags 0x18", "tcp_no_ports", "udp_no_ports"],
        JUMBOGRAM,
    ),
    (
        "malformed/tcpdump__bigtcp-ipv6-vxlan-ipv6.pcap",
        &["flags 0x18", "tcp_no_ports", "udp_no_ports"],
        JUMBOGRAM,
    ),
    (
        "malformed/tcpdump__ipv6_missing_jumbo_payload_option.pcap",
        &["protocol"],
        JUMBOGRAM,
    ),
    (
        "malformed/tcpdump__icmp-icmp_print-oobr-1.pcap",
        &["icmp "],
        "the type is there although the header is cut; the packet is malformed all the same",
    ),
    (
        "malformed/tcpdump__icmp-icmp_print-oobr-2.pcap",
        &["icmp "],
        "the type is there although the header is cut; the packet is malformed all the same",
    ),
    (
        "linktypes/zeek__trunc-ip6-ext-trunc.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__erspan-type-iii-pb-1.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-next-header-oobr-1.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-next-header-oobr-2.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-rthdr-oobr.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-srh-ext-header.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-srh-ipproto-ether.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-srh-tlv-hmac.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6-srh-tlv-pad1-padn-5-trunc.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
    (
        "malformed/tcpdump__ipv6hdr-heapoverflow.pcap",
        &["protocol"],
        UNKNOWN_PROTOCOL,
    ),
];

const NO_CAPTURE_FORMAT: &str = "snoop is no format that the sensor reads; it says so";
const CUSTOM_BLOCKS: &str = "tshark shows custom blocks of pcapng as records; they hold no packets";
const SOURCE_ROUTE: &str =
    "tshark gives the end of a source route as the destination; the header's own counts here";
const QUOTED_FRAGMENT: &str = "the oracle counts the fragment that an ICMPv6 error quotes";
const JUMBOGRAM: &str =
    "tshark takes a payload length of 0 at its word; here the packet reaches to the frame's end";
const UNKNOWN_PROTOCOL: &str = "the oracle's 255 says that it could not follow the extension headers; here it is the last one read";

type Tally = BTreeMap<String, u64>;

fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("TEITEN_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"),
        PathBuf::from,
    );
    if folder.join("oracles.jsonl").is_file() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: no captures at {}; set TEITEN_CAPTURES to the folder with oracles.jsonl",
        folder.display()
    );
    None
}

fn oracles(folder: &Path) -> Vec<Value> {
    std::fs::read_to_string(folder.join("oracles.jsonl"))
        .expect("the oracles can be read")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an oracle is JSON"))
        .collect()
}

/// What the packets of one capture add up to, under the oracle's names.
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

/// What must hold for every packet, whatever the oracle says.
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

fn is_supported(oracle: &Value) -> bool {
    let paths = oracle["path_to_outer_ip"].as_object().unwrap();
    !paths.keys().any(|path| {
        let unsupported = UNSUPPORTED_PATHS
            .iter()
            .any(|(part, _)| path.contains(part));
        unsupported && !path.contains("(no ip)")
    })
}

fn is_excepted(path: &str, difference: &str) -> bool {
    EXCEPTIONS.iter().any(|(capture, fields, _)| {
        *capture == path && fields.iter().any(|field| difference.starts_with(field))
    })
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

#[test]
fn captures_of_grade_c_and_x_crash_nothing() {
    let Some(folder) = captures() else { return };
    for oracle in oracles(&folder) {
        if matches!(oracle["grade"].as_str(), Some("C" | "X")) {
            replayed(&folder.join(oracle["path"].as_str().unwrap()));
        }
    }
}
