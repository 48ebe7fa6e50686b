//! The columns of `sources_daily`: a row is a source of a day.

use std::sync::Arc;

use super::ColumnType::{Int64, Text};
use super::rolled_up::DAY;
use super::sources::{ASN, DESTINATIONS, FIRST_SEEN, LAST_SEEN, SRC_IP};
use super::{
    ACTOR, BYTES, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, NOT_NEGATIVE,
    PACKETS, SENSOR, Slot, counted,
};
use crate::role::Role;
use teiten_observation::Class;

/// A source of a day.
#[derive(Clone, Debug)]
pub(crate) struct SourceDay {
    /// Address as text.
    pub source: Vec<u8>,
    pub ip_version: u8,
    pub country: [u8; 2],
    pub asn: Option<u32>,
    pub actor: Arc<str>,
    pub packets: u64,
    pub bytes: u64,
    /// Packets by class, in the order of the classes.
    pub classes: [u64; Class::ALL.len()],
    pub ports: u64,
    pub destinations: u64,
    pub hours: u64,
    pub tools: String,
    pub mirai_packets: u64,
    pub role: Role,
    pub stacks: String,
    pub first_us: i64,
    pub last_us: i64,
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct SourceDayRows<'r> {
    /// Days since 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub rows: &'r [SourceDay],
}

impl SourceDayRows<'_> {
    fn counts(&self, of: impl Fn(&SourceDay) -> u64) -> impl Iterator<Item = i64> {
        self.rows.iter().map(move |row| counted(of(row)))
    }
}

pub(super) const PORTS: Column = Column::new(
    "ports",
    Int64,
    "Distinct services (protocol and port) that the source asked for in the day; answers such as backscatter ask for none.",
)
.holding(NOT_NEGATIVE);
pub(super) const MIRAI_PACKETS: Column = Column::new(
    "mirai_packets",
    Int64,
    "Packets with the fingerprint of the Mirai family.",
)
.holding(NOT_NEGATIVE);

/// A column of packets of one class.
const fn of_class(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, Int64, meaning).holding(NOT_NEGATIVE)
}

/// Fills one column from the rows of a group.
type SourceDayFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g SourceDayRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<SourceDayFill>] = &[
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
        column: COUNTRY,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| &row.country[..])),
    },
    ColumnRow {
        column: ASN,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|row| row.asn.map(i64::from))),
    },
    ColumnRow {
        column: ACTOR,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.actor.as_bytes())),
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
        column: of_class("scan_packets", "Packets of the class scan."),
        fill: |slot, group| slot.integers(group.counts(|row| row.classes[Class::Scan as usize])),
    },
    ColumnRow {
        column: of_class(
            "reflector_scan_packets",
            "Packets of the class reflector-scan.",
        ),
        fill: |slot, group| {
            slot.integers(group.counts(|row| row.classes[Class::ReflectorScan as usize]))
        },
    },
    ColumnRow {
        column: of_class("exploit_packets", "Packets of the class exploit."),
        fill: |slot, group| slot.integers(group.counts(|row| row.classes[Class::Exploit as usize])),
    },
    ColumnRow {
        column: of_class("backscatter_packets", "Packets of the class backscatter."),
        fill: |slot, group| {
            slot.integers(group.counts(|row| row.classes[Class::Backscatter as usize]))
        },
    },
    ColumnRow {
        column: of_class(
            "misconfiguration_packets",
            "Packets of the class misconfiguration.",
        ),
        fill: |slot, group| {
            slot.integers(group.counts(|row| row.classes[Class::Misconfiguration as usize]))
        },
    },
    ColumnRow {
        column: of_class("spoofed_packets", "Packets of the class spoofed."),
        fill: |slot, group| slot.integers(group.counts(|row| row.classes[Class::Spoofed as usize])),
    },
    ColumnRow {
        column: of_class("malformed_packets", "Packets of the class malformed."),
        fill: |slot, group| {
            slot.integers(group.counts(|row| row.classes[Class::Malformed as usize]))
        },
    },
    ColumnRow {
        column: of_class("other_packets", "Packets of the class other."),
        fill: |slot, group| slot.integers(group.counts(|row| row.classes[Class::Other as usize])),
    },
    ColumnRow {
        column: PORTS,
        fill: |slot, group| slot.integers(group.counts(|row| row.ports)),
    },
    ColumnRow {
        column: DESTINATIONS,
        fill: |slot, group| slot.integers(group.counts(|row| row.destinations)),
    },
    ColumnRow {
        column: Column::new("hours", Int64, "Hours of the day in which the source came.")
            .holding(COUNTED),
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| counted(row.hours))),
    },
    ColumnRow {
        column: Column::new(
            "tools",
            Text,
            "Tools with their evidence, the most packets first: packets that show the tool of those counted for it, as in zmap:118/120,masscan:3/3; empty without one.",
        ),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.tools.as_bytes())),
    },
    ColumnRow {
        column: MIRAI_PACKETS,
        fill: |slot, group| slot.integers(group.counts(|row| row.mirai_packets)),
    },
    ColumnRow {
        column: Column::new(
            "role",
            Text,
            "What the source did in the day: probe, horizontal, vertical, block, backscatter or mixed; empty below 3 packets.",
        )
        .holding(Holds::Word(|word| {
            Role::from_name(word).map(|it| it as u16)
        })),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.role.name().as_bytes())),
    },
    ColumnRow {
        column: Column::new(
            "stack_signatures",
            Text,
            "Stack signatures of its SYNs, a blank between two, the most packets first, 8 at most; empty without one.",
        ),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.stacks.as_bytes())),
    },
    ColumnRow {
        column: FIRST_SEEN,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.first_us)),
    },
    ColumnRow {
        column: LAST_SEEN,
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| row.last_us)),
    },
    ColumnRow {
        column: Column::new(
            "campaign",
            Text,
            "Group of sources that act alike; empty where none is known.",
        ),
        fill: |slot, _| slot.constant_text(""),
    },
];
