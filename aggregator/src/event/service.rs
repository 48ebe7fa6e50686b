//! What a source asks for: a protocol and port.

/// A protocol and port in one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AskedService(u32);

impl AskedService {
    /// The service of a row.
    #[must_use]
    pub(crate) fn new(protocol: u8, port: Option<u16>) -> Self {
        AskedService(u32::from(protocol) << 17 | port.map_or(0, |port| u32::from(port) + 1))
    }

    /// The bits.
    #[must_use]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The service with these bits.
    #[must_use]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        AskedService(bits)
    }

    /// IANA protocol number.
    #[must_use]
    pub(crate) const fn protocol(self) -> u8 {
        (self.0 >> 17) as u8
    }

    /// The port.
    #[must_use]
    pub(crate) fn port(self) -> Option<u16> {
        (self.0 & 0x1_ffff).checked_sub(1).map(|port| port as u16)
    }

    /// As people write it: `tcp/23`, `icmp`.
    #[must_use]
    pub(crate) fn text(self) -> String {
        let protocol = match self.protocol() {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmpv6".to_owned(),
            132 => "sctp".to_owned(),
            other => other.to_string(),
        };
        match self.port() {
            Some(port) => format!("{protocol}/{port}"),
            None => protocol,
        }
    }

    /// A scattered number, so that of many services every source keeps the same few.
    pub(crate) fn scattered(self) -> u64 {
        // The finaliser of splitmix64 (Steele, Lea and Flood, 2014).
        let mut bits = u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_comes_back_as_its_protocol_and_port() {
        for (protocol, port, text) in [
            (6, Some(0), "tcp/0"),
            (6, Some(23), "tcp/23"),
            (17, Some(65_535), "udp/65535"),
            (1, None, "icmp"),
            (255, Some(7), "255/7"),
        ] {
            let service = AskedService::new(protocol, port);
            assert_eq!((service.protocol(), service.port()), (protocol, port));
            assert_eq!(service.text(), text);
            assert_eq!(AskedService::from_bits(service.bits()), service);
        }
    }
}
