//! Whole days of a table: the parts of many hours in the place of which one part stands, in the folder `hour=-1` of the
//! day, which programs that read Hive-style folders take for a number as they do with those of hours.
//!
//! A day's folder is made anew beside the old one, with links to the files that stay, and both change their names in one call of the
//! system. So every program sees each row exactly once at any moment, and a kill leaves the one folder or the other. What programs read that have
//! files of the old folder open stays.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::lock::PUBLISH_LOCK;
use super::name::is_part;
use super::publish::Staged;
use super::read::has_its_name;
use super::{OpenPart, Part, Period, Store};

impl Staged {
    /// Opens its bytes as those of a part that is or would be at `path`.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn opened(
        &self,
        table: &'static str,
        period: Period,
        path: PathBuf,
    ) -> io::Result<OpenPart> {
        let name = path.file_name().unwrap_or_default();
        let part = Part {
            table,
            period,
            file_name: name.to_string_lossy().into_owned(),
            place: self.place(),
            path,
        };
        let file = part.open()?;
        Ok(OpenPart { part, file })
    }
}

impl Store {
    /// The parts of whole days of `table` that have hours within `range`, day by day.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn whole_days(&self, table: &'static str, range: &Range<i64>) -> io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        for day in self.periods(table)? {
            let Period::Day(first) = day else { continue };
            if first.0.saturating_add(24) <= range.start || first.0 >= range.end {
                continue;
            }
            let period = Period::WholeDay(first);
            let folder = self.directory().join(table).join(period.folder());
            for (file_name, is_folder) in self.names_in(&folder)? {
                if !is_folder && is_part(&file_name) {
                    let path = folder.join(&file_name);
                    parts.push(Part {
                        table,
                        period,
                        file_name,
                        place: path.clone(),
                        path,
                    });
                }
            }
        }
        parts.sort();
        Ok(parts)
    }

    /// Puts `files` into the folder of a day of `table` in the place of the parts `gone`, all at one moment. `false`: one of these was
    /// replaced or removed since it was opened, or a publication waits to be finished, and nothing has changed.
    ///
    /// # Errors
    /// When the disk fails, or its file system cannot exchange two names: nothing has changed, or (when the disk fails at the very end) all has.
    pub fn exchange_day(
        &self,
        table: &str,
        day: Period,
        files: Vec<Staged>,
        gone: &[OpenPart],
    ) -> io::Result<bool> {
        let paths: Vec<&Path> = gone.iter().map(|open| &*open.part.path).collect();
        let are_there = || gone.iter().all(has_its_name);
        self.exchange_parts(table, day, files, &paths, are_there)
    }

    /// The same of parts at these paths, if they still are what they were.
    fn exchange_parts(
        &self,
        table: &str,
        day: Period,
        mut files: Vec<Staged>,
        gone: &[&Path],
        are_there: impl Fn() -> bool,
    ) -> io::Result<bool> {
        // Published files are linked to their places, so their names in the work folder are removed as those of others.
        let disk = self.disk();
        let work = self.work()?;
        let content = files.iter_mut().filter_map(Staged::take_file);
        disk.sync_files(content.collect())?;
        let _names_stay = self.lock(PUBLISH_LOCK)?;
        if !self.committed_lists()?.is_empty() || !are_there() {
            return Ok(false);
        }
        let old = self.directory().join(table).join(day.folder());
        let new = work.next_path("day");
        let made = self.fill_day(&old, &new, &files, gone);
        let exchanged = made.and_then(|()| disk.exchange(&new, &old));
        if exchanged.is_ok() {
            self.forget_folders();
            disk.sync_folder(&self.directory().join(table))?;
            disk.sync_folder(&work.folder)?;
        }
        // What cannot be removed now is removed with the work folder.
        let _ = disk.remove_folder(&new);
        exchanged.map(|()| true)
    }

    /// Makes the folder `new` with what stays of `old`, and `files`; all of it is durable.
    fn fill_day(&self, old: &Path, new: &Path, files: &[Staged], gone: &[&Path]) -> io::Result<()> {
        let disk = self.disk();
        let mut names = BTreeMap::<PathBuf, Vec<(PathBuf, Option<&Staged>)>>::new();
        for (folder, is_folder) in self.names_in(old)? {
            let within = PathBuf::from(&folder);
            if !is_folder {
                names
                    .entry(PathBuf::new())
                    .or_default()
                    .push((within, None));
                continue;
            }
            for (name, _) in self.names_in(&old.join(&folder))? {
                let path = old.join(&folder).join(&name);
                if !gone.contains(&&*path) {
                    let of_folder = names.entry(within.clone()).or_default();
                    of_folder.push((within.join(name), None));
                }
            }
        }
        for file in files {
            let path = self.directory().join(file.within());
            let outside = || io::Error::other("a part of a whole day is of that day");
            let within = path.strip_prefix(old).map_err(|_| outside())?;
            let folder = within.parent().unwrap_or(Path::new("")).to_owned();
            let of_folder = names.entry(folder).or_default();
            of_folder.retain(|(name, _)| name != within);
            of_folder.push((within.to_owned(), Some(file)));
        }
        disk.make_folder(new)?;
        // A loss of power that the exchange survives must find the new folder too, so its own name is durable before.
        let mut folders: Vec<PathBuf> = new.parent().map(Path::to_owned).into_iter().collect();
        folders.push(new.to_owned());
        for (folder, files) in names {
            if folder != Path::new("") {
                folders.push(new.join(&folder));
                disk.make_folder(&new.join(&folder))?;
            }
            for (name, file) in files {
                let from = file.map_or_else(|| old.join(&name), Staged::place);
                disk.link(&from, &new.join(&name))?;
            }
        }
        disk.sync_folders(&folders)
    }
}

#[cfg(test)]
mod tests;
