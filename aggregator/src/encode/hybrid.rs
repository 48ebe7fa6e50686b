//! Parquet's RLE / bit-packing hybrid, for dictionary indices and definition levels, one value after the other.

use super::delta::pack_group;
use crate::varint;

/// Values in a bit-packed group, and the shortest run that is worth its own header.
const GROUP: usize = 8;
/// Groups behind one header, which must fit the byte that was left for it.
const GROUPS_MAX: usize = 63;

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
        pack_group(&self.group, self.width, page);
    }

    #[inline(never)]
    fn end_run(&mut self, page: &mut Vec<u8>) {
        varint::write((self.repeats as u64) << 1, page);
        let bytes = self.width.div_ceil(8) as usize;
        page.extend_from_slice(&self.last.to_le_bytes()[..bytes]);
        (self.repeats, self.groups) = (0, 0);
    }
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
            width in 17u32..=20,
        ) {
            let values: Vec<u32> = runs
                .iter()
                .flat_map(|&(value, count)| std::iter::repeat_n(value, count))
                .collect();
            let (mut page, mut many) = (Vec::new(), Vec::new());
            let mut hybrid = Hybrid::new(width);
            values.iter().for_each(|&value| hybrid.push_many(value, 1, &mut page));
            hybrid.finish(&mut page);
            prop_assert_eq!(decode(&page, width, values.len()), values);
            let mut hybrid = Hybrid::new(width);
            for (value, count) in runs {
                hybrid.push_many(value, count, &mut many);
            }
            hybrid.finish(&mut many);
            prop_assert_eq!(many, page);
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
