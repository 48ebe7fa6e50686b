//! The packet that an ICMP error quotes, which the victim received with one of our addresses as its source. Only the victim and its port
//! are read.

use teiten_observation::{Address, Family};

use super::transport::Transport;
use super::{Decoded, Packet, ip};

/// The quoted packet, as far as the error holds it (8 bytes behind the IP header at least, RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<A> {
    /// Its source: the dark address that an attacker forged.
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
    /// The packet that this one quotes, if it is an ICMP error and quotes both addresses.
    #[must_use]
    pub fn quoted(&self) -> Option<Quoted<A>> {
        read(self.quotation())
    }
}

impl<'a, A: Address> Packet<'a, A> {
    /// The bytes of the packet that this one quotes; none if it is no ICMP error.
    #[inline]
    pub(crate) fn quotation(&self) -> &'a [u8] {
        match self.transport {
            Transport::Icmp(icmp) if quotes(A::FAMILY, icmp.icmp_type) => icmp.body,
            _ => &[],
        }
    }
}

/// Reads the packet of a quotation, if that holds both addresses.
#[inline(never)]
pub(crate) fn read<A: Address>(quotation: &[u8]) -> Option<Quoted<A>> {
    match A::FAMILY {
        Family::Ipv4 => ipv4(quotation),
        Family::Ipv6 => ipv6(quotation),
    }
}

/// Ignores the length: hosts and routers quote the header as their stack left it, with the length in their own byte order, without that of
/// the header or of a tunnel, or zero. The quotation ends with the error.
fn ipv4<A: Address>(bytes: &[u8]) -> Option<Quoted<A>> {
    let (header, rest) = bytes.split_first_chunk::<20>()?;
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_bytes < 20 {
        return None;
    }
    let protocol = header[9];
    let transport = rest.get(header_bytes - 20..).unwrap_or(&[]);
    let ports = if is_later_fragment([header[6], header[7]]) {
        None
    } else {
        ports(protocol, transport)
    };
    let address = |start: usize| {
        let octets = [0, 1, 2, 3].map(|octet| header[start + octet]);
        A::from_number(u32::from_be_bytes(octets).into())
    };
    Some(Quoted {
        source: address(12),
        destination: address(16),
        protocol,
        ports,
    })
}

/// Whether a fragment field has an offset in both byte orders. No host may answer a later fragment (RFC 1122, 3.2.2), so a field with an
/// offset in one order only was swapped by the quoting stack.
fn is_later_fragment(field: [u8; 2]) -> bool {
    const OFFSET: u16 = 0x1fff;
    u16::from_be_bytes(field) & OFFSET != 0 && u16::from_le_bytes(field) & OFFSET != 0
}

/// As for IPv4, the payload length is ignored.
fn ipv6<A: Address>(bytes: &[u8]) -> Option<Quoted<A>> {
    let (header, rest) = bytes.split_first_chunk::<{ ip::IPV6_HEADER_BYTES }>()?;
    match ip::ipv6_of_length(header, rest, usize::MAX, true) {
        Decoded::Ipv6(packet) => Some(Quoted {
            source: A::from_number(packet.source),
            destination: A::from_number(packet.destination),
            protocol: packet.protocol,
            ports: packet.ports(),
        }),
        _ => None,
    }
}

/// The first four bytes of a protocol that has ports there.
fn ports(protocol: u8, transport: &[u8]) -> Option<(u16, u16)> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const SCTP: u8 = 132;
    match (protocol, transport) {
        (TCP | UDP | SCTP, &[a, b, c, d, ..]) => {
            Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ipv4_packet, ipv6_packet, tcp_segment, udp_datagram};

    /// What stacks are known to do to the header that they quote (Nmap's OS detection lists them under the test RIPL and its
    /// neighbours; Malone and Luckie, Analysis of ICMP Quotations, PAM 2007).
    #[test]
    fn a_quoted_header_that_was_altered_keeps_the_victim_and_its_port() {
        let inner = ipv4_packet(6, &tcp_segment(0x02, 40000, 443, &[], b""));
        let total = u16::from_be_bytes([inner[2], inner[3]]);
        let lengths = [
            total,
            total - 20,
            total.swap_bytes(),
            (total - 20).swap_bytes(),
            total + 20,
            8,
            1,
            0,
            u16::MAX,
        ];
        for length in lengths {
            for fragment in [
                [0, 0],
                [0x40, 0],
                [0, 0x40],
                [0x20, 0],
                [0, 0x20],
                [0, 0x80],
            ] {
                let mut altered = inner.clone();
                altered[2..4].copy_from_slice(&length.to_be_bytes());
                altered[6..8].copy_from_slice(&fragment);
                // Time to live, identification and checksum may have changed.
                altered[4..6].copy_from_slice(&[0, 0]);
                altered[8] = 0;
                altered[10..12].copy_from_slice(&[0xff, 0xff]);
                for end in [28, altered.len()] {
                    let quoted = quoted(&unreachable(&altered[..end])).unwrap();
                    assert_eq!(quoted.ports, Some((40000, 443)), "{length} {fragment:?}");
                    assert_eq!(quoted.destination, u32::from_be_bytes([203, 0, 113, 9]));
                }
            }
        }
        let inner = ipv6_packet(17, &udp_datagram(40000, 53, b"query"));
        for length in [[0, 0], [0, 1], [0x0d, 0], [0xff, 0xff]] {
            let mut message = vec![1, 4, 0, 0, 0, 0, 0, 0];
            message.extend(&inner);
            message[8 + 4..8 + 6].copy_from_slice(&length);
            let bytes = ipv6_packet(58, &message);
            let Decoded::Ipv6(packet) = ip::ipv6(&bytes, false) else {
                panic!("not an IPv6 packet");
            };
            assert_eq!(packet.quoted().unwrap().ports, Some((40000, 53)));
        }
    }

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
