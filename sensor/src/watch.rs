//! What a capture shows of itself while it runs: counters, the last minutes, what is wrong. Others add to it: workers once a block, the
//! hours once an hour; `/metrics`, `/live` and `/health` read it. It decides nothing and holds nothing up.

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
