//! Things of the table `novelties`: ports, payloads, stack signatures and campaigns that were not seen before, or never by so many sources.

use std::cmp::Ordering;

use teiten_aggregator::schema::{NoveltyRule, NoveltyWhat};

/// A thing that is new on a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Novelty {
    /// The hour of its first packet on that day, microseconds since 1970-01-01 UTC.
    pub hour_us: i64,
    /// The sensor.
    pub sensor: String,
    /// What kind of thing.
    pub what: NoveltyWhat,
    /// Which.
    pub value: String,
    /// Sources of the day.
    pub sources: i64,
    /// Packets of the day.
    pub packets: i64,
    /// Countries with their sources, as in `CN:120,US:30`.
    pub countries: String,
    /// Median of the sources on the days before.
    pub usual: Option<f64>,
    /// By which rule.
    pub rule: NoveltyRule,
    /// How unlikely it is.
    pub score: Option<f64>,
}

/// The order of the table of novelties.
pub(in crate::query) fn least_likely_first(left: &Novelty, right: &Novelty) -> Ordering {
    let score = |it: &Novelty| it.score.unwrap_or(0.0);
    score(right)
        .total_cmp(&score(left))
        .then(right.sources.cmp(&left.sources))
        .then_with(|| {
            let key = |it: &Novelty| (it.hour_us, it.what, it.value.clone(), it.sensor.clone());
            key(left).cmp(&key(right))
        })
}
