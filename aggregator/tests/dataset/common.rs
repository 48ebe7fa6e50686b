//! What several tests of the aggregator begin with.

use std::path::Path;
use std::sync::Arc;

use teiten_aggregator::close::Closer;
use teiten_aggregator::minute::{SECONDS, SecondSet};
use teiten_aggregator::origin::Origins;
use teiten_aggregator::store::{PartName, Store};
use teiten_observation::TelescopeSize;

/// Closes hours of a sensor and run without country data, for a telescope of so many IPv4 addresses.
pub(crate) fn closer(directory: &Path, (sensor, run): (&str, &str), addresses: u64) -> Closer {
    Closer {
        store: Store::at(directory),
        name: PartName::new(sensor, run).expect("a good name"),
        identity: "0123456789abcdef".to_owned(),
        origins: Arc::new(Origins::empty()),
        addresses: Some(TelescopeSize {
            ipv4: addresses,
            ipv6: 0,
        }),
        configuration_sha256: "none".to_owned(),
        threads: 2,
        source_rows_max: 1 << 20,
        contributions_bytes: 1 << 20,
        inputs: None,
        journal_through: None,
    }
}

/// An hour that was observed from its first second to its last.
#[allow(dead_code, reason = "not all tests write coverage")]
pub(crate) fn all_seconds() -> SecondSet {
    let mut seconds = SecondSet::default();
    seconds.insert_range(0, SECONDS);
    seconds
}
