//! Damage of an observed packet behind its addresses.

/// Damage behind the addresses: the packet is observed, as malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The IPv4 options or an IPv6 extension header do not fit into the packet.
    IpOptions,
    /// More extension headers than the decoder follows ([`super::ip::EXTENSION_HEADERS_MAX`]).
    ExtensionHeaders,
    /// The transport header does not fit into the packet.
    TransportHeader,
    /// The data offset of a TCP header is below 5 or beyond the packet.
    TcpOptions,
    /// The length field of a UDP header is below 8 or beyond the packet.
    UdpLength,
}

impl Damage {
    /// The damage in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Damage::IpOptions => "IP options or an extension header do not fit into the packet",
            Damage::ExtensionHeaders => "too many IPv6 extension headers",
            Damage::TransportHeader => "the transport header does not fit into the packet",
            Damage::TcpOptions => "the TCP data offset is below 5 or beyond the packet",
            Damage::UdpLength => "the UDP length is below 8 or beyond the packet",
        }
    }
}
