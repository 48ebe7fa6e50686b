//! The law of one measure: what is compared is packets per observed address and day, IPv4 alone, and never a raw count.
//!
//! Packets ÷ address-hours × 24. Where a telescope's size is not known the denominator is the sensor-day. A day (or another bucket) with
//! less than [`SHARE_MIN`] of its address-hours is drawn hollow and compared with nothing. Pure arithmetic over an answer.

use std::ops::Range;

use crate::query::Answer;
use crate::query::answer::HOUR_SECONDS;
use crate::series::{Buckets, State, combined};

/// Least share of a bucket's address-hours for it to be compared.
pub const SHARE_MIN: f64 = 0.75;
/// Changes of less than this many percent are none.
pub const UNCHANGED_PERCENT: f64 = 2.0;
/// Up to this share of the new value the old one is as good as nothing: the new one is new.
pub const NEW_SHARE_MAX: f64 = 0.01;
const DAY_SECONDS: f64 = 86_400.0;

/// What packets are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Dark IPv4 addresses × days observed.
    AddressDay,
    /// Sensors × days observed, where a telescope's size is not known.
    SensorDay,
}

/// How far a bucket was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// At least [`SHARE_MIN`] of its address-hours: it is drawn full and compared.
    Whole,
    /// Less: it is drawn hollow and not compared.
    Hollow,
    /// Nothing: a gap.
    Gap,
    /// Still to come.
    NotYet,
}

/// A value beside the one it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The value before.
    pub before: f64,
    /// Difference.
    pub difference: f64,
    /// Difference in percent of the value before; none where that is as good as nothing.
    pub percent: Option<f64>,
    /// Whether it is too small to be one.
    pub unchanged: bool,
}

impl Change {
    /// The change between two values whose own error is `error_percent` (0 for counts).
    #[must_use]
    pub fn between(before: f64, now: f64, error_percent: f64) -> Self {
        let percent = (before > now * NEW_SHARE_MAX).then(|| (now / before - 1.0) * 100.0);
        // Two estimates: their errors add in quadrature, and two standard errors are needed.
        let least = UNCHANGED_PERCENT.max(2.0 * std::f64::consts::SQRT_2 * error_percent);
        Self {
            before,
            difference: now - before,
            percent,
            unchanged: percent.is_some_and(|percent| percent.abs() < least),
        }
    }
}

impl Answer {
    /// What this answer's packets are divided by.
    #[must_use]
    pub fn unit(&self) -> Unit {
        if self.address_hours().is_some() {
            Unit::AddressDay
        } else {
            Unit::SensorDay
        }
    }

    /// Address-days (or sensor-days) observed in these hours.
    #[must_use]
    pub fn exposure(&self, hours: &Range<usize>) -> f64 {
        let hours = self.hours[hours.clone()].iter();
        match self.unit() {
            Unit::AddressDay => {
                hours.map(|hour| hour.address_seconds as f64).sum::<f64>() / DAY_SECONDS
            }
            Unit::SensorDay => {
                hours
                    .map(|hour| hour.seconds_of_sensors() as f64)
                    .sum::<f64>()
                    / DAY_SECONDS
            }
        }
    }

    /// Address-days (or sensor-days) of the whole period.
    #[must_use]
    pub fn exposure_of_period(&self) -> f64 {
        self.exposure(&(0..self.hours.len()))
    }

    /// Packets per observed address (or sensor) and day; none where nothing was observed.
    #[must_use]
    pub fn rate(&self, packets_ipv4: i64) -> Option<f64> {
        let exposure = self.exposure_of_period();
        (exposure > 0.0).then(|| packets_ipv4 as f64 / exposure)
    }

    /// IPv4 packets of the period.
    #[must_use]
    pub fn packets_ipv4(&self) -> i64 {
        self.packets() - self.packets_ipv6()
    }

    /// IPv6 packets of the period.
    #[must_use]
    pub fn packets_ipv6(&self) -> i64 {
        self.classes.iter().map(|tally| tally.packets_ipv6).sum()
    }

    /// The share of a bucket's address-hours that was observed: of the whole civil day or month, so that one which the period, the
    /// present or a new sensor cuts is not a whole one.
    #[must_use]
    pub fn share(&self, buckets: &Buckets, bucket: usize) -> f64 {
        let range = &buckets.ranges[bucket];
        let first_hour = self.period.hours().start;
        let size = |sensor: &crate::query::SensorTally| match self.unit() {
            Unit::AddressDay => sensor.addresses.map_or(0.0, |(_, high)| high as f64),
            Unit::SensorDay => 1.0,
        };
        let serving = self.sensors.values().filter(|sensor| {
            let mut hours = range.clone();
            hours.any(|hour| sensor.serves(first_hour + hour as i64))
        });
        let full_days = (buckets.full_hours[bucket] as i64 * HOUR_SECONDS) as f64 / DAY_SECONDS;
        let expected = serving.map(size).sum::<f64>() * full_days;
        if expected > 0.0 {
            (self.exposure(range) / expected).min(1.0)
        } else {
            0.0
        }
    }

    /// How far a bucket was observed.
    #[must_use]
    pub fn standing(&self, buckets: &Buckets, bucket: usize) -> Standing {
        let range = buckets.ranges[bucket].clone();
        match combined(self.hours[range].iter().map(|hour| hour.state)) {
            State::Missing => Standing::Gap,
            State::NotYet => Standing::NotYet,
            _ if self.share(buckets, bucket) < SHARE_MIN => Standing::Hollow,
            _ => Standing::Whole,
        }
    }

    /// IPv4 packets per address and day in a bucket.
    #[must_use]
    pub fn bucket_rate(
        &self,
        range: &Range<usize>,
        packets: impl Fn(&crate::query::Hour) -> i64,
    ) -> Option<f64> {
        let exposure = self.exposure(range);
        let sum: i64 = self.hours[range.clone()].iter().map(packets).sum();
        (exposure > 0.0).then(|| sum as f64 / exposure)
    }

    /// Share of the address-hours due so far in the period that was observed; hours still to come are not due.
    #[must_use]
    pub fn share_of_period(&self) -> f64 {
        let due = self.hours.iter().filter(|hour| hour.state != State::NotYet);
        let (mut observed, mut expected) = (0.0, 0.0);
        for hour in due {
            match self.unit() {
                Unit::AddressDay => {
                    observed += hour.address_seconds as f64;
                    // An hour before any sensor's first counts as if the smallest of them had been due.
                    expected += (hour.expected_address_seconds as f64).max(self.least_due());
                }
                Unit::SensorDay => {
                    observed += hour.seconds_of_sensors() as f64;
                    expected += hour.expected_seconds.max(HOUR_SECONDS) as f64;
                }
            }
        }
        if expected > 0.0 {
            (observed / expected).min(1.0)
        } else {
            0.0
        }
    }

    fn least_due(&self) -> f64 {
        let sizes = self.sensors.values().filter_map(|sensor| sensor.addresses);
        sizes.map(|(_, high)| high).min().unwrap_or(0) as f64 * HOUR_SECONDS as f64
    }

    /// Whether the period's values may be compared at all.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.share_of_period() >= SHARE_MIN
    }

    /// The period before (or a year before), where both are observed well enough and have the same unit.
    #[must_use]
    pub fn comparable<'a>(&self, other: Option<&'a Answer>) -> Option<&'a Answer> {
        other.filter(|other| {
            other.unit() == self.unit() && other.is_comparable() && self.is_comparable()
        })
    }

    /// The period before, where it may be compared.
    #[must_use]
    pub fn previous(&self) -> Option<&Answer> {
        self.comparable(self.compared.previous.as_deref())
    }

    /// The same period a year before, where it may be compared.
    #[must_use]
    pub fn year_before(&self) -> Option<&Answer> {
        self.comparable(self.compared.year_before.as_deref())
    }

    /// Mean distinct hosts of the days that were observed well enough; none without such a day.
    #[must_use]
    pub fn hosts_per_day(&self) -> Option<f64> {
        let whole: Vec<f64> = (0..self.days.len())
            .filter(|&day| self.standing(&self.day_buckets, day) == Standing::Whole)
            .map(|day| self.days[day].hosts.estimate())
            .collect();
        (!whole.is_empty()).then(|| whole.iter().sum::<f64>() / whole.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_within_two_percent_or_the_sketch_error_is_none() {
        assert!(Change::between(100.0, 101.9, 0.0).unchanged);
        assert!(!Change::between(100.0, 102.1, 0.0).unchanged);
        assert!(Change::between(100.0, 104.0, 1.6).unchanged);
        assert!(!Change::between(100.0, 105.0, 1.6).unchanged);
        let new = Change::between(0.0, 3.0, 0.0);
        assert_eq!((new.percent, new.unchanged), (None, false));
        assert_eq!(Change::between(0.001, 3.0, 0.0).percent, None);
    }
}
