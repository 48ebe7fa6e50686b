//! An edition: the parts of one run in one hour, as they were at one moment; and which of two editions is the later one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::error::{MergeError, file_error};
use super::rename::{RENAMED_FROM_KEY, Rename, new_name};
use crate::close::{IDENTITY_KEY, STATE_KEY, State};
use crate::counter::COUNTERS;
use crate::inputs::{Capture, INPUTS_KEY};
use crate::part::{self, CHECKSUM_KEY, PartError};
use crate::schema::COVERAGE;
use crate::store::{OpenPart, PartName};
use crate::whole_day::CONTENT_KEY;

/// Bytes compared at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A part to copy into another dataset.
#[derive(Debug)]
pub(super) struct MergePart {
    pub open: OpenPart,
    /// The metadata; empty where it cannot be read.
    pub notes: BTreeMap<String, String>,
    /// The new name of its sensor; `None` where it keeps its own.
    pub renamed: Option<String>,
}

/// The parts of one run in one hour, of all tables, by their paths in the target dataset.
#[derive(Debug, Default)]
pub(super) struct RunParts {
    pub parts: BTreeMap<PathBuf, MergePart>,
    /// The sensor's name there; `None` for parts of other programs.
    pub sensor: Option<String>,
    /// Its name before the rename.
    pub original: Option<String>,
    /// The rename that matched it: a name or an identity.
    pub asked: Option<String>,
    pub identity: Option<String>,
    /// The captures that contributed to the hour; empty for a live capture.
    pub captures: Option<Vec<Capture>>,
}

/// What a merge does with an edition.
pub(super) enum Decision {
    /// Skip it: the target has it, or a later state.
    Leave,
    /// Copy it, and replace an earlier state.
    Take,
    /// Conflict: neither state is later.
    Conflict { theirs: PathBuf, ours: PathBuf },
}

/// The parts of an hour by sensor and run, with the names that `renames` gives them; parts of other programs by their file names.
pub(super) fn editions(parts: Vec<OpenPart>, renames: &[Rename]) -> BTreeMap<String, RunParts> {
    let mut editions = BTreeMap::<String, RunParts>::new();
    for open in parts {
        let notes = notes_of(&open);
        let Some((name, number)) = open.part.name() else {
            let edition = editions.entry(open.part.file_name.clone()).or_default();
            let (within, renamed) = (open.part.within(), None);
            edition.parts.insert(
                within,
                MergePart {
                    open,
                    notes,
                    renamed,
                },
            );
            continue;
        };
        let identity = notes.get(IDENTITY_KEY).filter(|text| !text.is_empty());
        let rename = new_name(renames, &name.sensor, identity.map(String::as_str));
        let renamed = rename.map(|rename| rename.to.clone());
        let sensor = renamed.clone().unwrap_or_else(|| name.sensor.clone());
        let new = PartName {
            sensor: sensor.clone(),
            run: name.run,
        };
        let edition = editions.entry(format!("{sensor}-{}", new.run)).or_default();
        edition.sensor = Some(sensor);
        edition.original = Some(name.sensor);
        edition.asked = rename.map(|rename| rename.from.clone());
        if edition.identity.is_none() {
            edition.identity = identity.cloned();
        }
        if edition.captures.is_none() {
            let inputs = notes.get(INPUTS_KEY);
            edition.captures = inputs.and_then(|text| serde_json::from_str(text).ok());
        }
        let within = open.part.within().with_file_name(new.file_name(number));
        edition.parts.insert(
            within,
            MergePart {
                open,
                notes,
                renamed,
            },
        );
    }
    editions
}

/// The metadata of a part; empty where it cannot be read, which is found when the part is checked.
fn notes_of(open: &OpenPart) -> BTreeMap<String, String> {
    let read = part::guarded(|| {
        let reader = SerializedFileReader::new(open.file.try_clone()?)?;
        let notes = reader.metadata().file_metadata().key_value_metadata();
        let pairs = notes.into_iter().flatten();
        let pairs = pairs.filter_map(|note| Some((note.key.clone(), note.value.clone()?)));
        Ok::<_, PartError>(pairs.collect())
    });
    read.unwrap_or_default()
}

/// The progress of an edition: seconds observed, the sum of all counters of its coverage, and whether all parts are finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct RunProgress {
    seconds: i64,
    counted: i64,
    finished: bool,
}

pub(super) fn decide(theirs: &RunParts, ours: Option<&RunParts>) -> Result<Decision, MergeError> {
    let Some(ours) = ours.filter(|ours| !ours.parts.is_empty()) else {
        return Ok(Decision::Take);
    };
    let mut differing = None;
    for (within, part) in &theirs.parts {
        if let Some(there) = ours.parts.get(within)
            && !is_same(part, there)?
        {
            differing = Some((part, there));
            break;
        }
    }
    let has_more = theirs
        .parts
        .keys()
        .any(|part| !ours.parts.contains_key(part));
    let has_less = ours
        .parts
        .keys()
        .any(|part| !theirs.parts.contains_key(part));
    let (part, there) = match differing {
        None if !has_more => return Ok(Decision::Leave),
        None if !has_less => return Ok(Decision::Take),
        // Each lacks a part of the other.
        None => match (theirs.parts.values().next(), ours.parts.values().next()) {
            (Some(part), Some(there)) => (part, there),
            _ => return Ok(Decision::Leave),
        },
        Some(pair) => pair,
    };
    let conflict = || Decision::Conflict {
        theirs: part.open.part.path.clone(),
        ours: there.open.part.path.clone(),
    };
    let (Ok(of_theirs), Ok(of_ours)) = (progress(theirs), progress(ours)) else {
        return Ok(conflict());
    };
    // An edition with more seconds and fewer packets is not a later state.
    let grows = |from: &RunProgress, to: &RunProgress| {
        to.seconds >= from.seconds && to.counted >= from.counted && to != from
    };
    Ok(if grows(&of_ours, &of_theirs) && of_theirs > of_ours {
        Decision::Take
    } else if grows(&of_theirs, &of_ours) && of_ours > of_theirs {
        Decision::Leave
    } else if of_theirs == of_ours && !of_ours.finished {
        // The same packets with new metadata.
        Decision::Take
    } else {
        conflict()
    })
}

fn progress(edition: &RunParts) -> Result<RunProgress, PartError> {
    let mut progress = RunProgress {
        finished: true,
        ..RunProgress::default()
    };
    for part in edition.parts.values() {
        let state = part.notes.get(STATE_KEY).map(String::as_str);
        progress.finished &= state != Some(State::Open.word());
        if part.open.part.table != COVERAGE.name {
            continue;
        }
        part::read_open(part.open.file.try_clone()?, |part| {
            for row in part.reader().get_row_iter(None)? {
                for (name, field) in row?.get_column_iter() {
                    let sum = match name.as_str() {
                        "seconds" => &mut progress.seconds,
                        name if COUNTERS.iter().any(|counter| counter.name == name) => {
                            &mut progress.counted
                        }
                        _ => continue,
                    };
                    *sum = sum.saturating_add(number(field));
                }
            }
            Ok::<_, PartError>(())
        })?;
    }
    Ok(progress)
}

fn number(field: &Field) -> i64 {
    match *field {
        Field::Long(number) => number,
        Field::Int(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => i64::try_from(number).unwrap_or(i64::MAX),
        _ => 0,
    }
}

/// The checksum of a part as its sensor wrote it.
fn content(part: &MergePart) -> Option<&String> {
    let known = part.notes.get(CONTENT_KEY);
    known.or_else(|| part.notes.get(CHECKSUM_KEY))
}

/// Whether two parts have the same bytes, or would have once renamed.
pub(super) fn is_same(theirs: &MergePart, ours: &MergePart) -> Result<bool, MergeError> {
    if theirs.renamed.is_some() {
        let checksum = content(theirs);
        return Ok(checksum.is_some() && ours.notes.get(RENAMED_FROM_KEY) == checksum);
    }
    // A part that was in a whole day's has the rows that it had, but not its bytes.
    let was_held = [theirs, ours]
        .iter()
        .any(|part| part.notes.contains_key(CONTENT_KEY));
    if was_held {
        return Ok(content(theirs) == content(ours));
    }
    let length = |open: &OpenPart| {
        let about = open.file.metadata();
        about
            .map(|about| about.len())
            .map_err(file_error(&open.part.path))
    };
    let (theirs, ours) = (&theirs.open, &ours.open);
    let length_bytes = length(theirs)?;
    if length_bytes != length(ours)? {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut offset = 0;
    while offset < length_bytes {
        let count = usize::try_from(length_bytes - offset)
            .map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
        for (open, piece) in [(theirs, &mut left), (ours, &mut right)] {
            let read =
                std::os::unix::fs::FileExt::read_exact_at(&open.file, &mut piece[..count], offset);
            read.map_err(file_error(&open.part.path))?;
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
        offset += count as u64;
    }
    Ok(true)
}
