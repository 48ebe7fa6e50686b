//! Randomness that is the same on every machine: a small generator, a hash, a permutation, and a logarithm and exponential made of
//! basic arithmetic only, because the platform's mathematics library may differ in its last bit. No distribution of traffic is here.

/// xoshiro256++ (Blackman and Vigna, 2019), seeded through splitmix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A generator for the `stream`-th part of the work under `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut seeds = hash(seed, stream);
        let state = std::array::from_fn(|_| {
            seeds = seeds.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(seeds)
        });
        Random { state }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// 16 random bits.
    pub fn next_u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.next_u64(), bound)
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// Whether an event of this threshold (see [`threshold`]) happens.
    pub fn happens(&mut self, threshold: u64) -> bool {
        threshold != 0 && self.next_u64() <= threshold
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            part.copy_from_slice(&random[..part.len()]);
        }
    }
}

/// The number below `bound` at the position `bits` / 2^64.
#[must_use]
pub fn scale(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// Chooses a row of `rows` by weight; `bits` are random.
#[must_use]
pub fn weighted<T>(rows: &[(u32, T)], bits: u64) -> &T {
    let total: u64 = rows.iter().map(|row| u64::from(row.0)).sum();
    let mut left = scale(bits, total);
    for (weight, row) in rows {
        if left < u64::from(*weight) {
            return row;
        }
        left -= u64::from(*weight);
    }
    &rows[0].1
}

/// The number in [0, 1) with the upper 53 of `bits`.
#[must_use]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// A share in [0, 1] as the threshold that [`Random::happens`] takes.
#[must_use]
pub fn threshold(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 18_446_744_073_709_551_615.0) as u64
}

/// The finaliser of splitmix64: a bijection that scatters.
#[must_use]
pub const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A well-scattered function of two numbers.
#[must_use]
pub const fn hash(left: u64, right: u64) -> u64 {
    mix(mix(left.wrapping_add(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(right.wrapping_mul(0xd1b5_4a32_d192_ed03)))
}

/// A pseudo-random permutation of the numbers below a size: a Feistel network walked until it lands inside. Distinct by construction.
#[derive(Clone, Debug)]
pub struct Permutation {
    size: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// A permutation of 0..`size`; `size` is at least 1 and below 2^62.
    #[must_use]
    pub fn new(size: u64, seed: u64) -> Self {
        let bits = 64 - size.saturating_sub(1).leading_zeros();
        Permutation {
            size,
            half_bits: bits.div_ceil(2).max(1),
            keys: std::array::from_fn(|round| hash(seed, round as u64)),
        }
    }

    /// The image of `index`, which is below the size.
    #[must_use]
    pub fn at(&self, index: u64) -> u64 {
        let mut image = self.round_trip(index);
        while image >= self.size {
            image = self.round_trip(image);
        }
        image
    }

    fn round_trip(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// Natural logarithm of a positive, normal number.
#[must_use]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = (0..12).rev().fold(0.0, |sum, term| {
        sum * square + 1.0 / f64::from(2 * term + 1)
    });
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * ratio * series
}

/// Exponential of a number between -700 and 700.
#[must_use]
pub fn exp(x: f64) -> f64 {
    let power = (x / std::f64::consts::LN_2 + 0.5).floor();
    let rest = x - power * std::f64::consts::LN_2;
    let series = (1..=14)
        .rev()
        .fold(1.0, |sum, term| 1.0 + sum * rest / f64::from(term));
    series * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_platform() {
        for x in [1e-9, 0.3, 1.0, 1.7, 2.0, 10.0, 123_456.789, 4e9] {
            assert!((ln(x) - x.ln()).abs() < 1e-12 * (1.0 + x.ln().abs()), "{x}");
        }
        for x in [-30.0, -1.1, 0.0, 0.5, 3.0, 40.0] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn a_permutation_meets_every_number_once() {
        for size in [1, 2, 3, 100, 4096, 5000] {
            let permutation = Permutation::new(size, 7);
            let mut seen: Vec<u64> = (0..size).map(|index| permutation.at(index)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..size), "{size}");
        }
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Random::new(1, 0).next_u64(), Random::new(1, 1).next_u64());
        assert_eq!(Random::new(1, 5).next_u64(), Random::new(1, 5).next_u64());
    }
}
