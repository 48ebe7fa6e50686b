//! Reads days from what a rollup has summed of them: a few thousand rows and the ports, and not every kind of every hour. The answer is the
//! same: counts add, and the sketches of the sums are the unions of those of the hours.
//!
//! A day is read so only if its sums are of exactly the parts that its hours have now, in the time zone of the report, and if every hour of
//! them was observed; otherwise its hours are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use teiten_aggregator::calendar::TIMEZONE_KEY;
use teiten_aggregator::columns::PartColumns;
use teiten_aggregator::part::{PartError, guarded};
use teiten_aggregator::rollup::{PARTS_KEY, parts_sha256_of};
use teiten_aggregator::schema::{
    ASKED_PORTS_DAILY, ASKED_PORTS_MONTHLY, MARGINALS_DAILY, SURVEY_DAILY,
};
use teiten_aggregator::whole_day::PartOfHour;

use super::layout::{self, HourFiles, PartsByDay};
use super::rolled_up::civil_days;
use super::rows::note;
use super::{Answer, Job, QueryError, Question};
use crate::series::Buckets;

mod ports;
mod sums;
mod survey;

pub(super) use ports::close as close_ports;

/// The parts of the tables of days, by day since 1970-01-01, as far as they can be used.
#[derive(Clone, Debug, Default)]
pub(super) struct RolledDays {
    /// The day of each day of the period; `None` where the period has only a part of it.
    days: Vec<Option<i64>>,
    zone: String,
    marginals: PartsByDay,
    ports: PartsByDay,
    /// By the month's first day.
    months: PartsByDay,
    survey: PartsByDay,
}

impl RolledDays {
    /// Lists the parts for the days of the question's period.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub(super) fn of(question: &Question, days: &Buckets) -> Result<Self, QueryError> {
        let Some(zone) = question.period.timezone.iana_name() else {
            return Ok(RolledDays::default());
        };
        let civil = civil_days(&question.period);
        let whole = days.ranges.iter().zip(&days.full_hours);
        let numbers: Vec<Option<i64>> = whole
            .zip(civil.clone())
            .map(|((range, full), day)| (range.len() == *full).then_some(day))
            .collect();
        if numbers.len() != days.ranges.len() || !question.uses_rolled_up {
            return Ok(RolledDays::default());
        }
        let parts =
            |table: &'static str, days: &Range<i64>| layout::day_parts(&question.data, table, days);
        // A month begins up to 30 days before a day of it, and ends as many behind it.
        let months = civil.start - 31..civil.end + 31;
        Ok(RolledDays {
            days: numbers,
            zone: zone.to_owned(),
            marginals: parts(MARGINALS_DAILY.name, &civil)?,
            ports: parts(ASKED_PORTS_DAILY.name, &months)?,
            months: parts(ASKED_PORTS_MONTHLY.name, &months)?,
            survey: parts(SURVEY_DAILY.name, &civil)?,
        })
    }

    /// Whether a day of the period may be read from sums.
    pub(super) fn has(&self, day: usize) -> bool {
        self.number(day)
            .is_some_and(|number| self.marginals.contains_key(&number))
    }

    fn number(&self, day: usize) -> Option<i64> {
        *self.days.get(day)?
    }

    /// The part of a sensor on a day, opened, if it was made in the report's time zone of parts with this hash.
    fn open(
        &self,
        table: &PartsByDay,
        (number, sensor): (i64, &str),
        made_of: &str,
    ) -> Option<PartColumns> {
        let parts = table.get(&number)?;
        let part = parts
            .iter()
            .find(|part| part.sensor().as_deref() == Some(sensor))?;
        let opened = opened(part.place()).ok()?;
        let is_current = opened.note(PARTS_KEY) == Some(made_of)
            && opened.note(TIMEZONE_KEY) == Some(&self.zone);
        is_current.then_some(opened)
    }
}

/// A part of which some columns are read. Its pages have checksums of their own, so those that are not needed are not read for that of the
/// file.
fn opened(path: &Path) -> Result<PartColumns, String> {
    let opened = || PartColumns::open(File::open(path).map_err(|error| error.to_string())?);
    unpanicked(opened)
}

/// Turns a panic of the Parquet library into an error.
fn unpanicked<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let read = || read().map_err(PartError::Damaged);
    guarded(read).map_err(|error: PartError| error.to_string())
}

/// The parts of hours of a day by sensor, each with the hash of its parts; `None` if a file is of no sensor. Their notes go to `part`, those of
/// sensors that were not asked for too.
fn hashes(
    job: &Job<'_>,
    files: &HourFiles,
    hours: &Range<usize>,
    part: &mut Answer,
) -> Option<BTreeMap<String, String>> {
    let hours = job.first_hour + hours.start as i64..job.first_hour + hours.end as i64;
    let mut sensors: BTreeMap<String, BTreeSet<&PartOfHour>> = BTreeMap::new();
    for one in files.range(hours).flat_map(|(_, parts)| parts) {
        sensors.entry(one.sensor()?).or_default().insert(one);
    }
    let hash = |(sensor, parts): (String, BTreeSet<&PartOfHour>)| {
        let hash = parts_sha256_of(parts, |notes| note(notes, part)).ok()?;
        Some((sensor, hash))
    };
    sensors.into_iter().map(hash).collect()
}

/// Reads the traffic of a day from its sums, once its coverage was read. Nothing is added if they cannot be used.
pub(super) fn read_day(job: &Job<'_>, day: usize, part: &mut Answer) -> Option<()> {
    let number = job.rolled.number(day)?;
    let hours = part.day_buckets.ranges[day].clone();
    let hashes = hashes(job, job.traffic, &hours, part)?;
    let wanted: Vec<(&String, &String)> = hashes
        .iter()
        .filter(|(sensor, _)| job.wants(sensor))
        .collect();
    let is_alone = wanted.len() == 1;
    let mut read = Vec::new();
    for (sensor, hash) in wanted {
        let open = |table| job.rolled.open(table, (number, sensor), hash);
        let sums = open(&job.rolled.marginals)?;
        let ports = open(&job.rolled.ports)?;
        let sums = unpanicked(|| sums::read(sums, job.first_hour)).ok()?;
        let is_observed = |hour: usize| {
            let hour = part.hours.get(hour);
            hour.is_some_and(|hour| hour.seconds.contains_key(sensor))
        };
        if !sums::hours(&sums).all(is_observed) {
            return None;
        }
        // A damaged one would be found when half of the day is added.
        sums::check(&sums).ok()?;
        let ports = unpanicked(|| ports::read(ports, !is_alone)).ok()?;
        read.push((sensor.clone(), sums, ports));
    }
    let mut of_ports = Vec::new();
    for (sensor, sums, ports) in read {
        sums::add(job, day, &sensor, &sums, part).ok()?;
        of_ports.push(ports);
        part.rolled_days.push((day, sensor));
    }
    ports::add(day, &of_ports, part);
    Some(())
}

/// Reads the survey statistics of a day, if they are those of one sensor alone: ports of a source add up over sensors, which sums do not tell.
pub(super) fn read_survey(job: &Job<'_>, day: usize, part: &mut Answer) -> Option<()> {
    let number = job.rolled.number(day)?;
    let hours = part.day_buckets.ranges[day].clone();
    let hashes = hashes(job, job.sources, &hours, part)?;
    let mut wanted = hashes.iter().filter(|(sensor, _)| job.wants(sensor));
    let (Some((sensor, hash)), None) = (wanted.next(), wanted.next()) else {
        return None;
    };
    let opened = job
        .rolled
        .open(&job.rolled.survey, (number, sensor), hash)?;
    let (found, ports) = unpanicked(|| survey::read(opened)).ok()?;
    part.survey.days[day] = found;
    for (port, packets) in ports {
        *part.survey.ports.at(port, || 0) += packets;
    }
    Some(())
}
