//! The room on the monitoring box: captures or replays, decodes, classifies, and hands observations to the aggregator's windows.

pub mod accounting;
pub mod capture;
pub mod check;
pub mod closing;
pub mod deal;
pub mod durable;
pub mod explain;
pub mod keep;
pub mod log;
pub mod options;
pub mod pipeline;
pub mod privilege;
pub mod replay;
pub mod rules;
pub mod service;
pub mod source;
pub mod status;
pub mod summary;
#[cfg(feature = "top")]
pub mod top;
pub mod worker;
