//! The period of a report: how it is written on the command line, and which instants and whole UTC hours it spans.
//!
//! Periods are civil (a day is a day of the chosen timezone); the dataset is cut in UTC hours. Nothing here reads data or a clock.

use std::ops::Range;

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

/// Microseconds in an hour.
pub const HOUR_US: i64 = 3_600_000_000;

/// The kind of a period, which decides the form of its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodKind {
    /// One hour, `2026-11-05T08`.
    Hour,
    /// One day, `2026-11-05`.
    Day,
    /// One ISO 8601 week, Monday to Sunday, `2026-W45`.
    Week,
    /// One month, `2026-11`.
    Month,
    /// One quarter, `2026-Q4`.
    Quarter,
    /// Half a year, `2026-H1`.
    HalfYear,
    /// One year, `2026`.
    Year,
    /// One fiscal year of Japan, April to March, `FY2026`.
    FiscalYear,
    /// From one period's start to another's end, `FROM..TO`, both included.
    Range,
    /// The whole span of the dataset, if no period is given.
    Span,
}

/// A half-open span of time in a timezone.
#[derive(Clone, Debug)]
pub struct ReportPeriod {
    /// Its text as given, or `FROM..TO` for the whole span.
    pub text: String,
    /// What kind of span it is.
    pub kind: PeriodKind,
    /// First instant, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// First instant after it, microseconds since 1970-01-01 UTC.
    pub end_us: i64,
    /// The timezone whose days it follows.
    pub timezone: TimeZone,
}

/// Why a period could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PeriodError {
    /// The text has none of the accepted forms, or names a day that does not exist.
    #[error(
        "`{0}` is not a period: write --period as a day 2026-11-05, a week 2026-W45, a month 2026-11, a quarter 2026-Q4, a half \
         year 2026-H2, a year 2026, a fiscal year (April to March) FY2026 or half of it FY2026-H1, or FROM..TO of any of these"
    )]
    Unreadable(String),
    /// The end of a range is before its start.
    #[error("the period `{0}` ends before it begins: write the earlier side first")]
    Backwards(String),
}

impl ReportPeriod {
    /// Parses a period in one of its forms.
    ///
    /// # Errors
    /// When the text is none of the accepted forms or names a date that does not exist.
    pub fn parse(text: &str, timezone: &TimeZone) -> Result<Self, PeriodError> {
        let unreadable = || PeriodError::Unreadable(text.to_owned());
        let text = text.trim();
        let (start_us, end_us, kind) = match text.split_once("..") {
            Some((from, to)) => {
                let (start_us, _, _) = single(from, timezone).ok_or_else(unreadable)?;
                let (_, end_us, _) = single(to, timezone).ok_or_else(unreadable)?;
                (start_us, end_us, PeriodKind::Range)
            }
            None => single(text, timezone).ok_or_else(unreadable)?,
        };
        if end_us <= start_us {
            return Err(PeriodError::Backwards(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            kind,
            start_us,
            end_us,
            timezone: timezone.clone(),
        })
    }

    /// The period that spans these UTC hours (hours since 1970-01-01 UTC), for a report over the whole dataset.
    #[must_use]
    pub fn spanning(hours: Range<i64>, timezone: &TimeZone) -> Self {
        let (start_us, end_us) = (hours.start * HOUR_US, hours.end * HOUR_US);
        let hour = |us: i64| {
            timezone
                .to_datetime(timestamp(us))
                .strftime("%Y-%m-%dT%H")
                .to_string()
        };
        Self {
            text: format!("{}..{}", hour(start_us), hour(end_us - HOUR_US)),
            kind: PeriodKind::Span,
            start_us,
            end_us,
            timezone: timezone.clone(),
        }
    }

    /// The period before: earlier by its own length in days, weeks, months, quarters or years; `None` for the whole span of a dataset.
    #[must_use]
    pub fn previous(&self) -> Option<Self> {
        let shift = match self.kind {
            PeriodKind::Hour => 1.hour(),
            PeriodKind::Day => 1.day(),
            PeriodKind::Week => 7.days(),
            PeriodKind::Month => 1.month(),
            PeriodKind::Quarter => 3.months(),
            PeriodKind::HalfYear => 6.months(),
            PeriodKind::Year | PeriodKind::FiscalYear => 1.year(),
            PeriodKind::Range => self.civil_length()?,
            PeriodKind::Span => return None,
        };
        self.shifted(shift)
    }

    /// The same period a year before: 52 weeks for a week, so that weekdays agree.
    #[must_use]
    pub fn year_before(&self) -> Option<Self> {
        match self.kind {
            PeriodKind::Week => self.shifted((52 * 7).days()),
            // For a year, the period before is the year before.
            PeriodKind::Span | PeriodKind::Year | PeriodKind::FiscalYear => None,
            _ => self.shifted(1.year()),
        }
    }

    /// This many days up to the start of the period.
    #[must_use]
    pub fn days_before(&self, days: i64) -> Self {
        let end = self.timezone.to_datetime(timestamp(self.start_us));
        let start = end
            .checked_sub(days.days())
            .ok()
            .and_then(|start| Some(self.timezone.to_timestamp(start).ok()?.as_microsecond()));
        Self {
            start_us: start.unwrap_or(self.start_us - days * 24 * HOUR_US),
            end_us: self.start_us,
            kind: PeriodKind::Range,
            text: self.text.clone(),
            timezone: self.timezone.clone(),
        }
    }

    /// Its length in days, or in months if both ends are starts of months.
    fn civil_length(&self) -> Option<Span> {
        let civil = |us: i64| self.timezone.to_datetime(timestamp(us));
        let (first, last) = (civil(self.start_us), civil(self.end_us));
        if first.day() == 1 && last.day() == 1 && first.time() == last.time() {
            let months = i32::from(last.year() - first.year()) * 12
                + i32::from(last.month() - first.month());
            return (months > 0).then(|| months.months());
        }
        let hours = (self.end_us - self.start_us) / HOUR_US;
        if first.time() == last.time() {
            let days = first.date().until(last.date()).ok()?.get_days();
            return (days > 0).then(|| days.days());
        }
        Some(hours.hours())
    }

    fn shifted(&self, back: Span) -> Option<Self> {
        let moved = |us: i64| -> Option<i64> {
            let civil = self.timezone.to_datetime(timestamp(us));
            let moved = civil.checked_sub(back).ok()?;
            Some(self.timezone.to_timestamp(moved).ok()?.as_microsecond())
        };
        let (start_us, end_us) = (moved(self.start_us)?, moved(self.end_us)?);
        Some(Self {
            text: String::new(),
            kind: self.kind,
            start_us,
            end_us,
            timezone: self.timezone.clone(),
        })
    }

    /// The UTC hours (since 1970-01-01) that start within the period.
    #[must_use]
    pub fn hours(&self) -> Range<i64> {
        let ceil = |us: i64| us.div_euclid(HOUR_US) + i64::from(us.rem_euclid(HOUR_US) != 0);
        ceil(self.start_us)..ceil(self.end_us)
    }

    /// Whether both ends are on UTC hours; if not, an hour belongs to the period in which it starts.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        self.start_us % HOUR_US == 0 && self.end_us % HOUR_US == 0
    }

    /// A name for files: letters, digits, `-` and `_` only.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.text.replace("..", "_").replace(':', "")
    }
}

/// The instant of a number of microseconds; saturates at the ends of jiff's range.
#[must_use]
pub fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Start and end of one period without `..`.
fn single(text: &str, timezone: &TimeZone) -> Option<(i64, i64, PeriodKind)> {
    let text = text.trim();
    if let Some((day, hour)) = text.split_once('T') {
        let hour: i8 = (hour.len() == 2).then(|| hour.parse().ok()).flatten()?;
        let start = civil_day(day)?.at(hour_of_day(hour)?, 0, 0, 0);
        let start_us = timezone.to_timestamp(start).ok()?.as_microsecond();
        return Some((start_us, start_us + HOUR_US, PeriodKind::Hour));
    }
    let (first, span, kind) = civil(text)?;
    let end = first.checked_add(span).ok()?;
    let instant = |date: Date| {
        Some(
            timezone
                .to_timestamp(date.at(0, 0, 0, 0))
                .ok()?
                .as_microsecond(),
        )
    };
    Some((instant(first)?, instant(end)?, kind))
}

fn hour_of_day(hour: i8) -> Option<i8> {
    (0..24).contains(&hour).then_some(hour)
}

/// First day, length and kind of a civil period.
fn civil(text: &str) -> Option<(Date, Span, PeriodKind)> {
    let digits = |part: &str, length: usize| -> Option<i16> {
        let plain = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse().ok()).flatten()
    };
    if let Some(rest) = text.strip_prefix("FY") {
        let (year, part) = rest.split_once('-').unwrap_or((rest, ""));
        let year = digits(year, 4)?;
        // The fiscal year of Japan begins in April: its first half ends in September, its second in March.
        let (month, span, kind) = match part {
            "" => (4, 1.year(), PeriodKind::FiscalYear),
            "H1" => (4, 6.months(), PeriodKind::HalfYear),
            "H2" => (10, 6.months(), PeriodKind::HalfYear),
            _ => return None,
        };
        return Some((Date::new(year, month, 1).ok()?, span, kind));
    }
    let Some((year_text, rest)) = text.split_once('-') else {
        let first = Date::new(digits(text, 4)?, 1, 1).ok()?;
        return Some((first, 1.year(), PeriodKind::Year));
    };
    let year = digits(year_text, 4)?;
    if let Some(week) = rest.strip_prefix('W') {
        let week = i8::try_from(digits(week, 2)?).ok()?;
        let first = ISOWeekDate::new(year, week, Weekday::Monday).ok()?.date();
        return Some((first, 1.week(), PeriodKind::Week));
    }
    if let Some(half) = rest.strip_prefix('H') {
        let half = i8::try_from(digits(half, 1)?).ok()?;
        let valid = (1..=2).contains(&half);
        let first = valid.then(|| Date::new(year, half * 6 - 5, 1).ok())??;
        return Some((first, 6.months(), PeriodKind::HalfYear));
    }
    if let Some(quarter) = rest.strip_prefix('Q') {
        let quarter = i8::try_from(digits(quarter, 1)?).ok()?;
        let valid = (1..=4).contains(&quarter);
        let first = valid.then(|| Date::new(year, quarter * 3 - 2, 1).ok())??;
        return Some((first, 3.months(), PeriodKind::Quarter));
    }
    if rest.contains('-') {
        return Some((civil_day(text)?, 1.day(), PeriodKind::Day));
    }
    let month = i8::try_from(digits(rest, 2)?).ok()?;
    let first = Date::new(year, month, 1).ok()?;
    Some((first, 1.month(), PeriodKind::Month))
}

fn civil_day(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    shaped.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: &str, start: &str, hours: i64, kind: PeriodKind) {
        let timezone = TimeZone::get(zone).unwrap();
        let period = ReportPeriod::parse(text, &timezone).unwrap();
        assert_eq!(timestamp(period.start_us).to_string(), start, "{text}");
        let range = period.hours();
        assert_eq!(range.end - range.start, hours, "{text}");
        assert_eq!(period.kind, kind, "{text}");
    }

    #[test]
    fn every_form_of_the_contract_is_read() {
        use PeriodKind::{Day, Hour, Month, Quarter, Range, Week, Year};
        check("2026-11-05", "UTC", "2026-11-05T00:00:00Z", 24, Day);
        check("2026-W45", "UTC", "2026-11-02T00:00:00Z", 168, Week);
        check("2026-11", "UTC", "2026-11-01T00:00:00Z", 720, Month);
        check("2026-Q4", "UTC", "2026-10-01T00:00:00Z", 92 * 24, Quarter);
        check("2026", "UTC", "2026-01-01T00:00:00Z", 8760, Year);
        check("2026-11-05T08", "UTC", "2026-11-05T08:00:00Z", 1, Hour);
        check(
            "2026-11-05..2026-11-06",
            "UTC",
            "2026-11-05T00:00:00Z",
            48,
            Range,
        );
        check(
            "2026-10..2026-W45",
            "UTC",
            "2026-10-01T00:00:00Z",
            39 * 24,
            Range,
        );
    }

    #[test]
    fn half_years_and_fiscal_years_are_read() {
        check(
            "2026-H2",
            "UTC",
            "2026-07-01T00:00:00Z",
            184 * 24,
            PeriodKind::HalfYear,
        );
        check(
            "FY2026",
            "Asia/Tokyo",
            "2026-03-31T15:00:00Z",
            365 * 24,
            PeriodKind::FiscalYear,
        );
        check(
            "FY2026-H2",
            "UTC",
            "2026-10-01T00:00:00Z",
            182 * 24,
            PeriodKind::HalfYear,
        );
    }

    #[test]
    fn a_period_is_compared_with_the_one_before_and_a_year_before() {
        let starts = |text: &str| {
            let period = ReportPeriod::parse(text, &TimeZone::get("Asia/Tokyo").unwrap()).unwrap();
            let day = |period: Option<ReportPeriod>| {
                period.map(|period| {
                    let first = period.timezone.to_datetime(timestamp(period.start_us));
                    let last = period.timezone.to_datetime(timestamp(period.end_us));
                    format!("{}..{}", first.date(), last.date())
                })
            };
            (day(period.previous()), day(period.year_before()))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            starts("2026-03"),
            (
                some("2026-02-01..2026-03-01"),
                some("2025-03-01..2025-04-01")
            )
        );
        assert_eq!(
            starts("2026-Q1"),
            (
                some("2025-10-01..2026-01-01"),
                some("2025-01-01..2025-04-01")
            )
        );
        assert_eq!(
            starts("2026-W45"),
            (
                some("2026-10-26..2026-11-02"),
                some("2025-11-03..2025-11-10")
            )
        );
        assert_eq!(
            starts("2026-11-05..2026-11-07"),
            (
                some("2026-11-02..2026-11-05"),
                some("2025-11-05..2025-11-08")
            )
        );
        assert_eq!(
            starts("2026-10..2026-11"),
            (
                some("2026-08-01..2026-10-01"),
                some("2025-10-01..2025-12-01")
            )
        );
        assert_eq!(starts("2026").1, None);
    }

    #[test]
    fn iso_weeks_cross_the_year() {
        check(
            "2026-W01",
            "UTC",
            "2025-12-29T00:00:00Z",
            168,
            PeriodKind::Week,
        );
        check(
            "2020-W53",
            "UTC",
            "2020-12-28T00:00:00Z",
            168,
            PeriodKind::Week,
        );
    }

    #[test]
    fn the_timezone_moves_the_boundary_of_the_day() {
        check(
            "2026-11-05",
            "Asia/Tokyo",
            "2026-11-04T15:00:00Z",
            24,
            PeriodKind::Day,
        );
        check(
            "2026-03-29",
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            23,
            PeriodKind::Day,
        );
    }

    #[test]
    fn a_zone_off_the_hour_is_not_aligned() {
        let kolkata = TimeZone::get("Asia/Kolkata").unwrap();
        let period = ReportPeriod::parse("2026-11-05", &kolkata).unwrap();
        assert!(!period.is_aligned());
        assert_eq!(period.hours().end - period.hours().start, 24);
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in [
            "",
            "yesterday",
            "26-11-05",
            "2026-13",
            "2026-02-30",
            "2026-W54",
            "2026-W60",
            "2026-Q5",
            "2026-Q0",
            "2026-1",
            "2026-11-05T24",
            "2026-11-05..",
            "+026",
        ] {
            assert!(ReportPeriod::parse(text, &TimeZone::UTC).is_err(), "{text}");
        }
        let backwards = ReportPeriod::parse("2026-11-06..2026-11-05", &TimeZone::UTC);
        assert!(matches!(backwards, Err(PeriodError::Backwards(_))));
    }

    #[test]
    fn a_span_names_its_first_and_last_hour() {
        let period = ReportPeriod::spanning(24..30, &TimeZone::UTC);
        assert_eq!(period.text, "1970-01-02T00..1970-01-02T05");
        assert_eq!(period.file_name(), "1970-01-02T00_1970-01-02T05");
        assert_eq!(period.hours(), 24..30);
    }
}
