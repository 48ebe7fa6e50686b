//! The columns of `traffic_daily` and `traffic_monthly`: a row is a kind and country of a longer period.

use std::sync::Arc;

use super::ColumnType::{Date, Int64};
use super::{
    ACTOR, BYTES, CLASS, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION,
    NOT_NEGATIVE, PACKETS, PORT, PROTOCOL, SENSOR, SOURCES_SKETCH, Slot, TOOL, TRAFFIC_TYPE,
    counted,
};

/// What rows are summed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RolledKey {
    pub ip_version: i64,
    pub protocol: i64,
    pub port: Option<i64>,
    /// Traffic type, class, tool, actor and country.
    pub texts: [Arc<str>; 5],
}

/// A row of a period.
#[derive(Debug)]
pub(crate) struct RolledRow {
    pub key: RolledKey,
    pub packets: i64,
    pub bytes: i64,
    pub sources: u64,
    pub sketch: Vec<u8>,
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct RolledRows<'r> {
    /// The day, or the month's first, counted from 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub hours: i64,
    pub rows: Vec<RolledRow>,
}

impl RolledRows<'_> {
    fn texts(&self, place: usize) -> impl Iterator<Item = &[u8]> + Clone {
        self.rows
            .iter()
            .map(move |row| row.key.texts[place].as_bytes())
    }
}

pub(super) const DAY: Column = Column::new(
    "day",
    Date,
    "The day, of the time zone that the metadata's timezone names.",
)
.holding(Holds::Date);
pub(super) const MONTH: Column = Column::new(
    "month",
    Date,
    "The first day of the month, of the time zone that the metadata's timezone names.",
)
.holding(Holds::Date);
pub(super) const HOURS: Column = Column::new(
    "hours",
    Int64,
    "Hours of the period that have rows of this sensor.",
)
.holding(COUNTED);

/// Fills one column from the rows of a group.
type RolledUpFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g RolledRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<RolledUpFill>] = &[
    ColumnRow {
        column: DAY,
        fill: |slot, group| slot.constant_integer(group.day),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.key.ip_version)),
    },
    ColumnRow {
        column: PROTOCOL,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.key.protocol)),
    },
    ColumnRow {
        column: PORT,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.key.port)),
    },
    ColumnRow {
        column: TRAFFIC_TYPE,
        fill: |slot, group| slot.texts(group.texts(0)),
    },
    ColumnRow {
        column: CLASS,
        fill: |slot, group| slot.texts(group.texts(1)),
    },
    ColumnRow {
        column: TOOL,
        fill: |slot, group| slot.texts(group.texts(2)),
    },
    ColumnRow {
        column: ACTOR,
        fill: |slot, group| slot.texts(group.texts(3)),
    },
    ColumnRow {
        column: COUNTRY,
        fill: |slot, group| slot.texts(group.texts(4)),
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.packets)),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.bytes)),
    },
    ColumnRow {
        column: Column::new(
            "sources",
            Int64,
            "Distinct sources of the row by its sketch: as good as exact up to 384, above with a standard error of 1.6 %.",
        ).holding(NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.sources))),
    },
    ColumnRow {
        column: SOURCES_SKETCH,
        fill: |slot, group| slot.strings(group.rows.iter().map(|row| &row.sketch[..])),
    },
    ColumnRow {
        column: HOURS,
        fill: |slot, group| slot.constant_integer(group.hours),
    },
];

/// The columns of a month.
pub(super) const MONTHLY: [Column; ROWS.len()] = {
    let mut columns = super::columns::<_, { ROWS.len() }>(ROWS);
    columns[0] = MONTH;
    columns
};
