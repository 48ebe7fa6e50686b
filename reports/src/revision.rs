//! The differences between two reports of a period: their facts and their files, by the manifests. Later data revises earlier numbers, and
//! readers who quoted one want to know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::publish::MANIFEST;

/// A report's manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// The period as written.
    pub period: String,
    /// When it was made, as written.
    pub as_of: String,
    /// Facts by name.
    pub facts: BTreeMap<String, f64>,
    /// SHA-256 by the file's name.
    pub files: BTreeMap<String, String>,
}

/// Why two reports could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// No manifest could be read.
    #[error("{path} is no report: {reason}; name the folder of a period, such as OUT/2026-11")]
    NoReport {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// One number that differs; `None` in a report that lacks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Name of the fact.
    pub name: String,
    /// Before.
    pub old: Option<f64>,
    /// After.
    pub new: Option<f64>,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// Facts that differ, by name.
    pub facts: Vec<Changed>,
    /// Names of files that differ, are new or are gone.
    pub files: Vec<String>,
}

/// Reads the manifest of a report's folder.
///
/// # Errors
/// When there is none, or it is damaged.
pub fn read(folder: &Path) -> Result<Manifest, RevisionError> {
    let no_report = |reason: &dyn std::fmt::Display| RevisionError::NoReport {
        path: folder.to_owned(),
        reason: reason.to_string(),
    };
    let text = std::fs::read_to_string(folder.join(MANIFEST)).map_err(|error| no_report(&error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| no_report(&error))?;
    let texts = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let rows = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    Ok(Manifest {
        period: texts("period"),
        as_of: texts("as_of"),
        facts: rows("facts")
            .iter()
            .filter_map(|row| Some((row["name"].as_str()?.to_owned(), row["value"].as_f64()?)))
            .collect(),
        files: rows("files")
            .iter()
            .filter_map(|row| {
                let (path, hash) = (row["path"].as_str()?, row["sha256"].as_str()?);
                Some((path.to_owned(), hash.to_owned()))
            })
            .collect(),
    })
}

/// What differs between two manifests.
#[must_use]
pub fn between(old: &Manifest, new: &Manifest) -> Revision {
    let names = old.facts.keys().chain(new.facts.keys());
    let mut facts: Vec<Changed> = names
        .map(|name| Changed {
            name: name.clone(),
            old: old.facts.get(name).copied(),
            new: new.facts.get(name).copied(),
        })
        .filter(|changed| changed.old != changed.new)
        .collect();
    facts.sort_by(|a, b| a.name.cmp(&b.name));
    facts.dedup();
    let names = old.files.keys().chain(new.files.keys());
    let mut files: Vec<String> = names
        .filter(|name| old.files.get(*name) != new.files.get(*name))
        .cloned()
        .collect();
    files.sort();
    files.dedup();
    Revision { facts, files }
}

impl Revision {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let facts: Vec<Value> = self
            .facts
            .iter()
            .map(|changed| json!({"name": changed.name, "old": changed.old, "new": changed.new}))
            .collect();
        json!({"facts": facts, "files": self.files})
    }

    /// A line for each number: its name, the old and the new value, and the change in percent.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let written = |value: Option<f64>| match value {
            None => "-".to_owned(),
            Some(value) if value == value.trunc() => format!("{value:.0}"),
            Some(value) => format!("{value:.4}"),
        };
        self.facts
            .iter()
            .map(|changed| {
                let percent = match (changed.old, changed.new) {
                    (Some(old), Some(new)) if old != 0.0 => {
                        format!("  {:+.2}%", (new / old - 1.0) * 100.0)
                    }
                    _ => String::new(),
                };
                let (old, new) = (written(changed.old), written(changed.new));
                format!("{}  {old} → {new}{percent}", changed.name)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(facts: &[(&str, f64)], files: &[(&str, &str)]) -> Manifest {
        Manifest {
            facts: facts
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            files: files
                .iter()
                .map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned()))
                .collect(),
            ..Manifest::default()
        }
    }

    #[test]
    fn numbers_that_changed_came_or_went_are_told() {
        let old = manifest(
            &[("bytes", 5.0), ("packets", 100.0)],
            &[("a", "1"), ("b", "1")],
        );
        let new = manifest(
            &[("hosts", 7.0), ("packets", 110.0)],
            &[("a", "1"), ("b", "2")],
        );
        let found = between(&old, &new);
        assert_eq!(
            found.lines(),
            [
                "bytes  5 → -",
                "hosts  - → 7",
                "packets  100 → 110  +10.00%"
            ]
        );
        assert_eq!(found.files, ["b"]);
        assert_eq!(between(&old, &old), Revision::default());
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_report() {
        let folder = tempfile::tempdir().unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("OUT/2026-11"), "{message}");
    }
}
