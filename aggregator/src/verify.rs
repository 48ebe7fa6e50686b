//! Checks of a dataset: every part is read from its first byte to its last, and the tables of an hour hold the same packets.
//!
//! Reads only; what it finds is returned, not printed.

mod campaigns;
mod column;
mod days;
mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::hour::Hour;
use crate::inputs::{counted_hours, counted_twice};
use crate::parallel::ordered;
use crate::part::{PartError, listed};
use crate::pruned::PrunedHours;
use crate::schema::{
    BACKSCATTER, COVERAGE, EVENTS, PAYLOADS, ROLLUPS, SOURCES, TABLES, TRAFFIC, Table,
};
use crate::store::{OpenPart, Part, Period, Store};
use campaigns::compare_campaigns;
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

/// A unit of checking.
enum VerifyTask {
    /// All tables of an hour, as they are at one moment: its sensor may be publishing it.
    Hour(Hour),
    /// A rolled-up part, or one of a whole day.
    Part(&'static Table, Part),
}

/// What was read of a part.
struct VerifiedPart {
    table: &'static Table,
    part: Part,
    outcome: Result<Sound, PartError>,
}

/// For each sensor's name and identity, a part that names both.
type Identities = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// Sums by folder, sensor and table.
type SumsByHour = BTreeMap<PathBuf, BTreeMap<String, BTreeMap<&'static str, PartSums>>>;

/// Checks every part of the dataset in `directory`, rolled-up tables included.
///
/// # Errors
/// When a folder cannot be listed.
pub fn verify(directory: &Path) -> std::io::Result<VerifyReport> {
    let mut verdict = VerifyReport::default();
    let store = Store::at(directory);
    let mut work = Vec::new();
    let mut all = BTreeSet::new();
    for table in TABLES {
        all.extend(store.hours(table.name, &(i64::MIN..i64::MAX))?);
        let days = store.whole_days(table.name, &(i64::MIN..i64::MAX))?;
        work.extend(days.into_iter().map(|part| VerifyTask::Part(table, part)));
    }
    work.extend(all.into_iter().map(VerifyTask::Hour));
    for table in ROLLUPS.iter().chain(EVENTS) {
        let parts = listed(directory, table)?.into_iter();
        work.extend(parts.map(|part| VerifyTask::Part(table, part)));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut hours = SumsByHour::new();
    let mut identities = Identities::new();
    let mut days = Vec::new();
    let mut failure = None;
    let read = |index: usize| read(&store, &work[index]);
    ordered(threads, work.len(), read, |read| match read {
        Ok(read) => {
            for read in read {
                if let (true, Ok(sound)) = (is_observed(read.table), &read.outcome)
                    && let Some(identity) = &sound.identity
                {
                    let of_name = identities.entry(sound.sensor.clone()).or_default();
                    let part = of_name.entry(identity.clone());
                    part.or_insert_with(|| read.part.path.clone());
                }
                if let (Period::Day(_), Ok(sound)) = (read.part.period, &read.outcome) {
                    days.push(DayRead {
                        table: read.table,
                        path: read.part.path.clone(),
                        period: read.part.period,
                        sensor: sound.sensor.clone(),
                        zone: sound.zone.clone(),
                        sums: sound.sums,
                    });
                }
                note(&mut verdict, &mut hours, read);
            }
        }
        Err(error) => {
            failure.get_or_insert(error);
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    verdict.findings.extend(compare_days(&days, &hours));
    verdict.findings.extend(compare_campaigns(&days));
    verdict.hours = hours.len() as u64;
    let pruned = PrunedHours::read(&store)?;
    for (hour, sensors) in hours {
        for (sensor, tables) in sensors {
            let was_pruned = |table: &Table| is_pruned(&pruned, table, &sensor, &hour);
            compare(&mut verdict, &hour, &sensor, &tables, was_pruned);
        }
    }
    for (sensor, parts) in identities {
        for (identity, path) in parts.iter().skip(1) {
            let path = path.clone();
            let reason = format!(
                "{} sensors share the name `{sensor}`: merge the dataset into a new folder in which one of them has another name \
                 (teiten-aggregator merge --rename {identity}=NAME), and give each a name of its own from now on (--sensor)",
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

/// Checks the parts that one run wrote for an hour: each by itself, and whether they hold the same packets.
///
/// # Errors
/// The first fault.
pub(crate) fn check_edition<'p>(
    period: Period,
    pruned: &PrunedHours,
    parts: impl Iterator<Item = &'p OpenPart>,
) -> Result<(), Finding> {
    let (mut verdict, mut hours) = (VerifyReport::default(), SumsByHour::new());
    for open in parts {
        let Some(table) = TABLES.iter().find(|table| table.name == open.part.table) else {
            continue;
        };
        let outcome = sound(table, &open.part, open.file.try_clone());
        let part = open.part.clone();
        let read = VerifiedPart {
            table,
            part,
            outcome,
        };
        note(&mut verdict, &mut hours, read);
    }
    for sensors in hours.values() {
        for (sensor, tables) in sensors {
            let hour = period.folder();
            let was_pruned = |table: &Table| is_pruned(pruned, table, sensor, &hour);
            compare(&mut verdict, &hour, sensor, tables, was_pruned);
        }
    }
    verdict.findings.into_iter().next().map_or(Ok(()), Err)
}

fn read(store: &Store, work: &VerifyTask) -> io::Result<Vec<VerifiedPart>> {
    match work {
        VerifyTask::Hour(hour) => {
            let tables: Vec<&'static str> = TABLES.iter().map(|table| table.name).collect();
            let open = store.open_period(&tables, Period::Hour(*hour))?;
            let of_table = |open: OpenPart| {
                let table = TABLES.iter().find(|table| table.name == open.part.table)?;
                let outcome = sound(table, &open.part, Ok(open.file));
                let part = open.part;
                Some(VerifiedPart {
                    table,
                    part,
                    outcome,
                })
            };
            Ok(open.into_iter().filter_map(of_table).collect())
        }
        VerifyTask::Part(table, part) => {
            let file = match part.open() {
                // The file was renamed or removed since the folder was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => File::open(&part.path),
                file => file,
            };
            if file
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::NotFound)
            {
                return Ok(Vec::new());
            }
            Ok(vec![VerifiedPart {
                table,
                part: part.clone(),
                outcome: sound(table, part, file),
            }])
        }
    }
}

fn sound(table: &Table, part: &Part, file: io::Result<File>) -> Result<Sound, PartError> {
    part::check(file?, table, part.period)
}

fn note(verdict: &mut VerifyReport, hours: &mut SumsByHour, read: VerifiedPart) {
    let (table, path, folder) = (read.table, &read.part.path, read.part.period.folder());
    let is_whole_day = matches!(read.part.period, Period::WholeDay(_));
    verdict.parts += 1;
    let outcome = read
        .outcome
        .map_err(|error| error.to_string())
        .and_then(|sound| {
            if !is_observed(table) {
                return Ok(sound.rows);
            }
            let mut parts = vec![(folder.clone(), sound.sums)];
            if is_whole_day {
                let by_hour = sound.by_hour.iter();
                let by_hour = by_hour.map(|(hour, sums)| (Hour(*hour).folder(), *sums));
                parts = by_hour.collect();
            }
            for (folder, of_part) in parts {
                let sensors = hours.entry(folder).or_default();
                let sums = sensors
                    .entry(sound.sensor.clone())
                    .or_default()
                    .entry(table.name)
                    .or_default();
                *sums = sums.add(of_part).ok_or(
                    "with the other parts of its hour it has more packets or bytes than 2^63",
                )?;
            }
            Ok(sound.rows)
        });
    if is_observed(table) && !is_whole_day {
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

/// Whether sensors write this table; rollups write the others.
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
    // Not every packet has a payload, and not every reply says whose it is, so these tables may hold fewer packets.
    let payloads = sums(&PAYLOADS);
    if payloads.packets > traffic.packets {
        find(format!(
            "of sensor {sensor} payloads holds {} packets, traffic only {}",
            payloads.packets, traffic.packets
        ));
    }
    let replies = sums(&BACKSCATTER);
    if replies.packets > traffic.replies {
        find(format!(
            "of sensor {sensor} backscatter holds {} packets, traffic only {} of that class",
            replies.packets, traffic.replies
        ));
    }
}
