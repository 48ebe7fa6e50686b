//! TCP, UDP, ICMP and SCTP headers, read as far as they were captured. `classify.rs` says what they mean.

use teiten_observation::Family;

use super::Damage;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A TCP segment whose flags were captured.
    Tcp(Tcp<'a>),
    /// A UDP datagram whose header was captured.
    Udp(Udp<'a>),
    /// An ICMP message in IPv4 or an ICMPv6 message in IPv6.
    Icmp(Icmp<'a>),
    /// An SCTP packet whose ports were captured.
    Sctp(Sctp<'a>),
    /// Source and destination port of a header that was captured no further.
    PortsOnly(u16, u16),
    /// A later fragment: it holds no header.
    LaterFragment,
    /// The payload of another protocol.
    Other(&'a [u8]),
    /// Nothing of the header is there.
    Missing,
}

/// A TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// The low 8 flag bits: CWR ECE URG ACK PSH RST SYN FIN.
    pub flags: u8,
    /// Window; 0 if it was not captured.
    pub window: u16,
    /// Whether the header and all its options were captured.
    pub complete: bool,
    /// Options, as far as they are there.
    pub options: &'a [u8],
    /// Data, as far as it was captured.
    pub payload: &'a [u8],
}

/// A UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Data, as far as it was captured.
    pub payload: &'a [u8],
}

/// An ICMP or ICMPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp<'a> {
    /// Type.
    pub icmp_type: u8,
    /// Code; 0 where it was not captured.
    pub code: u8,
    /// What follows the first 8 bytes: for an error the quoted packet.
    pub body: &'a [u8],
}

/// An SCTP common header and the start of its first chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Type of the first chunk.
    pub chunk_type: Option<u8>,
    /// The bytes from the first chunk on, as far as they were captured.
    pub chunks: &'a [u8],
}

impl Transport<'_> {
    /// Source and destination port.
    #[must_use]
    #[inline]
    pub const fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Transport::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
            Transport::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            Transport::Sctp(sctp) => Some((sctp.source_port, sctp.destination_port)),
            Transport::PortsOnly(source, destination) => Some((*source, *destination)),
            _ => None,
        }
    }
}

/// The bytes behind an IP header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region<'a> {
    /// Captured, and within the packet's own length.
    pub bytes: &'a [u8],
    /// How many bytes the packet has by its own length.
    pub length: usize,
    /// Whether the capture has less than the wire had.
    pub snapped: bool,
    /// Whether further fragments follow.
    pub first_fragment: bool,
}

impl Region<'_> {
    /// The region after its first `count` bytes, which must exist.
    pub(super) fn after(mut self, count: usize) -> Self {
        self.bytes = &self.bytes[count..];
        self.length -= count;
        self
    }

    /// Whether bytes of `needed` are missing because the packet is damaged (then `damage`) or because the capture cut it.
    #[cold]
    pub(super) fn shortage(&self, needed: usize, damage: Damage) -> Option<Damage> {
        (self.length < needed || !self.snapped).then_some(damage)
    }
}

type TransportReading<'a> = (Transport<'a>, Option<Damage>);

/// Reads the header of `protocol` from the start of `region`.
#[inline(always)]
pub(super) fn read(family: Family, protocol: u8, region: Region<'_>) -> TransportReading<'_> {
    match (protocol, family) {
        (6, _) => tcp(region),
        (17, _) => udp(region, family),
        (1, Family::Ipv4) => icmp(region, 8),
        (58, Family::Ipv6) => icmp(region, 4),
        (132, _) => sctp(region),
        _ => (Transport::Other(region.bytes), None),
    }
}

#[inline(always)]
fn tcp(region: Region<'_>) -> TransportReading<'_> {
    let Some(header) = region.bytes.first_chunk::<20>() else {
        return tcp_cut(region);
    };
    let header_bytes = usize::from(header[12] >> 4) * 4;
    let mut tcp = Tcp {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: header[13],
        window: u16::from_be_bytes([header[14], header[15]]),
        complete: true,
        options: &[],
        payload: &[],
    };
    if header_bytes < 20 {
        tcp.complete = false;
        return (Transport::Tcp(tcp), Some(Damage::TcpOptions));
    }
    if region.bytes.len() < header_bytes {
        tcp.complete = false;
        tcp.options = &region.bytes[20..];
        return (
            Transport::Tcp(tcp),
            region.shortage(header_bytes, Damage::TcpOptions),
        );
    }
    let (header, payload) = region.bytes.split_at(header_bytes);
    tcp.options = &header[20..];
    tcp.payload = payload;
    (Transport::Tcp(tcp), None)
}

/// A TCP header of which fewer than 20 bytes were captured; the flags are in byte 13.
#[cold]
#[inline(never)]
fn tcp_cut(region: Region<'_>) -> TransportReading<'_> {
    let damage = region.shortage(20, Damage::TransportHeader);
    let Some(header) = region.bytes.first_chunk::<14>() else {
        return (ports_only(region.bytes), damage);
    };
    let tcp = Tcp {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgment: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: header[13],
        window: 0,
        complete: false,
        options: &[],
        payload: &[],
    };
    (Transport::Tcp(tcp), damage)
}

fn ports_only(bytes: &[u8]) -> Transport<'_> {
    match bytes.first_chunk::<4>() {
        Some(&[a, b, c, d]) => {
            Transport::PortsOnly(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        None => Transport::Missing,
    }
}

#[inline(never)]
fn udp(region: Region<'_>, family: Family) -> TransportReading<'_> {
    let Some((header, rest)) = region.bytes.split_first_chunk::<8>() else {
        return (
            ports_only(region.bytes),
            region.shortage(8, Damage::TransportHeader),
        );
    };
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // RFC 2675: the length field of a datagram in an IPv6 jumbogram is 0.
    let unstated = length == 0 && family == Family::Ipv6 && region.length > 0xffff;
    let damaged = !unstated && (length < 8 || (length > region.length && !region.first_fragment));
    let payload = match length.checked_sub(8) {
        Some(payload_bytes) => &rest[..rest.len().min(payload_bytes)],
        None => rest,
    };
    let udp = Udp {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        payload,
    };
    (Transport::Udp(udp), damaged.then_some(Damage::UdpLength))
}

#[inline(never)]
fn icmp(region: Region<'_>, header_bytes: usize) -> TransportReading<'_> {
    let Some(&icmp_type) = region.bytes.first() else {
        return (
            Transport::Missing,
            region.shortage(header_bytes, Damage::TransportHeader),
        );
    };
    let damage = if region.bytes.len() < header_bytes {
        region.shortage(header_bytes, Damage::TransportHeader)
    } else {
        None
    };
    let icmp = Icmp {
        icmp_type,
        code: region.bytes.get(1).copied().unwrap_or(0),
        body: region.bytes.get(8..).unwrap_or(&[]),
    };
    (Transport::Icmp(icmp), damage)
}

#[inline(never)]
fn sctp(region: Region<'_>) -> TransportReading<'_> {
    let Some(header) = region.bytes.first_chunk::<4>() else {
        return (
            Transport::Missing,
            region.shortage(12, Damage::TransportHeader),
        );
    };
    let damage = if region.bytes.len() < 12 {
        region.shortage(12, Damage::TransportHeader)
    } else {
        None
    };
    let chunks = region.bytes.get(12..).unwrap_or(&[]);
    let sctp = Sctp {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        chunk_type: chunks.first().copied(),
        chunks,
    };
    (Transport::Sctp(sctp), damage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::tcp_segment;

    fn whole(bytes: &[u8]) -> Region<'_> {
        Region {
            bytes,
            length: bytes.len(),
            snapped: false,
            first_fragment: false,
        }
    }

    fn snapped(bytes: &[u8], length: usize) -> Region<'_> {
        Region {
            bytes,
            length,
            snapped: true,
            first_fragment: false,
        }
    }

    #[test]
    fn a_flag_byte_beyond_the_capture_is_not_read() {
        let segment = tcp_segment(0x02, 1000, 23, &[], b"");
        assert_eq!(
            tcp(snapped(&segment[..13], 20)),
            (Transport::PortsOnly(1000, 23), None)
        );
        let (transport, damage) = tcp(snapped(&segment[..14], 20));
        assert!(matches!(transport, Transport::Tcp(tcp) if tcp.flags == 2 && !tcp.complete));
        assert_eq!(damage, None);
        assert_eq!(tcp(snapped(&segment[..3], 20)), (Transport::Missing, None));
    }

    #[test]
    fn a_header_cut_by_its_own_packet_is_damage() {
        let segment = tcp_segment(0x02, 1000, 23, &[], b"");
        assert_eq!(
            tcp(whole(&segment[..13])),
            (
                Transport::PortsOnly(1000, 23),
                Some(Damage::TransportHeader)
            )
        );
        assert_eq!(
            udp(whole(&[0, 53, 0, 1, 0]), Family::Ipv4).1,
            Some(Damage::TransportHeader)
        );
    }

    #[test]
    fn tcp_options_beyond_the_packet_are_damage() {
        let mut segment = tcp_segment(0x02, 1000, 23, &[2, 4, 5, 180], b"");
        segment[12] = 0xf0;
        assert_eq!(tcp(whole(&segment)).1, Some(Damage::TcpOptions));
        assert_eq!(tcp(snapped(&segment, 60)).1, None);
        segment[12] = 0x40;
        assert_eq!(tcp(whole(&segment)).1, Some(Damage::TcpOptions));
    }

    #[test]
    fn a_udp_length_that_lies_is_damage() {
        for (length, damage) in [
            (12, None),
            (13, Some(Damage::UdpLength)),
            (7, Some(Damage::UdpLength)),
        ] {
            let bytes = [0, 53, 0, 1, 0, length, 0, 0, 1, 2, 3, 4];
            assert_eq!(udp(whole(&bytes), Family::Ipv4).1, damage, "{length}");
        }
        let first = Region {
            first_fragment: true,
            ..whole(&[0, 53, 0, 1, 9, 0, 0, 0])
        };
        assert_eq!(udp(first, Family::Ipv4).1, None);
    }

    #[test]
    fn icmp_reads_its_type_where_only_that_is_there() {
        let (transport, damage) = icmp(snapped(&[3], 36), 8);
        assert!(matches!(transport, Transport::Icmp(icmp) if icmp.icmp_type == 3));
        assert_eq!(damage, None);
        assert_eq!(icmp(whole(&[3]), 8).1, Some(Damage::TransportHeader));
    }
}
