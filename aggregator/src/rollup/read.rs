//! Adds the rows of parts to sums. Columns are found by name: a part may have been written before a column was added.

use arrow::array::{Array, AsArray, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use crossbeam::channel::bounded;

use super::error::RollupError;
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, RolledService, SortedSums};
use super::marginals::DaySums;
use super::sums::PeriodSums;
use crate::batch::{PartBatches, column, damaged, int32, int64, numbers, texts};
use crate::hour::Hour;
use crate::parallel::joined;
use crate::part::{PartError, guarded};
use crate::schema::{HOURS_COLUMN, ROLLUP_COLUMNS, names};
use crate::sketch::NoSketch;
use crate::whole_day::PartRows;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Batches that wait between the thread that decodes and the others.
const BATCHES_WAITING: usize = 8;
/// Threads that sum what reports need, at most: each has sums of its own, of up to a quarter of a gigabyte.
const ASIDES_MAX: usize = 2;

/// Adds the rows of parts of hours to either sums, or both. Each part is read once: one thread decodes and sums by kind, the other sums what
/// reports need.
pub(super) fn add_hours(
    files: &[PartRows],
    by_kind: Option<&mut PeriodSums<'_>>,
    marginals: Option<&mut DaySums>,
) -> Result<(), RollupError> {
    let (by_kind, marginals) = match (by_kind, marginals) {
        (Some(by_kind), Some(marginals)) => (by_kind, marginals),
        (Some(by_kind), None) => return each_part(files, |rows, batch| add(rows, batch, by_kind)),
        (None, Some(marginals)) => {
            return each_part(files, |rows, batch| add_marginals(rows, batch, marginals));
        }
        (None, None) => return Ok(()),
    };
    // The other thread has more to do, so it gets the further processors.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let asides = threads
        .saturating_sub(1)
        .clamp(1, files.len().clamp(1, ASIDES_MAX));
    std::thread::scope(|scope| {
        let (sender, batches) = bounded::<(&PartRows, RecordBatch)>(BATCHES_WAITING);
        let work = || {
            let batches = batches.clone();
            move || {
                let mut sums = DaySums::default();
                for (rows, batch) in batches {
                    add_marginals(rows, &batch, &mut sums)?;
                }
                Ok::<_, RollupError>(sums)
            }
        };
        let asides: Vec<_> = (0..asides).map(|_| scope.spawn(work())).collect();
        drop(batches);
        let of_here = each_part(files, |rows, batch| {
            // Where the others have failed, their error is told.
            let _ = sender.send((rows, batch.clone()));
            add(rows, batch, by_kind)
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

fn add_marginals(
    rows: &PartRows,
    batch: &RecordBatch,
    sums: &mut DaySums,
) -> Result<(), RollupError> {
    let hour = rows.part.period.first_hour();
    let hour: Option<Hour> = rows.hours.is_none().then_some(hour);
    let added = guarded(|| {
        sums.add_batch(&batch.into(), hour)
            .map_err(PartError::Damaged)
    });
    added.map_err(|source| failed(rows, source))
}

fn add(rows: &PartRows, batch: &RecordBatch, sums: &mut PeriodSums<'_>) -> Result<(), RollupError> {
    let added = guarded(|| {
        let kinds = KindBatch::of(batch, &mut sums.texts)?;
        for row in 0..kinds.keys.len() {
            let added = sums.add(kinds.keys[row], kinds.counts(row), kinds.sketch(row));
            added.map_err(no_sketch)?;
        }
        Ok(())
    });
    added.map_err(|source| failed(rows, source))?;
    sums.make_room()
}

fn no_sketch(error: NoSketch) -> PartError {
    damaged(names::SOURCES_SKETCH, &error.to_string())
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
        let key = |row: usize| NumberedKey {
            service: RolledService {
                ip_version: versions[row],
                protocol: protocols[row],
                port: (!ports.is_null(row)).then(|| ports.value(row)),
            },
            texts: std::array::from_fn(|place| {
                let (keys, known) = &words[place];
                known[keys[row] as usize]
            }),
        };
        let sketches: &BinaryArray = column(batch, sketch, |array| array.as_binary_opt())?;
        Ok(KindBatch {
            keys: (0..batch.num_rows()).map(key).collect(),
            packets: numbers::<Int64Type>(batch, packets)?.clone(),
            bytes: numbers::<Int64Type>(batch, bytes)?.clone(),
            sketches: sketches.clone(),
        })
    }

    fn counts(&self, row: usize) -> [i64; 2] {
        [self.packets.value(row), self.bytes.value(row)]
    }

    fn sketch(&self, row: usize) -> &[u8] {
        self.sketches.value(row)
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
            let added = into.add(batch.keys[row], batch.counts(row), batch.sketch(row));
            added.map_err(|error| failed(self.rows, no_sketch(error)))?;
            self.row += 1;
        }
        Ok(())
    }
}
