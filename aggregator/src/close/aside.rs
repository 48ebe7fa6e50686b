//! Spills rows of open hours to disk when memory is short.

use super::{Closer, HourRuns};
use crate::run::{DiskRun, Run};
use crate::store::Store;
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
        let HourRuns {
            mut ipv4,
            mut ipv6,
            payloads,
        } = runs;
        let outcome =
            set_aside(&mut ipv4, &self.store).and_then(|()| set_aside(&mut ipv6, &self.store));
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

/// Writes runs to files of this program. Those that were not written stay.
fn set_aside<A: Address>(runs: &mut [Run<A>], store: &Store) -> Result<(), WriteError> {
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
