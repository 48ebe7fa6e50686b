//! What a rollup is made of: the parts of its period, what they say of their making, and the hash by which a later run knows whether they
//! have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use parquet::file::metadata::KeyValue;
use sha2::{Digest, Sha256};

use super::error::RollupError;
use super::noted::NotedPart;
use crate::part::{CHECKSUM_KEY, PartError, notes_of};
use crate::text::hexadecimal;
use crate::whole_day::PartOfHour;

/// The note of the parts that a rollup was made of.
pub(super) const INPUTS: &str = "inputs_sha256";

/// The note of these parts alone, without the settings.
pub const PARTS_KEY: &str = "parts_sha256";

/// What parts say of their making, where they differ all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct MakingNotes(BTreeMap<String, BTreeSet<String>>);

impl MakingNotes {
    fn add_all(&mut self, notes: &[KeyValue]) {
        for note in notes.iter().filter(|note| note.key != CHECKSUM_KEY) {
            self.add(&note.key, note.value.as_deref().unwrap_or_default());
        }
    }

    /// Adds the notes of a file, where there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), RollupError> {
        let noted = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            file => file.map_err(PartError::from),
        };
        let noted = noted.and_then(|file| notes_of(&file));
        let noted = noted.map_err(|error| RollupError::Part {
            path: path.to_owned(),
            source: error.into(),
        })?;
        self.add_all(&noted);
        Ok(())
    }

    fn add(&mut self, key: &str, value: &str) {
        // Most parts of a day say the same.
        match self.0.get_mut(key) {
            Some(values) if values.contains(value) => {}
            Some(values) => drop(values.insert(value.to_owned())),
            None => self.set(key, value),
        }
    }

    /// Gives a key this value alone.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        self.0
            .insert(key.to_owned(), BTreeSet::from([value.to_owned()]));
    }

    /// The largest number among the values of a key.
    #[must_use]
    pub(super) fn largest(&self, key: &str) -> Option<u64> {
        let values = self.0.get(key)?.iter();
        values.filter_map(|value| value.parse().ok()).max()
    }

    /// Leaves of the values of a key the last one in the order of texts.
    pub(super) fn keep_last(&mut self, key: &str) {
        if let Some(values) = self.0.get_mut(key)
            && let Some(last) = values.pop_last()
        {
            *values = BTreeSet::from([last]);
        }
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
pub(crate) fn parts_sha256(parts: &BTreeSet<PartOfHour>) -> Result<String, RollupError> {
    Ok(NotedParts::read(parts)?.sha256(&[]))
}

/// The same, of parts whose notes the caller wants to see too.
///
/// # Errors
/// When a part cannot be opened.
pub fn parts_sha256_of<'p>(
    parts: impl IntoIterator<Item = &'p PartOfHour>,
    mut each: impl FnMut(&[KeyValue]),
) -> Result<String, RollupError> {
    let noted = NotedParts::read(parts)?;
    noted.0.iter().for_each(|part| each(&part.notes));
    Ok(noted.sha256(&[]))
}

/// The parts that something is made of, with what they say of themselves.
pub(super) struct NotedParts<'p>(Vec<NotedPart<'p>>);

impl<'p> NotedParts<'p> {
    /// Reads the metadata of these parts, of each file once.
    ///
    /// # Errors
    /// When a part cannot be opened.
    pub(super) fn read(
        parts: impl IntoIterator<Item = &'p PartOfHour>,
    ) -> Result<Self, RollupError> {
        let mut of_days = BTreeMap::new();
        let noted = parts.into_iter().map(|part| {
            NotedPart::of(part, &mut of_days).map_err(|source| RollupError::Part {
                path: part.part.path.clone(),
                source,
            })
        });
        noted.collect::<Result<_, _>>().map(NotedParts)
    }

    /// A hash that changes when a part is added, removed or written anew, or what else it is made of.
    pub(super) fn sha256(&self, else_of: &[&str]) -> String {
        let mut sum = Sha256::new();
        for NotedPart { part, content, .. } in &self.0 {
            let (period, name) = (part.period.text(), &part.file_name);
            let table = part.part.table;
            sum.update(format!("{table} {period} {name} {content}\n").as_bytes());
        }
        for text in else_of {
            sum.update(format!("{text}\n").as_bytes());
        }
        hexadecimal(&sum.finalize())
    }

    /// What they say of their making.
    pub(super) fn notes(&self) -> MakingNotes {
        let mut notes = MakingNotes::default();
        for part in &self.0 {
            notes.add_all(&part.notes);
        }
        notes
    }
}
