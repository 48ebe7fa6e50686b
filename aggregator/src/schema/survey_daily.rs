//! The columns of `survey_daily`: sums over the sources of a day, which need each of them: what survey rules take out, and hosts that look
//! infected. Packets over IPv4 that ask count, as in reports.

use std::sync::Arc;

use super::ColumnType::{Int32, Int64, Text};
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows};
use super::{Column, ColumnRow, Holds, NOT_NEGATIVE, PACKETS, PORT, PROTOCOL, SENSOR};
use teiten_observation::spelled;

spelled! {
    /// What a row of `survey_daily` is about.
    SurveyWhat {
        Rule = "rule",
        Mirai = "mirai",
        Device = "device",
        Port = "port",
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyDayRow {
    pub what: SurveyWhat,
    pub value: Arc<str>,
    pub protocol: Option<u8>,
    pub port: Option<u16>,
    pub packets: i64,
    pub hosts: i64,
    pub several: i64,
    pub largest_network: i64,
}

/// The rows of a row group.
pub(crate) type SurveyDayRows<'r> = DayRows<'r, SurveyDayRow>;

pub(super) const WHAT: Column = Column::new(
    super::novelties::WHAT.name,
    Text,
    "rule: sources that a rule names; mirai: hosts with the fingerprint of Mirai; device: other hosts that mostly ask for ports of devices; port: survey scanners at a port.",
)
.holding(Holds::Word(|word| {
    SurveyWhat::from_name(word).map(|it| it as u16)
}));
const VALUE: Column = Column::new(
    super::novelties::VALUE.name,
    Text,
    "The rule (all: every source; survey: named organisations and sources with 30 ports and more; top-1-percent: of the sources by packets); the country of hosts, empty for the world; empty for ports.",
);
const OF_PROTOCOL: Column = Column::new(
    PROTOCOL.name,
    Int32,
    "IANA protocol number of a port; else null.",
)
.or_null()
.holding(Holds::Between(0, 255));
const SUMMED_PACKETS: Column = Column::new(
    PACKETS.name,
    Int64,
    "Packets over IPv4 that ask; 0 for hosts that look infected.",
)
.holding(NOT_NEGATIVE);
pub(super) const HOSTS: Column =
    Column::new("hosts", Int64, "Hosts; 0 where only packets are summed.").holding(NOT_NEGATIVE);
pub(super) const SEVERAL: Column = Column::new(
    "hosts_several",
    Int64,
    "Hosts with three packets and more, of hosts that look infected.",
)
.holding(NOT_NEGATIVE);
pub(super) const LARGEST_NETWORK: Column = Column::new(
    "largest_network",
    Int64,
    "Hosts of the network with most of them, of hosts that look infected; 0 where networks are not known.",
)
.holding(NOT_NEGATIVE);

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<DayFill<SurveyDayRow>>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    WHAT => text(row.what.name().as_bytes()),
    VALUE => text(row.value.as_bytes()),
    OF_PROTOCOL => sparse(row.protocol.map(i64::from)),
    PORT => sparse(row.port.map(i64::from)),
    SUMMED_PACKETS => integer(row.packets),
    HOSTS => integer(row.hosts),
    SEVERAL => integer(row.several),
    LARGEST_NETWORK => integer(row.largest_network),
];
