//! The interface between the engine and the hours.

use teiten_aggregator::close::HourRuns;
use teiten_aggregator::window::HourPart;
use teiten_aggregator::writer::WriteError;

/// What all workers counted of an hour in one round.
#[derive(Debug, Default)]
pub struct HourShare {
    /// Rows and accounts, one part a worker.
    pub parts: Vec<HourPart>,
    /// Rows that were spilled before.
    pub spilled: HourRuns,
}

/// Where the engine's rounds go. An error ends the run; what was made durable before it stays.
///
/// # Errors
/// Every method fails when the dataset cannot be written.
pub trait HourSink: Send {
    /// Takes what the round that is ending has of an hour.
    fn hold(&mut self, hour: i64, share: HourShare) -> Result<(), WriteError>;

    /// Ends a round: hours before `before` are complete, but for packets that come late.
    fn round(&mut self, before: i64) -> Result<(), WriteError>;

    /// Nothing has come for a while: what is ready need not wait for more.
    fn idle(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Ends the run, whose last round has ended.
    fn end(&mut self) -> Result<(), WriteError>;

    /// Sorts rows of an hour and writes them to disk, where it can: memory is short. They come back with [`HourSink::hold`].
    fn spill(&mut self, part: HourPart) -> Result<HourRuns, WriteError>;
}
