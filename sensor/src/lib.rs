//! The sensor: captures or replays packets, decodes and classifies them, and passes observations to the aggregator's windows.
//!
//! Builds for fuzzing leave out what no fuzz target reaches (`cfg(not(fuzzing))`): instrumented code takes long to compile.

#[cfg(not(fuzzing))]
pub mod command;
#[cfg(not(fuzzing))]
pub mod courier;
#[cfg(not(fuzzing))]
pub mod engine;
#[cfg(not(fuzzing))]
pub mod hours;
pub mod keep;
pub mod log;
#[cfg(not(fuzzing))]
pub mod memory;
pub mod options;
pub mod origins;
#[cfg(not(fuzzing))]
pub mod privilege;
#[cfg(not(fuzzing))]
pub mod program;
#[cfg(not(fuzzing))]
pub mod service;
pub mod source;
pub mod watch;
