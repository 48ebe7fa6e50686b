//! The captures that a dataset contains: every part of a replay lists in its metadata the captures that contributed to its hour, so a capture
//! that was counted before is recognised regardless of its name, its compression and the other inputs.
//!
//! A capture is identified by its uncompressed bytes up to the end of its last whole record: their number and their XXH3-128. Marks (short
//! hashes of its beginning at growing lengths) identify a capture that is still being read, and shorter or longer copies of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::hour::Hour;
use crate::part::{self, CHECKSUM_KEY, CHECKSUM_PLACE, PartError};
use crate::schema::{COVERAGE, TABLES};
use crate::store::{Part, PartName, Period, Publication, Store};
use crate::writer::ChecksumFile;

/// Maximum hours in one publication: each keeps a few files open.
pub const HOURS_AT_ONCE: usize = 64;

/// The metadata's key; its value is a JSON list of [`Capture`].
pub const INPUTS_KEY: &str = "inputs";

/// Hexadecimal digits of one mark.
pub const MARK_DIGITS: usize = 8;

/// Bytes of a Parquet file after its metadata: the length of the metadata and the magic number.
const FOOTER_BYTES: u64 = 8;

/// A capture as the metadata of parts describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Capture {
    /// Uncompressed bytes up to the end of the last whole record; `None` while it is being read.
    pub bytes: Option<u64>,
    /// XXH3-128 of these bytes, hexadecimal; `None` while it is being read.
    pub hash: Option<String>,
    /// The first byte that was counted; records before it were counted with a shorter copy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_bytes: u64,
    /// Records up to `bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Hashes of its beginning, [`MARK_DIGITS`] digits each, at those lengths of [`mark_lengths`] that it reaches.
    pub marks: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde calls"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The lengths in bytes at which a capture is marked: eight in every doubling from 64 bytes on, so that at least eight ninths of a shorter
/// copy are compared.
pub fn mark_lengths() -> impl Iterator<Item = u64> {
    (6..60u32).flat_map(|exponent| (8..16u64).map(move |eighth| eighth << (exponent - 3)))
}

impl Capture {
    /// Whether it was read to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.hash.is_some()
    }

    /// Whether the marks that both have are equal. Captures that end before the first mark contain no packet.
    #[must_use]
    pub fn begins_as(&self, other: &Capture) -> bool {
        let common = self.marks.len().min(other.marks.len());
        common > 0 && self.marks.as_bytes()[..common] == other.marks.as_bytes()[..common]
    }

    /// Whether both were read to their end and are equal.
    #[must_use]
    pub fn is_same(&self, other: &Capture) -> bool {
        self.is_whole() && self.bytes == other.bytes && self.hash == other.hash
    }

    /// Whether this is a shorter copy of `other`, as far as the marks show.
    #[must_use]
    pub fn is_beginning_of(&self, other: &Capture) -> bool {
        self.is_whole()
            && other.is_whole()
            && self.bytes < other.bytes
            && !self.marks.is_empty()
            && other.marks.starts_with(&self.marks)
    }
}

/// The captures that contribute to each hour of a running replay. The reader numbers the captures.
#[derive(Debug, Default)]
pub struct Contributors(Mutex<InputState>);

#[derive(Debug, Default)]
struct InputState {
    /// Their descriptions before reading.
    captures: Vec<Capture>,
    /// Descriptions of the captures read to their end.
    whole: BTreeMap<usize, Capture>,
    /// Whether parts mark every capture as unfinished for now.
    withheld: bool,
    hours: BTreeMap<i64, BTreeSet<usize>>,
    /// The value in the published parts of each hour, as a hash because a replay may have very many hours; `None` where they differ.
    published: BTreeMap<i64, Option<u128>>,
}

impl Contributors {
    /// The captures by their descriptions before reading.
    #[must_use]
    pub fn new(captures: Vec<Capture>) -> Self {
        Contributors(Mutex::new(InputState {
            captures,
            ..InputState::default()
        }))
    }

    /// Makes all parts mark their captures as unfinished until [`Contributors::release`]: while the replaced parts still exist, a killed
    /// run must not leave two sets of parts that look finished.
    pub fn withhold(&self) {
        self.state().withheld = true;
    }

    /// Ends what [`Contributors::withhold`] began.
    pub fn release(&self) {
        self.state().withheld = false;
    }

    fn state(&self) -> MutexGuard<'_, InputState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a capture has packets in this hour.
    pub fn contributes(&self, capture: usize, hour: i64) {
        self.state().hours.entry(hour).or_default().insert(capture);
    }

    /// Notes that a capture was read to its end.
    pub fn is_read(&self, capture: usize, whole: Capture) {
        self.state().whole.insert(capture, whole);
    }

    /// The inputs that the parts of an hour list, in an order that depends on the captures alone.
    #[must_use]
    pub fn of(&self, hour: i64) -> Vec<Capture> {
        let state = self.state();
        let numbers = state.hours.get(&hour).into_iter().flatten();
        let mut captures: Vec<Capture> = numbers
            .filter_map(|number| {
                let whole = state.whole.get(number).filter(|_| !state.withheld);
                whole.or_else(|| state.captures.get(*number)).cloned()
            })
            .collect();
        captures.sort();
        captures
    }

    /// The same as the value of [`INPUTS_KEY`].
    #[must_use]
    pub fn text(&self, hour: i64) -> String {
        serde_json::to_string(&self.of(hour)).unwrap_or_default()
    }

    /// The same, for a publication now.
    pub(crate) fn say(&self, hour: i64) -> String {
        let text = self.text(hour);
        let hash = XxHash3_128::oneshot(text.as_bytes());
        let mut state = self.state();
        let published = state.published.entry(hour).or_insert(Some(hash));
        if *published != Some(hash) {
            *published = None;
        }
        text
    }

    /// Whether all parts that this run published for the hour have the final value.
    fn has_said_all(&self, hour: i64) -> bool {
        let hash = XxHash3_128::oneshot(self.text(hour).as_bytes());
        self.state().published.get(&hour) == Some(&Some(hash))
    }
}

/// The metadata of a replay's parts in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedHour {
    /// The sensor and run of the parts.
    pub name: PartName,
    /// The hour.
    pub hour: Hour,
    /// Hash of the configuration.
    pub configuration_sha256: String,
    /// The captures that contributed to it; empty in an hour without packets.
    pub captures: Vec<Capture>,
}

/// The hours of all replays in the dataset, without those of live captures. Unreadable parts are skipped; `verify` reports them.
///
/// # Errors
/// When a folder cannot be listed.
pub fn counted_hours(store: &Store) -> io::Result<Vec<CountedHour>> {
    let mut counted = Vec::new();
    let mut seen = BTreeSet::new();
    // Every hour with packets has coverage, unless the run was killed between the tables.
    let tables =
        std::iter::once(&COVERAGE).chain(TABLES.iter().filter(|table| table.name != COVERAGE.name));
    for table in tables {
        store.each_part_within(table.name, &(i64::MIN..i64::MAX), |part| {
            let (Period::Hour(hour), Some((name, _))) = (part.period, part.name()) else {
                return;
            };
            if !seen.insert((hour, name.clone())) {
                return;
            }
            if let Some((configuration_sha256, captures)) = inputs_of(part.place()) {
                counted.push(CountedHour {
                    name,
                    hour,
                    configuration_sha256,
                    captures,
                });
            }
        })?;
    }
    Ok(counted)
}

/// A sentence for each capture that a dataset counted more than once. If two runs counted the same capture, the hours that both have are
/// counted twice.
#[must_use]
pub fn counted_twice(hours: &[CountedHour]) -> Vec<String> {
    let mut runs = BTreeMap::<(&str, &str, &str, u64), BTreeSet<&str>>::new();
    for hour in hours {
        for capture in &hour.captures {
            if let Some(hash) = &capture.hash {
                let bytes = capture.bytes.unwrap_or_default();
                let (sensor, run) = (hour.name.sensor.as_str(), hour.name.run.as_str());
                runs.entry((sensor, hash.as_str(), run, bytes)).or_default();
                let all = runs.entry((sensor, hash.as_str(), "", bytes)).or_default();
                all.insert(run);
            }
        }
    }
    let twice = runs
        .into_iter()
        .filter(|((_, _, run, _), all)| run.is_empty() && all.len() > 1);
    twice
        .map(|((sensor, hash, _, bytes), all)| {
            let runs: Vec<&str> = all.into_iter().collect();
            format!(
                "the capture {hash} of {bytes} bytes is counted {} times for sensor {sensor}, by the runs {}: remove the parts of all but one",
                runs.len(),
                runs.join(", ")
            )
        })
        .collect()
}

/// Configuration and captures of one part; `None` for a damaged part and for parts of live captures.
fn inputs_of(path: &Path) -> Option<(String, Vec<Capture>)> {
    let read = part::read::<_, PartError>(path, |part| {
        let captures = part
            .note(INPUTS_KEY)
            .and_then(|text| serde_json::from_str(text).ok());
        let configuration = part.note("configuration_sha256").unwrap_or_default();
        Ok(captures.map(|captures| (configuration.to_owned(), captures)))
    });
    read.ok().flatten()
}

fn value_of<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// Updates the inputs in the metadata of every part of `name` to their final value; parts that have it are skipped.
///
/// # Errors
/// When a part cannot be read or written; every hour stays whole.
pub fn restate_inputs(
    store: &Store,
    name: &PartName,
    contributors: &Contributors,
) -> io::Result<()> {
    let mut hours = BTreeMap::<Period, Vec<Part>>::new();
    for table in TABLES {
        store.each_part_within(table.name, &(i64::MIN..i64::MAX), |part| {
            let is_own = part.name().is_some_and(|(found, _)| found == *name);
            if is_own && !contributors.has_said_all(part.period.first_hour().0) {
                hours.entry(part.period).or_default().push(part);
            }
        })?;
    }
    let mut publication = store.publication();
    for (number, (period, parts)) in hours.into_iter().enumerate() {
        let text = contributors.text(period.first_hour().0);
        for part in &parts {
            restate(store, &mut publication, part, INPUTS_KEY, &text)?;
        }
        if (number + 1).is_multiple_of(HOURS_AT_ONCE) {
            std::mem::replace(&mut publication, store.publication()).commit()?;
        }
    }
    publication.commit()?;
    Ok(())
}

/// Removes the parts of a run in one hour, all at once; returns their number.
///
/// # Errors
/// When a part cannot be removed.
pub fn remove_hour(store: &Store, name: &PartName, hour: Hour) -> io::Result<usize> {
    let mut publication = store.publication();
    let mut removed = 0;
    for table in TABLES {
        for part in store.parts_of(table.name, hour, name)? {
            publication.remove(&part.within());
            removed += 1;
        }
    }
    publication.commit()?;
    Ok(removed)
}

/// Replaces the value of one key of a part's metadata. The rows are copied from a part with a valid checksum.
fn restate(
    store: &Store,
    publication: &mut Publication,
    part: &Part,
    key: &str,
    value: &str,
) -> io::Result<()> {
    let (mut file, _) = part::checked(part.place()).map_err(io::Error::other)?;
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .map_err(io::Error::other)?;
    if value_of(&metadata, key) == Some(value) {
        return Ok(());
    }
    let footer = footer_with(&metadata, key, value).map_err(io::Error::other)?;
    let length_bytes = file.metadata()?.len();
    let mut end = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(
        &file,
        &mut end,
        length_bytes.saturating_sub(FOOTER_BYTES),
    )?;
    let old_bytes = u64::from(u32::from_le_bytes(end)) + FOOTER_BYTES;
    // Reading the metadata moved the position in the file, which all its handles share.
    file.rewind()?;
    let mut copy = ChecksumFile::new(store.stage(&part.within())?);
    io::copy(
        &mut (&mut file).take(length_bytes.saturating_sub(old_bytes)),
        &mut copy,
    )?;
    copy.write_all(&footer)?;
    publication.put(copy.write_checksum()?)
}

fn footer_with(
    metadata: &ParquetMetaData,
    key: &str,
    value: &str,
) -> Result<Vec<u8>, ParquetError> {
    let file = metadata.file_metadata();
    let mut pairs: Vec<KeyValue> = file.key_value_metadata().cloned().unwrap_or_default();
    match pairs.iter_mut().find(|pair| pair.key == key) {
        Some(pair) => pair.value = Some(value.to_owned()),
        None => pairs.push(KeyValue::new(key.to_owned(), value.to_owned())),
    }
    if let Some(checksum) = pairs.iter_mut().find(|pair| pair.key == CHECKSUM_KEY) {
        checksum.value = Some(CHECKSUM_PLACE.to_owned());
    }
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(pairs),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let metadata = ParquetMetaData::new(file, metadata.row_groups().to_vec());
    let mut bytes = Vec::new();
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: u64, hash: &str, marks: &str) -> Capture {
        Capture {
            bytes: Some(bytes),
            hash: Some(hash.to_owned()),
            marks: marks.to_owned(),
            ..Capture::default()
        }
    }

    #[test]
    fn lengths_of_marks_grow_by_eighths() {
        let lengths: Vec<u64> = mark_lengths().take(10).collect();
        assert_eq!(lengths, [64, 72, 80, 88, 96, 104, 112, 120, 128, 144]);
        let all: Vec<u64> = mark_lengths().collect();
        assert!(
            all.windows(2)
                .all(|pair| pair[0] < pair[1] && pair[1] * 8 <= pair[0] * 9)
        );
    }

    #[test]
    fn copies_are_told_by_bytes_and_marks() {
        let long = whole(1000, "aa", "0000000011111111");
        let short = whole(70, "bb", "00000000");
        assert!(short.begins_as(&long) && long.begins_as(&short));
        assert!(short.is_beginning_of(&long) && !long.is_beginning_of(&short));
        assert!(long.is_same(&long.clone()) && !long.is_same(&short));
        assert!(
            !whole(24, "cc", "").begins_as(&long),
            "no packet, no likeness"
        );
    }

    #[test]
    fn a_capture_of_two_runs_is_counted_twice_and_of_two_hours_once() {
        let hour = |run: &str, hour: i64, sensor: &str| CountedHour {
            name: PartName {
                sensor: sensor.to_owned(),
                run: run.to_owned(),
            },
            hour: Hour(hour),
            configuration_sha256: String::new(),
            captures: vec![whole(1000, "aa", "00000000")],
        };
        assert!(
            counted_twice(&[hour("1", 0, "a"), hour("1", 1, "a"), hour("2", 0, "b")]).is_empty()
        );
        let twice = counted_twice(&[hour("1", 0, "a"), hour("2", 1, "a")]);
        assert_eq!(twice.len(), 1);
        assert!(twice[0].contains("by the runs 1, 2"), "{twice:?}");
    }
}
