//! The `payloads` table: what the packets of an hour carried, by signature or by hash.

use super::columns::Columns;
use super::{ClosedHour, Closer, encode_with};
use crate::dataset::Hour;
use crate::payload_table::{PayloadRow, PayloadTable};
use crate::schema::PAYLOADS;
use crate::writer::{FinishedPart, WriteError};

/// Writes the payloads of `hour`, none of them being no part; the part is not visible yet.
pub fn write(
    closer: &Closer,
    hour: Hour,
    part: u32,
    mut payloads: PayloadTable,
    closed: &mut ClosedHour,
) -> Result<Option<FinishedPart>, WriteError> {
    if payloads.is_empty() {
        return Ok(None);
    }
    let rows = payloads.rows();
    closed.payload_rows = rows.len() as u64;
    let mut file = closer.create(&PAYLOADS, hour, part)?;
    let (path, schema) = (closer.path(&PAYLOADS, hour, part), file.schema());
    for group in rows.chunks(super::GROUP_ROWS) {
        file.append(encode_with(&path, |encoder| {
            let mut columns = Columns::new(encoder, &schema, group.len());
            fill(&mut columns, group, hour, closer)?;
            Ok(columns.finish())
        })?)?;
    }
    file.finish().map(Some)
}

/// The columns in the order of the schema.
fn fill(
    columns: &mut Columns<'_>,
    rows: &[PayloadRow<'_>],
    hour: Hour,
    closer: &Closer,
) -> parquet::errors::Result<()> {
    let hashes: Vec<String> = rows
        .iter()
        .map(|row| {
            row.hash
                .map_or(String::new(), |hash| format!("{hash:016x}"))
        })
        .collect();
    columns.constant_integer(hour.start_us())?;
    columns.constant_text(&closer.name.sensor)?;
    columns.integers(rows.iter().map(|row| i64::from(row.protocol)))?;
    columns.sparse(rows.iter().map(|row| row.port.map(i64::from)))?;
    columns.strings(rows.iter().map(|row| row.signature.as_bytes()))?;
    columns.strings(hashes.iter().map(String::as_bytes))?;
    columns.integers(rows.iter().map(|row| row.packets as i64))?;
    columns.integers(rows.iter().map(|row| row.sources as i64))?;
    columns.strings(rows.iter().map(|row| row.first_bytes))
}
