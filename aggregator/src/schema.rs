//! The tables of the contract. Each table has a file here with a row for each column: its name, its type, what it means, and how it is
//! filled from the rows of a row group. The Parquet schema, the builder and the documentation all read these rows, so they cannot
//! disagree; a column is added by adding its row. Nothing else may spell a column's name for writing.

mod asked_ports;
mod attacks;
mod backscatter;
mod campaigns_daily;
mod coverage;
mod group;
mod kinds;
mod marginals_daily;
pub mod names;
mod novelties;
mod payloads;
mod ports_daily;
mod recoded;
mod rolled_up;
mod rows;
mod scanners_daily;
mod scans;
mod slot;
mod sources;
mod sources_daily;
mod survey_daily;
mod traffic;

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::schema::types::{Type, TypePtr};
use teiten_observation::{Class, Mark, Tool, TrafficType};

pub use asked_ports::PortRole;
pub(crate) use asked_ports::{AskedPort, AskedPortRow, AskedPortRows, ROWS as ASKED_PORTS_ROWS};
pub(crate) use attacks::{AttackRow, AttackRows, ROWS as ATTACKS_ROWS};
pub(crate) use backscatter::{
    BackscatterRows, LocatedReplies, ROWS as BACKSCATTER_ROWS, ReplyColumns, SLOT_COLUMNS,
};
pub(crate) use campaigns_daily::{
    CAMPAIGN_ID, CAMPAIGN_SOURCES, CampaignRow, CampaignRows, CampaignState,
    ROWS as CAMPAIGNS_DAILY_ROWS,
};
pub(crate) use coverage::{CoverageMinute, CoverageRows, ROWS as COVERAGE_ROWS};
pub(crate) use group::{Group, RowGrouper};
pub use marginals_daily::Marginal;
pub(crate) use marginals_daily::{
    MarginalKey, MarginalRow, MarginalRows, ROWS as MARGINALS_DAILY_ROWS,
};
pub(crate) use novelties::{NoveltyRow, NoveltyRows, ROWS as NOVELTIES_ROWS};
pub use novelties::{NoveltyRule, NoveltyWhat};
pub(crate) use payloads::{PayloadRows, ROWS as PAYLOADS_ROWS};
pub(crate) use ports_daily::{PortDayRows, PortKey, PortSums, ROWS as PORTS_DAILY_ROWS};
pub(crate) use recoded::encode_batch;
pub(crate) use rolled_up::{
    ROWS as ROLLED_UP_ROWS, RolledRows, RolledService, RolledSums, RolledTexts,
};
pub(crate) use scanners_daily::{
    ROWS as SCANNERS_DAILY_ROWS, RULES as SURVEY_RULES, ScannerDay, ScannerDayRows,
};
pub(crate) use scans::{ROWS as SCANS_ROWS, ScanRow, ScanRows};
pub(crate) use slot::{ColumnRow, Filled, Slot, encode_group};
pub(crate) use sources::{BY_SOURCE_COLUMNS, BySource};
pub(crate) use sources::{Origin, ROWS as SOURCES_ROWS, SourceChunk, SourceRows};
pub(crate) use sources_daily::{
    LATE_ROWS as SOURCES_DAILY_LATE_ROWS, LateSourceRows, MEMBER_CAMPAIGN,
    ROWS as SOURCES_DAILY_ROWS, SourceDay, SourceDayRows, late_schema,
};
pub use survey_daily::SurveyWhat;
pub(crate) use survey_daily::{ROWS as SURVEY_DAILY_ROWS, SurveyDayRow, SurveyDayRows};
pub(crate) use traffic::{Key, ROWS as TRAFFIC_ROWS, TrafficRows, TrafficSums};

/// Version of the meaning of the tables; raised when a column changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Version of the bits of the column `flags`; raised when a bit changes its meaning. Bits are added without a new version.
pub const FLAGS_VERSION: u32 = 1;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer: every counter.
    Int64,
    /// Microseconds since 1970-01-01 UTC.
    TimestampMicros,
    /// 64-bit floating-point number.
    Double,
    /// Bytes.
    Bytes,
    /// True or false.
    Boolean,
    /// A civil date: days since 1970-01-01.
    Date,
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name in the file.
    pub name: &'static str,
    /// How it is stored.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its meaning, a sentence with the unit.
    pub meaning: &'static str,
    /// Which values it may hold; checked by `verify`.
    pub holds: Holds,
}

/// Which values a column may hold.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// Any of its type.
    Any,
    /// Integers from the first to the second.
    Between(i64, i64),
    /// The start of the part's hour, day or month.
    Start,
    /// The part's date; of a month its first.
    Date,
    /// A time in the part's hour, day or month.
    Inside,
    /// The name of the sensor that the metadata names.
    Sensor,
    /// A word of a closed set, which is in the order of these codes.
    Word(fn(&str) -> Option<u16>),
    /// An address, or a prefix with its length behind a slash.
    Address,
    /// Two capital letters.
    Country,
    /// 16 hexadecimal digits, or nothing.
    Hash,
    /// A sketch of distinct values.
    Sketch,
    /// A sketch of distinct values with fewer registers.
    SmallSketch,
    /// A set of destinations, or nothing.
    Destinations,
}

impl Column {
    /// A column that has a value in every row.
    const fn new(name: &'static str, column_type: ColumnType, meaning: &'static str) -> Self {
        Column {
            name,
            column_type,
            nullable: false,
            meaning,
            holds: Holds::Any,
        }
    }

    /// The same column, which holds only such values.
    const fn holding(mut self, holds: Holds) -> Self {
        self.holds = holds;
        self
    }

    /// The same column, which may be null.
    const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// What time a part of a table is of, which names its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// `date=2026-11-05/hour=08`
    Hour,
    /// `date=2026-11-05`
    Day,
    /// `month=2026-11`
    Month,
}

/// One table of the dataset.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Name of the table and of its folder.
    pub name: &'static str,
    /// What a row is.
    pub row: &'static str,
    /// What time a part is of.
    pub span: Span,
    /// Columns in the order of the file.
    pub columns: &'static [Column],
    /// Columns that the rows of a part are in the order of.
    pub order: &'static [&'static str],
    /// Columns that distinguish rows with equal `order`; without any, no two rows are equal.
    pub apart: &'static [&'static str],
}

impl Table {
    /// The table as a Parquet message type.
    ///
    /// # Panics
    /// Never for the tables of this file: a test builds each.
    #[must_use]
    pub fn parquet_type(&self) -> TypePtr {
        let fields = self.columns.iter().map(parquet_field).collect();
        Arc::new(
            Type::group_type_builder(self.name)
                .with_fields(fields)
                .build()
                .expect("a table of the schema is a valid message type"),
        )
    }
}

/// A column as Parquet describes it.
pub(crate) fn parquet_field(column: &Column) -> TypePtr {
    let (physical, logical) = match column.column_type {
        ColumnType::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Int32 => (PhysicalType::INT32, None),
        ColumnType::Int64 => (PhysicalType::INT64, None),
        ColumnType::TimestampMicros => (
            PhysicalType::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        ),
        ColumnType::Double => (PhysicalType::DOUBLE, None),
        ColumnType::Bytes => (PhysicalType::BYTE_ARRAY, None),
        ColumnType::Boolean => (PhysicalType::BOOLEAN, None),
        ColumnType::Date => (PhysicalType::INT32, Some(LogicalType::Date)),
    };
    let repetition = if column.nullable {
        Repetition::OPTIONAL
    } else {
        Repetition::REQUIRED
    };
    Arc::new(
        Type::primitive_type_builder(column.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
            .expect("a column of the schema is a valid primitive type"),
    )
}

/// A count as the tables hold it: signed, so that it ends at 2^63 - 1.
#[inline]
fn counted(count: u64) -> i64 {
    count.min(i64::MAX as u64) as i64
}

/// The columns of rows, in their order.
const fn columns<F: Copy, const N: usize>(rows: &[ColumnRow<F>]) -> [Column; N] {
    let mut columns = [SENSOR; N];
    let mut index = 0;
    while index < N {
        columns[index] = rows[index].column;
        index += 1;
    }
    columns
}

use ColumnType::{Bytes, Int32, Int64, Text, TimestampMicros};

/// Counts of a row that has at least one.
const COUNTED: Holds = Holds::Between(1, i64::MAX);
/// Counts that may be 0.
const NOT_NEGATIVE: Holds = Holds::Between(0, i64::MAX);

// Columns that several tables have with one meaning.
const HOUR_START: Column = Column::new(
    "hour_start",
    TimestampMicros,
    "Start of the hour in UTC, microseconds since 1970-01-01.",
)
.holding(Holds::Start);
const SENSOR: Column =
    Column::new("sensor", Text, "Name of the sensor that observed the row.").holding(Holds::Sensor);
const IP_VERSION: Column = Column::new(
    "ip_version",
    Int32,
    "Version of the outermost IP header: 4 or 6.",
)
.holding(Holds::Between(4, 6));
const PROTOCOL: Column = Column::new(
    "protocol",
    Int32,
    "IANA protocol number behind the outermost IP header, such as 6 for TCP and 17 for UDP.",
)
.holding(Holds::Between(0, 255));
const PORT: Column = Column::new(
    "port",
    Int32,
    "Port of the service asked for; for backscatter the attacked service's; null where the protocol has none.",
).holding(Holds::Between(0, 65_535))
.or_null();
const TRAFFIC_TYPE: Column = Column::new(
    "traffic_type",
    Text,
    "What the packets are by their headers, such as tcp-syn.",
)
.holding(Holds::Word(|word| {
    TrafficType::from_name(word).map(|it| it as u16)
}));
const CLASS: Column = Column::new(
    "class",
    Text,
    "Why the packets came, such as scan or backscatter.",
)
.holding(Holds::Word(|word| {
    Class::from_name(word).map(|it| it as u16)
}));
const TOOL: Column = Column::new(
    "tool",
    Text,
    "Program that sent the packets, or none where no tool is known.",
)
.holding(Holds::Word(|word| {
    Tool::from_name(word).map(|it| Mark::of(it) as u16)
}));
const ACTOR: Column = Column::new(
    "actor",
    Text,
    "Organisation that is known to be behind the source; empty where none is.",
);
const COUNTRY: Column = Column::new(
    "country",
    Text,
    "ISO 3166-1 alpha-2 code of the source's country, ZZ where it is unknown.",
)
.holding(Holds::Country);
const PACKETS: Column = Column::new("packets", Int64, "Number of packets.").holding(COUNTED);
const BYTES: Column = Column::new(
    "bytes",
    Int64,
    "Bytes of the packets on the wire, link-layer header included.",
)
.holding(NOT_NEGATIVE);
const SOURCES_SKETCH: Column = Column::new(
    "sources_sketch",
    Bytes,
    "Distinct sources as an Apache DataSketches HLL sketch (lg_k 12) of src_ip as text; sketches of several rows can be merged.",
).holding(Holds::Sketch);

/// The columns of `traffic` that say what leads: protocol, port, country, packets.
pub const LEADING_COLUMNS: [&str; 4] = [PROTOCOL.name, PORT.name, COUNTRY.name, PACKETS.name];
/// The column of `coverage` that counts the packets of the other tables.
pub const OBSERVED_COLUMN: &str = crate::counter::COUNTERS[1].name;
/// The columns that a rollup reads, in this order.
pub const ROLLUP_COLUMNS: [&str; 11] = [
    IP_VERSION.name,
    PROTOCOL.name,
    PORT.name,
    TRAFFIC_TYPE.name,
    CLASS.name,
    TOOL.name,
    ACTOR.name,
    COUNTRY.name,
    PACKETS.name,
    BYTES.name,
    SOURCES_SKETCH.name,
];
/// The columns of `payloads` that a rollup reads: protocol, port, signature, hash, packets, sources, first bytes.
pub const PAYLOAD_COLUMNS: [&str; 7] = [
    PROTOCOL.name,
    PORT.name,
    payloads::SIGNATURE.name,
    payloads::PAYLOAD_HASH.name,
    PACKETS.name,
    "sources",
    payloads::FIRST_BYTES.name,
];
/// The column of a rollup that says how many hours it is of.
pub const HOURS_COLUMN: &str = rolled_up::HOURS.name;

/// The columns that make a kind, in the order of kinds.
pub(crate) const KIND_ORDER: &[&str] = &[
    IP_VERSION.name,
    TRAFFIC_TYPE.name,
    CLASS.name,
    TOOL.name,
    PORT.name,
    PROTOCOL.name,
];
/// Pairs of columns: in a table with both, the first is never above the second.
pub(crate) const NEVER_ABOVE: &[(&str, &str)] = &[
    (sources::FIRST_SEEN.name, sources::LAST_SEEN.name),
    (sources::TOOL_PACKETS.name, PACKETS.name),
    (scans::START.name, scans::END.name),
    (attacks::PER_MINUTE_MAX.name, PACKETS.name),
];

/// Hour × kind × country.
pub const TRAFFIC: Table = Table {
    name: "traffic",
    row: "hour × kind × country",
    span: Span::Hour,
    columns: &columns::<_, { TRAFFIC_ROWS.len() }>(TRAFFIC_ROWS),
    order: KIND_ORDER,
    apart: &[ACTOR.name, COUNTRY.name],
};

/// Hour × source × kind.
pub const SOURCES: Table = Table {
    name: "sources",
    row: "hour × source × kind",
    span: Span::Hour,
    columns: &columns::<_, { SOURCES_ROWS.len() }>(SOURCES_ROWS),
    order: &[
        IP_VERSION.name,
        sources::SRC_IP.name,
        TRAFFIC_TYPE.name,
        CLASS.name,
        TOOL.name,
        PORT.name,
        PROTOCOL.name,
    ],
    apart: &[],
};

/// A minute in which the sensor observed.
pub const COVERAGE: Table = Table {
    name: "coverage",
    row: "minute",
    span: Span::Hour,
    columns: &columns::<_, { COVERAGE_ROWS.len() }>(COVERAGE_ROWS),
    order: &[coverage::MINUTE_START.name],
    apart: &[],
};

/// Hour × service × payload. Its packets are those of `traffic` over TCP and UDP that carry data.
pub const PAYLOADS: Table = Table {
    name: "payloads",
    row: "hour × protocol × port × payload: a known one by its signature, an unknown one by its hash",
    span: Span::Hour,
    columns: &columns::<_, { PAYLOADS_ROWS.len() }>(PAYLOADS_ROWS),
    order: &[
        PROTOCOL.name,
        PORT.name,
        payloads::SIGNATURE.name,
        payloads::PAYLOAD_HASH.name,
    ],
    apart: &[],
};

/// Minute × victim × attacked service × type of reply. Its packets are backscatter of `traffic`; ICMP errors whose quoted packet is cut off
/// before its destination are missing.
pub const BACKSCATTER: Table = Table {
    name: "backscatter",
    row: "minute × victim × attacked protocol × port × traffic type of the replies",
    span: Span::Hour,
    columns: &columns::<_, { BACKSCATTER_ROWS.len() }>(BACKSCATTER_ROWS),
    order: &[
        IP_VERSION.name,
        backscatter::VICTIM_IP.name,
        PROTOCOL.name,
        PORT.name,
        TRAFFIC_TYPE.name,
        coverage::MINUTE_START.name,
    ],
    apart: &[],
};

/// Day × kind × country, rolled up from [`TRAFFIC`].
pub const TRAFFIC_DAILY: Table = Table {
    name: "traffic_daily",
    row: "day × kind × country",
    span: Span::Day,
    columns: &columns::<_, { ROLLED_UP_ROWS.len() }>(ROLLED_UP_ROWS),
    order: &[IP_VERSION.name, PROTOCOL.name, PORT.name],
    apart: &[
        TRAFFIC_TYPE.name,
        CLASS.name,
        TOOL.name,
        ACTOR.name,
        COUNTRY.name,
    ],
};

/// Month × kind × country, rolled up from [`TRAFFIC_DAILY`].
pub const TRAFFIC_MONTHLY: Table = Table {
    name: "traffic_monthly",
    row: "month × kind × country",
    span: Span::Month,
    columns: &rolled_up::MONTHLY,
    order: TRAFFIC_DAILY.order,
    apart: TRAFFIC_DAILY.apart,
};

/// Day × one property at a time, rolled up from [`TRAFFIC`].
pub const MARGINALS_DAILY: Table = Table {
    name: "marginals_daily",
    row: "day × class × one of hour, traffic type, tool, organisation and country",
    span: Span::Day,
    columns: &columns::<_, { MARGINALS_DAILY_ROWS.len() }>(MARGINALS_DAILY_ROWS),
    order: &[
        marginals_daily::PROPERTY.name,
        marginals_daily::HOUR.name,
        IP_VERSION.name,
        CLASS.name,
        PROTOCOL.name,
        novelties::VALUE.name,
    ],
    apart: &[],
};

/// Day × port, rolled up from [`TRAFFIC`].
pub const ASKED_PORTS_DAILY: Table = Table {
    name: "asked_ports_daily",
    row: "day × IP version × port asked for, sought as a reflector, or attacked",
    span: Span::Day,
    columns: &columns::<_, { ASKED_PORTS_ROWS.len() }>(ASKED_PORTS_ROWS),
    order: &[
        asked_ports::ROLE.name,
        IP_VERSION.name,
        PROTOCOL.name,
        PORT.name,
    ],
    apart: &[],
};

/// Month × port, rolled up from [`ASKED_PORTS_DAILY`].
pub const ASKED_PORTS_MONTHLY: Table = Table {
    name: "asked_ports_monthly",
    row: "month × IP version × port asked for, sought as a reflector, or attacked",
    span: Span::Month,
    columns: &asked_ports::MONTHLY,
    order: ASKED_PORTS_DAILY.order,
    apart: &[],
};

/// Day × survey rule, country of infected hosts, or port of survey scanners, rolled up from [`SOURCES`].
pub const SURVEY_DAILY: Table = Table {
    name: "survey_daily",
    row: "day × survey rule, country of infected hosts, or port of survey scanners",
    span: Span::Day,
    columns: &columns::<_, { SURVEY_DAILY_ROWS.len() }>(SURVEY_DAILY_ROWS),
    order: &[
        survey_daily::WHAT.name,
        novelties::VALUE.name,
        PROTOCOL.name,
        PORT.name,
    ],
    apart: &[],
};

/// Day × source, rolled up from [`SOURCES`].
pub const SOURCES_DAILY: Table = Table {
    name: "sources_daily",
    row: "day × source",
    span: Span::Day,
    columns: &columns::<_, { SOURCES_DAILY_ROWS.len() }>(SOURCES_DAILY_ROWS),
    order: &[IP_VERSION.name, sources::SRC_IP.name],
    apart: &[],
};

/// Day × source that at least one survey rule names, rolled up from [`SOURCES`].
pub const SCANNERS_DAILY: Table = Table {
    name: "scanners_daily",
    row: "day × source that at least one survey rule names",
    span: Span::Day,
    columns: &columns::<_, { SCANNERS_DAILY_ROWS.len() }>(SCANNERS_DAILY_ROWS),
    order: &[IP_VERSION.name, sources::SRC_IP.name],
    apart: &[],
};

/// Day × service × class, rolled up from [`SOURCES`].
pub const PORTS_DAILY: Table = Table {
    name: "ports_daily",
    row: "day × protocol × port × class",
    span: Span::Day,
    columns: &columns::<_, { PORTS_DAILY_ROWS.len() }>(PORTS_DAILY_ROWS),
    order: &[IP_VERSION.name, PROTOCOL.name, PORT.name, CLASS.name],
    apart: &[],
};

/// Day × group of sources that act alike, made from [`SOURCES`].
pub const CAMPAIGNS_DAILY: Table = Table {
    name: "campaigns_daily",
    row: "day × group of sources that act alike",
    span: Span::Day,
    columns: &columns::<_, { CAMPAIGNS_DAILY_ROWS.len() }>(CAMPAIGNS_DAILY_ROWS),
    order: &[scans::ID.name],
    apart: &[],
};

/// Thing not seen before or unusually high, in the hour of its first packet of the day, made by a rollup.
pub const NOVELTIES: Table = Table {
    name: "novelties",
    row: "thing not seen before, or never by so many sources, in the hour it appeared",
    span: Span::Hour,
    columns: &columns::<_, { NOVELTIES_ROWS.len() }>(NOVELTIES_ROWS),
    order: &[novelties::WHAT.name, novelties::VALUE.name],
    apart: &[],
};

/// Scan event, in the hour of its last packet, made from [`SOURCES`] by a rollup.
pub const SCANS: Table = Table {
    name: "scans",
    row: "scan event, in the hour it ended",
    span: Span::Hour,
    columns: &columns::<_, { SCANS_ROWS.len() }>(SCANS_ROWS),
    order: &[
        IP_VERSION.name,
        sources::SRC_IP.name,
        TRAFFIC_TYPE.name,
        PORT.name,
        PROTOCOL.name,
        scans::START.name,
    ],
    apart: &[],
};

/// Denial-of-service event, in the hour of its last packet, made from [`BACKSCATTER`] by a rollup.
pub const ATTACKS: Table = Table {
    name: "attacks",
    row: "denial-of-service event, in the hour it ended",
    span: Span::Hour,
    columns: &columns::<_, { ATTACKS_ROWS.len() }>(ATTACKS_ROWS),
    order: &[
        IP_VERSION.name,
        attacks::VICTIM_PREFIX.name,
        attacks::ATTACKED_IP.name,
        PROTOCOL.name,
        scans::START.name,
    ],
    apart: &[scans::ID.name],
};

/// Tables of events that outlive an hour. They are made from the other tables, so a rollup makes them again after a merge.
pub const EVENTS: &[Table] = &[SCANS, ATTACKS, NOVELTIES];

/// Every table of hours.
pub const TABLES: &[Table] = &[TRAFFIC, SOURCES, COVERAGE, PAYLOADS, BACKSCATTER];
/// Tables of longer periods, made from those of hours.
pub const ROLLUPS: &[Table] = &[
    TRAFFIC_DAILY,
    TRAFFIC_MONTHLY,
    SOURCES_DAILY,
    SCANNERS_DAILY,
    PORTS_DAILY,
    CAMPAIGNS_DAILY,
    MARGINALS_DAILY,
    ASKED_PORTS_DAILY,
    ASKED_PORTS_MONTHLY,
    SURVEY_DAILY,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_a_valid_parquet_message() {
        for table in TABLES.iter().chain(ROLLUPS) {
            let message = table.parquet_type();
            assert_eq!(message.get_fields().len(), table.columns.len());
        }
    }

    /// Words that DuckDB, Spark or Trino do not take for a column without quotes.
    const RESERVED: &str = "all analyse analyze and any array as asc asymmetric between both by case cast check collate column constraint \
        create cross current_date current_time default deferrable desc describe distinct do else end escape except exists false fetch for \
        foreign from full group having in initially inner intersect into is join lateral leading left like limit natural not null offset \
        on only or order outer pivot placing primary qualify references returning right select show some summarize symmetric table then \
        to trailing true union unique unpivot using values variadic when where window with";

    #[test]
    fn every_column_can_be_named_without_quotes() {
        for table in TABLES.iter().chain(ROLLUPS) {
            for column in table.columns {
                let is_reserved = RESERVED.split_whitespace().any(|word| word == column.name);
                assert!(!is_reserved, "{}.{}", table.name, column.name);
            }
        }
    }

    #[test]
    fn every_column_stands_once_and_means_a_sentence() {
        for table in TABLES.iter().chain(ROLLUPS) {
            for (index, column) in table.columns.iter().enumerate() {
                let name = column.name;
                assert!(column.meaning.ends_with('.'), "{}.{name}", table.name);
                let before = &table.columns[..index];
                assert!(
                    before.iter().all(|other| other.name != name),
                    "{}.{name}",
                    table.name
                );
            }
        }
    }
}
