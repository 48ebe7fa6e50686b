//! Measures an answer: how completely its hours were observed, and its packets per address and day, which `measure.rs` compares.

use std::collections::BTreeSet;
use std::ops::Range;

use super::answer::{Answer, HOUR_SECONDS, HourTally, SensorTally};
use crate::measure::{Completeness, RateUnit, SHARE_MIN};
use crate::series::{Buckets, CoverageState, combined};

const DAY_SECONDS: f64 = 86_400.0;

impl Answer {
    /// The unit that divides this answer's packets.
    #[must_use]
    pub fn unit(&self) -> RateUnit {
        if self.address_hours().is_some() {
            RateUnit::AddressDay
        } else {
            RateUnit::SensorDay
        }
    }

    /// Address-days (or sensor-days) observed in these hours.
    #[must_use]
    pub fn exposure(&self, hours: &Range<usize>) -> f64 {
        let hours = self.hours[hours.clone()].iter();
        match self.unit() {
            RateUnit::AddressDay => {
                hours.map(|hour| hour.address_seconds as f64).sum::<f64>() / DAY_SECONDS
            }
            RateUnit::SensorDay => {
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

    /// Packets per observed address (or sensor) and day; `None` if nothing was observed.
    #[must_use]
    pub fn rate(&self, packets_ipv4: i64) -> Option<f64> {
        let exposure = self.exposure_of_period();
        (exposure > 0.0).then(|| packets_ipv4 as f64 / exposure)
    }

    /// Whether every sensor is known to observe IPv6 addresses and no IPv4 address.
    #[must_use]
    pub fn is_ipv6_alone(&self) -> bool {
        let mut sensors = self.sensors.values();
        !self.sensors.is_empty()
            && sensors.all(|sensor| sensor.addresses == Some((0, 0)) && sensor.addresses_ipv6 > 0.0)
    }

    /// The sensors that observe IPv6: dark addresses are known, or there are packets.
    pub fn sensors_of_ipv6(&self) -> impl Iterator<Item = &str> {
        let sensors = self.sensors.iter();
        let observing =
            sensors.filter(|(_, it)| it.addresses_ipv6 > 0.0 || it.tally.packets_ipv6 > 0);
        observing.map(|(name, _)| name.as_str())
    }

    /// Days that these sensors observed on a day of the period, and those that they would have if all in service had observed it whole. A
    /// prefix of IPv6 has too many addresses to divide by, so time is what days are compared by.
    #[must_use]
    pub fn sensor_days(&self, sensors: &BTreeSet<&str>, day: usize) -> (f64, f64) {
        let range = self.day_buckets.ranges[day].clone();
        let first_hour = self.period.hours().start;
        let mut seconds = 0;
        for hour in &self.hours[range.clone()] {
            let of_hour = sensors.iter().filter_map(|name| hour.seconds.get(*name));
            seconds += of_hour.sum::<i64>();
        }
        let serves = |name: &&&str| {
            let sensor = self.sensors.get(**name);
            let mut hours = range.clone();
            sensor.is_some_and(|it| hours.any(|hour| it.serves(first_hour + hour as i64)))
        };
        let serving = sensors.iter().filter(serves).count();
        let full_seconds = serving as i64 * self.day_buckets.full_hours[day] as i64 * HOUR_SECONDS;
        (
            seconds as f64 / DAY_SECONDS,
            full_seconds as f64 / DAY_SECONDS,
        )
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

    /// The share of a bucket's address-hours that was observed: of the whole civil day or month, so that a bucket cut by the period, the
    /// present or a new sensor is not complete.
    #[must_use]
    pub fn share(&self, buckets: &Buckets, bucket: usize) -> f64 {
        let range = &buckets.ranges[bucket];
        let first_hour = self.period.hours().start;
        let size = |sensor: &SensorTally| match self.unit() {
            RateUnit::AddressDay => sensor.addresses.map_or(0.0, |(_, high)| high as f64),
            RateUnit::SensorDay => 1.0,
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
    pub fn completeness(&self, buckets: &Buckets, bucket: usize) -> Completeness {
        let range = buckets.ranges[bucket].clone();
        match combined(self.hours[range].iter().map(|hour| hour.state)) {
            CoverageState::Missing => Completeness::Gap,
            CoverageState::NotYet => Completeness::NotYet,
            _ if self.share(buckets, bucket) < SHARE_MIN => Completeness::Hollow,
            _ => Completeness::Whole,
        }
    }

    /// IPv4 packets per address and day in a bucket.
    #[must_use]
    pub fn bucket_rate(
        &self,
        range: &Range<usize>,
        packets: impl Fn(&HourTally) -> i64,
    ) -> Option<f64> {
        let exposure = self.exposure(range);
        let sum: i64 = self.hours[range.clone()].iter().map(packets).sum();
        (exposure > 0.0).then(|| sum as f64 / exposure)
    }

    /// Observed share of the address-hours of the period so far, without hours that are not over.
    #[must_use]
    pub fn share_of_period(&self) -> f64 {
        let due = self
            .hours
            .iter()
            .filter(|hour| hour.state != CoverageState::NotYet);
        let (mut observed, mut expected) = (0.0, 0.0);
        for hour in due {
            match self.unit() {
                RateUnit::AddressDay => {
                    observed += hour.address_seconds as f64;
                    // An hour before the first of any sensor counts as if the smallest sensor was expected.
                    expected += (hour.expected_address_seconds as f64).max(self.least_due());
                }
                RateUnit::SensorDay => {
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

    /// Whether the period's values can be compared.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.share_of_period() >= SHARE_MIN
    }

    /// The period before (or a year before), if both are observed well enough and have the same unit.
    #[must_use]
    pub fn comparable<'a>(&self, other: Option<&'a Answer>) -> Option<&'a Answer> {
        other.filter(|other| {
            other.unit() == self.unit() && other.is_comparable() && self.is_comparable()
        })
    }

    /// The period before, if it can be compared.
    #[must_use]
    pub fn previous(&self) -> Option<&Answer> {
        self.comparable(self.compared.previous.as_deref())
    }

    /// The same period a year before, if it can be compared.
    #[must_use]
    pub fn year_before(&self) -> Option<&Answer> {
        self.comparable(self.compared.year_before.as_deref())
    }

    /// Mean distinct hosts of the days that were observed well enough; `None` without such a day.
    #[must_use]
    pub fn hosts_per_day(&self) -> Option<f64> {
        let whole: Vec<f64> = (0..self.days.len())
            .filter(|&day| self.completeness(&self.day_buckets, day) == Completeness::Whole)
            .map(|day| self.days[day].hosts.estimate())
            .collect();
        (!whole.is_empty()).then(|| whole.iter().sum::<f64>() / whole.len() as f64)
    }
}
