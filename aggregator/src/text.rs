//! Spellings that several modules share: hexadecimal, civil dates, and times of day as text. `jiff` knows the calendar.

use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::table::HOUR_US;

/// Bytes as lower-case hexadecimal digits, two each.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The date (proleptic Gregorian) of a day counted from 1970-01-01. Days outside the years -9999 to 9999 take the nearest of these.
#[must_use]
pub fn date_of_day(day: i64) -> Date {
    const SECONDS: i64 = 86_400;
    let nearest = if day < 0 { Date::MIN } else { Date::MAX };
    let timestamp = day.checked_mul(SECONDS).map(Timestamp::from_second);
    timestamp.and_then(Result::ok).map_or(nearest, |time| {
        time.to_zoned(jiff::tz::TimeZone::UTC).date()
    })
}

/// A time in microseconds since 1970-01-01 UTC as RFC 3339 text with six decimals: `2026-11-05T08:04:09.000001Z`.
#[must_use]
pub fn time(time_us: i64) -> String {
    let nearest = if time_us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let time = Timestamp::from_microsecond(time_us).unwrap_or(nearest);
    format!("{time:.6}")
}

/// The time that a folder of parts stands for, microseconds since 1970-01-01 UTC: `date=2026-11-05/hour=08`, `date=2026-11-05` or
/// `month=2026-11`.
#[must_use]
pub fn time_of_folder(folder: &Path) -> Option<Range<i64>> {
    let mut names = folder.components().map(|name| name.as_os_str().to_str());
    let (first, second) = (names.next()??, names.next());
    let start_of = |date: Date| {
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(midnight.timestamp().as_microsecond())
    };
    if let Some(month) = first.strip_prefix("month=") {
        let date = date(&format!("{month}-01"))?;
        let next = date.last_of_month().tomorrow().ok()?;
        return Some(start_of(date)?..start_of(next)?);
    }
    let date = date(first.strip_prefix("date=")?)?;
    match second {
        None => Some(start_of(date)?..start_of(date.tomorrow().ok()?)?),
        Some(hour) => {
            let hour = hour?.strip_prefix("hour=")?;
            let number: i64 = hour.parse().ok().filter(|_| hour.len() == 2)?;
            let start_us = start_of(date)? + (0..24).contains(&number).then_some(number)? * HOUR_US;
            Some(start_us..start_us + HOUR_US)
        }
    }
}

/// A date in the form `2026-11-05`, and no other.
#[must_use]
pub fn date(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then_some(date)
}

/// The start of the day or hour that `text` names as `2026-11-05` or `2026-11-05T08`, UTC, as hours since 1970-01-01T00.
#[must_use]
pub fn hour(text: &str) -> Option<i64> {
    let folder = match text.split_once('T') {
        Some((date, hour)) => format!("date={date}/hour={hour}"),
        None => format!("date={text}"),
    };
    Some(
        time_of_folder(Path::new(&folder))?
            .start
            .div_euclid(HOUR_US),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_each() {
        assert_eq!(hexadecimal(&[0, 255, 16]), "00ff10");
    }

    #[test]
    fn days_before_and_after_1970_have_their_date() {
        for (day, date) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
        ] {
            assert_eq!(date_of_day(day).to_string(), date);
        }
        assert_eq!(date_of_day(i64::MAX), Date::MAX);
        assert_eq!(date_of_day(i64::MIN), Date::MIN);
    }

    #[test]
    fn times_have_microseconds() {
        for (time_us, text) in [
            (1_237_107_849_000_001, "2009-03-15T09:04:09.000001Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (0, "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(time_us), text);
        }
        assert!(time(i64::MAX).starts_with("9999-12-"));
        assert!(time(i64::MIN).starts_with("-009999-01-"));
    }

    #[test]
    fn folders_and_hours_are_read_strictly() {
        let range = |folder: &str| {
            time_of_folder(Path::new(folder)).map(|time| (time.start, time.end - time.start))
        };
        let day_us = 24 * HOUR_US;
        assert_eq!(
            range("date=1970-01-02/hour=01"),
            Some((25 * HOUR_US, HOUR_US))
        );
        assert_eq!(range("date=1970-01-02"), Some((day_us, day_us)));
        assert_eq!(range("month=1970-02"), Some((31 * day_us, 28 * day_us)));
        for folder in [
            "date=1970-02-30",
            "date=1970-01-01/hour=24",
            "date=1970-01-01/hour=1",
            "month=1970-2",
            "x",
        ] {
            assert_eq!(range(folder), None, "{folder}");
        }
        assert_eq!(hour("1970-01-02"), Some(24));
        assert_eq!(hour("1970-01-02T03"), Some(27));
        for text in [
            "",
            "garbage",
            "1970-01",
            "1970-01-01T",
            "1970-01-01T3",
            "1970-01-01T03:00",
            "19700101",
        ] {
            assert_eq!(hour(text), None, "{text}");
        }
    }
}
