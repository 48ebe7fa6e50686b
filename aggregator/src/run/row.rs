//! A row of a run: what one source did of one kind.

use crate::table::Row;
use teiten_observation::{Address, Kind};

/// What one source did of one kind in one hour, all workers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRow<A> {
    /// Source address.
    pub source: A,
    /// Kind of the packets.
    pub kind: Kind,
    /// First packet, microseconds after the hour's start.
    pub first_us: u32,
    /// Last packet, microseconds after the hour's start.
    pub last_us: u32,
    /// Distinct destinations.
    pub destinations: u32,
    /// Compatibility flags of all packets together.
    pub flags: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Stack signature of the first packet; of those at the same time the smallest.
    pub stack: u64,
    /// The smallest pair value of all packets.
    pub pair: u32,
    /// Packets that have it.
    pub pair_packets: u64,
    /// Packets that show the row's tool; 0 until a source's rows are judged.
    pub tool_packets: u64,
}

impl<A: Address> SourceRow<A> {
    /// The counts of a worker's row, its destinations not counted.
    #[inline(always)]
    pub(crate) fn of(row: &Row<A>) -> Self {
        SourceRow {
            source: row.source,
            kind: row.kind,
            first_us: row.first_us,
            last_us: row.last_us,
            destinations: 0,
            flags: row.flags,
            packets: u64::from(row.packets),
            bytes: row.bytes,
            stack: row.stack,
            pair: row.pair,
            pair_packets: u64::from(row.pair_packets),
            tool_packets: 0,
        }
    }

    /// Whether more than one packet has its pair value.
    #[must_use]
    #[inline]
    pub const fn shares_pair(&self) -> bool {
        self.pair != 0 && self.pair_packets > 1
    }

    /// Adds the counts of `other`; the caller handles source, kind and destinations.
    pub fn add(&mut self, other: &SourceRow<A>) {
        // The lengths in a capture's records are not bounded.
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.tool_packets = self.tool_packets.saturating_add(other.tool_packets);
        self.flags |= other.flags;
        if (other.first_us, other.stack) < (self.first_us, self.stack) {
            self.stack = other.stack;
        }
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        if other.pair == self.pair {
            self.pair_packets = self.pair_packets.saturating_add(other.pair_packets);
        } else if other.pair < self.pair {
            self.pair = other.pair;
            self.pair_packets = other.pair_packets;
        }
    }
}
