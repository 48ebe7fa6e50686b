//! The files of a dataset by hour, as the store lists them. Only those of whole days are opened, as they say which hours they hold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use teiten_aggregator::part::PartError;
use teiten_aggregator::store::{Part, Store};
use teiten_aggregator::whole_day::{PartOfHour, hour_parts};

use super::QueryError;

/// Hours since 1970-01-01 UTC, each with its files in the order of their names.
pub type HourFiles = BTreeMap<i64, Vec<PartOfHour>>;

/// The files of `table` for the hours of `range`; empty when the table has no folder.
///
/// # Errors
/// When a folder cannot be listed.
pub fn files(
    data: &Path,
    table: &'static str,
    range: &Range<i64>,
) -> Result<HourFiles, QueryError> {
    let store = Store::at(data);
    let parts = hour_parts(&store, table, range).map_err(|error| QueryError::Folder {
        path: data.join(table),
        source: match error {
            PartError::File(source) => source,
            other => std::io::Error::other(other),
        },
    })?;
    let mut hours = HourFiles::new();
    for part in parts {
        let files = hours.entry(part.period.first_hour().0).or_default();
        files.push(part);
    }
    Ok(hours)
}

/// Days since 1970-01-01, each with its files in the order of their names. A month is at its first day.
pub type PartsByDay = BTreeMap<i64, Vec<Part>>;

/// The files of a table of days or months for those that begin in `range`, counted from 1970-01-01; empty when the table has no folder.
///
/// # Errors
/// When a folder cannot be listed.
pub fn day_parts(
    data: &Path,
    table: &'static str,
    range: &Range<i64>,
) -> Result<PartsByDay, QueryError> {
    let store = Store::at(data);
    let failed = |source| QueryError::Folder {
        path: data.join(table),
        source,
    };
    let mut days = PartsByDay::new();
    for period in store.periods(table).map_err(failed)? {
        let day = period.first_hour().0.div_euclid(24);
        if range.contains(&day) {
            let parts = store.parts(table, period).map_err(failed)?;
            days.entry(day).or_default().extend(parts);
        }
    }
    Ok(days)
}

/// Days since 1970-01-01, each with its files in the order of their names, and the sensor of each.
pub type FilesByDay = BTreeMap<i64, Vec<(String, PathBuf)>>;

/// The files of a table of days for the days of `range`, counted from 1970-01-01; empty when the table has no folder.
///
/// # Errors
/// When a folder cannot be listed.
pub fn day_files(
    data: &Path,
    table: &'static str,
    range: &Range<i64>,
) -> Result<FilesByDay, QueryError> {
    let days = day_parts(data, table, range)?.into_iter();
    let file = |part: Part| {
        let sensor = part.sensor().unwrap_or_default();
        (sensor, part.place().to_owned())
    };
    Ok(days
        .map(|(day, parts)| (day, parts.into_iter().map(file).collect()))
        .collect())
}

/// First hour and first hour after the last one that have files of `table`.
///
/// # Errors
/// When a folder cannot be listed.
pub fn span(data: &Path, table: &'static str) -> Result<Option<Range<i64>>, QueryError> {
    let hours = files(data, table, &(i64::MIN / 2..i64::MAX / 2))?;
    let first = hours.keys().next().copied();
    let last = hours.keys().next_back().copied();
    Ok(first.zip(last).map(|(first, last)| first..last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn touch(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }

    #[test]
    fn only_whole_parts_of_hours_in_the_range_are_listed() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "traffic/date=1970-01-02/hour=03/a-1-0.parquet");
        touch(root.path(), "traffic/date=1970-01-02/hour=03/b-1-0.parquet");
        touch(
            root.path(),
            "traffic/date=1970-01-02/hour=03/.a-1-1.parquet",
        );
        touch(
            root.path(),
            "traffic/date=1970-01-02/hour=04/a-1-0.parquet.part",
        );
        touch(root.path(), "traffic/date=1970-01-02/hour=05/a-1-0.parquet");
        touch(root.path(), "traffic/date=1970-01-09/hour=05/a-1-0.parquet");
        let hours = files(root.path(), "traffic", &(27..29)).unwrap();
        assert_eq!(hours.len(), 1);
        assert_eq!(hours[&27].len(), 2);
        assert_eq!(span(root.path(), "traffic").unwrap(), Some(27..198));
        assert_eq!(span(root.path(), "coverage").unwrap(), None);
    }
}
