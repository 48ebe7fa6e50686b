//! Several datasets into one: the parts of each are copied beside one another, for sensors and runs stand side by side in an hour.
//!
//! What is there already with the same bytes is left alone, so a merge can be run again. An hour that a sensor still adds to is replaced by
//! its later state, and never by an earlier one: the later state has observed more seconds or packets. One name with two identities, or
//! with two contents of which neither is the later one, is a conflict, and then nothing is copied at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use parquet::file::reader::FileReader;
use parquet::record::Field;
use thiserror::Error;

use crate::close::{IDENTITY_KEY, STATE_KEY, State};
use crate::counter::COUNTERS;
use crate::hour::Hour;
use crate::part::{self, PartError};
use crate::schema::{COVERAGE, TABLES};
use crate::store::{OpenPart, PartName, Period, Staged, Store};

/// Bytes copied and compared at a time.
const PIECE_BYTES: usize = 1 << 20;

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Parts copied.
    pub copied: u64,
    /// Of these, parts that took the place of an earlier state.
    pub replaced: u64,
    /// Parts that were there already, or a later state of them.
    pub present: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// Why datasets were not merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A file or folder.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// One name, two contents.
    #[error(
        "{theirs} and {ours} have one name and differ, and neither is the later state of the other: two sensors of one name, or a dataset that was changed; give each sensor a name of its own (--sensor)",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    Conflict {
        /// The part to be copied.
        theirs: PathBuf,
        /// The part that is there.
        ours: PathBuf,
    },
    /// One name, two sensors.
    #[error(
        "{theirs} and {ours} are of two sensors that have the name `{sensor}`: together nobody could tell them apart; give one of them another name (--sensor) and write its dataset anew, or merge into another folder",
        theirs = .theirs.display(), ours = .ours.display()
    )]
    TwoSensors {
        /// The name.
        sensor: String,
        /// A part of the one.
        theirs: PathBuf,
        /// A part of the other.
        ours: PathBuf,
    },
    /// A folder that is no dataset.
    #[error("{path} holds no part of a dataset: is it the folder that a sensor wrote with --data?", path = .path.display())]
    NoDataset {
        /// The folder.
        path: PathBuf,
    },
    /// A dataset into itself.
    #[error("{path} is where the datasets are to be merged into", path = .path.display())]
    Itself {
        /// The folder.
        path: PathBuf,
    },
}

/// The parts of one run in one hour, of all tables, as they were at one moment; by their paths within the dataset.
type RunParts = BTreeMap<PathBuf, OpenPart>;

/// What is to be done with an edition.
enum Decision {
    /// Nothing: it is there, or a later state of it.
    Leave,
    /// Copied; `ours` are parts of the state before it.
    Take,
    /// Neither is later.
    Conflict { theirs: PathBuf, ours: PathBuf },
}

/// How far an edition has come: seconds observed, the sum of all counters of its coverage, and whether all parts are finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct RunProgress {
    seconds: i64,
    counted: i64,
    finished: bool,
}

/// Copies every part of `datasets` into the dataset `into`, which is made where it is missing.
///
/// # Errors
/// When a part cannot be read or written, or two stand under one name that do not belong together; in the latter case before anything
/// is copied.
pub fn merge(into: &Path, datasets: &[PathBuf]) -> Result<MergeReport, MergeError> {
    let ours = Store::at(into);
    if into.is_dir() {
        ours.recover().map_err(file_error(into))?;
    }
    let stores = open(into, datasets)?;
    let hours = hours(&stores)?;
    let mut known = SensorIdentities::default();
    for hour in hours_of(&ours)? {
        known.note(&editions(&ours, hour)?)?;
    }
    // Everything is looked at before anything is copied.
    for &hour in &hours {
        let mut best = editions(&ours, hour)?;
        for theirs in &stores {
            for (name, theirs) in editions(theirs, hour)? {
                known.note_edition(&name, &theirs)?;
                match decide(&theirs, best.get(&name))? {
                    Decision::Leave => {}
                    Decision::Take => {
                        best.insert(name, theirs);
                    }
                    Decision::Conflict { theirs, ours } => {
                        return Err(MergeError::Conflict { theirs, ours });
                    }
                }
            }
        }
    }
    let mut merged = MergeReport::default();
    for hour in hours {
        for theirs in &stores {
            merge_hour(&ours, theirs, hour, &mut merged)?;
        }
    }
    Ok(merged)
}

fn open(into: &Path, datasets: &[PathBuf]) -> Result<Vec<Store>, MergeError> {
    let mut stores = Vec::new();
    for dataset in datasets {
        let path = dataset.clone();
        if is_same_folder(dataset, into) {
            return Err(MergeError::Itself { path });
        }
        let store = Store::at(dataset);
        if hours_of(&store)?.is_empty() {
            return Err(MergeError::NoDataset { path });
        }
        stores.push(store);
    }
    Ok(stores)
}

fn hours(stores: &[Store]) -> Result<BTreeSet<Hour>, MergeError> {
    let mut hours = BTreeSet::new();
    for store in stores {
        hours.extend(hours_of(store)?);
    }
    Ok(hours)
}

/// The hours of which a dataset has a part.
fn hours_of(store: &Store) -> Result<BTreeSet<Hour>, MergeError> {
    let mut hours = BTreeSet::new();
    for table in TABLES {
        let parts = store.parts_within(table.name, &(i64::MIN..i64::MAX));
        let parts = parts.map_err(file_error(store.directory()))?;
        hours.extend(parts.iter().map(|part| part.period.first_hour()));
    }
    Ok(hours)
}

/// The parts of an hour by run; those that some other program has put there, by their names.
fn editions(store: &Store, hour: Hour) -> Result<BTreeMap<String, RunParts>, MergeError> {
    let tables: Vec<&'static str> = TABLES.iter().map(|table| table.name).collect();
    let open = store.open_period(&tables, Period::Hour(hour));
    let mut editions = BTreeMap::<String, RunParts>::new();
    for open in open.map_err(file_error(store.directory()))? {
        let name = match open.part.name() {
            Some((PartName { sensor, run }, _)) => format!("{sensor}-{run}"),
            None => open.part.file_name.clone(),
        };
        let edition = editions.entry(name).or_default();
        edition.insert(open.part.within(), open);
    }
    Ok(editions)
}

/// Brings an hour of one dataset into another: what a run has of it becomes visible at once.
fn merge_hour(
    ours: &Store,
    theirs: &Store,
    hour: Hour,
    merged: &mut MergeReport,
) -> Result<(), MergeError> {
    let mut present = editions(ours, hour)?;
    for (name, theirs) in editions(theirs, hour)? {
        let ours_of_it = present.remove(&name).unwrap_or_default();
        match decide(&theirs, Some(&ours_of_it))? {
            Decision::Leave => merged.present += theirs.len() as u64,
            Decision::Conflict { theirs, ours } => {
                return Err(MergeError::Conflict { theirs, ours });
            }
            Decision::Take => {
                let mut publication = ours.publication();
                for (within, part) in &theirs {
                    let there = ours_of_it.get(within);
                    if let Some(there) = there
                        && is_same(part, there)?
                    {
                        merged.present += 1;
                        continue;
                    }
                    merged.replaced += u64::from(there.is_some());
                    let staged = copy(part, within, ours)?;
                    publication.put(staged).map_err(file_error(within))?;
                    merged.copied += 1;
                }
                let gone = ours_of_it.keys().filter(|part| !theirs.contains_key(*part));
                gone.for_each(|part| publication.remove(part));
                let committed = publication.commit();
                merged.bytes += committed.map_err(file_error(ours.directory()))?;
            }
        }
    }
    Ok(())
}

fn decide(theirs: &RunParts, ours: Option<&RunParts>) -> Result<Decision, MergeError> {
    let Some(ours) = ours.filter(|ours| !ours.is_empty()) else {
        return Ok(Decision::Take);
    };
    let mut differing = None;
    for (within, part) in theirs {
        if let Some(there) = ours.get(within)
            && !is_same(part, there)?
        {
            differing = Some((part, there));
            break;
        }
    }
    let has_more = theirs.keys().any(|part| !ours.contains_key(part));
    let has_less = ours.keys().any(|part| !theirs.contains_key(part));
    let (part, there) = match differing {
        None if !has_more => return Ok(Decision::Leave),
        None if !has_less => return Ok(Decision::Take),
        // Each has a part that the other lacks.
        None => match (theirs.values().next(), ours.values().next()) {
            (Some(part), Some(there)) => (part, there),
            _ => return Ok(Decision::Leave),
        },
        Some(pair) => pair,
    };
    let conflict = || Decision::Conflict {
        theirs: part.part.path.clone(),
        ours: there.part.path.clone(),
    };
    let (Ok(of_theirs), Ok(of_ours)) = (progress(theirs), progress(ours)) else {
        return Ok(conflict());
    };
    // More seconds with fewer packets is no later state of the same.
    let grows = |from: &RunProgress, to: &RunProgress| {
        to.seconds >= from.seconds && to.counted >= from.counted && to != from
    };
    Ok(if grows(&of_ours, &of_theirs) && of_theirs > of_ours {
        Decision::Take
    } else if grows(&of_theirs, &of_ours) && of_ours > of_theirs {
        Decision::Leave
    } else if of_theirs == of_ours && !of_ours.finished {
        // The same packets, described anew.
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
    for open in edition.values() {
        part::guarded(|| {
            let reader = parquet::file::reader::SerializedFileReader::new(open.file.try_clone()?)?;
            let notes = reader.metadata().file_metadata().key_value_metadata();
            let state = notes.and_then(|notes| notes.iter().find(|note| note.key == STATE_KEY));
            let state = state.and_then(|note| note.value.as_deref());
            progress.finished &= state != Some(State::Open.word());
            if open.part.table != COVERAGE.name {
                return Ok::<_, PartError>(());
            }
            for row in reader.get_row_iter(None)? {
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
            Ok(())
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

/// Which sensor has which identity, and a part that says so.
#[derive(Default)]
struct SensorIdentities(BTreeMap<String, (String, PathBuf)>);

impl SensorIdentities {
    fn note(&mut self, editions: &BTreeMap<String, RunParts>) -> Result<(), MergeError> {
        editions
            .iter()
            .try_for_each(|(name, edition)| self.note_edition(name, edition))
    }

    fn note_edition(&mut self, _name: &str, edition: &RunParts) -> Result<(), MergeError> {
        let Some(open) = edition.values().next() else {
            return Ok(());
        };
        let (Some(sensor), Some(identity)) = (open.part.sensor(), identity_of(open)) else {
            return Ok(());
        };
        let known = self.0.entry(sensor.clone());
        let known = known.or_insert_with(|| (identity.clone(), open.part.path.clone()));
        if known.0 == identity {
            return Ok(());
        }
        Err(MergeError::TwoSensors {
            sensor,
            theirs: open.part.path.clone(),
            ours: known.1.clone(),
        })
    }
}

/// The identity that a part names; none in one of an older program, or that cannot be read.
fn identity_of(open: &OpenPart) -> Option<String> {
    let read = part::guarded(|| {
        let reader = parquet::file::reader::SerializedFileReader::new(open.file.try_clone()?)?;
        let notes = reader.metadata().file_metadata().key_value_metadata();
        let identity = notes.and_then(|notes| notes.iter().find(|note| note.key == IDENTITY_KEY));
        Ok::<_, PartError>(identity.and_then(|note| note.value.clone()))
    });
    read.ok().flatten().filter(|identity| !identity.is_empty())
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> MergeError {
    move |source| MergeError::File {
        path: path.to_owned(),
        source,
    }
}

fn is_same_folder(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

/// Whether two parts have the same bytes.
fn is_same(theirs: &OpenPart, ours: &OpenPart) -> Result<bool, MergeError> {
    let length = |open: &OpenPart| {
        let about = open.file.metadata();
        about
            .map(|about| about.len())
            .map_err(file_error(&open.part.path))
    };
    let length_bytes = length(theirs)?;
    if length_bytes != length(ours)? {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut offset = 0;
    while offset < length_bytes {
        let count = usize::try_from(length_bytes - offset)
            .map_or(PIECE_BYTES, |rest| rest.min(PIECE_BYTES));
        for (open, bytes) in [(theirs, &mut left), (ours, &mut right)] {
            let read = read_at(&open.file, &mut bytes[..count], offset);
            read.map_err(file_error(&open.part.path))?;
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
        offset += count as u64;
    }
    Ok(true)
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Copies a part to where nobody sees it yet.
fn copy(open: &OpenPart, within: &Path, into: &Store) -> Result<Staged, MergeError> {
    let of_theirs = file_error(&open.part.path);
    let mut source = At {
        file: &open.file,
        offset: 0,
    };
    let mut staged = into.stage(within).map_err(file_error(within))?;
    std::io::copy(&mut source, &mut staged).map_err(of_theirs)?;
    Ok(staged)
}

/// Reads a file from its beginning, wherever others have read it to.
struct At<'f> {
    file: &'f File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.file, bytes, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dataset with a part of this name and these bytes in each table.
    fn dataset(folder: &Path, name: &str, part: &str, bytes: &[u8]) -> PathBuf {
        let dataset = folder.join(name);
        for table in TABLES {
            let hour = dataset.join(table.name).join("date=2026-11-05/hour=08");
            std::fs::create_dir_all(&hour).expect("a folder");
            std::fs::write(hour.join(part), bytes).expect("written");
        }
        dataset
    }

    fn tables() -> u64 {
        TABLES.len() as u64
    }

    #[test]
    fn sensors_stand_side_by_side_and_a_second_merge_changes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let a = dataset(folder.path(), "a", "tokyo-1-0000.parquet", b"one");
        let b = dataset(folder.path(), "b", "osaka-1-0000.parquet", b"other");
        std::fs::write(b.join("traffic/date=2026-11-05/hour=08/.unfinished"), b"x")
            .expect("written");
        let into = folder.path().join("all");
        let datasets = [a, b];
        let merged = merge(&into, &datasets).expect("merged");
        assert_eq!(merged.copied, 2 * tables());
        assert_eq!(merged.bytes, 8 * tables());
        let hour = into.join("traffic/date=2026-11-05/hour=08");
        assert_eq!(
            std::fs::read(hour.join("osaka-1-0000.parquet")).expect("there"),
            b"other"
        );
        assert!(!hour.join(".unfinished").exists());
        let again = merge(&into, &datasets).expect("merged");
        assert_eq!((again.copied, again.present), (0, 2 * tables()));
        assert_eq!(
            std::fs::read_dir(into.join(".teiten/work"))
                .expect("listed")
                .count(),
            0
        );
    }

    #[test]
    fn one_name_with_two_contents_stops_everything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let a = dataset(folder.path(), "a", "sensor-1-0000.parquet", b"one");
        let b = dataset(folder.path(), "b", "sensor-1-0000.parquet", b"two");
        let into = folder.path().join("all");
        let error = merge(&into, &[a.clone(), b]).expect_err("a conflict");
        assert!(error.to_string().contains("--sensor"), "{error}");
        assert!(!into.exists());
        let same = dataset(folder.path(), "c", "sensor-1-0000.parquet", b"one");
        let merged = merge(&into, &[a, same]).expect("the same bytes");
        assert_eq!((merged.copied, merged.present), (tables(), tables()));
    }

    #[test]
    fn what_is_no_dataset_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let empty = folder.path().join("empty");
        let error = merge(&folder.path().join("all"), &[empty]).expect_err("no dataset");
        assert!(error.to_string().contains("empty"), "{error}");
        let a = dataset(folder.path(), "a", "x-1-0000.parquet", b"one");
        assert!(matches!(
            merge(&a, std::slice::from_ref(&a)),
            Err(MergeError::Itself { .. })
        ));
    }
}
