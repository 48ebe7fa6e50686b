//! Any bytes as a list of actors of any form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_aggregator::actor::fuzz_list(bytes));
