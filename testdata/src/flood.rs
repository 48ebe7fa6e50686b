//! The sources of a flood: every address that could be a source, each once, in scattered order. Distinct by construction, so that a
//! hundred million of them need no memory.

use crate::countries::{NOWHERE, block_range};
use crate::random::{Permutation, hash};
use crate::source::{Source, Source6};
use crate::telescope::{Prefix, Telescope};

/// Forged sources, numbered.
#[derive(Debug)]
pub struct ForgedSources {
    /// Runs of possible sources: first address and number of sources before it.
    runs: Vec<(u32, u64)>,
    size: u64,
    order: Permutation,
    seed: u64,
}

impl ForgedSources {
    /// All possible sources within the prefix outside the telescope.
    #[must_use]
    pub fn new(telescope: &Telescope, (from, bits): (u32, u8), seed: u64) -> Self {
        let mut closed: Vec<(u64, u64)> = NOWHERE
            .split_whitespace()
            .map(block_range)
            .map(|(first, length)| (u64::from(first), u64::from(first) + length))
            .collect();
        closed.extend(
            telescope
                .prefixes()
                .iter()
                .filter_map(|prefix| match *prefix {
                    Prefix::Ipv4(first, length) => {
                        let first = u64::from(first);
                        Some((first, first + (1 << (32 - length))))
                    }
                    Prefix::Ipv6(..) => None,
                }),
        );
        // Space outside the prefix.
        let length = 1u64 << (32 - u32::from(bits.min(32)));
        let start = u64::from(from) / length * length;
        closed.push((0, start));
        closed.push((start + length, 1 << 32));
        closed.push((1 << 32, 1 << 32));
        closed.sort_unstable();
        let (mut runs, mut size, mut open) = (Vec::new(), 0, 0);
        for (first, end) in closed {
            if first > open {
                runs.push((open as u32, size));
                size += first - open;
            }
            open = open.max(end);
        }
        ForgedSources {
            runs,
            size,
            order: Permutation::new(size.max(1), hash(seed, 4)),
            seed,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The `index`-th forged source of IPv6: distinct by its last 64 bits, from any network below 2400::/6.
    #[must_use]
    pub fn at_ipv6(&self, index: u64) -> Source6 {
        let bits = hash(self.seed ^ 6, index);
        let network = 0x2400 | u128::from(bits & 0x3ff);
        Source6 {
            address: network << 112
                | u128::from(bits >> 32) << 64
                | u128::from(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            seed: bits as u32,
            hops: 5 + (bits >> 40) as u8 % 20,
            country: 0,
        }
    }

    /// The `index`-th source, below the size; its country is left open.
    #[must_use]
    pub fn at(&self, index: u64) -> Source {
        let position = self.order.at(index);
        let run = self.runs.partition_point(|run| run.1 <= position) - 1;
        let bits = hash(self.seed, index);
        Source {
            address: (u64::from(self.runs[run].0) + position - self.runs[run].1) as u32,
            seed: bits as u32,
            hops: 5 + (bits >> 32) as u8 % 20,
            country: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn forged_sources_are_distinct_possible_and_not_dark() -> Result<(), crate::Error> {
        let telescope: Telescope = ["8.0.0.0/8".parse::<Prefix>()?].into_iter().collect();
        let sources = ForgedSources::new(&telescope, (0, 0), 1);
        let mut seen = HashSet::new();
        for index in 0..100_000 {
            let address = sources.at(index).address;
            assert!(seen.insert(address) && !telescope.contains(address));
            assert!(![0, 10, 127].contains(&(address >> 24)) && address >> 28 < 14);
        }
        Ok(())
    }
}
