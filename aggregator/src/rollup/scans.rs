//! `scans` of a day: the events that ended in it, and the file of those that go on, which the next day begins with.
//!
//! A day writes its ended events into the hours of their last packets, under its own name (`SENSOR-dYYYYMMDD-0000`), so that a day that is
//! made anew takes back what it said before. Events that go on behind the last day stand under `SENSOR-ongoing-0000`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{RollupError, file_error};
use super::hour_scans::{HourScans, ScanContext};
use super::making::MakingNotes;
use super::waiting;
use crate::by_source::{LineNames, SourceKey, SourceLines};
use crate::event::open::{KEPT_BYTES_MAX, OpenFile, OpenHead, OpenReader, OpenWriter};
use crate::event::scan::{Scan, ScanKey};
use crate::event::silence::Silence;
use crate::hour::{HOUR_US, Hour};
use crate::store::{Part, Period, Publication, Staged};

/// Events that go on behind a day, at most: of more, those of a single packet end where they are, and are counted.
const OPEN_MAX: u64 = 1 << 23;
/// Run of the part of events that go on behind the last day.
pub(super) const ONGOING: &str = "ongoing";
/// Ending of the file of open events.
pub(super) const OPEN_ENDING: &str = "open";

/// Where the events that are open behind a day of a time zone lie within the dataset.
pub(super) fn open_path(sensor: &str, zone: &str, day: Period) -> PathBuf {
    waiting::path(sensor, zone, day, OPEN_ENDING)
}

/// The run in the names of parts that a day writes.
pub(crate) fn run_of(day: Period) -> String {
    format!("d{}", day.text().replace('-', ""))
}

/// Memory of the open events of each of so many sensors.
pub(super) fn kept_max(sensors: usize) -> usize {
    KEPT_BYTES_MAX / sensors.max(1)
}

/// The events of a file.
///
/// # Errors
/// When it is damaged.
pub(super) fn open_events(path: &Path) -> Result<OpenReader, RollupError> {
    let opened = File::open(path).and_then(OpenReader::new);
    opened.map_err(file_error(path))
}

/// What a day leaves of events.
pub(super) struct ScansLeft {
    /// Events that have ended.
    pub rows: u64,
    /// Those that are open.
    pub open: OpenFile<()>,
}

/// Follows the sources of a day.
pub(super) struct ScanDay<'c> {
    context: ScanContext<'c>,
    silence: Silence<'c>,
    before: Option<OpenReader>,
    open: OpenWriter<Staged>,
    open_count: u64,
    cut: u64,
    ended: HourScans<'c>,
    /// The event in hand.
    scan: Scan,
}

impl<'c> ScanDay<'c> {
    /// Begins the day, with the events that were open behind the day before.
    pub(super) fn new(
        context: ScanContext<'c>,
        silence: Silence<'c>,
        before: Option<OpenReader>,
        (within, kept_max): (&Path, usize),
    ) -> Result<Self, RollupError> {
        let file = context.store.stage(within);
        let file = file.and_then(|file| OpenWriter::keeping(file, kept_max));
        Ok(ScanDay {
            context,
            silence,
            before,
            open: file.map_err(file_error(within))?,
            open_count: 0,
            cut: 0,
            ended: HourScans::new(context, false),
            scan: Scan::none(),
        })
    }

    /// Takes the next source of the day, with the places of its rows in the order of their events. A prefix is no source.
    ///
    /// # Errors
    /// When the disk refuses, or a set of destinations is damaged.
    pub(super) fn source(
        &mut self,
        source: SourceKey,
        (lines, order): (&SourceLines, &[u32]),
        names: &LineNames,
    ) -> Result<(), RollupError> {
        if source.is_folded() {
            return Ok(());
        }
        let key = |row: &u32| ScanKey::of(&lines.lines[*row as usize]);
        let mut of_keys = order.chunk_by(|left, right| key(left) == key(right));
        of_keys.try_for_each(|of_key| {
            let place = (source, key(&of_key[0]));
            self.pass_before(Some(place))?;
            self.follow(place, of_key, (lines, names))
        })
    }

    /// Follows the rows of a source and key, by their places.
    fn follow(
        &mut self,
        place: (SourceKey, ScanKey),
        of_key: &[u32],
        (lines, names): (&SourceLines, &LineNames),
    ) -> Result<(), RollupError> {
        let is_next = |head: OpenHead| head.place() == place;
        let mut is_open = false;
        if let Some(before) = &mut self.before
            && before.next_event().is_some_and(is_next)
        {
            let open = before.take();
            self.scan = open.map_err(|error| self.failed(error))?;
            is_open = true;
        }
        // What most sources are: a row that makes no event and has been silent for long enough.
        if let (false, [only]) = (is_open, of_key)
            && let only = &lines.lines[*only as usize]
            && only.destinations < self.context.rules.destinations_min
            && self.silence.has_ended(only.last_us)
        {
            return Ok(());
        }
        for row in of_key {
            let line = &lines.lines[*row as usize];
            let set = lines.set(line);
            if is_open && !self.silence.ends(self.scan.end_us, line.first_us) {
                let added = self.scan.add(line, set, names);
                added.map_err(|source| RollupError::Destinations {
                    day: Hour(self.silence.horizon_us.div_euclid(HOUR_US)).date(),
                    source,
                })?;
                continue;
            }
            if is_open {
                self.ended.add(&self.scan)?;
            }
            self.scan.begin(place.0, line, set, names);
            is_open = true;
        }
        self.settle()
    }

    /// Takes the events that no row of the day belongs to, before `place`: they go on as they are, or have ended.
    fn pass_before(&mut self, place: Option<(SourceKey, ScanKey)>) -> Result<(), RollupError> {
        while let Some(before) = &mut self.before
            && let Some(next) = before.next_event()
            && place.is_none_or(|place| next.place() < place)
        {
            let goes_on = !self.silence.has_ended(next.end_us);
            if goes_on && self.open_count < OPEN_MAX {
                let passed = before.pass(&mut self.open);
                passed.map_err(|error| self.failed(error))?;
                self.open_count += 1;
                continue;
            }
            let next = before.take();
            self.scan = next.map_err(|error| self.failed(error))?;
            self.settle()?;
        }
        Ok(())
    }

    /// Takes the event in hand, with all its rows of the day: it has ended, or is open.
    fn settle(&mut self) -> Result<(), RollupError> {
        let scan = &self.scan;
        if self.silence.has_ended(scan.end_us) {
            return self.ended.add(scan);
        }
        if scan.packets == 1 && self.open_count >= OPEN_MAX {
            self.cut += 1;
            return Ok(());
        }
        self.open_count += 1;
        let pushed = self.open.push(scan);
        pushed.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> RollupError {
        file_error(&self.context.store.private_folder())(error)
    }

    /// Puts what the day says of events into `publication`, in place of what it said before.
    pub(super) fn finish(
        mut self,
        run: &str,
        said_before: &[Part],
        notes: &MakingNotes,
        publication: &mut Publication,
    ) -> Result<ScansLeft, RollupError> {
        self.pass_before(None)?;
        let failed = file_error(&self.context.store.private_folder());
        let OpenFile { file, hash, kept } = self.open.finish().map_err(&failed)?;
        publication.put(file).map_err(&failed)?;
        let mut notes = notes.clone();
        let rows = self.ended.count as u64;
        notes.set("scans_left_out", &self.ended.left_out.to_string());
        notes.set("scans_cut", &self.cut.to_string());
        self.ended.publish(run, said_before, &notes, publication)?;
        Ok(ScansLeft {
            rows,
            open: OpenFile {
                file: (),
                hash,
                kept,
            },
        })
    }
}

/// Publishes the events that go on behind the last day, from the file of those that are open; how many rows there are.
pub(super) fn publish_ongoing(
    context: ScanContext<'_>,
    open: &Path,
    said_before: &[Part],
    notes: &MakingNotes,
) -> Result<u64, RollupError> {
    let failed = file_error(open);
    let mut reader = open_events(open)?;
    let mut ongoing = HourScans::new(context, true);
    while reader.next_event().is_some() {
        let scan = reader.take().map_err(&failed)?;
        ongoing.add(&scan)?;
    }
    let count = ongoing.count as u64;
    let mut publication = context.store.publication();
    ongoing.publish(ONGOING, said_before, notes, &mut publication)?;
    publication
        .commit()
        .map_err(file_error(context.store.directory()))?;
    Ok(count)
}
