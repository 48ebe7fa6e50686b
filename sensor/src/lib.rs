//! The room on the monitoring box: captures or replays, decodes, classifies, and hands observations to the aggregator's windows.

pub mod command;
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
