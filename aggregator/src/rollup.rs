//! Days from hours, and months from days: the rows of `traffic` of a sensor, with the hour left out. Counts add, sketches merge.
//!
//! A rollup is stored in addition to the hours: `DIR/traffic_daily/date=YYYY-MM-DD/SENSOR.parquet` and
//! `DIR/traffic_monthly/month=YYYY-MM/SENSOR.parquet`. It records the parts that it was made of, so running it again only rebuilds what has
//! changed, such as today. Memory grows with the rows of a day or month of one sensor, and is that of their sketches: 4 KB at most for
//! each.

mod read;
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hour::Hour;
use crate::schema::{COVERAGE, TRAFFIC, TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table};
use crate::store::{PART_ENDING, Part, Period, Store};
use crate::table::HOUR_US;
use crate::text::hexadecimal;
use crate::writer::{PartWriter, WriteError};
use read::{add_part, content_of, note_of};
use sums::{DAY_US, PeriodSums};

/// The note of the parts that a rollup was made of.
const INPUTS: &str = "inputs_sha256";

/// What a rollup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Days and months written.
    pub written: u64,
    /// Days and months whose parts are as they were.
    pub unchanged: u64,
    /// Days and months removed: their hours are there and hold none of their packets any more.
    pub removed: u64,
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

/// The source and the target of a rollup.
struct RollupSpan {
    table: &'static Table,
    /// Hours of a part; the rows of a rolled-up day have their number.
    hours_of_part: Option<i64>,
    /// When the period of a day begins, microseconds since 1970-01-01 UTC.
    start: fn(i64) -> i64,
}

const DAY: RollupSpan = RollupSpan {
    table: &TRAFFIC_DAILY,
    hours_of_part: Some(1),
    start: |day_us| day_us,
};
const MONTH: RollupSpan = RollupSpan {
    table: &TRAFFIC_MONTHLY,
    hours_of_part: None,
    start: month_start_us,
};

/// By period and sensor the parts that it is made of, each with its folder: several parts of an hour are of one hour.
type Inputs = BTreeMap<(Period, String), BTreeSet<Part>>;

/// Rolls up the days from `from` to before `to` as `2026-11-05` sorts (either may be left open by an empty text) of the dataset
/// `directory`, and every month that has a rolled-up day.
///
/// # Errors
/// When a part cannot be read, or a rollup not be written; what was written before stays.
pub fn rollup(directory: &Path, (from, to): (&str, &str)) -> Result<Rolled, RollupError> {
    let mut rolled = Rolled::default();
    let mut days = Inputs::new();
    let store = &Store::at(directory);
    let failed = |table: &Table| file_error(&directory.join(table.name));
    store.recover().map_err(file_error(directory))?;
    let hours = store.parts_within(TRAFFIC.name, &(i64::MIN..i64::MAX));
    for part in hours.map_err(failed(&TRAFFIC))? {
        let day = Hour(part.period.first_hour().0.div_euclid(24) * 24);
        let date = day.date();
        if date.as_str() >= from && (to.is_empty() || date.as_str() < to) {
            collect(part, Period::Day(day), &mut days);
        }
    }
    roll(store, &DAY, &days, &mut rolled)?;
    let is_asked = |period: Period| {
        let date = period.text();
        date.as_str() >= from && (to.is_empty() || date.as_str() < to)
    };
    let observed = observed_days(store)?;
    let of_day = |period: Period, sensor: &str| observed.contains(&(period, sensor.to_owned()));
    remove_left(store, &DAY, &days, &mut rolled, |period, sensor| {
        is_asked(period) && of_day(period, sensor)
    })?;
    let mut months = Inputs::new();
    for day in store
        .periods(TRAFFIC_DAILY.name)
        .map_err(failed(&TRAFFIC_DAILY))?
    {
        let first = Hour(month_start_us(day.first_hour().start_us()) / HOUR_US);
        let parts = store.parts(TRAFFIC_DAILY.name, day);
        for part in parts.map_err(failed(&TRAFFIC_DAILY))? {
            collect(part, Period::Month(first), &mut months);
        }
    }
    roll(store, &MONTH, &months, &mut rolled)?;
    let observed: BTreeSet<(Period, String)> = observed
        .into_iter()
        .map(|(day, sensor)| {
            let first = Hour(month_start_us(day.first_hour().start_us()) / HOUR_US);
            (Period::Month(first), sensor)
        })
        .collect();
    remove_left(store, &MONTH, &months, &mut rolled, |period, sensor| {
        observed.contains(&(period, sensor.to_owned()))
    })?;
    Ok(rolled)
}

/// The days of which a sensor has hours. Where it has none at all, they were pruned, and what was rolled up of them is all that is left.
fn observed_days(store: &Store) -> Result<BTreeSet<(Period, String)>, RollupError> {
    let hours = store.parts_within(COVERAGE.name, &(i64::MIN..i64::MAX));
    let hours = hours.map_err(file_error(&store.directory().join(COVERAGE.name)))?;
    let day = |part: &Part| {
        let first = Hour(part.period.first_hour().0.div_euclid(24) * 24);
        Some((Period::Day(first), part.sensor()?))
    };
    Ok(hours.iter().filter_map(day).collect())
}

/// Removes rollups whose hours are gone, if `follows` says that they follow their hours.
fn remove_left(
    store: &Store,
    span: &RollupSpan,
    inputs: &Inputs,
    rolled: &mut Rolled,
    follows: impl Fn(Period, &str) -> bool,
) -> Result<(), RollupError> {
    let failed = file_error(&store.directory().join(span.table.name));
    let mut publication = store.publication();
    for period in store.periods(span.table.name).map_err(&failed)? {
        for part in store.parts(span.table.name, period).map_err(&failed)? {
            let Some(sensor) = part.sensor() else {
                continue;
            };
            if follows(period, &sensor) && !inputs.contains_key(&(period, sensor)) {
                publication.remove(&part.within());
                rolled.removed += 1;
            }
        }
    }
    publication.commit().map_err(&failed)?;
    Ok(())
}

/// The start of the month that a day is in.
fn month_start_us(day_us: i64) -> i64 {
    let (_, _, day, _) = Hour(day_us.div_euclid(HOUR_US)).civil();
    day_us - (i64::from(day) - 1) * DAY_US
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> RollupError + use<> {
    let path = path.to_owned();
    move |source| RollupError::File {
        path: path.clone(),
        source,
    }
}

/// Adds a part to what `period` is made of; a file of another program is none.
fn collect(part: Part, period: Period, into: &mut Inputs) {
    if let Some(sensor) = part.sensor() {
        into.entry((period, sensor)).or_default().insert(part);
    }
}

fn roll(
    store: &Store,
    span: &RollupSpan,
    inputs: &Inputs,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    for ((period, sensor), parts) in inputs {
        let file_name = format!("{sensor}.{PART_ENDING}");
        let path = store.path(span.table.name, *period, &file_name);
        let inputs = inputs_sha256(parts)?;
        if note_of(&path, INPUTS).is_some_and(|known| known == inputs) {
            rolled.unchanged += 1;
            continue;
        }
        let within = Path::new(span.table.name)
            .join(period.folder())
            .join(&file_name);
        rolled.rows += write(store, &within, span, sensor, parts, inputs)?;
        rolled.written += 1;
    }
    Ok(())
}

/// Changes when a part is added, removed or rewritten.
fn inputs_sha256(parts: &BTreeSet<Part>) -> Result<String, RollupError> {
    let mut sum = Sha256::new();
    for part in parts {
        let content = content_of(part).map_err(|source| RollupError::Part {
            path: part.path.clone(),
            source,
        })?;
        let line = format!("{} {} {content}\n", part.period.text(), part.file_name);
        sum.update(line.as_bytes());
    }
    Ok(hexadecimal(&sum.finalize()))
}

fn write(
    store: &Store,
    within: &Path,
    span: &RollupSpan,
    sensor: &str,
    parts: &BTreeSet<Part>,
    inputs: String,
) -> Result<u64, RollupError> {
    let mut sums = PeriodSums::default();
    // The provenance in the parts' metadata; if they differ, all values.
    let mut notes = BTreeMap::<String, BTreeSet<String>>::new();
    let mut period = None;
    for part in parts {
        let is_next = period != Some(part.period);
        period = Some(part.period);
        let hours = span.hours_of_part.map(|hours| hours * i64::from(is_next));
        add_part(part, hours, &mut sums, &mut notes).map_err(|source| RollupError::Part {
            path: part.path.clone(),
            source,
        })?;
    }
    notes.insert(INPUTS.to_owned(), BTreeSet::from([inputs]));
    let metadata = notes
        .into_iter()
        .map(|(key, values)| KeyValue::new(key, Vec::from_iter(values).join(", ")))
        .collect();
    let mut file = PartWriter::create(store, within, span.table, metadata)?;
    let rows = sums.append(&mut file, within, sensor, span.start)?;
    let mut publication = store.publication();
    publication
        .put(file.finish()?)
        .map_err(file_error(within))?;
    publication.commit().map_err(file_error(within))?;
    Ok(rows)
}
