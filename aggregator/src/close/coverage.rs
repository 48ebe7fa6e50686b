//! The `coverage` table: a row for each minute that the sensor observed, and for each that has packets to account for.

use super::{Closer, encode_with};
use crate::counter::MinuteCounts;
use crate::hour::Hour;
use crate::minute::{HourAccount, MINUTES, SecondSet};
use crate::schema::{COVERAGE, COVERAGE_ROWS, CoverageMinute, CoverageRows, encode_group};
use crate::writer::{PartWriter, WriteError};

/// Writes the minutes to the part `file`.
pub(super) fn write(
    file: &mut PartWriter,
    hour: Hour,
    closer: &Closer,
    account: &HourAccount,
    covered: &SecondSet,
) -> Result<(), WriteError> {
    let minutes: Vec<CoverageMinute> = (0..MINUTES)
        .map(|minute| CoverageMinute {
            minute,
            counts: account.minute(minute),
            seconds: covered.in_minute(minute),
        })
        .filter(|minute| minute.seconds > 0 || minute.counts != MinuteCounts::default())
        .collect();
    if !minutes.is_empty() {
        let path = closer.path(&COVERAGE, hour, 0);
        let schema = file.schema();
        let rows = CoverageRows {
            hour,
            sensor: &closer.name.sensor,
            addresses: closer.addresses,
            minutes,
        };
        let count = rows.minutes.len();
        file.append(encode_with(&path, |encoder| {
            encode_group(COVERAGE_ROWS, &schema, count, &rows, encoder)
        })?)?;
    }
    Ok(())
}
