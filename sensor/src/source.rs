//! Where packets come from: captures as files, folders and streams ([`Replay`]), and interfaces. All of them hand over blocks of
//! records; what a packet holds is never looked at here, and no clock is read for a replay.

mod candidate;
mod chunks;
mod clock;
mod compression;
mod error;
mod format;
pub mod fuzz;
mod input;
mod map;
mod pcap;
mod pcapng;
mod probe;
#[cfg(test)]
mod sample;
mod walk;

use std::path::PathBuf;

use serde::Serialize;

pub use error::{CaptureError, SourceError};
pub use format::Compression;
pub use pcapng::{PCAPNG_BLOCK_BYTES_MAX, PCAPNG_INTERFACES_MAX};
pub use walk::{BLOCK_BYTES_MAX, RECORD_BYTES_MAX};

use crate::packet::Block;
use candidate::{Candidate, find};
use input::Input;
use probe::joint_digest;

/// Most captures that are open at once. Where more overlap in time, the later ones wait for a place, and their packets are handed
/// over late.
pub const OPEN_INPUTS_MAX: usize = 64;

/// How plain files are read. Compressed ones and streams never can be mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Through memory maps: fastest, but a file that shrinks meanwhile ends the process.
    #[default]
    Mapped,
    /// Through buffers.
    Buffered,
}

/// What became of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The path as given, or as found in a folder.
    pub path: String,
    /// Records read.
    pub records: u64,
    /// Why it could not be read, or not to its end.
    pub error: Option<String>,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, as they lie in the files: compressed ones count compressed.
    pub read_bytes: u64,
    /// Bytes of all inputs; none when one of them is a stream.
    pub total_bytes: Option<u64>,
    /// Packets handed over.
    pub packets: u64,
}

/// All inputs of a replay as one sequence of blocks: the next block is always that of the open input whose next packet is
/// earliest, so inputs that are in order of time come out in order of time.
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
        let block = self.open[place].input.take(reuse)?;
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
            Err(error) => self.report(index, 0, Some(error.to_string())),
        }
    }

    /// Place of the open input with the earliest next packet; of equals, of the one that was opened first.
    fn earliest(&self) -> Option<usize> {
        let order = |opened: &Opened| (opened.input.time_us(), opened.index);
        (0..self.open.len()).min_by_key(|&place| order(&self.open[place]))
    }

    fn close(&mut self, opened: Opened) {
        let candidate = &self.candidates[opened.index];
        self.closed_bytes += if candidate.is_stream() {
            opened.input.read_bytes()
        } else {
            candidate.size_bytes
        };
        let (records, error) = opened.input.into_result();
        self.report(opened.index, records, error);
    }

    fn report(&mut self, index: usize, records: u64, error: Option<String>) {
        let path = self.candidates[index].path.display().to_string();
        self.reports[index] = Some(FileReport {
            path,
            records,
            error,
        });
    }
}
