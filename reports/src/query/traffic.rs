//! Reads the `traffic` of hours into the tallies. This is the hot loop of a report: a few merges of small sets per row.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::Array;
use teiten_aggregator::schema::names;
use teiten_observation::{Class, Tool, TrafficType};

use super::answer::Port;
use super::rows::{self, Columns};
use super::{Answer, DamagedFile, Job, PortRole, Protocol, SourceGroup, Tally};

const COLUMNS: &[&str] = &[
    names::SENSOR,
    names::IP_VERSION,
    names::PROTOCOL,
    names::PORT,
    names::TRAFFIC_TYPE,
    names::CLASS,
    names::TOOL,
    names::ACTOR,
    names::COUNTRY,
    names::PACKETS,
    names::BYTES,
    names::SOURCES_SKETCH,
];

/// Reads these hours, counted from the first of the period.
pub(super) fn read(job: &Job<'_>, hours: &Range<usize>, part: &mut Answer) {
    let absolute = job.first_hour + hours.start as i64..job.first_hour + hours.end as i64;
    let mut days = BTreeSet::new();
    for (hour, files) in job.traffic.range(absolute.clone()) {
        let index = (hour - job.first_hour) as usize;
        for file in files {
            let result = match file.is_whole_day {
                true if !days.insert(&file.path) => continue,
                true => rows::read_hours(file, &absolute, COLUMNS, part, |batch, part| {
                    batch.by_hour(|hour, rows| {
                        add(job, (hour - job.first_hour) as usize, rows, part)
                    })
                }),
                false => rows::read(&file.path, COLUMNS, part, |batch, part| {
                    add(job, index, batch, part)
                }),
            };
            if let Err(reason) = result {
                part.damaged.push(DamagedFile {
                    path: file.path.clone(),
                    reason,
                });
            }
        }
    }
}

fn add(job: &Job<'_>, hour: usize, batch: &Columns<'_>, part: &mut Answer) -> Result<(), String> {
    let covered = &part.hours[hour].seconds;
    let sensors = batch.text(names::SENSOR, |name| {
        Ok(RowUse::of(name, job, covered.contains_key(name)))
    })?;
    let types = batch.text(names::TRAFFIC_TYPE, |name| {
        TrafficType::from_name(name).ok_or_else(|| rows::unknown(names::TRAFFIC_TYPE, name))
    })?;
    let classes = batch.text(names::CLASS, |name| {
        Class::from_name(name).ok_or_else(|| rows::unknown(names::CLASS, name))
    })?;
    let tools = batch.text(names::TOOL, |name| {
        Tool::from_name(name).ok_or_else(|| rows::unknown(names::TOOL, name))
    })?;
    let countries = batch.countries()?;
    let (versions, protocols, ports) = (
        batch.int32(names::IP_VERSION)?,
        batch.int32(names::PROTOCOL)?,
        batch.int32(names::PORT)?,
    );
    let (packets, bytes) = (
        batch.int64(names::PACKETS)?.values(),
        batch.int64(names::BYTES)?.values(),
    );
    let sketches = batch.bytes(names::SOURCES_SKETCH)?;
    let actors = batch.text(names::ACTOR, |name| Ok(name.to_owned()))?;
    let bucket = job.bucket_of_hour[hour];
    let day = job.day_of_hour[hour];
    for row in 0..batch.rows() {
        let sensor = match sensors.at(row) {
            RowUse::Counted(sensor) => sensor,
            RowUse::NotAsked => continue,
            RowUse::Uncovered => {
                part.uncovered_packets += packets[row];
                continue;
            }
        };
        let ipv6 = versions.value(row) == 6;
        let fact = RowFacts {
            packets: packets[row],
            packets_ipv6: if ipv6 { packets[row] } else { 0 },
            bytes: bytes[row],
            sketch: sketches.value(row),
        };
        let class = *classes.at(row);
        let group = SourceGroup::of(class);
        fact.add_to(&mut part.classes[class as usize])?;
        fact.add_hosts_to(&mut part.traffic_types[*types.at(row) as usize], group)?;
        fact.add_hosts_to(&mut part.tools[*tools.at(row) as usize], group)?;
        fact.add_hosts_to(&mut part.families[usize::from(ipv6)], group)?;
        fact.add_to(
            part.countries
                .entry((group, *countries.at(row)))
                .or_default(),
        )?;
        if let Some(service) = PortRole::of(class) {
            let port = Port {
                protocol: protocols.value(row) as u8,
                port: (!ports.is_null(row)).then(|| ports.value(row) as u16),
            };
            let tally = part.open.entry(day).or_default().entry((service, port));
            fact.add_to(tally.or_insert_with(Tally::small))?;
        }
        if let Some(tally) = part.sensors.get_mut(sensor) {
            fact.add_hosts_to(&mut tally.tally, group)?;
        }
        let slot = match group {
            SourceGroup::Host => Some(0),
            SourceGroup::Victim => Some(1),
            SourceGroup::Void => None,
        };
        if group == SourceGroup::Host && !actors.at(row).is_empty() {
            let actor = actors.at(row);
            if !part.actors.contains_key(actor) {
                part.actors.insert(actor.clone(), Tally::default());
            }
            if let Some(tally) = part.actors.get_mut(actor) {
                fact.add_to(tally)?;
            }
        }
        if let Some(slot) = slot {
            let distinct = &mut part.days[day];
            [&mut distinct.hosts, &mut distinct.victims][slot]
                .merge_image(fact.sketch)
                .map_err(|error| error.to_string())?;
            part.bucket_sources[bucket][slot]
                .merge_image(fact.sketch)
                .map_err(|error| error.to_string())?;
        }
        let cell = &mut part.hours[hour];
        cell.classes[class as usize] += fact.packets;
        cell.classes_ipv6[class as usize] += fact.packets_ipv6;
        cell.protocols[Protocol::of(protocols.value(row)) as usize] += fact.packets;
        cell.bytes += fact.bytes;
    }
    Ok(())
}

/// Whether a sensor's rows count.
enum RowUse {
    Counted(String),
    /// Another sensor was asked for.
    NotAsked,
    /// The sensor has no coverage in this hour: the hour does not exist for it.
    Uncovered,
}

impl RowUse {
    fn of(name: &str, job: &Job<'_>, covered: bool) -> Self {
        if !job.wants(name) {
            RowUse::NotAsked
        } else if covered {
            RowUse::Counted(name.to_owned())
        } else {
            RowUse::Uncovered
        }
    }
}

/// The values that one row adds to its tallies.
struct RowFacts<'a> {
    packets: i64,
    packets_ipv6: i64,
    bytes: i64,
    sketch: &'a [u8],
}

impl RowFacts<'_> {
    /// Adds packets and bytes, and the sources only if they are hosts: tables of hosts leave out victims and void addresses.
    fn add_hosts_to(&self, tally: &mut Tally, group: SourceGroup) -> Result<(), String> {
        if group == SourceGroup::Host {
            return self.add_to(tally);
        }
        tally.packets += self.packets;
        tally.packets_ipv6 += self.packets_ipv6;
        tally.bytes += self.bytes;
        Ok(())
    }

    fn add_to(&self, tally: &mut Tally) -> Result<(), String> {
        tally.packets += self.packets;
        tally.packets_ipv6 += self.packets_ipv6;
        tally.bytes += self.bytes;
        tally
            .sources
            .merge_image(self.sketch)
            .map_err(|error| error.to_string())
    }
}
