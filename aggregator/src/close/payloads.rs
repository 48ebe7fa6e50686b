//! The `payloads` table: what the packets of an hour carried, by signature or by hash.

use std::io;

use super::spill::SpilledPayloads;
use super::{Closer, GROUP_ROWS, encode_with};
use crate::hour::Hour;
use crate::payload_table::{Names, PayloadTable};
use crate::schema::{PAYLOADS, PAYLOADS_ROWS, PayloadRows, encode_group};
use crate::writer::{PartWriter, WriteError};

/// All payloads of an hour, those that were spilled with them.
pub(super) fn read_back(
    mut payloads: PayloadTable,
    spilled: Vec<SpilledPayloads>,
) -> io::Result<PayloadTable> {
    let mut names = Names::default();
    for spilled in spilled {
        payloads.merge(spilled.read(&mut names)?);
    }
    Ok(payloads)
}

/// Writes the payloads of the hour to their file; gives how many rows it has.
pub(super) fn write(
    closer: &Closer,
    hour: Hour,
    part: u32,
    file: &mut PartWriter,
    mut payloads: PayloadTable,
) -> Result<u64, WriteError> {
    let rows = payloads.rows();
    let (path, schema) = (closer.path(&PAYLOADS, hour, part), file.schema());
    for group in rows.chunks(GROUP_ROWS) {
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
    Ok(rows.len() as u64)
}
