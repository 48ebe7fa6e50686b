//! What a rollup is made of: the parts of its period, what they say of their making, and the hash by which a later run knows whether they
//! have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use sha2::{Digest, Sha256};

use super::error::RollupError;
use super::noted::content_of;
use crate::part::{CHECKSUM_KEY, PartError, guarded};
use crate::store::Part;
use crate::text::hexadecimal;

/// The note of the parts that a rollup was made of.
pub(super) const INPUTS: &str = "inputs_sha256";

/// The note of these parts alone, without the settings.
pub const PARTS_KEY: &str = "parts_sha256";

/// What parts say of their making, where they differ all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct MakingNotes(BTreeMap<String, BTreeSet<String>>);

impl MakingNotes {
    /// Adds the notes of a part.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn add_part(&mut self, part: &Part) -> Result<(), RollupError> {
        self.add_opened(part.open(), &part.path)
    }

    fn add_opened(&mut self, file: std::io::Result<File>, path: &Path) -> Result<(), RollupError> {
        let read = guarded(|| {
            let reader = SerializedFileReader::new(file.map_err(PartError::from)?)?;
            let notes = reader.metadata().file_metadata().key_value_metadata();
            for note in notes.into_iter().flatten() {
                if note.key != CHECKSUM_KEY {
                    self.add(&note.key, note.value.as_deref().unwrap_or_default());
                }
            }
            Ok::<_, PartError>(())
        });
        read.map_err(|error| RollupError::Part {
            path: path.to_owned(),
            source: error.into(),
        })
    }

    /// Adds the notes of a file, where there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), RollupError> {
        match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            file => self.add_opened(file, path),
        }
    }

    /// Adds a value to a key.
    pub(super) fn add(&mut self, key: &str, value: &str) {
        let values = self.0.entry(key.to_owned()).or_default();
        values.insert(value.to_owned());
    }

    /// Gives a key this value alone.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        self.0
            .insert(key.to_owned(), BTreeSet::from([value.to_owned()]));
    }

    /// Gives the keys of `other` its values alone.
    pub(super) fn replace(&mut self, other: &MakingNotes) {
        self.0.extend(other.0.clone());
    }

    /// The largest number among the values of a key.
    #[must_use]
    pub(super) fn largest(&self, key: &str) -> Option<u64> {
        let values = self.0.get(key)?.iter();
        values.filter_map(|value| value.parse().ok()).max()
    }

    /// As the metadata of a file.
    #[must_use]
    pub(super) fn metadata(&self) -> Vec<KeyValue> {
        let joined = |values: &BTreeSet<String>| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            values.join(", ")
        };
        let notes = self.0.iter();
        notes
            .map(|(key, values)| KeyValue::new(key.clone(), joined(values)))
            .collect()
    }
}

/// A hash that changes when a part is added, removed or written anew.
///
/// # Errors
/// When a part cannot be opened.
pub(crate) fn parts_sha256(parts: &BTreeSet<Part>) -> Result<String, RollupError> {
    inputs_sha256(parts, &[])
}

/// The same, of parts whose notes the caller wants to see too.
///
/// # Errors
/// When a part cannot be opened.
pub fn parts_sha256_of<'p>(
    parts: impl IntoIterator<Item = &'p Part>,
    each: impl FnMut(&[KeyValue]),
) -> Result<String, RollupError> {
    hash_of(parts, &[], each)
}

/// A hash that changes when a part is added, removed or written anew, or what else it is made of.
///
/// # Errors
/// When a part cannot be opened.
pub(super) fn inputs_sha256(
    parts: &BTreeSet<Part>,
    else_of: &[&str],
) -> Result<String, RollupError> {
    hash_of(parts, else_of, |_| ())
}

fn hash_of<'p>(
    parts: impl IntoIterator<Item = &'p Part>,
    else_of: &[&str],
    mut each: impl FnMut(&[KeyValue]),
) -> Result<String, RollupError> {
    let mut sum = Sha256::new();
    for part in parts {
        let content = content_of(part, &mut each).map_err(|source| RollupError::Part {
            path: part.path.clone(),
            source,
        })?;
        let (period, name) = (part.period.text(), &part.file_name);
        sum.update(format!("{} {period} {name} {content}\n", part.table).as_bytes());
    }
    for text in else_of {
        sum.update(format!("{text}\n").as_bytes());
    }
    Ok(hexadecimal(&sum.finalize()))
}
