//! What becomes of open hours between two rounds of the engine and at their end.

pub mod journaled;
pub mod once;
