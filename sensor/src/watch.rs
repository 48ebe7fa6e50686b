//! The status of a running capture: counters, the last minutes, problems. Workers add to it once a block, `hours` once an hour; `/metrics`,
//! `/live` and `/health` read it. It decides nothing and blocks nothing.

mod kept;
mod live;
mod metrics;
mod process;
mod request;
mod sample;
mod server;
mod status;

pub use kept::{KeptCounts, NotKeptReason};
pub use live::{ENTRIES_MAX, MINUTES_KEPT};
pub use metrics::{METRICS, Metric};
pub use process::space;
#[doc(hidden)]
pub use request::fuzz_request;
pub use sample::{SAMPLE_MAX, Sample};
pub use server::serve;
pub use status::{CaptureFacts, FREE_BYTES_MIN, SILENCE_MAX, Status};

#[cfg(test)]
mod tests;
