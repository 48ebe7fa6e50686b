//! Any bytes as a captured frame of any link type.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_packet::fuzz::fuzz_judge(bytes));
