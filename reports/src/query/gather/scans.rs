//! Adds the table `scans` up.

use std::path::Path;

use arrow::array::Array as _;
use teiten_aggregator::schema::names;

use crate::query::Answer;
use crate::query::rolled_up::scans::LARGE;
use crate::query::rolled_up::{ScanPort, ScanTally};
use crate::query::rows::{self, Columns};
use crate::query::tally::Port;

const COLUMNS: &[&str] = &[
    names::SENSOR,
    names::PROTOCOL,
    names::PORT,
    names::PACKETS,
    names::SIZE,
];

/// Adds a part.
///
/// # Errors
/// The reason as text, when the file is damaged or lacks a column.
pub(super) fn read(
    path: &Path,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    tally: &mut ScanTally,
) -> Result<(), String> {
    rows::read(path, COLUMNS, answer, |batch, _| add(batch, wants, tally))
}

fn add(
    batch: &Columns<'_>,
    wants: &dyn Fn(&str) -> bool,
    tally: &mut ScanTally,
) -> Result<(), String> {
    let wanted = batch.text(names::SENSOR, |name| Ok(wants(name)))?;
    let large = batch.text(names::SIZE, |name| Ok(name == LARGE))?;
    let (protocols, ports) = (batch.int32(names::PROTOCOL)?, batch.int32(names::PORT)?);
    let packets = batch.int64(names::PACKETS)?;
    for row in 0..batch.rows() {
        if !*wanted.at(row) {
            continue;
        }
        let port = Port {
            protocol: protocols.value(row) as u8,
            port: ports.is_valid(row).then(|| ports.value(row) as u16),
        };
        let (packets, large) = (packets.value(row), *large.at(row));
        tally.all.add(packets, large);
        let of_port = tally.ports.at(port, ScanPort::default);
        of_port.add(packets, large);
    }
    Ok(())
}
