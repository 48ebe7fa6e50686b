//! Retention by table: removes parts that are older than their table's days, but never parts that a rollup still needs.
//!
//! Hours of `traffic`, `sources` and `backscatter` are removed a whole day at once, and only if the day was rolled up from exactly these parts.
//! `coverage` is removed after them. Days of `traffic` are removed a whole month at once, if the month was rolled up from them. Age is counted
//! from the last day of the dataset, not by a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::calendar::{Calendar, TIMEZONE_DEFAULT, TIMEZONE_KEY};
use crate::compact::{CompactError, take_apart};
use crate::hour::Hour;
use crate::part::PartError;
use crate::pruned::PrunedHours;
use crate::rollup::{PARTS_KEY, RollupError, attacks_made_of, note_of, parts_sha256};
use crate::schema::{
    ASKED_PORTS_DAILY, ASKED_PORTS_MONTHLY, BACKSCATTER, CAMPAIGNS_DAILY, COVERAGE, EVENTS,
    MARGINALS_DAILY, PAYLOADS, PORTS_DAILY, ROLLUPS, SCANNERS_DAILY, SOURCES, SOURCES_DAILY,
    SURVEY_DAILY, Span, TABLES, TRAFFIC, TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table,
};
use crate::store::{Part, Period, Store};
use crate::whole_day::{PartOfHour, hour_parts};

/// Number of days of a table to keep, including the last one.
pub type KeptDays = BTreeMap<&'static str, u64>;

/// Old parts that are removed or, for a reason, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneDay {
    /// The table.
    pub table: &'static str,
    /// The sensor.
    pub sensor: String,
    /// The day or month.
    pub period: String,
    /// Parts.
    pub parts: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Why it is kept; `None` if it is removed.
    pub kept: Option<String>,
}

/// Why pruning failed.
#[derive(Debug, Error)]
pub enum PruneError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part.
    #[error("{path} {source}; teiten-aggregator verify says what else is wrong", path = .path.display())]
    Part {
        /// Which, or its table.
        path: PathBuf,
        /// What is wrong with it.
        source: PartError,
    },
    /// A whole day's file cannot be taken apart.
    #[error(transparent)]
    Apart(#[from] CompactError),
    /// The days of a time zone cannot be determined.
    #[error(transparent)]
    Rollup(#[from] RollupError),
}

/// The table of a name, if it can be pruned.
#[must_use]
pub fn table_of(name: &str) -> Option<&'static Table> {
    let mut all = TABLES.iter().chain(ROLLUPS).chain(EVENTS);
    all.find(|table| table.name == name)
}

/// Finds the parts of the dataset `directory` that are older than `retention`, counted from `today` (`None`: its last day), and removes them
/// unless `is_dry`.
///
/// # Errors
/// When a folder cannot be listed or a part cannot be removed; a day is removed as a whole or not at all.
pub fn prune(
    directory: &Path,
    retention: &KeptDays,
    today: Option<Hour>,
    is_dry: bool,
) -> Result<Vec<PruneDay>, PruneError> {
    let store = Store::at(directory);
    let failed = |source| PruneError::File {
        path: directory.to_owned(),
        source,
    };
    store.recover().map_err(failed)?;
    // What others roll up or compact is not removed under their hands.
    let _one_at_a_time = match is_dry {
        true => None,
        false => Some(store.lock("rollup").map_err(failed)?),
    };
    let mut all = BTreeMap::new();
    for table in TABLES.iter().chain(ROLLUPS).chain(EVENTS) {
        all.insert(table.name, parts_of(&store, table)?);
    }
    let last = all
        .values()
        .flatten()
        .map(|part| part.period.first_hour())
        .max();
    let Some(last) = today.or(last) else {
        return Ok(Vec::new());
    };
    let mut pruning = Pruning {
        store: &store,
        all,
        gone: BTreeSet::new(),
        days: Vec::new(),
        is_dry,
        has_taken_apart: false,
    };
    // Tables that rollups read come before the tables that show what was rolled up.
    for table in [&TRAFFIC, &SOURCES, &PAYLOADS, &BACKSCATTER, &COVERAGE]
        .into_iter()
        .chain(EVENTS)
        .chain([
            &TRAFFIC_DAILY,
            &MARGINALS_DAILY,
            &ASKED_PORTS_DAILY,
            &SURVEY_DAILY,
            &SOURCES_DAILY,
            &SCANNERS_DAILY,
            &PORTS_DAILY,
            &CAMPAIGNS_DAILY,
            &TRAFFIC_MONTHLY,
            &ASKED_PORTS_MONTHLY,
        ])
    {
        if let Some(days) = retention.get(table.name) {
            let days = i64::try_from(*days).unwrap_or(i64::MAX / 48);
            let before = (last.0.div_euclid(24) + 1 - days) * 24;
            pruning.table(table, before)?;
        }
    }
    Ok(pruning.days)
}

/// The parts of a table, also those in parts of whole days.
fn parts_of(store: &Store, table: &'static Table) -> Result<Vec<PartOfHour>, PruneError> {
    if table.span == Span::Hour {
        return hour_parts(store, table.name, &(i64::MIN..i64::MAX)).map_err(|source| {
            PruneError::Part {
                path: store.directory().join(table.name),
                source,
            }
        });
    }
    let listed = crate::part::listed(store.directory(), table);
    let listed = listed.map_err(|source| PruneError::File {
        path: store.directory().join(table.name),
        source,
    })?;
    Ok(listed.into_iter().map(PartOfHour::from).collect())
}

struct Pruning<'p> {
    store: &'p Store,
    all: BTreeMap<&'static str, Vec<PartOfHour>>,
    gone: BTreeSet<PartOfHour>,
    days: Vec<PruneDay>,
    is_dry: bool,
    has_taken_apart: bool,
}

impl Pruning<'_> {
    /// Prunes the parts of a table whose day or month ends before the hour `before`.
    fn table(&mut self, table: &'static Table, before: i64) -> Result<(), PruneError> {
        let mut groups = BTreeMap::<(String, Period), Vec<PartOfHour>>::new();
        let parts = self.all.get(table.name).cloned().unwrap_or_default();
        for part in parts {
            if let Some(sensor) = part.sensor() {
                let group = self.group(table, &sensor, &part);
                groups.entry((sensor, group)).or_default().push(part);
            }
        }
        for ((sensor, group), parts) in groups {
            let hours = self.hours(table, &sensor, group);
            if hours.end > before {
                continue;
            }
            // Another group may have had its day taken apart.
            let parts = match self.has_taken_apart {
                true => self.found_again(table, &parts),
                false => parts,
            };
            let kept = self.needed(table, &sensor, group, &parts)?;
            let parts = match kept.is_none() && !self.is_dry {
                true => self.apart(table, parts, &hours)?,
                false => parts,
            };
            self.remove(table, &sensor, group, &hours, &parts, kept)?;
        }
        Ok(())
    }

    /// The same parts as files of their own, where a whole day's file has hours besides: days of a time zone are not those of UTC.
    fn apart(
        &mut self,
        table: &'static Table,
        parts: Vec<PartOfHour>,
        hours: &std::ops::Range<i64>,
    ) -> Result<Vec<PartOfHour>, PruneError> {
        let cuts = |part: &&PartOfHour| {
            let day = part.part.period.first_hour().0;
            part.held.is_some() && !(hours.start <= day && day + 24 <= hours.end)
        };
        let days: BTreeSet<Hour> = parts
            .iter()
            .filter(cuts)
            .map(|part| part.part.period.first_hour())
            .collect();
        if days.is_empty() {
            return Ok(parts);
        }
        take_apart(self.store, &[table], &days)?;
        self.all.insert(table.name, parts_of(self.store, table)?);
        self.has_taken_apart = true;
        Ok(self.found_again(table, &parts))
    }

    /// These parts, wherever they are now.
    fn found_again(&self, table: &Table, parts: &[PartOfHour]) -> Vec<PartOfHour> {
        let key = |part: &PartOfHour| (part.period, part.file_name.clone());
        let wanted: BTreeSet<_> = parts.iter().map(key).collect();
        let all = self.all.get(table.name).into_iter().flatten();
        all.filter(|part| wanted.contains(&key(part)))
            .cloned()
            .collect()
    }

    /// The unit of removal of a part: the day or month that it is rolled up into.
    fn group(&self, table: &Table, sensor: &str, part: &PartOfHour) -> Period {
        let hour = part.period.first_hour();
        match part.period {
            Period::Hour(_) => {
                let date = self.calendar(table, sensor, hour).day_of(hour);
                Period::Day(Hour(crate::calendar::day_number(date) * 24))
            }
            day if [TRAFFIC_DAILY.name, ASKED_PORTS_DAILY.name].contains(&table.name) => {
                crate::rollup::month_of(day)
            }
            other => other,
        }
    }

    /// The calendar of the days that a table of hours was rolled up into.
    fn calendar(&self, table: &Table, sensor: &str, hour: Hour) -> Calendar {
        let days = match table.name {
            name if name == TRAFFIC.name => TRAFFIC_DAILY.name,
            _ => SOURCES_DAILY.name,
        };
        let near = |part: &&PartOfHour| {
            let distance = part.period.first_hour().0 - hour.0;
            part.sensor().as_deref() == Some(sensor) && distance.abs() <= 48
        };
        let day = self.all.get(days).and_then(|days| days.iter().find(near));
        let zone = day.and_then(|day| note_of(day.part.place(), TIMEZONE_KEY));
        Calendar::of(zone.as_deref().unwrap_or(TIMEZONE_DEFAULT))
            .unwrap_or_else(|_| Calendar::utc())
    }

    fn hours(&self, table: &Table, sensor: &str, group: Period) -> std::ops::Range<i64> {
        let first = group.first_hour();
        match group {
            Period::Month(_) => {
                let next = first.day().last_of_month().tomorrow();
                let end = next.map_or(i64::MAX, |day| crate::calendar::day_number(day) * 24);
                first.0..end
            }
            _ => {
                let calendar = self.calendar(table, sensor, first);
                calendar.hours(first.day()).unwrap_or(first.0..first.0 + 24)
            }
        }
    }

    /// Why a group of parts has to be kept.
    fn needed(
        &self,
        table: &Table,
        sensor: &str,
        group: Period,
        parts: &[PartOfHour],
    ) -> Result<Option<String>, PruneError> {
        let rollups: &[&Table] = match table.name {
            name if name == TRAFFIC.name => &[&TRAFFIC_DAILY, &MARGINALS_DAILY, &ASKED_PORTS_DAILY],
            name if name == SOURCES.name => &[
                &SURVEY_DAILY,
                &SOURCES_DAILY,
                &SCANNERS_DAILY,
                &PORTS_DAILY,
                &CAMPAIGNS_DAILY,
            ],
            name if name == TRAFFIC_DAILY.name => &[&TRAFFIC_MONTHLY],
            name if name == ASKED_PORTS_DAILY.name => &[&ASKED_PORTS_MONTHLY],
            name if name == BACKSCATTER.name => &[],
            name if name == COVERAGE.name => return Ok(self.uncovered(sensor, parts)),
            _ => return Ok(None),
        };
        let of_parts = parts_sha256(&parts.iter().cloned().collect())?;
        if table.name == BACKSCATTER.name {
            let calendar = self.calendar(table, sensor, group.first_hour());
            let made_of = attacks_made_of(self.store, sensor, calendar.name(), group);
            let text = || "attacks of it are not made of these parts: run rollup first".to_owned();
            return Ok((made_of.as_ref() != Some(&of_parts)).then(text));
        }
        for rollup in rollups {
            let file_name = format!("{sensor}.{}", crate::store::PART_ENDING);
            let path = self.store.path(rollup.name, group, &file_name);
            if note_of(&path, PARTS_KEY).as_deref() != Some(&of_parts) {
                let text = format!(
                    "{} of it is not made of these parts: run rollup first",
                    rollup.name
                );
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// Hours without coverage would be gaps, so coverage is kept as long as any other table has the hour.
    fn uncovered(&self, sensor: &str, parts: &[PartOfHour]) -> Option<String> {
        let hours: BTreeSet<Hour> = parts.iter().map(|part| part.period.first_hour()).collect();
        for table in TABLES.iter().filter(|table| table.name != COVERAGE.name) {
            let others = self.all.get(table.name).into_iter().flatten();
            let mut others = others.filter(|part| !self.gone.contains(*part));
            let needs = |part: &PartOfHour| {
                hours.contains(&part.period.first_hour())
                    && part.sensor().as_deref() == Some(sensor)
            };
            if others.any(needs) {
                return Some(format!("{} still has hours of it", table.name));
            }
        }
        None
    }

    fn remove(
        &mut self,
        table: &'static Table,
        sensor: &str,
        group: Period,
        hours: &std::ops::Range<i64>,
        parts: &[PartOfHour],
        kept: Option<String>,
    ) -> Result<(), PruneError> {
        let files: BTreeSet<&Part> = parts.iter().map(|part| &part.part).collect();
        let bytes = files
            .iter()
            .filter_map(|file| std::fs::metadata(file.place()).ok());
        let day = PruneDay {
            table: table.name,
            sensor: sensor.to_owned(),
            period: group.text(),
            parts: parts.len() as u64,
            bytes: bytes.map(|about| about.len()).sum(),
            kept,
        };
        let goes = day.kept.is_none();
        self.days.push(day);
        if !goes {
            return Ok(());
        }
        self.gone.extend(parts.iter().cloned());
        if self.is_dry {
            return Ok(());
        }
        let failed = |source| PruneError::File {
            path: self.store.directory().join(table.name),
            source,
        };
        let mut publication = self.store.publication();
        files
            .iter()
            .for_each(|file| publication.remove(&file.within()));
        let is_of_hours = TABLES.iter().any(|observed| observed.name == table.name);
        if is_of_hours {
            let note = PrunedHours::stage(self.store, (table.name, sensor), &group.text(), hours);
            publication.put(note.map_err(failed)?).map_err(failed)?;
        }
        publication.commit().map(drop).map_err(failed)
    }
}
