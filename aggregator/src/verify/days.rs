//! Compares days with the hours that they were rolled up from: both must hold the same packets and bytes.
//!
//! The last day of a sensor may lag behind its hours, because hours are still added to it. Pruned hours are not compared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::part::PartSums;
use super::{Finding, SumsByHour};
use crate::calendar::Calendar;
use crate::schema::{
    MARGINALS_DAILY, Marginal, PORTS_DAILY, SOURCES, SOURCES_DAILY, TRAFFIC, TRAFFIC_DAILY, Table,
};
use crate::store::Period;

/// Each table of days that holds all packets of a table of hours, with that table, and how many times it does.
const LAWS: [(&Table, &Table, i64); 4] = [
    (&TRAFFIC_DAILY, &TRAFFIC, 1),
    (&MARGINALS_DAILY, &TRAFFIC, Marginal::ALL.len() as i64),
    (&SOURCES_DAILY, &SOURCES, 1),
    (&PORTS_DAILY, &SOURCES, 1),
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
        let Some((_, of_hours, times)) = LAWS
            .iter()
            .find(|(of_days, ..)| of_days.name == day.table.name)
        else {
            continue;
        };
        let Some(sums) = sums_of(day, of_hours, hours) else {
            continue;
        };
        let wanted = (
            sums.packets.saturating_mul(*times),
            sums.bytes.saturating_mul(*times),
        );
        if wanted == (day.sums.packets, day.sums.bytes)
            || last.get(day.sensor.as_str()) == Some(&day.period)
        {
            continue;
        }
        findings.push(Finding {
            path: day.path.clone(),
            reason: format!(
                "it holds {} packets and {} bytes, by {} of its hours these are {} and {}: run teiten-aggregator rollup",
                day.sums.packets, day.sums.bytes, of_hours.name, wanted.0, wanted.1
            ),
        });
    }
    findings
}

/// The sums of a day's hours; `None` without any hour.
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
