//! What the program does with open hours after each round of the engine and at their end. The engine depends only on the trait.

pub mod journaled;
pub mod once;
pub(crate) mod opening;
mod refusals;
mod sink;
mod watching;
mod written;

pub use sink::{HourShare, HourSink, Spiller};
pub use watching::Watching;
pub use written::{TakenOver, Written};
