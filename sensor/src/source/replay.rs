//! A replay: all inputs as one sequence of blocks in order of time. It decides which input comes next; [`super::input`] reads one.

use std::path::PathBuf;
use std::sync::Arc;

use teiten_aggregator::inputs::{Capture, Contributors};

use super::ahead::{Ahead, OPENED_AHEAD_MAX, SMALL_BYTES_MAX};
use super::candidate::Candidate;
use super::error::{CaptureError, SourceError};
use super::index::CaptureIndex;
use super::input::{Input, Terms};
use super::judge::IMPLAUSIBLE_DAYS_DEFAULT;
use super::search::find;
use super::{FileReport, OPEN_INPUTS_MAX, Progress, ReadingMode, WalkAhead};
use crate::source::block::Block;

/// How far the packets of one input may run ahead of those of another, microseconds. A block of a sparse capture can span hours; a closing
/// hour waits minutes for inputs that are behind.
pub(super) const AHEAD_US_MAX: i64 = 60_000_000;

/// All inputs of a replay as one sequence of blocks: the next block is always that of the open input whose next packet is
/// earliest, and it ends where it would run ahead of the others, so inputs that are in order of time come out in order of time but
/// for `AHEAD_US_MAX`.
pub struct Replay {
    settings: ReplaySettings,
    /// Records the contributions of captures to hours, if wanted.
    counting: Option<Counting>,
    /// In order of their first packet; those before `next` were opened.
    candidates: Vec<Candidate>,
    next: usize,
    /// Candidates before this one were asked for, or are not opened ahead.
    asked: usize,
    /// Opens small captures ahead.
    ahead: Ahead,
    open: Vec<Opened>,
    /// One for each candidate, as far as they are read.
    reports: Vec<Option<FileReport>>,
    /// Reports of the paths that are no candidates.
    problems: Vec<FileReport>,
    closed_bytes: u64,
    /// Bytes of all inputs; `None` if one of them is a stream.
    total_bytes: Option<u64>,
    packets: u64,
}

/// How inputs are read.
#[derive(Clone, Copy, Debug)]
pub struct ReplaySettings {
    /// How plain files are read.
    pub reading: ReadingMode,
    /// How many days a packet's time may differ from its neighbours'.
    pub implausible_days: u32,
    /// How a large capture is walked ahead; none to walk all on the reading thread.
    pub walk_ahead: Option<WalkAhead>,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        ReplaySettings {
            reading: ReadingMode::default(),
            implausible_days: IMPLAUSIBLE_DAYS_DEFAULT,
            walk_ahead: None,
        }
    }
}

struct Counting {
    contributors: Arc<Contributors>,
    index: CaptureIndex,
    index_path: PathBuf,
}

/// An input that is being read, and which candidate it is.
struct Opened {
    index: usize,
    input: Input,
}

impl Replay {
    /// Finds the inputs: `paths` are captures, folders of captures, or `-` for standard input. Fails only if none of them can be read;
    /// otherwise [`Replay::finish`] reports each that cannot. Waits for the first 64 KiB of a stream.
    pub fn open(paths: &[PathBuf]) -> Result<Replay, SourceError> {
        Replay::open_with(paths, ReplaySettings::default())
    }

    /// Like [`Replay::open`], with a choice of how plain files are read.
    pub fn open_by(paths: &[PathBuf], reading: ReadingMode) -> Result<Replay, SourceError> {
        let settings = ReplaySettings {
            reading,
            ..ReplaySettings::default()
        };
        Replay::open_with(paths, settings)
    }

    fn open_with(paths: &[PathBuf], settings: ReplaySettings) -> Result<Replay, SourceError> {
        if paths.is_empty() {
            return Err(SourceError::NothingGiven);
        }
        let found = find(paths);
        if found.candidates.is_empty() {
            return Err(SourceError::NothingToRead(found.reports));
        }
        Ok(Replay::of(found.candidates, found.reports, settings))
    }

    /// Reads these captures, and records what they are and to which hours they contribute.
    pub(super) fn counting(
        candidates: Vec<Candidate>,
        problems: Vec<FileReport>,
        settings: ReplaySettings,
        contributors: Arc<Contributors>,
        (index, index_path): (CaptureIndex, PathBuf),
    ) -> Replay {
        Replay {
            counting: Some(Counting {
                contributors,
                index,
                index_path,
            }),
            ..Replay::of(candidates, problems, settings)
        }
    }

    fn of(
        candidates: Vec<Candidate>,
        problems: Vec<FileReport>,
        settings: ReplaySettings,
    ) -> Replay {
        let streamed = candidates.iter().any(Candidate::is_stream);
        let total_bytes = candidates
            .iter()
            .map(|candidate| candidate.size_bytes)
            .sum();
        Replay {
            settings,
            counting: None,
            total_bytes: (!streamed).then_some(total_bytes),
            reports: vec![None; candidates.len()],
            ahead: Ahead::new(),
            candidates,
            next: 0,
            asked: 0,
            open: Vec::new(),
            problems,
            closed_bytes: 0,
            packets: 0,
        }
    }

    /// The next block; its memory comes from `reuse`, a finished block. `None` at the end of all inputs. A damaged input ends early, with
    /// its error in its report; the others are read on.
    pub fn next_block(&mut self, reuse: Block) -> Option<Block> {
        self.open_due();
        let place = self.earliest()?;
        let until_us = self.others_us(place).saturating_add(AHEAD_US_MAX);
        let block = self.open[place].input.take(until_us, reuse)?;
        self.note_hours(place);
        if self.open[place].input.time_us().is_none() {
            let opened = self.open.swap_remove(place);
            self.close(opened);
        }
        self.packets += block.records.len() as u64;
        Some(block)
    }

    /// The same inputs from their beginning; `None` if one of them is a stream.
    #[must_use]
    pub fn reopen(&self) -> Option<Replay> {
        let candidates: Option<Vec<Candidate>> =
            self.candidates.iter().map(Candidate::again).collect();
        Some(Replay::of(
            candidates?,
            self.problems.clone(),
            self.settings,
        ))
    }

    /// Its progress.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let open_bytes: u64 = self
            .open
            .iter()
            .map(|opened| opened.input.read_bytes())
            .sum();
        Progress {
            read_bytes: self.closed_bytes + open_bytes,
            total_bytes: self.total_bytes,
            packets: self.packets,
        }
    }

    /// The report of each input, in order of their first packets; those that could not be read at all come last.
    #[must_use]
    pub fn finish(mut self) -> Vec<FileReport> {
        while let Some(opened) = self.open.pop() {
            self.close(opened);
        }
        let mut reports: Vec<FileReport> = self.reports.into_iter().flatten().collect();
        reports.append(&mut self.problems);
        if let Some(Counting {
            index, index_path, ..
        }) = self.counting.take()
        {
            // This is a cache: without it the files are read again.
            let _ = index.store(&index_path);
        }
        reports
    }

    /// Opens, in order, the inputs whose first packet is due.
    fn open_due(&mut self) {
        while self.next < self.candidates.len() && self.open.len() < OPEN_INPUTS_MAX {
            let due = match self.earliest() {
                None => true,
                Some(place) => {
                    self.candidates[self.next].first_time_us <= self.open[place].input.time_us()
                }
            };
            if !due {
                return;
            }
            self.open_next();
        }
    }

    fn open_next(&mut self) {
        let index = self.next;
        self.next += 1;
        self.ask_ahead();
        match self.opened(index) {
            Ok(input) if input.time_us().is_some() => {
                self.open.push(Opened { index, input });
                self.note_hours(self.open.len() - 1);
            }
            Ok(input) => self.close(Opened { index, input }),
            Err(error) => {
                self.reports[index] = Some(FileReport {
                    path: self.candidates[index].path.display().to_string(),
                    error: Some(error.to_string()),
                    ..FileReport::default()
                });
            }
        }
    }

    fn opened(&mut self, index: usize) -> Result<Input, CaptureError> {
        if let Some(opened) = self.ahead.take(index) {
            return opened;
        }
        let terms = self.terms(index);
        self.candidates[index].open(self.settings.reading, terms)
    }

    /// Has the small ones of the next captures opened, and of the one that is due where others follow.
    fn ask_ahead(&mut self) {
        if self.candidates.len() == 1 {
            return;
        }
        let end = self.candidates.len().min(self.next + OPENED_AHEAD_MAX);
        while self.asked < end && self.ahead.waiting() < OPENED_AHEAD_MAX {
            let index = self.asked;
            self.asked += 1;
            let candidate = &self.candidates[index];
            if candidate.size_bytes <= SMALL_BYTES_MAX
                && let Some(opening) = candidate.opening(self.settings.reading, self.terms(index))
            {
                self.ahead.ask(index, opening);
            }
        }
    }

    fn terms(&self, index: usize) -> Terms {
        Terms {
            implausible_days: self.settings.implausible_days,
            from_bytes: self.candidates[index].from_bytes,
            identify: self.counting.is_some().then(Vec::new),
            // Each has its threads: one input at a time.
            walk_ahead: self.settings.walk_ahead.filter(|_| self.open.is_empty()),
        }
    }

    /// Place of the open input with the earliest next packet; of equals, of the one that was opened first.
    fn earliest(&self) -> Option<usize> {
        let order = |opened: &Opened| (opened.input.time_us(), opened.index);
        (0..self.open.len()).min_by_key(|&place| order(&self.open[place]))
    }

    /// Time of the earliest packet that comes next in any input but the open one at `place`; the largest time if there is none.
    fn others_us(&self, place: usize) -> i64 {
        let open = self.open.iter().enumerate();
        let others = open
            .filter(|(other, _)| *other != place)
            .filter_map(|(_, opened)| opened.input.time_us());
        let has_room = self.open.len() < OPEN_INPUTS_MAX;
        let waiting = self.candidates.get(self.next).filter(|_| has_room);
        others
            .chain(waiting.and_then(|candidate| candidate.first_time_us))
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Records in which hours an input has packets, as far as it is read.
    fn note_hours(&mut self, place: usize) {
        let Some(counting) = &self.counting else {
            return;
        };
        let Opened { index, input } = &mut self.open[place];
        for hour in input.take_hours() {
            counting.contributors.contributes(*index, hour);
        }
    }

    fn close(&mut self, mut opened: Opened) {
        if let (Some(counting), Some(capture)) = (&mut self.counting, opened.input.capture()) {
            for hour in opened.input.take_hours() {
                counting.contributors.contributes(opened.index, hour);
            }
            let candidate = &self.candidates[opened.index];
            if let Some((path, stamp)) = candidate.file.clone() {
                counting.index.note(path, stamp, capture.clone());
            }
            let from_bytes = candidate.from_bytes;
            counting.contributors.is_read(
                opened.index,
                Capture {
                    from_bytes,
                    ..capture
                },
            );
        }
        let candidate = &self.candidates[opened.index];
        self.closed_bytes += if candidate.is_stream() {
            opened.input.read_bytes()
        } else {
            candidate.size_bytes
        };
        let path = candidate.path.display().to_string();
        self.reports[opened.index] = Some(opened.input.into_report(path));
    }
}

#[cfg(test)]
mod tests;
