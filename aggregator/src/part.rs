//! Opens parts of tables, also damaged ones: every reader of a dataset uses this module.
//!
//! A part has a checksum of all its bytes ([`CHECKSUM_KEY`]), which is verified first. If the Parquet library still panics, for example over a
//! malicious file, the panic becomes an error.

use std::fs::File;
use std::hash::Hasher;
use std::io::{Error, ErrorKind, Read, Seek};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use thiserror::Error;
use twox_hash::XxHash64;

use crate::schema::{Span, Table};
use crate::store::{self, Store};
use crate::text::hexadecimal;

/// Key of the metadata whose value is the XXH64 (seed 0) of the whole file, 16 hexadecimal digits, computed with sixteen zeros in the
/// place of the value.
pub const CHECKSUM_KEY: &str = "file_xxh64";
/// The value under which the checksum is computed.
pub(crate) const CHECKSUM_PLACE: &str = "0000000000000000";
/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Smaller parts are read at once and stay in memory while they are decoded: an hour of a small telescope has 20 KB of a table.
const WHOLE_BYTES_MAX: u64 = PIECE_BYTES as u64;
/// Four bytes that begin and end a Parquet file; four bytes with the length of the footer come before the last.
const MAGIC: &[u8; 4] = b"PAR1";
const TAIL_BYTES: u64 = 8;

/// Why a part cannot be read.
#[derive(Debug, Error)]
pub enum PartError {
    /// An error of the file system.
    #[error("cannot be opened: {0}")]
    File(#[from] Error),
    /// The file was changed after writing.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// An error of the Parquet library.
    #[error("cannot be read: {0}")]
    Parquet(#[from] ParquetError),
}

impl From<PartError> for ParquetError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::Parquet(error) => error,
            other => ParquetError::General(other.to_string()),
        }
    }
}

/// A part with a valid checksum.
pub struct CheckedPart {
    reader: SerializedFileReader<File>,
    is_checked: bool,
}

impl CheckedPart {
    /// The Parquet reader.
    #[must_use]
    pub fn reader(&self) -> &SerializedFileReader<File> {
        &self.reader
    }

    /// Whether the part has a checksum, which then is valid. Parts of other programs have none.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// The metadata of the file.
    #[must_use]
    pub fn about(&self) -> &FileMetaData {
        self.reader.metadata().file_metadata()
    }

    /// The value of a key of the metadata.
    #[must_use]
    pub fn note(&self, key: &str) -> Option<&str> {
        note(self.about(), key)
    }
}

fn note<'m>(about: &'m FileMetaData, key: &str) -> Option<&'m str> {
    let notes = about.key_value_metadata()?;
    notes.iter().find(|note| note.key == key)?.value.as_deref()
}

/// The parts of a table in the order of their periods and names; a table that does not exist has none.
///
/// # Errors
/// When a folder cannot be listed.
pub fn listed(directory: &Path, table: &'static Table) -> Result<Vec<store::Part>, Error> {
    let store = Store::at(directory);
    match table.span {
        Span::Hour => store.parts_within(table.name, &(i64::MIN..i64::MAX)),
        Span::Day | Span::Month => {
            let mut parts = Vec::new();
            for period in store.periods(table.name)? {
                parts.extend(store.parts(table.name, period)?);
            }
            Ok(parts)
        }
    }
}

/// Opens the part at `path`, verifies its checksum, and passes it to `read`.
///
/// # Errors
/// When the file cannot be opened, is damaged, or `read` fails; also where the Parquet library panics.
pub fn read<T, E: From<PartError>>(
    path: &Path,
    read: impl FnOnce(&CheckedPart) -> Result<T, E>,
) -> Result<T, E> {
    let file = File::open(path).map_err(PartError::from)?;
    read_open(file, read)
}

/// As [`read`], for an open part, whose bytes stay the same if it is replaced meanwhile.
///
/// # Errors
/// As [`read`].
pub fn read_open<T, E: From<PartError>>(
    file: File,
    read: impl FnOnce(&CheckedPart) -> Result<T, E>,
) -> Result<T, E> {
    guarded(|| {
        let (file, _, is_checked) = checked_open(file, ParquetStatisticsPolicy::SkipAll)?;
        let reader = SerializedFileReader::new(file).map_err(PartError::from)?;
        read(&CheckedPart { reader, is_checked })
    })
}

/// Runs `read` and turns a panic into an error: the Parquet library may panic on malicious files.
///
/// # Errors
/// Those of `read`, and one for a panic.
pub fn guarded<T, E: From<PartError>>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let reason = "its contents are of no form that this program knows";
        Err(PartError::Damaged(reason.to_owned()).into())
    })
}

/// Opens a file and verifies its checksum, if it has one.
///
/// # Errors
/// When the file cannot be read, is no Parquet file, or has a wrong checksum.
pub fn checked(path: &Path) -> Result<(File, bool), PartError> {
    let file = File::open(path)?;
    let (file, _, is_checked) = checked_open(file, ParquetStatisticsPolicy::SkipAll)?;
    Ok((file, is_checked))
}

/// As [`checked`], with the metadata, which then need not be decoded again; without the statistics of its columns where nobody needs them.
///
/// # Errors
/// As [`checked`].
pub(crate) fn checked_with_metadata(
    path: &Path,
    statistics: bool,
) -> Result<(File, ParquetMetaData), PartError> {
    let policy = match statistics {
        true => ParquetStatisticsPolicy::KeepAll,
        false => ParquetStatisticsPolicy::SkipAll,
    };
    let (file, metadata, _) = checked_open(File::open(path)?, policy)?;
    Ok((file, metadata))
}

/// The bytes of a part: in memory where they are few.
pub(crate) enum PartInput {
    /// All of them.
    Whole(Bytes),
    /// Those of a file.
    File(File),
}

/// As [`checked_with_metadata`], without statistics; each byte of a small part is read once.
///
/// # Errors
/// As [`checked`].
pub(crate) fn checked_input(path: &Path) -> Result<(PartInput, ParquetMetaData), PartError> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length > WHOLE_BYTES_MAX {
        let (file, metadata, _) = checked_open(file, ParquetStatisticsPolicy::SkipAll)?;
        return Ok((PartInput::File(file), metadata));
    }
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.read_to_end(&mut bytes)?;
    guarded(|| {
        let read = |offset: u64, into: &mut [u8]| {
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let found = rest.get(..into.len()).ok_or(ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(found);
            Ok(())
        };
        let (start, footer) = footer(bytes.len() as u64, read)?;
        let metadata = decoded(&footer, ParquetStatisticsPolicy::SkipAll)?;
        if let Some((at, stored)) = checksum_place(&metadata, &footer)? {
            let (before, behind) = bytes.split_at(start as usize + at);
            let mut hash = XxHash64::with_seed(0);
            hash.write(before);
            hash.write(CHECKSUM_PLACE.as_bytes());
            hash.write(&behind[CHECKSUM_PLACE.len()..]);
            compare(&checksum_text(hash.finish()), &stored)?;
        }
        Ok(metadata)
    })
    .map(|metadata| (PartInput::Whole(bytes.into()), metadata))
}

fn decoded(
    footer: &[u8],
    statistics: ParquetStatisticsPolicy,
) -> Result<ParquetMetaData, PartError> {
    let options = ParquetMetaDataOptions::new().with_column_stats_policy(statistics);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options));
    Ok(metadata?)
}

fn compare(found: &str, stored: &str) -> Result<(), PartError> {
    if found == stored || cfg!(fuzzing) {
        return Ok(());
    }
    let reason = format!("its bytes have the checksum {found}, it was written with {stored}");
    Err(PartError::Damaged(reason))
}

fn checked_open(
    mut file: File,
    statistics: ParquetStatisticsPolicy,
) -> Result<(File, ParquetMetaData, bool), PartError> {
    guarded(|| {
        let length = file.metadata()?.len();
        let (start, footer) = footer(length, |offset, bytes| file.read_exact_at(bytes, offset))?;
        let metadata = decoded(&footer, statistics)?;
        let Some((at, stored)) = checksum_place(&metadata, &footer)? else {
            return Ok((file, metadata, false));
        };
        let found = checksum(&mut file, length, start + at as u64)?;
        compare(&found, &stored)?;
        file.rewind()?;
        Ok((file, metadata, true))
    })
}

/// The key-value metadata of an open part, without a look at its rows: neither its checksum nor its statistics are read.
///
/// # Errors
/// When the file is no Parquet file.
pub fn notes_of(file: &File) -> Result<Vec<KeyValue>, PartError> {
    let metadata = footer_of(file)?;
    let notes = metadata.file_metadata().key_value_metadata();
    Ok(notes.cloned().unwrap_or_default())
}

/// The number of rows that an open part says it has.
///
/// # Errors
/// When the file is no Parquet file.
pub(crate) fn rows_of(file: &File) -> Result<u64, PartError> {
    Ok(footer_of(file)?.file_metadata().num_rows().unsigned_abs())
}

fn footer_of(file: &File) -> Result<ParquetMetaData, PartError> {
    guarded(|| {
        let length = file.metadata()?.len();
        let (_, footer) = footer(length, |offset, bytes| file.read_exact_at(bytes, offset))?;
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        Ok(ParquetMetaDataReader::decode_metadata_with_options(
            &footer,
            Some(&options),
        )?)
    })
}

/// Where the footer begins, and its bytes.
fn footer(
    length: u64,
    read: impl Fn(u64, &mut [u8]) -> std::io::Result<()>,
) -> Result<(u64, Vec<u8>), PartError> {
    let damaged = |reason: &str| PartError::Damaged(reason.to_owned());
    let too_short = || damaged("it is too short for a Parquet file");
    let end = length.checked_sub(TAIL_BYTES).ok_or_else(too_short)?;
    let mut tail = [0; TAIL_BYTES as usize];
    read(end, &mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic != *MAGIC {
        return Err(damaged(
            "it does not end as a Parquet file: it was cut off, or is none",
        ));
    }
    let footer_length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let start = end.checked_sub(footer_length);
    let start = start.ok_or_else(|| damaged("its footer is longer than the file"))?;
    let mut footer = vec![0; (end - start) as usize];
    read(start, &mut footer)?;
    Ok((start, footer))
}

/// The offset of the checksum's value in the footer, and the value; `None` without one.
fn checksum_place(
    metadata: &ParquetMetaData,
    footer: &[u8],
) -> Result<Option<(usize, String)>, PartError> {
    let Some(stored) = note(metadata.file_metadata(), CHECKSUM_KEY) else {
        return Ok(None);
    };
    let place = value_place(footer, stored);
    let missing = || PartError::Damaged("its checksum has not the form of one".to_owned());
    let place = place.filter(|_| stored.len() == CHECKSUM_PLACE.len());
    Ok(Some((place.ok_or_else(missing)?, stored.to_owned())))
}

/// The offset of `value` as the checksum in a footer: it follows the key, the field's number and type, and its length.
fn value_place(footer: &[u8], value: &str) -> Option<usize> {
    let mut wanted = CHECKSUM_KEY.as_bytes().to_vec();
    wanted.extend([0x18, CHECKSUM_PLACE.len() as u8]);
    let before = wanted.len();
    wanted.extend(value.as_bytes());
    let found = memchr::memmem::rfind(footer, &wanted)?;
    Some(found + before)
}

/// The checksum of a file in which the value at `place` counts as zeros.
fn checksum(file: &mut File, length: u64, place: u64) -> Result<String, PartError> {
    let mut hash = XxHash64::with_seed(0);
    // One more than the file has shows its end.
    let piece_bytes = usize::try_from(length + 1).map_or(PIECE_BYTES, |it| it.min(PIECE_BYTES));
    let mut piece = vec![0; piece_bytes];
    let (mut offset, zeros) = (0_u64, place..place + CHECKSUM_PLACE.len() as u64);
    file.rewind()?;
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let piece = &mut piece[..read];
        let from = zeros.start.clamp(offset, offset + read as u64) - offset;
        let to = zeros.end.clamp(offset, offset + read as u64) - offset;
        piece[from as usize..to as usize].fill(b'0');
        hash.write(piece);
        offset += read as u64;
    }
    Ok(checksum_text(hash.finish()))
}

/// A checksum as the metadata spells it.
pub(crate) fn checksum_text(hash: u64) -> String {
    hexadecimal(&hash.to_be_bytes())
}

/// The placeholder for the checksum in a part that is being written.
pub(crate) fn checksum_note() -> KeyValue {
    KeyValue::new(CHECKSUM_KEY.to_owned(), CHECKSUM_PLACE.to_owned())
}

/// Where the checksum of a part of `length` bytes belongs that was written with [`checksum_note`].
pub(crate) fn place_in(
    length: u64,
    read: impl Fn(u64, &mut [u8]) -> std::io::Result<()>,
) -> Result<u64, PartError> {
    let (start, footer) = footer(length, read)?;
    let missing = || PartError::Damaged("it has no place for its checksum".to_owned());
    let place = value_place(&footer, CHECKSUM_PLACE).ok_or_else(missing)?;
    Ok(start + place as u64)
}
