//! Reads `sources` day by day into `survey.rs`. Sources are kept for one day at a time, so memory is that of a day.

use std::net::IpAddr;
use std::ops::Range;

use arrow::array::Array;
use teiten_aggregator::schema::names;
use teiten_observation::Tool;

use super::layout::HourFile;
use super::rows::{self, Columns};
use super::survey::{DEFAULT_RULE, RULES, SEVERAL_PACKETS, SurveyDay, SurveyRule};
use super::tally::{Map, Port};
use super::{Answer, DamagedFile, Job};
use crate::text::service;

/// Distinct ports of a source are counted up to this number, above the largest threshold of [`RULES`].
const PORTS_MAX: usize = 101;

/// One source in a day.
#[derive(Default)]
struct DaySource {
    ports: Vec<u32>,
    packets: i64,
    named: bool,
    mirai: bool,
    device_packets: i64,
    country: [u8; 2],
    asn: i64,
}

impl DaySource {
    fn asks_for(&mut self, key: u32) {
        if self.ports.len() < PORTS_MAX
            && let Err(place) = self.ports.binary_search(&key)
        {
            self.ports.insert(place, key);
        }
    }

    fn falls_under(&self, rule: &SurveyRule) -> bool {
        self.ports.len() >= rule.ports && self.packets >= rule.packets
    }

    fn surveys(&self) -> bool {
        self.named || self.falls_under(&RULES[DEFAULT_RULE])
    }
}

type Sources = Map<u128, DaySource>;

/// Reads a day: its sources first, then the ports of those that turned out to be survey scanners.
pub(crate) fn read(
    job: &Job<'_>,
    day: usize,
    (files, hours): (&[&HourFile], &Range<i64>),
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
                path: file.path.clone(),
                reason,
            });
        }
    }
    part.survey.days[day] = summed(&sources, total);
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
        let (protocol, count) = (protocols.value(row), packets.value(row));
        source.packets += count;
        source.named |= named.at(row);
        source.mirai |= mirai.at(row);
        source.country = *countries.at(row);
        source.asn = if asns.is_null(row) {
            0
        } else {
            asns.value(row)
        };
        if !ports.is_null(row) {
            let port = ports.value(row);
            source.asks_for((protocol as u32) << 16 | port as u32);
            if service::find(protocol as u8, port as u16).is_some_and(|service| service.device) {
                source.device_packets += count;
            }
        }
    }
    Ok(())
}

fn add_ports(
    job: &Job<'_>,
    batch: &Columns<'_>,
    sources: &Sources,
    found: &mut Map<Port, i64>,
) -> Result<(), String> {
    let sensors = batch.text(names::SENSOR, |name| Ok(job.wants(name)))?;
    let surveys = batch.text(names::SRC_IP, |text| {
        let source = address(text).and_then(|address| sources.get(&address));
        Ok(source.is_some_and(DaySource::surveys))
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
            *found.entry(port).or_default() += packets.value(row);
        }
    }
    Ok(())
}

fn summed(sources: &Sources, total: i64) -> SurveyDay {
    let mut day = SurveyDay {
        known: true,
        hosts: sources.len() as i64,
        packets: total,
        ..SurveyDay::default()
    };
    let mut counts: Vec<i64> = Vec::with_capacity(sources.len());
    let mut networks: [Map<([u8; 2], i64), i64>; 2] = Default::default();
    let mut world_networks: [Map<i64, i64>; 2] = Default::default();
    for source in sources.values() {
        counts.push(source.packets);
        for (place, rule) in RULES.iter().enumerate() {
            if source.falls_under(rule) {
                day.rule_packets[place] += source.packets;
                day.rule_hosts[place] += 1;
            }
        }
        day.named_packets += if source.named { source.packets } else { 0 };
        let surveys = source.surveys();
        day.survey_packets += if surveys { source.packets } else { 0 };
        let kind = if source.mirai {
            0
        } else if source.device_packets * 2 > source.packets && !surveys {
            1
        } else {
            continue;
        };
        let several = i64::from(source.packets >= SEVERAL_PACKETS);
        let by_country = if kind == 0 {
            &mut day.mirai
        } else {
            &mut day.devices
        };
        for infected in [
            by_country.entry(source.country).or_default(),
            &mut day.world[kind],
        ] {
            infected.hosts += 1;
            infected.several += several;
        }
        if source.asn != 0 {
            *networks[kind]
                .entry((source.country, source.asn))
                .or_default() += 1;
            *world_networks[kind].entry(source.asn).or_default() += 1;
        }
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    day.top_packets = counts.iter().take(counts.len().div_ceil(100)).sum();
    for kind in 0..2 {
        day.world[kind].largest_network = world_networks[kind].values().copied().max().unwrap_or(0);
        let by_country = if kind == 0 {
            &mut day.mirai
        } else {
            &mut day.devices
        };
        for (&(country, _), &hosts) in &networks[kind] {
            if let Some(infected) = by_country.get_mut(&country) {
                infected.largest_network = infected.largest_network.max(hosts);
            }
        }
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ports: u32, packets: i64, named: bool) -> DaySource {
        let mut source = DaySource {
            packets,
            named,
            ..DaySource::default()
        };
        for port in 0..ports {
            source.asks_for(port);
            source.asks_for(port);
        }
        source
    }

    #[test]
    fn the_share_of_survey_scans_hangs_on_the_threshold() {
        let mut sources = Sources::default();
        for (address, one) in [
            source(9, 10, false),
            source(11, 20, false),
            source(30, 40, false),
            source(150, 80, false),
            source(1, 5, true),
        ]
        .into_iter()
        .enumerate()
        {
            sources.insert(address as u128, one);
        }
        let day = summed(&sources, 160);
        assert_eq!(day.rule_hosts, [3, 2, 1, 0]);
        assert_eq!(day.rule_packets, [140, 120, 80, 0]);
        assert_eq!((day.named_packets, day.survey_packets), (5, 125));
        assert_eq!(day.top_packets, 80);
    }
}
