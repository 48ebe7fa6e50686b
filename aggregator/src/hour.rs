//! An hour by its number, and the civil dates that it is shown by. Touches no file.

use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::text::date_of_day;

/// Microseconds of an hour.
pub const HOUR_US: i64 = 3_600_000_000;

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
        self.0.saturating_mul(HOUR_US)
    }

    /// `date=2009-03-15/hour=08`
    #[must_use]
    pub fn folder(self) -> PathBuf {
        let hour = self.civil().3;
        PathBuf::from(format!("date={}", self.date())).join(format!("hour={hour:02}"))
    }

    /// The first hour of a date such as `2009-03-15`; `None` if the text is no date of that form.
    #[must_use]
    pub fn first_of(date: &str) -> Option<Hour> {
        let day: Date = date.parse().ok()?;
        let start = jiff::tz::TimeZone::UTC
            .to_timestamp(day.at(0, 0, 0, 0))
            .ok()?;
        let hour = Hour(start.as_second().div_euclid(3600));
        // Only this spelling: folders have no other.
        (hour.date() == date).then_some(hour)
    }

    /// The hour that `2009-03-15T08` names, or the first one of the day `2009-03-15`; `None` for any other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Hour> {
        match text.split_once('T') {
            Some((date, hour)) => Hour::first_of(date)?.of_day(hour),
            None => Hour::first_of(text),
        }
    }

    /// The hour `08` of the day whose first hour this is; `None` if the text is not two digits below 24.
    pub(crate) fn of_day(self, hour: &str) -> Option<Hour> {
        let is_number = hour.len() == 2 && hour.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = hour.parse().ok().filter(|number| *number < 24)?;
        is_number.then_some(Hour(self.0 + number))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_named_by_their_utc_date() {
        assert_eq!(Hour(1_237_104_000 / 3600).to_string(), "2009-03-15T08");
        assert_eq!(Hour(0).folder(), PathBuf::from("date=1970-01-01/hour=00"));
        assert_eq!(Hour(-1).to_string(), "1969-12-31T23");
        assert_eq!(Hour(951_782_400 / 3600).to_string(), "2000-02-29T00");
    }

    #[test]
    fn dates_come_back_and_others_are_none() {
        for hour in [0, 24 * 365, -24, 345_640 / 24 * 24] {
            let hour = Hour(hour);
            assert_eq!(Hour::first_of(&hour.date()), Some(hour), "{hour}");
        }
        for text in [
            "2026-02-30",
            "2026-13-01",
            "26-01-01",
            "2026-1-01",
            "garbage",
            "",
            "2026-01-01-01",
        ] {
            assert_eq!(Hour::first_of(text), None, "{text}");
        }
    }

    #[test]
    fn hours_and_days_are_read_strictly() {
        assert_eq!(Hour::parse("1970-01-02"), Some(Hour(24)));
        assert_eq!(Hour::parse("1970-01-02T03"), Some(Hour(27)));
        for text in [
            "",
            "garbage",
            "1970-01",
            "1970-01-01T",
            "1970-01-01T3",
            "1970-01-01T+3",
            "1970-01-01T24",
            "1970-01-01T03:00",
            "19700101",
        ] {
            assert_eq!(Hour::parse(text), None, "{text}");
        }
    }
}
