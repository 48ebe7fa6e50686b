//! What each sensor did not observe, by the minutes of its `coverage`: an hour is read once for all days and events that ask for it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use parquet::file::statistics::Statistics;
use twox_hash::XxHash64;

use super::HourLists;
use super::error::RollupError;
use crate::columns::PartColumns;
use crate::event::silence::UnobservedTime;
use crate::hour::{HOUR_US, Hour};
use crate::minute::{MINUTE_US, MINUTES};
use crate::part::{PartError, checked_with_metadata, guarded};
use crate::pruned::PrunedHours;
use crate::schema::{COVERAGE, names};
use crate::store::Part;

/// Seconds of a minute.
const MINUTE_SECONDS: u64 = 60;

/// Seconds of each minute of an hour that were not observed; none where all were.
type HourGaps = Option<Box<[u8; MINUTES]>>;

/// The coverage of all sensors.
pub(super) struct CoverageGaps {
    /// Parts of each sensor, by their hours.
    parts: BTreeMap<String, BTreeMap<i64, Vec<Part>>>,
    pruned: PrunedHours,
    read: Mutex<BTreeMap<(String, i64), HourGaps>>,
}

impl CoverageGaps {
    /// Lists the parts.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub(super) fn of(lists: &HourLists<'_>) -> Result<Self, RollupError> {
        let mut parts = BTreeMap::<String, BTreeMap<i64, Vec<Part>>>::new();
        for (sensor, part) in lists.files(&COVERAGE)? {
            let hours = parts.entry(sensor).or_default();
            let hour = part.period.first_hour().0;
            hours.entry(hour).or_default().push(part);
        }
        Ok(CoverageGaps {
            parts,
            pruned: lists.pruned()?,
            read: Mutex::default(),
        })
    }

    /// What a sensor did not observe within a time, microseconds since 1970-01-01 UTC. Nothing is missing before its first hour, behind the
    /// last minute that it observed, and where hours were pruned.
    ///
    /// # Errors
    /// When a part cannot be read.
    pub(super) fn within(
        &self,
        sensor: &str,
        time_us: Range<i64>,
    ) -> Result<UnobservedTime, RollupError> {
        let mut unobserved = UnobservedTime::new();
        let Some(hours) = self.parts.get(sensor) else {
            return Ok(unobserved);
        };
        let ends = hours.keys().next().zip(hours.keys().next_back());
        let (first, last) = ends.map_or((0, -1), |(first, last)| (*first, *last));
        let from = time_us.start.div_euclid(HOUR_US).max(first);
        let until = time_us.end.div_euclid(HOUR_US).min(last);
        for hour in from..=until {
            let start_us = Hour(hour).start_us();
            match hours.get(&hour) {
                Some(parts) => {
                    let Some(gaps) = self.gaps(sensor, hour, parts)? else {
                        continue;
                    };
                    let is_last = hour == last;
                    let seen = |seconds: &u8| u64::from(*seconds) < MINUTE_SECONDS;
                    let end = match is_last {
                        true => gaps.iter().rposition(seen).unwrap_or(0),
                        false => MINUTES,
                    };
                    let gaps = &gaps[..end];
                    for (minute, seconds) in (0..).zip(gaps) {
                        let start_us = start_us + minute * MINUTE_US;
                        let unobserved_us = i64::from(*seconds) * 1_000_000;
                        unobserved.push([start_us, start_us + MINUTE_US], unobserved_us);
                    }
                }
                None if self.pruned.contains(COVERAGE.name, sensor, Hour(hour)) => {}
                None => unobserved.push([start_us, start_us + HOUR_US], HOUR_US),
            }
        }
        Ok(unobserved)
    }

    /// Whether coverage of a sensor within a time was pruned, so that what it did not observe is not known any more.
    pub(super) fn was_pruned(&self, sensor: &str, time_us: Range<i64>) -> bool {
        let (from, until) = (time_us.start, time_us.end);
        let mut hours = from.div_euclid(HOUR_US)..=until.div_euclid(HOUR_US);
        hours.any(|hour| self.pruned.contains(COVERAGE.name, sensor, Hour(hour)))
    }

    fn gaps(&self, sensor: &str, hour: i64, parts: &[Part]) -> Result<HourGaps, RollupError> {
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (sensor.to_owned(), hour);
        if let Some(known) = read().get(&key) {
            return Ok(known.clone());
        }
        let mut seconds = [0; MINUTES];
        let mut is_whole = false;
        for part in parts {
            let added = is_observed(part.place()).and_then(|it| match it {
                true => {
                    is_whole = true;
                    Ok(())
                }
                false => add(part.place(), hour, &mut seconds),
            });
            added.map_err(|source| RollupError::Part {
                path: part.path.clone(),
                source: source.into(),
            })?;
        }
        is_whole |= seconds.iter().all(|seconds| *seconds >= MINUTE_SECONDS);
        let missing = seconds.map(|seconds| MINUTE_SECONDS.saturating_sub(seconds) as u8);
        let gaps = (!is_whole).then(|| Box::new(missing));
        read().insert(key, gaps.clone());
        Ok(gaps)
    }
}

/// The note of what a day is made of: the hash of all else, and behind it that of what was not observed, where there is such time.
#[must_use]
pub(super) fn inputs_with(inputs: String, unobserved: &UnobservedTime) -> String {
    let text = unobserved.text();
    match text.is_empty() {
        true => inputs,
        false => format!("{inputs}-{:016x}", XxHash64::oneshot(0, text.as_bytes())),
    }
}

/// Whether a day with the note `known` is of these inputs. Where coverage was pruned, what was not observed is not known any more, and the day
/// stays as it was made.
#[must_use]
pub(super) fn are_inputs(known: &str, inputs: &str, was_pruned: bool) -> bool {
    let all_else = |note: &str| note.split('-').next().map(str::to_owned);
    known == inputs || (was_pruned && all_else(known) == all_else(inputs))
}

/// Whether a part says by its statistics that its hour was observed to the last second: most do, and their rows need not be read.
fn is_observed(path: &Path) -> Result<bool, PartError> {
    let (_, metadata) = checked_with_metadata(path, true)?;
    let [group] = metadata.row_groups() else {
        return Ok(false);
    };
    let mut columns = group.columns().iter();
    let seconds = columns.find(|column| column.column_descr().name() == names::SECONDS);
    let least = match seconds.and_then(|column| column.statistics()) {
        Some(Statistics::Int64(values)) => values.min_opt().copied(),
        _ => None,
    };
    let is_full = least.is_some_and(|least| least >= MINUTE_SECONDS as i64);
    Ok(group.num_rows() == MINUTES as i64 && is_full)
}

/// Adds the observed seconds of a part's minutes.
fn add(path: &Path, hour: i64, seconds: &mut [u64; MINUTES]) -> Result<(), PartError> {
    let columns = PartColumns::open_checked(path)?;
    let read = || {
        columns.read(&[names::MINUTE_START, names::SECONDS], &[], |batch| {
            let starts = batch.timestamps(names::MINUTE_START)?;
            let observed = batch.int64(names::SECONDS)?;
            for (row, start_us) in starts.iter().enumerate() {
                let minute = (start_us - Hour(hour).start_us()).div_euclid(MINUTE_US);
                let minute = usize::try_from(minute).ok();
                if let Some(of_minute) = minute.and_then(|minute| seconds.get_mut(minute)) {
                    // Of two runs one may have observed what the other has not.
                    *of_minute += observed.value(row).unsigned_abs().min(MINUTE_SECONDS);
                }
            }
            Ok(())
        })
    };
    guarded(|| read().map_err(PartError::Damaged))
}
