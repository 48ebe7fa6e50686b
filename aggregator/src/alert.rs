//! Alerts for those whose own addresses turn up at the telescope: a watched address scans it, sends exploits or a flood of malformed packets, or
//! is under attack by what its replies say. An event begins, goes on and ends; each is told once, as one JSON object, to every sink.
//!
//! `list` reads who is watched (`watch.toml`); `look` takes what watched addresses did from the rows of an hour or of a minute, so packets
//! are never looked at; `event` follows it over hours; `forged` says when a source proves nothing; `watcher` puts alerts into queues on disk
//! (`store/queue.rs`), and `deliver` takes them from there to the sinks (`sink`), in a process that may open connections.

mod address;
mod deliver;
mod event;
mod forged;
mod list;
mod look;
mod sink;
mod tally;
mod watcher;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use deliver::{Delivery, DeliveryReport, Say, Waiting, waiting};
pub use list::{AlertRules, WatchError, WatchList, WatchedOwner};
pub use sink::{AlertSink, SinkKind};
pub use watcher::{Committed, LookedAt, Outbox, Telling, Watcher};

/// What a watched address did, or what was done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// It scans the telescope.
    Scan,
    /// It sends payloads of known attacks.
    Exploit,
    /// It sends many malformed packets.
    Malformed,
    /// Its replies to forged packets say that it is under attack.
    Attack,
}

/// What is told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It was seen for the first time.
    Begins,
    /// It goes on: told again after a while, or because it became more severe.
    Ongoing,
    /// Its silence has been long enough.
    Ended,
}

/// How soon somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Within days.
    Low,
    /// Within a day.
    Medium,
    /// At once.
    High,
}

/// An alert: the same object to every sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Of this telling; a repeated delivery has the same.
    pub id: String,
    /// Of the event: the same when it begins, goes on and ends.
    pub event: String,
    /// Who watches the address.
    pub owner: String,
    /// Whom the owner wants to be told; empty where nobody is named.
    pub contact: String,
    /// What is told.
    pub state: AlertState,
    /// What happens.
    pub kind: AlertKind,
    /// How soon somebody should look.
    pub severity: Severity,
    /// The watched address that sends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub src_ip: Option<String>,
    /// The watched address, or for a carpet its prefix, that is attacked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub victim_ip: Option<String>,
    /// The telescope's sensor.
    pub sensor: String,
    /// First packet, RFC 3339 UTC.
    pub first: String,
    /// Last packet so far.
    pub last: String,
    /// Packets of the event so far.
    pub packets: u64,
    /// What it rests on.
    pub evidence: Value,
}

impl Alert {
    /// The watched address or prefix.
    #[must_use]
    pub fn address(&self) -> &str {
        let address = self.src_ip.as_deref().or(self.victim_ip.as_deref());
        address.unwrap_or_default()
    }

    /// The time of the last packet, microseconds since 1970-01-01 UTC.
    fn last_us(&self) -> Option<i64> {
        let last: jiff::Timestamp = self.last.parse().ok()?;
        Some(last.as_microsecond())
    }

    /// A sentence for people: a subject line.
    #[must_use]
    pub fn headline(&self) -> String {
        let what = match self.kind {
            AlertKind::Scan => "scans the darknet",
            AlertKind::Exploit => "sends exploits to the darknet",
            AlertKind::Malformed => "floods the darknet with malformed packets",
            AlertKind::Attack => "is under a denial-of-service attack",
        };
        let state = match self.state {
            AlertState::Begins => "",
            AlertState::Ongoing => " (ongoing)",
            AlertState::Ended => " (ended)",
        };
        format!("{} of {} {what}{state}", self.address(), self.owner)
    }
}

/// Why nothing is told of an address that would otherwise be: its packets prove nothing about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// Who watches the address.
    pub owner: String,
    /// What would have been told.
    pub kind: AlertKind,
    /// The address that the packets claim to come from.
    pub src_ip: String,
    /// First such packet, RFC 3339 UTC.
    pub first: String,
    /// Packets so far.
    pub packets: u64,
    /// Why not.
    pub why: String,
}
