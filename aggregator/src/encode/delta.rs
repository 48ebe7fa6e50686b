//! Parquet's DELTA_BINARY_PACKED: differences in blocks of 128, each a quarter with its own bit width, one value after the other.

use super::bits;
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

    /// Appends what `meaning` makes of values that lie together: as many at once as the block has room for.
    #[inline(always)]
    pub(super) fn extend<V: Copy>(&mut self, mut values: &[V], meaning: impl Fn(V) -> i64) {
        while !values.is_empty() {
            let room = &mut self.values[self.held..];
            let (now, later) = values.split_at(values.len().min(room.len()));
            for (place, value) in room.iter_mut().zip(now) {
                *place = meaning(*value);
            }
            self.held += now.len();
            values = later;
            if self.held == self.values.len() {
                self.end_block();
            }
        }
    }

    /// Appends the same value so many times.
    pub(super) fn repeat(&mut self, value: i64, count: usize) {
        (0..count).for_each(|_| self.push(value));
    }

    #[inline(never)]
    fn end_block(&mut self) {
        if self.written == 0 {
            self.first = self.values[0];
        }
        let bounds = push_near(&mut self.blocks, &self.values)
            .or_else(|| push_far(&mut self.blocks, &self.values));
        let (least, greatest) = bounds.unwrap_or_else(|| {
            push_block(&mut self.blocks, &self.values);
            bounds_of(&self.values)
        });
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

/// Values of a block that are no further than this from its first have differences of 32 bits.
const NEAR: i64 = 1 << 30;

/// Appends a whole block of values that are near its first, which most are: 32 bits are enough for their differences, of which a vector
/// register has four. Gives the smallest and the largest; `None`, and nothing appended, if they are not near.
#[inline]
fn push_near(page: &mut Vec<u8>, values: &[i64; BLOCK + 1]) -> Option<(i64, i64)> {
    let first = values[0];
    let mut apart = [0_i32; BLOCK + 1];
    let mut all = 0;
    for (apart, value) in apart.iter_mut().zip(values) {
        let difference = value.wrapping_sub(first);
        all |= difference.wrapping_add(NEAR) as u64;
        *apart = difference as i32;
    }
    if all >= 2 * NEAR as u64 {
        return None;
    }
    let mut deltas = [0_i32; BLOCK];
    let (mut least, mut greatest, mut least_delta) = (0, 0, i32::MAX);
    for (delta, (before, value)) in deltas.iter_mut().zip(apart.iter().zip(&apart[1..])) {
        *delta = value.wrapping_sub(*before);
        least_delta = least_delta.min(*delta);
        least = least.min(*value);
        greatest = greatest.max(*value);
    }
    let above = deltas.map(|delta| delta.wrapping_sub(least_delta) as u32);
    let mut block = DeltaBlock::begin(page, least_delta.into());
    for quarter in above.as_chunks::<MINIBLOCK>().0 {
        let width = u32::BITS
            - quarter
                .iter()
                .fold(0, |all, value| all | value)
                .leading_zeros();
        block.push(width, |words, at| {
            bits::pack(quarter, width, words, at);
        });
    }
    block.end();
    Some((first + i64::from(least), first + i64::from(greatest)))
}

/// Values of a block that are no further than this from its first have differences that a [`Double`] holds.
const FAR: i64 = 1 << 50;

/// The same for values that are farther apart, as times of an hour are.
#[inline]
fn push_far(page: &mut Vec<u8>, values: &[i64; BLOCK + 1]) -> Option<(i64, i64)> {
    let first = values[0];
    let all = values.iter().fold(0, |all, value| {
        all | value.wrapping_sub(first).wrapping_add(FAR) as u64
    });
    if all >= 2 * FAR as u64 {
        return None;
    }
    let mut deltas = [0_i64; BLOCK];
    let (mut least, mut greatest) = ([Double::of(0); LANES], [Double::of(0); LANES]);
    let mut least_delta = [Double::of(2 * FAR - 1); LANES];
    let before = values.as_chunks::<LANES>().0.iter();
    let behind = values[1..].as_chunks::<LANES>().0.iter();
    let into = deltas.as_chunks_mut::<LANES>().0.iter_mut();
    for (deltas, (before, values)) in into.zip(before.zip(behind)) {
        for lane in 0..LANES {
            let delta = values[lane].wrapping_sub(before[lane]);
            let apart = Double::of(values[lane].wrapping_sub(first));
            least[lane] = least[lane].min(apart);
            greatest[lane] = greatest[lane].max(apart);
            least_delta[lane] = least_delta[lane].min(Double::of(delta));
            deltas[lane] = delta;
        }
    }
    let least = least.into_iter().fold(Double::of(0), Double::min);
    let greatest = greatest.into_iter().fold(Double::of(0), Double::max);
    let least_delta = least_delta
        .into_iter()
        .fold(Double::of(2 * FAR - 1), Double::min);
    let base = least_delta.number();
    let above = deltas.map(|delta| delta.wrapping_sub(base) as u64);
    let mut block = DeltaBlock::begin(page, base);
    for quarter in above.as_chunks::<MINIBLOCK>().0 {
        let width = u64::BITS
            - quarter
                .iter()
                .fold(0, |all, value| all | value)
                .leading_zeros();
        block.push(width, |words, at| {
            bits::pack_wide(quarter, width, words, at);
        });
    }
    block.end();
    Some((first + least.number(), first + greatest.number()))
}

/// Values side by side: as many as two vector registers hold.
const LANES: usize = 4;

/// A number between -2^51 and 2^51 as the double that is 1.5 × 2^52 larger, whose lowest bits it is: the processor has a smallest of two
/// doubles in vectors, which it does not of two integers of 64 bits. No such double is a zero or not a number.
#[derive(Clone, Copy)]
struct Double(f64);

impl Double {
    const ZERO_BITS: u64 = 0x4338_0000_0000_0000;

    #[inline(always)]
    const fn of(number: i64) -> Self {
        Double(f64::from_bits(
            (number as u64).wrapping_add(Self::ZERO_BITS),
        ))
    }

    #[inline(always)]
    const fn number(self) -> i64 {
        self.0.to_bits().wrapping_sub(Self::ZERO_BITS) as i64
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self.0 > other.0 { self } else { other }
    }
}

/// A whole block that is being appended.
struct DeltaBlock<'p> {
    page: &'p mut Vec<u8>,
    /// Where the widths are in the page.
    widths: usize,
    words: [u64; bits::words_for(BLOCK * u64::BITS as usize)],
    /// Bits in the words.
    used: usize,
}

impl<'p> DeltaBlock<'p> {
    #[inline(always)]
    fn begin(page: &'p mut Vec<u8>, least_delta: i64) -> Self {
        push_zigzag(page, least_delta);
        let widths = page.len();
        DeltaBlock {
            page,
            widths,
            words: [0; _],
            used: 0,
        }
    }

    /// Appends a quarter of values of so many bits, which `pack` puts into the words from a bit on.
    #[inline(always)]
    fn push(&mut self, width: u32, pack: impl FnOnce(&mut [u64], usize)) {
        self.page.push(width as u8);
        if width > 0 {
            pack(&mut self.words, self.used);
            self.used += MINIBLOCK * width as usize;
        }
    }

    #[inline(always)]
    fn end(self) {
        let words = &self.words[..self.used.div_ceil(64)];
        let start = self.widths + MINIBLOCKS;
        self.page
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.page.truncate(start + self.used / 8);
    }
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
            piece in 1_usize..300,
        ) {
            let mut delta = Delta::new(Vec::new());
            values.iter().for_each(|&value| delta.push(value));
            let bounds = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
            prop_assert_eq!(delta.bounds(), Some(bounds));
            let mut page = Vec::new();
            let _ = delta.finish(&mut page);
            prop_assert_eq!(decode(&page), &values[..]);
            let mut extended = Delta::new(Vec::new());
            for piece in values.chunks(piece) {
                extended.extend(piece, |value| value);
            }
            prop_assert_eq!(extended.bounds(), Some(bounds));
            let mut same = Vec::new();
            let _ = extended.finish(&mut same);
            prop_assert_eq!(same, page);
        }
    }

    /// The quick ways give the bytes of the general one, or nothing.
    #[test]
    fn near_and_far_values_are_packed_as_any_others() {
        let mut state = 1_u64;
        for bits in 0..=52 {
            for base in [0, -7, i64::from(u32::MAX), 1_700_000_000_000_000, i64::MIN] {
                let values: [i64; BLOCK + 1] = std::array::from_fn(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    base + (state >> 11 & ((1 << bits) - 1)) as i64
                });
                let (mut near, mut far, mut general) = (Vec::new(), Vec::new(), Vec::new());
                push_block(&mut general, &values);
                let ways = [
                    (push_near(&mut near, &values), near, 30),
                    (push_far(&mut far, &values), far, 50),
                ];
                for (bounds, page, bits_max) in ways {
                    match bounds {
                        Some(bounds) => {
                            assert_eq!(bounds, bounds_of(&values));
                            assert_eq!(page, general, "{bits} bits from {base}");
                        }
                        None => assert!(bits > bits_max && page.is_empty()),
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_double_holds_its_number(left in 1 - (1_i64 << 51)..1 << 51, right in 1 - (1_i64 << 51)..1 << 51) {
            prop_assert_eq!(Double::of(left).number(), left);
            prop_assert_eq!(Double::of(left).min(Double::of(right)).number(), left.min(right));
            prop_assert_eq!(Double::of(left).max(Double::of(right)).number(), left.max(right));
        }
    }
}
