//! [`Kind`]: traffic type, class, tool mark and port of a packet in 32 bits. How a packet gets its kind is not decided here.

use std::fmt;

use crate::address::Family;
use crate::tool::{Mark, Tool};
use crate::words::{Class, TrafficType};

/// Number of distinct (type, class, mark) codes: the size of a table indexed by [`Kind::category`].
pub const CATEGORIES: usize = 1 << (TYPE_BITS + CLASS_BITS + MARK_BITS);

const TYPE_BITS: u32 = 6;
const CLASS_BITS: u32 = 4;
const MARK_BITS: u32 = 4;
const _: () = assert!(TrafficType::ALL.len() <= 1 << TYPE_BITS);
const _: () = assert!(Class::ALL.len() <= 1 << CLASS_BITS);
const _: () = assert!(Mark::ALL.len() <= 1 << MARK_BITS);

/// Type, class, mark and port (or, where there is none, the protocol) of a packet in 32 bits.
///
/// Two packets of one family with the same kind are counted in the same row if source and country are equal too. The order of kinds is that
/// of their bits: type, class, mark, then port; tables are sorted by it. The kinds that are written hold the first mark of their tool
/// ([`Mark::of`]): confirmed by the source's packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u32);

const HAS_PORT: u32 = 1 << 16;

impl Kind {
    /// Packs a kind. `protocol` is the outermost IP protocol number, `port` the service asked for in host byte order (the source
    /// port for backscatter). A port is kept only for types that fix the protocol, so that no kind needs both.
    #[must_use]
    pub const fn new(
        traffic_type: TrafficType,
        class: Class,
        tool: Tool,
        protocol: u8,
        port: Option<u16>,
    ) -> Self {
        Kind::marked(traffic_type, class, Mark::of(tool), protocol, port)
    }

    /// The same for a packet with `mark`.
    #[must_use]
    #[inline(always)]
    pub const fn marked(
        traffic_type: TrafficType,
        class: Class,
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
            && ((category >> MARK_BITS) & ((1 << CLASS_BITS) - 1)) < Class::ALL.len() as u32
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
    pub const fn class(self) -> Class {
        Class::ALL[(self.category() >> MARK_BITS) & ((1 << CLASS_BITS) - 1)]
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

    /// The service asked for, host byte order; `None` if the protocol has none or the bytes were not captured.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_gives_back_what_was_packed() {
        for &traffic_type in TrafficType::ALL {
            for &class in Class::ALL {
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
            Class::Scan,
            Tool::None,
            1,
            None,
        );
        assert_eq!(kind.protocol(Family::Ipv4), 1);
        assert_eq!(kind.protocol(Family::Ipv6), 58);
    }
}
