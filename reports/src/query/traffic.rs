//! Reads the `traffic` of hours into the tallies. This is the hot loop of a report: a few merges of small sets per row.

use std::collections::BTreeSet;
use std::ops::Range;

use teiten_aggregator::schema::names;
use teiten_observation::{Class, Tool, TrafficType};

use super::answer::{Port, TalliedPort};
use super::distinct::SourceSketch;
use super::rows::{self, Columns};
use super::tally::family_of;
use super::{Answer, DamagedFile, HourTally, Job, PortRole, Protocol, SourceGroup, Tally};

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
            let result = match file.held.is_some() {
                true if !days.insert(&file.part) => continue,
                true => rows::read_hours(file, &absolute, COLUMNS, part, |batch, part| {
                    batch.by_hour(|hour, rows| {
                        add(job, (hour - job.first_hour) as usize, rows, part)
                    })
                }),
                false => rows::read(file.part.place(), COLUMNS, part, |batch, part| {
                    add(job, index, batch, part)
                }),
            };
            if let Err(reason) = result {
                part.damaged.push(DamagedFile {
                    path: file.part.place().to_owned(),
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
        batch.ports()?,
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
        for role in PortRole::of(class) {
            let port = Port {
                protocol: protocols.value(row) as u8,
                port: ports.at(row),
            };
            let key = TalliedPort {
                family: family_of(versions.value(row)),
                role: *role,
                port,
            };
            let tally = part.open.entry(day).or_default().entry(key);
            fact.add_to(tally.or_insert_with(Tally::small))?;
        }
        if let Some(tally) = part.sensors.get_mut(sensor) {
            fact.add_hosts_to(&mut tally.tally, group)?;
        }
        if group == SourceGroup::Host && !actors.at(row).is_empty() {
            let actor = actors.at(row);
            if !part.actors.contains_key(actor) {
                part.actors.insert(actor.clone(), Tally::default());
            }
            if let Some(tally) = part.actors.get_mut(actor) {
                fact.add_to(tally)?;
            }
        }
        fact.add_sources(group, day, bucket, part)?;
        let protocol = Protocol::of(protocols.value(row));
        fact.add_hour(class, protocol, &mut part.hours[hour]);
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
pub(super) struct RowFacts<'a> {
    pub packets: i64,
    pub packets_ipv6: i64,
    pub bytes: i64,
    pub sketch: &'a [u8],
}

impl RowFacts<'_> {
    /// Adds packets and bytes, and the sources only if they are hosts: tables of hosts leave out victims and void addresses.
    ///
    /// # Errors
    /// As of every method here, when the sketch is damaged.
    pub(super) fn add_hosts_to(&self, tally: &mut Tally, group: SourceGroup) -> Result<(), String> {
        if group == SourceGroup::Host {
            return self.add_to(tally);
        }
        tally.packets += self.packets;
        tally.packets_ipv6 += self.packets_ipv6;
        tally.bytes += self.bytes;
        Ok(())
    }

    /// Adds packets, bytes and sources.
    ///
    /// # Errors
    /// See [`RowFacts::add_hosts_to`].
    pub(super) fn add_to(&self, tally: &mut Tally) -> Result<(), String> {
        tally.packets += self.packets;
        tally.packets_ipv6 += self.packets_ipv6;
        tally.bytes += self.bytes;
        self.add_sources_to(&mut tally.sources)
    }

    /// Adds the sources to those of a day and a bucket.
    ///
    /// # Errors
    /// See [`RowFacts::add_hosts_to`].
    pub(super) fn add_sources(
        &self,
        group: SourceGroup,
        day: usize,
        bucket: usize,
        part: &mut Answer,
    ) -> Result<(), String> {
        let slot = match group {
            SourceGroup::Host => 0,
            SourceGroup::Victim => 1,
            SourceGroup::Void => return Ok(()),
        };
        let distinct = &mut part.days[day];
        self.add_sources_to([&mut distinct.hosts, &mut distinct.victims][slot])?;
        self.add_sources_to(&mut part.bucket_sources[bucket][slot])
    }

    fn add_sources_to(&self, sources: &mut SourceSketch) -> Result<(), String> {
        sources
            .merge_image(self.sketch)
            .map_err(|error| error.to_string())
    }

    /// Adds packets and bytes to those of an hour.
    pub(super) fn add_hour(&self, class: Class, protocol: Protocol, hour: &mut HourTally) {
        hour.classes[class as usize] += self.packets;
        hour.classes_ipv6[class as usize] += self.packets_ipv6;
        hour.protocols[protocol as usize] += self.packets;
        hour.bytes += self.bytes;
    }
}
