//! What a sensor hands over for each packet: its time, its two addresses, its length, and what it is.
//!
//! The kinds of the contract live here (family, traffic type, class, tool), each as a closed set with its spelling, and [`Kind`],
//! which packs them with the port into 32 bits. Of the tool a kind holds the mark that the packet bears (`mark.rs`). How a packet comes by its kind is the sensor's business and must not be here.

use std::fmt;
use std::hash::Hash;
use std::net::Ipv6Addr;

use crate::mark::Mark;

/// A closed set whose members have one spelling each, the one that tables, JSON and flags use.
macro_rules! spelled {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_meta])* #[doc = concat!("`", $text, "`")] $variant),+ }

        impl $name {
            /// Every member, in the order of its code.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The spelling of the contract.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The member with this code; codes are dense from 0.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                if (code as usize) < Self::ALL.len() { Some(Self::ALL[code as usize]) } else { None }
            }

            /// The member with this spelling.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

pub(crate) use spelled;

spelled! {
    /// What a packet is by its headers alone: the contract's traffic types.
    TrafficType {
        TcpSyn = "tcp-syn",
        TcpSynAck = "tcp-syn-ack",
        TcpRst = "tcp-rst",
        TcpRstAck = "tcp-rst-ack",
        TcpAck = "tcp-ack",
        TcpFin = "tcp-fin",
        TcpFinAck = "tcp-fin-ack",
        TcpNull = "tcp-null",
        TcpXmas = "tcp-xmas",
        TcpSynFin = "tcp-syn-fin",
        TcpOther = "tcp-other",
        IcmpEchoRequest = "icmp-echo-request",
        IcmpEchoReply = "icmp-echo-reply",
        IcmpUnreachable = "icmp-unreachable",
        IcmpSourceQuench = "icmp-source-quench",
        IcmpRedirect = "icmp-redirect",
        IcmpTimeExceeded = "icmp-time-exceeded",
        IcmpParameterProblem = "icmp-parameter-problem",
        IcmpPacketTooBig = "icmp-packet-too-big",
        IcmpTimestampRequest = "icmp-timestamp-request",
        IcmpTimestampReply = "icmp-timestamp-reply",
        IcmpInformationRequest = "icmp-information-request",
        IcmpInformationReply = "icmp-information-reply",
        IcmpMaskRequest = "icmp-mask-request",
        IcmpMaskReply = "icmp-mask-reply",
        IcmpOther = "icmp-other",
        Udp = "udp",
        Sctp = "sctp",
        Gre = "gre",
        IpInIp = "ip-in-ip",
        Fragment = "fragment",
        Malformed = "malformed",
        Other = "other",
    }
}

spelled! {
    /// Why a packet came: exactly one class for each.
    TrafficClass {
        Scan = "scan",
        ReflectorScan = "reflector-scan",
        Exploit = "exploit",
        Backscatter = "backscatter",
        Misconfiguration = "misconfiguration",
        Spoofed = "spoofed",
        Malformed = "malformed",
        Other = "other",
    }
}

spelled! {
    /// The program that sent a packet, as far as its fingerprint tells.
    Tool {
        None = "none",
        Zmap = "zmap",
        ZmapStack = "zmap-stack",
        Masscan = "masscan",
        Mirai = "mirai",
        Nmap = "nmap",
        Unicornscan = "unicornscan",
    }
}

/// Number of distinct (type, class, mark) codes: the size of a table indexed by [`Kind::category`].
pub const CATEGORIES: usize = 1 << (TYPE_BITS + CLASS_BITS + MARK_BITS);

const TYPE_BITS: u32 = 6;
const CLASS_BITS: u32 = 4;
const MARK_BITS: u32 = 4;
const _: () = assert!(TrafficType::ALL.len() <= 1 << TYPE_BITS);
const _: () = assert!(TrafficClass::ALL.len() <= 1 << CLASS_BITS);
const _: () = assert!(Mark::ALL.len() <= 1 << MARK_BITS);

/// Type, class, mark and port (or, where there is none, the protocol) of a packet in 32 bits.
///
/// Two packets of one family with the same kind are counted in the same row but for their source and country. The order of kinds
/// is that of their bits: type, class, mark, then port; tables are sorted by it. The kinds that are written hold the first mark of
/// their tool ([`Mark::of`]): what a source's packets confirm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u32);

const HAS_PORT: u32 = 1 << 16;

impl Kind {
    /// Packs a kind. `protocol` is the outermost IP protocol number, `port` the service asked for in host byte order (the source
    /// port for backscatter). A port is kept only for types that fix the protocol, so that no kind needs both.
    #[must_use]
    pub const fn new(
        traffic_type: TrafficType,
        class: TrafficClass,
        tool: Tool,
        protocol: u8,
        port: Option<u16>,
    ) -> Self {
        Kind::marked(traffic_type, class, Mark::of(tool), protocol, port)
    }

    /// The same of a packet that bears `mark`.
    #[must_use]
    #[inline(always)]
    pub const fn marked(
        traffic_type: TrafficType,
        class: TrafficClass,
        mark: Mark,
        protocol: u8,
        port: Option<u16>,
    ) -> Self {
        let category = ((traffic_type as u32) << (CLASS_BITS + MARK_BITS))
            | ((class as u32) << MARK_BITS)
            | mark as u32;
        let low = match port {
            Some(port) if fixed_protocol(traffic_type).is_some() => HAS_PORT | port as u32,
            _ => protocol as u32,
        };
        Kind(category << 17 | low)
    }

    /// The bits, for keys and sorting.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The kind with these bits, when they are those of a kind.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        let category = bits >> 17;
        let known = (category >> (CLASS_BITS + MARK_BITS)) < TrafficType::ALL.len() as u32
            && ((category >> MARK_BITS) & ((1 << CLASS_BITS) - 1)) < TrafficClass::ALL.len() as u32
            && (category & ((1 << MARK_BITS) - 1)) < Mark::ALL.len() as u32;
        if known { Some(Kind(bits)) } else { None }
    }

    /// A kind of this (type, class, mark), without port and of protocol 0, when the category is one.
    #[must_use]
    pub const fn of_category(category: usize) -> Option<Self> {
        if category < CATEGORIES {
            Kind::from_bits((category as u32) << 17)
        } else {
            None
        }
    }

    /// Index of (type, class, mark), below [`CATEGORIES`].
    #[must_use]
    pub const fn category(self) -> usize {
        (self.0 >> 17) as usize
    }

    /// The traffic type.
    #[must_use]
    pub const fn traffic_type(self) -> TrafficType {
        TrafficType::ALL[self.category() >> (CLASS_BITS + MARK_BITS)]
    }

    /// The class.
    #[must_use]
    pub const fn class(self) -> TrafficClass {
        TrafficClass::ALL[(self.category() >> MARK_BITS) & ((1 << CLASS_BITS) - 1)]
    }

    /// The mark.
    #[must_use]
    #[inline]
    pub const fn mark(self) -> Mark {
        Mark::ALL[self.category() & ((1 << MARK_BITS) - 1)]
    }

    /// The tool that the mark is of.
    #[must_use]
    pub const fn tool(self) -> Tool {
        self.mark().tool()
    }

    /// The same kind with another mark.
    #[must_use]
    #[inline]
    pub const fn with_mark(self, mark: Mark) -> Self {
        const MARKS: u32 = ((1 << MARK_BITS) - 1) << 17;
        Kind(self.0 & !MARKS | (mark as u32) << 17)
    }

    /// The service asked for, host byte order; none where the protocol has none or the bytes were not captured.
    #[must_use]
    pub const fn port(self) -> Option<u16> {
        if self.0 & HAS_PORT != 0 {
            Some(self.0 as u16)
        } else {
            None
        }
    }

    /// The outermost IP protocol number in a packet of `family`.
    #[must_use]
    pub const fn protocol(self, family: Family) -> u8 {
        match fixed_protocol(self.traffic_type()) {
            Some(FixedProtocol::Icmp) => match family {
                Family::Ipv4 => 1,
                Family::Ipv6 => 58,
            },
            Some(FixedProtocol::Number(number)) => number,
            None => self.0 as u8,
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Kind({} {} {} port {:?})",
            self.traffic_type(),
            self.class(),
            self.mark(),
            self.port()
        )
    }
}

enum FixedProtocol {
    Icmp,
    Number(u8),
}

/// The protocol that a traffic type implies, if it implies one.
const fn fixed_protocol(traffic_type: TrafficType) -> Option<FixedProtocol> {
    let code = traffic_type as u8;
    if code <= TrafficType::TcpOther as u8 {
        Some(FixedProtocol::Number(6))
    } else if code <= TrafficType::IcmpOther as u8 {
        Some(FixedProtocol::Icmp)
    } else {
        match traffic_type {
            TrafficType::Udp => Some(FixedProtocol::Number(17)),
            TrafficType::Sctp => Some(FixedProtocol::Number(132)),
            TrafficType::Gre => Some(FixedProtocol::Number(47)),
            _ => None,
        }
    }
}

/// The IP version of the outermost header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IP version 4
    Ipv4 = 4,
    /// IP version 6
    Ipv6 = 6,
}

/// Buckets that addresses fall into by their leading bits.
pub const BUCKETS: usize = 256;

/// An address as the number it is, host byte order: `u32` for IPv4, `u128` for IPv6.
pub trait Address: Copy + Ord + Hash + Send + Sync + fmt::Debug + 'static {
    /// The family of such addresses.
    const FAMILY: Family;
    /// Width in bits.
    const BITS: u32;

    /// The number, widened.
    fn number(self) -> u128;

    /// From a number that fits; higher bits are dropped.
    fn from_number(number: u128) -> Self;

    /// A number below [`BUCKETS`] that never falls when the address rises: the leading octet of IPv4; of IPv6 the eight bits behind
    /// the prefix 2000::/4, where nearly all sources are, with the others at the two ends.
    fn bucket(self) -> usize;

    /// Appends the usual text form (RFC 5952 for IPv6) to `text`.
    fn write_text(self, text: &mut Vec<u8>);
}

impl Address for u32 {
    const FAMILY: Family = Family::Ipv4;
    const BITS: u32 = 32;

    fn number(self) -> u128 {
        u128::from(self)
    }

    fn from_number(number: u128) -> Self {
        number as u32
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        (self >> 24) as usize
    }

    fn write_text(self, text: &mut Vec<u8>) {
        for (index, octet) in self.to_be_bytes().into_iter().enumerate() {
            if index > 0 {
                text.push(b'.');
            }
            if octet >= 100 {
                text.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                text.push(b'0' + octet / 10 % 10);
            }
            text.push(b'0' + octet % 10);
        }
    }
}

impl Address for u128 {
    const FAMILY: Family = Family::Ipv6;
    const BITS: u32 = 128;

    fn number(self) -> u128 {
        self
    }

    fn from_number(number: u128) -> Self {
        number
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        ((self >> 116) as usize).clamp(0x200, 0x2ff) - 0x200
    }

    fn write_text(self, text: &mut Vec<u8>) {
        use std::io::Write;
        // Writing to a Vec cannot fail.
        let _ = write!(text, "{}", Ipv6Addr::from(self));
    }
}

/// One packet that was observed, as the hour tables need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<A> {
    /// Time of the packet, microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Source address, host byte order.
    pub source: A,
    /// Destination address, host byte order: the dark address.
    pub destination: A,
    /// What the packet is.
    pub kind: Kind,
    /// Length on the wire including the link layer, bytes.
    pub wire_length_bytes: u32,
    /// Compatibility flags of the packet, a bit each; 0 where none holds.
    pub flags: u32,
    /// Stack signature of a SYN, packed; 0 for other packets.
    pub stack: u64,
    /// What any two SYNs of one run of a tool share although they go to different destinations; 0 where no tool is thought of.
    pub pair: u32,
}

const _: () = assert!(size_of::<Observation<u32>>() == 40);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_kind_gives_back_what_was_packed() {
        for &traffic_type in TrafficType::ALL {
            for &class in TrafficClass::ALL {
                for &tool in Tool::ALL {
                    for port in [None, Some(0), Some(443), Some(65535)] {
                        let kind = Kind::new(traffic_type, class, tool, 17, port);
                        assert_eq!(kind.traffic_type(), traffic_type);
                        assert_eq!(kind.class(), class);
                        assert_eq!(kind.tool(), tool);
                        for &mark in Mark::ALL {
                            let marked = Kind::marked(traffic_type, class, mark, 17, port);
                            assert_eq!(marked.mark(), mark);
                            assert_eq!(kind.with_mark(mark), marked);
                        }
                        assert_eq!(Kind::from_bits(kind.bits()), Some(kind));
                        match fixed_protocol(traffic_type) {
                            Some(_) => assert_eq!(kind.port(), port),
                            None => assert_eq!(kind.protocol(Family::Ipv4), 17),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn icmp_protocol_follows_the_family() {
        let kind = Kind::new(
            TrafficType::IcmpEchoRequest,
            TrafficClass::Scan,
            Tool::None,
            1,
            None,
        );
        assert_eq!(kind.protocol(Family::Ipv4), 1);
        assert_eq!(kind.protocol(Family::Ipv6), 58);
    }

    #[test]
    fn spellings_are_unique_and_found_again() {
        for &traffic_type in TrafficType::ALL {
            assert_eq!(
                TrafficType::from_name(traffic_type.name()),
                Some(traffic_type)
            );
        }
        assert_eq!(TrafficClass::from_name("no such class"), None);
    }

    #[test]
    fn ipv4_text_is_the_standard_one() {
        for address in [0, 0x0102_0304, 0xff64_0a09, u32::MAX] {
            let mut text = Vec::new();
            address.write_text(&mut text);
            assert_eq!(text, Ipv4Addr::from(address).to_string().into_bytes());
        }
    }
}
