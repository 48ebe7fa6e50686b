//! What a part says of itself: notes of its metadata, and what changes when its rows do.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::hash::Hasher;
use std::io::{Read, Seek};
use std::path::Path;

use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use twox_hash::XxHash64;

use crate::calendar::{TIMEZONE_DEFAULT, TIMEZONE_KEY};
use crate::part::{self, CHECKSUM_KEY, PartError};
use crate::store::Part;
use crate::whole_day::{CONTENT_KEY, PartOfHour, notes_of_held};

/// A note of a part; none where there is no such part or note.
pub(crate) fn note_of(path: &Path, key: &str) -> Option<String> {
    let note = |part: &part::CheckedPart| Ok::<_, PartError>(part.note(key).map(str::to_owned));
    part::read(path, note).ok()?
}

/// The time zone of a rolled-up day, where it is not `wanted`.
pub(super) fn other_zone(part: &Part, wanted: &str) -> Option<String> {
    let found = note_of(part.place(), TIMEZONE_KEY);
    let found = found.unwrap_or_else(|| TIMEZONE_DEFAULT.to_owned());
    (found != wanted).then_some(found)
}

/// What the files of whole days say of themselves.
pub(super) type DayNotes<'p> = BTreeMap<&'p Part, Vec<KeyValue>>;

/// What a part says of itself, read once for all who ask.
#[derive(Clone, Debug)]
pub(super) struct NotedPart<'p> {
    pub part: &'p PartOfHour,
    /// What changes when the rows of the part change: the hash in its metadata, or of the whole file where an older program has written it.
    pub content: String,
    /// Its metadata.
    pub notes: Vec<KeyValue>,
}

impl<'p> NotedPart<'p> {
    /// Reads the metadata of a part; what a whole day's file says is kept in `of_days` for its other parts.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(part: &'p PartOfHour, of_days: &mut DayNotes<'p>) -> Result<Self> {
        if let Some(held) = &part.held {
            let notes = match of_days.entry(&part.part) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(part::notes_of(&part.part.open()?)?),
            };
            return Ok(NotedPart {
                part,
                content: held.content.clone(),
                notes: notes_of_held(notes, held),
            });
        }
        let mut file = part.part.open()?;
        let mut notes = part::notes_of(&file)?;
        let noted = |key| notes.iter().find(|note| note.key == key)?.value.clone();
        let content = match noted(CONTENT_KEY).or_else(|| noted(CHECKSUM_KEY)) {
            Some(noted) => noted,
            None => hash_of(&mut file)?,
        };
        notes.retain(|note| note.key != CONTENT_KEY);
        Ok(NotedPart {
            part,
            content,
            notes,
        })
    }
}

fn hash_of(file: &mut File) -> Result<String> {
    file.rewind()?;
    let (mut sum, mut bytes) = (XxHash64::with_seed(0), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(format!("file-{:016x}", sum.finish())),
            count => Hasher::write(&mut sum, &bytes[..count]),
        }
    }
}
