//! A partition of the contributions, in memory or spilled, and its sums.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Result, Write};
use std::path::PathBuf;

use super::{CONTRIBUTION_BYTES, Contribution, Wide};
use crate::schema::{Key, TrafficSums};
use crate::sketch::{Member, SINGLE_BYTES, SketchRegisters, write_sketch};
use crate::store::Store;

/// Contributions of one key that are worth a sketch at once: far more than a sketch holds one by one.
const LARGE_MEMBERS: usize = 4096;

/// A large row: summed before its hour's other contributions are known.
struct Large {
    packets: u64,
    bytes: u64,
    sources: u64,
    sketch: SketchRegisters,
}

impl Large {
    fn new() -> Self {
        Large {
            packets: 0,
            bytes: 0,
            sources: 0,
            sketch: SketchRegisters::default(),
        }
    }

    fn add(&mut self, member: Member, packets: u64, bytes: u64) {
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.sources += 1;
        self.sketch.insert(member);
    }
}

/// What a partition holds besides the contributions that wait as they came in.
#[derive(Default)]
pub(super) struct Partition {
    kept: Vec<Contribution>,
    spilled: Option<SpillFile>,
    large: HashMap<Key, Large>,
}

/// A file of contributions; removed when it is dropped.
struct SpillFile {
    file: File,
    path: PathBuf,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // A file that cannot be removed stays in the work folder, which readers ignore.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A contribution's key, and its place.
type KeyPlace = (Key, u32);

/// Contributions by key, those of a key in their order.
fn by_key(contributions: &[Contribution]) -> Vec<KeyPlace> {
    let mut order: Vec<KeyPlace> = contributions
        .iter()
        .zip(0..)
        .map(|(one, index)| (one.key(), index))
        .collect();
    if order.len() < SORTED_BY_BYTES_MIN {
        order.sort_unstable();
        return order;
    }
    let first = order[0].0.bits();
    let different = order
        .iter()
        .fold(0, |all, (key, _)| all | (key.bits() ^ first));
    let mut other = order.clone();
    for shift in (0..u64::BITS).step_by(8) {
        if different >> shift & 0xff != 0 {
            sort_by_byte(&order, &mut other, shift);
            std::mem::swap(&mut order, &mut other);
        }
    }
    order
}

/// Contributions that are sorted byte by byte of their keys: each takes a table of 256 counts.
const SORTED_BY_BYTES_MIN: usize = 1024;

/// Sorts by eight bits of the keys from bit `shift` on; equal ones keep their order.
fn sort_by_byte(from: &[KeyPlace], to: &mut [KeyPlace], shift: u32) {
    let byte = |placed: &KeyPlace| usize::from((placed.0.bits() >> shift) as u8);
    let mut next = [0_u32; 256];
    from.iter().for_each(|placed| next[byte(placed)] += 1);
    let mut start = 0;
    for place in &mut next {
        start += std::mem::replace(place, start);
    }
    for placed in from {
        let place = &mut next[byte(placed)];
        to[*place as usize] = *placed;
        *place += 1;
    }
}

impl Partition {
    /// Adds a contribution that is too large for the others' form.
    pub(super) fn add_wide(&mut self, wide: Wide) {
        let large = self.large.entry(wide.key).or_insert_with(Large::new);
        large.add(wide.member, wide.packets, wide.bytes);
    }

    /// Sums the large rows among what was kept and `more`, and keeps the rest; gives the number kept.
    pub(super) fn sum_large<'c>(
        &mut self,
        more: impl Iterator<Item = &'c [Contribution]>,
    ) -> usize {
        let mut waiting = std::mem::take(&mut self.kept);
        more.for_each(|more| waiting.extend_from_slice(more));
        let order = by_key(&waiting);
        for members in order.chunk_by(|left, right| left.0 == right.0) {
            let key = members[0].0;
            let is_large = members.len() >= LARGE_MEMBERS || self.large.contains_key(&key);
            let members = members.iter().map(|member| waiting[member.1 as usize]);
            if is_large {
                let large = self.large.entry(key).or_insert_with(Large::new);
                members.for_each(|one| large.add(one.member, one.packets(), one.bytes()));
            } else {
                self.kept.extend(members);
            }
        }
        self.kept.len()
    }

    /// Writes what was kept to a file.
    pub(super) fn spill(&mut self, store: &Store) -> Result<()> {
        if self.spilled.is_none() {
            let path = store.scratch_path("sums")?;
            let file = File::create_new(&path)?;
            self.spilled = Some(SpillFile { file, path });
        }
        let mut bytes = Vec::with_capacity(self.kept.len() * CONTRIBUTION_BYTES);
        for word in self.kept.iter().flat_map(|one| one.words()) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.file.write_all(&bytes)?;
        }
        self.kept = Vec::new();
        Ok(())
    }

    /// The sums of all, what waits still among them.
    pub(super) fn sum<'c>(
        mut self,
        waiting: impl Iterator<Item = &'c [Contribution]>,
    ) -> Result<TrafficSums> {
        let mut all = self.take_spilled()?;
        all.append(&mut self.kept);
        waiting.for_each(|more| all.extend_from_slice(more));
        let order = by_key(&all);
        let distinct = order.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        let rows = distinct.count() + usize::from(!order.is_empty());
        // Most rows have one source or few.
        let sketch_bytes = rows * SINGLE_BYTES + (order.len() - rows) * size_of::<Member>();
        let mut sums = TrafficSums::with_capacity(rows + self.large.len(), sketch_bytes);
        let mut row_members = Vec::new();
        let mut large: Vec<_> = self.large.drain().collect();
        large.sort_unstable_by_key(|large| std::cmp::Reverse(large.0));
        for members in order.chunk_by(|left, right| left.0 == right.0) {
            let key = members[0].0;
            while large.last().is_some_and(|large| large.0 < key) {
                large
                    .pop()
                    .into_iter()
                    .for_each(|(key, row)| push_large(&mut sums, key, &row));
            }
            let members = members.iter().map(|member| all[member.1 as usize]);
            match large.pop_if(|large| large.0 == key) {
                Some((key, mut row)) => {
                    members.for_each(|one| row.add(one.member, one.packets(), one.bytes()));
                    push_large(&mut sums, key, &row);
                }
                None => push_members(&mut sums, key, members, &mut row_members),
            }
        }
        while let Some((key, row)) = large.pop() {
            push_large(&mut sums, key, &row);
        }
        Ok(sums)
    }

    fn take_spilled(&mut self) -> Result<Vec<Contribution>> {
        let Some(spilled) = self.spilled.take() else {
            return Ok(Vec::new());
        };
        let count = spilled.file.metadata()?.len() as usize / CONTRIBUTION_BYTES;
        let mut input = BufReader::with_capacity(1 << 20, File::open(&spilled.path)?);
        let mut all = Vec::with_capacity(count);
        let mut bytes = [0; CONTRIBUTION_BYTES];
        for _ in 0..count {
            input.read_exact(&mut bytes)?;
            let word = |index: usize| {
                let bytes = &bytes[index * 4..][..4];
                u32::from_le_bytes(bytes.try_into().expect("four bytes"))
            };
            all.push(Contribution::from_words(std::array::from_fn(word)));
        }
        Ok(all)
    }
}

#[inline]
fn push_members(
    sums: &mut TrafficSums,
    key: Key,
    contributions: impl Iterator<Item = Contribution>,
    members: &mut Vec<Member>,
) {
    let (mut packets, mut bytes) = (0, 0);
    members.clear();
    for one in contributions {
        packets += one.packets();
        bytes += one.bytes();
        members.push(one.member);
    }
    let sources = members.len() as u64;
    sums.push(key, [packets, bytes, sources], |sketches| {
        write_sketch(members, sketches);
    });
}

fn push_large(sums: &mut TrafficSums, key: Key, row: &Large) {
    sums.push(key, [row.packets, row.bytes, row.sources], |sketches| {
        row.sketch.write_to(sketches);
    });
}
