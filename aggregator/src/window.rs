//! The hours that one worker has open: rows and accounts by the hour of the packet's own time.
//!
//! The reader decides which hours are open, in the order of the input ([`Window::close_before`]); workers follow, so that every worker
//! treats the same packet alike. No file, clock, lock or log here.

use std::collections::BTreeMap;

use crate::minute::{HourAccount, MINUTE_US, MinuteCounts, hour_of};
use crate::payload_table::{PayloadPacket, PayloadTable};
use crate::pieces::Spare;
use crate::reply_table::{ReplyPacket, ReplyTable};
use crate::table::{HOUR_US, Row, RowTable, Seed};
use teiten_observation::{Address, Observation};

/// The treatment of a packet whose hour has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatePolicy {
    /// Count it in the account and name its hour: the input can be read again for such hours.
    Reread,
    /// Open its hour once more; the rows become a further part of that hour.
    Reopen,
}

/// One worker's share of an hour.
#[derive(Debug)]
pub struct HourPart {
    /// The hour, counted from 1970-01-01T00 UTC.
    pub hour: i64,
    /// IPv4 rows.
    pub ipv4: RowTable<u32>,
    /// IPv6 rows.
    pub ipv6: RowTable<u128>,
    /// The account.
    pub account: HourAccount,
    /// Payloads of its packets.
    pub payloads: PayloadTable,
    /// Replies among its packets.
    pub replies: ReplyTable,
}

/// Payloads stay in memory when rows are spilled, unless they take so many times the least that a spill is worth: the table is written, read
/// and merged as a whole, and its limits bound it.
const SPILL_PAYLOADS_TIMES: usize = 4;
/// Rows of an hour, and bytes of its payloads, from which it is spilled together with others.
const SPILL_ROWS_MIN: usize = 64;
const SPILL_PAYLOAD_BYTES_MIN: usize = 64 << 10;

impl HourPart {
    fn new(hour: i64, seed: Seed, room: Room, spare: &SpareRows) -> Self {
        HourPart {
            hour,
            ipv4: RowTable::with_room(seed, room.ipv4_rows, spare.ipv4.clone()),
            ipv6: RowTable::with_room(seed, room.ipv6_rows, spare.ipv6.clone()),
            account: HourAccount::default(),
            payloads: PayloadTable::default(),
            replies: ReplyTable::default(),
        }
    }

    /// Whether there is neither a row nor anything to account for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty() && self.account == HourAccount::default()
    }

    /// Memory held, bytes: rows, payloads, and the account.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<HourPart>() + self.spillable_bytes()
    }

    /// Whether a spill gives back more than the next packets take again: a table has room for some rows from its first one on.
    fn is_worth_a_file(&self) -> bool {
        self.ipv4.len() + self.ipv6.len() + self.replies.len() >= SPILL_ROWS_MIN
            || self.payloads.memory_bytes() >= SPILL_PAYLOAD_BYTES_MIN
    }

    /// Memory that a spill frees, bytes.
    fn spillable_bytes(&self) -> usize {
        self.ipv4.memory_bytes()
            + self.ipv6.memory_bytes()
            + self.payloads.memory_bytes()
            + self.replies.memory_bytes()
    }
}

/// Rows that the last hour had: the next will have about as many.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    ipv4_rows: usize,
    ipv6_rows: usize,
}

impl Room {
    fn of(part: &HourPart) -> Self {
        Room {
            ipv4_rows: part.ipv4.len(),
            ipv6_rows: part.ipv6.len(),
        }
    }
}

/// Pieces of memory that a worker keeps for its next rows, of each family, at most: 128 MiB.
const SPARE_PIECES: usize = 16;

/// Memory of rows that have been written, for those that come.
#[derive(Clone, Debug)]
struct SpareRows {
    ipv4: Spare<Row<u32>>,
    ipv6: Spare<Row<u128>>,
}

/// Observations of one hour, waiting to be counted together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Of IPv4.
    pub ipv4: Vec<Observation<u32>>,
    /// Of IPv6.
    pub ipv6: Vec<Observation<u128>>,
}

impl Batch {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

/// All hours that a worker has open.
#[derive(Debug)]
pub struct Window {
    hours: BTreeMap<i64, HourPart>,
    /// Accounts of late packets whose rows are left to a second reading.
    late: BTreeMap<i64, HourAccount>,
    /// Hours before this one have closed.
    open_from: i64,
    policy: LatePolicy,
    seed: Seed,
    room: Room,
    spare: SpareRows,
}

impl Window {
    /// A window with no hour open.
    #[must_use]
    pub fn new(policy: LatePolicy, seed: Seed) -> Self {
        Window {
            hours: BTreeMap::new(),
            late: BTreeMap::new(),
            open_from: i64::MIN,
            policy,
            seed,
            room: Room::default(),
            spare: SpareRows {
                ipv4: Spare::new(SPARE_PIECES, usize::MAX),
                ipv6: Spare::new(SPARE_PIECES, usize::MAX),
            },
        }
    }

    /// The window, keeping at most so many bytes of rows that were written, of each family, for those that come.
    #[must_use]
    pub fn keeping_spare(mut self, bytes: usize) -> Self {
        self.spare = SpareRows {
            ipv4: Spare::new(SPARE_PIECES, bytes),
            ipv6: Spare::new(SPARE_PIECES, bytes),
        };
        self
    }

    /// Whether a packet of this hour comes after its hour closed.
    #[must_use]
    pub fn is_late(&self, hour: i64) -> bool {
        hour < self.open_from
    }

    /// Counts what waits in `batch`, all of `hour`, and empties it.
    pub fn observe(&mut self, hour: i64, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        if !(self.is_late(hour) && self.policy == LatePolicy::Reread) {
            let start_us = hour * HOUR_US;
            let part = self.open(hour);
            part.ipv4.observe(start_us, &batch.ipv4);
            part.ipv6.observe(start_us, &batch.ipv6);
        }
        batch.ipv4.clear();
        batch.ipv6.clear();
    }

    /// Counts the payload of a packet of `hour`.
    pub fn observe_payload<A: Address>(&mut self, hour: i64, packet: &PayloadPacket<'_, A>) {
        if !(self.is_late(hour) && self.policy == LatePolicy::Reread) {
            self.open(hour).payloads.observe(packet);
        }
    }

    /// Counts a reply of `hour`.
    pub fn observe_reply<A: Address>(&mut self, hour: i64, packet: &ReplyPacket<A>) {
        if !(self.is_late(hour) && self.policy == LatePolicy::Reread) {
            self.open(hour).replies.observe(packet);
        }
    }

    /// Adds `counts` to the minute of `time_us`; its seconds are marked by [`Window::mark_active`].
    pub fn account(&mut self, time_us: i64, counts: &MinuteCounts) {
        let minute = (time_us.rem_euclid(HOUR_US) / MINUTE_US) as usize;
        self.account_of(hour_of(time_us))
            .add_to_minute(minute, counts);
    }

    /// Notes that the source was awake in the second of `time_us`.
    pub fn mark_active(&mut self, time_us: i64) {
        let second = (time_us.rem_euclid(HOUR_US) / 1_000_000) as usize;
        self.account_of(hour_of(time_us)).active.insert(second);
    }

    /// Closes every hour before `hour` and hands over this worker's share of those that it has.
    pub fn close_before(&mut self, hour: i64) -> Vec<HourPart> {
        self.open_from = self.open_from.max(hour);
        let open = self.hours.split_off(&hour);
        if let Some((_, last)) = self.hours.last_key_value() {
            self.room = Room::of(last);
        }
        std::mem::replace(&mut self.hours, open)
            .into_values()
            .collect()
    }

    /// Accounts of late packets whose rows were not counted, by hour; they are handed over once.
    pub fn take_late(&mut self) -> BTreeMap<i64, HourAccount> {
        std::mem::take(&mut self.late)
    }

    /// Hours open now.
    #[must_use]
    pub fn open_hours(&self) -> usize {
        self.hours.len()
    }

    /// Memory held by all open hours, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.hours.values().map(HourPart::memory_bytes).sum()
    }

    /// What the open hours hold so far, rows and accounts; all of them stay open, with nothing in them.
    pub fn take_open(&mut self) -> Vec<HourPart> {
        let (seed, spare) = (self.seed, &self.spare);
        let taken = |part: &mut HourPart| {
            // The next stretch will have about as many rows.
            let next = HourPart::new(part.hour, seed, Room::of(part), spare);
            std::mem::replace(part, next)
        };
        let mut parts: Vec<HourPart> = self.hours.values_mut().map(taken).collect();
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// The rows so far of the hour that holds the most memory, and its payloads where they take much of it; its account stays, and it stays
    /// open. `None` if that would free less than `bytes_min`.
    pub fn spill_largest(&mut self, bytes_min: usize) -> Option<HourPart> {
        let payloads_max = bytes_min.saturating_mul(SPILL_PAYLOADS_TIMES);
        let stays = |part: &HourPart| part.payloads.memory_bytes() <= payloads_max;
        let freed = |part: &HourPart| match stays(part) {
            true => part.spillable_bytes() - part.payloads.memory_bytes(),
            false => part.spillable_bytes(),
        };
        let hours = self.hours.values_mut().map(|part| (freed(part), part));
        let (_, part) = hours
            .max_by_key(|(freed, _)| *freed)
            .filter(|(freed, _)| *freed >= bytes_min)?;
        let mut taken = HourPart::new(part.hour, self.seed, Room::of(part), &self.spare);
        std::mem::swap(&mut taken.ipv4, &mut part.ipv4);
        std::mem::swap(&mut taken.ipv6, &mut part.ipv6);
        if !stays(part) {
            taken.payloads = part.payloads.take();
        }
        std::mem::swap(&mut taken.replies, &mut part.replies);
        Some(taken)
    }

    /// The rows and payloads so far of all hours that are worth a file, which stay open with their accounts: many hours with little in each.
    /// None if that would give back less than `bytes_min`.
    pub fn spill_all(&mut self, bytes_min: usize) -> Vec<HourPart> {
        let worth = self.hours.values().filter(|part| part.is_worth_a_file());
        if worth.map(HourPart::spillable_bytes).sum::<usize>() < bytes_min {
            return Vec::new();
        }
        let (seed, spare) = (self.seed, &self.spare);
        let take = |part: &mut HourPart| {
            let mut taken = HourPart::new(part.hour, seed, Room::default(), spare);
            std::mem::swap(&mut taken.ipv4, &mut part.ipv4);
            std::mem::swap(&mut taken.ipv6, &mut part.ipv6);
            taken.payloads = part.payloads.take();
            std::mem::swap(&mut taken.replies, &mut part.replies);
            taken
        };
        let parts = self.hours.values_mut();
        parts
            .filter(|part| part.is_worth_a_file())
            .map(take)
            .collect()
    }

    fn open(&mut self, hour: i64) -> &mut HourPart {
        if !self.hours.contains_key(&hour) {
            // An hour that opens while another is still open follows it, so late packets do not need its memory.
            let room = match self.hours.last_key_value() {
                Some((_, last)) if last.hour < hour => Room::of(last),
                Some(_) => Room::default(),
                None => self.room,
            };
            let part = HourPart::new(hour, self.seed, room, &self.spare);
            self.hours.insert(hour, part);
        }
        self.hours
            .get_mut(&hour)
            .expect("inserted where it was missing")
    }

    fn account_of(&mut self, hour: i64) -> &mut HourAccount {
        if self.is_late(hour) && self.policy == LatePolicy::Reread {
            self.late.entry(hour).or_default()
        } else {
            &mut self.open(hour).account
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use teiten_observation::{Class, Kind, Tool, TrafficType};

    fn batch_at(time_us: i64) -> Batch {
        let kind = Kind::new(TrafficType::Udp, Class::Scan, Tool::None, 17, Some(53));
        let observation = Observation {
            time_us,
            source: 1,
            destination: 2,
            kind,
            wire_length_bytes: 60,
            flags: 0,
            stack: 0,
            pair: 0,
        };
        Batch {
            ipv4: vec![observation],
            ipv6: Vec::new(),
        }
    }

    #[test]
    fn an_overlapping_hour_stays_open_until_it_is_closed() {
        let mut window = Window::new(LatePolicy::Reread, Seed::random());
        for time_us in [HOUR_US - 1, HOUR_US, HOUR_US - 2] {
            window.observe(hour_of(time_us), &mut batch_at(time_us));
        }
        let closed = window.close_before(1);
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].ipv4.len(), 1);
        assert_eq!(window.open_hours(), 1);
    }

    #[test]
    fn a_late_packet_is_named_or_reopens_its_hour() {
        for (policy, open) in [(LatePolicy::Reread, 0), (LatePolicy::Reopen, 1)] {
            let mut window = Window::new(policy, Seed::random());
            let _ = window.close_before(5);
            assert!(window.is_late(4));
            window.observe(4, &mut batch_at(4 * HOUR_US));
            window.account(
                4 * HOUR_US,
                &MinuteCounts {
                    late: 1,
                    ..MinuteCounts::default()
                },
            );
            assert_eq!(window.open_hours(), open);
            assert_eq!(window.take_late().len(), 1 - open);
        }
    }
}
