//! The tables of the contract: their names, columns, types and units. Nothing else may spell a column's name for writing.
//!
//! A column is added here and in the builder that fills it (`close.rs`). The Parquet schema is derived from these rows.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::schema::types::{Type, TypePtr};

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
    /// Bytes.
    Bytes,
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
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// One table of the dataset.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Name of the table and of its folder.
    pub name: &'static str,
    /// What a row is.
    pub row: &'static str,
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

const fn column(
    name: &'static str,
    column_type: ColumnType,
    nullable: bool,
    meaning: &'static str,
) -> Column {
    Column {
        name,
        column_type,
        nullable,
        meaning,
    }
}

use ColumnType::{Bytes, Int32, Int64, Text, TimestampMicros};

/// The column of `traffic` and `sources` that counts packets.
pub const PACKETS_COLUMN: &str = PACKETS.name;
/// The column of `traffic` and `sources` that counts bytes.
pub const BYTES_COLUMN: &str = BYTES.name;
/// The column of `coverage` that counts the packets of the other tables.
pub const OBSERVED_COLUMN: &str = OBSERVED.name;

const OBSERVED: Column = column("observed", Int64, false, "packets counted in the tables");
const HOUR_START: Column = column(
    "hour_start",
    TimestampMicros,
    false,
    "start of the hour, UTC",
);
const SENSOR: Column = column("sensor", Text, false, "name of the sensor");
const IP_VERSION: Column = column("ip_version", Int32, false, "4 or 6");
const PROTOCOL: Column = column(
    "protocol",
    Int32,
    false,
    "IANA protocol number of the outermost IP header",
);
const PORT: Column = column(
    "port",
    Int32,
    true,
    "service asked for; for backscatter the attacked service",
);
const TRAFFIC_TYPE: Column = column("traffic_type", Text, false, "what the headers say");
const CLASS: Column = column("class", Text, false, "why the packet came");
const TOOL: Column = column("tool", Text, false, "program that sent it, or none");
const ACTOR: Column = column(
    "actor",
    Text,
    false,
    "organisation behind the source, or empty",
);
const COUNTRY: Column = column(
    "country",
    Text,
    false,
    "ISO 3166-1 alpha-2 of the source, ZZ unknown",
);
const PACKETS: Column = column("packets", Int64, false, "packets");
const BYTES: Column = column(
    "bytes",
    Int64,
    false,
    "bytes on the wire, link layer included",
);

/// Hour × kind × country.
pub const TRAFFIC: Table = Table {
    name: "traffic",
    row: "hour × kind × country",
    columns: &[
        HOUR_START,
        SENSOR,
        IP_VERSION,
        PROTOCOL,
        PORT,
        TRAFFIC_TYPE,
        CLASS,
        TOOL,
        ACTOR,
        COUNTRY,
        PACKETS,
        BYTES,
        column(
            "sources",
            Int64,
            false,
            "distinct sources of the row, exact",
        ),
        SOURCES_SKETCH,
    ],
};

const DAY_START: Column = column(
    "day_start",
    TimestampMicros,
    false,
    "start of the day, or of the month's first day, UTC",
);
const SOURCES_ESTIMATED: Column = column(
    "sources",
    Int64,
    false,
    "distinct sources of the row, by its sketch: up to 384 as good as exact, above with 1.6 % standard error",
);
const SOURCES_SKETCH: Column = column(
    "sources_sketch",
    Bytes,
    false,
    "Apache DataSketches HLL, lg_k 12, of src_ip as text",
);
const HOURS: Column = column(
    "hours",
    Int64,
    false,
    "hours of the period that have rows of this sensor",
);
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
pub const START_COLUMNS: [&str; 2] = [HOUR_START.name, DAY_START.name];
/// The column of a rollup that says how many hours it is of.
pub const HOURS_COLUMN: &str = HOURS.name;

const ROLLED_UP: &[Column] = &[
    DAY_START,
    SENSOR,
    IP_VERSION,
    PROTOCOL,
    PORT,
    TRAFFIC_TYPE,
    CLASS,
    TOOL,
    ACTOR,
    COUNTRY,
    PACKETS,
    BYTES,
    SOURCES_ESTIMATED,
    SOURCES_SKETCH,
    HOURS,
];

/// Day × kind × country, rolled up from [`TRAFFIC`].
pub const TRAFFIC_DAILY: Table = Table {
    name: "traffic_daily",
    row: "day × kind × country",
    columns: ROLLED_UP,
};

/// Month × kind × country, rolled up from [`TRAFFIC_DAILY`].
pub const TRAFFIC_MONTHLY: Table = Table {
    name: "traffic_monthly",
    row: "month × kind × country",
    columns: ROLLED_UP,
};

/// Hour × source × kind.
pub const SOURCES: Table = Table {
    name: "sources",
    row: "hour × source × kind",
    columns: &[
        HOUR_START,
        SENSOR,
        column(
            "src_ip",
            Text,
            false,
            "source address, or a prefix where small sources were folded",
        ),
        IP_VERSION,
        PROTOCOL,
        PORT,
        TRAFFIC_TYPE,
        CLASS,
        TOOL,
        ACTOR,
        COUNTRY,
        column("asn", Int64, true, "autonomous system of the source"),
        column(
            "role",
            Text,
            false,
            "probe, horizontal, vertical, block, backscatter or mixed: the source's part in the hour; empty below 3 packets",
        ),
        PACKETS,
        BYTES,
        column(
            "destinations",
            Int64,
            false,
            "distinct dark addresses: exact up to 128, above an estimate with 2.3 % standard error",
        ),
        column("first_seen", TimestampMicros, false, "first packet, UTC"),
        column("last_seen", TimestampMicros, false, "last packet, UTC"),
        column(
            "tool_packets",
            Int64,
            false,
            "packets that show the tool; of no tool: with a mark that the source's other packets did not confirm",
        ),
        column(
            "flags",
            Int32,
            false,
            "compatibility flags, a bit each, of all packets together; their meaning: teiten-sensor rules, version in flags_version",
        ),
        column(
            "stack_signature",
            Text,
            false,
            "window:options:df:initial TTL of the first SYN, empty without one, 65535:M1460,N,W8,N,N,S:df0:64",
        ),
    ],
};

/// A minute in which the sensor observed.
pub const COVERAGE: Table = Table {
    name: "coverage",
    row: "minute",
    columns: &[
        column(
            "minute_start",
            TimestampMicros,
            false,
            "start of the minute, UTC",
        ),
        SENSOR,
        column("received", Int64, false, "packets read or received"),
        OBSERVED,
        column(
            "outside",
            Int64,
            false,
            "packets to addresses outside the telescope",
        ),
        column(
            "excluded",
            Int64,
            false,
            "packets to or from excluded prefixes",
        ),
        column("not_ip", Int64, false, "frames without an IP header"),
        column(
            "malformed",
            Int64,
            false,
            "packets whose link or IP header is damaged",
        ),
        column("dropped_kernel", Int64, false, "packets the kernel dropped"),
        column(
            "dropped_interface",
            Int64,
            false,
            "packets the interface dropped",
        ),
        column(
            "late",
            Int64,
            false,
            "observed packets that came after their hour had closed",
        ),
        column(
            "collapsed",
            Int64,
            false,
            "observed packets whose source was folded into its prefix",
        ),
        column(
            "addresses",
            Int64,
            true,
            "dark addresses of the telescope, null where unknown",
        ),
        column(
            "seconds",
            Int64,
            false,
            "seconds of the minute that were observed, 0 to 60",
        ),
    ],
};

/// Hour × service × payload. Its packets are those of `traffic` over TCP and UDP that carry data.
pub const PAYLOADS: Table = Table {
    name: "payloads",
    row: "hour × protocol × port × payload: a known one by its signature, an unknown one by its hash",
    columns: &[
        HOUR_START,
        SENSOR,
        column(
            "protocol",
            Int32,
            false,
            "IANA protocol number: 6 TCP, 17 UDP",
        ),
        column(
            "port",
            Int32,
            true,
            "service asked for; for backscatter the attacked service; null where signatures on more than 16384 ports are counted together",
        ),
        column(
            "signature",
            Text,
            false,
            "name of the payload's signature (teiten-sensor rules), empty where unknown",
        ),
        column(
            "payload_hash",
            Text,
            false,
            "XXH64 (seed 0) of an unknown payload as captured, 16 hexadecimal digits; empty with a signature, and in the row that counts \
             together what exceeds 256 unknown payloads of a port or 32768 of the hour",
        ),
        PACKETS,
        column(
            "sources",
            Int64,
            false,
            "distinct sources: an estimate with 9.2 % standard error",
        ),
        column(
            "first_bytes",
            Bytes,
            false,
            "first 64 bytes of the payload; with a signature those of the smallest of its payloads",
        ),
    ],
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
}
