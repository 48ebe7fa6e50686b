//! The mergeable distinct count of a traffic row: an Apache DataSketches HLL of its sources' addresses as text.
//!
//! The same set of sources gives the same bytes. While a sketch holds few sources it lists them in the order of arrival, so it is
//! fed in ascending order; once it is full, only its registers are kept, and they know no order. (The library's estimator for
//! sketches that were never merged depends on the order of arrival; it is given up here, as any merge gives it up.)

use datasketches::hash::value::raw_bytes::from_slice;
use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};

use crate::observation::Address;

/// Base-2 logarithm of the number of registers: standard error 1.04 / √4096 = 1.6 %.
pub const LG_K: u8 = 12;

/// A sketch that is being fed.
#[derive(Debug)]
pub struct SourceSketch {
    sketch: HllSketch,
    text: Vec<u8>,
}

impl Default for SourceSketch {
    fn default() -> Self {
        SourceSketch::new()
    }
}

impl SourceSketch {
    /// A sketch of nothing.
    ///
    /// # Panics
    /// Never: `LG_K` is a size that the library accepts.
    #[must_use]
    pub fn new() -> Self {
        let sketch = HllSketch::new(LG_K, HllType::Hll8).expect("12 is a valid lg_k");
        SourceSketch {
            sketch,
            text: Vec::new(),
        }
    }

    /// Adds a source.
    #[inline]
    pub fn insert<A: Address>(&mut self, source: A) {
        self.text.clear();
        source.write_text(&mut self.text);
        self.sketch
            .update_with_coupon(Coupon::from_value(from_slice(&self.text)));
    }

    /// The serialized sketch.
    ///
    /// # Panics
    /// Never: `LG_K` is a size that the library accepts.
    #[must_use]
    pub fn serialize(self) -> Vec<u8> {
        let bytes = self.sketch.serialize();
        if bytes.len() < 1 << LG_K {
            return bytes;
        }
        let mut union = HllUnion::new(LG_K).expect("12 is a valid lg_k");
        // The first sketch is taken over as it is, estimator and all; the second, the same, makes it a merge.
        union.update(&self.sketch);
        union.update(&self.sketch);
        union.to_sketch(HllType::Hll8).serialize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch_of(sources: impl Iterator<Item = u32>) -> Vec<u8> {
        let mut sketch = SourceSketch::new();
        sources.for_each(|source| sketch.insert(source.wrapping_mul(0x9e37_79b9)));
        sketch.serialize()
    }

    #[test]
    fn a_sketch_estimates_within_its_error() {
        for count in [1u32, 7, 8, 300, 2_000, 50_000] {
            let sketch = HllSketch::deserialize(&sketch_of(0..count)).expect("own bytes");
            let error = (sketch.estimate() / f64::from(count) - 1.0).abs();
            assert!(error < 0.065, "{count}: {error}");
        }
    }

    #[test]
    fn a_full_sketch_knows_no_order() {
        assert_eq!(sketch_of(0..5_000), sketch_of((0..5_000).rev()));
    }
}
