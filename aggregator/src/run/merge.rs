//! The merge of sorted runs over a range of sources.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

use super::disk::{DiskRun, ROW_AHEAD, RowWriter};
use super::either::Run;
use super::memory::{MemoryRun, RowPlace};
use super::packed::{Own, PackedRow, RowReader};
use super::row::SourceRow;
use crate::destinations::{DestinationSet, View};
use crate::role::RoleRow;
use teiten_observation::{Address, Kind};

/// Sources that cut the runs into about `parts` ranges of like size; each range begins at one of them.
#[must_use]
pub fn split_sources<A: Address>(runs: &[Run<A>], parts: usize) -> Vec<A> {
    let mut samples: Vec<A> = runs
        .iter()
        .flat_map(|run| run.samples(parts * 8))
        .map(|(source, _)| source)
        .collect();
    samples.sort_unstable();
    let step = samples.len().div_ceil(parts.max(1)).max(1);
    let mut splits: Vec<A> = samples.into_iter().step_by(step).skip(1).collect();
    splits.dedup();
    splits
}

/// Merges what the runs hold from source `from` (none: the first) to before `to` (none: the end), row by row, in order.
///
/// # Errors
/// When a run on disk cannot be read.
pub fn merge_range<'r, A: Address>(
    runs: &'r [Run<A>],
    from: Option<A>,
    to: Option<A>,
    mut push: impl FnMut(Merged<'r, A>),
) -> Result<()> {
    merge(runs, from, to, |cursors, group, source| {
        match take_in_place(cursors, group, source) {
            Some(in_place) => in_place.each().for_each(|row| push(Merged::of(row))),
            // A source may have very many rows, as folded ones have: none is held here.
            None => merge_source(cursors, group, source, &mut push)?,
        }
        Ok(())
    })
}

/// The same, source by source.
///
/// # Errors
/// When a run on disk cannot be read.
pub fn merge_sources<'r, A: Address>(
    runs: &'r [Run<A>],
    from: Option<A>,
    to: Option<A>,
    mut take: impl FnMut(RowsOfSource<'_, 'r, A>),
) -> Result<()> {
    let mut rows = Vec::new();
    merge(runs, from, to, |cursors, group, source| {
        match take_in_place(cursors, group, source) {
            Some(in_place) => take(RowsOfSource::InPlace(in_place)),
            None => {
                merge_source(cursors, group, source, |row| rows.push(row))?;
                take(RowsOfSource::Merged(&mut rows));
                rows.clear();
            }
        }
        Ok(())
    })
}

/// Calls `pass` for each source with the cursors that are at it; it takes that source's rows.
#[inline(always)]
fn merge<'r, A: Address>(
    runs: &'r [Run<A>],
    from: Option<A>,
    to: Option<A>,
    mut pass: impl FnMut(&mut [Cursor<'r, A>], &[usize], A) -> Result<()>,
) -> Result<()> {
    let mut cursors = Vec::with_capacity(runs.len());
    for run in runs {
        let cursor = Cursor::open(run, from, to, runs.len())?;
        if cursor.key.is_some() {
            cursors.push(cursor);
        }
    }
    let mut next = NextSource::of(&cursors);
    // The cursors that are at the next source.
    let mut group = Vec::new();
    while let Some(source) = next.find(&cursors, &mut group) {
        pass(&mut cursors, &group, source)?;
        next.passed(&cursors, &group);
    }
    Ok(())
}

/// The rows of `source` where they lie in one run in memory.
#[inline(always)]
fn take_in_place<'r, A: Address>(
    cursors: &mut [Cursor<'r, A>],
    group: &[usize],
    source: A,
) -> Option<RowsInPlace<'r, A>> {
    match *group {
        [only] => cursors[only].take_in_place(source),
        _ => None,
    }
}

/// Merges the rows of one source, which these cursors are at.
fn merge_source<'r, A: Address>(
    cursors: &mut [Cursor<'r, A>],
    group: &[usize],
    source: A,
    mut take: impl FnMut(Merged<'r, A>),
) -> Result<()> {
    let kind_at =
        |cursor: &Cursor<'r, A>| cursor.key.filter(|key| key.0 == source).map(|key| key.1);
    let least = |cursors: &[Cursor<'r, A>]| {
        let kinds = group.iter().filter_map(|&index| kind_at(&cursors[index]));
        kinds.min()
    };
    while let Some(kind) = least(cursors) {
        let mut merged: Option<Merged<'r, A>> = None;
        for &index in group {
            let cursor = &mut cursors[index];
            // A run can hold a key more than once: a row whose counters were full was followed by another.
            while cursor.key == Some((source, kind)) {
                let head = cursor.advance()?;
                match &mut merged {
                    None => merged = Some(Merged::new(head)),
                    Some(merged) => merged.add(head),
                }
            }
        }
        if let Some(merged) = merged {
            take(merged.counted());
        }
    }
    Ok(())
}

/// Runs up to so many are searched by looking at all cursors; more through a heap.
const FEW_RUNS: usize = 4;

/// How the smallest source of all cursors is found.
enum NextSource<A> {
    Few,
    Many(BinaryHeap<Reverse<(A, usize)>>),
}

impl<A: Address> NextSource<A> {
    fn of(cursors: &[Cursor<'_, A>]) -> Self {
        if cursors.len() <= FEW_RUNS {
            return NextSource::Few;
        }
        let sources = cursors.iter().enumerate();
        NextSource::Many(
            sources
                .filter_map(|(index, cursor)| {
                    cursor.source().map(|source| Reverse((source, index)))
                })
                .collect(),
        )
    }

    /// The smallest source; `group` gets the cursors that are at it, ascending.
    #[inline(always)]
    fn find(&mut self, cursors: &[Cursor<'_, A>], group: &mut Vec<usize>) -> Option<A> {
        group.clear();
        match self {
            NextSource::Few => {
                let source = cursors.iter().filter_map(Cursor::source).min()?;
                let at = |index: &usize| cursors[*index].source() == Some(source);
                group.extend((0..cursors.len()).filter(at));
                Some(source)
            }
            NextSource::Many(heap) => {
                let Reverse((source, only)) = *heap.peek()?;
                // The next larger ones are right behind the first.
                let mut behind = heap.as_slice().iter().take(3).skip(1);
                if behind.all(|other| other.0.0 != source) {
                    group.push(only);
                    return Some(source);
                }
                while let Some(top) = heap.peek_mut()
                    && top.0.0 == source
                {
                    group.push(PeekMut::pop(top).0.1);
                }
                Some(source)
            }
        }
    }

    /// The cursors of `group` have gone on to other sources.
    #[inline(always)]
    fn passed(&mut self, cursors: &[Cursor<'_, A>], group: &[usize]) {
        if let NextSource::Many(heap) = self {
            if let ([only], Some(mut top)) = (group, heap.peek_mut())
                && top.0.1 == *only
            {
                // It was left in its place.
                match cursors[*only].source() {
                    Some(source) => top.0.0 = source,
                    None => drop(PeekMut::pop(top)),
                }
                return;
            }
            let at = |&index: &usize| Some(Reverse((cursors[index].source()?, index)));
            heap.extend(group.iter().filter_map(at));
        }
    }
}

/// The rows of one source in all runs, in the order of their kinds.
#[derive(Debug)]
pub enum RowsOfSource<'g, 'r, A> {
    /// Those of one run in memory: each kind once.
    InPlace(RowsInPlace<'r, A>),
    /// Those of several runs, or read from disk.
    Merged(&'g mut Vec<Merged<'r, A>>),
}

/// Rows of one source that lie in a run.
#[derive(Clone, Copy, Debug)]
pub struct RowsInPlace<'r, A> {
    run: &'r MemoryRun<A>,
    places: &'r [RowPlace<A>],
}

impl<'r, A: Address> RowsInPlace<'r, A> {
    /// Number of rows, at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The source.
    #[must_use]
    pub fn source(&self) -> A {
        self.places[0].source
    }

    /// Each row, its destinations not counted, and the destinations.
    #[inline(always)]
    pub fn each(self) -> impl Iterator<Item = (SourceRow<A>, View<'r, A>)> + Clone {
        let RowsInPlace { run, places } = self;
        places.iter().enumerate().map(move |(index, place)| {
            if let Some(ahead) = places.get(index + ROW_AHEAD) {
                run.rows.prefetch(ahead.row);
            }
            let row = run.rows.row(place.row);
            (SourceRow::of(row), row.destinations(&run.sets))
        })
    }
}

/// A row, and its destinations where they lie.
type Head<'a, A> = (SourceRow<A>, HeldDestinations<'a, A>);

/// Destinations of a row.
#[derive(Debug)]
enum HeldDestinations<'a, A> {
    /// In a run.
    Lying(View<'a, A>),
    /// Read or united.
    Alone(Own<A>),
}

impl<A: Address> HeldDestinations<'_, A> {
    fn view(&self) -> View<'_, A> {
        match self {
            HeldDestinations::Lying(view) => *view,
            HeldDestinations::Alone(set) => set.view(),
        }
    }
}

/// A place in a run.
struct Cursor<'a, A: Address> {
    /// Key of the row at this place; none at the end.
    key: Option<(A, Kind)>,
    rest: Rest<'a, A>,
    to: Option<A>,
}

enum Rest<'a, A: Address> {
    /// A run, and the number of the row at this place.
    Memory(&'a MemoryRun<A>, usize),
    /// The row at this place, and what follows.
    Disk(Option<PackedRow<A>>, RowReader<A>),
}

impl<'a, A: Address> Cursor<'a, A> {
    fn open(run: &'a Run<A>, from: Option<A>, to: Option<A>, runs: usize) -> Result<Self> {
        let rest = match run {
            Run::Memory(run) => {
                let start = from.map_or(0, |from| {
                    run.order.partition_point(|place| place.source < from)
                });
                Rest::Memory(run, start)
            }
            Run::Disk(run) => {
                let mut reader = run.reader(from, runs)?;
                let mut head = reader.next()?;
                while let (Some(from), Some((row, _))) = (from, &head)
                    && row.source < from
                {
                    head = reader.next()?;
                }
                Rest::Disk(head, reader)
            }
        };
        let mut cursor = Cursor {
            key: None,
            rest,
            to,
        };
        cursor.find_key();
        Ok(cursor)
    }

    /// The row at this place; the cursor moves on.
    #[inline]
    fn advance(&mut self) -> Result<Head<'a, A>> {
        let head = match &mut self.rest {
            Rest::Memory(run, position) => {
                let row = run.rows.row(run.order[*position].row);
                *position += 1;
                if let Some(ahead) = run.order.get(*position + ROW_AHEAD) {
                    run.rows.prefetch(ahead.row);
                }
                (
                    SourceRow::of(row),
                    HeldDestinations::Lying(row.destinations(&run.sets)),
                )
            }
            Rest::Disk(head, reader) => {
                let next = reader.next()?;
                let (row, set) =
                    std::mem::replace(head, next).expect("only cursors with a key are advanced");
                (row, HeldDestinations::Alone(set))
            }
        };
        self.find_key();
        Ok(head)
    }

    #[inline(always)]
    fn source(&self) -> Option<A> {
        self.key.map(|(source, _)| source)
    }

    /// The rows of `source`, which this place is at, if they lie in memory and each has its own kind; the cursor goes on behind them.
    #[inline]
    fn take_in_place(&mut self, source: A) -> Option<RowsInPlace<'a, A>> {
        let Rest::Memory(run, position) = &mut self.rest else {
            return None;
        };
        let run: &'a MemoryRun<A> = run;
        let rest = &run.order[*position..];
        let count = match rest.get(1) {
            Some(next) if next.source == source => rest
                .iter()
                .take_while(|place| place.source == source)
                .count(),
            _ => 1,
        };
        let places = &rest[..count];
        if places.windows(2).any(|pair| pair[0].kind == pair[1].kind) {
            return None;
        }
        // The rows up to here were asked for with the sources before, and those of this source are asked for one by one.
        let asked = *position + ROW_AHEAD.max(count);
        *position += count;
        let ahead = run.order.get(asked..).unwrap_or_default();
        for ahead in ahead.iter().take(ROW_AHEAD.min(count)) {
            run.rows.prefetch(ahead.row);
        }
        self.find_key();
        Some(RowsInPlace { run, places })
    }

    #[inline]
    fn find_key(&mut self) {
        let key = match &self.rest {
            Rest::Memory(run, position) => run
                .order
                .get(*position)
                .map(|place| (place.source, place.kind)),
            Rest::Disk(head, _) => head.as_ref().map(|(row, _)| (row.source, row.kind)),
        };
        self.key = key.filter(|(source, _)| self.to.is_none_or(|to| *source < to));
    }
}

/// A row of all runs together.
#[derive(Debug)]
pub struct Merged<'a, A> {
    row: SourceRow<A>,
    destinations: HeldDestinations<'a, A>,
}

impl<'a, A: Address> Merged<'a, A> {
    /// A row that lies in a run.
    #[inline]
    #[must_use]
    pub fn of((row, destinations): (SourceRow<A>, View<'a, A>)) -> Self {
        Merged::new((row, HeldDestinations::Lying(destinations))).counted()
    }

    #[inline]
    fn new((row, destinations): Head<'a, A>) -> Self {
        Merged { row, destinations }
    }

    /// With its destinations counted: an estimate is worked out once, when nothing is added any more.
    #[inline]
    fn counted(mut self) -> Self {
        self.row.destinations = self.destinations.view().count() as u32;
        self
    }

    /// Its kind.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        self.row.kind
    }

    /// Whether more than one packet has its pair value.
    #[must_use]
    #[inline]
    pub fn shares_pair(&self) -> bool {
        self.row.shares_pair()
    }

    /// Gives it another kind, and how many of its packets show the tool of that kind.
    pub fn settle(&mut self, kind: Kind, tool_packets: u64) {
        self.row.kind = kind;
        self.row.tool_packets = tool_packets;
    }

    /// Adds another row of the same source and kind.
    pub fn unite(&mut self, other: Merged<'a, A>) {
        self.add((other.row, other.destinations));
        self.row.destinations = self.destinations.view().count() as u32;
    }

    fn add(&mut self, (row, destinations): Head<'a, A>) {
        self.row.add(&row);
        let theirs = destinations.view();
        if let (View::Few([ours]), View::Few([theirs])) = (self.destinations.view(), theirs)
            && ours == theirs
        {
            return;
        }
        if let HeldDestinations::Alone(Own::Set(ours)) = &mut self.destinations {
            ours.merge(theirs);
            return;
        }
        let mut united = DestinationSet::from(self.destinations.view());
        united.merge(theirs);
        self.destinations = HeldDestinations::Alone(Own::Set(united));
    }

    /// Its counts.
    #[must_use]
    #[inline]
    pub fn row(&self) -> &SourceRow<A> {
        &self.row
    }

    /// Its source.
    #[must_use]
    #[inline]
    pub fn source(&self) -> A {
        self.row.source
    }

    /// Its packets.
    #[must_use]
    #[inline]
    pub fn packets(&self) -> u64 {
        self.row.packets
    }

    /// What its source's role is decided from.
    #[must_use]
    #[inline]
    pub fn role_row(&self) -> RoleRow<'_, A> {
        RoleRow {
            kind: self.row.kind,
            packets: self.row.packets,
            destinations: self.destinations.view(),
        }
    }

    /// Its destinations where they lie.
    #[must_use]
    #[inline]
    pub fn view(&self) -> View<'_, A> {
        self.destinations.view()
    }
}

impl<A: Address> DiskRun<A> {
    /// Merges `runs` into a new file at `path`, which is removed when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be made or written, or a run cannot be read; then it is gone.
    pub(crate) fn unite(path: &Path, runs: &[Run<A>]) -> Result<Self> {
        let mut file = File::create_new(path)?;
        match DiskRun::append_merged(&mut file, path, 0, runs) {
            Ok((mut united, _)) => {
                united.stays = false;
                let levels = runs.iter().filter_map(Run::level);
                united.level = levels.max().map_or(0, |level| level + 1);
                Ok(united)
            }
            Err(error) => {
                // The partial file is useless and takes disk space.
                let _ = std::fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Appends what `runs` hold together to `file`, which has `offset` bytes already and will be found at `path`. The file stays
    /// when the run is dropped.
    ///
    /// # Errors
    /// When the file cannot be written, or a run cannot be read.
    pub(crate) fn append_merged(
        file: &mut impl Write,
        path: &Path,
        offset: u64,
        runs: &[Run<A>],
    ) -> Result<(Self, u64)> {
        let mut disk = DiskRun::staying(path);
        let mut writer = RowWriter::new(file, &mut disk, offset);
        let mut outcome = Ok(());
        merge_range(runs, None, None, |merged| {
            if outcome.is_ok() {
                outcome = writer.push(merged.row(), merged.view());
            }
        })?;
        outcome?;
        let end = writer.finish()?;
        Ok((disk, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{RowTable, Seed};
    use teiten_observation::{Class, Observation, Tool, TrafficType};

    fn observations(count: u32) -> Vec<Observation<u32>> {
        let mut state = 3u32;
        (0..count)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Observation {
                    time_us: i64::from(index),
                    source: state >> 22 << 20,
                    destination: state >> 3 & 0x3ff,
                    kind: Kind::new(
                        TrafficType::TcpSyn,
                        Class::Scan,
                        Tool::None,
                        6,
                        Some((state >> 13 & 1) as u16),
                    ),
                    wire_length_bytes: 60,
                    flags: 1 << (state & 15),
                    stack: u64::from(state & 7),
                    pair: state & 31,
                }
            })
            .collect()
    }

    fn run_of(observations: &[Observation<u32>]) -> MemoryRun<u32> {
        let mut table = RowTable::new(Seed::random());
        table.observe(0, observations);
        let (rows, sets) = table.take();
        MemoryRun::sort(rows, sets)
    }

    fn merged(runs: &[Run<u32>], parts: usize) -> Vec<SourceRow<u32>> {
        let splits = split_sources(runs, parts);
        let mut bounds: Vec<Option<u32>> = vec![None];
        bounds.extend(splits.into_iter().map(Some));
        bounds.push(None);
        let mut rows = Vec::new();
        for pair in bounds.windows(2) {
            merge_range(runs, pair[0], pair[1], |merged| rows.push(*merged.row()))
                .expect("runs are readable");
        }
        rows
    }

    #[test]
    fn any_split_into_runs_and_ranges_merges_to_the_same_rows() {
        let all = observations(200_000);
        let whole = merged(&[Run::Memory(Box::new(run_of(&all)))], 1);
        assert!(
            whole
                .windows(2)
                .all(|pair| { (pair[0].source, pair[0].kind) < (pair[1].source, pair[1].kind) })
        );
        assert_eq!(whole.iter().map(|row| row.packets).sum::<u64>(), 200_000);
        assert!(whole.iter().any(|row| row.destinations > 64));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for parts in [1, 2, 7] {
            let runs: Vec<_> = all
                .chunks(all.len() / 5)
                .enumerate()
                .map(|(index, chunk)| {
                    let run = run_of(chunk);
                    if index % 2 == 0 {
                        return Run::Memory(Box::new(run));
                    }
                    let path = folder.path().join(format!("run-{parts}-{index}"));
                    Run::Disk(DiskRun::write(&path, &run).expect("a writable folder"))
                })
                .collect();
            assert_eq!(merged(&runs, parts), whole);
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("readable").count(),
            0
        );
    }

    #[test]
    fn runs_that_were_united_before_merge_to_the_same_rows() {
        let all = observations(100_000);
        let whole = merged(&[Run::Memory(Box::new(run_of(&all)))], 1);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str, number: usize| folder.path().join(format!("{name}-{number}"));
        let spilled = all.chunks(5_000).enumerate().map(|(number, chunk)| {
            let run = run_of(chunk);
            Run::Disk(DiskRun::write(&path("run", number), &run).expect("writable"))
        });
        let mut level: Vec<Run<u32>> = spilled.collect();
        for depth in 1..4 {
            let united = level.chunks(3).enumerate().map(|(number, runs)| {
                let path = path("united", depth * 100 + number);
                let run = DiskRun::unite(&path, runs).expect("writable");
                assert_eq!(usize::from(run.level()), depth);
                Run::Disk(run)
            });
            level = united.collect();
            assert_eq!(merged(&level, 5), whole, "{depth}");
        }
        assert_eq!(level.len(), 1);
        drop(level);
        let left = std::fs::read_dir(folder.path()).expect("readable");
        assert_eq!(left.count(), 0);
    }
}
