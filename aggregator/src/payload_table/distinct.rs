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
/// Registers that are held with their indexes; most payloads of a flood have one source.
const HELD_IN_PLACE: usize = 7;

/// Memory of a set beyond its own place, at most.
pub(super) const MEMORY_BYTES_MAX: usize = REGISTERS;

/// Distinct sources, as hashes of 64 bits.
#[derive(Clone, Debug)]
pub(super) struct Distinct(HeldRegisters);

/// Registers that are not zero. A table has one such set for each of up to 200,000 rows, so the few of most of them lie in place.
#[derive(Clone, Debug)]
enum HeldRegisters {
    /// Each with its index, in no order.
    Few {
        count: u8,
        held: [[u8; 2]; HELD_IN_PLACE],
    },
    Many(Box<[u8; REGISTERS]>),
}

const _: () = assert!(size_of::<Distinct>() == 16);

impl Default for Distinct {
    fn default() -> Self {
        Distinct(HeldRegisters::Few {
            count: 0,
            held: [[0; 2]; HELD_IN_PLACE],
        })
    }
}

impl PartialEq for Distinct {
    fn eq(&self, other: &Self) -> bool {
        self.registers() == other.registers()
    }
}

impl Distinct {
    /// Adds a source.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64) {
        // A bit that ends the count where all others are zero.
        let rest = hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1);
        let place = (hash >> (u64::BITS - REGISTER_BITS)) as u8;
        self.raise(place, rest.leading_zeros() as u8 + 1);
    }

    /// Raises a register to `rank`, which is not zero.
    fn raise(&mut self, place: u8, rank: u8) {
        match &mut self.0 {
            HeldRegisters::Many(all) => {
                let register = &mut all[usize::from(place)];
                *register = (*register).max(rank);
            }
            HeldRegisters::Few { count, held } => {
                let known = usize::from(*count);
                if let Some(known) = held[..known].iter_mut().find(|held| held[0] == place) {
                    known[1] = known[1].max(rank);
                } else if known < HELD_IN_PLACE {
                    held[known] = [place, rank];
                    *count += 1;
                } else {
                    let mut all = self.registers();
                    all[usize::from(place)] = rank;
                    self.0 = HeldRegisters::Many(Box::new(all));
                }
            }
        }
    }

    /// Adds the sources of `other`.
    pub(super) fn unite(&mut self, other: &Distinct) {
        match (&mut self.0, &other.0) {
            (HeldRegisters::Many(ours), HeldRegisters::Many(theirs)) => {
                for (ours, theirs) in ours.iter_mut().zip(**theirs) {
                    *ours = (*ours).max(theirs);
                }
            }
            _ => other.each(|place, rank| self.raise(place, rank)),
        }
    }

    /// The registers that are not zero.
    fn each(&self, mut take: impl FnMut(u8, u8)) {
        match &self.0 {
            HeldRegisters::Few { count, held } => {
                let held = &held[..usize::from(*count)];
                held.iter().for_each(|[place, rank]| take(*place, *rank));
            }
            HeldRegisters::Many(all) => {
                let held = (0..).zip(**all).filter(|(_, rank)| *rank > 0);
                held.for_each(|(place, rank)| take(place, rank));
            }
        }
    }

    fn registers(&self) -> [u8; REGISTERS] {
        let mut all = [0; REGISTERS];
        self.each(|place, rank| all[usize::from(place)] = rank);
        all
    }

    /// Memory beyond its own place, bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match self.0 {
            HeldRegisters::Few { .. } => 0,
            HeldRegisters::Many(_) => REGISTERS,
        }
    }

    /// Appends the set to `bytes`: few registers with their indexes, many as the whole array.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        let mut held = 0;
        self.each(|_, _| held += 1);
        if held > FEW_REGISTERS {
            bytes.push(ALL_REGISTERS);
            bytes.extend_from_slice(&self.registers());
            return;
        }
        bytes.push(held as u8);
        self.each(|place, rank| bytes.extend_from_slice(&[place, rank]));
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
            let mut all = [0; REGISTERS];
            input.read_exact(&mut all)?;
            return Ok(Distinct(HeldRegisters::Many(Box::new(all))));
        }
        for _ in 0..count[0] {
            let mut held = [0; 2];
            input.read_exact(&mut held)?;
            let [place, rank] = held;
            if usize::from(place) >= REGISTERS || rank == 0 {
                return Err(io::Error::other("no such register"));
            }
            distinct.raise(place, rank);
        }
        Ok(distinct)
    }

    /// How many there are, rounded.
    #[must_use]
    pub(super) fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let linear = |zeros: usize| registers * (registers / zeros as f64).ln();
        let all = match &self.0 {
            // So few are always below the bound of linear counting.
            HeldRegisters::Few { count, .. } => {
                return linear(REGISTERS - usize::from(*count)).round() as u64;
            }
            HeldRegisters::Many(all) => all,
        };
        let zeros = all.iter().filter(|&&register| register == 0).count();
        let sum: f64 = all.iter().map(|&rank| power_of_half(rank)).sum();
        let raw = ALPHA * registers * registers / sum;
        let estimate = if zeros > 0 && raw <= 2.5 * registers {
            linear(zeros)
        } else {
            raw
        };
        estimate.round() as u64
    }
}

/// 2 to the power of -`rank`, exactly.
fn power_of_half(rank: u8) -> f64 {
    const EXPONENT_OF_ONE: u64 = 1023;
    f64::from_bits((EXPONENT_OF_ONE - u64::from(rank)) << (f64::MANTISSA_DIGITS - 1))
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
        for (all, left, right) in [
            (1000, 0..700, 300..1000),
            (5, 0..3, 2..5),
            (9, 0..5, 4..9),
            (200, 0..200, 7..8),
            (200, 7..8, 0..200),
        ] {
            let mut union = of(left);
            union.unite(&of(right));
            assert_eq!(union, of(0..all));
        }
    }

    #[test]
    fn few_registers_hold_what_all_of_them_would() {
        for count in 0..300 {
            let mut all = [0; REGISTERS];
            for source in 0..count {
                let hash = mixed(source);
                let rank = (hash << REGISTER_BITS).leading_zeros().min(57) as u8 + 1;
                let place = (hash >> (u64::BITS - REGISTER_BITS)) as usize;
                all[place] = rank.max(all[place]);
            }
            let distinct = of(0..count);
            assert_eq!(distinct.registers(), all, "{count}");
            let mut bytes = Vec::new();
            distinct.write_to(&mut bytes);
            let back = Distinct::read_from(&mut bytes.as_slice()).expect("written by this");
            assert_eq!(back, distinct);
            let held = all.iter().filter(|rank| **rank > 0).count();
            assert_eq!(distinct.memory_bytes() > 0, held > HELD_IN_PLACE);
        }
    }

    #[test]
    fn powers_of_a_half_are_exact() {
        for rank in 0..=u8::MAX {
            assert_eq!(power_of_half(rank), 0.5f64.powi(rank.into()));
        }
    }
}
