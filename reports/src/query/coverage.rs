//! Reads the `coverage` of one hour: the observed seconds of each sensor, the number of addresses, and the counters.

use std::collections::BTreeMap;
use std::path::PathBuf;

use teiten_aggregator::counter::COUNTERS;

use super::rows::{self, Columns};
use super::{Accounting, Answer, DamagedFile, Job};

const MINUTE_US: i64 = 60_000_000;
const IPV4_ADDRESSES: i64 = 1 << 32;

/// Observed seconds and addresses of each minute, by sensor; two runs of a sensor in one minute share its sixty seconds.
type Minutes = BTreeMap<String, [Minute; 60]>;

#[derive(Clone, Copy, Default)]
struct Minute {
    seconds: i64,
    addresses: Option<i64>,
}

pub(super) fn read(job: &Job<'_>, hour: usize, paths: &[PathBuf], part: &mut Answer) {
    let columns: Vec<&str> = ["minute_start", "sensor", "addresses", "seconds"]
        .iter()
        .copied()
        .chain(COUNTERS.iter().map(|counter| counter.name))
        .collect();
    let mut minutes = Minutes::new();
    for path in paths {
        let result = rows::read(path, &columns, part, |batch, part| {
            add(job, hour, batch, part, &mut minutes)
        });
        if let Err(reason) = result {
            part.damaged.push(DamagedFile {
                path: path.clone(),
                reason,
            });
        }
    }
    for (sensor, minutes) in minutes {
        settle(job.first_hour + hour as i64, hour, &sensor, &minutes, part);
    }
}

fn add(
    job: &Job<'_>,
    hour: usize,
    batch: &Columns<'_>,
    part: &mut Answer,
    minutes: &mut Minutes,
) -> Result<(), String> {
    let starts = batch.timestamps("minute_start")?;
    let sensors = batch.text("sensor", |name| Ok(name.to_owned()))?;
    let addresses = batch.int64("addresses")?;
    let seconds = batch.int64("seconds")?;
    let counters = COUNTERS
        .iter()
        .map(|counter| batch.int64(counter.name))
        .collect::<Result<Vec<_>, String>>()?;
    for (row, start_us) in starts.iter().enumerate() {
        let sensor = sensors.at(row);
        if !part.sensors_seen.contains(sensor) {
            part.sensors_seen.insert(sensor.clone());
        }
        if !job.wants(sensor) {
            continue;
        }
        let mut minute = Accounting::default();
        for (count, values) in minute.numbers_mut().into_iter().zip(&counters) {
            *count = values.value(row);
        }
        let tally = part.sensors.entry(sensor.clone()).or_default();
        tally.accounting.add(&minute);
        part.hours[hour].observed += minute.observed;
        part.hours[hour].dropped += minute.dropped_kernel + minute.dropped_interface;
        let index = start_us.div_euclid(MINUTE_US).rem_euclid(60) as usize;
        let minute = &mut minutes
            .entry(sensor.clone())
            .or_insert([Minute::default(); 60])[index];
        minute.seconds = (minute.seconds + seconds.value(row).max(0)).min(60);
        if !arrow::array::Array::is_null(addresses, row) {
            minute.addresses = minute.addresses.max(Some(addresses.value(row)));
        }
    }
    Ok(())
}

fn settle(absolute: i64, hour: usize, sensor: &str, minutes: &[Minute; 60], part: &mut Answer) {
    let total: i64 = minutes.iter().map(|minute| minute.seconds).sum();
    let cell = &mut part.hours[hour];
    cell.seconds.insert(sensor.to_owned(), total);
    let tally = part.sensors.entry(sensor.to_owned()).or_default();
    tally.seconds += total;
    tally.saw_hours(absolute, absolute);
    for minute in minutes.iter().filter(|minute| minute.seconds > 0) {
        match minute.addresses {
            // More addresses than IPv4 has: this is an IPv6 telescope, whose packets are never divided by addresses.
            Some(addresses) if addresses <= IPV4_ADDRESSES => {
                let product = i128::from(addresses) * i128::from(minute.seconds);
                tally.address_seconds += product;
                cell.address_seconds += product;
                tally.saw_addresses(addresses, addresses);
            }
            _ => tally.seconds_without_size += minute.seconds,
        }
    }
}
