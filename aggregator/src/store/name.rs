//! Names of folders (by period) and of parts (by sensor, run and number). Neither reads nor writes.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::hour::Hour;

/// Ending of a part that readers may see.
pub const PART_ENDING: &str = "parquet";
/// Longest name of a sensor.
const SENSOR_LETTERS_MAX: usize = 64;

/// The period of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// An hour, UTC.
    Hour(Hour),
    /// A day by its first hour as if its time zone were UTC.
    Day(Hour),
    /// The month whose first day this is.
    Month(Hour),
    /// All hours of a day, UTC, in one part, by the first of them.
    WholeDay(Hour),
}

/// The folder of parts of whole days. A number, because every reader of Hive-style folders takes it for one: pandas cannot join a null
/// `hour` with others.
const ALL_HOURS_FOLDER: &str = "hour=-1";

impl Period {
    /// `date=2009-03-15/hour=08`, `date=2009-03-15`, `month=2009-03`, `date=2009-03-15/hour=-1`
    #[must_use]
    pub fn folder(self) -> PathBuf {
        match self {
            Period::Hour(hour) => hour.folder(),
            Period::Day(day) => PathBuf::from(format!("date={}", day.date())),
            Period::Month(day) => PathBuf::from(format!("month={}", month_of(&day.date()))),
            Period::WholeDay(day) => Period::Day(day).folder().join(ALL_HOURS_FOLDER),
        }
    }

    /// `2009-03-15T08`, `2009-03-15`, `2009-03`
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Period::Hour(hour) => hour.to_string(),
            Period::Day(day) | Period::WholeDay(day) => day.date(),
            Period::Month(day) => month_of(&day.date()).to_owned(),
        }
    }

    /// The first hour of it.
    #[must_use]
    pub fn first_hour(self) -> Hour {
        let (Period::Hour(hour) | Period::Day(hour) | Period::Month(hour) | Period::WholeDay(hour)) =
            self;
        hour
    }

    /// The time that it spans, microseconds since 1970-01-01 UTC; of a day and a month as if their time zone were UTC.
    #[must_use]
    pub fn span_us(self) -> Range<i64> {
        let hours = match self {
            Period::Hour(_) => 1,
            Period::Day(_) | Period::WholeDay(_) => 24,
            Period::Month(day) => 24 * i64::from(day.day().days_in_month()),
        };
        let first = self.first_hour();
        first.start_us()..Hour(first.0.saturating_add(hours)).start_us()
    }

    /// The period of a folder directly in a table's: a day, or a month.
    pub(super) fn of_folder(name: &str) -> Option<Period> {
        match name.split_once('=')? {
            ("date", date) => Hour::first_of(date).map(Period::Day),
            ("month", month) => Hour::first_of(&format!("{month}-01")).map(Period::Month),
            _ => None,
        }
    }

    /// The hour of a folder in a day's.
    pub(super) fn of_hour_folder(day: Hour, name: &str) -> Option<Period> {
        Some(Period::Hour(day.of_day(name.strip_prefix("hour=")?)?))
    }
}

fn month_of(date: &str) -> &str {
    date.rsplit_once('-').map_or(date, |(month, _)| month)
}

/// The writer of parts: the sensor, and the run that the parts of one input share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartName {
    /// Name of the sensor: letters, digits, `.`, `_` and `-`.
    pub sensor: String,
    /// Identity of the run: letters, digits, `.` and `_`.
    pub run: String,
}

impl PartName {
    /// Checks the sensor's name, which becomes part of file names.
    ///
    /// # Errors
    /// The reason, when the name is empty, too long, has characters other than letters, digits, `.`, `_` and `-`, or begins as hidden files
    /// do.
    pub fn new(sensor: &str, run: &str) -> Result<Self, String> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if sensor.is_empty() || sensor.len() > SENSOR_LETTERS_MAX {
            return Err(format!(
                "the sensor's name `{sensor}` must have 1 to {SENSOR_LETTERS_MAX} characters"
            ));
        }
        if let Some(letter) = sensor.chars().find(|&letter| !allowed(letter)) {
            return Err(format!(
                "the sensor's name `{sensor}` has the character `{letter}`: use letters, digits, `.`, `_` and `-`"
            ));
        }
        if sensor.starts_with(['.', '_', '-']) {
            return Err(format!(
                "the sensor's name `{sensor}` must begin with a letter or a digit: readers take files that begin with `.` or `_` for hidden"
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

    /// Parses the name of an hour's file from the right, as a sensor's name may have hyphens.
    #[must_use]
    pub fn parse(file_name: &str) -> Option<(PartName, u32)> {
        let stem = stem(file_name)?;
        let mut fields = stem.rsplitn(3, '-');
        let number = fields.next().filter(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })?;
        let run = fields.next().filter(|run| !run.is_empty())?;
        let name = PartName::new(fields.next()?, run).ok()?;
        Some((name, number.parse().ok()?))
    }
}

fn stem(file_name: &str) -> Option<&str> {
    file_name.strip_suffix(PART_ENDING)?.strip_suffix('.')
}

/// Whether a file name is that of a visible part.
pub(super) fn is_part(file_name: &str) -> bool {
    !file_name.starts_with(['.', '_']) && stem(file_name).is_some_and(|stem| !stem.is_empty())
}

/// An existing part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its table.
    pub table: &'static str,
    /// Its period.
    pub period: Period,
    /// Its name in the folder.
    pub file_name: String,
    /// Its path, which a part in a running publication does not have yet.
    pub path: PathBuf,
    /// Where it can be read.
    pub(super) place: PathBuf,
}

impl Part {
    /// Opens it for reading.
    ///
    /// # Errors
    /// When it cannot be opened, for example because it was just replaced.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.place)
    }

    /// The path of its bytes, which differs from `path` during a publication.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The sensor, the run and the number; `None` for files of other programs, rolled-up days and months.
    #[must_use]
    pub fn name(&self) -> Option<(PartName, u32)> {
        matches!(self.period, Period::Hour(_) | Period::WholeDay(_))
            .then(|| PartName::parse(&self.file_name))
            .flatten()
    }

    /// The sensor; `None` for files of other programs.
    #[must_use]
    pub fn sensor(&self) -> Option<String> {
        match self.period {
            Period::Hour(_) | Period::WholeDay(_) => self.name().map(|(name, _)| name.sensor),
            Period::Day(_) | Period::Month(_) => stem(&self.file_name).map(str::to_owned),
        }
    }

    /// `TABLE/FOLDER/FILE`, the same in every dataset.
    #[must_use]
    pub fn within(&self) -> PathBuf {
        Path::new(self.table)
            .join(self.period.folder())
            .join(&self.file_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hour::HOUR_US;

    #[test]
    fn a_part_is_read_from_the_right() {
        for sensor in ["tokyo_1", "to-kyo", "a-1-0001", "x.y"] {
            let name = PartName::new(sensor, "20261105T08.0000000012").expect("a good name");
            let file = name.file_name(12);
            assert_eq!(PartName::parse(&file), Some((name, 12)), "{file}");
        }
        for other in [
            "tokyo_1-ab12-.parquet",
            "tokyo-0001.parquet",
            "tokyo--0001.parquet",
            "-ab-0001.parquet",
            "tokyo-ab-0001.csv",
            "tokyo-ab-1x.parquet",
        ] {
            assert_eq!(PartName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_that_readers_hide_are_refused() {
        for sensor in ["_a", ".a", "-a", "", "a/b", "a b", "é"] {
            assert!(PartName::new(sensor, "1").is_err(), "{sensor}");
        }
        assert!(!is_part("_a-1-0000.parquet") && !is_part(".a.parquet") && !is_part(".parquet"));
        assert!(is_part("a-1-0000.parquet") && !is_part("a.parquet.part"));
    }

    #[test]
    fn folders_name_periods_and_back() {
        let day = Hour::first_of("2026-11-05").expect("a date");
        assert_eq!(Period::of_folder("date=2026-11-05"), Some(Period::Day(day)));
        let hour = Period::of_hour_folder(day, "hour=08").expect("an hour");
        assert_eq!(hour.folder(), PathBuf::from("date=2026-11-05/hour=08"));
        let month = Period::of_folder("month=2026-11").expect("a month");
        assert_eq!(
            (month.text().as_str(), month.folder()),
            ("2026-11", PathBuf::from("month=2026-11"))
        );
        let hours = |period: Period| {
            let span = period.span_us();
            (span.start / HOUR_US, (span.end - span.start) / HOUR_US)
        };
        assert_eq!(hours(hour), (day.0 + 8, 1));
        assert_eq!(hours(Period::Day(day)), (day.0, 24));
        assert_eq!(hours(Period::WholeDay(day)), (day.0, 24));
        assert_eq!(hours(month).1, 30 * 24);
        let february = Period::of_folder("month=2028-02").expect("a month");
        assert_eq!(hours(february).1, 29 * 24);
        for name in ["hour=24", "hour=8", "hour=-1", "hour=+1", "day=01"] {
            assert_eq!(Period::of_hour_folder(day, name), None, "{name}");
        }
        assert_eq!(Period::of_folder("date=garbage"), None);
    }
}
