//! Where what waits for the next day lies within a dataset: a file for each sensor, time zone and day.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::{RollupError, file_error};
use crate::hour::Hour;
use crate::store::{PRIVATE_FOLDER, Period, Store};

/// The file of a day.
pub(super) fn path(sensor: &str, zone: &str, day: Period, ending: &str) -> PathBuf {
    folder(sensor, zone).join(format!("{}.{ending}", day.text()))
}

fn folder(sensor: &str, zone: &str) -> PathBuf {
    Path::new(PRIVATE_FOLDER)
        .join("events")
        .join(sensor)
        .join(zone.replace('/', "_"))
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
    let folder = store.directory().join(folder(sensor, zone));
    let names = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        names => names.map_err(file_error(&folder))?,
    };
    let ending = format!(".{ending}");
    let mut days = BTreeSet::new();
    for name in names {
        let name = name.map_err(file_error(&folder))?.file_name();
        let date = name.to_str().and_then(|name| name.strip_suffix(&ending));
        days.extend(date.and_then(Hour::first_of).map(Period::Day));
    }
    Ok(days)
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
