//! The payloads of an hour: known ones by their signature's name, unknown ones by their hash, in bounded memory.
//!
//! The rows do not depend on the order of the packets or their distribution over workers. So the table cannot keep "the most frequent so
//! far": a payload that was dropped may return. Instead the hashes decide which unknown payloads have a row of their own: on each port those
//! with the smallest ranks, at most [`PER_PORT_MAX`], and of all these the smallest ranks, at most [`PAYLOADS_MAX`]. Ranks only worsen
//! while payloads are added, so a dropped payload never returns, and a kept one was counted from its first packet. Below the limits every
//! payload has its row; beyond them the other packets of a port are counted in one row without a hash, so that no packet is lost. No file,
//! clock, lock or log here.

mod distinct;
mod rows;
mod stored;
mod unknown;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use twox_hash::XxHash64;

use distinct::Distinct;
pub use rows::PayloadRow;
pub use stored::Names;
use teiten_observation::{Address, Family};
use unknown::Unknown;

/// Bytes that are kept of a payload.
pub const FIRST_BYTES: usize = 64;
/// Unknown payloads of one protocol and port that have a row of their own.
pub const PER_PORT_MAX: usize = 256;
/// Unknown payloads of all ports that have a row of their own.
pub const PAYLOADS_MAX: usize = 32 << 10;
/// Rows of known payloads by protocol, port and name; beyond it the port is left out.
pub const NAMED_MAX: usize = 16 << 10;
/// Maximum bytes of a table; a worker has one for each open hour.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;

/// A packet with a payload.
#[derive(Clone, Copy, Debug)]
pub struct PayloadPacket<'a, A> {
    /// IANA protocol number: TCP or UDP.
    pub protocol: u8,
    /// The service asked for; for backscatter the attacked service.
    pub port: u16,
    /// The name of its signature, empty where the payload is unknown.
    pub signature: &'static str,
    /// Source address.
    pub source: A,
    /// The payload as far as it was captured, not empty.
    pub bytes: &'a [u8],
}

/// Protocol and port in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ServiceKey(u32);

impl ServiceKey {
    const fn new(protocol: u8, port: u16) -> Self {
        ServiceKey((protocol as u32) << 16 | port as u32)
    }

    const fn protocol(self) -> u8 {
        (self.0 >> 16) as u8
    }

    const fn port(self) -> u16 {
        self.0 as u16
    }
}

/// Packets and their sources.
#[derive(Clone, Debug, Default)]
struct Count {
    packets: u64,
    sources: Distinct,
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.packets = self.packets.saturating_add(other.packets);
        self.sources.unite(&other.sources);
    }

    /// Memory beyond its own place, bytes.
    fn memory_bytes(&self) -> usize {
        self.sources.memory_bytes()
    }
}

/// The first bytes of a payload.
#[derive(Clone, Copy, Debug)]
struct FirstBytes {
    bytes: [u8; FIRST_BYTES],
    length: u8,
}

impl FirstBytes {
    fn of(payload: &[u8]) -> Self {
        let length = payload.len().min(FIRST_BYTES);
        let mut bytes = [0; FIRST_BYTES];
        bytes[..length].copy_from_slice(&payload[..length]);
        FirstBytes {
            bytes,
            length: length as u8,
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The counts of a payload with a name.
#[derive(Clone, Debug)]
struct Named {
    count: Count,
    /// The smallest of its payloads, as an example that does not depend on their order.
    example: FirstBytes,
}

/// Payloads of an hour. An empty table holds no memory.
#[derive(Clone, Debug, Default)]
pub struct PayloadTable {
    named: HashMap<(ServiceKey, &'static str), Named, RandomState>,
    /// Known payloads whose rank is above this have no port.
    named_rank_max: Option<u64>,
    /// Known payloads without their port, by protocol and name.
    portless: HashMap<(u8, &'static str), Count, RandomState>,
    unknown: Unknown,
}

impl PayloadTable {
    /// Whether the hour has no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.portless.is_empty() && self.unknown.is_empty()
    }

    /// Counts a packet.
    pub fn observe<A: Address>(&mut self, packet: &PayloadPacket<'_, A>) {
        let service = ServiceKey::new(packet.protocol, packet.port);
        let count = |count: &mut Count| {
            count.packets += 1;
            count.sources.insert(source_hash(packet.source));
        };
        if packet.signature.is_empty() {
            let hash = XxHash64::oneshot(0, packet.bytes);
            self.unknown.count(service, hash, packet.bytes, count);
        } else {
            count(self.named_count(service, packet.signature, packet.bytes));
        }
    }

    /// Takes what was counted, and leaves an empty table for later packets of the same hour. It keeps the limits that ranks have reached, which
    /// hold for the hour: payloads beyond them never get rows of their own again.
    #[must_use]
    pub fn take(&mut self) -> PayloadTable {
        self.unknown.trim();
        let left = PayloadTable {
            named_rank_max: self.named_rank_max,
            unknown: self.unknown.with_limit(),
            ..PayloadTable::default()
        };
        std::mem::replace(self, left)
    }

    /// Adds the counts of another worker in the same hour.
    pub fn merge(&mut self, other: PayloadTable) {
        if self.is_empty() && self.named_rank_max.is_none() {
            *self = other;
            return;
        }
        for (&(service, name), named) in &other.named {
            self.named_count(service, name, named.example.as_slice())
                .add(&named.count);
        }
        for (&key, count) in &other.portless {
            self.portless.entry(key).or_default().add(count);
        }
        // The other table's limits apply here too: its counts beyond them are incomplete.
        if let Some(rank_max) = other.named_rank_max {
            self.limit_named(rank_max);
        }
        self.unknown.merge(&other.unknown);
    }

    /// Memory held, bytes, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let named = self.named.capacity() * size_of::<((ServiceKey, &str), Named)>();
        let portless = self.portless.capacity() * size_of::<((u8, &str), Count)>();
        let sets = (self.named.len() + self.portless.len()) * distinct::MEMORY_BYTES_MAX;
        named + portless + sets + self.unknown.memory_bytes()
    }

    /// Where packets with a known payload are counted.
    fn named_count(&mut self, service: ServiceKey, name: &'static str, bytes: &[u8]) -> &mut Count {
        let key = (service, name);
        if !self.named.contains_key(&key) {
            let rank = named_rank(service, name);
            if self.named_rank_max.is_some_and(|rank_max| rank > rank_max) {
                return self.portless.entry((service.protocol(), name)).or_default();
            }
            if self.named.len() == 2 * NAMED_MAX {
                self.trim_named();
                return self.named_count(service, name, bytes);
            }
        }
        let named = self.named.entry(key).or_insert_with(|| Named {
            count: Count::default(),
            example: FirstBytes::of(bytes),
        });
        let start = &bytes[..bytes.len().min(FIRST_BYTES)];
        if start < named.example.as_slice() {
            named.example = FirstBytes::of(bytes);
        }
        &mut named.count
    }

    /// Leaves the [`NAMED_MAX`] rows with the smallest ranks.
    fn trim_named(&mut self) {
        if self.named.len() <= NAMED_MAX {
            return;
        }
        let keys = self.named.keys();
        let mut ranks: Vec<u64> = keys
            .map(|&(service, name)| named_rank(service, name))
            .collect();
        let (_, &mut rank_max, _) = ranks.select_nth_unstable(NAMED_MAX - 1);
        self.limit_named(rank_max);
    }

    fn limit_named(&mut self, rank_max: u64) {
        let rank_max = self
            .named_rank_max
            .map_or(rank_max, |known| known.min(rank_max));
        self.named_rank_max = Some(rank_max);
        let portless = &mut self.portless;
        self.named.retain(|&(service, name), named| {
            let stays = named_rank(service, name) <= rank_max;
            if !stays {
                let key = (service.protocol(), name);
                portless.entry(key).or_default().add(&named.count);
            }
            stays
        });
    }
}

/// The order in which known payloads keep their ports: by chance, but always the same.
fn named_rank(service: ServiceKey, name: &str) -> u64 {
    XxHash64::oneshot(u64::from(service.0), name.as_bytes())
}

fn source_hash<A: Address>(source: A) -> u64 {
    let number = source.number();
    let family = match A::FAMILY {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    mixed(mixed(number as u64 ^ family).wrapping_add((number >> 64) as u64))
}

/// A bijection of 64 bits whose every output bit depends on every input bit (splitmix64's finalizer; Steele et al., 2014).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests;
