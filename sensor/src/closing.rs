//! The thread that turns the workers' shares into parts of the dataset, while packets go on behind it.
//!
//! An hour closes once every worker has said that it will hand over nothing more of it. What hours and files are is the
//! aggregator's; here is only who waits for whom.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use teiten_aggregator::close::{ClosedHour, Closer, HourRuns};
use teiten_aggregator::dataset::Hour;
use teiten_aggregator::ledger::Ledger;
use teiten_aggregator::minute::{HourAccount, SecondSet};
use teiten_aggregator::schema::{COVERAGE, SOURCES, TRAFFIC, Table};
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

/// What a worker hands over.
#[derive(Debug)]
pub enum Handover {
    /// Its share of an hour that is closing.
    Part(Box<HourPart>),
    /// Rows of an hour that stays open, set aside because memory is short.
    Spill(Box<HourPart>),
    /// It has handed over all that it had before this hour.
    Closed {
        /// Which worker.
        worker: usize,
        /// The first hour that may still come.
        before: i64,
    },
}

/// What has been written so far.
#[derive(Debug)]
pub struct Written {
    /// Accounts of all hours.
    pub ledger: Ledger,
    /// What was written for each hour.
    pub hours: BTreeMap<i64, ClosedHour>,
    /// How long each close took, from the last share to the durable files.
    pub durations: Vec<Duration>,
    /// The longest silence that counts as observed.
    silence_seconds_max: i64,
    parts: BTreeMap<i64, u32>,
    paths: HashSet<PathBuf>,
    coverage: BTreeMap<i64, (HourAccount, SecondSet)>,
}

impl Written {
    /// Nothing yet. A silence of up to `silence_seconds_max` between two signs of life counts as observed.
    #[must_use]
    pub fn new(silence_seconds_max: i64) -> Self {
        Written {
            ledger: Ledger::default(),
            hours: BTreeMap::new(),
            durations: Vec::new(),
            silence_seconds_max,
            parts: BTreeMap::new(),
            paths: HashSet::new(),
            coverage: BTreeMap::new(),
        }
    }

    /// Adds accounts whose packets came after their hour had closed.
    pub fn add_late(&mut self, late: &BTreeMap<i64, HourAccount>) {
        for (&hour, account) in late {
            self.ledger.add(hour, account);
        }
    }

    /// Forgets the rows of these hours: a second reading writes them anew.
    pub fn forget(&mut self, hours: impl Iterator<Item = i64>) {
        for hour in hours {
            self.parts.remove(&hour);
            self.hours.remove(&hour);
        }
    }

    /// Writes the coverage that has changed since its hour closed, and hours that had no rows.
    pub fn settle_coverage(&mut self, closer: &Closer) -> Result<(), WriteError> {
        let mut covered = self.ledger.covered(self.silence_seconds_max);
        let mut hours: Vec<i64> = covered.keys().copied().collect();
        hours.extend(self.ledger.hours().map(|(hour, _)| hour));
        hours.sort_unstable();
        hours.dedup();
        for hour in hours {
            let seconds = covered.remove(&hour).unwrap_or_default();
            self.write_coverage(closer, hour, seconds)?;
        }
        Ok(())
    }

    /// Removes what an earlier replay of the same input left behind.
    pub fn remove_stale(&self, closer: &Closer) -> Result<usize, WriteError> {
        closer.remove_stale(&|path| self.paths.contains(path))
    }

    fn write_coverage(
        &mut self,
        closer: &Closer,
        hour: i64,
        seconds: SecondSet,
    ) -> Result<(), WriteError> {
        let mut account = self.ledger.account(hour);
        if let Some(closed) = self.hours.get(&hour) {
            for (minute, collapsed) in account.minutes.iter_mut().zip(closed.collapsed) {
                minute.collapsed = collapsed;
            }
        }
        let entry = (account, seconds);
        if self.coverage.get(&hour) != Some(&entry) {
            closer.write_coverage(Hour(hour), 0, &entry.0, &entry.1)?;
            self.note(closer, &COVERAGE, hour, 0);
            self.coverage.insert(hour, entry);
        }
        Ok(())
    }

    fn note(&mut self, closer: &Closer, table: &Table, hour: i64, part: u32) {
        self.paths.insert(closer.path(table, Hour(hour), part));
    }
}

/// The closing thread's loop: until every worker is gone. The first error ends the writing; `failed` tells the reader.
pub fn run(
    closer: &Closer,
    handovers: &Receiver<Handover>,
    workers: usize,
    accounts: bool,
    written: &mut Written,
    failed: &AtomicBool,
) -> Result<(), WriteError> {
    let mut closing = Closing {
        closer,
        accounts,
        open: BTreeMap::new(),
        closed_before: vec![i64::MIN; workers],
    };
    let mut outcome = Ok(());
    for handover in handovers {
        if outcome.is_ok() {
            outcome = closing.take(handover, written);
            failed.store(outcome.is_err(), Ordering::Relaxed);
        }
    }
    outcome
}

struct Closing<'a> {
    closer: &'a Closer,
    accounts: bool,
    open: BTreeMap<i64, OpenHour>,
    closed_before: Vec<i64>,
}

#[derive(Default)]
struct OpenHour {
    parts: Vec<HourPart>,
    spilled: HourRuns,
}

impl Closing<'_> {
    fn take(&mut self, handover: Handover, written: &mut Written) -> Result<(), WriteError> {
        match handover {
            Handover::Part(part) => {
                if self.accounts {
                    written.ledger.add(part.hour, &part.account);
                }
                self.open.entry(part.hour).or_default().parts.push(*part);
            }
            Handover::Spill(part) => {
                let hour = part.hour;
                let spilled = self.closer.spill(*part)?;
                self.open.entry(hour).or_default().spilled.append(spilled);
            }
            Handover::Closed { worker, before } => {
                self.closed_before[worker] = before;
                let all = self.closed_before.iter().copied().min().unwrap_or(before);
                while let Some((&hour, _)) = self.open.first_key_value()
                    && hour < all
                {
                    let open = self.open.remove(&hour).unwrap_or_default();
                    self.close(hour, open, written)?;
                }
            }
        }
        Ok(())
    }

    fn close(&self, hour: i64, open: OpenHour, written: &mut Written) -> Result<(), WriteError> {
        let begun = Instant::now();
        let mut runs = open.spilled;
        runs.append(self.closer.sort(open.parts));
        let part = written.parts.get(&hour).copied().unwrap_or(0);
        if !runs.is_empty() {
            let closed = self.closer.close(Hour(hour), part, runs)?;
            written.note(self.closer, &SOURCES, hour, part);
            written.note(self.closer, &TRAFFIC, hour, part);
            written.parts.insert(hour, part + 1);
            written.hours.entry(hour).or_default().add(&closed);
        }
        if self.accounts {
            let seconds = written.ledger.covered_in(hour, written.silence_seconds_max);
            written.write_coverage(self.closer, hour, seconds)?;
        }
        written.durations.push(begun.elapsed());
        Ok(())
    }
}
