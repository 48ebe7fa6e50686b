//! Hours of a live capture: every round goes into the journal, so that it survives a kill, and the hours' parts are published anew; an
//! hour that closes is published for good. While the disk refuses, what was observed is held in memory up to a limit, and beyond it the
//! workers wait, so that the kernel counts what is lost. How a journal or a part is written is the aggregator's business.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use teiten_aggregator::close::{Closer, HourRuns};
use teiten_aggregator::dataset::{Hour, SCRATCH_FOLDER};
use teiten_aggregator::journal::{About, Entry, Journal, Target};
use teiten_aggregator::minute::HourAccount;
use teiten_aggregator::payload_table::{Names, PayloadTable};
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use super::sink::{HourShare, HourSink};
use super::written::{TakenOver, Written};
use crate::origins::OriginsCell;
use crate::watch::Status;

/// The longest silence, in seconds, that counts as observed: a capture shows every tenth of a second that it is awake, so more
/// means that it was not.
pub const LIVE_SILENCE_SECONDS_MAX: i64 = 3;

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

/// How a capture's hours are kept.
#[derive(Debug)]
pub struct JournaledSettings<'a> {
    /// Countries and networks for hours that are published from now on.
    pub origins: Arc<OriginsCell>,
    /// Where refusals and published hours are shown.
    pub status: Option<Arc<Status>>,
    /// Hours before this one are published for good.
    pub open_from: i64,
    /// Bytes of rows that may be held while the disk refuses.
    pub memory_bytes: usize,
    /// Set by a signal: the end must not wait for a disk.
    pub stop: &'a AtomicBool,
}

/// The sink of a capture.
#[derive(Debug)]
pub struct Journaled<'a> {
    closer: Closer,
    settings: JournaledSettings<'a>,
    journal: Journal,
    written: Written,
    held: BTreeMap<i64, Held>,
    refused: bool,
}

/// An hour that is not published for good.
#[derive(Debug, Default)]
struct Held {
    /// Where it is published, once that is known.
    target: Option<Target>,
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

impl<'a> Journaled<'a> {
    /// Takes over what an earlier run of this sensor left behind, or begins anew; with it the hours of runs that cannot be continued,
    /// because their telescope was another, are published for good. A run that is continued gives its name to the parts.
    ///
    /// # Errors
    /// When the dataset cannot be written.
    pub fn start(mut closer: Closer, settings: JournaledSettings<'a>) -> Result<Self, WriteError> {
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
            finish_run(&closer, journal, &settings)?;
        }
        let adopted = own.is_some();
        let journal = match own {
            Some(journal) => journal,
            None => Journal::begin(&directory, &closer.name, &about)
                .map_err(failed(directory.clone()))?,
        };
        closer.name = journal.name.clone();
        let open_from = settings.open_from;
        let mut hours = Journaled::with(closer, journal, settings);
        if adopted {
            hours.adopt().map_err(failed(directory))?;
            tracing::info!(
                run = hours.closer.name.run,
                hours = hours.held.len(),
                "an earlier run broke off; going on with it"
            );
            hours.close_before(open_from);
            hours.flush()?;
        }
        Ok(hours)
    }

    fn with(closer: Closer, journal: Journal, settings: JournaledSettings<'a>) -> Self {
        Journaled {
            closer,
            settings,
            journal,
            written: Written::new(LIVE_SILENCE_SECONDS_MAX),
            held: BTreeMap::new(),
            refused: false,
        }
    }

    /// What was written.
    #[must_use]
    pub fn into_written(self) -> Written {
        self.written
    }

    fn adopt(&mut self) -> std::io::Result<()> {
        let contents = self.journal.load()?;
        for (path, reason) in &contents.damaged {
            tracing::error!(path = %path.display(), reason, "a journal's file cannot be read; it is left there");
        }
        let mut taken_over = TakenOver::new(&self.journal.name.run);
        let written = &mut self.written;
        for (hour, (next, account)) in contents.accounts {
            written.ledger.add(hour, &account);
            written.go_on_with(next);
            taken_over.published(hour, &account);
        }
        let mut names = Names::default();
        for entry in contents.entries {
            let target = entry.target;
            written.ledger.add(target.hour, &entry.account);
            written.go_on_with(target);
            taken_over.open(target.hour, &entry.account);
            let held = self.held.entry(target.hour).or_default();
            held.target = Some(target);
            held.changed = true;
            match entry.payloads(&mut names) {
                Ok(payloads) => held.payloads.merge(payloads),
                Err(error) => tracing::error!(
                    hour = %Hour(target.hour),
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
        self.settings.stop.load(Ordering::Relaxed)
    }

    /// Journals and publishes what it can; true when nothing was refused.
    fn flush(&mut self) -> Result<bool, WriteError> {
        // All hours of a round are published with the same lists.
        self.closer.origins = self.settings.origins.load();
        let mut refusal = None;
        let hours: Vec<i64> = self.held.keys().copied().collect();
        for hour in hours {
            if let Err(error) = self.flush_hour(hour) {
                refusal.get_or_insert(error);
            }
        }
        self.report_refusal(refusal.as_ref());
        match refusal {
            // Nothing that a disk can get over: the rows are damaged, or the tables do not fit their schema.
            Some(error) if !error.is_of_the_system() => Err(error),
            refusal => Ok(refusal.is_none()),
        }
    }

    fn flush_hour(&mut self, hour: i64) -> Result<(), WriteError> {
        let Some(held) = self.held.get_mut(&hour) else {
            return Ok(());
        };
        let (closer, written) = (&self.closer, &mut self.written);
        let target = match held.target {
            Some(target) => target,
            None => written
                .target(closer, hour)
                .map_err(|source| journal_error(closer, source))?,
        };
        held.target = Some(target);
        if held.is_fresh() {
            let entry = self
                .journal
                .append(target, &held.fresh, &held.fresh_account)
                .map_err(|source| journal_error(closer, source))?;
            held.entries.push(entry);
            held.payloads.merge(held.fresh.take_payloads());
            held.fresh = HourRuns::default();
            held.fresh_account = HourAccount::default();
            held.fresh_bytes = 0;
        }
        if held.changed && (held.closing || held.is_due()) {
            let begun = Instant::now();
            publish(closer, target, held, written)?;
            held.changed = false;
            held.published = Some((Instant::now(), begun.elapsed()));
        }
        if held.closing && !held.changed {
            let took = held.published.map_or(Duration::ZERO, |(_, took)| took);
            let next = Target {
                part: target.part + 1,
                ..target
            };
            let account = written.ledger.account(hour);
            self.journal
                .publish_for_good(next, &account, &held.entries)
                .map_err(|source| journal_error(closer, source))?;
            written.go_on_with(next);
            self.held.remove(&hour);
            if let Some(status) = &self.settings.status
                && let Some(closed) = written.closed(hour, target.part)
            {
                status.hour_closed(&closed, took);
            }
        }
        Ok(())
    }

    /// Says once that the disk refuses, and once that it no longer does; the status shows it meanwhile.
    fn report_refusal(&mut self, refusal: Option<&WriteError>) {
        let held_bytes = self.fresh_bytes();
        match refusal {
            Some(error) if !self.refused => tracing::error!(
                held_bytes,
                "{error}; capture goes on, what is held is written when it can be"
            ),
            None if self.refused => tracing::info!("everything held is written"),
            _ => {}
        }
        if let Some(status) = &self.settings.status
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
    fn flush_within_memory(&mut self) -> Result<(), WriteError> {
        while !self.flush()?
            && self.fresh_bytes() > self.settings.memory_bytes
            && !self.is_stopped()
        {
            std::thread::sleep(RETRY_INTERVAL);
        }
        Ok(())
    }

    /// Forgets accounts that few packets will want; those that come all the same are published beside what is there. Hours that a
    /// disk has refused so far are not forgotten.
    fn forget_before(&mut self, hour: i64) {
        let held = self.held.keys().next().copied();
        let hour = held.map_or(hour, |held| held.min(hour));
        for old in self.written.forget_accounts_before(hour) {
            // What is left is removed with the journal.
            let _ = self.journal.forget(old);
        }
    }
}

impl HourSink for Journaled<'_> {
    fn hold(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError> {
        let held = self.held.entry(hour).or_default();
        for part in &share.parts {
            self.written.ledger.add(hour, &part.account);
            held.fresh_account.add(&part.account);
            held.fresh_bytes += part.memory_bytes();
        }
        held.fresh.append(share.spilled);
        held.fresh.append(self.closer.sort(share.parts));
        held.changed = true;
        Ok(())
    }

    fn round(&mut self, before: i64) -> Result<(), WriteError> {
        let begun = Instant::now();
        self.close_before(before);
        self.flush_within_memory()?;
        if before != i64::MAX {
            self.forget_before(before.saturating_sub(ACCOUNT_HOURS));
        }
        if self.written.durations.len() < DURATIONS_MAX {
            self.written.durations.push(begun.elapsed());
        }
        Ok(())
    }

    /// Publishes everything for good and ends the journal. What a disk refuses stays in the journal for the next run.
    fn end(&mut self) -> Result<(), WriteError> {
        let begun = Instant::now();
        self.held.values_mut().for_each(|held| held.closing = true);
        while !self.flush()? {
            if begun.elapsed() >= END_WAIT {
                return Err(WriteError::File {
                    path: self.closer.directory.clone(),
                    source: std::io::Error::other(format!(
                        "refused until the end; {} bytes of rows are lost, what is in the journal is published by the next run",
                        self.fresh_bytes()
                    )),
                });
            }
            std::thread::sleep(RETRY_INTERVAL / 4);
        }
        self.written.flush_coverage(&self.closer)?;
        self.journal.end().map_err(|source| WriteError::File {
            path: self.closer.directory.clone(),
            source,
        })
    }

    /// While the disk refuses, this waits, and the workers with it.
    fn spill(&mut self, part: HourPart) -> Result<HourRuns, WriteError> {
        let mut sorted = self.closer.sort(vec![part]);
        loop {
            match self.closer.set_aside(sorted) {
                Ok(spilled) => return Ok(spilled),
                Err((kept, error)) => {
                    self.report_refusal(Some(&error));
                    sorted = *kept;
                }
            }
            if self.is_stopped() {
                return Ok(sorted);
            }
            std::thread::sleep(RETRY_INTERVAL);
        }
    }
}

fn journal_error(closer: &Closer, source: std::io::Error) -> WriteError {
    let path = closer.directory.join(SCRATCH_FOLDER);
    WriteError::File { path, source }
}

/// Publishes an hour as far as it has come, in place of what was published of it before.
fn publish(
    closer: &Closer,
    Target { hour, part, .. }: Target,
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
        written.note_rows(closer, hour, part, &closed);
        written.replace_hour(hour, part, &closed);
    }
    let seconds = written.covered_in(hour);
    written.write_coverage(closer, hour, seconds)
}

/// Publishes what a run that cannot be continued has left, under its own name.
fn finish_run(
    closer: &Closer,
    journal: Journal,
    settings: &JournaledSettings<'_>,
) -> Result<(), WriteError> {
    let other = Closer {
        name: journal.name.clone(),
        addresses: journal.about.addresses,
        configuration_sha256: journal.about.configuration_sha256.clone(),
        ..closer.clone()
    };
    let settings = JournaledSettings {
        origins: Arc::clone(&settings.origins),
        status: None,
        ..*settings
    };
    let mut hours = Journaled::with(other, journal, settings);
    hours.adopt().map_err(|source| WriteError::File {
        path: closer.directory.clone(),
        source,
    })?;
    tracing::info!(
        run = hours.closer.name.run,
        "an earlier run broke off; its hours are closed"
    );
    hours.end()
}
