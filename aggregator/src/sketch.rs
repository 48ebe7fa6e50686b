//! The mergeable distinct count of a traffic row: an Apache DataSketches HLL of its sources' addresses as text.
//!
//! Equal sets of sources give equal bytes, in any order. The library hashes a source to a coupon; this module writes the bytes, in the three
//! forms of an HLL image (Apache DataSketches, HLL, the same in Java, C++ and Rust): a list of a few coupons, a set of some hundred, or
//! registers. Most rows of an hour have one or two sources, so a sketch object for each row would cost more than the rest of the row; and the
//! library's own sketches depend on the order of insertion.

pub mod distinct;
mod union;

use std::hash::{Hash, Hasher};

use datasketches::hash::value::raw_bytes::from_slice;
use datasketches::hll::Coupon;

pub use union::{NoSketch, SketchSources, SketchUnion, SketchView};

/// Base-2 logarithm of the number of registers: standard error 1.04 / √4096 = 1.6 %.
pub const LG_K: u8 = 12;
/// Number of registers.
pub const REGISTERS: usize = 1 << LG_K;

/// Most members of a list; a list has 2^3 places.
const LIST_MAX: usize = 7;
const LIST_LG: u8 = 3;
/// Most members of a set: three quarters of 2^9 places. A smaller set says that it has fewer, 2^5 at least.
pub(crate) const SET_MAX: usize = 384;
const SET_LG: std::ops::RangeInclusive<u8> = 5..=9;

/// Serial version and family of every HLL image.
const VERSION_AND_FAMILY: [u8; 2] = [1, 7];
/// Words before the members or registers, by form.
const LIST_WORDS: u8 = 2;
const SET_WORDS: u8 = 3;
const REGISTERS_WORDS: u8 = 10;
/// Only the members that are there follow.
const COMPACT: u8 = 8;
/// The sketch was merged, so the estimate comes from its registers alone.
const OUT_OF_ORDER: u8 = 16;
/// The form in the two lowest bits, above them that the registers have a byte each.
const fn mode(form: u8) -> u8 {
    2 << 2 | form
}

/// What a sketch keeps of a source: a place in 26 bits, and above it how rare its hash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member(u32);

impl Member {
    /// Of the source with this address as text.
    #[must_use]
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let mut word = CouponWord(0);
        Coupon::from_value(from_slice(text)).hash(&mut word);
        Member(word.0)
    }

    /// The member as an image has it.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The member with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Member(bits)
    }
}

/// Takes the one word that a coupon gives to be hashed, which is the coupon itself: the library shows it in no other way.
struct CouponWord(u32);

impl Hasher for CouponWord {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().rev() {
            self.0 = self.0 << 8 | u32::from(byte);
        }
    }

    #[inline(always)]
    fn write_u32(&mut self, word: u32) {
        self.0 = word;
    }

    fn finish(&self) -> u64 {
        u64::from(self.0)
    }
}

/// The head of a list of so many members.
const fn list_head(count: u8) -> [u8; 8] {
    let [version, family] = VERSION_AND_FAMILY;
    let (words, form) = (LIST_WORDS, mode(0));
    [words, version, family, LG_K, LIST_LG, COMPACT, count, form]
}

/// Bytes of the sketch of one member.
pub(crate) const SINGLE_BYTES: usize = 12;

/// Appends the serialized sketch of one member.
#[inline]
fn write_single(member: Member, bytes: &mut Vec<u8>) {
    const HEAD: u64 = u64::from_le_bytes(list_head(1));
    let image = u128::from(member.0) << u64::BITS | u128::from(HEAD);
    let image = image.to_le_bytes();
    bytes.extend_from_slice(&image[..SINGLE_BYTES]);
}

/// Appends the serialized sketch of `members`, which it sorts.
pub fn write_sketch(members: &mut [Member], bytes: &mut Vec<u8>) {
    if let [only] = members {
        write_single(*only, bytes);
        return;
    }
    if members.len() > SET_MAX {
        let mut registers = SketchRegisters::default();
        members.iter().for_each(|&member| registers.insert(member));
        registers.write_to(bytes);
        return;
    }
    members.sort_unstable();
    let distinct = |members: &[Member]| {
        let first = usize::from(!members.is_empty());
        let others = members.windows(2).filter(|pair| pair[0] != pair[1]);
        first + others.count()
    };
    let count = distinct(members);
    if count <= LIST_MAX {
        bytes.extend_from_slice(&list_head(count as u8));
    } else {
        let holds = |lg: &u8| count * 4 <= (1usize << lg) * 3;
        let lg = SET_LG.clone().find(holds).unwrap_or(*SET_LG.end());
        bytes.push(SET_WORDS);
        bytes.extend(VERSION_AND_FAMILY);
        bytes.extend([LG_K, lg, COMPACT, 0, mode(1)]);
        bytes.extend((count as u32).to_le_bytes());
    }
    let mut last = None;
    for &member in members.iter() {
        // Two sources can have the same coupon; a sketch has it once.
        if last != Some(member) {
            bytes.extend_from_slice(&member.0.to_le_bytes());
            last = Some(member);
        }
    }
}

/// The registers of a sketch of many members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SketchRegisters(Box<[u8; REGISTERS]>);

impl Default for SketchRegisters {
    fn default() -> Self {
        SketchRegisters(Box::new([0; REGISTERS]))
    }
}

impl SketchRegisters {
    /// Adds a source.
    #[inline]
    pub fn insert(&mut self, member: Member) {
        let register = &mut self.0[member.0 as usize % REGISTERS];
        *register = (*register).max((member.0 >> 26) as u8);
    }

    /// Appends the serialized sketch.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        write_registers(LG_K, self.0.as_slice(), bytes);
    }
}

/// 2^-n for each value of a register.
const NEGATIVE_POWERS: [f64; 256] = {
    let mut powers = [1.0; 256];
    let mut place = 1;
    while place < powers.len() {
        powers[place] = powers[place - 1] / 2.0;
        place += 1;
    }
    powers
};

/// Appends the image of an HLL8 sketch with these registers and no history.
fn write_registers(lg_k: u8, registers: &[u8], bytes: &mut Vec<u8>) {
    // The sum of 2^-register in two parts, so that large terms do not absorb small ones.
    let (mut large, mut small, mut zeros) = (0.0, 0.0, 0_u32);
    for &register in registers {
        let term = NEGATIVE_POWERS[usize::from(register)];
        if register < 32 {
            large += term;
        } else {
            small += term;
        }
        zeros += u32::from(register == 0);
    }
    bytes.push(REGISTERS_WORDS);
    bytes.extend(VERSION_AND_FAMILY);
    bytes.extend([lg_k, 0, OUT_OF_ORDER, 0, mode(2)]);
    // The first sum belongs to the estimator by order of arrival (HIP), which a merged sketch does not use.
    for sum in [0.0_f64, large, small] {
        bytes.extend(sum.to_le_bytes());
    }
    bytes.extend(zeros.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend_from_slice(registers);
}

#[cfg(test)]
mod tests {
    use datasketches::hll::{HllSketch, HllType, HllUnion};

    use super::*;
    use teiten_observation::Address;

    fn texts(count: u32) -> impl DoubleEndedIterator<Item = Vec<u8>> {
        (0..count).map(|number| {
            let mut text = Vec::new();
            number.wrapping_mul(0x9e37_79b9).write_text(&mut text);
            text
        })
    }

    fn sketch_of(texts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut members: Vec<_> = texts.map(|text| Member::of(&text)).collect();
        let mut bytes = Vec::new();
        write_sketch(&mut members, &mut bytes);
        bytes
    }

    fn library_sketch(texts: impl Iterator<Item = Vec<u8>>) -> HllSketch {
        let mut sketch = HllSketch::new(LG_K, HllType::Hll8).expect("12 is a valid lg_k");
        for text in texts {
            sketch.update_with_coupon(Coupon::from_value(from_slice(&text)));
        }
        sketch
    }

    /// A union of nothing but this: what the library writes once the order of arrival is gone.
    fn merged(sketch: &HllSketch) -> HllSketch {
        let mut union = HllUnion::new(LG_K).expect("12 is a valid lg_k");
        union.update(sketch);
        union.update(sketch);
        union.to_sketch(HllType::Hll8)
    }

    #[test]
    fn a_sketch_is_read_by_the_library_as_the_same_set() {
        for count in [
            1, 2, 7, 8, 24, 25, 48, 97, 192, 193, 384, 385, 2_000, 50_000,
        ] {
            let ours = HllSketch::deserialize(&sketch_of(texts(count))).expect("an HLL image");
            let theirs = library_sketch(texts(count));
            let error = (ours.estimate() / f64::from(count) - 1.0).abs();
            assert!(error < 0.065, "{count}: {error}");
            let both = merged(&theirs).serialize();
            let mut union = HllUnion::new(LG_K).expect("12 is a valid lg_k");
            union.update(&theirs);
            union.update(&ours);
            assert!(
                union.to_sketch(HllType::Hll8).serialize() == both,
                "{count}"
            );
        }
    }

    #[test]
    fn lists_and_registers_are_the_bytes_that_the_library_writes() {
        assert_eq!(sketch_of(texts(1)), library_sketch(texts(1)).serialize());
        for count in [500, 5_000, 100_000] {
            let theirs = merged(&library_sketch(texts(count))).serialize();
            assert!(sketch_of(texts(count)) == theirs, "{count}");
        }
    }

    #[test]
    fn a_sketch_knows_no_order_and_no_member_twice() {
        for count in [3, 7, 100, 384, 5_000] {
            let sketch = sketch_of(texts(count));
            assert!(sketch == sketch_of(texts(count).rev()));
            let twice = texts(count).chain(texts(count));
            if count * 2 <= SET_MAX as u32 || count > SET_MAX as u32 {
                assert!(sketch == sketch_of(twice), "{count}");
            }
        }
    }

    #[test]
    fn a_member_is_what_the_list_of_the_library_shows() {
        let text = b"192.0.2.7".to_vec();
        let image = library_sketch([text.clone()].into_iter()).serialize();
        let bits = Member::of(&text).bits();
        assert_eq!(image[8..], bits.to_le_bytes());
        assert_eq!(Member::from_bits(bits), Member::of(&text));
    }
}
