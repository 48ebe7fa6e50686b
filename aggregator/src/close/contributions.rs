//! What the rows of `sources` add to the rows of `traffic`, gathered in bounded memory.
//!
//! Contributions are spread over partitions by their key, so that partitions are summed in parallel. When too many wait, those of
//! large rows are summed at once, and the others are set aside on disk until their partition's turn. Neither shows in the sums:
//! contributions that wait keep the order of their sources, and a large row's sketch does not depend on any order.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::observation::{Address, Kind};
use crate::origin::Country;
use crate::parallel::ordered;
use crate::sketch::SourceSketch;

/// Partitions: more than threads, so that they share the work evenly, and enough that one of them fits in memory.
const PARTITIONS: usize = 64;
const _: () = assert!(PARTITIONS.is_power_of_two());
/// Contributions of one key that are worth a sketch at once: far more than a sketch holds one by one.
const LARGE_MEMBERS: usize = 4096;

/// What one row of `sources` adds to a row of `traffic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution<A> {
    key: u64,
    source: A,
    packets: u64,
    bytes: u64,
}

const _: () = assert!(size_of::<Contribution<u32>>() == 32);
const COUNTRY_BITS: u32 = 16;

impl<A: Address> Contribution<A> {
    /// The contribution of one row.
    pub fn new(source: A, kind: Kind, country: Country, packets: u64, bytes: u64) -> Self {
        let key = u64::from(kind.bits()) << COUNTRY_BITS | u64::from(country.code());
        Contribution {
            key,
            source,
            packets,
            bytes,
        }
    }

    fn partition(&self) -> usize {
        (self.key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PARTITIONS
    }

    fn write_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.key.to_le_bytes());
        bytes.extend_from_slice(&self.packets.to_le_bytes());
        bytes.extend_from_slice(&self.bytes.to_le_bytes());
        bytes.extend_from_slice(&self.source.number().to_le_bytes()[..size_of::<A>()]);
    }

    fn read_from(input: &mut impl Read) -> Result<Self> {
        let mut word = || {
            let mut bytes = [0; 8];
            input
                .read_exact(&mut bytes)
                .map(|()| u64::from_le_bytes(bytes))
        };
        let (key, packets, bytes) = (word()?, word()?, word()?);
        let mut number = [0; 16];
        input.read_exact(&mut number[..size_of::<A>()])?;
        let source = A::from_number(u128::from_le_bytes(number));
        Ok(Contribution {
            key,
            source,
            packets,
            bytes,
        })
    }
}

/// The sum of all contributions of a key: a row of `traffic` without its hour.
#[derive(Debug)]
pub struct Sum {
    key: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Distinct sources.
    pub sources: u64,
    /// The serialized sketch of them.
    pub sketch: Vec<u8>,
}

impl Sum {
    /// The kind of the packets.
    pub fn kind(&self) -> Kind {
        let bits = self.key >> COUNTRY_BITS;
        Kind::from_bits(bits as u32).expect("a contribution's key holds the kind it was made of")
    }

    /// The code of the country.
    pub fn country_code(&self) -> u16 {
        self.key as u16
    }
}

/// A large row: summed before its hour's other contributions are known.
struct Large {
    packets: u64,
    bytes: u64,
    sources: u64,
    sketch: SourceSketch,
}

impl Large {
    fn new() -> Self {
        Large {
            packets: 0,
            bytes: 0,
            sources: 0,
            sketch: SourceSketch::new(),
        }
    }

    fn add<A: Address>(&mut self, members: &[Contribution<A>]) {
        for one in members {
            self.packets += one.packets;
            self.bytes += one.bytes;
            self.sketch.insert(one.source);
        }
        self.sources += members.len() as u64;
    }

    fn sum(self, key: u64) -> Sum {
        let Large {
            packets,
            bytes,
            sources,
            sketch,
        } = self;
        Sum {
            key,
            packets,
            bytes,
            sources,
            sketch: sketch.serialize(),
        }
    }
}

/// A partition: what waits in memory, what was set aside, what has been summed.
struct Partition<A> {
    waiting: Vec<Contribution<A>>,
    aside: Option<(File, PathBuf)>,
    large: HashMap<u64, Large>,
}

impl<A> Default for Partition<A> {
    fn default() -> Self {
        Partition {
            waiting: Vec::new(),
            aside: None,
            large: HashMap::new(),
        }
    }
}

/// All contributions of one family in an hour.
pub struct Contributions<A> {
    partitions: Vec<Partition<A>>,
    waiting: usize,
    waiting_max: usize,
    folder: PathBuf,
}

impl<A: Address> Contributions<A> {
    /// None yet. Those that wait take at most `memory_bytes`; others go to files in `folder`.
    pub fn new(folder: &Path, memory_bytes: usize) -> Self {
        Contributions {
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            waiting: 0,
            waiting_max: (memory_bytes / size_of::<Contribution<A>>()).max(PARTITIONS),
            folder: folder.to_owned(),
        }
    }

    /// Adds contributions, in the order of their sources.
    ///
    /// # Errors
    /// When some must be set aside and cannot.
    pub fn extend(&mut self, more: &[Contribution<A>]) -> Result<()> {
        for one in more {
            self.partitions[one.partition()].waiting.push(*one);
        }
        self.waiting += more.len();
        if self.waiting > self.waiting_max {
            self.make_room()?;
        }
        Ok(())
    }

    /// The rows in ascending order of their keys.
    ///
    /// # Errors
    /// When what was set aside cannot be read back.
    pub fn sum(self, threads: usize) -> Result<Vec<Sum>> {
        let partitions: Vec<_> = self
            .partitions
            .into_iter()
            .map(|partition| Mutex::new(Some(partition)))
            .collect();
        let task = |index: usize| {
            // Taken once: a poisoned lock means that this very task panicked.
            let mut partition = partitions[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            partition.take().map_or(Ok(Vec::new()), sum_partition)
        };
        let mut sums = Ok(Vec::new());
        ordered(threads, PARTITIONS, task, |summed| {
            match (&mut sums, summed) {
                (Ok(sums), Ok(summed)) => sums.extend(summed),
                (Ok(_), Err(error)) => sums = Err(error),
                (Err(_), _) => {}
            }
        });
        let mut sums = sums?;
        sums.sort_unstable_by_key(|sum: &Sum| sum.key);
        Ok(sums)
    }

    fn make_room(&mut self) -> Result<()> {
        for partition in &mut self.partitions {
            partition.sum_large();
        }
        let mut waiting: usize = self.partitions.iter().map(|part| part.waiting.len()).sum();
        if waiting > self.waiting_max / 2 {
            for partition in &mut self.partitions {
                partition.set_aside(&self.folder)?;
            }
            waiting = 0;
        }
        self.waiting = waiting;
        Ok(())
    }
}

impl<A: Address> Partition<A> {
    fn sum_large(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|one| one.key);
        for members in waiting.chunk_by(|left, right| left.key == right.key) {
            let key = members[0].key;
            match self.large.get_mut(&key) {
                Some(large) => large.add(members),
                None if members.len() >= LARGE_MEMBERS => {
                    self.large
                        .entry(key)
                        .or_insert_with(Large::new)
                        .add(members);
                }
                None => self.waiting.extend_from_slice(members),
            }
        }
    }

    fn set_aside(&mut self, folder: &Path) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut bytes = Vec::new();
        self.waiting.iter().for_each(|one| one.write_to(&mut bytes));
        if self.aside.is_none() {
            std::fs::create_dir_all(folder)?;
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}.sums", std::process::id()));
            self.aside = Some((File::create(&path)?, path));
        }
        if let Some((file, _)) = &mut self.aside {
            file.write_all(&bytes)?;
        }
        self.waiting = Vec::new();
        Ok(())
    }

    /// Everything of the partition that has not been summed, in the order of the sources within each key.
    fn take_waiting(&mut self) -> Result<Vec<Contribution<A>>> {
        let mut all = Vec::new();
        if let Some((file, path)) = &self.aside {
            let record_bytes = 24 + size_of::<A>() as u64;
            let count = file.metadata()?.len() / record_bytes;
            let mut input = BufReader::with_capacity(1 << 20, File::open(path)?);
            all.reserve_exact(count as usize + self.waiting.len());
            for _ in 0..count {
                all.push(Contribution::read_from(&mut input)?);
            }
        }
        all.append(&mut self.waiting);
        Ok(all)
    }
}

impl<A> Drop for Partition<A> {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.aside {
            // What cannot be removed now lies in the scratch folder, which no reader looks at.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn sum_partition<A: Address>(mut partition: Partition<A>) -> Result<Vec<Sum>> {
    let mut waiting = partition.take_waiting()?;
    // Stable: contributions of a key stay in the order of their sources.
    waiting.sort_by_key(|one| one.key);
    let mut sums = Vec::new();
    for members in waiting.chunk_by(|left, right| left.key == right.key) {
        let key = members[0].key;
        let mut row = partition.large.remove(&key).unwrap_or_else(Large::new);
        row.add(members);
        sums.push(row.sum(key));
    }
    sums.extend(partition.large.drain().map(|(key, large)| large.sum(key)));
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Tool, TrafficClass, TrafficType};

    fn contributions(count: u32, ports: u32) -> Vec<Contribution<u32>> {
        let one = |index: u32| {
            // Half of all have one key, the rest many.
            let port = if index.is_multiple_of(2) {
                0
            } else {
                index / 2 % ports
            };
            let kind = Kind::new(
                TrafficType::Udp,
                TrafficClass::Scan,
                Tool::None,
                17,
                Some(port as u16),
            );
            Contribution::new(index, kind, Country::UNKNOWN, 1, 60)
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn little_memory_gives_the_same_sums_as_much() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = contributions(60_000, 900);
        let sums = |memory_bytes: usize| {
            let mut gathered = Contributions::new(folder.path(), memory_bytes);
            for chunk in all.chunks(1_000) {
                gathered.extend(chunk).expect("writable");
            }
            let sums = gathered.sum(2).expect("readable");
            sums.into_iter()
                .map(|sum| (sum.key, sum.packets, sum.bytes, sum.sources, sum.sketch))
                .collect::<Vec<_>>()
        };
        let much = sums(1 << 30);
        assert_eq!(much.len(), 900);
        assert_eq!(much.iter().map(|sum| sum.1).sum::<u64>(), 60_000);
        for memory_bytes in [1 << 19, 1 << 16] {
            assert_eq!(sums(memory_bytes), much);
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("readable").count(),
            0
        );
    }
}
