//! The columns of `scans`: a row is a scan event, in the hour of its last packet.

use std::sync::Arc;

use super::ColumnType::{Boolean, Double, Text, TimestampMicros};
use super::sources::{ASN, DESTINATIONS, SRC_IP, STACK_SIGNATURE};
use super::{
    ACTOR, BYTES, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, PACKETS, PORT, PROTOCOL,
    SENSOR, Slot, TOOL, TRAFFIC_TYPE, counted,
};
use teiten_observation::{Tool, TrafficType};

/// A scan event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanRow {
    pub id: String,
    pub source: Vec<u8>,
    pub ip_version: u8,
    pub port: Option<u16>,
    pub protocol: u8,
    pub traffic_type: TrafficType,
    pub tool: Tool,
    pub stack: Arc<str>,
    pub actor: Arc<str>,
    pub country: [u8; 2],
    pub asn: Option<u32>,
    pub start_us: i64,
    pub end_us: i64,
    pub packets: u64,
    pub bytes: u64,
    pub destinations: u64,
    pub rate_pps: Option<f64>,
    pub internet_rate_pps: Option<f64>,
    pub size: &'static str,
    pub ongoing: bool,
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct ScanRows<'r> {
    pub sensor: &'r str,
    pub rows: &'r [ScanRow],
}

pub(super) const ID: Column = Column::new(
    "id",
    Text,
    "Name of the event, 16 hexadecimal digits: the same for the same packets, however they were read.",
)
.holding(Holds::Hash);
pub(super) const START: Column = Column::new(
    "start",
    TimestampMicros,
    "Time of the event's first packet in UTC, microseconds since 1970-01-01.",
);
pub(super) const END: Column = Column::new(
    "end",
    TimestampMicros,
    "Time of the event's last packet in UTC, microseconds since 1970-01-01.",
)
.holding(Holds::Inside);
pub(super) const ONGOING: Column = Column::new(
    "ongoing",
    Boolean,
    "True while the event may go on: its silence is not over yet at the end of what is known. It then stands in the hour of its last packet so far.",
);

/// Fills one column from the rows of a group.
type ScanFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g ScanRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<ScanFill>] = &[
    ColumnRow {
        column: ID,
        fill: |slot, group| slot.strings(group.rows.iter().map(|row| row.id.as_bytes())),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: SRC_IP,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| &row.source[..])),
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.ip_version.into())),
    },
    ColumnRow {
        column: PORT,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.port.map(i64::from))),
    },
    ColumnRow {
        column: PROTOCOL,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.protocol.into())),
    },
    ColumnRow {
        column: TRAFFIC_TYPE,
        fill: |slot, group| {
            slot.texts(group.rows.iter().map(|row| row.traffic_type.name().as_bytes()))
        },
    },
    ColumnRow {
        column: TOOL,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.tool.name().as_bytes())),
    },
    ColumnRow {
        column: STACK_SIGNATURE,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.stack.as_bytes())),
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
        column: START,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.start_us)),
    },
    ColumnRow {
        column: END,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.end_us)),
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.packets))),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.bytes))),
    },
    ColumnRow {
        column: DESTINATIONS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.destinations))),
    },
    ColumnRow {
        column: Column::new(
            "rate_pps",
            Double,
            "Packets per second from the first packet to the last; null where these are at one moment, as of one packet.",
        )
        .or_null(),
        fill: |slot, group| slot.doubles(group.rows.iter().map(|row| row.rate_pps)),
    },
    ColumnRow {
        column: Column::new(
            "internet_rate_pps",
            Double,
            "The rate if all of IPv4 was scanned as the telescope was, packets per second; null without a rate, for IPv6, and where the telescope's size is not known.",
        )
        .or_null(),
        fill: |slot, group| slot.doubles(group.rows.iter().map(|row| row.internet_rate_pps)),
    },
    ColumnRow {
        column: Column::new(
            "size",
            Text,
            "large from the share of the dark addresses that the metadata names (a tenth where nothing else is set), else small; empty where the telescope's size is not known.",
        ),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.size.as_bytes())),
    },
    ColumnRow {
        column: ONGOING,
        fill: |slot, group| slot.booleans(group.rows.iter().map(|row| row.ongoing)),
    },
];
