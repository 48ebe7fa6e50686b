//! Sensors: each has a name that people gave, and a unique identity in the data folder, `.teiten/sensors/NAME`.
//!
//! The identity distinguishes two sensors of one name when datasets are merged.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::work::random_name;
use super::{DAMAGED, PartName, Store, unseal};
use crate::text::hexadecimal;

/// The identity of a sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Sixteen hexadecimal digits.
    pub text: String,
    /// Path of the damaged file that this identity replaces.
    pub damaged: Option<PathBuf>,
}

/// The default name of a sensor, if neither the dataset nor the machine has one.
const SENSOR_DEFAULT: &str = "sensor";

/// The first label of a machine's name as the name of a sensor; `None` if nothing usable remains, or the name is that of every machine.
fn sensor_of_host(host: &str) -> Option<String> {
    let label = host.split('.').next()?.to_ascii_lowercase();
    let letters = label.chars();
    let name: String = letters
        .map(|letter| {
            let is_allowed = letter.is_ascii_alphanumeric() || "_-".contains(letter);
            if is_allowed { letter } else { '-' }
        })
        .collect();
    let name = name.trim_matches(['-', '_']).to_owned();
    (name != "localhost" && PartName::new(&name, "").is_ok()).then_some(name)
}

/// The state of an identity's file.
enum Known {
    None,
    Damaged,
    Identity(Identity),
}

impl Store {
    /// The identity of the sensor `name` in this dataset. A new one is made from `seed`, or random without it. A replay gives the hash of
    /// its configuration, so that the same input gives the same bytes anywhere.
    ///
    /// # Errors
    /// When it cannot be read or kept. A damaged one is kept in `.teiten/damaged`, and another is made.
    pub fn identity(&self, name: &str, seed: Option<&str>) -> io::Result<Identity> {
        let folder = self.private_folder().join("sensors");
        let path = folder.join(name);
        if let Known::Identity(known) = self.known_identity(&path)? {
            return Ok(known);
        }
        self.forget_if_gone(&folder);
        self.make_folder(&folder)?;
        // Under the lock: a second program finds the identity of the first.
        let _lock = self.lock(&format!("sensor-{name}"))?;
        let damaged = match self.known_identity(&path)? {
            Known::Identity(known) => return Ok(known),
            Known::Damaged => Some(self.keep_damaged_identity(name, &path)?),
            Known::None => None,
        };
        let text = match seed {
            None => random_name(),
            Some(seed) => hexadecimal(&Sha256::digest(format!("{name}\n{seed}"))[..8]),
        };
        let document = json!({"sensor": name, "identity": text}).to_string();
        self.write_document(&folder, name, &document)?;
        Ok(Identity { text, damaged })
    }

    /// The names of sensors that have an identity in this dataset, in order; those that cannot be listed are left out.
    #[must_use]
    pub fn sensors(&self) -> Vec<String> {
        let folder = self.private_folder().join("sensors");
        let names = self.disk().list(&folder).unwrap_or_default().into_iter();
        let names = names.filter(|(name, is_folder)| !is_folder && PartName::new(name, "").is_ok());
        let mut names: Vec<String> = names.map(|(name, _)| name).collect();
        names.sort();
        names
    }

    /// The default name of a sensor: that of the only one in this dataset, else this machine's. So a sensor keeps its name when the
    /// machine's name changes, as with every start of a container.
    #[must_use]
    pub fn default_sensor(&self) -> String {
        let host = || nix::unistd::gethostname().ok()?.into_string().ok();
        match &self.sensors()[..] {
            [only] => only.clone(),
            _ => host()
                .and_then(|host| sensor_of_host(&host))
                .unwrap_or_else(|| SENSOR_DEFAULT.to_owned()),
        }
    }

    fn keep_damaged_identity(&self, name: &str, path: &Path) -> io::Result<PathBuf> {
        let folder = self.private_folder().join(DAMAGED);
        self.forget_if_gone(&folder);
        self.make_folder(&folder)?;
        let kept = folder.join(format!("sensor-{name}-{}", random_name()));
        self.disk().rename(path, &kept)?;
        Ok(kept)
    }

    fn known_identity(&self, path: &Path) -> io::Result<Known> {
        let bytes = match self.disk().read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Known::None),
            Err(error) => return Err(error),
        };
        let text = unseal(&bytes).and_then(|text| {
            let value: Value = serde_json::from_str(text).ok()?;
            Some(value["identity"].as_str()?.to_owned())
        });
        Ok(text.map_or(Known::Damaged, |text| {
            Known::Identity(Identity {
                text,
                damaged: None,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_stays_and_a_seed_gives_the_same_anywhere() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = |name: &str| Store::at(&folder.path().join(name));
        let first = store("a").identity("tokyo", None).expect("made");
        assert_eq!(
            store("a").identity("tokyo", Some("x")).expect("known"),
            first
        );
        assert_ne!(store("b").identity("tokyo", None).expect("made"), first);
        let seeded = store("c").identity("tokyo", Some("x")).expect("made");
        assert_eq!(
            store("d").identity("tokyo", Some("x")).expect("made"),
            seeded
        );
        assert_ne!(
            store("e").identity("tokyo", Some("y")).expect("made"),
            seeded
        );
    }

    #[test]
    fn a_sensor_without_a_name_has_that_of_the_dataset_else_of_the_machine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let of_machine = store.default_sensor();
        assert!(PartName::new(&of_machine, "").is_ok(), "{of_machine}");
        store.identity("tokyo-1", None).expect("made");
        assert_eq!(store.default_sensor(), "tokyo-1");
        store.identity("osaka", None).expect("made");
        assert_eq!(store.sensors(), ["osaka", "tokyo-1"]);
        assert_eq!(store.default_sensor(), of_machine);
        for (host, name) in [
            ("Tokyo.example.org", Some("tokyo")),
            ("a b_c", Some("a-b_c")),
            ("-x-", Some("x")),
            ("localhost.localdomain", None),
            ("", None),
            ("...", None),
        ] {
            assert_eq!(sensor_of_host(host).as_deref(), name, "{host}");
        }
    }

    #[test]
    fn a_damaged_identity_is_kept_and_another_one_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::at(folder.path());
        let first = store.identity("tokyo", None).expect("made");
        let path = store.private_folder().join("sensors/tokyo");
        let mut bytes = std::fs::read(&path).expect("kept");
        bytes[14] ^= 1;
        std::fs::write(&path, &bytes).expect("writable");
        let second = store.identity("tokyo", None).expect("made");
        assert_ne!(second.text, first.text);
        let kept = second.damaged.clone().expect("kept");
        assert_eq!(std::fs::read(kept).expect("there"), bytes);
        assert_eq!(
            store.identity("tokyo", None).expect("known").text,
            second.text
        );
    }
}
