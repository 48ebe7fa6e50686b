//! Which replies came in an hour, by victim, attacked service and minute: what denial-of-service events are made of.
//!
//! Only backscatter is counted here: replies to packets that somebody forged with dark addresses as their sources. All of a row is sums,
//! bounds and a set, so the rows are the same however the packets were spread over workers and in whatever order they came. Nothing is left
//! out while an hour is open: rows are spilled where memory is short, and an hour with too many is cut when it closes. No file, clock, lock
//! or log here.

mod counts;

use std::collections::HashMap;

use foldhash::fast::RandomState;

pub use counts::{MINUTE_SLOTS, ReplyCounts, SLOT_US};
use teiten_observation::{Address, Family, TrafficType};

use crate::minute::{MINUTE_US, hour_of};
use crate::table::HOUR_US;

/// A reply.
#[derive(Clone, Copy, Debug)]
pub struct ReplyPacket<A> {
    /// Time, microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Who was sent the forged packets: the source, or who an ICMP error's quoted packet was for.
    pub victim: A,
    /// The dark address.
    pub destination: A,
    /// IANA protocol number of the forged packets.
    pub protocol: u8,
    /// The attacked port, where the protocol has one and it is known.
    pub port: Option<u16>,
    /// What the reply is.
    pub traffic_type: TrafficType,
    /// Length on the wire including the link layer, bytes.
    pub wire_length_bytes: u32,
}

/// What replies are counted together, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyKey {
    /// Of both addresses.
    pub family: Family,
    /// As a number.
    pub victim: u128,
    /// IANA protocol number of the forged packets.
    pub protocol: u8,
    /// The attacked port.
    pub port: Option<u16>,
    /// What the replies are.
    pub traffic_type: TrafficType,
    /// Minute of the hour, 0 to 59.
    pub minute: u8,
}

impl ReplyKey {
    /// The prefix that the victim is of.
    #[must_use]
    pub const fn prefix(&self) -> (Family, u128) {
        (self.family, self.victim >> host_bits(self.family))
    }
}

/// Bits of an address behind the prefix in which carpet attacks are looked for: a /24 of IPv4, a /48 of IPv6, the longest that are
/// announced everywhere (RFC 7454, 6.1.3).
#[must_use]
pub const fn host_bits(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 8,
        Family::Ipv6 => 80,
    }
}

/// A row of the table `backscatter`, but for where its victim is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyRow {
    /// What is counted.
    pub key: ReplyKey,
    /// How much of it.
    pub counts: ReplyCounts,
}

/// Replies of one hour. An empty table holds no memory.
#[derive(Clone, Debug, Default)]
pub struct ReplyTable {
    rows: HashMap<ReplyKey, ReplyCounts, RandomState>,
    /// Bytes of destinations beside the rows.
    set_bytes: usize,
}

impl ReplyTable {
    /// Whether no reply came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Counts a reply.
    pub fn observe<A: Address>(&mut self, packet: &ReplyPacket<A>) {
        let in_hour = packet.time_us - hour_of(packet.time_us) * HOUR_US;
        let key = ReplyKey {
            family: A::FAMILY,
            victim: packet.victim.number(),
            protocol: packet.protocol,
            port: packet.port,
            traffic_type: packet.traffic_type,
            minute: (in_hour / MINUTE_US) as u8,
        };
        let destination = packet.destination.number();
        let wire_bytes = packet.wire_length_bytes;
        let counts = self
            .rows
            .entry(key)
            .or_insert_with(|| ReplyCounts::none(packet.time_us, destination));
        let before = counts.set_bytes();
        counts.observe(packet.time_us, destination, wire_bytes);
        self.set_bytes += counts.set_bytes() - before;
    }

    /// Memory held, bytes, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<(ReplyKey, ReplyCounts)>() + self.set_bytes
    }

    /// All rows in the order of the table.
    #[must_use]
    pub fn into_rows(self) -> Vec<ReplyRow> {
        let rows = self.rows.into_iter();
        let mut rows: Vec<ReplyRow> = rows.map(|(key, counts)| ReplyRow { key, counts }).collect();
        rows.sort_unstable_by_key(|row| row.key);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(time_us: i64, destination: u32) -> ReplyPacket<u32> {
        ReplyPacket {
            time_us,
            victim: 0x0b00_0001,
            destination,
            protocol: 6,
            port: Some(80),
            traffic_type: TrafficType::TcpSynAck,
            wire_length_bytes: 60,
        }
    }

    #[test]
    fn a_row_is_a_minute_of_a_victim_and_says_when_its_replies_came() {
        let mut table = ReplyTable::default();
        let start_us = 5 * HOUR_US + 7 * MINUTE_US;
        for second in [0, 9, 10, 59] {
            table.observe(&reply(start_us + second * 1_000_000, second as u32));
        }
        table.observe(&reply(start_us + MINUTE_US, 0));
        let rows = table.into_rows();
        let minutes: Vec<u8> = rows.iter().map(|row| row.key.minute).collect();
        assert_eq!(minutes, [7, 8]);
        let counts = &rows[0].counts;
        assert_eq!(counts.slots, [2, 1, 0, 0, 0, 1]);
        assert_eq!(
            (
                counts.packets(),
                counts.bytes,
                counts.destinations().count()
            ),
            (4, 240, 4)
        );
        assert_eq!(
            (counts.first_us, counts.last_us),
            (start_us, start_us + 59_000_000)
        );
    }

    #[test]
    fn times_before_1970_have_their_minutes_too() {
        let mut table = ReplyTable::default();
        table.observe(&reply(-1, 1));
        let rows = table.into_rows();
        assert_eq!((rows[0].key.minute, rows[0].counts.slots[5]), (59, 1));
    }

    #[test]
    fn memory_is_that_of_rows_and_their_destinations() {
        let mut table = ReplyTable::default();
        assert_eq!(table.memory_bytes(), 0);
        table.observe(&reply(0, 0));
        let one = table.memory_bytes();
        for destination in 1..5_000 {
            table.observe(&reply(0, destination));
        }
        let estimated = table.memory_bytes() - one;
        assert!((2_048..4_096).contains(&estimated), "{estimated}");
    }
}
