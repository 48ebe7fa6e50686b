//! Hours of a replay: published once, when they close. Late packets that reopen an hour become a further part.

use std::collections::BTreeMap;
use std::time::Instant;

use teiten_aggregator::close::{Closer, HourRuns, State};
use teiten_aggregator::hour::Hour;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

use super::sink::{HourShare, HourSink};
use super::written::Written;

/// The sink of a replay.
#[derive(Debug)]
pub struct Once<'a> {
    closer: &'a Closer,
    written: &'a mut Written,
    /// Whether accounts are taken: a second reading of an input only writes rows.
    accounts: bool,
    open: BTreeMap<i64, HourShare>,
}

impl<'a> Once<'a> {
    /// No hour is open.
    pub fn new(closer: &'a Closer, written: &'a mut Written, accounts: bool) -> Self {
        Once {
            closer,
            written,
            accounts,
            open: BTreeMap::new(),
        }
    }

    fn close(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError> {
        let begun = Instant::now();
        let mut runs = share.spilled;
        runs.append(self.closer.sort(share.parts));
        let mut edition = self.closer.edition(Hour(hour), State::Finished);
        if !runs.is_empty() {
            let part = self.written.take_part(hour);
            let closed = edition.rows(part, runs)?;
            self.written.note_rows(self.closer, hour, part, &closed);
            self.written.add_hour(hour, &closed);
        }
        if self.accounts {
            let seconds = self.written.covered_in(hour);
            self.written
                .write_coverage(&mut edition, self.closer, hour, seconds)?;
        }
        self.written.publish(edition, hour)?;
        self.written.durations.push(begun.elapsed());
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
            self.close(hour, share)?;
        }
        Ok(())
    }

    /// Every hour has closed with the last round.
    fn end(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    fn spill(&mut self, part: HourPart) -> Result<HourRuns, WriteError> {
        self.closer.spill(part)
    }
}
