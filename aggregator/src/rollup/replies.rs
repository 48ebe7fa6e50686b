//! Parts of `backscatter` decoded batch by batch and merged by the prefix of the victim, as attacks are looked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::net::IpAddr;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::by_source::LinesError;
use crate::destinations::{DestinationSet, merge_packed};
use crate::event::attack::{AttackScope, ReplyMinute, ReplyTally, VictimPrefix, reply_number};
use crate::minute::MINUTE_US;
use crate::part::{PartError, checked, guarded};
use crate::reply_table::{MINUTE_SLOTS, host_bits};
use crate::schema::{ReplyColumns, SLOT_COLUMNS};
use crate::store::Part;
use teiten_observation::{Family, TrafficType};

/// Rows in a batch: a batch of each part of a day is in memory.
const BATCH_ROWS: usize = 4 << 10;
/// Minutes of a prefix and a day that are in memory, at most; of more, those of the first hours are kept.
const MINUTES_MAX: usize = 1 << 20;

/// Gives the minutes of each prefix of these parts to `take`, in the order of the table; how many replies are left out because a prefix has
/// too many minutes.
///
/// # Errors
/// When a part cannot be read, or what `take` returns.
pub(super) fn each_prefix<E: From<LinesError>>(
    parts: &[Part],
    mut take: impl FnMut(VictimPrefix, Vec<ReplyMinute>) -> Result<(), E>,
) -> Result<u64, E> {
    let mut heads = Vec::with_capacity(parts.len());
    let mut heap = BinaryHeap::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let failed = |source| LinesError {
            path: part.path.clone(),
            source,
        };
        let mut head = ReplyPart::open(part).map_err(failed)?;
        if let Some(prefix) = head.next_prefix().map_err(failed)? {
            heap.push(Reverse((prefix, index)));
        }
        heads.push(head);
    }
    let mut left_out = 0;
    while let Some(&Reverse((prefix, _))) = heap.peek() {
        let mut minutes = Vec::new();
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((found, index)) = *top;
            if found != prefix {
                break;
            }
            let taken = heads[index].take_prefix(prefix, &mut minutes, &mut left_out);
            let next = taken.map_err(|source| LinesError {
                path: parts[index].path.clone(),
                source,
            })?;
            match next {
                Some(next) => *top = Reverse((next, index)),
                None => drop(PeekMut::pop(top)),
            }
        }
        take(prefix, minutes)?;
    }
    Ok(left_out)
}

/// A part that is being read: the batch in hand.
struct ReplyPart {
    reader: ParquetRecordBatchReader,
    rows: std::vec::IntoIter<(VictimPrefix, ReplyMinute)>,
    last: Option<VictimPrefix>,
}

impl ReplyPart {
    fn open(part: &Part) -> Result<Self, PartError> {
        let (file, _) = checked(part.place())?;
        let reader = guarded(|| {
            let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain)?;
            Ok::<_, PartError>(builder.with_batch_size(BATCH_ROWS).build()?)
        })?;
        Ok(ReplyPart {
            reader,
            rows: Vec::new().into_iter(),
            last: None,
        })
    }

    /// The prefix at this place; none at the end.
    fn next_prefix(&mut self) -> Result<Option<VictimPrefix>, PartError> {
        while self.rows.as_slice().is_empty() {
            let reader = &mut self.reader;
            let batch = guarded(|| {
                let Some(batch) = reader.next() else {
                    return Ok(None);
                };
                let batch = batch.map_err(|error| PartError::Damaged(error.to_string()))?;
                decode(&batch).map(Some)
            })?;
            let Some(batch) = batch else { return Ok(None) };
            self.rows = batch.into_iter();
        }
        let next = self.rows.as_slice().first().map(|(prefix, _)| *prefix);
        if next < self.last {
            return Err(PartError::Damaged(
                "its victims are out of order".to_owned(),
            ));
        }
        self.last = next;
        Ok(next)
    }

    /// Takes the rows of `prefix`, which is at this place; the prefix behind them.
    fn take_prefix(
        &mut self,
        prefix: VictimPrefix,
        into: &mut Vec<ReplyMinute>,
        left_out: &mut u64,
    ) -> Result<Option<VictimPrefix>, PartError> {
        loop {
            let next = self.next_prefix()?;
            if next != Some(prefix) {
                return Ok(next);
            }
            if let Some((_, minute)) = self.rows.next() {
                if into.len() < MINUTES_MAX {
                    into.push(minute);
                } else {
                    *left_out = left_out.saturating_add(minute.tally.packets);
                }
            }
        }
    }
}

fn damaged(name: &str, what: &str) -> PartError {
    PartError::Damaged(format!("its column {name} {what}"))
}

/// A column of a batch as its type.
fn column<'b, T>(
    batch: &'b RecordBatch,
    name: &str,
    typed: impl Fn(&'b dyn Array) -> Option<T>,
) -> Result<T, PartError> {
    let missing = || PartError::Damaged(format!("it has no column {name}"));
    let array = batch.column_by_name(name).ok_or_else(missing)?;
    typed(array.as_ref()).ok_or_else(|| damaged(name, "is of another type"))
}

fn numbers<'b, T: ArrowPrimitiveType>(
    batch: &'b RecordBatch,
    name: &str,
) -> Result<&'b arrow::array::PrimitiveArray<T>, PartError> {
    column(batch, name, |array| array.as_primitive_opt::<T>())
}

fn decode(batch: &RecordBatch) -> Result<Vec<(VictimPrefix, ReplyMinute)>, PartError> {
    let names = ReplyColumns::NAMES;
    let texts = |name: &str| column(batch, name, |array| array.as_string_opt::<i32>());
    let victims: &StringArray = texts(names.victim_ip)?;
    let (types, countries) = (texts(names.traffic_type)?, texts(names.country)?);
    let protocols = numbers::<Int32Type>(batch, names.protocol)?;
    let ports = numbers::<Int32Type>(batch, names.port)?;
    let asns = numbers::<Int64Type>(batch, names.asn)?;
    let bytes = numbers::<Int64Type>(batch, names.bytes)?;
    let times = |name: &str| numbers::<TimestampMicrosecondType>(batch, name);
    let starts = times(names.minute_start)?;
    let (first, last) = (times(names.first_seen)?, times(names.last_seen)?);
    let sets = column(batch, names.destinations_set, |array| {
        array.as_binary_opt::<i32>()
    })?;
    let sets: &BinaryArray = sets;
    let mut slots = Vec::with_capacity(MINUTE_SLOTS);
    for name in SLOT_COLUMNS {
        slots.push(numbers::<Int64Type>(batch, name)?);
    }
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let text = victims.value(row);
        let unknown = || {
            damaged(
                names.victim_ip,
                &format!("holds `{}`", text.escape_default()),
            )
        };
        let (family, victim) = match text.parse().map_err(|_| unknown())? {
            IpAddr::V4(address) => (Family::Ipv4, address.to_bits().into()),
            IpAddr::V6(address) => (Family::Ipv6, address.to_bits()),
        };
        let mut counts = [0; MINUTE_SLOTS];
        for (count_of, slot) in counts.iter_mut().zip(&slots) {
            *count_of = count(slot.value(row));
        }
        let packets = counts.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        let word = types.value(row);
        let traffic_type = TrafficType::from_name(word)
            .ok_or_else(|| damaged(names.traffic_type, &format!("holds `{word}`")))?;
        let mut replies = [0; 4];
        replies[reply_number(traffic_type)] = packets;
        let mut set = DestinationSet::new();
        merge_packed(sets.value(row), &mut set)
            .map_err(|error| damaged(names.destinations_set, &format!("holds no set: {error}")))?;
        let country = countries.value(row).as_bytes().try_into();
        let country = country.map_err(|_| damaged(names.country, "holds no country"))?;
        let port = (!ports.is_null(row)).then(|| (ports.value(row) as u16, packets));
        let tally = ReplyTally {
            protocol: protocols.value(row) as u8,
            victims: vec![victim],
            ports: port.into_iter().collect(),
            first_us: first.value(row),
            last_us: last.value(row),
            packets,
            bytes: count(bytes.value(row)),
            replies,
            set,
            country,
            asn: (!asns.is_null(row)).then(|| asns.value(row) as u32),
        };
        let minute = ReplyMinute {
            scope: AttackScope::Service,
            minute: starts.value(row).div_euclid(MINUTE_US),
            slots: counts,
            tally,
        };
        rows.push(((family, victim >> host_bits(family)), minute));
    }
    Ok(rows)
}
