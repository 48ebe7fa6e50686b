//! The hours that were pruned: a note for each day of a table and sensor in `.teiten/pruned`, published together with the removals. It tells
//! programs that sum hours that these are missing on purpose.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::hour::Hour;
use crate::store::{PRIVATE_FOLDER, Staged, Store};

const FOLDER: &str = "pruned";

/// Hours that were pruned, by table and sensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedHours(BTreeMap<(String, String), Vec<Range<i64>>>);

impl PrunedHours {
    /// The pruned hours of a dataset.
    ///
    /// # Errors
    /// When a note cannot be read.
    pub fn read(store: &Store) -> io::Result<Self> {
        let mut pruned = PrunedHours::default();
        let root = store.private_folder().join(FOLDER);
        for table in names(&root)? {
            for sensor in names(&root.join(&table))? {
                let folder = root.join(&table).join(&sensor);
                let of_sensor = pruned.0.entry((table.clone(), sensor)).or_default();
                for day in names(&folder)? {
                    let text = std::fs::read_to_string(folder.join(&day))?;
                    let hours = text.trim().split_once(' ');
                    let hours =
                        hours.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
                    let damaged =
                        || io::Error::other(format!("{day} in {} is damaged", folder.display()));
                    of_sensor.push(hours.ok_or_else(damaged)?);
                }
            }
        }
        Ok(pruned)
    }

    /// Whether an hour of a table and sensor was pruned.
    #[must_use]
    pub fn contains(&self, table: &str, sensor: &str, hour: Hour) -> bool {
        let of_sensor = self.0.get(&(table.to_owned(), sensor.to_owned()));
        of_sensor.is_some_and(|days| days.iter().any(|day| day.contains(&hour.0)))
    }

    /// A note that the hours of a day are pruned, to be published with their removal.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stage(
        store: &Store,
        (table, sensor): (&str, &str),
        day: &str,
        hours: &Range<i64>,
    ) -> io::Result<Staged> {
        let within: PathBuf = [PRIVATE_FOLDER, FOLDER, table, sensor, day]
            .iter()
            .collect();
        let mut file = store.stage(&within)?;
        writeln!(file, "{} {}", hours.start, hours.end)?;
        Ok(file)
    }
}

/// Names in a folder, in order; none if there is no such folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
