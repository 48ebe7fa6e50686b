//! Any bytes as an HTTP request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_sensor::watch::fuzz_request(bytes));
