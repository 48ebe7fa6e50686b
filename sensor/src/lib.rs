//! The room on the monitoring box: captures or replays, decodes, classifies, and hands observations to the aggregator's windows.

pub mod accounting;
pub mod capture;
pub mod check;
pub mod classify;
pub mod closing;
pub mod deal;
pub mod decode;
pub mod explain;
pub mod fingerprint;
pub mod flags;
pub mod log;
pub mod options;
pub mod packet;
pub mod payload;
pub mod pipeline;
pub mod privilege;
pub mod replay;
pub mod rules;
pub mod service;
pub mod source;
pub mod status;
pub mod summary;
pub mod telescope;
#[cfg(feature = "top")]
pub mod top;
pub mod worker;
