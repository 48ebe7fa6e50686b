//! The columns of `coverage`: a row is a minute, with the counters of `counter.rs` between its time and its telescope.

use super::ColumnType::{Double, Int64, TimestampMicros};
use super::{Column, ColumnRow, Filled, Holds, NOT_NEGATIVE, SENSOR, Slot, counted};
use crate::counter::{COUNTERS, MinuteCounts};
use crate::hour::Hour;
use crate::minute::MINUTE_US;
use teiten_observation::TelescopeSize;

/// A minute that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoverageMinute {
    /// Its number in the hour.
    pub minute: usize,
    /// What was counted in it.
    pub counts: MinuteCounts,
    /// Seconds of it that were observed.
    pub seconds: u64,
}

/// The minutes of an hour.
#[derive(Debug)]
pub(crate) struct CoverageRows<'r> {
    pub hour: Hour,
    pub sensor: &'r str,
    /// Dark addresses of the telescope by family, where known.
    pub addresses: Option<TelescopeSize>,
    pub minutes: Vec<CoverageMinute>,
}

type CoverageRow = ColumnRow<for<'e, 'g, 'r> fn(Slot<'e>, &'g CoverageRows<'r>) -> Filled>;

pub(super) const MINUTE_START: Column = Column::new(
    "minute_start",
    TimestampMicros,
    "Start of the minute in UTC, microseconds since 1970-01-01.",
)
.holding(Holds::Inside);
/// The columns, and how they are filled.
pub(crate) const ROWS: &[CoverageRow] =
    &with_counters::<{ FIRST.len() + COUNTERS.len() + LAST.len() }>();

const FIRST: &[CoverageRow] = &[
    ColumnRow {
        column: MINUTE_START,
        fill: |slot, rows| {
            let start = |minute: &CoverageMinute| {
                rows.hour
                    .start_us()
                    .saturating_add(minute.minute as i64 * MINUTE_US)
            };
            slot.integers(rows.minutes.iter().map(start))
        },
    },
    ColumnRow {
        column: SENSOR,
        fill: |slot, rows| slot.constant_text(rows.sensor),
    },
];

const LAST: &[CoverageRow] = &[
    ColumnRow {
        column: Column::new(
            "addresses",
            Int64,
            "Dark addresses of the telescope: of IPv4, or of IPv6 where it has no IPv4 (9223372036854775807 stands for more); null where unknown.",
        ).holding(NOT_NEGATIVE)
        .or_null(),
        fill: |slot, rows| {
            let addresses = rows.addresses.map(TelescopeSize::addresses);
            slot.sparse(rows.minutes.iter().map(|_| addresses))
        },
    },
    ColumnRow {
        column: Column::new(
            "seconds",
            Int64,
            "Seconds of the minute in which the sensor observed, 0 to 60.",
        ).holding(Holds::Between(0, 60)),
        fill: |slot, rows| slot.integers(rows.minutes.iter().map(|minute| minute.seconds as i64)),
    },
    ColumnRow {
        column: Column::new(
            "addresses_ipv4",
            Int64,
            "Dark IPv4 addresses of the telescope, 0 where it has none; null where unknown.",
        ).holding(NOT_NEGATIVE)
        .or_null(),
        fill: |slot, rows| {
            let addresses = rows.addresses.map(|size| size.ipv4 as i64);
            slot.sparse(rows.minutes.iter().map(|_| addresses))
        },
    },
    ColumnRow {
        column: Column::new(
            "addresses_ipv6",
            Double,
            "Dark IPv6 addresses of the telescope, 0 where it has none; null where unknown. The metadata tells all digits.",
        )
        .or_null(),
        fill: |slot, rows| {
            let addresses = rows.addresses.map(|size| size.ipv6 as f64);
            slot.doubles(rows.minutes.iter().map(|_| addresses))
        },
    },
];

/// A column for each counter; the slot knows which one it is.
const fn counter(index: usize) -> CoverageRow {
    ColumnRow {
        column: Column::new(COUNTERS[index].name, Int64, COUNTERS[index].meaning)
            .holding(NOT_NEGATIVE),
        fill: |slot, rows| {
            let is_it = |counter: &crate::counter::Counter| counter.name == slot.name();
            let index = COUNTERS.iter().position(is_it);
            let count = |minute: &CoverageMinute| {
                index.map_or(0, |index| counted(*minute.counts.numbers()[index]))
            };
            slot.integers(rows.minutes.iter().map(count))
        },
    }
}

const fn with_counters<const N: usize>() -> [CoverageRow; N] {
    let mut rows = [FIRST[0]; N];
    let mut index = 0;
    while index < N {
        rows[index] = if index < FIRST.len() {
            FIRST[index]
        } else if index < FIRST.len() + COUNTERS.len() {
            counter(index - FIRST.len())
        } else {
            LAST[index - FIRST.len() - COUNTERS.len()]
        };
        index += 1;
    }
    rows
}
