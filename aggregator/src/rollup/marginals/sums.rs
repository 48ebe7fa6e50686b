//! The sums of a day of `traffic`, in arrays: by class and hour, type, tool, organisation or country, and by port. A row of `traffic` is
//! added to six of them, so nothing is hashed for it where numbers are small.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use teiten_observation::{Class, Tool, TrafficType};

use crate::columns::{Columns, unknown};
use crate::hour::Hour;
use crate::schema::{AskedPort, AskedPortRow, Marginal, MarginalKey, MarginalRow, PortRole, names};
use crate::sketch::distinct::{LG_K_SMALL, SourceSketch};

/// Packets, bytes and sources of a marginal.
#[derive(Clone, Debug, Default)]
struct MarginalSum {
    packets: i64,
    bytes: i64,
    sources: SourceSketch,
}

impl MarginalSum {
    fn add(&mut self, [packets, bytes]: [i64; 2], sketch: &[u8]) -> Result<(), String> {
        self.packets += packets;
        self.bytes += bytes;
        let merged = self.sources.merge_image(sketch);
        merged.map_err(|error| error.to_string())
    }

    fn merge(&mut self, other: MarginalSum) {
        if self.packets == 0 {
            *self = other;
            return;
        }
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.sources.merge(&other.sources);
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
    /// Adds packets and bytes.
    pub(super) fn add(&mut self, [packets, bytes]: [i64; 2], sketch: &[u8]) -> Result<(), String> {
        self.packets += packets;
        self.bytes += bytes;
        let merged = self.sources.merge_image(sketch);
        merged.map_err(|error| error.to_string())
    }

    fn merge(&mut self, other: PortSum) {
        if self.packets == 0 {
            *self = other;
            return;
        }
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.sources.merge(&other.sources);
    }

    /// The row of the table.
    pub(super) fn row(self, key: AskedPort) -> AskedPortRow {
        let mut sketch = Vec::new();
        self.sources.write_image(&mut sketch);
        AskedPortRow {
            key,
            packets: self.packets,
            bytes: self.bytes,
            sources: self.sources.estimate(),
            sketch,
        }
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

    fn merge(&mut self, other: Marginals, number: impl Fn(usize) -> usize) {
        for (group, theirs, sum) in other.occurring() {
            self.at(group, number(theirs)).merge(sum);
        }
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

/// Ports of a protocol, and behind them what has none.
const PORTS: usize = 1 << 16;
/// The place of a port that has no sum.
const NONE: u32 = u32::MAX;

/// The sums of a role, IP version and protocol: found by the port's number, and only as many as there are ports.
#[derive(Debug)]
struct NumberedSums {
    places: Vec<u32>,
    sums: Vec<(Option<u16>, PortSum)>,
}

impl Default for NumberedSums {
    fn default() -> Self {
        NumberedSums {
            places: vec![NONE; PORTS + 1],
            sums: Vec::new(),
        }
    }
}

impl NumberedSums {
    fn at(&mut self, port: Option<u16>) -> &mut PortSum {
        let place = &mut self.places[port.map_or(PORTS, usize::from)];
        if *place == NONE {
            *place = self.sums.len() as u32;
            self.sums.push((port, PortSum::default()));
        }
        &mut self.sums[*place as usize].1
    }
}

/// Sums by port: numbered ones for each role, IP version and protocol that has ports, a map for the others.
#[derive(Debug, Default)]
struct PortMarginals {
    numbered: BTreeMap<(PortRole, u8, u8), NumberedSums>,
    others: HashMap<AskedPort, PortSum, RandomState>,
}

impl PortMarginals {
    fn at(&mut self, key: AskedPort) -> &mut PortSum {
        if !matches!(key.protocol, 6 | 17) {
            return self.others.entry(key).or_default();
        }
        let sums = self
            .numbered
            .entry((key.role, key.ip_version, key.protocol))
            .or_default();
        sums.at(key.port)
    }

    fn merge(&mut self, other: PortMarginals) {
        for (key, sum) in other.occurring() {
            self.at(key).merge(sum);
        }
    }

    fn occurring(self) -> impl Iterator<Item = (AskedPort, PortSum)> {
        let numbered = self.numbered.into_iter();
        let numbered = numbered.flat_map(|((role, ip_version, protocol), sums)| {
            let sums = sums.sums.into_iter();
            let occurring = sums.filter(|(_, sum)| sum.packets > 0);
            occurring.map(move |(port, sum)| {
                let key = AskedPort {
                    role,
                    ip_version,
                    protocol,
                    port,
                };
                (key, sum)
            })
        });
        numbered.chain(self.others)
    }
}

/// All sums of a day.
#[derive(Debug, Default)]
pub(in crate::rollup) struct DaySums {
    hours: BTreeMap<i64, Marginals>,
    types: Marginals,
    tools: Marginals,
    actors: Marginals,
    actor_names: Numbers,
    countries: Marginals,
    country_names: Numbers,
    ports: PortMarginals,
}

impl DaySums {
    /// Adds rows of one hour, or where none is named of the hours that the rows say.
    ///
    /// # Errors
    /// The reason as text, when a column is damaged.
    pub(in crate::rollup) fn add_batch(
        &mut self,
        batch: &Columns<'_>,
        hour: Option<Hour>,
    ) -> Result<(), String> {
        match hour {
            Some(hour) => self.add_hour(batch, hour),
            None => batch.by_hour(|hour, rows| self.add_hour(rows, Hour(hour))),
        }
    }

    fn add_hour(&mut self, batch: &Columns<'_>, hour: Hour) -> Result<(), String> {
        let start_us = hour.start_us();
        let mut protocols = self.hours.remove(&start_us).unwrap_or_default();
        self.add(batch, &mut protocols)?;
        self.hours.insert(start_us, protocols);
        Ok(())
    }

    fn add(&mut self, batch: &Columns<'_>, of_hour: &mut Marginals) -> Result<(), String> {
        let types = batch.text(names::TRAFFIC_TYPE, |name| {
            TrafficType::from_name(name).ok_or_else(|| unknown(names::TRAFFIC_TYPE, name))
        })?;
        let classes = batch.text(names::CLASS, |name| {
            Class::from_name(name).ok_or_else(|| unknown(names::CLASS, name))
        })?;
        let tools = batch.text(names::TOOL, |name| {
            Tool::from_name(name).ok_or_else(|| unknown(names::TOOL, name))
        })?;
        let actors = batch.text(names::ACTOR, |name| Ok(self.actor_names.of(name)))?;
        let countries = batch.text(names::COUNTRY, |name| Ok(self.country_names.of(name)))?;
        let (versions, protocols, ports) = (
            batch.int32(names::IP_VERSION)?,
            batch.int32(names::PROTOCOL)?,
            batch.ports()?,
        );
        let (packets, bytes) = (
            batch.int64(names::PACKETS)?.values(),
            batch.int64(names::BYTES)?.values(),
        );
        let sketches = batch.bytes(names::SOURCES_SKETCH)?;
        for row in 0..batch.rows() {
            let class = *classes.at(row);
            let is_ipv6 = versions.value(row) == 6;
            let group = group(is_ipv6, class);
            let protocol = protocols.value(row) as u8;
            let (counts, sketch) = ([packets[row], bytes[row]], sketches.value(row));
            for sum in [
                of_hour.at(group, protocol.into()),
                self.types.at(group, *types.at(row) as usize),
                self.tools.at(group, *tools.at(row) as usize),
                self.actors.at(group, *actors.at(row)),
                self.countries.at(group, *countries.at(row)),
            ] {
                sum.add(counts, sketch)?;
            }
            for &role in PortRole::of(class) {
                let key = AskedPort {
                    role,
                    ip_version: if is_ipv6 { 6 } else { 4 },
                    protocol,
                    port: ports.at(row),
                };
                self.ports.at(key).add(counts, sketch)?;
            }
        }
        Ok(())
    }

    /// Adds the sums of other hours of the day.
    pub(in crate::rollup) fn merge(&mut self, other: DaySums) {
        for (hour, sums) in other.hours {
            self.hours.entry(hour).or_default().merge(sums, |it| it);
        }
        self.types.merge(other.types, |it| it);
        self.tools.merge(other.tools, |it| it);
        let renumbered = |ours: &mut Numbers, theirs: &Numbers| -> Vec<usize> {
            theirs.texts.iter().map(|text| ours.of(text)).collect()
        };
        let actors = renumbered(&mut self.actor_names, &other.actor_names);
        self.actors.merge(other.actors, |number| actors[number]);
        let countries = renumbered(&mut self.country_names, &other.country_names);
        self.countries
            .merge(other.countries, |number| countries[number]);
        self.ports.merge(other.ports);
    }

    /// The rows of both tables, in their order.
    pub(super) fn finish(self) -> (Vec<MarginalRow>, Vec<(AskedPort, PortSum)>) {
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
        let mut ports: Vec<(AskedPort, PortSum)> = self.ports.occurring().collect();
        ports.sort_unstable_by_key(|(key, _)| *key);
        (rows, ports)
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
