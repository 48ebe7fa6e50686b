//! Row groups of a day that wait for their last columns: encoded, in a scratch file where they are many, while only their metadata are in
//! memory. So what is known when a day has been read to its end needs no second reading and no memory that grows with the sources.

use std::io::{self, Read};

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;

use super::scratch::ScratchWriter;
use crate::encode::EncodedColumn;
use crate::store::Store;

/// A row group that waits.
struct HeldGroup {
    rows: usize,
    columns: Vec<(usize, ColumnCloseResult)>,
}

/// Row groups that wait, in their order.
pub(super) struct HeldGroups<'s> {
    bytes: ScratchWriter<'s>,
    groups: Vec<HeldGroup>,
}

impl<'s> HeldGroups<'s> {
    /// None yet.
    pub(super) fn new(store: &'s Store) -> Self {
        HeldGroups {
            bytes: ScratchWriter::new(store, "held"),
            groups: Vec::new(),
        }
    }

    /// Keeps the first columns of a row group.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn push(&mut self, rows: usize, columns: Vec<EncodedColumn>) -> io::Result<()> {
        let mut kept = Vec::with_capacity(columns.len());
        for column in columns {
            self.bytes.push(&column.bytes)?;
            kept.push((column.bytes.len(), column.close));
        }
        let columns = kept;
        self.groups.push(HeldGroup { rows, columns });
        Ok(())
    }

    /// Gives each row group back, in their order, with its number of rows. `failed` makes an error of one of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or what `take` returns.
    pub(super) fn take_all<E>(
        self,
        failed: impl Fn(io::Error) -> E,
        mut take: impl FnMut(usize, Vec<EncodedColumn>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = self.bytes.finish().map_err(&failed)?;
        for group in self.groups {
            let mut columns = Vec::with_capacity(group.columns.len() + 1);
            for (length, close) in group.columns {
                let mut bytes = vec![0; length];
                held.read_exact(&mut bytes).map_err(&failed)?;
                let bytes = Bytes::from(bytes);
                columns.push(EncodedColumn { bytes, close });
            }
            take(group.rows, columns)?;
        }
        Ok(())
    }
}
