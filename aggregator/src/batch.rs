//! Parts decoded batch by batch as arrow arrays, of the columns that a reader asks for, by name. Texts are dictionaries, so that each distinct
//! one is parsed once in a batch.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::FieldLevels;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use crate::hour::HOUR_US;
use crate::part::{PartError, PartInput, checked_input, guarded};
use crate::schema::names;
use crate::schema_cache::levels_of;
use crate::unpack::PartChunks;
use crate::whole_day::PartRows;

/// The batches of a part, whose checksum was verified.
pub(crate) struct PartBatches {
    reader: ParquetRecordBatchReader,
    /// Of a whole day's part the hours whose rows are meant.
    hours: Option<BTreeSet<i64>>,
    columns: usize,
}

impl PartBatches {
    /// Opens the part at `path` for these columns, of which a part of an older program may lack some; texts of `distinct` are no dictionaries, as
    /// most of them differ.
    ///
    /// # Errors
    /// When the part cannot be read, or is damaged.
    pub(crate) fn open(
        path: &Path,
        columns: &[&str],
        distinct: &[&str],
        batch_rows: usize,
    ) -> Result<Self, PartError> {
        let (input, metadata) = checked_input(path)?;
        guarded(|| {
            let metadata = Arc::new(metadata);
            let columns_there = metadata.file_metadata().schema_descr().num_columns();
            let levels = levels_of(&metadata, columns, distinct)?;
            Ok(PartBatches {
                reader: match input {
                    PartInput::Whole(bytes) => reader(bytes, metadata, &levels, batch_rows)?,
                    PartInput::File(file) => reader(file, metadata, &levels, batch_rows)?,
                },
                hours: None,
                columns: columns_there,
            })
        })
    }

    /// As [`PartBatches::open`], of the rows of a file that are meant; those of a whole day's part have their `hour_start`.
    ///
    /// # Errors
    /// As [`PartBatches::open`].
    pub(crate) fn open_rows(
        rows: &PartRows,
        columns: &[&str],
        distinct: &[&str],
        batch_rows: usize,
    ) -> Result<Self, PartError> {
        let mut columns = columns.to_vec();
        if rows.hours.is_some() {
            columns.push(names::HOUR_START);
        }
        let batches = PartBatches::open(rows.part.place(), &columns, distinct, batch_rows)?;
        Ok(PartBatches {
            hours: rows.hours.clone(),
            ..batches
        })
    }

    /// How many columns the part has, read or not.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The next batch as `decode` reads it; none at the end.
    ///
    /// # Errors
    /// When the part is damaged, or `decode` fails.
    pub(crate) fn next<T>(
        &mut self,
        decode: impl FnOnce(&RecordBatch) -> Result<T, PartError>,
    ) -> Result<Option<T>, PartError> {
        guarded(|| {
            let Some(batch) = self.reader.next() else {
                return Ok(None);
            };
            let mut batch = batch.map_err(|error| PartError::Damaged(error.to_string()))?;
            if let Some(hours) = &self.hours {
                batch = only(&batch, hours)?;
            }
            decode(&batch).map(Some)
        })
    }
}

fn reader<R: ChunkReader + 'static>(
    input: R,
    metadata: Arc<ParquetMetaData>,
    levels: &FieldLevels,
    batch_rows: usize,
) -> Result<ParquetRecordBatchReader, PartError> {
    let chunks = PartChunks {
        input: Arc::new(input),
        metadata,
    };
    // Buffers are made for as many rows.
    let rows = batch_rows.min(chunks.num_rows());
    let reader = ParquetRecordBatchReader::try_new_with_row_groups(levels, &chunks, rows, None);
    Ok(reader?)
}

/// The rows of these hours.
fn only(batch: &RecordBatch, hours: &BTreeSet<i64>) -> Result<RecordBatch, PartError> {
    let starts = times(batch, names::HOUR_START)?;
    let wanted = starts
        .iter()
        .map(|start| Some(hours.contains(&start.div_euclid(HOUR_US))));
    let wanted: BooleanArray = wanted.collect();
    if wanted.true_count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, &wanted).map_err(|error| PartError::Damaged(error.to_string()))
}

/// The error of a column.
pub(crate) fn damaged(name: &str, what: &str) -> PartError {
    PartError::Damaged(format!("its column {name} {what}"))
}

/// A column of a batch as its type.
///
/// # Errors
/// When the part lacks it, or has it as another type.
pub(crate) fn column<'b, T>(
    batch: &'b RecordBatch,
    name: &str,
    typed: impl Fn(&'b dyn Array) -> Option<T>,
) -> Result<T, PartError> {
    let missing = || PartError::Damaged(format!("it has no column {name}"));
    let array = batch.column_by_name(name).ok_or_else(missing)?;
    typed(array.as_ref()).ok_or_else(|| damaged(name, "is of another type"))
}

/// A column of numbers.
///
/// # Errors
/// As [`column`].
pub(crate) fn numbers<'b, T: ArrowPrimitiveType>(
    batch: &'b RecordBatch,
    name: &str,
) -> Result<&'b PrimitiveArray<T>, PartError> {
    column(batch, name, |array| array.as_primitive_opt::<T>())
}

/// A column of 32-bit numbers, some of which may be null.
///
/// # Errors
/// As [`column`].
pub(crate) fn int32<'b>(
    batch: &'b RecordBatch,
    name: &str,
) -> Result<&'b PrimitiveArray<Int32Type>, PartError> {
    numbers(batch, name)
}

/// A column of 64-bit numbers, none of which is null.
///
/// # Errors
/// As [`column`].
pub(crate) fn int64<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b [i64], PartError> {
    Ok(numbers::<Int64Type>(batch, name)?.values())
}

/// A column of times, microseconds since 1970-01-01 UTC.
///
/// # Errors
/// As [`column`].
pub(crate) fn times<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b [i64], PartError> {
    Ok(numbers::<TimestampMicrosecondType>(batch, name)?.values())
}

/// The keys of a text column, and the meaning of each distinct text.
///
/// # Errors
/// As [`column`], and when a text has no meaning, or is missing in some row.
pub(crate) fn texts<'b, T>(
    batch: &'b RecordBatch,
    name: &str,
    mut meaning: impl FnMut(&str) -> Option<T>,
) -> Result<(&'b [i32], Vec<T>), PartError> {
    let array = column(batch, name, |array| array.as_dictionary_opt::<Int32Type>())?;
    let values: Option<&StringArray> = array.values().as_string_opt();
    let values = values.ok_or_else(|| damaged(name, "is of another type"))?;
    let mut meanings = Vec::with_capacity(values.len());
    for value in values.iter() {
        let value = value.unwrap_or_default();
        let unknown = || damaged(name, &format!("holds `{}`", value.escape_default()));
        meanings.push(meaning(value).ok_or_else(unknown)?);
    }
    if array.null_count() > 0 {
        return Err(damaged(name, "holds nothing in some row"));
    }
    Ok((array.keys().values(), meanings))
}
