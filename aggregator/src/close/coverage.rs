//! The `coverage` table: a row for each minute that the sensor observed, and for each that has packets to account for.

use super::columns::Columns;
use super::{Closer, encode_with};
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
        let path = closer.path(&crate::schema::COVERAGE, hour, 0);
        let schema = file.schema();
        file.append(encode_with(&path, |encoder| {
            let mut columns = Columns::new(encoder, &schema, minutes.len());
            fill(&mut columns, &minutes, hour, closer, account, covered)?;
            Ok(columns.finish())
        })?)?;
    }
    file.finish()?.publish()
}

/// The columns in the order of the schema.
fn fill(
    columns: &mut Columns<'_>,
    minutes: &[usize],
    hour: Hour,
    closer: &Closer,
    account: &HourAccount,
    covered: &SecondSet,
) -> parquet::errors::Result<()> {
    let start = |&minute: &usize| hour.start_us() + minute as i64 * MINUTE_US;
    let addresses = closer
        .addresses
        .map(|addresses| i64::try_from(addresses).unwrap_or(i64::MAX));
    columns.integers(minutes.iter().map(start))?;
    columns.constant_text(&closer.name.sensor)?;
    let counts: [fn(&MinuteCounts) -> u64; 10] = [
        |minute| minute.received,
        |minute| minute.observed,
        |minute| minute.outside,
        |minute| minute.excluded,
        |minute| minute.not_ip,
        |minute| minute.malformed,
        |minute| minute.dropped_kernel,
        |minute| minute.dropped_interface,
        |minute| minute.late,
        |minute| minute.collapsed,
    ];
    for count in counts {
        let minutes = minutes.iter().map(|&minute| &account.minutes[minute]);
        columns.integers(minutes.map(|minute| count(minute) as i64))?;
    }
    columns.sparse(minutes.iter().map(|_| addresses))?;
    let seconds = minutes
        .iter()
        .map(|&minute| covered.in_minute(minute) as i64);
    columns.integers(seconds)
}
