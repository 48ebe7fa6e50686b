//! What programs that were killed have left: what they had committed is finished, the rest is removed.

use std::io;
use std::path::Path;

use super::lock::PUBLISH_LOCK;
use super::publish::committed;
use super::work::{GATE, LIFE, WORK, is_absent};
use super::{DAMAGED, Store};

/// What [`Store::recover`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Publications of programs that were killed, which were finished.
    pub finished: u64,
    /// Work folders that were removed.
    pub removed: u64,
    /// Lists of publications that are damaged; they are kept in `.teiten/damaged`.
    pub damaged: u64,
}

impl Store {
    /// Finishes what programs that are gone had committed, and removes what they have left. To be called before anything is published.
    ///
    /// # Errors
    /// When a committed publication cannot be finished: it would later undo a new publication of the same parts.
    pub fn recover(&self) -> io::Result<Recovered> {
        let mut recovered = Recovered::default();
        let (disk, private) = (self.disk(), self.private_folder());
        let all = private.join(WORK);
        match disk.stat(&all) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(recovered),
            found => found?,
        };
        // A second one waits until the first has finished what both found.
        let _gate = disk.lock(&private.join(GATE), true)?;
        let _names_stay = self.lock(PUBLISH_LOCK)?;
        for folder in self.work_folders()? {
            let life = match disk.lock(&folder.join(LIFE), false) {
                Ok(Some(life)) => life,
                Ok(None) => continue,
                // It was removed meanwhile, or belongs to another user, who finishes it.
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            let mut damaged = 0;
            for number in committed(disk, &folder)? {
                match self.finish(&folder, number) {
                    Ok(()) => recovered.finished += 1,
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => damaged += 1,
                    Err(error) => return Err(error),
                }
            }
            if damaged > 0 {
                self.keep_damaged(&folder)?;
                recovered.damaged += damaged;
            }
            // A list that its program had removed must not come back after a power failure: it would undo what is published from now on.
            disk.sync_folder(&folder)?;
            // A leftover does no harm.
            recovered.removed += u64::from(disk.remove_folder(&folder).is_ok());
            drop(life);
        }
        Ok(recovered)
    }

    /// Moves what is left in a work folder with a damaged list to `.teiten/damaged`, out of everybody's way and not lost.
    fn keep_damaged(&self, folder: &Path) -> io::Result<()> {
        let disk = self.disk();
        let kept = self
            .private_folder()
            .join(DAMAGED)
            .join(folder.file_name().unwrap_or_default());
        self.forget_if_gone(&kept);
        self.make_folder(&kept)?;
        for (file, is_folder) in disk.list(folder)? {
            if !is_folder && file != LIFE {
                disk.rename(&folder.join(&file), &kept.join(&file))?;
            }
        }
        disk.sync_folder(&kept)
    }
}
