//! The words of a packet that the contract fixes: traffic type and class, each a closed set with its spelling.

/// A closed set whose members have one spelling each, the one that tables, JSON and flags use.
#[macro_export]
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

pub(crate) use spelled;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_unique_and_found_again() {
        for &traffic_type in TrafficType::ALL {
            assert_eq!(
                TrafficType::from_name(traffic_type.name()),
                Some(traffic_type)
            );
        }
        assert_eq!(Class::from_name("no such class"), None);
    }
}
