//! Watched addresses and prefixes, of both families.

use serde::{Deserialize, Serialize};
use teiten_observation::{Address, Family};

/// An address, or the prefix of a carpet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct WatchedAddress {
    /// 4 or 6.
    pub ip_version: u8,
    /// The address, or the first one of the prefix.
    pub number: u128,
    /// Bits of the prefix; none of an address.
    pub prefix_bits: Option<u8>,
}

impl WatchedAddress {
    pub(super) fn of(family: Family, number: u128) -> Self {
        WatchedAddress {
            ip_version: family as u8,
            number,
            prefix_bits: None,
        }
    }

    pub(super) const fn family(self) -> Family {
        match self.ip_version {
            4 => Family::Ipv4,
            _ => Family::Ipv6,
        }
    }

    /// The prefix in which carpets are looked for.
    pub(super) fn carpet_prefix(self) -> Self {
        let host_bits = crate::reply_table::host_bits(self.family());
        let bits = match self.family() {
            Family::Ipv4 => u32::BITS,
            Family::Ipv6 => u128::BITS,
        };
        WatchedAddress {
            number: self.number >> host_bits << host_bits,
            prefix_bits: Some((bits - host_bits) as u8),
            ..self
        }
    }

    /// As text, RFC 5952 for IPv6; a prefix with its bits.
    pub(super) fn text(self) -> String {
        let mut text = Vec::new();
        match self.family() {
            Family::Ipv4 => (self.number as u32).write_text(&mut text),
            Family::Ipv6 => self.number.write_text(&mut text),
        }
        let mut text = String::from_utf8(text).unwrap_or_default();
        if let Some(bits) = self.prefix_bits {
            text.push_str(&format!("/{bits}"));
        }
        text
    }
}
