//! The payloads of a day, from the hours of `payloads`: which ones there are, and which one leads at a service.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use foldhash::fast::RandomState;

use crate::batch::{PartBatches, column, int32, int64, texts};
use crate::event::novelty::tally::Thing;
use crate::event::service::AskedService;
use crate::part::PartError;
use crate::schema::{NoveltyWhat, PAYLOAD_COLUMNS};
use crate::store::Part;
use crate::text::hexadecimal;

/// Rows in a batch.
const BATCH_ROWS: usize = 8 << 10;
/// Unknown payloads of a day, at most: more are left out, the later ones.
const UNKNOWN_MAX: usize = 1 << 17;
/// Sources of an hour from which on an unknown payload counts: most come from one source and never again.
const UNKNOWN_SOURCES_MIN: i64 = 2;
/// First bytes of an unknown payload that are shown.
const SHOWN_BYTES: usize = 16;

/// A payload: its signature, or the hash of an unknown one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PayloadName {
    Signature(Arc<str>),
    Unknown(Arc<str>),
}

/// Counts of a payload.
#[derive(Clone, Debug, Default)]
struct PayloadSums {
    packets: u64,
    /// Of the hour and port with the most.
    sources: u64,
    first_hour_us: i64,
    first_bytes: Vec<u8>,
}

/// The payloads of a day.
#[derive(Debug, Default)]
pub(super) struct DayPayloads {
    by_name: HashMap<PayloadName, PayloadSums, RandomState>,
    by_service: HashMap<(AskedService, PayloadName), u64, RandomState>,
    unknown: usize,
}

impl DayPayloads {
    /// Adds the rows of a part.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn add(&mut self, part: &Part) -> Result<(), PartError> {
        let hour_us = part.period.first_hour().start_us();
        let [.., hash, _, _, _] = PAYLOAD_COLUMNS;
        let mut batches = PartBatches::open(part.place(), &PAYLOAD_COLUMNS, &[hash], BATCH_ROWS)?;
        while batches
            .next(|batch| self.add_batch(batch, hour_us))?
            .is_some()
        {}
        Ok(())
    }

    fn add_batch(&mut self, batch: &RecordBatch, hour_us: i64) -> Result<(), PartError> {
        let [protocol, port, signature, hash, packets, sources, bytes] = PAYLOAD_COLUMNS;
        let (protocols, ports) = (int32(batch, protocol)?.values(), int32(batch, port)?);
        let (signature_keys, signatures) = texts(batch, signature, |text| {
            Some((!text.is_empty()).then(|| PayloadName::Signature(text.into())))
        })?;
        let hashes: &StringArray = column(batch, hash, |array| array.as_string_opt())?;
        let (packets, sources) = (int64(batch, packets)?, int64(batch, sources)?);
        let first_bytes: &BinaryArray = column(batch, bytes, |array| array.as_binary_opt())?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        for row in 0..batch.num_rows() {
            let name = match &signatures[signature_keys[row] as usize] {
                Some(signature) => signature.clone(),
                None if !hashes.value(row).is_empty() && sources[row] >= UNKNOWN_SOURCES_MIN => {
                    PayloadName::Unknown(hashes.value(row).into())
                }
                None => continue,
            };
            let is_unknown = matches!(name, PayloadName::Unknown(_));
            if is_unknown && !self.by_name.contains_key(&name) {
                if self.unknown == UNKNOWN_MAX {
                    continue;
                }
                self.unknown += 1;
            }
            let sums = self.by_name.entry(name.clone()).or_default();
            if sums.packets == 0 {
                sums.first_hour_us = hour_us;
                let bytes = first_bytes.value(row);
                sums.first_bytes = bytes[..bytes.len().min(SHOWN_BYTES)].to_vec();
            }
            sums.first_hour_us = sums.first_hour_us.min(hour_us);
            sums.packets = sums.packets.saturating_add(count(packets[row]));
            sums.sources = sums.sources.max(count(sources[row]));
            if !ports.is_null(row) {
                let service =
                    AskedService::new(protocols[row] as u8, Some(ports.value(row) as u16));
                let of_service = self.by_service.entry((service, name)).or_default();
                *of_service = of_service.saturating_add(count(packets[row]));
            }
        }
        Ok(())
    }

    fn text(&self, name: &PayloadName) -> String {
        match name {
            PayloadName::Signature(signature) => signature.to_string(),
            PayloadName::Unknown(hash) => {
                let sums = self.by_name.get(name);
                let bytes = sums.map_or(&[][..], |sums| &sums.first_bytes);
                format!("{hash}:{}", hexadecimal(bytes))
            }
        }
    }

    /// The payload that leads at a service, and its packets.
    #[must_use]
    pub(super) fn leading(&self, service: AskedService) -> Option<(String, u64)> {
        let of_service = self.by_service.iter().filter(|(key, _)| key.0 == service);
        let leading = of_service
            .max_by(|left, right| left.1.cmp(right.1).then_with(|| right.0.1.cmp(&left.0.1)));
        leading.map(|((_, name), packets)| (self.text(name), *packets))
    }

    /// All of them, in order.
    #[must_use]
    pub(super) fn things(&self) -> Vec<Thing> {
        let thing = |(name, sums): (&PayloadName, &PayloadSums)| Thing {
            what: NoveltyWhat::Payload,
            value: self.text(name),
            sources: sums.sources,
            packets: sums.packets,
            first_us: sums.first_hour_us,
            countries: String::new(),
        };
        let mut things: Vec<Thing> = self.by_name.iter().map(thing).collect();
        things.retain(|it| it.sources > 0 && it.packets > 0);
        things.sort_unstable();
        things
    }
}
