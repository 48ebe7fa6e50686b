//! The headers before the outermost IP header: the link layers of libpcap, and the tags and encapsulations behind them.
//!
//! LINKS is the table of link types that are read; a row names the reader of its first header. Each step reads one header and says what the
//! next is; the number of steps is limited. IP headers are not read here.

mod ethernet;
mod point_to_point;
mod pseudo;
mod wireless;

use super::Reason;
use crate::LinkType;

/// Headers followed before the IP header. The deepest valid stack known (provider bridges with MPLS and PPPoE) has about ten.
pub const ENCAPSULATIONS_MAX: usize = 24;

/// Where the walk to the IP header ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network<'a> {
    /// At an IPv4 packet, according to the header before it.
    Ipv4(&'a [u8]),
    /// At an IPv6 packet, according to the header before it.
    Ipv6(&'a [u8]),
    /// At something else.
    NotIp,
    /// In a header that is damaged.
    Malformed(Reason),
}

/// The next header of a walk, and the bytes from it on.
#[derive(Clone, Copy, Debug)]
enum HeaderStep<'a> {
    /// The walk is over.
    End(Network<'a>),
    /// An Ethernet header.
    Ethernet(&'a [u8]),
    /// What an Ethernet type or length announces.
    EtherType(u16, &'a [u8]),
    /// An IEEE 802.2 header.
    Llc(&'a [u8]),
    /// An MPLS label stack.
    Mpls(&'a [u8]),
    /// A PPP protocol field.
    Ppp(&'a [u8]),
    /// IP of the version that its first four bits say.
    ByVersion(&'a [u8]),
}

const NOT_IP: HeaderStep<'static> = HeaderStep::End(Network::NotIp);
const SHORT: HeaderStep<'static> = HeaderStep::End(Network::Malformed(Reason::Short));

type LinkReader = for<'a> fn(&'a [u8]) -> HeaderStep<'a>;

/// A link type that is read.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Its number at <https://www.tcpdump.org/linktypes.html>.
    pub link_type: LinkType,
    /// Its name there, without the prefix.
    pub name: &'static str,
    read: LinkReader,
}

const fn link(number: u16, name: &'static str, read: LinkReader) -> Link {
    Link {
        link_type: LinkType(number),
        name,
        read,
    }
}

/// Every link type that is read. 12 and 14 are DLT_RAW where LINKTYPE_RAW (101) was meant.
pub const LINKS: &[Link] = &[
    link(0, "NULL", pseudo::null),
    link(1, "ETHERNET", |bytes| HeaderStep::Ethernet(bytes)),
    link(7, "ARCNET_BSD", |bytes| pseudo::arcnet(bytes, 2)),
    link(9, "PPP", point_to_point::ppp_or_hdlc),
    link(10, "FDDI", pseudo::fddi),
    link(12, "RAW", |bytes| HeaderStep::ByVersion(bytes)),
    link(14, "RAW", |bytes| HeaderStep::ByVersion(bytes)),
    link(50, "PPP_HDLC", point_to_point::ppp_or_hdlc),
    link(51, "PPP_ETHER", point_to_point::pppoe_session),
    link(101, "RAW", |bytes| HeaderStep::ByVersion(bytes)),
    link(104, "C_HDLC", point_to_point::cisco_hdlc),
    link(105, "IEEE802_11", |bytes| {
        wireless::ieee802_11(bytes, false)
    }),
    link(106, "ATM_CLIP", |bytes| {
        HeaderStep::End(Network::Ipv4(bytes))
    }),
    link(107, "FRELAY", point_to_point::frame_relay),
    link(108, "LOOP", pseudo::null),
    link(113, "LINUX_SLL", pseudo::linux_cooked),
    link(127, "IEEE802_11_RADIOTAP", wireless::radiotap),
    link(129, "ARCNET_LINUX", |bytes| pseudo::arcnet(bytes, 4)),
    link(192, "PPI", wireless::ppi),
    link(226, "IPNET", pseudo::solaris_ipnet),
    link(228, "IPV4", |bytes| HeaderStep::End(Network::Ipv4(bytes))),
    link(229, "IPV6", |bytes| HeaderStep::End(Network::Ipv6(bytes))),
    link(239, "NFLOG", pseudo::netfilter_log),
    link(276, "LINUX_SLL2", pseudo::linux_cooked_2),
];

fn row(link_type: LinkType) -> Option<&'static Link> {
    LINKS.iter().find(|row| row.link_type == link_type)
}

/// Whether packets of this link type are read; those of others are [`super::Decoded::NotIp`].
#[must_use]
pub fn supported(link_type: LinkType) -> bool {
    row(link_type).is_some()
}

/// Walks to the outermost IP header.
pub(super) fn network(link_type: LinkType, bytes: &[u8]) -> Network<'_> {
    let Some(row) = row(link_type) else {
        return Network::NotIp;
    };
    walk((row.read)(bytes))
}

fn walk(mut step: HeaderStep<'_>) -> Network<'_> {
    for _ in 0..ENCAPSULATIONS_MAX {
        step = match step {
            HeaderStep::End(network) => return network,
            HeaderStep::Ethernet(bytes) => ethernet::header(bytes),
            HeaderStep::EtherType(ethertype, bytes) => ethernet::payload(ethertype, bytes),
            HeaderStep::Llc(bytes) => ethernet::logical_link(bytes),
            HeaderStep::Mpls(bytes) => ethernet::label_stack(bytes),
            HeaderStep::Ppp(bytes) => point_to_point::ppp_protocol(bytes),
            HeaderStep::ByVersion(bytes) => by_version(bytes),
        };
    }
    Network::Malformed(Reason::TooDeep)
}

fn by_version(bytes: &[u8]) -> HeaderStep<'_> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => HeaderStep::End(Network::Ipv4(bytes)),
        Some(6) => HeaderStep::End(Network::Ipv6(bytes)),
        Some(_) => NOT_IP,
        None => SHORT,
    }
}

/// The bytes behind the first `count`, as the step that `next` makes of them.
fn skip<'a>(
    bytes: &'a [u8],
    count: usize,
    next: impl FnOnce(&'a [u8]) -> HeaderStep<'a>,
) -> HeaderStep<'a> {
    match bytes.get(count..) {
        Some(rest) => next(rest),
        None => SHORT,
    }
}

/// What the big-endian Ethernet type at `position` announces behind the first `header_bytes`.
fn typed(bytes: &[u8], position: usize, header_bytes: usize) -> HeaderStep<'_> {
    match (bytes.get(position..position + 2), bytes.get(header_bytes..)) {
        (Some(&[high, low]), Some(rest)) => {
            HeaderStep::EtherType(u16::from_be_bytes([high, low]), rest)
        }
        _ => SHORT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{ethernet, ipv4_packet, ipv6_packet};

    fn check(link_type: u16, prefix: &[u8]) {
        for (packet, version) in [(ipv4_packet(6, &[0; 20]), 4), (ipv6_packet(6, &[0; 20]), 6)] {
            let bytes = [prefix, &packet].concat();
            let expected = if version == 4 {
                Network::Ipv4(&packet)
            } else {
                Network::Ipv6(&packet)
            };
            let got = network(LinkType(link_type), &bytes);
            if got == expected {
                return;
            }
            assert!(
                version == 4,
                "link type {link_type} with {prefix:02x?}: {got:?}"
            );
        }
    }

    #[test]
    fn every_link_type_reaches_its_ip_header() {
        let mac = [2; 12];
        let with = |rest: &[u8]| [&mac[..], rest].concat();
        for prefix in [
            with(&[8, 0]),
            with(&[0x86, 0xdd]),
            with(&[0x81, 0, 0, 5, 8, 0]),
            with(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]),
            with(&[0x91, 0, 0, 5, 0x92, 0, 0, 6, 0x81, 0, 0, 7, 0x86, 0xdd]),
            with(&[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64]),
            with(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21]),
            with(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x57]),
            with(&[0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
            with(&[0, 48, 6, 6, 3]),
            with(&[0x81, 0, 0, 5, 0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
        ] {
            check(1, &prefix);
        }
        check(0, &[2, 0, 0, 0]);
        check(0, &[0, 0, 0, 2]);
        check(0, &[30, 0, 0, 0]);
        check(108, &[0, 0, 0, 24]);
        check(9, &[0xff, 3, 0, 0x21]);
        check(9, &[0x21]);
        check(50, &[0xff, 3, 0, 0x57]);
        check(50, &[0x0f, 0, 8, 0]);
        check(51, &[0x11, 0, 0, 1, 0, 42, 0, 0x21]);
        check(101, &[]);
        check(12, &[]);
        check(104, &[0x0f, 0, 0x86, 0xdd]);
        check(107, &[0x18, 0x41, 3, 0xcc]);
        check(113, &[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]);
        check(
            113,
            &[
                0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 5, 8, 0,
            ],
        );
        check(
            276,
            &[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0],
        );
        check(228, &[]);
        check(229, &[]);
    }

    #[test]
    fn other_types_are_not_ip() {
        assert_eq!(
            network(LinkType(1), &ethernet(0x0806, &[0; 28])),
            Network::NotIp
        );
        assert_eq!(network(LinkType(147), &[0x45; 40]), Network::NotIp);
        assert!(!supported(LinkType(147)));
    }

    #[test]
    fn a_frame_cut_in_its_link_header_is_malformed() {
        for length in 0..14 {
            assert_eq!(
                network(LinkType(1), &ethernet(0x0800, &[])[..length]),
                Network::Malformed(Reason::Short)
            );
        }
    }

    #[test]
    fn endless_tags_end() {
        let mut frame = ethernet(0x8100, &[]);
        for _ in 0..1000 {
            frame.extend([0, 1, 0x81, 0]);
        }
        assert_eq!(
            network(LinkType(1), &frame),
            Network::Malformed(Reason::TooDeep)
        );
    }
}
