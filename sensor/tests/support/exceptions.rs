//! Where the decoding differs on purpose from the captures' oracles: link paths that are not followed and single captures, each with
//! its reason. One table for every test that compares with the oracles.

use serde_json::Value;

/// Parts of a path to an IP header that are not followed, and why.
pub(crate) const UNSUPPORTED_PATHS: &[(&str, &str)] = &[
    ("juniper", "a vendor's cookie header of many layouts"),
    ("wpan", "6LoWPAN has compressed IPv6 headers"),
    ("user_dlt", "link types reserved for private use"),
];

/// Where another reading than tshark's is meant: capture, fields, reason.
pub(crate) const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
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
        "linktypes/6d8a34-PcapPlusPlus__Pcap-Test-PcapExamples-file_heuristics-pcapng-example.pcapng",
        &["ipv4", "ipv6", "protocol"],
        IMPLAUSIBLE,
    ),
    (
        "malformed/tcpdump__babel_update_oobr.pcap",
        &["ipv4", "protocol", "hours"],
        IMPLAUSIBLE,
    ),
    (
        "malformed/tcpdump__bgp_vpn_rt-oobr.pcap",
        &["records", "non_ip", "error", "hours"],
        "the zeros at its end are records without bytes to the oracle",
    ),
    (
        "linktypes/pcapng-test-generator__output_be-basic-test017.pcapng",
        &["records", "non_ip"],
        CUSTOM_BLOCKS,
    ),
    (
        "linktypes/pcapng-test-generator__output_be-basic-test018.pcapng",
        &["records", "non_ip", "error"],
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
        "linktypes/pcapng-test-generator__output_le-basic-test018.pcapng",
        &["records", "non_ip", "error"],
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
        "malformed/suricata-verify__bug-6875-01-fuzz.pcap",
        &["records", "ipv4", "non_ip", "protocol 6"],
        "tshark guesses another layout of the records; by the file's own header the second is too long",
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

const IMPLAUSIBLE: &str = "packets whose time cannot be believed are counted as such alone";
const NO_CAPTURE_FORMAT: &str = "snoop is no format that the sensor reads; it says so";
const CUSTOM_BLOCKS: &str = "tshark shows custom blocks of pcapng as records; they hold no packets";
const SOURCE_ROUTE: &str =
    "tshark gives the end of a source route as the destination; the header's own counts here";
const QUOTED_FRAGMENT: &str = "the oracle counts the fragment that an ICMPv6 error quotes";
const JUMBOGRAM: &str =
    "tshark takes a payload length of 0 at its word; here the packet reaches to the frame's end";
const UNKNOWN_PROTOCOL: &str = "the oracle's 255 says that it could not follow the extension headers; here it is the last one read";

/// Whether every IP header of the capture is behind supported headers.
pub(crate) fn is_supported(oracle: &Value) -> bool {
    let paths = oracle["path_to_outer_ip"].as_object().unwrap();
    !paths.keys().any(|path| {
        let unsupported = UNSUPPORTED_PATHS
            .iter()
            .any(|(part, _)| path.contains(part));
        unsupported && !path.contains("(no ip)")
    })
}

/// Whether a difference of the capture from its oracle is among the exceptions.
pub(crate) fn is_excepted(path: &str, difference: &str) -> bool {
    EXCEPTIONS.iter().any(|(capture, fields, _)| {
        *capture == path && fields.iter().any(|field| difference.starts_with(field))
    })
}
