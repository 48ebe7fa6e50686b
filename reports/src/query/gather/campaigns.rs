//! Reads the table `campaigns_daily`.

use std::path::Path;

use teiten_aggregator::schema::names;

use crate::query::Answer;
use crate::query::rolled_up::Came;
use crate::query::rolled_up::campaigns::CampaignOfDay;
use crate::query::rows::{self, Columns, unknown};

const COLUMNS: &[&str] = &[
    names::DAY,
    names::SENSOR,
    names::ID,
    names::STATE,
    names::PROTOCOL,
    names::PORTS,
    names::TOOL,
    names::STACK_SIGNATURE,
    names::PAYLOAD,
    names::ACTOR,
    names::SOURCES,
    names::PACKETS,
    names::COUNTRIES,
    names::NETWORKS,
    names::FIRST_DAY,
    names::INFECTED,
    names::WHY,
];

/// Reads a day of a sensor into `found`.
///
/// # Errors
/// The reason as text, when the file is damaged, lacks a column or holds a word that is not known.
pub(super) fn read(
    path: &Path,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<CampaignOfDay>,
) -> Result<(), String> {
    rows::read(path, COLUMNS, answer, |batch, _| add(batch, wants, found))
}

fn add(
    batch: &Columns<'_>,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<CampaignOfDay>,
) -> Result<(), String> {
    let text = |name: &str| batch.text(name, |text| Ok(text.to_owned()));
    let (ids, sensors) = (text(names::ID)?, text(names::SENSOR)?);
    let came = batch.text(names::STATE, |name| {
        Came::from_name(name).ok_or_else(|| unknown(names::STATE, name))
    })?;
    let (ports, tools, stacks) = (
        text(names::PORTS)?,
        text(names::TOOL)?,
        text(names::STACK_SIGNATURE)?,
    );
    let (payloads, actors) = (text(names::PAYLOAD)?, text(names::ACTOR)?);
    let (countries, whys) = (text(names::COUNTRIES)?, text(names::WHY)?);
    let (days, first_days) = (batch.dates(names::DAY)?, batch.dates(names::FIRST_DAY)?);
    let (protocols, networks) = (batch.int32(names::PROTOCOL)?, batch.int32(names::NETWORKS)?);
    let (sources, packets) = (batch.int64(names::SOURCES)?, batch.int64(names::PACKETS)?);
    let infected = batch.booleans(names::INFECTED)?;
    for row in 0..batch.rows() {
        if !wants(sensors.at(row)) {
            continue;
        }
        found.push(CampaignOfDay {
            day: i64::from(days[row]),
            sensor: sensors.at(row).clone(),
            id: ids.at(row).clone(),
            came: *came.at(row),
            protocol: protocols.value(row) as u8,
            ports: ports.at(row).clone(),
            tool: tools.at(row).clone(),
            stack: stacks.at(row).clone(),
            payload: payloads.at(row).clone(),
            actor: actors.at(row).clone(),
            sources: sources.value(row),
            packets: packets.value(row),
            countries: countries.at(row).clone(),
            networks: networks.value(row),
            first_day: i64::from(first_days[row]),
            infected: infected.value(row),
            why: whys.at(row).clone(),
        });
    }
    Ok(())
}
