//! Any bytes as a MaxMind DB file: seeds in the corpus have its end, which a fuzzer hardly finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_aggregator::origin::fuzz_load(bytes));
