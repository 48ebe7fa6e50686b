//! Spills rows of open hours to disk when memory is short.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{Closer, HourRuns};
use crate::payload_table::{Names, PayloadTable};
use crate::reply_run::ReplyRun;
use crate::run::{DiskRun, Run};
use crate::store::Store;
use crate::window::HourPart;
use crate::writer::WriteError;
use teiten_observation::Address;

impl Closer {
    /// Sorts a share and spills it to disk.
    ///
    /// # Errors
    /// When the folder for such files cannot be written.
    pub fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError> {
        let mut sorted = HourRuns::default();
        sorted.add(part);
        let mut runs = self.spill_runs(sorted).map_err(|(_, error)| error)?;
        let payloads = std::mem::take(&mut runs.payloads);
        if !payloads.is_empty() {
            runs.spilled_payloads
                .push(SpilledPayloads::write(&self.store, &payloads)?);
        }
        Ok(runs)
    }

    /// Merges files of an hour where there are many of them. They are one of so many shares of the hour, which together are not many either.
    ///
    /// # Errors
    /// When a file cannot be read or written: the rows are where they were.
    pub fn unite(&self, runs: &mut HourRuns, shares: usize) -> Result<(), WriteError> {
        let files_max = (UNITED_FILES / shares.max(1)).max(UNITED_FILES_MIN);
        unite_files(&mut runs.ipv4, files_max, "run", &self.store)?;
        unite_files(&mut runs.ipv6, files_max, "run", &self.store)?;
        unite_files(&mut runs.replies, files_max, "replies", &self.store)
    }

    /// Spills sorted rows to disk.
    ///
    /// # Errors
    /// When the folder for such files cannot be written: the rows, as far as they are not on disk yet where they were, come back.
    pub fn spill_runs(&self, runs: HourRuns) -> Result<HourRuns, (Box<HourRuns>, WriteError)> {
        let HourRuns {
            mut ipv4,
            mut ipv6,
            payloads,
            spilled_payloads,
            mut replies,
        } = runs;
        let outcome = spill_all(&mut ipv4, &self.store)
            .and_then(|()| spill_all(&mut ipv6, &self.store))
            .and_then(|()| spill_replies(&mut replies, &self.store));
        let runs = HourRuns {
            ipv4,
            ipv6,
            payloads,
            spilled_payloads,
            replies,
        };
        match outcome {
            Ok(()) => Ok(runs),
            Err(error) => Err((Box::new(runs), error)),
        }
    }
}

/// Files of one level that are merged into one of the next: a merge of more of them at once looks into too many buffers for each row, and
/// reads too little from each.
pub(super) const UNITED_FILES: usize = 64;
/// Fewer are not merged, as each merge writes all their rows again.
const UNITED_FILES_MIN: usize = 8;

/// A run that may lie in a file.
pub(super) trait Spilled: Sized {
    /// How many times the rows of its file were merged from files; none of rows in memory.
    fn level(&self) -> Option<u8>;

    /// Merges `runs` into a new file.
    fn unite(path: &Path, runs: &[Self]) -> io::Result<Self>;
}

impl<A: Address> Spilled for Run<A> {
    fn level(&self) -> Option<u8> {
        Run::level(self)
    }

    fn unite(path: &Path, runs: &[Self]) -> io::Result<Self> {
        DiskRun::unite(path, runs).map(Run::Disk)
    }
}

impl Spilled for ReplyRun {
    fn level(&self) -> Option<u8> {
        ReplyRun::level(self)
    }

    fn unite(path: &Path, runs: &[Self]) -> io::Result<Self> {
        ReplyRun::spill(runs, path)
    }
}

/// Merges the files of a level as soon as there are so many of them; where that fails they stay.
pub(super) fn unite_files<R: Spilled>(
    runs: &mut Vec<R>,
    files_max: usize,
    name: &str,
    store: &Store,
) -> Result<(), WriteError> {
    for level in 0.. {
        let is_of_level = |run: &R| run.level() == Some(level);
        if runs.iter().filter(|run| is_of_level(run)).count() < files_max {
            return Ok(());
        }
        let files: Vec<R> = runs.extract_if(.., |run| is_of_level(run)).collect();
        let refused = |path: PathBuf| move |source| WriteError::File { path, source };
        let united = store
            .scratch_path(name)
            .map_err(refused(store.private_folder()))
            .and_then(|path| R::unite(&path, &files).map_err(refused(path)));
        match united {
            Ok(united) => runs.push(united),
            Err(error) => {
                runs.extend(files);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Payloads of an open hour in a file of this program, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SpilledPayloads(PathBuf);

impl SpilledPayloads {
    fn write(store: &Store, payloads: &PayloadTable) -> Result<Self, WriteError> {
        let mut bytes = Vec::new();
        payloads.write_to(&mut bytes);
        let refused = |path: PathBuf| move |source| WriteError::File { path, source };
        let path = store.scratch_path("payloads");
        let path = path.map_err(refused(store.private_folder()))?;
        let spilled = SpilledPayloads(path.clone());
        std::fs::write(&path, bytes).map_err(refused(path))?;
        Ok(spilled)
    }

    /// Reads them back.
    pub(super) fn read(self, names: &mut Names) -> io::Result<PayloadTable> {
        let mut file = BufReader::new(File::open(&self.0)?);
        PayloadTable::read_from(&mut file, names)
    }
}

impl Drop for SpilledPayloads {
    fn drop(&mut self) {
        // What cannot be removed now goes with the work folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes replies that are in memory to a file of this program. Where that fails they stay.
fn spill_replies(runs: &mut Vec<ReplyRun>, store: &Store) -> Result<(), WriteError> {
    let in_memory = |run: &mut ReplyRun| matches!(run, ReplyRun::Memory(_));
    let memory: Vec<ReplyRun> = runs.extract_if(.., in_memory).collect();
    if memory.is_empty() {
        return Ok(());
    }
    let refused = |path: PathBuf| move |source| WriteError::File { path, source };
    let path = store.scratch_path("replies");
    let spilled = path
        .map_err(refused(store.private_folder()))
        .and_then(|path| ReplyRun::spill(&memory, &path).map_err(refused(path)));
    match spilled {
        Ok(run) => {
            runs.push(run);
            Ok(())
        }
        Err(error) => {
            runs.extend(memory);
            Err(error)
        }
    }
}

/// Writes runs to files of this program. Those that were not written stay.
fn spill_all<A: Address>(runs: &mut [Run<A>], store: &Store) -> Result<(), WriteError> {
    for run in runs {
        let Run::Memory(memory) = run else {
            continue;
        };
        let path = store
            .scratch_path("run")
            .map_err(|source| WriteError::File {
                path: store.private_folder(),
                source,
            })?;
        let disk = DiskRun::write(&path, memory).map_err(|source| {
            // The partial file is useless and takes disk space.
            let _ = std::fs::remove_file(&path);
            WriteError::File {
                path: path.clone(),
                source,
            }
        })?;
        *run = Run::Disk(disk);
    }
    Ok(())
}
