//! The columns of `marginals_daily`: the packets of a day, summed by one property at a time. Each property partitions all packets of the
//! day, so a question about one of them reads a few thousand rows and not all kinds of all hours.

use std::sync::Arc;

use super::ColumnType::{Int32, Int64, Text, TimestampMicros};
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows};
use super::{
    BYTES, CLASS, COUNTED, Column, ColumnRow, Holds, IP_VERSION, PACKETS, PROTOCOL, SENSOR,
    SOURCES_SKETCH,
};
use teiten_observation::{Class, spelled};

spelled! {
    /// By which property a row of `marginals_daily` sums, besides IP version and class.
    Marginal {
        Hour = "hour",
        TrafficType = "traffic_type",
        Tool = "tool",
        Actor = "actor",
        Country = "country",
    }
}

/// What makes a row, in the order of the rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MarginalKey {
    pub by: Marginal,
    /// Start of the hour, microseconds since 1970-01-01 UTC.
    pub hour_us: Option<i64>,
    pub ip_version: u8,
    pub class: Class,
    pub protocol: Option<u8>,
    pub value: Arc<str>,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct MarginalRow {
    pub key: MarginalKey,
    pub packets: i64,
    pub bytes: i64,
    pub sources: u64,
    pub sketch: Vec<u8>,
}

/// The rows of a row group.
pub(crate) type MarginalRows<'r> = DayRows<'r, MarginalRow>;

pub(super) const PROPERTY: Column = Column::new(
    "property",
    Text,
    "The property that is summed by: hour (with the protocol), traffic_type, tool, actor or country. Each holds all packets of the day.",
)
.holding(Holds::Word(|word| {
    Marginal::from_name(word).map(|it| it as u16)
}));
pub(super) const HOUR: Column = Column::new(
    "hour_start",
    TimestampMicros,
    "By hour: start of the hour in UTC, microseconds since 1970-01-01; else null.",
)
.or_null()
.holding(Holds::Inside);
const OF_PROTOCOL: Column = Column::new(
    PROTOCOL.name,
    Int32,
    "By hour: IANA protocol number; else null.",
)
.or_null()
.holding(Holds::Between(0, 255));
const VALUE: Column = Column::new(
    super::novelties::VALUE.name,
    Text,
    "The traffic type, tool, organisation (empty where none is known) or country; empty by hour.",
);

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<DayFill<MarginalRow>>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    PROPERTY => text(row.key.by.name().as_bytes()),
    HOUR => sparse(row.key.hour_us),
    IP_VERSION => few(row.key.ip_version.into()),
    CLASS => text(row.key.class.name().as_bytes()),
    OF_PROTOCOL => sparse(row.key.protocol.map(i64::from)),
    VALUE => text(row.key.value.as_bytes()),
    PACKETS => integer(row.packets),
    BYTES => integer(row.bytes),
    Column::new(
        "sources",
        Int64,
        "Distinct sources of the row by its sketch: exact for a few, above with a standard error of 1.6 %.",
    )
    .holding(COUNTED) => count(row.sources),
    SOURCES_SKETCH => string(&row.sketch[..]),
];
