//! The two IP headers: addresses, lengths, fragments, IPv6 extension headers. `transport.rs` reads what they carry.

use teiten_observation::Family;

use super::transport::{self, Region, Transport};
use super::{Damage, Decoded, Layer, Packet, Reason};

/// Extension headers followed in one packet. Valid packets have four at most; a packet of 1,500 bytes can hold 182, so only a larger one
/// can reach the limit.
pub const EXTENSION_HEADERS_MAX: usize = 192;

pub(super) const IPV6_HEADER_BYTES: usize = 40;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;

/// An IPv4 packet that starts with the first of `bytes`. `snapped`: the capture has less than the wire had.
#[inline(always)]
pub(super) fn ipv4(bytes: &[u8], snapped: bool) -> Decoded<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<20>() else {
        return Decoded::Malformed(Layer::Ipv4, Reason::Short);
    };
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 {
        return Decoded::Malformed(Layer::Ipv4, Reason::Version);
    }
    if header_bytes < 20 {
        return Decoded::Malformed(Layer::Ipv4, Reason::HeaderLength);
    }
    // With segmentation offload the total length is 0: the packet then ends with the frame.
    let total = if total == 0 {
        unstated_length(bytes.len(), snapped)
    } else {
        total
    };
    if total < header_bytes {
        return Decoded::Malformed(Layer::Ipv4, Reason::TotalLength);
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let mut packet = Packet {
        source: u32::from_be_bytes([header[12], header[13], header[14], header[15]]),
        destination: u32::from_be_bytes([header[16], header[17], header[18], header[19]]),
        ip_length_bytes: total.min(bytes.len().max(0xffff)) as u32,
        protocol: header[9],
        time_to_live: header[8],
        identification: u16::from_be_bytes([header[4], header[5]]),
        fragment_offset_bytes: (fragment & 0x1fff) << 3,
        more_fragments: fragment & 0x2000 != 0,
        dont_fragment: fragment & 0x4000 != 0,
        reserved_fragment_bit: fragment & 0x8000 != 0,
        damage: None,
        transport: Transport::Missing,
    };
    let is_later_fragment = packet.fragment_offset_bytes != 0;
    if is_later_fragment {
        packet.transport = Transport::LaterFragment;
    }
    let Some(payload) = rest.get(header_bytes - 20..) else {
        packet.damage = (!snapped).then_some(Damage::IpOptions);
        return Decoded::Ipv4(packet);
    };
    if is_later_fragment {
        return Decoded::Ipv4(packet);
    }
    let region = Region {
        bytes: bounded(payload, total - header_bytes),
        length: total - header_bytes,
        snapped,
        first_fragment: packet.more_fragments,
    };
    (packet.transport, packet.damage) = transport::read(Family::Ipv4, packet.protocol, region);
    Decoded::Ipv4(packet)
}

/// The length of a packet whose header does not state it: that of the frame, or unlimited where the capture cut it.
fn unstated_length(captured: usize, snapped: bool) -> usize {
    if snapped { usize::MAX } else { captured }
}

#[inline(always)]
fn bounded(bytes: &[u8], length: usize) -> &[u8] {
    &bytes[..bytes.len().min(length)]
}

/// An IPv6 packet that starts with the first of `bytes`.
pub(super) fn ipv6(bytes: &[u8], snapped: bool) -> Decoded<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<IPV6_HEADER_BYTES>() else {
        return Decoded::Malformed(Layer::Ipv6, Reason::Short);
    };
    // A payload length of 0 stands for a jumbogram (RFC 2675) or for segmentation offload: the frame's end is the packet's.
    let length = match u16::from_be_bytes([header[4], header[5]]) {
        0 => unstated_length(rest.len(), snapped),
        length => usize::from(length),
    };
    ipv6_of_length(header, rest, length, snapped)
}

/// An IPv6 packet whose header is followed by `length` bytes, of which `rest` was captured.
pub(super) fn ipv6_of_length<'a>(
    header: &[u8; IPV6_HEADER_BYTES],
    rest: &'a [u8],
    length: usize,
    snapped: bool,
) -> Decoded<'a> {
    if header[0] >> 4 != 6 {
        return Decoded::Malformed(Layer::Ipv6, Reason::Version);
    }
    let mut packet = Packet {
        source: address(header, 8),
        destination: address(header, 24),
        ip_length_bytes: u32::try_from(length.min(rest.len().max(0xffff)) + IPV6_HEADER_BYTES)
            .unwrap_or(u32::MAX),
        protocol: header[6],
        time_to_live: header[7],
        identification: 0,
        fragment_offset_bytes: 0,
        more_fragments: false,
        dont_fragment: true,
        reserved_fragment_bit: false,
        damage: None,
        transport: Transport::Missing,
    };
    let region = Region {
        bytes: bounded(rest, length),
        length,
        snapped,
        first_fragment: false,
    };
    match extension_headers(&mut packet, region) {
        Ok(_) if packet.fragment_offset_bytes != 0 => packet.transport = Transport::LaterFragment,
        Ok(region) => {
            (packet.transport, packet.damage) =
                transport::read(Family::Ipv6, packet.protocol, region);
        }
        Err(damage) => packet.damage = damage,
    }
    Decoded::Ipv6(packet)
}

fn address(header: &[u8; IPV6_HEADER_BYTES], start: usize) -> u128 {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[start..start + 16]);
    u128::from_be_bytes(octets)
}

/// Follows the extension headers and gives what lies behind them; the packet's protocol becomes that of the last one read. The error is the
/// damage, or `None` where the capture ended.
fn extension_headers<'a>(
    packet: &mut Packet<'_, u128>,
    mut region: Region<'a>,
) -> Result<Region<'a>, Option<Damage>> {
    for _ in 0..EXTENSION_HEADERS_MAX {
        if !matches!(
            packet.protocol,
            HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS
        ) {
            return Ok(region);
        }
        let Some(header) = region.bytes.first_chunk::<8>() else {
            return Err(region.shortage(8, Damage::IpOptions));
        };
        let is_fragment = packet.protocol == FRAGMENT;
        packet.protocol = header[0];
        if is_fragment {
            let field = u16::from_be_bytes([header[2], header[3]]);
            packet.fragment_offset_bytes = field & 0xfff8;
            packet.more_fragments = field & 1 != 0;
            region.first_fragment = packet.more_fragments;
            region = region.after(8);
            if packet.fragment_offset_bytes != 0 {
                return Ok(region);
            }
            continue;
        }
        let header_bytes = (usize::from(header[1]) + 1) * 8;
        if region.bytes.len() < header_bytes {
            return Err(region.shortage(header_bytes, Damage::IpOptions));
        }
        region = region.after(header_bytes);
    }
    Err(Some(Damage::ExtensionHeaders))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ipv4_packet, ipv6_packet, tcp_segment};

    fn v4(bytes: &[u8], snapped: bool) -> Packet<'_, u32> {
        match ipv4(bytes, snapped) {
            Decoded::Ipv4(packet) => packet,
            other => panic!("not an IPv4 packet: {other:?}"),
        }
    }

    fn v6(bytes: &[u8], snapped: bool) -> Packet<'_, u128> {
        match ipv6(bytes, snapped) {
            Decoded::Ipv6(packet) => packet,
            other => panic!("not an IPv6 packet: {other:?}"),
        }
    }

    #[test]
    fn a_wrong_version_or_length_is_malformed() {
        let good = ipv4_packet(6, &tcp_segment(0x02, 1, 2, &[], b""));
        for (index, value, reason) in [
            (0, 0x65, Reason::Version),
            (0, 0x44, Reason::HeaderLength),
            (3, 19, Reason::TotalLength),
        ] {
            let mut bytes = good.clone();
            bytes[index] = value;
            assert_eq!(
                ipv4(&bytes, false),
                Decoded::Malformed(Layer::Ipv4, reason),
                "byte {index}"
            );
        }
        assert_eq!(
            ipv4(&good[..19], true),
            Decoded::Malformed(Layer::Ipv4, Reason::Short)
        );
    }

    #[test]
    fn a_total_length_of_zero_means_the_frame() {
        let mut bytes = ipv4_packet(6, &tcp_segment(0x02, 1, 2, &[], b"data"));
        bytes[2..4].fill(0);
        let packet = v4(&bytes, false);
        assert_eq!(packet.damage, None);
        assert_eq!(packet.ip_length_bytes, 44);
        assert!(matches!(packet.transport, Transport::Tcp(tcp) if tcp.payload == b"data"));
    }

    #[test]
    fn a_trailer_is_no_payload() {
        let mut bytes = ipv4_packet(6, &tcp_segment(0x02, 1, 2, &[], b""));
        bytes.extend([0; 6]);
        assert!(
            matches!(v4(&bytes, false).transport, Transport::Tcp(tcp) if tcp.payload.is_empty())
        );
    }

    #[test]
    fn options_beyond_the_frame_are_damage_unless_it_was_cut() {
        let mut bytes = ipv4_packet(6, &[0; 40]);
        bytes[0] = 0x4f;
        bytes.truncate(30);
        assert_eq!(v4(&bytes, false).damage, Some(Damage::IpOptions));
        assert_eq!(v4(&bytes, true).damage, None);
        assert_eq!(v4(&bytes, true).transport, Transport::Missing);
    }

    #[test]
    fn a_later_fragment_has_no_transport() {
        let mut bytes = ipv4_packet(17, &[0; 24]);
        bytes[6..8].copy_from_slice(&0x2003_u16.to_be_bytes());
        let packet = v4(&bytes, false);
        assert_eq!(packet.transport, Transport::LaterFragment);
        assert_eq!((packet.fragment_offset_bytes, packet.protocol), (24, 17));
    }

    #[test]
    fn extension_headers_are_followed_to_the_transport() {
        let mut body = vec![60, 0, 0, 0, 0, 0, 0, 0];
        body.extend([6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(tcp_segment(0x12, 80, 1024, &[], b""));
        let packet = v6(&ipv6_packet(0, &body), false).damage;
        assert_eq!(packet, None);
        let bytes = ipv6_packet(0, &body);
        assert_eq!(v6(&bytes, false).protocol, 6);
        assert_eq!(v6(&bytes, false).ports(), Some((80, 1024)));
    }

    #[test]
    fn a_later_ipv6_fragment_keeps_its_protocol() {
        let bytes = ipv6_packet(44, &[17, 0, 0, 0x08, 0, 0, 0, 9, 1, 2, 3, 4]);
        let packet = v6(&bytes, false);
        assert_eq!(packet.transport, Transport::LaterFragment);
        assert_eq!((packet.protocol, packet.fragment_offset_bytes), (17, 8));
    }

    #[test]
    fn an_extension_header_cut_by_the_packet_is_damage() {
        let bytes = ipv6_packet(0, &[6, 3, 0, 0, 0, 0, 0, 0]);
        assert_eq!(v6(&bytes, false).damage, Some(Damage::IpOptions));
        assert_eq!(v6(&bytes, true).damage, Some(Damage::IpOptions));
    }

    #[test]
    fn ports_stand_behind_ipv4_options() {
        let mut bytes = ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b""));
        bytes[0] = 0x4f;
        bytes.splice(20..20, [1; 40]);
        bytes[3] += 40;
        let packet = v4(&bytes, false);
        assert_eq!((packet.damage, packet.ports()), (None, Some((40000, 23))));
    }

    #[test]
    fn a_first_fragment_is_decoded_as_usual() {
        let mut bytes = ipv4_packet(6, &tcp_segment(0x02, 40000, 23, &[], b""));
        bytes[6] = 0x20;
        let packet = v4(&bytes, false);
        assert!(packet.more_fragments);
        assert_eq!((packet.damage, packet.ports()), (None, Some((40000, 23))));
        let mut body = vec![17, 0, 0, 1, 0, 0, 0, 9];
        body.extend([0, 53, 0x9c, 0x40, 0x10, 0, 0, 0, 1, 2, 3, 4]);
        let bytes = ipv6_packet(44, &body);
        let packet = v6(&bytes, false);
        assert_eq!((packet.damage, packet.ports()), (None, Some((53, 40000))));
    }

    #[test]
    fn a_fragment_header_around_a_whole_packet_changes_nothing() {
        let mut body = vec![6, 0, 0, 0, 0, 0, 0, 9];
        body.extend(tcp_segment(0x02, 40000, 23, &[], b""));
        let bytes = ipv6_packet(44, &body);
        let packet = v6(&bytes, false);
        assert_eq!(packet.ports(), Some((40000, 23)));
        assert_eq!(
            (packet.fragment_offset_bytes, packet.more_fragments),
            (0, false)
        );
    }

    #[test]
    fn extension_headers_end_at_what_is_none() {
        // ESP and no next header are no extension headers that can be followed; a chain beyond the limit is damage.
        for last in [50, 59] {
            let bytes = ipv6_packet(0, &[last, 0, 1, 4, 0, 0, 0, 0, 1, 2, 3, 4]);
            let packet = v6(&bytes, false);
            assert_eq!((packet.protocol, packet.damage), (last, None));
        }
        let chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(EXTENSION_HEADERS_MAX + 1);
        let bytes = ipv6_packet(60, &chain);
        assert_eq!(v6(&bytes, false).damage, Some(Damage::ExtensionHeaders));
    }
}
