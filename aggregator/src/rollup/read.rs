//! Adds the rows of parts to sums. Columns are found by name: a part may have been written before a column was added.

use std::ops::Range;

use arrow::array::{Array, AsArray, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;

use super::error::RollupError;
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, SortedSums};
use super::marginals::DaySums;
use super::sums::PeriodSums;
use crate::batch::{PartBatches, column, damaged, int32, int64, numbers, texts, times};
use crate::hour::{HOUR_US, Hour};
use crate::part::{PartError, guarded};
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS, RolledService, names};
use crate::sketch::{NoSketch, SketchView};
use crate::whole_day::PartRows;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;

/// Adds the rows of parts of hours to the sums of a day, and hour by hour to what reports need.
pub(super) fn add_hours(
    files: &[PartRows],
    sums: &mut PeriodSums<'_>,
    mut reports: Option<&mut DaySums>,
) -> Result<(), RollupError> {
    each_part(files, |rows, batch| {
        let added = guarded(|| {
            let kinds = KindBatch::of(batch, &mut sums.texts)?;
            for row in 0..kinds.keys.len() {
                sums.add(kinds.keys[row], kinds.counts(row), kinds.sketch(row)?);
            }
            match &mut reports {
                Some(reports) => {
                    let known = reports.learn(&sums.texts);
                    known.map_err(PartError::Damaged)?;
                    kinds.add_hours(rows, batch, reports)
                }
                None => Ok(()),
            }
        });
        added.map_err(|source| failed(rows, source))?;
        sums.make_room()
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
    mut each: impl FnMut(&'r PartRows, &RecordBatch) -> Result<(), RollupError>,
) -> Result<(), RollupError> {
    for rows in files {
        let opened = PartBatches::open_rows(rows, &ROLLUP_COLUMNS, &[], BATCH_ROWS);
        let mut batches = opened.map_err(|source| failed(rows, source))?;
        loop {
            let next = batches.next(|batch| Ok(batch.clone()));
            match next.map_err(|source| failed(rows, source))? {
                Some(batch) => each(rows, &batch)?,
                None => break,
            }
        }
    }
    Ok(())
}

fn no_sketch(error: NoSketch) -> PartError {
    damaged(names::SOURCES_SKETCH, &error.to_string())
}

/// What no packet has, so that the file is damaged.
fn no_service(ip_version: i32, protocol: i32, port: Option<i32>) -> PartError {
    let port = port.map_or_else(|| "nothing".to_owned(), |port| port.to_string());
    let what = format!("holds {port} with IP version {ip_version} and protocol {protocol}");
    damaged(names::PORT, &what)
}

/// The rows of a batch by kind.
struct KindBatch {
    keys: Vec<NumberedKey>,
    packets: Int64Array,
    bytes: Int64Array,
    sketches: BinaryArray,
}

impl KindBatch {
    fn of(batch: &RecordBatch, names: &mut KindTexts) -> Result<Self, PartError> {
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
            words.push(texts(batch, name, |text| Some(names.number(text)))?);
        }
        let mut keys = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let texts = std::array::from_fn(|place| {
                let (keys, known) = &words[place];
                known[keys[row] as usize]
            });
            let kind = names.kind(texts);
            let port = (!ports.is_null(row)).then(|| ports.value(row));
            let service = RolledService::new(versions[row], protocols[row], port);
            let none = || no_service(versions[row], protocols[row], port);
            let service = service.ok_or_else(none)?;
            keys.push(NumberedKey { service, kind });
        }
        let sketches: &BinaryArray = column(batch, sketch, |array| array.as_binary_opt())?;
        Ok(KindBatch {
            keys,
            packets: numbers::<Int64Type>(batch, packets)?.clone(),
            bytes: numbers::<Int64Type>(batch, bytes)?.clone(),
            sketches: sketches.clone(),
        })
    }

    /// Adds its rows to the sums of their hours: that of the part, or those that the rows of a whole day's part say.
    fn add_hours(
        &self,
        rows: &PartRows,
        batch: &RecordBatch,
        reports: &mut DaySums,
    ) -> Result<(), PartError> {
        if rows.hours.is_none() {
            return self.add_hour(rows.part.period.first_hour(), 0..self.keys.len(), reports);
        }
        let mut first = 0;
        for of_hour in times(batch, names::HOUR_START)?.chunk_by(|left, right| left == right) {
            let hour = Hour(of_hour[0].div_euclid(HOUR_US));
            let end = first + of_hour.len();
            self.add_hour(hour, first..end, reports)?;
            first = end;
        }
        Ok(())
    }

    fn add_hour(
        &self,
        hour: Hour,
        rows: Range<usize>,
        reports: &mut DaySums,
    ) -> Result<(), PartError> {
        let mut sums = reports.of_hour(hour);
        for row in rows {
            sums.add(self.keys[row], self.counts(row), self.sketch(row)?);
        }
        Ok(())
    }

    #[inline]
    fn counts(&self, row: usize) -> [i64; 2] {
        [self.packets.value(row), self.bytes.value(row)]
    }

    #[inline]
    fn sketch(&self, row: usize) -> Result<SketchView<'_>, PartError> {
        SketchView::of(self.sketches.value(row)).map_err(no_sketch)
    }
}

/// A part of days, in the order of its services.
pub(super) struct SortedDay<'r> {
    rows: &'r PartRows,
    batches: PartBatches,
    batch: Option<KindBatch>,
    row: usize,
    /// Hours that its rows say they are of.
    pub hours: i64,
}

impl<'r> SortedDay<'r> {
    /// Opens a part; its texts are numbered by `texts`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(rows: &'r PartRows, texts: &mut KindTexts) -> Result<Self, RollupError> {
        let columns = [&ROLLUP_COLUMNS[..], &[HOURS_COLUMN]].concat();
        let opened = PartBatches::open_rows(rows, &columns, &[], BATCH_ROWS);
        let mut opened = SortedDay {
            rows,
            batches: opened.map_err(|source| failed(rows, source))?,
            batch: None,
            row: 0,
            hours: 0,
        };
        opened.next_batch(texts)?;
        Ok(opened)
    }

    fn next_batch(&mut self, texts: &mut KindTexts) -> Result<(), RollupError> {
        let is_first = self.batch.is_none();
        let next = self.batches.next(|batch| {
            let hours = int64(batch, HOURS_COLUMN)?.first().copied();
            Ok((KindBatch::of(batch, texts)?, hours))
        });
        let next = next.map_err(|source| failed(self.rows, source))?;
        if let Some((_, hours)) = &next
            && is_first
        {
            self.hours = hours.unwrap_or(0);
        }
        self.batch = next.map(|(batch, _)| batch);
        self.row = 0;
        Ok(())
    }
}

impl SortedSums for SortedDay<'_> {
    fn next_service(
        &mut self,
        texts: &mut KindTexts,
    ) -> Result<Option<RolledService>, RollupError> {
        loop {
            let Some(batch) = &self.batch else {
                return Ok(None);
            };
            if let Some(key) = batch.keys.get(self.row) {
                return Ok(Some(key.service));
            }
            self.next_batch(texts)?;
        }
    }

    fn take_service(
        &mut self,
        service: RolledService,
        texts: &mut KindTexts,
        into: &mut HeldSums,
    ) -> Result<(), RollupError> {
        while let Some(next) = self.next_service(texts)? {
            if next < service {
                let reason = PartError::Damaged("its rows are out of order".to_owned());
                return Err(failed(self.rows, reason));
            }
            let Some(batch) = self.batch.as_ref().filter(|_| next == service) else {
                break;
            };
            let row = self.row;
            let sketch = batch.sketch(row);
            let sketch = sketch.map_err(|error| failed(self.rows, error))?;
            into.add(batch.keys[row], batch.counts(row), sketch);
            into.make_room(texts);
            self.row += 1;
        }
        Ok(())
    }
}
