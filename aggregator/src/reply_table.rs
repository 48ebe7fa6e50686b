//! Which replies came in an hour, by victim, attacked service and minute: what denial-of-service events are made of.
//!
//! Only backscatter is counted here: replies to packets that somebody forged with dark addresses as their sources. All of a row is sums,
//! bounds and a set, so the rows are the same however the packets were spread over workers and in whatever order they came. Nothing is left
//! out while an hour is open: rows are spilled where memory is short, and an hour with too many is cut when it closes. No file, clock, lock
//! or log here.
//!
//! Replies are noted as they come. When many notes wait they are sorted, which brings those of a row together, and become a run of rows.

mod counts;

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

/// Replies that wait to become rows, at most: they are sorted within the second-level cache.
const WAITING_MAX: usize = 16 << 10;
/// Runs of rows, at most: more become one.
const RUNS_MAX: usize = 64;

/// What was attacked, what came back, and when: a [`ReplyKey`] without its victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attacked {
    port: Option<u16>,
    protocol: u8,
    traffic_type: TrafficType,
    minute: u8,
}

impl Attacked {
    /// A number whose order is that of the keys.
    #[inline(always)]
    fn order(self) -> u64 {
        let port = self.port.map_or(0, |port| 1 << 16 | u64::from(port));
        u64::from(self.protocol) << 40
            | port << 16
            | (self.traffic_type as u64) << 8
            | u64::from(self.minute)
    }
}

/// A reply as it is noted.
#[derive(Clone, Copy, Debug)]
struct Noted<A> {
    victim: A,
    destination: A,
    service: Attacked,
    in_hour_us: u32,
    wire_length_bytes: u32,
}

const _: () = assert!(size_of::<Noted<u32>>() == 24);

impl<A: Address> Noted<A> {
    fn key(&self) -> ReplyKey {
        let Attacked {
            port,
            protocol,
            traffic_type,
            minute,
        } = self.service;
        ReplyKey {
            family: A::FAMILY,
            victim: self.victim.number(),
            protocol,
            port,
            traffic_type,
            minute,
        }
    }
}

/// Replies of one hour. An empty table holds no memory.
#[derive(Clone, Debug, Default)]
pub struct ReplyTable {
    hour_start_us: i64,
    /// Notes that wait, of each family.
    ipv4: Vec<Noted<u32>>,
    ipv6: Vec<Noted<u128>>,
    /// Rows, each run in order.
    runs: Vec<Vec<ReplyRow>>,
    /// Bytes of all rows, with their destinations.
    rows_bytes: usize,
}

impl ReplyTable {
    /// Whether no reply came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows, at most: notes that wait may be of one.
    #[must_use]
    pub fn len(&self) -> usize {
        let rows = self.runs.iter().map(Vec::len).sum::<usize>();
        rows + self.ipv4.len() + self.ipv6.len()
    }

    /// Counts a reply of the table's hour, which is that of the first one.
    pub fn observe<A: Address>(&mut self, packet: &ReplyPacket<A>) {
        let hour_start_us = hour_of(packet.time_us) * HOUR_US;
        debug_assert!(self.is_empty() || self.hour_start_us == hour_start_us);
        self.hour_start_us = hour_start_us;
        let in_hour_us = (packet.time_us - hour_start_us) as u32;
        let service = Attacked {
            port: packet.port,
            protocol: packet.protocol,
            traffic_type: packet.traffic_type,
            minute: (i64::from(in_hour_us) / MINUTE_US) as u8,
        };
        match A::FAMILY {
            Family::Ipv4 => self.ipv4.push(noted(packet, service, in_hour_us)),
            Family::Ipv6 => self.ipv6.push(noted(packet, service, in_hour_us)),
        }
        if self.ipv4.len() + self.ipv6.len() >= WAITING_MAX {
            self.flush();
        }
    }

    /// Memory held, bytes, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.ipv4.capacity() * size_of::<Noted<u32>>()
            + self.ipv6.capacity() * size_of::<Noted<u128>>()
            + self.rows_bytes
    }

    /// All rows, as runs in the order of the table: a row can be in several of them.
    #[must_use]
    pub fn into_runs(mut self) -> Vec<Vec<ReplyRow>> {
        self.flush();
        self.runs
    }

    /// Makes rows of the notes.
    fn flush(&mut self) {
        let mut rows = Vec::new();
        append_rows(self.hour_start_us, &mut self.ipv4, &mut rows);
        append_rows(self.hour_start_us, &mut self.ipv6, &mut rows);
        if rows.is_empty() {
            return;
        }
        self.runs.push(rows);
        if self.runs.len() > RUNS_MAX {
            let all = self.runs.drain(..).flatten().collect();
            self.runs.push(united(all));
            self.rows_bytes = 0;
        }
        let new = self.runs.last_mut();
        self.rows_bytes += new.map_or(0, |rows| {
            rows.shrink_to_fit();
            let sets = rows.iter().map(|row| row.counts.set_bytes());
            rows.len() * size_of::<ReplyRow>() + sets.sum::<usize>()
        });
    }
}

/// A packet as a note of addresses of its family.
#[inline(always)]
fn noted<A: Address, N: Address>(
    packet: &ReplyPacket<A>,
    service: Attacked,
    in_hour_us: u32,
) -> Noted<N> {
    Noted {
        victim: N::from_number(packet.victim.number()),
        destination: N::from_number(packet.destination.number()),
        service,
        in_hour_us,
        wire_length_bytes: packet.wire_length_bytes,
    }
}

/// Appends the rows of these notes in order; the notes are gone then.
fn append_rows<A: Address>(
    hour_start_us: i64,
    notes: &mut Vec<Noted<A>>,
    rows: &mut Vec<ReplyRow>,
) {
    notes.sort_unstable_by_key(|note| (note.victim, note.service.order(), note.destination));
    let is_same = |left: &Noted<A>, right: &Noted<A>| {
        (left.victim, left.service) == (right.victim, right.service)
    };
    for notes in notes.chunk_by(is_same) {
        let mut counts = ReplyCounts::none();
        for note in notes {
            let time_us = hour_start_us + i64::from(note.in_hour_us);
            counts.add_packet(time_us, note.wire_length_bytes);
        }
        counts.set_destinations(notes.iter().map(|note| note.destination.number()));
        rows.push(ReplyRow {
            key: notes[0].key(),
            counts,
        });
    }
    notes.clear();
}

/// The rows in order, those with one key as one.
fn united(mut rows: Vec<ReplyRow>) -> Vec<ReplyRow> {
    // Runs that follow each other are sorted already.
    rows.sort_by_key(|row| row.key);
    rows.dedup_by(|later, kept| {
        let is_same = later.key == kept.key;
        if is_same {
            kept.counts.add(&later.counts);
        }
        is_same
    });
    rows
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

    fn rows(table: ReplyTable) -> Vec<ReplyRow> {
        united(table.into_runs().into_iter().flatten().collect())
    }

    #[test]
    fn a_row_is_a_minute_of_a_victim_and_says_when_its_replies_came() {
        let mut table = ReplyTable::default();
        let start_us = 5 * HOUR_US + 7 * MINUTE_US;
        for second in [0, 9, 10, 59] {
            table.observe(&reply(start_us + second * 1_000_000, second as u32));
        }
        table.observe(&reply(start_us + MINUTE_US, 0));
        let rows = rows(table);
        let minutes: Vec<u8> = rows.iter().map(|row| row.key.minute).collect();
        assert_eq!(minutes, [7, 8]);
        let counts = &rows[0].counts;
        assert_eq!(counts.slots, [2, 1, 0, 0, 0, 1]);
        assert_eq!(
            (counts.packets(), counts.bytes, counts.view().count()),
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
        let rows = rows(table);
        assert_eq!((rows[0].key.minute, rows[0].counts.slots[5]), (59, 1));
    }

    #[test]
    fn many_replies_count_as_few_at_a_time_do() {
        // More than wait, and more runs than are kept.
        let count = (WAITING_MAX * (RUNS_MAX + 3)) as u32;
        let packet = |number: u32| ReplyPacket {
            victim: 0x0b00_0000 | (number % 7),
            protocol: [6, 17][number as usize / 7 % 2],
            port: (!number.is_multiple_of(5)).then_some((number % 3) as u16),
            ..reply(
                HOUR_US + i64::from(number.wrapping_mul(2_654_435_761) % 3_600) * 1_000_000,
                number % 11 * (number % 4),
            )
        };
        let mut table = ReplyTable::default();
        (0..count).for_each(|number| table.observe(&packet(number)));
        assert!(table.runs.len() <= RUNS_MAX);
        let mut counted = std::collections::BTreeMap::new();
        for number in 0..count {
            let reply = packet(number);
            let minute = (reply.time_us - HOUR_US) / MINUTE_US;
            let key = (reply.victim, reply.protocol, reply.port, minute);
            let entry = counted
                .entry(key)
                .or_insert((0, std::collections::BTreeSet::new()));
            entry.0 += 1;
            entry.1.insert(u128::from(reply.destination));
        }
        let rows = rows(table);
        assert_eq!(rows.len(), counted.len());
        for (row, ((victim, protocol, port, minute), (packets, destinations))) in
            rows.iter().zip(counted)
        {
            let key = &row.key;
            assert_eq!(
                (key.victim, key.protocol, key.port, key.minute),
                (u128::from(victim), protocol, port, minute as u8)
            );
            assert_eq!(row.counts.packets(), packets);
            let mut members = Vec::new();
            row.counts.view().each(|one| members.push(one));
            assert_eq!(members, destinations.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn memory_is_that_of_notes_or_of_rows_and_their_destinations() {
        let mut table = ReplyTable::default();
        assert_eq!(table.memory_bytes(), 0);
        for destination in 0..5_000 {
            table.observe(&reply(0, destination));
        }
        assert!((5_000 * 24..20_000 * 24).contains(&table.memory_bytes()));
        table.flush();
        table.ipv4 = Vec::new();
        assert!(
            (2_048..5_000).contains(&table.memory_bytes()),
            "{}",
            table.memory_bytes()
        );
    }
}
