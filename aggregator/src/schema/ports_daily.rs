//! The columns of `ports_daily`: a row is a service and class of a day.

use super::ColumnType::Int64;
use super::rolled_up::DAY;
use super::sources_daily::MIRAI_PACKETS;
use super::{
    BYTES, CLASS, COUNTED, Column, ColumnRow, Filled, IP_VERSION, NOT_NEGATIVE, PACKETS, PORT,
    PROTOCOL, SENSOR, Slot, counted,
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
#[derive(Debug)]
pub(crate) struct PortDayRows<'r> {
    /// Days since 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub rows: &'r [(PortKey, PortSums)],
}

impl PortDayRows<'_> {
    fn counts(&self, of: impl Fn(&PortSums) -> u64) -> impl Iterator<Item = i64> {
        self.rows.iter().map(move |row| counted(of(&row.1)))
    }
}

/// Fills one column from the rows of a group.
type PortDayFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g PortDayRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<PortDayFill>] = &[
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
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.0.ip_version.into())),
    },
    ColumnRow {
        column: PROTOCOL,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.0.protocol.into())),
    },
    ColumnRow {
        column: PORT,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.0.port.map(i64::from))),
    },
    ColumnRow {
        column: CLASS,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.0.class.name().as_bytes())),
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, group| slot.integers(group.counts(|row| row.packets)),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, group| slot.integers(group.counts(|row| row.bytes)),
    },
    ColumnRow {
        column: Column::new(
            "sources",
            Int64,
            "Distinct sources of the row in the day, exact; a prefix that small sources were folded into counts as one.",
        )
        .holding(COUNTED),
        fill: |slot, group| slot.integers(group.counts(|row| row.sources)),
    },
    ColumnRow {
        column: Column::new(
            "survey_packets",
            Int64,
            "Packets of survey scanners: sources of a named organisation, and those that asked for as many ports as the metadata's survey_ports_min says.",
        )
        .holding(NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.counts(|row| row.survey_packets)),
    },
    ColumnRow {
        column: Column::new(
            "survey_sources",
            Int64,
            "Survey scanners among the sources.",
        )
        .holding(NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.counts(|row| row.survey_sources)),
    },
    ColumnRow {
        column: MIRAI_PACKETS,
        fill: |slot, group| slot.integers(group.counts(|row| row.mirai_packets)),
    },
];
