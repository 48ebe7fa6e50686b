//! The columns of `payloads`: a row is a payload of a service, known by its signature or by its hash.

use super::ColumnType::{Bytes, Int32, Int64, Text};
use super::{
    Column, ColumnRow, Filled, HOUR_START, Holds, NOT_NEGATIVE, PACKETS, SENSOR, Slot, counted,
};
use crate::hour::Hour;
use crate::payload_table::PayloadRow;

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct PayloadRows<'r> {
    pub hour: Hour,
    pub sensor: &'r str,
    pub rows: &'r [PayloadRow<'r>],
}

pub(super) const SIGNATURE: Column = Column::new(
    "signature",
    Text,
    "Name of the signature that the payload matches (see teiten-sensor rules); empty where it is unknown.",
);
pub(super) const PAYLOAD_HASH: Column = Column::new(
            "payload_hash",
            Text,
            "XXH64 (seed 0) of an unknown payload as captured, 16 hexadecimal digits; empty where there is a signature, and in the row \
             that counts together what exceeds 256 unknown payloads of a port or 32768 of the hour.",
        ).holding(Holds::Hash);

pub(super) const FIRST_BYTES: Column = Column::new(
    "first_bytes",
    Bytes,
    "First 64 bytes of the payload; with a signature, those of the smallest payload that matched it.",
);

/// Fills one column from the rows of a group.
type PayloadFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g PayloadRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<PayloadFill>] = &[
    ColumnRow {
        column: HOUR_START,
        fill: |slot, group| slot.constant_integer(group.hour.start_us()),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: Column::new("protocol", Int32, "IANA protocol number: 6 for TCP, 17 for UDP.").holding(Holds::Between(0, 255)),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| i64::from(row.protocol))),
    },
    ColumnRow {
        column: Column::new(
            "port",
            Int32,
            "Port of the service asked for; for backscatter the attacked service's; null where signatures on more than 16384 ports \
             are counted together.",
        ).holding(Holds::Between(0, 65_535))
        .or_null(),
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.port.map(i64::from))),
    },
    ColumnRow {
        column: SIGNATURE,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.signature.as_bytes())),
    },
    ColumnRow {
        column: PAYLOAD_HASH,
        fill: |slot, group| {
            let text = |row: &PayloadRow<'_>| {
                row.hash
                    .map_or(String::new(), |hash| crate::text::hexadecimal(&hash.to_be_bytes()))
            };
            let hashes: Vec<String> = group.rows.iter().map(text).collect();
            slot.prefixed(hashes.iter().map(String::as_bytes))
        },
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.packets))),
    },
    ColumnRow {
        column: Column::new(
            "sources",
            Int64,
            "Distinct sources, an estimate with a standard error of 9.2 %.",
        ).holding(NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.sources))),
    },
    ColumnRow {
        column: FIRST_BYTES,
        fill: |slot, group| slot.prefixed(group.rows.iter().map(|row| row.first_bytes)),
    },
];
