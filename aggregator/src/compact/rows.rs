//! The rows of a whole day's file: those of sorted parts, merged. One batch of each part is in memory, and a row group.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::compute::interleave_record_batch;

use super::CompactError;
use crate::batch::{PartBatches, column, damaged, times};
use crate::by_source::SourceKey;
use crate::close::encode_with;
use crate::hour::HOUR_US;
use crate::part::PartError;
use crate::schema::{ColumnType, SOURCES, Table, encode_batch, names};
use crate::whole_day::PartRows;
use crate::writer::PartWriter;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Rows of a row group, and bytes of the batches that they are in.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 64 << 20;

/// What rows are sorted by: in `sources` the source, and the hour.
type RowKey = (Option<SourceKey>, i64);

/// Writes the rows of these files of `table` into `file`, which will be at `path`; how many there are of each hour.
///
/// # Errors
/// When a part cannot be read, or the file not be written.
pub(super) fn write(
    table: &'static Table,
    parts: &[PartRows],
    path: &Path,
    file: &mut PartWriter,
) -> Result<BTreeMap<i64, u64>, CompactError> {
    let mut heads = Vec::with_capacity(parts.len());
    let mut heap = BinaryHeap::with_capacity(parts.len());
    let error = |rows: &PartRows, source| CompactError::Part {
        path: rows.part.path.clone(),
        source,
    };
    for (index, rows) in parts.iter().enumerate() {
        let mut head = RowHead::open(table, rows).map_err(|it| error(rows, it))?;
        if let Some(key) = head.next_key().map_err(|it| error(rows, it))? {
            heap.push(Reverse((key, index)));
        }
        heads.push(head);
    }
    let mut counted = BTreeMap::new();
    let mut group = RowGroup::default();
    while let Some(mut top) = heap.peek_mut() {
        let Reverse((key, index)) = *top;
        let (head, rows) = (&mut heads[index], &parts[index]);
        let taken = head.take_rows(key, &mut group);
        *counted.entry(key.1).or_default() += taken as u64;
        match head.next_key().map_err(|it| error(rows, it))? {
            Some(next) if next < key => {
                let reason = PartError::Damaged("its rows are out of order".to_owned());
                return Err(error(rows, reason));
            }
            Some(next) => *top = Reverse((next, index)),
            None => drop(PeekMut::pop(top)),
        }
        if group.is_full() {
            group.write(table, path, file)?;
        }
    }
    group.write(table, path, file)?;
    Ok(counted)
}

/// A file that is being read, with the batch in hand.
struct RowHead {
    table: &'static Table,
    batches: PartBatches,
    batch: Arc<RecordBatch>,
    keys: Vec<RowKey>,
    row: usize,
}

impl RowHead {
    fn open(table: &'static Table, rows: &PartRows) -> Result<Self, PartError> {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let texts = table.columns.iter();
        let texts: Vec<&str> = texts
            .filter(|column| column.column_type == ColumnType::Text)
            .map(|column| column.name)
            .collect();
        let batches = PartBatches::open_rows(rows, &columns, &texts, BATCH_ROWS)?;
        if batches.columns() != columns.len() {
            let reason = "has columns of another program, which would be lost";
            return Err(PartError::Damaged(reason.to_owned()));
        }
        Ok(RowHead {
            table,
            batches,
            batch: Arc::new(RecordBatch::new_empty(Arc::new(
                arrow::datatypes::Schema::empty(),
            ))),
            keys: Vec::new(),
            row: 0,
        })
    }

    /// The key of the current row; none at the end.
    fn next_key(&mut self) -> Result<Option<RowKey>, PartError> {
        while self.row == self.keys.len() {
            let table = self.table;
            let next = self
                .batches
                .next(|batch| Ok((keys(table, batch)?, batch.clone())))?;
            let Some((keys, batch)) = next else {
                return Ok(None);
            };
            (self.keys, self.batch, self.row) = (keys, Arc::new(batch), 0);
        }
        Ok(Some(self.keys[self.row]))
    }

    /// Takes the rows of a key that are in the batch; how many they are.
    fn take_rows(&mut self, key: RowKey, group: &mut RowGroup) -> usize {
        let rest = &self.keys[self.row..];
        let rows = rest.iter().take_while(|found| **found == key).count();
        group.push(&self.batch, self.row..self.row + rows);
        self.row += rows;
        rows
    }
}

fn keys(table: &Table, batch: &RecordBatch) -> Result<Vec<RowKey>, PartError> {
    let hours = times(batch, names::HOUR_START)?;
    let hours = hours.iter().map(|start| start.div_euclid(HOUR_US));
    if table.name != SOURCES.name {
        return Ok(hours.map(|hour| (None, hour)).collect());
    }
    let sources: &StringArray = column(batch, names::SRC_IP, |array| array.as_string_opt())?;
    let mut keys = Vec::<RowKey>::with_capacity(batch.num_rows());
    for (row, hour) in hours.enumerate() {
        let text = sources.value(row);
        let known = keys.last().filter(|_| sources.value(row - 1) == text);
        let source = match known {
            Some((source, _)) => *source,
            None => SourceKey::parse(text),
        };
        let unknown = || damaged(names::SRC_IP, &format!("holds `{}`", text.escape_default()));
        keys.push((Some(source.ok_or_else(unknown)?), hour));
    }
    Ok(keys)
}

/// Rows that become a row group.
#[derive(Default)]
struct RowGroup {
    batches: Vec<Arc<RecordBatch>>,
    rows: Vec<(usize, usize)>,
    bytes: usize,
}

impl RowGroup {
    fn push(&mut self, batch: &Arc<RecordBatch>, rows: std::ops::Range<usize>) {
        // Rows of one file and of others alternate: its batch is among the last ones, one of each file.
        let known = self
            .batches
            .iter()
            .rposition(|known| Arc::ptr_eq(known, batch));
        let place = known.unwrap_or_else(|| {
            self.batches.push(Arc::clone(batch));
            self.bytes += batch.get_array_memory_size();
            self.batches.len() - 1
        });
        self.rows.extend(rows.map(|row| (place, row)));
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }

    fn write(
        &mut self,
        table: &Table,
        path: &Path,
        file: &mut PartWriter,
    ) -> Result<(), CompactError> {
        let RowGroup { batches, rows, .. } = std::mem::take(self);
        if rows.is_empty() {
            return Ok(());
        }
        let batches: Vec<&RecordBatch> = batches.iter().map(AsRef::as_ref).collect();
        let schema = file.schema();
        file.append(encode_with(path, |encoder| {
            let batch = interleave_record_batch(&batches, &rows)?;
            encode_batch(table, &schema, &batch, encoder)
        })?)?;
        Ok(())
    }
}
