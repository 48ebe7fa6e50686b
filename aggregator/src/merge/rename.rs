//! New names for sensors during a merge.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::store::PartName;

/// Metadata key of a part whose sensor was renamed; its value is the checksum of the original part.
pub(super) const RENAMED_FROM_KEY: &str = "renamed_from_xxh64";

/// A sensor, by its name or its identity, and its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The name, or the identity where two sensors share a name.
    pub from: String,
    /// The new name.
    pub to: String,
}

/// Why a sensor cannot be renamed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// Not `OLD=NEW`.
    #[error("`{0}` is not OLD=NEW: the sensor's name or identity, and the name that it gets")]
    Form(String),
    /// A name that no sensor may have.
    #[error("{0}")]
    Name(String),
    /// There is no such sensor.
    #[error("no sensor has the name or identity `{from}`: there are {known}")]
    Unknown {
        /// The name or identity that was given.
        from: String,
        /// The sensors that there are.
        known: String,
    },
}

impl FromStr for Rename {
    type Err = RenameError;

    fn from_str(text: &str) -> Result<Self, RenameError> {
        let form = || RenameError::Form(text.to_owned());
        let (from, to) = text.split_once('=').ok_or_else(form)?;
        if from.is_empty() || to.is_empty() {
            return Err(form());
        }
        PartName::new(to, "").map_err(RenameError::Name)?;
        Ok(Rename {
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }
}

/// The rename of a sensor; one by identity wins over one by name.
pub(super) fn new_name<'r>(
    renames: &'r [Rename],
    sensor: &str,
    identity: Option<&str>,
) -> Option<&'r Rename> {
    let of = |wanted: &str| renames.iter().find(|rename| rename.from == wanted);
    identity.and_then(of).or_else(|| of(sensor))
}

/// Refuses renames that match no sensor.
pub(super) fn all_found(
    renames: &[Rename],
    found: &BTreeSet<String>,
    sensors: &BTreeSet<(String, String)>,
) -> Result<(), RenameError> {
    match renames.iter().find(|rename| !found.contains(&rename.from)) {
        None => Ok(()),
        Some(rename) => {
            let known: Vec<String> = sensors
                .iter()
                .map(|(name, identity)| format!("{name} ({identity})"))
                .collect();
            Err(RenameError::Unknown {
                from: rename.from.clone(),
                known: known.join(", "),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_parsed_and_what_is_none_is_named() {
        let rename: Rename = "sensor=to-kyo".parse().expect("a rename");
        assert_eq!(
            (rename.from.as_str(), rename.to.as_str()),
            ("sensor", "to-kyo")
        );
        for text in ["sensor", "=x", "sensor=", "sensor=_x", "sensor=a b"] {
            assert!(text.parse::<Rename>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_identity_comes_before_a_name() {
        let renames = ["sensor=a", "0123=b"].map(|text| text.parse().expect("a rename"));
        let name = |sensor, identity| new_name(&renames, sensor, identity).map(|to| to.to.as_str());
        assert_eq!(name("sensor", Some("0123")), Some("b"));
        assert_eq!(name("sensor", Some("4567")), Some("a"));
        assert_eq!(name("sensor", None), Some("a"));
        assert_eq!(name("other", None), None);
    }
}
