//! What is new on a day: ports, payloads, stack signatures and campaigns that were not seen before, or never by so many sources.
//!
//! `tally` is what each day leaves to the days behind it: every such thing with its sources. `chance` says how likely so many sources are by
//! chance, from the days before. Many things are tested every day, so that rare chances are not rare; the procedure of Benjamini and Hochberg
//! (1995) keeps the share of false alarms among all alarms below [`NoveltyRules::false_share`].

pub(crate) mod chance;
pub(crate) mod tally;

use crate::schema::NoveltyRule;
use chance::{Usual, ln_chance};

/// Scores end here: probabilities below are not told apart.
const SCORE_MAX: f64 = 300.0;

/// What is new, and what only happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoveltyRules {
    /// Days before that are compared with.
    pub days: u32,
    /// Days before that must be known: below, nothing is called new.
    pub days_min: u32,
    /// Sources of a new thing, at least.
    pub sources_min: u64,
    /// Share of false alarms among all alarms, at most.
    pub false_share: f64,
    /// Sources over their median, at least.
    pub ratio_min: f64,
    /// Whether GreyNoise's two conditions decide instead: more than the median and twice the interquartile range, and more than the mean and
    /// twice the standard deviation.
    pub greynoise: bool,
}

impl Default for NoveltyRules {
    fn default() -> Self {
        NoveltyRules {
            days: 28,
            days_min: 7,
            sources_min: 5,
            false_share: 0.01,
            ratio_min: 1.5,
            greynoise: false,
        }
    }
}

impl NoveltyRules {
    /// The settings as text, for a note of what novelties are made of.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self:?}")
    }
}

/// What speaks for a thing being new.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoveltyVerdict {
    pub rule: NoveltyRule,
    pub score: f64,
    /// Median of the days before.
    pub usual: f64,
}

/// Judges all things of a day together, each by its sources and those of the days before (zeros included, in any order). Only those that are
/// new have a verdict.
#[must_use]
pub(crate) fn judge(
    things: &[(u64, Vec<u32>)],
    rules: &NoveltyRules,
) -> Vec<Option<NoveltyVerdict>> {
    let usual: Vec<Usual> = things.iter().map(|(_, before)| Usual::of(before)).collect();
    if rules.greynoise {
        let each = things.iter().zip(&usual);
        return each
            .map(|((sources, _), usual)| greynoise(*sources, usual, rules))
            .collect();
    }
    let chances: Vec<f64> = things
        .iter()
        .zip(&usual)
        .map(|((sources, _), usual)| ln_chance(*sources, usual))
        .collect();
    let limit = limit(&chances, rules.false_share);
    let each = things.iter().zip(&usual).zip(&chances);
    each.map(|(((sources, _), usual), chance)| {
        let is_new = *chance <= limit
            && *sources >= rules.sources_min
            && *sources as f64 >= rules.ratio_min * usual.median;
        is_new.then(|| NoveltyVerdict {
            rule: match usual.never {
                true => NoveltyRule::NeverSeen,
                false => NoveltyRule::Unusual,
            },
            score: rounded((-chance / std::f64::consts::LN_10).min(SCORE_MAX)),
            usual: usual.median,
        })
    })
    .collect()
}

fn greynoise(sources: u64, usual: &Usual, rules: &NoveltyRules) -> Option<NoveltyVerdict> {
    let count = sources as f64;
    let is_new = count > usual.median + 2.0 * usual.quartiles
        && count > usual.mean + 2.0 * usual.deviation
        && sources >= rules.sources_min;
    is_new.then(|| NoveltyVerdict {
        rule: NoveltyRule::GreyNoise,
        // Of what never changes a source more is one.
        score: rounded(((count - usual.mean) / usual.deviation.max(1.0)).min(SCORE_MAX)),
        usual: usual.median,
    })
}

/// The greatest logarithm of a chance that is still called new, by the procedure of Benjamini and Hochberg: none of these are.
fn limit(chances: &[f64], false_share: f64) -> f64 {
    let mut sorted = chances.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mut limit = f64::NEG_INFINITY;
    for (place, chance) in sorted.iter().enumerate() {
        if *chance <= (false_share * (place + 1) as f64 / count).ln() {
            limit = *chance;
        }
    }
    limit
}

/// Two decimals: what lies behind them may differ between mathematics libraries.
fn rounded(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(of: &[Option<NoveltyVerdict>]) -> Vec<Option<NoveltyRule>> {
        of.iter().map(|it| it.map(|it| it.rule)).collect()
    }

    #[test]
    fn what_was_never_seen_and_what_is_unusual_are_found_among_many_that_only_vary() {
        // Counts that vary as chance has it: a fixed sequence with the spread of a Poisson distribution.
        let varying =
            |mean: u32, place: u32| mean + place * 7_919 % (2 * mean.isqrt() + 1) - mean.isqrt();
        let mut things: Vec<(u64, Vec<u32>)> = (0..2_000)
            .map(|number| {
                let mean = 1 + number % 500;
                let before = (0..28).map(|day| varying(mean, number + day * 13));
                (u64::from(varying(mean, number * 31 + 5)), before.collect())
            })
            .collect();
        assert!(
            judge(&things, &NoveltyRules::default())
                .iter()
                .all(Option::is_none)
        );
        things.push((6, vec![0; 28]));
        things.push((60, vec![10; 28]));
        things.push((4, vec![0; 28]));
        let found = judge(&things, &NoveltyRules::default());
        let expected = [
            Some(NoveltyRule::NeverSeen),
            Some(NoveltyRule::Unusual),
            None,
        ];
        assert_eq!(rules(&found[2_000..]), expected);
        assert!(found[..2_000].iter().all(Option::is_none));
        assert_eq!(found[2_001].map(|it| it.usual), Some(10.0));
    }

    #[test]
    fn greynoise_asks_for_both_conditions() {
        let rule = NoveltyRules {
            greynoise: true,
            ..NoveltyRules::default()
        };
        let mut bursts = vec![10; 24];
        bursts.extend([200; 4]);
        // Above the quartiles in both, but of one the mean and deviation are large.
        let things = [(30, vec![10; 28]), (30, bursts), (4, vec![0; 28])];
        let found = judge(&things, &rule);
        assert_eq!(rules(&found), [Some(NoveltyRule::GreyNoise), None, None]);
        assert_eq!(found[0].map(|it| it.score), Some(20.0));
    }

    #[test]
    fn a_steady_climb_below_the_ratio_is_not_unusual() {
        let things = [(1_400, vec![1_000; 28]), (1_500, vec![1_000; 28])];
        let found = judge(&things, &NoveltyRules::default());
        assert_eq!(rules(&found), [None, Some(NoveltyRule::Unusual)]);
    }
}
