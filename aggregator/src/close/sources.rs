//! The `sources` table: merged rows get country and network, once per source, and become row groups.

use std::sync::Arc;

use super::columns::{Column, encode_group};
use super::contributions::Contribution;
use super::fold::{Fold, FoldedRow, Small};
use super::{Closer, GROUP_ROWS, RANGE_ROWS};
use crate::dataset::Hour;
use crate::observation::{Address, Family, Tool, TrafficClass, TrafficType};
use crate::origin::{Country, Cursor, Origins};
use crate::run::{Merged, SourceRow};
use crate::writer::{FinishedPart, PartWriter, WriteError};

/// A merged row with the origin of its source.
#[derive(Clone, Copy, Debug)]
pub struct OriginRow<A> {
    row: SourceRow<A>,
    country: Country,
    asn: Option<u32>,
    /// Bits of the prefix that stands for the source: all, but where sources were folded.
    prefix_bits: u8,
}

impl<A: Address> OriginRow<A> {
    /// The row of folded sources.
    pub fn folded(folded: &FoldedRow<A>) -> Self {
        OriginRow {
            row: folded.row,
            country: Country::UNKNOWN,
            asn: None,
            prefix_bits: folded.prefix_bits,
        }
    }

    fn write_source(&self, text: &mut Vec<u8>) {
        self.row.source.write_text(text);
        if u32::from(self.prefix_bits) < A::BITS {
            text.extend_from_slice(format!("/{}", self.prefix_bits).as_bytes());
        }
    }
}

/// What one task hands on.
pub struct Enriched<A: Address> {
    /// Rows in order.
    pub rows: Vec<OriginRow<A>>,
    /// The same rows, and those folded, as `traffic` needs them, in the order of their sources.
    pub contributions: Vec<Contribution<A>>,
    /// Rows of small sources.
    pub fold: Fold<A>,
}

/// Adds origins to merged rows that come in the order of their sources.
pub struct Enricher<'a, A: Address> {
    cursor: Cursor<'a, A>,
    enriched: Enriched<A>,
    small: Small<A>,
    /// The source in hand with what is known of it.
    source: Option<(A, Country, Option<u32>)>,
}

impl<'a, A: Address> Enricher<'a, A> {
    /// An enricher with no row yet. Sources with up to `threshold` packets are folded.
    pub fn new(origins: &'a Origins, threshold: u64) -> Self {
        Enricher {
            cursor: origins.cursor(),
            enriched: Enriched {
                rows: Vec::with_capacity(RANGE_ROWS),
                contributions: Vec::with_capacity(RANGE_ROWS),
                fold: Fold::default(),
            },
            small: Small::new(threshold),
            source: None,
        }
    }

    /// Takes the next row.
    pub fn push(&mut self, merged: &Merged<'_, A>) {
        let (source, _) = merged.source_and_packets();
        let (_, country, asn) = match self.source {
            Some(known) if known.0 == source => known,
            _ => self.enter(source),
        };
        let row = merged.row();
        let contribution = Contribution::new(source, row.kind, country, row.packets, row.bytes);
        self.enriched.contributions.push(contribution);
        if self.small.threshold > 0 {
            self.small.hold(merged);
        } else {
            let prefix_bits = A::BITS as u8;
            self.enriched.rows.push(OriginRow {
                row,
                country,
                asn,
                prefix_bits,
            });
        }
    }

    /// All rows taken.
    pub fn finish(mut self) -> Enriched<A> {
        self.leave();
        self.enriched
    }

    fn enter(&mut self, source: A) -> (A, Country, Option<u32>) {
        self.leave();
        let known = (source, self.cursor.country(source), self.cursor.asn(source));
        self.source = Some(known);
        known
    }

    /// Decides on the rows of the source in hand, where they were held back.
    fn leave(&mut self) {
        let Some((_, country, asn)) = self.source else {
            return;
        };
        if self.small.rows.is_empty() {
            return;
        }
        let is_small = self.small.is_small();
        for (row, destinations) in self.small.rows.drain(..) {
            if is_small {
                self.enriched.fold.push(&row, destinations);
            } else {
                let prefix_bits = A::BITS as u8;
                self.enriched.rows.push(OriginRow {
                    row,
                    country,
                    asn,
                    prefix_bits,
                });
            }
        }
    }
}

/// The part under way.
pub struct SourcesWriter<'a> {
    file: PartWriter,
    hour: Hour,
    closer: &'a Closer,
    rows: u64,
}

impl<'a> SourcesWriter<'a> {
    /// A part without rows.
    pub fn new(file: PartWriter, hour: Hour, closer: &'a Closer) -> Self {
        SourcesWriter {
            file,
            hour,
            closer,
            rows: 0,
        }
    }

    /// Rows appended.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends as many full row groups as `pending` holds and leaves the rest in it.
    pub fn take_full_groups<A: Address>(
        &mut self,
        pending: &mut Vec<OriginRow<A>>,
    ) -> Result<(), WriteError> {
        while pending.len() >= GROUP_ROWS {
            let rest = pending.split_off(GROUP_ROWS);
            self.append(pending)?;
            *pending = rest;
        }
        Ok(())
    }

    /// Appends these rows as one row group; no rows, no group.
    pub fn append<A: Address>(&mut self, rows: &[OriginRow<A>]) -> Result<(), WriteError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.rows += rows.len() as u64;
        let columns = source_columns(rows, self.hour, &self.closer.name.sensor);
        let schema = self.file.schema();
        let path = self.closer.path(&crate::schema::SOURCES, self.hour, 0);
        let encoded = encode_group(&columns, &Arc::clone(&schema), self.closer.threads, &path)?;
        self.file.append(encoded)
    }

    /// Ends the part; it is not visible yet.
    pub fn finish(self) -> Result<FinishedPart, WriteError> {
        self.file.finish()
    }
}

/// The columns in the order of the schema.
fn source_columns<A: Address>(rows: &[OriginRow<A>], hour: Hour, sensor: &str) -> Vec<Column> {
    let start_us = hour.start_us();
    let family = A::FAMILY;
    let count = rows.len();
    let integers =
        |value: &dyn Fn(&OriginRow<A>) -> i64| Column::Integers(rows.iter().map(value).collect());
    let codes = |code: &dyn Fn(&OriginRow<A>) -> u16| rows.iter().map(code).collect::<Vec<_>>();
    vec![
        Column::Integers(vec![start_us; count]),
        Column::constant(sensor, count),
        source_text(rows),
        Column::Integers(vec![family as i64; count]),
        integers(&|row| i64::from(row.row.kind.protocol(family))),
        Column::sparse(rows.iter().map(|row| row.row.kind.port().map(i64::from))),
        type_column(&codes(&|row| row.row.kind.traffic_type() as u16)),
        class_column(&codes(&|row| row.row.kind.class() as u16)),
        tool_column(&codes(&|row| row.row.kind.tool() as u16)),
        Column::constant("", count),
        country_column(&codes(&|row| row.country.code())),
        Column::sparse(rows.iter().map(|row| row.asn.map(i64::from))),
        integers(&|row| row.row.packets as i64),
        integers(&|row| row.row.bytes as i64),
        integers(&|row| i64::from(row.row.destinations)),
        integers(&|row| start_us + i64::from(row.row.first_us)),
        integers(&|row| start_us + i64::from(row.row.last_us)),
    ]
}

/// `src_ip`: by number where sources repeat, plain where most stand alone.
fn source_text<A: Address>(rows: &[OriginRow<A>]) -> Column {
    let distinct = 1 + rows
        .windows(2)
        .filter(|pair| pair[0].row.source != pair[1].row.source)
        .count();
    let width = if A::FAMILY == Family::Ipv4 { 14 } else { 28 };
    let mut bytes = Vec::with_capacity(distinct * width);
    let mut ends = Vec::with_capacity(distinct);
    if distinct * 2 > rows.len() {
        for row in rows {
            row.write_source(&mut bytes);
            ends.push(bytes.len() as u32);
        }
        return Column::Strings(bytes, ends);
    }
    let mut texts: Vec<Vec<u8>> = Vec::with_capacity(distinct);
    let mut numbers = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in rows {
        if last != Some(row.row.source) {
            let mut text = Vec::with_capacity(width);
            row.write_source(&mut text);
            texts.push(text);
            last = Some(row.row.source);
        }
        numbers.push(texts.len() as u32 - 1);
    }
    Column::Numbered(texts, numbers)
}

/// `traffic_type` from codes.
pub fn type_column(codes: &[u16]) -> Column {
    Column::named(codes, |code| TrafficType::ALL[code as usize].name().into())
}

/// `class` from codes.
pub fn class_column(codes: &[u16]) -> Column {
    Column::named(codes, |code| TrafficClass::ALL[code as usize].name().into())
}

/// `tool` from codes.
pub fn tool_column(codes: &[u16]) -> Column {
    Column::named(codes, |code| Tool::ALL[code as usize].name().into())
}

/// `country` from codes.
pub fn country_column(codes: &[u16]) -> Column {
    Column::named(codes, |code| Country::from_code(code).as_str().into())
}
