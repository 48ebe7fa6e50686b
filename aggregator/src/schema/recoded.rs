//! Rows that were read from parts, encoded again: each column in the form that suits what it holds.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::SchemaDescPtr;

use super::{Column, ColumnType, Filled, Holds, Slot, Table};
use crate::encode::{EncodedColumn, Encoder};

/// Encodes a row group of `table` from a batch that has its columns, of which texts are no dictionaries.
///
/// # Errors
/// When a column is missing, or of another type.
pub(crate) fn encode_batch(
    table: &Table,
    schema: &SchemaDescPtr,
    batch: &RecordBatch,
    encoder: &mut Encoder,
) -> Result<Vec<EncodedColumn>> {
    let mut encoded = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let slot = Slot::new(encoder, schema.column(index), batch.num_rows());
        let array = batch.column_by_name(column.name);
        let array = array
            .ok_or_else(|| ParquetError::General(format!("it has no column {}", column.name)))?;
        encoded.push(encode(column, slot, array.as_ref())?);
    }
    Ok(encoded)
}

fn encode(column: &Column, slot: Slot<'_>, array: &dyn Array) -> Filled {
    let other = || ParquetError::General(format!("its column {} is of another type", column.name));
    match column.column_type {
        ColumnType::Int32 => {
            let values = array.as_primitive_opt::<Int32Type>().ok_or_else(other)?;
            match column.nullable {
                true => slot.sparse(values.iter().map(|value| value.map(i64::from))),
                false => slot.few_integers(values.values().iter().copied().map(i64::from)),
            }
        }
        ColumnType::Int64 => {
            let values = array.as_primitive_opt::<Int64Type>().ok_or_else(other)?;
            match column.nullable {
                true => slot.sparse(values.iter()),
                false => slot.integers(values.values().iter().copied()),
            }
        }
        ColumnType::TimestampMicros => {
            let values = array.as_primitive_opt::<TimestampMicrosecondType>();
            let values = values.ok_or_else(other)?.values().iter().copied();
            match column.holds {
                Holds::Start => slot.few_integers(values),
                _ => slot.integers(values),
            }
        }
        ColumnType::Text => {
            let values = array.as_string_opt::<i32>().ok_or_else(other)?;
            let texts = (0..values.len()).map(|row| values.value(row).as_bytes());
            // Rows of a source follow one another.
            let distinct = || {
                1 + texts
                    .clone()
                    .zip(texts.clone().skip(1))
                    .filter(|(left, right)| left != right)
                    .count()
            };
            match column.holds {
                Holds::Address if distinct() * 2 > values.len() => slot.prefixed(texts),
                _ => slot.texts(texts),
            }
        }
        ColumnType::Bytes => {
            let values = array.as_binary_opt::<i32>().ok_or_else(other)?;
            let strings = (0..values.len()).map(|row| values.value(row));
            match column.holds {
                Holds::Destinations => slot.prefixed(strings),
                _ => slot.strings(strings),
            }
        }
        ColumnType::Double | ColumnType::Boolean | ColumnType::Date => Err(other()),
    }
}
