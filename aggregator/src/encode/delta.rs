//! Parquet's DELTA_BINARY_PACKED: differences in blocks of 128, each a quarter with its own bit width, one value after the other.

use crate::varint;

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Values on their way into a page. Those of an INT32 column must fit 32 bits, and so must their differences.
#[derive(Debug)]
pub(super) struct Delta {
    /// Values of the current block, behind the last one before it: the first value of all is in no block.
    values: [i64; BLOCK + 1],
    held: usize,
    /// The blocks; the header with the number of values comes before them in the page.
    blocks: Vec<u8>,
    first: i64,
    /// Values that are in whole blocks, and the smallest and largest of them.
    written: u64,
    least: i64,
    greatest: i64,
}

impl Delta {
    /// No value yet; `blocks` is memory to use again.
    pub(super) fn new(mut blocks: Vec<u8>) -> Self {
        blocks.clear();
        Delta {
            values: [0; BLOCK + 1],
            held: 0,
            blocks,
            first: 0,
            written: 0,
            least: i64::MAX,
            greatest: i64::MIN,
        }
    }

    /// Appends a value.
    #[inline(always)]
    pub(super) fn push(&mut self, value: i64) {
        self.values[self.held] = value;
        self.held += 1;
        if self.held == self.values.len() {
            self.end_block();
        }
    }

    #[inline(never)]
    fn end_block(&mut self) {
        if self.written == 0 {
            self.first = self.values[0];
        }
        push_block(&mut self.blocks, &self.values);
        let (least, greatest) = bounds_of(&self.values);
        self.least = self.least.min(least);
        self.greatest = self.greatest.max(greatest);
        self.written += BLOCK as u64;
        self.values[0] = self.values[BLOCK];
        self.held = 1;
    }

    /// Number of values.
    pub(super) const fn count(&self) -> u64 {
        self.written + self.held as u64
    }

    /// The smallest and the largest value, if there is any.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let (least, greatest) = bounds_of(&self.values[..self.held]);
        (self.held > 0).then_some((self.least.min(least), self.greatest.max(greatest)))
    }

    /// Appends header and blocks to `page`; returns the memory for blocks.
    pub(super) fn finish(mut self, page: &mut Vec<u8>) -> Vec<u8> {
        if self.written == 0 {
            self.first = self.values[0];
        }
        if self.held > 1 {
            push_block(&mut self.blocks, &self.values[..self.held]);
        }
        varint::write(BLOCK as u64, page);
        varint::write(MINIBLOCKS as u64, page);
        varint::write(self.count(), page);
        push_zigzag(page, self.first);
        page.extend_from_slice(&self.blocks);
        self.blocks
    }
}

fn bounds_of(values: &[i64]) -> (i64, i64) {
    values
        .iter()
        .fold((i64::MAX, i64::MIN), |(least, greatest), value| {
            (least.min(*value), greatest.max(*value))
        })
}

/// Appends the block of all values but the first, of which there are up to [`BLOCK`].
fn push_block(page: &mut Vec<u8>, values: &[i64]) {
    let mut deltas = [0_i64; BLOCK];
    let used = values.len() - 1;
    for (delta, (before, value)) in deltas.iter_mut().zip(values.iter().zip(&values[1..])) {
        *delta = value.wrapping_sub(*before);
    }
    let least = deltas[..used].iter().copied().min().unwrap_or(0);
    push_zigzag(page, least);
    let mut above = [0_u64; BLOCK];
    for (above, delta) in above.iter_mut().zip(&deltas[..used]) {
        *above = delta.wrapping_sub(least) as u64;
    }
    let widths: [u32; MINIBLOCKS] = std::array::from_fn(|index| {
        let all = above[index * MINIBLOCK..][..MINIBLOCK]
            .iter()
            .fold(0, |all, value| all | value);
        u64::BITS - all.leading_zeros()
    });
    page.extend(widths.map(|width| width as u8));
    let quarters = used.div_ceil(MINIBLOCK);
    for (index, &width) in widths.iter().enumerate().take(quarters) {
        pack(&above[index * MINIBLOCK..][..MINIBLOCK], width, page);
    }
}

/// Packs the values of a quarter, `width` bits each, least significant bit first: `width` words of 32 bits.
fn pack(values: &[u64], width: u32, page: &mut Vec<u8>) {
    let mut packed = [0u8; MINIBLOCK * 8 + 8];
    let (mut held, mut bits, mut place) = (0u64, 0, 0);
    if width == 0 {
        return;
    }
    for &value in values {
        held |= value << bits;
        bits += width;
        if bits >= u64::BITS {
            packed[place..place + 8].copy_from_slice(&held.to_le_bytes());
            place += 8;
            bits -= u64::BITS;
            // A shift by the whole width would be none; then nothing of the value is left.
            held = value.checked_shr(width - bits).unwrap_or(0);
        }
    }
    packed[place..place + 8].copy_from_slice(&held.to_le_bytes());
    page.extend_from_slice(&packed[..width as usize * MINIBLOCK / 8]);
}

/// Packs eight values of `width` bits, least significant bit first: `width` bytes.
#[inline(always)]
pub(super) fn pack_group(values: &[u32; 8], width: u32, page: &mut Vec<u8>) {
    let mut packed = [0u8; 40];
    let (mut held, mut bits, mut place) = (0u64, 0, 0);
    for &value in values {
        held |= u64::from(value) << bits;
        bits += width;
        if bits >= 32 {
            packed[place..place + 4].copy_from_slice(&(held as u32).to_le_bytes());
            place += 4;
            held >>= 32;
            bits -= 32;
        }
    }
    packed[place..place + 4].copy_from_slice(&(held as u32).to_le_bytes());
    page.extend_from_slice(&packed[..width as usize]);
}

fn push_zigzag(page: &mut Vec<u8>, value: i64) {
    varint::write(((value << 1) ^ (value >> 63)) as u64, page);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values by the plain rule of the format, a bit at a time.
    fn decode(mut bytes: &[u8]) -> Vec<i64> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return value;
                }
            }
        }
        fn zigzag(bytes: &mut &[u8]) -> i64 {
            let value = varint(bytes);
            (value >> 1) as i64 ^ -((value & 1) as i64)
        }
        assert_eq!(varint(&mut bytes), 128);
        assert_eq!(varint(&mut bytes), 4);
        let count = varint(&mut bytes) as usize;
        let mut values = vec![zigzag(&mut bytes)];
        while values.len() < count {
            let least = zigzag(&mut bytes);
            let widths: Vec<usize> = bytes[..4].iter().map(|&width| usize::from(width)).collect();
            bytes = &bytes[4..];
            for width in widths {
                if values.len() >= count {
                    break;
                }
                let (block, rest) = bytes.split_at(width * 4);
                bytes = rest;
                for value in 0..32 {
                    let bit = |bit: usize| u64::from(block[bit / 8] >> (bit % 8) & 1);
                    let above: u64 = (0..width)
                        .map(|place| bit(value * width + place) << place)
                        .sum();
                    let last = values[values.len() - 1];
                    values.push(last.wrapping_add(least).wrapping_add(above as i64));
                }
            }
        }
        assert!(bytes.is_empty());
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            values in prop::collection::vec(
                prop_oneof![Just(0i64), 0i64..100, any::<i64>(), any::<u32>().prop_map(i64::from)],
                1..400,
            ),
        ) {
            let mut delta = Delta::new(Vec::new());
            values.iter().for_each(|&value| delta.push(value));
            let bounds = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
            prop_assert_eq!(delta.bounds(), Some(bounds));
            let mut page = Vec::new();
            let _ = delta.finish(&mut page);
            prop_assert_eq!(decode(&page), values);
        }
    }
}
