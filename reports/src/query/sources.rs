//! Reads `sources` day by day into `survey.rs`. Sources are kept for one day at a time, so memory is that of a day.

use std::net::IpAddr;
use std::ops::Range;

use arrow::array::Array;
use teiten_aggregator::schema::names;
use teiten_aggregator::survey::{AskedRow, SurveySource, SurveySums};
use teiten_aggregator::whole_day::PartOfHour;
use teiten_observation::Tool;

use super::port_map::PortMap;
use super::rows::{self, Columns};
use super::tally::{Map, Port};
use super::{Answer, DamagedFile, Job};

type Sources = Map<u128, SurveySource>;

/// Reads a day: its sources first, then the ports of those that turned out to be survey scanners.
pub(crate) fn read(
    job: &Job<'_>,
    day: usize,
    (files, hours): (&[&PartOfHour], &Range<i64>),
    part: &mut Answer,
) {
    let mut sources = Sources::default();
    let mut total = 0;
    for file in files {
        let result = rows::read_hours(file, hours, COLUMNS, part, |batch, _| {
            gather(job, batch, &mut sources, &mut total)
        });
        if let Err(reason) = result {
            part.damaged.push(DamagedFile {
                path: file.part.place().to_owned(),
                reason,
            });
        }
    }
    let mut sums = SurveySums::default();
    sources.values().for_each(|source| sums.add(source));
    part.survey.days[day] = sums.finish(total);
    let mut ports = std::mem::take(&mut part.survey.ports);
    for file in files {
        // Files that cannot be read were reported above.
        let _ = rows::read_hours(file, hours, COLUMNS, part, |batch, _| {
            add_ports(job, batch, &sources, &mut ports)
        });
    }
    part.survey.ports = ports;
}

const COLUMNS: &[&str] = &[
    names::SENSOR,
    names::SRC_IP,
    names::IP_VERSION,
    names::PROTOCOL,
    names::PORT,
    names::CLASS,
    names::TOOL,
    names::ACTOR,
    names::COUNTRY,
    names::ASN,
    names::PACKETS,
];

/// An address as a number; `None` for a prefix into which small sources were folded.
fn address(text: &str) -> Option<u128> {
    match text.parse().ok()? {
        IpAddr::V4(address) => Some(u128::from(u32::from(address))),
        IpAddr::V6(address) => Some(u128::from(address)),
    }
}

fn gather(
    job: &Job<'_>,
    batch: &Columns<'_>,
    sources: &mut Sources,
    total: &mut i64,
) -> Result<(), String> {
    let sensors = batch.text(names::SENSOR, |name| Ok(job.wants(name)))?;
    let addresses = batch.text(names::SRC_IP, |text| Ok(address(text)))?;
    let asking = batch.asking()?;
    let mirai = batch.text(names::TOOL, |name| Ok(name == Tool::Mirai.name()))?;
    let named = batch.text(names::ACTOR, |name| Ok(!name.is_empty()))?;
    let countries = batch.countries()?;
    let (versions, protocols, ports) = (
        batch.int32(names::IP_VERSION)?,
        batch.int32(names::PROTOCOL)?,
        batch.int32(names::PORT)?,
    );
    let (packets, asns) = (batch.int64(names::PACKETS)?, batch.int64(names::ASN)?);
    for row in 0..batch.rows() {
        if !sensors.at(row) || !asking.at(row) || versions.value(row) != 4 {
            continue;
        }
        *total += packets.value(row);
        let Some(address) = *addresses.at(row) else {
            continue;
        };
        let source = sources.entry(address).or_default();
        source.add(AskedRow {
            protocol: protocols.value(row) as u8,
            port: (!ports.is_null(row)).then(|| ports.value(row) as u16),
            packets: packets.value(row),
            is_named: *named.at(row),
            is_mirai: *mirai.at(row),
            country: *countries.at(row),
            asn: if asns.is_null(row) {
                0
            } else {
                asns.value(row)
            },
        });
    }
    Ok(())
}

fn add_ports(
    job: &Job<'_>,
    batch: &Columns<'_>,
    sources: &Sources,
    found: &mut PortMap<i64>,
) -> Result<(), String> {
    let sensors = batch.text(names::SENSOR, |name| Ok(job.wants(name)))?;
    let surveys = batch.text(names::SRC_IP, |text| {
        let source = address(text).and_then(|address| sources.get(&address));
        Ok(source.is_some_and(SurveySource::surveys))
    })?;
    let asking = batch.asking()?;
    let (versions, protocols, ports) = (
        batch.int32(names::IP_VERSION)?,
        batch.int32(names::PROTOCOL)?,
        batch.int32(names::PORT)?,
    );
    let packets = batch.int64(names::PACKETS)?;
    for row in 0..batch.rows() {
        if *sensors.at(row) && *asking.at(row) && *surveys.at(row) && versions.value(row) == 4 {
            let port = Port {
                protocol: protocols.value(row) as u8,
                port: (!ports.is_null(row)).then(|| ports.value(row) as u16),
            };
            *found.at(port, || 0) += packets.value(row);
        }
    }
    Ok(())
}
