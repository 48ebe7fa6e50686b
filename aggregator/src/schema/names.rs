//! Names of columns, for programs that read the tables. Each is the name of a column's row in the schema, so it is spelled there alone.

use teiten_observation::Class;

use super::{coverage, sources, sources_daily};

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
