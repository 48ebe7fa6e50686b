//! Threads and queues: one reads, several decode and count, one closes hours; none waits for another while its queue has room.
//!
//! The reader alone decides, in the order of the input, between which two packets an hour closes; every worker is told at that very
//! place. So what is counted where depends on the input and never on the threads.

pub mod accounting;
pub mod deal;
pub mod worker;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use hdrhistogram::Histogram;
use teiten_aggregator::close::Closer;
use teiten_aggregator::minute::{HourAccount, hour_of};
use teiten_aggregator::table::{HOUR_US, Seed};
use teiten_aggregator::window::{HourPart, LatePolicy, Window};
use teiten_aggregator::writer::WriteError;

use crate::engine::accounting::Tally;
use crate::engine::deal::{Dealer, Picks};
use crate::engine::worker::{Reading, Worker};
use crate::hours::journaled::{self, Keeper};
use crate::hours::once::{self, Handover, Written};
use crate::source::block::Block;
use crate::watch::Status;
use teiten_packet::telescope::Telescope;

/// How far behind the newest packet another may be and still find its hour open, microseconds: clocks of several interfaces or
/// files differ by seconds, so five minutes are ample.
pub const LATENESS_US: i64 = 300_000_000;
/// Blocks that may wait for one worker.
const QUEUE_BLOCKS: usize = 4;

/// Full tables' worth of memory besides those the workers fill: one table waits, one is being sorted, and its order takes part of
/// another; the rest is for the rows, sums and pages of the hour that closes, for blocks and buffers, and for what the allocator keeps.
const TABLES_BESIDE_WORKERS: usize = 9;
/// Shares that may wait for the closing thread.
const QUEUE_SHARES: usize = 1;

/// What a source gives at a time.
#[derive(Debug)]
pub struct Arrival {
    /// Packets, perhaps none.
    pub block: Block,
    /// Packets of the same lane have the same sources, so one worker is best for all of them; a replay has no lanes.
    pub lane: Option<usize>,
    /// The clock of a live capture, microseconds UTC; a replay has none but its packets.
    pub clock_us: Option<i64>,
    /// Whether a capture saw all that it is to see: else silence is a gap.
    pub complete: bool,
    /// Packets the kernel dropped since the last arrival.
    pub dropped_kernel: u64,
    /// Packets the interface dropped since the last arrival.
    pub dropped_interface: u64,
}

/// Settings of one passage through an input.
#[derive(Debug)]
pub struct Passage {
    /// The dark prefixes.
    pub telescope: Arc<Telescope>,
    /// Worker threads.
    pub workers: usize,
    /// Bytes that the rows of all open hours may take together.
    pub memory_bytes: usize,
    /// What happens to late packets.
    pub policy: LatePolicy,
    /// What is counted.
    pub reading: Reading,
    /// Whether payloads are kept.
    pub payloads: bool,
    /// Where workers show what they count; none: nobody looks on.
    pub status: Option<Arc<Status>>,
    /// How often workers hand over what they have of open hours; none: only when hours close.
    pub checkpoint: Option<Duration>,
}

/// What the workers counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// All tallies added.
    pub tally: Tally,
    /// Accounts of late packets whose rows were left out, by hour.
    pub late: BTreeMap<i64, HourAccount>,
    /// Time that workers took for a block, microseconds.
    pub block_us: Option<Histogram<u64>>,
    /// Blocks that waited for the worker that got the next one.
    pub queue_blocks: Option<Histogram<u64>>,
}

/// Which packets of a block a worker is to count.
enum Share {
    Range(Range<usize>),
    Picks(Picks),
}

enum Work {
    Block(Arc<Block>, Share),
    Close {
        before: i64,
    },
    Checkpoint {
        before: i64,
    },
    Tick(i64),
    Dropped {
        time_us: i64,
        kernel: u64,
        interface: u64,
    },
}

/// Takes everything from `next` through workers into parts of the dataset.
///
/// `next` gets a block to reuse and returns none at the end of the input. With a `keeper` what open hours have is durable whenever
/// the workers hand it over.
///
/// # Errors
/// The first part that could not be written; what was published before it stays.
pub fn run(
    next: &mut dyn FnMut(Block) -> Option<Arrival>,
    passage: &Passage,
    closer: &Closer,
    keeper: Option<Keeper<'_>>,
    written: &mut Written,
) -> Result<Counted, WriteError> {
    let (recycle, recycled) = unbounded();
    let (handover, handovers) = bounded(QUEUE_SHARES);
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let accounts = matches!(passage.reading, Reading::First);
        let (failed, workers) = (&failed, passage.workers);
        let closing = scope.spawn(move || match keeper {
            None => once::run(closer, &handovers, workers, accounts, written, failed),
            Some(keeper) => journaled::run(keeper, closer, &handovers, workers, written, failed),
        });
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for index in 0..workers {
            let (sender, work) = bounded(QUEUE_BLOCKS);
            let thread = WorkerThread {
                index,
                worker: worker_of(passage),
                handover: handover.clone(),
                recycle: recycle.clone(),
                memory_bytes: passage.memory_bytes / (workers + TABLES_BESIDE_WORKERS),
                block_us: histogram(),
                status: passage.status.clone(),
            };
            senders.push(sender);
            threads.push(scope.spawn(move || thread.run(&work)));
        }
        drop(handover);
        let mut reader = Reader::new(senders, accounts, passage.checkpoint);
        while !failed.load(Ordering::Relaxed) {
            let reuse = recycled.try_recv().unwrap_or_else(|_| Block::empty());
            let Some(arrival) = next(reuse) else { break };
            reader.take(arrival);
        }
        let queue_blocks = reader.finish();
        let mut counted = Counted {
            queue_blocks: Some(queue_blocks),
            ..Counted::default()
        };
        for thread in threads {
            match thread.join() {
                Ok(part) => counted.add(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        match closing.join() {
            Ok(outcome) => outcome.map(|()| counted),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn worker_of(passage: &Passage) -> Worker {
    let window = Window::new(passage.policy, Seed::random());
    let mut worker = Worker::new(
        Arc::clone(&passage.telescope),
        passage.reading.clone(),
        window,
    )
    .keeping_payloads(passage.payloads);
    if passage.status.is_some() {
        worker.look_on();
    }
    worker
}

/// Three digits from a microsecond to an hour.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are valid")
}

impl Counted {
    fn add(&mut self, other: Counted) {
        self.tally.add(&other.tally);
        for (hour, account) in other.late {
            self.late.entry(hour).or_default().add(&account);
        }
        if let Some(theirs) = other.block_us {
            match &mut self.block_us {
                Some(ours) => ours
                    .add(theirs)
                    .expect("all histograms have the same bounds"),
                None => self.block_us = Some(theirs),
            }
        }
    }
}

/// Deals blocks to workers and decides when hours close.
struct Reader {
    senders: Vec<Sender<Work>>,
    dealer: Dealer,
    /// The packet time at which the next hour closes; none before the first packet.
    next_close_us: Option<i64>,
    /// Whether hours close before the end at all.
    closes: bool,
    /// How often, and when last, workers handed over what they have.
    checkpoint: Option<Duration>,
    checked: Instant,
    queue_blocks: Histogram<u64>,
}

impl Reader {
    fn new(senders: Vec<Sender<Work>>, closes: bool, checkpoint: Option<Duration>) -> Self {
        Reader {
            dealer: Dealer::new(senders.len()),
            senders,
            next_close_us: None,
            closes,
            checkpoint,
            checked: Instant::now(),
            queue_blocks: histogram(),
        }
    }

    fn take(&mut self, arrival: Arrival) {
        let Arrival {
            block,
            lane,
            clock_us,
            complete,
            dropped_kernel,
            dropped_interface,
        } = arrival;
        self.deal(block, lane);
        let Some(clock_us) = clock_us else { return };
        if self.is_due(clock_us) || self.has_stepped_back(clock_us) {
            self.advance(clock_us);
        }
        self.check();
        if complete {
            self.send(0, Work::Tick(clock_us));
        }
        if dropped_kernel + dropped_interface > 0 {
            let (kernel, interface) = (dropped_kernel, dropped_interface);
            self.send(
                0,
                Work::Dropped {
                    time_us: clock_us,
                    kernel,
                    interface,
                },
            );
        }
    }

    /// Lets the workers hand over what they have where it is time.
    fn check(&mut self) {
        if self
            .checkpoint
            .is_some_and(|every| self.checked.elapsed() >= every)
        {
            self.checked = Instant::now();
            for worker in 0..self.senders.len() {
                self.send(worker, Work::Checkpoint { before: i64::MIN });
            }
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
            // The kernel has dealt the sources out already.
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

    /// The worker, or another that is far less busy: one source can send more than a worker can count; their rows are merged.
    fn unless_behind(&self, worker: usize) -> usize {
        let waiting = |worker: usize| self.senders.get(worker).map_or(usize::MAX, Sender::len);
        let least = (0..self.senders.len()).min_by_key(|&worker| waiting(worker));
        let least = least.unwrap_or(0);
        if waiting(worker) >= waiting(least).saturating_add(QUEUE_BLOCKS / 2) {
            least
        } else {
            worker
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
        let before = hour_of(time_us.saturating_sub(LATENESS_US));
        if self.next_close_us.is_some() && self.closes {
            self.close(before);
        }
        self.next_close_us = Some(
            (before + 1)
                .saturating_mul(HOUR_US)
                .saturating_add(LATENESS_US),
        );
    }

    fn close(&self, before: i64) {
        for worker in 0..self.senders.len() {
            let work = match self.checkpoint {
                None => Work::Close { before },
                Some(_) => Work::Checkpoint { before },
            };
            self.send(worker, work);
        }
    }

    /// A worker that is gone has panicked; its thread's end tells.
    fn send(&self, worker: usize, work: Work) {
        let _ = self.senders[worker].send(work);
    }

    fn finish(self) -> Histogram<u64> {
        self.close(i64::MAX);
        self.queue_blocks
    }
}

struct WorkerThread {
    index: usize,
    worker: Worker,
    handover: Sender<Handover>,
    recycle: Sender<Block>,
    memory_bytes: usize,
    block_us: Histogram<u64>,
    status: Option<Arc<Status>>,
}

impl WorkerThread {
    fn run(mut self, work: &Receiver<Work>) -> Counted {
        for work in work {
            match work {
                Work::Block(block, share) => self.process(block, &share),
                Work::Close { before } => {
                    let parts = self.worker.close_before(before);
                    self.hand_over_all(parts, before);
                }
                Work::Checkpoint { before } => {
                    let parts = self.worker.checkpoint(before);
                    self.hand_over_all(parts, before);
                }
                Work::Tick(time_us) => self.worker.tick(time_us),
                Work::Dropped {
                    time_us,
                    kernel,
                    interface,
                } => {
                    self.worker.dropped(time_us, kernel, interface);
                    if let Some(status) = &self.status {
                        status.dropped(kernel, interface);
                    }
                }
            }
        }
        Counted {
            tally: self.worker.tally().clone(),
            late: self.worker.window().take_late(),
            block_us: Some(self.block_us),
            queue_blocks: None,
        }
    }

    fn process(&mut self, block: Arc<Block>, share: &Share) {
        let begun = Instant::now();
        let (bytes, records) = (block.bytes(), &block.records);
        match share {
            Share::Range(range) => self.worker.process(bytes, &records[range.clone()]),
            Share::Picks(picks) => self.worker.process_picks(bytes, records, picks),
        }
        // Only statistics: longer than an hour is left out.
        let busy = begun.elapsed();
        let _ = self.block_us.record(busy.as_micros() as u64);
        if let Some(status) = &self.status {
            let rows_bytes = self.worker.window().memory_bytes();
            if let Some(glance) = self.worker.glance() {
                status.take(self.index, glance, busy, rows_bytes);
            }
        }
        if let Ok(block) = Arc::try_unwrap(block) {
            let _ = self.recycle.send(block.emptied());
        }
        if self.worker.window().memory_bytes() > self.memory_bytes
            && let Some(part) = self.worker.window().spill_largest()
        {
            self.hand_over(Handover::Spill(self.index, Box::new(part)));
        }
    }

    fn hand_over_all(&self, parts: Vec<HourPart>, before: i64) {
        for part in parts {
            self.hand_over(Handover::Part(self.index, Box::new(part)));
        }
        self.hand_over(Handover::Closed {
            worker: self.index,
            before,
        });
    }

    /// A closing thread that is gone has panicked; its end tells.
    fn hand_over(&self, handover: Handover) {
        let _ = self.handover.send(handover);
    }
}
