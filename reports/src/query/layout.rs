//! Which files of a dataset hold an hour: `DIR/TABLE/date=YYYY-MM-DD/hour=HH/SENSOR-RUN-PART.parquet`. Names only; no file is opened.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::QueryError;
use crate::period::HOUR_US;

/// Hours since 1970-01-01 UTC, each with its files in the order of their names.
pub type Hours = BTreeMap<i64, Vec<PathBuf>>;

/// The files of `table` for the hours of `range`; empty when the table has no folder.
///
/// # Errors
/// When a folder cannot be listed.
pub fn files(data: &Path, table: &str, range: &Range<i64>) -> Result<Hours, QueryError> {
    let mut hours = Hours::new();
    for (date, day_path) in partitions(&data.join(table), "date=")? {
        let Some(first) = first_hour(&date) else {
            continue;
        };
        if first + 24 <= range.start || first >= range.end {
            continue;
        }
        for (hour, hour_path) in partitions(&day_path, "hour=")? {
            let Ok(hour) = hour.parse::<i64>() else {
                continue;
            };
            if (0..24).contains(&hour) && range.contains(&(first + hour)) {
                let parts = parquet_files(&hour_path)?;
                if !parts.is_empty() {
                    hours.insert(first + hour, parts);
                }
            }
        }
    }
    Ok(hours)
}

/// First hour and first hour after the last one that have files of `table`.
///
/// # Errors
/// When a folder cannot be listed.
pub fn span(data: &Path, table: &str) -> Result<Option<Range<i64>>, QueryError> {
    let hours = files(data, table, &(i64::MIN / 2..i64::MAX / 2))?;
    let first = hours.keys().next().copied();
    let last = hours.keys().next_back().copied();
    Ok(first.zip(last).map(|(first, last)| first..last + 1))
}

fn first_hour(date: &str) -> Option<i64> {
    let date: Date = date.parse().ok()?;
    let start = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(start.as_microsecond().div_euclid(HOUR_US))
}

/// Folders below `path` whose name begins with `key`, with what follows it, sorted.
fn partitions(path: &Path, key: &str) -> Result<Vec<(String, PathBuf)>, QueryError> {
    let mut found: Vec<_> = list(path)?
        .into_iter()
        .filter_map(|entry| {
            let name = entry.file_name()?.to_str()?;
            let value = name.strip_prefix(key)?.to_owned();
            Some((value, entry))
        })
        .collect();
    found.sort();
    Ok(found)
}

fn parquet_files(path: &Path) -> Result<Vec<PathBuf>, QueryError> {
    let mut parts = list(path)?;
    parts.retain(|part| {
        let hidden = part
            .file_name()
            .and_then(|name| name.to_str())
            .is_none_or(|name| name.starts_with(['.', '_']));
        !hidden
            && part
                .extension()
                .is_some_and(|extension| extension == "parquet")
    });
    parts.sort();
    Ok(parts)
}

/// Entries of a folder; none when it does not exist.
fn list(path: &Path) -> Result<Vec<PathBuf>, QueryError> {
    let unreadable = |source| QueryError::Folder {
        path: path.to_owned(),
        source,
    };
    match fs::read_dir(path) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(unreadable))
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
