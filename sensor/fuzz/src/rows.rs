//! Any bytes as rows that a run has spilled.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

libfuzzer_sys::fuzz_target!(
    |bytes: &[u8]| teiten_aggregator::run::fuzz_rows(&scratch::file("rows", bytes))
);
