//! The `coverage` table: a row for each minute that the sensor observed, and for each that has packets to account for.

use super::Closer;
use super::columns::{Column, encode_group};
use crate::dataset::Hour;
use crate::minute::{HourAccount, MINUTE_US, MINUTES, MinuteCounts, SecondSet};
use crate::writer::{PartWriter, WriteError};

/// Writes the minutes as the part `file`; returns its size in bytes.
pub fn write(
    mut file: PartWriter,
    hour: Hour,
    closer: &Closer,
    account: &HourAccount,
    covered: &SecondSet,
) -> Result<u64, WriteError> {
    let minutes: Vec<usize> = (0..MINUTES)
        .filter(|&minute| {
            covered.in_minute(minute) > 0 || account.minutes[minute] != MinuteCounts::default()
        })
        .collect();
    if !minutes.is_empty() {
        let columns = coverage_columns(&minutes, hour, closer, account, covered);
        let path = closer.path(&crate::schema::COVERAGE, hour, 0);
        // Sixty rows are not worth a second thread.
        file.append(encode_group(&columns, &file.schema(), 1, &path)?)?;
    }
    file.finish()?.publish()
}

fn coverage_columns(
    minutes: &[usize],
    hour: Hour,
    closer: &Closer,
    account: &HourAccount,
    covered: &SecondSet,
) -> Vec<Column> {
    let count = |value: &dyn Fn(&MinuteCounts) -> u64| {
        Column::Integers(
            minutes
                .iter()
                .map(|&minute| value(&account.minutes[minute]) as i64)
                .collect(),
        )
    };
    let start = |&minute: &usize| hour.start_us() + minute as i64 * MINUTE_US;
    let addresses = closer
        .addresses
        .map(|addresses| i64::try_from(addresses).unwrap_or(i64::MAX));
    vec![
        Column::Integers(minutes.iter().map(start).collect()),
        Column::constant(&closer.name.sensor, minutes.len()),
        count(&|minute| minute.received),
        count(&|minute| minute.observed),
        count(&|minute| minute.outside),
        count(&|minute| minute.excluded),
        count(&|minute| minute.not_ip),
        count(&|minute| minute.malformed),
        count(&|minute| minute.dropped_kernel),
        count(&|minute| minute.dropped_interface),
        count(&|minute| minute.late),
        count(&|minute| minute.collapsed),
        Column::sparse(minutes.iter().map(|_| addresses)),
        Column::Integers(
            minutes
                .iter()
                .map(|&minute| covered.in_minute(minute) as i64)
                .collect(),
        ),
    ]
}
