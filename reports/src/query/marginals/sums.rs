//! The rows of `marginals_daily`: packets by hour, traffic type, tool, organisation and country, each with IP version and class.

use teiten_aggregator::columns::{PartColumns, unknown};
use teiten_aggregator::schema::{Marginal, names};
use teiten_observation::{Class, Tool, TrafficType};

use crate::period::HOUR_US;
use crate::query::traffic::RowFacts;
use crate::query::{Answer, Job, Protocol, SourceGroup, Tally};

/// What a row sums by.
#[derive(Clone, Debug)]
enum SummedBy {
    /// Hour of the period and protocol.
    Hour(usize, u8),
    Type(TrafficType),
    Tool(Tool),
    /// Empty if no organisation is known.
    Actor(String),
    Country([u8; 2]),
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct SummedRow {
    by: SummedBy,
    is_ipv6: bool,
    class: Class,
    packets: i64,
    bytes: i64,
    sketch: Vec<u8>,
}

impl SummedRow {
    fn facts(&self) -> RowFacts<'_> {
        RowFacts {
            packets: self.packets,
            packets_ipv6: if self.is_ipv6 { self.packets } else { 0 },
            bytes: self.bytes,
            sketch: &self.sketch,
        }
    }
}

const COLUMNS: &[&str] = &[
    names::PROPERTY,
    names::HOUR_START,
    names::IP_VERSION,
    names::CLASS,
    names::PROTOCOL,
    names::VALUE,
    names::PACKETS,
    names::BYTES,
    names::SOURCES_SKETCH,
];

/// Reads the rows; `first_hour` is the first of the period.
///
/// # Errors
/// The reason as text, when the part is damaged or of a newer program.
pub(super) fn read(part: PartColumns, first_hour: i64) -> Result<Vec<SummedRow>, String> {
    let mut rows = Vec::new();
    part.read(COLUMNS, &[], |batch| {
        let properties = batch.text(names::PROPERTY, |name| {
            Marginal::from_name(name).ok_or_else(|| unknown(names::PROPERTY, name))
        })?;
        let classes = batch.text(names::CLASS, |name| {
            Class::from_name(name).ok_or_else(|| unknown(names::CLASS, name))
        })?;
        let values = batch.text(names::VALUE, |name| Ok(name.to_owned()))?;
        let starts = batch.timestamps(names::HOUR_START)?;
        let (versions, protocols) = (
            batch.int32(names::IP_VERSION)?,
            batch.int32(names::PROTOCOL)?,
        );
        let (packets, bytes) = (batch.int64(names::PACKETS)?, batch.int64(names::BYTES)?);
        let sketches = batch.bytes(names::SOURCES_SKETCH)?;
        for (row, start_us) in starts.iter().enumerate() {
            let value = values.at(row);
            let wrong = || unknown(names::VALUE, value);
            let by = match properties.at(row) {
                Marginal::Hour => {
                    let hour = start_us.div_euclid(HOUR_US) - first_hour;
                    let hour = usize::try_from(hour).map_err(|_| wrong())?;
                    SummedBy::Hour(hour, protocols.value(row) as u8)
                }
                Marginal::TrafficType => {
                    SummedBy::Type(TrafficType::from_name(value).ok_or_else(wrong)?)
                }
                Marginal::Tool => SummedBy::Tool(Tool::from_name(value).ok_or_else(wrong)?),
                Marginal::Actor => SummedBy::Actor(value.clone()),
                Marginal::Country => {
                    SummedBy::Country(value.as_bytes().try_into().unwrap_or(*b"ZZ"))
                }
            };
            rows.push(SummedRow {
                by,
                is_ipv6: versions.value(row) == 6,
                class: *classes.at(row),
                packets: packets.value(row),
                bytes: bytes.value(row),
                sketch: sketches.value(row).to_vec(),
            });
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The hours that have rows, counted from the first of the period.
pub(super) fn hours(rows: &[SummedRow]) -> impl Iterator<Item = usize> + '_ {
    rows.iter().filter_map(|row| match row.by {
        SummedBy::Hour(hour, _) => Some(hour),
        _ => None,
    })
}

/// Whether every sketch can be merged.
///
/// # Errors
/// When one is damaged.
pub(super) fn check(rows: &[SummedRow]) -> Result<(), String> {
    let mut tally = Tally::default();
    rows.iter()
        .try_for_each(|row| row.facts().add_to(&mut tally))
}

/// Adds the rows of a sensor's day, as the rows of its hours are added.
///
/// # Errors
/// When a sketch is damaged.
pub(super) fn add(
    job: &Job<'_>,
    day: usize,
    sensor: &str,
    rows: &[SummedRow],
    part: &mut Answer,
) -> Result<(), String> {
    for row in rows {
        let (class, facts) = (row.class, row.facts());
        let group = SourceGroup::of(class);
        match &row.by {
            SummedBy::Hour(hour, protocol) => {
                add_hour(job, day, sensor, row, (*hour, *protocol), part)?;
            }
            SummedBy::Type(it) => {
                facts.add_hosts_to(&mut part.traffic_types[*it as usize], group)?;
            }
            SummedBy::Tool(it) => facts.add_hosts_to(&mut part.tools[*it as usize], group)?,
            SummedBy::Actor(name) => {
                if group == SourceGroup::Host && !name.is_empty() {
                    facts.add_to(part.actors.entry(name.clone()).or_default())?;
                }
            }
            SummedBy::Country(code) => {
                facts.add_to(part.countries.entry((group, *code)).or_default())?;
            }
        }
    }
    Ok(())
}

fn add_hour(
    job: &Job<'_>,
    day: usize,
    sensor: &str,
    row: &SummedRow,
    (hour, protocol): (usize, u8),
    part: &mut Answer,
) -> Result<(), String> {
    let (class, facts) = (row.class, row.facts());
    let group = SourceGroup::of(class);
    facts.add_to(&mut part.classes[class as usize])?;
    facts.add_hosts_to(&mut part.families[usize::from(row.is_ipv6)], group)?;
    if let Some(tally) = part.sensors.get_mut(sensor) {
        facts.add_hosts_to(&mut tally.tally, group)?;
    }
    facts.add_sources(group, day, job.bucket_of_hour[hour], part)?;
    facts.add_hour(class, Protocol::of(protocol.into()), &mut part.hours[hour]);
    Ok(())
}
