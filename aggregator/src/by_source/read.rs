//! Decodes parts batch by batch on threads, and merges them by source.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::AsArray;
use arrow::array::{Array, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use thiserror::Error;

use super::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::part::{PartError, checked, guarded};
use crate::schema::{BY_SOURCE_COLUMNS, BySource};
use crate::store::Part;
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

/// Calls `take` for every source of these parts of `sources`, in the order of the tables, with all its rows: those of the first part
/// first. The texts that rows refer to by number are added to `names`.
///
/// # Errors
/// When a part cannot be read, or what `take` returns.
pub fn each_source<E: From<LinesError>>(
    parts: &[Part],
    names: &mut LineNames,
    mut take: impl FnMut(SourceKey, &SourceLines, &LineNames) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let mut heads = Vec::with_capacity(parts.len());
        let mut threads = 0;
        for part in parts {
            let is_large =
                std::fs::metadata(part.place()).is_ok_and(|about| about.len() >= THREAD_BYTES_MIN);
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
            take(key, &lines, names)?;
        }
        Ok(())
    })
}

fn error(part: &Part, source: PartError) -> LinesError {
    LinesError {
        path: part.path.clone(),
        source,
    }
}

/// Decoded rows of a part; texts have numbers within the batch.
struct LineBatch {
    keys: Vec<SourceKey>,
    lines: Vec<SourceLine>,
    sets: Option<BinaryArray>,
    actors: Vec<String>,
    stacks: Vec<String>,
}

/// The origin of batches: a thread, or this thread's own decoder.
enum BatchFeed {
    Thread(Receiver<Result<LineBatch, PartError>>),
    Here(LineReader),
}

/// A part in the merge, with its current batch.
struct PartHead<'p> {
    part: &'p Part,
    feed: BatchFeed,
    batch: Option<LineBatch>,
    /// The number among all names for each text of the batch.
    actors: Vec<u32>,
    stacks: Vec<u32>,
    row: usize,
    last: Option<SourceKey>,
}

impl<'p> PartHead<'p> {
    fn new(part: &'p Part, feed: BatchFeed) -> Self {
        PartHead {
            part,
            feed,
            batch: None,
            actors: Vec::new(),
            stacks: Vec::new(),
            row: 0,
            last: None,
        }
    }

    /// The current source; `None` at the end.
    fn next_key(&mut self, names: &mut LineNames) -> Result<Option<SourceKey>, LinesError> {
        loop {
            if let Some(batch) = &self.batch
                && let Some(key) = batch.keys.get(self.row)
            {
                return Ok(Some(*key));
            }
            let next = match &mut self.feed {
                // A thread that has ended has sent all batches.
                BatchFeed::Thread(batches) => batches.recv().ok().transpose(),
                BatchFeed::Here(opened) => opened.next(),
            };
            let Some(batch) = next.map_err(|source| error(self.part, source))? else {
                return Ok(None);
            };
            let mut numbers = |texts: &[String]| texts.iter().map(|it| names.number(it)).collect();
            self.actors = numbers(&batch.actors);
            self.stacks = numbers(&batch.stacks);
            self.batch = Some(batch);
            self.row = 0;
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
        while self.next_key(names)? == Some(key) {
            let Some(batch) = &self.batch else { break };
            let mut line = batch.lines[self.row].clone();
            line.actor = self.actors[line.actor as usize];
            line.stack = self.stacks[line.stack as usize];
            let set = batch
                .sets
                .as_ref()
                .map_or(&[][..], |sets| sets.value(self.row));
            into.push(line, set);
            self.row += 1;
        }
        Ok(())
    }
}

fn send_all(part: &Part, batches: &SyncSender<Result<LineBatch, PartError>>) {
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
    reader: ParquetRecordBatchReader,
    hour: i64,
}

impl LineReader {
    fn of(part: &Part) -> Result<Self, PartError> {
        let (file, _) = checked(part.place())?;
        let reader = guarded(|| open(file))?;
        Ok(LineReader {
            reader,
            hour: part.period.first_hour().0,
        })
    }

    fn next(&mut self) -> Result<Option<LineBatch>, PartError> {
        guarded(|| {
            let Some(batch) = self.reader.next() else {
                return Ok(None);
            };
            let batch = batch.map_err(|error| PartError::Damaged(error.to_string()))?;
            decode(&batch, self.hour).map(Some)
        })
    }
}

fn open(file: File) -> Result<ParquetRecordBatchReader, PartError> {
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(&file, plain.clone())?;
    let options = plain.with_schema(with_dictionaries(metadata.schema()));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
    let mask = ProjectionMask::columns(metadata.parquet_schema(), BY_SOURCE_COLUMNS);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
    Ok(builder.build()?)
}

/// Reads texts as dictionaries, so that each distinct text is parsed once in a batch; except addresses, most of which are distinct.
fn with_dictionaries(schema: &Schema) -> Arc<Schema> {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 if field.name() != BySource::NAMES.src_ip => {
            let dictionary =
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Field::new(field.name(), dictionary, field.is_nullable())
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn damaged(name: &str, what: &str) -> PartError {
    PartError::Damaged(format!("its column {name} {what}"))
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b Arc<dyn Array>, PartError> {
    let missing = || PartError::Damaged(format!("it has no column {name}"));
    batch.column_by_name(name).ok_or_else(missing)
}

fn int64<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b [i64], PartError> {
    let array = column(batch, name)?.as_primitive_opt::<Int64Type>();
    Ok(array
        .ok_or_else(|| damaged(name, "is of another type"))?
        .values())
}

fn times<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b [i64], PartError> {
    let array = column(batch, name)?.as_primitive_opt::<TimestampMicrosecondType>();
    Ok(array
        .ok_or_else(|| damaged(name, "is of another type"))?
        .values())
}

/// The keys of a text column, and the parsed value of each distinct text.
fn texts<'b, T>(
    batch: &'b RecordBatch,
    name: &str,
    meaning: impl Fn(&str) -> Option<T>,
) -> Result<(&'b [i32], Vec<T>), PartError> {
    let array = column(batch, name)?.as_dictionary_opt::<Int32Type>();
    let array = array.ok_or_else(|| damaged(name, "is of another type"))?;
    let values: Option<&StringArray> = array.values().as_string_opt();
    let values = values.ok_or_else(|| damaged(name, "is of another type"))?;
    let mut meanings = Vec::with_capacity(values.len());
    for value in values.iter() {
        let value = value.unwrap_or_default();
        let unknown = || damaged(name, &format!("holds `{}`", value.escape_default()));
        meanings.push(meaning(value).ok_or_else(unknown)?);
    }
    if array.null_count() > 0 {
        return Err(damaged(name, "holds nothing in some row"));
    }
    Ok((array.keys().values(), meanings))
}

fn decode(batch: &RecordBatch, hour: i64) -> Result<LineBatch, PartError> {
    let names = BySource::NAMES;
    let sources: Option<&StringArray> = column(batch, names.src_ip)?.as_string_opt();
    let sources = sources.ok_or_else(|| damaged(names.src_ip, "is of another type"))?;
    let (type_keys, types) = texts(batch, names.traffic_type, TrafficType::from_name)?;
    let (class_keys, classes) = texts(batch, names.class, Class::from_name)?;
    let (tool_keys, tools) = texts(batch, names.tool, Tool::from_name)?;
    let (country_keys, countries) =
        texts(batch, names.country, |text| text.as_bytes().try_into().ok())?;
    let (actor_keys, actors) = texts(batch, names.actor, |text| Some(text.to_owned()))?;
    let (stack_keys, stacks) = texts(batch, names.stack, |text| Some(text.to_owned()))?;
    let int32 = |name: &str| {
        let array = column(batch, name)?.as_primitive_opt::<Int32Type>();
        array.ok_or_else(|| damaged(name, "is of another type"))
    };
    let (protocols, ports) = (int32(names.protocol)?, int32(names.port)?);
    let asns = column(batch, names.asn)?.as_primitive_opt::<Int64Type>();
    let asns = asns.ok_or_else(|| damaged(names.asn, "is of another type"))?;
    let (packets, bytes) = (int64(batch, names.packets)?, int64(batch, names.bytes)?);
    let destinations = int64(batch, names.destinations)?;
    let tool_packets = int64(batch, names.tool_packets)?;
    let (first, last) = (
        times(batch, names.first_seen)?,
        times(batch, names.last_seen)?,
    );
    let sets = batch.column_by_name(names.destinations_set);
    let sets = sets.and_then(|sets| sets.as_binary_opt::<i32>()).cloned();
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut decoded = LineBatch {
        keys: Vec::with_capacity(batch.num_rows()),
        lines: Vec::with_capacity(batch.num_rows()),
        sets,
        actors,
        stacks,
    };
    for row in 0..batch.num_rows() {
        let text = sources.value(row);
        let key = match (row.checked_sub(1), decoded.keys.last()) {
            (Some(before), Some(last)) if sources.value(before) == text => *last,
            _ => SourceKey::parse(text).ok_or_else(|| {
                damaged(names.src_ip, &format!("holds `{}`", text.escape_default()))
            })?,
        };
        decoded.keys.push(key);
        decoded.lines.push(SourceLine {
            hour,
            traffic_type: types[type_keys[row] as usize],
            class: classes[class_keys[row] as usize],
            tool: tools[tool_keys[row] as usize],
            protocol: protocols.value(row) as u8,
            port: (!ports.is_null(row)).then(|| ports.value(row) as u16),
            country: countries[country_keys[row] as usize],
            actor: actor_keys[row] as u32,
            asn: (!asns.is_null(row)).then(|| asns.value(row) as u32),
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
