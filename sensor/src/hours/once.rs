//! The thread that turns the workers' shares into parts of the dataset, while packets go on behind it.
//!
//! An hour closes once every worker has said that it will hand over nothing more of it. What hours and files are is the
//! aggregator's; here is only who waits for whom.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use teiten_aggregator::close::{ClosedHour, Closer, HourRuns};
use teiten_aggregator::dataset::{Hour, next_part};
use teiten_aggregator::journal::Place;
use teiten_aggregator::ledger::Ledger;
use teiten_aggregator::minute::{HourAccount, MinuteCounts, SecondSet};
use teiten_aggregator::schema::{COVERAGE, PAYLOADS, SOURCES, TRAFFIC, Table};
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use crate::watch::Status;

/// What a worker hands over.
#[derive(Debug)]
pub enum Handover {
    /// Its share of an hour that is closing.
    Part(usize, Box<HourPart>),
    /// Rows of an hour that stays open, set aside because memory is short.
    Spill(usize, Box<HourPart>),
    /// It has handed over all that it had before this hour.
    Closed {
        /// Which worker.
        worker: usize,
        /// The first hour that may still come.
        before: i64,
    },
}

/// What an earlier run had counted when this one went on with it.
#[derive(Debug)]
pub struct TakenOver {
    /// The run's name, which this one goes on under.
    pub run: String,
    /// Sums of hours that were still open, whose rows this run publishes together with its own.
    pub hours: BTreeMap<i64, MinuteCounts>,
    all: BTreeMap<i64, MinuteCounts>,
}

impl TakenOver {
    /// Nothing yet, of the run of this name.
    #[must_use]
    pub fn new(run: &str) -> Self {
        TakenOver {
            run: run.to_owned(),
            hours: BTreeMap::new(),
            all: BTreeMap::new(),
        }
    }

    /// Adds what was counted in an hour and is published for good.
    pub(crate) fn published(&mut self, hour: i64, account: &HourAccount) {
        self.all.entry(hour).or_default().add(&account.total());
    }

    /// Adds what was counted in an hour that is still open.
    pub(crate) fn open(&mut self, hour: i64, account: &HourAccount) {
        self.published(hour, account);
        self.hours.entry(hour).or_default().add(&account.total());
    }
}

/// What has been written so far.
#[derive(Debug)]
pub struct Written {
    /// Accounts of all hours.
    pub ledger: Ledger,
    /// What was written for each hour.
    pub hours: BTreeMap<i64, ClosedHour>,
    /// Sums of what was written for hours that are forgotten.
    pub past: ClosedHour,
    /// What an earlier run had counted, where this one goes on with it.
    pub taken_over: Option<TakenOver>,
    /// How long each close took, from the last share to the durable files.
    pub durations: Vec<Duration>,
    /// Where hours that were published are shown.
    pub status: Option<Arc<Status>>,
    /// The longest silence that counts as observed.
    silence_seconds_max: i64,
    parts: BTreeMap<i64, u32>,
    /// Parts that hold the coverage of hours, where they are not the first.
    coverage_parts: BTreeMap<i64, u32>,
    paths: HashSet<PathBuf>,
    coverage: BTreeMap<i64, (HourAccount, SecondSet)>,
    /// What the parts of hours hold that are published more than once.
    live: BTreeMap<(i64, u32), ClosedHour>,
}

impl Written {
    /// Nothing yet. A silence of up to `silence_seconds_max` between two signs of life counts as observed.
    #[must_use]
    pub fn new(silence_seconds_max: i64) -> Self {
        Written {
            ledger: Ledger::default(),
            hours: BTreeMap::new(),
            past: ClosedHour::default(),
            taken_over: None,
            durations: Vec::new(),
            status: None,
            silence_seconds_max,
            parts: BTreeMap::new(),
            coverage_parts: BTreeMap::new(),
            paths: HashSet::new(),
            coverage: BTreeMap::new(),
            live: BTreeMap::new(),
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

    /// Sums of what this run counted, by hour, without what an earlier run had counted.
    #[must_use]
    pub fn own_totals(&self) -> BTreeMap<i64, MinuteCounts> {
        let mut totals = self.ledger.totals();
        let taken_over = self.taken_over.iter().flat_map(|taken| &taken.all);
        for (hour, counts) in taken_over {
            if let Some(total) = totals.get_mut(hour) {
                total.subtract(counts);
            }
        }
        totals
    }

    /// Where what comes next in `hour` is published. Of an hour that is not known, or no more, nothing that lies there already is
    /// replaced.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub(crate) fn place(&mut self, closer: &Closer, hour: i64) -> std::io::Result<Place> {
        let known = self.parts.get(&hour).zip(self.coverage_parts.get(&hour));
        if let Some((&part, &coverage_part)) = known {
            return Ok(Place {
                hour,
                part,
                coverage_part,
            });
        }
        let next = |table: &Table| {
            let (directory, name) = (&closer.directory, &closer.name);
            next_part(directory, table.name, Hour(hour), name)
        };
        let rows = [next(&SOURCES)?, next(&TRAFFIC)?, next(&PAYLOADS)?];
        let place = Place {
            hour,
            part: rows.into_iter().max().unwrap_or(0),
            coverage_part: next(&COVERAGE)?,
        };
        self.go_on_with(place);
        Ok(place)
    }

    /// What comes next in an hour is published there.
    pub(crate) fn go_on_with(&mut self, place: Place) {
        self.parts.insert(place.hour, place.part);
        self.coverage_parts.insert(place.hour, place.coverage_part);
    }

    /// Notes what the part `part` of `hour` holds now, in place of what it held before.
    pub(crate) fn replace_hour(&mut self, hour: i64, part: u32, closed: &ClosedHour) {
        self.live.insert((hour, part), *closed);
        let mut sum = ClosedHour::default();
        let of_hour = self.live.range((hour, 0)..=(hour, u32::MAX));
        of_hour.for_each(|(_, closed)| sum.add(closed));
        self.hours.insert(hour, sum);
    }

    /// What the part `part` of `hour` holds that was published last.
    pub(crate) fn closed(&self, hour: i64, part: u32) -> Option<ClosedHour> {
        self.live.get(&(hour, part)).copied()
    }

    /// The seconds of `hour` that are observed by what is known so far.
    pub(crate) fn covered_in(&self, hour: i64) -> SecondSet {
        self.ledger.covered_in(hour, self.silence_seconds_max)
    }

    /// Forgets what is known of hours before `hour`; gives those that were forgotten. Their sums stay.
    pub(crate) fn forget_accounts_before(&mut self, hour: i64) -> Vec<i64> {
        self.coverage = self.coverage.split_off(&hour);
        self.live = self.live.split_off(&(hour, 0));
        self.parts = self.parts.split_off(&hour);
        self.coverage_parts = self.coverage_parts.split_off(&hour);
        let kept = self.hours.split_off(&hour);
        for closed in std::mem::replace(&mut self.hours, kept).values() {
            self.past.add(closed);
        }
        self.ledger.forget_before(hour)
    }

    pub(crate) fn write_coverage(
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
            let part = self.coverage_parts.get(&hour).copied().unwrap_or(0);
            closer.write_coverage(Hour(hour), part, &entry.0, &entry.1)?;
            self.note(closer, &COVERAGE, hour, part);
            self.coverage.insert(hour, entry);
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, closer: &Closer, table: &Table, hour: i64, part: u32) {
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
        rounds: VecDeque::new(),
        finished: vec![0; workers],
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
    rounds: VecDeque<Round>,
    /// For each worker, how many of `rounds` it has finished.
    finished: Vec<usize>,
}

/// What the workers hand over between two closes. Each worker is told every close at the same place of the input, but one may be
/// rounds ahead of another: an hour that was opened once more by late packets must not close together with its first opening.
#[derive(Default)]
struct Round {
    hours: BTreeMap<i64, OpenHour>,
    before: i64,
    workers_finished: usize,
}

#[derive(Default)]
struct OpenHour {
    parts: Vec<HourPart>,
    spilled: HourRuns,
}

impl Closing<'_> {
    fn take(&mut self, handover: Handover, written: &mut Written) -> Result<(), WriteError> {
        match handover {
            Handover::Part(worker, part) => {
                if self.accounts {
                    written.ledger.add(part.hour, &part.account);
                }
                let hours = &mut self.round_of(worker).hours;
                hours.entry(part.hour).or_default().parts.push(*part);
            }
            Handover::Spill(worker, part) => {
                let hour = part.hour;
                let spilled = self.closer.spill(*part)?;
                let hours = &mut self.round_of(worker).hours;
                hours.entry(hour).or_default().spilled.append(spilled);
            }
            Handover::Closed { worker, before } => {
                let round = self.round_of(worker);
                round.before = before;
                round.workers_finished += 1;
                self.finished[worker] += 1;
                self.close_rounds(written)?;
            }
        }
        Ok(())
    }

    fn round_of(&mut self, worker: usize) -> &mut Round {
        let index = self.finished[worker];
        while self.rounds.len() <= index {
            self.rounds.push_back(Round::default());
        }
        &mut self.rounds[index]
    }

    /// Closes the hours of every round that all workers have finished.
    fn close_rounds(&mut self, written: &mut Written) -> Result<(), WriteError> {
        let workers = self.finished.len();
        while let Some(round) = self
            .rounds
            .pop_front_if(|round| round.workers_finished == workers)
        {
            self.finished.iter_mut().for_each(|count| *count -= 1);
            let mut closing = round.hours;
            self.keep(closing.split_off(&round.before));
            for (hour, open) in closing {
                self.close(hour, open, written)?;
            }
        }
        Ok(())
    }

    /// Rows that were set aside of hours that stay open go on to the next round.
    fn keep(&mut self, hours: BTreeMap<i64, OpenHour>) {
        if hours.is_empty() {
            return;
        }
        if self.rounds.is_empty() {
            self.rounds.push_back(Round::default());
        }
        for (hour, open) in hours {
            let kept = self.rounds[0].hours.entry(hour).or_default();
            kept.parts.extend(open.parts);
            kept.spilled.append(open.spilled);
        }
    }

    fn close(&self, hour: i64, open: OpenHour, written: &mut Written) -> Result<(), WriteError> {
        let begun = Instant::now();
        // An hour is closed with the lists of one moment, those that a reload has left last.
        let closer = &match &written.status {
            None => self.closer.clone(),
            Some(status) => Closer {
                origins: status.origins(),
                ..self.closer.clone()
            },
        };
        let mut runs = open.spilled;
        runs.append(closer.sort(open.parts));
        let part = written.parts.get(&hour).copied().unwrap_or(0);
        if !runs.is_empty() {
            let closed = closer.close(Hour(hour), part, runs)?;
            written.note(closer, &SOURCES, hour, part);
            written.note(closer, &TRAFFIC, hour, part);
            if closed.payload_rows > 0 {
                written.note(closer, &PAYLOADS, hour, part);
            }
            written.parts.insert(hour, part + 1);
            written.hours.entry(hour).or_default().add(&closed);
            if let Some(status) = &written.status {
                status.hour_closed(&closed, begun.elapsed());
            }
        }
        if self.accounts {
            let seconds = written.ledger.covered_in(hour, written.silence_seconds_max);
            written.write_coverage(closer, hour, seconds)?;
        }
        written.durations.push(begun.elapsed());
        Ok(())
    }
}
