//! The columns of `coverage`: a row is a minute, with the counters of `counter.rs` between its time and its telescope.

use super::ColumnType::{Double, Int64, TimestampMicros};
use super::rows::joined;
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
pub(super) const ADDRESSES: Column = Column::new(
    "addresses",
    Int64,
    "Dark addresses of the telescope: of IPv4, or of IPv6 where it has no IPv4 (9223372036854775807 stands for more); null where unknown.",
)
.holding(NOT_NEGATIVE)
.or_null();
pub(super) const SECONDS: Column = Column::new(
    "seconds",
    Int64,
    "Seconds of the minute in which the sensor observed, 0 to 60.",
)
.holding(Holds::Between(0, 60));
pub(super) const ADDRESSES_IPV4: Column = Column::new(
    "addresses_ipv4",
    Int64,
    "Dark IPv4 addresses of the telescope, 0 where it has none; null where unknown.",
)
.holding(NOT_NEGATIVE)
.or_null();
pub(super) const ADDRESSES_IPV6: Column = Column::new(
    "addresses_ipv6",
    Double,
    "Dark IPv6 addresses of the telescope, 0 where it has none; null where unknown. The metadata tells all digits.",
)
.or_null();

/// The columns, and how they are filled.
pub(crate) const ROWS: &[CoverageRow] =
    &joined::<_, { FIRST.len() + COUNTERS.len() + LAST.len() }>(&[FIRST, &OF_COUNTERS, LAST]);

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
        column: ADDRESSES,
        fill: |slot, rows| {
            let addresses = rows.addresses.map(TelescopeSize::addresses);
            slot.sparse(rows.minutes.iter().map(|_| addresses))
        },
    },
    ColumnRow {
        column: SECONDS,
        fill: |slot, rows| slot.integers(rows.minutes.iter().map(|minute| minute.seconds as i64)),
    },
    ColumnRow {
        column: ADDRESSES_IPV4,
        fill: |slot, rows| {
            let addresses = rows.addresses.map(|size| size.ipv4 as i64);
            slot.sparse(rows.minutes.iter().map(|_| addresses))
        },
    },
    ColumnRow {
        column: ADDRESSES_IPV6,
        fill: |slot, rows| {
            let addresses = rows.addresses.map(|size| size.ipv6 as f64);
            slot.doubles(rows.minutes.iter().map(|_| addresses))
        },
    },
];

const OF_COUNTERS: [CoverageRow; COUNTERS.len()] = {
    let mut rows = [of_counter(0); COUNTERS.len()];
    let mut index = 0;
    while index < COUNTERS.len() {
        rows[index] = of_counter(index);
        index += 1;
    }
    rows
};

/// The column of a counter. The slot has its name, by which the filling finds the counter.
const fn of_counter(index: usize) -> CoverageRow {
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
