//! The packet that an ICMP error quotes: what the victim received under one of our addresses. Read for the victim only.

use teiten_observation::{Address, Family};

use super::transport::{Icmp, Transport};
use super::{Decoded, Packet, ip};

/// The quoted packet, as far as the error holds it (8 bytes behind the IP header at least, RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<A> {
    /// Its source: the dark address that somebody forged.
    pub source: A,
    /// Its destination: the victim.
    pub destination: A,
    /// Its protocol.
    pub protocol: u8,
    /// Its ports, where the protocol has them and they are quoted; the second is the attacked service.
    pub ports: Option<(u16, u16)>,
}

/// Whether a message of this type is an error that quotes a packet (RFC 792: 3, 4, 5, 11, 12; RFC 4443: 1 to 4).
#[must_use]
pub const fn quotes(family: Family, icmp_type: u8) -> bool {
    match family {
        Family::Ipv4 => matches!(icmp_type, 3 | 4 | 5 | 11 | 12),
        Family::Ipv6 => matches!(icmp_type, 1..=4),
    }
}

impl<A: Address> Packet<'_, A> {
    /// The packet that this one quotes, when it is an ICMP error and quotes both addresses.
    #[must_use]
    pub fn quoted(&self) -> Option<Quoted<A>> {
        match self.transport {
            Transport::Icmp(icmp) if quotes(A::FAMILY, icmp.icmp_type) => read(icmp),
            _ => None,
        }
    }
}

#[inline(never)]
fn read<A: Address>(icmp: Icmp<'_>) -> Option<Quoted<A>> {
    // A quotation is cut as a capture is: what is missing is no damage.
    let decoded = match A::FAMILY {
        Family::Ipv4 => ip::ipv4(icmp.body, true),
        Family::Ipv6 => ip::ipv6(icmp.body, true),
    };
    match decoded {
        Decoded::Ipv4(packet) => Some(from_packet(&packet)),
        Decoded::Ipv6(packet) => Some(from_packet(&packet)),
        Decoded::NotIp | Decoded::Malformed(..) => None,
    }
}

fn from_packet<A: Address, B: Address>(packet: &Packet<'_, B>) -> Quoted<A> {
    Quoted {
        source: A::from_number(packet.source.number()),
        destination: A::from_number(packet.destination.number()),
        protocol: packet.protocol,
        ports: packet.ports(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ipv4_packet, ipv6_packet, tcp_segment, udp_datagram};

    fn unreachable(quotation: &[u8]) -> Vec<u8> {
        let mut message = vec![3, 1, 0, 0, 0, 0, 0, 0];
        message.extend(quotation);
        ipv4_packet(1, &message)
    }

    fn quoted(bytes: &[u8]) -> Option<Quoted<u32>> {
        match ip::ipv4(bytes, false) {
            Decoded::Ipv4(packet) => packet.quoted(),
            other => panic!("not an IPv4 packet: {other:?}"),
        }
    }

    #[test]
    fn eight_quoted_bytes_give_the_attacked_service() {
        let inner = ipv4_packet(6, &tcp_segment(0x02, 40000, 443, &[], b""));
        let quoted = quoted(&unreachable(&inner[..28])).unwrap();
        assert_eq!(quoted.ports, Some((40000, 443)));
        assert_eq!(quoted.protocol, 6);
    }

    #[test]
    fn a_quoted_icmp_message_has_no_port() {
        let inner = ipv4_packet(1, &[8, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!(quoted(&unreachable(&inner)).unwrap().ports, None);
    }

    #[test]
    fn a_quotation_without_both_addresses_is_none() {
        let inner = ipv4_packet(6, &tcp_segment(0x02, 40000, 443, &[], b""));
        assert_eq!(quoted(&unreachable(&inner[..19])), None);
        assert_eq!(quoted(&unreachable(&[])), None);
    }

    #[test]
    fn ports_are_read_behind_the_options_of_the_quoted_packet() {
        let mut inner = ipv4_packet(17, &udp_datagram(40000, 53, b"query"));
        inner[0] = 0x46;
        inner.splice(20..20, [0x94, 4, 0, 0]);
        let quoted = quoted(&unreachable(&inner[..32])).unwrap();
        assert_eq!((quoted.protocol, quoted.ports), (17, Some((40000, 53))));
        assert_eq!(quoted.destination, u32::from_be_bytes([203, 0, 113, 9]));
    }

    #[test]
    fn a_quoted_later_fragment_has_a_victim_and_no_ports() {
        let mut inner = ipv4_packet(17, &udp_datagram(40000, 53, b"query"));
        inner[7] = 1;
        let quoted = quoted(&unreachable(&inner)).unwrap();
        assert_eq!((quoted.protocol, quoted.ports), (17, None));
        assert_eq!(quoted.destination, u32::from_be_bytes([203, 0, 113, 9]));
    }

    #[test]
    fn a_quotation_that_ends_within_the_ports_has_none() {
        let inner = ipv4_packet(6, &tcp_segment(0x02, 40000, 443, &[], b""));
        for (end, ports) in [(20, None), (23, None), (24, Some((40000, 443)))] {
            let quoted = quoted(&unreachable(&inner[..end])).unwrap();
            assert_eq!(quoted.ports, ports, "{end} bytes quoted");
        }
    }

    #[test]
    fn an_icmpv6_error_quotes_behind_extension_headers() {
        let mut inner = vec![6, 0, 1, 4, 0, 0, 0, 0];
        inner.extend(tcp_segment(0x02, 40000, 443, &[], b""));
        let mut message = vec![1, 4, 0, 0, 0, 0, 0, 0];
        message.extend(ipv6_packet(60, &inner));
        let bytes = ipv6_packet(58, &message);
        let Decoded::Ipv6(packet) = ip::ipv6(&bytes, false) else {
            panic!("not an IPv6 packet");
        };
        let quoted = packet.quoted().unwrap();
        assert_eq!((quoted.protocol, quoted.ports), (6, Some((40000, 443))));
        assert_eq!(quoted.destination, packet.destination);
    }

    #[test]
    fn an_error_that_quotes_the_other_family_quotes_nothing() {
        let inner = ipv6_packet(6, &tcp_segment(0x02, 40000, 443, &[], b""));
        assert_eq!(quoted(&unreachable(&inner)), None);
    }
}
