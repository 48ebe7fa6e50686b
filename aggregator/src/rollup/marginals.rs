//! `marginals_daily` and `asked_ports_daily` from `traffic`, `asked_ports_monthly` from the latter: what reports need of a day, so that they
//! need not read every kind of every hour. Sums do not depend on the order of rows or the number of threads.

mod sums;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;

use super::error::{RollupError, file_error};
use super::making::{INPUTS, MakingNotes, NotedParts};
use super::noted::{note_of, other_zone};
use super::only_day::OnlyDay;
use super::period::{RolledPeriod, month_of};
use super::{Rolled, RollupSettings, months_of, remove_left};
use crate::close::encode_with;
use crate::columns::PartColumns;
use crate::part::{PartError, guarded};
use crate::schema::{
    ASKED_PORTS_DAILY, ASKED_PORTS_MONTHLY, ASKED_PORTS_ROWS, AskedPort, AskedPortRow,
    AskedPortRows, MARGINALS_DAILY, MARGINALS_DAILY_ROWS, MarginalRow, MarginalRows, PortRole,
    SCHEMA_VERSION, Table, encode_group, names,
};
use crate::store::{PART_ENDING, Part, Period, Publication, Staged, Store};
use crate::writer::PartWriter;
use sums::PortSum;

pub(super) use sums::DaySums;

/// The tables of days that are made here.
pub(super) const TABLES: [&Table; 2] = [&MARGINALS_DAILY, &ASKED_PORTS_DAILY];
/// Rows of a row group: those of ports have sketches of a kilobyte.
const GROUP_ROWS: usize = 16_384;
/// Raised when the same parts become other rows.
const LAYOUT: &str = "marginals 2";

/// A day whose tables are made.
pub(super) struct MarginalDay<'d>(Making<'d>);

impl<'d> MarginalDay<'d> {
    /// The day of a sensor; `None` if its tables are of these parts already.
    pub(super) fn of(
        of: RolledPeriod<'d>,
        noted: &NotedParts<'_>,
        rolled: &mut Rolled,
    ) -> Option<Self> {
        let inputs = of.inputs(noted, LAYOUT);
        let file_name = format!("{}.{PART_ENDING}", of.sensor);
        let is_known = |table: &&Table| {
            let path = of.store.path(table.name, of.period, &file_name);
            note_of(&path, INPUTS).is_some_and(|known| known == inputs)
        };
        if TABLES.iter().all(is_known) {
            rolled.unchanged += TABLES.len() as u64;
            return None;
        }
        Some(MarginalDay(Making::of(of, noted, &inputs)))
    }

    /// Writes the tables for `publication`.
    pub(super) fn write(
        self,
        sums: DaySums,
        publication: &mut Publication,
        rolled: &mut Rolled,
    ) -> Result<(), RollupError> {
        let MarginalDay(day) = self;
        let (marginals, ports) = sums.finish();
        rolled.rows += (marginals.len() + ports.len()) as u64;
        rolled.written += TABLES.len() as u64;
        let failed = || file_error(day.store.directory());
        for file in [
            day.write_marginals(&marginals)?,
            day.write_ports(&ASKED_PORTS_DAILY, ports.into_iter())?,
        ] {
            publication.put(file).map_err(failed())?;
        }
        Ok(())
    }
}

/// Opens a part with a valid checksum, and passes its columns to `each`.
fn read(
    part: &Part,
    each: impl FnOnce(PartColumns) -> Result<(), String>,
) -> Result<(), RollupError> {
    let opened = PartColumns::open_checked(part.place());
    let outcome = opened.and_then(|columns| guarded(|| each(columns).map_err(PartError::Damaged)));
    outcome.map_err(|source| RollupError::Part {
        path: part.path.clone(),
        source: source.into(),
    })
}

/// Rolls up the ports of the months of all days that there are.
pub(super) fn roll_months(
    store: &Store,
    settings: &RollupSettings,
    observed: &BTreeSet<(Period, String)>,
    rolled: &mut Rolled,
) -> Result<(), RollupError> {
    let zone = settings.calendar.name();
    let months = months_of(store, &ASKED_PORTS_DAILY, |part| {
        other_zone(part, zone).is_none()
    })?;
    for ((period, sensor), parts) in &months {
        let noted = NotedParts::read(parts)?;
        let month = RolledPeriod {
            store,
            period: *period,
            sensor,
            zone,
            as_of: None,
        };
        let inputs = month.inputs(&noted, LAYOUT);
        let file_name = format!("{sensor}.{PART_ENDING}");
        let path = store.path(ASKED_PORTS_MONTHLY.name, *period, &file_name);
        if note_of(&path, INPUTS).is_some_and(|known| known == inputs) {
            rolled.unchanged += 1;
            continue;
        }
        let day = OnlyDay::of(parts, &ASKED_PORTS_DAILY)?;
        if let Some(day) = day {
            let month = Making::of(month, &noted, &inputs);
            let (mut file, within) = month.create(&ASKED_PORTS_MONTHLY)?;
            rolled.rows += day.copy(&mut file, &within, month.day())?;
            rolled.written += 1;
            month.publish(file.finish()?)?;
            continue;
        }
        let mut ports: HashMap<AskedPort, PortSum, RandomState> = HashMap::default();
        for of_day in parts {
            read(&of_day.part, |columns| add_ports(columns, &mut ports))?;
        }
        let month = Making::of(month, &noted, &inputs);
        let mut ports: Vec<(AskedPort, PortSum)> = ports.into_iter().collect();
        ports.sort_unstable_by_key(|(key, _)| *key);
        rolled.rows += ports.len() as u64;
        rolled.written += 1;
        let rows = ports.into_iter().map(|(key, mut sum)| sum.take_row(key));
        month.publish(month.write_ports(&ASKED_PORTS_MONTHLY, rows)?)?;
    }
    let observed: BTreeSet<(Period, String)> = observed
        .iter()
        .map(|(day, sensor)| (month_of(*day), sensor.clone()))
        .collect();
    let follows = |period, sensor: &str| observed.contains(&(period, sensor.to_owned()));
    remove_left(store, &ASKED_PORTS_MONTHLY, &months, rolled, follows)
}

/// Adds the rows of a day to those of its month.
fn add_ports(
    columns: PartColumns,
    ports: &mut HashMap<AskedPort, PortSum, RandomState>,
) -> Result<(), String> {
    const COLUMNS: &[&str] = &[
        names::ROLE,
        names::IP_VERSION,
        names::PROTOCOL,
        names::PORT,
        names::PACKETS,
        names::BYTES,
        names::SOURCES_SKETCH,
    ];
    columns.read(COLUMNS, &[], |batch| {
        let roles = batch.text(names::ROLE, |name| {
            PortRole::from_name(name).ok_or_else(|| format!("no role is called {name}"))
        })?;
        let (protocols, numbers) = (batch.int32(names::PROTOCOL)?, batch.ports()?);
        let versions = batch.int32(names::IP_VERSION)?;
        let (packets, bytes) = (batch.int64(names::PACKETS)?, batch.int64(names::BYTES)?);
        let sketches = batch.bytes(names::SOURCES_SKETCH)?;
        for row in 0..batch.rows() {
            let key = AskedPort {
                role: *roles.at(row),
                ip_version: versions.value(row) as u8,
                protocol: protocols.value(row) as u8,
                port: numbers.at(row),
            };
            let sum = ports.entry(key).or_default();
            let counts = [packets.value(row), bytes.value(row)];
            sum.add(counts, sketches.value(row))?;
        }
        Ok(())
    })
}

/// A day or month of a sensor that is written.
struct Making<'m> {
    store: &'m Store,
    period: Period,
    sensor: &'m str,
    notes: MakingNotes,
}

impl<'m> Making<'m> {
    fn of(of: RolledPeriod<'m>, noted: &NotedParts<'_>, inputs: &str) -> Self {
        let mut notes = of.notes(noted, inputs);
        notes.set("schema_version", &SCHEMA_VERSION.to_string());
        Making {
            store: of.store,
            period: of.period,
            sensor: of.sensor,
            notes,
        }
    }

    fn publish(&self, file: Staged) -> Result<(), RollupError> {
        let failed = || file_error(self.store.directory());
        let mut publication = self.store.publication();
        publication.put(file).map_err(failed())?;
        publication.commit().map(drop).map_err(failed())
    }

    fn create(&self, table: &Table) -> Result<(PartWriter, PathBuf), RollupError> {
        let within = Path::new(table.name)
            .join(self.period.folder())
            .join(format!("{}.{PART_ENDING}", self.sensor));
        let file = PartWriter::create(self.store, &within, table, self.notes.metadata())?;
        Ok((file, within))
    }

    /// The day, or the month's first, counted from 1970-01-01.
    fn day(&self) -> i64 {
        self.period.first_hour().0.div_euclid(24)
    }

    fn write_marginals(&self, rows: &[MarginalRow]) -> Result<Staged, RollupError> {
        let (mut file, path) = self.create(&MARGINALS_DAILY)?;
        for rows in rows.chunks(GROUP_ROWS) {
            let group = MarginalRows {
                day: self.day(),
                sensor: self.sensor,
                rows,
            };
            let schema = file.schema();
            file.append(encode_with(&path, |encoder| {
                encode_group(MARGINALS_DAILY_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        Ok(file.finish()?)
    }

    fn write_ports(
        &self,
        table: &Table,
        mut ports: impl Iterator<Item = AskedPortRow>,
    ) -> Result<Staged, RollupError> {
        let (mut file, path) = self.create(table)?;
        loop {
            let rows: Vec<AskedPortRow> = ports.by_ref().take(GROUP_ROWS).collect();
            if rows.is_empty() {
                return Ok(file.finish()?);
            }
            let group = AskedPortRows {
                day: self.day(),
                sensor: self.sensor,
                rows: &rows,
            };
            let schema = file.schema();
            file.append(encode_with(&path, |encoder| {
                encode_group(ASKED_PORTS_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
    }
}
