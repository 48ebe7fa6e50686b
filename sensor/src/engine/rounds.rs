//! The barrier between workers and the hours: a round reaches the sink once every worker has finished it.
//!
//! Each worker receives every barrier at the same place in the input, but workers may be rounds apart. The rounds keep them in order, so
//! that an hour that late packets reopen does not close together with its first opening.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};
use teiten_aggregator::close::HourRuns;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use crate::hours::{HourShare, HourSink};

/// So long without a handover is a pause.
const IDLE: Duration = Duration::from_secs(1);

/// What a worker hands over.
pub(super) enum Handover {
    /// What it has of an hour.
    Part(usize, Box<HourPart>),
    /// What was spilled of an hour since the barrier before.
    Spilled(usize, i64, Box<HourRuns>),
    /// Rows cannot be spilled.
    Refused(WriteError),
    /// It reached a barrier: what follows belongs to the next round.
    Finished {
        worker: usize,
        /// Hours before this one get nothing more in this round.
        before: i64,
    },
}

/// What the workers hand over between two barriers.
#[derive(Default)]
struct Round {
    hours: BTreeMap<i64, HourShare>,
    before: i64,
    workers_finished: usize,
}

/// The rounds that some worker has not finished, and the sink behind them.
pub(super) struct Rounds<'s> {
    sink: &'s mut dyn HourSink,
    rounds: VecDeque<Round>,
    /// For each worker, how many of `rounds` it has finished.
    finished: Vec<usize>,
    /// Whether the last barrier of the input has passed.
    complete: bool,
}

impl<'s> Rounds<'s> {
    pub(super) fn new(sink: &'s mut dyn HourSink, workers: usize) -> Self {
        Rounds {
            sink,
            rounds: VecDeque::new(),
            finished: vec![0; workers],
            complete: false,
        }
    }

    /// Receives until every worker has ended; returns true if nothing is missing. Stops at the first error.
    pub(super) fn run(mut self, handovers: &Receiver<Handover>) -> Result<bool, WriteError> {
        loop {
            match handovers.recv_timeout(IDLE) {
                Ok(handover) => self.take(handover)?,
                Err(RecvTimeoutError::Timeout) => self.sink.idle()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // The packets of a lost worker are missing, so the parts on disk stay as they are.
        if self.complete {
            self.sink.end()?;
        }
        Ok(self.complete)
    }

    fn take(&mut self, handover: Handover) -> Result<(), WriteError> {
        match handover {
            Handover::Part(worker, part) => {
                self.share_of(worker, part.hour).parts.push(*part);
                Ok(())
            }
            Handover::Spilled(worker, hour, runs) => {
                self.share_of(worker, hour).spilled.append(*runs);
                Ok(())
            }
            Handover::Refused(error) => Err(error),
            Handover::Finished { worker, before } => {
                let round = self.round_of(worker);
                round.before = before;
                round.workers_finished += 1;
                self.finished[worker] += 1;
                self.pass_finished()
            }
        }
    }

    /// Passes on every round that all workers have finished.
    fn pass_finished(&mut self) -> Result<(), WriteError> {
        let workers = self.finished.len();
        while let Some(round) = self
            .rounds
            .pop_front_if(|round| round.workers_finished == workers)
        {
            self.finished.iter_mut().for_each(|count| *count -= 1);
            self.complete = round.before == i64::MAX;
            for (hour, share) in round.hours {
                self.sink.hold(hour, share)?;
            }
            self.sink.round(round.before)?;
        }
        Ok(())
    }

    fn share_of(&mut self, worker: usize, hour: i64) -> &mut HourShare {
        self.round_of(worker).hours.entry(hour).or_default()
    }

    /// The round that a worker is in.
    fn round_of(&mut self, worker: usize) -> &mut Round {
        let index = self.finished[worker];
        while self.rounds.len() <= index {
            self.rounds.push_back(Round::default());
        }
        &mut self.rounds[index]
    }
}
