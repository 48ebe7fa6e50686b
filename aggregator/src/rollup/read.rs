//! Adds the rows of parts to sums. Columns are found by name: a part may have been written before a column was added.

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use crossbeam::channel::bounded;

use super::error::RollupError;
use super::marginals::DaySums;
use super::sums::{NumberedKey, PeriodSums};
use crate::batch::{PartBatches, column, damaged, int32, int64, texts};
use crate::hour::Hour;
use crate::parallel::joined;
use crate::part::{PartError, guarded};
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS};
use crate::whole_day::PartRows;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Batches that wait between the thread that decodes and the other.
const BATCHES_WAITING: usize = 8;

/// Adds rows of a part of days, and the hours that they say they are of.
pub(super) fn add_days(rows: &PartRows, sums: &mut PeriodSums) -> Result<(), RollupError> {
    let columns = [&ROLLUP_COLUMNS[..], &[HOURS_COLUMN]].concat();
    let mut counted = None;
    each_batch(rows, &columns, |batch| {
        if counted.is_none() {
            counted = int64(batch, HOURS_COLUMN)?.first().copied();
        }
        add_batch(batch, sums)
    })
    .map_err(|source| failed(rows, source))?;
    sums.hours += counted.unwrap_or(0);
    Ok(())
}

/// Adds the rows of parts of hours to either sums, or both. Each part is read once: one thread decodes and sums by kind, the other sums what
/// reports need.
pub(super) fn add_hours(
    files: &[PartRows],
    by_kind: Option<&mut PeriodSums>,
    marginals: Option<&mut DaySums>,
) -> Result<(), RollupError> {
    let (by_kind, marginals) = match (by_kind, marginals) {
        (Some(by_kind), Some(marginals)) => (by_kind, marginals),
        (Some(by_kind), None) => return each_part(files, |_, batch| add_batch(batch, by_kind)),
        (None, Some(marginals)) => {
            return each_part(files, |rows, batch| add_marginals(rows, batch, marginals));
        }
        (None, None) => return Ok(()),
    };
    // The other thread has more to do, so it gets the further processors.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let asides = threads.saturating_sub(1).clamp(1, files.len().max(1));
    std::thread::scope(|scope| {
        let (sender, batches) = bounded::<(&PartRows, RecordBatch)>(BATCHES_WAITING);
        let work = || {
            let batches = batches.clone();
            move || {
                let mut sums = DaySums::default();
                for (rows, batch) in batches {
                    let added = guarded(|| add_marginals(rows, &batch, &mut sums));
                    added.map_err(|source| failed(rows, source))?;
                }
                Ok::<_, RollupError>(sums)
            }
        };
        let asides: Vec<_> = (0..asides).map(|_| scope.spawn(work())).collect();
        drop(batches);
        let of_here = each_part(files, |rows, batch| {
            // Where the others have failed, their error is told.
            let _ = sender.send((rows, batch.clone()));
            add_batch(batch, by_kind)
        });
        drop(sender);
        let results: Vec<_> = asides.into_iter().map(joined).collect();
        of_here?;
        results.into_iter().try_for_each(|sums| {
            marginals.merge(sums?);
            Ok(())
        })
    })
}

fn failed(rows: &PartRows, source: PartError) -> RollupError {
    RollupError::Part {
        path: rows.part.path.clone(),
        source: source.into(),
    }
}

fn each_part<'r>(
    files: &'r [PartRows],
    mut each: impl FnMut(&'r PartRows, &RecordBatch) -> Result<(), PartError>,
) -> Result<(), RollupError> {
    for rows in files {
        let read = each_batch(rows, &ROLLUP_COLUMNS, |batch| each(rows, batch));
        read.map_err(|source| failed(rows, source))?;
    }
    Ok(())
}

fn each_batch(
    rows: &PartRows,
    columns: &[&str],
    mut each: impl FnMut(&RecordBatch) -> Result<(), PartError>,
) -> Result<(), PartError> {
    let mut batches = PartBatches::open_rows(rows, columns, &[], BATCH_ROWS)?;
    while batches.next(&mut each)?.is_some() {}
    Ok(())
}

fn add_marginals(
    rows: &PartRows,
    batch: &RecordBatch,
    sums: &mut DaySums,
) -> Result<(), PartError> {
    let hour = rows.part.period.first_hour();
    let hour: Option<Hour> = rows.hours.is_none().then_some(hour);
    sums.add_batch(&batch.into(), hour)
        .map_err(PartError::Damaged)
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
    let mut words: Vec<(&[i32], Vec<u32>)> = Vec::with_capacity(5);
    for name in [traffic_type, class, tool, actor, country] {
        words.push(texts(batch, name, |text| Some(sums.number(text)))?);
    }
    let (packets, bytes) = (int64(batch, packets)?, int64(batch, bytes)?);
    let sketches: &BinaryArray = column(batch, sketch, |array| array.as_binary_opt())?;
    for row in 0..batch.num_rows() {
        let key = NumberedKey {
            ip_version: versions[row],
            protocol: protocols[row],
            port: (!ports.is_null(row)).then(|| ports.value(row)),
            texts: std::array::from_fn(|place| {
                let (keys, numbers) = &words[place];
                numbers[keys[row] as usize]
            }),
        };
        let added = sums.add(key, [packets[row], bytes[row]], sketches.value(row));
        added.map_err(|error| damaged(sketch, &error.to_string()))?;
    }
    Ok(())
}
