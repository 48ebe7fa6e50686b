//! The close of an hour: the workers' shares are sorted and merged, sources get their origin, and the parts are written.
//!
//! All of it runs on threads of its own, so packets go on behind it. Every step is a function of the hour's rows alone; the number
//! of workers, threads or ranges shows nowhere in the files.

mod columns;
mod coverage;
mod sources;
mod traffic;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::file::metadata::KeyValue;

use crate::dataset::{Hour, PartName, SCRATCH_FOLDER, parts_of};
use crate::minute::{HourAccount, SecondSet};
use crate::observation::Address;
use crate::origin::Origins;
use crate::parallel::ordered;
use crate::run::{DiskRun, MemoryRun, Run, merge_range, split_sources};
use crate::schema::{COVERAGE, SCHEMA_VERSION, SOURCES, TABLES, TRAFFIC, Table};
use crate::window::HourPart;
use crate::writer::{PartWriter, WriteError};

use sources::SourcesWriter;
use traffic::Contributions;

/// Rows in a row group: enough to compress well, few enough that a group under way is small.
pub const GROUP_ROWS: usize = 120 << 10;
/// Rows that one task merges, roughly.
const RANGE_ROWS: usize = 48 << 10;

/// Everything that the rows of one hour lie in.
#[derive(Debug, Default)]
pub struct HourRuns {
    ipv4: Vec<Run<u32>>,
    ipv6: Vec<Run<u128>>,
}

impl HourRuns {
    /// Adds the rows of a worker's share, sorted.
    fn add(&mut self, mut part: HourPart) {
        if !part.ipv4.is_empty() {
            let (rows, sets) = part.ipv4.take();
            self.ipv4.push(Run::Memory(MemoryRun::sort(rows, sets)));
        }
        if !part.ipv6.is_empty() {
            let (rows, sets) = part.ipv6.take();
            self.ipv6.push(Run::Memory(MemoryRun::sort(rows, sets)));
        }
    }

    /// Adds the runs of `other`.
    pub fn append(&mut self, mut other: HourRuns) {
        self.ipv4.append(&mut other.ipv4);
        self.ipv6.append(&mut other.ipv6);
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

/// What was written for an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClosedHour {
    /// Rows of `sources`.
    pub source_rows: u64,
    /// Rows of `traffic`.
    pub traffic_rows: u64,
    /// Packets in either.
    pub packets: u64,
    /// Bytes on the wire in either.
    pub bytes: u64,
    /// Size of the files, bytes.
    pub file_bytes: u64,
}

/// Writes hours into a dataset.
#[derive(Debug)]
pub struct Closer {
    /// Folder of the dataset.
    pub directory: PathBuf,
    /// Whose parts.
    pub name: PartName,
    /// Where sources come from.
    pub origins: Arc<Origins>,
    /// Dark addresses of the telescope, where known.
    pub addresses: Option<u64>,
    /// Hash of the configuration, hexadecimal.
    pub configuration_sha256: String,
    /// Threads to close with.
    pub threads: usize,
}

impl ClosedHour {
    /// Adds what a further part of the same hour holds.
    pub fn add(&mut self, other: &ClosedHour) {
        self.source_rows += other.source_rows;
        self.traffic_rows += other.traffic_rows;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.file_bytes += other.file_bytes;
    }
}

impl Closer {
    /// Sorts the workers' shares of an hour, each on a thread of its own.
    #[must_use]
    pub fn sort(&self, parts: Vec<HourPart>) -> HourRuns {
        let parts: Vec<_> = parts
            .into_iter()
            .map(|part| Mutex::new(Some(part)))
            .collect();
        let mut runs = HourRuns::default();
        let task = |index: usize| {
            let mut sorted = HourRuns::default();
            // Taken once: a poisoned lock means that this very task panicked.
            let part = parts[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            part.into_iter().for_each(|part| sorted.add(part));
            sorted
        };
        ordered(self.threads, parts.len(), task, |sorted| {
            runs.append(sorted)
        });
        runs
    }

    /// Sorts a share and sets it aside on disk.
    ///
    /// # Errors
    /// When the folder for such files cannot be written.
    pub fn spill(&self, part: HourPart) -> Result<HourRuns, WriteError> {
        let mut sorted = HourRuns::default();
        sorted.add(part);
        let folder = self.directory.join(SCRATCH_FOLDER);
        std::fs::create_dir_all(&folder).map_err(|source| WriteError::File {
            path: folder.clone(),
            source,
        })?;
        Ok(HourRuns {
            ipv4: set_aside(sorted.ipv4, &folder)?,
            ipv6: set_aside(sorted.ipv6, &folder)?,
        })
    }

    /// Writes the part `part` of `hour`: its `sources` and its `traffic`. Without rows nothing is written.
    ///
    /// # Errors
    /// When a part cannot be written; then none of that table is visible.
    pub fn close(&self, hour: Hour, part: u32, runs: HourRuns) -> Result<ClosedHour, WriteError> {
        let mut closed = ClosedHour::default();
        if runs.is_empty() {
            return Ok(closed);
        }
        let mut contributions = Contributions::default();
        let file = self.create(&SOURCES, hour, part)?;
        let mut writer = SourcesWriter::new(file, hour, self);
        self.merge_family(&runs.ipv4, &mut writer, &mut contributions)?;
        drop(runs.ipv4);
        self.merge_family(&runs.ipv6, &mut writer, &mut contributions)?;
        drop(runs.ipv6);
        closed.source_rows = writer.rows();
        closed.file_bytes = writer.publish()?;
        let file = self.create(&TRAFFIC, hour, part)?;
        traffic::write(file, hour, self, contributions, &mut closed)?;
        Ok(closed)
    }

    /// Writes the `coverage` of `hour`: a row for each minute of which a second was observed.
    ///
    /// # Errors
    /// When the part cannot be written.
    pub fn write_coverage(
        &self,
        hour: Hour,
        part: u32,
        account: &HourAccount,
        covered: &SecondSet,
    ) -> Result<u64, WriteError> {
        let file = self.create(&COVERAGE, hour, part)?;
        coverage::write(file, hour, self, account, covered)
    }

    /// Removes parts of this sensor and run that are not among `kept`: what an earlier replay of the same input left behind.
    ///
    /// # Errors
    /// When a part cannot be listed or removed.
    pub fn remove_stale(&self, kept: &dyn Fn(&Path) -> bool) -> Result<usize, WriteError> {
        let mut removed = 0;
        for table in TABLES {
            let parts = parts_of(&self.directory, table.name, &self.name).map_err(|source| {
                WriteError::File {
                    path: self.directory.join(table.name),
                    source,
                }
            })?;
            for path in parts.into_iter().filter(|path| !kept(path)) {
                std::fs::remove_file(&path).map_err(|source| WriteError::File {
                    path: path.clone(),
                    source,
                })?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Where a part lies.
    #[must_use]
    pub fn path(&self, table: &Table, hour: Hour, part: u32) -> PathBuf {
        self.directory
            .join(table.name)
            .join(hour.folder())
            .join(self.name.file_name(part))
    }

    fn create(&self, table: &Table, hour: Hour, part: u32) -> Result<PartWriter, WriteError> {
        PartWriter::create(&self.path(table, hour, part), table, self.metadata())
    }

    fn merge_family<A: Address>(
        &self,
        runs: &[Run<A>],
        writer: &mut SourcesWriter<'_>,
        contributions: &mut Contributions,
    ) -> Result<(), WriteError> {
        let rows: usize = runs.iter().map(Run::len).sum();
        let splits = split_sources(runs, rows / RANGE_ROWS);
        let bound = |index: usize| index.checked_sub(1).map(|before| splits[before]);
        let merge = |range: usize| {
            let mut merged = sources::Enricher::<A>::new(&self.origins);
            let to = splits.get(range).copied();
            merge_range(runs, bound(range), to, |row| merged.push(row))?;
            Ok::<_, WriteError>(merged.finish())
        };
        let mut pending = Vec::new();
        let mut outcome = Ok(());
        ordered(self.threads, splits.len() + 1, merge, |result| {
            if outcome.is_ok() {
                outcome = result.and_then(|merged| {
                    contributions.extend(merged.contributions);
                    pending.extend(merged.rows);
                    writer.take_full_groups(&mut pending)
                });
            }
        });
        outcome?;
        writer.append(&pending)
    }

    /// What every part says of its making.
    fn metadata(&self) -> Vec<KeyValue> {
        let mut pairs = vec![
            ("schema_version".to_owned(), SCHEMA_VERSION.to_string()),
            ("program".to_owned(), "teiten".to_owned()),
            (
                "program_version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            (
                "configuration_sha256".to_owned(),
                self.configuration_sha256.clone(),
            ),
            ("sensor".to_owned(), self.name.sensor.clone()),
            ("run".to_owned(), self.name.run.clone()),
        ];
        if let Some(addresses) = self.addresses {
            pairs.push(("telescope_addresses".to_owned(), addresses.to_string()));
        }
        for (index, data) in self.origins.provenance().iter().enumerate() {
            let key = |what: &str| match index {
                0 => format!("geo_{what}"),
                _ => format!("geo_{}_{what}", index + 1),
            };
            pairs.push((key("name"), data.name.clone()));
            pairs.push((key("date"), data.date.clone()));
            pairs.push((key("sha256"), data.sha256.clone()));
        }
        pairs
            .into_iter()
            .map(|(key, value)| KeyValue::new(key, value))
            .collect()
    }
}

/// Writes runs to files of this process and counts on nobody else using the same number.
fn set_aside<A: Address>(runs: Vec<Run<A>>, folder: &Path) -> Result<Vec<Run<A>>, WriteError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut aside = Vec::with_capacity(runs.len());
    for run in runs {
        let Run::Memory(memory) = run else {
            aside.push(run);
            continue;
        };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.run", std::process::id()));
        let disk = DiskRun::write(&path, &memory).map_err(|source| WriteError::File {
            path: path.clone(),
            source,
        })?;
        aside.push(Run::Disk(disk));
    }
    Ok(aside)
}
