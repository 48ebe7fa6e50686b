//! What a part says of itself: notes of its metadata, and what changes when its rows do.

use std::hash::Hasher;
use std::io::Read;
use std::path::Path;

use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use twox_hash::XxHash64;

use crate::calendar::{TIMEZONE_DEFAULT, TIMEZONE_KEY};
use crate::part::{self, CHECKSUM_KEY, PartError};
use crate::store::Part;

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

/// What changes when the rows of a part change: the hash in its metadata, or of the whole file where an older program has written it.
/// `each` is shown all its notes.
pub(super) fn content_of(part: &Part, each: &mut impl FnMut(&[KeyValue])) -> Result<String> {
    let noted = part::guarded(|| {
        let reader = SerializedFileReader::new(part.open().map_err(PartError::from)?)?;
        let notes = reader.metadata().file_metadata().key_value_metadata();
        let notes = notes.map_or(&[][..], Vec::as_slice);
        each(notes);
        let noted = notes.iter().find(|note| note.key == CHECKSUM_KEY);
        Ok::<_, PartError>(noted.and_then(|note| note.value.clone()))
    })?;
    if let Some(noted) = noted {
        return Ok(noted);
    }
    let mut file = part.open()?;
    let (mut sum, mut bytes) = (XxHash64::with_seed(0), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(format!("file-{:016x}", sum.finish())),
            count => Hasher::write(&mut sum, &bytes[..count]),
        }
    }
}
