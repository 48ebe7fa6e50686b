//! TOOLS: one row for each scan tool: its name in both languages, and for each of its marks the packets that have it, its confirmation, its
//! sources and dates. Tables, `rules`, `explain`, the confirmation at an hour's close and the reports read this table.
//!
//! A new tool is a row here and a test of bytes in the packet crate (`fingerprint/marks.rs`). A mark is a claim of one packet; the source's
//! packets together confirm it or not.

use std::fmt;

use crate::words::{TrafficType, spelled};

/// The name of a tool in reports, and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ToolTerm {
    pub name: &'static str,
    /// How the tool's packets are recognised, and since when, in a sentence.
    pub meaning: &'static str,
}

/// A tool.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct ToolRow {
    pub tool: Tool,
    pub english: ToolTerm,
    pub japanese: ToolTerm,
    /// The marks of its packets; the tables use the first one.
    pub marks: &'static [MarkRow],
}

/// A mark of a tool.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct MarkRow {
    pub mark: Mark,
    pub tool: Tool,
    /// Which packets have it, in words.
    pub words: &'static str,
    /// The packets that can have it.
    pub probes: Probes,
    /// The rule by which a source's packets in the hour confirm it.
    pub confirmation: Confirmation,
    /// Where it is known from.
    pub source: &'static str,
    /// When the tool dropped it; empty if unknown.
    pub dates: &'static str,
}

/// Packets that tools send to find out about hosts.
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
    /// Whether packets of a type are among them.
    #[must_use]
    #[inline(always)]
    pub const fn contain(self, traffic_type: TrafficType) -> bool {
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

    /// Their names.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Probes::Syn => "TCP SYN",
            Probes::SynAndInit => "TCP SYN or SCTP INIT",
            Probes::SynUdpIcmp => "TCP SYN, UDP datagram or ICMP request",
        }
    }
}

/// What of a source's packets in an hour confirms a mark. The numbers in the words are the constants below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Nothing else: the mark is too many bits for chance. The words say why.
    Exact(&'static str),
    /// Nothing else: no system has this shape. The words say why.
    OwnShape(&'static str),
    /// A match of 16 bits.
    Match,
    /// A match of 16 bits in a packet of the tool's shape.
    ShapedMatch,
    /// A shape that a system could share.
    CommonShape,
    /// A shape whose packets share a value, 16 bits each.
    SharedValue,
    /// No mark in one packet: SYNs that share a key, 32 bits each.
    SharedKey,
}

impl Confirmation {
    /// How many packets must have a mark of 16 bits, or a shape that a system could share.
    pub const PACKETS_MIN: u64 = 2;
    /// At least one in this many of a source's probes must have a mark of 16 bits: 4,096 times as many as match by chance.
    pub const PROBES_A_MATCH_MAX: u64 = 16;
    /// The same for a mark of 16 bits in the tool's shape, of which one packet is enough: 1,024 times as many as match by chance.
    pub const PROBES_A_SHAPE_MAX: u64 = 64;
    /// A shape that an operating system could share must have at least one in this many of the source's SYNs.
    pub const SYNS_A_COMMON_SHAPE_MAX: u64 = 2;
    /// At least one in this many packets with a shape must share its key with others.
    pub const SHAPES_A_PAIR_MAX: u64 = 4;
    /// At least one in this many of a source's SYNs must share its key with others.
    pub const SYNS_A_KEY_MAX: u64 = 16;

    /// The confirmation in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Confirmation::Exact(words) | Confirmation::OwnShape(words) => words,
            Confirmation::Match => {
                "2 packets of the source in the hour, and at least one in 16 of those it could stand in"
            }
            Confirmation::ShapedMatch => {
                "nothing else, unless fewer than one in 64 of the source's packets in the hour bear it and fewer than one in 16 match"
            }
            Confirmation::CommonShape => {
                "2 packets to different destinations or ports, and at least half of the source's SYNs in the hour"
            }
            Confirmation::SharedValue => {
                "2 packets to different destinations or ports whose sequence numbers differ by the same 16 bits twice, and at least one in 4 of the shape"
            }
            Confirmation::SharedKey => {
                "2 SYNs to different destinations or ports with the same 32 bits, and at least one in 16 of the source's SYNs in the hour"
            }
        }
    }
}

macro_rules! tools {
    ($($tool:ident = $name:literal {
        english: $english:literal, $english_meaning:literal;
        japanese: $japanese:literal, $japanese_meaning:literal;
        $($mark:ident = $code:literal $mark_name:literal {
            words: $words:expr, probes: $probes:ident, confirmation: $confirmation:expr, source: $source:expr, dates: $dates:expr,
        })*
    })+) => {
        spelled! {
            /// The program that sent a packet, by its fingerprint.
            Tool { None = "none", $($tool = $name),+ }
        }

        /// What a packet shows of its tool. Journals hold the codes, so a mark keeps its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mark { #[doc = "`none`"] None = 0, $($(#[doc = concat!("`", $mark_name, "`")] $mark = $code),*),+ }

        impl Mark {
            /// Every mark, in the order of its code.
            pub const ALL: &'static [Mark] = &{
                const COUNT: usize = 1 $($(+ { let _ = $code; 1 })*)+;
                let mut all = [Mark::None; COUNT];
                $($(all[$code] = Mark::$mark;)*)+
                all
            };

            /// Its spelling.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { Mark::None => "none", $($(Mark::$mark => $mark_name),*),+ }
            }

            /// The tool that it is of.
            #[must_use]
            #[inline]
            pub const fn tool(self) -> Tool {
                match self { Mark::None => Tool::None, $($(Mark::$mark => Tool::$tool),*),+ }
            }
        }

        /// Every tool, in the order of its code; the first is none.
        pub static TOOLS: [ToolRow; Tool::ALL.len()] = [
            ToolRow { tool: Tool::None, english: NONE_ENGLISH, japanese: NONE_JAPANESE, marks: &[] },
            $(ToolRow {
                tool: Tool::$tool,
                english: ToolTerm { name: $english, meaning: $english_meaning },
                japanese: ToolTerm { name: $japanese, meaning: $japanese_meaning },
                marks: const { &[$(MarkRow {
                    mark: Mark::$mark,
                    tool: Tool::$tool,
                    words: $words,
                    probes: Probes::$probes,
                    confirmation: $confirmation,
                    source: $source,
                    dates: $dates,
                }),*] },
            }),+
        ];
    };
}

const NONE_ENGLISH: ToolTerm = ToolTerm {
    name: "No fingerprint",
    meaning: "Packets without the marks of a known tool.",
};
const NONE_JAPANESE: ToolTerm = ToolTerm {
    name: "判定なし",
    meaning: "既知のツールの特徴をもたないパケット。",
};
const ZMAP: &str =
    "zmap, src/probe_modules/packet.c up to v4.0; Durumeric et al., ZMap, USENIX Security 2013";
const ZMAP_STACK: &str =
    "zmap v4.1.0, CHANGELOG and src/probe_modules/packet.c (the shape is derived)";
const ZMAP_STACK_DATES: &str = "v4.1.0 of 2024-03-21 on";

tools! {
    Zmap = "zmap" {
        english: "ZMap before 4.1",
            "IP identification 54321. ZMap dropped this mark in 4.1.0 of 2024-03-21: a fall after that date is the tool, not the world.";
        japanese: "ZMap（4.1より前）",
            "IP識別子が54321。この特徴は2024年3月21日公開の4.1.0で廃止されたため、それ以降の減少はツールの変更によるもので、実際の利用の減少とは限らない。";
        ZmapId = 1 "zmap-id" {
            words: "IP identification 54321",
            probes: SynUdpIcmp,
            confirmation: Confirmation::Match,
            source: ZMAP,
            dates: "2013-08 to v4.1.0 of 2024-03-21",
        }
        ZmapIdShape = 7 "zmap-id-shape" {
            words: "zmap-id, initial TTL 255, DF clear; of a SYN also window 65535",
            probes: SynUdpIcmp,
            confirmation: Confirmation::ShapedMatch,
            source: ZMAP,
            dates: "2013-08 to v4.1.0 of 2024-03-21",
        }
    }
    ZmapStack = "zmap-stack" {
        english: "ZMap 4.1 and later (shape)",
            "DF 0, window 65535, initial TTL 64 and ZMap's default option list. A shape, not an exact test.";
        japanese: "ZMap（4.1以降の形状）",
            "DF=0、ウィンドウ65535、初期TTL 64、MSS・WS・SACKのオプション列がZMap 4.1以降の既定値と一致。完全な判定ではない。";
        ZmapWindows = 2 "zmap-windows" {
            words: "MSS 1460, NOP, WS 8, NOP, NOP, SACK permitted; window 65535, DF clear, initial TTL 64 or 255",
            probes: Syn,
            confirmation: Confirmation::OwnShape("nothing else: Windows, whose list it is, sends DF and TTL 128"),
            source: ZMAP_STACK,
            dates: ZMAP_STACK_DATES,
        }
        ZmapLinux = 8 "zmap-linux" {
            words: "MSS 1460, SACK permitted, TS, NOP, WS 7; window 65535, DF clear, initial TTL 64 or 255",
            probes: Syn,
            confirmation: Confirmation::CommonShape,
            source: ZMAP_STACK,
            dates: ZMAP_STACK_DATES,
        }
        ZmapBsd = 9 "zmap-bsd" {
            words: "MSS 1460, NOP, WS 6, NOP, NOP, TS, SACK permitted, EOL; window 65535, DF clear, initial TTL 64 or 255",
            probes: Syn,
            confirmation: Confirmation::CommonShape,
            source: ZMAP_STACK,
            dates: ZMAP_STACK_DATES,
        }
        ZmapSmallest = 10 "zmap-smallest" {
            words: "MSS 1460 alone; window 65535, DF clear, initial TTL 64 or 255",
            probes: Syn,
            confirmation: Confirmation::CommonShape,
            source: ZMAP_STACK,
            dates: ZMAP_STACK_DATES,
        }
    }
    Masscan = "masscan" {
        english: "Masscan",
            "IP identification equals the low 16 bits of destination ^ port ^ sequence number; one packet in 65,536 matches by chance. Includes the shape in use since 2023-11-07.";
        japanese: "Masscan",
            "IP識別子が宛先アドレス、宛先ポート番号、シーケンス番号の排他的論理和の下位16ビットに一致。1パケットあたり65,536分の1の偶然一致があり得る。2023年11月7日の変更後の形状も含む。";
        MasscanHash = 3 "masscan-hash" {
            words: "IP identification is destination xor port xor sequence number (of an SCTP INIT: initiate tag), 16 bits of each",
            probes: SynAndInit,
            confirmation: Confirmation::Match,
            source: "masscan, src/templ-pkt.c; one packet in 65,536 of other tools matches by chance",
            dates: "2013-09 on",
        }
        MasscanShape = 11 "masscan-shape" {
            words: "masscan-hash, initial TTL 255, DF clear; of a SYN also IP length 40 and window 1024, or IP length 44, MSS 1460 and window 1025",
            probes: SynAndInit,
            confirmation: Confirmation::ShapedMatch,
            source: "masscan, src/templ-pkt.c; the second form by commit 4f89257",
            dates: "2013-09 on; the second form since 2023-11-07",
        }
    }
    Mirai = "mirai" {
        english: "Mirai family",
            "TCP sequence number equals the destination address, as in the source code published in 2016.";
        japanese: "Mirai系",
            "TCPシーケンス番号が宛先アドレスに一致（2016年公開のソースコードに由来）。";
        MiraiSequence = 4 "mirai-sequence" {
            words: "sequence number is the destination address",
            probes: Syn,
            confirmation: Confirmation::Exact("nothing else: one packet in 4 billion matches by chance"),
            source: "Mirai, bot/scanner.c; Antonakakis et al., Understanding the Mirai Botnet, USENIX Security 2017",
            dates: "2016-08 on",
        }
    }
    Nmap = "nmap" {
        english: "Nmap",
            "Sequence numbers and header shape of its SYN scan (-sS).";
        japanese: "Nmap",
            "SYNスキャン（-sS）のシーケンス番号とヘッダ形状の特徴による。";
        NmapShape = 5 "nmap-shape" {
            words: "window 1024, MSS alone, TTL up to 59, DF clear",
            probes: Syn,
            confirmation: Confirmation::SharedValue,
            source: "nmap, scan_engine_raw.cc and tcpip.cc, seen in captures of 7.80; one pair in 65,536 of other tools matches by chance",
            dates: "",
        }
    }
    Unicornscan = "unicornscan" {
        english: "Unicornscan",
            "A check value hidden in the sequence number agrees between packets.";
        japanese: "Unicornscan",
            "シーケンス番号に埋め込まれた検査値が複数のパケットで一致。";
        UnicornscanKey = 6 "unicornscan-key" {
            words: "sequence number xor destination (in network order) xor both ports",
            probes: Syn,
            confirmation: Confirmation::SharedKey,
            source: "unicornscan, tcphash.h",
            dates: "",
        }
    }
}

const _: () = {
    let mut code = 0;
    while code < Mark::ALL.len() {
        assert!(Mark::ALL[code] as usize == code, "codes are dense from 0");
        code += 1;
    }
};

/// For each tool the mark that represents it in the tables: the first of its row.
const FIRST_MARKS: [Mark; Tool::ALL.len()] = {
    let mut first = [Mark::None; Tool::ALL.len()];
    let mut tool = 1;
    while tool < first.len() {
        first[tool] = TOOLS[tool].marks[0].mark;
        tool += 1;
    }
    first
};

/// The mark of packets that share a key; a single packet does not show it.
const KEYED: Mark = {
    let (mut keyed, mut tool) = (Mark::None, 0);
    while tool < TOOLS.len() {
        let mut mark = 0;
        while mark < TOOLS[tool].marks.len() {
            if matches!(
                TOOLS[tool].marks[mark].confirmation,
                Confirmation::SharedKey
            ) {
                assert!(matches!(keyed, Mark::None), "a SYN contributes one key");
                keyed = TOOLS[tool].marks[mark].mark;
            }
            mark += 1;
        }
        tool += 1;
    }
    keyed
};

/// For each mark how it is confirmed.
const CONFIRMATIONS: [Option<Confirmation>; Mark::ALL.len()] = {
    let mut all = [None; Mark::ALL.len()];
    let mut tool = 0;
    while tool < TOOLS.len() {
        let mut mark = 0;
        while mark < TOOLS[tool].marks.len() {
            let row = &TOOLS[tool].marks[mark];
            all[row.mark as usize] = Some(row.confirmation);
            mark += 1;
        }
        tool += 1;
    }
    all
};

impl Tool {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static ToolRow {
        &TOOLS[self as usize]
    }
}

impl Mark {
    /// The mark that a single packet does not show: it is a key that a source's SYNs share.
    pub const KEYED: Mark = KEYED;

    /// Its row; none for the mark of no tool.
    #[must_use]
    pub fn row(self) -> Option<&'static MarkRow> {
        self.tool().row().marks.iter().find(|row| row.mark == self)
    }

    /// The mark that represents a tool in the tables.
    #[must_use]
    pub const fn of(tool: Tool) -> Self {
        FIRST_MARKS[tool as usize]
    }

    /// How it is confirmed; none for the mark of no tool.
    #[must_use]
    pub const fn confirmation(self) -> Option<Confirmation> {
        CONFIRMATIONS[self as usize]
    }

    /// Whether nothing else is needed: the packet is one of its tool for certain.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self.confirmation(), Some(Confirmation::Exact(_)))
    }

    /// Whether it has more than the 16 bits that could match by chance: then the packet is its tool's, regardless of the source's other packets.
    #[must_use]
    pub const fn stands_alone(self) -> bool {
        matches!(
            self.confirmation(),
            Some(Confirmation::Exact(_) | Confirmation::ShapedMatch)
        )
    }

    /// Whether it is a shape whose packets share a value of their own.
    #[must_use]
    pub const fn shares_value(self) -> bool {
        matches!(self.confirmation(), Some(Confirmation::SharedValue))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_mark_that_is_its_own() {
        for &tool in Tool::ALL {
            assert_eq!(Mark::of(tool).tool(), tool);
            assert_eq!(tool.row().tool, tool);
        }
    }

    #[test]
    fn every_mark_has_one_row_that_says_all() {
        let mut names: Vec<_> = Mark::ALL.iter().map(|mark| mark.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Mark::ALL.len());
        for &mark in &Mark::ALL[1..] {
            let row = mark.row().unwrap();
            assert_eq!((row.mark, row.tool), (mark, mark.tool()));
            assert!(!row.words.is_empty() && !row.source.is_empty());
            assert!(!row.confirmation.words().is_empty());
        }
        assert!(Mark::None.row().is_none());
        assert_eq!(Mark::KEYED.tool(), Tool::Unicornscan);
    }

    /// The words of a confirmation hold the numbers that decide.
    #[test]
    fn words_say_the_numbers_that_decide() {
        for (confirmation, numbers) in [
            (
                Confirmation::Match,
                [Confirmation::PACKETS_MIN, Confirmation::PROBES_A_MATCH_MAX],
            ),
            (
                Confirmation::ShapedMatch,
                [
                    Confirmation::PROBES_A_SHAPE_MAX,
                    Confirmation::PROBES_A_MATCH_MAX,
                ],
            ),
            (
                Confirmation::SharedValue,
                [Confirmation::PACKETS_MIN, Confirmation::SHAPES_A_PAIR_MAX],
            ),
            (
                Confirmation::SharedKey,
                [Confirmation::PACKETS_MIN, Confirmation::SYNS_A_KEY_MAX],
            ),
        ] {
            for number in numbers {
                assert!(
                    confirmation.words().contains(&number.to_string()),
                    "{confirmation:?}"
                );
            }
        }
    }
}
