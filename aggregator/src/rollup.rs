//! Days from hours, and months from days: the rows of `traffic` of a sensor, with the hour left out. Counts add, sketches merge.
//!
//! A rollup stands beside the hours, never in their place: `DIR/traffic_daily/date=YYYY-MM-DD/SENSOR.parquet` and
//! `DIR/traffic_monthly/month=YYYY-MM/SENSOR.parquet`. It notes which parts it was made of, so running it again makes anew only what
//! has changed, such as today. Memory grows with the rows of a day or month of one sensor, and is that of their sketches: 4 KB at most
//! for each.

mod read;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::dataset::{Hour, PART_ENDING, folders, hour_folders};
use crate::schema::{TRAFFIC, TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table};
use crate::table::HOUR_US;
use crate::text::hexadecimal;
use crate::writer::{PartWriter, WriteError};
use read::{add_part, note_of};
use sums::{DAY_US, Sums};

/// The note of the parts that a rollup was made of.
const INPUTS: &str = "inputs_sha256";
/// Letters of `2026-11` in `2026-11-05`.
const MONTH_LETTERS: usize = 7;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Days and months written.
    pub written: u64,
    /// Days and months whose parts are as they were.
    pub unchanged: u64,
    /// Rows written.
    pub rows: u64,
}

/// Why a rollup was not made, or not to the end.
#[derive(Debug, Error)]
pub enum RollupError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} cannot be read: {source}; teiten-aggregator verify says what else is wrong", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        source: ParquetError,
    },
    /// The rollup cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What is rolled up into what.
struct Span {
    table: &'static Table,
    /// The partition's name.
    partition: &'static str,
    /// Hours that a part stands for; of a day that was rolled up its rows say it.
    hours_of_part: Option<i64>,
    /// When the period of a day begins, microseconds since 1970-01-01 UTC.
    start: fn(i64) -> i64,
}

const DAY: Span = Span {
    table: &TRAFFIC_DAILY,
    partition: "date",
    hours_of_part: Some(1),
    start: |day_us| day_us,
};
const MONTH: Span = Span {
    table: &TRAFFIC_MONTHLY,
    partition: "month",
    hours_of_part: None,
    start: month_start_us,
};

/// By period and sensor the parts that it is made of, each with its folder: several parts of an hour are of one hour.
type Inputs = BTreeMap<(String, String), BTreeSet<PathBuf>>;

/// Rolls up the days from `from` to before `to` as `2026-11-05` sorts (either may be left open by an empty text) of the dataset
/// `directory`, and every month that has a rolled-up day.
///
/// # Errors
/// When a part cannot be read, or a rollup not be written; what was written before stays.
pub fn rollup(directory: &Path, (from, to): (&str, &str)) -> Result<Rolled, RollupError> {
    let mut rolled = Rolled::default();
    let mut days = Inputs::new();
    let hours = directory.join(TRAFFIC.name);
    for hour in hour_folders(&hours).map_err(file_error(&hours))? {
        let date = hour.parent().map(value_of).unwrap_or_default();
        if date.as_str() >= from && (to.is_empty() || date.as_str() < to) {
            collect(&hour, &date, &mut days)?;
        }
    }
    roll(directory, &DAY, &days, &mut rolled)?;
    let mut months = Inputs::new();
    let root = directory.join(TRAFFIC_DAILY.name);
    for day in folders(&root, "date=").map_err(file_error(&root))? {
        let date = value_of(&day);
        let month = date.get(..MONTH_LETTERS).unwrap_or_default();
        collect(&day, month, &mut months)?;
    }
    roll(directory, &MONTH, &months, &mut rolled)?;
    Ok(rolled)
}

/// The start of the month that a day is in.
fn month_start_us(day_us: i64) -> i64 {
    let (_, _, day, _) = Hour(day_us.div_euclid(HOUR_US)).civil();
    day_us - (i64::from(day) - 1) * DAY_US
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> RollupError {
    move |source| RollupError::File {
        path: path.to_owned(),
        source,
    }
}

/// The text behind `date=`.
fn value_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.split_once('=')
        .map_or(String::new(), |(_, value)| value.to_owned())
}

/// Adds the parts of a folder to what `period` is made of.
fn collect(folder: &Path, period: &str, into: &mut Inputs) -> Result<(), RollupError> {
    for entry in std::fs::read_dir(folder).map_err(file_error(folder))? {
        let path = entry.map_err(file_error(folder))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_part = path.extension().is_some_and(|ending| ending == PART_ENDING);
        // A sensor's name has no hyphen; what begins with a dot is no part.
        let sensor = name.split('-').next().unwrap_or_default().to_owned();
        if is_part && !sensor.starts_with('.') {
            let key = (period.to_owned(), sensor);
            into.entry(key).or_default().insert(path);
        }
    }
    Ok(())
}

fn roll(
    directory: &Path,
    span: &Span,
    inputs: &Inputs,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    for ((period, sensor), parts) in inputs {
        let path = directory
            .join(span.table.name)
            .join(format!("{}={period}", span.partition))
            .join(format!("{sensor}.{PART_ENDING}"));
        let inputs = inputs_sha256(parts)?;
        if note_of(&path, INPUTS).is_some_and(|known| known == inputs) {
            rolled.unchanged += 1;
            continue;
        }
        rolled.rows += write(&path, span, sensor, parts, inputs)?;
        rolled.written += 1;
    }
    Ok(())
}

/// Changes when a part is added, removed or written anew.
fn inputs_sha256(parts: &BTreeSet<PathBuf>) -> Result<String, RollupError> {
    let mut sum = Sha256::new();
    for path in parts {
        let about = path.metadata().map_err(file_error(path))?;
        let modified = about.modified().map_err(file_error(path))?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = path.parent().map(value_of).unwrap_or_default();
        let line = format!("{folder} {name} {} {modified:?}\n", about.len());
        sum.update(line.as_bytes());
    }
    Ok(hexadecimal(&sum.finalize()))
}

fn write(
    path: &Path,
    span: &Span,
    sensor: &str,
    parts: &BTreeSet<PathBuf>,
    inputs: String,
) -> Result<u64, RollupError> {
    let mut sums = Sums::default();
    // What the parts say of their making, where they differ all of it.
    let mut notes = BTreeMap::<String, BTreeSet<String>>::new();
    let mut folder = None;
    for part in parts {
        let is_next = folder != part.parent();
        folder = part.parent();
        let hours = span.hours_of_part.map(|hours| hours * i64::from(is_next));
        add_part(part, hours, &mut sums, &mut notes).map_err(|source| RollupError::Part {
            path: part.clone(),
            source,
        })?;
    }
    notes.insert(INPUTS.to_owned(), BTreeSet::from([inputs]));
    let metadata = notes
        .into_iter()
        .map(|(key, values)| KeyValue::new(key, Vec::from_iter(values).join(", ")))
        .collect();
    let mut file = PartWriter::create(path, span.table, metadata)?;
    let rows = sums.append(&mut file, path, sensor, span.start)?;
    file.finish()?.publish()?;
    Ok(rows)
}
