//! One part of one table: a Parquet file that appears whole or not at all.
//!
//! The file is written in the store's work folder; the store makes it durable and gives it its name, together with others.

use std::fs::File;
use std::hash::Hasher;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, TypePtr};
use thiserror::Error;

use twox_hash::XxHash64;

use crate::encode::EncodedColumn;
use crate::part::{CHECKSUM_KEY, checksum_note, checksum_text, place_in};
use crate::schema::Table;
use crate::store::{Staged, Store};

/// Why a part was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file system refused.
    #[error(
        "cannot write {path}: {source}{advice}. Nothing of this part is visible to readers",
        advice = way_out(source)
    )]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The rows could not be encoded.
    #[error("cannot encode {path}: {source}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the Parquet library said.
        source: ParquetError,
    },
    /// Another program does the same already.
    #[error(
        "another capture of the sensor `{sensor}` writes to {path}: give this one another name (--sensor), or another folder (--data)"
    )]
    Busy {
        /// The sensor.
        sensor: String,
        /// The dataset.
        path: PathBuf,
    },
    /// Spilled rows cannot be read.
    #[error("cannot read spilled rows: {0}")]
    Run(#[from] std::io::Error),
}

impl WriteError {
    /// Whether the operating system refused, which can pass; else the rows do not fit their table, which does not.
    #[must_use]
    pub fn is_of_the_system(&self) -> bool {
        match self {
            WriteError::File { .. } | WriteError::Run(_) => true,
            WriteError::Busy { .. } => false,
            WriteError::Encode { source, .. } => {
                matches!(source, ParquetError::External(error) if error.is::<std::io::Error>())
            }
        }
    }
}

/// What a person can do about a refusal to write, behind the system's words; empty where those say all.
#[must_use]
pub fn way_out(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            ": this user may not write there; name another folder, or give this one to the user (chown)"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            ": there is a file with the name of a folder; name another folder"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": the disk is full; free some space, or name a folder on another disk"
        }
        ErrorKind::ReadOnlyFilesystem => {
            ": that file system is read-only; name a folder on another one, or mount it writable"
        }
        _ => "",
    }
}

/// What parts say that this program has written.
pub(crate) const CREATED_BY: &str = concat!("teiten ", env!("CARGO_PKG_VERSION"));
/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// A part that is being written.
pub struct PartWriter {
    writer: SerializedFileWriter<ChecksumFile>,
    schema: SchemaDescPtr,
    path: PathBuf,
}

impl PartWriter {
    /// Begins the part that will be at `within` of the dataset.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        store: &Store,
        within: &Path,
        table: &Table,
        metadata: Vec<KeyValue>,
    ) -> Result<Self, WriteError> {
        PartWriter::of_schema(store, within, table.parquet_type(), metadata)
    }

    /// As [`PartWriter::create`], of a table that has the columns of `message`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn of_schema(
        store: &Store,
        within: &Path,
        message: TypePtr,
        metadata: Vec<KeyValue>,
    ) -> Result<Self, WriteError> {
        let path = store.directory().join(within);
        let file = store.stage(within).map_err(|source| WriteError::File {
            path: path.clone(),
            source,
        })?;
        // A checksum copied from another part is not that of this one.
        let mut metadata = metadata;
        metadata.retain(|note| note.key != CHECKSUM_KEY);
        metadata.push(checksum_note());
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_key_value_metadata(Some(metadata))
            .build();
        let summed = ChecksumFile::new(file);
        let writer = SerializedFileWriter::new(summed, Arc::clone(&message), Arc::new(properties))
            .map_err(|source| WriteError::Encode {
                path: path.clone(),
                source,
            })?;
        Ok(PartWriter {
            writer,
            schema: Arc::new(SchemaDescriptor::new(message)),
            path,
        })
    }

    /// The columns' descriptions, for encoding.
    #[must_use]
    pub fn schema(&self) -> SchemaDescPtr {
        Arc::clone(&self.schema)
    }

    /// Appends a row group.
    ///
    /// # Errors
    /// When the file cannot be written, or the columns do not fit the table.
    pub fn append(&mut self, columns: Vec<EncodedColumn>) -> Result<(), WriteError> {
        let path = self.path.clone();
        let failed = move |source| WriteError::Encode {
            path: path.clone(),
            source,
        };
        let mut group = self.writer.next_row_group().map_err(&failed)?;
        for column in columns {
            group
                .append_column(&column.bytes, column.close)
                .map_err(&failed)?;
        }
        group.close().map_err(&failed)?;
        Ok(())
    }

    /// Appends a row group of another part with the same columns, `file`: column chunks as they are, but for those in `replaced`, by their
    /// places.
    ///
    /// # Errors
    /// As [`PartWriter::append`].
    pub(crate) fn append_group(
        &mut self,
        file: &File,
        group: &RowGroupMetaData,
        replaced: Vec<(usize, EncodedColumn)>,
    ) -> Result<(), WriteError> {
        let path = self.path.clone();
        let failed = move |source| WriteError::Encode {
            path: path.clone(),
            source,
        };
        let mut next = self.writer.next_row_group().map_err(&failed)?;
        let mut replaced = replaced.into_iter().peekable();
        for (index, chunk) in group.columns().iter().enumerate() {
            if let Some((_, column)) = replaced.next_if(|(place, _)| *place == index) {
                next.append_column(&column.bytes, column.close)
                    .map_err(&failed)?;
                continue;
            }
            let close = ColumnCloseResult {
                bytes_written: chunk.compressed_size().unsigned_abs(),
                rows_written: group.num_rows().unsigned_abs(),
                metadata: chunk.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            next.append_column(file, close).map_err(&failed)?;
        }
        next.close().map_err(&failed)?;
        Ok(())
    }

    /// Writes what waits in memory, and gives that memory back: the part is ended later.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.writer.flush().map_err(|source| WriteError::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Adds a note to the metadata.
    pub fn note(&mut self, key: &str, value: String) {
        self.writer
            .append_key_value_metadata(KeyValue::new(key.to_owned(), value));
    }

    /// Ends the part; it is not visible yet, nor durable.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> Result<Staged, WriteError> {
        let PartWriter { writer, path, .. } = self;
        let summed = writer.into_inner().map_err(|source| WriteError::Encode {
            path: path.clone(),
            source,
        })?;
        summed
            .write_checksum()
            .map_err(|source| WriteError::File { path, source })
    }
}

impl std::fmt::Debug for PartWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PartWriter({})", self.path.display())
    }
}

/// A file, the checksum of what was written to it, and what is to be written next.
pub(crate) struct ChecksumFile {
    file: Staged,
    hash: XxHash64,
    waiting: Vec<u8>,
}

impl ChecksumFile {
    pub(crate) fn new(file: Staged) -> Self {
        ChecksumFile {
            file,
            hash: XxHash64::with_seed(0),
            waiting: Vec::new(),
        }
    }

    /// Writes the checksum of all that was written into its place.
    pub(crate) fn write_checksum(mut self) -> std::io::Result<Staged> {
        self.flush()?;
        let length = self.file.length();
        let read = |offset: u64, bytes: &mut [u8]| self.file.read_at(offset, bytes);
        let place = place_in(length, read).map_err(std::io::Error::other)?;
        let checksum = checksum_text(self.hash.finish());
        self.file.write_at(place, checksum.as_bytes())?;
        Ok(self.file)
    }
}

impl ChecksumFile {
    fn write_waiting(&mut self) -> std::io::Result<()> {
        self.hash.write(&self.waiting);
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

impl Write for ChecksumFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.waiting.len() + bytes.len() > WRITE_BYTES {
            self.write_waiting()?;
        }
        if bytes.len() >= WRITE_BYTES {
            self.hash.write(bytes);
            self.file.write_all(bytes)?;
        } else {
            self.waiting.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.write_waiting()?;
        self.waiting = Vec::new();
        self.file.flush()
    }
}
