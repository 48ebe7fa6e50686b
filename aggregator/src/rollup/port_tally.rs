//! `ports_daily`: sums by service and class, over the sources of a day.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::service_table::ServiceTable;
use crate::event::groups::ClassGroup;
use crate::event::service::AskedService;
use crate::schema::{PortKey, PortSums};
use teiten_observation::Class;

/// IPv4 and IPv6.
const VERSIONS: usize = 2;

/// Sums by service and class.
#[derive(Debug, Default)]
pub(super) struct PortTally {
    tables: [[ServiceTable<PortSums>; Class::ALL.len()]; VERSIONS],
}

impl PortTally {
    /// Adds a source: its packets by service and class.
    pub(super) fn add(&mut self, ip_version: u8, classes: &[ClassGroup], surveys: bool) {
        let tables = &mut self.tables[usize::from(ip_version != 4)];
        for group in classes {
            let sums = tables[group.class as usize].entry(group.service);
            sums.packets = sums.packets.saturating_add(group.packets);
            sums.bytes = sums.bytes.saturating_add(group.bytes);
            sums.mirai_packets = sums.mirai_packets.saturating_add(group.mirai_packets);
            sums.sources += 1;
            if surveys {
                sums.survey_packets = sums.survey_packets.saturating_add(group.packets);
                sums.survey_sources += 1;
            }
        }
    }

    /// Packets of all classes by service.
    pub(super) fn packets_by_service(&self) -> HashMap<AskedService, u64, RandomState> {
        let mut packets = HashMap::default();
        let entries = self.tables.iter().flatten().map(ServiceTable::entries);
        for (service, sums) in entries.flatten() {
            let of_service: &mut u64 = packets.entry(*service).or_default();
            *of_service = of_service.saturating_add(sums.packets);
        }
        packets
    }

    /// The rows in the order of the table.
    pub(super) fn finish(self) -> Vec<(PortKey, PortSums)> {
        let mut rows = Vec::new();
        for (ip_version, of_version) in [4, 6].into_iter().zip(self.tables) {
            for (class, table) in Class::ALL.iter().zip(of_version) {
                let entries = table.into_entries().into_iter();
                rows.extend(entries.map(|(service, sums)| {
                    let key = PortKey {
                        ip_version,
                        protocol: service.protocol(),
                        port: service.port(),
                        class: *class,
                    };
                    (key, sums)
                }));
            }
        }
        rows.sort_unstable_by_key(|(key, _)| *key);
        rows
    }
}
