//! The rows of `survey_daily`.

use teiten_aggregator::columns::{PartColumns, unknown};
use teiten_aggregator::schema::{SurveyWhat, names};
use teiten_aggregator::survey::{Infected, SurveyDay};

use crate::query::tally::Port;

const COLUMNS: &[&str] = &[
    names::WHAT,
    names::VALUE,
    names::PROTOCOL,
    names::PORT,
    names::PACKETS,
    names::HOSTS,
    names::HOSTS_SEVERAL,
    names::LARGEST_NETWORK,
];

/// The statistics of a day, and the packets of survey scanners by port.
///
/// # Errors
/// The reason as text, when the part is damaged or of a newer program.
pub(super) fn read(part: PartColumns) -> Result<(SurveyDay, Vec<(Port, i64)>), String> {
    let mut day = SurveyDay {
        known: true,
        ..SurveyDay::default()
    };
    let mut found: Vec<(Port, i64)> = Vec::new();
    part.read(COLUMNS, &[], |batch| {
        let whats = batch.text(names::WHAT, |name| {
            SurveyWhat::from_name(name).ok_or_else(|| unknown(names::WHAT, name))
        })?;
        let values = batch.text(names::VALUE, |name| Ok(name.to_owned()))?;
        let (protocols, ports) = (batch.int32(names::PROTOCOL)?, batch.ports()?);
        let (packets, hosts) = (batch.int64(names::PACKETS)?, batch.int64(names::HOSTS)?);
        let several = batch.int64(names::HOSTS_SEVERAL)?;
        let largest = batch.int64(names::LARGEST_NETWORK)?;
        for row in 0..batch.rows() {
            let value = values.at(row);
            let (packets, hosts) = (packets.value(row), hosts.value(row));
            let kind = match whats.at(row) {
                SurveyWhat::Rule => {
                    let known = day.set_rule(value, packets, hosts);
                    known.ok_or_else(|| unknown(names::VALUE, value))?;
                    continue;
                }
                SurveyWhat::Port => {
                    let port = Port {
                        protocol: protocols.value(row) as u8,
                        port: ports.at(row),
                    };
                    found.push((port, packets));
                    continue;
                }
                SurveyWhat::Mirai => 0,
                SurveyWhat::Device => 1,
            };
            let infected = Infected {
                hosts,
                several: several.value(row),
                largest_network: largest.value(row),
            };
            let by_country = [&mut day.mirai, &mut day.devices];
            match value.as_bytes().try_into() {
                Ok(code) => drop(by_country[kind].insert(code, infected)),
                Err(_) if value.is_empty() => day.world[kind] = infected,
                Err(_) => return Err(unknown(names::VALUE, value)),
            }
        }
        Ok(())
    })?;
    Ok((day, found))
}
