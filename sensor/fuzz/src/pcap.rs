//! Any bytes as the records of a pcap.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| teiten_sensor::source::fuzz::fuzz_pcap(bytes));
