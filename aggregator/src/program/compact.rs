//! `compact`: what was compacted, and what was left.

use std::io::{Write, stdout};
use std::path::Path;

use crate::compact::{CompactReport, CompactSettings, compact};
use serde_json::json;

use super::INCOMPLETE;
use super::time::{DayArgument, ascending};

/// Runs the command.
pub(crate) fn run(
    data: &Path,
    days: (Option<DayArgument>, Option<DayArgument>),
    as_json: bool,
) -> anyhow::Result<u8> {
    let (from, to) = ascending(days)?;
    let settings = CompactSettings {
        from: from.map(|day| day.0),
        to: to.map(|day| day.0),
    };
    let CompactReport {
        days,
        unchanged,
        parts,
        files,
        rows,
        bytes,
        left,
    } = compact(data, &settings)?;
    let mut out = stdout().lock();
    if as_json {
        let left: Vec<_> = left
            .iter()
            .map(|day| json!({"table": day.table, "day": day.day, "sensor": day.sensor, "why": day.why}))
            .collect();
        let report = json!({
            "days": days,
            "unchanged": unchanged,
            "parts": parts,
            "files": files,
            "rows": rows,
            "bytes_before": bytes[0],
            "bytes_after": bytes[1],
            "left": left,
        });
        writeln!(out, "{report}")?;
    } else {
        for day in &left {
            let name = [day.table, &day.day, &day.sensor];
            let name: Vec<&str> = name.into_iter().filter(|word| !word.is_empty()).collect();
            writeln!(out, "left {}: {}", name.join(" "), day.why)?;
        }
        writeln!(
            out,
            "{parts} parts of {days} days of a table are {files} files now, {rows} rows, {} bytes in the place of {}; {unchanged} were compacted before",
            bytes[1], bytes[0]
        )?;
    }
    Ok(if left.is_empty() { 0 } else { INCOMPLETE })
}
