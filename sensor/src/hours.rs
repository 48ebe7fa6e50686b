//! What becomes of open hours between two rounds of the engine and at their end. The engine knows the trait alone.

pub mod journaled;
pub mod once;
pub(crate) mod opening;
mod sink;
mod written;

pub use sink::{HourShare, HourSink};
pub use written::{TakenOver, Written};
