//! The columns of `scanners_daily`: a row is a source of a day that at least one survey rule names. What each rule asks for stands in the
//! metadata of the file, under the name of its column.

use std::sync::Arc;

use super::ColumnType::{Boolean, Int64};
use super::rolled_up::DAY;
use super::sources::{ASN, DESTINATIONS, SRC_IP};
use super::sources_daily::PORTS;
use super::{
    ACTOR, COUNTRY, Column, ColumnRow, Filled, IP_VERSION, NOT_NEGATIVE, SENSOR, Slot, counted,
};

/// Survey rules, in the order of their columns.
pub(crate) const RULES: [(&str, &str); 7] = [
    (
        "rule_named",
        "An organisation is known to be behind the source.",
    ),
    (
        "rule_nicter",
        "NICTER's rule by ports and packets of a day (30 and 300,000 where nothing else is set).",
    ),
    (
        "rule_police",
        "The National Police Agency's rule by ports of a day (100 where nothing else is set).",
    ),
    (
        "rule_jpcert",
        "JPCERT/CC's rule by ports of a day (more than 10 where nothing else is set).",
    ),
    (
        "rule_imc_destinations",
        "Aggressive by dispersion (Anand et al., IMC 2023): at least a tenth of the dark addresses; false where the telescope's size is not known.",
    ),
    (
        "rule_imc_packets",
        "Aggressive by volume (same paper): packets in the top 0.01 % of the day's sources that ask.",
    ),
    (
        "rule_imc_ports",
        "Aggressive by ports (same paper): distinct ports in the top 0.01 % of the day's sources that ask.",
    ),
];

/// A source of a day, and which rules name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScannerDay {
    pub source: Vec<u8>,
    pub ip_version: u8,
    pub actor: Arc<str>,
    pub country: [u8; 2],
    pub asn: Option<u32>,
    pub packets: u64,
    pub ports: u64,
    pub destinations: u64,
    pub rules: [bool; RULES.len()],
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct ScannerDayRows<'r> {
    /// Days since 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub rows: &'r [ScannerDay],
}

const fn rule(index: usize) -> Column {
    Column::new(RULES[index].0, Boolean, RULES[index].1)
}

fn rule_column(slot: Slot<'_>, group: &ScannerDayRows<'_>, index: usize) -> Filled {
    slot.booleans(group.rows.iter().map(|row| row.rules[index]))
}

/// Fills one column from the rows of a group.
type ScannerDayFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g ScannerDayRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<ScannerDayFill>] = &[
    ColumnRow {
        column: DAY,
        fill: |slot, group| slot.constant_integer(group.day),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: SRC_IP,
        fill: |slot, group| slot.strings(group.rows.iter().map(|row| &row.source[..])),
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.ip_version.into())),
    },
    ColumnRow {
        column: ACTOR,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.actor.as_bytes())),
    },
    ColumnRow {
        column: COUNTRY,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| &row.country[..])),
    },
    ColumnRow {
        column: ASN,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.asn.map(i64::from))),
    },
    ColumnRow {
        column: Column::new(
            "packets",
            Int64,
            "Packets that ask, which the rules count: of the classes scan, reflector-scan and exploit.",
        )
        .holding(NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.packets))),
    },
    ColumnRow {
        column: PORTS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.ports))),
    },
    ColumnRow {
        column: DESTINATIONS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.destinations))),
    },
    ColumnRow {
        column: rule(0),
        fill: |slot, group| rule_column(slot, group, 0),
    },
    ColumnRow {
        column: rule(1),
        fill: |slot, group| rule_column(slot, group, 1),
    },
    ColumnRow {
        column: rule(2),
        fill: |slot, group| rule_column(slot, group, 2),
    },
    ColumnRow {
        column: rule(3),
        fill: |slot, group| rule_column(slot, group, 3),
    },
    ColumnRow {
        column: rule(4),
        fill: |slot, group| rule_column(slot, group, 4),
    },
    ColumnRow {
        column: rule(5),
        fill: |slot, group| rule_column(slot, group, 5),
    },
    ColumnRow {
        column: rule(6),
        fill: |slot, group| rule_column(slot, group, 6),
    },
];
