//! Parts of `backscatter` decoded batch by batch and merged by the prefix of the victim, as attacks are looked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::net::IpAddr;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;

use crate::batch::{PartBatches, column, damaged, int32, int64, numbers, texts, times};
use crate::by_source::LinesError;
use crate::destinations::{DestinationSet, merge_packed};
use crate::event::attack::{AttackScope, ReplyMinute, ReplyTally, VictimPrefix, reply_number};
use crate::minute::MINUTE_US;
use crate::part::PartError;
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

const VICTIM: &str = ReplyColumns::NAMES.victim_ip;

/// The columns that are read.
fn columns() -> Vec<&'static str> {
    let names = ReplyColumns::NAMES;
    let mut columns = vec![
        names.minute_start,
        names.victim_ip,
        names.protocol,
        names.port,
        names.traffic_type,
        names.country,
        names.asn,
        names.bytes,
        names.destinations_set,
        names.first_seen,
        names.last_seen,
    ];
    columns.extend(SLOT_COLUMNS);
    columns
}

/// A part that is being read: the batch in hand.
struct ReplyPart {
    batches: PartBatches,
    rows: std::vec::IntoIter<(VictimPrefix, ReplyMinute)>,
    last: Option<VictimPrefix>,
}

impl ReplyPart {
    fn open(part: &Part) -> Result<Self, PartError> {
        Ok(ReplyPart {
            batches: PartBatches::open(part.place(), &columns(), &[VICTIM], BATCH_ROWS)?,
            rows: Vec::new().into_iter(),
            last: None,
        })
    }

    /// The prefix at this place; none at the end.
    fn next_prefix(&mut self) -> Result<Option<VictimPrefix>, PartError> {
        while self.rows.as_slice().is_empty() {
            let batch = self.batches.next(decode)?;
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

fn decode(batch: &RecordBatch) -> Result<Vec<(VictimPrefix, ReplyMinute)>, PartError> {
    let names = ReplyColumns::NAMES;
    let victims: &StringArray = column(batch, VICTIM, |array| array.as_string_opt())?;
    let (type_keys, types) = texts(batch, names.traffic_type, TrafficType::from_name)?;
    let (country_keys, countries) =
        texts(batch, names.country, |text| text.as_bytes().try_into().ok())?;
    let (protocols, ports) = (int32(batch, names.protocol)?, int32(batch, names.port)?);
    let asns = numbers::<Int64Type>(batch, names.asn)?;
    let bytes = int64(batch, names.bytes)?;
    let starts = times(batch, names.minute_start)?;
    let (first, last) = (
        times(batch, names.first_seen)?,
        times(batch, names.last_seen)?,
    );
    let sets: &BinaryArray = column(batch, names.destinations_set, |array| array.as_binary_opt())?;
    let mut slots = Vec::with_capacity(MINUTE_SLOTS);
    for name in SLOT_COLUMNS {
        slots.push(int64(batch, name)?);
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
            *count_of = count(slot[row]);
        }
        let packets = counts.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        let traffic_type = types[type_keys[row] as usize];
        let mut replies = [0; 4];
        replies[reply_number(traffic_type)] = packets;
        let mut set = DestinationSet::new();
        merge_packed(sets.value(row), &mut set)
            .map_err(|error| damaged(names.destinations_set, &format!("holds no set: {error}")))?;
        let port = (!ports.is_null(row)).then(|| (ports.value(row) as u16, packets));
        let tally = ReplyTally {
            protocol: protocols.value(row) as u8,
            victims: vec![victim],
            ports: port.into_iter().collect(),
            first_us: first[row],
            last_us: last[row],
            packets,
            bytes: count(bytes[row]),
            replies,
            set,
            country: countries[country_keys[row] as usize],
            asn: (!asns.is_null(row)).then(|| asns.value(row) as u32),
        };
        let minute = ReplyMinute {
            scope: AttackScope::Service,
            minute: starts[row].div_euclid(MINUTE_US),
            slots: counts,
            tally,
        };
        rows.push(((family, victim >> host_bits(family)), minute));
    }
    Ok(rows)
}
