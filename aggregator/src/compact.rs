//! Days that are finished, in one sorted file each: the parts of `traffic` and `sources` of a sensor and day become one part of the whole day,
//! from which each can be had back.
//!
//! A day is finished once all of its parts are, and its sensor has observed a later one. `sources` is sorted by source, then hour; `traffic`
//! by hour. A file holds one part of each hour at most, so the rows of a part are those of its hour: a sensor whose hours have several parts
//! (of several runs) has as many files for the day as its hour with the most parts. Other tables stay as they are: their metadata say
//! which captures were counted.
//!
//! A replay that counts a compacted hour again takes the day apart first ([`take_apart`]); hours that come later stand beside the file, and
//! the next compaction puts them in.

mod apart;
mod error;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use parquet::file::metadata::KeyValue;

use crate::close::{STATE_KEY, State};
use crate::hour::Hour;
use crate::inputs::{Capture, INPUTS_KEY};
use crate::parallel::joined;
use crate::part::{CHECKSUM_KEY, PartError, notes_of};
use crate::schema::{COVERAGE, SOURCES, TRAFFIC, Table};
use crate::store::{Lock, OpenPart, PartName, Period, Staged, Store};
use crate::whole_day::{
    CONTENT_KEY, HELD_PARTS_KEY, HeldPart, PartOfHour, RUN_KEY, files_of, hour_parts, notes_of_held,
};
use crate::writer::PartWriter;

pub(crate) use apart::{RestoredPart, restore};
pub use apart::{take_apart, take_apart_runs};
pub use error::CompactError;

/// The tables that have parts of whole days.
pub const COMPACTED_TABLES: [&Table; 2] = [&SOURCES, &TRAFFIC];

/// Which days are compacted.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompactSettings {
    /// First day, UTC; `None`: the first there is.
    pub from: Option<Date>,
    /// The day to end before; `None`: the last of each sensor, which is not finished.
    pub to: Option<Date>,
}

/// A day that was left as it is, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftDay {
    /// The table.
    pub table: &'static str,
    /// The day, UTC.
    pub day: String,
    /// The sensor.
    pub sensor: String,
    /// Why.
    pub why: String,
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Days of a table and sensor that were compacted.
    pub days: u64,
    /// Days that were compacted before, and to which nothing has been added.
    pub unchanged: u64,
    /// Parts in the place of which these days stand.
    pub parts: u64,
    /// Files of these days.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Bytes of the files before and after.
    pub bytes: [u64; 2],
    /// Days that cannot be compacted now.
    pub left: Vec<LeftDay>,
}

impl CompactReport {
    fn add(&mut self, other: CompactReport) {
        self.days += other.days;
        self.unchanged += other.unchanged;
        self.parts += other.parts;
        self.files += other.files;
        self.rows += other.rows;
        for (sum, bytes) in self.bytes.iter_mut().zip(other.bytes) {
            *sum += bytes;
        }
        self.left.extend(other.left);
    }
}

/// Compacts the finished days of the dataset `directory`. Days in which a part cannot be read are left, and named.
///
/// # Errors
/// When a folder cannot be listed, or a file not be written; days that were compacted before stay so.
pub fn compact(
    directory: &Path,
    settings: &CompactSettings,
) -> Result<CompactReport, CompactError> {
    let store = Store::at(directory);
    let failed = |source| CompactError::File {
        path: directory.to_owned(),
        source,
    };
    store.recover().map_err(failed)?;
    // These read parts and come back to them.
    let _no_rollup = store.lock("rollup").map_err(failed)?;
    let _no_merge = store.lock("merge").map_err(failed)?;
    let mut sensors = finished_before(&store)?;
    // A replay may be about to replace parts of its sensor.
    let mut locks: Vec<Lock> = Vec::new();
    let mut busy = BTreeSet::new();
    for sensor in sensors.keys() {
        match store
            .try_lock(&format!("replay-{sensor}"))
            .map_err(failed)?
        {
            Some(lock) => locks.push(lock),
            None => drop(busy.insert(sensor.clone())),
        }
    }
    sensors.retain(|sensor, _| !busy.contains(sensor));
    let sensors = &sensors;
    let mut report = std::thread::scope(|scope| {
        let running = COMPACTED_TABLES.map(|table| {
            scope.spawn(move || {
                let store = Store::at(directory);
                TableCompaction::new(&store, table, settings, sensors).run()
            })
        });
        let mut all = CompactReport::default();
        for report in running.map(joined) {
            all.add(report?);
        }
        Ok::<_, CompactError>(all)
    })?;
    report.left.extend(busy.into_iter().map(|sensor| LeftDay {
        table: "",
        day: String::new(),
        sensor,
        why: "a replay of it is running".to_owned(),
    }));
    report.left.sort();
    Ok(report)
}

/// The first hour of the last day of each sensor: days before it are finished.
fn finished_before(store: &Store) -> Result<BTreeMap<String, i64>, CompactError> {
    let coverage = store.parts_within(COVERAGE.name, &(i64::MIN..i64::MAX));
    let coverage = coverage.map_err(|source| CompactError::File {
        path: store.directory().join(COVERAGE.name),
        source,
    })?;
    let mut last = BTreeMap::<String, i64>::new();
    for part in coverage {
        if let Some(sensor) = part.sensor() {
            let hour = part.period.first_hour().0;
            let known = last.entry(sensor).or_insert(i64::MIN);
            *known = (*known).max(hour - hour.rem_euclid(24));
        }
    }
    Ok(last)
}

/// A table that is being compacted.
struct TableCompaction<'c> {
    store: &'c Store,
    table: &'static Table,
    settings: &'c CompactSettings,
    /// Until when the hours of each sensor are finished.
    sensors: &'c BTreeMap<String, i64>,
    report: CompactReport,
}

/// A day of a sensor that is to be compacted: its files are opened before anything is read, and looked at again before they are replaced.
struct SensorDay {
    sensor: String,
    parts: Vec<PartOfHour>,
    files: Vec<OpenPart>,
}

impl<'c> TableCompaction<'c> {
    fn new(
        store: &'c Store,
        table: &'static Table,
        settings: &'c CompactSettings,
        sensors: &'c BTreeMap<String, i64>,
    ) -> Self {
        TableCompaction {
            store,
            table,
            settings,
            sensors,
            report: CompactReport::default(),
        }
    }

    fn run(mut self) -> Result<CompactReport, CompactError> {
        let days = self.store.periods(self.table.name);
        for day in days.map_err(|source| self.failed(source))? {
            let date = day.first_hour().day();
            let is_wanted = self.settings.from.is_none_or(|from| date >= from)
                && self.settings.to.is_none_or(|to| date < to);
            if let (Period::Day(first), true) = (day, is_wanted) {
                self.day(first)?;
            }
        }
        Ok(self.report)
    }

    fn failed(&self, source: std::io::Error) -> CompactError {
        CompactError::File {
            path: self.store.directory().join(self.table.name),
            source,
        }
    }

    fn day(&mut self, first: Hour) -> Result<(), CompactError> {
        let range = first.0..first.0 + 24;
        let parts = match hour_parts(self.store, self.table.name, &range) {
            Ok(parts) => parts,
            Err(error) => {
                self.leave(first, "", error.to_string());
                return Ok(());
            }
        };
        let mut by_sensor = BTreeMap::<String, Vec<PartOfHour>>::new();
        for part in parts {
            if let Some(sensor) = part.sensor()
                && self.sensors.get(&sensor).is_some_and(|end| first.0 < *end)
            {
                by_sensor.entry(sensor).or_default().push(part);
            }
        }
        let mut days = Vec::new();
        for (sensor, parts) in by_sensor {
            if parts.iter().all(|part| part.held.is_some()) {
                self.report.unchanged += 1;
                continue;
            }
            match SensorDay::open(sensor.clone(), parts) {
                Ok(day) => days.push(day),
                Err(why) => self.leave(first, &sensor, why),
            }
        }
        let mut made = CompactReport::default();
        let (mut staged, mut gone) = (Vec::new(), Vec::new());
        for day in days {
            match self.write(first, &day, &mut made) {
                Ok(files) => {
                    staged.extend(files);
                    gone.extend(day.files);
                }
                Err(CompactError::Part { path, source }) => {
                    let why = format!("{} {source}", path.display());
                    self.leave(first, &day.sensor, why);
                }
                Err(error) => return Err(error),
            }
        }
        if staged.is_empty() {
            return Ok(());
        }
        let exchanged = self
            .store
            .exchange_day(self.table.name, Period::Day(first), staged, &gone);
        match exchanged {
            Ok(true) => self.report.add(made),
            Ok(false) => self.leave(first, "", "it was written to meanwhile".to_owned()),
            Err(source) => return Err(self.failed(source)),
        }
        Ok(())
    }

    fn leave(&mut self, day: Hour, sensor: &str, why: String) {
        self.report.left.push(LeftDay {
            table: self.table.name,
            day: day.date(),
            sensor: sensor.to_owned(),
            why,
        });
    }

    /// Writes the files of a day.
    fn write(
        &self,
        first: Hour,
        day: &SensorDay,
        made: &mut CompactReport,
    ) -> Result<Vec<Staged>, CompactError> {
        let name = PartName {
            sensor: day.sensor.clone(),
            run: run_of(first),
        };
        let folder = Path::new(self.table.name).join(Period::WholeDay(first).folder());
        let mut files = Vec::new();
        for (number, parts) in (0..).zip(one_of_each_hour(&day.parts)) {
            let within = folder.join(name.file_name(number));
            let (held, metadata) = metadata_of(&parts, &name)?;
            let mut file = PartWriter::create(self.store, &within, self.table, metadata)?;
            let written = rows::write(self.table, &files_of(parts.iter()), &within, &mut file)?;
            for part in &held {
                let rows = written.get(&part.hour).copied().unwrap_or(0);
                if rows != part.rows {
                    return Err(CompactError::Part {
                        path: self.store.directory().join(&within),
                        source: PartError::Damaged(format!(
                            "has {rows} rows of {}, and {} had {}",
                            Hour(part.hour),
                            part.file_name,
                            part.rows
                        )),
                    });
                }
                made.rows += rows;
            }
            let file = file.finish()?;
            made.bytes[1] += file.length();
            made.files += 1;
            files.push(file);
        }
        made.days += 1;
        made.parts += day.parts.len() as u64;
        for open in &day.files {
            made.bytes[0] += open.file.metadata().map_or(0, |about| about.len());
        }
        Ok(files)
    }
}

/// The run in the names of the files of a day.
fn run_of(day: Hour) -> String {
    format!("d{}", day.date().replace('-', ""))
}

impl SensorDay {
    /// Opens the files of a day; why it cannot be compacted.
    fn open(sensor: String, parts: Vec<PartOfHour>) -> Result<Self, String> {
        let mut files = Vec::new();
        for rows in files_of(&parts) {
            let part = rows.part;
            let opened = part.open().map(|file| (notes_of(&file), file));
            let (notes, file) =
                opened.map_err(|error| format!("{} {error}", part.path.display()))?;
            let notes = notes.map_err(|error| format!("{} {error}", part.path.display()))?;
            let is_open = |note: &KeyValue| {
                note.key == STATE_KEY && note.value.as_deref() == Some(State::Open.word())
            };
            if notes.iter().any(is_open) {
                let hour = part.period.text();
                return Err(format!("its sensor still adds to {hour}"));
            }
            files.push(OpenPart { part, file });
        }
        Ok(SensorDay {
            sensor,
            parts,
            files,
        })
    }
}

/// The parts of a day, of each hour one in each list: those of one list stand in one file.
fn one_of_each_hour(parts: &[PartOfHour]) -> Vec<Vec<PartOfHour>> {
    let mut lists = Vec::<Vec<PartOfHour>>::new();
    for of_hour in parts.chunk_by(|left, right| left.period == right.period) {
        let mut names = BTreeSet::new();
        for (place, part) in of_hour.iter().enumerate() {
            let mut part = part.clone();
            // A late part may have the number of one that the day held already.
            while !names.insert(part.file_name.clone()) {
                match part.name() {
                    Some((name, number)) => part.file_name = name.file_name(number + 1),
                    None => break,
                }
            }
            if place == lists.len() {
                lists.push(Vec::new());
            }
            lists[place].push(part);
        }
    }
    lists
}

/// What the file that holds these parts says of them, and all of its metadata.
fn metadata_of(
    parts: &[PartOfHour],
    name: &PartName,
) -> Result<(Vec<HeldPart>, Vec<KeyValue>), CompactError> {
    let mut all = Vec::<(&PartOfHour, String, u64, BTreeMap<String, String>)>::new();
    for part in parts {
        let read = || -> Result<_, PartError> {
            let file = part.part.open()?;
            let mut notes = notes_of(&file)?;
            let (mut rows, mut content) = (0, None);
            match &part.held {
                Some(held) => {
                    notes = notes_of_held(&notes, held);
                    (rows, content) = (held.rows, Some(held.content.clone()));
                }
                None => rows += crate::part::rows_of(&file)?,
            }
            let pairs = notes.into_iter();
            let mut notes: BTreeMap<String, String> = pairs
                .filter_map(|note| Some((note.key, note.value?)))
                .collect();
            let checksum = notes.remove(CHECKSUM_KEY);
            let content = content.or(notes.remove(CONTENT_KEY)).or(checksum);
            let unchecked = || PartError::Damaged(format!("its metadata has no {CHECKSUM_KEY}"));
            Ok((content.ok_or_else(unchecked)?, rows, notes))
        };
        let (content, rows, notes) = read().map_err(|source| CompactError::Part {
            path: part.part.path.clone(),
            source,
        })?;
        all.push((part, content, rows, notes));
    }
    let mut values = BTreeMap::<&str, BTreeMap<&str, usize>>::new();
    for (.., notes) in &all {
        for (key, value) in notes {
            *values.entry(key).or_default().entry(value).or_default() += 1;
        }
    }
    // What all say alike is said once, and what some do not say at all only of the others.
    let mut common = BTreeMap::<String, String>::new();
    let mut differing = BTreeMap::<String, String>::new();
    for (key, values) in values {
        let first = values.keys().next().copied().unwrap_or_default();
        let is_of_all = values.values().sum::<usize>() == all.len();
        match (is_of_all, values.len()) {
            (false, _) => None,
            (true, 1) => common.insert(key.to_owned(), first.to_owned()),
            (true, _) => {
                let texts: Vec<&str> = values.into_keys().collect();
                differing.insert(key.to_owned(), together(key, &texts))
            }
        };
    }
    // A file of a whole day has a run of its own.
    common.remove(RUN_KEY);
    let held: Vec<HeldPart> = all
        .into_iter()
        .map(|(part, content, rows, mut notes)| {
            notes.retain(|key, _| !common.contains_key(key));
            HeldPart {
                hour: part.period.first_hour().0,
                file_name: part.file_name.clone(),
                content,
                rows,
                notes,
            }
        })
        .collect();
    differing.insert(RUN_KEY.to_owned(), name.run.clone());
    let text = serde_json::to_string(&held).unwrap_or_default();
    differing.insert(HELD_PARTS_KEY.to_owned(), text);
    let pairs = common.into_iter().chain(differing);
    let metadata = pairs
        .map(|(key, value)| KeyValue::new(key, value))
        .collect();
    Ok((held, metadata))
}

/// The values of a key that differ, as one.
fn together(key: &str, values: &[&str]) -> String {
    if key == INPUTS_KEY {
        let lists = values
            .iter()
            .filter_map(|text| serde_json::from_str::<Vec<Capture>>(text).ok());
        let captures: BTreeSet<Capture> = lists.flatten().collect();
        return serde_json::to_string(&captures).unwrap_or_default();
    }
    values.join(", ")
}
