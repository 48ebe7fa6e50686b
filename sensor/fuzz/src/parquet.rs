//! Any bytes as a part of a dataset, read by `verify`, `export`, `merge` and `rollup`; the first byte says of which table. Checksums are not
//! compared in builds for fuzzing.
#![no_main]

#[path = "scratch.rs"]
mod scratch;

use std::sync::Once;

use teiten_aggregator::export::{ExportFormat, export};
use teiten_aggregator::merge::{Rename, merge_renaming};
use teiten_aggregator::rollup::{RollupSettings, rollup};
use teiten_aggregator::schema::{ROLLUPS, Span, TABLES};
use teiten_aggregator::verify::verify;

/// The reader of Parquet panics for some damage, and is caught; libFuzzer's hook would end the process before that. What is not caught
/// ends it all the same.
static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let tables = TABLES.len() + ROLLUPS.len();
    let tables = TABLES
        .iter()
        .chain(ROLLUPS)
        .nth(usize::from(*which) % tables);
    let Some(table) = tables else { return };
    let within = match table.span {
        Span::Hour => "date=2026-11-15/hour=07/sensor-mutants-0000.parquet",
        Span::Day => "date=2026-11-15/sensor.parquet",
        Span::Month => "month=2026-11/sensor.parquet",
    };
    let data = scratch::folder().join("data");
    let _ = std::fs::remove_dir_all(&data);
    scratch::file(&format!("data/{}/{within}", table.name), bytes);
    let _ = verify(&data);
    let form = ExportFormat::JsonLines;
    let _ = export(&data, table, ("", ""), form, &mut std::io::sink());
    if table.span == Span::Hour {
        let all = scratch::folder().join("all");
        let rename = Rename {
            from: "sensor".to_owned(),
            to: "other".to_owned(),
        };
        let _ = merge_renaming(&all, std::slice::from_ref(&data), &[rename]);
        let _ = std::fs::remove_dir_all(&all);
        // What days and events are made of.
        if matches!(table.name, "traffic" | "sources" | "backscatter") {
            let _ = rollup(&data, &RollupSettings::default());
        }
    }
});
