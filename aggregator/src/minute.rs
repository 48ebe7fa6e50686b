//! The account of one hour by minute: the packets received, what became of each, and which seconds were observed.
//!
//! It consists of sums and unions, so the accounts of several workers merge in any order to the same account.

use crate::counter::COUNTERS;
pub use crate::counter::MinuteCounts;
use crate::table::HOUR_US;
use twox_hash::XxHash3_128;

/// Minutes in an hour.
pub const MINUTES: usize = 60;
/// Microseconds in a minute.
pub const MINUTE_US: i64 = 60_000_000;
/// Seconds in an hour.
pub const SECONDS: usize = 3600;

/// Words of a bit for each second of an hour.
type SecondBits = [u64; SECONDS.div_ceil(64)];

/// Most runs of seconds that are kept as such; more take more room than a bit for each second.
const RUNS_MAX: usize = 48;

/// A set of seconds of one hour, in little memory where they follow each other or are few: a run may have very many hours.
#[derive(Clone, Debug)]
pub struct SecondSet(Seconds);

#[derive(Clone, Debug)]
enum Seconds {
    /// From the first to before the second, ascending, with a gap between any two.
    Runs(Vec<(u16, u16)>),
    Bits(Box<SecondBits>),
}

impl Default for SecondSet {
    fn default() -> Self {
        SecondSet(Seconds::Runs(Vec::new()))
    }
}

impl PartialEq for SecondSet {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Seconds::Runs(ours), Seconds::Runs(theirs)) => ours == theirs,
            _ => self.bits() == other.bits(),
        }
    }
}

impl Eq for SecondSet {}

impl SecondSet {
    /// Adds a second, 0 to 3599.
    #[inline]
    pub fn insert(&mut self, second: usize) {
        match &mut self.0 {
            Seconds::Bits(bits) => bits[second / 64] |= 1 << (second % 64),
            Seconds::Runs(runs) => match runs.last_mut() {
                Some((from, to)) if usize::from(*from) <= second && second < usize::from(*to) => {}
                Some((_, to)) if usize::from(*to) == second => *to += 1,
                _ => self.insert_range(second, second + 1),
            },
        }
    }

    /// Adds every second of `from..to`.
    pub fn insert_range(&mut self, from: usize, to: usize) {
        let to = to.min(SECONDS);
        if from >= to {
            return;
        }
        match &mut self.0 {
            Seconds::Bits(bits) => {
                for second in from..to {
                    bits[second / 64] |= 1 << (second % 64);
                }
            }
            Seconds::Runs(runs) => {
                // The runs that the new one touches become one with it.
                let first = runs.partition_point(|run| usize::from(run.1) < from);
                let last = runs.partition_point(|run| usize::from(run.0) <= to);
                let touched = runs.get(first..last).unwrap_or_default();
                let new = match (touched.first(), touched.last()) {
                    (Some(begin), Some(end)) => (begin.0.min(from as u16), end.1.max(to as u16)),
                    _ => (from as u16, to as u16),
                };
                runs.splice(first..last.max(first), [new]);
                if runs.len() > RUNS_MAX {
                    self.0 = Seconds::Bits(Box::new(self.bits()));
                }
            }
        }
    }

    /// Adds every second of `other`.
    pub fn union(&mut self, other: &SecondSet) {
        match &other.0 {
            Seconds::Runs(runs) => {
                for &(from, to) in runs {
                    self.insert_range(from.into(), to.into());
                }
            }
            Seconds::Bits(theirs) => {
                let mut bits = self.bits();
                for (ours, theirs) in bits.iter_mut().zip(theirs.iter()) {
                    *ours |= theirs;
                }
                self.0 = Seconds::Bits(Box::new(bits));
            }
        }
    }

    /// Whether a second is in the set.
    #[must_use]
    pub fn contains(&self, second: usize) -> bool {
        match &self.0 {
            Seconds::Bits(bits) => bits[second / 64] >> (second % 64) & 1 == 1,
            Seconds::Runs(runs) => {
                let next = runs.partition_point(|run| usize::from(run.1) <= second);
                runs.get(next)
                    .is_some_and(|run| usize::from(run.0) <= second)
            }
        }
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SECONDS).filter(|&second| self.contains(second))
    }

    /// Members within a minute, 0 to 60.
    #[must_use]
    pub fn in_minute(&self, minute: usize) -> u64 {
        (minute * 60..minute * 60 + 60)
            .filter(|&second| self.contains(second))
            .count() as u64
    }

    fn bits(&self) -> SecondBits {
        match &self.0 {
            Seconds::Bits(bits) => **bits,
            Seconds::Runs(runs) => {
                let mut bits = [0; SECONDS.div_ceil(64)];
                for second in runs.iter().flat_map(|&(from, to)| from..to) {
                    bits[usize::from(second) / 64] |= 1 << (second % 64);
                }
                bits
            }
        }
    }

    fn from_bits(bits: &SecondBits) -> Self {
        let whole = SecondSet(Seconds::Bits(Box::new(*bits)));
        let mut seconds = SecondSet::default();
        for second in whole.iter() {
            seconds.insert(second);
        }
        seconds
    }
}

/// The account of one hour, in memory for the minutes that have a count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HourAccount {
    /// Minutes that have a count, ascending.
    minutes: Vec<(u8, MinuteCounts)>,
    /// Active seconds: those with a packet or a tick of a live capture.
    pub active: SecondSet,
}

impl HourAccount {
    /// The counts of a minute, 0 to 59.
    #[must_use]
    pub fn minute(&self, minute: usize) -> MinuteCounts {
        match self.place(minute) {
            Ok(place) => self.minutes[place].1,
            Err(_) => MinuteCounts::default(),
        }
    }

    /// Adds counts to those of a minute, 0 to 59.
    pub fn add_to_minute(&mut self, minute: usize, counts: &MinuteCounts) {
        if *counts == MinuteCounts::default() {
            return;
        }
        match self.place(minute) {
            Ok(place) => self.minutes[place].1.add(counts),
            Err(place) => {
                // Of very many hours most have few minutes with a packet.
                if self.minutes.is_empty() {
                    self.minutes.reserve_exact(1);
                }
                self.minutes.insert(place, (minute as u8, *counts));
            }
        }
    }

    /// Says how many packets of folded sources each minute has, in place of what was said before; none where `by_minute` is empty.
    pub fn set_collapsed(&mut self, by_minute: &[u64]) {
        for (_, counts) in &mut self.minutes {
            counts.collapsed = 0;
        }
        for (minute, &collapsed) in by_minute.iter().enumerate() {
            let counts = MinuteCounts {
                collapsed,
                ..MinuteCounts::default()
            };
            self.add_to_minute(minute, &counts);
        }
    }

    /// Where a minute is, or would be.
    #[inline]
    fn place(&self, minute: usize) -> Result<usize, usize> {
        debug_assert!(minute < MINUTES);
        // Packets come in the order of their times, nearly.
        match self.minutes.last() {
            Some((last, _)) if usize::from(*last) == minute => Ok(self.minutes.len() - 1),
            Some((last, _)) if usize::from(*last) > minute => self
                .minutes
                .binary_search_by_key(&minute, |(minute, _)| usize::from(*minute)),
            _ => Err(self.minutes.len()),
        }
    }

    /// Adds the account of `other`, of the same hour.
    pub fn add(&mut self, other: &HourAccount) {
        for (minute, counts) in &other.minutes {
            self.add_to_minute(usize::from(*minute), counts);
        }
        self.active.union(&other.active);
    }

    /// Subtracts the counts of `other`, which were added before; its seconds stay observed.
    pub fn subtract(&mut self, other: &HourAccount) {
        for (minute, counts) in &other.minutes {
            if let Ok(place) = self.place(usize::from(*minute)) {
                self.minutes[place].1.subtract(counts);
            }
        }
        self.minutes
            .retain(|(_, counts)| *counts != MinuteCounts::default());
    }

    /// The sum of all minutes.
    #[must_use]
    pub fn total(&self) -> MinuteCounts {
        let mut total = MinuteCounts::default();
        for (_, counts) in &self.minutes {
            total.add(counts);
        }
        total
    }
}

/// Bytes of an account on disk.
pub const ACCOUNT_BYTES: usize = 8 * (MINUTES * COUNTERS.len() + SECONDS.div_ceil(64));

impl HourAccount {
    /// A hash of all that `coverage` says of an hour: this account, the observed seconds, and whether the hour is finished.
    #[must_use]
    pub fn hash_with(&self, seconds: &SecondSet, is_finished: bool) -> u128 {
        let mut bytes = Vec::with_capacity(ACCOUNT_BYTES + size_of::<SecondBits>() + 1);
        self.write_to(&mut bytes);
        for word in seconds.bits() {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.push(is_finished.into());
        XxHash3_128::oneshot(&bytes)
    }

    /// Appends the account to `bytes`, [`ACCOUNT_BYTES`] of them.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        for minute in 0..MINUTES {
            for count in self.minute(minute).numbers() {
                bytes.extend_from_slice(&count.to_le_bytes());
            }
        }
        for word in self.active.bits() {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// Reads back what [`HourAccount::write_to`] wrote.
    ///
    /// # Errors
    /// When `input` ends or cannot be read.
    pub fn read_from(input: &mut impl std::io::Read) -> std::io::Result<Self> {
        let mut word = || {
            let mut bytes = [0; 8];
            input
                .read_exact(&mut bytes)
                .map(|()| u64::from_le_bytes(bytes))
        };
        let mut account = HourAccount::default();
        for minute in 0..MINUTES {
            let mut counts = MinuteCounts::default();
            for count in counts.numbers_mut() {
                *count = word()?;
            }
            account.add_to_minute(minute, &counts);
        }
        let mut bits = [0; SECONDS.div_ceil(64)];
        for active in &mut bits {
            *active = word()?;
        }
        account.active = SecondSet::from_bits(&bits);
        Ok(account)
    }
}

/// The number of the hour that a time falls into, counted from 1970-01-01T00 UTC.
#[must_use]
pub const fn hour_of(time_us: i64) -> i64 {
    time_us.div_euclid(HOUR_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seconds_are_a_set_however_they_come(
            ranges in prop::collection::vec((0usize..SECONDS, 0usize..90), 0..120),
            others in prop::collection::vec(0usize..SECONDS, 0..120),
        ) {
            let mut expected = std::collections::BTreeSet::new();
            let (mut seconds, mut reversed, mut more) =
                (SecondSet::default(), SecondSet::default(), SecondSet::default());
            for &(from, length) in &ranges {
                seconds.insert_range(from, from + length);
                expected.extend(from..(from + length).min(SECONDS));
            }
            for &(from, length) in ranges.iter().rev() {
                (from..(from + length).min(SECONDS)).for_each(|second| reversed.insert(second));
            }
            prop_assert_eq!(&seconds, &reversed);
            others.iter().for_each(|&second| more.insert(second));
            expected.extend(&others);
            seconds.union(&more);
            more.union(&reversed);
            prop_assert_eq!(&seconds, &more);
            prop_assert_eq!(&SecondSet::from_bits(&seconds.bits()), &seconds);
            prop_assert!(seconds.iter().eq(expected.iter().copied()));
            let minute = |minute: usize| expected.range(minute * 60..minute * 60 + 60).count() as u64;
            prop_assert!((0..MINUTES).all(|at| seconds.in_minute(at) == minute(at)));
        }

        #[test]
        fn an_account_comes_back_from_its_bytes(
            counts in prop::collection::vec((0usize..MINUTES, 0u64..5, 0usize..SECONDS), 0..80),
        ) {
            let mut account = HourAccount::default();
            for &(minute, received, second) in &counts {
                let counts = MinuteCounts { received, ..MinuteCounts::default() };
                account.add_to_minute(minute, &counts);
                account.active.insert(second);
            }
            let mut bytes = Vec::new();
            account.write_to(&mut bytes);
            prop_assert_eq!(bytes.len(), ACCOUNT_BYTES);
            prop_assert_eq!(&HourAccount::read_from(&mut bytes.as_slice()).expect("whole"), &account);
            for minute in 0..MINUTES {
                let of_minute = counts.iter().filter(|(at, ..)| *at == minute);
                prop_assert_eq!(account.minute(minute).received, of_minute.map(|(_, n, _)| n).sum::<u64>());
            }
            let mut twice = account.clone();
            twice.add(&account);
            twice.subtract(&account);
            prop_assert_eq!(&twice, &account);
            twice.subtract(&account);
            prop_assert_eq!(twice.total(), MinuteCounts::default());
        }
    }

    #[test]
    fn seconds_count_in_their_minute() {
        let mut seconds = SecondSet::default();
        seconds.insert_range(58, 63);
        assert_eq!(seconds.in_minute(0), 2);
        assert_eq!(seconds.in_minute(1), 3);
        assert_eq!(seconds.iter().collect::<Vec<_>>(), [58, 59, 60, 61, 62]);
    }

    #[test]
    fn times_before_1970_fall_into_negative_hours() {
        assert_eq!(hour_of(-1), -1);
        assert_eq!(hour_of(HOUR_US), 1);
    }
}
