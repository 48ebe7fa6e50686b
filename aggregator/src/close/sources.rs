//! The `sources` table: rows of sources, column by column as they come from the merge, become row groups.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::columns::Columns;
use super::group::Group;
use crate::actor::Actors;
use crate::dataset::Hour;
use crate::origin::Country;
use crate::role::Role;
use crate::run::SourceRow;
use teiten_observation::StackSignature;
use teiten_observation::{Address, Kind};

/// Rows of `sources` in order, a column each. Texts of sources stand once for all rows of a source.
#[derive(Debug, Default)]
pub struct SourceChunk {
    texts: Vec<u8>,
    text_ends: Vec<u32>,
    /// For each row the number of its source among the texts.
    sources: Vec<u32>,
    kinds: Vec<Kind>,
    countries: Vec<u16>,
    asns: Vec<Option<u32>>,
    roles: Vec<Role>,
    actors: Vec<u16>,
    packets: Vec<u64>,
    bytes: Vec<u64>,
    destinations: Vec<u32>,
    first_us: Vec<u32>,
    last_us: Vec<u32>,
    tool_packets: Vec<u64>,
    flags: Vec<u32>,
    stacks: Vec<u64>,
}

/// What is known of a source besides its packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// Where it is.
    pub country: Country,
    /// Its autonomous system.
    pub asn: Option<u32>,
    /// What part it plays in the hour.
    pub role: Role,
    /// Number of the organisation behind it; 0 where none is known.
    pub actor: u16,
}

impl SourceChunk {
    /// A chunk without rows that has room for as many.
    pub fn with_capacity(rows: usize) -> Self {
        SourceChunk {
            texts: Vec::with_capacity(rows * 8),
            text_ends: Vec::with_capacity(rows / 2),
            sources: Vec::with_capacity(rows),
            kinds: Vec::with_capacity(rows),
            countries: Vec::with_capacity(rows),
            asns: Vec::with_capacity(rows),
            roles: Vec::with_capacity(rows),
            actors: Vec::with_capacity(rows),
            packets: Vec::with_capacity(rows),
            bytes: Vec::with_capacity(rows),
            destinations: Vec::with_capacity(rows),
            first_us: Vec::with_capacity(rows),
            last_us: Vec::with_capacity(rows),
            tool_packets: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            stacks: Vec::with_capacity(rows),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Begins a source, of which rows follow, by its address as text.
    #[inline]
    pub fn begin_source(&mut self, text: &[u8]) {
        self.texts.extend_from_slice(text);
        self.text_ends.push(self.texts.len() as u32);
    }

    /// Appends a row of the source that was begun last.
    #[inline]
    pub fn push<A: Address>(&mut self, row: &SourceRow<A>, origin: Origin) {
        self.sources.push(self.text_ends.len() as u32 - 1);
        self.kinds.push(row.kind);
        self.countries.push(origin.country.code());
        self.asns.push(origin.asn);
        self.roles.push(origin.role);
        self.actors.push(origin.actor);
        self.packets.push(row.packets);
        self.bytes.push(row.bytes);
        self.destinations.push(row.destinations);
        self.first_us.push(row.first_us);
        self.last_us.push(row.last_us);
        self.tool_packets.push(row.tool_packets);
        self.flags.push(row.flags);
        self.stacks.push(row.stack);
    }

    fn text(&self, source: u32) -> &[u8] {
        let start = match source.checked_sub(1) {
            Some(before) => self.text_ends[before as usize] as usize,
            None => 0,
        };
        &self.texts[start..self.text_ends[source as usize] as usize]
    }
}

/// The columns in the order of the schema.
pub fn fill<A: Address>(
    columns: &mut Columns<'_>,
    group: &Group<SourceChunk>,
    hour: Hour,
    sensor: &str,
    actors: &Actors,
) -> parquet::errors::Result<()> {
    let start_us = hour.start_us();
    let family = A::FAMILY;
    let kinds = group.each(|chunk, row| chunk.kinds[row]);
    columns.constant_integer(start_us)?;
    columns.constant_text(sensor)?;
    source_column(columns, group)?;
    columns.constant_integer(family as i64)?;
    columns.small_integers(kinds.clone().map(|kind| u16::from(kind.protocol(family))))?;
    columns.sparse(kinds.clone().map(|kind| kind.port().map(i64::from)))?;
    columns.kinds(&kinds)?;
    columns.named(group.each(|chunk, row| chunk.actors[row]), |number| {
        actors.name(number)
    })?;
    columns.countries(group.each(|chunk, row| chunk.countries[row]))?;
    columns.sparse(group.each(|chunk, row| chunk.asns[row].map(i64::from)))?;
    columns.named(group.each(|chunk, row| chunk.roles[row] as u16), |code| {
        Role::ALL[usize::from(code)].name()
    })?;
    columns.integers(group.each(|chunk, row| chunk.packets[row] as i64))?;
    columns.integers(group.each(|chunk, row| chunk.bytes[row] as i64))?;
    columns.integers(group.each(|chunk, row| i64::from(chunk.destinations[row])))?;
    columns.integers(group.each(|chunk, row| start_us + i64::from(chunk.first_us[row])))?;
    columns.integers(group.each(|chunk, row| start_us + i64::from(chunk.last_us[row])))?;
    columns.integers(group.each(|chunk, row| chunk.tool_packets[row] as i64))?;
    columns.integers(group.each(|chunk, row| i64::from(chunk.flags[row] as i32)))?;
    stack_column(columns, group)
}

/// `stack_signature`: the distinct ones by number, in the order in which they come; without one the text is empty.
fn stack_column(
    columns: &mut Columns<'_>,
    group: &Group<SourceChunk>,
) -> parquet::errors::Result<()> {
    // Seeded, as senders choose their signatures.
    let mut known: HashMap<u64, u32, RandomState> = HashMap::default();
    let mut stacks = Vec::new();
    let mut numbers = Vec::with_capacity(group.rows());
    let mut last = None;
    for stack in group.each(|chunk, row| chunk.stacks[row]) {
        let number = match last {
            Some((same, number)) if same == stack => number,
            _ => *known.entry(stack).or_insert_with(|| {
                stacks.push(stack);
                stacks.len() as u32 - 1
            }),
        };
        last = Some((stack, number));
        numbers.push(number);
    }
    let text = |stack| StackSignature::from_bits(stack).map(|it| it.to_string());
    let texts: Vec<String> = stacks
        .into_iter()
        .map(|stack| text(stack).unwrap_or_default())
        .collect();
    columns.numbered(texts.iter().map(String::as_bytes), numbers.into_iter())
}

/// `src_ip`: by number where sources repeat, plain where most stand alone.
fn source_column(
    columns: &mut Columns<'_>,
    group: &Group<SourceChunk>,
) -> parquet::errors::Result<()> {
    // The sources of a piece are those from its first row's to its last row's.
    let sources = || {
        group.pieces().map(|(chunk, rows)| {
            let (first, last) = (chunk.sources[rows.start], chunk.sources[rows.end - 1]);
            (chunk, first..last + 1)
        })
    };
    let distinct: usize = sources().map(|(_, sources)| sources.len()).sum();
    if distinct * 2 > group.rows() {
        return columns.strings(group.each(|chunk, row| chunk.text(chunk.sources[row])));
    }
    let texts =
        sources().flat_map(|(chunk, sources)| sources.map(move |source| chunk.text(source)));
    let mut before = 0;
    let numbers = group.pieces().flat_map(|(chunk, rows)| {
        let first = chunk.sources[rows.start];
        let offset = before;
        before += chunk.sources[rows.end - 1] + 1 - first;
        chunk.sources[rows]
            .iter()
            .map(move |source| source - first + offset)
    });
    columns.numbered(texts, numbers)
}
