//! Asking a dataset: one pass over the hours of a period, which gives everything that the figures draw.
//!
//! Only `coverage` and `traffic` are read, only the columns needed, and each hour by one worker. What comes back is bounded by the
//! kinds there are (classes, countries, ports, buckets), not by the rows read. No sentence and no drawing is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use teiten_aggregator::schema::{COVERAGE, TRAFFIC};

use crate::period::Period;
use crate::series::{Buckets, State};

pub mod answer;
mod coverage;
pub mod distinct;
pub mod layout;
mod rows;
mod traffic;

pub use answer::{Accounting, Answer, Group, Hour, Protocol, SensorTally, Service, Tally};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The folder of the dataset.
    pub data: PathBuf,
    /// The period.
    pub period: Period,
    /// Sensors to count; all when empty.
    pub sensors: Vec<String>,
    /// Threads that read.
    pub workers: usize,
}

/// Why a dataset gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The folder does not exist or holds no table.
    #[error(
        "{path} holds no dataset (no {table}/date=…/hour=…/*.parquet): name its folder with --data, or make one with \
         `teiten-sensor replay CAPTURE --data {path}`"
    )]
    NoDataset {
        /// The folder.
        path: PathBuf,
        /// The table that was looked for.
        table: &'static str,
    },
    /// No hour of the period was observed.
    #[error(
        "the dataset {path} has no observed hour in {period}; it spans {first} to {last}: choose a --period within, or leave --period out"
    )]
    NothingInPeriod {
        /// The folder.
        path: PathBuf,
        /// The period as written.
        period: String,
        /// First hour of the dataset.
        first: String,
        /// Last hour of the dataset.
        last: String,
    },
    /// A sensor asked for is not in the period.
    #[error(
        "no sensor `{name}` in this period; there are: {known}. Name one of them with --sensor, or leave --sensor out"
    )]
    NoSuchSensor {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A folder could not be listed.
    #[error("cannot list the folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What was wrong with one file; the report is made without it and says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DamagedFile {
    /// The file.
    pub path: PathBuf,
    /// Why it could not be read.
    pub reason: String,
}

/// The hours that the dataset spans, by `coverage`.
///
/// # Errors
/// When there is no dataset.
pub fn dataset_span(data: &std::path::Path) -> Result<Range<i64>, QueryError> {
    layout::span(data, COVERAGE.name)?.ok_or_else(|| QueryError::NoDataset {
        path: data.to_owned(),
        table: COVERAGE.name,
    })
}

/// Reads the period.
///
/// # Errors
/// When there is no dataset, nothing was observed in the period, or a sensor asked for is unknown. A damaged file is no error: it stands
/// in [`Answer::damaged`].
pub fn ask(question: &Question) -> Result<Answer, QueryError> {
    let range = question.period.hours();
    let coverage = layout::files(&question.data, COVERAGE.name, &range)?;
    let traffic = layout::files(&question.data, TRAFFIC.name, &range)?;
    if coverage.is_empty() {
        return Err(nothing_in_period(question)?);
    }
    let buckets = Buckets::of(&question.period);
    let work: Vec<i64> = coverage
        .keys()
        .chain(traffic.keys())
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let job = Job {
        first_hour: range.start,
        hours: (range.end - range.start) as usize,
        bucket_of_hour: buckets.of_hours(),
        sensors: &question.sensors,
        coverage: &coverage,
        traffic: &traffic,
    };
    let mut answer = read_all(question, &job, &work, buckets);
    check_sensors(question, &answer)?;
    answer.settle_hours();
    if answer.hours.iter().all(|hour| hour.state == State::Missing) {
        return Err(nothing_in_period(question)?);
    }
    Ok(answer)
}

/// What every worker needs to know.
pub(crate) struct Job<'a> {
    pub first_hour: i64,
    pub hours: usize,
    pub bucket_of_hour: Vec<usize>,
    pub sensors: &'a [String],
    pub coverage: &'a layout::Hours,
    pub traffic: &'a layout::Hours,
}

impl Job<'_> {
    pub(crate) fn wants(&self, sensor: &str) -> bool {
        self.sensors.is_empty() || self.sensors.iter().any(|name| name == sensor)
    }
}

fn read_all(question: &Question, job: &Job<'_>, work: &[i64], buckets: Buckets) -> Answer {
    let next = AtomicUsize::new(0);
    let workers = question.workers.clamp(1, work.len().max(1));
    let parts: Vec<Answer> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|_| {
                let (next, buckets) = (&next, buckets.clone());
                scope.spawn(move || {
                    let mut part = Answer::empty(question.period.clone(), buckets);
                    while let Some(&hour) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                        read_hour(job, hour, &mut part);
                    }
                    part
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut parts = parts.into_iter();
    let mut answer = parts
        .next()
        .unwrap_or_else(|| Answer::empty(question.period.clone(), buckets));
    for part in parts {
        answer.merge(part);
    }
    answer.damaged.sort();
    answer
}

/// Reads an hour: coverage first, since only what it tells of exists.
fn read_hour(job: &Job<'_>, hour: i64, part: &mut Answer) {
    let index = (hour - job.first_hour) as usize;
    debug_assert!(index < job.hours);
    if let Some(paths) = job.coverage.get(&hour) {
        coverage::read(job, index, paths, part);
    }
    if let Some(paths) = job.traffic.get(&hour) {
        traffic::read(job, index, paths, part);
    }
}

fn nothing_in_period(question: &Question) -> Result<QueryError, QueryError> {
    let span = dataset_span(&question.data)?;
    let whole = Period::spanning(span, &question.period.timezone);
    let (first, last) = whole
        .text
        .split_once("..")
        .unwrap_or((&whole.text, &whole.text));
    Ok(QueryError::NothingInPeriod {
        path: question.data.clone(),
        period: question.period.text.clone(),
        first: first.to_owned(),
        last: last.to_owned(),
    })
}

fn check_sensors(question: &Question, answer: &Answer) -> Result<(), QueryError> {
    let known: &BTreeMap<String, SensorTally> = &answer.sensors;
    match question
        .sensors
        .iter()
        .find(|name| !known.contains_key(*name))
    {
        None => Ok(()),
        Some(name) => Err(QueryError::NoSuchSensor {
            name: name.clone(),
            known: answer
                .sensors_seen
                .iter()
                .cloned()
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}
