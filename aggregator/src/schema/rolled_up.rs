//! The columns of `traffic_daily` and `traffic_monthly`: a row is a kind and country of a longer period.

use std::sync::Arc;

use super::ColumnType::{Date, Int64};
use super::{
    ACTOR, BYTES, CLASS, COUNTED, COUNTRY, Column, ColumnRow, Filled, Holds, IP_VERSION,
    NOT_NEGATIVE, PACKETS, PORT, PROTOCOL, SENSOR, SOURCES_SKETCH, Slot, TOOL, TRAFFIC_TYPE,
    counted,
};

/// What is asked for: IP version, protocol and port in 26 bits, ordered as they are. By this, rows are sorted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RolledService(u32);

const PROTOCOL_AT: u32 = 17;
const VERSION_AT: u32 = PROTOCOL_AT + u8::BITS;

impl RolledService {
    /// None if these are not what a packet can have.
    #[inline]
    pub(crate) fn new(ip_version: i32, protocol: i32, port: Option<i32>) -> Option<Self> {
        let is_ipv6 = match ip_version {
            4 => 0,
            6 => 1,
            _ => return None,
        };
        let protocol = u8::try_from(protocol).ok()?;
        let port = match port {
            Some(port) => u32::from(u16::try_from(port).ok()?) + 1,
            None => 0,
        };
        Some(RolledService(
            is_ipv6 << VERSION_AT | u32::from(protocol) << PROTOCOL_AT | port,
        ))
    }

    /// The bits, for storage.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The service with the bits of another.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        RolledService(bits)
    }

    /// Whether the IP version is 6, not 4.
    pub(crate) const fn is_ipv6(self) -> bool {
        self.0 >> VERSION_AT != 0
    }

    /// 4 or 6.
    pub(crate) const fn ip_version(self) -> u8 {
        if self.is_ipv6() { 6 } else { 4 }
    }

    /// The number of the protocol.
    pub(crate) const fn protocol(self) -> u8 {
        (self.0 >> PROTOCOL_AT) as u8
    }

    /// The port, where the protocol has one.
    pub(crate) const fn port(self) -> Option<u16> {
        match self.0 & ((1 << PROTOCOL_AT) - 1) {
            0 => None,
            port => Some((port - 1) as u16),
        }
    }
}

/// The texts of a row: the numbers of traffic type, class, tool, actor and country.
pub(crate) type RolledTexts = [u32; 5];

/// The rows of a row group, a column each.
#[derive(Debug, Default)]
pub(crate) struct RolledSums {
    pub services: Vec<RolledService>,
    /// The number of each row's texts.
    pub kinds: Vec<u32>,
    pub packets: Vec<i64>,
    pub bytes: Vec<i64>,
    pub sources: Vec<u64>,
    /// The serialized sketches, one after the other, and where each ends.
    pub sketches: Vec<u8>,
    pub ends: Vec<usize>,
}

impl RolledSums {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.services.len()
    }

    /// Removes all rows, and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.services.clear();
        self.kinds.clear();
        self.packets.clear();
        self.bytes.clear();
        self.sources.clear();
        self.sketches.clear();
        self.ends.clear();
    }

    fn sketches(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let sketch = &self.sketches[start..end];
            start = end;
            sketch
        })
    }
}

/// A row group with what all its rows have, and what their numbers mean.
#[derive(Debug)]
pub(crate) struct RolledRows<'r> {
    /// The day, or the month's first, counted from 1970-01-01.
    pub day: i64,
    pub sensor: &'r str,
    pub hours: i64,
    pub sums: &'r RolledSums,
    pub kinds: &'r [RolledTexts],
    pub texts: &'r [Arc<str>],
}

impl RolledRows<'_> {
    fn fill_texts(&self, slot: Slot<'_>, place: usize) -> Filled {
        let kinds = self.sums.kinds.iter();
        let numbers = kinds.map(|kind| self.kinds[*kind as usize][place]);
        slot.known_texts(numbers, self.texts.len(), |number| {
            self.texts[number as usize].as_bytes()
        })
    }

    fn fill_few(&self, slot: Slot<'_>, value: impl Fn(RolledService) -> u8) -> Filled {
        let services = self.sums.services.iter();
        slot.few_integers(services.map(|service| i64::from(value(*service))))
    }
}

pub(super) const DAY: Column = Column::new(
    "day",
    Date,
    "The day, of the time zone that the metadata's timezone names.",
)
.holding(Holds::Date);
pub(super) const MONTH: Column = Column::new(
    "month",
    Date,
    "The first day of the month, of the time zone that the metadata's timezone names.",
)
.holding(Holds::Date);
pub(super) const HOURS: Column = Column::new(
    "hours",
    Int64,
    "Hours of the period that have rows of this sensor.",
)
.holding(COUNTED);

/// Fills one column from the rows of a group.
type RolledUpFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g RolledRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<RolledUpFill>] = &[
    ColumnRow {
        column: DAY,
        fill: |slot, rows| slot.constant_integer(rows.day),
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, rows| slot.constant_text(rows.sensor),
    },
    ColumnRow {
        column: IP_VERSION,
        fill: |slot, rows| rows.fill_few(slot, RolledService::ip_version),
    },
    ColumnRow {
        column: PROTOCOL,
        fill: |slot, rows| rows.fill_few(slot, RolledService::protocol),
    },
    ColumnRow {
        column: PORT,
        fill: |slot, rows| {
            let services = rows.sums.services.iter();
            slot.sparse(services.map(|service| service.port().map(i64::from)))
        },
    },
    ColumnRow {
        column: TRAFFIC_TYPE,
        fill: |slot, rows| rows.fill_texts(slot, 0),
    },
    ColumnRow {
        column: CLASS,
        fill: |slot, rows| rows.fill_texts(slot, 1),
    },
    ColumnRow {
        column: TOOL,
        fill: |slot, rows| rows.fill_texts(slot, 2),
    },
    ColumnRow {
        column: ACTOR,
        fill: |slot, rows| rows.fill_texts(slot, 3),
    },
    ColumnRow {
        column: COUNTRY,
        fill: |slot, rows| rows.fill_texts(slot, 4),
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, rows| slot.integers_of([&rows.sums.packets[..]].into_iter(), |value| value),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, rows| slot.integers_of([&rows.sums.bytes[..]].into_iter(), |value| value),
    },
    ColumnRow {
        column: Column::new(
            "sources",
            Int64,
            "Distinct sources of the row by its sketch: as good as exact up to 384, above with a standard error of 1.6 %.",
        )
        .holding(NOT_NEGATIVE),
        fill: |slot, rows| slot.integers_of([&rows.sums.sources[..]].into_iter(), counted),
    },
    ColumnRow {
        column: SOURCES_SKETCH,
        fill: |slot, rows| slot.strings(rows.sums.sketches()),
    },
    ColumnRow {
        column: HOURS,
        fill: |slot, rows| slot.constant_integer(rows.hours),
    },
];

/// The columns of a month.
pub(super) const MONTHLY: [Column; ROWS.len()] = {
    let mut columns = super::columns::<_, { ROWS.len() }>(ROWS);
    columns[0] = MONTH;
    columns
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_what_it_was_made_of_in_its_order() {
        let ports = [None, Some(0), Some(1), Some(65_535)];
        let all = [4, 6].iter().flat_map(|version| {
            let protocols = [0, 1, 6, 17, 255].iter();
            protocols.flat_map(move |protocol| ports.map(|port| (*version, *protocol, port)))
        });
        let all: Vec<(i32, i32, Option<i32>)> = all.collect();
        let services: Vec<RolledService> = all
            .iter()
            .filter_map(|&(version, protocol, port)| RolledService::new(version, protocol, port))
            .collect();
        assert!(services.is_sorted() && services.len() == all.len());
        for (service, (version, protocol, port)) in services.iter().zip(all) {
            assert_eq!(i32::from(service.ip_version()), version);
            assert_eq!(i32::from(service.protocol()), protocol);
            assert_eq!(service.port().map(i32::from), port);
            assert_eq!(RolledService::from_bits(service.bits()), *service);
        }
        for (version, protocol, port) in [
            (5, 6, None),
            (4, 256, None),
            (4, -1, None),
            (4, 6, Some(65_536)),
            (6, 6, Some(-1)),
        ] {
            assert_eq!(RolledService::new(version, protocol, port), None);
        }
    }
}
