//! A replay: all inputs as one sequence of blocks in order of time. It decides which input comes next; reading one is the business
//! of [`super::input`].

use std::path::PathBuf;

use super::candidate::{Candidate, find};
use super::error::SourceError;
use super::input::Input;
use super::probe::joint_digest;
use super::{FileReport, OPEN_INPUTS_MAX, Progress, Reading};
use crate::source::block::Block;

/// How far the packets of one input may run ahead of those of another, microseconds. A block of a sparse capture can span hours;
/// an hour waits minutes for what is behind.
pub const AHEAD_US_MAX: i64 = 60_000_000;

/// All inputs of a replay as one sequence of blocks: the next block is always that of the open input whose next packet is
/// earliest, and it ends where it would run ahead of the others, so inputs that are in order of time come out in order of time but
/// for `AHEAD_US_MAX`.
pub struct Replay {
    reading: Reading,
    /// In order of their first packet; those before `next` were opened.
    candidates: Vec<Candidate>,
    next: usize,
    open: Vec<Opened>,
    /// One for each candidate, as far as they are read.
    reports: Vec<Option<FileReport>>,
    /// What is no candidate.
    problems: Vec<FileReport>,
    closed_bytes: u64,
    packets: u64,
}

/// An input that is being read, and which candidate it is.
struct Opened {
    index: usize,
    input: Input,
}

impl Replay {
    /// Finds the inputs: `paths` are captures, folders of captures, or `-` for standard input. Fails only when not one of them can
    /// be read; otherwise each that cannot is reported by [`Replay::finish`]. Waits for the first 64 KiB of a stream.
    pub fn open(paths: &[PathBuf]) -> Result<Replay, SourceError> {
        Replay::open_by(paths, Reading::default())
    }

    /// As [`Replay::open`], with a choice of how plain files are read.
    pub fn open_by(paths: &[PathBuf], reading: Reading) -> Result<Replay, SourceError> {
        if paths.is_empty() {
            return Err(SourceError::NothingGiven);
        }
        let found = find(paths);
        if found.candidates.is_empty() {
            return Err(SourceError::NothingToRead(found.problems));
        }
        Ok(Replay::of(found.candidates, found.problems, reading))
    }

    fn of(candidates: Vec<Candidate>, problems: Vec<FileReport>, reading: Reading) -> Replay {
        Replay {
            reading,
            reports: vec![None; candidates.len()],
            candidates,
            next: 0,
            open: Vec::new(),
            problems,
            closed_bytes: 0,
            packets: 0,
        }
    }

    /// The next block; its memory comes from `reuse`, a block that is done with. None at the end of all inputs. A damaged input
    /// ends early, with its error in its report, and the others are read on.
    pub fn next_block(&mut self, reuse: Block) -> Option<Block> {
        self.open_due();
        let place = self.earliest()?;
        let until_us = self.others_us(place).saturating_add(AHEAD_US_MAX);
        let block = self.open[place].input.take(until_us, reuse)?;
        if self.open[place].input.time_us().is_none() {
            let opened = self.open.swap_remove(place);
            self.close(opened);
        }
        self.packets += block.records.len() as u64;
        Some(block)
    }

    /// SHA-256 over the size and both ends of each input (of a stream its first 64 KiB), whatever their names and order: the same
    /// captures give the same identity. Inputs that are no captures do not count.
    #[must_use]
    pub fn identity(&self) -> [u8; 32] {
        joint_digest(
            self.candidates
                .iter()
                .map(|candidate| candidate.digest)
                .collect(),
        )
    }

    /// The same inputs from their beginning; none when one of them is a stream.
    #[must_use]
    pub fn reopen(&self) -> Option<Replay> {
        let candidates: Option<Vec<Candidate>> =
            self.candidates.iter().map(Candidate::again).collect();
        Some(Replay::of(candidates?, self.problems.clone(), self.reading))
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let open_bytes: u64 = self
            .open
            .iter()
            .map(|opened| opened.input.read_bytes())
            .sum();
        let streamed = self.candidates.iter().any(Candidate::is_stream);
        let total_bytes = self
            .candidates
            .iter()
            .map(|candidate| candidate.size_bytes)
            .sum();
        Progress {
            read_bytes: self.closed_bytes + open_bytes,
            total_bytes: (!streamed).then_some(total_bytes),
            packets: self.packets,
        }
    }

    /// What became of each input, in order of their first packets; those that could not be read at all come last.
    #[must_use]
    pub fn finish(mut self) -> Vec<FileReport> {
        while let Some(opened) = self.open.pop() {
            self.close(opened);
        }
        let mut reports: Vec<FileReport> = self.reports.into_iter().flatten().collect();
        reports.append(&mut self.problems);
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
        match self.candidates[index].open(self.reading) {
            Ok(input) if input.time_us().is_some() => self.open.push(Opened { index, input }),
            Ok(input) => self.close(Opened { index, input }),
            Err(error) => {
                self.reports[index] = Some(FileReport {
                    path: self.candidates[index].path.display().to_string(),
                    records: 0,
                    unsupported_records: 0,
                    error: Some(error.to_string()),
                });
            }
        }
    }

    /// Place of the open input with the earliest next packet; of equals, of the one that was opened first.
    fn earliest(&self) -> Option<usize> {
        let order = |opened: &Opened| (opened.input.time_us(), opened.index);
        (0..self.open.len()).min_by_key(|&place| order(&self.open[place]))
    }

    /// Time of the earliest packet that comes next in any input but the open one at `place`; the end of time when there is none.
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

    fn close(&mut self, opened: Opened) {
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
