//! One worker's loop over the records of a block: decode, place, classify, and count. No file, clock, lock or log here.

pub(super) mod thread;

use std::collections::BTreeSet;
use std::sync::Arc;

use teiten_aggregator::minute::{MINUTE_US, MinuteCounts, hour_of};
use teiten_aggregator::payload_table::PayloadPacket;
use teiten_aggregator::prefetch::prefetch;
use teiten_aggregator::reply_table::ReplyPacket;
use teiten_aggregator::window::{Batch, HourPart, Window};
use teiten_observation::{Address, Class, Family, Observation, TrafficType};

use super::accounting::WorkerTally;
use crate::source::live::Drops;
use crate::source::record::{NO_TIME_US, Record};
use crate::watch::Sample;
use teiten_packet::{Frame, Judgement, Observed, Place, PlainSyn, Telescope, judge};

/// How far ahead of a packet its bytes are asked for, and how many of them one request brings.
const RECORDS_AHEAD: usize = 12;
const LINE_BYTES: usize = 64;
/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

/// What a worker does with the packets that it decodes.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Counts everything.
    First,
    /// Counts the rows of these hours alone, whose accounts a first reading has taken.
    Again(Arc<BTreeSet<i64>>),
}

/// The state of one worker.
#[derive(Debug)]
pub struct Worker {
    telescope: Arc<Telescope>,
    reading: Reading,
    window: Window,
    tally: WorkerTally,
    batch: Batch,
    payloads: bool,
    /// Whether a packet shows that its second was observed.
    marks_seconds: bool,
    sample: Option<Box<Sample>>,
    now: Now,
}

/// The minute that packets are being counted in.
#[derive(Debug)]
struct Now {
    minute_start_us: i64,
    second_start_us: i64,
    hour: i64,
    late: bool,
    counts: MinuteCounts,
}

impl Worker {
    /// A worker that has seen nothing.
    #[must_use]
    pub fn new(telescope: Arc<Telescope>, reading: Reading, window: Window) -> Self {
        Worker {
            telescope,
            marks_seconds: matches!(reading, Reading::First),
            reading,
            window,
            tally: WorkerTally::default(),
            batch: Batch::default(),
            payloads: true,
            sample: None,
            now: Now {
                minute_start_us: i64::MIN / 2,
                second_start_us: i64::MIN / 2,
                hour: i64::MIN / 2,
                late: false,
                counts: MinuteCounts::default(),
            },
        }
    }

    /// The worker, keeping payloads of packets or not; without a word it keeps them.
    #[must_use]
    pub fn keeping_payloads(mut self, payloads: bool) -> Self {
        self.payloads = payloads;
        self
    }

    /// Counts the packets of `records`, whose bytes are in `bytes`.
    pub fn process(&mut self, bytes: &[u8], records: &[Record]) {
        self.process_each(bytes, records.len(), |index| &records[index]);
    }

    /// Counts those of `records` that are picked by their numbers.
    pub fn process_picks(&mut self, bytes: &[u8], records: &[Record], picks: &[u16]) {
        self.process_each(bytes, picks.len(), |index| {
            &records[usize::from(picks[index])]
        });
    }

    #[inline(always)]
    fn process_each<'r>(
        &mut self,
        bytes: &[u8],
        count: usize,
        record: impl Fn(usize) -> &'r Record,
    ) {
        for index in 0..count {
            // The bytes were last seen by the thread that walked over them.
            if index + RECORDS_AHEAD < count {
                let ahead = record(index + RECORDS_AHEAD).offset as usize;
                prefetch(bytes, ahead);
                prefetch(bytes, ahead + LINE_BYTES);
            }
            let record = record(index);
            let from_minute = record.time_us.wrapping_sub(self.now.minute_start_us);
            if from_minute as u64 >= MINUTE_US as u64 {
                if record.time_us == NO_TIME_US {
                    self.count_implausible(record);
                    continue;
                }
                self.enter_minute(record.time_us);
            }
            if let Reading::Again(hours) = &self.reading
                && !hours.contains(&self.now.hour)
            {
                continue;
            }
            let from_second = record.time_us.wrapping_sub(self.now.second_start_us);
            if from_second as u64 >= SECOND_US as u64 {
                self.enter_second(record.time_us);
            }
            self.count(record, bytes);
        }
        self.leave_minute();
        self.observe();
    }

    /// From now on a sample is taken of each block.
    pub fn start_sampling(&mut self) {
        self.sample = Some(Box::default());
    }

    /// The sample of the last block, where one is taken.
    pub fn sample(&mut self) -> Option<&mut Sample> {
        self.sample.as_deref_mut()
    }

    /// Hands the observations that wait to their hour.
    fn observe(&mut self) {
        if let Some(sample) = &mut self.sample {
            sample.add(&self.batch);
        }
        self.window.observe(self.now.hour, &mut self.batch);
    }

    /// The worker, noting the seconds in which packets came or not; without a word it notes them.
    #[must_use]
    pub fn marking_seconds(mut self, marks: bool) -> Self {
        self.marks_seconds = marks && matches!(self.reading, Reading::First);
        self
    }

    /// Notes that a second, counted from 1970-01-01 UTC, was observed.
    pub fn mark_second(&mut self, second: i64) {
        self.window.mark_active(second.saturating_mul(SECOND_US));
    }

    /// Counts packets that never arrived, in the minute in which they were lost.
    pub fn dropped(&mut self, drops: Drops) {
        let counts = MinuteCounts {
            dropped_kernel: drops.kernel,
            dropped_interface: drops.interface,
            ..MinuteCounts::default()
        };
        self.window.account(drops.since_us, &counts);
    }

    /// Closes every hour before `hour`; hands over this worker's share of those that it has.
    pub fn close_before(&mut self, hour: i64) -> Vec<HourPart> {
        self.now.late = self.window.is_late(self.now.hour);
        self.now.minute_start_us = i64::MIN / 2;
        self.window.close_before(hour)
    }

    /// What the worker has of all hours, those before `hour` closed, the others open with nothing in them.
    pub fn checkpoint(&mut self, hour: i64) -> Vec<HourPart> {
        let mut parts = self.close_before(hour);
        parts.extend(self.window.take_open());
        parts
    }

    /// The hours that the worker has open.
    pub fn window(&mut self) -> &mut Window {
        &mut self.window
    }

    /// What the worker has counted.
    #[must_use]
    pub fn tally(&self) -> &WorkerTally {
        &self.tally
    }

    #[inline(always)]
    fn count(&mut self, record: &Record, bytes: &[u8]) {
        self.tally.bytes += u64::from(record.wire_bytes);
        self.now.counts.received += 1;
        let frame = record.frame(bytes);
        let Some(syn) = PlainSyn::read(frame) else {
            self.count_any(record, frame);
            return;
        };
        match syn.place(&self.telescope) {
            Place::Observed => {
                let packet = syn.observed();
                self.now.counts.observed += 1;
                self.tally
                    .observe(Family::Ipv4, packet.protocol, packet.kind);
                self.batch
                    .ipv4
                    .push(packet.at(record.time_us, record.wire_bytes));
            }
            Place::Outside => self.now.counts.outside += 1,
            Place::Excluded => self.now.counts.excluded += 1,
        }
    }

    /// Counts a frame that is no plain SYN.
    #[inline(never)]
    fn count_any(&mut self, record: &Record, frame: Frame<'_>) {
        match judge(&self.telescope, frame) {
            Judgement::Ipv4(packet) => {
                let observation = self.observed(record, &packet);
                self.batch.ipv4.push(observation);
            }
            Judgement::Ipv6(packet) => {
                let observation = self.observed(record, &packet);
                self.batch.ipv6.push(observation);
            }
            Judgement::Outside => self.now.counts.outside += 1,
            Judgement::Excluded => self.now.counts.excluded += 1,
            Judgement::NotIp => self.now.counts.not_ip += 1,
            Judgement::Malformed(layer, _) => {
                self.tally.damaged(layer);
                self.now.counts.malformed += 1;
            }
        }
    }

    #[inline(always)]
    fn observed<A: Address>(
        &mut self,
        record: &Record,
        packet: &Observed<'_, A>,
    ) -> Observation<A> {
        if packet.kind.class() == Class::Backscatter {
            self.observe_reply(record, packet);
        }
        if !packet.payload.is_empty() && self.payloads {
            self.observe_payload(packet);
        }
        self.now.counts.observed += 1;
        self.tally.observe(A::FAMILY, packet.protocol, packet.kind);
        packet.at(record.time_us, record.wire_bytes)
    }

    /// Few packets of a telescope carry data, so this stays out of the way of the others.
    #[inline(never)]
    fn observe_payload<A: Address>(&mut self, packet: &Observed<'_, A>) {
        let Some(port) = packet.kind.port() else {
            return;
        };
        let payload = PayloadPacket {
            protocol: packet.protocol,
            port,
            signature: packet.signature.map_or("", |row| row.name),
            source: packet.source,
            bytes: packet.payload,
        };
        self.window.observe_payload(self.now.hour, &payload);
    }

    /// Replies say who is attacked. An ICMP error that quotes too little of the forged packet says nothing.
    #[inline(never)]
    fn observe_reply<A: Address>(&mut self, record: &Record, packet: &Observed<'_, A>) {
        let traffic_type = packet.kind.traffic_type();
        let (victim, protocol, port) = if is_icmp_error(traffic_type) {
            let Some(quoted) = packet.quoted() else {
                return;
            };
            let port = quoted.ports.map(|(_, service)| service);
            (quoted.destination, quoted.protocol, port)
        } else {
            (packet.source, packet.protocol, packet.kind.port())
        };
        let reply = ReplyPacket {
            time_us: record.time_us,
            victim,
            destination: packet.destination,
            protocol,
            port,
            traffic_type,
            wire_length_bytes: record.wire_bytes,
        };
        self.window.observe_reply(self.now.hour, &reply);
    }

    /// A record without a believable time is in no hour.
    #[cold]
    fn count_implausible(&mut self, record: &Record) {
        if matches!(self.reading, Reading::First) {
            self.tally.bytes += u64::from(record.wire_bytes);
            self.tally.implausible += 1;
            if let Some(sample) = &mut self.sample {
                sample.implausible += 1;
            }
        }
    }

    #[cold]
    fn enter_minute(&mut self, time_us: i64) {
        self.leave_minute();
        if hour_of(time_us) != self.now.hour {
            self.observe();
        }
        self.now.minute_start_us = time_us.saturating_sub(time_us.rem_euclid(MINUTE_US));
        self.now.second_start_us = i64::MIN / 2;
        self.now.hour = hour_of(time_us);
        self.now.late = self.window.is_late(self.now.hour);
    }

    /// Hands what was counted since the last minute began to the window.
    fn leave_minute(&mut self) {
        if self.now.counts == MinuteCounts::default() {
            return;
        }
        if self.now.late {
            self.now.counts.late = self.now.counts.observed;
        }
        self.tally.counts.add(&self.now.counts);
        if matches!(self.reading, Reading::First) {
            self.window
                .account(self.now.minute_start_us, &self.now.counts);
        }
        if let Some(sample) = &mut self.sample {
            sample.counts.add(&self.now.counts);
        }
        self.now.counts = MinuteCounts::default();
    }

    #[cold]
    fn enter_second(&mut self, time_us: i64) {
        self.now.second_start_us = time_us.saturating_sub(time_us.rem_euclid(SECOND_US));
        if self.marks_seconds {
            self.window.mark_active(time_us);
        }
    }
}

/// Whether an ICMP message of this type quotes the packet that it is about.
const fn is_icmp_error(traffic_type: TrafficType) -> bool {
    matches!(
        traffic_type,
        TrafficType::IcmpUnreachable
            | TrafficType::IcmpSourceQuench
            | TrafficType::IcmpRedirect
            | TrafficType::IcmpTimeExceeded
            | TrafficType::IcmpParameterProblem
            | TrafficType::IcmpPacketTooBig
    )
}
