//! The interface between the engine and the hours.

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

    /// Spills rows of an hour to disk, sorted, if possible: memory is short. [`HourSink::hold`] gets them back.
    fn spill(&mut self, part: HourPart) -> Result<HourRuns, WriteError>;

    /// Sees all that was spilled of an hour in a round, after more came: many files can become one.
    fn spilled(&mut self, runs: &mut HourRuns) -> Result<(), WriteError>;
}
