//! IPv4 and IPv6 addresses as numbers, and the family that tells them apart.

use std::fmt;
use std::hash::Hash;
use std::net::Ipv6Addr;

/// The IP version of the outermost header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IP version 4
    Ipv4 = 4,
    /// IP version 6
    Ipv6 = 6,
}

/// Buckets that addresses fall into by their leading bits.
pub const BUCKETS: usize = 256;

/// An address as a number in host byte order: `u32` for IPv4, `u128` for IPv6.
pub trait Address: Copy + Ord + Hash + Send + Sync + fmt::Debug + 'static {
    /// The family of such addresses.
    const FAMILY: Family;
    /// Width in bits.
    const BITS: u32;

    /// The number, widened.
    fn number(self) -> u128;

    /// From a number that fits; higher bits are dropped.
    fn from_number(number: u128) -> Self;

    /// A number below [`BUCKETS`] that never falls when the address rises: the leading octet of IPv4; of IPv6 the eight bits behind
    /// the prefix 2000::/4, where nearly all sources are, with the others at the two ends.
    fn bucket(self) -> usize;

    /// Appends the usual text form (RFC 5952 for IPv6) to `text`.
    fn write_text(self, text: &mut Vec<u8>);
}

/// Bytes of an octet's digits and a dot, at most.
const OCTET_BYTES: usize = 4;

/// The digits of each octet and a dot, and how many bytes they are.
const OCTETS: [([u8; OCTET_BYTES], u8); 256] = {
    let mut octets = [([0; OCTET_BYTES], 0); 256];
    let mut octet = 0;
    while octet < octets.len() {
        let (text, length) = &mut octets[octet];
        let mut unit = 100;
        while unit > 0 {
            if octet >= unit || unit == 1 {
                text[*length as usize] = b'0' + (octet / unit % 10) as u8;
                *length += 1;
            }
            unit /= 10;
        }
        text[*length as usize] = b'.';
        *length += 1;
        octet += 1;
    }
    octets
};

impl Address for u32 {
    const FAMILY: Family = Family::Ipv4;
    const BITS: u32 = 32;

    fn number(self) -> u128 {
        u128::from(self)
    }

    fn from_number(number: u128) -> Self {
        number as u32
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        (self >> 24) as usize
    }

    fn write_text(self, text: &mut Vec<u8>) {
        // Each octet is put behind the one before with a dot and what it has no digits for, which the next one covers.
        let mut line = [0; 4 * OCTET_BYTES];
        let mut length = 0;
        for octet in self.to_be_bytes() {
            let (octet, bytes) = OCTETS[usize::from(octet)];
            line[length..][..OCTET_BYTES].copy_from_slice(&octet);
            length += usize::from(bytes);
        }
        let start = text.len();
        text.extend_from_slice(&line);
        text.truncate(start + length - 1);
    }
}

impl Address for u128 {
    const FAMILY: Family = Family::Ipv6;
    const BITS: u32 = 128;

    fn number(self) -> u128 {
        self
    }

    fn from_number(number: u128) -> Self {
        number
    }

    #[inline(always)]
    fn bucket(self) -> usize {
        ((self >> 116) as usize).clamp(0x200, 0x2ff) - 0x200
    }

    fn write_text(self, text: &mut Vec<u8>) {
        use std::io::Write;
        // Writing to a Vec cannot fail.
        let _ = write!(text, "{}", Ipv6Addr::from(self));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ipv4_text_is_the_standard_one() {
        for address in [0, 0x0102_0304, 0xff64_0a09, u32::MAX] {
            let mut text = Vec::new();
            address.write_text(&mut text);
            assert_eq!(text, Ipv4Addr::from(address).to_string().into_bytes());
        }
    }
}
