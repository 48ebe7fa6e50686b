//! Parts of whole days, as readers of hours see them: which parts of hours each holds, by its metadata, and which of its rows are theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

use parquet::file::metadata::KeyValue;
use serde::{Deserialize, Serialize};

use crate::hour::Hour;
use crate::part::{PartError, notes_of};
use crate::store::{Part, PartName, Period, Store};

/// Metadata key of a whole day's part: a JSON list of [`HeldPart`].
pub const HELD_PARTS_KEY: &str = "held_parts";
/// Metadata key of a part that was in a whole day's: its checksum before, by which it is known to have the same rows.
pub const CONTENT_KEY: &str = "content_xxh64";
/// Metadata key of the run that has written a part: a whole day's is of none of the runs whose parts it holds.
pub(crate) const RUN_KEY: &str = "run";
/// Attempts to list a table while its days are exchanged, which takes milliseconds.
const ATTEMPTS: usize = 50;

/// A part of an hour that a whole day's part holds the rows of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldPart {
    /// Hours since 1970-01-01 UTC.
    pub hour: i64,
    /// Its name in the hour's folder.
    pub file_name: String,
    /// Its checksum.
    pub content: String,
    /// Its rows.
    pub rows: u64,
    /// What of its metadata differs from that of the whole day's part.
    pub notes: BTreeMap<String, String>,
}

/// The parts that a whole day's part holds, by its metadata.
///
/// # Errors
/// When it does not say so.
pub fn held_parts(notes: &[KeyValue]) -> Result<Vec<HeldPart>, PartError> {
    let note = notes.iter().find(|note| note.key == HELD_PARTS_KEY);
    let text = note.and_then(|note| note.value.as_deref());
    let held = text.and_then(|text| serde_json::from_str(text).ok());
    let unsaid = || PartError::Damaged(format!("its metadata has no {HELD_PARTS_KEY}"));
    held.ok_or_else(unsaid)
}

/// The metadata of a held part, from that of the whole day's part.
#[must_use]
pub fn notes_of_held(of_day: &[KeyValue], held: &HeldPart) -> Vec<KeyValue> {
    let is_common = |note: &&KeyValue| {
        let key = note.key.as_str();
        ![HELD_PARTS_KEY, RUN_KEY].contains(&key) && !held.notes.contains_key(key)
    };
    let mut notes: Vec<KeyValue> = of_day.iter().filter(is_common).cloned().collect();
    let own = held.notes.iter();
    notes.extend(own.map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
    notes
}

/// The part of an hour, as a file or among the rows of a whole day's; or a rolled-up part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartOfHour {
    /// Its period.
    pub period: Period,
    /// Its name in the folder of the period.
    pub file_name: String,
    /// The file that has its rows.
    pub part: Part,
    /// What a whole day's part says of it; `None` where the file is its own.
    pub held: Option<HeldPart>,
}

impl From<Part> for PartOfHour {
    fn from(part: Part) -> Self {
        PartOfHour {
            period: part.period,
            file_name: part.file_name.clone(),
            part,
            held: None,
        }
    }
}

impl PartOfHour {
    /// The sensor, the run and the number; `None` for files of other programs.
    #[must_use]
    pub fn name(&self) -> Option<(PartName, u32)> {
        match self.held {
            Some(_) => PartName::parse(&self.file_name),
            None => self.part.name(),
        }
    }

    /// The sensor; `None` for files of other programs.
    #[must_use]
    pub fn sensor(&self) -> Option<String> {
        match self.held {
            Some(_) => self.name().map(|(name, _)| name.sensor),
            None => self.part.sensor(),
        }
    }
}

/// The parts of `table` in all hours within `range`, hour by hour, also those in parts of whole days.
///
/// # Errors
/// When a folder cannot be listed, or a whole day's part does not say what it holds.
pub fn hour_parts(
    store: &Store,
    table: &'static str,
    range: &Range<i64>,
) -> Result<Vec<PartOfHour>, PartError> {
    let (hours, days) = listed(store, table, range)?;
    let mut parts: Vec<PartOfHour> = hours.into_iter().map(PartOfHour::from).collect();
    let none_held = days.is_empty();
    for day in days {
        let notes = notes_of(&day.open()?)?;
        for held in held_parts(&notes)? {
            if range.contains(&held.hour) {
                parts.push(PartOfHour {
                    period: Period::Hour(Hour(held.hour)),
                    file_name: held.file_name.clone(),
                    part: day.clone(),
                    held: Some(held),
                });
            }
        }
    }
    if !none_held {
        parts.sort();
    }
    Ok(parts)
}

/// The files of `table` with hours within `range`, as they were at one moment: parts of hours, and parts of whole days.
///
/// # Errors
/// When a folder cannot be listed.
pub fn listed(
    store: &Store,
    table: &'static str,
    range: &Range<i64>,
) -> io::Result<(Vec<Part>, Vec<Part>)> {
    let mut days = store.whole_days(table, range)?;
    for _ in 0..ATTEMPTS {
        let hours = store.parts_within(table, range)?;
        let after = store.whole_days(table, range)?;
        if after == days {
            return Ok((hours, days));
        }
        days = after;
    }
    Err(io::Error::other(format!(
        "days of {table} are exchanged all the time; try again"
    )))
}

/// The rows of a file that are read.
#[derive(Clone, Debug)]
pub struct PartRows {
    /// The file.
    pub part: Part,
    /// Of a whole day's part the hours whose rows are meant; `None`: all rows, which are of the file's own period.
    pub hours: Option<BTreeSet<i64>>,
}

/// The files that have the rows of these parts, each once, in the order of their first parts.
#[must_use]
pub fn files_of<'p>(parts: impl IntoIterator<Item = &'p PartOfHour>) -> Vec<PartRows> {
    let mut files = Vec::<PartRows>::new();
    let mut places = BTreeMap::<&Part, usize>::new();
    for PartOfHour { part, held, .. } in parts {
        let place = *places.entry(part).or_insert_with(|| {
            files.push(PartRows {
                part: part.clone(),
                hours: None,
            });
            files.len() - 1
        });
        if let Some(held) = held {
            let hours = files[place].hours.get_or_insert_default();
            hours.insert(held.hour);
        }
    }
    files
}
