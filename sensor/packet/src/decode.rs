//! From the bytes of a captured frame to the headers of its outermost IP packet.
//!
//! The bytes are untrusted: each read is checked, nothing is allocated, and an unreadable header gives a small typed reason. This module
//! does not interpret packets (`classify.rs`) and knows no files or interfaces.

mod damage;
pub mod ip;
pub mod link;
pub mod quoted;
pub mod transport;

use teiten_observation::Address;

use crate::LinkType;
pub use damage::Damage;
pub use link::supported;
pub use quoted::Quoted;
pub use transport::{Icmp, Sctp, Tcp, Transport, Udp};

/// What a captured frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A frame without an IP header, or of a link type that is not [`supported`].
    NotIp,
    /// A damaged header before both addresses could be read.
    Malformed(Layer, Reason),
    /// An IPv4 packet.
    Ipv4(Packet<'a, u32>),
    /// An IPv6 packet.
    Ipv6(Packet<'a, u128>),
}

/// The layer whose header is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// What stands before the IP header.
    Link,
    /// The IPv4 header.
    Ipv4,
    /// The IPv6 header.
    Ipv6,
}

impl Layer {
    /// The name the accounting uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Link => "link",
            Layer::Ipv4 => "ipv4",
            Layer::Ipv6 => "ipv6",
        }
    }
}

/// Why a header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The frame ends inside the header.
    Short,
    /// The version field is not that of the header announced.
    Version,
    /// The header length is below its minimum.
    HeaderLength,
    /// The total length is smaller than the header.
    TotalLength,
    /// More encapsulations than [`link::ENCAPSULATIONS_MAX`].
    TooDeep,
}

impl Reason {
    /// The reason in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Reason::Short => "the frame ends inside the header",
            Reason::Version => "the version field is not that of the header announced",
            Reason::HeaderLength => "the header length is below its minimum",
            Reason::TotalLength => "the total length is smaller than the header",
            Reason::TooDeep => "too many encapsulations before an IP header",
        }
    }
}

/// The headers of one IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a, A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// Length by the IP header, bytes; the captured bytes if the header says 0 (segmentation offload, jumbograms).
    pub ip_length_bytes: u32,
    /// Protocol of the IPv4 header; for IPv6 the next header after hop-by-hop, routing, fragment and destination options.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub time_to_live: u8,
    /// Identification of the IPv4 header; 0 for IPv6.
    pub identification: u16,
    /// Offset of this fragment, bytes; 0 in a whole packet and in a first fragment.
    pub fragment_offset_bytes: u16,
    /// Whether further fragments follow.
    pub more_fragments: bool,
    /// Whether routers must not fragment it (IPv4); always set for IPv6.
    pub dont_fragment: bool,
    /// The reserved bit beside the fragment flags of IPv4 (RFC 791: must be 0).
    pub reserved_fragment_bit: bool,
    /// Damage behind the addresses.
    pub damage: Option<Damage>,
    /// What the packet carries, as far as it was captured.
    pub transport: Transport<'a>,
}

impl<A: Address> Packet<'_, A> {
    /// Source and destination port, where the protocol has ports and both were captured.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        self.transport.ports()
    }
}

/// Decodes one frame. The length on the wire is unknown here, so a header that the end of the frame cuts off counts as not captured;
/// [`decode_record`] knows the length and can call it damaged.
#[inline]
#[must_use]
pub fn decode(link_type: LinkType, captured: &[u8]) -> Decoded<'_> {
    decode_record(link_type, captured, u32::MAX)
}

/// Decodes one frame of which `captured` are the first bytes and that had `wire_bytes` on the wire.
#[inline(always)]
#[must_use]
pub fn decode_record(link_type: LinkType, captured: &[u8], wire_bytes: u32) -> Decoded<'_> {
    let snapped = captured.len() < wire_bytes as usize;
    if link_type == LinkType(1)
        && let Some((header, rest)) = captured.split_first_chunk::<14>()
        && header[12..] == [0x08, 0x00]
    {
        return ip::ipv4(rest, snapped);
    }
    decode_any(link_type, captured, snapped)
}

/// All frames except a plain Ethernet frame with IPv4.
#[inline(never)]
fn decode_any(link_type: LinkType, captured: &[u8], snapped: bool) -> Decoded<'_> {
    match link::network(link_type, captured) {
        link::Network::Ipv4(bytes) => ip::ipv4(bytes, snapped),
        link::Network::Ipv6(bytes) => ip::ipv6(bytes, snapped),
        link::Network::NotIp => Decoded::NotIp,
        link::Network::Malformed(reason) => Decoded::Malformed(Layer::Link, reason),
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{Ipv4HeaderSlice, TcpHeaderSlice, UdpHeaderSlice};
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{ethernet, ipv4_packet, tcp_segment};

    #[test]
    fn a_plain_frame_and_the_slow_way_agree() {
        let frame = ethernet(
            0x0800,
            &ipv4_packet(6, &tcp_segment(2, 40000, 23, &[], b"")),
        );
        let slow = decode_any(LinkType(1), &frame, false);
        assert_eq!(decode_record(LinkType(1), &frame, frame.len() as u32), slow);
        assert!(matches!(slow, Decoded::Ipv4(packet) if packet.ports() == Some((40000, 23))));
    }

    #[test]
    fn an_unsupported_link_type_is_not_ip() {
        assert_eq!(
            decode(LinkType(147), &ipv4_packet(6, &[0; 20])),
            Decoded::NotIp
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Compared with etherparse: if it accepts the headers, the fields are the same.
        #[test]
        fn headers_are_those_that_etherparse_reads(
            mut bytes in prop::collection::vec(any::<u8>(), 20..90),
            protocol in prop_oneof![Just(6_u8), Just(17)],
        ) {
            bytes[0] = 0x40 | (bytes[0] & 0x0f);
            bytes[9] = protocol;
            let total = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&total.to_be_bytes());
            bytes[6..8].fill(0);
            let decoded = decode_record(LinkType(228), &bytes, u32::from(total));
            match Ipv4HeaderSlice::from_slice(&bytes) {
                Err(_) => {
                    let is_refused = match decoded {
                        Decoded::Malformed(Layer::Ipv4, _) => true,
                        Decoded::Ipv4(packet) => packet.damage.is_some(),
                        _ => false,
                    };
                    prop_assert!(is_refused);
                }
                Ok(header) => {
                    let Decoded::Ipv4(packet) = decoded else { panic!("{decoded:?}") };
                    prop_assert_eq!(packet.source, u32::from(header.source_addr()));
                    prop_assert_eq!(packet.destination, u32::from(header.destination_addr()));
                    prop_assert_eq!(packet.identification, header.identification());
                    same_transport(&packet, &bytes[header.slice().len()..])?;
                }
            }
        }
    }

    fn same_transport(packet: &Packet<'_, u32>, behind: &[u8]) -> Result<(), TestCaseError> {
        if packet.protocol == 17 {
            if let (Ok(peer), Transport::Udp(udp)) =
                (UdpHeaderSlice::from_slice(behind), packet.transport)
            {
                prop_assert_eq!(udp.source_port, peer.source_port());
                prop_assert_eq!(udp.destination_port, peer.destination_port());
            }
            return Ok(());
        }
        match TcpHeaderSlice::from_slice(behind) {
            Err(_) => prop_assert!(packet.damage.is_some()),
            Ok(peer) => {
                let Transport::Tcp(tcp) = packet.transport else {
                    panic!("{packet:?}")
                };
                prop_assert_eq!(packet.damage, None);
                prop_assert_eq!(tcp.source_port, peer.source_port());
                prop_assert_eq!(tcp.sequence, peer.sequence_number());
                prop_assert_eq!(tcp.window, peer.window_size());
                prop_assert_eq!(tcp.options, peer.options());
                prop_assert_eq!(tcp.flags & 1 != 0, peer.fin());
                prop_assert_eq!(tcp.flags & 2 != 0, peer.syn());
            }
        }
        Ok(())
    }
}
