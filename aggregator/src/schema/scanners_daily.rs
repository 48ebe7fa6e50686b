//! The columns of `scanners_daily`: a row is a source of a day that at least one survey rule names. The metadata of the file has the
//! thresholds of each rule under the name of its column.

use std::sync::Arc;

use super::ColumnType::{Boolean, Int64};
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows, joined};
use super::sources::{ASN, DESTINATIONS, SRC_IP};
use super::sources_daily::PORTS;
use super::{ACTOR, COUNTRY, Column, ColumnRow, IP_VERSION, NOT_NEGATIVE, SENSOR};

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
pub(crate) type ScannerDayRows<'r> = DayRows<'r, ScannerDay>;

type ScannerDayRow = ColumnRow<DayFill<ScannerDay>>;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ScannerDayRow] =
    &joined::<_, { OF_SOURCE.len() + RULES.len() }>(&[OF_SOURCE, &OF_RULES]);

const OF_SOURCE: &[ScannerDayRow] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    SRC_IP => string(&row.source[..]),
    IP_VERSION => few(row.ip_version.into()),
    ACTOR => text(row.actor.as_bytes()),
    COUNTRY => text(&row.country[..]),
    ASN => sparse(row.asn.map(i64::from)),
    Column::new(
        "packets",
        Int64,
        "Packets that ask, which the rules count: of the classes scan, reflector-scan and exploit.",
    )
    .holding(NOT_NEGATIVE) => count(row.packets),
    PORTS => count(row.ports),
    DESTINATIONS => count(row.destinations),
];

const OF_RULES: [ScannerDayRow; RULES.len()] = {
    let mut rows = [of_rule(0); RULES.len()];
    let mut index = 0;
    while index < RULES.len() {
        rows[index] = of_rule(index);
        index += 1;
    }
    rows
};

/// The column of a rule. The slot has its name, by which the filling finds the rule.
const fn of_rule(index: usize) -> ScannerDayRow {
    ColumnRow {
        column: Column::new(RULES[index].0, Boolean, RULES[index].1),
        fill: |slot, group| {
            let index = RULES.iter().position(|rule| rule.0 == slot.name());
            let is_named = |row: &ScannerDay| index.is_some_and(|index| row.rules[index]);
            slot.booleans(group.rows.iter().map(is_named))
        },
    }
}
