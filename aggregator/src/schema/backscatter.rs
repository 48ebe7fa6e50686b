//! The columns of `backscatter`: a row is a minute of replies of one victim, by attacked service and by what the replies are.

use super::ColumnType::{Int32, Int64, Text};
use super::coverage::MINUTE_START;
use super::sources::{ASN, DESTINATIONS, DESTINATIONS_SET, FIRST_SEEN, LAST_SEEN};
use super::{
    BYTES, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION, NOT_NEGATIVE, PACKETS, SENSOR,
    Slot, TRAFFIC_TYPE, counted,
};
use crate::destinations::pack_of;
use crate::hour::Hour;
use crate::minute::MINUTE_US;
use crate::origin::Country;
use crate::reply_table::{MINUTE_SLOTS, ReplyRow};
use teiten_observation::{Address, Family};

/// A row, and where its victim is.
#[derive(Clone, Debug)]
pub(crate) struct LocatedReplies {
    /// What was counted.
    pub row: ReplyRow,
    /// Country of the victim.
    pub country: Country,
    /// Network of the victim.
    pub asn: Option<u32>,
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct BackscatterRows<'r> {
    pub hour: Hour,
    pub sensor: &'r str,
    pub rows: &'r [LocatedReplies],
}

pub(super) const VICTIM_IP: Column = Column::new(
    "victim_ip",
    Text,
    "Address that was sent forged packets: the source of the replies or, for ICMP errors, the destination of the packet that they quote.",
)
.holding(Holds::Address);
pub(super) const ATTACKED_PROTOCOL: Column = Column::new(
    "protocol",
    Int32,
    "IANA protocol number of the forged packets, such as 6 for TCP: that of the replies or, for ICMP errors, of the packet that they quote.",
)
.holding(Holds::Between(0, 255));
const ATTACKED_PORT: Column = Column::new(
    "port",
    Int32,
    "Attacked port: the replies' source port or, for ICMP errors, the destination port of the packet that they quote; null where the protocol has none or it is not quoted.",
)
.holding(Holds::Between(0, 65_535))
.or_null();

/// Packets of ten seconds of the minute.
const fn slot_column(name: &'static str, meaning: &'static str) -> Column {
    Column::new(name, Int64, meaning).holding(NOT_NEGATIVE)
}

const SLOTS: [Column; MINUTE_SLOTS] = [
    slot_column("packets_00", "Packets in the seconds 0 to 9 of the minute."),
    slot_column(
        "packets_10",
        "Packets in the seconds 10 to 19 of the minute.",
    ),
    slot_column(
        "packets_20",
        "Packets in the seconds 20 to 29 of the minute.",
    ),
    slot_column(
        "packets_30",
        "Packets in the seconds 30 to 39 of the minute.",
    ),
    slot_column(
        "packets_40",
        "Packets in the seconds 40 to 49 of the minute.",
    ),
    slot_column(
        "packets_50",
        "Packets in the seconds 50 to 59 of the minute.",
    ),
];

/// The columns that packets are counted in by ten seconds: together they are those of the row.
pub(crate) const SLOT_COLUMNS: [&str; MINUTE_SLOTS] = {
    let mut names = [""; MINUTE_SLOTS];
    let mut index = 0;
    while index < MINUTE_SLOTS {
        names[index] = SLOTS[index].name;
        index += 1;
    }
    names
};

/// Fills one column from the rows of a group.
type BackscatterFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g BackscatterRows<'r>) -> Filled;

/// The row of a column of [`SLOTS`].
macro_rules! slot {
    ($index:literal) => {
        ColumnRow {
            column: SLOTS[$index],
            fill: |slot, group| {
                let rows = group.rows.iter();
                slot.integers(rows.map(|it| i64::from(it.row.counts.slots[$index])))
            },
        }
    };
}

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<BackscatterFill>] = &[
    ColumnRow {
        column: MINUTE_START,
        fill: |slot, group| {
            let start_us = group.hour.start_us();
            let minute = |it: &LocatedReplies| i64::from(it.row.key.minute) * MINUTE_US;
            slot.few_integers(group.rows.iter().map(|it| start_us + minute(it)))
        },
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, group| slot.constant_text(group.sensor),
    },
    ColumnRow {
        column: VICTIM_IP,
        fill: |slot, group| {
            let victim = |it: &LocatedReplies| (it.row.key.family, it.row.key.victim);
            let (mut texts, mut ends) = (Vec::new(), Vec::new());
            for of_victim in group
                .rows
                .chunk_by(|left, right| victim(left) == victim(right))
            {
                let start = texts.len();
                match victim(&of_victim[0]) {
                    (Family::Ipv4, victim) => (victim as u32).write_text(&mut texts),
                    (Family::Ipv6, victim) => victim.write_text(&mut texts),
                }
                ends.push((start..texts.len(), of_victim.len()));
            }
            let texts = &texts;
            slot.in_order(
                ends.iter()
                    .map(|(place, rows)| (&texts[place.clone()], *rows)),
            )
        },
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, group| slot.few_integers(group.rows.iter().map(|it| it.row.key.family as i64)),
    },
    ColumnRow {
        column: ATTACKED_PROTOCOL,
        fill: |slot, group| {
            slot.few_integers(group.rows.iter().map(|it| it.row.key.protocol.into()))
        },
    },
    ColumnRow {
        column: ATTACKED_PORT,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|it| it.row.key.port.map(i64::from))),
    },
    ColumnRow {
        column: TRAFFIC_TYPE,
        fill: |slot, group| {
            let rows = group.rows.iter();
            slot.texts(rows.map(|it| it.row.key.traffic_type.name().as_bytes()))
        },
    },
    ColumnRow {
        column: COUNTRY,
        fill: |slot, group| slot.countries([group.rows].into_iter(), |it| it.country.code()),
    },
    ColumnRow {
        column: ASN,
        fill: |slot, group| slot.sparse(group.rows.iter().map(|it| it.asn.map(i64::from))),
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, group| {
            slot.integers(group.rows.iter().map(|it| counted(it.row.counts.packets())))
        },
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, group| slot.integers(group.rows.iter().map(|it| counted(it.row.counts.bytes))),
    },
    slot!(0),
    slot!(1),
    slot!(2),
    slot!(3),
    slot!(4),
    slot!(5),
    ColumnRow {
        column: DESTINATIONS,
        fill: |slot, group| {
            let rows = group.rows.iter();
            slot.integers(rows.map(|it| counted(it.row.counts.view().count())))
        },
    },
    ColumnRow {
        column: DESTINATIONS_SET,
        fill: |slot, group| {
            let (mut sets, mut ends) = (Vec::new(), vec![0]);
            for it in group.rows {
                pack_of(it.row.key.family, &it.row.counts.view(), &mut sets);
                ends.push(sets.len());
            }
            slot.prefixed(ends.windows(2).map(|bounds| &sets[bounds[0]..bounds[1]]))
        },
    },
    ColumnRow {
        column: FIRST_SEEN,
        fill: |slot, group| slot.integers(group.rows.iter().map(|it| it.row.counts.first_us)),
    },
    ColumnRow {
        column: LAST_SEEN,
        fill: |slot, group| slot.integers(group.rows.iter().map(|it| it.row.counts.last_us)),
    },
];

/// The names of the columns that attacks are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyColumns {
    pub minute_start: &'static str,
    pub victim_ip: &'static str,
    pub protocol: &'static str,
    pub port: &'static str,
    pub traffic_type: &'static str,
    pub country: &'static str,
    pub asn: &'static str,
    pub bytes: &'static str,
    pub destinations_set: &'static str,
    pub first_seen: &'static str,
    pub last_seen: &'static str,
}

impl ReplyColumns {
    /// The names.
    pub(crate) const NAMES: ReplyColumns = ReplyColumns {
        minute_start: MINUTE_START.name,
        victim_ip: VICTIM_IP.name,
        protocol: ATTACKED_PROTOCOL.name,
        port: ATTACKED_PORT.name,
        traffic_type: TRAFFIC_TYPE.name,
        country: COUNTRY.name,
        asn: ASN.name,
        bytes: BYTES.name,
        destinations_set: DESTINATIONS_SET.name,
        first_seen: FIRST_SEEN.name,
        last_seen: LAST_SEEN.name,
    };
}
