//! Running sums of a day, and the sums of a month from its sorted days, as rows of the table in its order. What does not fit into memory waits
//! on disk, in sorted runs, so that memory does not grow with the kinds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::path::Path;

use super::error::{RollupError, file_error};
use super::kind_sums::{HeldSums, KindTexts, NumberedKey, SortedSums, SumRow};
use super::spilled::SpilledRuns;
use crate::close::encode_with;
use crate::schema::{ROLLED_UP_ROWS, RolledRows, RolledSums, encode_group};
use crate::sketch::SketchView;
use crate::store::Store;
use crate::writer::{PartWriter, WriteError};

/// Rows of a row group, and bytes of their sketches.
const GROUP_ROWS: usize = 100_000;
const GROUP_BYTES: usize = 16 << 20;
/// Memory of rows from which on they are spilled.
const SUMS_BYTES_MAX: usize = 192 << 20;

/// All sums of a period.
pub(super) struct PeriodSums<'s> {
    store: &'s Store,
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
            texts: KindTexts::default(),
            held: HeldSums::default(),
            bytes_max: SUMS_BYTES_MAX,
            spilled: None,
        }
    }

    /// Adds a row.
    #[inline]
    pub(super) fn add(&mut self, key: NumberedKey, counts: [i64; 2], sketch: SketchView<'_>) {
        self.held.add(key, counts, sketch);
    }

    /// Spills the rows if they take too much memory.
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
        let spilled = spilled.push(&mut self.held, &mut self.texts);
        spilled.map_err(failed)
    }

    /// Gives the sums to `each`, in the order of the table.
    ///
    /// # Errors
    /// What `each` returns, and when what was spilled cannot be read.
    pub(super) fn take(
        &mut self,
        mut each: impl FnMut(&KindTexts, SumRow<'_>) -> Result<(), RollupError>,
    ) -> Result<(), RollupError> {
        if self.spilled.is_none() {
            return self.held.take(&mut self.texts, each);
        }
        self.spill()?;
        let failed = file_error(self.store.directory());
        let spilled = self.spilled.take();
        let runs = spilled.map_or_else(|| Ok(Vec::new()), SpilledRuns::into_runs);
        // The list of the spilled rows is empty, yet as long as it was.
        self.held = HeldSums::default();
        merge(runs.map_err(failed)?, &mut self.texts, &mut each)
    }
}

/// Gives the sums of several sorted inputs to `each`: those of one service are in memory.
///
/// # Errors
/// What `each` returns, and when an input cannot be read.
pub(super) fn merge(
    mut inputs: Vec<impl SortedSums>,
    texts: &mut KindTexts,
    each: &mut impl FnMut(&KindTexts, SumRow<'_>) -> Result<(), RollupError>,
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
        held.take(texts, &mut *each)?;
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
    hours: i64,
    group: RolledSums,
    /// Rows that were written.
    count: u64,
}

impl<'w> SumsWriter<'w> {
    /// Writes to `file`, which will be at `path`, rows that all have this sensor, day and hours.
    pub(super) fn new(
        file: PartWriter,
        path: &'w Path,
        (sensor, day, hours): (&'w str, i64, i64),
    ) -> Self {
        SumsWriter {
            file,
            path,
            sensor,
            day,
            hours,
            group: RolledSums::default(),
            count: 0,
        }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// When a row group cannot be written.
    pub(super) fn push(
        &mut self,
        texts: &KindTexts,
        row: &mut SumRow<'_>,
    ) -> Result<(), WriteError> {
        let group = &mut self.group;
        group.services.push(row.key.service);
        group.kinds.push(row.key.kind);
        let [packets, bytes] = row.counts;
        group.packets.push(packets);
        group.bytes.push(bytes);
        group.sources.push(row.sources.write(&mut group.sketches));
        group.ends.push(group.sketches.len());
        if group.len() == GROUP_ROWS || group.sketches.len() >= GROUP_BYTES {
            self.write_group(texts)?;
        }
        Ok(())
    }

    fn write_group(&mut self, texts: &KindTexts) -> Result<(), WriteError> {
        let group = RolledRows {
            day: self.day,
            sensor: self.sensor,
            hours: self.hours,
            sums: &self.group,
            kinds: texts.kinds(),
            texts: texts.texts(),
        };
        let rows = self.group.len();
        let schema = self.file.schema();
        self.file.append(encode_with(self.path, |encoder| {
            encode_group(ROLLED_UP_ROWS, &schema, rows, &group, encoder)
        })?)?;
        self.count += rows as u64;
        self.group.clear();
        Ok(())
    }

    /// The file, and how many rows it has.
    ///
    /// # Errors
    /// When the last row group cannot be written.
    pub(super) fn finish(mut self, texts: &KindTexts) -> Result<(PartWriter, u64), WriteError> {
        if self.group.len() > 0 {
            self.write_group(texts)?;
        }
        Ok((self.file, self.count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rollup::only_day::OnlyDay;
    use crate::schema::{RolledService, TRAFFIC_DAILY, TRAFFIC_MONTHLY, Table};
    use crate::sketch::{Member, write_sketch};
    use crate::whole_day::PartOfHour;

    /// Rows of all hours of a day; most services come in several of them, and some have very many sources.
    fn add_rows(sums: &mut PeriodSums<'_>) {
        let words = ["tcp-syn", "scan", "none", "", "JP", "CN", "US", "zmap"];
        let numbers = words.map(|word| sums.texts.number(word));
        for row in 0..30_000_u32 {
            let mixed = row.wrapping_mul(0x9e37_79b9) >> 7;
            let port = (mixed % 13 > 0).then_some((mixed % 701) as i32);
            let version = if mixed.is_multiple_of(5) { 6 } else { 4 };
            let protocol = [6, 17][(mixed % 2) as usize];
            let service = RolledService::new(version, protocol, port);
            let kind = sums.texts.kind([
                numbers[0],
                numbers[1],
                numbers[if mixed.is_multiple_of(3) { 2 } else { 7 }],
                numbers[3],
                numbers[4 + (row % 3) as usize],
            ]);
            let key = NumberedKey {
                service: service.expect("a service"),
                kind,
            };
            let count = if mixed % 701 == 23 { 500 } else { 1 + row % 9 };
            let sources = (0..count).map(|source| format!("{}.{source}", row % 40));
            let mut members: Vec<Member> = sources.map(|it| Member::of(it.as_bytes())).collect();
            let mut sketch = Vec::new();
            write_sketch(&mut members, &mut sketch);
            let counts = [i64::from(count), i64::from(count) * 60];
            sums.add(key, counts, SketchView::of(&sketch).expect("a sketch"));
            if row % 100 == 0 {
                sums.make_room().expect("writable");
            }
        }
    }

    /// Writes the file of these sums at `within`; returns its rows, and how often the sums were spilled.
    fn write(
        store: &Store,
        table: &Table,
        (within, day): (&str, i64),
        bytes_max: usize,
    ) -> (u64, usize) {
        let mut sums = PeriodSums::new(store);
        sums.bytes_max = bytes_max;
        add_rows(&mut sums);
        let runs = sums.spilled.as_ref().map_or(0, SpilledRuns::len);
        let within = Path::new(within);
        let file = PartWriter::create(store, within, table, Vec::new());
        let mut file = SumsWriter::new(file.expect("writable"), within, ("tokyo", day, 24));
        let taken = sums.take(|texts, mut row| Ok(file.push(texts, &mut row)?));
        taken.expect("writable");
        let (file, rows) = file.finish(&sums.texts).expect("writable");
        publish(store, file);
        (rows, runs)
    }

    fn publish(store: &Store, file: PartWriter) {
        let mut publication = store.publication();
        let file = file.finish().expect("writable");
        publication.put(file).expect("writable");
        publication.commit().expect("writable");
    }

    const DAY: (&str, i64) = ("traffic_daily/date=2026-11-05/tokyo.parquet", 20_762);
    const MONTH: (&str, i64) = ("traffic_monthly/month=2026-11/tokyo.parquet", 20_758);

    #[test]
    fn spilled_sums_become_the_same_file() {
        let file_of = |bytes_max| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let store = Store::at(folder.path());
            let (rows, runs) = write(&store, &TRAFFIC_DAILY, DAY, bytes_max);
            let bytes = std::fs::read(folder.path().join(DAY.0)).expect("published");
            (bytes, rows, runs)
        };
        let (in_memory, rows, runs) = file_of(usize::MAX);
        assert!(rows > 5_000 && runs == 0, "{rows} rows, {runs} runs");
        for bytes_max in [1, 200_000, 500_000] {
            let (spilled, rows_spilled, runs) = file_of(bytes_max);
            assert!(runs > 1, "{bytes_max}: {runs} runs");
            assert_eq!(rows_spilled, rows, "{bytes_max}");
            assert!(spilled == in_memory, "{bytes_max}: {runs} runs");
        }
    }

    #[test]
    fn a_month_that_is_copied_of_its_only_day_is_the_month_that_is_summed_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let month = || std::fs::read(folder.path().join(MONTH.0)).expect("published");
        let (rows, _) = write(&store, &TRAFFIC_MONTHLY, MONTH, usize::MAX);
        let summed = month();
        write(&store, &TRAFFIC_DAILY, DAY, usize::MAX);
        let days = store.periods(TRAFFIC_DAILY.name).expect("days");
        let parts = days
            .iter()
            .flat_map(|day| store.parts(TRAFFIC_DAILY.name, *day));
        let mut days: BTreeSet<PartOfHour> = parts.flatten().map(PartOfHour::from).collect();
        let copied = OnlyDay::of(&days, &TRAFFIC_DAILY).expect("sound");
        let within = Path::new(MONTH.0);
        let file = PartWriter::create(&store, within, &TRAFFIC_MONTHLY, Vec::new());
        let mut file = file.expect("writable");
        let copied = copied.expect("one day").copy(&mut file, within, MONTH.1);
        assert_eq!(copied.expect("copied"), rows);
        publish(&store, file);
        assert!(month() == summed);
        // Those of another table are not copied, nor is one of several days.
        assert!(
            OnlyDay::of(&days, &TRAFFIC_MONTHLY)
                .expect("sound")
                .is_none()
        );
        let mut other = days.first().expect("a day").clone();
        other.file_name = "osaka.parquet".to_owned();
        days.insert(other);
        assert!(OnlyDay::of(&days, &TRAFFIC_DAILY).expect("sound").is_none());
    }
}
