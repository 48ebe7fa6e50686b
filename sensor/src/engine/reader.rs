//! The reader distributes blocks to workers and decides, in input order, where a round ends.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use hdrhistogram::Histogram;
use teiten_aggregator::minute::hour_of;
use teiten_aggregator::table::HOUR_US;

use super::deal::Dealer;
use super::observed::ObservedPeriod;
use super::work::{Share, Work};
use crate::source::Arrival;
use crate::source::block::Block;
use crate::source::record::NO_TIME_US;

/// How far behind the newest packet another may be and still find its hour open, microseconds: clocks of several interfaces or
/// files differ by seconds, so five minutes are ample.
pub const LATENESS_US: i64 = 300_000_000;
/// Blocks that wait for all workers together, which bounds their memory: a block has a mebibyte at most.
const BLOCKS_WAITING_MAX: usize = 32;
/// Bounds of the blocks that wait for one worker: with few, workers idle whenever the reader waits for one of them.
const QUEUE_BLOCKS: RangeInclusive<usize> = 4..=16;
/// How often a worker with a full queue is waited for, since its queue was last empty, before others get its packets. A thread that the
/// system holds up for a moment catches up by itself; the worker of a source that sends more than one can count never does.
const WAITS_MAX: u32 = 16;

/// Blocks that may wait for each of so many workers.
pub(super) fn queue_capacity(workers: usize) -> usize {
    let share = BLOCKS_WAITING_MAX / workers.max(1);
    share.clamp(*QUEUE_BLOCKS.start(), *QUEUE_BLOCKS.end())
}

/// Deals blocks to workers and decides when hours close.
pub(super) struct Reader {
    senders: Vec<Sender<Work>>,
    /// How often each worker was waited for since its queue was last empty.
    waits: Vec<u32>,
    dealer: Dealer,
    /// The packet time at which the next hour closes; none before the first packet.
    next_close_us: Option<i64>,
    /// Whether hours close before the end at all.
    closes: bool,
    /// How often, and when last, workers handed over what they have.
    checkpoint: Option<Duration>,
    checked: Instant,
    /// Which seconds a capture observes; none for a source without a clock.
    observed: Option<ObservedPeriod>,
    queue_blocks: Histogram<u64>,
    /// Whether a worker ended early, so that counts can no longer be complete.
    lost: bool,
}

impl Reader {
    pub(super) fn new(
        senders: Vec<Sender<Work>>,
        closes: bool,
        checkpoint: Option<Duration>,
        observed: Option<ObservedPeriod>,
        queue_blocks: Histogram<u64>,
    ) -> Self {
        Reader {
            dealer: Dealer::new(senders.len()),
            waits: vec![0; senders.len()],
            senders,
            next_close_us: None,
            closes,
            checkpoint,
            checked: Instant::now(),
            observed,
            queue_blocks,
            lost: false,
        }
    }

    /// Deals out an arrival; false when a worker is gone.
    pub(super) fn take(&mut self, arrival: Arrival) -> bool {
        let Arrival {
            block,
            lane,
            clock_us,
            complete,
            drops,
        } = arrival;
        self.deal(block, lane);
        if let Some(clock_us) = clock_us {
            self.follow(clock_us);
            let observed = self.observed.as_mut();
            for second in observed.map_or(0..0, |observed| observed.advance(clock_us, complete)) {
                self.send(0, Work::Observed(second));
            }
        }
        if drops.kernel + drops.interface > 0 {
            self.send(0, Work::Dropped(drops));
        }
        !self.lost
    }

    /// Closes the hours that the clock of a capture has left behind, and takes a checkpoint where one is due.
    fn follow(&mut self, clock_us: i64) {
        if self.is_due(clock_us) || self.has_stepped_back(clock_us) {
            self.advance(clock_us);
        }
        if self
            .checkpoint
            .is_some_and(|every| self.checked.elapsed() >= every)
        {
            self.checked = Instant::now();
            self.end_round(i64::MIN);
        }
    }

    /// Hands out a block, cut wherever an hour closes.
    fn deal(&mut self, block: Block, lane: Option<usize>) {
        let block = Arc::new(block);
        let mut start = 0;
        for (index, record) in block.records.iter().enumerate() {
            if self.is_due(record.time_us) {
                self.deal_range(&block, start..index, lane);
                start = index;
                self.advance(record.time_us);
            }
        }
        self.deal_range(&block, start..block.records.len(), lane);
    }

    fn deal_range(&mut self, block: &Arc<Block>, range: Range<usize>, lane: Option<usize>) {
        if range.is_empty() {
            return;
        }
        if self.senders.len() == 1 {
            self.send_share(0, block, Share::Range(range));
            return;
        }
        if let Some(lane) = lane {
            // The kernel has distributed the sources already (fanout by hash).
            let worker = self.unless_behind(lane % self.senders.len());
            self.send_share(worker, block, Share::Range(range));
            return;
        }
        for (worker, picks) in self.dealer.deal(block, range).into_iter().enumerate() {
            if picks.is_empty() {
                continue;
            }
            let worker = self.unless_behind(worker);
            self.send_share(worker, block, Share::Picks(picks));
        }
    }

    /// The worker, or another that is far less busy: one source can send more than a worker can count; their rows are merged, which costs
    /// more than counting them together.
    fn unless_behind(&mut self, worker: usize) -> usize {
        let waiting = |worker: usize| self.senders.get(worker).map_or(usize::MAX, Sender::len);
        let least = (0..self.senders.len()).min_by_key(|&worker| waiting(worker));
        let least = least.unwrap_or(0);
        let Some(waits) = self.waits.get_mut(worker) else {
            // For any worker.
            return least;
        };
        let is_behind = match waiting(worker) {
            0 => {
                *waits = 0;
                false
            }
            blocks => {
                let most = queue_capacity(self.senders.len());
                blocks >= most && waiting(least) < most / 2
            }
        };
        if !is_behind {
            worker
        } else if *waits < WAITS_MAX {
            *waits += 1;
            worker
        } else {
            least
        }
    }

    fn send_share(&mut self, worker: usize, block: &Arc<Block>, share: Share) {
        // Only statistics: a depth beyond the histogram's bounds cannot be.
        let _ = self
            .queue_blocks
            .record(self.senders[worker].len() as u64 + 1);
        self.send(worker, Work::Block(Arc::clone(block), share));
    }

    #[inline]
    fn is_due(&self, time_us: i64) -> bool {
        self.next_close_us.is_none_or(|due_us| time_us >= due_us)
    }

    /// Whether a capture's clock went back by more than an hour and the disorder of packets: hours follow it, or none would close
    /// before the old time comes again.
    fn has_stepped_back(&self, clock_us: i64) -> bool {
        let back_us = HOUR_US + 2 * LATENESS_US;
        self.next_close_us
            .is_some_and(|due_us| clock_us < due_us.saturating_sub(back_us))
    }

    /// Lets the hours that are now old enough close.
    fn advance(&mut self, time_us: i64) {
        if time_us == NO_TIME_US {
            return;
        }
        let before = hour_of(time_us.saturating_sub(LATENESS_US));
        if self.next_close_us.is_some() && self.closes {
            self.end_round(before);
        }
        self.next_close_us = Some(
            (before + 1)
                .saturating_mul(HOUR_US)
                .saturating_add(LATENESS_US),
        );
    }

    fn end_round(&mut self, before: i64) {
        let open_too = self.checkpoint.is_some();
        for worker in 0..self.senders.len() {
            self.send(worker, Work::Barrier { before, open_too });
        }
    }

    fn send(&mut self, worker: usize, work: Work) {
        self.lost |= self.senders[worker].send(work).is_err();
    }

    /// Ends the last round.
    pub(super) fn finish(mut self) -> Histogram<u64> {
        self.end_round(i64::MAX);
        self.queue_blocks
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::{Receiver, bounded};

    use super::*;

    fn reader() -> (Reader, Vec<Receiver<Work>>) {
        let (senders, works) = (0..2).map(|_| bounded(queue_capacity(2))).unzip();
        let queue_blocks = Histogram::new(1).expect("valid bounds");
        let reader = Reader::new(senders, true, None, None, queue_blocks);
        (reader, works)
    }

    fn fill(reader: &mut Reader, worker: usize) {
        while reader.senders[worker].len() < queue_capacity(2) {
            reader.send(worker, Work::Observed(0));
        }
    }

    #[test]
    fn a_worker_that_was_held_up_is_waited_for_and_one_that_never_catches_up_is_helped() {
        let (mut reader, works) = reader();
        fill(&mut reader, 0);
        for _ in 0..WAITS_MAX {
            assert_eq!(reader.unless_behind(0), 0);
        }
        assert_eq!(reader.unless_behind(0), 1);
        // It goes on, but its queue is full again before it is empty.
        works[0].recv().expect("it waits");
        assert_eq!(reader.unless_behind(0), 0, "there is room");
        fill(&mut reader, 0);
        assert_eq!(reader.unless_behind(0), 1);
        works[0].try_iter().for_each(drop);
        assert_eq!(reader.unless_behind(0), 0);
        fill(&mut reader, 0);
        assert_eq!(reader.unless_behind(0), 0, "it has caught up");
    }

    #[test]
    fn a_worker_is_not_helped_by_one_that_is_behind_itself() {
        let (mut reader, works) = reader();
        fill(&mut reader, 0);
        fill(&mut reader, 1);
        for _ in 0..3 * WAITS_MAX {
            assert_eq!(reader.unless_behind(0), 0);
        }
        assert_eq!(works.len(), 2);
    }
}
