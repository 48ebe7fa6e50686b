//! Merges datasets: the parts of each are copied into one folder, where an hour has separate parts for each sensor and run.
//!
//! A part that exists there with the same bytes is skipped, so a merge can be repeated. An hour that a sensor still adds to is replaced by
//! a later state, never by an earlier one: the later state has more observed seconds or packets. The parts of a capture are replaced by those
//! of a longer copy of the same capture. The merge copies nothing if two sensors share a name, if two parts of one name differ and neither
//! is a later state, or if a part fails `verify`.

mod copies;
mod copy;
mod edition;
mod error;
mod rename;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::compact::{COMPACTED_TABLES, take_apart};
use crate::hour::Hour;
use crate::part::CHECKSUM_KEY;
use crate::pruned::PrunedHours;
use crate::schema::TABLES;
use crate::store::{Period, Store};
use crate::verify::check_edition;
use copies::{HourRunParts, SharedCaptures, relate};
use copy::write_copy;
use edition::{Decision, MergePart, RunParts, decide, is_same};
use error::file_error;
use source::MergeSource;

pub use error::MergeError;
pub use rename::{Rename, RenameError};

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Parts copied.
    pub copied: u64,
    /// Copied parts that replaced an earlier state.
    pub replaced: u64,
    /// Parts that were skipped because they, or a later state of them, existed already.
    pub present: u64,
    /// Parts removed: those of shorter copies of a capture, once the longer copy's parts were copied.
    pub removed: u64,
    /// Bytes copied.
    pub bytes: u64,
}

/// Copies every part of `datasets` into the dataset `into`, which is created if it is missing.
///
/// # Errors
/// When a part cannot be read or written, or parts conflict. Conflicts are found before anything is copied.
pub fn merge(into: &Path, datasets: &[PathBuf]) -> Result<MergeReport, MergeError> {
    merge_renaming(into, datasets, &[])
}

/// As [`merge`], with new names for sensors of `datasets`.
///
/// # Errors
/// As [`merge`], and when `datasets` lack a sensor that `renames` names.
pub fn merge_renaming(
    into: &Path,
    datasets: &[PathBuf],
    renames: &[Rename],
) -> Result<MergeReport, MergeError> {
    let ours = Store::at(into);
    if into.is_dir() {
        ours.recover().map_err(file_error(into))?;
    }
    let stores = open(&ours, datasets)?;
    let hours = hours(&stores)?;
    // Parts of these hours may be replaced.
    take_apart(&ours, &COMPACTED_TABLES, &hours)?;
    let mut merging = MergeState {
        ours: &ours,
        renames,
        identities: SensorIdentities::default(),
        checked: BTreeSet::new(),
        found: BTreeSet::new(),
        sensors: BTreeSet::new(),
        replaced: BTreeSet::new(),
    };
    for hour in hours_of(&ours)? {
        let present = editions_of(&ours, hour)?;
        for edition in present.values() {
            merging.identities.note(edition)?;
        }
    }
    // All checks run before the first copy.
    for &hour in &hours {
        merging.look_at(hour, &stores)?;
    }
    rename::all_found(renames, &merging.found, &merging.sensors)?;
    // Decided again here, so that two merges at once cannot restore an earlier state.
    let _one_at_a_time = ours.lock("merge").map_err(file_error(into))?;
    take_apart(&ours, &COMPACTED_TABLES, &hours)?;
    let mut merged = MergeReport::default();
    for hour in hours {
        for theirs in &stores {
            merging.copy_hour(hour, theirs, &mut merged)?;
        }
    }
    Ok(merged)
}

/// The editions of an hour in the target, of which no day that is merged is compacted.
fn editions_of(ours: &Store, hour: Hour) -> Result<HourRunParts, MergeError> {
    let tables: Vec<&'static str> = TABLES.iter().map(|table| table.name).collect();
    let open = ours.open_period(&tables, Period::Hour(hour));
    Ok(edition::editions(
        open.map_err(file_error(ours.directory()))?,
        &[],
    ))
}

fn open<'m>(ours: &'m Store, datasets: &[PathBuf]) -> Result<Vec<MergeSource<'m>>, MergeError> {
    let into = ours.directory();
    let mut stores = Vec::new();
    for dataset in datasets {
        let path = dataset.clone();
        if is_same_folder(dataset, into) {
            return Err(MergeError::Itself { path });
        }
        let store = Store::at(dataset);
        if hours_of(&store)?.is_empty() {
            return Err(MergeError::NoDataset { path });
        }
        stores.push(MergeSource::new(store, ours));
    }
    Ok(stores)
}

fn hours(stores: &[MergeSource<'_>]) -> Result<BTreeSet<Hour>, MergeError> {
    let mut hours = BTreeSet::new();
    for store in stores {
        hours.extend(hours_of(&store.store)?);
    }
    Ok(hours)
}

fn pruned(store: &Store) -> Result<PrunedHours, MergeError> {
    PrunedHours::read(store).map_err(file_error(store.directory()))
}

/// The hours for which a dataset has parts.
fn hours_of(store: &Store) -> Result<BTreeSet<Hour>, MergeError> {
    let mut hours = BTreeSet::new();
    for table in TABLES {
        let parts = store.parts_within(table.name, &(i64::MIN..i64::MAX));
        let parts = parts.map_err(file_error(store.directory()))?;
        hours.extend(parts.iter().map(|part| part.period.first_hour()));
    }
    Ok(hours)
}

/// The state of a merge.
struct MergeState<'m> {
    ours: &'m Store,
    renames: &'m [Rename],
    identities: SensorIdentities,
    /// Checksums of parts that passed `verify`.
    checked: BTreeSet<(PathBuf, String)>,
    /// Renames that matched a part, and all sensors seen, each with its identity.
    found: BTreeSet<String>,
    sensors: BTreeSet<(String, String)>,
    /// Runs that a longer copy of their capture replaces; their hours without packets are removed too.
    replaced: BTreeSet<String>,
}

impl MergeState<'_> {
    /// Checks an hour for conflicts.
    fn look_at(&mut self, hour: Hour, stores: &[MergeSource<'_>]) -> Result<(), MergeError> {
        let mut best = editions_of(self.ours, hour)?;
        for theirs in stores {
            let pruned = pruned(&theirs.store)?;
            let theirs = edition::editions(theirs.open(hour)?, self.renames);
            let mut copies = relate(&theirs, &best)?;
            for (name, theirs) in theirs {
                self.note(&theirs);
                self.identities.note(&theirs)?;
                if copies.counted.contains(&name) {
                    continue;
                }
                match decide(&theirs, best.get(&name))? {
                    Decision::Leave => {}
                    Decision::Take => {
                        self.check(hour, &pruned, &theirs)?;
                        best.insert(name, theirs);
                    }
                    Decision::Conflict { theirs, ours } => {
                        return Err(MergeError::Conflict { theirs, ours });
                    }
                }
            }
            for name in std::mem::take(&mut copies.replaced) {
                best.remove(&name);
                self.replaced.insert(name);
            }
        }
        Ok(())
    }

    fn note(&mut self, edition: &RunParts) {
        self.found.extend(edition.asked.clone());
        if let (Some(sensor), Some(identity)) = (&edition.original, &edition.identity) {
            self.sensors.insert((sensor.clone(), identity.clone()));
        }
    }

    /// Refuses parts that fail `verify`.
    fn check(
        &mut self,
        hour: Hour,
        pruned: &PrunedHours,
        edition: &RunParts,
    ) -> Result<(), MergeError> {
        let key = |(within, part): (&PathBuf, &MergePart)| {
            let checksum = part.notes.get(CHECKSUM_KEY)?.clone();
            Some((within.clone(), checksum))
        };
        let keys: Option<Vec<(PathBuf, String)>> = edition.parts.iter().map(key).collect();
        let is_known = |keys: &Vec<_>| keys.iter().all(|key| self.checked.contains(key));
        if keys.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let open = edition.parts.values().map(|part| &part.open);
        check_edition(Period::Hour(hour), pruned, open).map_err(|finding| MergeError::Unsound {
            path: finding.path,
            reason: finding.reason,
        })?;
        self.checked.extend(keys.into_iter().flatten());
        Ok(())
    }

    /// Copies an hour of one dataset; the parts of each run appear together.
    fn copy_hour(
        &mut self,
        hour: Hour,
        theirs: &MergeSource<'_>,
        merged: &mut MergeReport,
    ) -> Result<(), MergeError> {
        let mut present = editions_of(self.ours, hour)?;
        let pruned = pruned(&theirs.store)?;
        let theirs = edition::editions(theirs.open(hour)?, self.renames);
        let SharedCaptures {
            mut replaced,
            counted,
        } = relate(&theirs, &present)?;
        replaced.extend(silent(&present, &theirs, &self.replaced));
        let mut publication = self.ours.publication();
        let of_ours = file_error(self.ours.directory());
        for name in &replaced {
            for within in present
                .remove(name)
                .into_iter()
                .flat_map(|gone| gone.parts.into_keys())
            {
                publication.remove(&within);
                merged.removed += 1;
            }
        }
        for (name, theirs) in theirs {
            if counted.contains(&name) {
                merged.present += theirs.parts.len() as u64;
                continue;
            }
            let ours_of_it = present.remove(&name);
            match decide(&theirs, ours_of_it.as_ref())? {
                Decision::Leave => merged.present += theirs.parts.len() as u64,
                Decision::Conflict { theirs, ours } => {
                    return Err(MergeError::Conflict { theirs, ours });
                }
                Decision::Take => {
                    // A running sensor may have published since the check.
                    self.check(hour, &pruned, &theirs)?;
                    let ours_of_it = ours_of_it.map(|ours| ours.parts).unwrap_or_default();
                    for (within, part) in &theirs.parts {
                        let there = ours_of_it.get(within);
                        if let Some(there) = there
                            && is_same(part, there)?
                        {
                            merged.present += 1;
                            continue;
                        }
                        merged.replaced += u64::from(there.is_some());
                        let staged = write_copy(part, within, self.ours)?;
                        publication.put(staged).map_err(file_error(within))?;
                        merged.copied += 1;
                    }
                    let gone = ours_of_it.keys();
                    gone.filter(|part| !theirs.parts.contains_key(*part))
                        .for_each(|part| publication.remove(part));
                }
            }
        }
        merged.bytes += publication.commit().map_err(of_ours)?;
        Ok(())
    }
}

/// Runs in the target that have no packet in this hour, are replaced in other hours, and no longer exist in a source dataset.
fn silent(
    present: &HourRunParts,
    theirs: &HourRunParts,
    replaced: &BTreeSet<String>,
) -> Vec<String> {
    let is_gone = |(name, edition): &(&String, &RunParts)| {
        let mut others = theirs.values();
        edition.captures.as_ref().is_some_and(Vec::is_empty)
            && replaced.contains(*name)
            && !theirs.contains_key(*name)
            && others.any(|other| other.sensor == edition.sensor && other.captures.is_some())
    };
    let gone = present.iter().filter(is_gone);
    gone.map(|(name, _)| name.clone()).collect()
}

/// The identity of each sensor, with a part that names it.
#[derive(Default)]
struct SensorIdentities(BTreeMap<String, (String, PathBuf)>);

impl SensorIdentities {
    fn note(&mut self, edition: &RunParts) -> Result<(), MergeError> {
        let (Some(sensor), Some(identity)) = (&edition.sensor, &edition.identity) else {
            return Ok(());
        };
        let Some(part) = edition.parts.values().next() else {
            return Ok(());
        };
        let known = self.0.entry(sensor.clone());
        let known = known.or_insert_with(|| (identity.clone(), part.open.part.path.clone()));
        if known.0 == *identity {
            return Ok(());
        }
        Err(MergeError::TwoSensors {
            sensor: sensor.clone(),
            identity: identity.clone(),
            theirs: part.open.part.path.clone(),
            ours: known.1.clone(),
        })
    }
}

fn is_same_folder(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}
