//! Reading: the parts of a table, and all tables of a period as they were at one moment.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::found;
use super::name::is_part;
use super::publish::List;
use super::work::is_absent;
use super::{Part, PartName, Period, Store};
use crate::hour::Hour;

/// Maximum attempts to read a period while it is published; publishing takes milliseconds.
const ATTEMPTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// An open part: its bytes stay the same when the part is replaced.
#[derive(Debug)]
pub struct OpenPart {
    /// Which.
    pub part: Part,
    /// Its bytes.
    pub file: File,
}

impl Store {
    /// The hours within `range` that have a folder in `table`, in order; none if the table does not exist.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn hours(&self, table: &str, range: &Range<i64>) -> io::Result<Vec<Hour>> {
        let mut hours = Vec::new();
        let root = self.directory().join(table);
        for day in self.periods(table)? {
            let Period::Day(first) = day else { continue };
            if first.0.saturating_add(24) <= range.start || first.0 >= range.end {
                continue;
            }
            for (name, is_folder) in self.names_in(&root.join(day.folder()))? {
                if let Some(Period::Hour(hour)) = Period::of_hour_folder(first, &name)
                    && is_folder
                    && range.contains(&hour.0)
                {
                    hours.push(hour);
                }
            }
        }
        for (_, list) in self.committed_lists()? {
            for (_, within, _) in &list.puts {
                if let Some((named, Period::Hour(hour))) = place_of(within)
                    && named == table
                    && range.contains(&hour.0)
                {
                    hours.push(hour);
                }
            }
        }
        hours.sort_unstable();
        hours.dedup();
        Ok(hours)
    }

    /// The days and months that have a folder in `table`, in order.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn periods(&self, table: &str) -> io::Result<Vec<Period>> {
        let names = self.names_in(&self.directory().join(table))?.into_iter();
        let folders = names.filter(|(_, is_folder)| *is_folder);
        let mut periods: Vec<Period> = folders
            .filter_map(|(name, _)| Period::of_folder(&name))
            .collect();
        periods.sort_unstable();
        Ok(periods)
    }

    /// The parts of `table` in a period, in the order of their names, including those of a commit that is being applied.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn parts(&self, table: &'static str, period: Period) -> io::Result<Vec<Part>> {
        self.parts_with(table, period, &self.committed_lists()?)
    }

    /// The parts of `table` in all hours within `range`, hour by hour.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn parts_within(&self, table: &'static str, range: &Range<i64>) -> io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        self.each_part_within(table, range, |part| parts.push(part))?;
        Ok(parts)
    }

    /// The same, one after the other: a list of all parts of many years takes memory.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn each_part_within(
        &self,
        table: &'static str,
        range: &Range<i64>,
        mut take: impl FnMut(Part),
    ) -> io::Result<()> {
        let lists = self.committed_lists()?;
        for hour in self.hours(table, range)? {
            let parts = self.parts_with(table, Period::Hour(hour), &lists)?;
            parts.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    /// The parts of a sensor and run.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn parts_of(
        &self,
        table: &'static str,
        hour: Hour,
        name: &PartName,
    ) -> io::Result<Vec<Part>> {
        let mut parts = self.parts(table, Period::Hour(hour))?;
        parts.retain(|part| part.name().is_some_and(|(found, _)| found == *name));
        Ok(parts)
    }

    /// The number after the highest one of the parts of `name` in `hour`.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn next_part(&self, table: &'static str, hour: Hour, name: &PartName) -> io::Result<u32> {
        let parts = self.parts_of(table, hour, name)?;
        let numbers = parts.iter().filter_map(|part| part.name());
        Ok(numbers.map(|(_, number)| number + 1).max().unwrap_or(0))
    }

    /// Opens all parts of these tables in a period, as they were at one moment.
    ///
    /// # Errors
    /// When a part cannot be opened, or the period is published without a pause.
    pub fn open_period(
        &self,
        tables: &[&'static str],
        period: Period,
    ) -> io::Result<Vec<OpenPart>> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            let lists = self.committed_lists()?;
            let mut open = Vec::new();
            let mut listed = Vec::new();
            for table in tables {
                listed.extend(self.parts_with(table, period, &lists)?);
            }
            let opened = listed.iter().try_for_each(|part| {
                let file = part.open()?;
                open.push(OpenPart {
                    part: part.clone(),
                    file,
                });
                Ok::<_, io::Error>(())
            });
            match opened {
                // It was renamed or removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            }
            // All files are open. If the lists and the file of every name are still the same, these files are the whole period at this
            // moment.
            let mut after = Vec::new();
            for table in tables {
                after.extend(self.parts_with(table, period, &lists)?);
            }
            let is_same = self.committed_lists()? == lists && after == listed;
            if is_same && open.iter().all(has_its_name) {
                return Ok(open);
            }
        }
        Err(io::Error::other(format!(
            "{} is being published all the time; try again",
            period.text()
        )))
    }

    fn parts_with(
        &self,
        table: &'static str,
        period: Period,
        lists: &[(PathBuf, List)],
    ) -> io::Result<Vec<Part>> {
        let folder = self.directory().join(table).join(period.folder());
        let mut parts: Vec<Part> = self
            .names_in(&folder)?
            .into_iter()
            .filter(|(name, is_folder)| !is_folder && is_part(name))
            .map(|(file_name, _)| {
                let path = folder.join(&file_name);
                Part {
                    table,
                    period,
                    file_name,
                    place: path.clone(),
                    path,
                }
            })
            .collect();
        let within = Path::new(table).join(period.folder());
        for (work, list) in lists {
            for (name, path, _) in &list.puts {
                let place = work.join(name);
                let is_here = path.parent() == Some(&within);
                if !is_here {
                    continue;
                }
                let is_there = match self.disk().stat(&place) {
                    Ok(_) => true,
                    // It was renamed already.
                    Err(error) if is_absent(&error) => false,
                    Err(error) => return Err(error),
                };
                if is_there {
                    let file_name = path.file_name().unwrap_or_default();
                    let file_name = file_name.to_string_lossy().into_owned();
                    parts.retain(|part| part.file_name != file_name);
                    parts.push(Part {
                        table,
                        period,
                        path: folder.join(&file_name),
                        file_name,
                        place,
                    });
                }
            }
            let removed = |part: &Part| {
                let path = within.join(&part.file_name);
                list.removals.contains(&path)
            };
            parts.retain(|part| !removed(part));
        }
        parts.sort();
        Ok(parts)
    }

    /// Names in a folder; empty if there is no such folder.
    pub(super) fn names_in(&self, folder: &Path) -> io::Result<Vec<(String, bool)>> {
        match self.disk().list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }
}

pub(super) fn has_its_name(open: &OpenPart) -> bool {
    let mine = open.file.metadata();
    let named = std::fs::metadata(&open.part.place);
    match (mine, named) {
        (Ok(mine), Ok(named)) => found(&mine).identity == found(&named).identity,
        _ => false,
    }
}

/// The table and period of a part's path within the dataset.
fn place_of(within: &Path) -> Option<(&str, Period)> {
    let mut names = within.components().map(|name| name.as_os_str().to_str());
    let (table, day) = (names.next()??, Period::of_folder(names.next()??)?);
    match (day, names.next()??) {
        (Period::Day(first), name) if name.starts_with("hour=") => {
            Some((table, Period::of_hour_folder(first, name)?))
        }
        (period, _) => Some((table, period)),
    }
}
