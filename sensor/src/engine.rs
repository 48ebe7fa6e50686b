//! Threads and queues: one thread reads, several decode and count, some spill rows where memory is short, one passes the rounds to the hours. A thread waits only if a queue is full.
//!
//! The reader alone decides, in input order, between which two packets an hour closes, and sends every worker a barrier at that place. So
//! the result depends on the input and never on the threads. If one thread ends early, the others see a disconnected queue and end too.

mod accounting;
mod deal;
mod observed;
mod reader;
mod rounds;
mod spilling;
mod work;
pub mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::Duration;

use crossbeam::channel::{bounded, unbounded};
use teiten_aggregator::table::Seed;
use teiten_aggregator::window::{LatePolicy, Window};
use teiten_aggregator::writer::WriteError;
use teiten_packet::telescope::Telescope;
use thiserror::Error;

use crate::hours::HourSink;
use crate::source::Arrival;
use crate::source::block::Block;
use crate::watch::Status;
use accounting::histogram;
pub use accounting::{Counted, WorkerTally};
use observed::ObservedPeriod;
pub use reader::LATENESS_US;
use reader::{Reader, queue_capacity};
use rounds::Rounds;
use spilling::{Spills, spillers_of};
use worker::thread::WorkerThread;
use worker::{Reading, Worker};

/// Full tables' worth of memory besides those that the workers fill, at least: for those that are being spilled, for the rows, sums and pages
/// of the hour that closes, for blocks and buffers, and for what the allocator keeps. As many threads close an hour as there are workers, so
/// more workers want as many more.
const TABLES_BESIDE_MIN: usize = 9;
/// Shares that may wait for the rounds.
const QUEUE_SHARES: usize = 1;

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
    /// Status to which workers report their counts, if one is served.
    pub status: Option<Arc<Status>>,
    /// Interval of checkpoints, at which workers flush their open hours; none to flush only when hours close.
    pub checkpoint: Option<Duration>,
    /// Start of a capture, microseconds UTC: its clock shows which seconds it observed. None for a replay, where packets show it.
    pub observed_from_us: Option<i64>,
}

/// Why a passage broke off.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The dataset cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A thread panicked, or is gone. Durable data stays as it is.
    #[error(
        "the {0} thread broke off: an error of the program, please report it; what was written before is intact"
    )]
    Lost(String),
    /// No thread can be started.
    #[error("cannot start a thread: {0}; raise the limit of processes, or give fewer --workers")]
    Thread(std::io::Error),
}

/// Takes everything from `next` through workers into `sink`.
///
/// `next` gets a block to reuse and returns none at the end of the input.
///
/// # Errors
/// The first part that could not be written, or a thread that ended early. The sink's `end` is not called then.
pub fn run(
    next: &mut dyn FnMut(Block) -> Option<Arrival>,
    passage: &Passage,
    sink: &mut dyn HourSink,
) -> Result<Counted, EngineError> {
    let (recycle, recycled) = unbounded();
    let (handover, handovers) = bounded(QUEUE_SHARES);
    // The rounds have ended: early, when a thread was lost or nothing can be written.
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ended = &ended;
        let spiller = sink.spiller();
        let rounds = Rounds::new(sink, passage.workers);
        let closing = Builder::new()
            .name("hours".into())
            .spawn_scoped(scope, move || {
                let _guard = SetWhenDropped(ended);
                rounds.run(&handovers)
            })
            .map_err(EngineError::Thread)?;
        let (spill, spills) = spilling::queue();
        let mut spillers = Vec::new();
        for index in 0..spillers_of(passage.workers) {
            let (spiller, spills) = (Arc::clone(&spiller), spills.clone());
            let thread = Builder::new()
                .name(format!("spill-{index}"))
                .spawn_scoped(scope, move || {
                    spilling::run(&*spiller, passage.workers, &spills);
                })
                .map_err(EngineError::Thread)?;
            spillers.push(thread);
        }
        drop(spills);
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for index in 0..passage.workers {
            let (sender, works) = bounded(queue_capacity(passage.workers));
            let thread = WorkerThread {
                index,
                worker: worker_of(passage),
                handover: handover.clone(),
                spills: Spills::new(spill.clone()),
                recycle: recycle.clone(),
                memory_bytes: worker_bytes(passage),
                block_us: histogram(),
                status: passage.status.clone(),
            };
            let thread = Builder::new()
                .name(format!("worker-{index}"))
                .spawn_scoped(scope, move || thread.run(&works))
                .map_err(EngineError::Thread)?;
            senders.push(sender);
            threads.push(thread);
        }
        drop((handover, spill));
        let accounts = matches!(passage.reading, Reading::First);
        let observed = passage.observed_from_us.map(ObservedPeriod::from);
        let mut reader = Reader::new(senders, accounts, passage.checkpoint, observed, histogram());
        let mut whole = true;
        while whole && !ended.load(Ordering::Relaxed) {
            let reuse = recycled.try_recv().unwrap_or_else(|_| Block::empty());
            let Some(arrival) = next(reuse) else { break };
            whole = reader.take(arrival);
        }
        let queue_blocks = reader.finish();
        let mut counted = Counted {
            queue_blocks: Some(queue_blocks),
            ..Counted::default()
        };
        let mut lost = None;
        for thread in threads {
            match joined(thread) {
                Ok(part) => counted.add(part),
                Err(error) => lost = lost.or(Some(error)),
            }
        }
        for thread in spillers {
            lost = joined(thread).err().or(lost);
        }
        let complete = joined(closing)??;
        match lost {
            Some(error) => Err(error),
            None if !complete => Err(EngineError::Lost("reader".into())),
            None => Ok(counted),
        }
    })
}

/// The result of a thread; the panic hook has reported its panic.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T, EngineError> {
    let name = thread.thread().name().unwrap_or("engine's").to_owned();
    thread.join().map_err(|_| EngineError::Lost(name))
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Memory of a worker's tables.
fn worker_bytes(passage: &Passage) -> usize {
    let beside = passage.workers.max(TABLES_BESIDE_MIN);
    passage.memory_bytes / (passage.workers + beside)
}

/// Memory that a worker keeps of its tables that were spilled: of each family half of its share in those that are under way.
fn spare_bytes(passage: &Passage) -> usize {
    worker_bytes(passage) * spillers_of(passage.workers) / (2 * passage.workers)
}

fn worker_of(passage: &Passage) -> Worker {
    let window = Window::new(passage.policy, Seed::random()).keeping_spare(spare_bytes(passage));
    let mut worker = Worker::new(
        Arc::clone(&passage.telescope),
        passage.reading.clone(),
        window,
    )
    .keeping_payloads(passage.payloads)
    .marking_seconds(passage.observed_from_us.is_none());
    if passage.status.is_some() {
        worker.start_sampling();
    }
    worker
}

#[cfg(test)]
mod tests {
    use teiten_aggregator::close::HourRuns;
    use teiten_aggregator::window::HourPart;
    use teiten_packet::LinkType;

    use super::*;
    use crate::hours::{HourShare, Spiller};
    use crate::source::block::BlockBytes;
    use crate::source::record::Record;

    /// Arrivals of an endless source that are taken before a test gives up.
    const ARRIVALS_MAX: u32 = 100_000;

    /// A sink that counts its ends, and panics or refuses at a round or where it spills.
    #[derive(Default)]
    struct Sink {
        ends: u32,
        panics: bool,
        refuses: bool,
        spilling: Spilling,
    }

    /// What spills do.
    #[derive(Clone, Copy, Debug, Default)]
    enum Spilling {
        #[default]
        Forget,
        Refuse,
        Panic,
    }

    fn refusal() -> WriteError {
        WriteError::File {
            path: "/data".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        }
    }

    impl HourSink for Sink {
        fn hold(&mut self, _: i64, _: HourShare) -> Result<(), WriteError> {
            Ok(())
        }

        fn round(&mut self, _: i64) -> Result<(), WriteError> {
            assert!(!self.panics, "a sink that panics");
            if self.refuses {
                return Err(refusal());
            }
            Ok(())
        }

        fn end(&mut self) -> Result<(), WriteError> {
            self.ends += 1;
            Ok(())
        }

        fn spiller(&self) -> Arc<dyn Spiller> {
            Arc::new(self.spilling)
        }
    }

    impl Spiller for Spilling {
        fn spill(&self, _: HourPart) -> Result<HourRuns, WriteError> {
            match self {
                Spilling::Forget => Ok(HourRuns::default()),
                Spilling::Refuse => Err(refusal()),
                Spilling::Panic => panic!("a spill that panics"),
            }
        }

        fn unite(&self, _: &mut HourRuns, _: usize) -> Result<(), WriteError> {
            Ok(())
        }
    }

    /// A block with one record of eight bytes, at `offset` of as many.
    fn arrival(time_us: i64, offset: u32) -> Arrival {
        let mut block = Block::empty();
        block.records.push(Record {
            time_us,
            nanoseconds: 0,
            offset,
            captured_bytes: 8,
            wire_bytes: 8,
            link_type: LinkType(1),
        });
        block.bytes = BlockBytes::Owned(vec![0; 8]);
        Arrival {
            lane: Some(0),
            clock_us: Some(time_us),
            ..Arrival::of(block)
        }
    }

    /// Runs `arrival` by its number until the engine ends or `count` were taken.
    fn run_with(
        sink: &mut Sink,
        count: u32,
        arrival: impl Fn(u32) -> Arrival,
    ) -> (Result<Counted, EngineError>, u32) {
        run_within(1 << 20, sink, count, arrival)
    }

    /// The same with so much memory.
    fn run_within(
        memory_bytes: usize,
        sink: &mut Sink,
        count: u32,
        arrival: impl Fn(u32) -> Arrival,
    ) -> (Result<Counted, EngineError>, u32) {
        let passage = Passage {
            telescope: Arc::new(Telescope::new(&[], &[])),
            workers: 2,
            memory_bytes,
            policy: LatePolicy::Reopen,
            reading: Reading::First,
            payloads: true,
            status: None,
            checkpoint: Some(Duration::ZERO),
            observed_from_us: None,
        };
        let mut taken = 0;
        let mut next = |_| {
            taken += 1;
            (taken <= count).then(|| arrival(taken))
        };
        let outcome = run(&mut next, &passage, sink);
        (outcome, taken)
    }

    #[test]
    fn a_source_that_ends_ends_the_sink_once() {
        let mut sink = Sink::default();
        let (outcome, _) = run_with(&mut sink, 50, |number| arrival(number.into(), 0));
        assert_eq!(outcome.expect("all is well").tally.records(), 50);
        assert_eq!(sink.ends, 1);
    }

    #[test]
    fn hours_that_panic_or_refuse_end_the_engine_at_once_and_are_not_told_of_an_end() {
        for (panics, text) in [(true, "the hours thread"), (false, "/data")] {
            let mut sink = Sink {
                panics,
                refuses: !panics,
                ..Sink::default()
            };
            let (outcome, taken) =
                run_with(&mut sink, ARRIVALS_MAX, |number| arrival(number.into(), 0));
            let error = outcome.expect_err("it broke off").to_string();
            assert!(error.contains(text), "{error}");
            assert!(taken < ARRIVALS_MAX);
            assert_eq!(sink.ends, 0);
        }
    }

    #[test]
    fn spills_that_panic_or_are_refused_end_the_engine_at_once_and_no_end_is_told() {
        for (spilling, text) in [(Spilling::Panic, "the spill-"), (Spilling::Refuse, "/data")] {
            let mut sink = Sink {
                spilling,
                ..Sink::default()
            };
            // Without any memory every block is spilled.
            let (outcome, taken) = run_within(0, &mut sink, ARRIVALS_MAX, |number| {
                arrival(number.into(), 0)
            });
            let error = outcome.expect_err("it broke off").to_string();
            assert!(error.contains(text), "{error}");
            assert!(taken < ARRIVALS_MAX);
            assert_eq!(sink.ends, 0);
        }
        let mut sink = Sink::default();
        let (outcome, _) = run_within(0, &mut sink, 50, |number| arrival(number.into(), 0));
        assert_eq!(outcome.expect("all is well").tally.records(), 50);
        assert_eq!(sink.ends, 1);
    }

    #[test]
    fn a_worker_that_panics_ends_the_engine_at_once_and_the_sink_is_not_told_of_an_end() {
        let mut sink = Sink::default();
        let beyond = |number| if number == 10 { 9 } else { 0 };
        let (outcome, taken) = run_with(&mut sink, ARRIVALS_MAX, |number| {
            arrival(number.into(), beyond(number))
        });
        let error = outcome.expect_err("it broke off").to_string();
        assert!(error.contains("the worker-"), "{error}");
        assert!(taken < ARRIVALS_MAX);
        assert_eq!(sink.ends, 0);
    }
}
