//! Checks all of a part: schema, metadata, values, statistics, the order of its rows, and its sums.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader;

use super::column::{self, Expected, Values};
use crate::calendar::{Calendar, CalendarError, TIMEZONE_DEFAULT, TIMEZONE_KEY};
use crate::close::IDENTITY_KEY;
use crate::counter::{COUNTERS, OUTCOMES};
use crate::hour::{HOUR_US, Hour};
use crate::part::{self, CHECKSUM_KEY, CheckedPart, PartError};
use crate::schema::{
    BACKSCATTER, COVERAGE, Holds, KIND_ORDER, NEVER_ABOVE, OBSERVED_COLUMN, SCHEMA_VERSION,
    SLOT_COLUMNS, Span, Table, names, parquet_field,
};
use crate::store::Period;
use crate::text::date_of_day;
use crate::whole_day::held_parts;
use teiten_observation::Class;

/// Maximum rows of a row group: far more than any writer of parts puts into one.
const GROUP_ROWS_MAX: i64 = 1 << 20;
/// Key of the metadata that names the sensor.
const SENSOR_KEY: &str = "sensor";

/// Packets and bytes of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PartSums {
    pub packets: i64,
    pub bytes: i64,
    /// The sum of packets × hash of their kind: equal for tables with the same packets of each kind.
    pub kinds: u64,
    /// Packets of class backscatter.
    pub replies: i64,
}

impl PartSums {
    /// Adds the sums of `other`; `None` on overflow (2^63).
    pub(super) fn add(self, other: PartSums) -> Option<PartSums> {
        Some(PartSums {
            packets: self.packets.checked_add(other.packets)?,
            bytes: self.bytes.checked_add(other.bytes)?,
            kinds: self.kinds.wrapping_add(other.kinds),
            replies: self.replies.checked_add(other.replies)?,
        })
    }
}

/// The contents of a part without faults.
#[derive(Clone, Debug, Default)]
pub(super) struct Sound {
    pub sensor: String,
    /// Identity of the sensor; `None` in a rollup.
    pub identity: Option<String>,
    /// The time zone of a day.
    pub zone: String,
    pub rows: u64,
    pub sums: PartSums,
    /// Of a whole day's part the sums of each hour, since 1970-01-01 UTC.
    pub by_hour: BTreeMap<i64, PartSums>,
}

/// Reads all of a part of `table` and this period.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(file: File, table: &Table, period: Period) -> Result<Sound, PartError> {
    part::read_open(file, |part| check_part(part, table, period))
}

fn damaged<T>(reason: String) -> Result<T, PartError> {
    Err(PartError::Damaged(reason))
}

fn check_part(part: &CheckedPart, table: &Table, period: Period) -> Result<Sound, PartError> {
    let time_us = period.span_us();
    let held = match period {
        Period::WholeDay(_) => Some(held_rows(part)?),
        _ => None,
    };
    let version = part.note("schema_version").unwrap_or("missing");
    if version != SCHEMA_VERSION.to_string() {
        return damaged(format!(
            "its schema_version is {version}, this program reads {SCHEMA_VERSION}"
        ));
    }
    if !part.is_checked() {
        return damaged(format!("its metadata has no {CHECKSUM_KEY}"));
    }
    let date = time_us.start.div_euclid(24 * HOUR_US);
    let time_us = match (table.span, part.note(TIMEZONE_KEY)) {
        (Span::Hour, _) | (_, None) => time_us,
        (_, Some(zone)) => in_zone(zone, &time_us)?,
    };
    let Some(sensor) = part.note(SENSOR_KEY) else {
        return damaged("its metadata names no sensor".to_owned());
    };
    let expected = Expected {
        sensor: sensor.to_owned(),
        time_us,
        date: Some(date),
        starts_us: held.as_ref().map(|held| {
            let hours = held.keys();
            hours.map(|hour| Hour(*hour).start_us()).collect()
        }),
    };
    let reader = part.reader();
    let places = places(reader.metadata(), table)?;
    let mut sound = Sound {
        sensor: sensor.to_owned(),
        identity: part.note(IDENTITY_KEY).map(str::to_owned),
        zone: part
            .note(TIMEZONE_KEY)
            .unwrap_or(TIMEZONE_DEFAULT)
            .to_owned(),
        ..Sound::default()
    };
    let mut order = Order::new(table, held.is_some());
    let mut rows_by_hour = BTreeMap::<i64, u64>::new();
    for index in 0..reader.num_row_groups() {
        let group = reader.get_row_group(index)?;
        let rows = group.metadata().num_rows();
        if !(0..=GROUP_ROWS_MAX).contains(&rows) {
            return damaged(format!("its row group {index} has {rows} rows"));
        }
        let mut columns = Vec::with_capacity(table.columns.len());
        for (column, &place) in table.columns.iter().zip(&places) {
            columns.push(column::read(&*group, place, column, &expected)?);
        }
        let group = GroupRows {
            table,
            columns,
            count: rows as usize,
        };
        group.check()?;
        let too_many = || PartError::Damaged("its packets or bytes are more than 2^63".to_owned());
        let sums = group.sums(0..group.count).ok_or_else(too_many)?;
        sound.sums = sound.sums.add(sums).ok_or_else(too_many)?;
        if held.is_some() {
            for (hour, rows) in group.rows_by_hour()? {
                *rows_by_hour.entry(hour).or_default() += rows.len() as u64;
                let sums = group.sums(rows.into_iter()).ok_or_else(too_many)?;
                let of_hour = sound.by_hour.entry(hour).or_default();
                *of_hour = of_hour.add(sums).ok_or_else(too_many)?;
            }
        }
        sound.rows += rows.unsigned_abs();
        order.follow(group)?;
    }
    let declared = part.about().num_rows();
    if u64::try_from(declared) != Ok(sound.rows) {
        return damaged(format!("it has {} rows and says {declared}", sound.rows));
    }
    if let Some((hour, rows)) = held.into_iter().flatten().find(|(hour, rows)| {
        let found = rows_by_hour.get(hour).copied().unwrap_or(0);
        found != *rows
    }) {
        let found = rows_by_hour.get(&hour).copied().unwrap_or(0);
        return damaged(format!(
            "it has {found} rows of {} and says {rows}",
            Hour(hour)
        ));
    }
    Ok(sound)
}

/// The rows of each hour that a whole day's part says it holds.
fn held_rows(part: &CheckedPart) -> Result<BTreeMap<i64, u64>, PartError> {
    let notes = part.about().key_value_metadata();
    let mut rows = BTreeMap::new();
    for held in held_parts(notes.map_or(&[][..], |notes| notes))? {
        if rows.insert(held.hour, held.rows).is_some() {
            let hour = Hour(held.hour);
            return damaged(format!("it says that it holds two parts of {hour}"));
        }
    }
    Ok(rows)
}

/// The day or month `time_us` in UTC, moved to a time zone.
fn in_zone(zone: &str, time_us: &std::ops::Range<i64>) -> Result<std::ops::Range<i64>, PartError> {
    let wrong = |error: CalendarError| PartError::Damaged(error.to_string());
    let calendar = Calendar::of(zone).map_err(wrong)?;
    let midnight = |us: i64| {
        let day = date_of_day(us.div_euclid(24 * HOUR_US));
        calendar.hours(day).map(|hours| hours.start * HOUR_US)
    };
    let (start, end) = (midnight(time_us.start), midnight(time_us.end));
    Ok(start.map_err(wrong)?..end.map_err(wrong)?)
}

/// The index of each column of the table in the file, which may have further columns.
fn places(metadata: &ParquetMetaData, table: &Table) -> Result<Vec<usize>, PartError> {
    let schema = metadata.file_metadata().schema_descr();
    let mut places = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        let place = schema
            .columns()
            .iter()
            .position(|found| found.name() == column.name);
        let Some(place) = place else {
            return damaged(format!("it has no column {}", column.name));
        };
        let wanted = parquet_field(column);
        let found = schema.column(place);
        let is_same = found.physical_type() == wanted.get_physical_type()
            && found.logical_type_ref() == wanted.get_basic_info().logical_type_ref()
            && found.path().parts().len() == 1
            && found.self_type().get_basic_info().repetition()
                == wanted.get_basic_info().repetition();
        if !is_same {
            return damaged(format!("its column {} is of another type", column.name));
        }
        places.push(place);
    }
    Ok(places)
}

/// The rows of a row group.
struct GroupRows<'t> {
    table: &'t Table,
    columns: Vec<Values>,
    count: usize,
}

impl GroupRows<'_> {
    fn column(&self, name: &str) -> Option<&Values> {
        let index = self.table.columns.iter().position(|it| it.name == name)?;
        self.columns.get(index)
    }

    fn columns(&self, names: &[&str]) -> Vec<&Values> {
        names.iter().filter_map(|name| self.column(name)).collect()
    }

    /// Checks relations between the columns of each row.
    fn check(&self) -> Result<(), PartError> {
        for (below, above) in NEVER_ABOVE {
            if let (Some(low), Some(high)) = (self.column(below), self.column(above))
                && let Some(row) = (0..self.count).find(|&row| low.number(row) > high.number(row))
            {
                let (low, high) = (low.number(row), high.number(row));
                return damaged(format!("a row has {below} {low} above {above} {high}"));
            }
        }
        if self.table.name == BACKSCATTER.name
            && let Some(packets) = self.column(names::PACKETS)
        {
            let slots = self.columns(&SLOT_COLUMNS);
            for row in 0..self.count {
                let sum: i128 = slots.iter().map(|it| i128::from(it.number(row))).sum();
                let packets = packets.number(row);
                if i128::from(packets) != sum {
                    return damaged(format!(
                        "a minute has {packets} packets, and {sum} in its ten seconds together"
                    ));
                }
            }
        }
        if self.table.name == COVERAGE.name {
            let counters: Vec<&str> = COUNTERS.iter().map(|counter| counter.name).collect();
            let parts = self.columns(&counters[..OUTCOMES.end]);
            for row in 0..self.count {
                let [received, rest @ ..] = &parts[..] else {
                    continue;
                };
                let sum: i128 = rest.iter().map(|part| i128::from(part.number(row))).sum();
                let received = received.number(row);
                if i128::from(received) != sum {
                    return damaged(format!(
                        "a minute has {received} received packets and {sum} that went somewhere"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The rows of each hour; a row's times lie in its hour.
    fn rows_by_hour(&self) -> Result<BTreeMap<i64, Vec<usize>>, PartError> {
        let mut hours = BTreeMap::<i64, Vec<usize>>::new();
        let Some(starts) = self.column(names::HOUR_START) else {
            return Ok(hours);
        };
        let columns = self.table.columns.iter().zip(&self.columns);
        let inside = columns.filter(|(column, _)| matches!(column.holds, Holds::Inside));
        let inside: Vec<_> = inside.collect();
        for row in 0..self.count {
            let hour = starts.number(row).div_euclid(HOUR_US);
            for (column, values) in &inside {
                let time_us = values.number(row);
                if time_us.div_euclid(HOUR_US) != hour {
                    let (name, hour) = (column.name, Hour(hour));
                    return damaged(format!("a row of {hour} has {name} {time_us}"));
                }
            }
            hours.entry(hour).or_default().push(row);
        }
        Ok(hours)
    }

    /// Packets, bytes and kinds of these rows; `None` on overflow (2^63).
    fn sums(&self, rows: impl Iterator<Item = usize> + Clone) -> Option<PartSums> {
        let sum = |name: &str| {
            let column = self.column(name);
            let numbers = rows
                .clone()
                .map(|row| column.map_or(0, |column| column.number(row)));
            let mut numbers = numbers;
            numbers.try_fold(0_i64, |sum, number| sum.checked_add(number))
        };
        if self.table.name == COVERAGE.name {
            return Some(PartSums {
                packets: sum(OBSERVED_COLUMN)?,
                ..PartSums::default()
            });
        }
        let kind = self.columns(KIND_ORDER);
        let packets = self.column(names::PACKETS)?;
        let of_row = |row| {
            let hash = kind.iter().fold(0, |hash: u64, column| {
                // Odd multiplier of 64-bit linear congruential generators (Steele and Vigna, 2021).
                let number = column.number(row) as u64;
                (hash ^ number)
                    .wrapping_mul(0xd134_2543_de82_ef95)
                    .rotate_left(29)
            });
            hash.wrapping_mul(packets.number(row) as u64)
        };
        let class = self.column(names::CLASS);
        let is_reply = |row: &usize| {
            class.is_some_and(|class| class.number(*row) == Class::Backscatter as i64)
        };
        // Each is part of a sum that is checked.
        let replies = rows.clone().filter(is_reply);
        let replies = replies.fold(0_i64, |sum, row| sum.saturating_add(packets.number(row)));
        Some(PartSums {
            packets: sum(names::PACKETS)?,
            bytes: sum(names::BYTES)?,
            kinds: rows.map(of_row).fold(0, u64::wrapping_add),
            replies,
        })
    }
}

/// The order of a part's rows, over its row groups.
struct Order<'t> {
    table: &'t Table,
    order: Vec<&'static str>,
    before: Option<GroupRows<'t>>,
    /// The distinguishing columns of the rows that are equal in `order` so far.
    equal: HashSet<Vec<Vec<u8>>>,
}

impl<'t> Order<'t> {
    fn new(table: &'t Table, is_whole_day: bool) -> Self {
        let mut order = table.order.to_vec();
        if is_whole_day {
            // The hours of a source stand together.
            let source = order.iter().position(|name| *name == names::SRC_IP);
            order.insert(source.map_or(0, |place| place + 1), names::HOUR_START);
        }
        Order {
            table,
            order,
            before: None,
            equal: HashSet::new(),
        }
    }

    /// Checks the next row group.
    fn follow(&mut self, group: GroupRows<'t>) -> Result<(), PartError> {
        let ours = group.columns(&self.order);
        let apart = group.columns(self.table.apart);
        for row in 0..group.count {
            let order = match (row.checked_sub(1), &self.before) {
                (Some(last), _) => compare(&ours, last, &ours, row),
                (None, Some(before)) => {
                    let theirs = before.columns(&self.order);
                    compare(&theirs, before.count - 1, &ours, row)
                }
                (None, None) => std::cmp::Ordering::Less,
            };
            if order.is_lt() {
                self.equal.clear();
            }
            let key = apart.iter().map(|column| column.key(row)).collect();
            if order.is_gt() || !self.equal.insert(key) {
                let what = if order.is_gt() {
                    "out of order"
                } else {
                    "there twice"
                };
                return damaged(format!("its row group has row {row} {what}"));
            }
        }
        if group.count > 0 {
            self.before = Some(group);
        }
        Ok(())
    }
}

fn compare(
    left: &[&Values],
    left_row: usize,
    right: &[&Values],
    right_row: usize,
) -> std::cmp::Ordering {
    let mut columns = left.iter().zip(right);
    columns
        .try_fold((), |(), (left, right)| {
            match left.compare(left_row, right, right_row) {
                std::cmp::Ordering::Equal => Ok(()),
                other => Err(other),
            }
        })
        .err()
        .unwrap_or(std::cmp::Ordering::Equal)
}
