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

/// The parent of all work folders.
pub(super) const WORK: &str = "work";
/// Lock file, held briefly to create a work folder or to search for folders of dead programs.
pub(super) const GATE: &str = "work.lock";
/// Lock file within each work folder.
pub(super) const LIFE: &str = "lock";

/// A work folder of this program.
#[derive(Debug)]
pub(super) struct WorkFolder {
    disk: Arc<dyn Disk>,
    pub folder: PathBuf,
    next: AtomicU64,
    /// Numbers of committed publications that an error kept from being applied.
    pub pending: Mutex<Vec<u64>>,
    _life: Box<dyn HeldLock>,
}

impl WorkFolder {
    pub(super) fn begin(store: &Store, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let private = store.private_folder();
        let folder = private.join(WORK).join(random_name());
        store.forget_if_gone(&private.join(WORK));
        store.make_folder(&private.join(WORK))?;
        // Otherwise it looks like a dead program's folder until it is locked.
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

    /// Whether the folder still exists.
    pub(super) fn is_there(&self, disk: &dyn Disk) -> bool {
        let found = disk.stat(&self.folder.join(LIFE));
        // An error of the disk does not mean that the folder, with its pending commits, is gone.
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
        // Commits stay for the next program, which also removes files that cannot be removed now.
        if pending.is_ok_and(|pending| pending.is_empty()) {
            let _ = self.disk.remove_folder(&self.folder);
        }
    }
}

/// Sixteen random hexadecimal digits for names of unfinished files. Process numbers are not unique: two containers may have the same.
#[must_use]
pub fn random_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

impl Store {
    /// The work folders of all programs.
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

/// Whether an error means that the file does not exist, or that this user may not see it.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
    )
}
