//! Numbers of a few bits each, packed one behind the other, least significant bit first: what the encodings of deltas and of indices share.
//!
//! Two or four neighbours are joined into a word of 64 bits before they are put into place, so that no number needs a branch of its own.

/// Words for `bits` bits, and one more: the last number is put across two words even where it ends in the first.
pub(super) const fn words_for(bits: usize) -> usize {
    bits.div_ceil(64) + 1
}

/// Puts `values`, a multiple of four of them, each of `width` bits at most, into `words` from bit `at` on. The bits there must be clear.
#[inline(always)]
pub(super) fn pack(values: &[u32], width: u32, words: &mut [u64], mut at: usize) {
    debug_assert!(values.len().is_multiple_of(4) && width <= u32::BITS);
    let joined = |low: u64, high: u64, width: u32| low | high << width;
    for four in values.chunks_exact(4) {
        let low = joined(four[0].into(), four[1].into(), width);
        let high = joined(four[2].into(), four[3].into(), width);
        if width <= 16 {
            put(joined(low, high, 2 * width), words, at);
        } else {
            put(low, words, at);
            put(high, words, at + 2 * width as usize);
        }
        at += 4 * width as usize;
    }
}

/// Puts up to 64 bits into two words.
#[inline(always)]
fn put(value: u64, words: &mut [u64], at: usize) {
    let (word, shift) = (at / 64, at % 64);
    words[word] |= value << shift;
    // In two steps, as a shift by all 64 bits would be none.
    words[word + 1] |= value >> 1 >> (63 - shift);
}

/// Puts `values`, each of `width` bits at most, into `words` from bit `at` on. The bits there must be clear.
#[inline(always)]
pub(super) fn pack_wide(values: &[u64], width: u32, words: &mut [u64], at: usize) {
    let (mut word, mut shift) = (at / 64, (at % 64) as u32);
    let mut held = words[word];
    for &value in values {
        held |= value << shift;
        shift += width;
        if shift >= u64::BITS {
            words[word] = held;
            word += 1;
            shift -= u64::BITS;
            // A shift by the whole width would be none; then nothing of the value is left.
            held = value.checked_shr(width - shift).unwrap_or(0);
        }
    }
    words[word] = held;
}

/// Appends the first `bytes` bytes of a few `words` to `page`.
#[inline(always)]
pub(super) fn append<const WORDS: usize>(words: &[u64; WORDS], bytes: usize, page: &mut Vec<u8>) {
    // All words are appended and the rest taken off again: a copy of a length that is known needs no call.
    let start = page.len();
    let all = words.map(u64::to_le_bytes);
    page.extend_from_slice(all.as_flattened());
    page.truncate(start + bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_bit_is_where_it_belongs(
            values in prop::collection::vec(any::<u32>(), 32),
            width in 0_u32..=32,
            at in 0_usize..200,
        ) {
            let least = |value: u32| (u64::from(value) & ((1 << width) - 1)) as u32;
            let values: Vec<u32> = values.into_iter().map(least).collect();
            let mut words = [0; words_for(200 + 32 * 32)];
            pack(&values, width, &mut words, at);
            let mut page = Vec::new();
            append(&words, words.len() * 8 - 3, &mut page);
            prop_assert_eq!(page.len(), words.len() * 8 - 3);
            page.resize(words.len() * 8, 0);
            let bit = |bit: usize| u32::from(page[bit / 8] >> (bit % 8) & 1);
            let width = width as usize;
            for (place, value) in values.iter().enumerate() {
                let read: u32 = (0..width).map(|of| bit(at + place * width + of) << of).sum();
                prop_assert_eq!(read, *value);
            }
            let wide: Vec<u64> = values.iter().copied().map(u64::from).collect();
            let mut same = [0; words_for(200 + 32 * 32)];
            pack_wide(&wide, width as u32, &mut same, at);
            prop_assert_eq!(same, words);
            let outside = (0..at).chain(at + 32 * width..page.len() * 8);
            prop_assert_eq!(outside.map(bit).sum::<u32>(), 0);
        }
    }
}
