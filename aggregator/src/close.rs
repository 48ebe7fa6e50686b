//! The close of an hour: the workers' shares are sorted and merged, sources get their origin, and the parts are written.
//!
//! All of it runs on its own threads, so packets are counted meanwhile. Every step depends on the hour's rows alone; the number of workers,
//! threads or ranges does not change the files.

mod backscatter;
mod closed;
mod contributions;
mod coverage;
mod edition;
mod enrich;
mod fold;
mod folding;
mod judge;
mod payloads;
mod spill;
mod traffic;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::encode::{EncodedColumn, Encoder};
use crate::hour::Hour;
use crate::inputs::Contributors;
use crate::origin::Origins;
use crate::parallel::{WINDOW_PER_THREAD, beside, ordered, staged};
use crate::payload_table::PayloadTable;
use crate::reply_run::ReplyRun;
use crate::run::{MemoryRun, Run, merge_range, merge_sources, split_sources};
use crate::schema::{
    BACKSCATTER, Group, Key, PAYLOADS, RowGrouper, SOURCES, SOURCES_ROWS, SourceChunk, SourceRows,
    TABLES, TRAFFIC, encode_group,
};
use crate::store::{Part, PartName, Store};
use crate::window::HourPart;
use crate::writer::{PartWriter, WriteError};
use teiten_observation::{Address, Family, TelescopeSize};

pub use closed::ClosedHour;
use contributions::{Bounds, Contributions};
pub use edition::{Edition, IDENTITY_KEY, SENSOR_KEY, STATE_KEY, State};
use enrich::{Enricher, push_folded};
use fold::SizeHistogram;
use folding::Folding;
use spill::SpilledPayloads;

/// Rows in a row group: enough to compress well, few enough that an unfinished group is small.
pub const GROUP_ROWS: usize = 120 << 10;
/// Rows that one task merges, roughly.
const RANGE_ROWS: usize = 48 << 10;

/// What a task merges is held in memory, so ranges of however many runs are no longer than so many of [`RANGE_ROWS`].
const RANGE_RUNS_MAX: usize = 4;
/// Bytes of a row on its way through a task and what waits behind it: merged, enriched, spread over partitions, encoded.
const TASK_ROW_BYTES: usize = 512;
/// Tasks under way may take so many times the memory that sums may.
const TASKS_SHARE: usize = 4;

/// Memory for sums from which replies and payloads that were spilled are written beside the sources: each takes some tens of MiB.
const BESIDE_SPILLED_BYTES_MIN: usize = 16 << 20;

/// The key of a part's metadata with the number of the last stretch of a journal that it holds.
pub(crate) const JOURNAL_THROUGH_KEY: &str = "journal_through";

/// Rows of `sources` that an hour may have before small sources are folded: some 400 MB of Parquet.
pub const SOURCE_ROWS_MAX_DEFAULT: u64 = 16 << 20;

/// Rows of each run that are sampled for the distribution of the keys of `traffic`.
const SAMPLES: usize = 4096;

/// Ranges of sources that tasks merge one by one.
struct Ranges<A>(Vec<A>);

impl<A: Address> Ranges<A> {
    fn of(runs: &[Run<A>], range_rows: usize) -> Self {
        let rows: usize = runs.iter().map(Run::len).sum();
        Ranges(split_sources(runs, rows / range_rows.max(1)))
    }

    fn count(&self) -> usize {
        self.0.len() + 1
    }

    fn bounds(&self, index: usize) -> (Option<A>, Option<A>) {
        (
            index.checked_sub(1).map(|before| self.0[before]),
            self.0.get(index).copied(),
        )
    }
}

/// Everything that the rows of one hour lie in.
#[derive(Debug, Default)]
pub struct HourRuns {
    pub(crate) ipv4: Vec<Run<u32>>,
    pub(crate) ipv6: Vec<Run<u128>>,
    pub(crate) payloads: PayloadTable,
    /// Payloads that lie on disk until the hour closes.
    pub(crate) spilled_payloads: Vec<SpilledPayloads>,
    pub(crate) replies: Vec<ReplyRun>,
}

impl HourRuns {
    /// Adds the rows of a worker's share, sorted.
    fn add(&mut self, mut part: HourPart) {
        self.payloads.merge(part.payloads);
        self.replies.extend(ReplyRun::all_of(part.replies));
        if !part.ipv4.is_empty() {
            let (rows, sets) = part.ipv4.take();
            self.ipv4
                .push(Run::Memory(Box::new(MemoryRun::sort(rows, sets))));
        }
        if !part.ipv6.is_empty() {
            let (rows, sets) = part.ipv6.take();
            self.ipv6
                .push(Run::Memory(Box::new(MemoryRun::sort(rows, sets))));
        }
    }

    /// Adds payloads of the hour.
    pub fn add_payloads(&mut self, payloads: PayloadTable) {
        self.payloads.merge(payloads);
    }

    /// The payloads, which are then no longer here.
    #[must_use]
    pub fn take_payloads(&mut self) -> PayloadTable {
        std::mem::take(&mut self.payloads)
    }

    /// Adds the runs of `other`.
    pub fn append(&mut self, mut other: HourRuns) {
        self.ipv4.append(&mut other.ipv4);
        self.ipv6.append(&mut other.ipv6);
        self.payloads.merge(other.payloads);
        self.spilled_payloads.append(&mut other.spilled_payloads);
        self.replies.append(&mut other.replies);
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

/// Writes hours into a dataset.
#[derive(Clone, Debug)]
pub struct Closer {
    /// The dataset.
    pub store: Store,
    /// Whose parts.
    pub name: PartName,
    /// Identity of the sensor, which no other of its name has.
    pub identity: String,
    /// Where sources come from.
    pub origins: Arc<Origins>,
    /// Dark addresses of the telescope, where known.
    pub addresses: Option<TelescopeSize>,
    /// Hash of the configuration, hexadecimal.
    pub configuration_sha256: String,
    /// Threads to close with.
    pub threads: usize,
    /// Rows of `sources` in an hour, at most, before small sources are folded into their prefix.
    pub source_rows_max: u64,
    /// Memory for running sums, per family; more is spilled to disk.
    pub contributions_bytes: usize,
    /// The captures that a replay reads, which its parts name; none of a live capture.
    pub inputs: Option<Arc<Contributors>>,
    /// The number of the last journal entry in the next parts; `None` without a journal.
    pub journal_through: Option<u64>,
}

impl Closer {
    /// Sorts the workers' shares of an hour, each on its own thread.
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
            runs.append(sorted);
        });
        runs
    }

    /// Rows that one task merges, roughly, and threads for such tasks: what is under way at once fits into memory.
    fn tasks(&self, runs: usize) -> (usize, usize) {
        // Each range reads a little of each run in vain, so many runs want long ranges.
        let wanted = RANGE_ROWS * runs.div_ceil(8).min(RANGE_RUNS_MAX);
        let rows_max = self.contributions_bytes.saturating_mul(TASKS_SHARE) / TASK_ROW_BYTES;
        let threads = self.threads.max(1);
        let rows = wanted.min((rows_max / threads).max(RANGE_ROWS / 2));
        (rows, (rows_max / rows.max(1)).clamp(1, threads))
    }

    /// Threads for tasks of so many bytes each.
    fn threads_of(&self, task_bytes: usize) -> usize {
        let memory_bytes = self.contributions_bytes.saturating_mul(TASKS_SHARE);
        let tasks = memory_bytes / task_bytes.max(1);
        (tasks / WINDOW_PER_THREAD).clamp(1, self.threads.max(1))
    }

    fn write_rows(
        &self,
        edition: &mut Edition<'_>,
        part: u32,
        mut runs: HourRuns,
    ) -> Result<ClosedHour, WriteError> {
        let hour = edition.hour;
        let mut closed = ClosedHour::default();
        if runs.is_empty() {
            return Ok(closed);
        }
        let replies = std::mem::take(&mut runs.replies);
        let is_in_memory =
            replies.iter().all(ReplyRun::is_in_memory) && runs.spilled_payloads.is_empty();
        let mut replies_file = None;
        if !replies.iter().all(ReplyRun::is_empty) {
            replies_file = Some(edition.create(&BACKSCATTER, part)?);
        }
        let payloads = runs.take_payloads();
        let spilled_payloads = std::mem::take(&mut runs.spilled_payloads);
        let mut payloads_file = None;
        if !(payloads.is_empty() && spilled_payloads.is_empty()) {
            payloads_file = Some(edition.create(&PAYLOADS, part)?);
        }
        // Of an hour that was spilled memory is short: where there is little at all, one after the other, which frees each one's memory
        // before the next begins.
        let goes_beside = is_in_memory || self.contributions_bytes >= BESIDE_SPILLED_BYTES_MIN;
        let aside = || {
            let of_replies = match &mut replies_file {
                Some(file) => backscatter::write(self, hour, part, file, replies)?,
                None => (0, 0),
            };
            let payload_rows = match &mut payloads_file {
                Some(file) => {
                    let payloads = payloads::read_back(payloads, spilled_payloads)?;
                    payloads::write(self, hour, part, file, payloads)?
                }
                None => 0,
            };
            Ok::<_, WriteError>((of_replies, payload_rows))
        };
        let (aside, of_sources) = beside(if goes_beside { self.threads } else { 1 }, aside, || {
            self.write_sources(edition, part, runs, &mut closed)
        });
        of_sources?;
        (
            (closed.reply_rows, closed.replies_left_out),
            closed.payload_rows,
        ) = aside?;
        for file in [payloads_file, replies_file].into_iter().flatten() {
            edition.put(file)?;
        }
        Ok(closed)
    }

    /// Writes `sources` and `traffic`.
    fn write_sources(
        &self,
        edition: &mut Edition<'_>,
        part: u32,
        runs: HourRuns,
        closed: &mut ClosedHour,
    ) -> Result<(), WriteError> {
        let hour = edition.hour;
        let threshold = self.fold_threshold(&runs)?;
        let mut file = edition.create(&SOURCES, part)?;
        let HourRuns { ipv4, ipv6, .. } = runs;
        let of_ipv4 = self.merge_family(&ipv4, threshold, &mut file, hour, closed)?;
        drop(ipv4);
        let of_ipv6 = self.merge_family(&ipv6, threshold, &mut file, hour, closed)?;
        drop(ipv6);
        edition.put(file)?;
        let mut file = edition.create(&TRAFFIC, part)?;
        for (family, contributions) in [(Family::Ipv4, of_ipv4), (Family::Ipv6, of_ipv6)] {
            let leading = &mut edition.leading;
            traffic::append(
                &mut file,
                hour,
                self,
                family,
                &contributions,
                closed,
                leading,
            )?;
        }
        edition.put(file)
    }

    /// Removes parts of this sensor and run that are not among `kept`: what an earlier replay of the same input left behind.
    ///
    /// # Errors
    /// When a part cannot be listed or removed.
    pub fn remove_stale(&self, kept: &dyn Fn(&Part) -> bool) -> Result<usize, WriteError> {
        let failed = |source| WriteError::File {
            path: self.store.directory().to_owned(),
            source,
        };
        let mut publication = self.store.publication();
        let mut removed = 0;
        for table in TABLES {
            let take = |part: Part| {
                let is_own = part.name().is_some_and(|(name, _)| name == self.name);
                if is_own && !kept(&part) {
                    publication.remove(&part.within());
                    removed += 1;
                }
            };
            let hours = i64::MIN..i64::MAX;
            self.store
                .each_part_within(table.name, &hours, take)
                .map_err(failed)?;
        }
        publication.commit().map_err(failed)?;
        Ok(removed)
    }

    /// The packets up to which a source is folded: 0 unless the hour has more rows than it may.
    fn fold_threshold(&self, runs: &HourRuns) -> Result<u64, WriteError> {
        let rows = |lengths: &mut dyn Iterator<Item = usize>| lengths.sum::<usize>() as u64;
        let all =
            rows(&mut runs.ipv4.iter().map(Run::len)) + rows(&mut runs.ipv6.iter().map(Run::len));
        if all <= self.source_rows_max {
            return Ok(0);
        }
        let mut sizes = self.sizes(&runs.ipv4)?;
        sizes.add(&self.sizes(&runs.ipv6)?);
        Ok(sizes.threshold(self.source_rows_max))
    }

    fn sizes<A: Address>(&self, runs: &[Run<A>]) -> Result<SizeHistogram, WriteError> {
        let (range_rows, threads) = self.tasks(runs.len());
        let ranges = Ranges::of(runs, range_rows);
        let mut sum = Ok(SizeHistogram::default());
        let measure = |index: usize| {
            let mut sizes = SizeHistogram::default();
            let mut source: Option<(A, u64, u64)> = None;
            let (from, to) = ranges.bounds(index);
            merge_range(runs, from, to, |merged| {
                let (next, packets) = (merged.source(), merged.packets());
                match &mut source {
                    Some((known, rows, sum)) if *known == next => {
                        *rows += 1;
                        *sum += packets;
                    }
                    _ => {
                        if let Some((_, rows, sum)) = source.replace((next, 1, packets)) {
                            sizes.add_source(rows, sum);
                        }
                    }
                }
            })?;
            if let Some((_, rows, packets)) = source {
                sizes.add_source(rows, packets);
            }
            Ok::<_, WriteError>(sizes)
        };
        ordered(threads, ranges.count(), measure, |sizes| {
            match (&mut sum, sizes) {
                (Ok(sum), Ok(sizes)) => sum.add(&sizes),
                (Ok(_), Err(error)) => sum = Err(error),
                (Err(_), _) => {}
            }
        });
        sum
    }

    /// Appends the rows of one family to `file`; gives what they add to `traffic`.
    fn merge_family<A: Address>(
        &self,
        runs: &[Run<A>],
        threshold: u64,
        file: &mut PartWriter,
        hour: Hour,
        closed: &mut ClosedHour,
    ) -> Result<Contributions, WriteError> {
        let rows = runs.iter().map(Run::len).sum();
        let bounds = Bounds::of(self.sample_keys(runs, hour), rows);
        let mut contributions = Contributions::new(&bounds, &self.store, self.contributions_bytes);
        let (range_rows, threads) = self.tasks(runs.len());
        let ranges = Ranges::of(runs, range_rows);
        let path = self.path(&SOURCES, hour, 0);
        let schema = file.schema();
        let actors = self.origins.actors().on(hour);
        let origins = self.origins.on(hour);
        let mut grouper = RowGrouper::new(GROUP_ROWS, usize::MAX);
        let mut folding = Folding::new(&self.store, self.contributions_bytes);
        let (mut merged, mut written) = (Ok(()), Ok(()));
        let encode = |group: Group<SourceChunk>| {
            let count = group.rows();
            let rows = SourceRows {
                hour,
                sensor: &self.name.sensor,
                family: A::FAMILY,
                actors: self.origins.actors(),
                group,
            };
            encode_with(&path, |encoder| {
                encode_group(SOURCES_ROWS, &schema, count, &rows, encoder)
            })
        };
        staged(
            threads,
            ranges.count(),
            |index| {
                // Ranges are cut at samples, so some have more rows than others.
                let range_rows = (range_rows + range_rows / 4).min(rows);
                let mut enricher = Enricher::new(origins, &actors, &bounds, threshold, range_rows);
                let (from, to) = ranges.bounds(index);
                merge_sources(runs, from, to, |rows| enricher.take(rows))?;
                Ok(enricher.finish())
            },
            |enriched: Option<std::io::Result<enrich::Enriched<A>>>| {
                let enriched = match enriched {
                    Some(Ok(enriched)) if merged.is_ok() => enriched,
                    Some(Err(error)) => {
                        merged = Err(WriteError::from(error));
                        return Vec::new();
                    }
                    _ => return Vec::new(),
                };
                merged = contributions
                    .extend(enriched.contributions)
                    .map_err(WriteError::from)
                    .and_then(|()| folding.add(enriched.fold));
                closed.add_tools(&enriched.tools);
                let rows = enriched.chunk.len();
                closed.source_rows += rows as u64;
                grouper.push(enriched.chunk, rows, |_, _| 0)
            },
            encode,
            |encoded| {
                if written.is_ok() {
                    written = encoded.and_then(|columns| file.append(columns));
                }
            },
        );
        merged?;
        written?;
        closed.add_collapsed(&folding.collapsed());
        // There may be as many folded rows as kinds, so they are written as they come.
        let mut chunk = SourceChunk::with_capacity(0);
        let mut pass = |chunk: SourceChunk| {
            let rows = chunk.len();
            closed.source_rows += rows as u64;
            let mut groups = grouper.push(chunk, rows, |_, _| 0).into_iter();
            groups.try_for_each(|group| file.append(encode(group)?))
        };
        let mut passed = Ok(());
        folding.take_rows(|row, prefix_bits| {
            if passed.is_err() {
                return;
            }
            push_folded(&mut chunk, row, prefix_bits);
            if chunk.len() == RANGE_ROWS {
                let full = std::mem::replace(&mut chunk, SourceChunk::with_capacity(0));
                passed = pass(full);
            }
        })?;
        passed.and_then(|()| pass(chunk))?;
        let last = grouper.finish().map(encode).transpose()?;
        last.map_or(Ok(()), |columns| file.append(columns))?;
        Ok(contributions)
    }

    /// Keys of `traffic` that rows at even distances will have, but for their actor, which cuts no partition.
    fn sample_keys<A: Address>(&self, runs: &[Run<A>], hour: Hour) -> Vec<Key> {
        let mut origins = self.origins.on(hour).cursor();
        let samples = runs.iter().flat_map(|run| run.samples(SAMPLES));
        samples
            .map(|(source, kind)| Key::new(kind, 0, origins.country(source)))
            .collect()
    }
}

/// Encodes a row group of the file that will be at `path`.
pub(crate) fn encode_with(
    path: &Path,
    encode: impl FnOnce(&mut Encoder) -> parquet::errors::Result<Vec<EncodedColumn>>,
) -> Result<Vec<EncodedColumn>, WriteError> {
    Encoder::with(encode).map_err(|source| WriteError::Encode {
        path: path.to_owned(),
        source,
    })
}
