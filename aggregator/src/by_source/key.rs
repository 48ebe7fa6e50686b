//! The key of a source: an address, or the prefix into which small sources were folded.

use std::net::IpAddr;

use teiten_observation::Address;

/// Bit of a source as bytes: it is a prefix.
const PREFIX: u8 = 0x80;

/// A source in the order of the tables: IPv4 before IPv6, addresses before prefixes, then by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// 4 or 6.
    pub ip_version: u8,
    is_prefix: bool,
    /// The address, or the first one of the prefix.
    pub number: u128,
    prefix_bits: u8,
}

impl SourceKey {
    /// 0.0.0.0, where there is no source yet.
    pub(crate) const NONE: SourceKey = SourceKey {
        ip_version: 4,
        is_prefix: false,
        number: 0,
        prefix_bits: 0,
    };

    /// Parses a text of the column `src_ip`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = ipv4(text.as_bytes()) {
            return Some(SourceKey {
                ip_version: 4,
                is_prefix: false,
                number: number.into(),
                prefix_bits: 0,
            });
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let (ip_version, number) = match address.parse().ok()? {
            IpAddr::V4(address) => (4, address.to_bits().into()),
            IpAddr::V6(address) => (6, address.to_bits()),
        };
        Some(SourceKey {
            ip_version,
            is_prefix: bits.is_some(),
            number,
            prefix_bits: bits.unwrap_or(0),
        })
    }

    /// Whether it is a prefix into which small sources were folded.
    #[must_use]
    pub const fn is_folded(&self) -> bool {
        self.is_prefix
    }

    /// Appends the source as bytes, which [`SourceKey::read_from`] reads.
    pub(crate) fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.ip_version | if self.is_prefix { PREFIX } else { 0 });
        if self.is_prefix {
            bytes.push(self.prefix_bits);
        }
        match self.ip_version {
            4 => bytes.extend((self.number as u32).to_be_bytes()),
            _ => bytes.extend(self.number.to_be_bytes()),
        }
    }

    /// Takes a source from bytes; `None` if there is none.
    pub(crate) fn read_from(bytes: &mut &[u8]) -> Option<Self> {
        let first = *bytes.split_off_first()?;
        let is_prefix = first & PREFIX != 0;
        let prefix_bits = match is_prefix {
            true => *bytes.split_off_first()?,
            false => 0,
        };
        let ip_version = first & !PREFIX;
        let number = match ip_version {
            4 => u32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?).into(),
            6 => u128::from_be_bytes(bytes.split_off(..16)?.try_into().ok()?),
            _ => return None,
        };
        Some(SourceKey {
            ip_version,
            is_prefix,
            number,
            prefix_bits,
        })
    }

    /// Appends the text of the column `src_ip`.
    pub fn write_text(&self, text: &mut Vec<u8>) {
        match self.ip_version {
            4 => (self.number as u32).write_text(text),
            _ => self.number.write_text(text),
        }
        if self.is_prefix {
            text.extend_from_slice(format!("/{}", self.prefix_bits).as_bytes());
        }
    }

    /// The text of the column `src_ip`.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write_text(&mut text);
        text
    }
}

/// Parses the most common form faster than the library does.
fn ipv4(text: &[u8]) -> Option<u32> {
    let (mut number, mut octet, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && !(digits > 0 && octet == 0) => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 && dots < 3 => {
                number = number << 8 | octet;
                (octet, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && octet < 256).then_some(number << 8 | octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_comes_back_as_its_text() {
        for text in [
            "0.0.0.0",
            "192.0.2.7",
            "255.255.255.255",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "2001:db8::1",
            "2001::/16",
        ] {
            let key = SourceKey::parse(text).expect(text);
            assert_eq!(key.text(), text.as_bytes());
            let mut bytes = Vec::new();
            key.write_to(&mut bytes);
            assert_eq!(SourceKey::read_from(&mut &bytes[..]), Some(key));
            assert_eq!(key.is_folded(), text.contains('/'));
        }
        for text in [
            "",
            "1.2.3",
            "1.2.3.256",
            "1.2.3.4.5",
            "01.2.3.4",
            "x",
            "1..2.3",
        ] {
            assert_eq!(SourceKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sources_are_in_the_order_of_the_tables() {
        let texts = [
            "9.0.0.0",
            "10.0.0.0",
            "0.0.0.0/8",
            "2.0.0.0/8",
            "::1",
            "2::",
            "::/16",
        ];
        let keys: Vec<_> = texts
            .iter()
            .filter_map(|text| SourceKey::parse(text))
            .collect();
        assert_eq!(keys.len(), texts.len());
        assert!(keys.is_sorted());
    }
}
