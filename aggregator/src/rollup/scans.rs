//! `scans` of a day: the events that ended in it, and the file of those that go on, which the next day begins with.
//!
//! A day writes its ended events into the hours of their last packets, under its own name (`SENSOR-dYYYYMMDD-0000`), so that a day that is
//! made anew takes back what it said before. Events that go on behind the last day stand under `SENSOR-ongoing-0000`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{RollupError, file_error};
use super::making::MakingNotes;
use super::waiting;
use crate::by_source::{LineNames, SourceKey, SourceLines};
use crate::close::encode_with;
use crate::event::open::{KEPT_BYTES_MAX, OpenFile, OpenReader, OpenWriter};
use crate::event::scan::{Scan, follow};
use crate::event::silence::Silence;
use crate::event::{DarkAddresses, ScanRules};
use crate::hour::{HOUR_US, Hour};
use crate::schema::{SCANS, SCANS_ROWS, ScanRow, ScanRows, encode_group};
use crate::store::{Part, PartName, Period, Publication, Staged, Store};
use crate::writer::PartWriter;

/// Events of a day, at most; more are counted.
const SCANS_MAX: usize = 1 << 21;
/// Events that go on behind a day, at most: of more, those of a single packet end where they are, and are counted.
const OPEN_MAX: u64 = 1 << 23;
/// Run of the part of events that go on behind the last day.
pub(super) const ONGOING: &str = "ongoing";
/// Ending of the file of open events.
pub(super) const OPEN_ENDING: &str = "open";
/// Rows of a row group.
const GROUP_ROWS: usize = 100_000;

/// Where the events that are open behind a day of a time zone lie within the dataset.
pub(super) fn open_path(sensor: &str, zone: &str, day: Period) -> PathBuf {
    waiting::path(sensor, zone, day, OPEN_ENDING)
}

/// The run in the names of parts that a day writes.
pub(crate) fn run_of(day: Period) -> String {
    format!("d{}", day.text().replace('-', ""))
}

/// Whose events, by which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScanContext<'c> {
    pub store: &'c Store,
    pub sensor: &'c str,
    pub rules: &'c ScanRules,
    pub telescope: DarkAddresses,
    /// Memory of open events that stay until the next day.
    pub kept_max: usize,
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
    ended: BTreeMap<Hour, Vec<ScanRow>>,
    count: usize,
    left_out: u64,
}

impl<'c> ScanDay<'c> {
    /// Begins the day, with the events that were open behind the day before.
    pub(super) fn new(
        context: ScanContext<'c>,
        silence: Silence<'c>,
        before: Option<OpenReader>,
        within: &Path,
    ) -> Result<Self, RollupError> {
        let file = context.store.stage(within);
        let file = file.and_then(|file| OpenWriter::keeping(file, context.kept_max));
        Ok(ScanDay {
            context,
            silence,
            before,
            open: file.map_err(file_error(within))?,
            open_count: 0,
            cut: 0,
            ended: BTreeMap::new(),
            count: 0,
            left_out: 0,
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
        let context = self.context;
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
        for scan in rows {
            let row = scan.row(context.sensor, context.rules, &context.telescope, false);
            let Some(row) = row.map_err(damaged)? else {
                continue;
            };
            if self.count == SCANS_MAX {
                self.left_out += 1;
                continue;
            }
            self.count += 1;
            self.ended.entry(hour_of(&row)).or_default().push(row);
        }
        Ok(())
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
        let context = self.context;
        let failed = self.failed();
        let OpenFile { file, hash, kept } = self.open.finish().map_err(&failed)?;
        publication.put(file).map_err(&failed)?;
        let mut notes = notes.clone();
        notes.set("scans_left_out", &self.left_out.to_string());
        notes.set("scans_cut", &self.cut.to_string());
        publish_rows(context, run, self.ended, said_before, &notes, publication)?;
        Ok(ScansLeft {
            rows: self.count as u64,
            open: OpenFile {
                file: (),
                hash,
                kept,
            },
        })
    }
}

fn hour_of(row: &ScanRow) -> Hour {
    Hour(row.end_us.div_euclid(HOUR_US))
}

/// Puts rows into the hours of their last packets, and removes parts of the run where there are none any more.
fn publish_rows(
    context: ScanContext<'_>,
    run: &str,
    hours: BTreeMap<Hour, Vec<ScanRow>>,
    said_before: &[Part],
    notes: &MakingNotes,
    publication: &mut Publication,
) -> Result<(), RollupError> {
    said_before
        .iter()
        .for_each(|part| publication.remove(&part.within()));
    let name = PartName {
        sensor: context.sensor.to_owned(),
        run: run.to_owned(),
    };
    let file_name = name.file_name(0);
    for (hour, mut rows) in hours {
        let folder = Period::Hour(hour).folder();
        let within = Path::new(SCANS.name).join(folder).join(&file_name);
        let order = |row: &ScanRow| {
            let source = SourceKey::parse(std::str::from_utf8(&row.source).unwrap_or_default());
            (
                source,
                row.traffic_type,
                row.port,
                row.protocol,
                row.start_us,
            )
        };
        rows.sort_by_cached_key(order);
        let mut file = PartWriter::create(context.store, &within, &SCANS, notes.metadata())?;
        for rows in rows.chunks(GROUP_ROWS) {
            let (sensor, schema) = (context.sensor, file.schema());
            let group = ScanRows { sensor, rows };
            file.append(encode_with(&within, |encoder| {
                encode_group(SCANS_ROWS, &schema, rows.len(), &group, encoder)
            })?)?;
        }
        let failed = file_error(&within);
        publication.put(file.finish()?).map_err(failed)?;
    }
    Ok(())
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
    let mut hours = BTreeMap::<Hour, Vec<ScanRow>>::new();
    let mut count = 0;
    while reader.next_event().is_some() {
        let scan = reader.take().map_err(&failed)?;
        let row = scan.row(context.sensor, context.rules, &context.telescope, true);
        let damaged = |source| RollupError::Destinations {
            day: Hour(scan.end_us.div_euclid(HOUR_US)).date(),
            source,
        };
        if let Some(row) = row.map_err(damaged)?
            && count < SCANS_MAX as u64
        {
            count += 1;
            hours.entry(hour_of(&row)).or_default().push(row);
        }
    }
    let mut publication = context.store.publication();
    publish_rows(
        context,
        ONGOING,
        hours,
        said_before,
        notes,
        &mut publication,
    )?;
    publication
        .commit()
        .map_err(file_error(context.store.directory()))?;
    Ok(count)
}
