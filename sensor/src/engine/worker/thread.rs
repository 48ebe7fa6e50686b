//! The thread of a worker: it takes messages of the reader, and passes its results to the rounds.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender};
use hdrhistogram::Histogram;
use teiten_aggregator::window::HourPart;

use super::Worker;
use crate::engine::accounting::Counted;
use crate::engine::rounds::Handover;
use crate::engine::spilling::{NotSpilled, Spills};
use crate::engine::work::{Share, Work};
use crate::source::block::Block;
use crate::watch::Status;

/// Of a worker's memory, one part in so many is the least that a spill of one hour is worth.
const SPILL_SHARE: usize = 8;
/// The same for a spill of all hours: each writes a file or two.
const SPILL_ALL_SHARE: usize = 2;

/// A worker with its queues.
pub(in crate::engine) struct WorkerThread {
    pub index: usize,
    pub worker: Worker,
    pub handover: Sender<Handover>,
    pub spills: Spills,
    /// Where blocks go back to, for the source to fill them again.
    pub recycle: Sender<Block>,
    /// Bytes of rows above which some are spilled.
    pub memory_bytes: usize,
    pub block_us: Histogram<u64>,
    pub status: Option<Arc<Status>>,
}

/// The rounds are gone: what comes now cannot be handed over.
struct Lost;

impl WorkerThread {
    /// Works until the reader has ended, or the rounds have.
    pub(in crate::engine) fn run(mut self, works: &Receiver<Work>) -> Counted {
        for work in works {
            if let Err(Lost) = self.take(work) {
                break;
            }
        }
        Counted {
            tally: self.worker.tally().clone(),
            late: self.worker.window().take_late(),
            block_us: Some(self.block_us),
            queue_blocks: None,
        }
    }

    fn take(&mut self, work: Work) -> Result<(), Lost> {
        match work {
            Work::Block(block, share) => return self.count(block, &share),
            Work::Barrier { before, open_too } => {
                let (parts, spilled_before) = if open_too {
                    (self.worker.checkpoint(before), i64::MAX)
                } else {
                    (self.worker.close_before(before), before)
                };
                return self.finish_round(parts, (before, spilled_before));
            }
            Work::Observed(second) => self.worker.mark_second(second),
            Work::Dropped(drops) => {
                self.worker.dropped(drops);
                if let Some(status) = &self.status {
                    status.dropped(drops.kernel, drops.interface);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, block: Arc<Block>, share: &Share) -> Result<(), Lost> {
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
            if let Some(sample) = self.worker.sample() {
                status.take(self.index, sample, busy, rows_bytes);
            }
        }
        if let Ok(block) = Arc::try_unwrap(block) {
            // A source that has ended wants no more blocks.
            let _ = self.recycle.send(block.emptied());
        }
        if self.worker.window().memory_bytes() > self.memory_bytes {
            let spilled = self.spill();
            return self.handed(spilled);
        }
        Ok(())
    }

    /// Spills the rows of the largest hour, or of all where none of them is large.
    fn spill(&mut self) -> Result<(), NotSpilled> {
        let window = self.worker.window();
        let parts = match window.spill_largest(self.memory_bytes / SPILL_SHARE) {
            Some(part) => vec![part],
            None => window.spill_all(self.memory_bytes / SPILL_ALL_SHARE),
        };
        parts
            .into_iter()
            .try_for_each(|part| self.spills.spill(part))
    }

    /// Hands over `parts`, and what was spilled of the hours before `spilled_before`.
    fn finish_round(
        &mut self,
        parts: Vec<HourPart>,
        (before, spilled_before): (i64, i64),
    ) -> Result<(), Lost> {
        let spilled = self.spills.finish(spilled_before);
        for (hour, runs) in self.handed(spilled)? {
            self.hand_over(Handover::Spilled(self.index, hour, Box::new(runs)))?;
        }
        for part in parts {
            self.hand_over(Handover::Part(self.index, Box::new(part)))?;
        }
        self.hand_over(Handover::Finished {
            worker: self.index,
            before,
        })
    }

    /// Tells the rounds of a disk that refuses, which ends them.
    fn handed<T>(&self, spilled: Result<T, NotSpilled>) -> Result<T, Lost> {
        spilled.map_err(|reason| {
            if let NotSpilled::Refused(error) = reason {
                let _ = self.hand_over(Handover::Refused(error));
            }
            Lost
        })
    }

    fn hand_over(&self, handover: Handover) -> Result<(), Lost> {
        self.handover.send(handover).map_err(|_| Lost)
    }
}
