//! Queries a dataset: one pass over the hours of a period gives everything that the figures draw.
//!
//! `coverage`, `traffic` and `sources` are read, only the columns needed, and each hour by one worker; then what a rollup has made of them. The
//! size of an answer is bounded by the number of kinds (classes, countries, ports, buckets) and of events, not by the rows read. No text and
//! no drawing is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use teiten_aggregator::schema::{COVERAGE, SOURCES, TRAFFIC};
use teiten_aggregator::whole_day::PartOfHour;

use crate::period::ReportPeriod;
use crate::series::Buckets;

pub mod answer;
mod coverage;
mod detect;
pub mod event;
mod exposure;
mod gather;
pub mod layout;
mod marginals;
pub mod port_days;
pub mod port_map;
pub mod rolled_up;
mod rows;
mod sources;
pub mod survey;
pub mod tally;
mod traffic;

pub use teiten_aggregator::sketch::distinct;

pub use answer::{
    Accounting, Answer, HourTally, PortRole, Protocol, SensorTally, SourceGroup, Tally,
};

/// The question to a dataset.
#[derive(Clone, Debug)]
pub struct Question {
    /// The folder of the dataset.
    pub data: PathBuf,
    /// The period.
    pub period: ReportPeriod,
    /// Sensors to count; all when empty.
    pub sensors: Vec<String>,
    /// Threads that read.
    pub workers: usize,
    /// When the report is made, microseconds since 1970-01-01 UTC: hours that end later are not yet there.
    pub as_of_us: i64,
    /// Whether the periods before are read too.
    pub compare: bool,
    /// Whether days are read from what a rollup has summed up, where that is of their present hours; the answer is the same.
    pub uses_rolled_up: bool,
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
    /// A requested sensor is not in the period.
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
    #[error("cannot list the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A file that could not be read and why; the report leaves it out and says so.
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

/// Reads the period, and what it is compared with.
///
/// # Errors
/// When there is no dataset, nothing was observed in the period, or a requested sensor is unknown. A damaged file is no error: it is listed
/// in [`Answer::damaged`].
pub fn ask(question: &Question) -> Result<Answer, QueryError> {
    let baseline = look_back(question)?;
    let mut answer = ask_one(question, Depth::Printed, baseline.as_ref())?
        .ok_or_else(|| nothing_in_period(question).unwrap_or_else(|error| error))?;
    if question.compare {
        let compared = |period: Option<ReportPeriod>| -> Result<Option<Box<Answer>>, QueryError> {
            let Some(period) = period else {
                return Ok(None);
            };
            let question = Question {
                period,
                ..question.clone()
            };
            Ok(ask_one(&question, Depth::Whole, None)?.map(Box::new))
        };
        answer.compared.previous = compared(question.period.previous())?;
        answer.compared.year_before = compared(question.period.year_before())?;
    }
    answer.compared.baseline = baseline.map(Box::new);
    Ok(answer)
}

/// The days before the period: with their traffic if the period is compared, otherwise only the sensors that observed.
fn look_back(question: &Question) -> Result<Option<Answer>, QueryError> {
    let period = question.period.days_before(answer::SERVICE_DAYS);
    let question = Question {
        period,
        ..question.clone()
    };
    let depth = if question.compare {
        Depth::Traffic
    } else {
        Depth::Coverage
    };
    ask_one(&question, depth, None)
}

/// Which tables are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Coverage,
    Traffic,
    Whole,
    /// All tables, and the hosts of every port over the period, which are printed of one period alone.
    Printed,
}

/// Reads one period; `None` if no hour of it was observed.
fn ask_one(
    question: &Question,
    depth: Depth,
    before: Option<&Answer>,
) -> Result<Option<Answer>, QueryError> {
    let range = question.period.hours();
    let files = |table: &'static str, wanted: Depth| {
        if depth >= wanted {
            layout::files(&question.data, table, &range)
        } else {
            Ok(layout::HourFiles::new())
        }
    };
    let coverage = files(COVERAGE.name, Depth::Coverage)?;
    if coverage.is_empty() {
        return Ok(None);
    }
    let (traffic, sources) = (
        files(TRAFFIC.name, Depth::Traffic)?,
        files(SOURCES.name, Depth::Whole)?,
    );
    let buckets = Buckets::of(&question.period);
    let days = Buckets::days(&question.period);
    let job = Job {
        first_hour: range.start,
        hours: (range.end - range.start) as usize,
        bucket_of_hour: buckets.of_hours(),
        day_of_hour: days.of_hours(),
        sensors: &question.sensors,
        coverage: &coverage,
        traffic: &traffic,
        sources: &sources,
        rolled: marginals::RolledDays::of(question, &days)?,
        counts_hosts: depth == Depth::Printed,
    };
    let work = job.work(&days, question.workers);
    let mut answer = read_all(question, &job, &work, buckets);
    check_sensors(question, &answer)?;
    answer.decide_states(
        question.as_of_us,
        before.map_or(&BTreeMap::new(), |before| &before.sensors),
    );
    if depth >= Depth::Whole && question.compare && before.is_some() {
        (answer.events, answer.tested) = detect::find(&answer, before, question.workers);
        detect::read_details(&job, question.workers, &mut answer);
    }
    if depth >= Depth::Whole {
        answer.rolled_up = gather::read(
            &question.data,
            &mut answer,
            &|name| job.wants(name),
            question.workers,
        )?;
    }
    let observed = answer.hours.iter().any(|hour| hour.state.is_observed());
    Ok(observed.then_some(answer))
}

/// A piece of work for one thread.
enum Task {
    /// Coverage and traffic of hours of one day, and whether these are all hours of the day.
    Hours(Range<usize>, bool),
    /// Coverage and traffic of a whole day that was rolled up.
    Day(usize, Range<usize>),
    /// The sources of a day.
    Sources(usize),
}

/// Shared inputs of the workers.
pub(crate) struct Job<'a> {
    pub first_hour: i64,
    pub hours: usize,
    pub bucket_of_hour: Vec<usize>,
    pub day_of_hour: Vec<usize>,
    pub sensors: &'a [String],
    pub coverage: &'a layout::HourFiles,
    pub traffic: &'a layout::HourFiles,
    pub sources: &'a layout::HourFiles,
    rolled: marginals::RolledDays,
    /// Whether hosts of ports over the period are counted.
    counts_hosts: bool,
}

impl Job<'_> {
    pub(crate) fn wants(&self, sensor: &str) -> bool {
        self.sensors.is_empty() || self.sensors.iter().any(|name| name == sensor)
    }

    /// Whole days if there are enough of them for every worker, else hours; `sources` always by day.
    fn work(&self, days: &Buckets, workers: usize) -> Vec<Task> {
        let mut work = Vec::new();
        for (day, range) in days.ranges.iter().enumerate() {
            let hours = self.first_hour + range.start as i64..self.first_hour + range.end as i64;
            if self.sources.range(hours.clone()).next().is_some() {
                work.push(Task::Sources(day));
            }
            // A file of a whole day is read once.
            let mut files = self.traffic.range(hours).flat_map(|(_, files)| files);
            let is_compacted = files.any(|file| file.held.is_some());
            if self.rolled.has(day) {
                work.push(Task::Day(day, range.clone()));
            } else if is_compacted || days.ranges.len() >= workers * DAYS_PER_WORKER_MIN {
                work.push(Task::Hours(range.clone(), true));
            } else {
                work.extend(range.clone().map(|hour| Task::Hours(hour..hour + 1, false)));
            }
        }
        work
    }
}

/// With fewer days per thread the threads read hours instead, so that none is idle.
const DAYS_PER_WORKER_MIN: usize = 4;

fn read_all(question: &Question, job: &Job<'_>, work: &[Task], buckets: Buckets) -> Answer {
    let next = AtomicUsize::new(0);
    let workers = question.workers.clamp(1, work.len().max(1));
    let parts: Vec<Answer> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|_| {
                let (next, buckets) = (&next, buckets.clone());
                scope.spawn(move || {
                    let mut part = Answer::empty(question.period.clone(), buckets);
                    while let Some(piece) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                        read_piece(job, piece, &mut part);
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
    for day in 0..answer.days.len() {
        answer.close_day(day);
    }
    marginals::close_ports(job, question.workers, &mut answer);
    answer.damaged.sort();
    answer.damaged.dedup();
    answer
}

fn read_piece(job: &Job<'_>, piece: &Task, part: &mut Answer) {
    match piece {
        Task::Hours(hours, whole_day) => {
            // Hours without coverage do not count, so it is read first.
            read_coverage(job, hours, part);
            traffic::read(job, hours, part);
            if *whole_day {
                part.close_day(job.day_of_hour[hours.start]);
            }
        }
        Task::Day(day, hours) => {
            read_coverage(job, hours, part);
            if marginals::read_day(job, *day, part).is_none() {
                traffic::read(job, hours, part);
                part.close_day(*day);
            }
        }
        Task::Sources(day) => {
            if marginals::read_survey(job, *day, part).is_some() {
                return;
            }
            let of_day = |hour: &i64| {
                let index = (hour - job.first_hour) as usize;
                index < job.hours && job.day_of_hour[index] == *day
            };
            let of_day = || job.sources.iter().filter(|(hour, _)| of_day(hour));
            let mut files: Vec<&PartOfHour> = Vec::new();
            let mut days = BTreeSet::new();
            for file in of_day().flat_map(|(_, files)| files) {
                if file.held.is_none() || days.insert(&file.part) {
                    files.push(file);
                }
            }
            let mut hours = of_day().map(|(hour, _)| *hour);
            let first = hours.next().unwrap_or_default();
            let hours = first..hours.next_back().unwrap_or(first) + 1;
            sources::read(job, *day, (&files, &hours), part);
        }
    }
}

fn read_coverage(job: &Job<'_>, hours: &Range<usize>, part: &mut Answer) {
    for index in hours.clone() {
        let hour = job.first_hour + index as i64;
        if let Some(files) = job.coverage.get(&hour) {
            coverage::read(job, index, files, part);
        }
    }
}

fn nothing_in_period(question: &Question) -> Result<QueryError, QueryError> {
    let span = dataset_span(&question.data)?;
    let whole = ReportPeriod::spanning(span, &question.period.timezone);
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
