//! Any bytes as a part of a dataset, read by `verify` and by `export`.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use std::sync::Once;

use teiten_aggregator::export::{ExportFormat, export};
use teiten_aggregator::schema::COVERAGE;
use teiten_aggregator::verify::verify;

/// The reader of Parquet panics for some damage, and is caught; libFuzzer's hook would end the process before that. What is not caught
/// ends it all the same.
static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    scratch::file("coverage/date=2026-11-05/hour=08/a-b-0001.parquet", bytes);
    let _ = verify(scratch::folder());
    let _ = export(
        scratch::folder(),
        &COVERAGE,
        ("", ""),
        ExportFormat::JsonLines,
        &mut std::io::sink(),
    );
});
