//! What the rows of `sources` add to the rows of `traffic`, gathered in bounded memory.
//!
//! Contributions are spread over partitions by ranges of their key, so that partitions are summed in parallel and follow each other in the
//! table. When too many wait, those of large rows are summed at once, and the others are spilled until their partition's turn. The sums do
//! not depend on either, because their order does not matter.

mod partition;

use std::io::Result;
use std::sync::{Mutex, PoisonError};

use crate::schema::{Key, TrafficSums};
use crate::sketch::Member;
use crate::store::Store;
use partition::Partition;

/// Partitions of an hour that is not small: more than threads, so that they share the work evenly, and enough that one of them sorts within
/// the second-level cache.
const PARTITIONS: usize = 64;
/// Contributions of a partition, roughly, below which there are fewer partitions: each costs a task.
const PARTITION_ROWS_MIN: usize = 16 << 10;
/// Partitions of a very large hour: their number is a byte.
const PARTITIONS_MAX: usize = 1 << u8::BITS;
/// Contributions of a partition, roughly, above which there are more partitions: each is summed in memory, some at once.
const PARTITION_ROWS: usize = 256 << 10;

/// What one row of `sources` adds to a row of `traffic`: 24 bytes, as there are millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contribution {
    key: [u32; 2],
    member: Member,
    /// Packets below 2^40 and bytes below 2^56: what no source can send in an hour.
    counts: [u32; 3],
}

const _: () = assert!(size_of::<Contribution>() == CONTRIBUTION_BYTES);
const CONTRIBUTION_BYTES: usize = 24;
/// Bytes of a contribution that is being summed: as it is in the file, as it lies in memory, its place in the order, which is sorted from one
/// list into another, its share of a row.
const SUMMED_BYTES: usize = 2 * CONTRIBUTION_BYTES + 2 * 16 + 16;
const PACKETS_MAX: u64 = (1 << 40) - 1;
const BYTES_MAX: u64 = (1 << 56) - 1;

impl Contribution {
    /// The contribution of one row; `None` if its packets or bytes do not fit: see [`Wide`].
    #[inline]
    pub(super) fn new(key: Key, member: Member, packets: u64, bytes: u64) -> Option<Self> {
        if packets > PACKETS_MAX || bytes > BYTES_MAX {
            return None;
        }
        let high = (packets >> 32 << 24) as u32 | (bytes >> 32) as u32;
        Some(Contribution {
            key: [(key.bits() >> 32) as u32, key.bits() as u32],
            member,
            counts: [packets as u32, bytes as u32, high],
        })
    }

    const fn words(&self) -> [u32; 6] {
        let [low, high] = self.key;
        let [packets, bytes, rest] = self.counts;
        [low, high, self.member.bits(), packets, bytes, rest]
    }

    const fn from_words([low, high, member, packets, bytes, rest]: [u32; 6]) -> Self {
        Contribution {
            key: [low, high],
            member: Member::from_bits(member),
            counts: [packets, bytes, rest],
        }
    }

    #[inline]
    fn key(&self) -> Key {
        Key::from_bits(u64::from(self.key[0]) << 32 | u64::from(self.key[1]))
    }

    #[inline]
    fn packets(&self) -> u64 {
        u64::from(self.counts[2] >> 24) << 32 | u64::from(self.counts[0])
    }

    #[inline]
    fn bytes(&self) -> u64 {
        u64::from(self.counts[2] & 0xff_ffff) << 32 | u64::from(self.counts[1])
    }
}

/// A contribution with more packets or bytes than an hour can bring at any speed: a capture may claim that its packets are as long as
/// it likes. Such rows are few, and each goes straight into the sum of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide {
    pub key: Key,
    pub member: Member,
    pub packets: u64,
    pub bytes: u64,
}

/// Keys at which partitions begin, the first excepted.
#[derive(Clone, Debug)]
pub(super) struct Bounds(Vec<Key>);

impl Bounds {
    /// Bounds that cut keys like the `samples` of `rows` rows into partitions of like size.
    pub(super) fn of(mut samples: Vec<Key>, rows: usize) -> Self {
        samples.sort_unstable();
        let usual = (rows / PARTITION_ROWS_MIN).clamp(1, PARTITIONS);
        let partitions = (rows / PARTITION_ROWS).clamp(usual, PARTITIONS_MAX);
        let at = |partition| samples[samples.len() * partition / partitions];
        let mut bounds: Vec<Key> = match samples.is_empty() {
            true => Vec::new(),
            false => (1..partitions).map(at).collect(),
        };
        bounds.dedup();
        Bounds(bounds)
    }

    fn partitions(&self) -> usize {
        self.0.len() + 1
    }

    #[inline]
    fn partition(&self, key: Key) -> usize {
        self.0.partition_point(|bound| *bound <= key)
    }

    /// Puts contributions together by partition.
    pub(super) fn scatter(&self, contributions: &[Contribution], wide: Vec<Wide>) -> Scattered {
        let partitions: Vec<u8> = contributions
            .iter()
            .map(|one| self.partition(one.key()) as u8)
            .collect();
        let mut starts = vec![0u32; self.partitions() + 1];
        for &partition in &partitions {
            starts[usize::from(partition) + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut all = contributions.to_vec();
        for (one, &partition) in contributions.iter().zip(&partitions) {
            let place = &mut next[usize::from(partition)];
            all[*place as usize] = *one;
            *place += 1;
        }
        Scattered { all, starts, wide }
    }
}

/// Contributions by partition.
#[derive(Debug)]
pub(super) struct Scattered {
    all: Vec<Contribution>,
    /// Where each partition begins, and the end.
    starts: Vec<u32>,
    wide: Vec<Wide>,
}

impl Scattered {
    fn of_partition(&self, partition: usize) -> &[Contribution] {
        &self.all[self.starts[partition] as usize..self.starts[partition + 1] as usize]
    }
}

/// All contributions of one family in an hour.
pub(super) struct Contributions {
    bounds: Bounds,
    partitions: Vec<Mutex<Partition>>,
    chunks: Vec<Scattered>,
    /// All contributions.
    total: usize,
    /// Those in memory.
    waiting: usize,
    waiting_max: usize,
    store: Store,
}

impl Contributions {
    /// None yet. Those that wait take at most `memory_bytes`; others go to scratch files of `store`.
    pub(super) fn new(bounds: &Bounds, store: &Store, memory_bytes: usize) -> Self {
        let partitions = (0..bounds.partitions()).map(|_| Mutex::default()).collect();
        Contributions {
            bounds: bounds.clone(),
            partitions,
            chunks: Vec::new(),
            total: 0,
            waiting: 0,
            waiting_max: (memory_bytes / CONTRIBUTION_BYTES).max(PARTITIONS),
            store: store.clone(),
        }
    }

    /// Adds contributions, spread by the same bounds.
    ///
    /// # Errors
    /// When some cannot be spilled.
    pub(super) fn extend(&mut self, mut more: Scattered) -> Result<()> {
        for wide in std::mem::take(&mut more.wide) {
            let partition = &mut self.partitions[self.bounds.partition(wide.key)];
            let partition = partition.get_mut().unwrap_or_else(PoisonError::into_inner);
            partition.add_wide(wide);
        }
        self.total += more.all.len();
        self.waiting += more.all.len();
        self.chunks.push(more);
        if self.waiting > self.waiting_max {
            self.make_room()?;
        }
        Ok(())
    }

    /// Number of partitions: each is summed by [`Contributions::sum`], and their sums follow each other.
    pub(super) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Memory for the sums of one partition, bytes, roughly: the partitions are of like size.
    pub(super) fn bytes_of_sums(&self) -> usize {
        self.total / self.partitions.len() * SUMMED_BYTES
    }

    /// The rows of one partition in ascending order of their keys; to be asked for once.
    ///
    /// # Errors
    /// When spilled contributions cannot be read.
    pub(super) fn sum(&self, partition: usize) -> Result<TrafficSums> {
        // A poisoned lock means that this very task panicked.
        let mut taken = self.partitions[partition]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *taken).sum(self.waiting_of(partition))
    }

    fn waiting_of(&self, partition: usize) -> impl Iterator<Item = &[Contribution]> {
        self.chunks
            .iter()
            .map(move |chunk| chunk.of_partition(partition))
    }

    fn make_room(&mut self) -> Result<()> {
        let mut waiting = 0;
        for index in 0..self.partitions.len() {
            let mut partition = self.partitions[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            waiting += partition.sum_large(self.waiting_of(index));
        }
        self.chunks.clear();
        if waiting > self.waiting_max / 2 {
            for partition in &mut self.partitions {
                let partition = partition.get_mut().unwrap_or_else(PoisonError::into_inner);
                partition.spill(&self.store)?;
            }
            waiting = 0;
        }
        self.waiting = waiting;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Country;
    use teiten_observation::{Address, Class, Kind, Tool, TrafficType};

    fn contributions(count: u32, ports: u32) -> Vec<Contribution> {
        let one = |index: u32| {
            // Half of all have one key, the rest many.
            let port = if index.is_multiple_of(2) {
                0
            } else {
                index / 2 % ports
            };
            let kind = Kind::new(
                TrafficType::Udp,
                Class::Scan,
                Tool::None,
                17,
                Some(port as u16),
            );
            let mut text = Vec::new();
            index.write_text(&mut text);
            let key = Key::new(kind, 0, Country::UNKNOWN);
            Contribution::new(key, Member::of(&text), 1, 60).expect("few packets")
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn counts_come_back_from_their_few_bits() {
        let of = contributions(1, 1)[0];
        for (packets, bytes) in [
            (1, 60),
            (PACKETS_MAX, 5),
            (1 << 33, BYTES_MAX),
            (7, 1 << 32),
        ] {
            let one = Contribution::new(of.key(), of.member, packets, bytes).expect("it fits");
            assert_eq!((one.packets(), one.bytes()), (packets, bytes));
        }
        for (packets, bytes) in [
            (PACKETS_MAX + 1, 0),
            (1, BYTES_MAX + 1),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(Contribution::new(of.key(), of.member, packets, bytes), None);
        }
    }

    #[test]
    fn what_fits_no_contribution_is_summed_and_never_overflows() {
        let few = contributions(3, 1);
        let bounds = Bounds::of(Vec::new(), 0);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut gathered = Contributions::new(&bounds, &Store::at(folder.path()), 1 << 16);
        let wide = |bytes| Wide {
            key: few[0].key(),
            member: few[0].member,
            packets: 1,
            bytes,
        };
        let all = vec![wide(1 << 60), wide(u64::MAX)];
        gathered
            .extend(bounds.scatter(&few, all))
            .expect("no file is needed");
        let sums = gathered.sum(0).expect("no file is needed");
        assert_eq!(
            (sums.packets[0], sums.bytes[0], sums.sources[0]),
            (5, u64::MAX, 5)
        );
    }

    #[test]
    fn little_memory_and_any_bounds_give_the_same_sums_as_much() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let all = contributions(60_000, 900);
        let sums = |memory_bytes: usize, samples: usize| {
            let keys = all.iter().take(samples).map(Contribution::key);
            let bounds = Bounds::of(keys.collect(), all.len() * samples);
            let mut gathered = Contributions::new(&bounds, &store, memory_bytes);
            for chunk in all.chunks(1_000) {
                let scattered = bounds.scatter(chunk, Vec::new());
                gathered.extend(scattered).expect("writable");
            }
            let mut rows = Vec::new();
            for partition in 0..gathered.partitions() {
                let sums = gathered.sum(partition).expect("readable");
                rows.extend((0..sums.len()).map(|row| {
                    let (packets, bytes) = (sums.packets[row], sums.bytes[row]);
                    let sketch = sums.sketch(row).to_vec();
                    (sums.keys[row], packets, bytes, sums.sources[row], sketch)
                }));
            }
            assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
            rows
        };
        let much = sums(1 << 30, 0);
        assert_eq!(much.len(), 900);
        assert_eq!(much.iter().map(|sum| sum.1).sum::<u64>(), 60_000);
        for (memory_bytes, samples) in [(1 << 30, 5_000), (1 << 19, 300), (1 << 16, 2_000)] {
            assert!(sums(memory_bytes, samples) == much);
        }
        let work = folder.path().join(".teiten/work");
        assert_eq!(std::fs::read_dir(&work).expect("spilled").count(), 1);
        drop(store);
        assert_eq!(std::fs::read_dir(&work).expect("readable").count(), 0);
    }
}
