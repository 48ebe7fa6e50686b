//! The tables of the contract. Each table has a file here with a row for each column: its name, its type, what it means, and how it is
//! filled from the rows of a row group. The Parquet schema, the builder and the documentation all read these rows, so they cannot
//! disagree; a column is added by adding its row. Nothing else may spell a column's name for writing.

mod coverage;
mod group;
mod payloads;
mod rolled_up;
mod slot;
mod sources;
mod traffic;

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::schema::types::{Type, TypePtr};

pub(crate) use coverage::{CoverageMinute, CoverageRows, ROWS as COVERAGE_ROWS};
pub(crate) use group::{Cutter, Group};
pub(crate) use payloads::{PayloadRows, ROWS as PAYLOADS_ROWS};
pub(crate) use rolled_up::{ROWS as ROLLED_UP_ROWS, RolledKey, RolledRow, RolledRows};
pub(crate) use slot::{Filled, Row, Slot, encode_group};
pub(crate) use sources::{Origin, ROWS as SOURCES_ROWS, SourceChunk, SourceRows};
pub(crate) use traffic::{Key, ROWS as TRAFFIC_ROWS, Sums, TrafficRows};

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
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in the file.
    pub name: &'static str,
    /// How it is stored.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it means, a sentence with the unit.
    pub meaning: &'static str,
}

impl Column {
    /// A column that has a value in every row.
    const fn new(name: &'static str, column_type: ColumnType, meaning: &'static str) -> Self {
        Column {
            name,
            column_type,
            nullable: false,
            meaning,
        }
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

fn parquet_field(column: &Column) -> TypePtr {
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

/// The columns of rows, in their order.
const fn columns<F: Copy, const N: usize>(rows: &[Row<F>]) -> [Column; N] {
    let mut columns = [SENSOR; N];
    let mut index = 0;
    while index < N {
        columns[index] = rows[index].column;
        index += 1;
    }
    columns
}

use ColumnType::{Bytes, Int32, Int64, Text, TimestampMicros};

// Columns that several tables have with one meaning.
const HOUR_START: Column = Column::new(
    "hour_start",
    TimestampMicros,
    "Start of the hour in UTC, microseconds since 1970-01-01.",
);
const SENSOR: Column = Column::new("sensor", Text, "Name of the sensor that observed the row.");
const IP_VERSION: Column = Column::new(
    "ip_version",
    Int32,
    "Version of the outermost IP header: 4 or 6.",
);
const PROTOCOL: Column = Column::new(
    "protocol",
    Int32,
    "IANA protocol number behind the outermost IP header, such as 6 for TCP and 17 for UDP.",
);
const PORT: Column = Column::new(
    "port",
    Int32,
    "Port of the service asked for; for backscatter the attacked service's; null where the protocol has none.",
)
.or_null();
const TRAFFIC_TYPE: Column = Column::new(
    "traffic_type",
    Text,
    "What the packets are by their headers, such as tcp-syn.",
);
const CLASS: Column = Column::new(
    "class",
    Text,
    "Why the packets came, such as scan or backscatter.",
);
const TOOL: Column = Column::new(
    "tool",
    Text,
    "Program that sent the packets, or none where no tool is known.",
);
const ACTOR: Column = Column::new(
    "actor",
    Text,
    "Organisation that is known to be behind the source; empty where none is.",
);
const COUNTRY: Column = Column::new(
    "country",
    Text,
    "ISO 3166-1 alpha-2 code of the source's country, ZZ where it is unknown.",
);
const PACKETS: Column = Column::new("packets", Int64, "Number of packets.");
const BYTES: Column = Column::new(
    "bytes",
    Int64,
    "Bytes of the packets on the wire, link-layer header included.",
);
const SOURCES_SKETCH: Column = Column::new(
    "sources_sketch",
    Bytes,
    "Distinct sources as an Apache DataSketches HLL sketch (lg_k 12) of src_ip as text; sketches of several rows can be merged.",
);

/// The column of `traffic` and `sources` that counts packets.
pub const PACKETS_COLUMN: &str = PACKETS.name;
/// The column of `traffic` and `sources` that counts bytes.
pub const BYTES_COLUMN: &str = BYTES.name;
/// The column of `coverage` that counts the packets of the other tables.
pub const OBSERVED_COLUMN: &str = crate::counter::COUNTERS[1].name;
/// What a rollup reads of a row, in this order.
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
/// The column that says when a row of an hour, or of a longer period, begins.
pub const START_COLUMNS: [&str; 2] = [HOUR_START.name, rolled_up::DAY_START.name];
/// The column of a rollup that says how many hours it is of.
pub const HOURS_COLUMN: &str = rolled_up::HOURS.name;

/// Hour × kind × country.
pub const TRAFFIC: Table = Table {
    name: "traffic",
    row: "hour × kind × country",
    span: Span::Hour,
    columns: &columns::<_, { TRAFFIC_ROWS.len() }>(TRAFFIC_ROWS),
};

/// Columns of `sources` that say who sent how much: address, network, packets.
pub const SOURCE_COLUMNS: [&str; 3] = ["src_ip", "asn", "packets"];

/// Hour × source × kind.
pub const SOURCES: Table = Table {
    name: "sources",
    row: "hour × source × kind",
    span: Span::Hour,
    columns: &columns::<_, { SOURCES_ROWS.len() }>(SOURCES_ROWS),
};

/// A minute in which the sensor observed.
pub const COVERAGE: Table = Table {
    name: "coverage",
    row: "minute",
    span: Span::Hour,
    columns: &columns::<_, { COVERAGE_ROWS.len() }>(COVERAGE_ROWS),
};

/// Hour × service × payload. Its packets are those of `traffic` over TCP and UDP that carry data.
pub const PAYLOADS: Table = Table {
    name: "payloads",
    row: "hour × protocol × port × payload: a known one by its signature, an unknown one by its hash",
    span: Span::Hour,
    columns: &columns::<_, { PAYLOADS_ROWS.len() }>(PAYLOADS_ROWS),
};

/// Day × kind × country, rolled up from [`TRAFFIC`].
pub const TRAFFIC_DAILY: Table = Table {
    name: "traffic_daily",
    row: "day × kind × country",
    span: Span::Day,
    columns: &columns::<_, { ROLLED_UP_ROWS.len() }>(ROLLED_UP_ROWS),
};

/// Month × kind × country, rolled up from [`TRAFFIC_DAILY`].
pub const TRAFFIC_MONTHLY: Table = Table {
    name: "traffic_monthly",
    row: "month × kind × country",
    span: Span::Month,
    columns: TRAFFIC_DAILY.columns,
};

/// Every table of hours.
pub const TABLES: &[Table] = &[TRAFFIC, SOURCES, COVERAGE, PAYLOADS];
/// Tables of longer periods, made from those of hours.
pub const ROLLUPS: &[Table] = &[TRAFFIC_DAILY, TRAFFIC_MONTHLY];

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
