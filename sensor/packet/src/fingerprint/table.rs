//! TOOLS: one row for each mark, with its test, what confirms it, its source and its dates. The tests stand in `shape.rs`.

use teiten_observation::Mark;
use teiten_observation::TrafficType;

use super::Probe;
use super::shape::*;

/// A mark of a scan tool: what one packet shows, and what confirms it.
pub struct ToolMark {
    /// The mark.
    pub mark: Mark,
    /// What bears it, in words.
    pub words: &'static str,
    /// Packets it can stand in.
    pub probes: Probes,
    /// Whether a packet bears the mark.
    pub test: fn(&Probe) -> bool,
    /// What of a source's packets in the hour confirms it.
    pub confirmation: &'static str,
    /// Where the mark is known from.
    pub source: &'static str,
    /// When the tool left it.
    pub dates: &'static str,
}

/// Kinds of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probes {
    /// TCP SYN.
    Syn,
    /// TCP SYN and SCTP INIT.
    SynAndInit,
    /// TCP SYN, UDP and ICMP requests.
    SynUdpIcmp,
}

impl Probes {
    #[inline(always)]
    pub(super) const fn contain(self, traffic_type: TrafficType) -> bool {
        match traffic_type {
            TrafficType::TcpSyn => true,
            TrafficType::Sctp => matches!(self, Probes::SynAndInit),
            TrafficType::Udp
            | TrafficType::IcmpEchoRequest
            | TrafficType::IcmpTimestampRequest
            | TrafficType::IcmpInformationRequest
            | TrafficType::IcmpMaskRequest => matches!(self, Probes::SynUdpIcmp),
            _ => false,
        }
    }
}

/// What confirms a test of 16 bits.
const BY_TWO: &str =
    "2 packets of the source in the hour, and at least one in 16 of those it could stand in";
/// What confirms a test of 16 bits in a packet of the tool's shape.
const BY_SHAPE: &str = "nothing else, unless fewer than one in 64 of the source's packets in the hour bear it and fewer than one in 16 match";
/// What confirms a shape that a system could share.
const BY_SPREAD: &str = "2 packets to different destinations or ports, and at least half of the source's SYNs in the hour";
const ZMAP: &str =
    "zmap, src/probe_modules/packet.c up to v4.0; Durumeric et al., ZMap, USENIX Security 2013";
const ZMAP_STACK: &str =
    "zmap v4.1.0, CHANGELOG and src/probe_modules/packet.c (the shape is derived)";
const ZMAP_STACK_DATES: &str = "v4.1.0 of 2024-03-21 on";

/// Every mark of a single packet, in the order in which they decide: a 32-bit match before the 16-bit ones, those with the tool's
/// shape before those without, matches before shapes.
pub static TOOLS: [ToolMark; 10] = [
    ToolMark {
        mark: Mark::MiraiSequence,
        words: "sequence number is the destination address",
        probes: Probes::Syn,
        test: is_mirai,
        confirmation: "nothing else: one packet in 4 billion matches by chance",
        source: "Mirai, bot/scanner.c; Antonakakis et al., Understanding the Mirai Botnet, USENIX Security 2017",
        dates: "2016-08 on",
    },
    ToolMark {
        mark: Mark::MasscanShape,
        words: "masscan-hash, initial TTL 255, DF clear; of a SYN also IP length 40 and window 1024, or IP length 44, MSS 1460 and window 1025",
        probes: Probes::SynAndInit,
        test: is_masscan_with_shape,
        confirmation: BY_SHAPE,
        source: "masscan, src/templ-pkt.c; the second form by commit 4f89257",
        dates: "2013-09 on; the second form since 2023-11-07",
    },
    ToolMark {
        mark: Mark::ZmapIdShape,
        words: "zmap-id, initial TTL 255, DF clear; of a SYN also window 65535",
        probes: Probes::SynUdpIcmp,
        test: is_zmap_with_shape,
        confirmation: BY_SHAPE,
        source: ZMAP,
        dates: "2013-08 to v4.1.0 of 2024-03-21",
    },
    ToolMark {
        mark: Mark::ZmapId,
        words: "IP identification 54321",
        probes: Probes::SynUdpIcmp,
        test: is_zmap,
        confirmation: BY_TWO,
        source: ZMAP,
        dates: "2013-08 to v4.1.0 of 2024-03-21",
    },
    ToolMark {
        mark: Mark::MasscanHash,
        words: "IP identification is destination xor port xor sequence number (of an SCTP INIT: initiate tag), 16 bits of each",
        probes: Probes::SynAndInit,
        test: is_masscan,
        confirmation: BY_TWO,
        source: "masscan, src/templ-pkt.c; one packet in 65,536 of other tools matches by chance",
        dates: "2013-09 on",
    },
    ToolMark {
        mark: Mark::ZmapWindows,
        words: "MSS 1460, NOP, WS 8, NOP, NOP, SACK permitted; window 65535, DF clear, initial TTL 64 or 255",
        probes: Probes::Syn,
        test: is_zmap_windows,
        confirmation: "nothing else: Windows, whose list it is, sends DF and TTL 128",
        source: ZMAP_STACK,
        dates: ZMAP_STACK_DATES,
    },
    ToolMark {
        mark: Mark::ZmapLinux,
        words: "MSS 1460, SACK permitted, TS, NOP, WS 7; window 65535, DF clear, initial TTL 64 or 255",
        probes: Probes::Syn,
        test: is_zmap_linux,
        confirmation: BY_SPREAD,
        source: ZMAP_STACK,
        dates: ZMAP_STACK_DATES,
    },
    ToolMark {
        mark: Mark::ZmapBsd,
        words: "MSS 1460, NOP, WS 6, NOP, NOP, TS, SACK permitted, EOL; window 65535, DF clear, initial TTL 64 or 255",
        probes: Probes::Syn,
        test: is_zmap_bsd,
        confirmation: BY_SPREAD,
        source: ZMAP_STACK,
        dates: ZMAP_STACK_DATES,
    },
    ToolMark {
        mark: Mark::ZmapSmallest,
        words: "MSS 1460 alone; window 65535, DF clear, initial TTL 64 or 255",
        probes: Probes::Syn,
        test: is_zmap_smallest,
        confirmation: BY_SPREAD,
        source: ZMAP_STACK,
        dates: ZMAP_STACK_DATES,
    },
    ToolMark {
        mark: Mark::NmapShape,
        words: "window 1024, MSS alone, TTL up to 59, DF clear",
        probes: Probes::Syn,
        test: has_nmap_shape,
        confirmation: "2 packets to different destinations or ports whose sequence numbers differ by the same 16 bits twice, and at least one in 4 of the shape",
        source: "nmap, scan_engine_raw.cc and tcpip.cc, seen in captures of 7.80; one pair in 65,536 of other tools matches by chance",
        dates: "",
    },
];

/// The tool that no single packet shows: its SYNs share a key.
pub static KEYED: ToolMark = ToolMark {
    mark: Mark::UnicornscanKey,
    words: "sequence number xor destination (in network order) xor both ports",
    probes: Probes::Syn,
    test: |_| false,
    confirmation: "2 SYNs to different destinations or ports with the same 32 bits, and at least one in 16 of the source's SYNs in the hour",
    source: "unicornscan, tcphash.h",
    dates: "",
};

/// The row of a mark.
#[must_use]
pub fn row_of(mark: Mark) -> Option<&'static ToolMark> {
    TOOLS
        .iter()
        .chain([&KEYED])
        .find(|row| row.mark as u8 == mark as u8)
}
