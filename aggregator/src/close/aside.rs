//! Rows of open hours that are set aside on disk while memory is short.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Closer, HourRuns};
use crate::dataset::SCRATCH_FOLDER;
use crate::run::{DiskRun, Run};
use crate::window::HourPart;
use crate::writer::WriteError;
use teiten_observation::Address;

impl Closer {
    /// Sorts a share and sets it aside on disk.
    ///
    /// # Errors
    /// When the folder for such files cannot be written.
    pub fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError> {
        let mut sorted = HourRuns::default();
        sorted.add(part);
        self.set_aside(sorted).map_err(|(_, error)| error)
    }

    /// Sets sorted rows aside on disk.
    ///
    /// # Errors
    /// When the folder for such files cannot be written: the rows, as far as they are not on disk yet where they were, come back.
    pub fn set_aside(&self, runs: HourRuns) -> Result<HourRuns, (Box<HourRuns>, WriteError)> {
        let folder = self.directory.join(SCRATCH_FOLDER);
        let made = std::fs::create_dir_all(&folder).map_err(|source| WriteError::File {
            path: folder.clone(),
            source,
        });
        if let Err(error) = made {
            return Err((Box::new(runs), error));
        }
        let HourRuns {
            mut ipv4,
            mut ipv6,
            payloads,
        } = runs;
        let outcome = set_aside(&mut ipv4, &folder).and_then(|()| set_aside(&mut ipv6, &folder));
        let runs = HourRuns {
            ipv4,
            ipv6,
            payloads,
        };
        match outcome {
            Ok(()) => Ok(runs),
            Err(error) => Err((Box::new(runs), error)),
        }
    }
}

/// A name for a run that no other has.
pub(super) fn run_path(folder: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{}-{number}.run", std::process::id()))
}

/// Writes runs to files of this process and counts on nobody else using the same number. Those that were not written stay.
fn set_aside<A: Address>(runs: &mut [Run<A>], folder: &Path) -> Result<(), WriteError> {
    for run in runs {
        let Run::Memory(memory) = run else {
            continue;
        };
        let path = run_path(folder);
        let disk = DiskRun::write(&path, memory).map_err(|source| {
            // What was written of it is of no use, and takes room that is wanted.
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
