//! Data that the user supplies besides the dataset: named outages, and published yearly series for comparison.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::period::ReportPeriod;
use crate::text::Language;

/// Everything supplied.
#[derive(Clone, Debug, Default)]
pub struct Supplied {
    /// Outages with names.
    pub outages: Vec<Outage>,
    /// Published series.
    pub series: Vec<YearSeries>,
}

/// A time without observation, and its name.
#[derive(Clone, Debug)]
pub struct Outage {
    /// First instant, microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// First instant after it.
    pub end_us: i64,
    ja: String,
    en: String,
}

impl Outage {
    /// Its name; if a language has none, that of the other.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        match language {
            Language::Ja if !self.ja.is_empty() => &self.ja,
            Language::En if self.en.is_empty() => &self.ja,
            _ => &self.en,
        }
    }
}

/// A published series of years.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearSeries {
    /// Who published it.
    pub name: String,
    /// Where.
    pub source: String,
    /// Its years.
    pub year: Vec<Year>,
}

/// One year of a series.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// The year.
    pub year: i16,
    /// Packets.
    pub packets: f64,
    /// Addresses observed.
    pub addresses: f64,
    /// Packets per address in the year.
    pub packets_per_address: f64,
    /// Share of survey scans, percent.
    pub survey_share_percent: Option<f64>,
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path}: {reason}")]
pub struct SuppliedError {
    path: PathBuf,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageFile {
    #[serde(default)]
    outage: Vec<OutageRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageRow {
    period: String,
    #[serde(default)]
    ja: String,
    #[serde(default)]
    en: String,
}

/// Reads a file of outages: TOML, `[[outage]]` with `period` (as `--period`), `ja` and `en`.
///
/// # Errors
/// When it cannot be read, or a period has no accepted form.
pub fn outages(path: &Path, timezone: &TimeZone) -> Result<Vec<Outage>, SuppliedError> {
    let file: OutageFile = read(path)?;
    file.outage
        .into_iter()
        .map(|row| {
            let period = ReportPeriod::parse(&row.period, timezone)
                .map_err(|error| unusable(path, &error))?;
            Ok(Outage {
                start_us: period.start_us,
                end_us: period.end_us,
                ja: row.ja,
                en: row.en,
            })
        })
        .collect()
}

/// Reads a published series of years: TOML, `name`, `source` and `[[year]]` rows.
///
/// # Errors
/// When it cannot be read.
pub fn series(path: &Path) -> Result<YearSeries, SuppliedError> {
    let mut series: YearSeries = read(path)?;
    series.year.sort_by_key(|year| year.year);
    Ok(series)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, SuppliedError> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
    toml::from_str(&text).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> SuppliedError {
    SuppliedError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_periods_with_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outages.toml");
        let row = "[[outage]]\nperiod = \"2026-11-10..2026-11-13\"\nja = \"大阪停止\"\n";
        std::fs::write(&path, row).unwrap();
        let found = outages(&path, &TimeZone::UTC).unwrap();
        assert_eq!(found[0].name(Language::En), "大阪停止");
        let days = (found[0].end_us - found[0].start_us) / crate::period::HOUR_US / 24;
        assert_eq!(days, 4);
        std::fs::write(&path, "[[outage]]\nperiod = \"soon\"\n").unwrap();
        let message = outages(&path, &TimeZone::UTC).unwrap_err().to_string();
        assert!(
            message.contains("outages.toml") && message.contains("2026-W45"),
            "{message}"
        );
    }

    #[test]
    fn the_example_series_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("example/nicter.toml");
        let found = series(&path).unwrap();
        assert_eq!((found.year.len(), found.year[0].year), (21, 2005));
        let least = found.year.iter().map(|year| year.packets_per_address);
        assert!(least.fold(f64::MAX, f64::min) > 10_000.0);
    }
}
