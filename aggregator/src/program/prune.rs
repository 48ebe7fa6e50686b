//! `prune`: how long tables are kept, and what is removed.

use std::io::{Write, stdout};
use std::path::Path;
use std::str::FromStr;

use crate::hour::Hour;
use crate::prune::{KeptDays, prune, table_of};
use serde_json::json;

use super::time::DayArgument;

/// `sources=90`
#[derive(Clone, Debug)]
pub(crate) struct KeepArgument {
    table: &'static str,
    days: u64,
}

impl FromStr for KeepArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, days) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is no TABLE=DAYS such as sources=90"))?;
        let table = table_of(name)
            .ok_or_else(|| format!("no table `{name}`: teiten-aggregator schema lists them"))?;
        let days = days.parse().ok().filter(|days| *days > 0);
        let days = days.ok_or_else(|| format!("{text:?} names no number of days above 0"))?;
        Ok(KeepArgument {
            table: table.name,
            days,
        })
    }
}

/// Runs the command.
pub(crate) fn run(
    data: &Path,
    keep: &[KeepArgument],
    today: Option<DayArgument>,
    is_dry: bool,
    as_json: bool,
) -> anyhow::Result<u8> {
    let retention: KeptDays = keep.iter().map(|keep| (keep.table, keep.days)).collect();
    let today = today.and_then(|day| Hour::first_of(&day.to_string()));
    let days = prune(data, &retention, today, is_dry)?;
    let mut out = stdout().lock();
    if as_json {
        let days: Vec<_> = days
            .iter()
            .map(|day| {
                json!({
                    "table": day.table,
                    "sensor": day.sensor,
                    "period": day.period,
                    "parts": day.parts,
                    "bytes": day.bytes,
                    "kept": day.kept,
                })
            })
            .collect();
        writeln!(out, "{}", json!({"dry_run": is_dry, "days": days}))?;
        return Ok(0);
    }
    let (mut parts, mut bytes) = (0, 0);
    for day in &days {
        let name = format!("{} {} {}", day.table, day.period, day.sensor);
        match &day.kept {
            Some(why) => writeln!(out, "kept {name}: {why}")?,
            None => {
                (parts, bytes) = (parts + day.parts, bytes + day.bytes);
                writeln!(out, "gone {name}: {} parts, {} bytes", day.parts, day.bytes)?;
            }
        }
    }
    let verb = if is_dry {
        "would be removed"
    } else {
        "removed"
    };
    writeln!(out, "{parts} parts, {bytes} bytes {verb}")?;
    Ok(0)
}
