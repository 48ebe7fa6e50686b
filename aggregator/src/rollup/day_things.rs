//! The ports and stack signatures of a day with their sources, gathered source by source: what later days compare theirs with.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use foldhash::fast::RandomState;

use crate::by_source::{LineNames, SourceKey, SourceLine, SourceLines};
use crate::event::campaign::traits::AskedService;
use crate::event::novelty::tally::Thing;
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

/// Things of one sort, by their keys.
#[derive(Debug)]
struct SeenThings<K> {
    sums: HashMap<K, SeenSums, RandomState>,
    places: HashMap<(K, [u8; 2]), u64, RandomState>,
    of_source: Vec<(K, u64, i64)>,
    left_out: u64,
}

impl<K> Default for SeenThings<K> {
    fn default() -> Self {
        SeenThings {
            sums: HashMap::default(),
            places: HashMap::default(),
            of_source: Vec::new(),
            left_out: 0,
        }
    }
}

impl<K: Copy + Ord + Hash> SeenThings<K> {
    /// Adds what these rows of a source have, each once.
    fn add<'l>(
        &mut self,
        lines: impl Iterator<Item = &'l SourceLine>,
        key: impl Fn(&SourceLine) -> K,
        keys_max: usize,
    ) {
        self.of_source.clear();
        let mut country = *b"ZZ";
        for line in lines {
            country = line.country;
            let of_line = (key(line), line.packets, line.first_us);
            self.of_source.push(of_line);
        }
        self.of_source.sort_unstable();
        for same in self.of_source.chunk_by(|left, right| left.0 == right.0) {
            let key = same[0].0;
            if self.sums.len() >= keys_max && !self.sums.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let sums = self.sums.entry(key).or_insert(SeenSums {
                sources: 0,
                packets: 0,
                first_us: i64::MAX,
            });
            sums.sources += 1;
            for (_, packets, first_us) in same {
                sums.packets = sums.packets.saturating_add(*packets);
                sums.first_us = sums.first_us.min(*first_us);
            }
            if self.places.len() < PLACES_MAX || self.places.contains_key(&(key, country)) {
                *self.places.entry((key, country)).or_default() += 1;
            }
        }
    }

    fn things(self, what: NoveltyWhat, text: impl Fn(K) -> String, things: &mut Vec<Thing>) {
        let mut countries: HashMap<K, BTreeMap<[u8; 2], u64>, RandomState> = HashMap::default();
        for ((key, country), sources) in self.places {
            countries.entry(key).or_default().insert(country, sources);
        }
        for (key, sums) in self.sums {
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
    ports: SeenThings<AskedService>,
    stacks: SeenThings<u32>,
}

impl DayThings {
    /// Takes a source. The ports of survey scanners do not count, as these go for all of them.
    pub(super) fn source(&mut self, key: SourceKey, source: &SourceLines, surveys: bool) {
        if key.is_folded() {
            return;
        }
        let asking = || source.lines.iter().filter(|line| line.asks());
        if !surveys {
            let service = |line: &SourceLine| AskedService::new(line.protocol, line.port);
            self.ports.add(asking(), service, usize::MAX);
        }
        // Mirai draws its windows at random: its signatures are new every time.
        let with_stack = asking().filter(|line| line.stack != 0 && line.tool != Tool::Mirai);
        self.stacks.add(with_stack, |line| line.stack, STACKS_MAX);
    }

    /// Stack signatures beyond the limit.
    pub(super) const fn left_out(&self) -> u64 {
        self.stacks.left_out
    }

    /// All of them, in order.
    #[must_use]
    pub(super) fn things(self, names: &LineNames) -> Vec<Thing> {
        let mut things = Vec::new();
        self.ports
            .things(NoveltyWhat::Port, AskedService::text, &mut things);
        let stack = |number| names.text(number).to_string();
        self.stacks.things(NoveltyWhat::Stack, stack, &mut things);
        things.sort_unstable();
        things
    }
}
