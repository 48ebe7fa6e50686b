//! The account of one hour, minute by minute: what was received, where it went, and which seconds were observed at all.
//!
//! All of it is sums and unions, so the parts of several workers merge in any order to the same account.

use crate::counter::COUNTERS;
pub use crate::counter::MinuteCounts;
use crate::table::HOUR_US;

/// Minutes in an hour.
pub const MINUTES: usize = 60;
/// Microseconds in a minute.
pub const MINUTE_US: i64 = 60_000_000;
/// Seconds in an hour.
pub const SECONDS: usize = 3600;

/// A set of seconds of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondSet([u64; SECONDS.div_ceil(64)]);

impl Default for SecondSet {
    fn default() -> Self {
        SecondSet([0; SECONDS.div_ceil(64)])
    }
}

impl SecondSet {
    /// Adds a second, 0 to 3599.
    #[inline]
    pub fn insert(&mut self, second: usize) {
        self.0[second / 64] |= 1 << (second % 64);
    }

    /// Adds every second of `from..to`.
    pub fn insert_range(&mut self, from: usize, to: usize) {
        for second in from..to.min(SECONDS) {
            self.insert(second);
        }
    }

    /// Adds every second of `other`.
    pub fn union(&mut self, other: &SecondSet) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours |= theirs;
        }
    }

    /// Whether a second is in the set.
    #[must_use]
    pub fn contains(&self, second: usize) -> bool {
        self.0[second / 64] >> (second % 64) & 1 == 1
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
}

/// The account of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourAccount {
    /// One entry a minute.
    pub minutes: [MinuteCounts; MINUTES],
    /// Seconds in which the source showed that it was awake: a packet, or a tick of a live capture.
    pub active: SecondSet,
}

impl Default for HourAccount {
    fn default() -> Self {
        HourAccount {
            minutes: [MinuteCounts::default(); MINUTES],
            active: SecondSet::default(),
        }
    }
}

impl HourAccount {
    /// Adds the account of `other`, of the same hour.
    pub fn add(&mut self, other: &HourAccount) {
        for (ours, theirs) in self.minutes.iter_mut().zip(&other.minutes) {
            ours.add(theirs);
        }
        self.active.union(&other.active);
    }

    /// Takes the counts of `other` away, which were added before; seconds stay observed.
    pub fn subtract(&mut self, other: &HourAccount) {
        for (ours, theirs) in self.minutes.iter_mut().zip(&other.minutes) {
            ours.subtract(theirs);
        }
    }

    /// The sum of all minutes.
    #[must_use]
    pub fn total(&self) -> MinuteCounts {
        let mut total = MinuteCounts::default();
        for minute in &self.minutes {
            total.add(minute);
        }
        total
    }
}

/// Bytes of an account on disk.
pub const ACCOUNT_BYTES: usize = 8 * (MINUTES * COUNTERS.len() + SECONDS.div_ceil(64));

impl HourAccount {
    /// Appends the account to `bytes`, [`ACCOUNT_BYTES`] of them.
    pub fn write_to(&self, bytes: &mut Vec<u8>) {
        for minute in &self.minutes {
            for count in minute.numbers() {
                bytes.extend_from_slice(&count.to_le_bytes());
            }
        }
        for word in self.active.0 {
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
        for minute in &mut account.minutes {
            for count in minute.numbers_mut() {
                *count = word()?;
            }
        }
        for active in &mut account.active.0 {
            *active = word()?;
        }
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
