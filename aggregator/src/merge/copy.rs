//! Copies a part into another dataset: byte for byte, or with another sensor name in its metadata and its column `sensor`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::edition::MergePart;
use super::error::{MergeError, file_error, unsound};
use super::rename::RENAMED_FROM_KEY;
use crate::close::SENSOR_KEY;
use crate::encode::Encoder;
use crate::part::{self, CHECKSUM_KEY, PartError};
use crate::schema::names;
use crate::store::{OpenPart, Staged, Store};
use crate::writer::{PartWriter, WriteError};

/// Copies a part into the work folder, with the new name of its sensor.
pub(super) fn write_copy(
    part: &MergePart,
    within: &Path,
    into: &Store,
) -> Result<Staged, MergeError> {
    match &part.renamed {
        None => copy(&part.open, within, into),
        Some(sensor) => renamed(part, sensor, within, into),
    }
}

fn copy(open: &OpenPart, within: &Path, into: &Store) -> Result<Staged, MergeError> {
    let of_theirs = file_error(&open.part.path);
    let mut source = FileStart {
        file: &open.file,
        offset: 0,
    };
    let mut staged = into.stage(within).map_err(file_error(within))?;
    std::io::copy(&mut source, &mut staged).map_err(of_theirs)?;
    Ok(staged)
}

/// Reads a file from its beginning, whatever the position of its shared handle.
struct FileStart<'f> {
    file: &'f File,
    offset: u64,
}

impl Read for FileStart<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.file, bytes, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

fn renamed(
    part: &MergePart,
    sensor: &str,
    within: &Path,
    into: &Store,
) -> Result<Staged, MergeError> {
    let path = &part.open.part.path;
    let file = part.open.file.try_clone().map_err(file_error(path))?;
    let mut notes: Vec<KeyValue> = Vec::new();
    for (key, value) in &part.notes {
        let value = match key.as_str() {
            SENSOR_KEY => sensor.to_owned(),
            RENAMED_FROM_KEY => continue,
            _ => value.clone(),
        };
        notes.push(KeyValue::new(key.clone(), value));
    }
    if let Some(checksum) = part.notes.get(CHECKSUM_KEY) {
        notes.push(KeyValue::new(RENAMED_FROM_KEY.to_owned(), checksum.clone()));
    }
    let written = part::guarded(|| {
        let reader = SerializedFileReader::new(file.try_clone()?)?;
        Ok::<_, PartError>(write_groups(&reader, &file, sensor, notes, within, into))
    });
    written
        .map_err(unsound(path))?
        .map_err(|error| match error {
            WriteError::File { path, source } => MergeError::File { path, source },
            other => MergeError::Unsound {
                path: path.clone(),
                reason: other.to_string(),
            },
        })
}

fn write_groups(
    reader: &SerializedFileReader<File>,
    file: &File,
    sensor: &str,
    notes: Vec<KeyValue>,
    within: &Path,
    into: &Store,
) -> Result<Staged, WriteError> {
    let encoding = |source| WriteError::Encode {
        path: within.to_owned(),
        source,
    };
    let schema = reader.metadata().file_metadata().schema_descr();
    let message = schema.root_schema_ptr();
    let mut writer = PartWriter::of_schema(into, within, message, notes)?;
    let mut encoder = Encoder::new().map_err(encoding)?;
    for group in reader.metadata().row_groups() {
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let mut constants = Vec::new();
        for (index, column) in schema.columns().iter().enumerate() {
            if column.name() == names::SENSOR {
                let text = encoder
                    .constant_text(column, sensor, rows)
                    .map_err(encoding)?;
                constants.push((index, text));
            }
        }
        writer.append_group(file, group, constants)?;
    }
    writer.finish()
}
