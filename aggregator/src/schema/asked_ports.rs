//! The columns of `asked_ports_daily` and `asked_ports_monthly`: a row is a port and what it was asked for, over all
//! hosts and countries of an IP version.

use super::ColumnType::{Bytes, Double, Text};
use super::rolled_up::{DAY, MONTH};
use super::rows::{DayFill, DayRows, columns_of_rows};
use super::{
    BYTES, Column, ColumnRow, Holds, IP_VERSION, PACKETS, PORT, PROTOCOL, SENSOR, SOURCES_SKETCH,
};
use teiten_observation::{Class, spelled};

spelled! {
    /// Whom a port is counted for.
    PortRole {
        Asked = "asked",
        Reflector = "reflector",
        Attacked = "attacked",
    }
}

impl PortRole {
    /// The roles that packets of a class give a port: a reflector scan asks for it too.
    #[must_use]
    pub const fn of(class: Class) -> &'static [Self] {
        match class {
            Class::Scan | Class::Exploit => &[PortRole::Asked],
            Class::ReflectorScan => &[PortRole::Asked, PortRole::Reflector],
            Class::Backscatter => &[PortRole::Attacked],
            _ => &[],
        }
    }
}

/// What makes a row, in the order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AskedPort {
    pub role: PortRole,
    /// 4 or 6.
    pub ip_version: u8,
    pub protocol: u8,
    pub port: Option<u16>,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct AskedPortRow {
    pub key: AskedPort,
    pub packets: i64,
    pub bytes: i64,
    pub sources: f64,
    pub sketch: Vec<u8>,
}

/// The rows of a row group.
pub(crate) type AskedPortRows<'r> = DayRows<'r, AskedPortRow>;

pub(super) const ROLE: Column = Column::new(
    "role",
    Text,
    "asked: by scans, exploits and reflector scans; reflector: by reflector scans alone; attacked: as backscatter shows.",
)
.holding(Holds::Word(|word| {
    PortRole::from_name(word).map(|it| it as u16)
}));
pub(super) const SOURCES_ESTIMATE: Column = Column::new(
    "sources_estimate",
    Double,
    "Distinct sources of the IP version: exact up to 96, above an estimate with a standard error of 3.2 %.",
)
.or_null();

/// The columns, and how they are filled.
pub(crate) const ROWS: &[ColumnRow<DayFill<AskedPortRow>>] = columns_of_rows![group, row:
    DAY => every(group.day),
    SENSOR => every_text(group.sensor),
    ROLE => text(row.key.role.name().as_bytes()),
    IP_VERSION => few(row.key.ip_version.into()),
    PROTOCOL => few(row.key.protocol.into()),
    PORT => sparse(row.key.port.map(i64::from)),
    PACKETS => integer(row.packets),
    BYTES => integer(row.bytes),
    SOURCES_ESTIMATE => double(Some(row.sources)),
    Column::new(
        SOURCES_SKETCH.name,
        Bytes,
        "Distinct sources as an Apache DataSketches HLL sketch (lg_k 10) of src_ip as text; sketches of several rows can be merged.",
    )
    .holding(Holds::SmallSketch) => string(&row.sketch[..]),
];

/// The columns of a month.
pub(super) const MONTHLY: [Column; ROWS.len()] = {
    let mut columns = super::columns::<_, { ROWS.len() }>(ROWS);
    columns[0] = MONTH;
    columns
};
