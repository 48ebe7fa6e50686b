//! Adds the rows of a part to sums. Columns are found by name: a part may have been written before a column was added.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};

use super::sums::{Key, PeriodSums};
use crate::batch::{PartBatches, column, damaged, int32, int64, texts};
use crate::part::PartError;
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS};
use crate::whole_day::PartRows;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;

/// Adds rows, and the hours that they are of where the rows say that.
pub(super) fn add_part(
    rows: &PartRows,
    says_hours: bool,
    sums: &mut PeriodSums,
) -> Result<(), PartError> {
    let mut columns = ROLLUP_COLUMNS.to_vec();
    if says_hours {
        columns.push(HOURS_COLUMN);
    }
    let mut batches = PartBatches::open_rows(rows, &columns, &[], BATCH_ROWS)?;
    let mut counted = None;
    loop {
        let added = batches.next(|batch| {
            if says_hours && counted.is_none() {
                counted = int64(batch, HOURS_COLUMN)?.first().copied();
            }
            add_batch(batch, sums)
        })?;
        if added.is_none() {
            break;
        }
    }
    sums.hours += counted.unwrap_or(0);
    Ok(())
}

fn add_batch(batch: &RecordBatch, sums: &mut PeriodSums) -> Result<(), PartError> {
    let [
        ip_version,
        protocol,
        port,
        traffic_type,
        class,
        tool,
        actor,
        country,
        packets,
        bytes,
        sketch,
    ] = ROLLUP_COLUMNS;
    let versions = int32(batch, ip_version)?.values();
    let protocols = int32(batch, protocol)?.values();
    let ports = int32(batch, port)?;
    let mut words: Vec<(&[i32], Vec<Arc<str>>)> = Vec::with_capacity(5);
    for name in [traffic_type, class, tool, actor, country] {
        words.push(texts(batch, name, |text| Some(sums.name(text)))?);
    }
    let (packets, bytes) = (int64(batch, packets)?, int64(batch, bytes)?);
    let sketches: &BinaryArray = column(batch, sketch, |array| array.as_binary_opt())?;
    for row in 0..batch.num_rows() {
        let key = Key {
            ip_version: versions[row].into(),
            protocol: protocols[row].into(),
            port: (!ports.is_null(row)).then(|| ports.value(row).into()),
            texts: std::array::from_fn(|place| {
                let (keys, texts) = &words[place];
                Arc::clone(&texts[keys[row] as usize])
            }),
        };
        let added = sums.add(key, [packets[row], bytes[row]], sketches.value(row));
        added.map_err(|error| damaged(sketch, &error.to_string()))?;
    }
    Ok(())
}
