//! Any bytes as `teiten.toml`, read by a command of the sensor.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use std::ffi::OsString;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = scratch::file("teiten.toml", bytes);
    let mut line = ["teiten-sensor", "capture", "--config"]
        .map(OsString::from)
        .to_vec();
    line.push(path.into());
    let _ = teiten_sensor::options::parse(line);
});
