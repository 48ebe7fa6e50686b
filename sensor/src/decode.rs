//! From the bytes of a captured frame to the headers of its outermost IP packet.
//!
//! Every byte comes from strangers: each read is checked, nothing is allocated, and what cannot be read is said by a small typed
//! reason. What a packet means must not be here (`classify.rs`), nor what a file or an interface is (`source.rs`).

pub mod ip;
pub mod link;
pub mod quoted;
#[cfg(test)]
pub(crate) mod tests_support;
pub mod transport;

use teiten_aggregator::observation::Address;

use crate::packet::LinkType;
pub use ip::Damage;
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
    /// Length by the IP header, bytes; the bytes on hand where the header says 0 (segmentation offload, jumbograms).
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

/// Decodes one frame. The length on the wire is taken as unknown, so a header that the frame's end cuts counts as not captured
/// rather than as damaged; with the record at hand [`decode_record`] tells the two apart.
#[inline]
#[must_use]
pub fn decode(link_type: LinkType, captured: &[u8]) -> Decoded<'_> {
    decode_record(link_type, captured, u32::MAX)
}

/// Decodes one frame of which `captured` are the first bytes and that had `wire_bytes` on the wire.
#[inline]
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

/// Every frame but a plain Ethernet frame with IPv4.
#[inline(never)]
fn decode_any(link_type: LinkType, captured: &[u8], snapped: bool) -> Decoded<'_> {
    match link::network(link_type, captured) {
        link::Network::Ipv4(bytes) => ip::ipv4(bytes, snapped),
        link::Network::Ipv6(bytes) => ip::ipv6(bytes, snapped),
        link::Network::NotIp => Decoded::NotIp,
        link::Network::Malformed(reason) => Decoded::Malformed(Layer::Link, reason),
    }
}

/// The entry for a fuzzer: the first two bytes choose the link type and whether the frame was cut, the rest is the frame. Decodes,
/// classifies and explains; must neither panic nor read beyond the frame.
pub fn fuzz_decode(data: &[u8]) {
    let Some((&[link_type, cut], frame)) = data.split_first_chunk::<2>() else {
        return;
    };
    let wire_bytes = frame.len() as u32 + u32::from(cut & 1) * 1000;
    let link_type = LinkType(u16::from(link_type) | u16::from(cut & 2) << 7);
    match decode_record(link_type, frame, wire_bytes) {
        Decoded::Ipv4(packet) => fuzz_packet(&packet),
        Decoded::Ipv6(packet) => fuzz_packet(&packet),
        Decoded::NotIp | Decoded::Malformed(..) => {}
    }
}

fn fuzz_packet<A: Address>(packet: &Packet<A>) {
    let verdict = crate::classify::verdict(packet);
    assert_eq!(verdict.kind, crate::classify::kind(packet));
    assert!(!verdict.rule.name.is_empty());
}
