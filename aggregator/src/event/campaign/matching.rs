//! Which of today's groups is which known campaign: the matching with the greatest sum of weights. Between matchings of equal sums the one
//! that gives campaigns that come first in their order a group is taken.
//!
//! Groups and campaigns that no pair connects do not concern each other, so each connected part is decided by itself: exactly up to
//! [`EXACT_MAX`] groups or campaigns, and above that the heaviest pair first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Groups or campaigns of a connected part that are matched exactly.
pub(crate) const EXACT_MAX: usize = 64;

/// A group and a campaign that may be the same, and how much speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MatchPair {
    pub group: usize,
    pub campaign: usize,
    pub weight: u64,
}

/// Pairs of which no two share a group or a campaign, ascending by group.
#[must_use]
pub(crate) fn best_pairs(pairs: &[MatchPair]) -> Vec<MatchPair> {
    let mut found = Vec::new();
    for part in parts(pairs) {
        let groups = distinct(part.iter().map(|pair| pair.group));
        let campaigns = distinct(part.iter().map(|pair| pair.campaign));
        if groups.len().max(campaigns.len()) <= EXACT_MAX {
            found.extend(exact(&part, &groups, &campaigns));
        } else {
            found.extend(heaviest_first(&part));
        }
    }
    found.sort_by_key(|pair| pair.group);
    found
}

fn distinct(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The connected parts.
fn parts(pairs: &[MatchPair]) -> Vec<Vec<MatchPair>> {
    // Of each campaign and group the least pair that it is connected with.
    let mut root: Vec<usize> = (0..pairs.len()).collect();
    let (mut of_group, mut of_campaign) = (BTreeMap::new(), BTreeMap::new());
    for (place, pair) in pairs.iter().enumerate() {
        let group = *of_group.entry(pair.group).or_insert(place);
        let campaign = *of_campaign.entry(pair.campaign).or_insert(place);
        for other in [group, campaign] {
            let (one, other) = (find(&mut root, place), find(&mut root, other));
            root[one.max(other)] = one.min(other);
        }
    }
    let mut parts: BTreeMap<usize, Vec<MatchPair>> = BTreeMap::new();
    for (place, pair) in pairs.iter().enumerate() {
        let of_part = parts.entry(find(&mut root, place)).or_default();
        of_part.push(*pair);
    }
    parts.into_values().collect()
}

fn find(root: &mut [usize], mut place: usize) -> usize {
    while root[place] != place {
        root[place] = root[root[place]];
        place = root[place];
    }
    place
}

fn heaviest_first(part: &[MatchPair]) -> Vec<MatchPair> {
    let mut order = part.to_vec();
    order.sort_by_key(|pair| (Reverse(pair.weight), pair.campaign, pair.group));
    let (mut groups, mut campaigns) = (Vec::new(), Vec::new());
    order.retain(|pair| {
        let is_free = !groups.contains(&pair.group) && !campaigns.contains(&pair.campaign);
        if is_free {
            groups.push(pair.group);
            campaigns.push(pair.campaign);
        }
        is_free
    });
    order
}

/// The Hungarian method (Kuhn 1955, Munkres 1957) over a square of costs; who has no pair is matched with nobody at no cost.
fn exact(part: &[MatchPair], groups: &[usize], campaigns: &[usize]) -> Vec<MatchPair> {
    let size = groups.len().max(campaigns.len());
    let scale = ((size + 1) * (size + 1)) as i64;
    let mut costs = vec![vec![0_i64; size + 1]; size + 1];
    for pair in part {
        let place = |all: &[usize], one: usize| all.binary_search(&one).unwrap_or(0);
        let (row, column) = (place(groups, pair.group), place(campaigns, pair.campaign));
        // The order of campaigns decides between equal sums.
        let first = (size - column) as i64;
        costs[row + 1][column + 1] = -(pair.weight as i64 * scale + first);
    }
    let of_column = assign(&costs, size);
    let is_taken = |pair: &&MatchPair| {
        let column = campaigns.binary_search(&pair.campaign).unwrap_or(0);
        let row = groups.binary_search(&pair.group).unwrap_or(0);
        of_column[column + 1] == row + 1
    };
    part.iter().filter(is_taken).copied().collect()
}

/// For each column from 1 the row that it gets.
fn assign(costs: &[Vec<i64>], size: usize) -> Vec<usize> {
    let (mut of_rows, mut of_columns) = (vec![0_i64; size + 1], vec![0_i64; size + 1]);
    let mut of_column = vec![0; size + 1];
    let mut way = vec![0; size + 1];
    for row in 1..=size {
        of_column[0] = row;
        let mut least = vec![i64::MAX; size + 1];
        let mut used = vec![false; size + 1];
        let mut column = 0;
        while of_column[column] != 0 {
            used[column] = true;
            let (here, mut delta, mut next) = (of_column[column], i64::MAX, 0);
            for other in 1..=size {
                if used[other] {
                    continue;
                }
                let reduced = costs[here][other] - of_rows[here] - of_columns[other];
                if reduced < least[other] {
                    (least[other], way[other]) = (reduced, column);
                }
                if least[other] < delta {
                    (delta, next) = (least[other], other);
                }
            }
            for other in 0..=size {
                if used[other] {
                    of_rows[of_column[other]] += delta;
                    of_columns[other] -= delta;
                } else if other > 0 {
                    least[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = way[column];
            of_column[column] = of_column[before];
            column = before;
        }
    }
    of_column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(of: &[(usize, usize, u64)]) -> Vec<MatchPair> {
        of.iter()
            .map(|&(group, campaign, weight)| MatchPair {
                group,
                campaign,
                weight,
            })
            .collect()
    }

    #[test]
    fn the_greatest_sum_is_taken_and_not_the_heaviest_pair() {
        let found = best_pairs(&pairs(&[(0, 0, 10), (0, 1, 9), (1, 0, 9)]));
        assert_eq!(found, pairs(&[(0, 1, 9), (1, 0, 9)]));
        // Of equals the first campaign gets a group.
        let found = best_pairs(&pairs(&[(3, 8, 5), (3, 9, 5)]));
        assert_eq!(found, pairs(&[(3, 8, 5)]));
        assert_eq!(best_pairs(&[]), []);
    }

    #[test]
    fn a_large_part_is_matched_by_weight() {
        let mut all = Vec::new();
        for group in 0..EXACT_MAX + 10 {
            all.push((group, group, 100));
            all.push((group, group + 1, 10));
        }
        let found = best_pairs(&pairs(&all));
        assert_eq!(found.len(), EXACT_MAX + 10);
        assert!(found.iter().all(|pair| pair.group == pair.campaign));
    }

    /// The greatest sum by trying everything.
    fn greatest(pairs: &[MatchPair]) -> u64 {
        let Some((first, rest)) = pairs.split_first() else {
            return 0;
        };
        let free: Vec<MatchPair> = rest
            .iter()
            .filter(|pair| pair.group != first.group && pair.campaign != first.campaign)
            .copied()
            .collect();
        greatest(rest).max(first.weight + greatest(&free))
    }

    proptest! {
        #[test]
        fn no_matching_has_a_greater_sum(
            weights in prop::collection::btree_map((0..4usize, 0..4usize), 1..20u64, 0..12),
        ) {
            let all: Vec<MatchPair> = weights
                .into_iter()
                .map(|((group, campaign), weight)| MatchPair { group, campaign, weight })
                .collect();
            let found = best_pairs(&all);
            prop_assert_eq!(found.iter().map(|pair| pair.weight).sum::<u64>(), greatest(&all));
            for (place, pair) in found.iter().enumerate() {
                for other in &found[..place] {
                    prop_assert!(pair.group != other.group && pair.campaign != other.campaign);
                }
            }
        }
    }
}
