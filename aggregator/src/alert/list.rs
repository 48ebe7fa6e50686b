//! `watch.toml`: who is watched, from when on an alert is raised, and who receives it. Parsing is strict, because people write it by hand: the
//! first mistake is reported and nothing is used.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use teiten_observation::Family;
use thiserror::Error;
use twox_hash::XxHash64;

use super::sink::{AlertSink, SinkText};
use crate::actor::prefix_bounds;

/// Owners of a list, at most: each alert goes to one of them.
const OWNERS_MAX: usize = 10_000;
/// Bytes of a name or contact.
const TEXT_BYTES_MAX: usize = 256;
/// The shortest silence that ends an event, seconds: rows of an hour show no shorter one.
const SILENCE_SECONDS_MIN: u64 = 3_600;
const SILENCE_SECONDS_MAX: u64 = 31 * 86_400;
/// The name of the sink where none is named.
const SINK_DEFAULT: &str = "alerts";

/// Why nobody can be watched.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; name a readable file with --watch", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no such list.
    #[error("--watch {path}: {reason}", path = .path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// Its state in the dataset.
    #[error("cannot read {path}: {source}", path = .path.display())]
    State {
        /// Where it lies.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// From when on an alert is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AlertRules {
    /// Seconds of silence that end an event: an hour at least.
    pub silence_seconds: u64,
    /// Hours after which an event that goes on is told again.
    pub digest_hours: u64,
    /// Packets of a scan, at least.
    pub scan_packets: u64,
    /// Dark addresses of a scan, at least.
    pub scan_addresses: u64,
    /// Packets with an exploit, at least.
    pub exploit_packets: u64,
    /// Malformed packets, at least.
    pub malformed_packets: u64,
    /// Replies of a victim, at least.
    pub attack_packets: u64,
    /// Victims of a prefix that make a carpet, at least.
    pub carpet_victims: u64,
}

impl Default for AlertRules {
    fn default() -> Self {
        AlertRules {
            silence_seconds: SILENCE_SECONDS_MIN,
            digest_hours: 6,
            scan_packets: 3,
            scan_addresses: 2,
            exploit_packets: 1,
            malformed_packets: 100,
            attack_packets: 25,
            carpet_victims: 10,
        }
    }
}

impl AlertRules {
    pub(super) const fn silence_us(&self) -> i64 {
        self.silence_seconds as i64 * 1_000_000
    }

    pub(super) const fn digest_us(&self) -> i64 {
        self.digest_hours as i64 * crate::hour::HOUR_US
    }
}

/// An owner of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedOwner {
    /// Name.
    pub owner: String,
    /// Whom to tell; empty where nobody is named.
    pub contact: String,
    /// A number for the name, the same in every list.
    pub(super) number: u64,
    /// First and last addresses, by family.
    pub(super) ranges: Vec<(Family, u128, u128)>,
    /// AS numbers.
    pub(super) asns: Vec<u32>,
    /// Names of the sinks; all where it names none.
    pub(super) sinks: Vec<String>,
}

/// A list of watched addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchList {
    /// Who is watched.
    pub watched: Vec<WatchedOwner>,
    /// From when on an alert is raised.
    pub rules: AlertRules,
    /// Who receives alerts: never nobody.
    pub sinks: Vec<AlertSink>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchListText {
    #[serde(default)]
    watch: Vec<OwnerText>,
    #[serde(default)]
    sink: Vec<SinkText>,
    #[serde(default)]
    rules: AlertRules,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerText {
    owner: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default)]
    asns: Vec<u32>,
    #[serde(default)]
    sinks: Vec<String>,
}

impl WatchList {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is wrong: what, and where.
    pub fn load(path: &Path) -> Result<WatchList, WatchError> {
        let text = std::fs::read_to_string(path).map_err(|source| WatchError::Read {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        WatchList::parse(&text, folder).map_err(|reason| WatchError::Form {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str, folder: &Path) -> Result<WatchList, String> {
        let list: WatchListText = toml::from_str(text).map_err(|error| error.to_string())?;
        if list.watch.is_empty() {
            return Err(
                "nobody is watched: add [[watch]] with owner and prefixes or asns".to_owned(),
            );
        }
        if list.watch.len() > OWNERS_MAX {
            return Err(format!("it has more than {OWNERS_MAX} owners"));
        }
        let mut sinks = Vec::new();
        for sink in list.sink {
            let sink = sink.checked(folder)?;
            if sinks
                .iter()
                .any(|known: &AlertSink| known.name == sink.name)
            {
                return Err(format!("two sinks have the name {:?}", sink.name));
            }
            sinks.push(sink);
        }
        if sinks.is_empty() {
            sinks.push(AlertSink::lines_of_dataset(SINK_DEFAULT));
        }
        let mut watched = Vec::new();
        for owner in list.watch {
            let name = owner.owner.clone();
            let owner = owner.checked(&sinks);
            watched.push(owner.map_err(|reason| format!("watch {name:?}: {reason}"))?);
        }
        Ok(WatchList {
            watched,
            rules: list.rules.checked()?,
            sinks,
        })
    }

    /// Whether somebody is watched by an AS number, for which network data is needed.
    #[must_use]
    pub fn needs_networks(&self) -> bool {
        self.watched.iter().any(|owner| !owner.asns.is_empty())
    }
}

impl AlertRules {
    fn checked(self) -> Result<Self, String> {
        let silence = SILENCE_SECONDS_MIN..=SILENCE_SECONDS_MAX;
        if !silence.contains(&self.silence_seconds) {
            return Err(format!(
                "rules: silence-seconds is {SILENCE_SECONDS_MIN} to {SILENCE_SECONDS_MAX}, not {}",
                self.silence_seconds
            ));
        }
        if !(1..=24 * 31).contains(&self.digest_hours) {
            return Err(format!(
                "rules: digest-hours is 1 to {}, not {}",
                24 * 31,
                self.digest_hours
            ));
        }
        Ok(self)
    }
}

impl OwnerText {
    fn checked(self, sinks: &[AlertSink]) -> Result<WatchedOwner, String> {
        let is_line =
            |text: &str| text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
        if self.owner.trim().is_empty() || !is_line(&self.owner) || !is_line(&self.contact) {
            return Err(format!(
                "owner and contact are one line of at most {TEXT_BYTES_MAX} bytes, and owner is not empty"
            ));
        }
        if self.prefixes.is_empty() && self.asns.is_empty() {
            return Err("it watches nothing: give prefixes or asns".to_owned());
        }
        if self.asns.contains(&0) {
            return Err("AS 0 is reserved (RFC 7607)".to_owned());
        }
        let is_known = |name: &&String| sinks.iter().any(|sink| sink.name == **name);
        if let Some(unknown) = self.sinks.iter().find(|name| !is_known(name)) {
            return Err(format!("there is no [[sink]] with the name {unknown:?}"));
        }
        let mut ranges = Vec::new();
        for prefix in &self.prefixes {
            ranges.push(match prefix_bounds(prefix)? {
                (IpAddr::V4(first), bits) => {
                    let first = first.to_bits();
                    let last = first | u32::MAX.checked_shr(bits).unwrap_or(0);
                    (Family::Ipv4, first.into(), last.into())
                }
                (IpAddr::V6(first), bits) => {
                    let first = first.to_bits();
                    let last = first | u128::MAX.checked_shr(bits).unwrap_or(0);
                    (Family::Ipv6, first, last)
                }
            });
        }
        ranges.sort_unstable();
        Ok(WatchedOwner {
            number: XxHash64::oneshot(0, self.owner.as_bytes()),
            owner: self.owner,
            contact: self.contact,
            ranges: without_overlaps(ranges),
            asns: self.asns,
            sinks: self.sinks,
        })
    }
}

/// Sorted ranges as ranges of which no two have an address in common: each address is looked at once.
fn without_overlaps(ranges: Vec<(Family, u128, u128)>) -> Vec<(Family, u128, u128)> {
    let mut joined: Vec<(Family, u128, u128)> = Vec::new();
    for (family, first, last) in ranges {
        match joined.last_mut() {
            Some(known) if known.0 == family && first <= known.2 => known.2 = known.2.max(last),
            _ => joined.push((family, first, last)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<WatchList, String> {
        WatchList::parse(text, Path::new("/etc/teiten"))
    }

    #[test]
    fn a_list_says_who_is_watched_and_who_is_told() {
        let list = parsed(
            "[[watch]]\nowner = \"大学\"\ncontact = \"csirt@example.org\"\nprefixes = [\"192.0.2.0/24\", \"192.0.2.7\", \"2001:db8::/32\"]\nasns = [64496]\n",
        )
        .expect("a good list");
        let owner = &list.watched[0];
        assert_eq!(
            owner.ranges,
            [
                (Family::Ipv4, 0xc000_0200, 0xc000_02ff),
                (Family::Ipv6, 0x2001_0db8 << 96, (0x2001_0db9 << 96) - 1),
            ]
        );
        assert_eq!((&owner.owner[..], list.needs_networks()), ("大学", true));
        assert_eq!(list.rules, AlertRules::default());
        assert_eq!(list.sinks[0].name, "alerts");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let watch = "[[watch]]\nowner = \"A\"\nprefixes = [\"192.0.2.0/24\"]\n";
        let with = |more: &str| parsed(&format!("{watch}{more}"));
        for (outcome, part) in [
            (parsed(""), "nobody is watched"),
            (parsed("[[watch]]\nowner = \"A\"\n"), "watches nothing"),
            (
                parsed("[[watch]]\nowner = \" \"\nasns = [1]\n"),
                "not empty",
            ),
            (
                parsed("[[watch]]\nowner = \"A\\nB\"\nasns = [1]\n"),
                "one line",
            ),
            (parsed("[[watch]]\nowner = \"A\"\nasns = [0]\n"), "AS 0"),
            (
                parsed("[[watch]]\nowner = \"A\"\nprefixes = [\"192.0.2.1/24\"]\n"),
                "bits set",
            ),
            (
                with("sinks = [\"soc\"]\n"),
                "no [[sink]] with the name \"soc\"",
            ),
            (with("prefix = []\n"), "unknown field `prefix`"),
            (
                with("[rules]\nsilence-seconds = 60\n"),
                "silence-seconds is 3600 to",
            ),
            (with("[rules]\ndigest-hours = 0\n"), "digest-hours is 1 to"),
            (
                with("[rules]\nscan_packets = 1\n"),
                "unknown field `scan_packets`",
            ),
        ] {
            let reason = outcome.expect_err(part);
            assert!(reason.contains(part), "{reason}");
        }
    }
}
