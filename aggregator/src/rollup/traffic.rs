//! `traffic_daily` from `traffic`, `traffic_monthly` from that. Memory grows with the rows of a day or month of one sensor, and is that of
//! their sketches: 4 KB at most for each.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::{RollupError, file_error};
use super::making::{INPUTS, MakingNotes, NotedParts, PARTS_KEY};
use super::noted::{note_of, other_zone};
use super::read::add_part;
use super::sums::PeriodSums;
use super::{Inputs, Rolled, RollupSettings, remove_left};
use crate::calendar::TIMEZONE_KEY;
use crate::hour::Hour;
use crate::schema::{TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table};
use crate::store::{PART_ENDING, Part, Period, Store};
use crate::whole_day::{PartOfHour, files_of};
use crate::writer::PartWriter;

/// What is rolled up into what.
struct RollupSpan {
    table: &'static Table,
    /// Hours that a part stands for; of a day that was rolled up its rows say it.
    hours_of_part: Option<i64>,
}

const DAY: RollupSpan = RollupSpan {
    table: &TRAFFIC_DAILY,
    hours_of_part: Some(1),
};
const MONTH: RollupSpan = RollupSpan {
    table: &TRAFFIC_MONTHLY,
    hours_of_part: None,
};

/// Rolls up days.
pub(super) fn roll_days(
    store: &Store,
    days: &Inputs,
    settings: &RollupSettings,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    roll(store, &DAY, days, settings, rolled)
}

/// Rolls up the months of all days that there are.
pub(super) fn roll_months(
    store: &Store,
    settings: &RollupSettings,
    observed: &BTreeSet<(Period, String)>,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let failed = file_error(&store.directory().join(TRAFFIC_DAILY.name));
    let mut months = Inputs::new();
    for day in store.periods(TRAFFIC_DAILY.name).map_err(&failed)? {
        for part in store.parts(TRAFFIC_DAILY.name, day).map_err(&failed)? {
            if let Some(sensor) = part.sensor() {
                let parts = months.entry((month_of(day), sensor)).or_default();
                parts.insert(part.into());
            }
        }
    }
    roll(store, &MONTH, &months, settings, rolled)?;
    let observed: BTreeSet<(Period, String)> = observed
        .iter()
        .map(|(day, sensor)| (month_of(*day), sensor.clone()))
        .collect();
    remove_left(
        store,
        &TRAFFIC_MONTHLY,
        &months,
        rolled,
        |period, sensor| observed.contains(&(period, sensor.to_owned())),
    )
}

/// The month that a day is in.
pub(crate) fn month_of(day: Period) -> Period {
    let first = day.first_hour();
    let (_, _, day, _) = first.civil();
    Period::Month(Hour(first.0 - (i64::from(day) - 1) * 24))
}

fn roll(
    store: &Store,
    span: &RollupSpan,
    inputs: &Inputs,
    settings: &RollupSettings,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    for ((period, sensor), parts) in inputs {
        let file_name = format!("{sensor}.{PART_ENDING}");
        let path = store.path(span.table.name, *period, &file_name);
        let zone = settings.calendar.name();
        if span.hours_of_part.is_none() {
            parts
                .iter()
                .try_for_each(|part| is_of_zone(&part.part, zone))?;
        }
        let noted = NotedParts::read(parts)?;
        let inputs = noted.sha256(&[zone, LAYOUT]);
        if note_of(&path, INPUTS).is_some_and(|known| known == inputs) {
            rolled.unchanged += 1;
            continue;
        }
        let within = Path::new(span.table.name)
            .join(period.folder())
            .join(&file_name);
        let mut notes = noted.notes();
        notes.set(INPUTS, &inputs);
        notes.set(PARTS_KEY, &noted.sha256(&[]));
        notes.set(TIMEZONE_KEY, zone);
        rolled.rows += write(store, &within, span, (*period, sensor), parts, &notes)?;
        rolled.written += 1;
    }
    Ok(())
}

/// Raised when the same parts become another file.
const LAYOUT: &str = "layout 2";

fn is_of_zone(part: &Part, wanted: &str) -> Result<(), RollupError> {
    match other_zone(part, wanted) {
        None => Ok(()),
        Some(found) => Err(RollupError::OtherZone {
            path: part.path.clone(),
            found,
            wanted: wanted.to_owned(),
        }),
    }
}

fn write(
    store: &Store,
    within: &Path,
    span: &RollupSpan,
    (period, sensor): (Period, &str),
    parts: &BTreeSet<PartOfHour>,
    notes: &MakingNotes,
) -> Result<u64, RollupError> {
    let mut sums = PeriodSums::default();
    if let Some(hours) = span.hours_of_part {
        let periods: BTreeSet<Period> = parts.iter().map(|part| part.period).collect();
        sums.hours = hours * periods.len() as i64;
    }
    let says_hours = span.hours_of_part.is_none();
    for rows in files_of(parts) {
        add_part(&rows, says_hours, &mut sums).map_err(|source| RollupError::Part {
            path: rows.part.path.clone(),
            source: source.into(),
        })?;
    }
    let mut file = PartWriter::create(store, within, span.table, notes.metadata())?;
    let day = period.first_hour().0.div_euclid(24);
    let rows = sums.append(&mut file, within, sensor, day)?;
    let mut publication = store.publication();
    publication
        .put(file.finish()?)
        .map_err(file_error(within))?;
    publication.commit().map_err(file_error(within))?;
    Ok(rows)
}
