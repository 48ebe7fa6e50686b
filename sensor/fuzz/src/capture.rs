//! Any bytes as a capture file of any format and compression.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_sensor::source::fuzz::fuzz_capture(bytes));
