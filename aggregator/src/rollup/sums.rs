//! Running sums of a day, and the sums of a month from its sorted days, as rows of the table in its order. What does not fit into memory waits
//! on disk, in sorted runs, so that memory does not grow with the kinds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::Path;

use super::error::{RollupError, file_error};
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, SortedSums};
use super::spilled::SpilledRuns;
use crate::close::encode_with;
use crate::schema::{ROLLED_UP_ROWS, RolledRow, RolledRows, encode_group};
use crate::sketch::NoSketch;
use crate::store::Store;
use crate::writer::{PartWriter, WriteError};

/// Rows of a row group, and bytes of their sketches.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 16 << 20;
/// Memory of sums from which on they are spilled.
const SUMS_BYTES_MAX: usize = 192 << 20;

/// All sums of a period.
pub(super) struct PeriodSums<'s> {
    store: &'s Store,
    /// Hours of which there are rows.
    pub hours: i64,
    pub texts: KindTexts,
    held: HeldSums,
    bytes_max: usize,
    spilled: Option<SpilledRuns>,
}

impl<'s> PeriodSums<'s> {
    /// None yet; what does not fit into memory goes into the work folder of `store`.
    pub(super) fn new(store: &'s Store) -> Self {
        PeriodSums {
            store,
            hours: 0,
            texts: KindTexts::default(),
            held: HeldSums::default(),
            bytes_max: SUMS_BYTES_MAX,
            spilled: None,
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When its sketch is none.
    pub(super) fn add(
        &mut self,
        key: NumberedKey,
        counts: [i64; 2],
        sketch: &[u8],
    ) -> Result<(), NoSketch> {
        self.held.add(key, counts, sketch)
    }

    /// Spills the sums if they take too much memory.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn make_room(&mut self) -> Result<(), RollupError> {
        if self.held.bytes() < self.bytes_max {
            return Ok(());
        }
        self.spill()
    }

    fn spill(&mut self) -> Result<(), RollupError> {
        let failed = file_error(self.store.directory());
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(SpilledRuns::new(self.store).map_err(&failed)?),
        };
        let rows = self.held.take_sorted(&self.texts);
        spilled.push(rows).map_err(failed)
    }

    /// Writes the rows in order.
    ///
    /// # Errors
    /// When they cannot be written, or what was spilled not be read.
    pub(super) fn write(mut self, into: &mut SumsWriter<'_>) -> Result<(), RollupError> {
        into.hours = self.hours;
        if self.spilled.is_none() {
            return into.push_all(&mut self.held, &self.texts);
        }
        self.spill()?;
        let PeriodSums { spilled, store, .. } = self;
        let failed = file_error(store.directory());
        let runs = spilled.map_or_else(|| Ok(Vec::new()), SpilledRuns::into_runs);
        // The list of the spilled rows is empty, yet as long as it was.
        self.held = HeldSums::default();
        merge(runs.map_err(failed)?, &mut self.texts, into)
    }
}

/// Writes the sums of several sorted inputs: those of one service are in memory.
///
/// # Errors
/// When an input cannot be read, or the rows not be written.
pub(super) fn merge(
    mut inputs: Vec<impl SortedSums>,
    texts: &mut KindTexts,
    into: &mut SumsWriter<'_>,
) -> Result<(), RollupError> {
    let mut heap = BinaryHeap::with_capacity(inputs.len());
    for (index, input) in inputs.iter_mut().enumerate() {
        if let Some(service) = input.next_service(texts)? {
            heap.push(Reverse((service, index)));
        }
    }
    let mut held = HeldSums::default();
    while let Some(&Reverse((service, _))) = heap.peek() {
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((found, index)) = *top;
            if found != service {
                break;
            }
            inputs[index].take_service(service, texts, &mut held)?;
            match inputs[index].next_service(texts)? {
                Some(next) => *top = Reverse((next, index)),
                None => drop(PeekMut::pop(top)),
            }
        }
        into.push_all(&mut held, texts)?;
    }
    Ok(())
}

/// Rows on their way into a file, row group by row group.
pub(super) struct SumsWriter<'w> {
    file: PartWriter,
    path: &'w Path,
    sensor: &'w str,
    /// The day, or the month's first, counted from 1970-01-01.
    day: i64,
    /// Hours of which there are rows.
    pub hours: i64,
    group: Vec<RolledRow>,
    group_bytes: usize,
    /// Rows that were pushed.
    count: u64,
}

impl<'w> SumsWriter<'w> {
    /// Writes to `file`, which will be at `path`.
    pub(super) fn new(file: PartWriter, path: &'w Path, sensor: &'w str, day: i64) -> Self {
        SumsWriter {
            file,
            path,
            sensor,
            day,
            hours: 0,
            group: Vec::new(),
            group_bytes: 0,
            count: 0,
        }
    }

    /// Takes the rows that are held.
    fn push_all(&mut self, held: &mut HeldSums, texts: &KindTexts) -> Result<(), RollupError> {
        for (key, sum) in held.take_sorted(texts) {
            let (sources, sketch) = sum.sources.finish();
            self.group_bytes += sketch.len();
            self.group.push(RolledRow {
                key: texts.key(key),
                packets: sum.packets,
                bytes: sum.bytes,
                sources,
                sketch,
            });
            if self.group.len() == GROUP_ROWS || self.group_bytes >= GROUP_BYTES {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        let group = RolledRows {
            day: self.day,
            sensor: self.sensor,
            hours: self.hours,
            rows: std::mem::take(&mut self.group),
        };
        self.group_bytes = 0;
        self.count += group.rows.len() as u64;
        let schema = self.file.schema();
        self.file.append(encode_with(self.path, |encoder| {
            encode_group(ROLLED_UP_ROWS, &schema, group.rows.len(), &group, encoder)
        })?)
    }

    /// The file, and how many rows it has.
    ///
    /// # Errors
    /// When the last row group cannot be written.
    pub(super) fn finish(mut self) -> Result<(PartWriter, u64), WriteError> {
        if !self.group.is_empty() {
            self.write_group()?;
        }
        Ok((self.file, self.count))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::rollup::kind_sums::RolledService;
    use crate::schema::TRAFFIC_DAILY;
    use crate::sketch::{Member, write_sketch};

    /// Rows of all hours of a day; most services come in several of them, and some have very many sources.
    fn add_rows(sums: &mut PeriodSums<'_>) {
        sums.hours = 24;
        let words = ["tcp-syn", "scan", "none", "", "JP", "CN", "US", "zmap"];
        let numbers = words.map(|word| sums.texts.number(word));
        for row in 0..30_000_u32 {
            let mixed = row.wrapping_mul(0x9e37_79b9) >> 7;
            let port = (mixed % 13 > 0).then_some((mixed % 701) as i32);
            let key = NumberedKey {
                service: RolledService {
                    ip_version: if mixed.is_multiple_of(5) { 6 } else { 4 },
                    protocol: [6, 17][(mixed % 2) as usize],
                    port,
                },
                texts: [
                    numbers[0],
                    numbers[1],
                    numbers[if mixed.is_multiple_of(3) { 2 } else { 7 }],
                    numbers[3],
                    numbers[4 + (row % 3) as usize],
                ],
            };
            let count = if mixed % 701 == 23 { 500 } else { 1 + row % 9 };
            let sources = (0..count).map(|source| format!("{}.{source}", row % 40));
            let mut members: Vec<Member> = sources.map(|it| Member::of(it.as_bytes())).collect();
            let mut sketch = Vec::new();
            write_sketch(&mut members, &mut sketch);
            let counts = [i64::from(count), i64::from(count) * 60];
            sums.add(key, counts, &sketch).expect("a sketch");
            if row % 100 == 0 {
                sums.make_room().expect("writable");
            }
        }
    }

    /// The file of these sums, and how often they were spilled.
    fn file_of(bytes_max: usize) -> (Vec<u8>, u64, usize) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let mut sums = PeriodSums::new(&store);
        sums.bytes_max = bytes_max;
        add_rows(&mut sums);
        let runs = sums.spilled.as_ref().map_or(0, SpilledRuns::len);
        let within: PathBuf = "traffic_daily/date=2026-11-05/tokyo.parquet".into();
        let file = PartWriter::create(&store, &within, &TRAFFIC_DAILY, Vec::new());
        let mut file = SumsWriter::new(file.expect("writable"), &within, "tokyo", 20_762);
        sums.write(&mut file).expect("writable");
        let (file, rows) = file.finish().expect("writable");
        let mut publication = store.publication();
        let file = file.finish().expect("writable");
        publication.put(file).expect("writable");
        publication.commit().expect("writable");
        let bytes = std::fs::read(folder.path().join(within)).expect("published");
        (bytes, rows, runs)
    }

    #[test]
    fn spilled_sums_become_the_same_file() {
        let (in_memory, rows, runs) = file_of(usize::MAX);
        assert!(rows > 5_000 && runs == 0, "{rows} rows, {runs} runs");
        for bytes_max in [1, 200_000, 1_000_000] {
            let (spilled, rows_spilled, runs) = file_of(bytes_max);
            assert!(runs > 1, "{bytes_max}: {runs} runs");
            assert_eq!(rows_spilled, rows, "{bytes_max}");
            assert!(spilled == in_memory, "{bytes_max}: {runs} runs");
        }
    }
}
