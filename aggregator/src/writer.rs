//! One part of one table: a Parquet file that appears whole or not at all.
//!
//! The file is written under a name that no reader takes for a part, forced to disk, and then renamed; the folder is forced too.

use std::fs::File;
use std::hash::Hasher;
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};
use thiserror::Error;

use twox_hash::XxHash64;

use crate::encode::EncodedColumn;
use crate::part::{CHECKSUM_KEY, checksum_note, checksum_text, place_in};
use crate::schema::Table;

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
    /// Rows that were set aside could not be read back.
    #[error("cannot read back rows that were set aside: {0}")]
    Run(#[from] std::io::Error),
}

impl WriteError {
    /// Whether the operating system refused, which can pass; else the rows do not fit their table, which does not.
    #[must_use]
    pub fn is_of_the_system(&self) -> bool {
        match self {
            WriteError::File { .. } | WriteError::Run(_) => true,
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
            ": a file stands where a folder is wanted; name another folder"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": there is no room left; make some, or name a folder on another disk"
        }
        ErrorKind::ReadOnlyFilesystem => {
            ": that file system is read-only; name a folder on another one, or mount it writable"
        }
        _ => "",
    }
}

/// A part under way.
pub struct PartWriter {
    writer: SerializedFileWriter<BufWriter<Summed>>,
    schema: SchemaDescPtr,
    temporary: Temporary,
    path: PathBuf,
}

impl PartWriter {
    /// Begins the part that will be at `path`; its folder is made where it is missing.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn create(path: &Path, table: &Table, metadata: Vec<KeyValue>) -> Result<Self, WriteError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file_error = |source| WriteError::File {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(file_error)?;
        let temporary = Temporary(under_way(path));
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&temporary.0).map_err(file_error)?;
        // What is copied from other parts is no checksum of this one.
        let mut metadata = metadata;
        metadata.retain(|note| note.key != CHECKSUM_KEY);
        metadata.push(checksum_note());
        let message = table.parquet_type();
        let properties = WriterProperties::builder()
            .set_created_by(concat!("teiten ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(metadata))
            .build();
        let buffered = BufWriter::with_capacity(1 << 20, Summed::new(file));
        let writer =
            SerializedFileWriter::new(buffered, Arc::clone(&message), Arc::new(properties))
                .map_err(|source| WriteError::Encode {
                    path: path.to_owned(),
                    source,
                })?;
        Ok(PartWriter {
            writer,
            schema: Arc::new(SchemaDescriptor::new(message)),
            temporary,
            path: path.to_owned(),
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

    /// Ends the part and forces it to disk; it is not visible yet.
    ///
    /// # Errors
    /// When the file cannot be written or forced to disk.
    pub fn finish(self) -> Result<FinishedPart, WriteError> {
        let PartWriter {
            writer,
            temporary,
            path,
            ..
        } = self;
        let file_error = |source| WriteError::File {
            path: path.clone(),
            source,
        };
        let buffered = writer.into_inner().map_err(|source| WriteError::Encode {
            path: path.clone(),
            source,
        })?;
        let summed = buffered
            .into_inner()
            .map_err(|error| file_error(error.into_error()))?;
        let file = summed.write_checksum().map_err(file_error)?;
        let length = file.metadata().map_err(file_error)?.len();
        file.sync_all().map_err(file_error)?;
        Ok(FinishedPart {
            temporary,
            path,
            length,
        })
    }
}

/// A file, and the checksum of what was written to it.
pub(crate) struct Summed {
    file: File,
    hash: XxHash64,
}

impl Summed {
    pub(crate) fn new(file: File) -> Self {
        Summed {
            file,
            hash: XxHash64::with_seed(0),
        }
    }

    /// Writes the checksum of all that was written into its place.
    pub(crate) fn write_checksum(mut self) -> std::io::Result<File> {
        let place = place_in(&mut self.file).map_err(std::io::Error::other)?;
        self.file.seek(SeekFrom::Start(place))?;
        let checksum = checksum_text(self.hash.finish());
        self.file.write_all(checksum.as_bytes())?;
        Ok(self.file)
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.write(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A part that is whole and on disk, under a name that no reader takes for a part.
#[derive(Debug)]
pub struct FinishedPart {
    temporary: Temporary,
    path: PathBuf,
    length: u64,
}

impl FinishedPart {
    /// Makes the part visible; returns its size in bytes.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn publish(self) -> Result<u64, WriteError> {
        let file_error = |source| WriteError::File {
            path: self.path.clone(),
            source,
        };
        std::fs::rename(&self.temporary.0, &self.path).map_err(file_error)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(file_error)?;
        Ok(self.length)
    }
}

/// Where a part lies until it is whole. Programs that read a folder as a table, such as Spark and pyarrow, leave out names that begin
/// with a dot, and would take any other for a part: also what a program that was killed has left.
pub(crate) fn under_way(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.under-way"))
}

/// The name of a file under way; what still has it in the end is removed.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a part was published nothing has this name any more.
        let _ = std::fs::remove_file(&self.0);
    }
}
