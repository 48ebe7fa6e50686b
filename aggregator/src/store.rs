//! The files of a dataset: the only module that spells folders, parts, temporary names, renames and locks. They are on a local disk;
//! [`disk::Disk`] lists the operations that another store would have to implement.
//!
//! The path of a part is `DIR/TABLE/date=YYYY-MM-DD/hour=HH/SENSOR-RUN-PART.parquet`, of a day's part `DIR/TABLE/date=YYYY-MM-DD/SENSOR.parquet`
//! and of a month's `DIR/TABLE/month=YYYY-MM/SENSOR.parquet`. Everything else is in `DIR/.teiten`: a work folder for each
//! program that writes (`work/ID`, locked while it lives), the identities of sensors, journals and locks.
//!
//! A [`Publication`] adds and removes any number of parts as one commit: it becomes visible when its list is renamed to `NUMBER.commit`; the
//! renames of the parts follow. [`Store::open_period`] opens all tables of an hour as they were at one moment, also between the commit and
//! the last rename, and also if the program was killed there. A program that reads the folder without this module (DuckDB, Spark, pandas)
//! always sees whole files; during the milliseconds of the renames one table may be newer than another.

mod day;
pub mod disk;
mod document;
mod identity;
mod lock;
mod name;
mod publish;
mod queue;
mod read;
mod recover;
mod sealed;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use document::StoredDocument;
pub use identity::Identity;
pub use lock::Lock;
pub use name::{PART_ENDING, Part, PartName, Period};
pub use publish::{Publication, Staged};
pub use queue::{DELIVERED_MAX, DocumentQueue, Put, WAITING_MAX};
pub use read::OpenPart;
pub use recover::Recovered;
pub use sealed::{seal, unseal};

use disk::{Disk, LocalDisk};
use work::WorkFolder;
pub use work::random_name;

/// Folder within a dataset for everything that is not a part.
pub const PRIVATE_FOLDER: &str = ".teiten";
/// Folders whose existence is remembered, at most.
const KNOWN_FOLDERS_MAX: usize = 4096;
/// Folders in it: the journals of captures, and damaged files kept for inspection.
const JOURNALS: &str = "journal";
const DAMAGED: &str = "damaged";

/// The folder of the journals in the dataset `directory`.
pub(crate) fn journals_folder(directory: &Path) -> PathBuf {
    directory.join(PRIVATE_FOLDER).join(JOURNALS)
}

/// For a file of a journal: its path below the folder of the journals, and the folder of damaged files in the same dataset.
pub(crate) fn journal_place(path: &Path) -> Option<(&Path, PathBuf)> {
    let is_private = |folder: &&Path| folder.ends_with(PRIVATE_FOLDER);
    let private = path.ancestors().find(is_private)?;
    let within = path.strip_prefix(private.join(JOURNALS)).ok()?;
    Some((within, private.join(DAMAGED)))
}

/// A dataset's folder. Clones share one work folder, which is created at its first use and removed with the last clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    work: Mutex<Option<Arc<WorkFolder>>>,
    /// Folders that this program knows to exist durably.
    known: Mutex<BTreeSet<PathBuf>>,
}

impl Store {
    /// The dataset in `directory`, which need not exist yet. Neither reads nor writes.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Store::on(Arc::new(LocalDisk), directory)
    }

    fn on(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        Store {
            inner: Arc::new(Inner {
                directory: directory.to_owned(),
                disk,
                work: Mutex::new(None),
                known: Mutex::default(),
            }),
        }
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// The folder of everything that is not a part.
    #[must_use]
    pub fn private_folder(&self) -> PathBuf {
        self.directory().join(PRIVATE_FOLDER)
    }

    /// The path of the part `file_name` of a period.
    #[must_use]
    pub fn path(&self, table: &str, period: Period, file_name: &str) -> PathBuf {
        self.directory()
            .join(table)
            .join(period.folder())
            .join(file_name)
    }

    /// The unique path of a new file with this ending in the work folder of this program. The file is removed when the program ends.
    ///
    /// # Errors
    /// When the work folder cannot be made.
    pub fn scratch_path(&self, ending: &str) -> io::Result<PathBuf> {
        Ok(self.work()?.next_path(ending))
    }

    fn disk(&self) -> &dyn Disk {
        &*self.inner.disk
    }

    /// Makes a folder of the dataset and its parents durable. An existing one may not be durable, because its creator may have been killed.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if !self.known().contains(folder) {
            if folder == self.directory() {
                let was_there = self.disk().stat(folder).is_ok();
                disk::make_folders(self.disk(), folder)?;
                let parent = folder.parent().filter(|path| !path.as_os_str().is_empty());
                let synced = self.disk().sync_folder(parent.unwrap_or(Path::new(".")));
                // The dataset's parent folder may belong to another user.
                match synced {
                    Err(error) if was_there && work::is_absent(&error) => {}
                    synced => synced?,
                }
            } else if let Some(parent) = folder.parent() {
                self.make_folder(parent)?;
                self.disk().make_folder(folder)?;
                self.disk().sync_folder(parent)?;
            }
            self.know([folder.to_owned()]);
        }
        Ok(())
    }

    /// Makes folders of the dataset and their parents durable. New names in one folder are synced together.
    fn make_folders(&self, folders: &BTreeSet<&Path>) -> io::Result<()> {
        // By depth: a folder exists durably before its subfolders are created.
        let mut levels = BTreeMap::<usize, BTreeSet<&Path>>::new();
        {
            let known = self.known();
            for folder in folders {
                let inside = folder.ancestors().take_while(|at| *at != self.directory());
                for at in inside.take_while(|at| !known.contains(*at)) {
                    let depth = at.components().count();
                    levels.entry(depth).or_default().insert(at);
                }
            }
        }
        for level in levels.into_values() {
            let parents: BTreeSet<&Path> = level.iter().filter_map(|at| at.parent()).collect();
            for parent in &parents {
                // Only the parent of the first level, the dataset itself, can be missing.
                self.make_folder(parent)?;
            }
            level
                .iter()
                .try_for_each(|at| self.disk().make_folder(at))?;
            let parents: Vec<PathBuf> = parents.into_iter().map(Path::to_owned).collect();
            self.disk().sync_folders(&parents)?;
            self.know(level.into_iter().map(Path::to_owned));
        }
        Ok(())
    }

    /// If the folder was removed, forgets all known folders: a program survives the removal of its work folder.
    fn forget_if_gone(&self, folder: &Path) {
        if self.disk().stat(folder).is_err() {
            self.forget_folders();
        }
    }

    /// Forgets the folders known to exist: other programs may have removed some.
    fn forget_folders(&self) {
        self.known().clear();
    }

    /// Notes folders that exist durably. Of very many all are forgotten: making one anew changes nothing.
    fn know(&self, folders: impl IntoIterator<Item = PathBuf>) {
        let mut known = self.known();
        if known.len() >= KNOWN_FOLDERS_MAX {
            known.clear();
        }
        known.extend(folders);
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        let known = self.inner.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    /// The work folder, created if it is missing.
    fn work(&self) -> io::Result<Arc<WorkFolder>> {
        let mut known = self
            .inner
            .work
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = known.as_ref().filter(|work| work.is_there(self.disk())) {
            return Ok(Arc::clone(work));
        }
        let work = Arc::new(WorkFolder::begin(self, Arc::clone(&self.inner.disk))?);
        *known = Some(Arc::clone(&work));
        Ok(work)
    }
}

/// A dataset's folder as it was given on a command line or in a file of settings.
///
/// # Errors
/// When it is an address (`s3://…`): it would become a local folder of that name, and nothing would arrive at the address.
pub fn data_folder(folder: impl Into<PathBuf>) -> Result<PathBuf, String> {
    let folder = folder.into();
    let text = folder.to_string_lossy();
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
    };
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme.filter(|scheme| is_scheme(scheme)) {
        Some(_) => Err(format!(
            "{text} is an address, and datasets are folders: name a local folder, and copy it to or from there with the tools of that store"
        )),
        None if text.is_empty() => Err("the folder has no name".to_owned()),
        None => Ok(folder),
    }
}
