//! Any bytes as a file of countries or networks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_aggregator::origin::fuzz_load(bytes));
