//! The ports and stack signatures of a day with their sources, gathered source by source: what later days compare theirs with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::service_table::ServiceTable;
use crate::by_source::{LineNames, SourceKey, SourceLines};
use crate::event::groups::ServiceGroup;
use crate::event::novelty::tally::Thing;
use crate::event::service::AskedService;
use crate::schema::NoveltyWhat;
use teiten_observation::Tool;

/// Stack signatures of a day, at most; more are counted.
const STACKS_MAX: usize = 1 << 18;
/// Countries of things, at most; more are left out.
const PLACES_MAX: usize = 1 << 21;
/// Countries of a thing that are named.
const NAMED_MAX: usize = 10;

/// Sources, packets and first packet of something.
#[derive(Clone, Copy, Debug)]
struct SeenSums {
    sources: u64,
    packets: u64,
    first_us: i64,
}

impl Default for SeenSums {
    fn default() -> Self {
        SeenSums {
            sources: 0,
            packets: 0,
            first_us: i64::MAX,
        }
    }
}

impl SeenSums {
    /// Adds what a source has.
    fn add(&mut self, packets: u64, first_us: i64) {
        self.sources += 1;
        self.packets = self.packets.saturating_add(packets);
        self.first_us = self.first_us.min(first_us);
    }
}

/// How many sources of a country have something, by its key.
#[derive(Debug, Default)]
struct SeenPlaces(HashMap<(u32, [u8; 2]), u64, RandomState>);

impl SeenPlaces {
    fn add(&mut self, key: u32, country: [u8; 2]) {
        let place = (key, country);
        if self.0.len() < PLACES_MAX || self.0.contains_key(&place) {
            *self.0.entry(place).or_default() += 1;
        }
    }

    /// The things of which these are the places and sums.
    fn things(
        self,
        what: NoveltyWhat,
        sums: impl Iterator<Item = (u32, SeenSums)>,
        text: impl Fn(u32) -> String,
        things: &mut Vec<Thing>,
    ) {
        let mut countries: HashMap<u32, BTreeMap<[u8; 2], u64>, RandomState> = HashMap::default();
        for ((key, country), sources) in self.0 {
            countries.entry(key).or_default().insert(country, sources);
        }
        for (key, sums) in sums {
            things.push(Thing {
                what,
                value: text(key),
                sources: sums.sources,
                packets: sums.packets,
                first_us: sums.first_us,
                countries: countries.get(&key).map(countries_text).unwrap_or_default(),
            });
        }
    }
}

/// `CN:120,US:30`
#[must_use]
pub(super) fn countries_text(countries: &BTreeMap<[u8; 2], u64>) -> String {
    let mut order: Vec<([u8; 2], u64)> = countries.iter().map(|(&key, &of)| (key, of)).collect();
    order.sort_by_key(|(country, sources)| (Reverse(*sources), *country));
    let named = order.iter().take(NAMED_MAX).map(|(country, sources)| {
        let [first, second] = country.map(char::from);
        format!("{first}{second}:{sources}")
    });
    named.collect::<Vec<_>>().join(",")
}

/// The ports and stack signatures of a day.
#[derive(Debug, Default)]
pub(super) struct DayThings {
    ports: ServiceTable<SeenSums>,
    /// By the bits of services.
    port_places: SeenPlaces,
    stacks: HashMap<u32, SeenSums, RandomState>,
    stack_places: SeenPlaces,
    /// Stack signatures of the source in hand.
    of_source: Vec<(u32, u64, i64)>,
    left_out: u64,
}

impl DayThings {
    /// Takes a source with the services that it asked for. The ports of survey scanners do not count, as these go for all of them.
    pub(super) fn source(
        &mut self,
        key: SourceKey,
        source: &SourceLines,
        services: &[ServiceGroup],
        surveys: bool,
    ) {
        if key.is_folded() {
            return;
        }
        let asking = || source.lines.iter().filter(|line| line.asks());
        if !surveys && let Some(latest) = asking().next_back() {
            for group in services {
                let sums = self.ports.entry(group.service);
                sums.add(group.packets, group.first_us);
                self.port_places.add(group.service.bits(), latest.country);
            }
        }
        self.of_source.clear();
        let mut country = *b"ZZ";
        // Mirai draws its windows at random: its signatures are new every time.
        for line in asking().filter(|line| line.stack != 0 && line.tool != Tool::Mirai) {
            country = line.country;
            match self.of_source.last_mut() {
                Some(last) if last.0 == line.stack => {
                    last.1 = last.1.saturating_add(line.packets);
                    last.2 = last.2.min(line.first_us);
                }
                _ => {
                    let of_line = (line.stack, line.packets, line.first_us);
                    self.of_source.push(of_line);
                }
            }
        }
        self.of_source.sort_unstable();
        for same in self.of_source.chunk_by(|left, right| left.0 == right.0) {
            let stack = same[0].0;
            if self.stacks.len() >= STACKS_MAX && !self.stacks.contains_key(&stack) {
                self.left_out += 1;
                continue;
            }
            let packets = same.iter().map(|(_, packets, _)| *packets);
            let first_us = same.iter().map(|(_, _, first_us)| *first_us).min();
            let sums = self.stacks.entry(stack).or_default();
            sums.add(
                packets.fold(0, u64::saturating_add),
                first_us.unwrap_or(i64::MAX),
            );
            self.stack_places.add(stack, country);
        }
    }

    /// Stack signatures beyond the limit.
    pub(super) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All of them, in order.
    #[must_use]
    pub(super) fn things(self, names: &LineNames) -> Vec<Thing> {
        let mut things = Vec::new();
        let ports = self.ports.into_entries().into_iter();
        let ports = ports.map(|(service, sums)| (service.bits(), sums));
        let port = |bits| AskedService::from_bits(bits).text();
        self.port_places
            .things(NoveltyWhat::Port, ports, port, &mut things);
        let stack = |number| names.text(number).to_string();
        let stacks = self.stacks.into_iter();
        self.stack_places
            .things(NoveltyWhat::Stack, stacks, stack, &mut things);
        things.sort_unstable();
        things
    }
}
