//! Row groups of a day that wait for their last columns: encoded, in a file that has no name any more, while only their metadata are in
//! memory. So what is known when a day has been read to its end needs no second reading and no memory that grows with the sources.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};

use bytes::Bytes;
use parquet::column::writer::ColumnCloseResult;

use crate::encode::EncodedColumn;
use crate::store::Store;

/// A file in the work folder that is gone with its last handle.
///
/// # Errors
/// When it cannot be made.
pub(super) fn scratch(store: &Store, ending: &str) -> io::Result<File> {
    let path = store.scratch_path(ending)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// A row group that waits.
struct HeldGroup {
    rows: usize,
    columns: Vec<(usize, ColumnCloseResult)>,
}

/// Row groups that wait, in their order.
pub(super) struct HeldGroups {
    file: BufWriter<File>,
    groups: Vec<HeldGroup>,
}

impl HeldGroups {
    /// None yet.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn new(store: &Store) -> io::Result<Self> {
        Ok(HeldGroups {
            file: BufWriter::new(scratch(store, "held")?),
            groups: Vec::new(),
        })
    }

    /// Keeps the first columns of a row group.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn push(&mut self, rows: usize, columns: Vec<EncodedColumn>) -> io::Result<()> {
        let mut kept = Vec::with_capacity(columns.len());
        for column in columns {
            self.file.write_all(&column.bytes)?;
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
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error);
        let mut file = file.map_err(&failed)?;
        file.rewind().map_err(&failed)?;
        for group in self.groups {
            let mut columns = Vec::with_capacity(group.columns.len() + 1);
            for (length, close) in group.columns {
                let mut bytes = vec![0; length];
                file.read_exact(&mut bytes).map_err(&failed)?;
                let bytes = Bytes::from(bytes);
                columns.push(EncodedColumn { bytes, close });
            }
            take(group.rows, columns)?;
        }
        Ok(())
    }
}
