//! The accounts of all hours of a run, and which seconds they cover.
//!
//! Silence is not zero: a second counts as observed if it has packets, or is in a silence up to a limit. The rule uses the seconds of all
//! packets together, so their order and distribution over workers do not matter.

use std::collections::BTreeMap;

use crate::minute::{HourAccount, MinuteCounts, SECONDS, SecondSet};

/// The longest silence that counts as observed in a capture without times of its own run, seconds.
pub const SILENCE_SECONDS_MAX: i64 = 3600;

/// Accounts by hour.
#[derive(Debug, Default)]
pub struct Ledger {
    hours: BTreeMap<i64, HourAccount>,
    /// Sums of hours whose accounts were dropped.
    forgotten: BTreeMap<i64, MinuteCounts>,
}

impl Ledger {
    /// Adds an account to its hour.
    pub fn add(&mut self, hour: i64, account: &HourAccount) {
        self.hours.entry(hour).or_default().add(account);
    }

    /// Subtracts the counts of an account that was added before; its seconds stay observed.
    pub fn subtract(&mut self, hour: i64, account: &HourAccount) {
        if let Some(ours) = self.hours.get_mut(&hour) {
            ours.subtract(account);
        }
    }

    /// The account of an hour; empty for an hour without packets.
    #[must_use]
    pub fn account(&self, hour: i64) -> HourAccount {
        self.hours.get(&hour).cloned().unwrap_or_default()
    }

    /// Drops the accounts of hours before `hour`, keeps their sums, and returns the hours.
    pub fn forget_before(&mut self, hour: i64) -> Vec<i64> {
        let kept = self.hours.split_off(&hour);
        let old = std::mem::replace(&mut self.hours, kept);
        for (hour, account) in &old {
            self.forgotten
                .entry(*hour)
                .or_default()
                .add(&account.total());
        }
        old.into_keys().collect()
    }

    /// The sums of all hours, including dropped ones.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<i64, MinuteCounts> {
        let mut totals = self.forgotten.clone();
        for (hour, account) in &self.hours {
            totals.entry(*hour).or_default().add(&account.total());
        }
        totals
    }

    /// Hours with an account, ascending, with it.
    pub fn hours(&self) -> impl Iterator<Item = (i64, &HourAccount)> {
        self.hours.iter().map(|(hour, account)| (*hour, account))
    }

    /// The observed seconds by hour: those with packets, and silences between them of up to `silence` seconds.
    #[must_use]
    pub fn covered(&self, silence: i64) -> BTreeMap<i64, SecondSet> {
        self.covered_within(i64::MIN..=i64::MAX, silence)
    }

    /// The observed seconds of one hour so far, from this hour and its neighbours.
    #[must_use]
    pub fn covered_in(&self, hour: i64, silence: i64) -> SecondSet {
        let around = 1 + silence / SECONDS as i64;
        self.covered_within(hour - around..=hour + around, silence)
            .remove(&hour)
            .unwrap_or_default()
    }

    fn covered_within(
        &self,
        hours: std::ops::RangeInclusive<i64>,
        silence: i64,
    ) -> BTreeMap<i64, SecondSet> {
        let mut covered = BTreeMap::<i64, SecondSet>::new();
        let mut last: Option<i64> = None;
        for (&hour, account) in self.hours.range(hours) {
            for second in account.active.iter() {
                let now = hour * SECONDS as i64 + second as i64;
                let from = last
                    .filter(|last| now - last <= silence)
                    .map_or(now, |last| last + 1);
                insert_range(&mut covered, from, now + 1);
                last = Some(now);
            }
        }
        covered
    }
}

fn insert_range(covered: &mut BTreeMap<i64, SecondSet>, mut from: i64, to: i64) {
    while from < to {
        let hour = from.div_euclid(SECONDS as i64);
        let start = hour * SECONDS as i64;
        let end = to.min(start + SECONDS as i64);
        let seconds = covered.entry(hour).or_default();
        seconds.insert_range((from - start) as usize, (end - start) as usize);
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger_active_at(seconds: &[i64]) -> Ledger {
        let mut ledger = Ledger::default();
        for &second in seconds {
            let mut account = HourAccount::default();
            account.active.insert(second.rem_euclid(3600) as usize);
            ledger.add(second.div_euclid(3600), &account);
        }
        ledger
    }

    fn seconds_covered(ledger: &Ledger, silence: i64) -> BTreeMap<i64, u64> {
        ledger
            .covered(silence)
            .into_iter()
            .map(|(hour, seconds)| (hour, seconds.iter().count() as u64))
            .collect()
    }

    #[test]
    fn a_short_silence_is_observed_and_a_long_one_is_a_gap() {
        let ledger = ledger_active_at(&[3500, 3700, 20_000]);
        let expected = BTreeMap::from([(0, 100), (1, 101), (5, 1)]);
        assert_eq!(seconds_covered(&ledger, 3600), expected);
    }

    #[test]
    fn a_quiet_hour_between_two_packets_of_a_long_enough_limit_is_covered() {
        let ledger = ledger_active_at(&[3599, 7200]);
        assert_eq!(seconds_covered(&ledger, 3601)[&1], 3600);
        assert!(!seconds_covered(&ledger, 3600).contains_key(&1));
    }
}
