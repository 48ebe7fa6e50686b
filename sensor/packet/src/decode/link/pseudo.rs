//! Headers that the capturing system makes up (loopback, cooked, log), and old local networks.

use super::{HeaderStep, NOT_IP, Network, SHORT, skip};

/// The address family of the capturing system in four bytes of either order (link types NULL and LOOP).
pub(super) fn null(bytes: &[u8]) -> HeaderStep<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<4>() else {
        return SHORT;
    };
    let big = u32::from_be_bytes(*header);
    match big.min(big.swap_bytes()) {
        2 => HeaderStep::End(Network::Ipv4(rest)),
        // AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS.
        10 | 24 | 28 | 30 => HeaderStep::End(Network::Ipv6(rest)),
        // Some drivers put PPP or Cisco HDLC where the family should be.
        _ if matches!(header, [0xff, 3, ..] | [0x0f | 0x8f, 0, ..]) => {
            super::point_to_point::ppp_or_hdlc(bytes)
        }
        _ => NOT_IP,
    }
}

/// Linux "cooked" captures (`any`): the protocol is at byte 14 of 16.
pub(super) fn linux_cooked(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first_chunk::<16>() {
        Some(header) => cooked(
            u16::from_be_bytes([header[2], header[3]]),
            u16::from_be_bytes([header[14], header[15]]),
            &bytes[16..],
        ),
        None => SHORT,
    }
}

/// The second version: the protocol comes first, the device type at byte 8 of 20.
pub(super) fn linux_cooked_2(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first_chunk::<20>() {
        Some(header) => cooked(
            u16::from_be_bytes([header[8], header[9]]),
            u16::from_be_bytes([header[0], header[1]]),
            &bytes[20..],
        ),
        None => SHORT,
    }
}

/// Device types of Linux whose protocol field is not an Ethernet type: netlink, frame relay, radiotap.
const NETLINK: u16 = 824;
const FRAME_RELAY: u16 = 770;
const RADIOTAP: u16 = 803;

fn cooked(device_type: u16, protocol: u16, rest: &[u8]) -> HeaderStep<'_> {
    match (device_type, protocol) {
        (NETLINK, _) => NOT_IP,
        (FRAME_RELAY, _) => super::point_to_point::frame_relay(rest),
        (RADIOTAP, _) => super::wireless::radiotap(rest),
        // 802.3 frames without and with an 802.2 header.
        (_, 1) => NOT_IP,
        (_, 4) => HeaderStep::Llc(rest),
        _ => HeaderStep::EtherType(protocol, rest),
    }
}

/// FDDI: frame control, two addresses, and in frames of logical link control an 802.2 header.
pub(super) fn fddi(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first() {
        Some(control) if control & 0xf0 == 0x50 || control & 0xf0 == 0xd0 => {
            skip(bytes, 13, HeaderStep::Llc)
        }
        Some(_) => NOT_IP,
        None => SHORT,
    }
}

/// ARCNET, its packet type at `type_position`: IPv4 in one piece by RFC 1051, or with the fragment header of RFC 1201.
pub(super) fn arcnet(bytes: &[u8], type_position: usize) -> HeaderStep<'_> {
    const IP_RFC_1051: u8 = 240;
    const IP_RFC_1201: u8 = 212;
    const IPV6: u8 = 196;
    let Some(&packet_type) = bytes.get(type_position) else {
        return SHORT;
    };
    let next = type_position + 1;
    // The split flag 0xff marks an exception frame, which repeats the header behind three bytes of padding.
    let rfc_1201_bytes = match bytes.get(next) {
        Some(0xff) => 3 + 4,
        _ => 3,
    };
    match packet_type {
        IP_RFC_1051 => skip(bytes, next, |rest| HeaderStep::End(Network::Ipv4(rest))),
        IP_RFC_1201 => skip(bytes, next + rfc_1201_bytes, |rest| {
            HeaderStep::End(Network::Ipv4(rest))
        }),
        IPV6 => skip(bytes, next + rfc_1201_bytes, |rest| {
            HeaderStep::End(Network::Ipv6(rest))
        }),
        _ => NOT_IP,
    }
}

/// Solaris IP observability: 24 bytes, the family in the second (2 IPv4, 26 IPv6).
pub(super) fn solaris_ipnet(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.get(1) {
        Some(2) => skip(bytes, 24, |rest| HeaderStep::End(Network::Ipv4(rest))),
        Some(26) => skip(bytes, 24, |rest| HeaderStep::End(Network::Ipv6(rest))),
        Some(_) => NOT_IP,
        None => SHORT,
    }
}

/// Attributes followed in one netfilter log message.
const ATTRIBUTES_MAX: usize = 64;

/// Linux netfilter log: family, version, resource, then attributes of length, type, value, in the byte order of the capturing
/// host. Type 9 is the packet.
pub(super) fn netfilter_log(bytes: &[u8]) -> HeaderStep<'_> {
    const PAYLOAD: u16 = 9;
    let Some((header, mut rest)) = bytes.split_first_chunk::<4>() else {
        return SHORT;
    };
    for _ in 0..ATTRIBUTES_MAX {
        let Some(&[a, b, c, d]) = rest.first_chunk::<4>() else {
            return NOT_IP;
        };
        // Attribute types are below 256: the byte order in which this one is small is that of the host.
        let (length, kind) = if d & 0x7f == 0 {
            (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
        } else {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        };
        let length = usize::from(length);
        if length < 4 || length > rest.len() {
            return SHORT;
        }
        if kind & 0x7fff == PAYLOAD {
            return logged(header[0], &rest[4..length]);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    NOT_IP
}

fn logged(family: u8, packet: &[u8]) -> HeaderStep<'_> {
    match family {
        2 => HeaderStep::End(Network::Ipv4(packet)),
        10 => HeaderStep::End(Network::Ipv6(packet)),
        _ => NOT_IP,
    }
}
