//! Checks of a dataset: every part is read from its first byte to its last, and the tables of an hour hold the same packets.
//!
//! Reads only; what it finds is returned, not printed.

mod column;
mod days;
mod part;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::hour::Hour;
use crate::inputs::{counted_hours, counted_twice};
use crate::parallel::ordered;
use crate::part::{PartError, listed};
use crate::pruned::PrunedHours;
use crate::schema::{COVERAGE, EVENTS, PAYLOADS, ROLLUPS, SOURCES, TABLES, TRAFFIC, Table};
use crate::store::{Part, Period, Store};
use days::{DayRead, compare_days};
use part::{PartSums, Sound};

/// What is wrong with a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// A part that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// The file.
    pub path: PathBuf,
    /// Name of its table.
    pub table: &'static str,
    /// Its rows; 0 where it is damaged.
    pub rows: u64,
    /// What is wrong; none when all is well.
    pub error: Option<String>,
}

/// What a check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Parts read.
    pub parts: u64,
    /// Hours with at least one part.
    pub hours: u64,
    /// Packets in `traffic`.
    pub packets: u64,
    /// Every part.
    pub files: Vec<PartReport>,
    /// What is wrong; empty when all is well.
    pub findings: Vec<Finding>,
}

/// A part to be read.
struct PartWork {
    table: &'static Table,
    part: Part,
}

/// By sensor and identity a part that names both.
type Identities = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// Sums by folder, sensor and table.
type SumsByHour = BTreeMap<PathBuf, BTreeMap<String, BTreeMap<&'static str, PartSums>>>;

/// Checks every part of the dataset in `directory`, rolled-up tables included.
///
/// # Errors
/// When a folder cannot be listed.
pub fn verify(directory: &Path) -> std::io::Result<VerifyReport> {
    let mut verdict = VerifyReport::default();
    let mut work = Vec::new();
    for table in TABLES.iter().chain(ROLLUPS).chain(EVENTS) {
        let parts = listed(directory, table)?.into_iter();
        work.extend(parts.map(|part| PartWork { table, part }));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut hours = SumsByHour::new();
    let mut identities = Identities::new();
    let mut days = Vec::new();
    let mut next = work.iter();
    let read = |index: usize| sound(work[index].table, &work[index].part);
    ordered(threads, work.len(), read, |outcome| {
        if let Some(work) = next.next() {
            if let (true, Ok(sound)) = (is_observed(work.table), &outcome)
                && let Some(identity) = &sound.identity
            {
                let of_name = identities.entry(sound.sensor.clone()).or_default();
                let part = of_name.entry(identity.clone());
                part.or_insert_with(|| work.part.path.clone());
            }
            if let (Period::Day(_), Ok(sound)) = (work.part.period, &outcome) {
                days.push(DayRead {
                    table: work.table,
                    path: work.part.path.clone(),
                    period: work.part.period,
                    sensor: sound.sensor.clone(),
                    zone: sound.zone.clone(),
                    sums: sound.sums,
                });
            }
            note(&mut verdict, &mut hours, work, outcome);
        }
    });
    verdict.findings.extend(compare_days(&days, &hours));
    verdict.hours = hours.len() as u64;
    let pruned = PrunedHours::read(&Store::at(directory))?;
    for (hour, sensors) in hours {
        for (sensor, tables) in sensors {
            let was_pruned = |table: &Table| is_pruned(&pruned, table, &sensor, &hour);
            compare(&mut verdict, &hour, &sensor, &tables, was_pruned);
        }
    }
    for (sensor, parts) in identities {
        for path in parts.values().skip(1) {
            let path = path.clone();
            let reason = format!(
                "{} sensors have the name `{sensor}` and stand for one: give each a name of its own (--sensor) and write their hours anew",
                parts.len()
            );
            verdict.findings.push(Finding { path, reason });
        }
    }
    for reason in counted_twice(&counted_hours(&Store::at(directory))?) {
        let path = directory.to_owned();
        verdict.findings.push(Finding { path, reason });
    }
    Ok(verdict)
}

/// Checks one part of a table.
///
/// # Errors
/// What is wrong with it.
pub fn check_part(table: &Table, part: &Part) -> Result<(), PartError> {
    sound(table, part).map(drop)
}

fn sound(table: &Table, part: &Part) -> Result<Sound, PartError> {
    let time_us = part.period.span_us();
    match part::check(part.place(), table, time_us.clone()) {
        // It got its name meanwhile.
        Err(PartError::File(error)) if error.kind() == ErrorKind::NotFound => {
            part::check(&part.path, table, time_us)
        }
        checked => checked,
    }
}

fn note(
    verdict: &mut VerifyReport,
    hours: &mut SumsByHour,
    work: &PartWork,
    read: Result<Sound, PartError>,
) {
    let (table, path, folder) = (work.table, &work.part.path, work.part.period.folder());
    verdict.parts += 1;
    let outcome = read.map_err(|error| error.to_string()).and_then(|sound| {
        if !is_observed(table) {
            return Ok(sound.rows);
        }
        let sensors = hours.entry(folder.clone()).or_default();
        let sums = sensors
            .entry(sound.sensor)
            .or_default()
            .entry(table.name)
            .or_default();
        *sums = sums
            .add(sound.sums)
            .ok_or("with the other parts of its hour it has more packets or bytes than 2^63")?;
        Ok(sound.rows)
    });
    if is_observed(table) {
        hours.entry(folder).or_default();
    }
    if let Err(reason) = &outcome {
        verdict.findings.push(Finding {
            path: path.clone(),
            reason: reason.clone(),
        });
    }
    verdict.files.push(PartReport {
        path: path.clone(),
        table: table.name,
        rows: *outcome.as_ref().unwrap_or(&0),
        error: outcome.err(),
    });
}

/// Whether the hour of a folder was pruned from a table.
fn is_pruned(pruned: &PrunedHours, table: &Table, sensor: &str, folder: &Path) -> bool {
    let of_folder = || {
        let (date, hour) = folder
            .to_str()?
            .strip_prefix("date=")?
            .split_once("/hour=")?;
        let hour: i64 = hour.parse().ok()?;
        Some(Hour(Hour::first_of(date)?.0 + hour))
    };
    of_folder().is_some_and(|hour| pruned.contains(table.name, sensor, hour))
}

/// Whether a table holds what sensors observed, not what was made of it.
fn is_observed(table: &Table) -> bool {
    TABLES.iter().any(|observed| observed.name == table.name)
}

/// Compares the tables of a sensor's hour.
fn compare(
    verdict: &mut VerifyReport,
    hour: &Path,
    sensor: &str,
    tables: &BTreeMap<&'static str, PartSums>,
    was_pruned: impl Fn(&Table) -> bool,
) {
    let sums = |table: &Table| tables.get(table.name).copied().unwrap_or_default();
    let (traffic, sources, coverage) = (sums(&TRAFFIC), sums(&SOURCES), sums(&COVERAGE));
    verdict.packets = verdict
        .packets
        .saturating_add(traffic.packets.unsigned_abs());
    let mut find = |reason: String| {
        let path = hour.to_owned();
        verdict.findings.push(Finding { path, reason });
    };
    let is_whole = ![&TRAFFIC, &SOURCES, &COVERAGE].into_iter().any(was_pruned);
    if !is_whole {
        return;
    }
    let counts = |sums: &PartSums| (sums.packets, sums.bytes);
    if counts(&traffic) != counts(&sources) || traffic.packets != coverage.packets {
        find(format!(
            "of sensor {sensor} traffic holds {} packets and {} bytes, sources {} and {}, coverage {} observed packets",
            traffic.packets, traffic.bytes, sources.packets, sources.bytes, coverage.packets
        ));
    } else if traffic.kinds != sources.kinds {
        find(format!(
            "of sensor {sensor} traffic and sources hold the same number of packets, but not of the same kinds"
        ));
    }
    // Not every packet has a payload, so fewer is sound.
    let payloads = sums(&PAYLOADS);
    if payloads.packets > traffic.packets {
        find(format!(
            "of sensor {sensor} payloads holds {} packets, traffic only {}",
            payloads.packets, traffic.packets
        ));
    }
}
