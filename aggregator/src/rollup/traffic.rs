//! `traffic_daily` from `traffic`, `traffic_monthly` from that; the days of `marginals.rs` are made here
//! of the same rows. Memory does not grow with the rows: sums of a day are spilled, and the days of a month are merged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::{RollupError, file_error};
use super::kind_sums::KindTexts;
use super::making::{INPUTS, MakingNotes, NotedParts};
use super::marginals::{DaySums, MarginalDay};
use super::noted::{note_of, other_zone};
use super::only_day::OnlyDay;
use super::period::{RolledPeriod, month_of};
use super::publish::Publisher;
use super::read::{SortedDay, add_hours};
use super::sources::known_until;
use super::sums::{PeriodSums, SumsWriter, merge};
use super::{HourLists, Inputs, Rolled, RollupSettings, months_of, remove_left};
use crate::calendar::instant_text;
use crate::schema::{TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table};
use crate::store::{PART_ENDING, Part, Period, Publication, Store};
use crate::whole_day::{PartOfHour, files_of};
use crate::writer::{PartWriter, WriteError};

/// Rolls up days: `traffic_daily`, and what `marginals.rs` makes of the same rows, which are read once for both.
pub(super) fn roll_days(
    (store, lists): (&Store, &HourLists<'_>),
    days: &Inputs,
    settings: &RollupSettings,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let known_until = known_until(lists)?;
    let mut publisher = Publisher::new(store)?;
    for ((period, sensor), parts) in days {
        let noted = NotedParts::read(parts)?;
        let end_us = settings.end_us(*period)?;
        let until_us = known_until.get(sensor).copied().unwrap_or(end_us);
        let as_of = instant_text(end_us.min(until_us));
        let day = RolledPeriod {
            store,
            period: *period,
            sensor,
            zone: settings.calendar.name(),
            as_of: Some(&as_of),
        };
        let by_kind = KindMaking::of(day, &TRAFFIC_DAILY, &noted, rolled);
        let marginals = MarginalDay::of(day, &noted, rolled);
        let periods: BTreeSet<Period> = parts.iter().map(|part| part.period).collect();
        if by_kind.is_none() && marginals.is_none() {
            continue;
        }
        let mut sums = PeriodSums::new(store);
        let mut reports = marginals.as_ref().map(|_| DaySums::default());
        add_hours(&files_of(parts), &mut sums, reports.as_mut())?;
        let file = by_kind
            .as_ref()
            .map(|making| making.begin(periods.len() as i64));
        let mut file = file.transpose()?;
        sums.take(|texts, mut row| {
            if let Some(reports) = &mut reports {
                reports.add(&mut row);
            }
            match &mut file {
                Some(file) => Ok(file.push(texts, &mut row)?),
                None => Ok(()),
            }
        })?;
        let mut publication = store.publication();
        if let (Some(making), Some(file)) = (&by_kind, file) {
            making.put(file.finish(&sums.texts)?, &mut publication, rolled)?;
        }
        drop(sums);
        if let (Some(making), Some(sums)) = (marginals, reports) {
            making.write(sums, &mut publication, rolled)?;
        }
        publisher.publish(publication)?;
    }
    publisher.finish()
}

/// Rolls up the months of all days that there are.
pub(super) fn roll_months(
    store: &Store,
    settings: &RollupSettings,
    observed: &BTreeSet<(Period, String)>,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let months = months_of(store, &TRAFFIC_DAILY, |_| true)?;
    let zone = settings.calendar.name();
    for ((period, sensor), parts) in &months {
        parts
            .iter()
            .try_for_each(|part| is_of_zone(&part.part, zone))?;
        let noted = NotedParts::read(parts)?;
        let month = RolledPeriod {
            store,
            period: *period,
            sensor,
            zone,
            as_of: None,
        };
        let making = KindMaking::of(month, &TRAFFIC_MONTHLY, &noted, rolled);
        let Some(making) = making else {
            continue;
        };
        let mut publication = store.publication();
        match OnlyDay::of(parts, &TRAFFIC_DAILY)? {
            Some(day) => making.copy(&day, &mut publication, rolled)?,
            None => making.merge(parts, &mut publication, rolled)?,
        }
        publication
            .commit()
            .map_err(file_error(store.directory()))?;
    }
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

/// A day or month of a sensor whose rows by kind are made.
struct KindMaking<'m> {
    of: RolledPeriod<'m>,
    table: &'static Table,
    within: PathBuf,
    notes: MakingNotes,
}

impl<'m> KindMaking<'m> {
    /// `None` if the part is of these parts already.
    fn of(
        of: RolledPeriod<'m>,
        table: &'static Table,
        noted: &NotedParts<'_>,
        rolled: &mut Rolled,
    ) -> Option<Self> {
        let file_name = format!("{}.{PART_ENDING}", of.sensor);
        let path = of.store.path(table.name, of.period, &file_name);
        let inputs = of.inputs(noted, LAYOUT);
        if note_of(&path, INPUTS).is_some_and(|known| known == inputs) {
            rolled.unchanged += 1;
            return None;
        }
        Some(KindMaking {
            of,
            table,
            within: Path::new(table.name)
                .join(of.period.folder())
                .join(&file_name),
            notes: of.notes(noted, &inputs),
        })
    }

    /// Makes a month of its only day.
    fn copy(
        &self,
        day: &OnlyDay<'_>,
        publication: &mut Publication,
        rolled: &mut Rolled,
    ) -> Result<(), RollupError> {
        let mut file = self.create()?;
        let rows = day.copy(&mut file, &self.within, self.day())?;
        self.put((file, rows), publication, rolled)
    }

    /// Makes a month of several days.
    fn merge(
        &self,
        days: &BTreeSet<PartOfHour>,
        publication: &mut Publication,
        rolled: &mut Rolled,
    ) -> Result<(), RollupError> {
        let files = files_of(days);
        let mut texts = KindTexts::default();
        let opened = files.iter().map(|rows| SortedDay::open(rows, &mut texts));
        let days: Vec<SortedDay<'_>> = opened.collect::<Result<_, _>>()?;
        let mut file = self.begin(days.iter().map(|day| day.hours).sum())?;
        merge(days, &mut texts, &mut |texts, mut row| {
            Ok(file.push(texts, &mut row)?)
        })?;
        self.put(file.finish(&texts)?, publication, rolled)
    }

    fn create(&self) -> Result<PartWriter, WriteError> {
        let notes = self.notes.metadata();
        PartWriter::create(self.of.store, &self.within, self.table, notes)
    }

    /// The day, or the month's first, counted from 1970-01-01.
    fn day(&self) -> i64 {
        self.of.period.first_hour().0.div_euclid(24)
    }

    /// Begins the part, whose rows are of so many hours.
    fn begin(&self, hours: i64) -> Result<SumsWriter<'_>, WriteError> {
        let of_all = (self.of.sensor, self.day(), hours);
        Ok(SumsWriter::new(self.create()?, &self.within, of_all))
    }

    /// Ends the part, which has so many rows, for `publication`.
    fn put(
        &self,
        (file, rows): (PartWriter, u64),
        publication: &mut Publication,
        rolled: &mut Rolled,
    ) -> Result<(), RollupError> {
        rolled.rows += rows;
        rolled.written += 1;
        let failed = file_error(&self.within);
        publication.put(file.finish()?).map_err(failed)
    }
}
