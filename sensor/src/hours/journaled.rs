//! Hours of a live capture. Every round is written to the journal, so that it survives a kill, and the parts of open hours are republished.
//! An hour that closes is published for the last time. While writes fail, rows stay in memory up to a limit; beyond it the workers wait
//! and the kernel counts drops. The aggregator writes journals and parts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use teiten_aggregator::alert::{Committed, LookedAt, Outbox, WatchList, Watcher};
use teiten_aggregator::close::{Closer, HourRuns, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::journal::{About, Entry, Journal, Published, Target};
use teiten_aggregator::minute::HourAccount;
use teiten_aggregator::payload_table::{Names, PayloadTable};
use teiten_aggregator::store::Lock;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use super::opening::{identify, open_dataset};
use super::refusals::{Refusals, kind_of};
use super::sink::{HourShare, HourSink, Spiller};
use super::watching::Watching;
use super::written::{TakenOver, Written};
use crate::origins::OriginsCell;
use crate::watch::Status;

/// The longest silence, in seconds, that counts as observed: zero, because a capture marks every second that it observed.
const LIVE_SILENCE_SECONDS_MAX: i64 = 1;

/// Republishing an hour may use this fraction of the time (1 / n): a large hour is published less often than it is journaled.
const PUBLISH_SHARE: u32 = 10;
/// Interval of retries while writes fail and memory is full.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of a capture retries failed writes. The next run publishes what is in the journal.
const END_WAIT: Duration = Duration::from_secs(5);
/// Hours whose accounts are kept for packets that come late: two days, beyond any disorder but a broken clock's. What comes later
/// still becomes a further part of its hour, in `coverage` too.
const ACCOUNT_HOURS: i64 = 48;

/// Durations that are kept for the statistics at the end: a month of minutes.
const DURATIONS_MAX: usize = 45_000;

/// Settings of a capture's hours.
#[derive(Clone, Debug)]
pub struct JournaledSettings {
    /// Countries and networks for hours that are published from now on.
    pub origins: Arc<OriginsCell>,
    /// Status that shows failed writes and published hours.
    pub status: Option<Arc<Status>>,
    /// Hours before this one are finished.
    pub open_from: i64,
    /// Bytes of rows that may stay in memory while writes fail.
    pub memory_bytes: usize,
    /// Whose addresses are watched, if anybody's.
    pub watch: Option<Arc<WatchList>>,
    /// Set by a signal: the end does not wait for the disk.
    pub stop: Arc<AtomicBool>,
}

impl JournaledSettings {
    /// Whether a signal has come.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The sink of a capture.
#[derive(Debug)]
pub struct Journaled {
    closer: Closer,
    settings: JournaledSettings,
    journal: Journal,
    written: Written,
    watching: Watching,
    held: BTreeMap<i64, HeldHour>,
    refusals: Arc<Refusals>,
    /// The lock that keeps other captures of the sensor from writing to the dataset.
    lock: Option<Lock>,
}

/// An hour that is not finished.
#[derive(Debug, Default)]
struct HeldHour {
    /// The part it is published as, once known.
    target: Option<Target>,
    entries: Vec<Entry>,
    /// Rows that are not in the journal yet.
    fresh: HourRuns,
    fresh_account: HourAccount,
    fresh_bytes: usize,
    /// Payloads of all entries.
    payloads: PayloadTable,
    closing: bool,
    /// Whether the published parts lack some of it.
    changed: bool,
    published: Option<(Instant, Duration)>,
    /// The last journal entry in the published parts.
    through: Option<u64>,
}

impl HeldHour {
    fn is_fresh(&self) -> bool {
        !self.fresh.is_empty() || self.fresh_account != HourAccount::default()
    }

    /// The hour has ended; its published parts still say that it is open.
    fn close(&mut self) {
        self.changed |= !self.closing;
        self.closing = true;
    }

    /// Whether it is time to publish again.
    fn is_due(&self) -> bool {
        self.published
            .is_none_or(|(at, took)| at.elapsed() >= took * PUBLISH_SHARE)
    }
}

impl Journaled {
    /// Continues the journal of an earlier run of this sensor, or begins a new one. Journals of runs with another telescope cannot be
    /// continued; their hours are published for the last time. Parts carry the name of the run that is continued. Waits for a full disk
    /// until a signal comes.
    ///
    /// # Errors
    /// When the dataset cannot be written.
    pub fn start(closer: &Closer, settings: &JournaledSettings) -> Result<Self, WriteError> {
        let mut waited = false;
        let refusals = Refusals::new(settings.status.clone());
        loop {
            match Journaled::open(closer.clone(), settings) {
                Ok(hours) => {
                    if waited {
                        tracing::info!("the disk has space again: the capture starts");
                        refusals.show(None);
                    }
                    return Ok(hours);
                }
                Err(error) if is_full(&error) && !settings.is_stopped() => {
                    if !waited {
                        tracing::error!("{error}; nothing is captured until the disk has space");
                    }
                    waited = true;
                    refusals.show(Some(error.to_string()));
                    std::thread::sleep(RETRY_INTERVAL);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn open(mut closer: Closer, settings: &JournaledSettings) -> Result<Self, WriteError> {
        let about = About {
            configuration_sha256: closer.configuration_sha256.clone(),
            addresses: closer.addresses,
        };
        let failed = |path: PathBuf| move |source| WriteError::File { path, source };
        let directory = closer.store.directory().to_owned();
        let sensor = closer.name.sensor.clone();
        let lock = open_dataset(&closer.store, |store| {
            store.try_lock(&format!("capture-{sensor}"))
        })?;
        let Some(lock) = lock else {
            return Err(WriteError::Busy {
                sensor,
                path: directory,
            });
        };
        identify(&mut closer, None)?;
        let found = Journal::abandoned(&directory, &closer.name.sensor);
        let (mut found, damaged) = found.map_err(failed(directory.clone()))?;
        report_damage(&damaged);
        let own = found.iter().rposition(|journal| journal.about == about);
        let own = own.map(|index| found.remove(index));
        let mut damaged_files = damaged.len();
        for journal in found {
            damaged_files += finish_run(&closer, journal, settings)?;
        }
        let adopted = own.is_some();
        let journal = match own {
            Some(journal) => journal,
            None => Journal::begin(&directory, &closer.name, &about)
                .map_err(failed(directory.clone()))?,
        };
        closer.name = journal.name.clone();
        let mut hours = Journaled::with(closer, journal, settings.clone())?;
        hours.lock = Some(lock);
        hours.written.damaged_files = damaged_files;
        if adopted {
            hours.adopt().map_err(failed(directory))?;
            tracing::info!(
                run = hours.closer.name.run,
                hours = hours.held.len(),
                "an earlier run broke off; this one continues it"
            );
            hours.close_before(settings.open_from);
            hours.flush()?;
        }
        Ok(hours)
    }

    fn with(
        closer: Closer,
        journal: Journal,
        settings: JournaledSettings,
    ) -> Result<Self, WriteError> {
        let watcher = settings.watch.as_ref().map(|list| {
            let role = (&closer.name.sensor[..], "capture");
            let list = Arc::clone(list);
            Watcher::open(&closer.store, role, list, closer.addresses, Outbox::Queues)
        });
        let watcher = watcher.transpose().map_err(|source| WriteError::File {
            path: closer.store.private_folder(),
            source: std::io::Error::other(source),
        })?;
        Ok(Journaled {
            watching: Watching::by(watcher),
            refusals: Arc::new(Refusals::new(settings.status.clone())),
            closer,
            settings,
            journal,
            written: Written::new(LIVE_SILENCE_SECONDS_MAX),
            held: BTreeMap::new(),
            lock: None,
        })
    }

    /// What was written.
    #[must_use]
    pub fn into_written(self) -> Written {
        self.written
    }

    /// Alerts that were raised; `None` if nobody is watched.
    #[must_use]
    pub fn watched(&self) -> Option<Committed> {
        self.watching.committed()
    }

    fn adopt(&mut self) -> std::io::Result<()> {
        let contents = self.journal.load()?;
        report_damage(&contents.damaged);
        self.written.damaged_files += contents.damaged.len();
        let mut taken_over = TakenOver::new(&self.journal.name.run);
        let mut entries = BTreeMap::<i64, Vec<Entry>>::new();
        for entry in contents.entries {
            entries.entry(entry.target.hour).or_default().push(entry);
        }
        let suspect: BTreeSet<i64> = entries
            .iter()
            .filter(|(hour, entries)| {
                contents.suspect.contains(hour) || self.shows_more_than(entries)
            })
            .map(|(&hour, _)| hour)
            .chain(contents.suspect.iter().copied())
            .collect();
        for (hour, (next, account)) in contents.accounts {
            if !suspect.contains(&hour) {
                self.written.ledger.add(hour, &account);
                self.written.go_on_with(next);
                taken_over.published(hour, &account);
            }
        }
        let mut names = Names::default();
        for (hour, mut entries) in entries {
            for entry in &entries {
                self.watch_again(entry);
            }
            if suspect.contains(&hour) {
                entries = self.rest_of(hour, &entries, &mut names)?;
            }
            for entry in entries {
                self.hold_entry(entry, &mut names, &mut taken_over);
            }
        }
        self.written.taken_over = Some(taken_over);
        Ok(())
    }

    /// Shows what an earlier run had journaled and perhaps not shown.
    fn watch_again(&mut self, entry: &Entry) {
        let run = &self.closer.name.run;
        let what = (LookedAt::Stretch(run, entry.number), &*self.closer.origins);
        self.watching
            .look(entry.target.hour, &entry.runs(), &entry.account, what);
    }

    fn hold_entry(&mut self, entry: Entry, names: &mut Names, taken_over: &mut TakenOver) {
        // Also if it was written anew, in place of damaged ones, and has another number.
        self.watching
            .pass_through(&self.closer.name.run, entry.number);
        let target = entry.target;
        self.written.ledger.add(target.hour, &entry.account);
        self.written.go_on_with(target);
        taken_over.open(target.hour, &entry.account);
        let held = self.held.entry(target.hour).or_default();
        held.target = Some(target);
        held.changed = true;
        held.payloads.merge(payloads_of(&entry, names));
        held.entries.push(entry);
    }

    /// Whether the published parts hold more of an hour than its journal, because journal files are missing.
    fn shows_more_than(&self, entries: &[Entry]) -> bool {
        let targets: BTreeSet<(u32, u32)> = entries
            .iter()
            .map(|entry| (entry.target.part, entry.target.coverage_part))
            .collect();
        targets.into_iter().any(|(part, coverage_part)| {
            let of_part = || entries.iter().filter(|entry| entry.target.part == part);
            let last = of_part().map(|entry| entry.number).max();
            let Some(first) = of_part().next() else {
                return false;
            };
            let target = Target {
                part,
                coverage_part,
                ..first.target
            };
            Published::at(&self.closer, target).rows > last
        })
    }

    /// Recovers an hour whose journal is damaged: published parts stay as they are, the rest becomes a further part.
    fn rest_of(
        &mut self,
        hour: i64,
        entries: &[Entry],
        names: &mut Names,
    ) -> std::io::Result<Vec<Entry>> {
        let mut target = self.written.target(&self.closer, hour)?;
        let parts = entries.iter().map(|entry| entry.target.part);
        target.part = target.part.max(parts.max().map_or(0, |part| part + 1));
        let (mut runs, mut account) = (HourRuns::default(), HourAccount::default());
        for entry in entries {
            let published = Published::at(&self.closer, entry.target);
            if Some(entry.number) > published.rows {
                runs.append(entry.runs());
                runs.add_payloads(payloads_of(entry, names));
            }
            if Some(entry.number) > published.coverage {
                account.add(&entry.account);
            }
        }
        self.written.damaged_hours += 1;
        tracing::warn!(
            hour = %Hour(hour),
            packets = account.total().observed,
            "the journal of this hour is damaged: what is published of it stays, the rest becomes part {}", target.part
        );
        let rest = self.journal.append_rest(target, &runs, &account, entries)?;
        Ok(vec![rest])
    }

    /// Marks hours before `hour` as finished.
    fn close_before(&mut self, hour: i64) {
        for (_, held) in self.held.range_mut(..hour) {
            held.close();
        }
    }

    /// Writes to the journal and publishes; returns true if no write failed.
    fn flush(&mut self) -> Result<bool, WriteError> {
        // All hours of a round are published with the same lists.
        self.closer.origins = self.settings.origins.load();
        let mut refusal = self.restore_journal().err();
        let hours: Vec<i64> = self.held.keys().copied().collect();
        for hour in hours {
            if let Err(error) = self.flush_hour(hour) {
                refusal.get_or_insert(error);
            }
        }
        self.watching.commit();
        self.report_refusal(refusal.as_ref());
        match refusal {
            // A retry cannot help: rows are damaged, or the tables do not fit their schema.
            Some(error) if !error.is_of_the_system() => Err(error),
            refusal => Ok(refusal.is_none()),
        }
    }

    /// Recreates the journal's folder if somebody removed it. Hours whose files are gone continue in a further part; published parts stay
    /// as they are.
    fn restore_journal(&mut self) -> Result<(), WriteError> {
        let closer = &self.closer;
        if self
            .journal
            .restore()
            .map_err(|source| journal_error(closer, source))?
        {
            tracing::error!("the journal's folder was gone; it was made again");
        }
        for (&hour, held) in &mut self.held {
            let Some(target) = held.target else { continue };
            if held.entries.iter().all(Entry::is_there) {
                continue;
            }
            let mut lost = 0;
            for entry in &held.entries {
                if Some(entry.number) > held.through {
                    lost += entry.account.total().observed;
                    self.written.ledger.subtract(hour, &entry.account);
                }
            }
            tracing::error!(
                hour = %Hour(hour),
                lost_packets = lost,
                "files of the journal are gone: what is published of the hour stays, and what was not is lost"
            );
            let next = Target {
                part: target.part + 1,
                ..target
            };
            let entries = std::mem::take(&mut held.entries);
            held.target = Some(next);
            held.payloads = PayloadTable::default();
            held.changed = held.is_fresh();
            self.written.go_on_with(next);
            self.written.lost_packets += lost;
            // Rows since the last checkpoint belong to the next part, and are journaled with it.
            let mut account = self.written.ledger.account(hour);
            account.subtract(&held.fresh_account);
            self.journal
                .publish_for_good(next, &account, &entries)
                .map_err(|source| journal_error(closer, source))?;
        }
        Ok(())
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
            let what = LookedAt::Stretch(&closer.name.run, entry.number);
            let what = (what, &*closer.origins);
            self.watching
                .look(hour, &held.fresh, &held.fresh_account, what);
            held.entries.push(entry);
            held.payloads.merge(held.fresh.take_payloads());
            held.fresh = HourRuns::default();
            held.fresh_account = HourAccount::default();
            held.fresh_bytes = 0;
        }
        if held.changed && (held.closing || held.is_due()) {
            let begun = Instant::now();
            let through = held.entries.last().map(|entry| entry.number);
            let closer = &Closer {
                journal_through: through,
                ..closer.clone()
            };
            publish(closer, target, held, written)?;
            held.through = through;
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

    fn report_refusal(&self, refusal: Option<&WriteError>) {
        self.refusals.report(refusal, self.fresh_bytes());
    }

    fn fresh_bytes(&self) -> usize {
        self.held.values().map(|held| held.fresh_bytes).sum()
    }

    /// Retries until memory is within its limit, or a signal comes.
    fn flush_within_memory(&mut self) -> Result<(), WriteError> {
        while !self.flush()?
            && self.fresh_bytes() > self.settings.memory_bytes
            && !self.settings.is_stopped()
        {
            std::thread::sleep(RETRY_INTERVAL);
        }
        Ok(())
    }

    /// Drops the accounts of old hours; packets that still come become a further part. Hours whose writes failed are kept.
    fn forget_before(&mut self, hour: i64) {
        let held = self.held.keys().next().copied();
        let hour = held.map_or(hour, |held| held.min(hour));
        for old in self.written.forget_accounts_before(hour) {
            // The rest is removed with the journal.
            let _ = self.journal.forget(old);
        }
    }
}

impl HourSink for Journaled {
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
        crate::log::panic_if_asked("hours");
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

    /// Publishes everything for the last time and ends the journal. What cannot be written stays in the journal for the next run.
    fn end(&mut self) -> Result<(), WriteError> {
        let begun = Instant::now();
        self.held.values_mut().for_each(HeldHour::close);
        while !self.flush()? {
            if begun.elapsed() >= END_WAIT {
                let text = format!(
                    "refused until the end; {} bytes of rows are lost, what is in the journal is published by the next run",
                    self.fresh_bytes()
                );
                return Err(WriteError::File {
                    path: self.closer.store.directory().to_owned(),
                    source: std::io::Error::new(self.refusals.kind(), text),
                });
            }
            std::thread::sleep(RETRY_INTERVAL / 4);
        }
        self.written.flush_coverage(&self.closer)?;
        self.journal.end().map_err(|source| WriteError::File {
            path: self.closer.store.directory().to_owned(),
            source,
        })
    }

    fn spiller(&self) -> Arc<dyn Spiller> {
        Arc::new(JournaledSpiller {
            closer: self.closer.clone(),
            refusals: Arc::clone(&self.refusals),
            stop: Arc::clone(&self.settings.stop),
        })
    }
}

/// Spills rows of a capture.
struct JournaledSpiller {
    closer: Closer,
    refusals: Arc<Refusals>,
    stop: Arc<AtomicBool>,
}

impl Spiller for JournaledSpiller {
    /// Waits while writes fail, and the workers wait with it.
    fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError> {
        let held_bytes = part.memory_bytes();
        let mut sorted = self.closer.sort(vec![part]);
        loop {
            match self.closer.spill_runs(sorted) {
                Ok(spilled) => return Ok(spilled),
                Err((kept, error)) => {
                    self.refusals.report(Some(&error), held_bytes);
                    sorted = *kept;
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(sorted);
            }
            std::thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Where the disk refuses, the files stay as they are.
    fn unite(&self, runs: &mut HourRuns, shares: usize) -> Result<(), WriteError> {
        if let Err(error) = self.closer.unite(runs, shares) {
            self.refusals.report(Some(&error), 0);
        }
        Ok(())
    }
}

fn is_full(error: &WriteError) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
    kind_of(error).is_some_and(|kind| kinds.contains(&kind))
}

fn report_damage(damaged: &[(PathBuf, String)]) {
    for (path, reason) in damaged {
        tracing::error!(path = %path.display(), reason, "a part of a journal is damaged; it is kept there and counts for nothing");
    }
}

fn payloads_of(entry: &Entry, names: &mut Names) -> PayloadTable {
    entry.payloads(names).unwrap_or_else(|error| {
        tracing::error!(
            hour = %Hour(entry.target.hour),
            "payloads in the journal cannot be read: {error}; they are lost"
        );
        PayloadTable::default()
    })
}

fn journal_error(closer: &Closer, source: std::io::Error) -> WriteError {
    let path = closer.store.private_folder();
    WriteError::File { path, source }
}

/// Publishes the rows of an hour so far; replaces what was published before.
fn publish(
    closer: &Closer,
    Target { hour, part, .. }: Target,
    held: &HeldHour,
    written: &mut Written,
) -> Result<(), WriteError> {
    let mut runs = HourRuns::default();
    for entry in &held.entries {
        runs.append(entry.runs());
    }
    let state = if held.closing {
        State::Finished
    } else {
        State::Open
    };
    let mut edition = closer.edition(Hour(hour), state);
    if !runs.is_empty() {
        runs.add_payloads(held.payloads.clone());
        let closed = edition.rows(part, runs)?;
        written.note_rows(hour, part, &closed);
        written.replace_hour(hour, part, &closed);
    }
    let seconds = written.covered_in(hour);
    written.write_coverage(&mut edition, hour, &seconds)?;
    let bytes = written.publish(closer, vec![edition])?;
    written.note_bytes(hour, part, bytes.into_iter().sum());
    Ok(())
}

/// Publishes the journal of a run that cannot be continued, under its own name; returns the number of damaged files.
fn finish_run(
    closer: &Closer,
    journal: Journal,
    settings: &JournaledSettings,
) -> Result<usize, WriteError> {
    let other = Closer {
        name: journal.name.clone(),
        addresses: journal.about.addresses,
        configuration_sha256: journal.about.configuration_sha256.clone(),
        ..closer.clone()
    };
    let settings = JournaledSettings {
        status: None,
        ..settings.clone()
    };
    let mut hours = Journaled::with(other, journal, settings)?;
    hours.adopt().map_err(|source| WriteError::File {
        path: closer.store.directory().to_owned(),
        source,
    })?;
    tracing::info!(
        run = hours.closer.name.run,
        "an earlier run broke off; its hours are closed"
    );
    hours.end()?;
    Ok(hours.written.damaged_files)
}
