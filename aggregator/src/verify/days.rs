//! Days against the hours they were made of: the same packets and bytes, as long as the hours are there.
//!
//! The last day of a sensor may be behind its hours, for more of them come; hours that were pruned are compared with nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::part::PartSums;
use super::{Finding, SumsByHour};
use crate::calendar::Calendar;
use crate::schema::{PORTS_DAILY, SOURCES, SOURCES_DAILY, TRAFFIC, TRAFFIC_DAILY, Table};
use crate::store::Period;

/// Tables of days that hold all packets of a table of hours.
const LAWS: [(&Table, &Table); 3] = [
    (&TRAFFIC_DAILY, &TRAFFIC),
    (&SOURCES_DAILY, &SOURCES),
    (&PORTS_DAILY, &SOURCES),
];

/// A day that was read.
#[derive(Clone, Debug)]
pub(super) struct DayRead {
    pub table: &'static Table,
    pub path: PathBuf,
    pub period: Period,
    pub sensor: String,
    pub zone: String,
    pub sums: PartSums,
}

/// What is wrong with days.
pub(super) fn compare_days(days: &[DayRead], hours: &SumsByHour) -> Vec<Finding> {
    let mut last = BTreeMap::<&str, Period>::new();
    for day in days {
        let known = last.entry(&day.sensor).or_insert(day.period);
        *known = day.period.max(*known);
    }
    let mut findings = Vec::new();
    for day in days {
        let Some((_, of_hours)) = LAWS
            .iter()
            .find(|(of_days, _)| of_days.name == day.table.name)
        else {
            continue;
        };
        let Some(sums) = sums_of(day, of_hours, hours) else {
            continue;
        };
        let counts = |sums: PartSums| (sums.packets, sums.bytes);
        if counts(sums) == counts(day.sums) || last.get(day.sensor.as_str()) == Some(&day.period) {
            continue;
        }
        findings.push(Finding {
            path: day.path.clone(),
            reason: format!(
                "it holds {} packets and {} bytes, {} of its hours {} and {}: run teiten-aggregator rollup",
                day.sums.packets, day.sums.bytes, of_hours.name, sums.packets, sums.bytes
            ),
        });
    }
    findings
}

/// What the hours of a day hold together; none where none of them is there.
fn sums_of(day: &DayRead, table: &Table, hours: &SumsByHour) -> Option<PartSums> {
    let calendar = Calendar::of(&day.zone).ok()?;
    let of_day = calendar.hours(day.period.first_hour().day()).ok()?;
    let mut all: Option<PartSums> = None;
    for hour in of_day {
        let folder = Period::Hour(crate::hour::Hour(hour)).folder();
        let sums = hours.get(&folder).and_then(|sensors| {
            let tables = sensors.get(&day.sensor)?;
            tables.get(table.name).copied()
        });
        if let Some(sums) = sums {
            all = Some(all.unwrap_or_default().add(sums)?);
        }
    }
    all
}
