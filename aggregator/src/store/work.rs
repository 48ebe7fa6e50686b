//! The work folder of a program: parts under way, lists of publications, rows set aside. It has a random name and is locked as long as the
//! program lives; what the dead have left is finished and removed by the next one, never what lives.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Store;
use super::disk::{Disk, Held};

/// Folder of all work folders.
const WORK: &str = "work";
/// Held for a moment by whoever makes a work folder or looks for those of the dead.
const GATE: &str = "work.lock";
/// Locked within each work folder.
const LIFE: &str = "lock";

/// A work folder of this program.
#[derive(Debug)]
pub(super) struct Work {
    disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    next: AtomicU64,
    /// Publications that are committed and not yet where they belong, by number: an error came between.
    pub pending: Mutex<Vec<u64>>,
    _life: Box<dyn Held>,
}

impl Work {
    pub fn begin(store: &Store, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let private = store.private_folder();
        let folder = private.join(WORK).join(random_name());
        store.forget_if_gone(&private.join(WORK));
        store.make_folder(&private.join(WORK))?;
        // So that nobody takes it for a dead one's between its making and its locking.
        let _gate = disk.lock(&private.join(GATE), true)?;
        store.make_folder(&folder)?;
        let life = disk.lock(&folder.join(LIFE), false)?;
        let life = life.ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Work {
            disk,
            folder,
            next: AtomicU64::new(0),
            pending: Mutex::new(Vec::new()),
            _life: life,
        })
    }

    /// Whether the folder has not been removed by others.
    pub fn is_there(&self, disk: &dyn Disk) -> bool {
        let found = disk.stat(&self.folder.join(LIFE));
        // A disk that refuses to say has not removed it, nor what is pending in it.
        found.map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true)
    }

    pub fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn next_path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.next_number()))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let pending = self.pending.get_mut();
        // What is committed stays for the next program. What cannot be removed now is removed by it.
        if pending.is_ok_and(|pending| pending.is_empty()) {
            let _ = self.disk.remove_folder(&self.folder);
        }
    }
}

/// Sixteen hexadecimal digits that no other program draws.
pub(super) fn random_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

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
    /// When a committed publication cannot be finished: publishing the same parts anew would be undone by it later.
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
        for folder in self.work_folders()? {
            let life = match disk.lock(&folder.join(LIFE), false) {
                Ok(Some(life)) => life,
                Ok(None) => continue,
                // It went away meanwhile, or is another user's, who finishes it.
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            let mut damaged = 0;
            for number in super::publish::committed(disk, &folder)? {
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
            // What cannot be removed now harms nobody.
            recovered.removed += u64::from(disk.remove_folder(&folder).is_ok());
            drop(life);
        }
        Ok(recovered)
    }

    /// The work folders of all programs; none where there is no such folder.
    pub(super) fn work_folders(&self) -> io::Result<Vec<PathBuf>> {
        let all = self.private_folder().join(WORK);
        let names = match self.disk().list(&all) {
            Ok(names) => names,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let folders = names.into_iter().filter(|(_, is_folder)| *is_folder);
        let mut folders: Vec<PathBuf> = folders.map(|(name, _)| all.join(name)).collect();
        folders.sort();
        Ok(folders)
    }

    /// Moves what is left in a work folder with a damaged list to `.teiten/damaged`, out of everybody's way and not lost.
    fn keep_damaged(&self, folder: &Path) -> io::Result<()> {
        let disk = self.disk();
        let kept = self
            .private_folder()
            .join("damaged")
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

/// Whether there is nothing of that name, or nothing that this user may see.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
