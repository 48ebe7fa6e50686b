//! Reads the table `attacks`.

use std::path::Path;

use arrow::array::Array as _;
use teiten_aggregator::schema::names;

use crate::query::Answer;
use crate::query::rolled_up::attacks::AttackedPorts;
use crate::query::rolled_up::{AttackEvent, AttackKind, AttackedService};
use crate::query::rows::{self, Columns, unknown};

const COLUMNS: &[&str] = &[
    names::ID,
    names::KIND,
    names::SENSOR,
    names::VICTIM_IP,
    names::VICTIMS,
    names::PROTOCOL,
    names::PORTS,
    names::PORT_COUNT,
    names::COUNTRY,
    names::ASN,
    names::START,
    names::END,
    names::PACKETS,
    names::PACKETS_PER_MINUTE_MAX,
    names::ESTIMATED_PPS,
    names::FLOOR_PPS,
    names::ONGOING,
];

/// Reads a part into `found`.
///
/// # Errors
/// The reason as text, when the file is damaged, lacks a column or holds a word that is not known.
pub(super) fn read(
    path: &Path,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<AttackEvent>,
) -> Result<(), String> {
    rows::read(path, COLUMNS, answer, |batch, _| add(batch, wants, found))
}

fn add(
    batch: &Columns<'_>,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<AttackEvent>,
) -> Result<(), String> {
    let owned = |text: &str| Ok(text.to_owned());
    let (ids, sensors) = (
        batch.text(names::ID, owned)?,
        batch.text(names::SENSOR, owned)?,
    );
    let kinds = batch.text(names::KIND, |name| {
        AttackKind::from_name(name).ok_or_else(|| unknown(names::KIND, name))
    })?;
    let victims = batch.text(names::VICTIM_IP, |text| Ok(hash(text)))?;
    // The table lists several ports with commas; only a single one is a service.
    let ports = batch.text(names::PORTS, |text| Ok(text.parse::<u16>().ok()))?;
    let countries = batch.countries()?;
    let (protocols, asns) = (batch.int32(names::PROTOCOL)?, batch.int64(names::ASN)?);
    let (starts, ends) = (
        batch.timestamps(names::START)?,
        batch.timestamps(names::END)?,
    );
    let (counts, port_counts) = (
        batch.int64(names::VICTIMS)?,
        batch.int64(names::PORT_COUNT)?,
    );
    let (packets, densest) = (
        batch.int64(names::PACKETS)?,
        batch.int64(names::PACKETS_PER_MINUTE_MAX)?,
    );
    let (estimates, floors) = (
        batch.float64(names::ESTIMATED_PPS)?,
        batch.float64(names::FLOOR_PPS)?,
    );
    let ongoing = batch.booleans(names::ONGOING)?;
    for row in 0..batch.rows() {
        if !wants(sensors.at(row)) {
            continue;
        }
        let port_count = port_counts.value(row);
        let ports = match (port_count, ports.at(row)) {
            (0, _) => AttackedPorts::None,
            (1, Some(port)) => AttackedPorts::One(*port),
            _ => AttackedPorts::Several,
        };
        found.push(AttackEvent {
            id: ids.at(row).clone(),
            kind: *kinds.at(row),
            sensor: sensors.at(row).clone(),
            victim: *victims.at(row),
            victims: counts.value(row),
            service: AttackedService {
                protocol: protocols.value(row) as u8,
                ports,
            },
            port_count,
            country: *countries.at(row),
            asn: asns.is_valid(row).then(|| asns.value(row)),
            start_us: starts[row],
            end_us: ends[row],
            packets: packets.value(row),
            per_minute_max: densest.value(row),
            estimated_pps: estimates.is_valid(row).then(|| estimates.value(row)),
            floor_pps: floors.is_valid(row).then(|| floors.value(row)),
            ongoing: ongoing.value(row),
        });
    }
    Ok(())
}

/// The same for the same address within one run of the program; none for no address.
fn hash(address: &str) -> Option<u64> {
    use std::hash::BuildHasher as _;
    let fixed = foldhash::fast::FixedState::default();
    (!address.is_empty()).then(|| fixed.hash_one(address))
}
