//! `survey_daily`: sums over the sources of a day, from the reading that the other tables of sources are made of.

use std::sync::Arc;

use super::service_table::ServiceTable;
use crate::by_source::{SourceKey, SourceLines};
use crate::event::groups::ServiceGroup;
use crate::schema::{SurveyDayRow, SurveyWhat};
use crate::survey::{AskedRow, Infected, RULES, SurveyDay, SurveySource, SurveySums};
use teiten_observation::Tool;

/// The sums of a day so far.
#[derive(Debug, Default)]
pub(super) struct SurveyTally {
    sums: SurveySums,
    packets: i64,
    /// Packets and hosts of survey scanners by protocol and port.
    ports: ServiceTable<[i64; 2]>,
    /// The source in hand.
    source: SurveySource,
}

impl SurveyTally {
    /// Adds a source of the day with the services that it asked for.
    pub(super) fn add(&mut self, key: SourceKey, source: &SourceLines, services: &[ServiceGroup]) {
        if key.ip_version != 4 {
            return;
        }
        let packets = services.iter().map(|service| service.packets as i64);
        self.packets += packets.sum::<i64>();
        let mut asking = source.lines.iter().filter(|line| line.asks());
        // Of country and network the last word counts.
        let Some(latest) = asking.clone().next_back() else {
            return;
        };
        if key.is_folded() {
            return;
        }
        let is_named = asking.clone().any(|line| line.actor != 0);
        let is_mirai = asking.any(|line| line.tool == Tool::Mirai);
        self.source.clear();
        for group in services {
            self.source.add(AskedRow {
                protocol: group.service.protocol(),
                port: group.service.port(),
                packets: group.packets as i64,
                is_named,
                is_mirai,
                country: latest.country,
                asn: latest.asn.map_or(0, i64::from),
            });
        }
        if !self.source.is_known() {
            return;
        }
        self.sums.add(&self.source);
        if !self.source.surveys() {
            return;
        }
        for group in services {
            let [packets, hosts] = self.ports.entry(group.service);
            *packets += group.packets as i64;
            *hosts += 1;
        }
    }

    /// The rows of the table, in its order.
    pub(super) fn finish(self) -> Vec<SurveyDayRow> {
        let day = self.sums.finish(self.packets);
        let mut rows = rules(&day);
        for (what, place, countries) in [
            (SurveyWhat::Mirai, 0, &day.mirai),
            (SurveyWhat::Device, 1, &day.devices),
        ] {
            rows.push(infected(what, "", &day.world[place]));
            let countries = countries.iter();
            rows.extend(
                countries
                    .map(|(code, hosts)| infected(what, &String::from_utf8_lossy(code), hosts)),
            );
        }
        let ports = self.ports.into_entries().into_iter();
        rows.extend(ports.map(|(service, [packets, hosts])| SurveyDayRow {
            protocol: Some(service.protocol()),
            port: service.port(),
            packets,
            hosts,
            ..empty(SurveyWhat::Port, "")
        }));
        rows.sort_unstable_by(|a, b| {
            let key =
                |row: &SurveyDayRow| (row.what, Arc::clone(&row.value), row.protocol, row.port);
            key(a).cmp(&key(b))
        });
        rows
    }
}

fn empty(what: SurveyWhat, value: &str) -> SurveyDayRow {
    SurveyDayRow {
        what,
        value: value.into(),
        protocol: None,
        port: None,
        packets: 0,
        hosts: 0,
        several: 0,
        largest_network: 0,
    }
}

fn infected(what: SurveyWhat, country: &str, hosts: &Infected) -> SurveyDayRow {
    SurveyDayRow {
        hosts: hosts.hosts,
        several: hosts.several,
        largest_network: hosts.largest_network,
        ..empty(what, country)
    }
}

fn rules(day: &SurveyDay) -> Vec<SurveyDayRow> {
    let mut rows = Vec::new();
    let mut push = |name: &str, packets: i64, hosts: i64| {
        rows.push(SurveyDayRow {
            packets,
            hosts,
            ..empty(SurveyWhat::Rule, name)
        });
    };
    push(SurveyDay::ALL, day.packets, day.hosts);
    for (place, rule) in RULES.iter().enumerate() {
        push(rule.name, day.rule_packets[place], day.rule_hosts[place]);
    }
    push(SurveyDay::NAMED, day.named_packets, 0);
    push(SurveyDay::SURVEY, day.survey_packets, 0);
    push(SurveyDay::TOP, day.top_packets, 0);
    rows
}
