//! The room on the monitoring box: captures or replays, decodes, classifies, and hands observations to the aggregator's windows.

pub mod packet;
pub mod source;
pub mod decode;
pub mod classify;
pub mod fingerprint;
pub mod payload;
pub mod telescope;
pub mod accounting;
pub mod closing;
pub mod pipeline;
pub mod worker;
pub mod explain;
pub mod rules;
pub mod options;
pub mod replay;
pub mod summary;
pub mod capture;
