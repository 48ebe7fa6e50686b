//! Reads `novelties`: ports, payloads, stack signatures and campaigns that were not seen before, or never by so many sources.

use std::cmp::Ordering;
use std::path::Path;

use arrow::array::Array as _;
use teiten_aggregator::schema::{NoveltyRule, NoveltyWhat, names};

use crate::query::Answer;
use crate::query::rows::{self, Columns, unknown};

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
pub(super) fn least_likely_first(left: &Novelty, right: &Novelty) -> Ordering {
    let score = |it: &Novelty| it.score.unwrap_or(0.0);
    score(right)
        .total_cmp(&score(left))
        .then(right.sources.cmp(&left.sources))
        .then_with(|| {
            let key = |it: &Novelty| (it.hour_us, it.what, it.value.clone(), it.sensor.clone());
            key(left).cmp(&key(right))
        })
}

const COLUMNS: &[&str] = &[
    names::HOUR_START,
    names::SENSOR,
    names::WHAT,
    names::VALUE,
    names::SOURCES,
    names::PACKETS,
    names::COUNTRIES,
    names::USUAL_SOURCES,
    names::RULE,
    names::SCORE,
];

/// Reads a part into `found`.
///
/// # Errors
/// The reason as text, when the file is damaged, lacks a column or holds a word that is not known.
pub(super) fn read(
    path: &Path,
    answer: &mut Answer,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<Novelty>,
) -> Result<(), String> {
    rows::read(path, COLUMNS, answer, |batch, _| add(batch, wants, found))
}

fn add(
    batch: &Columns<'_>,
    wants: &dyn Fn(&str) -> bool,
    found: &mut Vec<Novelty>,
) -> Result<(), String> {
    let text = |name: &str| batch.text(name, |text| Ok(text.to_owned()));
    let (sensors, values) = (text(names::SENSOR)?, text(names::VALUE)?);
    let countries = text(names::COUNTRIES)?;
    let what = batch.text(names::WHAT, |name| {
        NoveltyWhat::from_name(name).ok_or_else(|| unknown(names::WHAT, name))
    })?;
    let rules = batch.text(names::RULE, |name| {
        NoveltyRule::from_name(name).ok_or_else(|| unknown(names::RULE, name))
    })?;
    let hours = batch.timestamps(names::HOUR_START)?;
    let (sources, packets) = (batch.int64(names::SOURCES)?, batch.int64(names::PACKETS)?);
    let (usual, scores) = (
        batch.float64(names::USUAL_SOURCES)?,
        batch.float64(names::SCORE)?,
    );
    for row in 0..batch.rows() {
        if !wants(sensors.at(row)) {
            continue;
        }
        found.push(Novelty {
            hour_us: hours[row],
            sensor: sensors.at(row).clone(),
            what: *what.at(row),
            value: values.at(row).clone(),
            sources: sources.value(row),
            packets: packets.value(row),
            countries: countries.at(row).clone(),
            usual: usual.is_valid(row).then(|| usual.value(row)),
            rule: *rules.at(row),
            score: scores.is_valid(row).then(|| scores.value(row)),
        });
    }
    Ok(())
}
