//! The columns of `ports_daily`: a row is a service and class of a day.

use super::ColumnType::Int64;
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows};
use super::sources_daily::MIRAI_PACKETS;
use super::{
    BYTES, CLASS, COUNTED, Column, ColumnRow, IP_VERSION, NOT_NEGATIVE, PACKETS, PORT, PROTOCOL,
    SENSOR,
};
use teiten_observation::Class;

/// What makes a row, in the order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortKey {
    pub ip_version: u8,
    pub protocol: u8,
    pub port: Option<u16>,
    pub class: Class,
}

/// The counts of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortSums {
    pub packets: u64,
    pub bytes: u64,
    pub sources: u64,
    pub survey_packets: u64,
    pub survey_sources: u64,
    pub mirai_packets: u64,
}

/// The rows of a row group.
pub(crate) type PortDayRows<'r> = DayRows<'r, (PortKey, PortSums)>;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<DayFill<(PortKey, PortSums)>>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    IP_VERSION => few(row.0.ip_version.into()),
    PROTOCOL => few(row.0.protocol.into()),
    PORT => sparse(row.0.port.map(i64::from)),
    CLASS => text(row.0.class.name().as_bytes()),
    PACKETS => count(row.1.packets),
    BYTES => count(row.1.bytes),
    Column::new(
        "sources",
        Int64,
        "Distinct sources of the row in the day, exact; a prefix that small sources were folded into counts as one.",
    )
    .holding(COUNTED) => count(row.1.sources),
    Column::new(
        "survey_packets",
        Int64,
        "Packets of survey scanners: sources of a named organisation, and those that asked for as many ports as the metadata's survey_ports_min says.",
    )
    .holding(NOT_NEGATIVE) => count(row.1.survey_packets),
    Column::new("survey_sources", Int64, "Survey scanners among the sources.")
        .holding(NOT_NEGATIVE) => count(row.1.survey_sources),
    MIRAI_PACKETS => count(row.1.mirai_packets),
];
