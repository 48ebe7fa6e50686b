//! The account of every record: the sums that `--json` prints and that must always agree. Tools are not counted here: a source's packets
//! together decide them, so they come from the hours that were written.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use teiten_aggregator::minute::{HourAccount, MinuteCounts};
use teiten_observation::{CATEGORIES, Class, Family, Kind, TrafficType};

use teiten_packet::decode::Layer;

/// One worker's counts of all that it saw; workers' tallies add.
#[derive(Clone, Debug)]
pub struct WorkerTally {
    /// The counters of `coverage`, of all minutes.
    pub counts: MinuteCounts,
    /// Bytes of all records on the wire.
    pub bytes: u64,
    /// Records with a damaged header, by layer: link, IPv4, IPv6.
    pub malformed: [u64; 3],
    /// Records whose time cannot be believed; they are in no hour.
    pub implausible: u64,
    /// Observed packets of IPv4 and of IPv6.
    pub families: [u64; 2],
    /// Observed packets by protocol number.
    protocols: Vec<u64>,
    /// Observed packets by type, class and mark.
    categories: Vec<u64>,
}

impl Default for WorkerTally {
    fn default() -> Self {
        WorkerTally {
            counts: MinuteCounts::default(),
            bytes: 0,
            malformed: [0; 3],
            implausible: 0,
            families: [0; 2],
            protocols: vec![0; 256],
            categories: vec![0; CATEGORIES],
        }
    }
}

impl WorkerTally {
    /// Counts an observed packet.
    #[inline(always)]
    pub fn observe(&mut self, family: Family, protocol: u8, kind: Kind) {
        self.families[usize::from(family == Family::Ipv6)] += 1;
        self.protocols[protocol as usize] += 1;
        self.categories[kind.category()] += 1;
    }

    /// Counts a record with a damaged header.
    pub fn damaged(&mut self, layer: Layer) {
        self.malformed[layer as usize] += 1;
    }

    /// Records read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.counts.received + self.implausible
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &WorkerTally) {
        self.counts.add(&other.counts);
        self.bytes += other.bytes;
        self.implausible += other.implausible;
        add_each(&mut self.malformed, &other.malformed);
        add_each(&mut self.families, &other.families);
        add_each(&mut self.protocols, &other.protocols);
        add_each(&mut self.categories, &other.categories);
    }

    /// Observed packets by protocol number, those that occur.
    #[must_use]
    pub fn protocols(&self) -> BTreeMap<u8, u64> {
        let counted = self
            .protocols
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        counted
            .map(|(number, &count)| (number as u8, count))
            .collect()
    }

    /// Observed packets by traffic type, those that occur.
    #[must_use]
    pub fn traffic_types(&self) -> BTreeMap<TrafficType, u64> {
        self.by(Kind::traffic_type)
    }

    /// Observed packets by class, those that occur.
    #[must_use]
    pub fn classes(&self) -> BTreeMap<Class, u64> {
        self.by(Kind::class)
    }

    fn by<K: Ord>(&self, key: impl Fn(Kind) -> K) -> BTreeMap<K, u64> {
        let mut sums = BTreeMap::new();
        for (category, &count) in self
            .categories
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            let kind = Kind::of_category(category).expect("only kinds are counted");
            *sums.entry(key(kind)).or_insert(0) += count;
        }
        sums
    }
}

fn add_each(ours: &mut [u64], theirs: &[u64]) {
    for (ours, theirs) in ours.iter_mut().zip(theirs) {
        *ours += theirs;
    }
}

/// What all workers counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// All tallies added.
    pub tally: WorkerTally,
    /// Accounts of late packets whose rows were left out, by hour.
    pub late: BTreeMap<i64, HourAccount>,
    /// Time that workers took for a block, microseconds.
    pub block_us: Option<Histogram<u64>>,
    /// Blocks that waited for the worker that got the next one.
    pub queue_blocks: Option<Histogram<u64>>,
}

impl Counted {
    pub(super) fn add(&mut self, other: Counted) {
        self.tally.add(&other.tally);
        for (hour, account) in other.late {
            self.late.entry(hour).or_default().add(&account);
        }
        if let Some(theirs) = other.block_us {
            match &mut self.block_us {
                Some(ours) => ours
                    .add(theirs)
                    .expect("all histograms have the same bounds"),
                None => self.block_us = Some(theirs),
            }
        }
    }
}

/// Three digits from a microsecond to an hour.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are valid")
}
