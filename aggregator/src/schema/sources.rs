//! The columns of `sources`: a row is a kind of packets from a source in an hour. Rows come from the merge column by column and become
//! row groups.

use super::ColumnType::{Bytes, Int32, Int64, Text, TimestampMicros};
use super::kinds::columns_of_kinds;
use super::{
    ACTOR, BYTES, CLASS, COUNTED, COUNTRY, Column, ColumnRow, Filled, Group, Holds, NOT_NEGATIVE,
    PACKETS, PORT, PROTOCOL, Slot, TOOL, TRAFFIC_TYPE, counted,
};
use crate::actor::Actors;
use crate::destinations::{View, pack};
use crate::hour::Hour;
use crate::origin::Country;
use crate::role::Role;
use crate::run::SourceRow;
use teiten_observation::{Address, Family, Kind, StackSignature};

/// Rows of `sources` in order, a column each. The text of a source is stored once for all its rows.
#[derive(Debug, Default)]
pub(crate) struct SourceChunk {
    texts: Vec<u8>,
    text_ends: Vec<u32>,
    origins: Vec<Origin>,
    /// For each row the number of its source among texts and origins.
    sources: Vec<u32>,
    kinds: Vec<Kind>,
    packets: Vec<u64>,
    bytes: Vec<u64>,
    destinations: Vec<u32>,
    first_us: Vec<u32>,
    last_us: Vec<u32>,
    tool_packets: Vec<u64>,
    flags: Vec<u32>,
    stacks: Vec<u64>,
    /// Destinations as [`pack`] writes them, one row's behind the other's, and where each ends.
    sets: Vec<u8>,
    set_ends: Vec<u32>,
}

/// The origin and role of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
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
    /// An empty chunk with capacity for as many rows.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        SourceChunk {
            texts: Vec::with_capacity(rows * 8),
            text_ends: Vec::with_capacity(rows / 2),
            origins: Vec::with_capacity(rows / 2),
            sources: Vec::with_capacity(rows),
            kinds: Vec::with_capacity(rows),
            packets: Vec::with_capacity(rows),
            bytes: Vec::with_capacity(rows),
            destinations: Vec::with_capacity(rows),
            first_us: Vec::with_capacity(rows),
            last_us: Vec::with_capacity(rows),
            tool_packets: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            stacks: Vec::with_capacity(rows),
            sets: Vec::with_capacity(rows * 8),
            set_ends: Vec::with_capacity(rows),
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Begins a source, of which rows follow, by its address as text.
    #[inline]
    pub(crate) fn begin_source(&mut self, text: &[u8], origin: Origin) {
        self.texts.extend_from_slice(text);
        self.text_ends.push(self.texts.len() as u32);
        self.origins.push(origin);
    }

    /// Appends a row of the source that was begun last; `destinations` are left out where they are not kept.
    #[inline(always)]
    pub(crate) fn push<A: Address>(
        &mut self,
        row: &SourceRow<A>,
        destinations: Option<View<'_, A>>,
    ) {
        if let Some(destinations) = destinations {
            pack(&destinations, &mut self.sets);
        }
        self.set_ends.push(self.sets.len() as u32);
        self.sources.push(self.text_ends.len() as u32 - 1);
        self.kinds.push(row.kind);
        self.packets.push(row.packets);
        self.bytes.push(row.bytes);
        self.destinations.push(row.destinations);
        self.first_us.push(row.first_us);
        self.last_us.push(row.last_us);
        self.tool_packets.push(row.tool_packets);
        self.flags.push(row.flags);
        self.stacks.push(row.stack);
    }

    fn set(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.set_ends[before]);
        &self.sets[start as usize..self.set_ends[row] as usize]
    }

    fn text(&self, source: u32) -> &[u8] {
        let start = match source.checked_sub(1) {
            Some(before) => self.text_ends[before as usize] as usize,
            None => 0,
        };
        &self.texts[start..self.text_ends[source as usize] as usize]
    }
}

/// The rows of a row group.
#[derive(Debug)]
pub(crate) struct SourceRows<'r> {
    pub hour: Hour,
    pub sensor: &'r str,
    pub family: Family,
    pub actors: &'r Actors,
    pub group: Group<SourceChunk>,
}

impl SourceRows<'_> {
    fn kinds(&self) -> impl Iterator<Item = &[Kind]> {
        self.group.slices(|chunk| &chunk.kinds)
    }

    /// The origin of each source, and how many rows it has.
    fn origins(&self) -> impl Iterator<Item = (&Origin, usize)> {
        self.group.pieces().flat_map(|(chunk, rows)| {
            let runs = chunk.sources[rows].chunk_by(|left, right| left == right);
            runs.map(|run| (&chunk.origins[run[0] as usize], run.len()))
        })
    }

    /// Fills the column of actors.
    pub(super) fn fill_actors(&self, slot: Slot<'_>) -> Filled {
        let runs = self.origins().map(|(origin, rows)| (origin.actor, rows));
        slot.named_runs(runs, |number| self.actors.name(number))
    }

    /// Fills the column of countries.
    pub(super) fn fill_countries(&self, slot: Slot<'_>) -> Filled {
        let runs = self.origins();
        slot.country_runs(runs.map(|(origin, rows)| (origin.country.code(), rows)))
    }
}

pub(super) const SRC_IP: Column = Column::new(
    "src_ip",
    Text,
    "Source address, or its prefix where small sources were folded because the hour had too many.",
)
.holding(Holds::Address);
pub(super) const FIRST_SEEN: Column = Column::new(
    "first_seen",
    TimestampMicros,
    "Time of the row's first packet in UTC, microseconds since 1970-01-01.",
)
.holding(Holds::Inside);
pub(super) const LAST_SEEN: Column = Column::new(
    "last_seen",
    TimestampMicros,
    "Time of the row's last packet in UTC, microseconds since 1970-01-01.",
)
.holding(Holds::Inside);
pub(super) const TOOL_PACKETS: Column = Column::new(
            "tool_packets",
            Int64,
            "Packets that show the tool; where the tool is none, packets with a tool's mark that the source's other packets did not confirm.",
        ).holding(NOT_NEGATIVE);

pub(super) const ASN: Column = Column::new(
    "asn",
    Int64,
    "Number of the autonomous system that announced the source; null where it is unknown.",
)
.holding(Holds::Between(0, u32::MAX as i64))
.or_null();
const ROLE: Column = Column::new(
    "role",
    Text,
    "What the source did in the hour: probe, horizontal, vertical, block, backscatter or mixed; empty below 3 packets.",
)
.holding(Holds::Word(|word| {
    Role::from_name(word).map(|it| it as u16)
}));
pub(super) const DESTINATIONS: Column = Column::new(
    "destinations",
    Int64,
    "Distinct dark addresses: exact up to 128, above an estimate with a standard error of 2.3 %.",
)
.holding(COUNTED);
pub(super) const STACK_SIGNATURE: Column = Column::new(
    "stack_signature",
    Text,
    "Window, TCP options, don't-fragment bit and initial TTL of the first SYN, as in 65535:M1460,N,W8,N,N,S:df0:64; empty without a SYN.",
);
pub(super) const DESTINATIONS_SET: Column = Column::new(
    "destinations_set",
    Bytes,
    "The row's distinct dark addresses, so that days and events can unite them: 4 or 6 and up to 128 addresses, or 1 and registers of an \
     estimate; empty where small sources were folded. aggregator/src/destinations/packed.rs says the bytes.",
)
.holding(Holds::Destinations);

/// Fills one column from the rows of a group.
type SourceFill = for<'e, 'g, 'r> fn(Slot<'e>, &'g SourceRows<'r>) -> Filled;

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<SourceFill>] = columns_of_kinds!(
    source: [
    ColumnRow {
        column: SRC_IP,
        fill: |slot, rows| {
            slot.in_order(rows.group.pieces().flat_map(|(chunk, rows)| {
                let runs = chunk.sources[rows].chunk_by(|left, right| left == right);
                runs.map(|run| (chunk.text(run[0]), run.len()))
            }))
        },
    },
    ],
    counted: [
    ColumnRow {
        column: ASN,
        fill: |slot, rows| {
            let asns = rows.origins();
            slot.sparse_runs(asns.map(|(origin, rows)| (origin.asn.map(i64::from), rows)))
        },
    },
    ColumnRow {
        column: ROLE,
        fill: |slot, rows| {
            let codes = rows.origins();
            let codes = codes.map(|(origin, rows)| (origin.role as u16, rows));
            slot.named_runs(codes, |code| Role::ALL[usize::from(code)].name())
        },
    },
    ColumnRow {
        column: PACKETS,
        fill: |slot, rows| slot.integers_of(rows.group.slices(|chunk| &chunk.packets), counted),
    },
    ColumnRow {
        column: BYTES,
        fill: |slot, rows| slot.integers_of(rows.group.slices(|chunk| &chunk.bytes), counted),
    },
    ColumnRow {
        column: DESTINATIONS,
        fill: |slot, rows| {
            slot.integers_of(rows.group.slices(|chunk| &chunk.destinations), i64::from)
        },
    },
    ColumnRow {
        column: FIRST_SEEN,
        fill: |slot, rows| {
            let start_us = rows.hour.start_us();
            let times = rows.group.slices(|chunk| &chunk.first_us);
            slot.integers_of(times, |us: u32| start_us.saturating_add(us.into()))
        },
    },
    ColumnRow {
        column: LAST_SEEN,
        fill: |slot, rows| {
            let start_us = rows.hour.start_us();
            let times = rows.group.slices(|chunk| &chunk.last_us);
            slot.integers_of(times, |us: u32| start_us.saturating_add(us.into()))
        },
    },
    ColumnRow {
        column: TOOL_PACKETS,
        fill: |slot, rows| {
            slot.integers_of(rows.group.slices(|chunk| &chunk.tool_packets), counted)
        },
    },
    ColumnRow {
        column: Column::new(
            "flags",
            Int32,
            "Compatibility flags of all packets together, a bit each; teiten-sensor rules explains them, the metadata's flags_version dates them.",
        ),
        fill: |slot, rows| {
            slot.few_integers(rows.group.column(|chunk| &chunk.flags).map(|flags| i64::from(flags as i32)))
        },
    },
    ColumnRow {
        column: STACK_SIGNATURE,
        // Without a signature the text is empty.
        fill: |slot, rows| {
            slot.by_value(rows.group.column(|chunk| &chunk.stacks), |stack| {
                let signature = StackSignature::from_bits(stack);
                signature.map_or(String::new(), StackSignature::text)
            })
        },
    },
    ColumnRow {
        column: DESTINATIONS_SET,
        fill: |slot, rows| slot.prefixed(rows.group.each(|chunk, row| chunk.set(row))),
    },
    ],
);

/// What is read of `sources` to follow a source over hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySource {
    pub src_ip: &'static str,
    pub protocol: &'static str,
    pub port: &'static str,
    pub traffic_type: &'static str,
    pub class: &'static str,
    pub tool: &'static str,
    pub actor: &'static str,
    pub country: &'static str,
    pub asn: &'static str,
    pub packets: &'static str,
    pub bytes: &'static str,
    pub destinations: &'static str,
    pub first_seen: &'static str,
    pub last_seen: &'static str,
    pub tool_packets: &'static str,
    pub stack: &'static str,
    pub destinations_set: &'static str,
}

impl BySource {
    /// The names of the columns.
    pub(crate) const NAMES: BySource = BySource {
        src_ip: SRC_IP.name,
        protocol: PROTOCOL.name,
        port: PORT.name,
        traffic_type: TRAFFIC_TYPE.name,
        class: CLASS.name,
        tool: TOOL.name,
        actor: ACTOR.name,
        country: COUNTRY.name,
        asn: ASN.name,
        packets: PACKETS.name,
        bytes: BYTES.name,
        destinations: DESTINATIONS.name,
        first_seen: FIRST_SEEN.name,
        last_seen: LAST_SEEN.name,
        tool_packets: TOOL_PACKETS.name,
        stack: STACK_SIGNATURE.name,
        destinations_set: DESTINATIONS_SET.name,
    };
}

/// The same as a list, which a reader asks for.
pub(crate) const BY_SOURCE_COLUMNS: [&str; 17] = {
    let names = BySource::NAMES;
    [
        names.src_ip,
        names.protocol,
        names.port,
        names.traffic_type,
        names.class,
        names.tool,
        names.actor,
        names.country,
        names.asn,
        names.packets,
        names.bytes,
        names.destinations,
        names.first_seen,
        names.last_seen,
        names.tool_packets,
        names.stack,
        names.destinations_set,
    ]
};
