//! Decides which packets have a plausible time: one that is not too far from its neighbours in the same capture.
//!
//! Packets near each other in time belong to one clock, once [`AGREEING_MIN`] of them agree. A capture may have several clocks: after a long
//! silence, where files were joined, or where interfaces disagree. A packet of no clock is implausible if one clock continues both before
//! and after it, and also if it is last and far ahead, because no other packet confirms its time. The judgement depends only on the
//! packets and their order, so some packets wait for those that follow.

use std::collections::{BTreeSet, VecDeque};

use teiten_aggregator::minute::hour_of;
use teiten_aggregator::table::HOUR_US;

use super::record::{NO_TIME_US, Record};

/// How far a packet may be from its neighbours by default, days: a telescope can be silent, or switched off, for weeks.
pub const IMPLAUSIBLE_DAYS_DEFAULT: u32 = 30;

/// Packets that must agree on a time before it counts as a clock.
pub const AGREEING_MIN: usize = 32;

/// How many packets a packet waits for others of its time before it is judged.
const WAITING_MAX: u64 = 256;

/// Most times that are kept until enough packets agree on them.
const GROUPS_MAX: usize = 64;

/// Most clocks of one capture at a time.
const CLOCKS_MAX: usize = 8;

/// At the end of a capture, up to this many packets far ahead of all others are implausible; more of them are a new clock.
const LAST_MAX: usize = 3;

/// An impossible start of an hour.
const NO_HOUR_US: i64 = i64::MAX - HOUR_US;

/// Judges the times of one capture's packets, in their order.
#[derive(Debug)]
pub struct TimeJudge {
    limit_us: u64,
    clocks: Vec<ClockRun>,
    /// Packets of this hour are plausible without further checks.
    hour_start_us: i64,
    seen: u64,
    waiting: VecDeque<WaitingPacket>,
    groups: VecDeque<ClockGroup>,
    implausible: BTreeSet<u64>,
    hours: BTreeSet<i64>,
}

/// A clock: its time, and the numbers of the first and the last packet that belong to it.
#[derive(Clone, Copy, Debug)]
struct ClockRun {
    time_us: i64,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct WaitingPacket {
    number: u64,
    time_us: i64,
}

#[derive(Clone, Copy, Debug)]
struct ClockGroup {
    time_us: i64,
    packets: usize,
}

impl TimeJudge {
    /// A judge before the first packet; `days` is how far a packet may be from its neighbours.
    #[must_use]
    pub fn new(days: u32) -> Self {
        TimeJudge {
            limit_us: u64::from(days.max(1)) * 24 * HOUR_US as u64,
            clocks: Vec::new(),
            hour_start_us: NO_HOUR_US,
            seen: 0,
            waiting: VecDeque::new(),
            groups: VecDeque::new(),
            implausible: BTreeSet::new(),
            hours: BTreeSet::new(),
        }
    }

    /// Takes the next packets.
    pub fn look(&mut self, records: &[Record]) {
        for (index, record) in records.iter().enumerate() {
            if record.time_us.wrapping_sub(self.hour_start_us) as u64 >= HOUR_US as u64 {
                self.look_closely(self.seen + index as u64, record.time_us);
            }
        }
        self.seen += records.len() as u64;
    }

    /// Ends the capture: waiting packets are judged by what was seen.
    pub fn finish(&mut self) {
        let end = self.clocks.iter().map(|clock| clock.last).max();
        let is_last = |waiting: &&WaitingPacket| end.is_some_and(|end| waiting.number > end);
        let last = self.waiting.iter().filter(is_last).count();
        let latest_us = self.clocks.iter().map(|clock| clock.time_us).max();
        while let Some(waiting) = self.waiting.pop_front() {
            let is_ahead = latest_us.is_some_and(|latest_us| {
                waiting.time_us > latest_us && !self.is_near(waiting.time_us, latest_us)
            });
            if is_ahead && last <= LAST_MAX && is_last(&&waiting) {
                self.implausible.insert(waiting.number);
            } else {
                self.judge(waiting);
            }
        }
    }

    /// The number of packets, from the first on, that are judged.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.waiting
            .front()
            .map_or(self.seen, |waiting| waiting.number)
    }

    /// The numbers, from 0, of judged packets before `number` that are implausible; each is given once.
    pub fn take_implausible(&mut self, number: u64) -> Vec<u64> {
        if self.implausible.is_empty() {
            return Vec::new();
        }
        let later = self.implausible.split_off(&number);
        std::mem::replace(&mut self.implausible, later)
            .into_iter()
            .collect()
    }

    /// Hours of plausible packets since the last call.
    pub fn take_hours(&mut self) -> BTreeSet<i64> {
        std::mem::take(&mut self.hours)
    }

    #[cold]
    fn look_closely(&mut self, number: u64, time_us: i64) {
        if time_us == NO_TIME_US {
            self.implausible.insert(number);
            return;
        }
        if let Some(place) =
            (0..self.clocks.len()).find(|&place| self.is_near(self.clocks[place].time_us, time_us))
        {
            // The clock of the last packet is tried first.
            self.clocks[..=place].rotate_right(1);
            self.clocks[0].time_us = time_us;
            self.clocks[0].last = number;
            self.hours.insert(hour_of(time_us));
        } else {
            self.wait(number, time_us);
        }
        while let Some(waiting) = self
            .waiting
            .pop_front_if(|waiting| waiting.number + WAITING_MAX <= number)
        {
            self.judge(waiting);
        }
        // While packets wait, the packets around them must be counted one by one.
        self.hour_start_us = match self.clocks.first() {
            Some(clock) if self.waiting.is_empty() => clock
                .time_us
                .saturating_sub(clock.time_us.rem_euclid(HOUR_US)),
            _ => NO_HOUR_US,
        };
    }

    fn is_near(&self, one_us: i64, other_us: i64) -> bool {
        one_us.abs_diff(other_us) <= self.limit_us
    }

    /// A packet of no clock waits; once enough packets agree on its time, that time is a clock.
    fn wait(&mut self, number: u64, time_us: i64) {
        self.waiting.push_back(WaitingPacket { number, time_us });
        let near = self
            .groups
            .iter()
            .position(|group| self.is_near(group.time_us, time_us));
        let mut group = near
            .and_then(|place| self.groups.remove(place))
            .unwrap_or(ClockGroup {
                time_us,
                packets: 0,
            });
        group.time_us = time_us;
        group.packets += 1;
        if group.packets < AGREEING_MIN {
            self.groups.push_front(group);
            self.groups.truncate(GROUPS_MAX);
            return;
        }
        let of_clock = |waiting: &WaitingPacket| waiting.time_us.abs_diff(time_us) <= self.limit_us;
        let first = self
            .waiting
            .iter()
            .find(|waiting| of_clock(waiting))
            .map_or(number, |waiting| waiting.number);
        let plausible = self.waiting.iter().filter(|waiting| of_clock(waiting));
        self.hours
            .extend(plausible.map(|waiting| hour_of(waiting.time_us)));
        self.waiting
            .retain(|waiting| waiting.time_us.abs_diff(time_us) > self.limit_us);
        self.clocks.insert(
            0,
            ClockRun {
                time_us,
                first,
                last: number,
            },
        );
        self.clocks.truncate(CLOCKS_MAX);
    }

    /// A packet is implausible if one clock continues before and after it.
    fn judge(&mut self, waiting: WaitingPacket) {
        let goes_on =
            |clock: &ClockRun| clock.first < waiting.number && waiting.number < clock.last;
        if self.clocks.iter().any(goes_on) {
            self.implausible.insert(waiting.number);
        } else {
            self.hours.insert(hour_of(waiting.time_us));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::block::BLOCK_RECORDS_MAX;
    use super::*;
    use teiten_packet::LinkType;

    const DAY_US: i64 = 24 * HOUR_US;
    const T0: i64 = 20_000 * DAY_US;

    fn records(times_us: &[i64]) -> Vec<Record> {
        let record = |&time_us: &i64| Record {
            time_us,
            nanoseconds: 0,
            offset: 0,
            captured_bytes: 0,
            wire_bytes: 0,
            link_type: LinkType(1),
        };
        times_us.iter().map(record).collect()
    }

    /// The implausible packets when they come in blocks of this many.
    fn judged(times_us: &[i64], block: usize) -> Vec<u64> {
        let mut judge = TimeJudge::new(30);
        records(times_us)
            .chunks(block)
            .for_each(|block| judge.look(block));
        judge.finish();
        assert_eq!(judge.judged(), times_us.len() as u64);
        judge.take_implausible(u64::MAX)
    }

    fn check(times_us: &[i64], expected: &[u64]) {
        for block in [1, 7, BLOCK_RECORDS_MAX] {
            assert_eq!(judged(times_us, block), expected, "blocks of {block}");
        }
    }

    fn series(from_us: i64, packets: i64) -> Vec<i64> {
        (0..packets)
            .map(|number| from_us + number * 10_000_000)
            .collect()
    }

    #[test]
    fn one_packet_far_from_its_neighbours_is_implausible() {
        for place in [1, 5, 100, 999] {
            for far_us in [T0 + 100 * DAY_US, 0, 4_294_967_295_000_000, NO_TIME_US] {
                let mut times_us = series(T0, 1000);
                times_us.insert(place, far_us);
                check(&times_us, &[place as u64]);
            }
        }
    }

    #[test]
    fn what_comes_last_and_far_ahead_is_implausible() {
        for packets in 1..=4 {
            let ahead = [series(T0, 100), series(T0 + 100 * DAY_US, packets)].concat();
            let expected: Vec<u64> = (100..100 + packets as u64)
                .filter(|_| packets < 4)
                .collect();
            check(&ahead, &expected);
        }
        check(&[series(T0, 100), series(0, 1)].concat(), &[]);
    }

    #[test]
    fn a_clock_that_goes_elsewhere_is_believed() {
        check(
            &[series(T0, 100), series(T0 + 400 * DAY_US, 32)].concat(),
            &[],
        );
        check(&[series(0, 1), series(T0, 100)].concat(), &[]);
        check(
            &[series(0, 100), vec![T0 - 100 * DAY_US], series(T0, 100)].concat(),
            &[],
        );
        let back = [
            series(T0, 100),
            series(T0 + 400 * DAY_US, 31),
            series(T0 + HOUR_US, 100),
        ]
        .concat();
        check(&back, &(100..131).collect::<Vec<u64>>());
    }

    #[test]
    fn two_clocks_side_by_side_are_both_believed() {
        let (one, other) = (series(T0, 500), series(T0 + 300 * DAY_US, 500));
        let both: Vec<i64> = one
            .into_iter()
            .zip(other)
            .flat_map(|(one, other)| [one, other])
            .collect();
        check(&both, &[]);
    }

    #[test]
    fn few_packets_are_believed() {
        check(&[T0, T0 + 400 * DAY_US, T0 + 1, 0, T0 + 2], &[]);
        check(
            &(0..100)
                .map(|number| T0 + number * 40 * DAY_US)
                .collect::<Vec<i64>>(),
            &[],
        );
        check(&[NO_TIME_US, T0], &[0]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut judge = TimeJudge::new(30);
        let wild: Vec<i64> = (0..100_000)
            .map(|number| number % 977 * 40 * DAY_US)
            .collect();
        judge.look(&records(&wild));
        assert!(judge.waiting.len() <= WAITING_MAX as usize && judge.groups.len() <= GROUPS_MAX);
    }

    proptest! {
        #[test]
        fn blocks_do_not_show(
            days in proptest::collection::vec(0i64..5, 1..600),
            block in 1usize..50,
        ) {
            let times_us: Vec<i64> = days.iter().map(|day| T0 + day * 100 * DAY_US).collect();
            prop_assert_eq!(judged(&times_us, block), judged(&times_us, usize::MAX >> 1));
        }
    }
}
