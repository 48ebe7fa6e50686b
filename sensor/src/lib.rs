//! The sensor: captures or replays packets, decodes and classifies them, and passes observations to the aggregator's windows.

pub mod command;
pub mod courier;
pub mod engine;
pub mod hours;
pub mod keep;
pub mod log;
pub mod memory;
pub mod options;
pub mod origins;
pub mod privilege;
pub mod service;
pub mod source;
pub mod watch;
