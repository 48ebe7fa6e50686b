//! Where a dataset's files lie and what they are called: `TABLE/date=YYYY-MM-DD/hour=HH/SENSOR-RUN-PART.parquet`.
//!
//! Only names here; reading and writing files is the business of `writer.rs`.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::text::date_of_day;

/// Ending of a part that readers may see.
pub const PART_ENDING: &str = "parquet";
/// Folder within a dataset for files that are not parts: open hours set aside, parts under way.
pub const SCRATCH_FOLDER: &str = ".teiten";

/// An hour by its number since 1970-01-01T00 UTC; shown as `2009-03-15T08`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

impl Hour {
    /// Calendar date (year, month, day) and hour of the day, UTC.
    #[must_use]
    pub fn civil(self) -> (i64, u32, u32, u32) {
        let date = date_of_day(self.0.div_euclid(24));
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        let hour = self.0.rem_euclid(24) as u32;
        (date.year().into(), month.into(), day.into(), hour)
    }

    /// Start of the hour, microseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn start_us(self) -> i64 {
        self.0.saturating_mul(crate::table::HOUR_US)
    }

    /// `date=2009-03-15/hour=08`
    #[must_use]
    pub fn folder(self) -> PathBuf {
        let hour = self.civil().3;
        PathBuf::from(format!("date={}", self.date())).join(format!("hour={hour:02}"))
    }

    /// The day, UTC; hours beyond the calendar's end have its first or last day.
    #[must_use]
    pub fn day(self) -> Date {
        date_of_day(self.0.div_euclid(24))
    }

    /// `2009-03-15`
    #[must_use]
    pub fn date(self) -> String {
        let (year, month, day, _) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour) = self.civil();
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}")
    }
}

/// Who writes: the sensor and the run of it that the parts of one input share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartName {
    /// Name of the sensor: letters, digits, `.` and `_`.
    pub sensor: String,
    /// Identity of the run.
    pub run: String,
}

impl PartName {
    /// Checks the sensor's name, which becomes part of file names.
    ///
    /// # Errors
    /// The reason, when the name is empty, too long, or has characters other than letters, digits, `.` and `_`.
    pub fn new(sensor: &str, run: &str) -> Result<Self, String> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._".contains(letter);
        if sensor.is_empty() || sensor.len() > 64 || sensor.starts_with('.') {
            return Err(format!(
                "the sensor's name `{sensor}` must have 1 to 64 characters and not begin with a dot"
            ));
        }
        if let Some(letter) = sensor.chars().find(|&letter| !allowed(letter)) {
            return Err(format!(
                "the sensor's name `{sensor}` has the character `{letter}`: use letters, digits, `.` and `_`"
            ));
        }
        Ok(PartName {
            sensor: sensor.to_owned(),
            run: run.to_owned(),
        })
    }

    /// `SENSOR-RUN-PART.parquet`
    #[must_use]
    pub fn file_name(&self, part: u32) -> String {
        format!("{}-{}-{part:04}.{PART_ENDING}", self.sensor, self.run)
    }

    /// The number of a part of this sensor and run.
    #[must_use]
    pub fn part_of(&self, file_name: &str) -> Option<u32> {
        let rest = file_name.strip_prefix(&self.sensor)?.strip_prefix('-')?;
        let number = rest.strip_prefix(self.run.as_str())?.strip_prefix('-')?;
        number
            .strip_suffix(PART_ENDING)?
            .strip_suffix('.')?
            .parse()
            .ok()
    }

    /// Whether a file belongs to this sensor and run.
    #[must_use]
    pub fn owns(&self, file_name: &str) -> bool {
        file_name
            .strip_prefix(&self.sensor)
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_prefix(self.run.as_str()))
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| rest.ends_with(PART_ENDING))
    }
}

/// Every part of `name` under `directory`, in no order; a dataset that does not exist has none.
///
/// # Errors
/// When a folder cannot be listed.
pub fn parts_of(directory: &Path, table: &str, name: &PartName) -> std::io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for hour in hour_folders(&directory.join(table))? {
        for entry in std::fs::read_dir(&hour)? {
            let entry = entry?;
            let file = entry.file_name();
            if file.to_str().is_some_and(|file| name.owns(file)) {
                parts.push(entry.path());
            }
        }
    }
    Ok(parts)
}

/// The first number that no part of `name` in `hour` has, and none before it.
///
/// # Errors
/// When a folder cannot be listed.
pub fn next_part(
    directory: &Path,
    table: &str,
    hour: Hour,
    name: &PartName,
) -> std::io::Result<u32> {
    let entries = match std::fs::read_dir(directory.join(table).join(hour.folder())) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut next = 0;
    for entry in entries {
        let file = entry?.file_name();
        let part = file.to_str().and_then(|file| name.part_of(file));
        next = next.max(part.map_or(0, |part| part + 1));
    }
    Ok(next)
}

/// Every `date=…/hour=…` folder of a table, in order; a table that does not exist has none.
///
/// # Errors
/// When a folder cannot be listed.
pub fn hour_folders(table: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut hours = Vec::new();
    for date in folders(table, "date=")? {
        hours.extend(folders(&date, "hour=")?);
    }
    hours.sort();
    Ok(hours)
}

/// Removes what processes that are gone have left in the scratch folder; files there begin with their process's number.
///
/// # Errors
/// When the folder cannot be listed.
pub fn clean_scratch(directory: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(directory.join(SCRATCH_FOLDER)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.split('-').next()?.parse::<u32>().ok());
        let alive = |process| Path::new("/proc").join(format!("{process}")).exists();
        if process.is_some_and(|process| !alive(process)) {
            // Another process may be cleaning at the same time.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

pub(crate) fn folders(parent: &Path, prefix: &str) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let named = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(prefix));
        if named && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_named_by_their_utc_date() {
        assert_eq!(Hour(1_237_104_000 / 3600).to_string(), "2009-03-15T08");
        assert_eq!(Hour(0).folder(), Path::new("date=1970-01-01/hour=00"));
        assert_eq!(Hour(-1).to_string(), "1969-12-31T23");
        assert_eq!(Hour(951_782_400 / 3600).to_string(), "2000-02-29T00");
    }

    #[test]
    fn a_part_belongs_to_its_run_alone() {
        let name = PartName::new("tokyo_1", "ab12").expect("a good name");
        assert!(name.owns(&name.file_name(0)));
        assert!(!name.owns("tokyo_1-ab13-0000.parquet"));
        assert!(!name.owns("tokyo_10-ab12-0000.parquet"));
        assert_eq!(name.part_of(&name.file_name(12)), Some(12));
        for other in ["tokyo_1-ab12-.parquet", "tokyo_1-ab13-0001.parquet"] {
            assert_eq!(name.part_of(other), None, "{other}");
        }
        assert!(PartName::new("to-kyo", "1").is_err());
    }
}
