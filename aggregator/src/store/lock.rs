//! Named locks of a dataset. The operating system releases them when a program ends; they use no process numbers, so they also work between
//! containers.

use std::io;
use std::path::PathBuf;

use super::disk::HeldLock;
use super::{PRIVATE_FOLDER, Store};

/// The lock that changes of names take: a day's folder is not exchanged while a part gets its name in it.
pub(super) const PUBLISH_LOCK: &str = "publish";

/// A held lock.
#[derive(Debug)]
pub struct Lock {
    _held: Box<dyn HeldLock>,
}

impl Store {
    /// Takes the lock `name` (letters, digits, `.`, `_`, `-`); `None` if another program holds it.
    ///
    /// # Errors
    /// When its file cannot be made.
    pub fn try_lock(&self, name: &str) -> io::Result<Option<Lock>> {
        let held = self.disk().lock(&self.lock_path(name)?, false)?;
        Ok(held.map(|held| Lock { _held: held }))
    }

    /// Takes the lock `name`, and waits for it.
    ///
    /// # Errors
    /// When its file cannot be made.
    pub fn lock(&self, name: &str) -> io::Result<Lock> {
        let held = self.disk().lock(&self.lock_path(name)?, true)?;
        held.map(|held| Lock { _held: held })
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn lock_path(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.directory().join(PRIVATE_FOLDER).join("locks");
        self.forget_if_gone(&folder);
        self.make_folder(&folder)?;
        Ok(folder.join(name))
    }
}
