//! Reads the tables that a rollup has made of the hours of the period into [`RolledUp`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use teiten_aggregator::calendar::TIMEZONE_KEY;
use teiten_aggregator::parallel;
use teiten_aggregator::schema::{ATTACKS, CAMPAIGNS_DAILY, NOVELTIES, SCANS, SOURCES_DAILY};

use super::layout::{self, FilesByDay};
use super::rolled_up::{self, RolledUp, ScanTally, civil_days};
use super::{Answer, DamagedFile, QueryError};

mod attacks;
mod campaigns;
mod novelties;
mod scans;

/// Reads the tables of the period for the sensors that `wants` names. A damaged file is noted in the answer and left out.
///
/// # Errors
/// When a folder cannot be listed.
pub(super) fn read(
    data: &Path,
    answer: &mut Answer,
    wants: &(dyn Fn(&str) -> bool + Sync),
    workers: usize,
) -> Result<RolledUp, QueryError> {
    let days = civil_days(&answer.period);
    let mut found = RolledUp::default();
    for (day, files) in layout::day_files(data, SOURCES_DAILY.name, &days)? {
        let sensors = files.into_iter().map(|(sensor, _)| sensor);
        let sensors: BTreeSet<String> = sensors.filter(|sensor| wants(sensor)).collect();
        if !sensors.is_empty() {
            found.days.insert(day, sensors);
        }
    }
    if !found.is_known() {
        return Ok(found);
    }
    let known_zones = answer.metadata.remove(TIMEZONE_KEY);
    let campaigns = layout::day_files(data, CAMPAIGNS_DAILY.name, &days)?;
    read_campaigns(&campaigns, answer, wants, &mut found);
    let hours = answer.period.hours();
    let files = |table: &'static str| -> Result<Vec<PathBuf>, QueryError> {
        let hours = layout::files(data, table, &hours)?;
        let parts = hours.into_values().flatten();
        Ok(parts.map(|one| one.part.place().to_owned()).collect())
    };
    for path in files(ATTACKS.name)? {
        let read = attacks::read(&path, answer, wants, &mut found.attacks);
        note(answer, &path, read);
    }
    found.attacks.sort_by(rolled_up::attacks::densest_first);
    for path in files(NOVELTIES.name)? {
        let read = novelties::read(&path, answer, wants, &mut found.novelties);
        note(answer, &path, read);
    }
    found
        .novelties
        .sort_by(rolled_up::novelties::least_likely_first);
    found.scans = read_scans(&files(SCANS.name)?, answer, wants, workers);
    let own = answer.period.timezone.iana_name().unwrap_or("UTC");
    let zones = answer.metadata.get(TIMEZONE_KEY);
    let others = zones.into_iter().flatten().filter(|zone| *zone != own);
    found.other_zones = others.cloned().collect();
    if let Some(zones) = known_zones {
        let all = answer.metadata.entry(TIMEZONE_KEY.to_owned()).or_default();
        all.extend(zones);
    }
    Ok(found)
}

/// Adds the table up on several threads: it is the largest by far.
fn read_scans(
    files: &[PathBuf],
    answer: &mut Answer,
    wants: &(dyn Fn(&str) -> bool + Sync),
    workers: usize,
) -> ScanTally {
    let shares: Vec<&[PathBuf]> = files
        .chunks(files.len().div_ceil(workers.max(1)).max(1))
        .collect();
    let read = |share: &&[PathBuf]| {
        let mut part = Answer::empty(answer.period.clone(), answer.buckets.clone());
        let mut tally = ScanTally::default();
        for path in *share {
            let read = scans::read(path, &mut part, wants, &mut tally);
            note(&mut part, path, read);
        }
        ((part.metadata, part.geolocation, part.damaged), tally)
    };
    let mut all = ScanTally::default();
    for (notes, tally) in parallel::map(workers, &shares, |_| 1, read) {
        all.merge(tally);
        answer.merge_notes(notes);
    }
    all
}

fn read_campaigns(
    files: &FilesByDay,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    found: &mut RolledUp,
) {
    let mut rows = Vec::new();
    for (_, path) in files.values().flatten() {
        let read = campaigns::read(path, answer, wants, &mut rows);
        note(answer, path, read);
    }
    (found.campaigns, found.campaign_days) = rolled_up::campaigns::over_days(rows, &found.days);
}

fn note(answer: &mut Answer, path: &Path, read: Result<(), String>) {
    if let Err(reason) = read {
        answer.damaged.push(DamagedFile {
            path: path.to_owned(),
            reason,
        });
    }
}
