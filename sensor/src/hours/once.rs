//! Hours of a replay: written once, when they close. Late packets that reopen an hour become a further part.
//!
//! Hours that close soon after each other are published together: the disk is synced once, and the metadata of a part whose capture was read
//! to its end meanwhile is final at once. Written hours are published after some seconds, or as soon as no input comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use teiten_aggregator::alert::LookedAt;
use teiten_aggregator::close::{ClosedHour, Closer, Edition, HourRuns, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::inputs::HOURS_AT_ONCE;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use super::sink::{HourShare, HourSink, Spiller};
use super::watching::Watching;
use super::written::Written;

/// How long a written hour may wait for others while packets keep coming.
const WAIT_MAX: Duration = Duration::from_secs(8);

/// The sink of a replay.
#[derive(Debug)]
pub struct Once<'a> {
    closer: &'a Closer,
    written: &'a mut Written,
    watching: &'a mut Watching,
    /// Whether accounts are kept: a second pass over an input only writes rows.
    accounts: bool,
    open: BTreeMap<i64, HourShare>,
    /// Written hours that are not published yet, and when the first was written.
    waiting: Vec<Edition<'a>>,
    waiting_since: Instant,
}

impl<'a> Once<'a> {
    /// No hour is open.
    pub fn new(
        closer: &'a Closer,
        (written, watching): (&'a mut Written, &'a mut Watching),
        accounts: bool,
    ) -> Self {
        Once {
            closer,
            written,
            watching,
            accounts,
            open: BTreeMap::new(),
            waiting: Vec::new(),
            waiting_since: Instant::now(),
        }
    }

    fn close(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError> {
        let begun = Instant::now();
        let mut runs = share.spilled;
        runs.append(self.closer.sort(share.parts));
        self.watch(hour, &runs);
        let mut edition = self.closer.edition(Hour(hour), State::Finished);
        if !runs.is_empty() {
            let part = self.written.take_part(hour);
            edition.add_to_leading(std::mem::take(&mut self.written.leading));
            let closed = edition.rows(part, runs)?;
            self.written.leading = edition.take_leading();
            self.written.note_rows(hour, part, &closed);
            self.written.add_hour(hour, &closed);
        }
        if self.waiting.is_empty() {
            self.waiting_since = begun;
        }
        self.waiting.push(edition);
        self.written.durations.push(begun.elapsed());
        let waits = self.waiting.len() < HOURS_AT_ONCE && self.waiting_since.elapsed() < WAIT_MAX;
        if waits { Ok(()) } else { self.publish() }
    }

    /// Shows the rows of a closing hour, which are all that its next part says.
    fn watch(&mut self, hour: i64, runs: &HourRuns) {
        if !self.watching.is_watching() {
            return;
        }
        let name = format!("{}-{}", self.closer.name.run, self.written.next_part(hour));
        let what = (LookedAt::Whole(&name), &*self.closer.origins);
        let account = self.written.ledger.account(hour);
        self.watching.look(hour, runs, &account, what);
    }

    /// Publishes the written hours, each with its current coverage.
    fn publish(&mut self) -> Result<(), WriteError> {
        // Alerts come first: a replay that is killed here raises the same ones again, with the same ids.
        self.watching.commit();
        let mut editions = std::mem::take(&mut self.waiting);
        let hours: Vec<i64> = editions.iter().map(|edition| edition.hour().0).collect();
        if self.accounts {
            let mut done = BTreeSet::new();
            // A reopened hour is listed twice, but has one coverage.
            for edition in editions.iter_mut().rev() {
                let hour = edition.hour().0;
                if done.insert(hour) {
                    let seconds = self.written.covered_in(hour);
                    self.written.write_coverage(edition, hour, &seconds)?;
                }
            }
        }
        let bytes = self.written.publish(self.closer, editions)?;
        for (hour, bytes) in hours.into_iter().zip(bytes) {
            let file_bytes = ClosedHour {
                file_bytes: bytes,
                ..ClosedHour::default()
            };
            self.written.add_hour(hour, &file_bytes);
        }
        Ok(())
    }
}

impl HourSink for Once<'_> {
    fn hold(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError> {
        if self.accounts {
            for part in &share.parts {
                self.written.ledger.add(hour, &part.account);
            }
        }
        let open = self.open.entry(hour).or_default();
        open.parts.extend(share.parts);
        open.spilled.append(share.spilled);
        Ok(())
    }

    fn round(&mut self, before: i64) -> Result<(), WriteError> {
        let open = self.open.split_off(&before);
        for (hour, share) in std::mem::replace(&mut self.open, open) {
            if let Err(error) = self.close(hour, share) {
                // Hours written earlier are published, if the disk allows.
                let _ = self.publish();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Every hour has closed with the last round.
    fn end(&mut self) -> Result<(), WriteError> {
        self.publish()
    }

    fn idle(&mut self) -> Result<(), WriteError> {
        self.publish()
    }

    fn spiller(&self) -> Arc<dyn Spiller> {
        Arc::new(self.closer.clone())
    }
}

/// A disk that refuses ends a replay.
impl Spiller for Closer {
    fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError> {
        Closer::spill(self, part)
    }

    fn unite(&self, runs: &mut HourRuns, shares: usize) -> Result<(), WriteError> {
        Closer::unite(self, runs, shares)
    }
}
