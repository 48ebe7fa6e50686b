//! Reads the `coverage` of one hour: the observed seconds of each sensor, the number of addresses, and the counters.

use std::collections::BTreeMap;

use arrow::array::Array as _;
use teiten_aggregator::counter::COUNTERS;
use teiten_aggregator::schema::names;
use teiten_aggregator::whole_day::PartOfHour;

use super::rows::{self, Columns};
use super::{Accounting, Answer, DamagedFile, Job};

const MINUTE_US: i64 = 60_000_000;
const IPV4_ADDRESSES: i64 = 1 << 32;
/// The telescope's size by family, which other writers of datasets may not give: theirs is then told by `addresses` alone.
const BY_FAMILY: [&str; 2] = [names::ADDRESSES_IPV4, names::ADDRESSES_IPV6];

/// Observed seconds and addresses of each minute, by sensor; two runs of a sensor in one minute share its sixty seconds.
type Minutes = BTreeMap<String, [Minute; 60]>;

#[derive(Clone, Copy, Default)]
struct Minute {
    seconds: i64,
    /// Of IPv4; `None` if the telescope's size is not known.
    addresses: Option<i64>,
    addresses_ipv6: f64,
}

pub(super) fn read(job: &Job<'_>, hour: usize, files: &[PartOfHour], part: &mut Answer) {
    let columns: Vec<&str> = [
        names::MINUTE_START,
        names::SENSOR,
        names::ADDRESSES,
        names::SECONDS,
    ]
    .iter()
    .copied()
    .chain(COUNTERS.iter().map(|counter| counter.name))
    .collect();
    let mut minutes = Minutes::new();
    for file in files {
        let path = file.part.place();
        let result = rows::read_with(path, &columns, &BY_FAMILY, part, |batch, part| {
            add(job, hour, batch, part, &mut minutes)
        });
        if let Err(reason) = result {
            part.damaged.push(DamagedFile {
                path: path.to_owned(),
                reason,
            });
        }
    }
    for (sensor, minutes) in minutes {
        add_minutes(job.first_hour + hour as i64, hour, &sensor, &minutes, part);
    }
}

fn add(
    job: &Job<'_>,
    hour: usize,
    batch: &Columns<'_>,
    part: &mut Answer,
    minutes: &mut Minutes,
) -> Result<(), String> {
    let starts = batch.timestamps(names::MINUTE_START)?;
    let sensors = batch.text(names::SENSOR, |name| Ok(name.to_owned()))?;
    let addresses = batch.int64(names::ADDRESSES)?;
    let ipv4 = batch.int64_if_there(BY_FAMILY[0])?;
    let ipv6 = batch.float64_if_there(BY_FAMILY[1])?;
    let seconds = batch.int64(names::SECONDS)?;
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
        let known = match (ipv4, ipv6) {
            (Some(ipv4), Some(ipv6)) if ipv4.is_valid(row) && ipv6.is_valid(row) => {
                Some((ipv4.value(row), ipv6.value(row)))
            }
            _ if addresses.is_null(row) => None,
            // More than IPv4 has: the telescope is one of IPv6.
            _ if addresses.value(row) > IPV4_ADDRESSES => Some((0, addresses.value(row) as f64)),
            _ => Some((addresses.value(row), 0.0)),
        };
        if let Some((ipv4, ipv6)) = known {
            let ipv4 = ipv4.clamp(0, IPV4_ADDRESSES);
            minute.addresses = minute.addresses.max(Some(ipv4));
            minute.addresses_ipv6 = minute.addresses_ipv6.max(ipv6);
        }
    }
    Ok(())
}

fn add_minutes(
    absolute: i64,
    hour: usize,
    sensor: &str,
    minutes: &[Minute; 60],
    part: &mut Answer,
) {
    let total: i64 = minutes.iter().map(|minute| minute.seconds).sum();
    let cell = &mut part.hours[hour];
    cell.seconds.insert(sensor.to_owned(), total);
    let tally = part.sensors.entry(sensor.to_owned()).or_default();
    tally.seconds += total;
    tally.saw_hours(absolute, absolute);
    for minute in minutes.iter().filter(|minute| minute.seconds > 0) {
        match minute.addresses {
            // Packets of IPv6 are never divided by addresses, so a telescope of IPv6 alone adds none.
            Some(addresses) => {
                let product = i128::from(addresses) * i128::from(minute.seconds);
                tally.address_seconds += product;
                cell.address_seconds += product;
                tally.saw_addresses(addresses, addresses);
                tally.addresses_ipv6 = tally.addresses_ipv6.max(minute.addresses_ipv6);
            }
            None => tally.seconds_without_size += minute.seconds,
        }
    }
}
