//! [`judge()`]: what a captured frame is, in one call. It decodes the frame, places its packet by the telescope, and says of an observed
//! packet what an hour's tables need. The modules below do each of these steps.

use teiten_observation::{Address, Kind, Observation};

use crate::LinkType;
use crate::classify::{Rule, verdict};
use crate::decode::{Decoded, Layer, Packet, Quoted, Reason, Transport, decode_record, quoted};
use crate::fingerprint::stack;
use crate::flags::{Flag, flags};
use crate::payload::Signature;
use crate::telescope::{Place, Telescope};

/// A captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it begins with.
    pub link_type: LinkType,
    /// Its first bytes, as far as they were captured.
    pub captured: &'a [u8],
    /// Its length on the wire, bytes. If the capture has fewer bytes, a header that ends too early is cut off and not damaged.
    pub wire_bytes: u32,
}

/// What a frame is. Each frame is exactly one of these.
#[derive(Clone, Copy, Debug)]
pub enum Judgement<'a> {
    /// A frame without an IP header, or of a link type that is not [`supported`](crate::decode::supported).
    NotIp,
    /// A header that is damaged before both addresses could be read.
    Malformed(Layer, Reason),
    /// A packet to an address outside the telescope.
    Outside,
    /// A packet to a dark address, but to or from an excluded prefix.
    Excluded,
    /// An observed IPv4 packet.
    Ipv4(Observed<'a, u32>),
    /// An observed IPv6 packet.
    Ipv6(Observed<'a, u128>),
}

/// What is known of an observed packet.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a, A> {
    /// Source address, host byte order.
    pub source: A,
    /// Destination address, host byte order: the dark address.
    pub destination: A,
    /// IP protocol number, behind the extension headers of IPv6.
    pub protocol: u8,
    /// Source and destination port, where the protocol has them and they were captured.
    pub ports: Option<(u16, u16)>,
    /// Traffic type, class, tool mark and the port that counts.
    pub kind: Kind,
    /// The rule that decided the class.
    pub rule: &'static Rule,
    /// Compatibility flags, a bit each ([`crate::flags`]).
    pub flags: Flag,
    /// Packed stack signature of a SYN; 0 for other packets.
    pub stack: u64,
    /// What any two SYNs of one run of a tool share although they go to different destinations; 0 for other packets.
    pub pair: u32,
    /// Data of the segment or datagram, as far as it was captured; may be empty.
    pub payload: &'a [u8],
    /// The signature of the payload, if one matches.
    pub signature: Option<&'static Signature>,
    /// The bytes of the packet that an ICMP error quotes; empty for other packets.
    pub quotation: &'a [u8],
}

impl<A: Address> Observed<'_, A> {
    /// The packet that an ICMP error quotes, if it quotes both addresses.
    #[must_use]
    pub fn quoted(&self) -> Option<Quoted<A>> {
        quoted::read(self.quotation)
    }

    /// The observation for the tables of the hour, with the time (microseconds since 1970-01-01 UTC) and the length of its frame.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, time_us: i64, wire_length_bytes: u32) -> Observation<A> {
        Observation {
            time_us,
            source: self.source,
            destination: self.destination,
            kind: self.kind,
            wire_length_bytes,
            flags: self.flags,
            stack: self.stack,
            pair: self.pair,
        }
    }
}

/// Says what a frame is.
#[inline(always)]
#[must_use]
pub fn judge<'a>(telescope: &Telescope, frame: Frame<'a>) -> Judgement<'a> {
    // By reference: a packet's headers are many words, and moving them costs more than reading them.
    match &decode_record(frame.link_type, frame.captured, frame.wire_bytes) {
        Decoded::Ipv4(packet) => match place(telescope, packet) {
            Place::Observed => Judgement::Ipv4(observed(packet)),
            Place::Outside => Judgement::Outside,
            Place::Excluded => Judgement::Excluded,
        },
        Decoded::Ipv6(packet) => match place(telescope, packet) {
            Place::Observed => Judgement::Ipv6(observed(packet)),
            Place::Outside => Judgement::Outside,
            Place::Excluded => Judgement::Excluded,
        },
        Decoded::NotIp => Judgement::NotIp,
        Decoded::Malformed(layer, reason) => Judgement::Malformed(*layer, *reason),
    }
}

/// Whether [`judge()`] would call a frame observed, at half the cost.
#[inline]
#[must_use]
pub fn is_observed(telescope: &Telescope, frame: Frame<'_>) -> bool {
    let place = match &decode_record(frame.link_type, frame.captured, frame.wire_bytes) {
        Decoded::Ipv4(packet) => place(telescope, packet),
        Decoded::Ipv6(packet) => place(telescope, packet),
        Decoded::NotIp | Decoded::Malformed(..) => return false,
    };
    place == Place::Observed
}

#[inline(always)]
fn place<A: Address>(telescope: &Telescope, packet: &Packet<'_, A>) -> Place {
    telescope.place(packet.source, packet.destination)
}

#[inline(always)]
fn observed<'a, A: Address>(packet: &Packet<'a, A>) -> Observed<'a, A> {
    let verdict = verdict(packet);
    Observed {
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        ports: packet.ports(),
        kind: verdict.kind,
        rule: verdict.rule,
        flags: flags(packet),
        stack: stack(packet, verdict.kind.traffic_type()),
        pair: verdict.pair,
        payload: payload(packet),
        signature: verdict.signature,
        quotation: packet.quotation(),
    }
}

#[inline(always)]
fn payload<'a, A>(packet: &Packet<'a, A>) -> &'a [u8] {
    match &packet.transport {
        Transport::Tcp(tcp) => tcp.payload,
        Transport::Udp(udp) => udp.payload,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ethernet, ipv4_packet, ipv6_packet, tcp_segment, udp_datagram};

    fn judged<'a>(captured: &'a [u8], dark: &[&str], excluded: &[&str]) -> Judgement<'a> {
        let prefixes =
            |texts: &[&str]| -> Vec<_> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let telescope = Telescope::new(&prefixes(dark), &prefixes(excluded));
        let frame = Frame {
            link_type: LinkType::ETHERNET,
            captured,
            wire_bytes: captured.len() as u32,
        };
        let judged = judge(&telescope, frame);
        let is_packet = matches!(judged, Judgement::Ipv4(_) | Judgement::Ipv6(_));
        assert_eq!(is_observed(&telescope, frame), is_packet);
        judged
    }

    #[test]
    fn a_frame_is_placed_before_it_is_judged() {
        let syn = ethernet(0x0800, &ipv4_packet(6, &tcp_segment(2, 1, 23, &[], b"")));
        let is = |dark: &[&str], excluded: &[&str]| judged(&syn, dark, excluded);
        assert!(matches!(is(&[], &[]), Judgement::Ipv4(_)));
        assert!(matches!(is(&["203.0.113.0/24"], &[]), Judgement::Ipv4(_)));
        assert!(matches!(is(&["192.0.2.0/24"], &[]), Judgement::Outside));
        assert!(matches!(is(&[], &["1.2.3.4"]), Judgement::Excluded));
        let arp = ethernet(0x0806, &[0; 28]);
        assert!(matches!(judged(&arp, &[], &[]), Judgement::NotIp));
        assert!(matches!(
            judged(&syn[..20], &[], &[]),
            Judgement::Malformed(Layer::Ipv4, Reason::Short)
        ));
    }

    #[test]
    fn an_observed_packet_brings_all_that_the_tables_need() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\xff\0\x01";
        let frame = ethernet(0x0800, &ipv4_packet(17, &udp_datagram(40000, 53, query)));
        let Judgement::Ipv4(observed) = judged(&frame, &[], &[]) else {
            panic!("an IPv4 packet");
        };
        assert_eq!(observed.ports, Some((40000, 53)));
        assert_eq!(observed.payload, query);
        assert_eq!(
            observed.signature.map(|row| row.class),
            Some(observed.rule.class)
        );
        let observation = observed.at(7, 90);
        assert_eq!(
            (observation.time_us, observation.wire_length_bytes),
            (7, 90)
        );
        assert_eq!(observation.kind, observed.kind);

        let frame = ethernet(0x86dd, &ipv6_packet(6, &tcp_segment(2, 1, 23, &[], b"")));
        let Judgement::Ipv6(observed) = judged(&frame, &[], &[]) else {
            panic!("an IPv6 packet");
        };
        assert_ne!(observed.stack, 0);
        assert_eq!((observed.kind.port(), observed.flags), (Some(23), 0));
    }
}
