//! Any bytes as a part of a dataset that is read for a report, beside sound parts of the other tables; the first byte says of which table.
//! Checksums are not compared in builds for fuzzing.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use std::sync::Once;

use teiten_reports::period::ReportPeriod;
use teiten_reports::query::{Question, ask};

/// The reader of Parquet panics for some damage, and is caught; libFuzzer's hook would end the process before that. What is not caught
/// ends it all the same.
static HOOK: Once = Once::new();

/// The tables that a report reads, each with a sound part of the hour.
const TABLES: [(&str, &[u8]); 3] = [
    ("coverage", include_bytes!("sound/coverage.parquet")),
    ("traffic", include_bytes!("sound/traffic.parquet")),
    ("sources", include_bytes!("sound/sources.parquet")),
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    for (place, (table, sound)) in TABLES.into_iter().enumerate() {
        let is_fuzzed = usize::from(*which) % TABLES.len() == place;
        let within = "date=2026-11-15/hour=07/sensor-mutants-0000.parquet";
        let bytes = if is_fuzzed { bytes } else { sound };
        scratch::file(&format!("{table}/{within}"), bytes);
    }
    let Ok(period) = ReportPeriod::parse("2026-11-15", &jiff::tz::TimeZone::UTC) else {
        return;
    };
    let _ = ask(&Question {
        data: scratch::folder().to_owned(),
        period,
        sensors: Vec::new(),
        workers: 1,
        as_of_us: i64::MAX,
        compare: false,
        uses_rolled_up: true,
    });
});
