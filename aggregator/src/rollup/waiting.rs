//! Where what waits for the next day lies within a dataset: a file for each sensor, time zone and day.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::{RollupError, file_error};
use crate::hour::Hour;
use crate::store::{PRIVATE_FOLDER, Period, Store};

/// The file of a day.
pub(super) fn path(sensor: &str, zone: &str, day: Period, ending: &str) -> PathBuf {
    folder(sensor, zone).join(format!("{}.{ending}", day.text()))
}

fn folder(sensor: &str, zone: &str) -> PathBuf {
    of_sensor(sensor).join(zone.replace('/', "_"))
}

fn of_sensor(sensor: &str) -> PathBuf {
    Path::new(PRIVATE_FOLDER).join("events").join(sensor)
}

/// The names in a folder of the dataset; none where there is no such folder.
fn names(store: &Store, within: &Path) -> Result<Vec<String>, RollupError> {
    let folder = store.directory().join(within);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(file_error(&folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(file_error(&folder))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

/// The days that have a file.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn days(
    store: &Store,
    (sensor, zone): (&str, &str),
    ending: &str,
) -> Result<BTreeSet<Period>, RollupError> {
    let ending = format!(".{ending}");
    let names = names(store, &folder(sensor, zone))?;
    let dates = names.iter().filter_map(|name| name.strip_suffix(&ending));
    Ok(dates.filter_map(Hour::first_of).map(Period::Day).collect())
}

/// The files of other time zones than `zone`.
///
/// # Errors
/// When a folder cannot be listed.
pub(super) fn of_other_zones(
    store: &Store,
    (sensor, zone): (&str, &str),
    ending: &str,
) -> Result<Vec<PathBuf>, RollupError> {
    let mut files = Vec::new();
    let ending = format!(".{ending}");
    let all = of_sensor(sensor);
    for name in names(store, &all)? {
        let other = all.join(name);
        if other != folder(sensor, zone) {
            let found = names(store, &other)?.into_iter();
            let found = found.filter(|name| name.ends_with(&ending));
            files.extend(found.map(|name| other.join(name)));
        }
    }
    Ok(files)
}

/// The last day that has a file, of those before `day` where one is named.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn latest(
    store: &Store,
    of: (&str, &str),
    ending: &str,
    day: Option<Period>,
) -> Result<Option<Period>, RollupError> {
    let days = days(store, of, ending)?;
    let mut before = days
        .into_iter()
        .filter(|found| day.is_none_or(|day| *found < day));
    Ok(before.next_back())
}

/// The days that have files, listed once and kept as days are made: a year has a thousand of these files.
pub(super) struct WaitingDays<'s> {
    store: &'s Store,
    zone: &'s str,
    days: BTreeMap<(String, &'static str), BTreeSet<Period>>,
}

impl<'s> WaitingDays<'s> {
    /// Nothing is listed yet.
    pub(super) fn of(store: &'s Store, zone: &'s str) -> Self {
        WaitingDays {
            store,
            zone,
            days: BTreeMap::new(),
        }
    }

    /// The last day before `day` that has a file.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn latest(
        &mut self,
        sensor: &str,
        ending: &'static str,
        day: Period,
    ) -> Result<Option<Period>, RollupError> {
        let known = match self.days.entry((sensor.to_owned(), ending)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(days(self.store, (sensor, self.zone), ending)?)
            }
        };
        Ok(known.range(..day).next_back().copied())
    }

    /// Notes a file that was made.
    pub(super) fn add(&mut self, sensor: &str, ending: &'static str, day: Period) {
        if let Some(known) = self.days.get_mut(&(sensor.to_owned(), ending)) {
            known.insert(day);
        }
    }
}
