//! Counting distinct sources over rows and hours: a union of Apache DataSketches HLL sketches, for reports and for what a rollup sums up for
//! them, so that both estimate the same.
//!
//! The tables hold one sketch per row, most of a few members. Merging them through whole sketch objects costs microseconds a row, so
//! the three images a sketch can have (list, set, array of 8-bit registers) are read in place: coupons and registers are all that a
//! union needs (<https://datasketches.apache.org/docs/HLL/HllSketches.html>). The estimate itself is the library's.

use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::{
    COMPACT, LG_K, LIST_LG, LIST_MAX, LIST_WORDS, SET_LG, SET_WORDS, SketchSources, SketchView,
    VERSION_AND_FAMILY, mode, write_registers,
};

/// `lg_k` of the counts for every port; there may be a hundred thousand ports.
pub const LG_K_SMALL: u8 = 10;
/// Relative standard error of a union at [`LG_K`], percent: √(3 ln 2 − 1) / √4096, the estimator without history.
pub const ERROR_PERCENT: f64 = 1.6;
/// Relative standard error at [`LG_K_SMALL`], percent.
pub const ERROR_PERCENT_SMALL: f64 = 3.2;

/// Members kept one by one before registers are set up.
const FEW_MAX: usize = 96;
const PREAMBLE_BYTES: usize = 8;
/// Nothing was added to the sketch.
const EMPTY: u8 = 4;

/// The bytes are no HLL sketch of the dataset's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sketch of sources is no Apache DataSketches HLL image, or one of a smaller lg_k than its column's"
)]
pub struct SketchError;

/// A set of sources, known by its sketch.
#[derive(Clone, Debug)]
pub struct SourceSketch {
    lg_k: u8,
    /// Sorted coupons, while there are few.
    few: Vec<u32>,
    /// One byte per register once there are many, else empty.
    registers: Box<[u8]>,
}

impl Default for SourceSketch {
    fn default() -> Self {
        Self::new(LG_K)
    }
}

impl SourceSketch {
    /// The empty set, kept at `lg_k` (4 to 12).
    #[must_use]
    pub fn new(lg_k: u8) -> Self {
        Self {
            lg_k,
            few: Vec::new(),
            registers: Box::default(),
        }
    }

    /// Adds the members of a serialized sketch.
    ///
    /// # Errors
    /// When the bytes are no HLL sketch or have a smaller `lg_k` than the set.
    pub fn merge_image(&mut self, image: &[u8]) -> Result<(), SketchError> {
        let header = image.first_chunk::<PREAMBLE_BYTES>().ok_or(SketchError)?;
        let [words, version, family, lg_k, _, flags, state, mode] = *header;
        if version != 1 || family != 7 || lg_k < self.lg_k {
            return Err(SketchError);
        }
        match (mode & 3, words) {
            (0, 2) => {
                let length = usize::from(state) * 4;
                let coupons = if flags & 4 != 0 {
                    &[]
                } else {
                    image.get(8..8 + length).ok_or(SketchError)?
                };
                self.add_coupons(coupons);
            }
            (1, 3) => self.add_coupons(image.get(12..).ok_or(SketchError)?),
            (2, 10) if (mode >> 2) & 3 == 2 && lg_k <= LG_K => {
                let registers = image.get(40..40 + (1 << lg_k)).ok_or(SketchError)?;
                self.add_registers(registers);
            }
            (2, _) => self.add_registers(&unpacked(image)?),
            _ => return Err(SketchError),
        }
        Ok(())
    }

    /// Forgets all members.
    pub fn clear(&mut self) {
        self.few.clear();
        self.registers = Box::default();
    }

    /// Adds the members of a sketch.
    #[inline]
    pub fn add_view(&mut self, sketch: SketchView<'_>) {
        match sketch {
            SketchView::Members(members) => {
                let coupons = members.iter().map(|word| u32::from_le_bytes(*word));
                coupons.for_each(|coupon| self.add(coupon));
            }
            SketchView::Registers(registers) => self.add_registers(registers),
        }
    }

    /// Adds the sources of a union.
    #[inline]
    pub fn add_sources(&mut self, sources: SketchSources<'_>) {
        match sources {
            SketchSources::Few(members) => {
                members.iter().for_each(|member| self.add(member.bits()));
            }
            SketchSources::Many(registers) => self.add_registers(registers),
        }
    }

    /// Adds the members of another set.
    pub fn merge(&mut self, other: &SourceSketch) {
        if other.registers.is_empty() {
            for &coupon in &other.few {
                self.add(coupon);
            }
        } else {
            self.add_registers(&other.registers);
        }
    }

    /// The estimated number of members; exact for a few.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() {
            return self.few.len() as f64;
        }
        let mut bytes = Vec::with_capacity(PREAMBLE_BYTES * 5 + self.registers.len());
        write_registers(self.lg_k, &self.registers, &mut bytes);
        HllSketch::deserialize(&bytes).map_or(0.0, |sketch| sketch.composite_estimate())
    }

    /// Appends the serialized sketch: merging it is merging the set.
    pub fn write_image(&self, bytes: &mut Vec<u8>) {
        if !self.registers.is_empty() {
            write_registers(self.lg_k, &self.registers, bytes);
            return;
        }
        let count = self.few.len();
        if count <= LIST_MAX {
            bytes.push(LIST_WORDS);
            bytes.extend(VERSION_AND_FAMILY);
            let flags = COMPACT | if count == 0 { EMPTY } else { 0 };
            bytes.extend([self.lg_k, LIST_LG, flags, count as u8, mode(0)]);
        } else {
            let holds = |lg: &u8| count * 4 <= (1usize << lg) * 3;
            let lg = SET_LG.clone().find(holds).unwrap_or(*SET_LG.end());
            bytes.push(SET_WORDS);
            bytes.extend(VERSION_AND_FAMILY);
            bytes.extend([self.lg_k, lg, COMPACT, 0, mode(1)]);
            bytes.extend((count as u32).to_le_bytes());
        }
        self.few
            .iter()
            .for_each(|coupon| bytes.extend(coupon.to_le_bytes()));
    }

    fn add_coupons(&mut self, bytes: &[u8]) {
        for coupon in bytes.as_chunks::<4>().0 {
            self.add(u32::from_le_bytes(*coupon));
        }
    }

    #[inline]
    fn add(&mut self, coupon: u32) {
        if coupon == 0 {
            return;
        }
        if !self.registers.is_empty() {
            self.raise(coupon);
        } else if let Err(place) = self.few.binary_search(&coupon) {
            self.few.insert(place, coupon);
            if self.few.len() > FEW_MAX {
                self.expand();
            }
        }
    }

    /// A coupon holds a register's number in its low 26 bits and a value above them.
    fn raise(&mut self, coupon: u32) {
        let slot = coupon as usize & (self.registers.len() - 1);
        self.registers[slot] = self.registers[slot].max((coupon >> 26) as u8);
    }

    fn expand(&mut self) {
        if self.registers.is_empty() {
            self.registers = vec![0; 1 << self.lg_k].into_boxed_slice();
        }
        for coupon in std::mem::take(&mut self.few) {
            self.raise(coupon);
        }
    }

    /// Merges registers of the same or a larger `lg_k` into these: slots wrap, values stay.
    fn add_registers(&mut self, other: &[u8]) {
        self.expand();
        for part in other.chunks(self.registers.len()) {
            for (mine, &theirs) in self.registers.iter_mut().zip(part) {
                *mine = (*mine).max(theirs);
            }
        }
    }
}

/// Registers of an image that packs them (HLL4, HLL6) or has another `lg_k`.
fn unpacked(image: &[u8]) -> Result<Vec<u8>, SketchError> {
    let sketch = HllSketch::deserialize(image).map_err(|_| SketchError)?;
    let mut union = HllUnion::new(LG_K).map_err(|_| SketchError)?;
    union.update(&sketch);
    let plain = union.to_sketch(HllType::Hll8).serialize();
    plain
        .get(40..40 + (1 << LG_K))
        .map(<[u8]>::to_vec)
        .ok_or(SketchError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(members: std::ops::Range<u32>) -> HllSketch {
        let mut sketch = HllSketch::new(LG_K, HllType::Hll8).unwrap();
        for member in members {
            sketch.update(member);
        }
        sketch
    }

    fn union_estimate(parts: &[HllSketch]) -> f64 {
        let mut union = HllUnion::new(LG_K).unwrap();
        for part in parts {
            union.update(part);
        }
        union.to_sketch(HllType::Hll8).composite_estimate()
    }

    #[test]
    fn a_union_estimates_what_the_library_estimates() {
        for ranges in [
            vec![0..3, 2..9],
            vec![0..40, 20..90],
            vec![0..500, 300..1200, 0..2],
            vec![0..50_000, 25_000..100_000],
        ] {
            let parts: Vec<_> = ranges.into_iter().map(sketch).collect();
            let mut distinct = SourceSketch::default();
            for part in &parts {
                distinct.merge_image(&part.serialize()).unwrap();
            }
            let expected = union_estimate(&parts);
            let found = distinct.estimate();
            assert!(
                (found - expected).abs() <= 0.02 * expected + 1e-6,
                "{found} for {expected}"
            );
        }
    }

    #[test]
    fn a_few_members_are_counted_exactly() {
        let mut distinct = SourceSketch::default();
        distinct.merge_image(&sketch(0..5).serialize()).unwrap();
        distinct.merge_image(&sketch(3..7).serialize()).unwrap();
        assert_eq!(distinct.estimate(), 7.0);
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let images: Vec<_> = [0..10, 5..3000, 2000..2100]
            .map(|range| sketch(range).serialize())
            .into();
        let mut forward = SourceSketch::default();
        let mut backward = SourceSketch::default();
        for index in 0..images.len() {
            forward.merge_image(&images[index]).unwrap();
            let mut other = SourceSketch::default();
            other
                .merge_image(&images[images.len() - 1 - index])
                .unwrap();
            backward.merge(&other);
        }
        assert_eq!(forward.estimate(), backward.estimate());
    }

    #[test]
    fn a_small_sketch_stays_within_its_error() {
        let mut distinct = SourceSketch::new(LG_K_SMALL);
        distinct
            .merge_image(&sketch(0..20_000).serialize())
            .unwrap();
        assert!((distinct.estimate() / 20_000.0 - 1.0).abs() < 4.0 * ERROR_PERCENT_SMALL / 100.0);
    }

    #[test]
    fn a_set_that_was_written_and_read_is_the_same_set() {
        for lg_k in [LG_K_SMALL, LG_K] {
            for count in [0, 1, 7, 8, 96, 97, 400, 30_000] {
                let mut whole = SourceSketch::new(lg_k);
                let mut halves = SourceSketch::new(lg_k);
                whole.merge_image(&sketch(0..count).serialize()).unwrap();
                for half in [0..count / 2, count / 3..count] {
                    let mut part = SourceSketch::new(lg_k);
                    part.merge_image(&sketch(half).serialize()).unwrap();
                    let mut bytes = Vec::new();
                    part.write_image(&mut bytes);
                    HllSketch::deserialize(&bytes).expect("an image for the library");
                    halves.merge_image(&bytes).unwrap();
                }
                assert_eq!(halves.estimate(), whole.estimate(), "{lg_k} {count}");
                assert_eq!(halves.registers, whole.registers, "{lg_k} {count}");
                assert_eq!(halves.few, whole.few, "{lg_k} {count}");
            }
        }
    }

    #[test]
    fn packed_registers_are_read_too() {
        let mut packed = HllSketch::new(LG_K, HllType::Hll4).unwrap();
        for member in 0..30_000_u32 {
            packed.update(member);
        }
        let mut distinct = SourceSketch::default();
        distinct.merge_image(&packed.serialize()).unwrap();
        assert!((distinct.estimate() / 30_000.0 - 1.0).abs() < 0.06);
    }

    #[test]
    fn bytes_that_are_no_sketch_are_refused() {
        for bytes in [
            &b""[..],
            b"12345678",
            &[2, 1, 7, 12, 3, 8, 8, 8],
            &[10, 1, 7, 12, 0, 0, 0, 10],
        ] {
            assert_eq!(SourceSketch::default().merge_image(bytes), Err(SketchError));
        }
    }
}
