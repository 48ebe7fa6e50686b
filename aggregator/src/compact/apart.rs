//! Takes days apart: the parts of hours that a whole day's file holds, with their rows in their order and their metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use parquet::file::metadata::KeyValue;

use super::{COMPACTED_TABLES, CompactError};
use crate::batch::{PartBatches, times};
use crate::close::encode_with;
use crate::hour::{HOUR_US, Hour};
use crate::part::{PartError, notes_of};
use crate::schema::{ColumnType, Table, encode_batch, names};
use crate::store::{OpenPart, Part, PartName, Period, Staged, Store};
use crate::whole_day::{CONTENT_KEY, HeldPart, held_parts, notes_of_held};
use crate::writer::PartWriter;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Rows of a row group. A day's hours are written side by side, so this many of each are in memory.
const GROUP_ROWS: usize = 16 << 10;

/// A part of an hour that was taken out of a whole day's file, and is not published.
#[derive(Debug)]
pub(crate) struct RestoredPart {
    /// Its table.
    pub table: &'static Table,
    /// Its hour.
    pub hour: Hour,
    /// Its name.
    pub file_name: String,
    /// Its bytes.
    pub file: Staged,
}

/// Takes apart all days that hold a part of one of these sensors and runs; how many files of whole days there were.
///
/// # Errors
/// When a file cannot be read or written; days that were taken apart before stay so.
pub fn take_apart_runs(store: &Store, runs: &BTreeSet<PartName>) -> Result<u64, CompactError> {
    let holds = |part: &HeldPart| {
        let name = PartName::parse(&part.file_name);
        name.is_some_and(|(name, _)| runs.contains(&name))
    };
    let sensors: BTreeSet<&String> = runs.iter().map(|name| &name.sensor).collect();
    take_apart_where(store, &COMPACTED_TABLES, |part, held| {
        let is_of_sensor = part
            .sensor()
            .is_some_and(|sensor| sensors.contains(&sensor));
        is_of_sensor && held.iter().any(holds)
    })
}

/// Takes apart the days of these tables that hold one of these hours; how many files of whole days there were.
///
/// # Errors
/// As [`take_apart_runs`].
pub fn take_apart(
    store: &Store,
    tables: &[&'static Table],
    hours: &BTreeSet<Hour>,
) -> Result<u64, CompactError> {
    take_apart_where(store, tables, |part, _| {
        let first = part.period.first_hour();
        let mut of_day = hours.range(first..Hour(first.0 + 24));
        of_day.next().is_some()
    })
}

fn take_apart_where(
    store: &Store,
    tables: &[&'static Table],
    is_meant: impl Fn(&Part, &[HeldPart]) -> bool,
) -> Result<u64, CompactError> {
    let mut count = 0;
    for &table in tables {
        let failed = |source| CompactError::File {
            path: store.directory().join(table.name),
            source,
        };
        let parts = store.whole_days(table.name, &(i64::MIN..i64::MAX));
        for part in parts.map_err(failed)? {
            let error = |source| CompactError::Part {
                path: part.path.clone(),
                source,
            };
            let file = part.open().map_err(failed)?;
            let held = notes_of(&file).and_then(|notes| held_parts(&notes));
            if !is_meant(&part, &held.map_err(error)?) {
                continue;
            }
            let files = restore(store, table, &part)?;
            let files = files.into_iter().map(|restored| restored.file).collect();
            let day = Period::Day(part.period.first_hour());
            let open = OpenPart {
                part: part.clone(),
                file,
            };
            let is_done = store.exchange_day(table.name, day, files, &[open]);
            if !is_done.map_err(failed)? {
                let busy = "another program writes to its day; try again";
                return Err(failed(std::io::Error::other(busy)));
            }
            count += 1;
        }
    }
    Ok(count)
}

/// The parts that a whole day's file holds, in the work folder of `into`.
///
/// # Errors
/// When the file cannot be read, or a part not be written.
pub(crate) fn restore(
    into: &Store,
    table: &'static Table,
    part: &Part,
) -> Result<Vec<RestoredPart>, CompactError> {
    let error = |source| CompactError::Part {
        path: part.path.clone(),
        source,
    };
    let notes = part.open().map_err(PartError::from);
    let notes = notes.and_then(|file| notes_of(&file)).map_err(error)?;
    let mut hours = BTreeMap::new();
    for held in held_parts(&notes).map_err(error)? {
        hours.insert(held.hour, RestoredHour::create(into, table, &notes, held)?);
    }
    let mut batches = open(table, part).map_err(error)?;
    while let Some(batch) = batches.next(|batch| Ok(batch.clone())).map_err(error)? {
        for (hour, rows) in by_hour(&batch).map_err(error)? {
            let unknown = || {
                error(PartError::Damaged(format!(
                    "has rows of {}, of which it holds no part",
                    Hour(hour)
                )))
            };
            let file = hours.get_mut(&hour).ok_or_else(unknown)?;
            file.push(table, rows)?;
        }
    }
    let mut parts = Vec::with_capacity(hours.len());
    for (_, mut file) in hours {
        file.write(table)?;
        if file.rows != file.held.rows {
            return Err(error(PartError::Damaged(format!(
                "has {} rows of {}, and {} had {}",
                file.rows,
                Hour(file.held.hour),
                file.held.file_name,
                file.held.rows
            ))));
        }
        parts.push(RestoredPart {
            table,
            hour: Hour(file.held.hour),
            file_name: file.held.file_name,
            file: file.file.finish()?,
        });
    }
    Ok(parts)
}

fn open(table: &Table, part: &Part) -> Result<PartBatches, PartError> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let texts = table.columns.iter();
    let texts = texts.filter(|column| column.column_type == ColumnType::Text);
    let texts: Vec<&str> = texts.map(|column| column.name).collect();
    PartBatches::open(part.place(), &columns, &texts, BATCH_ROWS)
}

/// The rows of each hour of a batch, in their order.
fn by_hour(batch: &RecordBatch) -> Result<Vec<(i64, RecordBatch)>, PartError> {
    let starts = times(batch, names::HOUR_START)?;
    let hour_of = |start: &i64| start.div_euclid(HOUR_US);
    let hours: BTreeSet<i64> = starts.iter().map(hour_of).collect();
    let rows = |hour: i64| {
        let wanted = starts.iter().map(|start| Some(hour_of(start) == hour));
        let wanted: BooleanArray = wanted.collect();
        let rows = filter_record_batch(batch, &wanted);
        let rows = rows.map_err(|error| PartError::Damaged(error.to_string()))?;
        Ok((hour, rows))
    };
    hours.into_iter().map(rows).collect()
}

/// A part of an hour that is being written.
struct RestoredHour {
    held: HeldPart,
    within: PathBuf,
    file: PartWriter,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    rows: u64,
}

impl RestoredHour {
    fn create(
        store: &Store,
        table: &'static Table,
        notes: &[KeyValue],
        held: HeldPart,
    ) -> Result<Self, CompactError> {
        let folder = Period::Hour(Hour(held.hour)).folder();
        let within = Path::new(table.name).join(folder).join(&held.file_name);
        let mut metadata = notes_of_held(notes, &held);
        metadata.push(KeyValue::new(CONTENT_KEY.to_owned(), held.content.clone()));
        let file = PartWriter::create(store, &within, table, metadata)?;
        Ok(RestoredHour {
            held,
            within,
            file,
            waiting: Vec::new(),
            waiting_rows: 0,
            rows: 0,
        })
    }

    fn push(&mut self, table: &Table, rows: RecordBatch) -> Result<(), CompactError> {
        self.waiting_rows += rows.num_rows();
        self.rows += rows.num_rows() as u64;
        self.waiting.push(rows);
        if self.waiting_rows >= GROUP_ROWS {
            self.write(table)?;
        }
        Ok(())
    }

    fn write(&mut self, table: &Table) -> Result<(), CompactError> {
        self.waiting_rows = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let Some(first) = waiting.first() else {
            return Ok(());
        };
        let schema = self.file.schema();
        let columns = encode_with(&self.within, |encoder| {
            let rows = concat_batches(&first.schema(), &waiting)?;
            encode_batch(table, &schema, &rows, encoder)
        })?;
        Ok(self.file.append(columns)?)
    }
}
