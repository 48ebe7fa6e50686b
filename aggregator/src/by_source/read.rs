//! Decodes parts batch by batch on threads, and merges them by source.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use thiserror::Error;

use super::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::batch::{PartBatches, column, damaged, int32, int64, numbers, texts, times};
use crate::hour::HOUR_US;
use crate::part::PartError;
use crate::schema::{BY_SOURCE_COLUMNS, BySource, names};
use crate::whole_day::PartRows;
use teiten_observation::{Class, Tool, TrafficType};

/// Rows in a batch. For each part of a day one batch is in memory and one more waits.
const BATCH_ROWS: usize = 8 << 10;
/// Decoded batches of a part that wait for the merge.
const BATCHES_AHEAD: usize = 1;
/// Maximum decoding threads, one for each part. The merging thread decodes small parts, and the rest of very many.
const THREADS_MAX: usize = 64;
/// Size from which a part gets a decoding thread, bytes.
const THREAD_BYTES_MIN: u64 = 256 << 10;

/// Why rows cannot be read.
#[derive(Debug, Error)]
#[error("{path} {source}; teiten-aggregator verify says what else is wrong", path = .path.display())]
pub struct LinesError {
    /// The part.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: PartError,
}

/// Calls `take` for every source of these rows of `sources`, in the order of the tables, with all its rows: hour by hour. Parts that were decoded
/// before, and [are the same](DecodedParts::are_of) still, need not be decoded again. The texts that rows refer to by number are added to `names`.
///
/// # Errors
/// When a part cannot be read, or what `take` returns.
pub fn each_source<E: From<LinesError>>(
    parts: &[PartRows],
    decoded: Option<DecodedParts>,
    names: &mut LineNames,
    mut take: impl FnMut(SourceKey, &SourceLines, &LineNames) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let mut heads = Vec::with_capacity(parts.len());
        let mut threads = 0;
        let mut decoded = decoded.map(|decoded| decoded.batches.into_iter());
        for part in parts {
            if let Some(batches) = decoded.as_mut().and_then(Iterator::next) {
                heads.push(PartHead::new(part, BatchFeed::Ready(batches)));
                continue;
            }
            let is_large = std::fs::metadata(part.part.place())
                .is_ok_and(|about| about.len() >= THREAD_BYTES_MIN);
            let feed = if is_large && threads < THREADS_MAX {
                threads += 1;
                let (sender, batches) = sync_channel(BATCHES_AHEAD);
                scope.spawn(move || send_all(part, &sender));
                BatchFeed::Thread(batches)
            } else {
                BatchFeed::Here(LineReader::of(part).map_err(|source| error(part, source))?)
            };
            heads.push(PartHead::new(part, feed));
        }
        let mut heap = BinaryHeap::with_capacity(heads.len());
        for (index, head) in heads.iter_mut().enumerate() {
            if let Some(key) = head.next_key(names)? {
                heap.push(Reverse((key, index)));
            }
        }
        let mut lines = SourceLines::default();
        while let Some(&Reverse((key, _))) = heap.peek() {
            lines.clear();
            while let Some(mut top) = heap.peek_mut() {
                let Reverse((found, index)) = *top;
                if found != key {
                    break;
                }
                let head = &mut heads[index];
                head.take_source(key, names, &mut lines)?;
                match head.next_key(names)? {
                    Some(next) => *top = Reverse((next, index)),
                    None => drop(std::collections::binary_heap::PeekMut::pop(top)),
                }
            }
            // Hours of a whole day's part, and those that came later.
            if !lines.lines.is_sorted_by_key(|line| line.hour) {
                lines.lines.sort_by_key(|line| line.hour);
            }
            take(key, &lines, names)?;
        }
        Ok(())
    })
}

fn error(part: &PartRows, source: PartError) -> LinesError {
    LinesError {
        path: part.part.path.clone(),
        source,
    }
}

/// Decoded rows of a part; texts have numbers within the batch.
struct LineBatch {
    /// Sources, each with the place behind its last row.
    runs: Vec<(SourceKey, usize)>,
    lines: Vec<SourceLine>,
    sets: Option<BinaryArray>,
    actors: Vec<String>,
    stacks: Vec<String>,
}

/// Small parts that were decoded before anybody asked.
pub struct DecodedParts {
    /// What told the files apart before they were read.
    files: Vec<FileForm>,
    batches: Vec<VecDeque<Result<LineBatch, PartError>>>,
}

/// A file that is decoded ahead is smaller, and all of them together, bytes.
const AHEAD_BYTES_MAX: u64 = 8 << 20;

impl DecodedParts {
    /// Decodes parts; `None` if one of them, or all together, are too large to be kept in memory.
    #[must_use]
    pub fn of(parts: &[PartRows]) -> Option<Self> {
        let files = found_files(parts)?;
        let is_small = files.iter().all(|file| file.length < THREAD_BYTES_MIN)
            && files.iter().map(|file| file.length).sum::<u64>() < AHEAD_BYTES_MAX;
        let decoded = |part: &PartRows| {
            let mut reader = match LineReader::of(part) {
                Ok(reader) => reader,
                Err(error) => return VecDeque::from([Err(error)]),
            };
            let mut batches = VecDeque::new();
            while let Some(next) = reader.next().transpose() {
                let is_last = next.is_err();
                batches.push_back(next);
                if is_last {
                    break;
                }
            }
            batches
        };
        is_small.then(|| DecodedParts {
            files,
            batches: parts.iter().map(decoded).collect(),
        })
    }

    /// The number of sources, at most; none where a part cannot be read.
    pub(crate) fn sources_max(&self) -> Option<u64> {
        let batches = self.batches.iter().flatten();
        let sources = batches.map(|batch| batch.as_ref().ok().map(|batch| batch.runs.len() as u64));
        sources.sum()
    }

    /// Whether these are the parts as they are now.
    #[must_use]
    pub fn are_of(&self, parts: &[PartRows]) -> bool {
        found_files(parts).is_some_and(|files| files == self.files)
    }
}

/// What tells a file from another that had its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileForm {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

fn found_files(parts: &[PartRows]) -> Option<Vec<FileForm>> {
    let form = |part: &PartRows| {
        let about = std::fs::metadata(part.part.place()).ok()?;
        Some(FileForm {
            inode: (about.dev(), about.ino()),
            length: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
        })
    };
    parts.iter().map(form).collect()
}

/// The origin of batches: a thread, this thread's own decoder, or memory.
enum BatchFeed {
    Ready(VecDeque<Result<LineBatch, PartError>>),
    Thread(Receiver<Result<LineBatch, PartError>>),
    Here(LineReader),
}

/// A part in the merge, with its current batch.
struct PartHead<'p> {
    part: &'p PartRows,
    feed: BatchFeed,
    batch: Option<LineBatch>,
    /// The number among all names for each text of the batch.
    actors: Vec<u32>,
    stacks: Vec<u32>,
    /// Of the batch, the run that is next and its first row.
    run: usize,
    row: usize,
    last: Option<SourceKey>,
}

impl<'p> PartHead<'p> {
    fn new(part: &'p PartRows, feed: BatchFeed) -> Self {
        PartHead {
            part,
            feed,
            batch: None,
            actors: Vec::new(),
            stacks: Vec::new(),
            run: 0,
            row: 0,
            last: None,
        }
    }

    /// The current source; `None` at the end.
    fn next_key(&mut self, names: &mut LineNames) -> Result<Option<SourceKey>, LinesError> {
        loop {
            if let Some(batch) = &self.batch
                && let Some((key, _)) = batch.runs.get(self.run)
            {
                return Ok(Some(*key));
            }
            let next = match &mut self.feed {
                // A thread that has ended has sent all batches.
                BatchFeed::Thread(batches) => batches.recv().ok().transpose(),
                BatchFeed::Here(opened) => opened.next(),
                BatchFeed::Ready(batches) => batches.pop_front().transpose(),
            };
            let Some(batch) = next.map_err(|source| error(self.part, source))? else {
                return Ok(None);
            };
            let mut numbers = |texts: &[String]| texts.iter().map(|it| names.number(it)).collect();
            self.actors = numbers(&batch.actors);
            self.stacks = numbers(&batch.stacks);
            self.batch = Some(batch);
            (self.run, self.row) = (0, 0);
        }
    }

    /// Takes the rows of the current source, `key`.
    fn take_source(
        &mut self,
        key: SourceKey,
        names: &mut LineNames,
        into: &mut SourceLines,
    ) -> Result<(), LinesError> {
        if self.last.is_some_and(|last| last >= key) {
            let reason = PartError::Damaged("its sources are out of order".to_owned());
            return Err(error(self.part, reason));
        }
        self.last = Some(key);
        // A source may go on in the next batch.
        while self.next_key(names)? == Some(key) {
            let Some(batch) = &self.batch else { break };
            let (_, end) = batch.runs[self.run];
            let rows = self.row..end;
            let set_of = into.take_sets(batch.sets.as_ref(), rows.clone());
            let lines = rows.clone().zip(&batch.lines[rows]);
            into.lines.extend(lines.map(|(row, line)| SourceLine {
                actor: self.actors[line.actor as usize],
                stack: self.stacks[line.stack as usize],
                set: set_of(row),
                ..line.clone()
            }));
            (self.run, self.row) = (self.run + 1, end);
        }
        Ok(())
    }
}

fn send_all(part: &PartRows, batches: &SyncSender<Result<LineBatch, PartError>>) {
    let mut opened = match LineReader::of(part) {
        Ok(opened) => opened,
        Err(error) => {
            let _ = batches.send(Err(error));
            return;
        }
    };
    loop {
        match opened.next() {
            Ok(None) => return,
            next => {
                let is_last = next.is_err();
                let sent = next
                    .transpose()
                    .is_none_or(|next| batches.send(next).is_ok());
                if is_last || !sent {
                    return;
                }
            }
        }
    }
}

/// The decoder of a part.
struct LineReader {
    batches: PartBatches,
    /// The hour of every row; none in a whole day's part, whose rows say it.
    hour: Option<i64>,
}

impl LineReader {
    fn of(rows: &PartRows) -> Result<Self, PartError> {
        let distinct = [BySource::NAMES.src_ip];
        let batches = PartBatches::open_rows(rows, &BY_SOURCE_COLUMNS, &distinct, BATCH_ROWS);
        let hour = rows.part.period.first_hour().0;
        Ok(LineReader {
            batches: batches?,
            hour: rows.hours.is_none().then_some(hour),
        })
    }

    fn next(&mut self) -> Result<Option<LineBatch>, PartError> {
        let hour = self.hour;
        self.batches.next(|batch| decode(batch, hour))
    }
}

fn decode(batch: &RecordBatch, hour: Option<i64>) -> Result<LineBatch, PartError> {
    let columns = BySource::NAMES;
    let sources: &StringArray = column(batch, columns.src_ip, |it| it.as_string_opt())?;
    let (type_keys, types) = texts(batch, columns.traffic_type, TrafficType::from_name)?;
    let (class_keys, classes) = texts(batch, columns.class, Class::from_name)?;
    let (tool_keys, tools) = texts(batch, columns.tool, Tool::from_name)?;
    let (country_keys, countries) = texts(batch, columns.country, |text| {
        text.as_bytes().try_into().ok()
    })?;
    let (actor_keys, actors) = texts(batch, columns.actor, |text| Some(text.to_owned()))?;
    let (stack_keys, stacks) = texts(batch, columns.stack, |text| Some(text.to_owned()))?;
    let (protocols, ports) = (int32(batch, columns.protocol)?, int32(batch, columns.port)?);
    let asns = numbers::<Int64Type>(batch, columns.asn)?;
    let protocols = &protocols.values()[..];
    let (port_numbers, port_nulls) = (&ports.values()[..], ports.nulls());
    let (asn_numbers, asn_nulls) = (&asns.values()[..], asns.nulls());
    let (packets, bytes) = (int64(batch, columns.packets)?, int64(batch, columns.bytes)?);
    let destinations = int64(batch, columns.destinations)?;
    let tool_packets = int64(batch, columns.tool_packets)?;
    let (first, last) = (
        times(batch, columns.first_seen)?,
        times(batch, columns.last_seen)?,
    );
    let starts = match hour {
        Some(_) => &[],
        None => times(batch, names::HOUR_START)?,
    };
    let hour_of = |row: usize| hour.unwrap_or_else(|| starts[row].div_euclid(HOUR_US));
    let sets = batch.column_by_name(columns.destinations_set);
    let sets = sets.and_then(|sets| sets.as_binary_opt::<i32>()).cloned();
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut decoded = LineBatch {
        runs: Vec::new(),
        lines: Vec::with_capacity(batch.num_rows()),
        sets,
        actors,
        stacks,
    };
    for row in 0..batch.num_rows() {
        let text = sources.value(row);
        let is_same = |before: usize| sources.value(before) == text;
        match decoded.runs.last_mut() {
            Some((_, end)) if row.checked_sub(1).is_some_and(is_same) => *end += 1,
            _ => {
                let key = SourceKey::parse(text).ok_or_else(|| {
                    damaged(
                        columns.src_ip,
                        &format!("holds `{}`", text.escape_default()),
                    )
                })?;
                decoded.runs.push((key, row + 1));
            }
        }
        decoded.lines.push(SourceLine {
            hour: hour_of(row),
            traffic_type: types[type_keys[row] as usize],
            class: classes[class_keys[row] as usize],
            tool: tools[tool_keys[row] as usize],
            protocol: protocols[row] as u8,
            port: port_nulls
                .is_none_or(|nulls| nulls.is_valid(row))
                .then(|| port_numbers[row] as u16),
            country: countries[country_keys[row] as usize],
            actor: actor_keys[row] as u32,
            asn: asn_nulls
                .is_none_or(|nulls| nulls.is_valid(row))
                .then(|| asn_numbers[row] as u32),
            packets: count(packets[row]),
            bytes: count(bytes[row]),
            destinations: count(destinations[row]),
            first_us: first[row],
            last_us: last[row],
            tool_packets: count(tool_packets[row]),
            stack: stack_keys[row] as u32,
            set: 0..0,
        });
    }
    Ok(decoded)
}
