//! Buckets of time: how a period is divided for a chart (hours, days or months of its timezone), and the state of an hour or bucket.
//!
//! Pure arithmetic over hours; nothing here reads data. A bucket without any observed hour is a gap and has no values at all.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::period::{HOUR_US, ReportPeriod, timestamp};

/// Up to this many hours (62 days) a chart shows each hour.
pub const HOURLY_MAX: i64 = 62 * 24;
/// Up to this many hours (three years and a day) a chart shows each day, above it each month.
pub const DAILY_MAX: i64 = 1097 * 24;

/// The width of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketWidth {
    /// One hour.
    Hour,
    /// One day of the timezone.
    Day,
    /// One month of the timezone.
    Month,
}

/// A period cut into buckets, each a run of hours counted from the period's first hour.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// The width.
    pub step: BucketWidth,
    /// The hours of each bucket, by index from the first hour of the period.
    pub ranges: Vec<Range<usize>>,
    /// Hours of the whole civil hour, day or month of each bucket, also of its part outside the period.
    pub full_hours: Vec<usize>,
}

impl Buckets {
    /// The division that keeps a chart of this period legible.
    #[must_use]
    pub fn of(period: &ReportPeriod) -> Self {
        let hours = period.hours();
        let step = match hours.end - hours.start {
            length if length <= HOURLY_MAX => BucketWidth::Hour,
            length if length <= DAILY_MAX => BucketWidth::Day,
            _ => BucketWidth::Month,
        };
        Self::by(period, step)
    }

    /// The period in days of its timezone, for any length.
    #[must_use]
    pub fn days(period: &ReportPeriod) -> Self {
        Self::by(period, BucketWidth::Day)
    }

    /// The period cut into hours, days or months.
    #[must_use]
    pub fn by(period: &ReportPeriod, step: BucketWidth) -> Self {
        let ranges = cut(period, step);
        let first = period.hours().start;
        let full_hours = ranges
            .iter()
            .map(|range| full_hours(first + range.start as i64, period, step))
            .collect();
        Self {
            step,
            ranges,
            full_hours,
        }
    }

    /// The bucket of each hour, by index.
    #[must_use]
    pub fn of_hours(&self) -> Vec<usize> {
        let lengths = self.ranges.iter().enumerate();
        lengths
            .flat_map(|(bucket, range)| std::iter::repeat_n(bucket, range.len()))
            .collect()
    }
}

fn cut(period: &ReportPeriod, step: BucketWidth) -> Vec<Range<usize>> {
    let hours = period.hours();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut current: Option<Date> = None;
    for (index, hour) in hours.enumerate() {
        let civil = period
            .timezone
            .to_datetime(timestamp(hour * HOUR_US))
            .date();
        let key = match step {
            BucketWidth::Hour => None,
            BucketWidth::Day => Some(civil),
            BucketWidth::Month => Some(civil.first_of_month()),
        };
        match ranges.last_mut() {
            Some(range) if key.is_some() && key == current => range.end = index + 1,
            _ => ranges.push(index..index + 1),
        }
        current = key;
    }
    ranges
}

/// Hours of the civil hour, day or month that contains an hour: 23 to 25 for a day.
fn full_hours(hour: i64, period: &ReportPeriod, step: BucketWidth) -> usize {
    let date = period
        .timezone
        .to_datetime(timestamp(hour * HOUR_US))
        .date();
    let (first, length) = match step {
        BucketWidth::Hour => return 1,
        BucketWidth::Day => (date, 1.day()),
        BucketWidth::Month => (date.first_of_month(), 1.month()),
    };
    let instant = |date: Date| {
        let instant = period.timezone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(instant.as_microsecond())
    };
    let end = first.checked_add(length).ok().and_then(instant);
    let span = instant(first)
        .zip(end)
        .map_or(0, |(start, end)| end - start);
    ((span + HOUR_US / 2) / HOUR_US).max(1) as usize
}

/// The local midnights from the period's start to its end, as microseconds.
#[must_use]
pub fn midnights(period: &ReportPeriod) -> Vec<i64> {
    let first = period
        .timezone
        .to_datetime(timestamp(period.start_us))
        .date();
    let mut found = Vec::new();
    let mut date = first;
    loop {
        let Ok(instant) = period.timezone.to_timestamp(date.at(0, 0, 0, 0)) else {
            return found;
        };
        let us = instant.as_microsecond();
        if us >= period.end_us {
            return found;
        }
        if us >= period.start_us {
            found.push(us);
        }
        let Ok(next) = date.checked_add(1.day()) else {
            return found;
        };
        date = next;
    }
}

/// What an hour or a bucket is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoverageState {
    /// Nothing was observed: a gap, never zero.
    #[default]
    Missing,
    /// The hour is not over yet: neither a gap nor zero.
    NotYet,
    /// Some of the time, or some of the sensors, was observed.
    Partial,
    /// Observed, but packets were dropped, or its tables disagree.
    Lossy,
    /// Observed whole and without loss.
    Complete,
}

impl CoverageState {
    /// Every state, best first.
    pub const ALL: [CoverageState; 5] = [
        CoverageState::Complete,
        CoverageState::Partial,
        CoverageState::Lossy,
        CoverageState::Missing,
        CoverageState::NotYet,
    ];

    /// Whether anything was observed.
    #[must_use]
    pub const fn is_observed(self) -> bool {
        !matches!(self, CoverageState::Missing | CoverageState::NotYet)
    }

    /// The spelling of CSV files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CoverageState::Missing => "missing",
            CoverageState::NotYet => "not-yet",
            CoverageState::Partial => "partial",
            CoverageState::Lossy => "lossy",
            CoverageState::Complete => "complete",
        }
    }
}

/// The state of a bucket made of hours in these states: without any observation it is missing, or not over yet; otherwise loss outweighs
/// gaps.
#[must_use]
pub fn combined(states: impl Iterator<Item = CoverageState>) -> CoverageState {
    let mut seen = [false; CoverageState::ALL.len()];
    for state in states {
        seen[state as usize] = true;
    }
    let has = |state: CoverageState| seen[state as usize];
    let gaps = has(CoverageState::Missing) || has(CoverageState::NotYet);
    if has(CoverageState::Lossy) {
        CoverageState::Lossy
    } else if has(CoverageState::Partial) || (has(CoverageState::Complete) && gaps) {
        CoverageState::Partial
    } else if has(CoverageState::Complete) {
        CoverageState::Complete
    } else if has(CoverageState::NotYet) && !has(CoverageState::Missing) {
        CoverageState::NotYet
    } else {
        CoverageState::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn buckets(text: &str, zone: &str) -> Buckets {
        Buckets::of(&ReportPeriod::parse(text, &TimeZone::get(zone).unwrap()).unwrap())
    }

    #[test]
    fn a_month_is_hours_a_year_is_days_a_decade_is_months() {
        assert_eq!(buckets("2026-11", "UTC").ranges.len(), 720);
        assert_eq!(buckets("2026", "Asia/Tokyo").ranges.len(), 365);
        assert_eq!(buckets("2017..2026", "UTC").ranges.len(), 120);
    }

    #[test]
    fn a_day_of_the_clock_change_has_its_own_length() {
        let year = buckets("2026", "Europe/Berlin");
        let lengths: Vec<usize> = year.ranges.iter().map(ExactSizeIterator::len).collect();
        assert_eq!(lengths.iter().filter(|&&length| length == 23).count(), 1);
        assert_eq!(lengths.iter().filter(|&&length| length == 25).count(), 1);
        assert_eq!(year.of_hours().len(), 8760);
        assert_eq!(year.full_hours, lengths);
    }

    #[test]
    fn a_day_that_the_period_cuts_keeps_its_full_length() {
        let days = Buckets::days(
            &ReportPeriod::parse("2026-11-05T18..2026-11-06", &TimeZone::UTC).unwrap(),
        );
        assert_eq!((days.ranges[0].len(), days.full_hours[0]), (6, 24));
    }

    #[test]
    fn a_bucket_is_missing_only_when_every_hour_is() {
        use CoverageState::{Complete, Lossy, Missing, NotYet, Partial};
        let check = |states: &[CoverageState], expected| {
            assert_eq!(combined(states.iter().copied()), expected);
        };
        check(&[Missing, Missing], Missing);
        check(&[Missing, Complete], Partial);
        check(&[Complete, Complete], Complete);
        check(&[Missing, Lossy, Complete], Lossy);
        check(&[Complete, Partial], Partial);
        check(&[NotYet, NotYet], NotYet);
        check(&[Missing, NotYet], Missing);
        check(&[Complete, NotYet], Partial);
    }

    #[test]
    fn midnights_follow_the_timezone() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        let period = ReportPeriod::parse("2026-11-05..2026-11-07", &tokyo).unwrap();
        assert_eq!(midnights(&period).len(), 3);
        assert_eq!(midnights(&period)[0], period.start_us);
    }
}
