//! The files of kept packets: one for each hour of packet time and link type, `SENSOR-HOUR-LINK-NUMBER.pcap`, with `.part` appended until
//! the hour has ended. `keep.rs` decides which packets are kept.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use teiten_aggregator::hour::Hour;
use teiten_aggregator::minute::hour_of;

use super::leftover::{self, UNFINISHED_ENDING, finished};
use super::pcap::{FILE_HEADER_BYTES, append, file_header};
use super::retention::Retention;
use super::settings::KeepSettings;
use crate::source::record::Record;
use crate::watch::{FREE_BYTES_MIN, KeptCounts, NotKeptReason, space};
use teiten_packet::LinkType;

const ENDING: &str = "pcap";
/// Bytes that are written at once.
const BUFFER_BYTES: usize = 256 << 10;
/// How long after an hour's end its file stays open for late packets, microseconds.
const DISORDER_US: i64 = 10_000_000;
/// Most open files: two hours of several link types; beyond that the oldest file is finished.
const OPEN_MAX: usize = 8;
/// Kept packets leave this fraction (the denominator) of the file system free, but at most [`FREE_BYTES_MIN`].
const FREE_SHARE: u64 = 10;

/// The folder and what is open in it.
pub(super) struct Files {
    folder: PathBuf,
    sensor: String,
    retention: Retention,
    open: BTreeMap<(i64, u16), Open>,
    /// Why nothing is written until the next round.
    stopped: Option<NotKeptReason>,
    /// What went wrong, until packets are kept again.
    problem: Option<String>,
    /// Packets kept at the last check.
    kept: u64,
    /// The hour for which old files were last removed.
    cleaned: Option<i64>,
}

struct Open {
    file: File,
    path: PathBuf,
    /// Bytes of whole records in the file.
    whole_bytes: u64,
    /// Whether bytes of a partly written record may follow them.
    torn: bool,
    buffer: Vec<u8>,
    buffered: u64,
}

impl Files {
    pub(super) fn new(settings: &KeepSettings, sensor: &str) -> Files {
        Files {
            folder: settings.folder.clone(),
            sensor: sensor.to_owned(),
            retention: Retention::new(settings.hours),
            open: BTreeMap::new(),
            stopped: None,
            problem: None,
            kept: 0,
            cleaned: None,
        }
    }

    /// Finishes the files that an earlier run left behind.
    pub(super) fn finish_leftovers(&self) {
        for path in self.own(UNFINISHED_ENDING) {
            let shown = path.display();
            match leftover::finish(&path) {
                Ok(Some(packets)) => {
                    tracing::info!(packets, "kept packets of a run that broke off: {shown}");
                }
                Ok(None) => tracing::warn!("{shown} is being written by another process"),
                Err(error) => {
                    tracing::error!("{shown} cannot be finished: {error}; it stays there");
                }
            }
        }
    }

    /// Keeps a packet, or counts why not.
    pub(super) fn write(&mut self, record: &Record, captured: &[u8], counts: &KeptCounts) {
        if let Some(reason) = self.stopped {
            return counts.lose(reason, 1);
        }
        let key = (hour_of(record.time_us), record.link_type.0);
        if !self.open.contains_key(&key)
            && let Err(error) = self.begin(key, counts)
        {
            self.stop(&error);
            return counts.lose(reason_of(&error), 1);
        }
        let Some(open) = self.open.get_mut(&key) else {
            return;
        };
        append(record, captured, &mut open.buffer);
        open.buffered += 1;
        if open.buffer.len() >= BUFFER_BYTES
            && let Err(error) = open.flush(counts)
        {
            self.stop(&error);
        }
    }

    /// Flushes buffers, finishes files of hours that have ended, removes old ones, and checks the free space.
    pub(super) fn look(&mut self, clock_us: i64, counts: &KeptCounts) {
        let was_stopped = self.stopped.take().is_some();
        self.forget_removed(counts);
        let flushed = self.flush_all(counts);
        // After the clock went back, the hours that it came from end too.
        let present = hour_of(clock_us - DISORDER_US)..=hour_of(clock_us + DISORDER_US);
        let open = self.open.keys().copied();
        let past: Vec<_> = open.filter(|(hour, _)| !present.contains(hour)).collect();
        let finished = past.into_iter().map(|key| self.finish(key, counts));
        let finished = finished.reduce(Result::and).unwrap_or(Ok(()));
        let kept = counts.packets();
        match (flushed, finished) {
            (Err(error), _) => self.stop(&error),
            // The packets are in a file, though without its final name, so later packets can be kept too.
            (_, Err(error)) => self.note(&error),
            (Ok(()), Ok(())) if !was_stopped && kept > self.kept => self.problem = None,
            (Ok(()), Ok(())) => {}
        }
        self.kept = kept;
        let hour = hour_of(clock_us);
        if clock_us > 0
            && let Some(first) = self.first_kept(clock_us)
            && self.cleaned != Some(hour)
        {
            self.cleaned = Some(hour);
            self.remove_before(Hour(first));
        }
        if let Some((free, all)) = space(&self.folder)
            && free < FREE_BYTES_MIN.min(all / FREE_SHARE)
        {
            self.stopped = Some(NotKeptReason::Full);
            let (shown, reason) = (self.folder.display(), NotKeptReason::Full);
            self.problem = Some(format!("{reason}: {} MiB free in {shown}", free >> 20));
        }
    }

    /// Finishes everything.
    pub(super) fn end(&mut self, counts: &KeptCounts) {
        for key in self.open.keys().copied().collect::<Vec<_>>() {
            if let Err(error) = self.finish(key, counts) {
                self.stop(&error);
            }
        }
    }

    /// What is wrong at present.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.clone()
    }

    fn stop(&mut self, error: &io::Error) {
        self.stopped = Some(reason_of(error));
        self.note(error);
    }

    fn note(&mut self, error: &io::Error) {
        let reason = reason_of(error);
        self.problem = Some(format!("{reason}: {}: {error}", self.folder.display()));
    }

    /// Starts a new file where somebody has removed the open one, because what is written to a removed file is lost.
    fn forget_removed(&mut self, counts: &KeptCounts) {
        self.open.retain(|_, open| {
            let is_there = !matches!(open.path.try_exists(), Ok(false));
            if !is_there {
                tracing::warn!("{} was removed by somebody", open.path.display());
                counts.lose(NotKeptReason::Refused, open.buffered);
            }
            is_there
        });
    }

    fn flush_all(&mut self, counts: &KeptCounts) -> io::Result<()> {
        let flushed = self.open.values_mut().map(|open| open.flush(counts));
        // Every file is flushed, even after an error with another.
        flushed.reduce(Result::and).unwrap_or(Ok(()))
    }

    fn begin(&mut self, key: (i64, u16), counts: &KeptCounts) -> io::Result<()> {
        if self.open.len() >= OPEN_MAX
            && let Some(&oldest) = self.open.keys().next()
        {
            self.finish(oldest, counts)?;
        }
        let (hour, link_type) = (Hour(key.0), LinkType(key.1));
        let start = format!("{}-{hour}-{}", self.sensor, link_name(link_type));
        for number in 1u32.. {
            let name = format!("{start}-{number:04}.{ENDING}.{UNFINISHED_ENDING}");
            let path = self.folder.join(name);
            if finished(&path).exists() {
                continue;
            }
            match Open::begin(path, link_type) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                begun => {
                    self.open.insert(key, begun?);
                    break;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, key: (i64, u16), counts: &KeptCounts) -> io::Result<()> {
        let Some(open) = self.open.get_mut(&key) else {
            return Ok(());
        };
        open.flush(counts)?;
        if open.whole_bytes <= FILE_HEADER_BYTES as u64 {
            std::fs::remove_file(&open.path)?;
        } else {
            open.file.sync_data()?;
            std::fs::rename(&open.path, finished(&open.path))?;
        }
        self.open.remove(&key);
        Ok(())
    }

    /// Files of this sensor with an ending, in order.
    fn own(&self, ending: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        let is_own = |path: &PathBuf| {
            path.extension().is_some_and(|found| found == ending) && self.hour_text(path).is_some()
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut own: Vec<PathBuf> = paths.filter(is_own).collect();
        own.sort();
        own
    }

    /// The hour in a file's name, when the file is one of this sensor's.
    fn hour_text<'p>(&self, path: &'p Path) -> Option<&'p str> {
        let name = path.file_name()?.to_str()?.strip_prefix(&self.sensor)?;
        let hour = name.strip_prefix('-')?.get(..HOUR_FORM.len())?;
        let fits = |(letter, form): (u8, u8)| match form {
            b'0' => letter.is_ascii_digit(),
            _ => letter == form,
        };
        hour.bytes()
            .zip(HOUR_FORM.bytes())
            .all(fits)
            .then_some(hour)
    }

    /// The first hour whose files stay; `None` while nothing is removed.
    fn first_kept(&mut self, clock_us: i64) -> Option<i64> {
        let first = Hour(self.retention.by_clock(clock_us)).to_string();
        let is_old = |path: &PathBuf| self.hour_text(path).is_some_and(|hour| hour < &*first);
        let all_are_old = self.retention.is_new() && self.own(ENDING).last().is_some_and(is_old);
        self.retention
            .first_hour(Instant::now(), clock_us, all_are_old)
    }

    fn remove_before(&self, first: Hour) {
        let first = first.to_string();
        for path in self.own(ENDING) {
            // Names sort in the order of their hours.
            if self
                .hour_text(&path)
                .is_some_and(|hour| hour < first.as_str())
                && let Err(error) = std::fs::remove_file(&path)
            {
                tracing::warn!("{} is old and cannot be removed: {error}", path.display());
            }
        }
    }
}

/// The form of an hour's name.
const HOUR_FORM: &str = "0000-00-00T00";

impl Open {
    fn begin(path: PathBuf, link_type: LinkType) -> io::Result<Open> {
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        let begun = match file.try_lock() {
            Ok(()) => file.write_all(&file_header(link_type)),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
            Err(TryLockError::Error(error)) => Err(error),
        };
        if let Err(error) = begun {
            // Otherwise the folder would fill with empty files while the disk is full.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Open {
            file,
            path,
            whole_bytes: FILE_HEADER_BYTES as u64,
            torn: false,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            buffered: 0,
        })
    }

    /// Writes the buffered packets. If that fails they are lost, and the file is cut back to whole records.
    fn flush(&mut self, counts: &KeptCounts) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let (packets, bytes) = (self.buffered, self.buffer.len() as u64);
        let written = self.cut().and_then(|()| self.file.write_all(&self.buffer));
        self.buffer.clear();
        self.buffered = 0;
        match written {
            Ok(()) => {
                self.whole_bytes += bytes;
                counts.keep(packets, bytes);
                Ok(())
            }
            Err(error) => {
                counts.lose(reason_of(&error), packets);
                self.torn = true;
                // If that fails too, it is tried again before the next packets are written.
                let _ = self.cut();
                Err(error)
            }
        }
    }

    /// Cuts off records that were written only in part.
    fn cut(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.whole_bytes)?;
            self.file.seek(SeekFrom::Start(self.whole_bytes))?;
            self.torn = false;
        }
        Ok(())
    }
}

fn reason_of(error: &io::Error) -> NotKeptReason {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => NotKeptReason::Full,
        _ => NotKeptReason::Refused,
    }
}

/// What a link type is called in a file's name (<https://www.tcpdump.org/linktypes.html>).
fn link_name(link_type: LinkType) -> String {
    match link_type.0 {
        1 => "ethernet".to_owned(),
        101 => "raw".to_owned(),
        113 => "sll".to_owned(),
        276 => "sll2".to_owned(),
        number => format!("linktype{number}"),
    }
}
