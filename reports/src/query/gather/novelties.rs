//! Reads the table `novelties`.

use std::path::Path;

use arrow::array::Array as _;
use teiten_aggregator::schema::{NoveltyRule, NoveltyWhat, names};

use crate::query::Answer;
use crate::query::rolled_up::Novelty;
use crate::query::rows::{self, Columns, unknown};

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
    for (row, &hour_us) in hours.iter().enumerate() {
        if !wants(sensors.at(row)) {
            continue;
        }
        found.push(Novelty {
            hour_us,
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
