//! The columns of `attacks`: a row is a denial-of-service event, in the hour of its last packet.

use super::ColumnType::{Double, Int64, Text};
use super::backscatter::ATTACKED_PROTOCOL;
use super::scans::{END, ID, ONGOING, START};
use super::sources::{ASN, DESTINATIONS};
use super::{
    BYTES, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, PACKETS, SENSOR, Slot,
    counted,
};

/// A denial-of-service event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AttackRow {
    pub id: String,
    pub kind: &'static str,
    /// Empty where many addresses of the prefix are the victims.
    pub victim: String,
    pub prefix: String,
    pub victims: u64,
    pub ip_version: u8,
    pub protocol: u8,
    pub ports: String,
    pub port_count: u64,
    pub country: [u8; 2],
    pub asn: Option<u32>,
    pub start_us: i64,
    pub end_us: i64,
    pub packets: u64,
    pub bytes: u64,
    pub destinations: u64,
    pub packets_per_minute_max: u64,
    pub estimated_pps: Option<f64>,
    pub floor_pps: Option<f64>,
    pub ongoing: bool,
}

impl AttackRow {
    /// Its place in the order of the table, as the table's text sorts where it is no address.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let prefix = self.prefix.split_once('/');
        let prefix: Option<std::net::IpAddr> = prefix.and_then(|(first, _)| first.parse().ok());
        (
            self.ip_version,
            prefix,
            self.victim.clone(),
            self.protocol,
            self.start_us,
            self.id.clone(),
        )
    }
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct AttackRows<'r> {
    pub sensor: &'r str,
    pub rows: &'r [AttackRow],
}

pub(super) const VICTIM_PREFIX: Column = Column::new(
    "victim_prefix",
    Text,
    "The /24 (IPv4) or /48 (IPv6) of the victim; for a carpet that of all its victims.",
)
.holding(Holds::Address);
/// The single victim.
pub(super) const ATTACKED_IP: Column = Column::new(
    "victim_ip",
    Text,
    "Address of the victim; empty for a carpet, of which victim_prefix says where it lay.",
);
pub(super) const PER_MINUTE_MAX: Column = Column::new(
    "packets_per_minute_max",
    Int64,
    "Most replies in a minute that begins at a full ten seconds.",
)
.holding(COUNTED);

/// Fills one column from the rows of a group.
type AttackFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g AttackRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<AttackFill>] = &[
    ColumnRow {
        column: ID,
        fill: |slot, group| slot.strings(group.rows.iter().map(|row| row.id.as_bytes())),
    },
    ColumnRow {
        column: Column::new(
            "kind",
            Text,
            "Flood that the replies show: syn-flood (SYN-ACK, or RST with ACK), ack-flood (RST alone), tcp-flood (ICMP errors alone), \
             udp-flood, icmp-flood, sctp-flood or other-flood; carpet where many addresses of a prefix were attacked, each too weakly \
             for an event of its own.",
        ),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.kind.as_bytes())),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: ATTACKED_IP,
        fill: |slot, group| slot.strings(group.rows.iter().map(|row| row.victim.as_bytes())),
    },
    ColumnRow {
        column: VICTIM_PREFIX,
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.prefix.as_bytes())),
    },
    ColumnRow {
        column: Column::new(
            "victims",
            Int64,
            "Number of victims: 1, or the addresses of a carpet.",
        )
        .holding(COUNTED),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.victims))),
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.ip_version.into())),
    },
    ColumnRow {
        column: ATTACKED_PROTOCOL,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|row| row.protocol.into())),
    },
    ColumnRow {
        column: Column::new(
            "ports",
            Text,
            "Attacked ports, ascending and separated by commas: of more than 20 the 20 with most replies; empty where the protocol has none.",
        ),
        fill: |slot, group| slot.texts(group.rows.iter().map(|row| row.ports.as_bytes())),
    },
    ColumnRow {
        column: Column::new("port_count", Int64, "Number of attacked ports.")
            .holding(super::NOT_NEGATIVE),
        fill: |slot, group| slot.integers(group.rows.iter().map(|row| counted(row.port_count))),
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
        column: PER_MINUTE_MAX,
        fill: |slot, group| {
            slot.integers(group.rows.iter().map(|row| counted(row.packets_per_minute_max)))
        },
    },
    ColumnRow {
        column: Column::new(
            "estimated_pps",
            Double,
            "Packets per second that the victim was sent in that minute, if the forged sources were spread evenly over IPv4 and each packet \
             was answered once; null for IPv6, and where the telescope's size is not known.",
        )
        .or_null(),
        fill: |slot, group| slot.doubles(group.rows.iter().map(|row| row.estimated_pps)),
    },
    ColumnRow {
        column: Column::new(
            "floor_pps",
            Double,
            "The weakest attack that this telescope would show, packets per second under the same assumption; null where estimated_pps is.",
        )
        .or_null(),
        fill: |slot, group| slot.doubles(group.rows.iter().map(|row| row.floor_pps)),
    },
    ColumnRow {
        column: ONGOING,
        fill: |slot, group| slot.booleans(group.rows.iter().map(|row| row.ongoing)),
    },
];
