//! Names of columns, for programs that read the tables. Each is the name of a column's row in the schema, so it is spelled there alone.

use teiten_observation::Class;

use super::{
    ATTACKS, CAMPAIGNS_DAILY, Column, NOVELTIES, SCANS, Table, asked_ports, coverage,
    marginals_daily, rolled_up, sources, sources_daily, survey_daily,
};

/// The column of a table that has this name; a name that no column has does not compile.
const fn column(table: &Table, name: &str) -> Column {
    let mut place = 0;
    while place < table.columns.len() {
        if is_equal(table.columns[place].name, name) {
            return table.columns[place];
        }
        place += 1;
    }
    panic!("no column of the table has this name");
}

const fn is_equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut place = 0;
    while place < left.len() && place < right.len() && left[place] == right[place] {
        place += 1;
    }
    place == left.len() && place == right.len()
}

/// Defines each name from its column.
macro_rules! names {
    ($($name:ident = $column:expr,)*) => {
        $(
            #[doc = concat!("Name of the column `", stringify!($name), "`, in lower case.")]
            pub const $name: &str = $column.name;
        )*
    };
}

names! {
    HOUR_START = super::HOUR_START,
    MINUTE_START = coverage::MINUTE_START,
    SENSOR = super::SENSOR,
    SRC_IP = sources::SRC_IP,
    IP_VERSION = super::IP_VERSION,
    PROTOCOL = super::PROTOCOL,
    PORT = super::PORT,
    TRAFFIC_TYPE = super::TRAFFIC_TYPE,
    CLASS = super::CLASS,
    TOOL = super::TOOL,
    ACTOR = super::ACTOR,
    COUNTRY = super::COUNTRY,
    ASN = sources::ASN,
    PACKETS = super::PACKETS,
    BYTES = super::BYTES,
    SOURCES_SKETCH = super::SOURCES_SKETCH,
    ADDRESSES = coverage::ADDRESSES,
    SECONDS = coverage::SECONDS,
    ADDRESSES_IPV4 = coverage::ADDRESSES_IPV4,
    ADDRESSES_IPV6 = coverage::ADDRESSES_IPV6,
    DAY = rolled_up::DAY,
    PROPERTY = marginals_daily::PROPERTY,
    ROLE = asked_ports::ROLE,
    SOURCES_ESTIMATE = asked_ports::SOURCES_ESTIMATE,
    HOSTS = survey_daily::HOSTS,
    HOSTS_SEVERAL = survey_daily::SEVERAL,
    LARGEST_NETWORK = survey_daily::LARGEST_NETWORK,
    ID = column(&ATTACKS, "id"),
    KIND = column(&ATTACKS, "kind"),
    VICTIM_IP = column(&ATTACKS, "victim_ip"),
    VICTIMS = column(&ATTACKS, "victims"),
    PORTS = column(&ATTACKS, "ports"),
    PORT_COUNT = column(&ATTACKS, "port_count"),
    START = column(&ATTACKS, "start"),
    END = column(&ATTACKS, "end"),
    PACKETS_PER_MINUTE_MAX = column(&ATTACKS, "packets_per_minute_max"),
    ESTIMATED_PPS = column(&ATTACKS, "estimated_pps"),
    FLOOR_PPS = column(&ATTACKS, "floor_pps"),
    ONGOING = column(&ATTACKS, "ongoing"),
    STATE = column(&CAMPAIGNS_DAILY, "state"),
    STACK_SIGNATURE = column(&CAMPAIGNS_DAILY, "stack_signature"),
    PAYLOAD = column(&CAMPAIGNS_DAILY, "payload"),
    SOURCES = column(&CAMPAIGNS_DAILY, "sources"),
    COUNTRIES = column(&CAMPAIGNS_DAILY, "countries"),
    NETWORKS = column(&CAMPAIGNS_DAILY, "networks"),
    FIRST_DAY = column(&CAMPAIGNS_DAILY, "first_day"),
    INFECTED = column(&CAMPAIGNS_DAILY, "infected"),
    WHY = column(&CAMPAIGNS_DAILY, "why"),
    WHAT = column(&NOVELTIES, "what"),
    VALUE = column(&NOVELTIES, "value"),
    USUAL_SOURCES = column(&NOVELTIES, "usual_sources"),
    RULE = column(&NOVELTIES, "rule"),
    SCORE = column(&NOVELTIES, "score"),
    SIZE = column(&SCANS, "size"),
    DESTINATIONS = column(&SCANS, "destinations"),
}

/// The column that counts the packets of a class, for each class in its order.
pub const CLASS_PACKETS: [&str; Class::ALL.len()] = {
    let mut names = [""; Class::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = sources_daily::CLASS_PACKETS[index].name;
        index += 1;
    }
    names
};
