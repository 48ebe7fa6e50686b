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
use crate::event::open::{KEPT_BYTES_MAX, OpenFile, OpenReader, OpenWriter};
use crate::event::scan::{Scan, follow};
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
        })
    }

    /// Takes the next source of the day.
    pub(super) fn source(
        &mut self,
        source: SourceKey,
        lines: &SourceLines,
        names: &LineNames,
    ) -> Result<(), RollupError> {
        self.pass_before(Some(source))?;
        let open = match &mut self.before {
            Some(before) => before.take_source(source).map_err(self.failed())?,
            None => Vec::new(),
        };
        // What most sources are: a row that makes no event and has been silent for long enough.
        if let (true, [only]) = (open.is_empty(), &lines.lines[..])
            && only.destinations < self.context.rules.destinations_min
            && self.silence.has_ended(only.last_us)
        {
            return Ok(());
        }
        self.follow(source, open, Some((lines, names)))
    }

    /// Takes the events of sources that did not come, before `source`.
    fn pass_before(&mut self, source: Option<SourceKey>) -> Result<(), RollupError> {
        while let Some(before) = &mut self.before
            && let Some(next) = before.next_event()
            && source.is_none_or(|source| next.source < source)
        {
            let goes_on = !self.silence.has_ended(next.end_us);
            if goes_on && self.open_count < OPEN_MAX {
                before.pass(&mut self.open).map_err(self.failed())?;
                self.open_count += 1;
                continue;
            }
            let open = before.take().map_err(self.failed())?;
            self.follow(next.source, vec![open], None)?;
        }
        Ok(())
    }

    fn failed(&self) -> impl Fn(io::Error) -> RollupError + use<> {
        file_error(&self.context.store.private_folder())
    }

    fn follow(
        &mut self,
        source: SourceKey,
        open: Vec<Scan>,
        lines: Option<(&SourceLines, &LineNames)>,
    ) -> Result<(), RollupError> {
        // A prefix is no source.
        if source.is_folded() {
            return Ok(());
        }
        let mut outcome = Ok(());
        let mut rows = Vec::new();
        let (mut pushed, mut cut) = (0, 0);
        let (file, is_full) = (&mut self.open, self.open_count >= OPEN_MAX);
        let silence = &self.silence;
        let followed = follow(source, open, lines, silence, |scan, is_over| {
            if is_over {
                rows.push(scan);
            } else if is_full && scan.packets == 1 {
                cut += 1;
            } else if outcome.is_ok() {
                pushed += 1;
                outcome = file.push(&scan);
            }
        });
        self.open_count += pushed;
        self.cut += cut;
        outcome.map_err(self.failed())?;
        let damaged = |source| RollupError::Destinations {
            day: Hour(silence.horizon_us.div_euclid(HOUR_US)).date(),
            source,
        };
        followed.map_err(damaged)?;
        rows.into_iter().try_for_each(|scan| self.ended.add(scan))
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
        let failed = self.failed();
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
        ongoing.add(scan)?;
    }
    let count = ongoing.count as u64;
    let mut publication = context.store.publication();
    ongoing.publish(ONGOING, said_before, notes, &mut publication)?;
    publication
        .commit()
        .map_err(file_error(context.store.directory()))?;
    Ok(count)
}
