//! Any bytes as the blocks of a pcapng.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_sensor::source::fuzz::fuzz_pcapng(bytes));
