//! The columns of `traffic_daily` and `traffic_monthly`: a row is a kind and country of a longer period.

use std::sync::Arc;

use super::ColumnType::{Date, Int64};
use super::rows::columns_of_rows;
use super::{
    ACTOR, BYTES, CLASS, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION,
    NOT_NEGATIVE, PACKETS, PORT, PROTOCOL, SENSOR, SOURCES_SKETCH, Slot, TOOL, TRAFFIC_TYPE,
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
pub(crate) const ROWS: &[ColumnRow<RolledUpFill>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    IP_VERSION => few(row.key.ip_version),
    PROTOCOL => few(row.key.protocol),
    PORT => sparse(row.key.port),
    TRAFFIC_TYPE => text(row.key.texts[0].as_bytes()),
    CLASS => text(row.key.texts[1].as_bytes()),
    TOOL => text(row.key.texts[2].as_bytes()),
    ACTOR => text(row.key.texts[3].as_bytes()),
    COUNTRY => text(row.key.texts[4].as_bytes()),
    PACKETS => integer(row.packets),
    BYTES => integer(row.bytes),
    Column::new(
        "sources",
        Int64,
        "Distinct sources of the row by its sketch: as good as exact up to 384, above with a standard error of 1.6 %.",
    )
    .holding(NOT_NEGATIVE) => count(row.sources),
    SOURCES_SKETCH => string(&row.sketch[..]),
    HOURS => every(group.hours),
];

/// The columns of a month.
pub(super) const MONTHLY: [Column; ROWS.len()] = {
    let mut columns = super::columns::<_, { ROWS.len() }>(ROWS);
    columns[0] = MONTH;
    columns
};
