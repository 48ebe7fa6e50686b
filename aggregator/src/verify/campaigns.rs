//! Compares the campaigns of a day with the sources that name them: each campaign has as many sources in `campaigns_daily` as name it in
//! `sources_daily`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::Finding;
use super::days::DayRead;
use crate::part::{PartError, checked, guarded};
use crate::schema::{
    CAMPAIGN_ID, CAMPAIGN_SOURCES, CAMPAIGNS_DAILY, MEMBER_CAMPAIGN, SOURCES_DAILY, Table,
};
use crate::store::Period;

/// Sources by campaign.
type CampaignSources = BTreeMap<String, u64>;

/// What is wrong with the campaigns of days. Files that changed since they were read are left to the next time.
pub(super) fn compare_campaigns(days: &[DayRead]) -> Vec<Finding> {
    let of_table = |table: &Table| -> BTreeMap<(Period, &str), &Path> {
        let days = days.iter().filter(|day| day.table.name == table.name);
        days.map(|day| ((day.period, &day.sensor[..]), day.path.as_path()))
            .collect()
    };
    let (sources, campaigns) = (of_table(&SOURCES_DAILY), of_table(&CAMPAIGNS_DAILY));
    let keys: BTreeSet<_> = sources.keys().chain(campaigns.keys()).collect();
    let mut findings = Vec::new();
    for key in keys {
        let Some(path) = sources.get(key) else {
            // The sources of the day were pruned.
            continue;
        };
        let named = sums(path, MEMBER_CAMPAIGN, None);
        let known = match campaigns.get(key) {
            Some(path) => sums(path, CAMPAIGN_ID, Some(CAMPAIGN_SOURCES)),
            None => Ok(CampaignSources::new()),
        };
        let (Ok(named), Ok(known)) = (named, known) else {
            continue;
        };
        let ids = named.keys().chain(known.keys());
        let wrong = ids.filter(|id| named.get(*id) != known.get(*id)).min();
        if let Some(id) = wrong {
            let count = |of: &CampaignSources| of.get(id).copied().unwrap_or(0);
            let path = campaigns.get(key).unwrap_or(path);
            findings.push(Finding {
                path: path.to_path_buf(),
                reason: format!(
                    "campaign {id} has {} sources, and {} name it in {}: run teiten-aggregator rollup",
                    count(&known),
                    count(&named),
                    SOURCES_DAILY.name
                ),
            });
        }
    }
    findings
}

/// For each text of a column that is not empty, the sum of another column, or without one the number of its rows.
fn sums(path: &Path, id: &str, count: Option<&str>) -> Result<CampaignSources, PartError> {
    let (file, _) = checked(path)?;
    guarded(|| {
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain)?;
        let wanted = count.into_iter().chain([id]);
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
        let mut sums = CampaignSources::new();
        for batch in builder.with_projection(mask).build()? {
            let batch = batch.map_err(|error| PartError::Damaged(error.to_string()))?;
            let missing = |name: &str| PartError::Damaged(format!("it has no column {name}"));
            let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
            let ids = column(id)?.as_string_opt::<i32>();
            let ids = ids.ok_or_else(|| missing(id))?;
            let counts = match count {
                Some(name) => {
                    let counts = column(name)?.as_primitive_opt::<Int64Type>();
                    Some(counts.ok_or_else(|| missing(name))?)
                }
                None => None,
            };
            for row in (0..ids.len()).filter(|row| !ids.value(*row).is_empty()) {
                let more = counts.map_or(1, |counts| counts.value(row).unsigned_abs());
                match sums.get_mut(ids.value(row)) {
                    Some(sum) => *sum += more,
                    None => drop(sums.insert(ids.value(row).to_owned(), more)),
                }
            }
        }
        Ok(sums)
    })
}
