//! An event of a watched address over hours: the sums of each hour and part, and what was told of it. Hours that are seen again take the place
//! of what they said before, so a replay that is repeated changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::list::AlertRules;
use super::tally::WatchedTally;
use super::{AlertKind, AlertState, Severity};
use crate::hour::HOUR_US;

/// Hours whose parts are told apart, before the last hour of an event; those before are one sum.
const HOURS_APART: i64 = 48;
/// Packets and dark addresses from which on a scan is of medium severity, and replies from which on an attack is of high severity.
const MANY_PACKETS: u64 = 1_000;
const MANY_ADDRESSES: u64 = 100;

/// What was told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The first packet that was known then.
    pub first_us: i64,
    /// The last one.
    pub last_us: i64,
    pub packets: u64,
    pub severity: Severity,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WatchedEvent {
    /// Its id, once something was told.
    pub id: Option<String>,
    /// What was told last.
    pub told: Option<Told>,
    /// Whether its packets are its own for certain.
    pub is_own: bool,
    /// Whether it was noted that nothing is told.
    pub is_withheld: bool,
    /// Sums by hour and part.
    pub hours: BTreeMap<i64, BTreeMap<String, WatchedTally>>,
    /// The sums of hours long ago.
    pub before: Option<WatchedTally>,
    /// Hours of these.
    pub before_hours: u64,
    /// Victims of a carpet; zero of any other event.
    pub victims: u64,
}

impl WatchedEvent {
    pub(super) fn begin(hour: i64, part: &str, tally: WatchedTally) -> Self {
        let mut event = WatchedEvent::default();
        event.add(hour, part, tally);
        event
    }

    pub(super) fn add(&mut self, hour: i64, part: &str, tally: WatchedTally) {
        let parts = self.hours.entry(hour).or_default();
        match parts.get_mut(part) {
            Some(known) => known.add(&tally),
            None => drop(parts.insert(part.to_owned(), tally)),
        }
    }

    /// Forgets what a part said of an hour.
    pub(super) fn forget(&mut self, hour: i64, part: &str) {
        if let Some(parts) = self.hours.get_mut(&hour) {
            parts.remove(part);
            if parts.is_empty() {
                self.hours.remove(&hour);
            }
        }
    }

    /// All of it; none if everything was forgotten.
    pub(super) fn sum(&self) -> Option<WatchedTally> {
        let parts = self.hours.values().flat_map(BTreeMap::values);
        let mut all = self.before.iter().chain(parts);
        let mut sum = all.next()?.clone();
        all.for_each(|tally| sum.add(tally));
        Some(sum)
    }

    /// First and last packet.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let parts = self.hours.values().flat_map(BTreeMap::values);
        let all = || self.before.iter().chain(parts.clone());
        let first = all().map(|tally| tally.first_us).min()?;
        let last = all().map(|tally| tally.last_us).max()?;
        Some((first, last))
    }

    /// Takes an event in that a silence no longer parts from this one.
    pub(super) fn unite(&mut self, other: WatchedEvent) {
        if self.id.is_none() {
            (self.id, self.told) = (other.id, other.told);
        }
        self.is_own |= other.is_own;
        self.is_withheld |= other.is_withheld;
        for (hour, parts) in other.hours {
            for (part, tally) in parts {
                self.add(hour, &part, tally);
            }
        }
        if let Some(before) = other.before {
            match &mut self.before {
                Some(ours) => ours.add(&before),
                ours => *ours = Some(before),
            }
        }
        self.before_hours += other.before_hours;
    }

    /// Sums up hours long before the last one.
    pub(super) fn shorten(&mut self) {
        let Some((&last, _)) = self.hours.last_key_value() else {
            return;
        };
        let apart = self.hours.split_off(&(last - HOURS_APART));
        for (_, parts) in std::mem::replace(&mut self.hours, apart) {
            self.before_hours += 1;
            for tally in parts.into_values() {
                match &mut self.before {
                    Some(before) => before.add(&tally),
                    before => *before = Some(tally),
                }
            }
        }
    }

    /// The hours of its packets, and how many there are.
    pub(super) fn hours_seen(&self) -> (Vec<i64>, u64) {
        let hours: Vec<i64> = self.hours.keys().copied().collect();
        let count = self.before_hours + hours.len() as u64;
        (hours, count)
    }
}

/// Whether sums are enough for an event.
pub(super) fn is_enough(kind: AlertKind, sum: &WatchedTally, rules: &AlertRules) -> bool {
    match kind {
        AlertKind::Scan => {
            sum.packets >= rules.scan_packets && sum.destinations() >= rules.scan_addresses
        }
        AlertKind::Exploit => sum.packets >= rules.exploit_packets,
        AlertKind::Malformed => sum.packets >= rules.malformed_packets,
        AlertKind::Attack => sum.packets >= rules.attack_packets,
    }
}

/// How severe an event is, and why.
pub(super) fn severity(kind: AlertKind, sum: &WatchedTally) -> (Severity, String) {
    let is_infected = sum
        .tools
        .contains_key(teiten_observation::Tool::Mirai.name());
    match kind {
        AlertKind::Exploit => (
            Severity::High,
            "it sends payloads of known attacks, as a compromised host does".to_owned(),
        ),
        AlertKind::Scan if is_infected => (
            Severity::High,
            "its probes have the mark of Mirai, so the host is infected".to_owned(),
        ),
        AlertKind::Scan => {
            let many = sum.packets >= MANY_PACKETS || sum.destinations() >= MANY_ADDRESSES;
            let severity = if many {
                Severity::Medium
            } else {
                Severity::Low
            };
            let why = "nobody has business with dark addresses: the host scans";
            (severity, why.to_owned())
        }
        AlertKind::Malformed => (
            Severity::Medium,
            "it sends many packets that no sound program sends".to_owned(),
        ),
        AlertKind::Attack => {
            let severity = match sum.packets {
                MANY_PACKETS.. => Severity::High,
                _ => Severity::Medium,
            };
            let why =
                "it answers packets that somebody forged with dark addresses as their sources";
            (severity, why.to_owned())
        }
    }
}

/// What is to be told of an event that is enough, at a time before which everything is known.
pub(super) fn tellings(
    event: &WatchedEvent,
    (first_us, last_us): (i64, i64),
    severity: Severity,
    now_us: i64,
    rules: &AlertRules,
) -> Vec<AlertState> {
    let mut states = Vec::new();
    match event.told {
        None => states.push(AlertState::Begins),
        Some(told) => {
            let is_more = severity > told.severity;
            let turn = |at_us: i64| (at_us - first_us).div_euclid(rules.digest_us());
            let is_due = turn(last_us) > turn(told.last_us);
            if last_us > told.last_us && (is_more || is_due) {
                states.push(AlertState::Ongoing);
            }
        }
    }
    if now_us.saturating_sub(last_us) > rules.silence_us() {
        // What it came to is said at its end.
        states.retain(|state| *state != AlertState::Ongoing);
        states.push(AlertState::Ended);
    }
    states
}

/// The hour of a time.
pub(super) const fn hour_of(time_us: i64) -> i64 {
    time_us.div_euclid(HOUR_US)
}
