//! Any bytes as a file of kept packets that a killed run left.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

libfuzzer_sys::fuzz_target!(
    |bytes: &[u8]| teiten_sensor::keep::fuzz_leftover(&scratch::file("left.pcap", bytes))
);
