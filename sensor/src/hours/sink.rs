//! The interface between the engine and the hours.

use std::sync::Arc;

use teiten_aggregator::close::HourRuns;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

/// The rows and accounts that all workers counted for an hour in one round.
#[derive(Debug, Default)]
pub struct HourShare {
    /// Rows and accounts, one part a worker.
    pub parts: Vec<HourPart>,
    /// Rows that were spilled before.
    pub spilled: HourRuns,
}

/// The receiver of the engine's rounds. An error ends the run; durable data stays.
///
/// # Errors
/// Every method fails when the dataset cannot be written.
pub trait HourSink: Send {
    /// Takes the share of an hour in the round that is ending.
    fn hold(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError>;

    /// Ends a round: hours before `before` are complete, except for late packets.
    fn round(&mut self, before: i64) -> Result<(), WriteError>;

    /// Called when no input has come for a while: finished hours need not wait for more.
    fn idle(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Ends the run, whose last round has ended.
    fn end(&mut self) -> Result<(), WriteError>;

    /// What spills rows for it while it is busy.
    fn spiller(&self) -> Arc<dyn Spiller>;
}

/// Spills rows of open hours where memory is short, on threads of its own: workers need not wait for an hour that closes.
///
/// # Errors
/// Every method fails when the folder for such files cannot be written.
pub trait Spiller: Send + Sync {
    /// Spills rows of an hour to disk, sorted, if possible. [`HourSink::hold`] gets them back.
    fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError>;

    /// Merges files of an hour where there are many: as one of so many shares of the hour it keeps few of them.
    fn unite(&self, runs: &mut HourRuns, shares: usize) -> Result<(), WriteError>;
}
