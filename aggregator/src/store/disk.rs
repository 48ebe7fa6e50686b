//! The disk operations that the store needs. [`LocalDisk`] implements them; tests use a simulated disk that fails.

use std::fmt::Debug;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags};

/// A file that is being written.
pub trait DiskFile: Write + Send + Debug {
    /// Syncs the file.
    ///
    /// # Errors
    /// When the disk fails; written data may then be lost.
    fn sync(&mut self) -> io::Result<()>;
    /// Reads bytes that were written.
    ///
    /// # Errors
    /// When the file is shorter, or the disk fails.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;
    /// Overwrites bytes.
    ///
    /// # Errors
    /// When the disk fails.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// The file or folder behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Identity, which changes when another file gets the name.
    pub identity: u64,
    /// Bytes.
    pub length: u64,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// The calls. Each may fail; a name that does not exist is [`io::ErrorKind::NotFound`].
pub trait Disk: Debug + Send + Sync {
    /// Makes a new file.
    ///
    /// # Errors
    /// When it exists already, or the disk fails.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Reads a small file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The file or folder of this name.
    ///
    /// # Errors
    /// When there is none.
    fn stat(&self, path: &Path) -> io::Result<Found>;
    /// Names in a folder, in no order, each with whether it is a folder.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>>;
    /// Renames a file, and replaces a file of the new name.
    ///
    /// # Errors
    /// When the disk fails; then nothing has changed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// When the disk fails.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    ///
    /// # Errors
    /// When the names are on two file systems, the new one exists, or the disk fails.
    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Exchanges the names of two folders at one moment.
    ///
    /// # Errors
    /// When the file system cannot do that, or the disk fails; then nothing has changed.
    fn exchange(&self, _one: &Path, _other: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Removes a folder with its contents.
    ///
    /// # Errors
    /// When the disk fails.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// Creates one folder; an existing one is no error.
    ///
    /// # Errors
    /// When the disk fails.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Syncs the names in a folder.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Syncs and closes these files.
    ///
    /// # Errors
    /// The first failure; data written to any of them may then be lost.
    fn sync_files(&self, files: Vec<Box<dyn DiskFile>>) -> io::Result<()> {
        let mut files = files;
        files.iter_mut().try_for_each(|file| file.sync())
    }
    /// Syncs the names in these folders; a missing folder is skipped.
    ///
    /// # Errors
    /// The first failure.
    fn sync_folders(&self, folders: &[PathBuf]) -> io::Result<()> {
        let each = |folder: &PathBuf| absent_is_fine(self.sync_folder(folder));
        folders.iter().try_for_each(each)
    }
    /// Locks a file, creating it if it is missing, until the result is dropped; `None` if another process has the lock and `waits` is
    /// false.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    fn lock(&self, path: &Path, waits: bool) -> io::Result<Option<Box<dyn HeldLock>>>;
}

/// A held lock.
pub trait HeldLock: Debug + Send + Sync {}
impl HeldLock for File {}

/// Creates a folder and its parents; new ones are durable.
pub(super) fn make_folders(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = folder;
    while disk.stat(at).is_err() {
        missing.push(at);
        match at.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => at = parent,
            _ => break,
        }
    }
    for folder in missing.into_iter().rev() {
        disk.make_folder(folder)?;
        let parent = folder.parent().filter(|path| !path.as_os_str().is_empty());
        disk.sync_folder(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn absent_is_fine(synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Threads that sync at once: a file system serves concurrent syncs with one write to its journal.
const SYNC_THREADS: usize = 8;
/// Files below this number are synced without threads.
const SYNC_ITEMS_PER_THREAD: usize = 4;

/// Calls `sync` for each item, several at once; returns the first failure in the order of the threads.
fn sync_each<T: Send>(items: Vec<T>, sync: impl Fn(T) -> io::Result<()> + Sync) -> io::Result<()> {
    let threads = items
        .len()
        .div_ceil(SYNC_ITEMS_PER_THREAD)
        .min(SYNC_THREADS);
    if threads < 2 {
        return items.into_iter().try_for_each(sync);
    }
    let mut shares: Vec<Vec<T>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, item) in items.into_iter().enumerate() {
        shares[index % threads].push(item);
    }
    let sync = &sync;
    std::thread::scope(|scope| {
        let run = |share: Vec<T>| scope.spawn(move || share.into_iter().try_for_each(sync));
        let running: Vec<_> = shares.into_iter().map(run).collect();
        let ended = running.into_iter().map(|thread| match thread.join() {
            Ok(synced) => synced,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // The scope waits for all threads, even after a failure.
        let ended: Vec<io::Result<()>> = ended.collect();
        ended.into_iter().collect()
    })
}

/// The file systems of the machine.
#[derive(Debug)]
pub struct LocalDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Found> {
        Ok(found(&std::fs::metadata(path)?))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A table or a day may be a link to another place.
            let kind = entry.file_type()?;
            let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
            // Names that are not UTF-8 are not this program's.
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, is_folder));
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let flags = RenameFlags::RENAME_EXCHANGE;
        let exchanged = nix::fcntl::renameat2(AT_FDCWD, one, AT_FDCWD, other, flags);
        exchanged.map_err(|errno| match errno {
            Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP => io::Error::new(
                io::ErrorKind::Unsupported,
                "this file system cannot exchange the names of two folders (RENAME_EXCHANGE)",
            ),
            other => other.into(),
        })
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        match std::fs::create_dir(folder) {
            Ok(()) => {
                give_to_owner_of_parent(folder);
                Ok(())
            }
            Err(_) if folder.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn sync_files(&self, files: Vec<Box<dyn DiskFile>>) -> io::Result<()> {
        sync_each(files, |mut file| file.sync())
    }

    fn sync_folders(&self, folders: &[PathBuf]) -> io::Result<()> {
        sync_each(folders.iter().collect(), |folder| {
            absent_is_fine(self.sync_folder(folder))
        })
    }

    fn lock(&self, path: &Path, waits: bool) -> io::Result<Option<Box<dyn HeldLock>>> {
        loop {
            // Opened for reading, so that users without write access can lock it too.
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match File::create_new(path) {
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error),
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            if waits {
                file.lock()?;
            } else {
                match file.try_lock() {
                    Ok(()) => {}
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
            // The file may have been removed during the wait; then another file has or will get its name.
            let mine = file.metadata()?;
            match std::fs::metadata(path) {
                Ok(named) if found(&named).identity == found(&mine).identity => {
                    return Ok(Some(Box::new(file)));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The identity and size of an open or named file.
pub(super) fn found(metadata: &std::fs::Metadata) -> Found {
    Found {
        identity: metadata.ino() ^ (metadata.dev() << 48),
        length: metadata.len(),
        is_folder: metadata.is_dir(),
    }
}

/// A replay by root into the folder of a service must not leave folders that the service cannot write to.
fn give_to_owner_of_parent(folder: &Path) {
    let parent = folder
        .parent()
        .map(Path::to_owned)
        .filter(|path| !path.as_os_str().is_empty());
    let about = std::fs::metadata(parent.unwrap_or(PathBuf::from(".")));
    if let (Ok(parent), Ok(own)) = (about, std::fs::metadata(folder))
        && own.uid() == 0
        && parent.uid() != 0
    {
        // If that fails, the service reports what it cannot write.
        let _ = std::os::unix::fs::chown(folder, Some(parent.uid()), Some(parent.gid()));
    }
}
