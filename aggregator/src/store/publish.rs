//! Publishing: parts are written and synced in the work folder, a list of them is committed, then they are renamed to their places.
//!
//! The list, `NUMBER.commit`, is the commit: before it nothing is visible; after it all of it will be, even if another program has to finish.
//! Each step can be repeated, so a program may be killed anywhere, also while it finishes the publication of another program.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};

use super::disk::{Disk, DiskFile};
use super::lock::PUBLISH_LOCK;
use super::work::WorkFolder;
use super::{Store, seal, unseal};

/// Ending of a committed list.
const COMMIT: &str = "commit";
/// Ending of an unfinished list.
const LIST: &str = "list";
/// Ending of an unfinished part.
const PART: &str = "part";

/// A file that is being written, which readers ignore; removed unless it is published.
#[derive(Debug)]
pub struct Staged {
    work: Arc<WorkFolder>,
    store: Store,
    name: String,
    /// Its path within the dataset once it is published.
    within: PathBuf,
    file: Option<Box<dyn DiskFile>>,
    length: u64,
    published: bool,
}

impl Staged {
    /// Reads written bytes.
    ///
    /// # Errors
    /// When the file is shorter, or the disk fails.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or_else(finished)?;
        file.read_at(offset, bytes)
    }

    /// Overwrites written bytes.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or_else(finished)?;
        file.write_at(offset, bytes)
    }

    /// Bytes written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its path within the dataset once it is published.
    pub(super) fn within(&self) -> &Path {
        &self.within
    }

    /// Where its bytes are until then.
    pub(super) fn place(&self) -> PathBuf {
        self.work.folder.join(&self.name)
    }

    /// The open file, to be synced and closed.
    pub(super) fn take_file(&mut self) -> Option<Box<dyn DiskFile>> {
        self.file.take()
    }
}

fn finished() -> io::Error {
    io::Error::other("the file is finished")
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(finished)?;
        let written = file.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.flush())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            self.file = None;
            // A file that cannot be removed now is removed with the work folder.
            let _ = self.store.disk().remove(&self.place());
        }
    }
}

/// Parts that appear and disappear together.
#[derive(Debug)]
pub struct Publication {
    store: Store,
    puts: Vec<Staged>,
    removals: BTreeSet<PathBuf>,
}

impl Store {
    /// Begins a file that will be at `within` of the dataset.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, within: &Path) -> io::Result<Staged> {
        if !is_inside(within) {
            return Err(io::Error::other("a part is within its dataset"));
        }
        let work = self.work()?;
        let name = format!("{}.{PART}", work.next_number());
        let file = self.disk().create(&work.folder.join(&name))?;
        Ok(Staged {
            work,
            store: self.clone(),
            name,
            within: within.to_owned(),
            file: Some(file),
            length: 0,
            published: false,
        })
    }

    /// An empty publication.
    #[must_use]
    pub fn publication(&self) -> Publication {
        Publication {
            store: self.clone(),
            puts: Vec::new(),
            removals: BTreeSet::new(),
        }
    }

    /// Applies a committed list: renames and removes parts, then removes the list.
    ///
    /// # Errors
    /// When the disk fails; then it can be repeated. As [`io::ErrorKind::InvalidData`] when the list is damaged.
    pub(super) fn finish(&self, folder: &Path, number: u64) -> io::Result<()> {
        let disk = self.disk();
        let path = folder.join(format!("{number}.{COMMIT}"));
        let bytes = match disk.read(&path) {
            // Already applied; only the sync is left.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return disk.sync_folder(folder);
            }
            bytes => bytes?,
        };
        let list = List::read(&bytes).ok_or(io::ErrorKind::InvalidData)?;
        // The program that committed the list may have been killed before the list was durable. Without a durable list, a power failure
        // during the renames would leave half an hour.
        disk.sync_folder(folder)?;
        let mut renames = Vec::with_capacity(list.puts.len());
        for (name, within, length) in &list.puts {
            let (from, to) = (folder.join(name), self.directory().join(within));
            match disk.stat(&from) {
                Ok(found) if found.length == *length => renames.push((from, to)),
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                // It was renamed already.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let parents = renames.iter().filter_map(|(_, to)| to.parent());
        self.make_folders(&parents.collect())?;
        for (from, to) in renames {
            let parent = to.parent().unwrap_or(self.directory());
            match disk.rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // The folder was removed meanwhile.
                    self.forget_folders();
                    self.make_folder(parent)?;
                    disk.rename(&from, &to)?;
                }
                renamed => renamed?,
            }
        }
        for within in &list.removals {
            match disk.remove(&self.directory().join(within)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // Includes the folders of parts renamed earlier: that program may have been killed before it synced the folder.
        let all = list
            .puts
            .iter()
            .map(|(_, within, _)| within)
            .chain(&list.removals);
        let folders: BTreeSet<_> = all.filter_map(|within| within.parent()).collect();
        let folders = folders.into_iter();
        let folders: Vec<PathBuf> = folders
            .map(|folder| self.directory().join(folder))
            .collect();
        disk.sync_folders(&folders)?;
        disk.remove(&path)?;
        // A list that reappeared after a power failure would remove parts of later publications.
        if list.removals.is_empty() {
            Ok(())
        } else {
            disk.sync_folder(folder)
        }
    }

    /// Applies the lists that this program committed and could not finish.
    fn finish_pending(&self, work: &WorkFolder) -> io::Result<()> {
        let mut pending = work.pending.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&number) = pending.first() {
            self.finish(&work.folder, number)?;
            pending.remove(0);
        }
        Ok(())
    }

    /// Committed lists of all programs that are not applied yet, each program's in the order of its commits.
    pub(super) fn committed_lists(&self) -> io::Result<Vec<(PathBuf, List)>> {
        let mut lists = Vec::new();
        for folder in self.work_folders()? {
            let numbers = match committed(self.disk(), &folder) {
                Ok(numbers) => numbers,
                Err(error) if super::work::is_absent(&error) => continue,
                Err(error) => return Err(error),
            };
            for number in numbers {
                let path = folder.join(format!("{number}.{COMMIT}"));
                match self.disk().read(&path) {
                    // The next writer moves a damaged one away.
                    Ok(bytes) => {
                        lists.extend(List::read(&bytes).map(|list| (folder.clone(), list)));
                    }
                    Err(error) if super::work::is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(lists)
    }
}

impl Publication {
    /// Adds a file; all files are synced together.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put(&mut self, mut staged: Staged) -> io::Result<()> {
        staged.flush()?;
        self.puts.push(staged);
        Ok(())
    }

    /// Removes a part, by its path within the dataset. A missing part is no error.
    pub fn remove(&mut self, within: &Path) {
        self.removals.insert(within.to_owned());
    }

    /// Adds another one of the same dataset, as if it came after this one.
    pub fn add(&mut self, mut later: Publication) {
        self.puts
            .retain(|staged| !later.removals.contains(&staged.within));
        self.puts.append(&mut later.puts);
        self.removals.append(&mut later.removals);
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.removals.is_empty()
    }

    /// Makes all of it visible and durable; returns the bytes of the added parts.
    ///
    /// # Errors
    /// When the disk fails. Then either nothing has happened, or all of it is committed; the rest is done before the next publication of this
    /// program, or by the next program.
    pub fn commit(mut self) -> io::Result<u64> {
        if self.is_empty() {
            return Ok(0);
        }
        let store = self.store.clone();
        let work = match self.puts.first() {
            Some(staged) => Arc::clone(&staged.work),
            None => store.work()?,
        };
        if self
            .puts
            .iter()
            .any(|staged| !Arc::ptr_eq(&staged.work, &work))
        {
            return Err(io::Error::other(
                "the folder for parts under way was removed",
            ));
        }
        for staged in &self.puts {
            self.removals.remove(&staged.within);
        }
        let disk = store.disk();
        let files = self.puts.iter_mut().filter_map(Staged::take_file);
        disk.sync_files(files.collect())?;
        let _names_stay = store.lock(PUBLISH_LOCK)?;
        store.finish_pending(&work)?;
        let number = work.next_number();
        let list = List {
            puts: self
                .puts
                .iter()
                .map(|staged| (staged.name.clone(), staged.within.clone(), staged.length))
                .collect(),
            removals: self.removals.iter().cloned().collect(),
        };
        let making = work.folder.join(format!("{number}.{LIST}"));
        let committed = work.folder.join(format!("{number}.{COMMIT}"));
        // The parts' names must be durable before the list: a disk may keep the later of two changes and lose the earlier one.
        let written =
            write(disk, &making, &list.text()).and_then(|()| disk.sync_folder(&work.folder));
        if let Err(error) = written {
            let _ = disk.remove(&making);
            return Err(error);
        }
        let pending = || work.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending().push(number);
        let mut publish = |published| {
            let staged = self.puts.iter_mut();
            staged.for_each(|staged| staged.published = published);
        };
        publish(true);
        if let Err(error) = disk.rename(&making, &committed) {
            let there = disk.stat(&committed);
            // Only a commit that certainly did not happen may be discarded.
            if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                pending().pop();
                publish(false);
                let _ = disk.remove(&making);
            }
            return Err(error);
        }
        // Committed, unless the machine loses power before the sync.
        store.finish_pending(&work)?;
        Ok(list.puts.iter().map(|(_, _, length)| length).sum())
    }
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    file.write_all(bytes)?;
    file.sync()
}

/// Numbers of the lists that are committed in a work folder, in order.
pub(super) fn committed(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<u64>> {
    let names = disk.list(folder)?.into_iter().map(|(name, _)| name);
    let number = |name: String| name.strip_suffix(COMMIT)?.strip_suffix('.')?.parse().ok();
    let mut numbers: Vec<u64> = names.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a publication does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// Name in the work folder, path within the dataset, bytes.
    pub puts: Vec<(String, PathBuf, u64)>,
    /// Paths within the dataset.
    pub removals: Vec<PathBuf>,
}

impl List {
    fn text(&self) -> Vec<u8> {
        let puts = self.puts.iter();
        let puts: Vec<Value> = puts
            .map(|(name, within, length)| json!([name, within, length]))
            .collect();
        seal(&json!({"put": puts, "remove": self.removals}).to_string())
    }

    /// `None` if it is damaged, or names something outside the dataset.
    fn read(bytes: &[u8]) -> Option<List> {
        let value: Value = serde_json::from_str(unseal(bytes)?).ok()?;
        let inside = |value: &Value| {
            let path = PathBuf::from(value.as_str()?);
            is_inside(&path).then_some(path)
        };
        let put = |value: &Value| {
            let name = value.get(0)?.as_str()?;
            let is_plain = !name.contains('/') && !name.starts_with('.');
            let put = (
                name.to_owned(),
                inside(value.get(1)?)?,
                value.get(2)?.as_u64()?,
            );
            is_plain.then_some(put)
        };
        Some(List {
            puts: value["put"]
                .as_array()?
                .iter()
                .map(put)
                .collect::<Option<_>>()?,
            removals: value["remove"]
                .as_array()?
                .iter()
                .map(inside)
                .collect::<Option<_>>()?,
        })
    }
}

fn is_inside(path: &Path) -> bool {
    path.file_name().is_some()
        && path
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
}
