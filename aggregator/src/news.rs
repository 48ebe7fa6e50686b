//! What is new in the last days of a dataset: the rows of `novelties`, and which days could not be judged. Reads only.

use std::path::{Path, PathBuf};

use parquet::file::reader::FileReader;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::calendar::{Calendar, CalendarError, TIMEZONE_DEFAULT, TIMEZONE_KEY};
use crate::export::{field, value};
use crate::part::{self, CheckedPart, PartError};
use crate::rollup::{JudgedDay, note_of, run_of};
use crate::schema::{NOVELTIES, SOURCES_DAILY};
use crate::store::{Part, Period, Store};

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum NewsError {
    /// A file or folder.
    #[error("cannot read {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} {source}; teiten-aggregator verify says what is wrong with it", path = .path.display())]
    Part {
        /// Which.
        path: PathBuf,
        /// The reader's words.
        source: PartError,
    },
    /// The time zone of a day.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// There are no days.
    #[error("{path} holds no {}: run teiten-aggregator rollup first", SOURCES_DAILY.name, path = .path.display())]
    NoDays {
        /// The dataset.
        path: PathBuf,
    },
}

/// A day of a sensor, and whether it could be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewsDay {
    /// The day, as 2026-11-05.
    pub day: String,
    /// The sensor.
    pub sensor: String,
    /// Days before that it was compared with; none where it was not judged at all.
    pub days: Option<u64>,
    /// Days that would have been enough.
    pub days_min: u64,
}

impl NewsDay {
    /// Why nothing was called new; none where all is well.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let NewsDay {
            day,
            sensor,
            days_min,
            ..
        } = self;
        match self.days {
            None => Some(format!(
                "{day} of sensor {sensor} was not compared with the days before it: run teiten-aggregator rollup"
            )),
            Some(days) if days < *days_min => Some(format!(
                "{day} of sensor {sensor} has {days} known days before it, and {days_min} are needed to call something new (--novelty-days-min of rollup)"
            )),
            Some(_) => None,
        }
    }
}

/// What is new.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// The days that were asked for.
    pub days: Vec<NewsDay>,
    /// The rows of `novelties`, by the names of their columns: those of a day together, the highest score first.
    pub rows: Vec<Map<String, Value>>,
}

/// What is new in the last `days` days of the dataset `directory` that are rolled up.
///
/// # Errors
/// When a part cannot be read, or there is no such day.
pub fn news(directory: &Path, days: usize) -> Result<News, NewsError> {
    let store = Store::at(directory);
    let failed = |source| NewsError::File {
        path: directory.to_owned(),
        source,
    };
    let mut periods = store.periods(SOURCES_DAILY.name).map_err(failed)?;
    periods.sort_unstable();
    let first = periods.len().saturating_sub(days);
    let mut news = News::default();
    for period in periods.drain(first..) {
        for part in store.parts(SOURCES_DAILY.name, period).map_err(failed)? {
            if let Some(sensor) = part.sensor() {
                add_day(&mut news, &store, &part, period, sensor)?;
            }
        }
    }
    match news.days.is_empty() {
        true => Err(NewsError::NoDays {
            path: directory.to_owned(),
        }),
        false => Ok(news),
    }
}

fn add_day(
    news: &mut News,
    store: &Store,
    day: &Part,
    period: Period,
    sensor: String,
) -> Result<(), NewsError> {
    let zone = note_of(day.place(), TIMEZONE_KEY);
    let zone = zone.as_deref().unwrap_or(TIMEZONE_DEFAULT);
    let calendar = Calendar::of(zone)?;
    let hours = calendar.hours(period.first_hour().day())?;
    let judged = JudgedDay::of(store, &sensor, calendar.name(), period);
    let parts = store.parts_within(NOVELTIES.name, &hours);
    let parts = parts.map_err(|source| NewsError::File {
        path: store.directory().join(NOVELTIES.name),
        source,
    })?;
    let mut rows = Vec::new();
    for part in parts {
        let is_of_day = |part: &Part| {
            let name = part.name().map(|(name, _)| (name.sensor, name.run));
            name == Some((sensor.clone(), run_of(period)))
        };
        if is_of_day(&part) {
            let read = part::read(part.place(), |part| add_rows(part, &mut rows));
            read.map_err(|source| NewsError::Part {
                path: part.path.clone(),
                source,
            })?;
        }
    }
    let score = NOVELTIES.columns.last().map_or("", |column| column.name);
    let score = |row: &Map<String, Value>| row[score].as_f64().unwrap_or(0.0);
    rows.sort_by(|left, right| score(right).total_cmp(&score(left)));
    news.rows.extend(rows);
    news.days.push(NewsDay {
        day: period.text(),
        sensor,
        days: judged.as_ref().map(|judged| judged.days),
        days_min: judged.map_or(0, |judged| judged.days_min),
    });
    Ok(())
}

fn add_rows(part: &CheckedPart, rows: &mut Vec<Map<String, Value>>) -> Result<(), PartError> {
    for row in part.reader().get_row_iter(None)? {
        let row = row?;
        let named = NOVELTIES.columns.iter();
        let named = named.map(|column| (column.name.to_owned(), value(field(&row, column.name))));
        rows.push(named.collect());
    }
    Ok(())
}
