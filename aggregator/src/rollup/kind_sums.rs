//! Sums by kind and country that are in memory: rows one after the other in few bytes, which are sorted and summed only when they are taken.
//! Most rows of a day have one source and come once, so a table of running sums would cost more than all the rest.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::error::RollupError;
use crate::schema::{RolledService, RolledTexts};
use crate::sketch::{REGISTERS, SET_MAX, SketchSources, SketchUnion, SketchView};
use crate::varint;

/// Bytes of rows from which on those of a service are summed before all of them have been read.
const WAITING_BYTES: usize = 16 << 20;

/// Base-2 logarithm of the number of combinations of texts that are found without a map: some hundred kilobytes.
const RECENT_LG: u32 = 12;

/// What a row is summed by: a service, and the number that [`KindTexts::kind`] gives its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NumberedKey {
    pub service: RolledService,
    pub kind: u32,
}

impl NumberedKey {
    #[inline]
    fn bits(self) -> u64 {
        u64::from(self.service.bits()) << u32::BITS | u64::from(self.kind)
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        NumberedKey {
            service: RolledService::from_bits((bits >> u32::BITS) as u32),
            kind: bits as u32,
        }
    }
}

/// The few texts that columns hold, and their combinations in rows, with a number each.
#[derive(Debug, Default)]
pub(super) struct KindTexts {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32, RandomState>,
    kinds: Vec<RolledTexts>,
    known: HashMap<RolledTexts, u32, RandomState>,
    /// Combinations that were asked for lately, each where its numbers say.
    recent: Vec<(RolledTexts, u32)>,
    /// The places of the first kinds among each other, in the order of their texts.
    ranks: Vec<u32>,
    /// The kinds in that order.
    by_rank: Vec<u32>,
    /// Rows that were sorted without ranks since these were found.
    sorted_without: usize,
}

impl KindTexts {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let text: Arc<str> = text.into();
        let number = self.texts.len() as u32;
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// The number of a combination of texts.
    #[inline]
    pub(super) fn kind(&mut self, texts: RolledTexts) -> u32 {
        let mixed = texts.iter().fold(0, |mixed: u32, text| {
            (mixed ^ *text).wrapping_mul(0x9e37_79b1)
        });
        let place = (mixed >> (u32::BITS - RECENT_LG)) as usize;
        match self.recent.get(place) {
            Some((same, kind)) if *same == texts => *kind,
            _ => self.kind_at(place, texts),
        }
    }

    #[cold]
    fn kind_at(&mut self, place: usize, texts: RolledTexts) -> u32 {
        let kind = *self.known.entry(texts).or_insert_with(|| {
            self.kinds.push(texts);
            self.kinds.len() as u32 - 1
        });
        // No text has the greatest number.
        self.recent.resize(1 << RECENT_LG, ([u32::MAX; 5], 0));
        self.recent[place] = (texts, kind);
        kind
    }

    /// All texts.
    pub(super) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// All combinations.
    pub(super) fn kinds(&self) -> &[RolledTexts] {
        &self.kinds
    }

    /// Makes sure that these kinds have ranks, if that is worth it for so many rows.
    fn are_ranked(&mut self, kinds: impl ExactSizeIterator<Item = u32>) -> bool {
        let (rows, ranked) = (kinds.len(), self.ranks.len());
        let largest = kinds.max().unwrap_or(0) as usize;
        if largest < ranked {
            return true;
        }
        self.sorted_without += rows;
        if self.sorted_without < self.kinds.len() {
            return false;
        }
        self.rank();
        true
    }

    fn rank(&mut self) {
        let mut texts: Vec<u32> = (0..self.texts.len() as u32).collect();
        texts.sort_unstable_by_key(|number| &self.texts[*number as usize]);
        let ranks = ranks_of(&texts);
        let order = |kind: &u32| self.kinds[*kind as usize].map(|text| ranks[text as usize]);
        let mut by_rank: Vec<u32> = (0..self.kinds.len() as u32).collect();
        by_rank.sort_unstable_by_key(order);
        self.ranks = ranks_of(&by_rank);
        self.by_rank = by_rank;
        self.sorted_without = 0;
    }

    /// The texts of a key, which rows of a service are sorted by.
    fn texts_of(&self, key: u64) -> [&str; 5] {
        let texts = self.kinds[NumberedKey::from_bits(key).kind as usize];
        texts.map(|number| &*self.texts[number as usize])
    }
}

/// For each number its place among these, which are all.
fn ranks_of(numbers: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; numbers.len()];
    for (rank, number) in (0..).zip(numbers) {
        ranks[*number as usize] = rank;
    }
    ranks
}

/// A row as bytes: packets, bytes and one more than the number of members as varints, then the members; zero in place of their number, then
/// registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowBytes<'r>(&'r [u8]);

impl<'r> RowBytes<'r> {
    /// Appends a row whose sketch has no more members than a union would have.
    #[inline]
    fn write(counts: [i64; 2], sketch: SketchView<'_>, into: &mut Vec<u8>) {
        counts
            .iter()
            .for_each(|count| varint::write(*count as u64, into));
        match sketch {
            // Most rows have one.
            SketchView::Members([only]) => {
                let [a, b, c, d] = *only;
                into.extend_from_slice(&[2, a, b, c, d]);
            }
            SketchView::Members(members) => {
                varint::write(members.len() as u64 + 1, into);
                into.extend_from_slice(members.as_flattened());
            }
            SketchView::Registers(registers) => {
                varint::write(0, into);
                into.extend_from_slice(registers);
            }
        }
    }

    /// Appends a row with the sources of a union.
    fn write_sum(counts: [i64; 2], sources: &mut SketchUnion, into: &mut Vec<u8>) {
        match sources.sources() {
            SketchSources::Few(members) => {
                let words = members.iter().map(|member| member.bits().to_le_bytes());
                let words: Vec<[u8; 4]> = words.collect();
                RowBytes::write(counts, SketchView::Members(&words), into);
            }
            SketchSources::Many(registers) => {
                RowBytes::write(counts, SketchView::Registers(registers), into);
            }
        }
    }

    /// Takes a row from the front of `bytes`; none if they end before it does.
    #[inline]
    pub(super) fn take(bytes: &mut &'r [u8]) -> Option<Self> {
        let whole = *bytes;
        RowBytes::parse(bytes)?;
        Some(RowBytes(&whole[..whole.len() - bytes.len()]))
    }

    /// The bytes.
    pub(super) const fn bytes(self) -> &'r [u8] {
        self.0
    }

    #[inline]
    fn parse(bytes: &mut &'r [u8]) -> Option<([i64; 2], SketchView<'r>)> {
        let counts = [varint::read(bytes)? as i64, varint::read(bytes)? as i64];
        let Some(members) = varint::read(bytes)?.checked_sub(1) else {
            let (registers, rest) = bytes.split_first_chunk::<REGISTERS>()?;
            *bytes = rest;
            return Some((counts, SketchView::Registers(registers)));
        };
        let length = usize::try_from(members).ok()?.checked_mul(4)?;
        let (members, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some((counts, SketchView::Members(members.as_chunks().0)))
    }
}

/// The sum of all rows of a key.
pub(super) struct SumRow<'s> {
    pub key: NumberedKey,
    /// Packets and bytes.
    pub counts: [i64; 2],
    pub sources: &'s mut SketchUnion,
}

/// Rows that are in memory.
#[derive(Debug, Default)]
pub(super) struct HeldSums {
    /// The bits of each row's key, and where its bytes begin.
    places: Vec<(u64, u32)>,
    rows: Vec<u8>,
    sources: SketchUnion,
    /// Bytes of the rows that are known to be sums.
    summed_bytes: usize,
}

impl HeldSums {
    /// Adds a row.
    #[inline]
    pub(super) fn add(&mut self, key: NumberedKey, counts: [i64; 2], sketch: SketchView<'_>) {
        self.places.push((key.bits(), self.rows.len() as u32));
        match sketch {
            SketchView::Members(members) if members.len() > SET_MAX => {
                self.sources.clear();
                self.sources.add_view(sketch);
                RowBytes::write_sum(counts, &mut self.sources, &mut self.rows);
            }
            _ => RowBytes::write(counts, sketch, &mut self.rows),
        }
    }

    /// Adds a row.
    #[inline]
    pub(super) fn add_bytes(&mut self, key: NumberedKey, row: RowBytes<'_>) {
        self.places.push((key.bits(), self.rows.len() as u32));
        self.rows.extend_from_slice(row.0);
    }

    /// Memory that they take until they are sorted.
    pub(super) fn bytes(&self) -> usize {
        // The sort takes half as much again.
        self.places.len() * size_of::<(u64, u32)>() * 3 / 2 + self.rows.len()
    }

    /// Takes the sums of all of them, in the order of the table.
    ///
    /// # Errors
    /// What `each` returns.
    pub(super) fn take<E>(
        &mut self,
        texts: &mut KindTexts,
        mut each: impl FnMut(&KindTexts, SumRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sort(texts);
        let HeldSums {
            places,
            rows,
            sources,
            ..
        } = self;
        for same in places.chunk_by(|left, right| left.0 == right.0) {
            let counts = sum(same, rows, sources);
            let key = NumberedKey::from_bits(same[0].0);
            each(
                texts,
                SumRow {
                    key,
                    counts,
                    sources,
                },
            )?;
        }
        self.clear();
        Ok(())
    }

    /// As [`HeldSums::take`], as bytes.
    ///
    /// # Errors
    /// What `each` returns.
    pub(super) fn take_bytes<E>(
        &mut self,
        texts: &mut KindTexts,
        mut each: impl FnMut(NumberedKey, RowBytes<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sort(texts);
        let HeldSums {
            places,
            rows,
            sources,
            ..
        } = self;
        let mut row = Vec::new();
        for same in places.chunk_by(|left, right| left.0 == right.0) {
            let key = NumberedKey::from_bits(same[0].0);
            if let [(_, at)] = same {
                let only = RowBytes::take(&mut &rows[*at as usize..]);
                each(key, only.expect("a row is where it was put"))?;
                continue;
            }
            let counts = sum(same, rows, sources);
            row.clear();
            RowBytes::write_sum(counts, sources, &mut row);
            each(key, RowBytes(&row))?;
        }
        self.clear();
        Ok(())
    }

    /// Sums up what there is, if that is worth it: rows of many sources take four kilobytes each.
    pub(super) fn make_room(&mut self, texts: &mut KindTexts) {
        if self.rows.len() >= WAITING_BYTES.max(2 * self.summed_bytes) {
            self.sum_up(texts);
        }
    }

    fn sum_up(&mut self, texts: &mut KindTexts) {
        let mut sums = HeldSums::default();
        let Ok(()) = self.take_bytes(texts, |key, row| {
            sums.add_bytes(key, row);
            Ok::<_, std::convert::Infallible>(())
        });
        sums.summed_bytes = sums.rows.len();
        *self = sums;
    }

    fn clear(&mut self) {
        self.places.clear();
        self.rows.clear();
        self.summed_bytes = 0;
    }

    fn sort(&mut self, texts: &mut KindTexts) {
        let places = &mut self.places;
        let kinds = places
            .iter()
            .map(|place| NumberedKey::from_bits(place.0).kind);
        if !texts.are_ranked(kinds) {
            places.sort_unstable_by(|(left, _), (right, _)| {
                let services = (left >> u32::BITS).cmp(&(right >> u32::BITS));
                services.then_with(|| texts.texts_of(*left).cmp(&texts.texts_of(*right)))
            });
            return;
        }
        renumber(places, &texts.ranks);
        // Stable, because that sort makes use of the order in which rows come from each hour.
        places.sort_by_key(|place| place.0);
        renumber(places, &texts.by_rank);
    }
}

fn renumber(places: &mut [(u64, u32)], numbers: &[u32]) {
    for (key, _) in places {
        let NumberedKey { service, kind } = NumberedKey::from_bits(*key);
        let kind = numbers[kind as usize];
        *key = NumberedKey { service, kind }.bits();
    }
}

/// Packets and bytes of these rows; their sources are `sources` then.
#[inline]
fn sum(same: &[(u64, u32)], rows: &[u8], sources: &mut SketchUnion) -> [i64; 2] {
    sources.clear();
    let mut sum = [0, 0];
    for (_, at) in same {
        let row = RowBytes::parse(&mut &rows[*at as usize..]);
        let (counts, sketch) = row.expect("a row is where it was put");
        sum[0] += counts[0];
        sum[1] += counts[1];
        sources.add_view(sketch);
    }
    sum
}

/// Rows in the order of their services, from which those of one at a time are taken.
pub(super) trait SortedSums {
    /// The service that is next; none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn next_service(&mut self, texts: &mut KindTexts)
    -> Result<Option<RolledService>, RollupError>;

    /// Adds the rows of the service that is next.
    ///
    /// # Errors
    /// When they cannot be read.
    fn take_service(
        &mut self,
        service: RolledService,
        texts: &mut KindTexts,
        into: &mut HeldSums,
    ) -> Result<(), RollupError>;
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    use super::*;
    use crate::sketch::{Member, write_sketch};

    /// A row before it is numbered: IP version, protocol, port and texts.
    type Key = ((i32, i32, Option<i32>), [String; 5]);
    /// Packets, bytes and sources.
    type Sum = ([i64; 2], BTreeSet<u32>);

    /// Rows of several hours: some kinds come late, some rows have very many sources.
    fn rows(seed: u32, count: u32) -> Vec<(Key, [i64; 2], Vec<u32>)> {
        let row = |row: u32| {
            let mixed = (row ^ seed).wrapping_mul(0x9e37_79b9) >> 5;
            let port = (!mixed.is_multiple_of(11)).then_some((mixed % 97) as i32);
            let service = (
                [4, 6][(mixed % 2) as usize],
                [6, 17][(mixed / 2 % 2) as usize],
                port,
            );
            let word = |of: u32, known: u32| format!("{}", mixed / 7 % of % (1 + row / known));
            let texts = [
                word(3, 50),
                word(2, 9),
                word(5, 70),
                word(90, 11),
                word(200, 3),
            ];
            let many = if mixed.is_multiple_of(23) {
                450
            } else {
                1 + mixed % 3
            };
            let sources = (0..many).map(|source| mixed % 40 + source).collect();
            (
                (service, texts),
                [i64::from(mixed % 100), i64::from(mixed)],
                sources,
            )
        };
        (0..count).map(row).collect()
    }

    fn sketch_of(sources: impl IntoIterator<Item = u32>) -> Vec<u8> {
        let members = sources.into_iter().map(|it| Member::of(&it.to_le_bytes()));
        let mut bytes = Vec::new();
        write_sketch(&mut members.collect::<Vec<_>>(), &mut bytes);
        bytes
    }

    fn taken(held: &mut HeldSums, texts: &mut KindTexts) -> Vec<(Key, [i64; 2], Vec<u8>)> {
        let mut taken = Vec::new();
        let Ok(()) = held.take(texts, |texts, row| {
            let SumRow {
                key: NumberedKey { service, kind },
                counts,
                sources,
            } = row;
            let kind = texts.kinds()[kind as usize];
            let names = kind.map(|number| texts.texts()[number as usize].to_string());
            let (version, protocol) = (service.ip_version().into(), service.protocol().into());
            let mut sketch = Vec::new();
            sources.write(&mut sketch);
            let service = (version, protocol, service.port().map(i32::from));
            taken.push(((service, names), counts, sketch));
            Ok::<_, Infallible>(())
        });
        taken
    }

    #[test]
    fn sums_are_those_of_a_map_in_the_order_of_texts() {
        // Kinds are known from services before, so that some rows are sorted without ranks.
        let (mut texts, mut held) = (KindTexts::default(), HeldSums::default());
        for (seed, count) in [
            (1, 3),
            (2, 900),
            (3, 40),
            (4, 1),
            (5, 2_000),
            (6, 100),
            (7, 0),
        ] {
            let mut expected: BTreeMap<Key, Sum> = BTreeMap::new();
            for (place, (key, counts, sources)) in rows(seed, count).into_iter().enumerate() {
                let ((version, protocol, port), names) = &key;
                let service = RolledService::new(*version, *protocol, *port);
                let numbers = names.each_ref().map(|name| texts.number(name));
                let key_of = NumberedKey {
                    service: service.expect("a service"),
                    kind: texts.kind(numbers),
                };
                let sketch = sketch_of(sources.iter().copied());
                held.add(key_of, counts, SketchView::of(&sketch).expect("a sketch"));
                let sum = expected.entry(key).or_default();
                sum.0[0] += counts[0];
                sum.0[1] += counts[1];
                sum.1.extend(sources);
                if place % 333 == 332 {
                    held.sum_up(&mut texts);
                }
            }
            let expected = expected.into_iter();
            let expected =
                expected.map(|(key, (counts, sources))| (key, counts, sketch_of(sources)));
            let found = taken(&mut held, &mut texts);
            assert!(
                found == expected.collect::<Vec<_>>(),
                "{seed}: {} sums",
                found.len()
            );
        }
    }

    #[test]
    fn rows_come_back_and_what_is_cut_off_is_none() {
        for count in [1, 2, 384, 385, 1_000] {
            let (mut held, mut texts) = (HeldSums::default(), KindTexts::default());
            let empty = texts.number("");
            let kind = texts.kind([empty; 5]);
            let service = RolledService::new(4, 1, None).expect("a service");
            let sketch = sketch_of(0..count);
            let view = SketchView::of(&sketch).expect("a sketch");
            held.add(NumberedKey { service, kind }, [1, 1 << 40], view);
            let Ok(()) = held.take_bytes(&mut texts, |_, row| {
                let bytes = row.bytes();
                let (counts, _) = RowBytes::parse(&mut &*bytes).expect("whole");
                assert_eq!(counts, [1, 1 << 40]);
                for length in 0..bytes.len() {
                    assert!(RowBytes::take(&mut &bytes[..length]).is_none(), "{length}");
                }
                Ok::<_, Infallible>(())
            });
        }
    }
}
