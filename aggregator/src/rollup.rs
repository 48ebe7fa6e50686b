//! Days from hours, and months from days, beside the hours and never in their place: `DIR/TABLE/date=YYYY-MM-DD/SENSOR.parquet` and
//! `DIR/TABLE/month=YYYY-MM/SENSOR.parquet`.
//!
//! `traffic` becomes `traffic_daily` and `traffic_monthly`: counts add, sketches merge; and `marginals_daily`, `asked_ports_daily` and
//! `asked_ports_monthly`, from which reports read a month without all its hours. `sources` becomes `sources_daily`, `scanners_daily`
//! and `ports_daily`, and the events of `scans`, source by source over all hours of the day, so memory does not grow with the number of sources.
//! Sources that act alike become `campaigns_daily`, and what no day before has seen `novelties`. `backscatter` becomes the events of `attacks`,
//! prefix by prefix of the victims. Days are those of a time zone. A rollup notes which parts it was made of, so running it again makes anew
//! only what has changed.

mod attacks;
mod campaigns;
mod day_payloads;
mod day_things;
mod error;
mod held;
mod hour_scans;
mod kind_sums;
mod making;
mod marginals;
mod noted;
mod novelties;
mod only_day;
mod period;
mod port_tally;
mod publish;
mod read;
mod replies;
mod scans;
mod scratch;
mod service_table;
mod source_day;
mod sources;
mod spilled;
mod sums;
mod survey;
mod survey_day;
mod traffic;
mod unobserved;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::civil::Date;

use crate::calendar::Calendar;
use crate::event::{AttackRules, CampaignRules, NoveltyRules, ScanRules};
use crate::hour::Hour;
use crate::parallel::joined;
use crate::pruned::PrunedHours;
use crate::schema::{COVERAGE, SOURCES, TRAFFIC, TRAFFIC_DAILY, Table};
use crate::store::{Part, Period, Store};
use crate::whole_day::{PartOfHour, hour_parts};

pub(crate) use attacks::attacks_made_of;
pub use error::RollupError;
use error::file_error;
pub(crate) use making::parts_sha256;
pub use making::{PARTS_KEY, parts_sha256_of};
pub(crate) use noted::note_of;
pub(crate) use novelties::JudgedDay;
pub(crate) use period::month_of;
pub(crate) use scans::run_of;
pub use survey::SurveyRules;
use unobserved::CoverageGaps;

/// What is rolled up, and how.
#[derive(Clone, Debug)]
pub struct RollupSettings {
    /// First day; `None`: the first there is.
    pub from: Option<Date>,
    /// The day to end before; `None`: the last there is, included.
    pub to: Option<Date>,
    /// Whose days.
    pub calendar: Calendar,
    /// Thresholds of the survey rules.
    pub survey: SurveyRules,
    /// What makes a scan event.
    pub scans: ScanRules,
    /// What makes a denial-of-service event.
    pub attacks: AttackRules,
    /// What makes a campaign.
    pub campaigns: CampaignRules,
    /// What is called new.
    pub novelties: NoveltyRules,
}

impl Default for RollupSettings {
    fn default() -> Self {
        RollupSettings {
            from: None,
            to: None,
            calendar: Calendar::utc(),
            survey: SurveyRules::default(),
            scans: ScanRules::default(),
            attacks: AttackRules::default(),
            campaigns: CampaignRules::default(),
            novelties: NoveltyRules::default(),
        }
    }
}

impl RollupSettings {
    fn wants(&self, day: Period) -> bool {
        let date = day.first_hour().day();
        self.from.is_none_or(|from| date >= from) && self.to.is_none_or(|to| date < to)
    }

    fn wants_all(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// The end of a day, microseconds since 1970-01-01 UTC.
    fn end_us(&self, day: Period) -> Result<i64, RollupError> {
        let date = day.first_hour().day();
        Ok(Hour(self.calendar.hours(date)?.end).start_us())
    }

    /// The day that an hour belongs to.
    fn day(&self, hour: Hour) -> Result<Period, RollupError> {
        let date = self.calendar.day_of(hour);
        // Refuses zones that would cut an hour.
        self.calendar.hours(date)?;
        let first = Hour(crate::calendar::day_number(date) * 24);
        Ok(Period::Day(first))
    }
}

/// What a rollup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// Days and months written, of all tables.
    pub written: u64,
    /// Days and months whose parts are as they were.
    pub unchanged: u64,
    /// Days and months removed: their hours are there and hold none of their packets any more.
    pub removed: u64,
    /// Rows written.
    pub rows: u64,
}

impl Rolled {
    /// Both together.
    fn and(self, other: Rolled) -> Rolled {
        Rolled {
            written: self.written + other.written,
            unchanged: self.unchanged + other.unchanged,
            removed: self.removed + other.removed,
            rows: self.rows + other.rows,
        }
    }
}

/// By period and sensor the parts that it is made of: several parts of an hour are of one hour.
type Inputs = BTreeMap<(Period, String), BTreeSet<PartOfHour>>;

/// The parts of all days of `table`, by their month and sensor: those that `is_taken` says.
fn months_of(
    store: &Store,
    table: &Table,
    is_taken: impl Fn(&Part) -> bool,
) -> Result<Inputs, RollupError> {
    let failed = file_error(&store.directory().join(table.name));
    let mut months = Inputs::new();
    for day in store.periods(table.name).map_err(&failed)? {
        for part in store.parts(table.name, day).map_err(&failed)? {
            if let Some(sensor) = part.sensor()
                && is_taken(&part)
            {
                let parts = months.entry((month_of(day), sensor)).or_default();
                parts.insert(part.into());
            }
        }
    }
    Ok(months)
}

/// Rolls up the days that `settings` ask for of the dataset `directory`, and every month that has a rolled-up day.
///
/// # Errors
/// When a part cannot be read, or a rollup not be written; what was written before stays.
pub fn rollup(directory: &Path, settings: &RollupSettings) -> Result<Rolled, RollupError> {
    let store = &Store::at(directory);
    store.recover().map_err(file_error(directory))?;
    // What two at once have read may not be of the same age.
    let _one_at_a_time = store.lock("rollup").map_err(file_error(directory))?;
    let lists = &HourLists::of(store);
    let coverage = OnceLock::new();
    // All write tables of their own, each from its own work folder; those of `sources` take as long as the others together.
    std::thread::scope(|scope| {
        let of_traffic = scope.spawn(|| roll_traffic((&Store::at(directory), lists), settings));
        let gaps = CoverageGaps::of(lists)?;
        let coverage = coverage.get_or_init(|| gaps);
        let of_attacks = scope.spawn(|| {
            let mut rolled = Rolled::default();
            let store = &Store::at(directory);
            attacks::roll_days((store, lists), settings, coverage, &mut rolled)?;
            Ok::<_, RollupError>(rolled)
        });
        let of_sources = roll_sources((store, lists), settings, coverage);
        let (of_traffic, of_attacks) = (joined(of_traffic), joined(of_attacks));
        Ok(of_traffic?.and(of_attacks?).and(of_sources?))
    })
}

/// Rolls up `traffic`.
fn roll_traffic(
    (store, lists): (&Store, &HourLists<'_>),
    settings: &RollupSettings,
) -> Result<Rolled, RollupError> {
    let mut rolled = Rolled::default();
    // First what nobody else lists: the others list `coverage` meanwhile.
    let days = days_of(lists, &TRAFFIC, settings)?;
    let observed = observed_days(lists, &TRAFFIC, settings)?;
    let follows = |period: Period, sensor: &str| {
        settings.wants(period) && observed.contains(&(period, sensor.to_owned()))
    };
    let tables = [&[&TRAFFIC_DAILY], &marginals::TABLES[..]].concat();
    remove_other_zones(lists, &tables, &TRAFFIC, settings, &mut rolled)?;
    traffic::roll_days((store, lists), &days, settings, &mut rolled)?;
    for table in tables {
        remove_left(store, table, &days, &mut rolled, follows)?;
    }
    traffic::roll_months(store, settings, &observed, &mut rolled)?;
    marginals::roll_months(store, settings, &observed, &mut rolled)?;
    Ok(rolled)
}

/// Rolls up `sources` and what is made of them.
fn roll_sources(
    (store, lists): (&Store, &HourLists<'_>),
    settings: &RollupSettings,
    coverage: &CoverageGaps,
) -> Result<Rolled, RollupError> {
    let mut rolled = Rolled::default();
    let days = days_of(lists, &SOURCES, settings)?;
    remove_other_zones(lists, &sources::TABLES, &SOURCES, settings, &mut rolled)?;
    sources::roll_days((store, lists), &days, settings, coverage, &mut rolled)?;
    let observed = observed_days(lists, &SOURCES, settings)?;
    let follows = |period: Period, sensor: &str| {
        settings.wants(period) && observed.contains(&(period, sensor.to_owned()))
    };
    for table in sources::TABLES {
        remove_left(store, table, &days, &mut rolled, follows)?;
    }
    let sensors = observed.iter().chain(days.keys());
    let sensors = sensors.map(|(_, sensor)| sensor.clone());
    novelties::judge_days(store, settings, &sensors.collect(), &mut rolled)?;
    Ok(rolled)
}

/// The parts of the tables of hours, listed once for all who ask: a year has 8,760 folders of each table.
struct HourLists<'s> {
    store: &'s Store,
    lists: Mutex<BTreeMap<&'static str, Arc<Vec<PartOfHour>>>>,
}

impl<'s> HourLists<'s> {
    /// Nothing is listed yet.
    fn of(store: &'s Store) -> Self {
        HourLists {
            store,
            lists: Mutex::default(),
        }
    }

    /// The parts of a table in all hours.
    fn all(&self, table: &Table) -> Result<Arc<Vec<PartOfHour>>, RollupError> {
        let lists = || self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = lists().get(table.name) {
            return Ok(Arc::clone(listed));
        }
        let parts = hour_parts(self.store, table.name, &(i64::MIN..i64::MAX));
        let parts = parts.map_err(|error| RollupError::Part {
            path: self.store.directory().join(table.name),
            source: error.into(),
        })?;
        let parts = Arc::new(parts);
        lists().insert(table.name, Arc::clone(&parts));
        Ok(parts)
    }

    /// Hours that were pruned.
    fn pruned(&self) -> Result<PrunedHours, RollupError> {
        PrunedHours::read(self.store).map_err(file_error(self.store.directory()))
    }

    /// Those that are files of their own, each with its sensor; a file of another program is of none.
    fn files(&self, table: &Table) -> Result<Vec<(String, Part)>, RollupError> {
        let parts = self.all(table)?;
        let files = parts.iter().filter(|part| part.held.is_none());
        let of_sensors = files.filter_map(|file| Some((file.part.sensor()?, file.part.clone())));
        Ok(of_sensors.collect())
    }
}

/// The parts of a table of hours, by day and sensor; a file of another program is of none. A day of which hours were pruned is rolled up for
/// good.
fn days_of(
    lists: &HourLists<'_>,
    table: &'static Table,
    settings: &RollupSettings,
) -> Result<Inputs, RollupError> {
    let mut days = Inputs::new();
    let pruned = lists.pruned()?;
    let mut for_good = BTreeSet::new();
    for part in lists.all(table)?.iter() {
        let day = settings.day(part.period.first_hour())?;
        if let Some(sensor) = part.sensor()
            && settings.wants(day)
        {
            if pruned.contains(table.name, &sensor, part.period.first_hour()) {
                for_good.insert((day, sensor.clone()));
            }
            let parts = days.entry((day, sensor)).or_default();
            parts.insert(part.clone());
        }
    }
    days.retain(|day, _| !for_good.contains(day));
    Ok(days)
}

/// The days of which a sensor has hours. Where it has none at all, or those of `table` were pruned, what was rolled up of them is all that is
/// left.
fn observed_days(
    lists: &HourLists<'_>,
    table: &Table,
    settings: &RollupSettings,
) -> Result<BTreeSet<(Period, String)>, RollupError> {
    let pruned = lists.pruned()?;
    let mut days = BTreeSet::new();
    for part in lists.all(&COVERAGE)?.iter() {
        if let Some(sensor) = part.sensor()
            && !pruned.contains(table.name, &sensor, part.period.first_hour())
        {
            days.insert((settings.day(part.period.first_hour())?, sensor));
        }
    }
    Ok(days)
}

/// Removes days of another time zone whose hours are there and are now rolled up anew. Days whose hours were pruned stay.
fn remove_other_zones(
    lists: &HourLists<'_>,
    days: &[&'static Table],
    hours: &'static Table,
    settings: &RollupSettings,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let store = lists.store;
    let failed = file_error(store.directory());
    let parts = lists.all(hours)?;
    let hours: BTreeSet<(String, i64)> = parts
        .iter()
        .filter_map(|part| Some((part.sensor()?, part.period.first_hour().0)))
        .collect();
    let mut publication = store.publication();
    for table in days {
        for period in store.periods(table.name).map_err(&failed)? {
            for part in store.parts(table.name, period).map_err(&failed)? {
                let (Some(sensor), true) = (part.sensor(), settings.wants(period)) else {
                    continue;
                };
                let Some(zone) = noted::other_zone(&part, settings.calendar.name()) else {
                    continue;
                };
                let mut of_day = Calendar::of(&zone)?.hours(period.first_hour().day())?;
                if of_day.any(|hour| hours.contains(&(sensor.clone(), hour))) {
                    publication.remove(&part.within());
                    rolled.removed += 1;
                }
            }
        }
    }
    publication.commit().map(drop).map_err(failed)
}

/// Removes rollups whose hours are gone, if `follows` says that they follow their hours.
fn remove_left(
    store: &Store,
    table: &'static Table,
    inputs: &Inputs,
    rolled: &mut Rolled,
    follows: impl Fn(Period, &str) -> bool,
) -> Result<(), RollupError> {
    let failed = file_error(&store.directory().join(table.name));
    let mut publication = store.publication();
    for period in store.periods(table.name).map_err(&failed)? {
        for part in store.parts(table.name, period).map_err(&failed)? {
            let Some(sensor) = part.sensor() else {
                continue;
            };
            if follows(period, &sensor) && !inputs.contains_key(&(period, sensor)) {
                publication.remove(&part.within());
                rolled.removed += 1;
            }
        }
    }
    publication.commit().map_err(&failed)?;
    Ok(())
}
