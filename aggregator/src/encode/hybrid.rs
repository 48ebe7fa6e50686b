//! Parquet's RLE / bit-packing hybrid, for dictionary indices and definition levels, one value after the other.

use super::bits;
use crate::varint;

/// Values in a bit-packed group, and the shortest run that is worth its own header.
const GROUP: usize = 8;
/// Groups behind one header, which must fit the byte that was left for it.
const GROUPS_MAX: usize = 63;

/// Words of a group of values of any width.
const GROUP_WORDS: usize = bits::words_for(GROUP * u32::BITS as usize);

/// Values on their way into a page.
#[derive(Debug)]
pub(super) struct Hybrid {
    width: u32,
    group: [u32; GROUP],
    /// Values in `group`.
    held: usize,
    /// The last value, and how often it came in a row since the last whole group.
    last: u32,
    repeats: usize,
    /// The offset of the current bit-packed run's header, and how many groups follow it.
    header: usize,
    groups: usize,
}

impl Hybrid {
    /// No value yet; each will have `width` bits at most.
    pub(super) const fn new(width: u32) -> Self {
        Hybrid {
            width,
            group: [0; GROUP],
            held: 0,
            last: 0,
            repeats: 0,
            header: 0,
            groups: 0,
        }
    }

    /// Appends a value that does not continue a run.
    #[inline(always)]
    fn push_other(&mut self, value: u32, page: &mut Vec<u8>) {
        if value == self.last {
            self.repeats += 1;
        } else {
            if self.repeats >= GROUP {
                self.end_run(page);
            }
            (self.last, self.repeats) = (value, 1);
        }
        self.group[self.held] = value;
        self.held += 1;
        if self.held == GROUP {
            self.held = 0;
            if self.repeats < GROUP {
                self.push_group(page);
                self.repeats = 0;
            } else {
                // The group is the beginning of a run, which ends the groups before it.
                self.groups = 0;
            }
        }
    }

    /// Appends values that lie together. Runs and groups are what they would be if each came alone.
    pub(super) fn extend(&mut self, mut values: &[u32], page: &mut Vec<u8>) {
        while !values.is_empty() {
            if self.repeats >= GROUP && self.held == 0 {
                let same = repeats_of(self.last, values);
                self.repeats += same;
                values = &values[same..];
                if values.is_empty() {
                    return;
                }
                self.end_run(page);
            }
            match values.split_first_chunk() {
                Some((group, rest)) if self.held == 0 && self.repeats == 0 => {
                    self.take_group(group, page);
                    values = rest;
                }
                // A group that was begun is filled first, and the last may stay open.
                _ => {
                    self.push_many(values[0], 1, page);
                    values = &values[1..];
                }
            }
        }
    }

    /// Takes a whole group where none was begun.
    #[inline(always)]
    fn take_group(&mut self, group: &[u32; GROUP], page: &mut Vec<u8>) {
        let different = group.iter().fold(0, |all, value| all | (value ^ group[0]));
        self.last = group[GROUP - 1];
        if different == 0 {
            (self.repeats, self.groups) = (GROUP, 0);
        } else {
            self.group = *group;
            self.push_group(page);
        }
    }

    /// Appends the same value so many times.
    #[inline(always)]
    pub(super) fn push_many(&mut self, value: u32, count: usize, page: &mut Vec<u8>) {
        let mut left = count;
        while left > 0 && (value != self.last || self.repeats < GROUP) {
            self.push_other(value, page);
            left -= 1;
        }
        self.repeats += left;
    }

    /// Writes what is still held.
    pub(super) fn finish(mut self, page: &mut Vec<u8>) {
        if self.repeats >= GROUP && self.held == 0 {
            self.end_run(page);
        } else if self.held > 0 {
            self.group[self.held..].fill(0);
            self.push_group(page);
        }
    }

    fn push_group(&mut self, page: &mut Vec<u8>) {
        if self.groups == 0 || self.groups == GROUPS_MAX {
            self.groups = 0;
            self.header = page.len();
            page.push(0);
        }
        self.groups += 1;
        page[self.header] = (self.groups << 1 | 1) as u8;
        let mut words = [0; GROUP_WORDS];
        bits::pack(&self.group, self.width, &mut words, 0);
        bits::append(&words, self.width as usize, page);
    }

    #[inline(never)]
    fn end_run(&mut self, page: &mut Vec<u8>) {
        varint::write((self.repeats as u64) << 1, page);
        let bytes = self.width.div_ceil(8) as usize;
        page.extend_from_slice(&self.last.to_le_bytes()[..bytes]);
        (self.repeats, self.groups) = (0, 0);
    }
}

/// How many of the first values are this one.
fn repeats_of(value: u32, values: &[u32]) -> usize {
    let (groups, _) = values.as_chunks::<GROUP>();
    let is_same = |group: &&[u32; GROUP]| group.iter().all(|other| *other == value);
    let whole = groups.iter().take_while(is_same).count() * GROUP;
    let rest = values[whole..].iter();
    whole + rest.take_while(|other| **other == value).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        let mut take = |length: usize| {
            let (head, rest) = bytes.split_at(length);
            bytes = rest;
            head.to_vec()
        };
        while values.len() < count {
            let (mut header, mut shift) = (0u64, 0);
            loop {
                let byte = take(1)[0];
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let mut value = [0; 4];
                let width_bytes = width.div_ceil(8) as usize;
                value[..width_bytes].copy_from_slice(&take(width_bytes));
                let run = std::iter::repeat_n(u32::from_le_bytes(value), (header >> 1) as usize);
                values.extend(run);
            } else {
                for _ in 0..header >> 1 {
                    let group = take(width as usize);
                    let bit = |bit: usize| u32::from(group[bit / 8] >> (bit % 8) & 1);
                    values.extend((0..8).map(|value| {
                        (0..width as usize)
                            .map(|place| bit(value * width as usize + place) << place)
                            .sum::<u32>()
                    }));
                }
            }
        }
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            runs in prop::collection::vec((0u32..1 << 17, 1usize..40), 0..60),
            width in 17u32..=32,
            piece in 1_usize..90,
        ) {
            let values: Vec<u32> = runs
                .iter()
                .flat_map(|&(value, count)| std::iter::repeat_n(value, count))
                .collect();
            let (mut page, mut many) = (Vec::new(), Vec::new());
            let mut hybrid = Hybrid::new(width);
            values.iter().for_each(|&value| hybrid.push_many(value, 1, &mut page));
            hybrid.finish(&mut page);
            prop_assert_eq!(decode(&page, width, values.len()), &values[..]);
            let mut hybrid = Hybrid::new(width);
            for (value, count) in runs {
                hybrid.push_many(value, count, &mut many);
            }
            hybrid.finish(&mut many);
            prop_assert_eq!(&many, &page);
            let (mut hybrid, mut together) = (Hybrid::new(width), Vec::new());
            for piece in values.chunks(piece) {
                hybrid.extend(piece, &mut together);
            }
            hybrid.finish(&mut together);
            prop_assert_eq!(together, page);
        }
    }

    proptest! {
        #[test]
        fn few_bits_are_decoded_as_well(
            runs in prop::collection::vec((any::<u32>(), 1_usize..20), 0..60),
            width in 0_u32..=16,
        ) {
            let least = |value: u32| value & ((1 << width) - 1);
            let runs = runs.iter().flat_map(|&(value, count)| std::iter::repeat_n(least(value), count));
            let values: Vec<u32> = runs.collect();
            let (mut hybrid, mut page) = (Hybrid::new(width), Vec::new());
            hybrid.extend(&values, &mut page);
            hybrid.finish(&mut page);
            prop_assert_eq!(decode(&page, width, values.len()), values);
        }
    }

    #[test]
    fn one_value_of_no_bits_is_a_run() {
        let mut page = Vec::new();
        let mut hybrid = Hybrid::new(0);
        hybrid.push_many(0, 1000, &mut page);
        hybrid.finish(&mut page);
        assert_eq!(decode(&page, 0, 1000), vec![0; 1000]);
        assert_eq!(page.len(), 2);
    }
}
