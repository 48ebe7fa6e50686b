//! The `payloads` table: what the packets of an hour carried, by signature or by hash.

use super::edition::Edition;
use super::{ClosedHour, encode_with};
use crate::payload_table::PayloadTable;
use crate::schema::{PAYLOADS, PAYLOADS_ROWS, PayloadRows, encode_group};
use crate::writer::{PartWriter, WriteError};

/// Writes the payloads of the hour, none of them being no part.
pub(super) fn write(
    edition: &Edition<'_>,
    part: u32,
    mut payloads: PayloadTable,
    closed: &mut ClosedHour,
) -> Result<Option<PartWriter>, WriteError> {
    if payloads.is_empty() {
        return Ok(None);
    }
    let (closer, hour) = (edition.closer, edition.hour);
    let rows = payloads.rows();
    closed.payload_rows = rows.len() as u64;
    let mut file = edition.create(&PAYLOADS, part)?;
    let (path, schema) = (closer.path(&PAYLOADS, hour, part), file.schema());
    for group in rows.chunks(super::GROUP_ROWS) {
        file.append(encode_with(&path, |encoder| {
            let sensor = &closer.name.sensor;
            let rows = PayloadRows {
                hour,
                sensor,
                rows: group,
            };
            encode_group(PAYLOADS_ROWS, &schema, group.len(), &rows, encoder)
        })?)?;
    }
    Ok(Some(file))
}
