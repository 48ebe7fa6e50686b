//! Builds IP packets with correct checksums in a reused buffer.

/// IANA protocol numbers.
pub mod protocol {
    /// ICMP
    pub const ICMP: u8 = 1;
    /// IP in IP
    pub const IP_IN_IP: u8 = 4;
    /// TCP
    pub const TCP: u8 = 6;
    /// UDP
    pub const UDP: u8 = 17;
    /// GRE
    pub const GRE: u8 = 47;
    /// ICMP for IPv6
    pub const ICMPV6: u8 = 58;
    /// SCTP
    pub const SCTP: u8 = 132;
}

/// TCP flag bits.
pub mod flag {
    /// FIN
    pub const F: u8 = 0x01;
    /// SYN
    pub const S: u8 = 0x02;
    /// RST
    pub const R: u8 = 0x04;
    /// PSH
    pub const P: u8 = 0x08;
    /// ACK
    pub const A: u8 = 0x10;
    /// URG
    pub const U: u8 = 0x20;
    /// ECE and CWR, which an ECN SYN sets
    pub const ECN: u8 = 0xc0;
}

/// Longest header: IPv6 with one extension of 8 bytes.
const HEADER_BYTES_MAX: usize = 48;
/// Longest payload of an IP packet that is made.
const BODY_BYTES_MAX: usize = 1480;

/// The bit "don't fragment" of the IPv4 fragment field.
pub const DONT_FRAGMENT: u16 = 0x4000;
/// More fragments follow.
pub const MORE_FRAGMENTS: u16 = 0x2000;

/// Fields of an IPv4 header that its sender chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope {
    /// Identification.
    pub id: u16,
    /// Time to live at arrival.
    pub ttl: u8,
    /// Flags and fragment offset.
    pub fragment: u16,
}

/// Fields of a TCP header that its sender chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags, one bit each, FIN lowest.
    pub flags: u8,
    /// Window.
    pub window: u16,
}

/// One packet under construction: first its body, then its header, which closes the checksums.
#[derive(Debug)]
pub struct Packet {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    body: [u8; BODY_BYTES_MAX],
    body_bytes: usize,
}

impl Default for Packet {
    fn default() -> Self {
        Packet {
            header: [0; HEADER_BYTES_MAX],
            header_bytes: 0,
            body: [0; BODY_BYTES_MAX],
            body_bytes: 0,
        }
    }
}

impl Packet {
    /// The IP header so far.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header[..self.header_bytes]
    }

    /// What follows the IP header.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body[..self.body_bytes]
    }

    /// The same, to be changed in place before it is closed.
    pub fn body_mut(&mut self) -> &mut [u8] {
        &mut self.body[..self.body_bytes]
    }

    /// Whether the header is one of IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.header[0] >> 4 == 6
    }

    /// Sets the body to the concatenation of `parts`.
    pub fn set_body(&mut self, parts: &[&[u8]]) {
        let mut end = 0;
        for part in parts {
            self.body[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        self.body_bytes = end;
    }

    /// Truncates the body to `length_bytes`.
    pub fn cut_body(&mut self, length_bytes: usize) {
        self.body_bytes = self.body_bytes.min(length_bytes);
    }

    /// A TCP segment; the length of `options` is a multiple of 4.
    pub fn tcp(&mut self, tcp: &Tcp, options: &[u8], payload: &[u8]) {
        let mut head = [0; 20];
        head[0..2].copy_from_slice(&tcp.source_port.to_be_bytes());
        head[2..4].copy_from_slice(&tcp.destination_port.to_be_bytes());
        head[4..8].copy_from_slice(&tcp.sequence.to_be_bytes());
        head[8..12].copy_from_slice(&tcp.acknowledgement.to_be_bytes());
        head[12] = ((5 + options.len() / 4) as u8) << 4;
        head[13] = tcp.flags;
        head[14..16].copy_from_slice(&tcp.window.to_be_bytes());
        self.set_body(&[&head, options, payload]);
    }

    /// A UDP datagram.
    pub fn udp(&mut self, source_port: u16, destination_port: u16, payload: &[u8]) {
        let mut head = [0; 8];
        head[0..2].copy_from_slice(&source_port.to_be_bytes());
        head[2..4].copy_from_slice(&destination_port.to_be_bytes());
        head[4..6].copy_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
        self.set_body(&[&head, payload]);
    }

    /// An ICMP message: type, code, the four bytes behind the checksum, the rest.
    pub fn icmp(&mut self, kind: u8, code: u8, rest_of_header: [u8; 4], payload: &[u8]) {
        let head = [kind, code, 0, 0];
        self.set_body(&[&head, &rest_of_header, payload]);
    }

    /// Closes the packet with an IPv4 header.
    pub fn close_ipv4(&mut self, protocol: u8, source: u32, destination: u32, envelope: &Envelope) {
        let pseudo = sum_of_address(source) + sum_of_address(destination);
        self.close_body(protocol, pseudo);
        self.close_ipv4_fragment(protocol, source, destination, envelope);
    }

    /// Closes a later fragment: its body is not the beginning of a transport header and has no checksum.
    pub fn close_ipv4_fragment(
        &mut self,
        protocol: u8,
        source: u32,
        destination: u32,
        envelope: &Envelope,
    ) {
        let total = (20 + self.body_bytes) as u16;
        self.header_bytes = 20;
        ipv4_header(
            &mut self.header,
            total,
            protocol,
            source,
            destination,
            envelope,
        );
    }

    /// Closes the packet with an IPv6 header and, when `extension` is given, that extension header of 8 bytes whose first byte is
    /// filled with the protocol.
    pub fn close_ipv6(
        &mut self,
        protocol: u8,
        source: u128,
        destination: u128,
        hop_limit: u8,
        extension: Option<(u8, [u8; 8])>,
    ) {
        let bytes = |address: u128| address.to_be_bytes();
        let pseudo = sum(&bytes(source)) + sum(&bytes(destination));
        let first_fragment = extension.is_none_or(|(kind, _)| kind != IPV6_FRAGMENT);
        if first_fragment {
            self.close_body(protocol, pseudo);
        }
        let payload_bytes = self.body_bytes + extension.map_or(0, |_| 8);
        let header = &mut self.header;
        header[0..4].copy_from_slice(&[0x60, 0, 0, 0]);
        header[4..6].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
        header[6] = extension.map_or(protocol, |(kind, _)| kind);
        header[7] = hop_limit;
        header[8..24].copy_from_slice(&bytes(source));
        header[24..40].copy_from_slice(&bytes(destination));
        self.header_bytes = 40;
        if let Some((_, mut content)) = extension {
            content[0] = protocol;
            header[40..48].copy_from_slice(&content);
            self.header_bytes = 48;
        }
    }

    /// Breaks the IPv4 header: its first byte, and its total length where one is given.
    pub fn damage_ipv4(&mut self, first_byte: u8, total_bytes: Option<u16>) {
        self.header[0] = first_byte;
        if let Some(total) = total_bytes {
            self.header[2..4].copy_from_slice(&total.to_be_bytes());
        }
    }

    /// Puts the checksum into the body where the protocol has one and the body reaches that far.
    fn close_body(&mut self, protocol: u8, pseudo: u64) {
        if protocol == protocol::SCTP {
            let checksum = crc32c(self.body()).to_le_bytes();
            self.body[8..12].copy_from_slice(&checksum);
            return;
        }
        let (place, pseudo) = match protocol {
            protocol::TCP => (16, pseudo),
            protocol::UDP => (6, pseudo),
            protocol::ICMPV6 => (2, pseudo),
            protocol::ICMP => (2, 0),
            _ => return,
        };
        if self.body_bytes < place + 2 {
            return;
        }
        self.body[place..place + 2].fill(0);
        let framing = if pseudo == 0 {
            0
        } else {
            pseudo + u64::from(protocol) + self.body_bytes as u64
        };
        let checksum = match fold(framing + sum(self.body())) {
            0 if protocol == protocol::UDP => 0xffff,
            checksum => checksum,
        };
        self.body[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Next-header number of the IPv6 fragment header.
pub const IPV6_FRAGMENT: u8 = 44;
/// Next-header number of the IPv6 destination options header.
pub const IPV6_DESTINATION_OPTIONS: u8 = 60;

/// Closes a TCP segment inside another packet: a quoted one, or one in a tunnel.
pub fn close_inner_tcp(segment: &mut [u8], addresses: &[u8]) {
    let framing = u64::from(protocol::TCP) + segment.len() as u64;
    let checksum = fold(sum(addresses) + framing + sum(segment));
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
}

/// Writes an IPv4 header without options into the first 20 bytes of `header`.
pub fn ipv4_header(
    header: &mut [u8],
    total_bytes: u16,
    protocol: u8,
    source: u32,
    destination: u32,
    envelope: &Envelope,
) {
    header[0..2].copy_from_slice(&[0x45, 0]);
    header[2..4].copy_from_slice(&total_bytes.to_be_bytes());
    header[4..6].copy_from_slice(&envelope.id.to_be_bytes());
    header[6..8].copy_from_slice(&envelope.fragment.to_be_bytes());
    header[8..12].copy_from_slice(&[envelope.ttl, protocol, 0, 0]);
    header[12..16].copy_from_slice(&source.to_be_bytes());
    header[16..20].copy_from_slice(&destination.to_be_bytes());
    let checksum = fold(sum(&header[..20]));
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn sum_of_address(address: u32) -> u64 {
    u64::from(address >> 16) + u64::from(address & 0xffff)
}

/// Sum of the 16-bit words of `bytes`, the last one filled up with zero.
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let odd = words
        .remainder()
        .first()
        .map_or(0, |&byte| u64::from(byte) << 8);
    words
        .map(|word| u64::from(u16::from_be_bytes([word[0], word[1]])))
        .sum::<u64>()
        + odd
}

/// The Internet checksum (RFC 1071) of a sum of words.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// CRC32c as SCTP uses it (RFC 9260, appendix A), bit by bit: SCTP is rare.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_of_the_usual_check_string() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn checksums_of_a_closed_packet_sum_to_nothing() {
        let mut packet = Packet::default();
        packet.udp(53, 1024, b"odd");
        packet.close_ipv4(
            protocol::UDP,
            0x0102_0304,
            0xc612_0001,
            &Envelope::default(),
        );
        assert_eq!(fold(sum(packet.header())), 0);
        let pseudo = sum_of_address(0x0102_0304) + sum_of_address(0xc612_0001);
        assert_eq!(fold(pseudo + 17 + 11 + sum(packet.body())), 0);
    }
}
