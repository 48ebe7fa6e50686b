//! The days of a time zone as ranges of UTC hours, which are the unit of the dataset. No file, no clock.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::hour::{HOUR_US, Hour};

/// The default time zone.
pub const TIMEZONE_DEFAULT: &str = "UTC";
/// Key of the metadata that names the time zone of a day.
pub const TIMEZONE_KEY: &str = "timezone";
/// Metadata key of rolled-up parts: until when the hours of the period were known, as RFC 3339 in UTC. It is the end of the period once they are
/// all there.
pub const AS_OF_KEY: &str = "as_of";

/// An instant as RFC 3339 in UTC, from microseconds since 1970-01-01.
#[must_use]
pub(crate) fn instant_text(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| String::new(), |it| it.to_string())
}

/// Why the days of a time zone cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// There is no such zone.
    #[error("no time zone `{0}`: give --timezone an IANA name such as Asia/Tokyo or UTC")]
    Unknown(String),
    /// Its days begin within an hour.
    #[error(
        "the day {date} of {zone} does not begin with an hour of UTC, and the dataset is cut in hours: give --timezone a zone that is whole hours away from UTC, such as Etc/GMT-5"
    )]
    Uneven {
        /// The zone.
        zone: String,
        /// The day.
        date: Date,
    },
    /// Beyond the calendar.
    #[error("the day {0} is beyond the calendar")]
    Beyond(Date),
}

/// The days of a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    name: String,
}

impl Calendar {
    /// The calendar of an IANA time zone.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn of(name: &str) -> Result<Self, CalendarError> {
        let zone = TimeZone::get(name).map_err(|_| CalendarError::Unknown(name.to_owned()))?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Calendar { zone, name })
    }

    /// The calendar of UTC.
    #[must_use]
    pub fn utc() -> Self {
        Calendar {
            zone: TimeZone::UTC,
            name: TIMEZONE_DEFAULT.to_owned(),
        }
    }

    /// The IANA name of the zone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The day that contains an hour, or most of it.
    #[must_use]
    pub fn day_of(&self, hour: Hour) -> Date {
        let half = hour.start_us().saturating_add(HOUR_US / 2);
        match Timestamp::from_microsecond(half) {
            Ok(time) => self.zone.to_datetime(time).date(),
            Err(_) => hour.day(),
        }
    }

    /// The hours of a day, counted from 1970-01-01T00 UTC: 24 of them, or one less or more where clocks change.
    ///
    /// # Errors
    /// When the day begins or ends within an hour.
    pub fn hours(&self, date: Date) -> Result<Range<i64>, CalendarError> {
        let next = date.tomorrow().map_err(|_| CalendarError::Beyond(date))?;
        Ok(self.first_hour(date)?..self.first_hour(next)?)
    }

    fn first_hour(&self, date: Date) -> Result<i64, CalendarError> {
        let start = date
            .to_zoned(self.zone.clone())
            .and_then(|day| day.start_of_day())
            .map_err(|_| CalendarError::Beyond(date))?;
        let start_us = start.timestamp().as_microsecond();
        if start_us.rem_euclid(HOUR_US) == 0 {
            return Ok(start_us.div_euclid(HOUR_US));
        }
        Err(CalendarError::Uneven {
            zone: self.name.clone(),
            date,
        })
    }
}

/// Days since 1970-01-01.
#[must_use]
pub fn day_number(date: Date) -> i64 {
    let midnight = date.to_zoned(TimeZone::UTC);
    midnight.map_or(0, |day| day.timestamp().as_second().div_euclid(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_of_a_zone_begin_at_its_midnight() {
        let tokyo = Calendar::of("Asia/Tokyo").expect("a zone");
        let hours = tokyo.hours(date(2026, 11, 5)).expect("whole hours");
        let first = Hour(hours.start);
        assert_eq!(first.to_string(), "2026-11-04T15");
        assert_eq!(hours.end - hours.start, 24);
        assert_eq!(tokyo.day_of(first), date(2026, 11, 5));
        assert_eq!(tokyo.day_of(Hour(hours.start - 1)), date(2026, 11, 4));
        assert_eq!(Calendar::utc().day_of(first), date(2026, 11, 4));
    }

    #[test]
    fn a_day_on_which_clocks_change_has_an_hour_less_or_more() {
        let berlin = Calendar::of("Europe/Berlin").expect("a zone");
        for (day, length) in [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)] {
            let hours = berlin.hours(day).expect("whole hours");
            assert_eq!(hours.end - hours.start, length);
            for hour in hours {
                assert_eq!(berlin.day_of(Hour(hour)), day);
            }
        }
    }

    #[test]
    fn what_cuts_an_hour_or_is_no_zone_is_refused() {
        let kolkata = Calendar::of("Asia/Kolkata").expect("a zone");
        let error = kolkata.hours(date(2026, 11, 5)).expect_err("half an hour");
        assert!(error.to_string().contains("whole hours"), "{error}");
        let error = Calendar::of("Asia/Nowhere").expect_err("no zone");
        assert!(error.to_string().contains("Asia/Nowhere"), "{error}");
        assert_eq!(day_number(date(1970, 1, 2)), 1);
        assert_eq!(day_number(date(1969, 12, 31)), -1);
    }
}
