//! The columns of `sources_daily`: a row is a source of a day.

use std::sync::Arc;

use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};

use super::ColumnType::{Int64, Text};
use super::rolled_up::DAY;
use super::rows::{DayFill, DayRows, columns_of_rows, joined};
use super::sources::{ASN, DESTINATIONS, FIRST_SEEN, LAST_SEEN, SRC_IP};
use super::{
    ACTOR, BYTES, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, NOT_NEGATIVE,
    PACKETS, SENSOR, Slot, counted, parquet_field,
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
pub(crate) type SourceDayRows<'r> = DayRows<'r, SourceDay>;

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

/// Stands last: it is filled by [`LATE_ROWS`], when the day has been read to its end.
const CAMPAIGN: Column = Column::new(
    "campaign",
    Text,
    "Name of the campaign that the source belongs to (see campaigns_daily): a group of sources that act alike; empty where it belongs to none.",
)
.holding(Holds::Hash);

/// The column by which a source of the table names its campaign.
pub(crate) const MEMBER_CAMPAIGN: &str = CAMPAIGN.name;

/// What is known of the sources of a row group only when the whole day has been read.
#[derive(Debug)]
pub(crate) struct LateSourceRows<'r> {
    /// Names of campaigns, empty of sources without one.
    pub campaigns: &'r [&'r str],
}

/// Fills one column from what is known late.
type LateFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g LateSourceRows<'r>) -> Filled;

/// The last columns of the table.
pub(crate) const LATE_ROWS: &[ColumnRow<LateFill>] = &[ColumnRow {
    column: CAMPAIGN,
    fill: |slot, group| slot.texts(group.campaigns.iter().map(|id| id.as_bytes())),
}];

/// The last columns as a message of their own, by which they are encoded.
///
/// # Errors
/// Never, as they are sound columns.
pub(crate) fn late_schema() -> parquet::errors::Result<SchemaDescPtr> {
    let late = LATE_ROWS.iter().map(|row| parquet_field(&row.column));
    let group = Type::group_type_builder("late").with_fields(late.collect());
    Ok(Arc::new(SchemaDescriptor::new(Arc::new(group.build()?))))
}

/// Packets by class, in the order of the classes.
pub(super) const CLASS_PACKETS: [Column; Class::ALL.len()] = [
    of_class("scan_packets", "Packets of the class scan."),
    of_class(
        "reflector_scan_packets",
        "Packets of the class reflector-scan.",
    ),
    of_class("exploit_packets", "Packets of the class exploit."),
    of_class("backscatter_packets", "Packets of the class backscatter."),
    of_class(
        "misconfiguration_packets",
        "Packets of the class misconfiguration.",
    ),
    of_class("spoofed_packets", "Packets of the class spoofed."),
    of_class("malformed_packets", "Packets of the class malformed."),
    of_class("other_packets", "Packets of the class other."),
];

const fn of_class(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, Int64, meaning).holding(NOT_NEGATIVE)
}

type SourceDayRow = ColumnRow<DayFill<SourceDay>>;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[SourceDayRow] =
    &joined::<_, { FIRST.len() + OF_CLASSES.len() + LAST.len() }>(&[FIRST, &OF_CLASSES, LAST]);

const FIRST: &[SourceDayRow] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    SRC_IP => string(&row.source[..]),
    IP_VERSION => few(row.ip_version.into()),
    COUNTRY => text(&row.country[..]),
    ASN => sparse(row.asn.map(i64::from)),
    ACTOR => text(row.actor.as_bytes()),
    PACKETS => count(row.packets),
    BYTES => count(row.bytes),
];

const OF_CLASSES: [SourceDayRow; Class::ALL.len()] = {
    let mut rows = [of_class_row(0); Class::ALL.len()];
    let mut index = 0;
    while index < rows.len() {
        rows[index] = of_class_row(index);
        index += 1;
    }
    rows
};

/// The column of a class. The slot has its name, by which the filling finds the class.
const fn of_class_row(index: usize) -> SourceDayRow {
    ColumnRow {
        column: CLASS_PACKETS[index],
        fill: |slot, group| {
            let is_it = |column: &Column| column.name == slot.name();
            let index = CLASS_PACKETS.iter().position(is_it);
            let count = |row: &SourceDay| index.map_or(0, |index| counted(row.classes[index]));
            slot.integers(group.rows.iter().map(count))
        },
    }
}

const LAST: &[SourceDayRow] = columns_of_rows![group, row:
    PORTS => count(row.ports),
    DESTINATIONS => count(row.destinations),
    Column::new("hours", Int64, "Hours of the day in which the source came.").holding(COUNTED)
        => few(counted(row.hours)),
    Column::new(
        "tools",
        Text,
        "Tools with their evidence, the most packets first: packets that show the tool of those counted for it, as in zmap:118/120,masscan:3/3; empty without one.",
    ) => text(row.tools.as_bytes()),
    MIRAI_PACKETS => count(row.mirai_packets),
    Column::new(
        "role",
        Text,
        "What the source did in the day: probe, horizontal, vertical, block, backscatter or mixed; empty below 3 packets.",
    )
    .holding(Holds::Word(|word| Role::from_name(word).map(|it| it as u16)))
        => text(row.role.name().as_bytes()),
    Column::new(
        "stack_signatures",
        Text,
        "Stack signatures of its SYNs, a blank between two, the most packets first, 8 at most; empty without one.",
    ) => text(row.stacks.as_bytes()),
    FIRST_SEEN => integer(row.first_us),
    LAST_SEEN => integer(row.last_us),
    CAMPAIGN => every_text(""),
];
