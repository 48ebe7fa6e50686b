//! Shows the rows of hours to the watcher of `--watch`, which raises alerts from them; without that flag nothing is done. What fails here costs
//! alerts, never packets.

use teiten_aggregator::alert::{Committed, LookedAt, Telling, Watcher};
use teiten_aggregator::close::HourRuns;
use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::HourAccount;
use teiten_aggregator::origin::Origins;

/// A watcher, if there is one, and what it has raised.
#[derive(Debug, Default)]
pub struct Watching {
    watcher: Option<Watcher>,
    /// What was put into queues.
    committed: Committed,
    /// The last failure that was logged.
    failure: Option<String>,
}

impl Watching {
    /// Shows rows to `watcher`.
    #[must_use]
    pub fn by(watcher: Option<Watcher>) -> Self {
        Watching {
            watcher,
            ..Watching::default()
        }
    }

    /// Whether anybody is watched.
    pub(super) const fn is_watching(&self) -> bool {
        self.watcher.is_some()
    }

    /// Shows rows of an hour.
    pub(super) fn look(
        &mut self,
        hour: i64,
        runs: &HourRuns,
        account: &HourAccount,
        what: (LookedAt<'_>, &Origins),
    ) {
        if let Some(watcher) = &mut self.watcher {
            let looked = watcher.look(Hour(hour), runs, account, what);
            self.note(looked.err());
        }
    }

    /// Notes that the stretches of a journal up to this one were shown.
    pub(super) fn pass_through(&mut self, run: &str, number: u64) {
        if let Some(watcher) = &mut self.watcher {
            watcher.pass_through(run, number);
        }
    }

    /// Puts alerts on their way.
    pub(super) fn commit(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let committed = watcher.commit();
        match committed {
            Ok(new) => {
                if new.alerts + new.withheld > 0 {
                    tracing::info!(
                        alerts = new.alerts,
                        withheld = new.withheld,
                        "watched addresses have turned up"
                    );
                }
                if new.dropped + new.left_out > 0 {
                    tracing::error!(
                        alerts = new.dropped,
                        packets = new.left_out,
                        "too many alerts wait, or too many watched addresses send: these are lost for alerts"
                    );
                }
                self.committed.add(new);
                self.note(None);
            }
            Err(error) => self.note(Some(error)),
        }
    }

    /// What was put into queues.
    #[must_use]
    pub fn committed(&self) -> Option<Committed> {
        self.watcher.as_ref().map(|_| self.committed)
    }

    /// What was raised and is in no queue: of a test.
    #[must_use]
    pub fn into_tellings(self) -> Vec<Telling> {
        let watcher = self.watcher;
        watcher.map_or_else(Vec::new, |mut watcher| watcher.take_untold())
    }

    /// Logs a failure once, and that it is over.
    fn note(&mut self, error: Option<std::io::Error>) {
        let text = error.map(|error| error.to_string());
        if text == self.failure {
            return;
        }
        match &text {
            Some(text) => tracing::error!("alerts cannot be raised: {text}; it is tried again"),
            None => tracing::info!("alerts are raised again"),
        }
        self.failure = text;
    }
}
