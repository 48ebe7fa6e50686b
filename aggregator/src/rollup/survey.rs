//! Which sources of a day scan as a survey does: each named rule of the field with its thresholds, which stand in the metadata.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::event::groups::ServiceGroup;
use crate::schema::{SURVEY_RULES, ScannerDay, SourceDay};

/// Sources of a day that rules of fixed thresholds may name: the others are counted.
const SCANNERS_MAX: usize = 1 << 22;
/// Sources that are kept to find the top 0.01 %: enough for a day of 655 million.
const TOP_MAX: usize = 1 << 16;
/// One source in so many is of the top.
const TOP_SHARE: u64 = 10_000;
/// One dark address in so many is enough to be aggressive by dispersion.
const DISPERSION_SHARE: u64 = 10;

/// Thresholds of the rules. Sources: REFERENCE of NICTER (annual reports), National Police Agency (monthly), JPCERT/CC TSUBAME (quarterly).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurveyRules {
    /// Ports of NICTER's rule.
    pub nicter_ports: u64,
    /// Packets of NICTER's rule.
    pub nicter_packets: u64,
    /// Ports of the police's rule.
    pub police_ports: u64,
    /// Ports of JPCERT/CC's rule.
    pub jpcert_ports: u64,
    /// Ports from which on `ports_daily` takes a source for a survey scanner.
    pub survey_ports: u64,
}

impl Default for SurveyRules {
    fn default() -> Self {
        SurveyRules {
            nicter_ports: 30,
            nicter_packets: 300_000,
            police_ports: 100,
            jpcert_ports: 11,
            survey_ports: 30,
        }
    }
}

impl SurveyRules {
    /// Whether `ports_daily` takes a source for a survey scanner.
    #[must_use]
    pub(super) fn surveys(&self, day: &SourceDay) -> bool {
        !day.actor.is_empty() || day.ports >= self.survey_ports
    }

    /// The thresholds as text, for a note of what days are made of.
    #[must_use]
    pub(super) fn text(&self) -> String {
        format!("{self:?}")
    }
}

/// A source by what it is ranked by, then by its place in the day, so that equal ones rank alike.
#[derive(Clone, Debug)]
struct RankedSource {
    value: u64,
    number: Reverse<u64>,
    row: Arc<ScannerDay>,
}

impl RankedSource {
    fn key(&self) -> (u64, Reverse<u64>) {
        (self.value, self.number)
    }
}

impl PartialEq for RankedSource {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for RankedSource {}

impl PartialOrd for RankedSource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RankedSource {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The sources with the most of something, [`TOP_MAX`] of them; none where the day has too few sources for a top.
#[derive(Debug)]
struct TopSources {
    most: usize,
    heap: BinaryHeap<Reverse<RankedSource>>,
}

impl TopSources {
    fn new(most: usize) -> Self {
        TopSources {
            most,
            heap: BinaryHeap::new(),
        }
    }

    fn wants(&self, value: u64, number: u64) -> bool {
        let is_above =
            |Reverse(least): &Reverse<RankedSource>| (value, Reverse(number)) > least.key();
        self.heap.len() < self.most || self.heap.peek().is_some_and(is_above)
    }

    fn push(&mut self, ranked: RankedSource) {
        if self.heap.len() == self.most {
            self.heap.pop();
        }
        self.heap.push(Reverse(ranked));
    }

    /// The value of the `count`th from the top; none of no one.
    fn threshold(&self, count: usize) -> Option<u64> {
        let mut values: Vec<u64> = self.heap.iter().map(|Reverse(it)| it.value).collect();
        values.sort_unstable_by_key(|value| Reverse(*value));
        values.get(count.checked_sub(1)?).copied()
    }
}

/// The scanners of a day, gathered source by source.
#[derive(Debug)]
pub(super) struct SurveyGathering {
    rules: SurveyRules,
    addresses: Option<u64>,
    scanners: BTreeMap<u64, ScannerDay>,
    by_packets: TopSources,
    by_ports: TopSources,
    sources: u64,
    left_out: u64,
}

impl SurveyGathering {
    /// No source yet, of a telescope with so many dark addresses; no more than `sources_max` will come.
    #[must_use]
    pub(super) fn new(rules: SurveyRules, addresses: Option<u64>, sources_max: u64) -> Self {
        let most = if sources_max < TOP_SHARE { 0 } else { TOP_MAX };
        SurveyGathering {
            rules,
            addresses,
            scanners: BTreeMap::new(),
            by_packets: TopSources::new(most),
            by_ports: TopSources::new(most),
            sources: 0,
            left_out: 0,
        }
    }

    /// Takes the next source with the services that it asked for; `number` is its place in the day.
    pub(super) fn add(&mut self, number: u64, day: &SourceDay, services: &[ServiceGroup]) {
        let packets = services.iter().map(|service| service.packets);
        let packets = packets.fold(0, u64::saturating_add);
        if packets == 0 && day.actor.is_empty() {
            return;
        }
        self.sources += u64::from(packets > 0);
        let rules = &self.rules;
        let (ports, destinations) = (day.ports, day.destinations);
        let is_wide = |addresses: u64| {
            destinations.saturating_mul(DISPERSION_SHARE) >= addresses && packets > 0
        };
        let named = [
            !day.actor.is_empty(),
            ports >= rules.nicter_ports && packets >= rules.nicter_packets,
            ports >= rules.police_ports,
            ports >= rules.jpcert_ports,
            self.addresses.is_some_and(is_wide),
            false,
            false,
        ];
        let is_named = named.contains(&true);
        let is_top = [
            self.by_packets.wants(packets, number),
            self.by_ports.wants(ports, number),
        ];
        if !is_named && is_top == [false; 2] {
            return;
        }
        let row = ScannerDay {
            source: day.source.clone(),
            ip_version: day.ip_version,
            actor: day.actor.clone(),
            country: day.country,
            asn: day.asn,
            packets,
            ports,
            destinations,
            rules: named,
        };
        if is_top != [false; 2] {
            let row = Arc::new(row.clone());
            let ranked = |value| RankedSource {
                value,
                number: Reverse(number),
                row: Arc::clone(&row),
            };
            if is_top[0] {
                self.by_packets.push(ranked(packets));
            }
            if is_top[1] {
                self.by_ports.push(ranked(ports));
            }
        }
        if is_named && self.scanners.len() < SCANNERS_MAX {
            self.scanners.insert(number, row);
        } else if is_named {
            self.left_out += 1;
        }
    }

    /// The rows in the order of their sources, and what the metadata says of the rules.
    #[must_use]
    pub(super) fn finish(mut self) -> (Vec<ScannerDay>, Vec<(String, String)>) {
        let count = (self.sources / TOP_SHARE) as usize;
        let packets_min = self.by_packets.threshold(count);
        let ports_min = self.by_ports.threshold(count);
        for Reverse(ranked) in self.by_packets.heap.iter().chain(&self.by_ports.heap) {
            let row = self.scanners.entry(ranked.number.0);
            row.or_insert_with(|| (*ranked.row).clone());
        }
        let mut rows: Vec<ScannerDay> = self.scanners.into_values().collect();
        for row in &mut rows {
            row.rules[5] = packets_min.is_some_and(|least| row.packets >= least);
            row.rules[6] = ports_min.is_some_and(|least| row.ports >= least);
        }
        rows.retain(|row| row.rules.contains(&true));
        let rules = &self.rules;
        let asks_for: [Value; SURVEY_RULES.len()] = [
            json!({"actor": "named"}),
            json!({"ports_min": rules.nicter_ports, "packets_min": rules.nicter_packets}),
            json!({"ports_min": rules.police_ports}),
            json!({"ports_min": rules.jpcert_ports}),
            json!({"destinations_min": self.addresses.map(|all| all.div_ceil(DISPERSION_SHARE))}),
            json!({"packets_min": packets_min, "share": 1.0 / TOP_SHARE as f64, "of_sources": self.sources}),
            json!({"ports_min": ports_min, "share": 1.0 / TOP_SHARE as f64, "of_sources": self.sources}),
        ];
        let mut notes: Vec<(String, String)> = SURVEY_RULES
            .iter()
            .zip(asks_for)
            .map(|((name, _), asks_for)| ((*name).to_owned(), asks_for.to_string()))
            .collect();
        notes.push(("scanners_left_out".to_owned(), self.left_out.to_string()));
        (rows, notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::service::AskedService;
    use crate::role::Role;

    fn gathered(sources: u64, sources_max: u64) -> (Vec<ScannerDay>, Vec<(String, String)>) {
        let mut survey = SurveyGathering::new(SurveyRules::default(), Some(256), sources_max);
        for number in 0..sources {
            let packets = 1 + number.wrapping_mul(2_654_435_761) % 5_000;
            let day = SourceDay {
                source: number.to_string().into_bytes(),
                ip_version: 4,
                country: *b"ZZ",
                asn: None,
                actor: "".into(),
                packets,
                bytes: packets * 60,
                classes: Default::default(),
                ports: number % 13,
                destinations: 1,
                hours: 1,
                tools: String::new(),
                mirai_packets: 0,
                role: Role::None,
                stacks: String::new(),
                first_us: 0,
                last_us: 0,
            };
            let service = ServiceGroup {
                service: AskedService::new(6, Some(23)),
                packets,
                first_us: 0,
            };
            survey.add(number, &day, &[service]);
        }
        survey.finish()
    }

    #[test]
    fn a_day_of_few_sources_is_the_same_where_their_number_is_known() {
        let text = |(rows, notes): (Vec<ScannerDay>, _)| format!("{rows:?} {notes:?}");
        assert_eq!(
            text(gathered(9_999, 9_999)),
            text(gathered(9_999, u64::MAX))
        );
        // From as many on there is a top.
        let (rows, _) = gathered(10_000, 10_000);
        assert!(rows.iter().any(|row| row.rules[5]));
    }
}
