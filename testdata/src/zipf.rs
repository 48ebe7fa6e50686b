//! Draws ranks by a Zipf–Mandelbrot law, which decides how much each source sends.

use crate::random::{Random, exp, ln, scale};

const QUANTILE_BITS: u32 = 13;
const QUANTILES: usize = 1 << QUANTILE_BITS;

/// Draws ranks below a number, rank k with weight (k + 1 + shift)^-exponent.
///
/// The inverse of the distribution is kept at 8,192 quantiles, straight in between: the head is exact to 1/8,192 of the draws, the
/// tail is smooth, and the tables of all roles stay in the second-level cache.
#[derive(Clone, Debug)]
pub struct Zipf {
    count: u64,
    quantiles: Vec<u32>,
}

impl Zipf {
    /// A law over `count` ranks (at least 1). An exponent of 0 draws each rank alike.
    #[must_use]
    pub fn new(count: u32, exponent: f64, shift: f64) -> Self {
        let quantiles = if exponent <= 0.0 {
            Vec::new()
        } else {
            quantiles(count, exponent, shift)
        };
        Zipf {
            count: u64::from(count.max(1)),
            quantiles,
        }
    }

    /// A rank.
    pub fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.next_u64();
        if self.quantiles.is_empty() {
            return scale(bits, self.count) as u32;
        }
        let segment = (bits >> (64 - QUANTILE_BITS)) as usize;
        let (low, high) = (self.quantiles[segment], self.quantiles[segment + 1]);
        low + scale(bits << QUANTILE_BITS, u64::from(high - low)) as u32
    }
}

fn quantiles(count: u32, exponent: f64, shift: f64) -> Vec<u32> {
    let weight = |rank: u32| exp(-exponent * ln(f64::from(rank) + 1.0 + shift));
    let weights: Vec<f64> = (0..count.max(1)).map(weight).collect();
    let total: f64 = weights.iter().sum();
    let mut result = Vec::with_capacity(QUANTILES + 1);
    let mut reached = 0.0;
    for (rank, weight) in weights.iter().enumerate() {
        reached += weight;
        while result.len() < QUANTILES && (result.len() as f64) * total < reached * QUANTILES as f64
        {
            result.push(rank as u32);
        }
    }
    result.resize(QUANTILES, count.max(1) - 1);
    result.push(count.max(1));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_gets_its_share() {
        let law = Zipf::new(1_000_000, 1.1, 0.0);
        let mut random = Random::new(1, 0);
        let draws = 400_000;
        let first = (0..draws).filter(|_| law.draw(&mut random) == 0).count();
        let share = first as f64 / f64::from(draws);
        assert!((share - 0.1239).abs() < 0.004, "{share}");
    }

    #[test]
    fn every_rank_is_below_the_count() {
        let mut random = Random::new(2, 0);
        for (count, exponent) in [(1, 1.1), (2, 1.1), (17, 0.0), (17, 2.0)] {
            let law = Zipf::new(count, exponent, 1.0);
            assert!((0..10_000).all(|_| law.draw(&mut random) < count));
        }
    }
}
