//! The columns of `scans`: a row is a scan event, in the hour of its last packet.

use std::ops::Range;
use std::sync::Arc;

use super::ColumnType::{Boolean, Double, Text, TimestampMicros};
use super::rows::columns_of_rows;
use super::sources::{ASN, DESTINATIONS, SRC_IP, STACK_SIGNATURE};
use super::{
    ACTOR, BYTES, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, PACKETS, PORT, PROTOCOL,
    SENSOR, Slot, TOOL, TRAFFIC_TYPE,
};
use teiten_observation::{Tool, TrafficType};

/// A scan event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanRow {
    pub id: [u8; 16],
    /// Where the text of its address stands among those of the row group.
    pub source: Range<usize>,
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
    /// Texts of their addresses.
    pub sources: &'r [u8],
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
    "True while the event may go on: its silence is not over yet at the end of what is known. It is then in the hour of its last packet so far.",
);

/// Fills one column from the rows of a group.
type ScanFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g ScanRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<ScanFill>] = columns_of_rows![group, row:
    ID => string(&row.id[..]),
    SENSOR => every_text(group.sensor),
    SRC_IP => text(&group.sources[row.source.clone()]),
    IP_VERSION => few(row.ip_version.into()),
    PORT => sparse(row.port.map(i64::from)),
    PROTOCOL => few(row.protocol.into()),
    TRAFFIC_TYPE => text(row.traffic_type.name().as_bytes()),
    TOOL => text(row.tool.name().as_bytes()),
    STACK_SIGNATURE => text(row.stack.as_bytes()),
    ACTOR => text(row.actor.as_bytes()),
    COUNTRY => text(&row.country[..]),
    ASN => sparse(row.asn.map(i64::from)),
    START => integer(row.start_us),
    END => integer(row.end_us),
    PACKETS => count(row.packets),
    BYTES => count(row.bytes),
    DESTINATIONS => count(row.destinations),
    Column::new(
        "rate_pps",
        Double,
        "Packets per second from the first packet to the last; null where these are at one moment, as of one packet.",
    )
    .or_null() => double(row.rate_pps),
    Column::new(
        "internet_rate_pps",
        Double,
        "The rate if all of IPv4 was scanned as the telescope was, packets per second; null without a rate, for IPv6, and where the telescope's size is not known.",
    )
    .or_null() => double(row.internet_rate_pps),
    Column::new(
        "size",
        Text,
        "large from the share of the dark addresses that the metadata names (a tenth where nothing else is set), else small; empty where the telescope's size is not known.",
    ) => text(row.size.as_bytes()),
    ONGOING => boolean(row.ongoing),
];
