//! The thread that keeps a live capture durable: every minute the workers' shares go into the journal and the hours' parts are
//! published anew; an hour that closes is published for good. While the disk refuses, what was observed is held in memory up to a
//! limit, and beyond it the workers wait, so that the kernel counts what is lost. Who writes what stands in the aggregator.

mod rounds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use teiten_aggregator::close::{Closer, HourRuns};
use teiten_aggregator::dataset::{Hour, SCRATCH_FOLDER};
use teiten_aggregator::journal::{About, Entry, Journal, Place};
use teiten_aggregator::minute::HourAccount;
use teiten_aggregator::payload_table::{Names, PayloadTable};
use teiten_aggregator::schema::{PAYLOADS, SOURCES, TRAFFIC};
use teiten_aggregator::writer::WriteError;

use crate::hours::once::{TakenOver, Written};
use rounds::Open;
pub use rounds::run;

/// Publishing an hour anew may take one part in so many of the time: a large hour is published less often than it is journaled.
const PUBLISH_SHARE: u32 = 10;
/// How often a disk that refuses is tried again while nothing more can be held.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of a capture waits for a disk that refuses; what is in the journal by then is published by the next run.
const END_WAIT: Duration = Duration::from_secs(5);
/// Hours whose accounts are kept for packets that come late: two days, beyond any disorder but a broken clock's. What comes later
/// still becomes a further part of its hour, in `coverage` too.
const ACCOUNT_HOURS: i64 = 48;

/// Durations that are kept for the statistics at the end: a month of minutes.
const DURATIONS_MAX: usize = 45_000;

/// What a capture starts with: its journal, and what an earlier run left in it.
pub struct Keeper<'a> {
    journal: Journal,
    held: BTreeMap<i64, Held>,
    /// Set by a signal: the end must not wait for a disk.
    stop: &'a AtomicBool,
    memory_bytes: usize,
    refused: bool,
}

/// An hour that is not published for good.
#[derive(Default)]
struct Held {
    /// Where it is published, once that is known.
    place: Option<Place>,
    entries: Vec<Entry>,
    /// What the journal does not have yet.
    fresh: HourRuns,
    fresh_account: HourAccount,
    fresh_bytes: usize,
    /// Payloads of all entries.
    payloads: PayloadTable,
    closing: bool,
    /// Whether readers do not see all of it.
    changed: bool,
    published: Option<(Instant, Duration)>,
}

impl Held {
    fn is_fresh(&self) -> bool {
        !self.fresh.is_empty() || self.fresh_account != HourAccount::default()
    }

    /// Whether publishing is worth its time now.
    fn is_due(&self) -> bool {
        self.published
            .is_none_or(|(at, took)| at.elapsed() >= took * PUBLISH_SHARE)
    }
}

impl<'a> Keeper<'a> {
    /// Takes over what an earlier run of this sensor left behind, or begins anew. Hours before `open_from` are published for good;
    /// with them those of runs that cannot be gone on with, because their telescope was another. `closer` gets the run's name.
    ///
    /// # Errors
    /// When the dataset cannot be written.
    pub fn start(
        closer: &mut Closer,
        written: &mut Written,
        open_from: i64,
        memory_bytes: usize,
        stop: &'a AtomicBool,
    ) -> Result<Keeper<'a>, WriteError> {
        let about = About {
            configuration_sha256: closer.configuration_sha256.clone(),
            addresses: closer.addresses,
        };
        let failed = |path: PathBuf| move |source| WriteError::File { path, source };
        let directory = closer.directory.clone();
        let found = Journal::abandoned(&directory, &closer.name.sensor);
        let mut found = found.map_err(failed(directory.clone()))?;
        let own = found.iter().rposition(|journal| journal.about == about);
        let own = own.map(|index| found.remove(index));
        for journal in found {
            finish_run(closer, journal, memory_bytes, stop)?;
        }
        let adopted = own.is_some();
        let journal = match own {
            Some(journal) => journal,
            None => Journal::begin(&directory, &closer.name, &about)
                .map_err(failed(directory.clone()))?,
        };
        closer.name = journal.name.clone();
        let mut keeper = Keeper::with(journal, memory_bytes, stop);
        if adopted {
            keeper.adopt(written).map_err(failed(directory))?;
            tracing::info!(
                run = closer.name.run,
                hours = keeper.held.len(),
                "an earlier run broke off; going on with it"
            );
            keeper.close_before(open_from);
            keeper.settle(closer, written)?;
        }
        Ok(keeper)
    }

    fn with(journal: Journal, memory_bytes: usize, stop: &'a AtomicBool) -> Self {
        Keeper {
            journal,
            held: BTreeMap::new(),
            stop,
            memory_bytes,
            refused: false,
        }
    }

    fn adopt(&mut self, written: &mut Written) -> std::io::Result<()> {
        let contents = self.journal.load()?;
        for (path, reason) in &contents.damaged {
            tracing::error!(path = %path.display(), reason, "a journal's file cannot be read; it is left there");
        }
        let mut taken_over = TakenOver::new(&self.journal.name.run);
        for (hour, (next, account)) in contents.accounts {
            written.ledger.add(hour, &account);
            written.go_on_with(next);
            taken_over.published(hour, &account);
        }
        let mut names = Names::default();
        for entry in contents.entries {
            let place = entry.place;
            written.ledger.add(place.hour, &entry.account);
            written.go_on_with(place);
            taken_over.open(place.hour, &entry.account);
            let held = self.held.entry(place.hour).or_default();
            held.place = Some(place);
            held.changed = true;
            match entry.payloads(&mut names) {
                Ok(payloads) => held.payloads.merge(payloads),
                Err(error) => tracing::error!(
                    hour = %Hour(place.hour),
                    "payloads in the journal cannot be read: {error}; they are lost"
                ),
            }
            held.entries.push(entry);
        }
        written.taken_over = Some(taken_over);
        Ok(())
    }

    /// From now on hours before `hour` are published for good.
    fn close_before(&mut self, hour: i64) {
        for (_, held) in self.held.range_mut(..hour) {
            held.closing = true;
        }
    }

    /// Whether a signal has come.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes what the workers handed over of an hour.
    fn hold(&mut self, closer: &Closer, hour: i64, open: Open, written: &mut Written) {
        let held = self.held.entry(hour).or_default();
        for part in &open.parts {
            written.ledger.add(hour, &part.account);
            held.fresh_account.add(&part.account);
            held.fresh_bytes += part.memory_bytes();
        }
        held.fresh.append(open.spilled);
        held.fresh.append(closer.sort(open.parts));
        held.changed = true;
    }

    /// Journals and publishes what it can; true when nothing was refused.
    fn settle(&mut self, closer: &Closer, written: &mut Written) -> Result<bool, WriteError> {
        // An hour is published with the lists of one moment, those that a reload has left last.
        let closer = &match &written.status {
            None => closer.clone(),
            Some(status) => Closer {
                origins: status.origins(),
                ..closer.clone()
            },
        };
        let mut refusal = None;
        let hours: Vec<i64> = self.held.keys().copied().collect();
        for hour in hours {
            if let Err(error) = self.settle_hour(closer, hour, written) {
                refusal.get_or_insert(error);
            }
        }
        self.tell(refusal.as_ref(), written);
        match refusal {
            // Nothing that a disk can get over: the rows are damaged, or the tables do not fit their schema.
            Some(error) if !error.is_of_the_system() => Err(error),
            refusal => Ok(refusal.is_none()),
        }
    }

    fn settle_hour(
        &mut self,
        closer: &Closer,
        hour: i64,
        written: &mut Written,
    ) -> Result<(), WriteError> {
        let Some(held) = self.held.get_mut(&hour) else {
            return Ok(());
        };
        let place = match held.place {
            Some(place) => place,
            None => written
                .place(closer, hour)
                .map_err(|source| journal_error(closer, source))?,
        };
        held.place = Some(place);
        if held.is_fresh() {
            let entry = self
                .journal
                .append(place, &held.fresh, &held.fresh_account)
                .map_err(|source| journal_error(closer, source))?;
            held.entries.push(entry);
            held.payloads.merge(held.fresh.take_payloads());
            held.fresh = HourRuns::default();
            held.fresh_account = HourAccount::default();
            held.fresh_bytes = 0;
        }
        if held.changed && (held.closing || held.is_due()) {
            let begun = Instant::now();
            publish(closer, place, held, written)?;
            held.changed = false;
            held.published = Some((Instant::now(), begun.elapsed()));
        }
        if held.closing && !held.changed {
            let took = held.published.map_or(Duration::ZERO, |(_, took)| took);
            let next = Place {
                part: place.part + 1,
                ..place
            };
            let account = written.ledger.account(hour);
            self.journal
                .settle(next, &account, &held.entries)
                .map_err(|source| journal_error(closer, source))?;
            written.go_on_with(next);
            self.held.remove(&hour);
            if let Some(status) = &written.status
                && let Some(closed) = written.closed(hour, place.part)
            {
                status.hour_closed(&closed, took);
            }
        }
        Ok(())
    }

    /// Says once that the disk refuses, and once that it no longer does; the status shows it meanwhile.
    fn tell(&mut self, refusal: Option<&WriteError>, written: &Written) {
        let held_bytes = self.fresh_bytes();
        match refusal {
            Some(error) if !self.refused => tracing::error!(
                held_bytes,
                "{error}; capture goes on, what is held is written when it can be"
            ),
            None if self.refused => tracing::info!("everything held is written"),
            _ => {}
        }
        if let Some(status) = &written.status
            && (refusal.is_some() || self.refused)
        {
            let text =
                refusal.map(|error| format!("{error} ({held_bytes} bytes of rows are held)"));
            status.problem("disk", text);
        }
        self.refused = refusal.is_some();
    }

    fn fresh_bytes(&self) -> usize {
        self.held.values().map(|held| held.fresh_bytes).sum()
    }

    /// Tries until no more is held than may be; a signal ends the waiting.
    fn settle_within_memory(
        &mut self,
        closer: &Closer,
        written: &mut Written,
    ) -> Result<(), WriteError> {
        while !self.settle(closer, written)?
            && self.fresh_bytes() > self.memory_bytes
            && !self.is_stopped()
        {
            std::thread::sleep(RETRY_INTERVAL);
        }
        Ok(())
    }

    /// Forgets accounts that few packets will want; those that come all the same are published beside what is there. Hours that a
    /// disk has refused so far are not forgotten.
    fn forget_before(&mut self, hour: i64, written: &mut Written) {
        let held = self.held.keys().next().copied();
        let hour = held.map_or(hour, |held| held.min(hour));
        for old in written.forget_accounts_before(hour) {
            // What is left is removed with the journal.
            let _ = self.journal.forget(old);
        }
    }

    /// Publishes everything for good and ends the journal. What a disk refuses stays in the journal for the next run.
    fn end(mut self, closer: &Closer, written: &mut Written) -> Result<(), WriteError> {
        let begun = Instant::now();
        self.held.values_mut().for_each(|held| held.closing = true);
        while !self.settle(closer, written)? {
            if begun.elapsed() >= END_WAIT {
                return Err(WriteError::File {
                    path: closer.directory.clone(),
                    source: std::io::Error::other(format!(
                        "refused until the end; {} bytes of rows are lost, what is in the journal is published by the next run",
                        self.fresh_bytes()
                    )),
                });
            }
            std::thread::sleep(RETRY_INTERVAL / 4);
        }
        written.settle_coverage(closer)?;
        let directory = closer.directory.clone();
        self.journal.end().map_err(|source| WriteError::File {
            path: directory,
            source,
        })
    }
}

fn journal_error(closer: &Closer, source: std::io::Error) -> WriteError {
    let path = closer.directory.join(SCRATCH_FOLDER);
    WriteError::File { path, source }
}

/// Publishes an hour as far as it has come, in place of what was published of it before.
fn publish(
    closer: &Closer,
    Place { hour, part, .. }: Place,
    held: &Held,
    written: &mut Written,
) -> Result<(), WriteError> {
    let mut runs = HourRuns::default();
    for entry in &held.entries {
        runs.append(entry.runs());
    }
    if !runs.is_empty() {
        runs.add_payloads(held.payloads.clone());
        let closed = closer.close(Hour(hour), part, runs)?;
        written.note(closer, &SOURCES, hour, part);
        written.note(closer, &TRAFFIC, hour, part);
        if closed.payload_rows > 0 {
            written.note(closer, &PAYLOADS, hour, part);
        }
        written.replace_hour(hour, part, &closed);
    }
    let seconds = written.covered_in(hour);
    written.write_coverage(closer, hour, seconds)
}

/// Publishes what a run that cannot be gone on with has left, under its own name.
fn finish_run(
    closer: &Closer,
    journal: Journal,
    memory_bytes: usize,
    stop: &AtomicBool,
) -> Result<(), WriteError> {
    let other = Closer {
        name: journal.name.clone(),
        addresses: journal.about.addresses,
        configuration_sha256: journal.about.configuration_sha256.clone(),
        ..closer.clone()
    };
    let mut written = Written::new(crate::command::capture::LIVE_SILENCE_SECONDS_MAX);
    let mut keeper = Keeper::with(journal, memory_bytes, stop);
    keeper
        .adopt(&mut written)
        .map_err(|source| WriteError::File {
            path: closer.directory.clone(),
            source,
        })?;
    tracing::info!(
        run = other.name.run,
        "an earlier run broke off; its hours are closed"
    );
    keeper.end(&other, &mut written)
}
