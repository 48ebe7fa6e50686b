//! The room on the monitoring box: captures or replays, decodes, classifies, and hands observations to the aggregator's windows.

pub mod packet;
pub mod source;
pub mod decode;
