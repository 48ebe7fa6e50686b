//! The names of traffic types, classes and tools. They are spelled here a second time on purpose: the synthesiser shares no code with the
//! programs that it checks.

/// A closed set whose members have one spelling each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $(#[doc = concat!("`", $text, "`")] $variant),+ }

        impl $name {
            /// Every member, in the order of its code.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The spelling of the contract.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
    };
}

words! {
    /// The traffic type of a packet.
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
        IcmpTimeExceeded = "icmp-time-exceeded",
        IcmpTimestampRequest = "icmp-timestamp-request",
        IcmpMaskRequest = "icmp-mask-request",
        Udp = "udp",
        Sctp = "sctp",
        Gre = "gre",
        IpInIp = "ip-in-ip",
        Fragment = "fragment",
        Malformed = "malformed",
        Other = "other",
    }
}

words! {
    /// Why its sender sent it.
    Class {
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

words! {
    /// The program that sent it.
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

/// The truth about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its class.
    pub traffic_type: TrafficType,
    /// Why it was sent.
    pub class: Class,
    /// What sent it.
    pub tool: Tool,
    /// IANA number of the protocol in the outermost IP header (for IPv6 behind its extension headers).
    pub protocol: u8,
    /// The service asked for, or attacked for backscatter.
    pub port: Option<u16>,
    /// Whether a sensor can count it, or its IPv4 header is damaged.
    pub ip_header_damaged: bool,
}

impl Sent {
    /// A packet with a sound IP header and no tool.
    #[must_use]
    pub const fn new(
        traffic_type: TrafficType,
        class: Class,
        protocol: u8,
        port: Option<u16>,
    ) -> Self {
        Sent {
            traffic_type,
            class,
            tool: Tool::None,
            protocol,
            port,
            ip_header_damaged: false,
        }
    }

    /// The same, sent by `tool`.
    #[must_use]
    pub const fn by(mut self, tool: Tool) -> Self {
        self.tool = tool;
        self
    }
}
