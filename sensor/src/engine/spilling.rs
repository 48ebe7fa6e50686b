//! Threads that spill rows for the workers: sorting and writing a table goes on while its worker counts, and while an hour closes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::{Receiver, Sender, bounded};
use teiten_aggregator::close::HourRuns;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use crate::hours::Spiller;

/// Workers for which one such thread is enough, and threads at least.
const WORKERS_A_SPILLER: usize = 8;
const SPILLERS_MIN: usize = 2;

/// Threads that spill for so many workers. Each holds one table.
pub(super) fn spillers_of(workers: usize) -> usize {
    workers.div_ceil(WORKERS_A_SPILLER).max(SPILLERS_MIN)
}

/// What was spilled for a worker since its last barrier, by hour.
type Shelf = Arc<Mutex<BTreeMap<i64, HourRuns>>>;

/// A table to spill.
pub(super) struct Spill {
    part: Box<HourPart>,
    shelf: Shelf,
    done: Sender<Result<(), WriteError>>,
}

/// The queue of tables. It holds none: a worker waits until a thread takes its table, so that memory for those under way is known.
pub(super) fn queue() -> (Sender<Spill>, Receiver<Spill>) {
    bounded(0)
}

/// Spills what comes until all workers have ended; `workers` share each hour.
pub(super) fn run(spiller: &dyn Spiller, workers: usize, spills: &Receiver<Spill>) {
    for Spill { part, shelf, done } in spills {
        let hour = part.hour;
        let spilled = spiller.spill(*part).and_then(|runs| {
            let mut shelf = locked(&shelf);
            let of_hour = shelf.entry(hour).or_default();
            of_hour.append(runs);
            spiller.unite(of_hour, workers)
        });
        // A worker that has ended wants to know nothing.
        let _ = done.send(spilled);
    }
}

/// A worker's side of it.
pub(super) struct Spills {
    queue: Sender<Spill>,
    shelf: Shelf,
    under_way: Vec<Receiver<Result<(), WriteError>>>,
}

/// Why rows are not spilled.
pub(super) enum NotSpilled {
    /// The disk refuses.
    Refused(WriteError),
    /// The threads are gone.
    Lost,
}

impl Spills {
    pub(super) fn new(queue: Sender<Spill>) -> Self {
        Spills {
            queue,
            shelf: Shelf::default(),
            under_way: Vec::new(),
        }
    }

    /// Gives a table to the next thread that is free.
    pub(super) fn spill(&mut self, part: HourPart) -> Result<(), NotSpilled> {
        let (done, told) = bounded(1);
        let spill = Spill {
            part: Box::new(part),
            shelf: Arc::clone(&self.shelf),
            done,
        };
        self.queue.send(spill).map_err(|_| NotSpilled::Lost)?;
        self.under_way.push(told);
        let mut told = self.under_way.extract_if(.., |told| !told.is_empty());
        told.try_for_each(|told| outcome_of(&told))
    }

    /// What was spilled of the hours before `before`, when all of it is on disk.
    pub(super) fn finish(&mut self, before: i64) -> Result<BTreeMap<i64, HourRuns>, NotSpilled> {
        for told in self.under_way.drain(..) {
            outcome_of(&told)?;
        }
        let mut shelf = locked(&self.shelf);
        let open = shelf.split_off(&before);
        Ok(std::mem::replace(&mut *shelf, open))
    }
}

/// Waits for what came of a table; nothing is told of it if its thread is gone.
fn outcome_of(told: &Receiver<Result<(), WriteError>>) -> Result<(), NotSpilled> {
    let outcome = told.recv().map_err(|_| NotSpilled::Lost)?;
    outcome.map_err(NotSpilled::Refused)
}

/// A thread that panicked ends the process; what is on the shelf is whole.
fn locked(shelf: &Shelf) -> MutexGuard<'_, BTreeMap<i64, HourRuns>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
