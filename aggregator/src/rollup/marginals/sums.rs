//! The sums of a day of `traffic`, in arrays: by class and hour, type, tool, organisation or country, and by port. A row of `traffic` is
//! added to that of its hour; the others are made of the sums of the day by kind, which are fewer and come port by port. Nothing is hashed
//! for a row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use teiten_observation::{Class, Tool, TrafficType};

use super::super::kind_sums::{KindTexts, NumberedKey, SumRow};
use crate::columns::unknown;
use crate::hour::Hour;
use crate::schema::{
    AskedPort, AskedPortRow, Marginal, MarginalKey, MarginalRow, PortRole, RolledService, names,
};
use crate::sketch::distinct::{LG_K_SMALL, SourceSketch};
use crate::sketch::{SketchSources, SketchView};

/// Packets, bytes and sources of a marginal.
#[derive(Clone, Debug, Default)]
struct MarginalSum {
    packets: i64,
    bytes: i64,
    sources: SourceSketch,
}

impl MarginalSum {
    #[inline]
    fn count(&mut self, [packets, bytes]: [i64; 2]) -> &mut SourceSketch {
        self.packets += packets;
        self.bytes += bytes;
        &mut self.sources
    }
}

/// Packets, bytes and sources of a port.
#[derive(Clone, Debug)]
pub(super) struct PortSum {
    packets: i64,
    bytes: i64,
    sources: SourceSketch,
}

impl Default for PortSum {
    fn default() -> Self {
        PortSum {
            packets: 0,
            bytes: 0,
            sources: SourceSketch::new(LG_K_SMALL),
        }
    }
}

impl PortSum {
    /// Adds packets, bytes, and the sources of a serialized sketch.
    pub(super) fn add(&mut self, [packets, bytes]: [i64; 2], sketch: &[u8]) -> Result<(), String> {
        self.packets += packets;
        self.bytes += bytes;
        let merged = self.sources.merge_image(sketch);
        merged.map_err(|error| error.to_string())
    }

    #[inline]
    fn add_sources(&mut self, [packets, bytes]: [i64; 2], sources: SketchSources<'_>) {
        self.packets += packets;
        self.bytes += bytes;
        self.sources.add_sources(sources);
    }

    /// The row of the table; nothing is left in the sum.
    pub(super) fn take_row(&mut self, key: AskedPort) -> AskedPortRow {
        let mut sketch = Vec::new();
        self.sources.write_image(&mut sketch);
        let row = AskedPortRow {
            key,
            packets: self.packets,
            bytes: self.bytes,
            sources: self.sources.estimate(),
            sketch,
        };
        self.clear();
        row
    }

    /// As before its first row; keeps its memory.
    fn clear(&mut self) {
        (self.packets, self.bytes) = (0, 0);
        self.sources.clear();
    }
}

/// IP version and class as a number.
const CLASSES: usize = Class::ALL.len();
const GROUPS: usize = 2 * CLASSES;

const fn group(is_ipv6: bool, class: Class) -> usize {
    is_ipv6 as usize * CLASSES + class as usize
}

/// Sums by group and something else that is numbered: the groups of number 0 first.
#[derive(Clone, Debug, Default)]
struct Marginals(Vec<MarginalSum>);

impl Marginals {
    fn at(&mut self, group: usize, number: usize) -> &mut MarginalSum {
        let place = number * GROUPS + group;
        if self.0.len() <= place {
            self.0
                .resize_with((number + 1) * GROUPS, MarginalSum::default);
        }
        &mut self.0[place]
    }

    /// Each sum that has packets, with group and number.
    fn occurring(self) -> impl Iterator<Item = (usize, usize, MarginalSum)> {
        let numbered = self.0.into_iter().enumerate();
        let occurring = numbered.filter(|(_, sum)| sum.packets > 0);
        occurring.map(|(place, sum)| (place % GROUPS, place / GROUPS, sum))
    }
}

/// Texts with a number each.
#[derive(Clone, Debug, Default)]
struct Numbers {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, usize, RandomState>,
}

impl Numbers {
    fn of(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        let number = self.texts.len() - 1;
        self.numbers.insert(text, number);
        number
    }
}

/// Rows by port. Those of a port come one after the other, so the sums of one port are in memory.
#[derive(Debug, Default)]
struct PortRows {
    port: Option<RolledService>,
    /// The sums of the port by role.
    sums: [PortSum; PortRole::ALL.len()],
    /// The rows of the ports before, by role.
    rows: [Vec<AskedPortRow>; PortRole::ALL.len()],
}

impl PortRows {
    #[inline]
    fn add(
        &mut self,
        port: RolledService,
        roles: &[PortRole],
        counts: [i64; 2],
        sources: SketchSources<'_>,
    ) {
        if self.port != Some(port) {
            self.end_port();
            self.port = Some(port);
        }
        for role in roles {
            self.sums[*role as usize].add_sources(counts, sources);
        }
    }

    fn end_port(&mut self) {
        let Some(port) = self.port.take() else {
            return;
        };
        for (role, sum) in PortRole::ALL.iter().zip(&mut self.sums) {
            if sum.packets > 0 {
                let key = AskedPort {
                    role: *role,
                    ip_version: port.ip_version(),
                    protocol: port.protocol(),
                    port: port.port(),
                };
                self.rows[*role as usize].push(sum.take_row(key));
            } else {
                // Rows without packets must not count for the next port.
                sum.clear();
            }
        }
    }

    /// The rows in the order of their table.
    fn finish(mut self) -> Vec<AskedPortRow> {
        self.end_port();
        self.rows.into_iter().flatten().collect()
    }
}

/// What the texts of a row mean here.
#[derive(Clone, Copy, Debug)]
struct KindPlaces {
    class: Class,
    traffic_type: usize,
    tool: usize,
    actor: usize,
    country: usize,
}

/// All sums of a day.
#[derive(Debug, Default)]
pub(in crate::rollup) struct DaySums {
    /// By the number of a kind.
    places: Vec<KindPlaces>,
    hours: BTreeMap<i64, Marginals>,
    types: Marginals,
    tools: Marginals,
    actors: Marginals,
    actor_names: Numbers,
    countries: Marginals,
    country_names: Numbers,
    ports: PortRows,
}

impl DaySums {
    /// Learns what kinds mean that are new.
    ///
    /// # Errors
    /// When this program does not know a word.
    pub(in crate::rollup) fn learn(&mut self, texts: &KindTexts) -> Result<(), String> {
        let new = &texts.kinds()[self.places.len()..];
        let texts = texts.texts();
        for kind in new {
            let [traffic_type, class, tool, actor, country] =
                kind.map(|number| &*texts[number as usize]);
            let known = TrafficType::from_name(traffic_type);
            let traffic_type = known.ok_or_else(|| unknown(names::TRAFFIC_TYPE, traffic_type))?;
            let known = Class::from_name(class);
            let class = known.ok_or_else(|| unknown(names::CLASS, class))?;
            let known = Tool::from_name(tool);
            let tool = known.ok_or_else(|| unknown(names::TOOL, tool))?;
            self.places.push(KindPlaces {
                class,
                traffic_type: traffic_type as usize,
                tool: tool as usize,
                actor: self.actor_names.of(actor),
                country: self.country_names.of(country),
            });
        }
        Ok(())
    }

    /// The sums of an hour.
    pub(in crate::rollup) fn of_hour(&mut self, hour: Hour) -> HourSums<'_> {
        HourSums {
            places: &self.places,
            sums: self.hours.entry(hour.start_us()).or_default(),
        }
    }

    /// Adds the sum of all rows of the day with a key, but for the hours; keys come in the order of their services.
    pub(in crate::rollup) fn add(&mut self, row: &mut SumRow<'_>) {
        let (service, sources) = (row.key.service, row.sources.sources());
        let places = self.places[row.key.kind as usize];
        let group = group(service.is_ipv6(), places.class);
        for sum in [
            self.types.at(group, places.traffic_type),
            self.tools.at(group, places.tool),
            self.actors.at(group, places.actor),
            self.countries.at(group, places.country),
        ] {
            sum.count(row.counts).add_sources(sources);
        }
        let roles = PortRole::of(places.class);
        self.ports.add(service, roles, row.counts, sources);
    }

    /// The rows of both tables, in their order.
    pub(super) fn finish(self) -> (Vec<MarginalRow>, Vec<AskedPortRow>) {
        let mut rows = Vec::new();
        let empty: Arc<str> = "".into();
        for (hour, sums) in self.hours {
            rows.extend(sums.occurring().map(|(group, protocol, sum)| {
                let mut row = row(Marginal::Hour, group, Arc::clone(&empty), &sum);
                row.key.hour_us = Some(hour);
                row.key.protocol = u8::try_from(protocol).ok();
                row
            }));
        }
        let fixed: [(Marginal, Marginals, Vec<Arc<str>>); 4] = [
            (
                Marginal::TrafficType,
                self.types,
                TrafficType::ALL.iter().map(|it| it.name().into()).collect(),
            ),
            (
                Marginal::Tool,
                self.tools,
                Tool::ALL.iter().map(|it| it.name().into()).collect(),
            ),
            (Marginal::Actor, self.actors, self.actor_names.texts),
            (Marginal::Country, self.countries, self.country_names.texts),
        ];
        for (by, sums, texts) in fixed {
            let occurring = sums.occurring();
            rows.extend(
                occurring
                    .map(|(group, number, sum)| row(by, group, Arc::clone(&texts[number]), &sum)),
            );
        }
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        (rows, self.ports.finish())
    }
}

/// The sums of an hour.
pub(in crate::rollup) struct HourSums<'s> {
    places: &'s [KindPlaces],
    sums: &'s mut Marginals,
}

impl HourSums<'_> {
    /// Adds a row.
    #[inline]
    pub(in crate::rollup) fn add(
        &mut self,
        key: NumberedKey,
        counts: [i64; 2],
        sketch: SketchView<'_>,
    ) {
        let class = self.places[key.kind as usize].class;
        let group = group(key.service.is_ipv6(), class);
        let sum = self.sums.at(group, key.service.protocol().into());
        sum.count(counts).add_view(sketch);
    }
}

fn row(by: Marginal, group: usize, value: Arc<str>, sum: &MarginalSum) -> MarginalRow {
    let mut sketch = Vec::new();
    sum.sources.write_image(&mut sketch);
    MarginalRow {
        key: MarginalKey {
            by,
            hour_us: None,
            ip_version: if group < CLASSES { 4 } else { 6 },
            class: Class::ALL[group % CLASSES],
            protocol: None,
            value,
        },
        packets: sum.packets,
        bytes: sum.bytes,
        sources: sum.sources.estimate().round() as u64,
        sketch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::Member;

    #[test]
    fn a_port_without_packets_leaves_nothing_to_the_next() {
        let port = |number| RolledService::new(4, 6, Some(number)).expect("a port");
        let [other, own] = [[1], [2]].map(|bytes| [Member::of(&bytes)]);
        let role = &PortRole::ALL[..1];
        let rows_of = |before: &[[i64; 2]]| {
            let mut rows = PortRows::default();
            for counts in before {
                rows.add(port(22), role, *counts, SketchSources::Few(&other));
            }
            rows.add(port(23), role, [3, 180], SketchSources::Few(&own));
            rows.finish()
        };
        let [only] = &rows_of(&[])[..] else {
            panic!("one row");
        };
        assert_eq!((only.packets, only.bytes, only.sources), (3, 180, 1.0));
        let [same] = &rows_of(&[[0, 60]])[..] else {
            panic!("one row");
        };
        assert_eq!((same.bytes, same.sources), (only.bytes, only.sources));
        assert_eq!(same.sketch, only.sketch);
        assert_eq!(rows_of(&[[1, 60]]).len(), 2);
    }
}
