//! The contents of a dataset for one sensor, by capture.

use std::collections::{BTreeMap, BTreeSet};

use teiten_aggregator::hour::Hour;
use teiten_aggregator::inputs::{Capture, CountedHour, MARK_DIGITS, mark_lengths};
use teiten_aggregator::store::PartName;

use super::super::identity::HEAD_BYTES;

/// The contents of a dataset for one sensor: hours that share captures form a unit, which can only be replaced as a whole.
pub(super) struct KnownSensor {
    pub hours: Vec<CountedHour>,
    pub units: Vec<HourUnit>,
    /// Units by the beginnings of their captures.
    by_beginning: BTreeMap<String, BTreeSet<usize>>,
}

pub(super) struct HourUnit {
    run: PartName,
    hours: Vec<usize>,
    pub captures: BTreeSet<Capture>,
    /// Whether all of it was counted with our configuration.
    pub is_ours: bool,
}

impl HourUnit {
    pub(super) fn is_whole(&self) -> bool {
        self.captures.iter().all(Capture::is_whole)
    }
}

/// The part of a capture's fingerprint that depends only on its first bytes.
pub(super) fn head(capture: &Capture) -> &str {
    let marks = mark_lengths()
        .take_while(|&length| length <= HEAD_BYTES as u64)
        .count();
    &capture.marks[..capture.marks.len().min(marks * MARK_DIGITS)]
}

impl KnownSensor {
    pub(super) fn new(hours: Vec<CountedHour>, sensor: &str, configuration_sha256: &str) -> Self {
        let mut units: Vec<HourUnit> = Vec::new();
        let mut of_capture = BTreeMap::<(String, String), usize>::new();
        for (index, hour) in hours.iter().enumerate() {
            if hour.name.sensor != sensor || hour.captures.is_empty() {
                continue;
            }
            let key = |capture: &Capture| (hour.name.run.clone(), head(capture).to_owned());
            let mut joined: BTreeSet<usize> = hour
                .captures
                .iter()
                .filter_map(|capture| of_capture.get(&key(capture)).copied())
                .collect();
            let place = joined.pop_first().unwrap_or_else(|| {
                units.push(HourUnit {
                    run: hour.name.clone(),
                    hours: Vec::new(),
                    captures: BTreeSet::new(),
                    is_ours: true,
                });
                units.len() - 1
            });
            for other in joined {
                let (hours, captures) = (
                    std::mem::take(&mut units[other].hours),
                    std::mem::take(&mut units[other].captures),
                );
                units[place].is_ours &= units[other].is_ours;
                units[place].hours.extend(hours);
                units[place].captures.extend(captures);
                of_capture
                    .values_mut()
                    .filter(|unit| **unit == other)
                    .for_each(|unit| *unit = place);
            }
            units[place].is_ours &= hour.configuration_sha256 == configuration_sha256;
            units[place].hours.push(index);
            for capture in &hour.captures {
                of_capture.insert(key(capture), place);
                units[place].captures.insert(capture.clone());
            }
        }
        let mut by_beginning = BTreeMap::<String, BTreeSet<usize>>::new();
        for (place, unit) in units.iter().enumerate() {
            for capture in &unit.captures {
                by_beginning
                    .entry(head(capture).to_owned())
                    .or_default()
                    .insert(place);
            }
        }
        KnownSensor {
            hours,
            units,
            by_beginning,
        }
    }

    /// Units with captures that begin like this one.
    pub(super) fn like(&self, capture: &Capture) -> BTreeSet<usize> {
        let ours = head(capture);
        let mut units = BTreeSet::new();
        if ours.is_empty() {
            return units;
        }
        for length in (MARK_DIGITS..=ours.len()).step_by(MARK_DIGITS) {
            units.extend(self.by_beginning.get(&ours[..length]).into_iter().flatten());
        }
        let longer = self.by_beginning.range(ours.to_owned()..);
        let longer = longer.take_while(|(marks, _)| marks.starts_with(ours));
        units.extend(longer.flat_map(|(_, units)| units));
        units
    }

    pub(super) fn captures_like(
        &self,
        capture: &Capture,
    ) -> impl Iterator<Item = (usize, &Capture)> {
        let units = self.like(capture).into_iter();
        units.flat_map(|unit| {
            self.units[unit]
                .captures
                .iter()
                .map(move |capture| (unit, capture))
        })
    }

    /// The hours of a unit, and the hours without packets between them that belong to no other unit.
    pub(super) fn hours_of(&self, unit: &HourUnit) -> Vec<(PartName, Hour)> {
        let hours: Vec<i64> = unit
            .hours
            .iter()
            .map(|&index| self.hours[index].hour.0)
            .collect();
        let (first, last) = (hours.iter().min().copied(), hours.iter().max().copied());
        let within = |hour: i64| {
            first.is_some_and(|first| first <= hour) && last.is_some_and(|last| hour <= last)
        };
        let silent = self.hours.iter().filter(|hour| {
            hour.name == unit.run && hour.captures.is_empty() && within(hour.hour.0)
        });
        let silent = silent.map(|hour| hour.hour.0);
        hours
            .iter()
            .copied()
            .chain(silent)
            .map(|hour| (unit.run.clone(), Hour(hour)))
            .collect()
    }
}
