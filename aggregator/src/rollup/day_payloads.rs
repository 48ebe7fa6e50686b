//! The payloads of a day, from the hours of `payloads`: which ones there are, and which one leads at a service.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::FileReader;
use parquet::record::Field;

use crate::event::campaign::traits::AskedService;
use crate::event::novelty::tally::Thing;
use crate::part::{self, CheckedPart};
use crate::schema::{NoveltyWhat, PAYLOAD_COLUMNS};
use crate::store::Part;
use crate::text::hexadecimal;

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
    pub(super) fn add(&mut self, part: &Part) -> Result<()> {
        let hour_us = part.period.first_hour().start_us();
        part::read(part.place(), |part| self.add_rows(part, hour_us))
    }

    fn add_rows(&mut self, part: &CheckedPart, hour_us: i64) -> Result<()> {
        let about = part.about().schema_descr();
        let mut places = [0; PAYLOAD_COLUMNS.len()];
        for (found, name) in places.iter_mut().zip(PAYLOAD_COLUMNS) {
            let place = about.columns().iter().position(|it| it.name() == name);
            let missing = || ParquetError::General(format!("it has no column {name}"));
            *found = place.ok_or_else(missing)?;
        }
        for row in part.reader().get_row_iter(None)? {
            let row = row?;
            let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
            let [protocol, port, signature, hash, packets, sources, bytes] =
                places.map(|place| fields[place]);
            let (Field::Str(signature), Field::Str(hash), Field::Bytes(bytes)) =
                (signature, hash, bytes)
            else {
                return Err(unexpected(signature));
            };
            let (packets, sources) = (number(packets)?, number(sources)?);
            let name = match (signature.is_empty(), hash.is_empty()) {
                (false, _) => PayloadName::Signature(signature.as_str().into()),
                (true, false) if sources >= UNKNOWN_SOURCES_MIN => {
                    PayloadName::Unknown(hash.as_str().into())
                }
                _ => continue,
            };
            let is_unknown = matches!(name, PayloadName::Unknown(_));
            if is_unknown && !self.by_name.contains_key(&name) {
                if self.unknown == UNKNOWN_MAX {
                    continue;
                }
                self.unknown += 1;
            }
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            let sums = self.by_name.entry(name.clone()).or_default();
            if sums.packets == 0 {
                sums.first_hour_us = hour_us;
                let shown = bytes.data().len().min(SHOWN_BYTES);
                sums.first_bytes = bytes.data()[..shown].to_vec();
            }
            sums.first_hour_us = sums.first_hour_us.min(hour_us);
            sums.packets = sums.packets.saturating_add(count(packets));
            sums.sources = sums.sources.max(count(sources));
            if let Field::Int(port) = port {
                let service = AskedService::new(number(protocol)? as u8, Some(*port as u16));
                let of_service = self.by_service.entry((service, name)).or_default();
                *of_service = of_service.saturating_add(count(packets));
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

fn number(field: &Field) -> Result<i64> {
    match field {
        Field::Int(number) => Ok(i64::from(*number)),
        Field::Long(number) => Ok(*number),
        other => Err(unexpected(other)),
    }
}

fn unexpected(field: &Field) -> ParquetError {
    ParquetError::General(format!("a column holds {field}, which is not of its type"))
}
