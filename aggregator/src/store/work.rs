//! The work folder of a program: unfinished parts, lists of publications, spilled rows. It has a random name and is locked while the
//! program lives; the next program finishes and removes the folders of dead programs, never those of live ones.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::Store;
use super::disk::{Disk, HeldLock};

/// Folder of all work folders.
pub(super) const WORK: &str = "work";
/// Locked briefly while a work folder is created, or while folders of dead programs are searched.
pub(super) const GATE: &str = "work.lock";
/// Locked within each work folder.
pub(super) const LIFE: &str = "lock";

/// A work folder of this program.
#[derive(Debug)]
pub(super) struct WorkFolder {
    disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    next: AtomicU64,
    /// Publications that are committed and not yet where they belong, by number: an error came between.
    pub pending: Mutex<Vec<u64>>,
    _life: Box<dyn HeldLock>,
}

impl WorkFolder {
    pub(super) fn begin(store: &Store, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let private = store.private_folder();
        let folder = private.join(WORK).join(random_name());
        store.forget_if_gone(&private.join(WORK));
        store.make_folder(&private.join(WORK))?;
        // So that it does not look like a dead program's before it is locked.
        let _gate = disk.lock(&private.join(GATE), true)?;
        store.make_folder(&folder)?;
        let life = disk.lock(&folder.join(LIFE), false)?;
        let life = life.ok_or(io::ErrorKind::WouldBlock)?;
        Ok(WorkFolder {
            disk,
            folder,
            next: AtomicU64::new(0),
            pending: Mutex::new(Vec::new()),
            _life: life,
        })
    }

    /// Whether the folder has not been removed by others.
    pub(super) fn is_there(&self, disk: &dyn Disk) -> bool {
        let found = disk.stat(&self.folder.join(LIFE));
        // A disk that refuses to say has not removed it, nor what is pending in it.
        found.map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.next_number()))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let pending = self.pending.get_mut();
        // What is committed stays for the next program. What cannot be removed now is removed by it.
        if pending.is_ok_and(|pending| pending.is_empty()) {
            let _ = self.disk.remove_folder(&self.folder);
        }
    }
}

/// Sixteen hexadecimal digits that no other program draws: for names of files under way. Process numbers are not enough, for two
/// containers may have the same.
#[must_use]
pub fn random_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

impl Store {
    /// The work folders of all programs; empty if there is none.
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
}

/// Whether there is nothing of that name, or nothing that this user may see.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
