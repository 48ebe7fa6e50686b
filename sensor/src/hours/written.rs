//! The accounts and parts that a run has written, by hour, and the number of the next part. This module writes coverage, because coverage
//! may change long after an hour's rows were published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use teiten_aggregator::close::{ClosedHour, Closer, Edition, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::inputs::HOURS_AT_ONCE;
use teiten_aggregator::journal::Target;
use teiten_aggregator::leading::LeadingSums;
use teiten_aggregator::ledger::Ledger;
use teiten_aggregator::minute::{HourAccount, MinuteCounts, SecondSet};
use teiten_aggregator::schema::{BACKSCATTER, COVERAGE, PAYLOADS, SOURCES, TRAFFIC, Table};
use teiten_aggregator::store::Period;
use teiten_aggregator::writer::WriteError;

/// The counts of an interrupted run that this one continues.
#[derive(Debug)]
pub struct TakenOver {
    /// The run's name, which this one keeps.
    pub run: String,
    /// Sums of hours that were still open, whose rows this run publishes together with its own.
    pub hours: BTreeMap<i64, MinuteCounts>,
    all: BTreeMap<i64, MinuteCounts>,
}

impl TakenOver {
    /// No counts yet, for the run of this name.
    #[must_use]
    pub fn new(run: &str) -> Self {
        TakenOver {
            run: run.to_owned(),
            hours: BTreeMap::new(),
            all: BTreeMap::new(),
        }
    }

    /// Adds the counts of a finished hour.
    pub(super) fn published(&mut self, hour: i64, account: &HourAccount) {
        self.all.entry(hour).or_default().add(&account.total());
    }

    /// Adds the counts of an hour that is still open.
    pub(super) fn open(&mut self, hour: i64, account: &HourAccount) {
        self.published(hour, account);
        self.hours.entry(hour).or_default().add(&account.total());
    }
}

/// The output of a run so far.
#[derive(Debug)]
pub struct Written {
    /// Accounts of all hours.
    pub ledger: Ledger,
    /// The sizes of the parts of each hour.
    pub hours: BTreeMap<i64, ClosedHour>,
    /// Sums of the sizes of forgotten hours.
    pub past: ClosedHour,
    /// The counts of an interrupted run, if this one continues it.
    pub taken_over: Option<TakenOver>,
    /// Files of a journal that were damaged, and are kept under another name.
    pub damaged_files: usize,
    /// Hours whose journal was damaged or incomplete: their published parts stay, and the rest became a further part.
    pub damaged_hours: usize,
    /// Observed packets that are lost because files of the journal are gone.
    pub lost_packets: u64,
    /// The leading ports and countries in the rows of a replay; rows of hours that were written twice are counted twice.
    pub leading: LeadingSums,
    /// Whether hours were written twice.
    pub rewritten: bool,
    /// The duration of each close, from the last share to the durable files.
    pub durations: Vec<Duration>,
    /// The longest silence that counts as observed.
    silence_seconds_max: i64,
    parts: BTreeMap<i64, u32>,
    /// Parts that hold the coverage of hours, if not the first part.
    coverage_parts: BTreeMap<i64, u32>,
    /// Hour, table and part of the files that were written.
    files: BTreeSet<(i64, &'static str, u32)>,
    /// The published coverage of hours, as a hash: it is written again where it has changed.
    coverage: BTreeMap<i64, u128>,
    /// The contents of parts of hours that are published more than once.
    live: BTreeMap<(i64, u32), ClosedHour>,
}

impl Written {
    /// An empty output. A silence of up to `silence_seconds_max` between two active seconds counts as observed.
    #[must_use]
    pub fn new(silence_seconds_max: i64) -> Self {
        Written {
            ledger: Ledger::default(),
            hours: BTreeMap::new(),
            past: ClosedHour::default(),
            taken_over: None,
            damaged_files: 0,
            damaged_hours: 0,
            lost_packets: 0,
            leading: LeadingSums::default(),
            rewritten: false,
            durations: Vec::new(),
            silence_seconds_max,
            parts: BTreeMap::new(),
            coverage_parts: BTreeMap::new(),
            files: BTreeSet::new(),
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

    /// Drops the rows of these hours, because a second pass writes them again.
    pub fn forget(&mut self, hours: impl Iterator<Item = i64>) {
        self.rewritten = true;
        for hour in hours {
            self.parts.remove(&hour);
            self.hours.remove(&hour);
        }
    }

    /// Writes the coverage that has changed since its hour closed, and hours that had no rows.
    pub fn flush_coverage(&mut self, closer: &Closer) -> Result<(), WriteError> {
        let mut covered = self.ledger.covered(self.silence_seconds_max);
        let mut hours: Vec<i64> = covered.keys().copied().collect();
        hours.extend(self.ledger.hours().map(|(hour, _)| hour));
        hours.sort_unstable();
        hours.dedup();
        let mut editions = Vec::new();
        for hour in hours {
            let seconds = covered.remove(&hour).unwrap_or_default();
            let mut edition = closer.edition(Hour(hour), State::Finished);
            self.write_coverage(&mut edition, hour, &seconds)?;
            if !edition.is_empty() {
                editions.push(edition);
            }
            if editions.len() == HOURS_AT_ONCE {
                self.publish(closer, std::mem::take(&mut editions))?;
            }
        }
        self.publish(closer, editions)?;
        Ok(())
    }

    /// Removes what an earlier replay of the same input left behind.
    pub fn remove_stale(&self, closer: &Closer) -> Result<usize, WriteError> {
        closer.remove_stale(&|part| {
            let number = part.name().map(|(_, number)| number);
            match (part.period, number) {
                (Period::Hour(hour), Some(number)) => {
                    self.files.contains(&(hour.0, part.table, number))
                }
                _ => true,
            }
        })
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

    /// The part number for the next publication of `hour`. For an unknown hour it is a new part, so that no existing part is replaced.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub(super) fn target(&mut self, closer: &Closer, hour: i64) -> std::io::Result<Target> {
        let known = self.parts.get(&hour).zip(self.coverage_parts.get(&hour));
        if let Some((&part, &coverage_part)) = known {
            return Ok(Target {
                hour,
                part,
                coverage_part,
            });
        }
        let next = |table: &Table| closer.store.next_part(table.name, Hour(hour), &closer.name);
        let rows = [
            next(&SOURCES)?,
            next(&TRAFFIC)?,
            next(&PAYLOADS)?,
            next(&BACKSCATTER)?,
        ];
        let target = Target {
            hour,
            part: rows.into_iter().max().unwrap_or(0),
            coverage_part: next(&COVERAGE)?,
        };
        self.go_on_with(target);
        Ok(target)
    }

    /// Sets the part number for the next publication of an hour.
    pub(super) fn go_on_with(&mut self, target: Target) {
        self.parts.insert(target.hour, target.part);
        self.coverage_parts
            .insert(target.hour, target.coverage_part);
    }

    /// Notes the new contents of the part `part` of `hour`, in place of the earlier ones.
    pub(super) fn replace_hour(&mut self, hour: i64, part: u32, closed: &ClosedHour) {
        self.live.insert((hour, part), closed.clone());
        let mut sum = ClosedHour::default();
        let of_hour = self.live.range((hour, 0)..=(hour, u32::MAX));
        of_hour.for_each(|(_, closed)| sum.add(closed));
        self.hours.insert(hour, sum);
    }

    /// Notes the bytes of the part `part` of `hour`, which was noted before.
    pub(super) fn note_bytes(&mut self, hour: i64, part: u32, bytes: u64) {
        if let Some(live) = self.live.get_mut(&(hour, part)) {
            live.file_bytes = bytes;
            let closed = live.clone();
            self.replace_hour(hour, part, &closed);
        }
    }

    /// The contents of the last published part `part` of `hour`.
    pub(super) fn closed(&self, hour: i64, part: u32) -> Option<ClosedHour> {
        self.live.get(&(hour, part)).cloned()
    }

    /// The observed seconds of `hour` so far.
    pub(super) fn covered_in(&self, hour: i64) -> SecondSet {
        self.ledger.covered_in(hour, self.silence_seconds_max)
    }

    /// Drops the details of hours before `hour`, keeps their sums, and returns the dropped hours.
    pub(super) fn forget_accounts_before(&mut self, hour: i64) -> Vec<i64> {
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

    pub(super) fn write_coverage(
        &mut self,
        edition: &mut Edition<'_>,
        hour: i64,
        seconds: &SecondSet,
    ) -> Result<(), WriteError> {
        let mut account = self.ledger.account(hour);
        if let Some(closed) = self.hours.get(&hour) {
            account.set_collapsed(&closed.collapsed);
        }
        let hash = account.hash_with(seconds, edition.state() == State::Finished);
        if self.coverage.get(&hour) != Some(&hash) {
            let part = self.coverage_parts.get(&hour).copied().unwrap_or(0);
            edition.coverage(part, &account, seconds)?;
            self.note(&COVERAGE, hour, part);
            self.coverage.insert(hour, hash);
        }
        Ok(())
    }

    /// Publishes editions and returns the bytes of their rows; if that fails, their coverage is written again the next time.
    pub(super) fn publish(
        &mut self,
        closer: &Closer,
        editions: Vec<Edition<'_>>,
    ) -> Result<Vec<u64>, WriteError> {
        let hours: Vec<i64> = editions.iter().map(|edition| edition.hour().0).collect();
        let published = closer.publish(editions);
        if published.is_err() {
            for hour in hours {
                self.coverage.remove(&hour);
            }
        }
        published
    }

    /// Notes the files of the part `part` of `hour`, whose rows were just published.
    pub(super) fn note_rows(&mut self, hour: i64, part: u32, closed: &ClosedHour) {
        self.note(&SOURCES, hour, part);
        self.note(&TRAFFIC, hour, part);
        if closed.payload_rows > 0 {
            self.note(&PAYLOADS, hour, part);
        }
        if closed.reply_rows > 0 {
            self.note(&BACKSCATTER, hour, part);
        }
    }

    /// The next part number of `hour`, when every part is published once.
    pub(super) fn next_part(&self, hour: i64) -> u32 {
        self.parts.get(&hour).copied().unwrap_or(0)
    }

    /// Takes the next part number of `hour`, when every part is published once.
    pub(super) fn take_part(&mut self, hour: i64) -> u32 {
        let next = self.parts.entry(hour).or_insert(0);
        *next += 1;
        *next - 1
    }

    /// Adds the contents of a further part of `hour`.
    pub(super) fn add_hour(&mut self, hour: i64, closed: &ClosedHour) {
        self.hours.entry(hour).or_default().add(closed);
    }

    fn note(&mut self, table: &Table, hour: i64, part: u32) {
        self.files.insert((hour, table.name, part));
    }
}
