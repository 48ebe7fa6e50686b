//! The number of sources that sent a payload: a mergeable estimate in 128 bytes that does not depend on order.
//!
//! HyperLogLog (Flajolet et al., 2007) with linear counting while registers are empty. The sketches of `traffic` have 32 times as many
//! registers; a table of ten thousands of open rows has no memory for them.

use std::io::{self, Read};

/// Registers: a standard error of 1.04 / √128 = 9.2 %, less below some hundred sources.
const REGISTERS: usize = 128;
const REGISTER_BITS: u32 = REGISTERS.ilog2();
/// The constant of the estimator for 128 registers and more (Flajolet et al., 2007, figure 3).
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / REGISTERS as f64);

/// Up to this many registers are written with their indexes; more take fewer bytes without.
const FEW_REGISTERS: usize = REGISTERS / 2 - 1;
/// Written in place of a count before all registers.
const ALL_REGISTERS: u8 = u8::MAX;

/// Distinct sources, as hashes of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Distinct([u8; REGISTERS]);

impl Default for Distinct {
    fn default() -> Self {
        Distinct([0; REGISTERS])
    }
}

impl Distinct {
    /// Adds a source.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64) {
        let register = &mut self.0[(hash >> (u64::BITS - REGISTER_BITS)) as usize];
        // A bit that ends the count where all others are zero.
        let rest = hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1);
        *register = (*register).max(rest.leading_zeros() as u8 + 1);
    }

    /// Adds the sources of `other`.
    pub(super) fn unite(&mut self, other: &Distinct) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = (*ours).max(theirs);
        }
    }

    /// Appends the set to `bytes`: few registers with their indexes, many as the whole array.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        let held = || self.0.iter().enumerate().filter(|(_, held)| **held > 0);
        let count = held().count();
        if count > FEW_REGISTERS {
            bytes.push(ALL_REGISTERS);
            bytes.extend_from_slice(&self.0);
            return;
        }
        bytes.push(count as u8);
        for (place, &held) in held() {
            bytes.extend_from_slice(&[place as u8, held]);
        }
    }

    /// Reads back what [`Distinct::write_to`] wrote.
    ///
    /// # Errors
    /// When `input` ends, cannot be read, or has the index of no register.
    pub(super) fn read_from(input: &mut impl Read) -> io::Result<Self> {
        let mut distinct = Distinct::default();
        let mut count = [0];
        input.read_exact(&mut count)?;
        if count[0] == ALL_REGISTERS {
            input.read_exact(&mut distinct.0)?;
            return Ok(distinct);
        }
        for _ in 0..count[0] {
            let mut held = [0; 2];
            input.read_exact(&mut held)?;
            let register = distinct.0.get_mut(usize::from(held[0]));
            *register.ok_or_else(|| io::Error::other("no such register"))? = held[1];
        }
        Ok(distinct)
    }

    /// How many there are, rounded.
    #[must_use]
    pub(super) fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let zeros = self.0.iter().filter(|&&register| register == 0).count();
        let sum: f64 = self
            .0
            .iter()
            .map(|&register| 0.5f64.powi(i32::from(register)))
            .sum();
        let raw = ALPHA * registers * registers / sum;
        let estimate = if zeros > 0 && raw <= 2.5 * registers {
            registers * (registers / zeros as f64).ln()
        } else {
            raw
        };
        estimate.round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::mixed;
    use super::*;

    fn of(sources: std::ops::Range<u64>) -> Distinct {
        let mut distinct = Distinct::default();
        sources.for_each(|source| distinct.insert(mixed(source)));
        distinct
    }

    #[test]
    fn the_estimate_keeps_to_its_error() {
        assert_eq!(Distinct::default().estimate(), 0);
        assert_eq!(of(0..1).estimate(), 1);
        for count in [10, 100, 300, 1_000, 100_000, 5_000_000] {
            let mut squares = 0.0;
            let rounds = if count > 100_000 { 4 } else { 50 };
            for round in 0..rounds {
                let estimate = of(round * count..(round + 1) * count).estimate() as f64;
                squares += (estimate / count as f64 - 1.0).powi(2);
            }
            let error = (squares / rounds as f64).sqrt();
            assert!(error < 0.15, "{count}: {error}");
        }
    }

    #[test]
    fn a_union_is_the_set_of_both() {
        let mut union = of(0..700);
        union.unite(&of(300..1000));
        assert_eq!(union, of(0..1000));
    }
}
